"""The agent as it is installed, in a virtual machine with systemd and dm-crypt: one encrypted disk from its first mount to the last
poweroff. The tests follow each other in one machine."""
import re
import uuid

import memory
from fixtures import fixture, scratch
from stack.process import wait_until
from tenant import SECONDS, Tenant
from vm import Disk, Vm

POINT = "/srv/data"
NOTE = "/var/log/order"          # on the root disk: what happened in which order, over reboots
# As docs/agent.md tells it for a service whose data lies on a volume.
SERVICE = f"""
[Unit]
After=keyward-agent.service
Requires=keyward-agent.service
ConditionPathIsMountPoint={POINT}

[Service]
ExecStart=/bin/sh -c 'echo service-started $(findmnt -no FSTYPE {POINT}) >>{NOTE}; exec sleep infinity'
# Slow, and without an open file meanwhile: whoever unmounts the volume in parallel would succeed.
ExecStop=/bin/sh -c 'sleep 3; echo service-stopped $(cat {POINT}/kept) >>{NOTE}'
ExecStop=/bin/kill $MAINPID

[Install]
WantedBy=multi-user.target
"""
AWAY = "/sbin/ip route add prohibit 10.0.2.2/32"         # the host, and with it the server, is out of reach
BACK = "/sbin/ip route del prohibit 10.0.2.2/32"
AWAY_SECONDS = 150                                      # the console says after 120 that a machine is missing
# The pause is a read of what never says anything: starting programs is what costs an emulated processor most.
WRITER = f"""
exec {{idle}}<> <(:)
while ! read -r -t 1 -u "$idle"; do
	printf '%(%s)T\\n' -1 >>{POINT}/written && sync {POINT}/written
done
"""
SCRIPT = f"""#!/bin/sh
echo $KEYWARD_EVENT $KEYWARD_REASON $(findmnt -no FSTYPE {POINT}) $(systemctl is-active dependent) >>{NOTE}
"""


@fixture("file")
def tenant(guest_server):
    return Tenant(guest_server)


@fixture("file")
def vm(tenant):
    it = Vm(scratch() / f"vm-{uuid.uuid4().hex[:8]}", disks=[Disk("data"), Disk("plain")])
    it.boot()
    tenant.register(it, heartbeat=5, mount_complete="/root/script", teardown="/root/script")
    it.write("/root/script", SCRIPT, 0o755)
    it.run("systemctl enable --now --no-block keyward-agent")
    yield it
    it.forget()


@fixture("file")
def device(tenant, vm):
    """Encrypted, and released by policy from now on. Tests leave it mounted."""
    device = tenant.device("data")
    tenant.encrypt(device, POINT)
    tenant.approve(device)
    tenant.becomes(device, "in-use")
    vm.run(f"echo precious >{POINT}/kept; sync")
    tenant.release_automatically()
    return device


def test_a_disk_is_encrypted_by_dm_crypt(tenant, vm, device):
    # covers: AGT-1, VOL-1, VOL-5
    # guard: 900
    assert vm.run(f"findmnt -no FSTYPE,OPTIONS {POINT}").split()[0] == "ext4"
    table = vm.run(f"dmsetup table $(findmnt -no SOURCE {POINT})").split()
    assert table[2:4] == ["crypt", "aes-xts-plain64"], table
    assert table[4].startswith(":64:logon:"), "the key is in the kernel's keyring, where nobody can read it"
    dump = vm.run("cryptsetup luksDump /dev/vda")
    assert "Version:       \t2" in dump and "keyward" in dump, dump
    assert b"precious" not in vm.file(vm.disks[0]).read_bytes()


def shape(table):
    """Of a line of dmsetup: without where the key and the data are."""
    words = table.split()
    return [w for i, w in enumerate(words) if i not in (4, 6)]


def test_it_is_what_cryptsetup_makes(vm, device):
    # covers: VOL-1, PERF-1
    ours = vm.run(f"findmnt -no SOURCE {POINT}")
    vm.run("head -c 32 /dev/urandom >/run/key; cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --sector-size 4096 "
           "--key-size 512 /dev/vdb /run/key && cryptsetup open --key-file /run/key /dev/vdb plain")
    assert shape(vm.run(f"dmsetup table {ours}")) == shape(vm.run("dmsetup table plain"))
    vm.run("cryptsetup close plain; rm /run/key")


def test_a_dependent_service_finds_its_volume_at_boot_and_until_its_stop(tenant, vm, device):
    # covers: AGT-9, AGT-1, RUN-2, POL-4
    # guard: 900
    vm.write("/etc/systemd/system/dependent.service", SERVICE)
    vm.run(f"rm {NOTE}; systemctl enable --now dependent")
    # Active is what has been forked; what it does comes after that.
    vm.wait(f"grep -q 'service-started ext4' {NOTE}", "the service does not start")
    before = tenant.request(device, "delivered")["id"]
    vm.reboot()
    tenant.becomes(device, "in-use")
    vm.wait(f"[ $(grep -c 'service-started ext4' {NOTE}) = 2 ] && systemctl is-active dependent", "the service does not start")
    assert vm.run(f"cat {POINT}/kept") == "precious"
    assert tenant.request(device, "delivered")["id"] != before
    lines = vm.run(f"cat {NOTE}").splitlines()
    stop = lines.index("teardown shutdown ext4 inactive")
    assert lines.index("service-stopped precious") < stop, lines
    assert lines.count("service-started ext4") == 2 and lines.index("service-started ext4", stop) > stop, lines
    said = vm.console()
    assert "Failed unmounting" not in said, "systemd unmounts beside the agent"
    assert "volume closed, key wiped" in said and "LEFT OPEN" not in said
    tenant.becomes(device, "in-use")


def test_a_killed_agent_finds_its_volume_open(tenant, vm, device):
    # covers: AGT-5, VOL-6
    # guard: 900
    before = tenant.request(device, "delivered")["id"]
    vm.run("systemctl kill -s KILL keyward-agent")
    assert vm.ok(f"mountpoint -q {POINT}")
    vm.wait("journalctl -b -u keyward-agent -o cat | grep -q 'volume is open already'", "systemd does not start it again")
    # systemd drops a reload, as which the next test changes the log level, silently while it still takes the unit for starting.
    vm.wait("systemctl is-active keyward-agent", "systemd does not take it for started")
    tenant.becomes(device, "in-use")
    assert vm.run(f"cat {POINT}/kept") == "precious" and tenant.request(device, "delivered")["id"] == before


def waits(vm):
    """Seconds between the agent's tries to reach the server, as it has told them."""
    said = vm.run("journalctl -b -u keyward-agent -o cat | grep 'trying again'")
    return [float(seconds) for seconds in re.findall(r"in_seconds=([0-9.]+)", said)]


def test_a_server_that_is_away_for_minutes_closes_nothing(tenant, vm, device):
    # covers: AGT-5, RUN-7, VOL-6, SEC-7
    # guard: 900
    request, asked = tenant.request(device, "delivered")["id"], tenant.asked(device)
    instance = tenant.look(device)["instance"]["url"]

    def is_said_to_be(state):
        return tenant.administrator.ask(instance)["instance"]["state"]["name"] == state
    vm.run("echo 'log_level = debug' >>/etc/keyward/agent.conf; systemctl reload keyward-agent")
    vm.write("/root/writer", WRITER)
    vm.run(f"{AWAY}; setsid bash /root/writer >/root/failed 2>&1 & echo $! >/root/writer.pid")
    vm.wait("journalctl -b -u keyward-agent -o cat | grep -q 'the server cannot be reached'", "the agent does not notice")
    # So long that the server takes the machine for gone, and its key request for over.
    wait_until(lambda: is_said_to_be("Missing"), SECONDS, "the console does not say that the machine is missing")
    vm.wait(f"[ $(wc -l <{POINT}/written) -ge {AWAY_SECONDS} ]", "nothing can be written any more")
    assert vm.run(f"echo 3 >/proc/sys/vm/drop_caches; cat {POINT}/kept") == "precious" and vm.run("cat /root/failed") == ""
    assert tenant.asked(device) == asked
    vm.run(BACK)
    vm.wait("journalctl -b -u keyward-agent -o cat | grep -q 'the server answers again'", "the agent does not find it again")
    tenant.becomes(device, "in-use")
    wait_until(lambda: is_said_to_be("Running"), SECONDS, "the machine is still missing")
    # The key that it has is the one of then: nothing was asked for, nothing given.
    assert tenant.request(device, "delivered")["id"] == request and tenant.asked(device) == asked
    assert vm.ok(f"mountpoint -q {POINT}") and vm.run("kill $(cat /root/writer.pid); cat /root/failed") == ""
    tries = waits(vm)
    print(f"    tried again after {', '.join(map(str, tries))} s", flush=True)
    assert len(tries) > 6 and all(min(2 ** i, 60) / 2 <= s <= min(2 ** i, 60) + 0.1 for i, s in enumerate(tries)), tries


def test_a_server_that_is_away_at_boot_is_waited_for(tenant, vm, device):
    # covers: AGT-1, AGT-5, AGT-9, AGT-10
    # guard: 900
    vm.write("/etc/systemd/system/away.service", f"""[Unit]
Before=keyward-agent.service
After=systemd-networkd-wait-online.service
[Service]
Type=oneshot
ExecStart={AWAY}
[Install]
WantedBy=multi-user.target
""")
    vm.run("systemctl enable away; sed -i /log_level/d /etc/keyward/agent.conf; printf 'ready_seconds = 5\\nlog_level = debug\\n' >>/etc/keyward/agent.conf")
    vm.reboot()
    # The boot goes on without the volume, and the service that needs it does not start.
    vm.wait("systemctl is-active multi-user.target && systemctl is-active keyward-agent", "the boot is held up")
    assert not vm.ok(f"mountpoint -q {POINT}") and not vm.ok("systemctl is-active dependent")
    # It comes back by another address alone: the name leads to IPv6 now.
    vm.run("sed -i 's/^10.0.2.2 /fec0::2 /' /etc/hosts; sleep 1")
    tries = len(waits(vm))
    vm.run("systemctl reload keyward-agent")
    tenant.becomes(device, "in-use")
    assert tries and len(waits(vm)) == tries, "it does not see at once where the name leads now"
    assert vm.run(f"cat {POINT}/kept") == "precious"
    # Not at any moment: what wakes it, such as the end of a script, ends the connection on which it waits, and it makes the next when it has looked.
    vm.wait("ss -Htn6 state established dst [fec0::2] | grep -q .", "the agent does not speak IPv6")
    vm.run(f"{BACK}; systemctl disable away; sed -i '/ready_seconds/d' /etc/keyward/agent.conf")


def test_it_is_at_home_in_a_small_machine(vm, device):
    # covers: AGT-10
    pid = vm.run("systemctl show -P MainPID keyward-agent")
    status = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", vm.run(f"cat /proc/{pid}/status")))
    disk = int(vm.run("du -skc /usr/local/sbin/keyward-* /usr/local/libexec/keyward /etc/keyward /var/lib/keyward | tail -n 1").split()[0])
    free = vm.run("free -m | sed -n 's/^Mem: *//p'").split()
    assert int(free[0]) < 613 and disk < 30 * 1024
    assert int(status["VmHWM"]) < 100 * 1024


def test_a_revoked_key_is_nowhere_in_memory(tenant, vm, device, folder):
    # covers: INT-3, AGT-3, SEC-4
    # guard: 900
    vm.run("systemctl stop dependent; sync")
    key = memory.volume_key(vm, vm.file(vm.disks[0]), folder)
    tenant.revoke(device)
    tenant.request(device, "revoked")
    tenant.becomes(device, "encrypted")
    assert not vm.ok(f"mountpoint -q {POINT}") and vm.run("dmsetup ls --target crypt") == "No devices found"
    assert "teardown revoked ext4" in vm.run(f"cat {NOTE}")
    found = memory.find(vm, key, folder)
    assert found == 0, f"{found} copies of the volume key are still there"
