"""docs/agent.md as a new user follows it on a plain Debian machine, and uninstalling."""
import os
import subprocess
import uuid

import vmimage
from fixtures import ROOT, fixture, scratch
from tenant import Tenant
from vm import Disk, Vm

POINT = "/srv"


def blocks():
    """The indented commands of the page's first section, in order."""
    text = (ROOT / "docs" / "agent.md").read_text().split("## First steps\n", 1)[1].split("\n### ", 1)[0]
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


@fixture("file")
def tenant(guest_server):
    return Tenant(guest_server)


@fixture("file")
def archive():
    """As the page says to make it."""
    folder = scratch() / f"install-{uuid.uuid4().hex[:8]}"
    vmimage.install(folder)
    file = folder.with_suffix(".tar.gz")
    subprocess.run(["tar", "-czf", str(file), "-C", str(folder), "."], check=True)
    yield file
    subprocess.run(["rm", "-r", str(folder), str(file)], check=True)


@fixture("file")
def vm(archive):
    """Plain: nothing of ours on it but the archive in /root."""
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data")])
    # Carried in on a disk, which the machine sees as whole sectors.
    size = archive.stat().st_size
    carrier = it.add(Disk("archive"), source=archive)
    os.truncate(it.file(carrier), -(-size // 512) * 512)
    it.boot()
    it.run(f"rm -rf /usr/local/*; systemctl daemon-reload; head -c {size} /dev/vdb >/root/keyward-agent.tar.gz")
    yield it
    it.forget()


def test_the_page_leads_to_an_encrypted_volume(tenant, vm):
    # covers: AGT-1, AGT-10, CFG-2, OPS-1
    # guard: 900
    packages, *commands = blocks()
    names = packages.removeprefix("apt-get install ").split()
    assert packages.startswith("apt-get install") and set(names) <= set(vmimage.packages()) | {"ca-certificates"}
    assert vm.run(f"dpkg-query -W -f '${{db:Status-Status}}\\n' {' '.join(names)} | sort -u") == "installed"
    vm.write("/etc/keyward/ca.crt", tenant.it.ca.read_text())
    vm.write("/etc/keyward/agent.conf", "ca_file = /etc/keyward/ca.crt\n")
    vm.write("/root/pp", tenant.passphrase, 0o600)
    for command in commands:
        command = command.replace("https://agents.example", tenant.url).replace("ACCOUNT-ID", tenant.account)
        vm.run(f"cd /root && {command}" + (" --no-block" if "enable --now" in command else ""))
    missing = vm.run("ldd /usr/local/sbin/* /usr/local/libexec/keyward/* 2>&1 | grep 'not found' || true")
    assert missing == "", missing
    device = tenant.device("data")
    tenant.encrypt(device, POINT)
    tenant.approve(device)
    tenant.becomes(device, "in-use")
    vm.run(f"echo precious >{POINT}/kept; sync")


def test_uninstalled_and_installed_again(tenant, vm):
    # covers: AGT-11
    # guard: 900
    device = tenant.device("data")
    vm.run("systemctl disable --now keyward-agent")
    tenant.becomes(device, "encrypted")
    header = vm.run("cryptsetup luksDump /dev/vda")
    vm.run("rm -rf /usr/local/* /etc/keyward /var/lib/keyward; systemctl daemon-reload")
    assert vm.run("cryptsetup luksDump /dev/vda") == header
    vm.run("tar -xzf /root/keyward-agent.tar.gz -C / && systemctl daemon-reload")
    tenant.register(vm)
    vm.run("systemctl enable --now --no-block keyward-agent")
    tenant.approve(device)
    tenant.becomes(device, "in-use")
    assert vm.run(f"cat {POINT}/kept") == "precious"


def test_the_init_script_does_what_the_unit_does(tenant, vm):
    # covers: AGT-9, AGT-8
    # guard: 900
    device = tenant.device("data")
    vm.run("systemctl disable --now keyward-agent")
    tenant.becomes(device, "encrypted")
    tenant.release_automatically()
    script = "/usr/local/libexec/keyward/keyward-agent.init"
    vm.run(f"{script} start")
    assert vm.run(f"cat {POINT}/kept") == "precious", "start returns before the volume is there"
    assert "volume open and mounted" in vm.run("cat /var/log/keyward/agent.log") and vm.ok(f"{script} status")
    vm.run(f"{script} stop")
    assert not vm.ok(f"mountpoint -q {POINT}") and vm.run("dmsetup ls --target crypt") == "No devices found"
    assert not vm.ok(f"{script} status")
