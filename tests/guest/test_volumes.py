"""The agent as it is installed, in a virtual machine with systemd and dm-crypt: from the first registration to the last poweroff."""
import uuid

from fixtures import fixture, scratch
from tenant import Tenant
from vm import Disk, Vm


@fixture("file")
def tenant(guest_server):
    return Tenant(guest_server)


@fixture("file")
def vm(tenant):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data"), Disk("logs", bus="scsi")])
    it.boot()
    yield it
    it.forget()


def test_a_disk_is_encrypted_and_mounted(tenant, vm):
    # covers: AGT-1, VOL-1, VOL-2
    tenant.register(vm)
    vm.run("systemctl enable --now --no-block keyward-agent")
    device = tenant.device("data")
    tenant.encrypt(device, "/srv/data")
    tenant.approve(device)
    tenant.becomes(device, "in-use")
    assert vm.run("findmnt -no FSTYPE /srv/data") == "ext4"
    table = vm.run("dmsetup table $(findmnt -no SOURCE /srv/data)").split()
    assert table[2:4] == ["crypt", "aes-xts-plain64"], table
    assert table[4].startswith(":64:logon:"), "the key is in the kernel's keyring, where nobody can read it"
