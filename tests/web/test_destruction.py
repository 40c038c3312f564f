"""Destruction of keys: asked for, confirmed by somebody else, cancelled, carried out by jobd; what is refused at each step."""
import concurrent.futures
import os
import random
import subprocess
import time
import uuid

from fixtures import fixture
from mailsink import mail_of
from notices import told
from races import patiently
from stack.process import wait_until
from test_agent_pool import Machine, provision
from test_export import PASSPHRASE as EXPORT_PASSPHRASE, export, open_zip
from test_requests import resting_jobd
from web import database, make_user
from world import World, count, run

SECONDS = 120


class Destroyer(World):
    def __init__(self, server):
        super().__init__(server)
        self.security = make_user(server, self.tenant, "security-administrator")
        self.other = make_user(server, self.tenant, "security-administrator")
        self.machine = Machine(server, self.tenant, "native")
        run(server, "update policy set on_match = 'approve', rules = %s where tenant = %s and is_default",
            '[{"type": "os.system", "conditions": [{"operator": "equals", "value": "linux"}]}]', self.tenant)

    def device(self):
        name = "disk-" + uuid.uuid4().hex[:8]
        provision(self.it, self.machine, self.tenant, name)
        return name, str(count(self.it, "select id from device where tenant = %s and provider_device = %s", self.tenant, name))

    def waiting(self, device):
        return str(count(self.it, "select id from destruction where device = %s and state = 'waiting'", device))

    def due(self, device):
        run(self.it, "update destruction set due = now() - interval '1 second' where device = %s", device)

    def keys(self, device):
        return count(self.it, "select count(*) from device_key where device = %s", device)


@fixture("file")
def world(server):
    return Destroyer(server)


def ask(c, name, device, **changes):
    return c.post(f"/devices/{device}/destroy", **{"typed": name, "comment": "the customer has left", **changes})


def test_two_people_a_waiting_period_and_then_it_is_gone(server, world):
    # covers: KEY-7, DEV-2, ROL-2, LOG-2
    name, device = world.device()
    given = world.machine.want(name)
    assert given["status"] == "delivered", given
    assert world.machine.say(type="opened", request=given["request"], device=name)["type"] == "opened"
    c, other = world.console(world.security), world.console(world.other)
    assert f'href="/devices/{device}/destroy"' in c.get(f"/devices/{device}").text
    page = c.get(f"/devices/{device}/destroy")
    assert page.status == 200 and "Its volume is open now" in page.text and "They are destroyed in 7 days." in page.text
    assert ask(c, name, device, typed="something else").status == 422
    assert ask(c, name, device).status == 303
    assert ask(c, name, device).status == 409
    page = c.get(f"/devices/{device}").text
    assert "going to be destroyed" in page and "in 6 days" in page or "in 7 days" in page, page
    assert f"/devices/{device}/destroy" not in page
    id = world.waiting(device)
    # Nobody confirms what he has asked for: not by the page, nor by the database.
    assert f"/destructions/{id}/confirm" not in c.get("/destructions").text
    assert c.post(f"/destructions/{id}/confirm", typed=name).status == 403
    try:
        run(server, "update destruction set confirmed = now(), confirmed_by = asked_by, confirmed_by_name = 'x' where id = %s", id)
        raise AssertionError("the database lets one confirm his own")
    except Exception as e:
        assert "check" in str(e).lower(), e
    # Due but unconfirmed: it is left alone when jobd comes, as the other that is destroyed then shows.
    marker, due_too = world.device()
    assert ask(c, marker, due_too).status == 303
    run(server, "update destruction set people = 1 where device = %s", due_too)
    world.due(device)
    world.due(due_too)
    wait_until(lambda: world.keys(due_too) == 0, SECONDS, "jobd destroys nothing")
    assert world.keys(device) == 1
    run(server, "update destruction set due = now() + interval '1 day' where id = %s", id)
    assert f"/destructions/{id}/confirm" in other.get("/destructions").text
    # While it waits the key is what it was, and can be exported; who confirms is told that nothing reaches what was.
    assert "Its key was exported" not in other.get(f"/destructions/{id}/confirm").text
    exported = export(c, f"/devices/{device}/export")
    assert exported.status == 200 and set(open_zip(exported.body, EXPORT_PASSPHRASE)) == {device}
    page = other.get(f"/destructions/{id}/confirm").text
    assert "Its key was exported" in page and "Its volume is open now" in page
    assert other.post(f"/destructions/{id}/confirm", typed="wrong").status == 422
    assert other.post(f"/destructions/{id}/confirm", typed=name).status == 303
    assert other.post(f"/destructions/{id}/confirm", typed=name).status == 409
    assert count(server, "select status from device where id = %s", device) == "in-use" and world.keys(device) == 1
    world.due(device)
    wait_until(lambda: world.keys(device) == 0, SECONDS, "the keys are still there")
    wait_until(lambda: count(server, "select state from destruction where id = %s", id) == "done", SECONDS, "it is not done")
    assert count(server, "select status from device where id = %s", device) == "not-configured"
    assert count(server, "select keys from destruction where id = %s", id) == 1
    assert count(server, "select status from key_request where id = %s", str(uuid.UUID(given["request"]))) == "revoking"
    # The agent closes it; its key is gone for good, and so is what the page offers.
    assert not world.machine.want(name).get("sealed")
    assert export(c, f"/devices/{device}/export").status == 409
    page = c.get(f"/devices/{device}").text
    assert "No key yet" in page and f"/devices/{device}/destroy" not in page
    with database(server).cursor() as q:
        q.execute("select event from audit_entry where object_id = %s and event like 'key.destroy%%' order by seq", (device,))
        assert [r[0] for r in q.fetchall()] == ["key.destroy", "key.destroy-confirmed", "key.destroyed"]
    rows = c.api("/destructions").json["list"]["rows"]
    assert [r["state"] for r in rows if r["id"] == id] == ["done"]
    told(server, world.tenant, "destruction-asked", "destruction-confirmed", "keys-destroyed")


def test_the_word_of_who_was_removed_or_has_another_role_does_not_count(server, world):
    # covers: KEY-7, ROL-2, SEC-7
    email = make_user(server, world.tenant, "security-administrator")
    who = count(server, "select id from app_user where tenant = %s and email = %s", world.tenant, email)
    name, device = world.device()
    assert ask(world.console(email), name, device).status == 303
    id, other = world.waiting(device), world.console(world.other)
    confirm = f"/destructions/{id}/confirm"

    def role(role, state="active"):
        run(server, "update app_user set role = %s, state = %s where id = %s", role, state, who)

    for now in (("account-administrator",), ("key-approver",), ("security-administrator", "disabled")):
        role(*now)
        a = other.post(confirm, typed=name)
        assert a.status == 409 and "was removed since, or has another role" in a.text and confirm not in other.get("/destructions").text, now
    # With another role as himself, too, he does not confirm what he has asked for.
    role("account-administrator")
    assert world.console(email).post(confirm, typed=name).status == 403
    role("security-administrator")
    assert confirm in other.get("/destructions").text
    # Removed and made anew under the same address: another user, the same person.
    run(server, "delete from app_user where id = %s", who)
    make_user(server, world.tenant, "security-administrator", email=email)
    assert world.console(email).post(confirm, typed=name).status == 409
    assert other.post(confirm, typed=name).status == 409 and count(server, "select confirmed is null from destruction where id = %s", id)
    assert other.post(f"/destructions/{id}/cancel", comment="no").status == 303


def test_it_is_cancelled_by_an_account_administrator(server, world):
    # covers: KEY-7, ROL-1
    name, device = world.device()
    c, admin = world.console(world.security), world.console()
    assert ask(admin, name, device).status == 403
    assert ask(c, name, device).status == 303
    id = world.waiting(device)
    assert f"/destructions/{id}/cancel" in admin.get(f"/devices/{device}").text
    assert admin.post(f"/destructions/{id}/cancel", comment="they are back").status == 303
    assert admin.post(f"/destructions/{id}/cancel").status == 409 and admin.post(f"/destructions/{id}/confirm", typed=name).status == 409
    world.due(device)
    assert world.keys(device) == 1 and "going to be destroyed" not in c.get(f"/devices/{device}").text
    for role in ("auditor", "key-approver"):
        reader = world.console(make_user(server, world.tenant, role))
        assert ask(reader, name, device).status == 403 and reader.post(f"/destructions/{id}/cancel").status == 403
        assert reader.get("/destructions").status == 200
    told(server, world.tenant, "destruction-cancelled")
    # It can be asked for again.
    assert ask(c, name, device).status == 303
    # A device that is unconfigured meanwhile gets its next keys in peace.
    assert admin.post(f"/devices/{device}/unconfigure", typed=name).status == 303
    assert count(server, "select count(*) from destruction where device = %s and state = 'waiting'", device) == 0


def test_the_rule_is_the_accounts(server, world):
    # covers: KEY-7, WEB-3
    admin, c = world.console(), world.console(world.security)
    assert c.post("/destructions/rule", days="1", people="1").status == 403
    assert admin.post("/destructions/rule", days="0", people="1").status == 422
    assert admin.post("/destructions/rule", days="3", people="1").status == 303
    assert admin.api("/destructions").json["rule"] == {"days": 3, "people": 1}
    assert count(server, "select count(*) from audit_entry where tenant = %s and event = 'key.destroy-rule'", world.tenant) == 1
    name, device = world.device()
    assert ask(c, name, device).status == 303
    assert world.console(world.other).post(f"/destructions/{world.waiting(device)}/confirm", typed=name).status == 409
    world.due(device)
    wait_until(lambda: world.keys(device) == 0, SECONDS, "the keys are still there")
    assert admin.post("/destructions/rule", days="7", people="2").status == 303


def test_only_where_there_is_something_to_destroy(server, world):
    # covers: KEY-7, DEV-2
    c = world.console(world.security)
    name, device = world.device()
    for status in ("not-configured", "configured", "encryption-pending", "encrypting", "decrypting", "encryption-error"):
        run(server, "update device set status = %s where id = %s", status, device)
        assert ask(c, name, device).status == 409 and c.get(f"/devices/{device}/destroy").status == 409, status
    run(server, "update device set status = 'undetected' where id = %s", device)
    assert ask(c, name, device).status == 303
    run(server, "update destruction set people = 1, due = now() where device = %s", device)
    wait_until(lambda: world.keys(device) == 0, SECONDS, "the keys of a lost device are still there")
    assert count(server, "select status from device where id = %s", device) == "undetected"
    assert c.post(f"/devices/{uuid.uuid4()}/destroy", typed="x").status == 404


def test_jobd_destroys_nothing_that_nobody_asked_for(server, world):
    # covers: KEY-7, KEY-4
    import psycopg2
    name, device = world.device()
    c = world.console(world.security)
    assert ask(c, name, device).status == 303
    with psycopg2.connect(server.conninfo("keyward_jobs")) as jobs:
        for sql in ("select destruction_carry_out(%s, 'not-configured')", "update destruction set due = now() where id = %s",
                    "delete from device_key where device = (select device from destruction where id = %s)"):
            with jobs.cursor() as q:
                q.execute("select set_config('keyward.tenant', %s, true)", (str(world.tenant),))
                try:
                    q.execute(sql, (world.waiting(device),))
                    raise AssertionError(sql)
                except psycopg2.errors.InsufficientPrivilege:
                    jobs.rollback()
        # Due, and not confirmed.
        world.due(device)
        with jobs.cursor() as q:
            q.execute("select set_config('keyward.tenant', %s, true)", (str(world.tenant),))
            try:
                q.execute("select destruction_carry_out(%s, 'not-configured')", (world.waiting(device),))
                raise AssertionError("carried out without the second person")
            except psycopg2.errors.InsufficientPrivilege:
                jobs.rollback()
    assert world.keys(device) == 1


def test_jobd_killed_in_the_middle_destroys_each_wholly_and_once(server):
    # covers: KEY-7, LOG-3
    # guard: 300
    world = Destroyer(server)                    # its own people: they get many mails
    seed = int(os.environ.get("KEYWARD_SEED") or random.randrange(1 << 30))
    chance = random.Random(seed)
    print(f"    KEYWARD_SEED={seed}", flush=True)
    c = world.console(world.security)
    devices = []
    for _ in range(16):
        name, device = world.device()
        assert ask(c, name, device).status == 303
        devices.append(device)
    run(server, "update destruction set people = 1 where device::text = any (%s)", devices)

    def looked_at():
        """(state, keys left, times that the log says so) of each, at one moment."""
        with database(server).cursor() as q:
            q.execute("select x.state, (select count(*) from device_key k where k.device = x.device), (select count(*) from audit_entry e"
                      " where e.object_id = x.device and e.event = 'key.destroyed') from destruction x where x.device::text = any (%s)", (devices,))
            return q.fetchall()

    kills = 0
    # The installation's own rests: it is for other tests, too.
    with resting_jobd(server):
        run(server, "update destruction set due = now() - interval '1 second' where device::text = any (%s)", devices)
        while any(state == "waiting" for state, _, _ in looked_at()):
            jobd = subprocess.Popen(server.processes["jobd"].argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # In the end it gets to them, however long its start takes on a slow machine.
            time.sleep(chance.uniform(0.02, 0.3) if kills < 12 else 5 * 1.5 ** (kills - 12))
            jobd.kill()
            jobd.wait()
            kills += 1
            for row in looked_at():
                assert row in (("waiting", 1, 0), ("done", 0, 1)), (seed, row)
    print(f"    killed {kills} times", flush=True)
    assert looked_at() == [("done", 0, 1)] * len(devices)


def test_cancelled_while_it_is_carried_out_it_is_one_or_the_other(server, world):
    # covers: KEY-7, LOG-3, SEC-7
    c, admin = world.console(world.security), [world.console() for _ in range(4)]
    devices = []
    for _ in range(8):
        name, device = world.device()
        assert ask(c, name, device).status == 303
        devices.append((device, world.waiting(device)))
    with resting_jobd(server):
        run(server, "update destruction set people = 1, due = now() - interval '1 second' where id::text = any (%s)", [id for _, id in devices])
        jobd = subprocess.Popen(server.processes["jobd"].argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            # While it starts, and goes through them.
            with concurrent.futures.ThreadPoolExecutor(len(admin)) as pool:
                said = list(pool.map(lambda i: patiently(admin[i % len(admin)].post, f"/destructions/{devices[i][1]}/cancel", comment="no").status, range(8)))
            wait_until(lambda: count(server, "select count(*) from destruction where state = 'waiting' and id::text = any (%s)",
                                     [id for _, id in devices]) == 0, SECONDS, "some wait still")
        finally:
            jobd.terminate()
            jobd.wait()
    for status, (device, id) in zip(said, devices):
        with database(server).cursor() as q:
            q.execute("select event from audit_entry where object_id = %s and event in ('key.destroyed', 'key.destroy-cancelled')", (device,))
            events = [r[0] for r in q.fetchall()]
        seen = (status, count(server, "select state from destruction where id = %s", id), world.keys(device), events)
        assert seen in ((303, "cancelled", 1, ["key.destroy-cancelled"]), (409, "done", 0, ["key.destroyed"])), seen


def test_of_a_raid_all_members_keys_go(server, world):
    # covers: KEY-7, RAID-1
    members, array = [world.device() for _ in range(2)], str(uuid.uuid4())
    run(server, "insert into device (tenant, id, provider, machine, provider_device, name, kind, instance, policy, status, filesystem, mount_point,"
        " configured, key_created) select tenant, %s, provider, machine, %s, 'both', 'raid-0', instance, policy, 'encrypted', 'ext4', '/both', now(),"
        " now() from device where id = %s", array, "raid:" + array[:8], members[0][1])
    for i, (_, member) in enumerate(members):
        run(server, "update device set raid = %s, raid_index = %s where id = %s", array, i, member)
    c, other = world.console(world.security), world.console(world.other)
    assert ask(c, members[0][0], members[0][1]).status == 409
    assert f"/devices/{members[0][1]}/destroy" not in c.get(f"/devices/{members[0][1]}").text
    assert f'href="/devices/{array}/destroy"' in c.get(f"/devices/{array}").text
    assert ask(c, "both", array).status == 303
    assert other.post(f"/destructions/{world.waiting(array)}/confirm", typed="both").status == 303
    world.due(array)
    wait_until(lambda: world.keys(members[0][1]) + world.keys(members[1][1]) == 0, SECONDS, "the members' keys are still there")
    for id in (array, members[0][1], members[1][1]):
        assert count(server, "select status from device where id = %s", id) == "not-configured"
    assert count(server, "select keys from destruction where device = %s", array) == 2


def test_administrators_are_told(server, world):
    # covers: KEY-7, NTF-2
    with mail_of(server) as sink:
        name, device = world.device()
        assert ask(world.console(world.security), name, device).status == 303
        mail = sink.wait(world.user, "Destruction of keys asked for")
        assert device in mail.text and f"By: {world.security}" in mail.text and "the customer has left" in mail.text, mail.text
