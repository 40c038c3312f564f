"""Backup and restore (KEY-8): everything is destroyed, and comes back from a backup and a key that was kept elsewhere."""
import os
import pathlib
import shutil
import subprocess

from backups import backed_up
from fixtures import ROOT, fixture
from stack.process import wait_until
from test_appearance import HTML, address_of, png, save, sign_in_page, url
from test_rewrap import Keys
from web import Client, database, make_tenant, operator

SECONDS = 180
HEAD = "select seq from audit_head where tenant = '00000000-0000-0000-0000-000000000000'"


@fixture("file")
def world():
    with backed_up("backup", **{"backup.piece_mib": "1", "database.log": "dbname=keyward_log"}) as (it, apart):
        it.apart = apart
        yield it


def test_all_is_destroyed_and_comes_back(world):
    # covers: KEY-8, OPS-2, LOG-5, WEB-4
    it, key = world, str(world.apart / "backup.key")
    keys = Keys(it)
    assert "never" in it.status()
    tenant = str(make_tenant(it)[1])
    keys.devices(tenant, 20)
    c = operator(it)
    save(c, logo=url(png()))
    logo = address_of(c.get("/appearance").text, r"\.png")
    picture = c.get(logo).body
    head = lambda: it.database.ask(HEAD, database="keyward")
    # More than fits into one piece, however well it is packed.
    with database(it).cursor() as q:
        q.execute("create table bulk as select decode(string_agg(md5(random()::text), ''), 'hex') as bytes from generate_series(1, 192000) n"
                  " group by n / 64")
    copied = lambda: it.database.ask(HEAD, database="keyward_log")
    wait_until(lambda: copied() and copied() == head(), SECONDS, "the log is not copied")
    identity = (it.state / "keys" / "identity").read_bytes()
    backup = it.keyward("backup").splitlines()[0]
    assert "last backup" in it.status() and "never" not in it.status()
    root = (it.state / "keys" / "root.key").read_bytes()[24:56]
    pieces = sorted(n for n in os.listdir(backup) if n.startswith("database."))
    assert len(pieces) > 2 and pieces[0] == "database.0000.cms" and "log.0000.cms" in os.listdir(backup), pieces
    for name in os.listdir(backup):
        data = open(os.path.join(backup, name), "rb").read()
        assert root not in data and b"PGDMP" not in data, name
    it.keyward("backup", "verify", backup)
    it.keyward("backup", "verify", backup, key)
    refused = it.keyward("restore", backup, key, check=False)
    assert refused.returncode == 1 and "empty installation" in refused.stderr
    it.stop()
    shutil.rmtree(it.state / "keys")
    (it.state / "keys").mkdir(mode=0o700)
    # Nothing is written over: neither the database, nor the log's where only that is there.
    it.start("database")
    before = head()
    for name, has in (("keyward", "Keyward with 1 account"), ("keyward_log", "tables")):
        refused = it.keyward("restore", backup, key, check=False)
        assert refused.returncode == 1 and f'database "{name}" is not empty' in refused.stderr and has in refused.stderr, refused.stderr
        assert "alter database" in refused.stderr and "pg_restore" not in refused.stderr, refused.stderr
        # As it advises.
        assert it.database.ask(f"alter database {name} rename to kept_{name}") == ""
    assert it.database.ask(HEAD, database="kept_keyward") == before and os.listdir(it.state / "keys") == []
    # All is destroyed.
    it.stop()
    shutil.rmtree(it.state / "db")
    it.database.prepare()
    it.start("database")
    assert "restored" in it.keyward("restore", backup, key)
    it.start("keyd")
    it.keyward("migrate")
    it.keyward("tickets", "renew")
    it.start()
    assert (it.state / "keys" / "identity").read_bytes() == identity
    assert keys.all_open() == 20
    page = sign_in_page(it)
    assert HTML in page and address_of(page, r"\.png") == logo and Client(it, "console").get(logo).body == picture
    it.keyward("audit", "verify")
    wait_until(lambda: copied() == head(), SECONDS, "the log is not copied any more")
    assert "none missing" in it.keyward("audit", "verify")


def test_the_operator_sees_root_keys_rotations_and_backups(world):
    # covers: ADM-2, KEY-2, KEY-6, KEY-8, ROL-7
    it, key = world, str(world.apart / "backup.key")
    c = operator(it, "system-operator")
    backup = it.keyward("backup").splitlines()[0]
    seen = c.api("/keys").json
    assert seen["backup"]["last"] and not seen["backup"]["old"] and seen["backup"]["untried"] and not seen["backup"]["failed"], seen
    newest = seen["backups"][0]
    assert newest["place"] == backup and newest["state"]["name"] == "Whole" and newest["verified"] and newest["size"], newest
    page = c.get("/keys")
    assert page.status == 200 and backup in page.text and "No backup was decrypted" in page.text and "file" in page.text
    it.keyward("backup", "verify", backup, key)
    assert not c.api("/keys").json["backup"]["untried"] and "No backup was decrypted" not in c.get("/keys").text
    # What was damaged since is shown as that, and so is what has become old.
    with open(os.path.join(backup, "keys.0000.cms"), "ab") as f:
        f.write(b"x")
    it.keyward("backup", "verify", backup, check=False)
    assert c.api("/keys").json["backups"][0]["state"]["name"] == "Damaged" and "newest backup has failed" in c.get("/keys").text
    with database(it).cursor() as q:
        q.execute("update backup set started = started - interval '3 days'")
    assert "older than two days" in c.get("/keys").text
    # The root key: its provider, its age, and progress of what is replaced.
    root, = [r for r in c.api("/keys").json["roots"] if r["active"]]
    assert root["provider"] == "file" and root["id"] in it.status()
    assert c.api("/keys", {"days": 30}).status == 200 and "older than it may be" not in c.get("/keys").text
    with database(it).cursor() as q:
        q.execute("insert into root_rotation (id, root, provider, state, total, started, started_by, finished) values (gen_random_uuid(), %s,"
                  " 'file', 'done', 1, now() - interval '31 days', 'x', now())", (root["id"],))
    assert "older than it may be" in c.get("/keys").text
    wait_until(lambda: "older than it may be" in c.get("/").text, SECONDS, "the overview does not say so")
    assert "older than the 30 days" in it.status()
    assert c.api("/keys", {"days": 0}).status == 200 and "older than the 30 days" not in it.status()
    with database(it).cursor() as q:
        tenant = make_tenant(it)[1]
        q.execute("insert into tenant_rotation (tenant, id, total, done, started_by) values (%s, gen_random_uuid(), 200, 50, 'x')", (str(tenant),))
    one, = c.api("/keys").json["tenants"]
    assert one["url"].endswith(str(tenant)) and one["percent"] == 25 and "50 / 200" in c.get("/keys").text
    # Who may only read changes nothing; who may not see the system sees nothing of it.
    for role, see, save in (("auditor", 200, 403), ("tenant-manager", 403, 403)):
        other = operator(it, role)
        assert other.get("/keys").status == see and other.api("/keys", {"days": 1}).status == save, role


def test_a_damaged_backup_is_refused(world):
    # covers: KEY-8, SEC-7
    it, key = world, str(world.apart / "backup.key")
    backup = it.keyward("backup").splitlines()[0]
    for name in ("database.0000.cms", "keys.0000.cms"):
        file = os.path.join(backup, name)
        with open(file, "r+b") as f:
            f.seek(os.path.getsize(file) // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
        refused = it.keyward("backup", "verify", backup, check=False)
        assert refused.returncode == 1 and "damaged" in refused.stderr
        # Not by the sums alone, which whoever alters it can write anew.
        subprocess.run("sha256sum *.cms > SHA256SUMS", shell=True, cwd=backup, check=True)
        refused = it.keyward("backup", "verify", backup, key, check=False)
        assert refused.returncode == 1 and name.split(".")[0] in refused.stderr
    # Nor by another private key, as one of another installation's.
    backup = it.keyward("backup").splitlines()[0]
    other = str(world.apart / "other.key")
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", other], check=True, stderr=subprocess.DEVNULL)
    refused = it.keyward("backup", "verify", backup, other, check=False)
    assert refused.returncode == 1 and "not made for this key" in refused.stderr, refused.stderr
    # A piece that is missing is noticed.
    backup = it.keyward("backup").splitlines()[0]
    os.remove(os.path.join(backup, max(n for n in os.listdir(backup) if n.startswith("database."))))
    assert it.keyward("backup", "verify", backup, check=False).returncode == 1
    subprocess.run("sha256sum *.cms > SHA256SUMS", shell=True, cwd=backup, check=True)
    refused = it.keyward("backup", "verify", backup, key, check=False)
    assert refused.returncode == 1 and "database" in refused.stderr, refused.stderr


def test_a_root_key_is_destroyed_only_when_a_backup_does_without_it(world):
    # covers: KEY-6, KEY-8
    it = world
    keys = Keys(it)
    before = it.keyward("backup").splitlines()[0]
    old = it.status().split("root key ")[1].split()[0]
    it.keyward("rotate", "root")
    keys.wait_root()
    assert old in keys.listed()
    refused = it.keyward("key", "retire", old, "destroy", check=False)
    assert refused.returncode == 1 and "keyward backup" in refused.stderr and old in keys.listed()
    assert "are under this key" in refused.stdout and "can be read by nobody" in refused.stdout
    it.keyward("backup")
    assert "is destroyed" in it.keyward("key", "retire", old, "destroy") and old not in keys.listed()
    # What it said is so: the backup of before brings its own root key back.
    it.stop()
    for folder in ("db", "keys"):
        shutil.rmtree(it.state / folder)
    (it.state / "keys").mkdir(mode=0o700)
    it.database.prepare()
    it.start("database")
    it.keyward("restore", before, str(world.apart / "backup.key"))
    it.start("keyd")
    it.keyward("migrate")
    it.keyward("tickets", "renew")
    it.start()
    assert keys.all_open() and old in it.status()


def test_keys_that_are_there_are_not_replaced(world):
    # covers: KEY-8, SEC-7
    it = world
    backup = it.keyward("backup").splitlines()[0]
    root = (it.state / "keys" / "root.key").read_bytes()
    # The identity alone is lost, and the database; another installation's key file, or a newer one, may be the only one of its kind.
    (it.state / "keys" / "identity").rename(world.apart / "identity")
    refused = it.keyward("restore", backup, str(world.apart / "backup.key"), check=False)
    (world.apart / "identity").rename(it.state / "keys" / "identity")
    assert refused.returncode == 1 and "empty installation" in refused.stderr and "another place first" in refused.stderr, refused.stderr
    assert (it.state / "keys" / "root.key").read_bytes() == root


def test_old_backups_go_and_the_newest_stays(world):
    # covers: KEY-8
    it = world
    backup = pathlib.Path(it.keyward("backup").splitlines()[0])
    others = {p.name for p in backup.parent.glob("keyward-*")}
    old, other = backup.with_name("keyward-20200101T000000Z"), backup.with_name("keyward-notes")
    backup.rename(old)
    other.mkdir()
    said = it.keyward("backup")
    newest = pathlib.Path(said.splitlines()[0])
    assert f"removed {old}" in said and not old.exists() and newest.exists() and other.exists()
    assert {p.name for p in backup.parent.glob("keyward-*")} == others - {backup.name} | {newest.name, other.name}


def test_the_timer_is_one_that_systemd_takes(folder):
    # covers: KEY-8, OPS-1
    for unit in ("keyward-backup.timer", "keyward-backup.service"):
        text = (ROOT / "packaging" / unit).read_text()
        assert unit.endswith("timer") or "ExecStart=/usr/sbin/keyward backup" in text
        (folder / unit).write_text(text.replace("/usr/sbin/keyward", "/bin/true"))
    p = subprocess.run(["systemd-analyze", "verify", str(folder / "keyward-backup.timer"), str(folder / "keyward-backup.service")],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert p.returncode == 0 and not p.stdout.strip(), p.stdout
