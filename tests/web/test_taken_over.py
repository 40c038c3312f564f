"""What a web worker that somebody has taken over can do: it runs as keyward-web, with the key service's socket and the database roles of the
web, and tries to get a device key that nobody has approved for it. It is an attacker's program, in a process of that user."""
import json
import os
import traceback
import uuid

import keyd
import psycopg2
import pwd
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from fixtures import fixture
from test_agent_service import CURVE, check, public
from test_key_gates import Asker, approved
from world import World, count, run

FORBIDDEN, TAMPERED = 3, 13          # src/base/err.h
REFUSED = (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UniqueViolation, psycopg2.errors.CheckViolation)


@fixture("test")
def asker(server):
    return Asker(World(server))


def as_web(attack, *args):
    """What ATTACK gives, run as keyward-web with its groups."""
    ends = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            user = pwd.getpwnam("keyward-web")
            os.setgroups(os.getgrouplist(user.pw_name, user.pw_gid))
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.write(ends[1], json.dumps(attack(*args)).encode())
        except BaseException:
            os.write(ends[1], json.dumps({"failed": traceback.format_exc()}).encode())
        os._exit(0)
    os.close(ends[1])
    with open(ends[0]) as f:
        answer = json.load(f)
    os.waitpid(pid, 0)
    assert not (isinstance(answer, dict) and "failed" in answer), answer["failed"]
    return answer


def last_of(packed):
    """The last of an array of bytes that array_send has packed (the ticket, of keys_fetch); empty where that is null."""
    at, last = 20, b""
    while at < len(packed):
        size = int.from_bytes(packed[at:at + 4], "big", signed=True)
        last = packed[at + 4:at + 4 + max(size, 0)]
        at += 4 + max(size, 0)
    return last


class Worker:
    """Everything that the process has."""

    def __init__(self, it, asker):
        self.socket, self.tenant, self.device, self.agent = it.state / "run" / "keyd.sock", str(asker.world.tenant), asker.row, asker.id
        self.account, self.name = asker.agent.account, asker.device
        self.conninfo = {r: it.conninfo(f"keyward_{r}") for r in ("agent", "console", "central")}
        self.key = ec.generate_private_key(CURVE)

    def sql(self, role, statement, *args):
        """Rows, or how many were changed."""
        return self.transaction(role, [(statement, args)])

    def transaction(self, role, statements, undo=False):
        """What the last one gives; all in one transaction, which is undone when UNDO."""
        c = psycopg2.connect(self.conninfo[role])
        try:
            with c.cursor() as q:
                q.execute("select set_config('keyward.tenant', %s, true)", (self.tenant,))
                for statement, args in statements:
                    q.execute(statement, args)
                found = q.fetchall() if q.description else q.rowcount
            (c.rollback if undo else c.commit)()
            return found
        finally:
            c.close()

    def refused(self, role, statement, *args):
        try:
            self.sql(role, statement, *args)
        except REFUSED:
            return True
        return False

    def sign(self, recipient, agent=None):
        """As the agent would, with a key of our own."""
        digest = check.sha256(check.string(b"keyward 1 recipient"), self.account, uuid.UUID(agent or self.agent).bytes,
                              check.string(self.name.encode()), recipient)
        r, s = utils.decode_dss_signature(self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def release(self, request):
        """(recipient, signature, ticket) as the database gives them to the agent service."""
        recipient, signature, packed = self.sql("agent", "select r.recipient_key, r.signature, f from key_request r,"
                                                " keys_fetch(array[%s]::uuid[], array[%s]::uuid[], array[%s]::uuid[]) f where r.id = %s",
                                                self.tenant, request, self.agent, request)[0]
        return bytes(recipient), bytes(signature), last_of(bytes(packed))

    def seal(self, request, recipient, signature, ticket, device=None):
        """The code that the key service answers with, and its reason."""
        device = device or self.device
        tenant, version, wrapped = self.sql("agent", "select t.wrapped_key, k.version, k.wrapped from tenant t join device_key k"
                                            " on k.tenant = t.id where k.device = %s and k.state = 'active'", device)[0]
        fields = (uuid.UUID(self.tenant).bytes + keyd.prefixed(bytes(tenant)) + uuid.UUID(device).bytes + version.to_bytes(4, "big")
                  + keyd.prefixed(bytes(wrapped)) + uuid.UUID(self.agent).bytes + recipient + keyd.prefixed(ticket)
                  + keyd.prefixed(self.name.encode()) + signature)
        code, answer = keyd.ask(self.socket, keyd.DEVICE_SEAL, fields, uuid.UUID(request).bytes)
        return code, answer if code else "sealed"


def redirect(it, asker, good, other):
    """An approved request there is: its key to somebody else."""
    w, found = Worker(it, asker), {}
    mine = public(w.key)
    recipient, signature, ticket = w.release(good)
    found["control"] = w.seal(good, recipient, signature, ticket)
    found["no ticket"] = w.seal(good, mine, w.sign(mine), b"")
    found["my point"] = w.seal(good, mine, w.sign(mine), ticket)
    found["its point, my signature"] = w.seal(good, recipient, w.sign(recipient), ticket)
    found["another request"] = w.seal(str(uuid.uuid4()), recipient, signature, ticket)
    found["another device"] = w.seal(good, recipient, signature, ticket, other)
    w.sql("agent", "update key_request set recipient_key = %s, signature = %s where id = %s", mine, w.sign(mine), good)
    found["my point in the row"] = w.seal(good, *w.release(good))
    w.sql("agent", "update key_request set recipient_key = %s, signature = %s where id = %s", recipient, signature, good)
    found["agent's key"] = w.refused("agent", "update agent set public_key = %s where id = %s", mine, w.agent)
    found["make a ticket"] = w.refused("agent", "select ticket_make(1, %s, %s, 1, %s, %s, %s, %s)", w.tenant, w.device, good, w.agent, mine, mine)
    found["read the key"] = [w.refused(r, "select * from ticket_key") for r in w.conninfo]
    found["ask for the key"] = keyd.ask(w.socket, keyd.TICKET_KEY, (1).to_bytes(4, "big") + b"\0")[0]
    return found


def test_a_key_goes_to_nobody_but_the_agent_that_was_approved(server, asker):
    # covers: KEY-4, SEC-7
    other = Asker(asker.world)
    found = as_web(redirect, server, asker, approved(asker), other.row)
    assert found["control"] == [0, "sealed"], found
    for what in ("no ticket", "my point", "another request", "another device"):
        assert found[what][0] == FORBIDDEN, (what, found)
    for what in ("its point, my signature", "my point in the row"):
        assert found[what][0] == TAMPERED, (what, found)
    assert found["agent's key"] and found["make a ticket"] and all(found["read the key"]), found
    assert found["ask for the key"] == FORBIDDEN
    log = (server.state / "log" / "keyd.log").read_text()
    for reason in ("no proof of approval", "not for this key, request, agent and recipient", "has not signed", "only root"):
        assert reason in log, reason


def approve(it, asker, request, users):
    """Nothing is approved: the row is to say so."""
    w, found = Worker(it, asker), {}
    found["pending"] = len(w.release(request)[2])
    put = "update key_request set status = %s, decided_by = %s where id = %s"
    found["by agent"] = w.refused("agent", "update key_request set status = 'approved' where id = %s", request)
    found["at once"] = w.refused("agent", "update key_request set status = 'delivered' where id = %s", request)
    found["by console"] = w.refused("console", put, "approved", None, request)
    for name, id in users.items():
        found[f"by {name}"] = w.refused("console", put, "approved", id, request)
    found["begun as approved"] = w.refused(
        "agent", "insert into key_request (tenant, id, device, instance, agent, status, access, recipient_key, signature) select tenant,"
        " gen_random_uuid(), device, instance, agent, 'approved', access, recipient_key, signature from key_request where id = %s", request)
    found["still pending"] = len(w.release(request)[2])
    # The device as one whose volume is being made: its key needs no approval then.
    mine = public(w.key)
    w.sql("console", "update device set status = 'encrypting', luks_uuid = '' where id = %s", w.device)
    found["as a task"] = w.sql("agent", "select key_ticket_task(%s, %s, 1, %s, %s) is null", w.agent, w.device, request, mine)[0][0]
    found["its key anew"] = w.refused("console", "with k as (delete from device_key where device = %s returning *) insert into device_key"
                                      " (tenant, device, version, wrapped) select tenant, device, version, wrapped from k", w.device)
    found["versions back"] = w.refused("console", "update device set key_version = 0 where id = %s", w.device)
    w.sql("console", "update device set status = 'encrypted', luks_uuid = 'l' where id = %s", w.device)
    # A rotation that nobody has asked for, of a disk that was not brought back: its task would be given keys, too.
    for name, state, reason in (("a rotation", "removing", "brought-back"), ("one of a person's", "removing", "person"), ("one that begins", "adding", "brought-back")):
        found[name] = w.refused("agent", "insert into rotation (tenant, id, device, state, reason, begun, from_version, to_version) select tenant,"
                                " gen_random_uuid(), id, %s, %s, now(), 1, 1 from device where id = %s", state, reason, w.device)
    return found


def test_a_row_is_approved_by_the_policy_or_by_people_who_may(server, asker):
    # covers: KEY-4, RUN-8, SEC-7
    users = {role: str(uuid.uuid4()) for role in ("auditor", "data-analyst", "security-administrator")}
    for role, id in users.items():
        run(server, "insert into app_user (tenant, id, email, name, role, state, password) values (%s, %s, %s, 'x', %s, 'active', 'x')",
            str(asker.world.tenant), id, f"{role}@example.com", role)
    users["nobody"] = str(uuid.uuid4())
    approver = str(uuid.uuid4())
    run(server, "insert into app_user (tenant, id, email, name, role, state, password) values (%s, %s, 'k@example.com', 'x', 'key-approver',"
        " 'disabled', 'x')", str(asker.world.tenant), approver)
    users["one who was disabled"] = approver
    request = asker.ask()["request"]
    found = as_web(approve, server, asker, request, users)
    assert found.pop("pending") == 0 and found.pop("still pending") == 0, found
    assert all(v is True for v in found.values()), found
    # For a policy that asks for two, one of them is not enough, whoever he is.
    run(server, "update app_user set state = 'active' where id = %s", approver)
    run(server, "update policy set approvals_needed = 2 where tenant = %s", str(asker.world.tenant))
    assert as_web(approve, server, asker, request, {"one of two": approver})["by one of two"] is True
    assert asker.poll(request)["status"] == "pending"


def gone(it, asker, request):
    w = Worker(it, asker)
    return len(w.release(request)[2])


def test_what_was_denied_revoked_or_is_over_has_no_ticket(server, asker):
    # covers: KEY-4, SEC-7, TEN-7
    request = approved(asker)
    assert as_web(gone, server, asker, request) > 0
    for table, id, change, back in (
            ("key_request", request, "status = 'denied'", "status = 'approved'"), ("key_request", request, "status = 'revoking'", "status = 'approved'"),
            ("key_request", request, "closed = now()", "closed = null"), ("key_request", request, "unplaced = true", "unplaced = false"),
            ("agent", asker.id, "state = 'removed'", "state = 'active'"), ("tenant", str(asker.world.tenant), "state = 'suspended'", "state = 'active'")):
        run(server, f"update {table} set {change} where id = %s", id)
        assert as_web(gone, server, asker, request) == 0, change
        run(server, f"update {table} set {back} where id = %s", id)
    assert as_web(gone, server, asker, request) > 0
    # The key of proofs is changed while the server runs: the next release has one of the new generation.
    before = server.status()
    assert "proofs of generation" in before
    server.keyward("tickets", "renew")
    assert server.status() != before
    assert asker.poll(request)["sealed"]


def entry(event, user, device, detail, request=None):
    """A log entry, written by the console in the name of whom it likes."""
    return ("select audit_append('key', %s, 'user', %s, 'x', 'device', %s, 'x', %s, null, %s)", (event, user, device, json.dumps(detail), request))


def ticket_of(rows):
    return bytes(rows[0][0] or b"")


def take_export(it, asker, users):
    """An export under a key of our own."""
    w, found, key = Worker(it, asker), {}, os.urandom(32)
    digest, tenant = check.sha256(key), uuid.UUID(w.tenant).bytes
    wrapped_tenant, version, wrapped = w.sql("console", "select t.wrapped_key, k.version, k.wrapped from tenant t join device_key k"
                                             " on k.tenant = t.id where k.device = %s and k.state = 'active'", w.device)[0]

    def export(request, user, ticket, key=key):
        fields = (tenant + keyd.prefixed(bytes(wrapped_tenant)) + uuid.UUID(w.device).bytes + version.to_bytes(4, "big")
                  + keyd.prefixed(bytes(wrapped)) + key + keyd.prefixed(b"fields") + uuid.UUID(user).bytes + keyd.prefixed(ticket))
        return keyd.ask(w.socket, keyd.DEVICE_EXPORT, fields, uuid.UUID(request).bytes)[0]

    def ask(request, at=digest, device=w.device, version=version):
        return ("select export_ticket(%s, %s, %s, %s)", (request, device, version, at))

    def logged(request, user, detail=None, event="key.exported"):
        return entry(event, user, w.device, detail or {"version": version}, request)

    who, request = users["security-administrator"], str(uuid.uuid4())
    found["no ticket"] = export(request, who, b"")
    found["nothing logged"] = len(ticket_of(w.sql("console", *flat(ask(request)))))
    for role, user in users.items():
        if role != "security-administrator":
            other = str(uuid.uuid4())
            w.sql("console", *flat(logged(other, user)))
            found[f"logged for {role}"] = len(ticket_of(w.sql("console", *flat(ask(other)))))
    # A transaction that is undone afterwards, and with it all that could be seen.
    undone = [logged(request, who), ask(request)]
    found["logged in the same"] = len(ticket_of(w.transaction("console", undone, undo=True)))
    undone.insert(0, ("savepoint s", ()))
    found["logged in a savepoint"] = len(ticket_of(w.transaction("console", undone, undo=True)))
    found["logged as the agent service"] = w.refused("agent", *flat(logged(request, who)))
    found["as another event"] = len(ticket_of(w.transaction("console", [logged(request, who, event="key.rotated")]) and
                                              w.sql("console", *flat(ask(request)))))
    before = w.sql("console", "select count(*) from audit_entry where event = 'key.exported'")[0][0]
    w.sql("console", *flat(logged(request, who)))
    found["another version"] = len(ticket_of(w.sql("console", *flat(ask(request, version=version + 1)))))
    found["another request"] = len(ticket_of(w.sql("console", *flat(ask(str(uuid.uuid4()))))))
    ticket = ticket_of(w.sql("console", *flat(ask(request))))
    found["control"] = export(request, who, ticket)
    found["its entry is there"] = w.sql("console", "select count(*) from audit_entry where event = 'key.exported'")[0][0] - before
    found["another key"] = export(request, who, ticket, os.urandom(32))
    found["another user"] = export(request, str(uuid.uuid4()), ticket)
    found["another web request"] = export(str(uuid.uuid4()), who, ticket)
    found["as a ticket for an agent"] = w.seal(request, public(w.key), w.sign(public(w.key)), ticket)[0]
    return found


def flat(pair):
    return (pair[0], *pair[1])


def people(server, asker):
    users = {role: str(uuid.uuid4()) for role in ("security-administrator", "account-administrator", "auditor", "key-approver", "disabled")}
    for role, id in users.items():
        run(server, "insert into app_user (tenant, id, email, name, role, state, password) values (%s, %s, %s, 'x', %s, %s, 'x')",
            str(asker.world.tenant), id, f"{role}-{id}@example.com", "security-administrator" if role == "disabled" else role,
            "disabled" if role == "disabled" else "active")
    return users


def test_no_key_is_exported_without_a_log_entry_that_stays(server, asker):
    # covers: KEY-4, KEY-5, LOG-3, SEC-7
    found = as_web(take_export, server, asker, people(server, asker))
    assert found.pop("control") == 0 and found.pop("its entry is there") == 1, found
    assert found.pop("logged as the agent service") is True
    for what in ("no ticket", "another key", "another user", "another web request", "as a ticket for an agent"):
        assert found.pop(what) == FORBIDDEN, (what, found)
    assert found and not any(found.values()), found


def take_copy(it, asker, users, target):
    """The key of a device copied to another one, which some day may be under a weaker policy."""
    w, found, request = Worker(it, asker), {}, str(uuid.uuid4())
    wrapped_tenant, version, wrapped = w.sql("console", "select t.wrapped_key, k.version, k.wrapped from tenant t join device_key k"
                                             " on k.tenant = t.id where k.device = %s and k.state = 'active'", w.device)[0]

    def copy(user, ticket, target=target, as_version=1):
        fields = (uuid.UUID(w.tenant).bytes + keyd.prefixed(bytes(wrapped_tenant)) + uuid.UUID(w.device).bytes + version.to_bytes(4, "big")
                  + keyd.prefixed(bytes(wrapped)) + uuid.UUID(target).bytes + as_version.to_bytes(4, "big") + uuid.UUID(user).bytes
                  + keyd.prefixed(ticket))
        return keyd.ask(w.socket, keyd.DEVICE_REWRAP, fields, uuid.UUID(request).bytes)[0]

    def ask(user):
        return ("select copy_ticket(%s, %s, %s, %s, %s)", (request, target, w.device, version, user))

    token = ("update device set token_account = %s, token_device = %s, token_version = %s where id = %s", (w.tenant, w.device, version, target))
    who = users["account-administrator"]
    found["no ticket"] = copy(who, b"")
    found["no token"] = len(ticket_of(w.sql("console", *flat(ask(who)))))
    found["token in the same"] = len(ticket_of(w.transaction("console", [token, ask(who)], undo=True)))
    w.sql("agent", *flat(token))
    for role, user in users.items():
        if role != "account-administrator":
            found[f"by {role}"] = len(ticket_of(w.sql("console", *flat(ask(user)))))
    ticket = ticket_of(w.sql("console", *flat(ask(who))))
    found["control"] = copy(who, ticket)
    found["another version"] = copy(who, ticket, as_version=2)
    found["another device"] = copy(who, ticket, target=str(uuid.uuid4()))
    return found


def test_no_key_is_copied_but_to_a_device_that_was_reported_as_its_copy(server, asker):
    # covers: KEY-4, DEV-5, SEC-7
    target = str(uuid.uuid4())
    run(server, "insert into device (tenant, id, provider, provider_device, policy) select tenant, %s, 'native', %s, policy from device where id = %s",
        target, f"copy-{target}", asker.row)
    found = as_web(take_copy, server, asker, people(server, asker), target)
    assert found.pop("control") == 0, found
    for what in ("no ticket", "another version", "another device"):
        assert found.pop(what) == FORBIDDEN, (what, found)
    assert found and not any(found.values()), found


def take_release(it, asker, users, other):
    """Leave to hand the volume over, which a person gives; and another machine in place of the device's."""
    w, found = Worker(it, asker), {}
    mine = public(w.key)
    instance = w.sql("console", "select instance::text from device where id = %s", w.device)[0][0]

    def ask(agent=w.agent):
        return ("select key_ticket_task(%s, %s, 1, %s, %s)", (agent, w.device, str(uuid.uuid4()), mine))

    def tickets(agent=w.agent):
        return len(ticket_of(w.sql("agent", *flat(ask(agent)))))

    def leave(user, **detail):
        return entry("device.release", user, w.device, {"as": "hand-over", "instance": instance, **detail})

    who, put = users["security-administrator"], ("update device set release = %s where id = %s", ("hand-over", w.device))
    w.sql("console", *flat(put))
    found["a row alone"] = tickets()
    for role in ("auditor", "key-approver", "disabled"):
        w.sql("console", *flat(leave(users[role])))
        found[f"by {role}"] = tickets()
    w.sql("console", *flat(leave(who, **{"as": "decrypt"})))
    found["for something else"] = tickets()
    w.sql("console", *flat(leave(who, instance=other[1])))
    found["for another machine"] = tickets()
    w.sql("console", *flat(leave(who)))
    found["control"] = tickets()
    for machine, name, agent in ((other[1], "moved", other[0]), (instance, None, None)):
        w.sql("agent", "update device set instance = %s where id = %s", machine, w.device)
        w.sql("console", *flat(put))             # moving has taken it back
        if name:
            found[name] = tickets(agent)
    w.sql("console", *flat(entry("device.release-cancelled", who, w.device, {})))
    found["taken back"] = tickets()
    w.sql("console", "update device set release = '' where id = %s", w.device)
    found["a request of another machine"] = 0 if w.refused("agent", "update key_request set instance = %s where device = %s", other[1],
                                                            w.device) else 1
    return found


def test_leave_to_hand_over_is_what_the_log_says_for_good(server, asker):
    # covers: KEY-4, VOL-7, SEC-7
    approved(asker)
    other = Asker(asker.world)
    instance = str(count(server, "select instance from agent where id = %s", other.id))
    found = as_web(take_release, server, asker, people(server, asker), [other.id, instance])
    assert found.pop("control") > 0, found
    assert found and not any(found.values()), found


def take_unfinished(it, asker, other):
    """The key of a volume that is being made, for another machine than it is made on."""
    w = Worker(it, asker)
    mine = public(w.key)
    ask = "select key_ticket_task(%s, %s, (select version::bigint from device_key where device = %s and state = 'active'), %s, %s)"

    def tickets(agent):
        return len(ticket_of(w.sql("agent", ask, agent, w.device, w.device, str(uuid.uuid4()), mine)))

    found = {"control": tickets(w.agent)}
    w.sql("agent", "update device set instance = %s where id = %s", other[1], w.device)
    found["moved"] = tickets(other[0])
    found["its machine in the key's row"] = 0 if w.refused("agent", "update device_key set instance = %s where device = %s", other[1], w.device) else 1
    return found


def test_the_key_of_a_volume_that_is_being_made_stays_at_its_machine(server, asker):
    # covers: KEY-4, SEC-7
    other = Asker(asker.world)
    instance = str(count(server, "select instance from agent where id = %s", other.id))
    run(server, "update device set status = 'encrypting' where id = %s", asker.row)
    run(server, "update device_key k set used = null, instance = d.instance from device d where d.id = k.device and d.id = %s", asker.row)
    found = as_web(take_unfinished, server, asker, [other.id, instance])
    assert found.pop("control") > 0, found
    assert found and not any(found.values()), found
