"""The server's processes are killed, and everything of the server is destroyed and comes back: from a backup of ours, and to a point in time by
PostgreSQL's own tools. A guest's agent, which knows nothing of it, opens its volume afterwards. KEYWARD_SEED=N repeats the kills."""
import os
import random
import shutil
import subprocess
import time

from agents import SLOW, Tenant, finish, has_line, mounts, new_guest, start, wait_for
from backups import backed_up
from fixtures import fixture, scratch
from stack.database import programs
from stack.process import wait_until
from test_rotation import is_done, keys, slots, states
from web import Client, database, make_user


class World:
    def __init__(self, it, apart):
        self.it, self.apart, self.key = it, apart, str(apart / "backup.key")
        self.tenant = Tenant(it)
        self.guest = new_guest(it, scratch() / "restore-guest")
        self.guest.register(self.tenant.account, self.tenant.passphrase)
        self.tenant.encrypt(self.guest)
        self.boot()
        (self.guest.mount_point / "file").write_text("kept")
        self.shut()

    def boot(self):
        self.guest.stop()                        # where a test before has failed
        start(self.guest)
        self.tenant.approve(self.guest)
        mounts(self.guest)

    def shut(self):
        assert self.guest.stop()

    def opens(self):
        self.boot()
        assert (self.guest.mount_point / "file").read_text() == "kept"
        self.shut()

    def lose_the_database(self):
        self.it.stop()
        shutil.rmtree(self.it.state / "db")

    def lose_everything(self):
        self.lose_the_database()
        shutil.rmtree(self.it.state / "keys")
        (self.it.state / "keys").mkdir(mode=0o700)

    def backup(self):
        return self.it.keyward("backup").splitlines()[0]

    def restore(self, backup):
        """Everything is lost; what `keyward restore` of BACKUP says. The server runs again."""
        self.lose_everything()
        self.it.database.prepare()
        self.it.start("database")
        said = self.it.keyward("restore", backup, self.key)
        self.it.start("keyd")
        self.it.keyward("migrate")
        self.it.keyward("tickets", "renew")
        self.it.start()
        return said

    def rotate(self):
        """The key of the guest's open volume: its new version."""
        self.tenant.status(self.guest, "in-use")
        version = self.tenant.device(self.guest)["key_version"]
        self.tenant.console("rotate", self.tenant.device(self.guest)["id"], "device-key")
        wait_until(lambda: self.tenant.device(self.guest)["key_version"] == version + 1, SLOW, "not rotated")
        is_done(self.tenant, self.guest)
        return version + 1

    def page(self):
        """The device's, as its people see it."""
        c = Client(self.it, "console")
        assert c.sign_in(make_user(self.it, self.tenant.account), account=self.tenant.name).status == 303
        return lambda: c.get(f"/devices/{self.tenant.device(self.guest)['id']}").text


@fixture("file")
def world():
    shutil.rmtree(scratch() / "restore-guest", ignore_errors=True)
    with backed_up("restore") as (it, apart):
        w = World(it, apart)
        yield w
        finish(w.guest)
        w.guest.forget()


def hurry(it):
    """What failed is ordered again after a minute, or two, or four: here at once, when jobd starts."""
    with database(it).cursor() as q:
        q.execute("update rotation set tried = null, tries = 0 where finished is null")
    it.restart("jobd")


def hurry_what_rests(it):
    with database(it).cursor() as q:
        q.execute("select count(*) from rotation where finished is null and tries > 0")
        rests = q.fetchone()[0]
    if rests:
        hurry(it)


def test_whichever_process_is_killed_during_a_rotation_the_server_has_a_key_that_opens(world):
    # covers: KEY-6, VOL-6, OPS-3
    # guard: 600
    it, tenant, guest = world.it, world.tenant, world.guest
    seed = int(os.environ.get("KEYWARD_SEED") or random.randrange(1 << 30))
    chance = random.Random(seed)
    print(f"    KEYWARD_SEED={seed}", flush=True)
    world.boot()
    tenant.status(guest, "in-use")
    device, first, seen = tenant.device(guest)["id"], tenant.device(guest)["key_version"], []
    for i in range(10):
        if states(tenant, guest) in ([], ["done"]):
            tenant.console("rotate", device, "device-key")
        else:
            hurry(it)
        time.sleep(chance.uniform(0, 0.6))
        victim = chance.choice(("keyd", "web", "database", "jobd"))
        it.kill(victim)
        time.sleep(chance.uniform(0, 0.4))
        it.start_again(victim)
        seen.append((victim, *states(tenant, guest)))
        assert (guest.mount_point / "file").read_text() == "kept", f"kill {i}"
        # At every moment the database has a current key, and with it whichever other one may open.
        now = keys(it, device)
        assert [k[1] for k in now].count("active") == 1 and all(k[2] is None or k[2] in [o[0] for o in now] for k in now), now
    print(f"    killed in {seen}", flush=True)
    # An order that a killed process let fail is told as failed only now and then, and rests; it is hurried whenever it does.
    wait_for(guest, lambda: states(tenant, guest) == ["done"] or hurry_what_rests(it), "not rotated")
    version = tenant.device(guest)["key_version"]
    assert version > first and len(slots(guest.disk)) == 1 and keys(it, device)[-1] == (version, "active", None)
    # What the server releases at the next boot is what opens.
    world.shut()
    world.opens()


STEPS = ("adding", "removing", "done")       # what the server writes at the agent's three messages


def hold(it, step):
    """Rotations stand still in the middle of the server's work on one message, until let go."""
    with database(it).cursor() as q:
        q.execute("create table step_held ()")
        q.execute("insert into step_held default values")
        q.execute("create function hold_step() returns trigger language plpgsql security definer as $$ begin if old.state <> new.state and"
                  f" new.state = '{step}' then while exists (select 1 from step_held) loop perform pg_sleep(0.05); end loop; end if; return new; end $$")
        q.execute("create trigger hold_step before update on rotation for each row execute function hold_step()")


def held(it):
    with database(it).cursor() as q:
        q.execute("select count(*) from pg_stat_activity where wait_event = 'PgSleep'")
        return q.fetchone()[0]


def let_go(it):
    with database(it).cursor() as q:
        q.execute("delete from step_held")


def hold_no_more(it):
    with database(it).cursor() as q:
        for what in ("trigger hold_step on rotation", "function hold_step()", "table step_held"):
            q.execute(f"drop {what}")


def test_a_long_outage_in_the_middle_of_each_step(world):
    # covers: KEY-6, VOL-6, AGT-5, OPS-3
    # guard: 600
    # KEYWARD_OUTAGE=SECONDS: how long each is away.
    it, tenant, guest, away = world.it, world.tenant, world.guest, float(os.environ.get("KEYWARD_OUTAGE") or 1)
    world.boot()
    tenant.status(guest, "in-use")
    device, version = tenant.device(guest)["id"], tenant.device(guest)["key_version"]
    for n, (step, victim) in enumerate([(s, v) for s in STEPS for v in ("database", "keyd")], 1):
        hold(it, step)
        tenant.console("rotate", device, "device-key")
        wait_until(lambda: held(it), SLOW, f"not in the middle of {step}")
        it.kill(victim)
        if victim != "database":
            let_go(it)
        end = time.monotonic() + away
        while time.monotonic() < end:
            assert (guest.mount_point / "file").read_text() == "kept"
            time.sleep(0.2)
        it.start_again(victim)
        let_go(it)
        hold_no_more(it)
        wait_for(guest, lambda: states(tenant, guest) == ["done"] or hurry_what_rests(it), f"{victim} was away at {step}: not rotated")
        assert tenant.device(guest)["key_version"] == version + n and len(slots(guest.disk)) == 1, (step, victim)
        assert keys(it, device)[-1] == (version + n, "active", None) and (guest.mount_point / "file").read_text() == "kept"
    world.shut()
    world.opens()


def test_a_guest_opens_its_volume_with_the_restored_server(world):
    # covers: KEY-8, AGT-5
    # guard: 300
    it = world.it
    # The guest runs while its server is lost: its volume stays open, and it finds the restored server again.
    world.boot()
    assert "restored" in world.restore(world.backup())
    assert (world.guest.mount_point / "file").read_text() == "kept"
    world.shut()
    world.opens()
    assert "none altered, none missing" in it.keyward("audit", "verify", world.tenant.name)


def test_a_server_that_was_restored_from_before_a_rotation_says_what_it_lacks(world):
    # covers: KEY-6, KEY-8, SEC-7
    # guard: 300
    world.boot()
    world.tenant.status(world.guest, "in-use")
    before = world.backup()
    version = world.rotate()
    # Its agent has said so, and has nothing new to publish to the server that comes back.
    wait_for(world.guest, lambda: world.tenant.device(world.guest)["token_version"] == version, "the token is not published")
    after = world.backup()
    assert "made or rotated after this backup" in world.restore(before)
    # While the volume is open there is time to do something about it: its agent tells the server that came back what is on the disk.
    page = world.page()
    wait_for(world.guest, lambda: "The server does not have the key of its volume" in page(), "the page does not say it")
    assert (world.guest.mount_point / "file").read_text() == "kept"
    # Another rotation would begin with a key that does not open.
    device = world.tenant.device(world.guest)["id"]
    world.tenant.console("rotate", device, "device-key")
    wait_for(world.guest, lambda: "a later key than the server" in (world.tenant.console("rotations", device)[0]["error"] or ""), "the rotation does not say it")
    assert [k[1] for k in keys(world.it, device)].count("next") == 0
    world.shut()
    start(world.guest)
    world.tenant.approve(world.guest)
    has_line(world.guest, f"opening failed: the volume has version {version} of its key, the server only {version - 1}: its database is from before that rotation")
    assert not world.guest.mounted() and world.guest.stop()
    # What was said is true: with the backup of after the rotation it opens, and the page says nothing any more.
    world.restore(after)
    world.opens()
    assert "The server does not have the key of its volume" not in world.page()()


def as_postgres(*command):
    subprocess.run(command, check=True, cwd="/", user="postgres", group="postgres", extra_groups=[], stdout=subprocess.DEVNULL)


def test_back_to_a_point_in_time_with_postgresqls_own_tools(world):
    # covers: KEY-8
    # guard: 300
    it, folder = world.it, world.apart / "wal"
    folder.mkdir()
    shutil.chown(folder, "postgres", "postgres")
    folder.parent.chmod(0o755)
    # docs/operations.md "To a point in time": the same lines.
    with open(it.database.data / "keyward.conf", "a") as f:
        f.write(f"archive_mode = on\narchive_command = 'test ! -f {folder}/%f && cp %p {folder}/%f'\n")
    with open(it.database.data / "pg_hba.conf", "a") as f:
        f.write("local replication all peer map=keyward\n")
    it.stop()
    it.start()
    base = folder / "base"
    as_postgres(f"{programs()}/pg_basebackup", "-h", str(it.database.sockets), "-U", "postgres", "-D", str(base), "-c", "fast", "-X", "none")
    # Made after the base backup, and so only in the archive.
    device = world.tenant.device(world.guest)["id"]
    world.boot()
    version = world.rotate()
    world.shut()
    with database(it).cursor() as q:
        q.execute("select pg_create_restore_point('before_the_mistake')")
        # Somebody's mistake.
        q.execute("delete from device_key where device = %s", (device,))
        q.execute("select pg_walfile_name(pg_current_wal_lsn())")
        last = q.fetchone()[0]
        q.execute("select pg_switch_wal()")
    wait_until(lambda: (folder / last).exists(), 60, "the log is not archived")
    world.lose_the_database()
    shutil.copytree(base, it.database.data, copy_function=shutil.copy2)
    subprocess.run(["chown", "-R", "postgres:postgres", str(it.database.data)], check=True)
    os.chmod(it.database.data, 0o700)
    with open(it.database.data / "keyward.conf", "a") as f:
        f.write(f"restore_command = 'cp {folder}/%f %p'\nrecovery_target_name = 'before_the_mistake'\nrecovery_target_action = promote\n")
    (it.database.data / "recovery.signal").touch()
    shutil.chown(it.database.data / "recovery.signal", "postgres", "postgres")
    it.start("database")
    wait_until(lambda: it.database.ask("select pg_is_in_recovery()") == "f", 60, "the recovery does not end")
    it.start("keyd")
    it.keyward("tickets", "renew")
    it.start()
    # The key of after the base backup is there, and what the volume has.
    assert world.tenant.device(world.guest)["key_version"] == version
    world.opens()
    assert "none altered, none missing" in it.keyward("audit", "verify", world.tenant.name)
