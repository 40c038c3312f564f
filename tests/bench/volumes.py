"""Open volumes of three kinds for the benchmark, each with ext4 on it, and fio's four patterns on any of them.

All three take the same way into the kernel: a loop device on a file. The plain one's file is the image itself; ours and
qemu-storage-daemon's are served over FUSE from a LUKS image. Images lie side by side in one folder. As "disks" the images are loop
devices with direct I/O, so that nothing below the volumes is kept in memory; as files they are in the page cache.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time

from load import ROOT, TICK, tool
from stack.process import Failed

PROGRAMS = ROOT / "build" / "release"
PATTERNS = {"write 1M": ("write", "1M"), "read 1M": ("read", "1M"), "random write 4k": ("randwrite", "4k"),
            "random read 4k": ("randread", "4k")}
DEPTH = 16
IMAGE, FILE = "1536M", "1G"
SECRET = "bench-passphrase-0123456789abcdef"


def process(*argv):
    """The process whose arguments begin like that."""
    begin = b"".join(a.encode() + b"\0" for a in argv)
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if p.read_bytes().startswith(begin):
                return int(p.parent.name)
        except OSError:              # it has ended in between
            pass
    raise Failed(f"no process {argv[0]}")


class Volume:
    """A mounted file system with one file, written once, so that no block is allocated while it is measured."""

    def __init__(self, folder, on_disk):
        self.folder, self.on_disk = folder, on_disk
        self.image, self.point = folder / "image", folder / "mnt"
        self.point.mkdir(parents=True)
        self.loops, self.server = [], None
        tool("truncate", "-s", IMAGE, str(self.image))

    def prepare(self):
        self.below = self.attach(self.image, "--direct-io=on") if self.on_disk else str(self.image)
        self.device = self.open()
        tool("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.device)
        tool("mount", "-o", "noatime", self.device, str(self.point))
        self.fio("write", "1M", "--ioengine=psync", "--fsync_on_close=1")

    def attach(self, file, *options):
        self.loops.append(tool("losetup", "--find", "--show", *options, str(file)).strip())
        return self.loops[-1]

    @staticmethod
    def detach(loops):
        for loop in loops:
            subprocess.run(["losetup", "--detach", loop], stderr=subprocess.DEVNULL)

    def close(self):
        subprocess.run(["umount", str(self.point)], stderr=subprocess.DEVNULL)
        self.detach(self.loops[self.on_disk:])
        self.end()
        self.detach(self.loops[:self.on_disk])
        shutil.rmtree(self.folder, ignore_errors=True)

    def end(self):
        pass

    def fio(self, mode, block, *options):
        out = tool("fio", "--name=x", f"--filename={self.point}/file", f"--size={FILE}", f"--rw={mode}", f"--bs={block}",
                   "--direct=1", "--randrepeat=0", "--output-format=json", *options)
        job = json.loads(out[out.index("{"):])["jobs"][0]
        if job["error"]:
            raise Failed(f"fio: error {job['error']} on {self.device}")
        return job["write" if "write" in mode else "read"]

    def measure(self, pattern, seconds):
        """(MiB/s or requests/s, microseconds of the server's processor time per MiB or request)"""
        mode, block = PATTERNS[pattern]
        before = self.spent()
        side = self.fio(mode, block, "--ioengine=libaio", f"--iodepth={DEPTH}", "--time_based", f"--runtime={seconds}")
        count = side["io_bytes"] / 2**20 if block == "1M" else side["total_ios"]
        return count / (side["runtime"] / 1000), (self.spent() - before) * 1e6 / count

    def spent(self):
        """Seconds of the server's processor time; it has no children."""
        if not self.server:
            return 0
        with open(f"/proc/{self.server}/stat", encoding="ascii") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / TICK


class Plain(Volume):
    def open(self):
        return self.below if self.on_disk else self.attach(self.below)


class Ours(Volume):
    def tool(self, command, **values):
        values.update(env=self.folder / "run", program=PROGRAMS / "agent" / "keyward-volume", key=self.folder / "key",
                      name=f"bench-{os.getpid()}")
        argv = [PROGRAMS / "tests" / "bench" / "volume_tool", command, *(f"{k}={v}" for k, v in values.items())]
        # Errors are not waited for: the process that stays keeps that end of the pipe.
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"volume_tool {command}: {done.stdout}")
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    def open(self):
        (self.folder / "key").write_text(SECRET)
        self.tool("format", path=self.below)
        device = self.tool("open", path=self.below, engine="userspace")["device"]
        self.server = process("@keyward-volume", str(self.folder / "run"))
        return device

    def end(self):
        try:
            self.tool("close", force=1)
        except Failed:
            pass


class Peer(Volume):
    """LUKS1 is what qemu-storage-daemon knows: the same sectors of AES-256-XTS, of 512 bytes."""

    def open(self):
        secret, served = self.folder / "key", self.folder / "served"
        secret.write_text(SECRET)
        served.touch()
        tool("cryptsetup", "luksFormat", "--type", "luks1", "--batch-mode", "--key-file", str(secret), "--key-size", "512",
             "--pbkdf-force-iterations", "1000", self.below)
        self.process = subprocess.Popen(
            ["qemu-storage-daemon", "--object", f"secret,id=key,file={secret}", "--blockdev",
             f"driver={'host_device' if self.on_disk else 'file'},node-name=file,filename={self.below},aio=threads,"
             f"cache.direct={'on' if self.on_disk else 'off'}", "--blockdev",
             "driver=luks,node-name=plain,file=file,key-secret=key", "--export",
             f"type=fuse,id=export,node-name=plain,mountpoint={served},writable=on"])
        self.server = self.process.pid
        for _ in range(3000):
            if os.path.ismount(served):
                return self.attach(served, "--direct-io=on")
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise Failed("qemu-storage-daemon does not serve")

    def end(self):
        if hasattr(self, "process"):
            self.process.terminate()
            self.process.wait()


KINDS = {"plain loop": Plain, "keyward": Ours, "qemu": Peer}


@contextlib.contextmanager
def opened(folder, on_disk):
    """All kinds, by name."""
    volumes = {}
    try:
        for name, kind in KINDS.items():
            volumes[name] = kind(folder / kind.__name__.lower(), on_disk)
            volumes[name].prepare()
        yield volumes
    finally:
        for v in volumes.values():
            v.close()
