"""What is on a device and who uses it: named, and never written to."""
import os
import pathlib
import signal
import subprocess

from fixtures import fixture
from volume_box import MIB, Box, run, wait_for


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    for point in folder.glob("mnt*"):
        subprocess.run(["umount", "-l", str(point)], stderr=subprocess.DEVNULL)
    b.clean()


def make_table(path):
    subprocess.run(["sfdisk", "--wipe", "always", "-q", str(path)], input=b"label: gpt\n,10M\n", check=True,
                   stdout=subprocess.DEVNULL)


def test_what_is_on_a_device_is_named_and_kept(box):
    # covers: VOL-4, VOL-5
    path = box.image("a.img", 64 * MIB)

    def refused(text, code="conflict"):
        before = run("sha256sum", path)
        assert text in box.refused("format", code, path=path), text
        assert run("sha256sum", path) == before

    run("mkfs.ext4", "-q", "-L", "precious", path)
    refused('ext4 "precious"')
    make_table(path)
    refused("partition table (gpt)")
    path = box.image("a.img", 64 * MIB)
    run("mkswap", path)
    refused("swap")
    path = box.image("a.img", 64 * MIB)
    run("cryptsetup", "luksFormat", "--type", "luks2", "--batch-mode", "--key-file", box.key, "--pbkdf", "pbkdf2",
        "--pbkdf-force-iterations", "1000", path)
    refused("LUKS2 volume of somebody else")
    box.tool("format", path=path, named=1)
    found = box.tool("inspect", path=path)
    assert found["content"] == "ours" and found["provisioning"] == "1" and found["server"] == "https://keyward.example"
    # A second signature must not survive the first.
    path = box.image("a.img", 64 * MIB)
    make_table(path)
    box.tool("format", path=path, named=1)
    assert set(run("wipefs", "--noheadings", "-O", "TYPE", path).split()) == {"crypto_LUKS"}


def test_what_is_in_use_is_never_touched(box):
    # covers: VOL-4
    path = box.image("a.img", 64 * MIB)
    run("mkfs.ext4", "-q", path)
    point = box.folder / "mnt"
    point.mkdir()
    loop = run("losetup", "--find", "--show", path).strip()
    try:
        assert "held by loop" in box.refused("format", "busy", path=path, named=1)
        run("mount", loop, point)
        for p in (path, loop):
            assert f"mounted on {point}" in box.refused("format", "busy", path=p, named=1)
        run("umount", point)
        claimed = os.open(loop, os.O_RDONLY | os.O_EXCL)
        assert "in use by another process" in box.refused("format", "busy", path=loop, named=1)
        os.close(claimed)
        box.tool("format", path=loop, named=1)
    finally:
        subprocess.run(["umount", "-l", str(point)], stderr=subprocess.DEVNULL)
        run("losetup", "--detach", loop)
    root = os.stat("/").st_dev
    disk = f"/dev/block/{os.major(root)}:{os.minor(root)}"
    if os.major(root) and os.path.exists(disk):
        assert "the root disk" in box.refused("format", "busy", path=disk, named=1)


def other_name_space(command):
    """A process that has run COMMAND in a mount name space of its own, and stays in it."""
    p = subprocess.Popen(["unshare", "--mount", "sh", "-c", f"{command} && echo ready && exec sleep 1000"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    return p


def end(process):
    process.kill()
    process.communicate()


def test_use_by_other_names_and_in_other_name_spaces_is_found(box):
    # covers: VOL-4
    path = box.image("a.img", 64 * MIB)
    run("mkfs.ext4", "-q", path)
    (box.folder / "mnt").mkdir()
    link, hard = box.folder / "symlink", box.folder / "hard.img"
    loop = run("losetup", "--find", "--show", path).strip()
    try:
        link.symlink_to(loop)
        hard.hardlink_to(path)
        elsewhere = other_name_space(f"mount {loop} {box.folder}/mnt")
        assert f"{box.folder}/mnt" not in open("/proc/mounts").read()
        for p in (loop, link):
            assert "in use by another process" in box.refused("format", "busy", path=p, named=1)
        assert "held by loop" in box.refused("format", "busy", path=hard, named=1)
        end(elsewhere)
        # The path that the loop device was made with is gone: its backing is known by number all the same.
        path.unlink()
        assert "held by loop" in box.refused("format", "busy", path=hard, named=1)
        path.hardlink_to(hard)
    finally:
        run("losetup", "--detach", loop)
    # Somebody writes to it, a virtual machine for example; who only reads is not in the way.
    with open(path, "rb"):
        # A loop device goes when the last one has closed it who looked at it just then.
        wait_for(lambda: box.tool("inspect", path=path)["use"] == "free")
    with open(path, "r+b"):
        assert "in use by another process" in box.refused("format", "busy", path=path, named=1)
    box.tool("format", path=hard, named=1)


def test_parts_of_a_disk_that_is_in_use_are_named(box):
    # covers: VOL-4
    path = box.image("a.img", 96 * MIB)
    subprocess.run(["sfdisk", "-q", str(path)], input=b"label: gpt\n,40M\n,40M\n", check=True, stdout=subprocess.DEVNULL)
    loop = run("losetup", "--find", "--show", "--partscan", path).strip()
    point = box.folder / "mnt"
    point.mkdir()
    try:
        first, second = pathlib.Path(f"{loop}p1"), pathlib.Path(f"{loop}p2")
        if not pathlib.Path(f"/sys/class/block/{first.name}").exists():
            return                  # this kernel reads no partitions; tests/guest has them
        for p in (first, second):
            if not p.exists():
                number = pathlib.Path(f"/sys/class/block/{p.name}/dev").read_text().strip().split(":")
                os.mknod(p, 0o600 | 0o060000, os.makedev(*map(int, number)))
        run("mkfs.ext4", "-q", first)
        run("mount", first, point)
        assert f"mounted on {point}" in box.refused("format", "busy", path=loop, named=1)
        box.tool("format", path=second)
        run("umount", point)
        claimed = os.open(loop, os.O_RDONLY | os.O_EXCL)
        assert "in use by another process" in box.refused("format", "busy", path=second, named=1)
        os.close(claimed)
    finally:
        subprocess.run(["umount", "-l", str(point)], stderr=subprocess.DEVNULL)
        run("losetup", "--detach", loop)


def test_a_device_that_cannot_be_written_is_refused(box):
    # covers: VOL-4
    path = box.image("a.img", 64 * MIB)
    loop = run("losetup", "--find", "--show", "--read-only", path).strip()
    try:
        box.refused("format", "busy", path=loop, named=1)
    finally:
        run("losetup", "--detach", loop)


def test_the_device_is_ours_alone_from_the_look_to_the_last_write(box):
    # covers: VOL-4
    path = box.image("a.img", 400 * MIB)
    loop = run("losetup", "--find", "--show", path).strip()
    try:
        p = box.start("format", path=loop, wipe=1)
        assert p.stdout.readline() == b"progress=header 0\n"
        p.send_signal(signal.SIGSTOP)
        for _ in range(2):
            try:
                os.close(os.open(loop, os.O_RDWR | os.O_EXCL))
                raise AssertionError("somebody else could have it")
            except OSError as e:
                assert e.errno == 16, e
        p.send_signal(signal.SIGCONT)
        p.communicate(timeout=240)
        assert p.returncode == 0
    finally:
        run("losetup", "--detach", loop)
