"""RAID 0 arrays in the console: made of devices that fit, shown, changed, encrypted and deleted as one, by page and by API."""
import re
import uuid

from fixtures import fixture
from inventory import Machine
from web import make_user
from world import World, count

FORM = {"os": "linux", "filesystem": "ext4", "access": "rw", "mode": "xts", "key_size": "256", "mount": "/srv/fast", "go": "save"}


@fixture("file")
def world(server):
    world = World(server)
    world.machine = Machine(server, world.tenant)
    return world


def status(server, id):
    return count(server, "select status from device where id = %s", id)


def rows_of(answer):
    return {r["name"]: r for r in answer.json["candidates"]}


def create(c, members, name, **form):
    answer = c.post("/devices/raid", members=members, name=name, **(FORM | form))
    assert answer.status == 303, answer.text
    return answer.header("location").rsplit("/", 1)[1]


def test_the_picker_says_who_fits(server, world):
    # covers: RAID-1, WEB-3
    m, c = Machine(server, world.tenant, "picker"), world.console()
    other = Machine(server, world.tenant, "picker-2")
    a, b = m.disk("pick-a"), m.disk("pick-b")
    m.disk("pick-system", is_system=True)
    m.disk("pick-busy", is_busy=True)
    elsewhere = other.disk("pick-elsewhere")
    rows = rows_of(c.api("/devices/raid?search=pick-"))
    assert {n: r["reason"] for n, r in rows.items()} == {"pick-a": None, "pick-b": None, "pick-elsewhere": None,
        "pick-system": "Holds the root file system", "pick-busy": "In use by the machine"}
    assert rows["pick-system"]["closed"] and not rows["pick-a"]["closed"]
    assert rows_of(c.api("/devices/raid?search=picker%20data"))["picker data"]["reason"] == "Configured already"
    rows = rows_of(c.api(f"/devices/raid?search=pick-&members={elsewhere}"))
    assert rows["pick-elsewhere"]["chosen"] and rows["pick-a"]["reason"] == "Another image than the first one chosen"
    # Without JavaScript: a search keeps what is ticked and typed, and complains of nothing.
    page = c.post("/devices/raid", members=[a, b], name="d t", search="nothing-like-this", go="search", **{k: FORM[k] for k in FORM if k != "go"})
    assert page.status == 200 and 'role="alert"' not in page.text
    ticked = re.findall(r'name="members" value="([^"]+)" id="[^"]+" checked', page.text)
    assert set(ticked) == {a, b} and 'value="d t"' in page.text and 'value="nothing-like-this"' in page.text
    # What is wrong is said where it is, and nothing is lost.
    page = c.post("/devices/raid", members=[a], name="d t", **(FORM | {"mount": "srv"}))
    assert page.status == 422 and 'id="e-name"' in page.text and 'id="e-members"' in page.text and 'id="e-mount"' in page.text
    assert re.findall(r'name="members" value="([^"]+)" id="[^"]+" checked', page.text) == [a]
    page = c.post("/devices/raid", members=[a, elsewhere], name="dt", **FORM)
    assert page.status == 422 and "pick-elsewhere" in page.text
    assert c.post("/devices/raid", members=[a, str(uuid.uuid4())], name="dt", **FORM).status == 404
    assert count(server, "select count(*) from device where kind = 'raid-0' and tenant = %s", world.tenant) == 0


def test_an_array_from_making_to_deleting(server, world):
    # covers: RAID-1, DEV-2, DEV-3, DEV-6, LOG-2
    m, c = Machine(server, world.tenant, "life"), world.console()
    a, b, d = m.disk("life-a"), m.disk("life-b", 2 << 30), m.disk("life-c", found_filesystem="ext4")
    id = create(c, [a, b], "life", description="fast <scratch>")
    assert (status(server, id), status(server, a)) == ("configured", "configured")
    assert c.post("/devices/raid", members=[d, b], name="life", **FORM).status == 422
    page = c.get(f"/devices/{id}").text
    assert "fast &lt;scratch&gt;" in page and "Devices of this RAID 0" in page and f"/devices/{b}" in page and "2 GiB" in page
    assert f'href="/devices/{id}/raid"' in page and f'href="/devices/{id}/configure"' not in page
    # A member leads to its array, and offers nothing of its own.
    page = c.get(f"/devices/{a}").text
    assert f'href="/devices/{id}"' in page and f'href="/devices/{a}/encrypt"' not in page and f'href="/devices/{a}/edit"' in page
    for act, form in (("encrypt", {}), ("unconfigure", {"typed": "life-a"}), ("delete", {"typed": "life-a"}), ("cancel", {})):
        assert c.post(f"/devices/{a}/{act}", **form).status == 409, act
    assert c.post(f"/devices/{a}/configure", **{k: FORM[k] for k in FORM if k != "go"}).status == 409
    rows = {r["name"]: r for r in c.api("/devices?search=life").json["list"]["rows"]}
    assert rows["life"]["members"] == 2 and rows["life-a"]["raid"]["url"] == f"/devices/{id}" and rows["life-c"]["raid"] is None
    page = c.get("/devices?search=life").text
    assert "RAID 0 of 2" in page and "Member of" in page and 'href="/devices/raid"' in page
    # Changed: other members, other words.
    document = c.api(f"/devices/{id}/raid").json
    assert [r["id"] for r in document["candidates"] if r["chosen"]] == [a, b]
    assert c.post(f"/devices/{id}/raid", members=[a, d], description="faster", **(FORM | {"mount": "/srv/faster"})).status == 303
    assert [r["name"] for r in c.api(f"/devices/{id}").json["members"]] == ["life-a", "life-c"]
    assert status(server, b) == "not-configured"
    detail = count(server, "select detail from audit_entry where event = 'raid.changed' and object_id = %s", id)
    assert detail["changes"]["members"] == {"old": ["life-a", "life-b"], "new": ["life-a", "life-c"]}
    detail = count(server, "select detail from audit_entry where event = 'device.configured' and object_id = %s order by seq desc limit 1", id)
    assert detail["changes"] == {"mount_point": {"old": "/srv/fast", "new": "/srv/faster"}}
    # One member holds something: that is said, and the name is asked for.
    page = c.get(f"/devices/{id}/encrypt").text
    assert "life-c (1 GiB): ext4" in page and 'name="typed"' in page
    assert c.post(f"/devices/{id}/encrypt", typed="life-c").status == 422
    assert c.post(f"/devices/{id}/encrypt", typed="life").status == 303
    assert [status(server, x) for x in (id, a, d)] == ["encryption-pending"] * 3
    assert count(server, "select count(*) from device where raid = %s and overwrite", id) == 2
    assert c.post(f"/devices/{id}/raid", members=[a, b], **FORM).status == 409
    assert c.post(f"/devices/{id}/cancel").status == 303
    assert c.post(f"/devices/{id}/delete", typed="life").status == 409
    assert c.post(f"/devices/{id}/unconfigure", typed="life").status == 303
    assert c.post(f"/devices/{id}/delete", typed="nonsense").status == 422
    assert "free again" in c.get(f"/devices/{id}/delete").text
    assert c.post(f"/devices/{id}/delete", typed="life").status == 303
    assert c.get(f"/devices/{id}").status == 404 and [status(server, x) for x in (a, d)] == ["not-configured"] * 2


def test_by_the_api_and_by_roles(server, world):
    # covers: RAID-1, API-1, ROL-6
    m, c = Machine(server, world.tenant, "by-api"), world.console()
    a, b = m.disk("api-a"), m.disk("api-b")
    body = {k: FORM[k] for k in FORM if k != "go"} | {"members": [b, a], "name": "by_api-1", "description": ""}
    answer = c.api("/devices/raid", body)
    assert answer.status == 200, answer.text
    id = count(server, "select id from device where provider_device = 'raid:by_api-1' and tenant = %s", world.tenant)
    assert [x["id"] for x in c.api(f"/devices/{id}").json["members"]] == [b, a]
    assert c.api("/devices/raid", body | {"name": "x", "members": [a]}).status == 422
    assert c.api(f"/devices/{a}/raid").status == 404
    auditor = world.console(make_user(server, world.tenant, "auditor"))
    assert auditor.get(f"/devices/{id}").status == 200 and "/raid" not in auditor.get(f"/devices/{id}").text
    assert auditor.get("/devices/raid").status == 403 and auditor.post(f"/devices/{id}/raid", members=[a, b], **FORM).status == 403


def test_a_request_shows_the_devices(server, world):
    # covers: RUN-3, RAID-1
    m, c = Machine(server, world.tenant, "asks"), world.console()
    id = create(c, [m.disk("asks-a"), m.disk("asks-b")], "asks", description="two disks")
    request = m.request("pending")
    count(server, "update key_request set device = %s where id = %s returning id", id, request)
    device = c.api(f"/requests/{request}").json["device"]
    assert (device["kind"], device["type"], device["members"], device["mount"]) == ("RAID 0", "RAID 0", "asks-a, asks-b", "/srv/data")
    page = c.get(f"/requests/{request}").text
    assert "asks-a, asks-b" in page and "two disks" in page
