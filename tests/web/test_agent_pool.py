"""Resource pooling at the agent service (POL-5): what an agent is given where another has the device that it asks for."""
import base64
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from fixtures import fixture
from test_agent_service import CURVE, Agent, check, make_agent, public
from web import database
from world import World, count

RULES = '[{"type": "os.system", "conditions": [{"operator": "equals", "value": "linux"}]}]'


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Machine(Agent):
    """One whose devices a provider attaches."""

    def __init__(self, server, tenant, provider="ec2"):
        super().__init__(server, str(tenant), *make_agent(server, tenant))
        with database(server).cursor() as c:
            c.execute("insert into image (tenant, id, provider, provider_image) values (%s, %s, %s, 'ami-1')"
                      " on conflict do nothing", (tenant, str(uuid.uuid4()), provider))
            c.execute("update instance set provider = %s, image = (select id from image where tenant = %s and provider = %s) from agent a"
                      " where a.id = %s and instance.id = a.instance returning instance.id",
                      (provider, tenant, provider, str(uuid.UUID(bytes=self.agent))))
            self.instance = c.fetchone()[0]
            c.execute("insert into policy_image (tenant, policy, image) select p.tenant, p.id, i.id from policy p join image i"
                      " on i.tenant = p.tenant where p.tenant = %s and p.is_default on conflict do nothing", (tenant,))
        self.connect()

    def recipient(self, device):
        one_time = public(ec.generate_private_key(CURVE))
        digest = check.sha256(check.string(b"keyward 1 recipient") + self.account + self.agent + check.string(device.encode()) + one_time)
        r, s = utils.decode_dss_signature(self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return {"device": device, "recipient_key": b64(one_time), "signature": b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}

    def want(self, device):
        return self.say(type="key_request", access="read-write", facts={"os.system": "linux"}, **self.recipient(device))


def provision(server, machine, tenant, name):
    """An encrypted device with a real key, attached to MACHINE."""
    with database(server).cursor() as c:
        c.execute("insert into device (tenant, id, provider, machine, provider_device, instance, policy, status, filesystem, mount_point,"
                  " configured) select i.tenant, %s, i.provider, device_machine(i.provider, i.id), %s, i.id, p.id, 'encryption-pending',"
                  " 'ext4', '/data', now() from instance i join policy p on p.tenant = i.tenant and p.is_default where i.id = %s",
                  (str(uuid.uuid4()), name, machine.instance))
    start = machine.say(type="provision_start", **machine.recipient(name))
    assert start.get("sealed"), start
    done = machine.say(type="provision_done", device=name, luks_uuid=str(uuid.uuid4()), key_version=start["key_version"])
    assert done["type"] == "provision_done", done


@fixture("test")
def pool(server):
    """A tenant whose policy approves; vol-1 is open on the first machine, vol-2 is attached to nothing."""
    world = World(server)
    tenant = world.tenant
    with database(server).cursor() as c:
        c.execute("update policy set pooling = true, on_match = 'approve', rules = %s where tenant = %s and is_default", (RULES, tenant))
    machine = Machine(server, tenant)
    for name in ("vol-1", "vol-2"):
        provision(server, machine, tenant, name)
    with database(server).cursor() as c:
        c.execute("update device set instance = null where tenant = %s and provider_device = 'vol-2'", (tenant,))
    answer = machine.want("vol-1")
    assert answer["status"] == "delivered" and answer["device"] == "vol-1", answer
    assert machine.say(type="opened", request=answer["request"], device="vol-1")["type"] == "opened"
    machine.world = world
    return tenant, machine


def status(server, tenant, device):
    with database(server).cursor() as c:
        c.execute("select status from device where tenant = %s and provider_device = %s", (tenant, device))
        return c.fetchone()[0]


def test_a_free_device_that_is_gone_for_good_can_be_deleted(server, pool):
    # covers: POL-5, DEV-6, DEV-7
    tenant, machine = pool
    c = machine.world.console()
    id = count(server, "select id from device where tenant = %s and provider_device = 'vol-2'", tenant)
    page = c.get(f"/devices/{id}").text
    assert "Free: no instance has it" in page
    assert c.api(f"/devices/{id}/delete", {"typed": "vol-2"}).status == 409
    assert c.api(f"/devices/{id}/unconfigure", {"typed": "vol-2"}).status in (200, 201, 204, 303)
    assert status(server, tenant, "vol-2") == "undetected"
    assert c.api(f"/devices/{id}/delete", {"typed": "vol-2"}).status in (200, 201, 204, 303)
    assert count(server, "select count(*) from device where id = %s", id) == 0


def test_another_device_is_given_opened_and_closed(server, pool):
    # covers: POL-5
    tenant, first = pool
    second, third = Machine(server, tenant), Machine(server, tenant)
    given = second.want("vol-1")
    assert given["status"] == "delivered" and given["device"] == "vol-2" and given["sealed"], given
    assert second.say(type="opened", request=given["request"], device="vol-2")["type"] == "opened"
    assert status(server, tenant, "vol-2") == "in-use"
    # None is free for the third: it waits, and never gets what is in use, however often it looks.
    waits = third.want("vol-1")
    assert waits["status"] == "pending" and "free" in waits["reason"] and not waits.get("sealed"), waits
    assert third.say(type="key_poll", request=waits["request"])["status"] == "pending"
    assert third.want("vol-1")["request"] == waits["request"]
    # The second closes by the name it was given; the third is told to ask anew, and gets it.
    assert second.say(type="closed", device="vol-2", reason="shutdown")["type"] == "closed"
    assert status(server, tenant, "vol-2") == "encrypted"
    assert third.say(type="key_poll", request=waits["request"])["code"] == "not-found"
    given = third.want("vol-1")
    assert given["status"] == "delivered" and given["device"] == "vol-2" and given["sealed"], given
    # An agent that cannot attach it says so by the name it asked for, and the device is free again.
    assert third.say(type="closed", device="vol-1", reason="failure")["type"] == "closed"
    assert second.want("vol-1")["device"] == "vol-2"
    # Nothing of that has touched the first.
    assert status(server, tenant, "vol-1") == "in-use"
    with database(server).cursor() as c:
        c.execute("select detail->>'device', detail->>'asked' from audit_entry where tenant = %s and event = 'key.requested'"
                  " and detail->>'asked' is not null", (tenant,))
        assert set(c.fetchall()) == {("vol-2", "vol-1")}

        c.execute("select r.id from key_request r join device d on d.id = r.device where r.tenant = %s and r.asked_device is not null"
                  " and d.provider_device = 'vol-2' limit 1", (tenant,))
        row = first.world.console().send("GET", f"/requests/{c.fetchone()[0]}")
    assert row.status == 200 and "Asked for" in row.text and "vol-1" in row.text and "Given from the pool" in row.text


def test_without_pooling_it_is_refused(server, pool):
    # covers: POL-5, SEC-7
    tenant, first = pool
    with database(server).cursor() as c:
        c.execute("update policy set pooling = false where tenant = %s", (tenant,))
    answer = Machine(server, tenant).want("vol-1")
    assert answer["type"] == "refusal" and answer["code"] == "not-found", answer


def test_native_devices_are_never_pooled(server, pool):
    # covers: POL-5, SEC-7
    tenant, _ = pool
    one, two = Machine(server, tenant, "native"), Machine(server, tenant, "native")
    provision(server, one, tenant, "disk-1")
    provision(server, two, tenant, "disk-2")
    assert one.want("disk-1")["device"] == "disk-1"
    for name in ("disk-1", "vol-2", "vol-1"):
        answer = two.want(name)
        assert answer["type"] == "refusal" and answer["code"] == "not-found", (name, answer)
    # Seen last on another machine: not given, nor another in its place.
    with database(server).cursor() as c:
        c.execute("update device set instance = %s where tenant = %s and provider_device = 'disk-2'", (one.instance, tenant))
    assert two.want("disk-2")["code"] == "not-found"
