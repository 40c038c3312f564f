"""Backup and restore (KEY-8): everything is destroyed, and comes back from a backup and a key that was kept elsewhere."""
import os
import shutil
import subprocess

from fixtures import fixture, scratch
from stack.installation import Installation, free_port
from test_rewrap import Keys
from web import make_tenant


@fixture("file")
def world():
    folder, apart = scratch() / "backup", scratch() / "backup-apart"
    for f in (folder, apart):
        shutil.rmtree(f, ignore_errors=True)
    apart.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "30", "-subj", "/CN=backup", "-keyout",
                    str(apart / "backup.key"), "-out", str(apart / "backup.crt")], check=True, stderr=subprocess.DEVNULL)
    with Installation(folder, "sanitize", free_port(), settings={"backup.folder": str(apart), "backup.certificate": str(apart / "backup.crt")}) as it:
        it.prepare()
        it.start()
        it.apart = apart
        yield it


def test_all_is_destroyed_and_comes_back(world):
    # covers: KEY-8, OPS-2
    it, key = world, str(world.apart / "backup.key")
    keys = Keys(it)
    assert "never" in it.keyward("status")
    tenant = str(make_tenant(it)[1])
    keys.devices(tenant, 20)
    identity = (it.state / "keys" / "identity").read_bytes()
    backup = it.keyward("backup").splitlines()[0]
    assert "last backup" in it.keyward("status") and "never" not in it.keyward("status")
    root = (it.state / "keys" / "root.key").read_bytes()[24:56]
    for name in os.listdir(backup):
        data = open(os.path.join(backup, name), "rb").read()
        assert root not in data and b"PGDMP" not in data, name
    it.keyward("backup", "verify", backup)
    it.keyward("backup", "verify", backup, key)
    refused = it.keyward("restore", backup, key, check=False)
    assert refused.returncode == 1 and "empty installation" in refused.stderr
    it.stop()
    shutil.rmtree(it.state / "db")
    shutil.rmtree(it.state / "keys")
    (it.state / "keys").mkdir(mode=0o700)
    it.database.prepare()
    it.start("database")
    assert "restored" in it.keyward("restore", backup, key)
    it.start("keyd")
    it.keyward("migrate")
    it.keyward("tickets", "renew")
    it.start()
    assert (it.state / "keys" / "identity").read_bytes() == identity
    assert keys.all_open() == 20
    it.keyward("audit", "verify")


def test_a_damaged_backup_is_refused(world):
    # covers: KEY-8, SEC-7
    it, key = world, str(world.apart / "backup.key")
    backup = it.keyward("backup").splitlines()[0]
    for name in ("database.cms", "keys.cms"):
        file = os.path.join(backup, name)
        with open(file, "r+b") as f:
            f.seek(os.path.getsize(file) // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
        refused = it.keyward("backup", "verify", backup, check=False)
        assert refused.returncode == 1 and "damaged" in refused.stderr
        # Not by the sums alone, which whoever alters it can write anew.
        subprocess.run("sha256sum database.cms keys.cms > SHA256SUMS", shell=True, cwd=backup, check=True)
        refused = it.keyward("backup", "verify", backup, key, check=False)
        assert refused.returncode == 1 and name in refused.stderr
