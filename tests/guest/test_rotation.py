"""Rotation in a virtual machine with dm-crypt: another device key while the volume is open; and another volume key, all data encrypted anew
while they are in use, interrupted by an agent that stops and by a power cut."""
import re
import uuid

from fixtures import fixture, scratch
from stack.process import wait_until
from tenant import SECONDS
from vm import MIB, Disk, Vm

POINT = "/srv/data"


@fixture("file")
def vm(customer):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data", 300 * MIB)])
    it.boot()
    customer.register(it, heartbeat=5)
    it.run("systemctl enable --now --no-block keyward-agent; sync")
    yield it
    it.forget()


@fixture("file")
def security(customer):
    return customer._person("security-administrator")


@fixture("file")
def device(customer, vm):
    """In use, with a file that is checked after every step."""
    device = customer.device("data")
    customer.encrypt(device, POINT)
    customer.becomes(device, "in-use")
    vm.run(f"head -c {90 * MIB} /dev/urandom >{POINT}/file && sha256sum {POINT}/file >/root/sum && sync")
    return device


def rotation(customer, device):
    return customer.look(device)["rotations"][0]


def is_done(customer, device):
    def done():
        return rotation(customer, device)["state"] == "done"
    wait_until(done, SECONDS, "not rotated")


def header(vm):
    """Key slots, the slot that the token names, what is said of the volume key's digest, and all of it."""
    dump = vm.run("cryptsetup luksDump /dev/vda")
    return re.findall(r"^  (\d+): luks2", dump, re.M), re.findall(r"Keyslot: +(\d+)", dump), dump.split("Digests:")[1], dump


def is_whole(vm):
    return vm.ok("echo 3 >/proc/sys/vm/drop_caches; sha256sum -c /root/sum")


def opens_again(customer, vm, device):
    """Closed, and opened with a key that is asked for anew: as by a reboot, without its time."""
    vm.run("systemctl stop keyward-agent")
    customer.becomes(device, "encrypted")
    assert vm.run("dmsetup ls --target crypt") == "No devices found"
    vm.run("systemctl start --no-block keyward-agent")
    customer.becomes(device, "in-use")


def test_another_device_key_while_the_volume_is_open(customer, security, vm, device):
    # covers: KEY-6, DEV-8
    # guard: 900
    table, before = vm.run("dmsetup table --target crypt"), header(vm)
    security.ask(f"/devices/{device}/rotate", {})
    is_done(customer, device)
    after = header(vm)
    assert len(after[0]) == 1 and after[0] != before[0] and after[1] == after[0] and after[2] == before[2], after
    assert customer.look(device)["key"]["version"] == 2 and customer.state(device) == "in-use"
    assert vm.run("dmsetup table --target crypt") == table
    opens_again(customer, vm, device)
    assert is_whole(vm)


def test_another_volume_key_while_the_volume_is_in_use(customer, security, vm, device):
    # covers: KEY-6, VOL-6, VOL-1
    # guard: 1800
    before = header(vm)
    security.ask(f"/devices/{device}/reencrypt", {})

    def is_at(percent):
        r = rotation(customer, device)
        assert r["state"] != "done" and not r["error"], r
        return r["progress"] >= percent
    wait_until(lambda: is_at(3), SECONDS, "it does not begin")
    # Stopped by the agent's stop, it goes on with its start.
    vm.run("systemctl stop keyward-agent")
    assert not vm.ok(f"mountpoint -q {POINT}") and "reencrypt" in vm.run("cryptsetup luksDump /dev/vda")
    assert vm.run("dmsetup ls --target crypt") == "No devices found"
    at = rotation(customer, device)["progress"]
    vm.run("systemctl start --no-block keyward-agent")
    customer.becomes(device, "in-use")
    wait_until(lambda: is_at(at + 10), SECONDS, "it does not go on")
    assert is_whole(vm)
    vm.run(f"setsid dd if=/dev/zero of={POINT}/more bs=1M count=60 >/dev/null 2>&1 &")
    vm.power_cut()
    at = rotation(customer, device)["progress"]
    vm.boot()
    vm.wait(f"mountpoint -q {POINT}", "not mounted again", SECONDS)
    assert is_whole(vm)
    is_done(customer, device)
    slots, named, salt, dump = header(vm)
    assert len(slots) == 1 and named == slots and salt != before[2] and "reencrypt" not in dump, dump
    assert is_whole(vm) and len(vm.run("dmsetup table --target crypt").splitlines()) == 1
    assert customer.look(device)["key"]["version"] == 2
    print(f"    interrupted at {at} % by a power cut", flush=True)
    opens_again(customer, vm, device)
    assert is_whole(vm)
