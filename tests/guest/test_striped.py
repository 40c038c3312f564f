"""RAID 0 arrays where the kernel does it: dm-crypt below, its striped target above, as the kernel itself tells it."""
import uuid

from fixtures import fixture, scratch
from tenant import Tenant
from vm import MIB, Disk, Vm

# What the providers' ids have of them, in the order of the array, and what the kernel calls them.
MEMBERS = (("serial:alpha", "vda"), ("beta", "sda"), ("67616d6d61-", "nvme1n1"))


@fixture("file")
def tenant(guest_server):
    return Tenant(guest_server)


@fixture("file")
def vm(tenant):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("alpha"), Disk("beta", 72 * MIB, bus="scsi"), Disk("gamma", bus="nvme")])
    it.boot()
    tenant.register(it)
    it.run("systemctl enable --now --no-block keyward-agent")
    yield it
    it.forget()


@fixture("file")
def array(tenant, vm):
    """Encrypted and open."""
    members = [tenant.device(part) for part, _ in MEMBERS]
    tenant.administrator.ask("/devices/raid", {"name": "fast", "members": members, "os": "linux", "filesystem": "ext4", "access": "rw",
                                               "mode": "xts", "key_size": "256", "mount": "/srv/fast"})
    id = tenant.device("fast")
    tenant.administrator.ask(f"/devices/{id}/encrypt", {})
    tenant.approve(id)
    tenant.becomes(id, "in-use")
    return id


def whole(vm):
    return vm.run("findmnt -no SOURCE /srv/fast").rsplit("/", 1)[1]


def test_the_kernel_joins_what_it_decrypts(tenant, vm, array):
    # covers: RAID-1, VOL-1, VOL-2
    # guard: 900
    assert vm.run("findmnt -no FSTYPE /srv/fast") == "ext4"
    name = whole(vm)
    table = vm.run(f"dmsetup table {name}").split()
    assert table[2:5] == ["striped", "3", "512"], table
    # In the order of the members, each a crypt target of its own.
    for i, (_, disk) in enumerate(MEMBERS):
        part = f"{name}.{i}"
        assert vm.run(f"dmsetup table {part}").split()[2] == "crypt"
        below = vm.run(f"dmsetup deps -o devname {part}")
        assert f"({disk})" in below, (part, below)
        assert vm.run(f"stat -Lc '%Hr:%Lr' /dev/mapper/{part}") == table[5 + 2 * i]
    # The kernel knows who holds what, so nobody offers a disk of it for anything else.
    listed = vm.run("keyward-config --get-device-list --json")
    assert "/dev/dm-" not in listed, listed
    assert vm.run(f"dmsetup info -c --noheadings -o uuid {name}").startswith("KEYWARD-")
