"""What agents do and what becomes of them, by an agent of our own and the running server: the events of the log that only they bring about, each found
with who did it, to what and from where (LOG-2). What they mean for keys and volumes is tested elsewhere."""
import json
import uuid

from fixtures import fixture
from stack.process import wait_until
from test_key_gates import Asker
from web import database, make_user
from world import World, count, run

SECONDS = 120
GOOD, BAD = {"os.system": "linux"}, {"os.system": "windows"}
RULES = [{"type": "os.system", "conditions": [{"operator": "equals", "value": "linux"}]}]


class Fleet(Asker):
    """A machine whose volume is open."""

    def __init__(self, server):
        super().__init__(World(server))
        self.server, self.tenant = server, str(self.world.tenant)
        self.instance, self.name = self.one("select i.id, i.provider_instance from instance i join agent a on a.instance = i.id where a.id = %s", self.id)
        self.policy(on_match="approve")
        self.open_it()

    def one(self, sql, *args):
        with database(self.server).cursor() as c:
            c.execute(sql, args)
            return c.fetchone()

    def policy(self, **columns):
        run(self.server, f"update policy set rules = %s, {', '.join(c + ' = %s' for c in columns)}, version = version + 1 where tenant = %s and is_default",
            json.dumps(RULES), *columns.values(), self.tenant)

    def open_it(self, **more):
        given = self.ask()
        assert given["status"] == "delivered", given
        assert self.agent.say(type="opened", request=given["request"], device=self.device, **more)["type"] == "opened"
        self.request = given["request"]

    def beat(self, **more):
        answer = self.agent.say(**{"type": "heartbeat", "uptime_s": 1, "volumes": [{"device": self.device, "status": "open", "request": self.request}], **more})
        assert answer["type"] == "heartbeat", answer
        return answer

    def report(self, facts):
        answer = self.agent.say(type="report", reason="schedule", facts=facts)
        assert answer["type"] == "report", answer

    def inventory(self, *devices):
        own = {"id": self.device, "path": "/dev/sdb", "size_bytes": 1 << 30, "kind": "disk", "luks_uuid": "l"}
        answer = self.agent.say(type="inventory", provider="native", instance_id=self.name, host={"name": "py", "system": "linux", "agent_version": "1"},
                                devices=[own, *({"path": "/dev/" + d["id"], "size_bytes": 1 << 30, "kind": "disk", **d} for d in devices)])
        assert answer["type"] == "inventory", answer

    def other(self, device, **message):
        """About another device of the same machine."""
        own, self.device = self.device, device
        try:
            return self.agent.say(device=device, **message, **self.recipient())
        finally:
            self.device = own

    def row_of(self, device):
        return str(self.one("select id from device where tenant = %s and provider_device = %s", self.tenant, device)[0])

    def logged(self, event, kind="agent", **wanted):
        """The newest such entry."""
        ask = ("select actor_kind, actor_name, object_kind, object_id::text, object_name, detail, address, request from audit_entry where tenant = %s and event = %s"
               " order by seq desc limit 1", self.tenant, event)
        wait_until(lambda: self.one(*ask), SECONDS, f"no entry {event}")
        e = dict(zip(("kind", "actor", "object_kind", "object", "name", "detail", "address", "request"), self.one(*ask)))
        assert e["kind"] == kind and (e["actor"] or kind == "agent") and (e["object"] or e["name"]), e
        assert kind != "agent" or (e["address"] and uuid.UUID(e["request"])), e
        for name, value in wanted.items():
            assert e[name] == value, (name, e)
        return e


@fixture("file")
def fleet(server):
    return Fleet(server)


def test_silence_and_what_heartbeats_bring(server, fleet):
    # covers: LOG-2, RUN-7, AGT-1
    fleet.beat(insecure_tls=True)
    fleet.logged("agent.insecure-tls", "system")
    fleet.beat(insecure_tls=False)
    fleet.logged("agent.secure-tls", "system")
    # An order that comes to nothing.
    run(server, "insert into agent_order (tenant, id, agent, kind, argument) values (%s, gen_random_uuid(), %s, 'log-level', 'debug')", fleet.tenant, fleet.id)
    order, = fleet.beat()["orders"]
    fleet.beat(results=[{"order": order["id"], "done": False, "detail": "this setting is the machine's own"}])
    assert "machine's own" in json.dumps(fleet.logged("agent.order-failed")["detail"])
    # Silent until jobd calls it missing; then it is heard again, and what it has open is in use again.
    def missed():
        # When it was last heard is written some time after, for many at once.
        run(server, "update instance set last_seen = now() - interval '10 minutes' where id = %s and last_seen > now() - interval '5 minutes'", fleet.instance)
        return count(server, "select count(*) from audit_entry where tenant = %s and event = 'instance.missing'", fleet.tenant)
    wait_until(missed, SECONDS, "nobody misses it")
    fleet.logged("instance.missing", "system", object=str(fleet.instance))
    # People are not told of processes.
    shown = fleet.world.console().api("/log?limit=50").json["list"]["rows"]
    assert [r["actor"] for r in shown if r["name"] == "instance.missing"] == ["System"], shown
    fleet.beat()
    fleet.logged("instance.back", "system", object=str(fleet.instance))
    fleet.logged("key.reopened", "system")


def test_checks_of_a_machine_with_its_key(server, fleet):
    # covers: LOG-2, INT-2, INT-4
    fleet.policy(on_failure="revoke-after", grace_s=3600)
    fleet.report(BAD)
    assert fleet.logged("key.integrity")["detail"]["integrity"] == "failed"
    fleet.logged("key.revoke-announced")
    fleet.report(GOOD)
    fleet.logged("key.restored")
    assert fleet.logged("key.integrity")["detail"]["integrity"] == "good"
    # Taken away at once, and given back.
    fleet.policy(on_failure="revoke")
    fleet.report(BAD)
    fleet.logged("key.revoke")
    assert fleet.agent.say(type="closed", device=fleet.device, reason="revoked")["type"] == "closed"
    fleet.logged("key.revoked")
    fleet.report(GOOD)
    fleet.logged("key.granted-again")
    fleet.open_it(repaired="the journal was replayed")
    assert "journal" in json.dumps(fleet.logged("device.repaired", object=fleet.row)["detail"])
    # By the account's schedule.
    run(server, "update policy set check_scheduled = true where tenant = %s and is_default", fleet.tenant)
    run(server, "update integrity_schedule set due = now() where tenant = %s", fleet.tenant)
    wait_until(lambda: count(server, "select count(*) from audit_entry where tenant = %s and event = 'integrity.run'", fleet.tenant), SECONDS, "nobody is checked")


def test_disks_that_an_inventory_tells_of(server, fleet):
    # covers: LOG-2, VOL-5, CFG-2, DEV-3
    fleet.inventory({"id": "copy", "key_account": fleet.tenant, "key_device": fleet.row, "key_version": 1, "luks_uuid": str(uuid.uuid4())},
                    {"id": "foreign", "key_account": str(uuid.uuid4()), "key_device": str(uuid.uuid4()), "key_version": 1, "luks_uuid": str(uuid.uuid4())},
                    {"id": "empty"}, {"id": "full", "filesystem": "ext4"})
    fleet.logged("device.copy", object=fleet.row_of("copy"))
    fleet.logged("device.foreign", object=fleet.row_of("foreign"))
    # Proposed by the machine, for a person to look at; one that a person has ordered fails.
    assert fleet.world.console().post("/account/proposals", proposals="ask").status == 303
    what = {"os": "linux", "filesystem": "ext4", "mount_point": "/empty", "access": "read-write", "mode": "xts-plain64", "key_bits": 256}
    answer = fleet.agent.say(type="propose", device="empty", **what)
    assert answer["outcome"] == "waiting", answer
    fleet.logged("device.proposed", object=fleet.row_of("empty"))
    run(server, "update device set status = 'encryption-pending', filesystem = 'ext4', mount_point = '/full', os = 'linux', configured = now() where id = %s", fleet.row_of("full"))
    assert fleet.other("full", type="provision_start").get("sealed")
    assert fleet.agent.say(type="provision_failed", device="full", reason="it holds ext4")["type"] == "provision_failed"
    assert fleet.logged("device.failed", object=fleet.row_of("full"))["detail"]["reason"] == "it holds ext4"


def test_volumes_that_change_hands(server, fleet):
    # covers: LOG-2, VOL-7
    fleet.inventory({"id": "taken", "filesystem": "crypto_LUKS", "luks_uuid": str(uuid.uuid4())})
    device = fleet.row_of("taken")
    start = fleet.other("taken", type="adopt_start", cipher="aes", mode="xts-plain64", hash="sha256", key_bits=512, filesystem="ext4", mount_point="/taken",
                        access="read-write")
    assert start.get("sealed"), start
    fleet.logged("device.adopt", object=device)
    assert fleet.agent.say(type="adopt_done", device="taken", luks_uuid=str(uuid.uuid4()), key_version=start["key_version"])["type"] == "adopt_done"
    fleet.logged("device.adopted", object=device)
    boss = fleet.world.console(make_user(server, fleet.tenant, "security-administrator"))
    assert boss.post(f"/devices/{device}/release", release="decrypt", keys="keep", typed="taken").status == 303
    assert fleet.other("taken", type="release_start", release="decrypt").get("sealed")
    fleet.logged("device.release-key", object=device)
    fleet.logged("device.decrypting", object=device)
    assert fleet.agent.say(type="release_done", device="taken")["type"] == "release_done"
    fleet.logged("device.released", object=device)


def test_volumes_that_are_encrypted_anew(server, fleet):
    # covers: LOG-2, KEY-6
    boss = fleet.world.console(make_user(server, fleet.tenant, "security-administrator"))
    assert boss.post(f"/devices/{fleet.row}/reencrypt").status == 303
    start = fleet.other(fleet.device, type="reencrypt_start")
    assert start.get("sealed"), start
    fleet.logged("key.reencrypting", object=fleet.row)
    assert fleet.agent.say(type="reencrypt_done", device=fleet.device, key_version=start["key_version"])["type"] == "reencrypt_done"
    fleet.logged("key.reencrypted", object=fleet.row)
    # Another key for it: closed in between, it may be in the device or not, and both are given.
    assert boss.post(f"/devices/{fleet.row}/rotate").status == 303
    assert fleet.other(fleet.device, type="rotate_start").get("next_sealed")
    assert fleet.agent.say(type="closed", device=fleet.device, reason="shutdown")["type"] == "closed"
    given = fleet.ask()
    assert given["status"] == "delivered" and given.get("other_sealed"), given
    fleet.logged("key.both-given", object=fleet.row)


def test_votes_whose_time_is_over(server):
    # covers: LOG-2, RUN-8
    asker = Asker(World(server))
    waits = asker.ask()
    assert waits["status"] == "pending", waits
    run(server, "update key_request set votes_expire = now() where id = %s", waits["request"])
    wait_until(lambda: count(server, "select count(*) from audit_entry where tenant = %s and event = 'key.votes-expired'", str(asker.world.tenant)), SECONDS,
               "nothing is logged")


def test_an_agent_that_is_removed_gets_nothing_more(server):
    # covers: LOG-2, RUN-6, SEC-7
    f = Fleet(server)
    url = f"/instances/{f.instance}/remove-agent"
    for role in ("auditor", "key-approver", "security-administrator"):
        assert f.world.console(make_user(server, f.tenant, role)).post(url).status == 403, role
    for kind, device, argument in (("check", None, ""), ("log-level", None, "debug"), ("revoke", f.row, "")):
        run(server, "insert into agent_order (tenant, id, agent, kind, device, argument) values (%s, gen_random_uuid(), %s, %s, %s, %s)", f.tenant, f.id, kind,
            device, argument)
    c = f.world.console()
    assert "gets no keys" in c.get(url).text and c.post(url).status == 303
    f.logged("agent.removed", "user", object=f.id, object_kind="agent")
    # Its session is open still: of what waits it is told what takes the key away, and nothing else.
    for state in ("removed", "replaced"):
        run(server, "update agent set state = %s where id = %s", state, f.id)
        assert [o["kind"] for o in f.beat()["orders"]] == ["revoke"], state
    for answer in (f.poll(f.request), f.ask()):
        assert isinstance(answer, str) or answer["type"] == "refusal", answer        # the session is over, or it is told so
    assert c.post(url).status == 409 and "No agent answers" in c.get(f"/instances/{f.instance}/orders").text
    # Another account's is not there.
    assert World(server).console().post(url).status == 404
