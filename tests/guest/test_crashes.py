"""Power cuts in a virtual machine with dm-crypt: in the middle of encrypting, and in the middle of writing."""
import uuid

from fixtures import fixture, scratch
from races import standing
from stack.process import wait_until
from tenant import SECONDS
from vm import MIB, Disk, Vm

POINTS = {"data": "/srv/data", "xfs": "/srv/xfs"}        # by the disk's name: ext4, and XFS
# Writes one block after another, syncs it, and says on the console that it is there.
WRITER = """
i=0
while true; do
	i=$((i + 1))
	head -c 65536 /dev/urandom >$1/new && sha256sum <$1/new | cut -c -64 >$1/sum.new
	sync -d $1/new $1/sum.new && mv $1/new $1/block.$i && mv $1/sum.new $1/sum.$i && sync $1
	echo "<2>acknowledged $1 $i" >/dev/kmsg
done
"""


@fixture("file")
def vm(customer):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data", 128 * MIB), Disk("xfs", 400 * MIB)])
    it.boot()
    customer.register(it, heartbeat=5, wipe="yes")
    it.run("systemctl enable --now --no-block keyward-agent; sync")
    yield it
    it.forget()


def test_power_cut_while_encrypting(customer, vm):
    # covers: VOL-4, VOL-6, DEV-2
    # guard: 900
    device = customer.device("data")
    # The server does not answer to that it is: nothing goes on before the cut.
    with standing(customer.it, "device", f"new.id = '{device}' and new.progress >= 10") as stands:
        customer.encrypt(device, POINTS["data"])
        wait_until(stands, SECONDS, "the device is not being encrypted")
        vm.power_cut()
    assert customer.state(device) == "encrypting"
    vm.boot()
    customer.becomes(device, "in-use")
    assert vm.run(f"findmnt -no FSTYPE {POINTS['data']}") == "ext4"
    assert customer.look(device)["key"]["version"] == 1


def acknowledged(vm, point):
    return vm.console().count(f"acknowledged {point} ")


def survived(vm, point):
    """How many blocks are there; each must be whole."""
    vm.run(f"cd {point} && for s in sum.[0-9]*; do [ \"$(sha256sum <block.${{s#sum.}} | cut -c -64)\" = \"$(cat $s)\" ] || exit 1; done")
    return int(vm.run(f"ls {point} | grep -c '^sum.[0-9]'"))


def test_power_cut_while_writing(customer, vm):
    # covers: VOL-6, VOL-3, VOL-1
    # guard: 900
    vm.run("sed -i '/^wipe/d' /etc/keyward/agent.conf; systemctl restart --no-block keyward-agent")
    for name, filesystem in (("data", "ext4"), ("xfs", "xfs")):
        device = customer.device(name)
        if customer.state(device) == "not-configured":
            customer.encrypt(device, POINTS[name], filesystem=filesystem)
    for name in POINTS:
        customer.becomes(customer.device(name), "in-use")
    vm.write("/root/writer", WRITER)
    for point in POINTS.values():
        vm.run(f"setsid bash /root/writer {point} >/root/said 2>&1 &")
    wait_until(lambda: min(acknowledged(vm, p) for p in POINTS.values()) >= 10, SECONDS, "nothing is written")
    vm.power_cut()
    vm.boot()
    for name, point in POINTS.items():
        vm.wait(f"mountpoint -q {point}", "not mounted again", SECONDS)
        said, there = acknowledged(vm, point), survived(vm, point)
        assert there >= said, f"{said} blocks were acknowledged on {point}, {there} are there"
        print(f"    {name}: {said} blocks acknowledged before the cut, {there} there afterwards", flush=True)
