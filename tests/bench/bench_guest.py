#!/usr/bin/python3
"""What the agent costs in a small virtual machine (1 processor, 613 MiB), and its dm-crypt volume beside what cryptsetup makes and beside
the bare disk, all in one boot.

    bench_guest.py [--size MIB] [--repeat N]

Needs root and a release build. The processor is emulated: only the ratios mean something, and they mean the way through the kernel."""
import argparse
import pathlib
import re
import shutil
import statistics
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "lib")]

from stack.installation import Installation  # noqa: E402
from stack.ports import free_port  # noqa: E402
from tenant import Tenant  # noqa: E402
from vm import MIB, Disk, Vm  # noqa: E402

POINT = "/srv/data"
LUKS = "--pbkdf pbkdf2 --pbkdf-force-iterations 1000 --sector-size 4096 --key-size 512"
# Direct I/O, so that no cache of the guest's answers.
WORK = {"read 1M": "dd if={d} of=/dev/null bs=1M count={n} iflag=direct", "write 1M": "dd if=/dev/zero of={d} bs=1M count={n} oflag=direct",
        "read 4k": "dd if={d} of=/dev/null bs=4k count=2000 iflag=direct", "write 4k": "dd if=/dev/zero of={d} bs=4k count=2000 oflag=direct"}


def seconds(vm, command):
    return float(re.search(r"([\d.]+) s,", vm.run(f"{command} 2>&1 | tail -n 1")).group(1))


def costs(vm):
    pid = vm.run("systemctl show -P MainPID keyward-agent")
    memory = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", vm.run(f"cat /proc/{pid}/status")))
    disk = vm.run("du -skc /usr/local/sbin/keyward-* /usr/local/libexec/keyward /etc/keyward /var/lib/keyward | tail -n 1").split()[0]
    total, used = vm.run("free -m | sed -n 's/^Mem: *//p'").split()[:2]
    print(f"agent, volume open: {memory['VmRSS']} KiB resident, {memory['VmHWM']} KiB at most; {disk} KiB on disk; "
          f"the machine has {total} MiB of memory and uses {used}", flush=True)


def speed(vm, size, repeat):
    vm.run(f"head -c 32 /dev/urandom >/run/key; cryptsetup luksFormat -q {LUKS} /dev/vdb /run/key && "
           "cryptsetup open --key-file /run/key /dev/vdb plain")
    device = vm.run(f"findmnt -no SOURCE {POINT}")
    vm.run(f"umount {POINT}")
    for name, work in WORK.items():
        taken = {what: [] for what in ("agent", "cryptsetup", "disk")}
        for _ in range(repeat):
            for what, d in zip(taken, (device, "/dev/mapper/plain", "/dev/vdc")):
                taken[what].append(seconds(vm, work.format(d=d, n=size)))
        middle = {what: statistics.median(t) for what, t in taken.items()}
        print(f"{name:9} agent {middle['agent']:6.2f} s, cryptsetup {middle['cryptsetup']:6.2f} s, bare disk {middle['disk']:6.2f} s; "
              f"agent / cryptsetup {middle['cryptsetup'] / middle['agent']:.2f}", flush=True)


def main():
    usage = argparse.ArgumentParser(description="The agent in a small virtual machine.")
    usage.add_argument("--size", type=int, default=64, help="MiB that are read and written (64)")
    usage.add_argument("--repeat", type=int, default=5, help="each measurement so often; the median counts (5)")
    o = usage.parse_args()
    state = ROOT / "var" / "bench-guest"
    shutil.rmtree(state, ignore_errors=True)
    with Installation(state / "server", "release", free_port(), sites={"agents": "agents.keyward.test"}) as it:
        it.prepare()
        it.start()
        tenant = Tenant(it)
        tenant.release_automatically()
        vm = Vm(state / "vm", disks=[Disk(name, (o.size + 32) * MIB) for name in ("data", "plain", "bare")])
        try:
            vm.boot()
            tenant.register(vm)
            device = tenant.device("data")
            tenant.encrypt(device, POINT)
            vm.run("systemctl start --no-block keyward-agent")
            tenant.becomes(device, "in-use")
            costs(vm)
            vm.run("systemctl kill -s KILL keyward-agent; systemctl stop keyward-agent")
            speed(vm, o.size, o.repeat)
        finally:
            vm.forget()
    shutil.rmtree(state, ignore_errors=True)


main()
