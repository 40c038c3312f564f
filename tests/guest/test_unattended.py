"""A machine of EC2 that is put to work by packaging/unattended and nobody at its keyboard, against the stand-in for EC2; and its volume opened
with the exported key, in the kernel, without the server."""
import urllib.parse
import uuid

from clouds import DATA, KEY, Ec2
from fixtures import fixture, scratch
from vm import Disk, Vm
from web import PASSWORD, Client, make_user

POINT = "/srv/data"
INSTALL = "/usr/local/share/doc/keyward-agent/unattended/keyward-install"
DEVICES = f"[device1]\nid = {DATA}\nmountpoint = {POINT}\nfilesystem = xfs\nlabel = Unattended\n"
PASSPHRASE = "Lantern & Harbour 47"
# The interface of a cloud is asked over https, or at this very machine: something listens there and passes it on to the host.
PROXY = """[Socket]
ListenStream=127.0.0.1:{port}
[Install]
WantedBy=sockets.target
"""


@fixture("file")
def cloud():
    c = Ec2(scratch() / f"ec2-{uuid.uuid4().hex[:8]}")
    c.volume(DATA, state="in-use", attached_to="i-0a1b2c3d4e5f60718", device="/dev/sdf")
    yield c
    c.close()


@fixture("file")
def vm(customer, cloud):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data", 400 << 20, bus="nvme", serial=DATA.replace("-", ""))])
    it.boot()
    it.write("/etc/systemd/system/cloud-api.socket", PROXY.format(port=cloud.port))
    it.write("/etc/systemd/system/cloud-api.service", f"[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd 10.0.2.2:{cloud.port}\n")
    it.run("systemctl enable --now cloud-api.socket")
    it.write("/etc/keyward/ca.crt", customer.it.ca.read_text())
    it.write("/etc/keyward/agent.conf", "ca_file = /etc/keyward/ca.crt\nheartbeat = 5\n"
             f"provider_setting = endpoint=http://127.0.0.1:{cloud.port}\nprovider_setting = metadata=http://10.0.2.2:{cloud.port}\n")
    yield it
    it.forget()


def test_a_machine_encrypts_its_disk_at_its_first_boot(customer, cloud, vm):
    # covers: CFG-4, CFG-2, CFG-3, CSP-2, AGT-3
    # guard: 1800
    vm.write("/etc/keyward/devices.conf", DEVICES)
    vm.write("/run/keyward-install.env", f"INSTALL_OPTION=provision\nWEB_SERVICE_URL={customer.url}\nSC_ACCOUNT_ID={customer.account}\n"
             f"PROV_PASSWORD='{customer.passphrase}'\nAWS_ACCESS_ID={KEY['access_key_id']}\nAWS_SECRET_KEY='{KEY['secret_access_key']}'\n"
             "DEVICES_CONF=/etc/keyward/devices.conf\nCA_FILE=/etc/keyward/ca.crt\nTIMEOUT=20\n", 0o600)
    # As cloud-init.yaml has it.
    said = vm.run(f"(set -a; . /run/keyward-install.env; set +a; rm -f /run/keyward-install.env; exec {INSTALL}) 2>&1", 1500)
    assert "provision: done" in said, said
    device = customer.device(DATA)
    customer.becomes(device, "in-use")
    assert customer.look(device)["device"]["name"] == "Unattended"
    assert vm.run(f"findmnt -no FSTYPE {POINT}").strip() == "xfs" and "crypt" in vm.run("dmsetup table")
    vm.run(f"echo precious >{POINT}/kept; sync")
    assert any("Action=DescribeInstances" in line or "DescribeInstances" in line for line in map(str, cloud.log()))
    # The provider's secret is in no file of the machine, and neither is the passphrase that registers machines.
    for secret in (KEY["secret_access_key"], customer.passphrase):
        assert vm.run(f"grep -rlsF --exclude=test-command -- '{secret}' /etc /var /root /run /tmp || true").strip() == ""


def test_after_a_reboot_its_volume_is_there_by_itself(customer, vm):
    # covers: CFG-4, AGT-1
    # guard: 900
    vm.reboot()
    customer.becomes(customer.device(DATA), "in-use")
    vm.wait(f"mountpoint -q {POINT}", "not mounted again", 600)
    assert vm.run(f"cat {POINT}/kept") == "precious"


def exported(customer, device):
    c = Client(customer.it, "console")
    assert c.sign_in(make_user(customer.it, customer.account, "security-administrator"), account=customer.slug).status == 303
    body = urllib.parse.urlencode({"current": PASSWORD, "passphrase": PASSPHRASE, "repeat": PASSPHRASE, "csrf": c.csrf}).encode()
    answer = c.send("POST", f"/devices/{device}/export", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200, answer
    return answer.body


def test_the_exported_key_opens_it_in_the_kernel_without_any_network(customer, cloud, vm):
    # covers: KEY-5, VOL-1, AGT-11
    # guard: 1800
    if not vm.ok(f"test -e {POINT}/kept"):               # chosen without the tests above
        test_a_machine_encrypts_its_disk_at_its_first_boot(customer, cloud, vm)
    device = customer.device(DATA)
    vm.write("/root/key.zip", exported(customer, device), 0o600)
    vm.run("systemctl disable --now keyward-agent")
    customer.becomes(device, "encrypted")
    tool = f"KEYWARD_EXPORT_PASSPHRASE='{PASSPHRASE}' unshare --net keyward-keytool"
    assert "Unattended" in vm.run("unshare --net keyward-keytool --inspect /root/key.zip")
    assert not vm.ok("KEYWARD_EXPORT_PASSPHRASE=Another-One-77 unshare --net keyward-keytool --open /root/key.zip")
    assert f"Mounted on {POINT}" in vm.run(f"{tool} --open /root/key.zip --engine dm-crypt")
    assert vm.run(f"cat {POINT}/kept") == "precious" and "crypt" in vm.run("dmsetup table")
    assert device in vm.run("keyward-keytool --list")
    vm.run(f"echo more >{POINT}/more; keyward-keytool --close {POINT}")
    assert vm.run("dmsetup ls --target crypt") == "No devices found" and not vm.ok(f"mountpoint -q {POINT}")
    # Once more by hand: the key as cryptsetup takes it.
    vm.run(f"{tool} --decrypt /root/key.zip --output /root/key && cryptsetup open --key-file /root/key /dev/disk/by-id/*{DATA.replace('-', '')} by-hand"
           " && mount /dev/mapper/by-hand /mnt")
    assert vm.run("cat /mnt/more") == "more"
    vm.run("umount /mnt && cryptsetup close by-hand; rm /root/key /root/key.zip")
