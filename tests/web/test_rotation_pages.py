"""Keys rotated from the console: one device, an array, many by filter, and by age; who may, what is shown and logged, what is refused."""
import uuid

from fixtures import fixture
from inventory import Machine
from stack.process import wait_until
from web import database, make_user
from world import World, count, run

SLOW = 90


@fixture("file")
def world(server):
    return World(server)


@fixture("file")
def security(server, world):
    return world.console(make_user(server, world.tenant, "security-administrator"))


def keyed(server, world, name, status="encrypted", age=0):
    m = Machine(server, world.tenant, name)
    run(server, "update device set status = %s, key_version = 1, key_created = now() - make_interval(days => %s) where id = %s", status, age,
        m.device)
    run(server, "insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, 'w')", m.tenant, m.device)
    return m


def events(server, device):
    with database(server).cursor() as c:
        c.execute("select event from audit_entry where object_id = %s and event like 'key.rot%%' order by seq", (device,))
        return [e for (e,) in c.fetchall()]


def test_one_device(server, world, security):
    # covers: KEY-6, DEV-8, ROL-2, LOG-2
    m = keyed(server, world, "one-1")
    url = f"/devices/{m.device}"
    assert f'"{url}/rotate"' in security.get(url).text and security.get(f"{url}/rotate").status == 200
    for role in ("account-administrator", "auditor", "key-approver"):
        other = world.console(make_user(server, world.tenant, role))
        assert f'"{url}/rotate"' not in other.get(url).text and other.post(f"{url}/rotate").status == 403
    assert security.post(f"{url}/rotate").status == 303
    document = security.api(url).json
    assert [r["state"] for r in document["rotations"]] == ["waiting"] and not document["can"]["rotate"] and document["live"]
    assert "at the latest with the next release" in security.get(url).text
    # Once is enough; and before its agent has begun it can be taken back.
    assert security.post(f"{url}/rotate").status == 409
    assert security.post(f"{url}/rotate-cancel").status == 303 and security.post(f"{url}/rotate-cancel").status == 409
    assert security.api(url).json["can"]["rotate"]
    assert events(server, m.device) == ["key.rotate", "key.rotate-cancelled"]
    # As an API call, and what its agent could not do.
    assert security.api(f"{url}/rotate", {}).status == 200
    run(server, "update rotation set state = 'adding', begun = now(), from_version = 1, to_version = 2, error = 'no <slot>', tried = now()"
        " where device = %s and finished is null", m.device)
    page = security.get(url).text
    assert "1 → 2" in page and "no &lt;slot&gt;" in page and "Under way" in page
    assert security.post(f"{url}/rotate-cancel").status == 409


def test_encrypting_anew_is_shown_with_its_progress(server, world, security):
    # covers: KEY-6, DEV-8, ROL-2
    m = keyed(server, world, "anew-1")
    url = f"/devices/{m.device}"
    assert "as long as the disk takes" in security.get(f"{url}/reencrypt").text
    assert world.console().post(f"{url}/reencrypt").status == 403
    assert security.post(f"{url}/reencrypt").status == 303 and security.post(f"{url}/rotate").status == 409
    run(server, "update rotation set state = 'adding', begun = now(), progress = 37 where device = %s", m.device)
    row = security.api(url).json["rotations"][0]
    assert (row["kind"], row["progress"], row["works"]) == ("volume-key", 37, True)
    assert 'value="37"' in security.get(url).text
    # What the volume is in the middle of is not taken away from it; but who gives up its data may.
    assert security.post(f"{url}/rotate-cancel").status == 409
    assert world.console().post(f"{url}/unconfigure", typed="anew-1 data").status == 303
    assert count(server, "select state from rotation where device = %s", m.device) == "cancelled"


def test_what_has_no_key_is_refused(server, world, security):
    # covers: KEY-6
    for status in ("not-configured", "configured", "encrypting", "encryption-error", "undetected"):
        m = keyed(server, world, f"none-{status}", status)
        url = f"/devices/{m.device}"
        assert security.get(f"{url}/rotate").status == 409 and security.post(f"{url}/rotate").status == 409, status
    m = keyed(server, world, "released-1")
    run(server, "update device set release = 'decrypt' where id = %s", m.device)
    assert security.post(f"/devices/{m.device}/rotate").status == 409
    assert count(server, "select count(*) from rotation where device = %s", m.device) == 0
    assert security.post(f"/devices/{uuid.uuid4()}/rotate").status == 404


def test_many_by_ticks_and_by_filter(server, world, security):
    # covers: KEY-6, API-1
    many = [keyed(server, world, f"many-{i}") for i in range(4)]
    bare = Machine(server, world.tenant, "many-bare")
    run(server, "update device set status = 'configured' where id = %s", bare.device)

    def wanted():
        return [count(server, "select count(*) from rotation where device = %s and finished is null", m.device) for m in many]

    assert security.post("/devices/rotate", scope="selected").status == 422
    assert security.post("/devices/rotate", scope="selected", device=[str(many[0].device), str(bare.device)]).status == 303
    assert wanted() == [1, 0, 0, 0]
    # Those that have a key, and nothing else.
    offered = security.get("/devices/rotate?search=many-").text
    assert all(f"many-{i} data" in offered for i in range(4)) and "many-bare" not in offered, offered
    # All that match, with what is under way already left to itself.
    assert security.post("/devices/rotate", scope="all", search="many-").status == 303
    assert wanted() == [1, 1, 1, 1]
    assert count(server, "select count(*) from rotation where device = %s", bare.device) == 0
    detail = count(server, "select detail from audit_entry where tenant = %s and event = 'key.rotate-many' order by seq desc limit 1", world.tenant)
    assert detail == {"devices": 3}
    assert security.post("/devices/rotate", scope="all", search="many-").status == 409
    assert world.console().post("/devices/rotate", scope="all").status == 403


def test_keys_over_age_are_rotated_by_themselves_but_not_all_at_once(server):
    # covers: KEY-6
    world = World(server)
    security = world.console(make_user(server, world.tenant, "security-administrator"))
    old, fresh = [keyed(server, world, f"old-{i}", age=400) for i in range(3)], keyed(server, world, "fresh-1", age=10)
    assert security.post("/account/keys", days=0).status == 303
    assert security.post("/account/keys", days=4000).status == 422
    assert world.console(make_user(server, world.tenant, "auditor")).post("/account/keys", days=9).status == 403
    assert security.post("/account/keys", days=90).status == 303
    assert 'value="90"' in security.get("/account/keys").text
    # Who may not change it reads it, and finds no form.
    read = world.console(make_user(server, world.tenant, "auditor")).get("/account/keys").text
    assert "<dd>90</dd>" in read and 'name="days"' not in read
    # Each key's own moment is on its device's page.
    assert "Next rotation by age" in security.get(f"/devices/{fresh.device}").text
    due = security.api(f"/devices/{fresh.device}").json["rotation_due"]["iso"]
    assert count(server, "select %s::timestamptz between now() + interval '70 days' and now() + interval '80 days'", due)
    detail = count(server, "select detail from audit_entry where tenant = %s and event = 'key.age'", world.tenant)
    assert detail["changes"]["max_key_age_days"] == {"old": 0, "new": 90}

    def wanted(of):
        return sum(count(server, "select count(*) from rotation where device = %s and reason = 'age'", m.device) for m in of)

    # One of so few each time that jobd looks, which may be more than once before somebody else does.
    wait_until(lambda: wanted(old) >= 1, SLOW, "nothing is rotated")
    assert count(server, "select count(*) = count(distinct wanted) from rotation where tenant = %s and reason = 'age'", world.tenant)
    assert wanted([fresh]) == 0
    page = security.get(f"/devices/{next(m.device for m in old if wanted([m]))}").text
    assert "the maximum key age" in page
    assert security.post("/account/keys", days="").status == 303
    assert count(server, "select count(*) from rotation_age where tenant = %s", world.tenant) == 0
