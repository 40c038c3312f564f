"""A power cut in a virtual machine with dm-crypt, in the middle of encrypting."""
import uuid

from fixtures import fixture, scratch
from stack.process import wait_until
from tenant import SECONDS
from vm import MIB, Disk, Vm

POINT = "/srv/data"


@fixture("file")
def vm(customer):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data", 128 * MIB)])
    it.boot()
    customer.register(it, heartbeat=5, wipe="yes")
    it.run("systemctl enable --now --no-block keyward-agent; sync")
    yield it
    it.forget()


def encrypting(customer, device, percent):
    progress = customer.look(device)["device"]["progress"] if customer.state(device) == "encrypting" else None
    return progress is not None and progress["percent"] >= percent


def test_power_cut_while_encrypting(customer, vm):
    # covers: VOL-4, VOL-6, DEV-2
    # guard: 900
    device = customer.device("data")
    customer.encrypt(device, POINT)
    wait_until(lambda: encrypting(customer, device, 10), SECONDS, "the device is not being encrypted")
    vm.power_cut()
    assert customer.state(device) == "encrypting"
    vm.boot()
    customer.becomes(device, "in-use")
    assert vm.run(f"findmnt -no FSTYPE {POINT}") == "ext4"
    assert customer.look(device)["key"]["version"] == 1
