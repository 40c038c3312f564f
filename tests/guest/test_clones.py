"""Copies of a virtual machine and of its disks, as clouds make them: each is known for what it is."""
import uuid

from fixtures import fixture, scratch
from stack.process import Failed
from vm import Disk, Vm

POINT = "/srv/data"


@fixture("file")
def original(customer):
    """With one encrypted disk, switched off."""
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", "original", disks=[Disk("data", serial="volume-1")])
    it.boot()
    customer.register(it, heartbeat=5)
    device = customer.device("volume-1")
    customer.encrypt(device, POINT)
    it.run("systemctl enable --now --no-block keyward-agent")
    customer.becomes(device, "in-use")
    it.run(f"echo precious >{POINT}/kept")
    it.shutdown()
    customer.becomes(device, "encrypted")
    yield it
    it.forget()


@fixture("file")
def clone(original):
    """The whole machine once more, beside it a copy of the data disk alone."""
    it = original.clone(scratch() / f"vm-{uuid.uuid4().hex[:8]}")
    it.add(Disk("copy", serial="volume-2"), original.file(original.disks[0]))
    it.boot()
    yield it
    it.forget()


def test_a_copied_machine_gets_no_key_in_the_other_ones_name(customer, original, clone):
    # covers: VOL-5, AGT-1, SEC-7
    # guard: 900
    device = customer.device("volume-1")
    asked = customer.asked(device)
    clone.wait("journalctl -b -u keyward-agent -o cat | grep -q 'copy of a registered one'", "the agent does not say so")
    clone.wait("systemctl is-active keyward-agent", "the boot is held up")
    assert customer.asked(device) == asked and customer.state(device) == "encrypted"
    assert not clone.ok(f"mountpoint -q {POINT}")
    status, said = clone.command("keyward-config --publish-inventory")
    assert status != 0 and "copy of a registered one" in said, said


def test_copied_volumes_are_known_and_have_no_key_here(customer, clone):
    # covers: VOL-5, VOL-4, CFG-2, DEV-3, SEC-7
    # guard: 900
    registered = customer.register(clone, heartbeat=5)
    assert "Registered as agent" in registered, registered
    # The ids of a native machine's disks are its own: both copies are new devices, and hold volumes of this account.
    for part in ("volume-1", "volume-2"):
        clone.wait(f"journalctl -b -u keyward-agent -o cat | grep -q '{part}.*has no key'", "the volume is not known by its token")
    rows = [d for d in customer.devices() if d["state"] == "not-configured" and "volume-" in d["provider_id"]]
    assert len(rows) == 2, customer.devices()
    assert not clone.ok(f"mountpoint -q {POINT}")
    # What they hold is not overwritten unless somebody says so by name.
    header = clone.run("cryptsetup luksDump /dev/vdb")
    copied = next(d["id"] for d in rows if "volume-2" in d["provider_id"])
    customer.configure(copied, "/srv/copy")
    try:
        customer.administrator.ask(f"/devices/{copied}/encrypt", {})
    except Failed as e:
        print(f"    {e}", flush=True)
    else:
        customer.becomes(copied, "encryption-error")
    assert clone.run("cryptsetup luksDump /dev/vdb") == header
