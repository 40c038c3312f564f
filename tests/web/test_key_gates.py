"""Who gets a key from a running server, key service and all, spoken to by an agent of our own: what closes the way to a key closes it
at once, also for sessions that are open and requests that are approved."""
import base64
import json
import uuid

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from fixtures import fixture
from notices import told
from test_agent_service import CURVE, Agent, check, make_agent, public
from world import World, count, run


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Asker:
    """An agent with one encrypted device, whose key the key service has made."""

    def __init__(self, world):
        self.world, self.device = world, f"vol-{uuid.uuid4().hex[:8]}"
        server, tenant = world.it, str(world.tenant)
        self.agent = Agent(server, tenant, *make_agent(server, tenant)).connect()
        self.id = str(uuid.UUID(bytes=self.agent.agent))
        self.row = str(uuid.uuid4())
        run(server, "insert into image (tenant, id, provider, provider_image) values (%s, %s, 'native', %s)", tenant, self.row,
            self.row)
        run(server, "insert into policy_image (tenant, policy, image) select tenant, id, %s from policy where tenant = %s"
            " and is_default", self.row, tenant)
        run(server, "update instance set image = %s where id = (select instance from agent where id = %s)", self.row, self.id)
        run(server, "insert into device (tenant, id, provider, provider_device, machine, instance, image, policy, status, os,"
            " filesystem, mount_point) select a.tenant, %s, 'native', %s, device_machine('native', a.instance), a.instance, %s, p.id,"
            " 'encryption-pending', 'linux', 'ext4', '/srv' from agent a join policy p on p.tenant = a.tenant and p.is_default where a.id = %s", self.row, self.device, self.row, self.id)
        made = self.agent.say(type="provision_start", device=self.device, **self.recipient())
        assert made.get("sealed"), made
        # Bound to the account, as all do it: then the key counts as one that has opened a volume (sql/0025).
        run(server, "with bound as (select set_config('keyward.tenant', %s, true)) update device set status = 'encrypted', luks_uuid = 'l'"
            " from bound where id = %s", tenant, self.row)

    def recipient(self):
        key, a = public(ec.generate_private_key(CURVE)), self.agent
        digest = check.sha256(check.string(b"keyward 1 recipient"), a.account, a.agent, check.string(self.device.encode()), key)
        r, s = utils.decode_dss_signature(a.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return {"recipient_key": text(key), "signature": text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}

    def ask(self, facts=None, **more):
        return self.agent.say(**{"type": "key_request", "device": self.device, "access": "read-write", "reason": "boot",
                                 "facts": facts or {"os.system": "linux"}, **self.recipient(), **more})

    def poll(self, request):
        return self.agent.say(type="key_poll", request=request)


@fixture("test")
def asker(server):
    return Asker(World(server))


def approved(asker):
    """A request that a person has approved and whose key nobody has fetched."""
    answer = asker.ask()
    assert answer["status"] == "pending" and "sealed" not in answer, answer
    c = asker.world.console()
    assert c.api(f"/requests/{answer['request']}/decision", {"decision": "approve"}).status in (200, 201, 204, 303)
    return answer["request"]


def test_an_approved_key_is_fetched(asker):
    # covers: KEY-4, RUN-2
    request = approved(asker)
    answer = asker.poll(request)
    assert answer["status"] == "delivered" and answer["sealed"], answer
    # The answer was lost: the same key to the same one-time key.
    assert asker.poll(request)["sealed"]


def test_an_approval_holds_for_whoever_goes_on_on_that_machine(server, asker):
    # covers: CFG-1, RUN-2, KEY-4
    # keyward-config knew the mount point from its task and has ended; the agent, started after it, knows none and has another one-time key.
    answer = asker.ask(mount_point="/srv")
    c = asker.world.console()
    assert c.api(f"/requests/{answer['request']}/decision", {"decision": "approve"}).status in (200, 201, 204, 303)
    again = asker.ask(reason="boot")
    assert again["status"] == "delivered" and again["request"] == answer["request"] and again["mount_point"] == "/srv", again


def test_an_approval_for_one_place_is_none_for_another_that_the_machine_chooses(server, asker):
    # covers: RUN-2, RUL-2, SEC-7
    run(server, "update device set mount_point = '' where id = %s", asker.row)
    answer = asker.ask(mount_point="/srv")
    c = asker.world.console()
    assert c.api(f"/requests/{answer['request']}/decision", {"decision": "approve"}).status in (200, 201, 204, 303)
    again = asker.ask(mount_point="/var/www")
    assert again["status"] == "pending" and again["request"] != answer["request"], again


def test_neither_agents_that_were_removed_nor_suspended_accounts_fetch_keys(server, asker):
    # covers: TEN-7, SEC-7, KEY-4
    request = approved(asker)
    for table, state, id in (("agent", "replaced", asker.id), ("agent", "removed", asker.id), ("tenant", "suspended", asker.world.tenant)):
        run(server, f"update {table} set state = %s where id = %s", state, id)
        answer = asker.poll(request)
        assert answer["type"] == "refusal" and "sealed" not in answer, (state, answer)
        answer = asker.ask()
        assert answer["type"] == "refusal", (state, answer)
        assert count(server, "select status from key_request where id = %s", request) == "approved"
        run(server, f"update {table} set state = 'active' where id = %s", id)
    assert asker.poll(request)["sealed"]


def test_a_replaced_agent_says_nothing_about_its_machine_any_more(server, asker):
    # covers: SEC-7, INT-5
    def told():
        return count(server, "select facts::text || state from instance where id = (select instance from agent where id = %s)", asker.id)
    report = {"type": "report", "reason": "schedule", "facts": {"host.name": "good"}}
    assert asker.agent.say(**report)["type"] == "report"
    before = told()
    run(server, "update agent set state = 'replaced' where id = %s", asker.id)
    inventory = {"type": "inventory", "provider": "native", "instance_id": "x", "host": {"name": "n", "system": "linux", "agent_version": "1"}}
    for message in ({**report, "facts": {"host.name": "bad"}}, inventory, {"type": "provisioning"}, {"type": "bye", "reason": "shutdown"}):
        answer = asker.agent.say(**message)
        assert answer["type"] == "refusal" and answer["code"] == "forbidden", (message, answer)
    assert told() == before


def rule(type, operator, value=None, **more):
    return {"type": type, "conditions": [{"operator": operator, **({} if value is None else {"value": value}), **more}]}


GOOD = rule("os.system", "equals", "linux")
PORTS = rule("network.services", "contains-none", ["tcp/8080"])
# Rules as somebody may have put them into the table, and facts as a guest may tell them: none of these is a yes.
DOUBTS = [
    ([], {}), ([rule("deep_security.firewall", "equals", "on")], {}), ([{"not": rule("deep_security.firewall", "equals", "on")}], {}),
    ([GOOD, {"all": []}], {}), ([GOOD, {"any": []}], {}), ([GOOD, {}], {}), ([GOOD, None], {}), ([GOOD, "x"], {}), ([GOOD, [GOOD]], {}),
    ([GOOD, {"type": "os.system", "conditions": []}], {}), ([GOOD, {"type": "nonsense", "conditions": [{"operator": "absent"}]}], {}),
    ([GOOD, {"not": {"type": "nonsense"}}], {}), ([GOOD, {"all": [GOOD], "not": GOOD}], {}), ([GOOD, {"type": None, "all": [GOOD]}], {}),
    ([GOOD, rule("os.system", "nonsense", "linux")], {}), ([GOOD, {**GOOD, "extra": 1}], {}), ([GOOD, {**GOOD, "join": "none"}], {}),
    ([GOOD, rule("secure_boot", "not-equals", "off")], {"secure_boot": "perhaps"}), ([{"not": rule("secure_boot", "equals", "off")}], {}),
    ([GOOD, rule("cloud.identity", "not-equals", "x")], {"cloud.identity": "123456789012"}),
    ([GOOD, rule("tpm.pcr", "absent", subject="0")], {"tpm.pcr": {}}),
    ([PORTS], {}), ([PORTS], {"network.services": None}), ([PORTS], {"network.services": []}), ([PORTS], {"network.services": "tcp/22"}),
    ([PORTS], {"network.services": {"tcp/08080": {}}}), ([PORTS], {"network.services": {"TCP/8080": {}}}), ([{"not": PORTS}], {}),
    ([rule("network.services.remote", "in", ["tcp/22"])], {"network.services": {"tcp/8080": {"address": "127.0.0.1x"}}}),
    ([rule("os.pending_security_updates", "at-most", 0)], {"os.pending_security_updates": "0"}),
    ([rule("os.pending_security_updates", "at-most", 0)], {"os.pending_security_updates": -9223372036854775808}),
    ([rule("os.updates_checked_at", "newer-than", "7d")], {"os.updates_checked_at": "2099-01-01T00:00:00Z"}),
    ([rule("os.updates_checked_at", "newer-than", "7d")], {"os.updates_checked_at": "2026-02-30T00:00:00Z"}),
    ([rule("device.access", "equals", "read-only")], {"device.access": "read-only"}),
    ([rule("request.address", "in", ["203.0.113.0/24"])], {"request.address": "203.0.113.7"}),
    ([rule("deep_security.firewall", "equals", "on")], {"deep_security.firewall": "on", "deep_security": {"values": {}}}),
    ([GOOD, rule("package.version", "not-equals", "1", subject="openssl")], {"packages": {}}),
    ([GOOD, rule("file.sha256", "not-equals", "0" * 64, subject="/x")], {"files": {"/x": None}}),
]


def test_no_doubt_gives_a_key_away(server, asker):
    # covers: SEC-7, RUL-24, RUN-4, ADM-4
    def policy(rules):
        run(server, "update policy set on_match = 'approve', on_mismatch = 'approve', rules = %s where tenant = %s and is_default",
            json.dumps(rules), asker.world.tenant)
        run(server, "update key_request set closed = now() where tenant = %s and closed is null", asker.world.tenant)
    for rules, facts in DOUBTS:
        known = rules in ([rule("device.access", "equals", "read-only")], [rule("request.address", "in", ["203.0.113.0/24"])])
        policy(rules)
        if known:        # the server knows better: it does not match, and that is no doubt
            run(server, "update policy set on_mismatch = 'deny' where tenant = %s and is_default", asker.world.tenant)
        answer = asker.ask({"os.system": "linux", **facts})
        assert "sealed" not in answer and answer.get("status") in ("pending", "denied"), (rules, facts, answer)
    policy([GOOD])
    assert asker.ask()["sealed"]


def test_people_are_told_of_what_becomes_of_requests(server, asker):
    # covers: NTF-2, POL-4, RUN-4
    tenant = asker.world.tenant

    def policy(rules, on_match, on_mismatch="manual", timeout=60):
        run(server, "update policy set rules = %s, on_match = %s, on_mismatch = %s, timeout_s = %s where tenant = %s and is_default", json.dumps(rules), on_match,
            on_mismatch, timeout, tenant)
        run(server, "update key_request set closed = now() where tenant = %s and closed is null", tenant)

    def comes_due(request):
        run(server, "update key_request set approve_at = now() where id = %s", str(uuid.UUID(request)))
        run(server, "select pg_notify('keyward_timer', '')")
    # What the policy's own approval is judged by later.
    assert asker.agent.say(type="report", reason="schedule", facts={"os.system": "linux"})["type"] == "report"
    policy([GOOD], "approve")
    assert asker.ask()["sealed"]
    told(server, tenant, "key-approved")
    policy([rule("os.system", "equals", "windows")], "approve", "deny")
    assert asker.ask()["status"] == "denied"
    told(server, tenant, "key-denied")
    # Nobody decides in the policy's time: its own approval comes; or, where a rule does not hold any more, it does not.
    policy([GOOD], "manual-timeout")
    comes_due(asker.ask()["request"])
    told(server, tenant, "key-pending", "key-approved-late")
    policy([GOOD], "manual-timeout")
    asked = asker.ask()["request"]
    run(server, "update policy set rules = %s where tenant = %s and is_default", json.dumps([rule("os.system", "equals", "windows")]), tenant)
    comes_due(asked)
    told(server, tenant, "key-not-automatic")
    policy([GOOD], "approve")
    run(server, "delete from policy_image where tenant = %s and image = %s", tenant, asker.row)
    assert asker.ask()["status"] == "pending"
    told(server, tenant, "key-not-together")
