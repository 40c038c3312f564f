"""The user-space engine's own promises: on disks as on files, at the ends of a volume, when the disk fails, and where plaintext may be."""
import contextlib
import errno
import fcntl
import mmap
import os
import pathlib
import re
import signal
import subprocess
import threading

from fixtures import fixture
from volume_box import DATA_OFFSET, MIB, ROOT, Box, backed_by, backing_name, read_device, run, transform, used, volume_key, wait_for, write_device

BLKDISCARD, BLKSSZGET, BLKPBSZGET = 0x1277, 0x1268, 0x127B
SECRET = b"Nobody-reads-this-but-its-owner."


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    subprocess.run(["umount", "-l", str(folder / "mnt")], stderr=subprocess.DEVNULL)
    b.clean()
    subprocess.run(["umount", "-l", str(folder / "small")], stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def disk(path, *options):
    """PATH as a block device."""
    loop = run("losetup", "--find", "--show", *options, path).strip()
    try:
        yield loop
    finally:
        subprocess.run(["losetup", "--detach", loop], check=False)


def direct_write(device, data, at):
    """Past the page cache, so that an error is this write's own."""
    memory = mmap.mmap(-1, len(data))
    memory.write(data)
    fd = os.open(device, os.O_WRONLY | os.O_DIRECT)
    try:
        return os.pwrite(fd, memory, at)
    finally:
        os.close(fd)


def direct_read(device, size, at):
    memory = mmap.mmap(-1, size)
    fd = os.open(device, os.O_RDONLY | os.O_DIRECT)
    try:
        return memory[:os.preadv(fd, [memory], at)]
    finally:
        os.close(fd)


def refused(what, *codes):
    try:
        what()
    except OSError as e:
        assert e.errno in codes, e
        return
    raise AssertionError("no error")


def test_volumes_end_with_their_last_whole_sector(box):
    # covers: VOL-1
    for sector, tail in ((512, 512 + 100), (4096, 4096 - 512)):
        path = box.image("a.img", DATA_OFFSET + 2 * MIB)
        box.tool("format", path=path, sector=sector)
        # It has grown since: a volume takes what there is.
        with open(path, "r+b") as f:
            f.seek(DATA_OFFSET)
            f.write(b"T" * (2 * MIB + tail))
        device = box.open(path, "a")
        size = 2 * MIB + tail // sector * sector
        assert int(run("blockdev", "--getsize64", device)) == size
        assert int(run("blockdev", "--getss", device)) == sector
        write_device(device, b"E" * sector, size - sector)
        assert read_device(device, sector, size - sector) == b"E" * sector
        assert direct_read(device, 4 * sector, size - 2 * sector)[-sector:] == b"E" * sector
        with open(device, "rb") as f:
            assert os.pread(f.fileno(), 4096, size) == b"" and os.pread(f.fileno(), 4096, size + MIB) == b""
        refused(lambda: write_device(device, b"F" * sector, size), errno.ENOSPC)
        box.close("a")
        assert path.stat().st_size == DATA_OFFSET + 2 * MIB + tail
        assert path.read_bytes()[DATA_OFFSET + size:] == b"T" * (tail % sector)


def test_a_disk_is_written_directly_and_in_its_own_blocks(box):
    # covers: VOL-1, VOL-2
    path = box.image("a.img", DATA_OFFSET + 3 * MIB)
    data = os.urandom(3 * MIB)
    for block, sector in ((512, 512), (512, 4096), (4096, 512), (4096, 4096)):
        with disk(path, "--sector-size", block) as lower:
            box.tool("format", path=lower, sector=sector, named=1)
            device = box.open(lower, "a")
            with open(device, "rb") as f:
                assert int.from_bytes(fcntl.ioctl(f, BLKSSZGET, b"\0" * 4), "little") == max(block, sector)
            write_device(device, data)
            assert read_device(device, len(data)) == data
            # The page cache of the disk knows nothing of what was written: it went past it.
            fds = pathlib.Path(f"/proc/{box.pid('a')}/fdinfo")
            flags = [int(re.search(r"flags:\s+(\d+)", f.read_text())[1], 8) for f in fds.iterdir()
                     if os.readlink(f"/proc/{box.pid('a')}/fd/{f.name}") == lower]
            assert flags and all(f & os.O_DIRECT for f in flags), flags
            box.close("a")
            key = volume_key(path, box.key)
        stored = path.read_bytes()[DATA_OFFSET:]
        assert transform("xts", key, sector, stored, decrypt=True) == data, (block, sector)


class Writer(threading.Thread):
    """Writes blocks of its own, each synced before it counts, until the device fails."""

    def __init__(self, device, number):
        super().__init__(daemon=True)
        self.device, self.number, self.acknowledged = device, number, {}

    def run(self):
        fd = os.open(self.device, os.O_RDWR)
        with contextlib.suppress(OSError):
            for i in range(10000):
                at = (i * 8 + self.number) % 1024 * 65536
                data = os.urandom(65536)
                self.acknowledged.pop(at, None)
                os.pwrite(fd, data, at)
                os.fsync(fd)
                self.acknowledged[at] = data
        with contextlib.suppress(OSError):
            os.close(fd)


def test_killed_on_a_disk_it_loses_nothing_that_was_synced(box):
    # covers: VOL-6
    path = box.image("a.img", DATA_OFFSET + 64 * MIB)
    with disk(path) as lower:
        box.tool("format", path=lower)
        for least in (20, 50, 90):
            device = box.open(lower, "a")
            writers = [Writer(device, n) for n in range(8)]
            for w in writers:
                w.start()
            wait_for(lambda: sum(len(w.acknowledged) for w in writers) >= least)
            box.kill("a")
            for w in writers:
                w.join(60)
                assert not w.is_alive()
            device = box.open(lower, "a", ro=1)
            for w in writers:
                for at, data in w.acknowledged.items():
                    assert read_device(device, len(data), at) == data, at
            box.close("a")


def test_a_dead_device_is_not_taken_for_the_new_one(box):
    # covers: VOL-6
    path = box.image("a.img", DATA_OFFSET + 8 * MIB)
    box.tool("format", path=path)
    for held in (True, False):
        dead = box.open(path, "a")
        name = backing_name(dead)
        assert backed_by(name) == [dead]
        with open(dead, "r+b", buffering=0) as f:
            f.write(b"never synced" * 1000)
            holder = open(dead, "rb") if held else None
            box.kill("a")
            # Whoever opens that device next is told what could not be written.
        device = box.open(path, "a")
        assert backed_by(name) == sorted({device, dead} if held else {device}) and (device != dead or not held)
        assert box.tool("status", name="a")["device"] == device
        write_device(device, SECRET * 128)
        assert direct_read(device, 4096, 0) == SECRET * 128
        box.close("a")
        assert box.pid("a") is None
        if holder:
            holder.close()
        wait_for(lambda: backed_by(name) == [])


def test_discards_reach_the_disk_only_when_allowed(box):
    # covers: VOL-1
    path = box.image("a.img", DATA_OFFSET + 32 * MIB)
    for allowed in (0, 1):
        with disk(path) as lower:
            box.tool("format", path=lower, named=1)
            device = box.open(lower, "a", discards=allowed)
            write_device(device, os.urandom(32 * MIB))
            run("sync", path)
            full = used(path)
            with open(device, "r+b", buffering=0) as f:
                try:
                    fcntl.ioctl(f, BLKDISCARD, (4 * MIB).to_bytes(8, "little") + (16 * MIB).to_bytes(8, "little"))
                except OSError:
                    assert not allowed
            assert (used(path) <= full - 15 * MIB) == bool(allowed), (allowed, full, used(path))
            box.close("a")


def test_a_full_disk_is_told_and_nothing_before_it_is_lost(box):
    # covers: VOL-6
    small = box.folder / "small"
    small.mkdir()
    run("mount", "-t", "tmpfs", "-o", f"size={DATA_OFFSET + 8 * MIB}", "tmpfs", small)
    path = small / "a.img"
    path.touch()
    os.truncate(path, DATA_OFFSET + 64 * MIB)
    box.tool("format", path=path)
    device = box.open(path, "a")
    written, full = {}, None
    for at in range(0, 64 * MIB, 4 * MIB):
        data = os.urandom(MIB)
        try:
            direct_write(device, data, at)
            written[at] = data
        except OSError as e:
            full = e.errno
            break
    assert full == errno.ENOSPC and len(written) >= 6, (full, list(written))
    for at, data in written.items():
        assert direct_read(device, MIB, at) == data
    # With room again it goes on.
    run("mount", "-o", f"remount,size={DATA_OFFSET + 64 * MIB}", small)
    data = os.urandom(MIB)
    assert direct_write(device, data, 48 * MIB) == MIB and direct_read(device, MIB, 48 * MIB) == data
    box.close("a")


def fio(*arguments):
    return run("fio", "--name=x", "--randrepeat=0", "--verify_fatal=1", "--verify_dump=0", "--verify=crc32c", "--do_verify=1",
               "--verify_backlog=64", "--verify_state_save=0", *arguments)


@contextlib.contextmanager
def below(box, count, kind, size, **values):
    """Arguments that open COUNT volumes of together SIZE bytes as one, on files or on disks."""
    arguments = {}
    with contextlib.ExitStack() as disks:
        for i in range(count):
            n, image = "" if i == 0 else str(i + 1), box.image(f"m{i}.img", DATA_OFFSET + size // count)
            member = {"array": "raid:t", "index": i, "count": count} if count > 1 else {}
            arguments["path" + n] = disks.enter_context(disk(image)) if kind == "disk" else image
            arguments["key" + n] = box.new_key(f"mkey{i}")
            box.tool("format", path=arguments["path" + n], key=arguments["key" + n], named=1, **values, **member)
        yield arguments


def test_parallel_random_io_reads_back_what_was_written(box):
    # covers: VOL-1, VOL-6, RAID-1
    # guard: 600
    for cipher, sector, count, kind in (("xts", 4096, 1, "file"), ("cbc", 512, 1, "file"), ("xts", 512, 1, "disk"), ("xts", 4096, 2, "disk")):
        with below(box, count, kind, 68 * MIB, cipher=cipher, sector=sector) as arguments:
            read_and_write(box, box.tool("open", name="a", **arguments)["device"], sector)
            box.close("a")


def read_and_write(box, device, sector):
    fio(f"--filename={device}", "--rw=randwrite", f"--bsrange={sector}-1M", f"--blockalign={sector}", "--direct=1",
        "--ioengine=libaio", "--iodepth=16", "--numjobs=2", "--size=32M", "--offset_increment=32M")
    # Small ones only, many at a time and synced in between: those that a disk is asked for without waiting.
    fio(f"--filename={device}", "--rw=randwrite", f"--bsrange={sector}-32k", f"--blockalign={sector}", "--direct=1", "--ioengine=libaio",
        "--iodepth=64", "--iodepth_batch=16", "--fsync=100", "--size=16M")
    box.tool("mkfs", device=device, fs="ext4")
    point = box.folder / "mnt"
    box.tool("mount", device=device, point=point)
    # Through the page cache, at any byte: the file system turns it into reads and writes of its own.
    fio(f"--directory={point}", "--rw=randrw", "--bsrange=1k-100k", "--bs_unaligned=1", "--ioengine=psync",
        "--numjobs=3", "--size=8M", "--fsync=32")
    box.tool("unmount", point=point)
    run("e2fsck", "-f", "-n", device)


@contextlib.contextmanager
def failing(pid, *calls):
    """While it lasts, CALLS of process PID fail as on a broken disk."""
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={','.join(calls)}",
                               *(x for c in calls for x in ("-e", f"inject={c}:error=EIO")), "-p", str(pid)])
    threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    try:
        wait_for(lambda: all(f"TracerPid:\t{tracer.pid}\n" in (t / "status").read_text() for t in threads))
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(60)


def test_errors_of_the_disk_are_passed_on(box):
    # covers: VOL-6
    path = box.image("a.img", DATA_OFFSET + 8 * MIB)
    box.tool("format", path=path)
    device = box.open(path, "a")
    data = os.urandom(65536)
    direct_write(device, data, 0)
    with failing(box.pid("a"), "pwrite64"):
        refused(lambda: direct_write(device, b"x" * 65536, 65536), errno.EIO)
    with failing(box.pid("a"), "pread64"):
        refused(lambda: direct_read(device, 4096, 0), errno.EIO)
    with failing(box.pid("a"), "fdatasync"):
        with open(device, "r+b", buffering=0) as f:
            f.write(b"y" * 4096)
            refused(lambda: os.fsync(f.fileno()), errno.EIO)
    # It serves on: the disk may be well again.
    assert direct_read(device, 65536, 0)[4096:] == data[4096:]
    direct_write(device, data, 0)
    assert direct_read(device, 65536, 0) == data
    # The disk ends in the middle of the volume.
    os.truncate(path, DATA_OFFSET + MIB)
    refused(lambda: direct_read(device, 65536, MIB), errno.EIO)
    assert direct_read(device, 65536, 0) == data
    box.close("a")


def test_what_a_disk_does_not_take_at_once_is_waited_for_and_its_errors_are_passed_on(box):
    # covers: VOL-6
    path = box.image("a.img", DATA_OFFSET + 8 * MIB)
    with disk(path) as lower:
        box.tool("format", path=lower, named=1)
        device = box.open(lower, "a")
        data = os.urandom(16384)
        with failing(box.pid("a"), "io_submit"):
            direct_write(device, data, 0)
            assert direct_read(device, 16384, 0) == data
        with failing(box.pid("a"), "io_submit", "pwrite64"):
            refused(lambda: direct_write(device, b"x" * 4096, 4096), errno.EIO)
        with failing(box.pid("a"), "io_submit", "pread64"):
            refused(lambda: direct_read(device, 4096, 0), errno.EIO)
        assert direct_read(device, 16384, 0) == data
        # The disk ends in the middle of the volume: the kernel's answer, not the call's.
        os.truncate(path, DATA_OFFSET + MIB)
        run("losetup", "--set-capacity", lower)
        refused(lambda: direct_read(device, 4096, MIB), errno.EIO)
        refused(lambda: direct_write(device, data, MIB), errno.EIO, errno.ENOSPC)
        assert direct_read(device, 16384, 0) == data
        box.close("a")


def test_it_ends_while_requests_are_under_way(box):
    # covers: VOL-1, VOL-6
    path = box.image("a.img", DATA_OFFSET + 32 * MIB)
    with disk(path) as lower:
        box.tool("format", path=lower, named=1)
        for _ in range(4):
            device = box.open(lower, "a")
            load = subprocess.Popen(["fio", "--name=x", f"--filename={device}", "--rw=randrw", "--bs=4k", "--direct=1", "--ioengine=libaio",
                                     "--iodepth=64", "--time_based", "--runtime=60"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_for(lambda: int(pathlib.Path(f"/sys/block/{device[5:]}/stat").read_text().split()[0]) > 1000)
            box.tool("close", name="a", force=1)
            load.kill()
            load.wait(60)
            wait_for(lambda: not box.status("a"))


def test_plaintext_is_nowhere_but_in_the_volume(box):
    # covers: VOL-1, AGT-3
    path = box.image("a.img", 128 * MIB)
    box.tool("provision", path=path, name="a", fs="ext4")
    point = box.folder / "mnt"
    for killed in (False, True):
        box.tool("mount", device=box.open(path, "a"), point=point)
        for i, size in enumerate((100, 4096, 65536, 3 * MIB)):
            (point / f"file-{i}").write_bytes(SECRET * (size // len(SECRET) + 1))
        run("sync", "-f", point)           # of this one alone: all of the machine's would wait for other tests' disks
        if killed:
            box.kill("a")
            run("umount", "-l", point)
        else:
            box.tool("unmount", point=point)
            box.close("a")
        for file in [*box.folder.rglob("*"), *pathlib.Path("/run").glob("keyward*/**/*")]:
            with contextlib.suppress(FileNotFoundError):         # another test's, gone meanwhile
                assert not file.is_file() or SECRET not in file.read_bytes(), file
    box.tool("mount", device=box.open(path, "a"), point=point)
    assert (point / "file-3").read_bytes().startswith(SECRET)
    box.tool("unmount", point=point)
    box.close("a")


def test_no_page_of_the_process_can_be_swapped_out(box):
    # covers: VOL-1, SEC-4
    # The sanitizers leave memory unlocked: it is the program as it is installed that has to lock it.
    box.program = ROOT / "build/release/agent/keyward-volume"
    path = box.image("a.img", DATA_OFFSET + 16 * MIB)
    box.tool("format", path=path)
    device = box.open(path, "a")
    write_device(device, os.urandom(16 * MIB))
    read_device(device, 16 * MIB)
    text = pathlib.Path(f"/proc/{box.pid('a')}/smaps").read_text()
    areas = re.findall(r"^([0-9a-f]+-[0-9a-f]+ \S*w\S* [^\n]*)\n((?:[A-Z]\w+:[^\n]*\n)+)", text, re.M)
    assert len(areas) > 16
    for name, fields in areas:
        assert " lo " in re.search(r"VmFlags:.*", fields)[0] and re.search(r"^Swap:\s+0 kB", fields, re.M), (name, fields)
    box.close("a")


@fixture("test")
def pair(folder):
    boxes = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        boxes.append(Box(folder / name, plain=True))
    yield boxes
    for b in boxes:
        b.clean()


def test_agents_of_one_machine_that_call_a_volume_alike_leave_each_other_alone(pair):
    # covers: VOL-1, VOL-6
    # As in two containers, whose container files have the same path; loop devices are everybody's.
    devices, name = [], f"same-{os.urandom(4).hex()}"
    for b in pair:
        path = b.image("a.img", DATA_OFFSET + MIB)
        b.tool("format", path=path)
        devices.append(b.open(path, name))
        write_device(devices[-1], str(b.folder).encode())
    assert devices[0] != devices[1]
    two = pair[1]
    two.kill(name)
    two.open(two.folder / "a.img", name)
    two.close(name)
    assert pair[0].status(name)["alive"] == "1" and pair[0].status(name)["device"] == devices[0]
    mine = str(pair[0].folder).encode()
    assert read_device(devices[0], len(mine)) == mine
    pair[0].close(name)
