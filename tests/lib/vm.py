"""A virtual machine: QEMU in software emulation on the image of vmimage.py, as tests see it.

    vm = Vm(folder, disks=[Disk("data", 64 * MIB)])
    vm.boot()                            # until commands can be run; volumes and services may come later
    vm.run("mountpoint /srv")            # what it printed; Failed with it where its status is not 0
    vm.write("/etc/keyward/agent.conf", text)
    vm.power_cut()                       # as pulling the plug; what was not flushed is gone
    vm.boot()                            # the same disks again
    vm.shutdown()                        # as an orderly poweroff

The host's 127.0.0.1 is 10.0.2.2 in there (agents.keyward.test), and ::1 is fec0::2."""
import base64
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import uuid

import vmimage
from stack.place import place
from stack.process import Failed, Process, wait_until

MIB = 1 << 20
BOOT_SECONDS = 240           # guards against hanging: an idle machine needs six
RUN_SECONDS = 240
CACHE = "cache=writeback"    # of QEMU: a write is lost by a power cut unless the guest has flushed it
# What is slower emulated than done without: wide registers, string instructions of whole copies, more checks and levels at each access.
CPU = "max," + ",".join(f"-{feature}" for feature in ("avx", "avx2", "xsave", "erms", "fsrm", "la57", "smap", "smep"))
# Nobody attacks the emulated processor: detours around speculation that it does not do, and a kernel that moves itself at each boot, only cost.
# Programs lie at the same addresses in each process, too: QEMU translates a library once then, and not for each process that is started.
KERNEL_ARGUMENTS = "root=/dev/nvme0n1 rw console=ttyS0 quiet panic=1 systemd.show_status=0 nokaslr norandmaps mitigations=off"
# How each bus calls its disks inside, beside what QEMU's own device is called.
BUSES = {
    "virtio": "virtio-blk-pci,drive={id},serial={serial}",
    "scsi": "scsi-hd,drive={id},serial={serial},bus=scsi0.0",
    "nvme": "nvme,drive={id},serial={serial}",
    "ide": "ide-hd,drive={id},serial={serial}",
}


# Nothing but the script is started: the pause is a read of what never says anything.
WAIT = """SECONDS=0; exec {{idle}}<> <(:)
while ((SECONDS < {seconds})); do
	began=${{EPOCHREALTIME/./}}
	( {script}
	) >/run/test-tried 2>&1 && exit 0
	pause=$((3 * (${{EPOCHREALTIME/./}} - began)))
	((pause >= SECONDS * 50000)) || pause=$((SECONDS * 50000))
	((pause >= 200000)) || pause=200000
	((pause <= 1500000)) || pause=1500000
	printf -v pause %d.%06d $((pause / 1000000)) $((pause % 1000000))
	read -r -t "$pause" -u "$idle"
done
tail -n 20 /run/test-tried; exit 1"""


@dataclasses.dataclass
class Disk:
    """SERIAL is what the guest reads; file and size belong to the machine's folder."""
    name: str
    size: int = 64 * MIB
    bus: str = "virtio"
    serial: str = ""
    read_only: bool = False


# Beside the BIOS that QEMU brings: UEFI with keys, which makes secure boot be on, and without any.
OVMF = pathlib.Path("/usr/share/OVMF")
SECURE_BOOT, UEFI = "OVMF_VARS_4M.snakeoil.fd", "OVMF_VARS_4M.fd"


def _first_answer(read):
    """(number, status, output) of the first whole answer of READ or None, and what follows it."""
    head, newline, rest = read.partition(b"\n")
    number, status, length = map(int, head.split()) if newline else (0, 0, 0)
    if not newline or len(rest) < length:
        return None, read
    return (number, status, rest[:length].decode(errors="replace")), rest[length:]


class Vm:
    def __init__(self, folder, name="guest", memory_mib=613, processors=1, disks=(), kernel_arguments="", firmware=""):
        """FOLDER is the machine's own. NAME is for messages. FIRMWARE: SECURE_BOOT, UEFI or BIOS; it can be another one at the next boot.
        All of it is made at the first boot."""
        self.folder = place(folder)
        self.name, self.memory_mib, self.processors = name, memory_mib, processors
        self.disks, self.kernel_arguments, self.firmware = list(disks), kernel_arguments, firmware
        self.uuid = str(uuid.uuid4())
        self.image, self.has_scsi = None, False
        self.process = self.channel = self.reader = None
        self.count = 0
        for part in ("pid", "log"):
            (self.folder / part).mkdir(exist_ok=True)

    # Disks

    def file(self, disk):
        return self.folder / f"{disk.name}.img"

    def add(self, disk, source=None):
        """Before the next boot. SOURCE: a file to start as a copy of."""
        self.disks.append(disk)
        if source:
            subprocess.run(["cp", "--sparse=always", str(source), str(self.file(disk))], check=True)
        return disk

    def plug(self, disk):
        """A SCSI disk, while the machine runs; it stays."""
        self.qmp("blockdev-add", **{"driver": "raw", "node-name": disk.name, "file": {"driver": "file", "filename": str(self.file(disk))}})
        self.qmp("device_add", driver="scsi-hd", id=f"plugged-{disk.name}", drive=disk.name, serial=disk.serial or disk.name, bus="scsi0.0")
        self.disks.append(disk)

    def _make_disks(self):
        self.has_scsi = self.has_scsi or any(d.bus == "scsi" for d in self.disks)
        self.image = self.image or vmimage.image()
        root = self.folder / "root.qcow2"
        if not root.exists():
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(self.image.disk), "-F", "raw", str(root)], check=True)
        for disk in self.disks:
            if not self.file(disk).exists():
                with open(self.file(disk), "wb") as f:
                    f.truncate(disk.size)

    def clone(self, folder, name="clone", same_uuid=False):
        """Another machine with copies of all disks, as a cloud starts one from a snapshot. This one should be off, or have
        been cut off, or be taken as it is at this moment."""
        other = Vm(folder, name, self.memory_mib, self.processors, [dataclasses.replace(d) for d in self.disks], self.kernel_arguments)
        other.image = self.image
        if same_uuid:
            other.uuid = self.uuid
        for file in (self.folder / "root.qcow2", *(self.file(d) for d in self.disks)):
            subprocess.run(["cp", "--sparse=always", str(file), str(other.folder / file.name)], check=True)
        return other

    # Starting and ending

    def _firmware(self):
        if not self.firmware:
            return []
        variables = self.folder / self.firmware
        if not variables.exists():
            shutil.copy(OVMF / self.firmware, variables)
        return ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1",
                "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF / 'OVMF_CODE_4M.secboot.fd'}",
                "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]

    def _arguments(self):
        machine = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", str(self.processors), "-m",
                   str(self.memory_mib), "-uuid", self.uuid, "-display", "none", "-no-reboot", "-nodefaults", "-name", self.name,
                   "-kernel", str(self.image.kernel), "-append",
                   f"{KERNEL_ARGUMENTS} {self.kernel_arguments}",
                   "-chardev", f"file,id=console,path={self.console_file},append=on", "-serial", "chardev:console",
                   "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
                   "-chardev", f"socket,id=commands,path={self.folder}/commands,server=on,wait=off", "-device", "virtio-serial-pci",
                   "-device", "virtserialport,chardev=commands,name=keyward.test",
                   "-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile=,id=nic0",
                   "-object", "rng-random,id=rng0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=rng0",
                   "-drive", f"file={self.folder}/root.qcow2,if=none,id=root,{CACHE}", "-device", "nvme,drive=root,serial=root"]
        machine += self._firmware()
        if self.has_scsi:
            machine += ["-device", "virtio-scsi-pci,id=scsi0"]
        for d in self.disks:
            drive = f"file={self.file(d)},format=raw,if=none,id={d.name},{CACHE}" + (",readonly=on" if d.read_only else "")
            machine += ["-drive", drive, "-device", BUSES[d.bus].format(id=d.name, serial=d.serial or d.name)]
        return machine

    @property
    def console_file(self):
        """QEMU's own log as well: the runner shows its end when a test has failed."""
        return self.folder / "log" / "qemu.log"

    def console(self):
        """What the kernel and all services have said, in all boots."""
        return self.console_file.read_text(errors="replace") if self.console_file.exists() else ""

    def start(self):
        """Switches it on and does not wait."""
        self._make_disks()
        self._hang_up()
        argv = self._arguments()
        argv[0] = shutil.which(argv[0]) or argv[0]
        self.process = Process("qemu", argv, self.folder)
        self.process.start()

    def boot(self):
        self.start()
        self.wait_up()

    def wait_up(self):
        """Until its first service answers."""
        end = time.monotonic() + BOOT_SECONDS
        wait_until((self.folder / "commands").exists, BOOT_SECONDS, f"{self.name}: QEMU does not start", self.process.alive)
        self._call(end)

    def _call(self, end):
        """The channel; the guest says "ready" on it when it is up, but not to whom has hung up before."""
        while True:
            try:
                self.channel = socket.socket(socket.AF_UNIX)
                self.channel.settimeout(1)
                self.channel.connect(str(self.folder / "commands"))
                break
            except OSError:
                self._alive(end, "its command channel cannot be opened")
        self.reader = b""
        while b"ready\n" not in self.reader:
            try:
                self.reader += self.channel.recv(65536)
            except TimeoutError:
                pass
            self._alive(end, "it does not come up")
        self.reader = self.reader.split(b"ready\n", 1)[1]

    def _alive(self, end, what):
        if not self.process.alive():
            raise Failed(f"{self.name}: the machine has ended\n{self._last_words()}")
        if time.monotonic() > end:
            raise Failed(f"{self.name}: {what}\n{self._last_words()}")

    def _last_words(self):
        return self.process.last_lines(40)

    def alive(self):
        return self.process is not None and self.process.alive()

    def _hang_up(self):
        if self.channel:
            self.channel.close()
        self.channel = None

    def power_cut(self):
        self._hang_up()
        if self.process:
            self.process.kill()
        for name in ("commands", "qmp"):
            (self.folder / name).unlink(missing_ok=True)

    def shutdown(self, seconds=BOOT_SECONDS):
        """In good order, with all stop jobs. What was not written before is lost, as when the power goes afterwards."""
        self.run("systemctl poweroff --no-block")
        wait_until(lambda: not self.alive(), seconds, f"{self.name} does not shut down")
        self.power_cut()

    def reboot(self):
        self.shutdown()
        self.boot()

    def forget(self):
        self.power_cut()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Talking

    def command(self, script, seconds=RUN_SECONDS):
        """Status and output of a bash SCRIPT."""
        self.count += 1
        self.channel.settimeout(1)
        line = script.replace("\\", "\\\\").replace("\n", "\\n")
        self.channel.sendall(f"{self.count} {line}\n".encode())
        end = time.monotonic() + seconds
        while True:
            answer, self.reader = _first_answer(self.reader)
            if answer and answer[0] == self.count:
                return answer[1:]
            if answer:
                continue
            try:
                more = self.channel.recv(1 << 20)
                if not more:
                    raise Failed(f"{self.name}: the machine has hung up on: {script}\n{self._last_words()}")
                self.reader += more
            except TimeoutError:
                self._alive(end, f"no answer to: {script}")

    def run(self, script, seconds=RUN_SECONDS):
        """What it printed, without the last line end."""
        status, output = self.command(script, seconds)
        if status != 0:
            raise Failed(f"{self.name}: status {status} of: {script}\n{output}")
        return output.rstrip("\n")

    def ok(self, script):
        return self.command(script)[0] == 0

    def wait(self, script, what, seconds=RUN_SECONDS):
        """Until SCRIPT's status is 0: asked inside, so that each try costs little; what takes long to ask is asked seldom."""
        status, output = self.command(WAIT.format(script=script, seconds=seconds * 2), seconds * 2 + 60)
        if status != 0:
            raise Failed(f"{self.name}: {what}: {script}\n{output}\n{self.journal()}")

    def write(self, path, content, mode=0o644):
        """Small files: the way in is slow. For others, add a disk with the bytes on it."""
        data = content if isinstance(content, bytes) else content.encode()
        self.run(f"mkdir -p $(dirname {path}) && base64 -d >{path} <<'END'\n{base64.b64encode(data).decode()}\nEND\nchmod {mode:o} {path}")

    def journal(self, lines=40, unit=None):
        return self.command(f"journalctl --no-pager -o short-monotonic -n {lines} " + (f"-u {unit}" if unit else ""))[1]

    def qmp(self, execute, **arguments):
        """One command of QEMU's machine protocol; its answer."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(str(self.folder / "qmp"))
            f = s.makefile("rw")
            f.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                f.write(json.dumps(request) + "\n")
                f.flush()
                answer = json.loads(f.readline())
                while "event" in answer:
                    answer = json.loads(f.readline())
                if "error" in answer:
                    raise Failed(f"{self.name}: {execute}: {answer['error']['desc']}")
        return answer["return"]
