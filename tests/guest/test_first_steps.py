"""docs/agent.md as a new user follows it on a plain Debian machine: the package installed, upgraded, removed, purged and installed again."""
import os
import shutil
import subprocess
import uuid

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
def packages():
    """As the page says to make it, and a newer one."""
    folder = scratch() / f"packages-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    for name, version in (("keyward-agent.deb", ()), ("newer.deb", ("9.9",))):
        made = subprocess.run([ROOT / "tools" / "package", *version], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]
        shutil.copy(ROOT / made, folder / name)
    yield folder
    shutil.rmtree(folder)


@fixture("file")
def vm(packages):
    """Plain: nothing of ours on it but the packages in /root."""
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data")])
    files = sorted(packages.iterdir())
    for file in files:
        # Carried in on a disk, which the machine sees as whole sectors.
        carrier = it.add(Disk(file.stem), source=file)
        os.truncate(it.file(carrier), -(-file.stat().st_size // 512) * 512)
    it.boot()
    it.run("rm -rf /usr/local/*; systemctl daemon-reload; " +
           "; ".join(f"head -c {file.stat().st_size} /dev/vd{letter} >/root/{file.name}" for file, letter in zip(files, "bc")))
    yield it
    it.forget()


def main_pid(vm):
    return vm.run("systemctl show -P MainPID keyward-agent")


def test_the_page_leads_to_an_encrypted_volume(tenant, vm):
    # covers: AGT-1, AGT-10, CFG-1, CFG-2, OPS-1, POL-4
    # guard: 900
    update, install, register, mounted, reboot, status = blocks()
    # The image has no apt; what the package depends on is on it.
    assert (update, install, reboot) == ("apt-get update", "apt-get install ./keyward-agent.deb", "reboot")
    vm.run("cd /root && dpkg -i ./keyward-agent.deb")
    vm.write("/etc/keyward/ca.crt", tenant.it.ca.read_text())
    register = register.replace("https://agents.example", tenant.url).replace("ACCOUNT-ID", tenant.account) + " --ca-file /etc/keyward/ca.crt"
    said = vm.run(f"printf '%s\\n' '{tenant.passphrase}' | script -qec '{register}' /dev/null")
    assert "Provisioning passphrase:" in said and "Registered as agent" in said and "Inventory published" in said, said
    missing = vm.run("ldd /usr/sbin/keyward-* /usr/libexec/keyward/keyward-* /usr/libexec/keyward/plugins/* 2>&1 | grep 'not found' || true")
    assert missing == "", missing
    # The image leaves documents out of every package.
    assert vm.run("dpkg -V keyward-agent | grep -v ' /usr/share/\\(doc\\|man\\)' || true") == ""
    device = tenant.device("data")
    tenant.encrypt(device, POINT)
    tenant.approve(device)
    tenant.becomes(device, "in-use")
    assert vm.run(mounted), "not mounted"
    vm.run(f"echo precious >{POINT}/kept; sync")
    # And from then on by policy.
    tenant.release_automatically()
    vm.reboot()
    vm.wait(mounted, "not mounted after the reboot")
    assert vm.run(f"cat {POINT}/kept") == "precious" and tenant.asked(device) == 2
    said = vm.run(status)
    assert "answers" in said and f"open  {POINT}" in said, said


def test_an_upgrade_leaves_the_volume_open(tenant, vm):
    # covers: OPS-1, AGT-5, VOL-6
    # guard: 900
    device, pid = tenant.device("data"), main_pid(vm)
    # Somebody uses it, and a setting was changed.
    vm.run(f"cd {POINT}; sleep 1d >/dev/null 2>&1 </dev/null & echo '#READY_SECONDS=60' >>/etc/default/keyward-agent")
    vm.run("cd /root && dpkg -i newer.deb")
    vm.wait("journalctl -u keyward-agent | grep -q 'volume is open already'", "the new program does not run")
    assert main_pid(vm) == pid and vm.run("dpkg-query -W -f '${Version}' keyward-agent") == "9.9"
    assert vm.run(f"cat {POINT}/kept") == "precious" and vm.ok("pgrep -x sleep")
    assert vm.run("tail -n 1 /etc/default/keyward-agent") == "#READY_SECONDS=60", "a setting was overwritten"
    tenant.becomes(device, "in-use")
    vm.run("pkill -x sleep")


def test_uninstalled_and_installed_again(tenant, vm):
    # covers: AGT-11, OPS-1
    # guard: 900
    device = tenant.device("data")
    vm.run("dpkg -r keyward-agent")
    tenant.becomes(device, "encrypted")
    header = vm.run("cryptsetup luksDump /dev/vda")
    assert not vm.ok(f"mountpoint -q {POINT}") and not vm.ok("ls /usr/sbin/keyward-agent") and vm.ok("ls /var/lib/keyward/identity.json")
    vm.run("dpkg -i /root/newer.deb")
    tenant.becomes(device, "in-use")
    assert vm.run(f"cat {POINT}/kept") == "precious"
    vm.run("touch /var/lib/keyward/decrypt-other.header && dpkg -P keyward-agent")
    tenant.becomes(device, "encrypted")
    left = vm.run("find / -xdev \\( -path /root -o -path /usr/lib/keyward-test \\) -prune -o -iname '*keyward*' -print -o -path '/var/lib/keyward/*' -print | sort").split()
    assert left == ["/var/lib/keyward", "/var/lib/keyward/decrypt-other.header"], left
    assert vm.run("cryptsetup luksDump /dev/vda") == header
    vm.run("rm -r /var/lib/keyward; dpkg -i /root/keyward-agent.deb")
    tenant.register(vm)
    tenant.becomes(device, "in-use")
    assert vm.run(f"cat {POINT}/kept") == "precious"


def test_the_init_script_does_what_the_unit_does(tenant, vm):
    # covers: AGT-9, AGT-8
    # guard: 900
    device = tenant.device("data")
    vm.run("SYSTEMCTL_SKIP_SYSV=1 systemctl disable --now keyward-agent")
    tenant.becomes(device, "encrypted")
    script = "/etc/init.d/keyward-agent"
    vm.run(f"{script} start")
    assert vm.run(f"cat {POINT}/kept") == "precious", "start returns before the volume is there"
    assert "volume open and mounted" in vm.run("cat /var/log/keyward/agent.log") and vm.ok(f"{script} status")
    vm.run(f"{script} stop")
    assert not vm.ok(f"mountpoint -q {POINT}") and vm.run("dmsetup ls --target crypt") == "No devices found"
    assert not vm.ok(f"{script} status")
