"""RAID 0 arrays where the kernel does it: dm-crypt below, its striped target above, over reboots, power cuts and lost disks."""
import uuid

from fixtures import fixture, scratch
from tenant import Tenant
from vm import MIB, Disk, Vm
from web import database

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
    """Encrypted and open, with a file whose sum is in /root/sum."""
    members = [tenant.device(part) for part, _ in MEMBERS]
    tenant.administrator.ask("/devices/raid", {"name": "fast", "members": members, "os": "linux", "filesystem": "ext4", "access": "rw",
                                               "mode": "xts", "key_size": "256", "mount": "/srv/fast"})
    id = tenant.device("fast")
    tenant.administrator.ask(f"/devices/{id}/encrypt", {})
    tenant.approve(id)
    tenant.becomes(id, "in-use")
    vm.run("head -c 20000000 /dev/urandom >/srv/fast/file && sync && sha256sum /srv/fast/file >/root/sum && sync")
    return id


def names(vm):
    return vm.run("dmsetup ls | cut -f1 | grep ^keyward || true").split()


def whole(vm):
    return vm.run("findmnt -no SOURCE /srv/fast").rsplit("/", 1)[1]


def opens(tenant, vm, array):
    tenant.approve(array)
    # After a power cut the server still has it in use.
    vm.wait("mountpoint -q /srv/fast", "the array is not mounted")
    tenant.becomes(array, "in-use")
    vm.run("sha256sum --check --quiet /root/sum")


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


def test_it_comes_back_after_a_power_cut(tenant, vm, array):
    # covers: RAID-1, VOL-6, AGT-1
    # guard: 900
    vm.power_cut()
    vm.boot()
    opens(tenant, vm, array)


def test_stopped_it_leaves_nothing_mapped(tenant, vm, array):
    # covers: RAID-1, AGT-1
    # guard: 900
    vm.run("systemctl stop keyward-agent")
    assert names(vm) == []
    tenant.becomes(array, "encrypted")
    vm.run("systemctl start --no-block keyward-agent")
    opens(tenant, vm, array)


def test_the_engine_in_user_space_reads_what_the_kernel_wrote(tenant, vm, array):
    # covers: RAID-1, VOL-1
    # guard: 900
    vm.run("systemctl stop keyward-agent; modprobe -a fuse loop; echo 'engine = userspace' >>/etc/keyward/agent.conf")
    vm.run("systemctl start --no-block keyward-agent")
    opens(tenant, vm, array)
    assert vm.run("findmnt -no SOURCE /srv/fast").startswith("/dev/loop") and names(vm) == []
    vm.run("head -c 3000000 /dev/urandom >/srv/fast/other && sync && sha256sum /srv/fast/other >>/root/sum")
    vm.run("systemctl stop keyward-agent; sed -i /engine/d /etc/keyward/agent.conf; systemctl start --no-block keyward-agent")
    opens(tenant, vm, array)
    assert whole(vm).startswith("keyward-")


def test_with_a_disk_missing_nothing_is_mapped_until_it_is_plugged_in(tenant, vm, array):
    # covers: RAID-1, DEV-2, AGT-1
    # guard: 900
    gone = next(d for d in vm.disks if d.name == "beta")
    vm.shutdown()
    vm.disks.remove(gone)
    vm.boot()
    tenant.becomes(array, "device-missing")
    assert names(vm) == [] and not vm.ok("findmnt /srv/fast")
    vm.plug(gone)
    opens(tenant, vm, array)


def test_taken_by_force_the_keys_go_although_it_is_in_use(tenant, vm, array):
    # covers: RAID-1, PSV-2
    # guard: 900
    name = whole(vm)
    vm.run("(exec 3</srv/fast/file; sleep 1000) >/dev/null 2>&1 & echo $! >/root/holder")
    instance = tenant.look(array)["instance"]["url"].rsplit("/", 1)[1]
    with database(tenant.it).cursor() as c:
        # Told as orders are: or it would come when the agent's line is over.
        c.execute("with given as (insert into agent_order (tenant, id, agent, kind) select tenant, gen_random_uuid(), id, 'kill' from agent"
                  " where state = 'active' and instance = %s returning agent) select pg_notify('keyward_order', agent::text) from given", (instance,))
    tenant.becomes(array, "encrypted")
    assert [n for n in names(vm) if n.startswith(name + ".")] == []
    vm.run("kill $(cat /root/holder)")
