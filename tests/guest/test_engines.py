"""One format for both engines: what the user-space engine wrote here dm-crypt reads in a virtual machine, and the other way round."""
import hashlib
import os
import uuid

from fixtures import fixture, scratch
from vm import MIB, Disk, Vm
from volume_box import DATA_OFFSET, Box, read_device, write_device

# cipher, AES bits, sector size: all that DEV-8 names
KINDS = [(c, b, s) for c, b in [("xts", 128), ("xts", 256), ("cbc", 128), ("cbc", 192), ("cbc", 256)] for s in (512, 4096)]
NAMES = {"xts": "aes-xts-plain64", "cbc": "aes-cbc-essiv:sha256"}
QUIET = "export DM_DISABLE_UDEV=1;"
# Two of the sizes end with what is no whole sector of 4096 bytes.
SIZES = {512: 2 * MIB + 1536, 4096: 2 * MIB}


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    b.clean()


@fixture("test")
def vm():
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}")
    yield it
    it.forget()


def sum_of(device, size):
    return hashlib.sha256(read_device(device, size)).hexdigest()


def test_each_engine_reads_what_the_other_wrote(box, vm):
    # covers: VOL-1, DEV-8
    # guard: 1800
    ours = {}
    for n, (cipher, bits, sector) in enumerate(KINDS):
        path = box.image("a.img", DATA_OFFSET + SIZES[sector])
        box.tool("format", path=path, cipher=cipher, bits=bits, sector=sector)
        data = os.urandom(SIZES[sector])
        write_device(box.open(path, "a"), data)
        box.close("a")
        ours[n] = hashlib.sha256(data).hexdigest()
        vm.add(Disk(f"kind{n}"), source=path)
    vm.boot()
    vm.write("/run/key", box.key.read_bytes(), 0o600)
    disks = {serial: disk for disk, serial in (line.split() for line in vm.run("lsblk -dno PATH,SERIAL").splitlines() if " kind" in line)}
    # Most of the time would be udev's, which looks into each device that comes, writes or goes; nobody here wants to know.
    vm.run("systemctl stop systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udevd")
    theirs = {}
    for n, (cipher, bits, sector) in enumerate(KINDS):
        disk = disks[f"kind{n}"]
        vm.run(f"{QUIET} cryptsetup open --key-file /run/key {disk} a")
        assert vm.run("dmsetup table a").split()[2:4] == ["crypt", NAMES[cipher]]
        assert int(vm.run("blockdev --getsize64 /dev/mapper/a")) == SIZES[sector]
        assert vm.run("sha256sum /dev/mapper/a").split()[0] == ours[n], (cipher, bits, sector)
        # The same disk anew, made by cryptsetup and written by the kernel.
        theirs[n] = vm.run(
            f"{QUIET} cryptsetup close a && cryptsetup luksFormat --type luks2 --batch-mode --key-file /run/key --pbkdf pbkdf2 "
            f"--pbkdf-force-iterations 1000 --cipher {NAMES[cipher]} --key-size {bits * (2 if cipher == 'xts' else 1)} "
            f"--sector-size {sector} {disk} && cryptsetup open --key-file /run/key {disk} a && "
            f"head -c {SIZES[sector]} /dev/urandom >/run/data && cat /run/data >/dev/mapper/a && sync && cryptsetup close a && "
            "sha256sum /run/data").split()[0]
    vm.shutdown()
    for n, (cipher, bits, sector) in enumerate(KINDS):
        device = box.open(vm.file(vm.disks[n]), "a", ro=1)
        assert sum_of(device, SIZES[sector]) == theirs[n], (cipher, bits, sector)
        box.close("a")
