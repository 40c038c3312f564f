"""Rotation of device keys on a guest against a running server: the volume stays open, idle devices follow at their next release, and
whatever is killed at whatever moment, the server has a key that opens."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time
import uuid

from fixtures import fixture, scratch
from stack.process import wait_until
from agents import SLOW, Tenant, encrypted, finish, has_line, mounts, new_guest, start, unmounts, wait_for  # noqa: F401
from test_array import COUNT, make_guest, token
from web import Client, database, make_user


@fixture("file")
def tenant(server):
    return Tenant(server)


def slots(disk):
    dump = subprocess.run(["cryptsetup", "luksDump", str(disk)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return re.findall(r"^  (\d+): luks2$", dump, re.M)


def rotations(tenant, guest, path=None):
    return tenant.console("rotations", tenant.device(guest, path)["id"])


def states(tenant, guest, path=None):
    return [r["state"] for r in rotations(tenant, guest, path)]


def is_done(tenant, guest, count=1, path=None):
    wait_for(guest, lambda: states(tenant, guest, path) == ["done"] * count, "not rotated")


def keys(server, device):
    with database(server).cursor() as c:
        c.execute("select version, state, other from device_key where device = %s order by version", (device,))
        return c.fetchall()


def events(server, device):
    with database(server).cursor() as c:
        c.execute("select event from audit_entry where object_id = %s and event like 'key.%%' order by seq", (device,))
        return [e for (e,) in c.fetchall()]


def crash(guest, engines):
    """The agent's process, or, with its ENGINES, what a power cut does to them; the file stays as it is then."""
    os.kill(guest.process.pid, signal.SIGKILL)
    wait_until(lambda: not guest.process.alive(), SLOW, "still alive")
    if not engines:
        return
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(guest.folder) in words and "keyward-volume" in words:
            os.kill(int(proc.name), signal.SIGKILL)
    subprocess.run(["umount", "-l", str(guest.mount_point)], check=False)


def test_a_key_is_rotated_while_its_volume_is_open(server, tenant, encrypted):  # noqa: F811
    # covers: KEY-6, DEV-8
    start(encrypted)
    tenant.approve(encrypted)
    mounts(encrypted)
    tenant.status(encrypted, "in-use")
    device = tenant.device(encrypted)
    version, before = device["key_version"], slots(encrypted.disk)
    with open(encrypted.mount_point / "held", "w") as held:
        tenant.console("rotate", device["id"], "device-key")
        is_done(tenant, encrypted)
        held.write("still here")
    after = tenant.device(encrypted)
    assert after["key_version"] == version + 1 and after["key_rotated"] and after["status"] == "in-use"
    assert len(slots(encrypted.disk)) == 1 and slots(encrypted.disk) != before
    assert token(encrypted.disk)["key_version"] == version + 1
    assert keys(server, device["id"])[-2:] == [(version, "former", None), (version + 1, "active", None)]
    assert events(server, device["id"])[-4:] == ["key.rotate", "key.rotating", "key.rotated", "key.old-removed"]
    # The new key is what the next boot gets.
    assert encrypted.stop()
    start(encrypted)
    tenant.approve(encrypted)
    mounts(encrypted)
    assert (encrypted.mount_point / "held").read_text() == "still here"
    assert encrypted.stop()


def test_a_closed_volume_is_rotated_at_its_next_release(server, tenant, encrypted):  # noqa: F811
    # covers: KEY-6
    device = tenant.device(encrypted)
    tenant.console("rotate", device["id"], "device-key")
    start(encrypted)
    tenant.request(encrypted, "pending")
    # The machine may not have the key yet, so it is not rotated either.
    assert states(tenant, encrypted) == ["waiting"] and keys(server, device["id"])[-1][1] == "active"
    tenant.approve(encrypted)
    mounts(encrypted)
    is_done(tenant, encrypted)
    assert tenant.device(encrypted)["key_version"] == device["key_version"] + 1
    assert encrypted.stop()


def test_killed_at_any_moment_the_server_has_a_key_that_opens(server, tenant, encrypted):  # noqa: F811
    # covers: KEY-6, VOL-6, AGT-5
    # guard: 600
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    start(encrypted)
    tenant.approve(encrypted)
    mounts(encrypted)
    tenant.status(encrypted, "in-use")
    device, first, seen = tenant.device(encrypted)["id"], tenant.device(encrypted)["key_version"], []
    for i in range(6):
        if states(tenant, encrypted) in ([], ["done"]):
            tenant.console("rotate", device, "device-key")
        time.sleep(chance.uniform(0, 0.5))
        crash(encrypted, engines=i % 2)
        seen += states(tenant, encrypted)
        start(encrypted)
        if i % 2:
            tenant.approve(encrypted)
        mounts(encrypted)
        assert (encrypted.mount_point / "file").read_text() == "kept", f"seed {seed}, kill {i}"
        if chance.random() < 0.5:
            is_done(tenant, encrypted)
    print(f"killed in {seen}")
    is_done(tenant, encrypted)
    version = tenant.device(encrypted)["key_version"]
    assert version > first and len(slots(encrypted.disk)) == 1 and keys(server, device)[-1] == (version, "active", None), f"seed {seed}"
    assert encrypted.stop()


def test_each_step_can_be_the_last_before_a_power_cut(server, tenant, encrypted):  # noqa: F811
    # covers: KEY-6, VOL-6
    # What the server and the disk are like after each step, made by the test: both keys are given, and one of them opens.
    device = tenant.device(encrypted)["id"]
    for step in ("before", "added", "switched"):
        start(encrypted)
        tenant.approve(encrypted)
        mounts(encrypted)
        tenant.status(encrypted, "in-use")
        old = encrypted.disk.read_bytes()[: 16 << 20]
        version = tenant.device(encrypted)["key_version"]
        tenant.console("rotate", device, "device-key")
        is_done(tenant, encrypted)
        assert encrypted.stop()
        with database(server).cursor() as c:
            c.execute("update rotation set state = %s, finished = null where device = %s and to_version = %s",
                      ("removing" if step == "switched" else "adding", device, version + 1))
            if step != "switched":
                c.execute("update device_key set state = 'next', other = null where device = %s and version = %s", (device, version + 1))
                c.execute("update device_key set state = 'active' where device = %s and version = %s", (device, version))
                c.execute("update device set key_version = %s where id = %s", (version, device))
            c.execute("update device_key set other = %s where device = %s and state = 'active'",
                      (version if step == "switched" else version + 1, device))
        if step != "added":
            # The header of before, as of a disk that had not yet written what it said it had: the old key alone opens.
            with open(encrypted.disk, "r+b") as f:
                f.write(old)
        start(encrypted)
        tenant.approve(encrypted)
        mounts(encrypted)
        is_done(tenant, encrypted)
        assert (encrypted.mount_point / "file").read_text() == "kept"
        assert tenant.device(encrypted)["key_version"] == version + 1 and len(slots(encrypted.disk)) == 1
        assert encrypted.stop()
    assert "key.both-given" in events(server, device)


def test_a_disk_that_was_brought_back_from_before_rotations_opens(server, tenant, encrypted):  # noqa: F811
    # covers: KEY-6, VOL-6
    # An older state of a virtual machine: the disk has a key slot for a former key alone.
    device, version = tenant.device(encrypted)["id"], tenant.device(encrypted)["key_version"]
    older = encrypted.disk.read_bytes()
    start(encrypted)
    tenant.approve(encrypted)
    mounts(encrypted)
    tenant.status(encrypted, "in-use")
    for i in (1, 2):
        tenant.console("rotate", device, "device-key")
        wait_for(encrypted, lambda: tenant.device(encrypted)["key_version"] == version + i, "not rotated")
        is_done(tenant, encrypted)
    assert encrypted.stop()
    tenant.console("rotate", device, "device-key")
    encrypted.disk.write_bytes(older)
    start(encrypted)
    tenant.approve(encrypted)
    mounts(encrypted)
    assert (encrypted.mount_point / "file").read_text() == "kept"
    # Its agent puts the current key in the former one's place; what somebody wanted meanwhile is to be wanted again.
    is_done(tenant, encrypted)
    assert [(r["reason"], r["from_version"], r["to_version"]) for r in rotations(tenant, encrypted)] == [("brought-back", version, version + 2)]
    assert tenant.device(encrypted)["key_version"] == version + 2 and token(encrypted.disk)["key_version"] == version + 2
    assert len(slots(encrypted.disk)) == 1 and keys(server, device)[-1] == (version + 2, "active", None)
    assert events(server, device)[-4:] == ["key.rotate", "key.both-given", "key.rotating", "key.old-removed"], events(server, device)
    assert encrypted.stop()
    # What was under way on the disk that is gone is over: a rotation that had given both its keys, or had not removed the old one, a volume half encrypted anew.
    now = version + 2
    for kind, state, was, to in (("device-key", "adding", now, now + 1), ("device-key", "removing", version + 1, now), ("volume-key", "adding", None, None)):
        with database(server).cursor() as c:
            c.execute("insert into rotation (tenant, id, device, kind, state, reason, begun, from_version, to_version) values (%s, gen_random_uuid(), %s, %s, %s,"
                      " 'person', now(), %s, %s)", (tenant.account, device, kind, state, was, to))
            if state == "adding" and to:
                c.execute("insert into device_key (tenant, device, version, wrapped, state) select tenant, device, %s, wrapped, 'next' from device_key"
                          " where device = %s and version = %s", (to, device, now))
            c.execute("update device_key set other = %s where device = %s and version = %s", (to if state == "adding" else was, device, now))
        encrypted.disk.write_bytes(older)
        start(encrypted)
        tenant.approve(encrypted)
        mounts(encrypted)
        is_done(tenant, encrypted)
        assert (encrypted.mount_point / "file").read_text() == "kept"
        assert [(r["reason"], r["from_version"], r["to_version"]) for r in rotations(tenant, encrypted)] == [("brought-back", version, now)], (kind, state)
        assert len(slots(encrypted.disk)) == 1 and token(encrypted.disk)["key_version"] == now
        assert [k for k in keys(server, device) if k[1] != "former"] == [(now, "active", None)]
        assert encrypted.stop()


def test_a_clones_disk_that_was_brought_back_from_before_its_rotation_opens(server, tenant, encrypted, folder):  # noqa: F811
    # covers: KEY-6, DEV-5, VOL-6
    # Its token names the device that its first key was made for.
    clone = new_guest(server, folder / "clone")
    try:
        shutil.copyfile(encrypted.disk, clone.disk)
        clone.register(tenant.account, tenant.passphrase)
        c = Client(server, "console")
        assert c.sign_in(make_user(server, tenant.account), account=tenant.name).status == 303
        origin, device = (tenant.device(g)["id"] for g in (encrypted, clone))
        copied = c.post(f"/devices/{device}/copy", source=origin, mount=str(clone.mount_point), access="rw")
        assert copied.status == 303, copied.text
        version = tenant.device(clone)["key_version"]
        older = clone.disk.read_bytes()
        start(clone)
        tenant.approve(clone)
        mounts(clone)
        tenant.status(clone, "in-use")
        tenant.console("rotate", device, "device-key")
        is_done(tenant, clone)
        assert token(clone.disk)["device"] == device and clone.stop()
        clone.disk.write_bytes(older)
        assert token(clone.disk)["device"] == origin
        start(clone)
        tenant.approve(clone)
        mounts(clone)
        is_done(tenant, clone)
        assert (clone.mount_point / "file").read_text() == "kept"
        assert [(r["reason"], r["from_version"], r["to_version"]) for r in rotations(tenant, clone)] == [("brought-back", version, version + 1)]
        assert token(clone.disk)["device"] == device and len(slots(clone.disk)) == 1
        assert tenant.console("origin", device) == {"origin": None, "words": ""}
        assert clone.stop()
    finally:
        finish(clone)


def test_an_open_volume_is_encrypted_anew_by_dm_crypt_alone(server, tenant, encrypted):  # noqa: F811
    # covers: KEY-6, VOL-1
    if "device-mapper" in pathlib.Path("/proc/misc").read_text():
        return           # tests/guest/test_rotation.py
    start(encrypted)
    tenant.approve(encrypted)
    mounts(encrypted)
    tenant.status(encrypted, "in-use")
    device, before = tenant.device(encrypted)["id"], encrypted.disk.read_bytes()[: 16 << 20]
    tenant.console("rotate", device, "volume-key")
    wait_for(encrypted, lambda: any("no dm-crypt" in (r["error"] or "") for r in rotations(tenant, encrypted)), "not refused")
    assert states(tenant, encrypted) == ["waiting"] and encrypted.disk.read_bytes()[: 16 << 20] == before
    assert "key.reencrypting" not in events(server, device)
    with database(server).cursor() as c:
        c.execute("update rotation set state = 'cancelled', finished = now() where device = %s and finished is null", (device,))
    assert encrypted.stop()


def test_members_of_an_array_are_rotated_each(server, tenant):
    # covers: KEY-6, RAID-1
    guest = make_guest(server, tenant, scratch() / ("guest-" + uuid.uuid4().hex[:8]))
    try:
        tenant.console("encrypt", tenant.device(guest, guest.array)["id"], 0)
        start(guest)
        tenant.approve(guest, guest.array)
        mounts(guest)
        tenant.status(guest, "in-use", guest.array)
        (guest.mount_point / "file").write_text("kept")
        assert guest.stop()
        older = [d.read_bytes() for d in guest.disks]
        start(guest)
        tenant.approve(guest, guest.array)
        mounts(guest)
        tenant.status(guest, "in-use", guest.array)
        tenant.console("rotate", tenant.device(guest, guest.array)["id"], "device-key")
        is_done(tenant, guest, COUNT, guest.array)
        assert [token(d)["key_version"] for d in guest.disks] == [2] * COUNT
        assert [len(slots(d)) for d in guest.disks] == [1] * COUNT
        assert tenant.device(guest, guest.array)["key_rotated"]
        assert guest.stop()
        # Disks of before that are brought back: each member is given both its keys, and is rotated once more.
        for disk, bytes in zip(guest.disks, older):
            disk.write_bytes(bytes)
        start(guest)
        tenant.approve(guest, guest.array)
        mounts(guest)
        assert (guest.mount_point / "file").read_text() == "kept"
        is_done(tenant, guest, COUNT, guest.array)
        assert [r["reason"] for r in rotations(tenant, guest, guest.array)] == ["brought-back"] * COUNT
        assert [token(d)["key_version"] for d in guest.disks] == [2] * COUNT and [len(slots(d)) for d in guest.disks] == [1] * COUNT
        assert guest.stop()
    finally:
        finish(guest)
        guest.forget()
