"""Pages of devices: what is offered and done in which status, another image, the configuration of another device."""
import concurrent.futures
import json
import pathlib
import re
import uuid

import psycopg2

from fixtures import fixture
from inventory import Machine
from races import standing
from stack.process import wait_until
from test_agent_pool import Machine as Cloud, provision
from web import make_user
from world import World, count, run

ROOT = pathlib.Path(__file__).resolve().parents[2]


@fixture("file")
def world(server):
    return World(server)


def transitions():
    """{ status: events } as the table of the code says."""
    names = dict(re.findall(r'X\(([A-Z_]+), "([a-z-]+)", "', (ROOT / "src/policy/device_state.h").read_text()))
    rows = re.findall(r"\tT\(([A-Z_]+), ([A-Z_]+), ([A-Z_]+)\)", (ROOT / "src/policy/device_state.c").read_text())
    return {name: {event for status, event, _ in rows if status == key} for key, name in names.items()}


ACTS = {"configure": ("CONFIGURE", dict(os="linux", filesystem="ext4", mount="/srv/new", access="rw", mode="xts", key_size="256")),
        "encrypt": ("ENCRYPT", {}), "cancel": ("CANCEL", None), "unconfigure": ("UNCONFIGURE", {}), "delete": (None, {})}


def test_every_status_with_every_act(server, world):
    # covers: DEV-2, DEV-3, DEV-6, DEV-7
    c, table, tried = world.console(), transitions(), 0
    m = Machine(server, world.tenant, "every-1")
    name = f"{m.name} data"
    for status, events in table.items():
        for act, (event, fields) in ACTS.items():
            run(server, "insert into device (tenant, id, provider, provider_device, name, instance, image, policy, status, os, filesystem,"
                " mount_point) select tenant, %s, provider, %s, %s, instance, image, policy, %s, os, filesystem, mount_point from device"
                " where id = %s", (id := str(uuid.uuid4())), id, name, status, m.device)
            legal = event in events if event else status == "undetected"
            page, url = c.get(f"/devices/{id}").text, f"/devices/{id}/{act}"
            assert (f'"{url}"' in page) == legal, (status, act)
            assert c.api(f"/devices/{id}").json["can"][act] == legal, (status, act)
            if fields is not None and act != "cancel":
                asks = c.get(url)
                assert asks.status == (200 if legal else 409), (status, act, asks)
                if act in ("unconfigure", "delete") and legal:
                    assert c.post(url, typed="something else").status == 422
                    assert count(server, "select status from device where id = %s", id) == status
            answer = c.post(url, typed=name, **(fields or {}))
            assert answer.status == (303 if legal else 409), (status, act, answer)
            if not legal:
                assert count(server, "select status from device where id = %s", id) == status
                assert count(server, "select count(*) from audit_entry where object_id = %s", id) == 0
                if act != "cancel":
                    assert "present status" in answer.text or "Undetected" in answer.text or "status" in answer.text, answer.text
            else:
                assert count(server, "select count(*) from audit_entry where object_id = %s", id) >= 1, (status, act)
            run(server, "delete from device where id = %s", id)
            tried += legal
    assert tried == 10


def test_the_system_and_what_the_guest_uses_say_why(server, world):
    # covers: DEV-1, DEV-3
    c, m = world.console(), Machine(server, world.tenant, "why-1")
    run(server, "update device set status = 'not-configured', is_system = true, mount_point = '' where id = %s", m.device)
    page = c.get(f"/devices/{m.device}").text
    assert "The system runs from this device" in page and f"/devices/{m.device}/configure" not in page
    assert c.get(f"/devices/{m.device}/configure").status == 409
    run(server, "update device set is_system = false, unusable = 'it is mounted', found_filesystem = 'ntfs' where id = %s", m.device)
    page = c.get(f"/devices/{m.device}").text
    assert "It cannot be encrypted as it is" in page and "it is mounted" in page and "NTFS" in page
    run(server, "update device set status = 'encryption-error', unusable = '', error = 'it holds <ext4>' where id = %s", m.device)
    page = c.get(f"/devices/{m.device}").text
    assert "Encryption failed: it holds &lt;ext4&gt;" in page and "choose Encrypt again" in page
    document = c.api(f"/devices/{m.device}").json
    assert document["device"]["error"] == "it holds <ext4>" and document["device"]["size_bytes"] == 5 << 30


def test_the_key_request_and_what_the_agent_says_are_on_the_page(server, world):
    # covers: DEV-1, RUN-2, RUN-6, WEB-3
    c, m = world.console(), Machine(server, world.tenant, "says-1")
    run(server, "update device set key_created = now() where id = %s", m.device)
    page = c.get(f"/devices/{m.device}").text
    assert "Its agent asks for the key when it runs" in page and "Open the key request" not in page
    request = m.request("pending")
    page = c.get(f"/devices/{m.device}").text
    assert "Its key waits for a decision" in page and f'href="/requests/{request}"' in page
    run(server, "update key_request set status = 'delivered' where id = %s", request)
    says = [{"device": f"d-{m.device}", "status": "failed", "detail": "opening failed: a <b> key slot"}]
    run(server, "insert into heartbeat (tenant, agent, at, volumes) values (%s, %s, now(), %s)", world.tenant, m.agent, json.dumps(says))
    page = c.get(f"/devices/{m.device}").text
    assert "Its agent could not open it: opening failed: a &lt;b&gt; key slot" in page and "Delivered" in page
    assert "Its key waits for a decision" not in page
    instance = c.get(f"/instances/{m.instance}").text
    assert "Its agent says: opening failed: a &lt;b&gt; key slot" in instance
    assert c.api(f"/instances/{m.instance}").json["devices"][0]["said"] == "opening failed: a <b> key slot"
    says[0] |= {"status": "open", "detail": "mounted on /srv/data"}
    run(server, "insert into heartbeat (tenant, agent, at, volumes) values (%s, %s, now(), %s)", world.tenant, m.agent, json.dumps(says))
    page = c.get(f"/devices/{m.device}").text
    assert "could not open it" not in page and "mounted on /srv/data" in page


def test_a_list_of_devices_says_what_cannot_be_encrypted(server, world):
    # covers: DEV-1, DEV-3
    c, m = world.console(), Machine(server, world.tenant, "hints-1")
    m.disk("root disk", is_system=True)
    m.disk("swap disk", is_busy=True)
    m.disk("free disk")
    rows = {r["name"]: r["hint"] for r in c.api(f"/devices?instance={m.instance}").json["list"]["rows"]}
    assert rows == {"root disk": "The system's, never encrypted", "swap disk": "In use on its instance", "free disk": None, "hints-1 data": None}
    run(server, "update device set status = 'configured', mode = 'cbc-essiv:sha256', key_bits = 192, configured = now() where id = %s", m.device)
    page = c.get(f"/devices/{m.device}").text
    assert "To be encrypted with" in page and "AES-CBC-ESSIV, 192 bits" in page


def test_progress_is_shown_and_refreshes_itself(server, world):
    # covers: DEV-2, WEB-1
    c, m = world.console(), Machine(server, world.tenant, "progress-1")
    assert c.api(f"/devices/{m.device}").json["live"]["url"] == f"/devices/{m.device}", "its key is the next thing to come"
    run(server, "update device set status = 'in-use' where id = %s", m.device)
    assert c.api(f"/devices/{m.device}").json["live"] is None
    run(server, "update device set status = 'encrypting', progress = 42 where id = %s", m.device)
    document = c.api(f"/devices/{m.device}").json
    assert document["device"]["progress"]["percent"] == 42 and document["live"]["url"] == f"/devices/{m.device}"
    assert document["device"]["progress"]["since"]["relative"]
    part = c.get(f"/devices/{m.device}?fragment=1").text
    assert "<html" not in part and 'value="42"' in part and "hx-trigger" in part
    rows = c.api("/devices?status=encrypting").json
    assert rows["list"]["rows"][0]["progress"]["percent"] == 42 and rows["live"]["url"] == "/devices?status=encrypting"
    assert 'value="42"' in c.get("/devices?status=encrypting&fragment=1").text
    run(server, "update device set status = 'encrypted' where id = %s", m.device)
    assert c.api("/devices?search=progress-1").json["live"] is None


# Another image

def test_reassign_only_where_devices_can_be_moved(server, world):
    # covers: DEV-4, LOG-2
    c = world.console()
    cloud, other, fixed = (Machine(server, world.tenant, n, p) for n, p in (("cloud-1", "ec2"), ("cloud-2", "ec2"), ("fixed-1", "vcloud")))
    assert f"/devices/{fixed.device}/reassign" not in c.get(f"/devices/{fixed.device}").text
    assert "belong to their machine" in c.get(f"/devices/{fixed.device}").text
    assert c.post(f"/devices/{fixed.device}/reassign", image=fixed.image).status == 409
    url = f"/devices/{cloud.device}/reassign"
    assert url in c.get(f"/devices/{cloud.device}").text
    offered = {o["value"] for o in c.api(url).json["form"]["image"]["options"]}
    assert {str(cloud.image), str(other.image)} <= offered and str(fixed.image) not in offered
    assert c.post(url, image=fixed.image).status == 422 and c.post(url, image=str(uuid.uuid4())).status == 404
    waiting, ear = cloud.request("pending"), psycopg2.connect(server.database.conninfo("postgres"))
    ear.autocommit = True
    ear.cursor().execute("listen keyward_order")
    assert c.post(url, image=other.image).status == 303
    assert count(server, "select image from device where id = %s", cloud.device) == str(other.image)
    changes = count(server, "select detail from audit_entry where event = 'device.reassigned' and object_id = %s", cloud.device)["changes"]
    assert changes == {"image": {"old": cloud.provider_image, "new": other.provider_image}}
    # What an instance of the former image has asked for cannot be approved any more.
    assert count(server, "select closed_reason from key_request where id = %s", waiting) == "device reassigned"
    # Whose agent hears of it on its held line.
    wait_until(lambda: ear.poll() or cloud.agent in [n.payload for n in ear.notifies], 60, "its agent is not told")
    ear.close()
    assert "Attached to an instance of another image" in c.get(f"/devices/{cloud.device}").text
    # In a pool that is nothing to be warned of.
    for pooling in (True, False):
        run(server, "update policy p set pooling = %s from device d where d.id = %s and d.tenant = p.tenant and d.policy = p.id", pooling, cloud.device)
        assert ("Attached to an instance of another image" in c.get(f"/devices/{cloud.device}").text) is not pooling
    run(server, "update device set status = 'in-use' where id = %s", cloud.device)
    assert c.post(url, image=cloud.image).status == 409
    assert world.console(make_user(server, world.tenant, "auditor")).post(url, image=cloud.image).status == 403
    # Nor by configuring.
    run(server, "update device set status = 'configured', provider = 'vcloud' where id = %s", cloud.device)
    answer = c.post(f"/devices/{cloud.device}/configure", image=cloud.image, **ACTS["configure"][1])
    assert answer.status == 422, answer


def test_choices_are_searched_and_what_is_chosen_stays(server):
    # covers: DEV-4, DEV-3, WEB-1, WEB-3
    world = World(server)
    c, m = world.console(), Machine(server, world.tenant, "one-of-many", "ec2")
    run(server, "insert into image (tenant, id, provider, provider_image, name) select %s, gen_random_uuid(), 'ec2', 'ami-many-' || n,"
        " 'Image ' || to_char(n, 'FM00') from generate_series(1, 30) n", world.tenant)
    wanted = str(count(server, "select id from image where provider_image = 'ami-many-29' and tenant = %s", world.tenant))

    def offered(form):
        return [o["value"] for o in form["image"]["options"]]
    url = f"/devices/{m.device}/reassign"
    first = c.api(url).json
    assert first["pick"]["more"] and first["pick"]["many"] and wanted not in offered(first["form"])
    assert offered(first["form"])[0] == str(m.image) and first["form"]["image"]["options"][0]["selected"]
    answer = c.post(url, go="search", search="many-29", image=m.image)
    assert answer.status == 200 and f'value="{wanted}"' in answer.text and f'value="{m.image}" checked' in answer.text, answer
    assert 'class="kw-error"' not in answer.text and count(server, "select image from device where id = %s", m.device) == str(m.image)
    assert f'value="{wanted}"' in c.get(f"{url}?search=many-29").text
    assert "Nothing else fits" in c.get(f"{url}?search=nothing-like-this").text
    # Chosen on a page before, it is still offered, and what else was typed is kept.
    run(server, "update device set status = 'configured' where id = %s", m.device)
    fields = ACTS["configure"][1] | {"mount": "/srv/typed"}
    answer = c.post(f"/devices/{m.device}/configure", go="search", search="Image 03", image=wanted, **fields)
    assert f'value="{wanted}" checked' in answer.text and 'value="/srv/typed"' in answer.text and "ami-many-3" in answer.text
    assert c.post(f"/devices/{m.device}/configure", go="save", search="Image 03", image=wanted, **fields).status == 303
    assert count(server, "select image from device where id = %s", m.device) == wanted
    run(server, "update device set status = 'encrypted' where id = %s", m.device)
    assert "Choose an image." in c.post(url, go="save").text


def test_only_instances_of_the_devices_image_get_its_key(server):
    # covers: DEV-4, SEC-7
    world = World(server)
    run(server, "update policy set on_match = 'approve', rules = '[{\"type\": \"os.system\", \"conditions\": [{\"operator\": \"equals\","
        " \"value\": \"linux\"}]}]' where tenant = %s", world.tenant)
    machine = Cloud(server, world.tenant)
    provision(server, machine, world.tenant, "vol-9")
    image = count(server, "select image from instance where id = %s", machine.instance)
    device = count(server, "update device set image = %s where provider_device = 'vol-9' and tenant = %s returning id", image, world.tenant)
    other = str(uuid.uuid4())
    run(server, "insert into image (tenant, id, provider, provider_image) values (%s, %s, 'ec2', 'ami-2')", world.tenant, other)
    told = "select count(*) from agent_order where device = %s and kind = 'request-key'"
    assert world.console().post(f"/devices/{device}/reassign", image=other).status == 303
    answer = machine.want("vol-9")
    assert answer["type"] == "refusal" and "another image" in answer["text"], answer
    assert count(server, told, device) == 0
    assert world.console().post(f"/devices/{device}/reassign", image=image).status == 303
    assert count(server, told, device) == 1, "who has it already does not know that it may ask now"
    assert machine.want("vol-9")["status"] == "delivered"


def test_a_device_is_reassigned_while_its_agent_says_that_it_is_open(server):
    # covers: DEV-4
    world = World(server)
    run(server, "update policy set on_match = 'approve', rules = '[{\"type\": \"os.system\", \"conditions\": [{\"operator\": \"equals\","
        " \"value\": \"linux\"}]}]' where tenant = %s", world.tenant)
    machine, other = Cloud(server, world.tenant), str(uuid.uuid4())
    provision(server, machine, world.tenant, "vol-8")
    device = count(server, "select id from device where provider_device = 'vol-8' and tenant = %s", world.tenant)
    run(server, "insert into image (tenant, id, provider, provider_image) values (%s, %s, 'ec2', 'ami-2')", world.tenant, other)
    request, c = machine.want("vol-8")["request"], world.console()
    # The agent waits for what the person holds, and longer than the database takes to look for a ring. There is none: the person goes on.
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'keyward_agent' and now() - query_start > interval '1500 ms'"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with standing(server, "device", f"new.id = '{device}' and new.image is distinct from old.image") as stands:
            reassigned = pool.submit(c.post, f"/devices/{device}/reassign", image=other)
            wait_until(stands, 60, "nobody reassigns it")
            opened = pool.submit(machine.say, type="opened", request=request, device="vol-8")
            wait_until(lambda: count(server, waits) or opened.done(), 60, "the agent does not wait")
        assert reassigned.result(60).status == 303, reassigned.result()
        assert opened.result(60)["type"] == "refusal"
    assert count(server, "select closed_reason from key_request where id = %s", request) == "device reassigned"


# The configuration of another device

def test_a_copy_is_offered_only_what_its_token_names(server, world):
    # covers: DEV-5, VOL-5
    c = world.console()
    origin, copy, other = (Machine(server, world.tenant, n) for n in ("origin-1", "copy-1", "other-1"))
    for m in (origin, other):
        run(server, "update device set key_version = 1, key_created = now() where id = %s", m.device)
        run(server, "insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, 'w')", m.tenant, m.device)
    run(server, "update device set status = 'not-configured', mount_point = '' where id = %s", copy.device)
    url = f"/devices/{copy.device}/copy"
    body = dict(mount="/srv/copy", access="rw")
    assert url not in c.get(f"/devices/{copy.device}").text and "Not a copy" in c.get(url).text
    assert c.post(url, source=origin.device, **body).status == 409
    # A device of another account, or one that is gone.
    run(server, "update device set token_account = tenant, token_device = %s, token_version = 1 where id = %s", str(uuid.uuid4()), copy.device)
    assert "The volume of a device that was deleted" in c.get(f"/devices/{copy.device}").text and "No device here has its key" in c.get(url).text
    run(server, "update device set token_device = %s, token_version = 2 where id = %s", origin.device, copy.device)
    assert not c.api(url).json["has_sources"] and c.post(url, source=origin.device, **body).status == 409
    run(server, "update device set token_version = 1 where id = %s", copy.device)
    page = c.get(f"/devices/{copy.device}").text
    assert "is a copy of device origin-1 data" in page and f'href="{url}"' in page
    form = c.api(url).json["form"]
    assert [o["value"] for o in form["source"]["options"]] == [str(origin.device)] and form["mount"]["value"] == "/srv/data"
    assert c.post(url, source=other.device, **body).status == 409
    assert c.post(url, source=origin.device, mount="relative", access="rw").status == 422
    assert world.console(make_user(server, world.tenant, "key-approver")).post(url, source=origin.device, **body).status == 403
    # A key that keyd cannot unwrap is not copied, and nothing is changed.
    assert c.post(url, source=origin.device, **body).status >= 500
    assert count(server, "select status from device where id = %s", copy.device) == "not-configured"
    assert count(server, "select count(*) from device_key where device = %s", copy.device) == 0
