"""What a machine's firmware says of itself: UEFI with secure boot on, and the same machine after somebody has switched it off."""
import json
import uuid

from fixtures import fixture, scratch
from tenant import Tenant
from vm import SECURE_BOOT, UEFI, Disk, Vm

POINT = "/srv/data"
RULE = {"type": "secure_boot", "conditions": [{"operator": "equals", "value": "on"}]}


@fixture("file")
def tenant(guest_server):
    it = Tenant(guest_server)
    it.release_automatically([RULE])
    return it


@fixture("file")
def vm(tenant):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data")], firmware=SECURE_BOOT)
    it.boot()
    tenant.register(it, heartbeat=5)
    it.run("systemctl enable --now --no-block keyward-agent")
    yield it
    it.forget()


def fact(vm):
    return json.loads(vm.run("keyward-agent --facts 2>/dev/null")).get("secure_boot")


def test_with_secure_boot_off_a_machine_gets_no_key(tenant, vm):
    # covers: RUL-22, AGT-4, POL-4, SEC-7
    # guard: 900
    assert "Secure boot enabled" in vm.run("dmesg"), "the kernel sees it otherwise"
    assert fact(vm) == "on"
    device = tenant.device("data")
    tenant.encrypt(device, POINT)
    tenant.becomes(device, "in-use")
    vm.run(f"echo precious >{POINT}/kept; sync")
    vm.shutdown()
    vm.firmware = UEFI
    vm.boot()
    assert fact(vm) == "off"
    request = tenant.request(device, "denied")
    assert not vm.ok(f"mountpoint -q {POINT}")
    rules = json.dumps(tenant.approver.ask(f"/requests/{request['id']}"))
    assert "Secure boot" in rules and "off" in rules, rules
    # Switched on again, everything is as it was.
    vm.shutdown()
    vm.firmware = SECURE_BOOT
    vm.boot()
    tenant.becomes(device, "in-use")
    assert vm.run(f"cat {POINT}/kept") == "precious"
