"""Volumes as plain cryptsetup and independent ciphers see them, with real file systems, and what remains after kill -9."""
import contextlib
import fcntl
import filecmp
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

from fixtures import fixture
from leftovers import MARK, marked
from memory_search import in_memory, memory_of
from volume_box import DATA_OFFSET, MIB, Box, backed_by, backing_name, read_device, run, transform, used, volume_key, wait_for, write_device

# cipher, AES bits, sector size: all that DEV-8 names
KINDS = [(c, b, s) for c, b in [("xts", 128), ("xts", 256), ("cbc", 128), ("cbc", 192), ("cbc", 256)] for s in (512, 4096)]
BLKZEROOUT, BLKDISCARD = 0x127F, 0x1277


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    for point in folder.glob("mnt*"):
        subprocess.run(["umount", "-l", str(point)], stderr=subprocess.DEVNULL)
    b.clean()


def test_what_we_write_cryptsetup_and_independent_ciphers_read(box):
    # covers: VOL-1, DEV-8
    for cipher, bits, sector in KINDS:
        data = os.urandom(3 * MIB)
        path = box.image("a.img", DATA_OFFSET + 3 * MIB)
        box.tool("format", path=path, cipher=cipher, bits=bits, sector=sector)
        write_device(box.open(path, "a"), data)
        box.close("a")
        run("cryptsetup", "open", "--test-passphrase", "--key-file", box.key, path)
        dump = run("cryptsetup", "luksDump", path)
        assert f"cipher: {'aes-xts-plain64' if cipher == 'xts' else 'aes-cbc-essiv:sha256'}" in dump, dump
        assert f"sector: {sector} [bytes]" in dump and re.search(r"Tokens:\n\s+0: keyward\n\s+Keyslot:\s+0", dump), dump
        # Of the slot and of the volume key's check: keys are random, and no processor is measured for them.
        assert re.findall(r"Iterations:\s+(\d+)", dump) == ["1000", "1000"], dump
        key = volume_key(path, box.key)
        assert len(key) * 8 == bits * (2 if cipher == "xts" else 1)
        stored = path.read_bytes()[DATA_OFFSET:]
        assert stored != data
        assert transform(cipher, key, sector, stored, decrypt=True) == data, (cipher, bits, sector)


def test_what_cryptsetup_and_independent_ciphers_wrote_we_read(box):
    # covers: VOL-1, DEV-8
    for cipher, bits, sector in KINDS:
        data = os.urandom(3 * MIB)
        path = box.image("a.img", DATA_OFFSET + 3 * MIB)
        run("cryptsetup", "luksFormat", "--type", "luks2", "--batch-mode", "--key-file", box.key, "--pbkdf", "pbkdf2",
            "--pbkdf-force-iterations", "1000", "--sector-size", sector, "--key-size", bits * (2 if cipher == "xts" else 1),
            "--cipher", "aes-xts-plain64" if cipher == "xts" else "aes-cbc-essiv:sha256", path)
        key = volume_key(path, box.key)
        with open(path, "r+b") as f:
            f.seek(DATA_OFFSET)
            f.write(transform(cipher, key, sector, data, decrypt=False))
        assert box.tool("inspect", path=path)["content"] == "foreign"
        assert read_device(box.open(path, "a", ro=1), 3 * MIB) == data, (cipher, bits, sector)
        box.close("a")


def test_what_cryptsetup_itself_encrypted_we_read(box):
    # covers: VOL-1
    for sector in (512, 4096):
        data = os.urandom(16 * MIB)
        path = box.folder / "a.img"
        path.write_bytes(data + bytes(32 * MIB))
        run("cryptsetup", "reencrypt", "--encrypt", "--type", "luks2", "--batch-mode", "--key-file", box.key, "--pbkdf", "pbkdf2",
            "--pbkdf-force-iterations", "1000", "--sector-size", sector, "--reduce-device-size", "32M", path)
        assert read_device(box.open(path, "a", ro=1), 16 * MIB) == data, sector
        box.close("a")


CHUNK = 256 * 1024


def array(box, count, last=8 * MIB):
    """Arguments that open an array of COUNT members, each with a key of its own; the last one has LAST bytes of data."""
    parts = {}
    for i in range(count):
        n = "" if i == 0 else str(i + 1)
        parts["path" + n] = box.image(f"m{i}.img", DATA_OFFSET + (last if i == count - 1 else 8 * MIB))
        parts["key" + n] = box.new_key(f"mkey{i}")
        box.tool("format", path=parts["path" + n], key=parts["key" + n], array="raid:t", index=i, count=count)
    return parts


def test_an_array_is_read_by_independent_ciphers(box):
    # covers: RAID-1, VOL-2, VOL-5, KEY-5
    count, size = 3, 3 * (8 * MIB - CHUNK)
    parts = array(box, count, 8 * MIB - 4096)            # the smallest one, in whole chunks, says how large all are
    found = box.tool("inspect", path=parts["path2"])
    assert (found["array"], found["index"], found["count"], found["chunk"]) == ("raid:t", "1", "3", str(CHUNK))
    data = os.urandom(size)
    device = box.tool("open", name="a", **parts)["device"]
    assert int(run("blockdev", "--getsize64", device)) == size
    write_device(device, data)
    status = box.tool("status", name="a")
    assert (status["parts"], status["alive"]) == ("3", "1")
    for n in ("", "2", "3"):
        assert box.tool("inspect", path=parts["path" + n])["use"] == "held"
    box.close("a")
    plain = []
    for n in ("", "2", "3"):
        key = volume_key(parts["path" + n], parts["key" + n])
        stored = parts["path" + n].read_bytes()[DATA_OFFSET:][:size // 3]
        assert data[:4096] not in stored
        plain.append(transform("xts", key, 4096, stored, decrypt=True))
    joined = b"".join(plain[i][at:at + CHUNK] for at in range(0, size // 3, CHUNK) for i in range(count))
    assert joined == data
    assert read_device(box.tool("open", name="a", ro=1, **parts)["device"], size) == data


def test_an_array_opens_with_all_its_members_or_not_at_all(box):
    # covers: RAID-1, VOL-2, VOL-6
    parts = array(box, 2)
    for n in ("", "2"):
        box.tool("ready", path=parts["path" + n])
    box.tool("make_fs", name="a", fs="ext4", **parts)
    wrong = box.new_key("wrong")
    text = box.refused("open", "forbidden", name="a", **(parts | {"key2": wrong}))
    assert str(parts["path2"]) in text
    for n in ("", "2"):
        assert box.tool("inspect", path=parts["path" + n])["use"] == "free"
    box.refused("open", "not-found", name="a", **(parts | {"path2": box.folder / "gone.img"}))
    (box.folder / "mnt").mkdir()
    device = box.tool("open", name="a", **parts)["device"]
    box.refused("open", "busy", name="a", **parts)
    box.refused("open", "busy", name="b", path=parts["path2"], key=parts["key2"])
    box.tool("mount", device=device, point=box.folder / "mnt")
    fill(box.folder / "mnt" / "tree")
    shutil.copytree(box.folder / "mnt" / "tree", box.folder / "twin", symlinks=True)
    box.refused("close", "busy", name="a")
    # Killed while it serves both, it leaves nothing half open.
    run("sync", "-f", box.folder / "mnt")
    box.kill("a")
    assert box.tool("status", name="a")["alive"] == "0"
    box.tool("close", name="a", force=1)
    device = box.tool("open", name="a", **parts)["device"]
    box.tool("check", device=device)
    box.tool("mount", device=device, point=box.folder / "mnt")
    assert same(box.folder / "mnt" / "tree", box.folder / "twin")
    box.tool("unmount", point=box.folder / "mnt")
    box.close("a")


def fill(folder):
    """A small tree with all kinds of files."""
    (folder / "deep" / "er").mkdir(parents=True)
    for i, size in enumerate((0, 1, 511, 4096, 100_001, 5 * MIB + 3)):
        (folder / f"file-{i}").write_bytes(os.urandom(size))
    (folder / "deep" / "er" / "link").symlink_to("../../file-3")
    (folder / "file-4").chmod(0o4750)


def same(a, b):
    c = filecmp.dircmp(a, b)
    match, mismatch, errors = filecmp.cmpfiles(a, b, c.common_files, shallow=False)
    return not (set(c.left_only) - {"lost+found"} or c.right_only or mismatch or errors) and all(
        same(pathlib.Path(a) / d, pathlib.Path(b) / d) for d in c.common_dirs)


def test_file_systems_keep_their_files_and_access(box):
    # covers: VOL-3
    point, copy = box.folder / "mnt", box.folder / "copy"
    copy.mkdir()
    fill(copy)
    for fs, sector in (("ext3", 512), ("ext4", 4096), ("xfs", 4096)):
        path = box.image("a.img", 400 * MIB)
        box.tool("provision", path=path, name="a", fs=fs, label="data", sector=sector)
        device = box.open(path, "a")
        box.tool("check", device=device)
        box.tool("mount", device=device, point=point)
        shutil.copytree(copy, point, symlinks=True, dirs_exist_ok=True)
        mounts = [line.split() for line in open("/proc/mounts") if f" {point} " in line]
        assert mounts[0][2] == fs and "noatime" in mounts[0][3], mounts
        assert box.tool("status", name="a")["mounted"] == str(point)
        assert "mounted on" in box.refused("close", "busy", name="a")
        box.tool("unmount", point=point)
        box.close("a")
        device = box.open(path, "a", ro=1)
        box.tool("mount", device=device, point=point, ro=1)
        assert same(point, copy)
        try:
            (point / "new").touch()
            raise AssertionError("a read-only mount was written to")
        except OSError as e:
            assert e.errno == 30
        assert pathlib.Path(f"/sys/block/{device[5:]}/ro").read_text().strip() == "1"
        box.tool("unmount", point=point)
        box.close("a")


def test_read_only_mount_of_a_volume_with_an_unclean_journal(box):
    # covers: VOL-3, VOL-6
    point = box.folder / "mnt"
    for fs in ("ext4", "xfs"):
        path = box.image("a.img", 400 * MIB)
        box.tool("provision", path=path, name="a", fs=fs)
        box.tool("mount", device=box.open(path, "a"), point=point)
        (point / "kept").write_bytes(b"kept")
        run("sync", "-f", point)           # of this one alone: all of the machine's would wait for other tests' disks
        (point / "more").write_bytes(b"more")
        box.kill("a")
        run("umount", "-l", point)
        before = None
        for _ in range(2):
            device = box.open(path, "a", ro=1)
            box.tool("mount", device=device, point=point, ro=1)
            box.tool("unmount", point=point)
            box.close("a")
            stored = run("sha256sum", path)
            assert before in (None, stored), "a read-only mount wrote to the disk"
            before = stored


class Writer(threading.Thread):
    """Writes files with fsync until the disk goes away; ACKNOWLEDGED are those that must be there afterwards."""

    def __init__(self, folder, number):
        super().__init__(daemon=True)
        self.folder, self.number, self.acknowledged = folder, number, {}

    def run(self):
        i = 0
        try:
            while True:
                name, data = f"w{self.number}-{i}", os.urandom(1 + i * 997 % 70000)
                fd = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                try:
                    os.write(fd, data)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                self.acknowledged[name] = data
                i += 1
        except OSError:
            pass


def test_killed_while_writing_loses_nothing_that_was_synced(box):
    # covers: VOL-6
    point = box.folder / "mnt"
    for fs in ("ext4", "xfs", "ext3"):
        path = box.image("a.img", 400 * MIB)
        box.tool("provision", path=path, name="a", fs=fs)
        box.tool("mount", device=box.open(path, "a"), point=point)
        writers = [Writer(point, n) for n in range(4)]
        for w in writers:
            w.start()
        wait_for(lambda: sum(len(w.acknowledged) for w in writers) >= 60, 120)
        box.kill("a")
        for w in writers:
            w.join(60)
            assert not w.is_alive()
        assert box.tool("status", name="a")["alive"] == "0"
        # The mount is dead but still there: opening again clears it away by itself.
        device = box.open(path, "a")
        assert f" {point} " not in open("/proc/mounts").read()
        box.tool("check", device=device)
        box.tool("mount", device=device, point=point)
        for w in writers:
            for name, data in w.acknowledged.items():
                assert (point / name).read_bytes() == data, (fs, name)
        box.tool("unmount", point=point)
        if fs == "xfs":
            run("xfs_repair", "-n", device)
        else:
            run("e2fsck", "-f", "-n", device)
        box.close("a")


def test_sync_reaches_the_disk(box):
    # covers: VOL-6
    path = box.image("a.img", 64 * MIB)
    box.tool("provision", path=path, name="a", fs="ext4")
    point = box.folder / "mnt"
    box.tool("mount", device=box.open(path, "a"), point=point)
    trace = subprocess.Popen(["strace", "-f", "-qq", "-e", "trace=fdatasync,pwrite64", "-p", str(box.pid("a"))],
                             stderr=subprocess.PIPE)
    threads = list(pathlib.Path(f"/proc/{box.pid('a')}/task").iterdir())
    wait_for(lambda: all(f"TracerPid:\t{trace.pid}\n" in (t / "status").read_text() for t in threads))
    with open(point / "file", "wb") as f:
        f.write(b"x" * 10000)
        f.flush()
        os.fsync(f.fileno())
    trace.send_signal(signal.SIGINT)
    calls = trace.communicate(timeout=60)[1].decode()
    assert calls.count("fdatasync(") >= 1 and "pwrite64(" in calls, calls
    assert calls.rindex("fdatasync(") > calls.index("pwrite64("), calls


def test_discards_pass_only_when_allowed_and_zeros_are_always_zeros(box):
    # covers: VOL-1, VOL-6
    for allowed in (0, 1):
        path = box.image("a.img", DATA_OFFSET + 32 * MIB)
        box.tool("format", path=path)
        data = os.urandom(32 * MIB)
        device = box.open(path, "a", discards=allowed)
        write_device(device, data)
        full = used(path)
        with open(device, "r+b", buffering=0) as f:
            fcntl.ioctl(f, BLKZEROOUT, (0).to_bytes(8, "little") + MIB.to_bytes(8, "little"))
            # Where it is not allowed the kernel may say so or do nothing: a discard is only a hint.
            try:
                fcntl.ioctl(f, BLKDISCARD, (8 * MIB).to_bytes(8, "little") + (16 * MIB).to_bytes(8, "little"))
            except OSError:
                assert not allowed
        assert (used(path) <= full - 15 * MIB) == bool(allowed), (full, used(path))
        got = read_device(device, 32 * MIB)
        assert got[:MIB] == bytes(MIB)
        assert got[MIB:8 * MIB] == data[MIB:8 * MIB] and got[24 * MIB:] == data[24 * MIB:]
        if not allowed:
            assert got == bytes(MIB) + data[MIB:]
        box.close("a")
        key = volume_key(path, box.key)
        with open(path, "rb") as f:
            f.seek(DATA_OFFSET)
            assert transform("xts", key, 4096, f.read(MIB), decrypt=True) == bytes(MIB)


def strangers():
    """Processes of other tests at the same time, and of servers that they share: none of them has ever had to do with this one's volume."""
    return {pid for pid, mark, _ in marked() if mark != os.environ[MARK]}


def test_keys_are_in_one_process_while_open_and_in_none_afterwards(box):
    # covers: VOL-1, KEY-4
    path = box.image("a.img", 64 * MIB)
    box.tool("provision", path=path, name="a", fs="ext4")
    device_key = box.key.read_bytes()
    raw = volume_key(path, box.key)
    for force in (0, 1):
        device = box.open(path, "a")
        write_device(device, b"plaintext", 4096)
        pid = box.pid("a")
        # Both halves of an XTS key lie there as they are: this scan can find what it looks for.
        assert in_memory(pid, [raw], set()) and not in_memory(pid, [device_key], set())
        held = open(device, "rb") if force else None
        box.close("a", force=force)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            assert not open(f"/proc/{pid}/maps").read()
        if held:
            held.close()
        others = {int(p.name) for p in pathlib.Path("/proc").glob("[0-9]*")} - {os.getpid()} - strangers()
        found, searched = memory_of([("", pid) for pid in others], [raw, device_key])
        assert not found and searched > 1, found
    assert raw not in path.read_bytes() and device_key not in path.read_bytes()
    assert b"plaintext" not in path.read_bytes()


def test_key_is_never_in_arguments_environment_or_files(box):
    # covers: KEY-4
    path = box.image("a.img", 64 * MIB)
    box.key.write_bytes(b"Key-0123456789abcdef0123456789ab")
    box.tool("format", path=path)
    box.open(path, "a")
    pid = box.pid("a")
    proc = pathlib.Path(f"/proc/{pid}")
    assert b"Key-" not in (proc / "cmdline").read_bytes() and (proc / "environ").read_bytes() == b""
    # All that is left to any thread is the right to lock memory, as soon as the agent has been told that the volume is open.
    least = ("NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000004000")
    wait_for(lambda: all(line in (thread / "status").read_text() for thread in (proc / "task").iterdir() for line in least))
    assert "Max core file size        0                    0" in (proc / "limits").read_text()
    for file in box.run_dir.rglob("*"):
        assert not file.is_file() or b"Key-" not in file.read_bytes(), file
    assert oct(box.run_dir.stat().st_mode)[-3:] == "700"
    # The plaintext can be reached by no path.
    assert [f.name for f in box.run_dir.iterdir() if f.is_dir()] == []
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.3)
    assert box.tool("status", name="a")["alive"] == "1"
    box.close("a")


def test_open_volumes_survive_the_agent_and_are_found_again(box):
    # covers: VOL-6
    path = box.image("a.img", 64 * MIB)
    box.tool("format", path=path)
    for i in range(8):
        p = box.start("open", path=path, name="a")
        time.sleep(0.05 + i * 0.12)
        p.kill()
        p.communicate()
        wait_for(lambda: box.pid("a") is None or box.status("a").get("device"))
        if box.pid("a"):
            box.close("a")
    device = box.open(path, "a")
    state = box.tool("status", name="a")
    assert state["alive"] == "1" and state["device"] == device and state["path"] == str(path) and state["engine"] == "userspace"
    assert box.tool("list")["name"] == box.own("a")
    assert "open already" in box.refused("open", "busy", path=path, name="a")
    box.refused("open", "busy", path=path, name="b")
    box.close("a")
    assert box.pid("a") is None


def test_force_takes_the_key_although_files_are_open(box):
    # covers: VOL-6
    path = box.image("a.img", 64 * MIB)
    box.tool("provision", path=path, name="a", fs="ext4")
    point = box.folder / "mnt"
    device = box.open(path, "a")
    name = backing_name(device)
    box.tool("mount", device=device, point=point)
    f = open(point / "file", "wb")
    f.write(b"kept" * 1000)
    f.flush()
    box.refused("close", "busy", name="a")
    box.close("a", force=1)
    assert box.pid("a") is None
    try:
        f.write(b"lost" * 100000)
        f.flush()
        os.fsync(f.fileno())
        raise AssertionError("a file was written without a key")
    except OSError:
        pass
    try:
        f.close()
    except OSError:
        pass
    # What was there when the key was taken was brought to disk first.
    wait_for(lambda: backed_by(name) == [])
    device = box.open(path, "a")
    box.tool("check", device=device)
    box.tool("mount", device=device, point=point)
    assert (point / "file").read_bytes()[:4000] == b"kept" * 1000
    box.tool("unmount", point=point)
    box.close("a")


def test_wrong_keys_broken_and_foreign_volumes_do_not_open(box):
    # covers: VOL-1
    path = box.image("a.img", 64 * MIB)
    box.tool("format", path=path)
    box.refused("open", "forbidden", path=path, name="a", key=box.new_key("wrong"))
    box.refused("open", "not-found", path=box.image("empty", 64 * MIB), name="a")
    box.refused("open", "not-found", path=box.folder / "absent", name="a")
    box.refused("open", "invalid", path=path, name="../a")
    if not os.path.exists("/dev/mapper/control"):
        box.refused("open", "unsupported", path=path, name="a", engine="dm-crypt")
    # The first header destroyed: the second one serves.
    with open(path, "r+b") as f:
        f.write(bytes(4096))
    box.open(path, "a")
    box.close("a")
    os.truncate(path, DATA_OFFSET)
    box.refused("open", "truncated", path=path, name="a")


def test_block_devices_serve_as_well_as_files(box):
    # covers: VOL-1, VOL-6
    path = box.image("a.img", 96 * MIB)
    loop = run("losetup", "--find", "--show", path).strip()
    try:
        box.tool("provision", path=loop, name="a", fs="ext4")
        device = box.open(loop, "a")
        assert "in use by another process" in box.refused("format", "busy", path=loop, named=1)
        point = box.folder / "mnt"
        box.tool("mount", device=device, point=point)
        fill(point / "x")
        box.kill("a")
        device = box.open(loop, "a")
        box.tool("check", device=device)
        box.tool("mount", device=device, point=point)
        box.tool("unmount", point=point)
        box.close("a")
    finally:
        subprocess.run(["losetup", "--detach", loop])


def test_provisioning_interrupted_at_each_stage_can_be_repeated(box):
    # covers: VOL-4
    for stop in ("header:0", "header:100", "mkfs:0", "mkfs:100"):
        path = box.image("a.img", 64 * MIB)
        box.refused("provision", "conflict", path=path, name="a", fs="ext4", stop=stop)
        found = box.tool("inspect", path=path)
        assert found["content"] == "nothing" or found["provisioning"] == "1", (stop, found)
        box.tool("provision", path=path, name="a", fs="ext4")
        assert box.tool("inspect", path=path)["provisioning"] == "0"
    # And killed, with its volume still open.
    path = box.image("a.img", 64 * MIB)
    for delay in (0.3, 0.8, 1.3, 2.0):
        p = box.start("provision", path=path, name="a", fs="ext4", named=1)
        time.sleep(delay)
        p.kill()
        p.communicate()
    wait_for(lambda: box.pid("a") is None or box.status("a").get("device"))
    if box.pid("a"):
        box.close("a", force=1)
    box.tool("provision", path=path, name="a", fs="ext4", named=1)
    device = box.open(path, "a")
    run("e2fsck", "-f", "-n", device)
    box.close("a")
