"""A guest on this very machine: the agent with a volume file of its own, so that one machine shows the whole way of a key."""
import fcntl
import json
import os
import pathlib
import shutil
import subprocess

from stack.process import Failed, Process

ROOT = pathlib.Path(__file__).resolve().parents[2]
DISK_BYTES = 256 * 1024 * 1024
STOP_SECONDS = 90            # the agent's own patience with busy volumes, and some more
counted = None               # a folder for the count of updates that wait: with it, guests of this machine have it counted once for all


def _count_updates(programs, state):
    """Seconds of processor time that each new guest would spend, and its first key request wait for."""
    counted.mkdir(parents=True, exist_ok=True)
    with open(counted / "alone", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Ends at once where the count is of now.
        subprocess.run([str(programs / "keyward-facts"), "--count-updates", str(counted)], check=False, stdin=subprocess.DEVNULL)
    if (counted / "updates.json").exists():
        shutil.copy2(counted / "updates.json", state)


class Guest:
    def __init__(self, folder, url, ca, build="release", name="guest", disk_bytes=DISK_BYTES, settings=None):
        """URL of the agent service, CA file to trust. NAME: what this machine is called as an instance. SETTINGS: more lines for
        agent.conf, by name."""
        self.folder = pathlib.Path(folder)
        self.url, self.ca, self.name, self.disk_bytes = url, ca, name, disk_bytes
        self.settings = settings or {}
        self.programs = ROOT / "build" / build / "agent"
        self.conf = self.folder / "agent.conf"
        self.state = self.folder / "state"
        self.disk = self.folder / "disk.img"
        self.mount_point = self.folder / "mnt"
        self.process = None

    def prepare(self):
        for f in (self.folder, self.state, self.mount_point, self.folder / "run", self.folder / "log", self.folder / "pid"):
            f.mkdir(parents=True, exist_ok=True)
        self.state.chmod(0o700)
        if counted:
            _count_updates(self.programs, self.state)
        if not self.disk.exists():
            with open(self.disk, "wb") as f:
                f.truncate(self.disk_bytes)
            self.disk.chmod(0o600)
        settings = {"ca_file": self.ca, "instance_id": self.name, "devices": self.disk, "run": self.folder / "run",
                    "volume_program": self.programs / "keyward-volume",
                    "facts_program": self.programs / "keyward-facts", "plugins": self.programs / "plugin", **self.settings}
        self.conf.write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
        self._move()
        self.process = Process("agent", [str(self.programs / "keyward-agent"), "--conf", str(self.conf), "--state", str(self.state)],
                               self.folder)

    def config(self, *args, passphrase=None, check=True):
        """The Configuration Tool; its finished process. PASSPHRASE goes in by the environment, not where ps shows it."""
        env = dict(os.environ)
        if passphrase is not None:
            env["KEYWARD_PASSPHRASE"] = passphrase
        p = subprocess.run([str(self.programs / "keyward-config"), "--conf", str(self.conf), "--state", str(self.state), *args],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        if check and p.returncode != 0:
            raise Failed(f"keyward-config {args[0] if args else ''} failed:\n{p.stdout}{p.stderr}".strip())
        return p

    def register(self, account, passphrase):
        self.config("--register", "--url", self.url, "--guid", account, "--publish-inventory", passphrase=passphrase)

    def registered(self):
        return (self.state / "identity.json").exists()

    def _move(self):
        """The registration holds the service's address, which changes with the installation's port."""
        file = self.state / "identity.json"
        identity = json.loads(file.read_text()) if file.exists() else None
        if identity and identity["url"] != self.url:
            new = file.with_suffix(".new")
            new.write_text(json.dumps(dict(identity, url=self.url)))
            new.chmod(0o600)
            new.rename(file)

    def start(self):
        self.process.start()

    def stop(self):
        """Unmounts, closes and ends; whether all of it went by itself."""
        return self.process is None or self.process.stop(STOP_SECONDS)

    def mounted(self):
        return os.path.ismount(self.mount_point)

    def forget(self):
        """Removes the guest with its volume."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
