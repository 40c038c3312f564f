"""RAID 0 arrays on a guest against a running server: one volume and one key request, a key for each member, all of them or nothing."""
import json
import os
import shutil
import signal
import subprocess
import uuid

from fixtures import fixture, scratch
from stack.process import wait_until
from agents import MIB, SLOW, Tenant, engines, finish, has_line, mounts, new_guest, start, token_or_none, unmounts, wait_for
from web import database

COUNT = 3


@fixture("file")
def tenant(server):
    return Tenant(server)


def make_guest(server, tenant, folder, mib=(40, 41, 42), **settings):
    """Registered, with COUNT empty disks of so many MIB."""
    folder.mkdir(parents=True, exist_ok=True)
    disks = [folder / f"disk{i}.img" for i in range(COUNT)]
    for i, disk in enumerate(disks):
        with open(disk, "wb") as f:
            f.truncate(mib[i] * MIB)
        disk.chmod(0o600)
    g = new_guest(server, folder, devices="\ndevices = ".join(map(str, disks)), **settings)
    g.disks, name = disks, "data-" + uuid.uuid4().hex[:8]
    g.array = f"raid:{name}"
    g.register(tenant.account, tenant.passphrase)
    tenant.console("raid", name, g.mount_point, *(tenant.device(g, d)["id"] for d in disks))
    return g


@fixture("test")
def guest(server, tenant, folder):
    g = make_guest(server, tenant, folder / "guest")
    yield g
    finish(g)


@fixture("file")
def encrypted(server, tenant):
    """With an encrypted array and a file on it; its agent does not run. Tests leave it so."""
    g = make_guest(server, tenant, scratch() / ("guest-" + uuid.uuid4().hex[:8]))
    tenant.console("encrypt", tenant.device(g, g.array)["id"], 0)
    start(g)
    tenant.approve(g, g.array)
    mounts(g)
    (g.mount_point / "file").write_text("kept" * 1_000_000)
    assert g.stop()
    yield g
    finish(g)
    g.forget()


def statuses(tenant, guest):
    return [tenant.device(guest, x)["status"] for x in (guest.array, *guest.disks)]


def token(disk):
    return json.loads(subprocess.run(["cryptsetup", "token", "export", "--token-id", "0", str(disk)], check=True,
                                     stdout=subprocess.PIPE).stdout)


def test_an_array_is_encrypted_asked_for_and_opened_as_one(server, tenant, encrypted):
    # covers: RAID-1, DEV-3, VOL-2, VOL-5, KEY-5
    rows = tenant.console("requests")["rows"]
    ours = [r for r in rows if r["instance"] == tenant.instance(encrypted)["id"]]
    assert {r["device"] for r in ours} == {tenant.device(encrypted, encrypted.array)["id"]}
    assert statuses(tenant, encrypted) == ["encrypted"] * (COUNT + 1)
    with database(server).cursor() as c:
        c.execute("select count(distinct k.wrapped) from device d join device_key k on k.device = d.id where d.raid = %s and k.state = 'active'",
                  (tenant.device(encrypted, encrypted.array)["id"],))
        assert c.fetchone()[0] == COUNT
    places = [token(d) for d in encrypted.disks]
    assert [(t["array"]["id"], t["array"]["index"], t["array"]["count"]) for t in places] == [
        (encrypted.array, i, COUNT) for i in range(COUNT)]
    assert len({t["device"] for t in places}) == COUNT and not any(t["provisioning"] for t in places)
    for disk in encrypted.disks:
        assert b"keptkept" not in disk.read_bytes()
    start(encrypted)
    tenant.approve(encrypted, encrypted.array)
    mounts(encrypted)
    assert (encrypted.mount_point / "file").read_text() == "kept" * 1_000_000
    st = os.statvfs(encrypted.mount_point)
    assert st.f_blocks * st.f_frsize > (COUNT - 1) * 24 * MIB
    assert len(engines(encrypted)) <= 1
    wait_until(lambda: statuses(tenant, encrypted) == ["in-use"] * (COUNT + 1), SLOW, "not in use")
    # Taken back, all of it closes.
    tenant.console("revoke", tenant.request(encrypted, "delivered", encrypted.array)["id"])
    unmounts(encrypted)
    wait_until(lambda: engines(encrypted) == [] and statuses(tenant, encrypted) == ["encrypted"] * (COUNT + 1), SLOW, "still open")
    assert encrypted.stop()


def test_with_a_member_missing_nothing_is_opened(tenant, encrypted):
    # covers: RAID-1, DEV-2
    away = encrypted.disks[1].with_suffix(".away")
    before = len(tenant.requests(encrypted, encrypted.array))
    encrypted.disks[1].rename(away)
    try:
        start(encrypted)
        has_line(encrypted, "devices are missing")
        tenant.status(encrypted, "device-missing", encrypted.array)
        assert tenant.device(encrypted, encrypted.disks[1])["status"] == "undetected"
        assert len(tenant.requests(encrypted, encrypted.array)) == before and not encrypted.mounted() and engines(encrypted) == []
        shown = json.loads(encrypted.config("--status", "--json").stdout)
        assert shown["registered"]
        # While it waits, the device comes back.
    finally:
        away.rename(encrypted.disks[1])
    tenant.order(encrypted, "inventory")
    tenant.status(encrypted, "encrypted", encrypted.array)
    tenant.approve(encrypted, encrypted.array)
    mounts(encrypted)
    assert encrypted.stop()


def test_a_copy_of_a_member_is_a_doubt(tenant, encrypted):
    # covers: RAID-1, SEC-7
    copy = encrypted.folder / "copy.img"
    shutil.copy(encrypted.disks[0], copy)
    plain = encrypted.conf.read_text()
    encrypted.conf.write_text(f"{plain}devices = {copy}\n")
    try:
        start(encrypted)
        has_line(encrypted, "two disks claim the same place")
        assert encrypted.stop() and engines(encrypted) == []
    finally:
        encrypted.conf.write_text(plain)
        copy.unlink()


def test_killed_agent_finds_the_array_open(tenant, encrypted):
    # covers: RAID-1, AGT-5
    start(encrypted)
    tenant.approve(encrypted, encrypted.array)
    mounts(encrypted)
    os.kill(encrypted.process.pid, signal.SIGKILL)
    wait_until(lambda: not encrypted.process.alive(), SLOW, "still alive")
    start(encrypted)
    has_line(encrypted, "volume is open already")
    assert encrypted.stop() and not encrypted.mounted() and engines(encrypted) == []


def test_killed_provisioning_of_an_array_starts_anew(server, tenant, folder):
    # covers: RAID-1, VOL-4, VOL-6
    # Wiping the second member takes so long that it is killed in the middle of it.
    guest = make_guest(server, tenant, folder / "guest", [40, 4096, 42], wipe="yes")
    try:
        tenant.console("encrypt", tenant.device(guest, guest.array)["id"], 0)
        start(guest)
        # Its first member is done, the second one under way.
        wait_for(guest, lambda: tenant.device(guest, guest.disks[1])["status"] == "encrypting" and token_or_none(guest.disks[1]),
                 "the second member is not begun")
        os.kill(guest.process.pid, signal.SIGKILL)
        wait_until(lambda: not guest.process.alive(), SLOW, "still alive")
        assert tenant.device(guest, guest.array)["status"] == "encrypting"
        guest.conf.write_text(guest.conf.read_text().replace("wipe = yes\n", ""))
        start(guest)
        tenant.approve(guest, guest.array)
        mounts(guest)
        assert [tenant.device(guest, d)["key_version"] for d in guest.disks] == [1] * COUNT
        assert guest.stop()
    finally:
        finish(guest)


def test_what_the_server_did_not_hear_is_told_again(server, tenant, encrypted):
    # covers: RAID-1, VOL-4
    array = tenant.device(encrypted, encrypted.array)["id"]
    with database(server).cursor() as c:
        c.execute("update device set status = 'encrypting', luks_uuid = '', progress = 90 where id = %s or raid = %s", (array, array))
        # Its keys have opened nothing finished then (sql/0025).
        c.execute("update device_key set used = null where device in (select id from device where raid = %s)", (array,))
    # Interrupted while the marks were taken away, one after the other: the file system was there already.
    mark = token(encrypted.disks[2]) | {"provisioning": True, "wiped": 0}
    subprocess.run(["cryptsetup", "token", "remove", "--token-id", "0", str(encrypted.disks[2])], check=True)
    subprocess.run(["cryptsetup", "token", "import", "--token-id", "0", str(encrypted.disks[2])], input=json.dumps(mark), text=True,
                   check=True)
    start(encrypted)
    has_line(encrypted, "encrypted already by an earlier run")
    tenant.approve(encrypted, encrypted.array)
    mounts(encrypted)
    assert (encrypted.mount_point / "file").read_text() == "kept" * 1_000_000
    assert not token(encrypted.disks[2])["provisioning"]
    assert encrypted.stop()


def test_foreign_contents_on_one_member_stop_all(server, tenant, guest):
    # covers: RAID-1, VOL-4, DEV-3
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "precious", str(guest.disks[2])], check=True)
    before = [d.read_bytes() for d in guest.disks]
    start(guest)
    tenant.console("encrypt", tenant.device(guest, guest.array)["id"], 0)
    tenant.status(guest, "encryption-error", guest.array)
    assert "precious" in tenant.device(guest, guest.array)["error"] and "disk2" in tenant.device(guest, guest.array)["error"]
    assert statuses(tenant, guest) == ["encryption-error"] * (COUNT + 1)
    assert [d.read_bytes() for d in guest.disks] == before
    assert guest.stop()
