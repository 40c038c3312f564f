"""A scratch folder with a key and the volume tool; closes what a test left open. Also the sector ciphers, written down a second
time from dm-crypt's description with other tools than the product's."""
import contextlib
import fcntl
import hashlib
import os
import pathlib
import signal
import struct
import subprocess
import time

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "build/sanitize/tests/unit/volume_tool"
PROGRAM = ROOT / "build/sanitize/agent/keyward-volume"
DATA_OFFSET = 16 * 1024 * 1024
MIB = 1024 * 1024


class Failed(Exception):
    """The tool's "error=CODE text"."""

    def __init__(self, text):
        super().__init__(text)
        self.code = text.split(" ", 1)[0]


def run(*argv, **more):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       timeout=240, **more)
    if p.returncode != 0:
        raise AssertionError(f"{argv}: status {p.returncode}\n{p.stdout.decode(errors='replace')}")
    return p.stdout.decode(errors="replace")


def wait_for(what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def has_ended(pid):
    """All of its threads, and so whatever they had open: that is let go after the locks."""
    try:
        return all((t / "stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX" for t in pathlib.Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return True


class Box:
    def __init__(self, folder, plain=False):
        self.folder, self.plain = folder, plain
        self.run_dir = folder / "run"
        self.program = PROGRAM
        self.key = self.new_key("key")
        self.log = open(folder / "log", "ab")

    def new_key(self, name, size=32):
        path = self.folder / name
        path.write_bytes(os.urandom(size))
        return path

    def image(self, name, size):
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.touch()
        os.truncate(path, size)
        return path

    def own(self, name):
        """What the volume NAME is called: device mapper has one name space for all that runs on a machine."""
        return name if self.plain else f"{name}-{self.folder.name}"

    def start(self, command, **values):
        argv = [TOOL, command, f"env={self.run_dir}", f"program={self.program}"]
        values.setdefault("key", self.key)
        if "name" in values:
            values["name"] = self.own(values["name"])
        argv += [f"{k}={v}" for k, v in values.items()]
        return subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)

    def tool(self, command, **values):
        p = self.start(command, **values)
        out = p.communicate(timeout=240)[0].decode()
        found = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        if p.returncode != 0:
            raise Failed(found.get("error", f"internal status {p.returncode}: {(self.folder / 'log').read_text()[-3000:]}"))
        return found

    def refused(self, command, code, **values):
        """The text of a refusal with CODE."""
        try:
            got = self.tool(command, **values)
        except Failed as e:
            assert e.code == code, str(e)
            return str(e)
        raise AssertionError(f"{command} was not refused: {got}")

    def open(self, path, name, **values):
        return self.tool("open", path=path, name=name, **values)["device"]

    def status(self, name):
        """Empty as long as there is none."""
        try:
            return self.tool("status", name=name)
        except Failed:
            return {}

    def close(self, name, **values):
        self.tool("close", name=name, **values)

    def pid(self, name):
        """The process that serves NAME, or begins to, or is about to have ended."""
        for p in pathlib.Path("/proc").iterdir():
            if p.name.isdigit():
                try:
                    argv = (p / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if argv[:3] == [b"@keyward-volume", str(self.run_dir).encode(), self.own(name).encode()]:
                    return int(p.name)
        return self.holder(name)

    def holder(self, name):
        """The process that has the lock of NAME. One that is killed loses its arguments first."""
        try:
            with open(self.run_dir / f"{self.own(name)}.lock", "rb") as f:
                lock = fcntl.fcntl(f, fcntl.F_GETLK, struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        except FileNotFoundError:
            return None
        kind, _, _, _, pid = struct.unpack("hhqqi", lock)
        return None if kind == fcntl.F_UNLCK else pid

    def kill(self, name, sig=signal.SIGKILL):
        pid = self.pid(name)
        assert pid, f"nobody serves {name}"
        os.kill(pid, sig)
        wait_for(lambda: self.pid(name) is None and has_ended(pid))

    def clean(self):
        for state in self.run_dir.glob("*.json"):
            try:
                self.close(state.stem.removesuffix(self.own("")), force=1)
            except Failed:
                pass
        self.log.close()
        # What libfuse says of itself would stand on the terminal of whoever opened the volume.
        assert b"fuse: " not in (self.folder / "log").read_bytes()


def write_device(device, data, at=0):
    with open(device, "r+b", buffering=0) as f:
        f.seek(at)
        assert f.write(data) == len(data)
        os.fsync(f.fileno())


def read_device(device, size, at=0):
    """Past the page cache, which would answer for us."""
    fd = os.open(device, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        out = b""
        while len(out) < size:
            more = os.pread(fd, size - len(out), at + len(out))
            assert more
            out += more
        return out
    finally:
        os.close(fd)


def backing_name(device):
    """What the file is called that a loop device is over: of a volume's, its own name and folder."""
    return pathlib.Path(f"/sys/block/{device[5:]}/loop/backing_file").read_text().strip().rsplit("/", 1)[-1]


def backed_by(name):
    """The loop devices over a file of that NAME, whichever they are: numbers that become free are others' at once."""
    found = []
    for file in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if file.read_text().strip().rsplit("/", 1)[-1] == name:
                found.append(f"/dev/{file.parts[3]}")
    return sorted(found)


def used(path):
    """Bytes that a file takes up."""
    return os.stat(path).st_blocks * 512


def volume_key(path, key):
    out = path.parent / "volume-key"
    out.unlink(missing_ok=True)
    run("cryptsetup", "luksDump", "--dump-volume-key", "--volume-key-file", out, "--key-file", key, "--batch-mode", path)
    raw = out.read_bytes()
    out.unlink()
    return raw


def sector_cipher(mode, key, number):
    iv = struct.pack("<QQ", number, 0)
    if mode == "xts":
        return Cipher(algorithms.AES(key), modes.XTS(iv))
    salt = Cipher(algorithms.AES(hashlib.sha256(key).digest()), modes.ECB()).encryptor()
    return Cipher(algorithms.AES(key), modes.CBC(salt.update(iv)))


def transform(mode, key, sector, data, decrypt):
    """All of a data segment; sector numbers count 512-byte units whatever the sector's size."""
    out = []
    for at in range(0, len(data), sector):
        c = sector_cipher(mode, key, at // 512)
        c = c.decryptor() if decrypt else c.encryptor()
        out.append(c.update(data[at:at + sector]) + c.finalize())
    return b"".join(out)
