"""The guest's programs beside a test, against a running server: an account, guests with the sanitized agent, and the waits that go with
them. The console's part is played with the console's own store functions (console_tool).

A test file takes the fixtures that it wants by importing them."""
import json
import os
import pathlib
import re
import subprocess
import threading
import uuid

from fixtures import ROOT, fixture, scratch
from stack.guest import Guest
from stack.process import Failed, wait_until
from web import database, make_user

TOOL = ROOT / "build" / "sanitize" / "tests" / "unit" / "console_tool"
MIB = 1024 * 1024
QUICK = {"heartbeat": "1", "log_level": "debug", "stop_seconds": "2"}
SLOW = 90            # seconds for what takes two on an idle machine without sanitizers


class Tenant:
    """An account of the running server, and what its people do in the console."""

    def __init__(self, server):
        self.server, self.name = server, "agents" + uuid.uuid4().hex[:8]
        self.tool, self.asking = None, threading.Lock()
        name = self.name
        created = server.keyward("tenant", "create", name, name, "admin@example.test")
        self.account = re.search(r"account id: (\S+)", created).group(1)
        self.passphrase = re.search(r"passphrase: (\S+)", server.keyward("tenant", "passphrase", name)).group(1)
        with database(server).cursor() as c:
            c.execute("select id from app_user where tenant = %s and email = %s", (self.account, make_user(server, self.account)))
            self.user = str(c.fetchone()[0])

    def console(self, *args):
        """What console_tool.c says to this command."""
        with self.asking:
            if self.tool is None or self.tool.poll() is not None:
                self.tool = subprocess.Popen([str(TOOL), self.server.conninfo("keyward_console"), self.account], text=True,
                                             env={**os.environ, "CONSOLE_USER": self.user}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.tool.stdin.write(json.dumps(list(map(str, args))) + "\n")
            self.tool.stdin.flush()
            said = [self.tool.stdout.readline()]
            while said[-1] and said[-1][0] in "[{":
                said.append(self.tool.stdout.readline())
        assert said[-1] == "done\n", f"{args}: {said[-1]}"
        return json.loads(said[0]) if len(said) > 1 else None

    def device(self, guest, path=None):
        wanted = path if str(path).startswith("raid:") else f"file:{path or guest.disk}"
        row = [r for r in self.console("devices")["rows"] if r["provider_device"] == wanted]
        return self.console("device", row[0]["id"]) if row else None

    def instance(self, guest):
        return self.console("instance", guest.name)

    def requests(self, guest, path=None):
        """Of the guest's disk, the newest first."""
        device = self.device(guest, path)["id"]
        return [r for r in self.console("requests")["rows"] if r["device"] == device]

    def request(self, guest, status, path=None):
        """Waits for the newest request to have STATUS."""
        seen = []

        def there():
            seen[:] = self.requests(guest, path)[:1]
            return [r["status"] for r in seen] == [status]
        wait_for(guest, there, f"no {status} request")
        return seen[0]

    def approve(self, guest, path=None):
        self.console("approve", self.request(guest, "pending", path)["id"])

    def status(self, guest, wanted, path=None):
        wait_for(guest, lambda: self.device(guest, path)["status"] == wanted, f"the device is not {wanted}")

    def order(self, guest, kind, argument=""):
        self.console("order", self.instance(guest)["id"], kind, "", argument)

    def encrypt(self, guest, path=None, point=None, filesystem="ext4", access="read-write", mode="xts-plain64", bits=256,
                overwrite=0):
        device = self.device(guest, path)["id"]
        self.console("configure", device, filesystem, point or guest.mount_point, access, mode, bits)
        self.console("encrypt", device, overwrite)


def start(guest):
    """Starts the agent; what it said before is not looked at any more."""
    guest.said = len(log(guest, all_runs=True))
    guest.start()


def log(guest, all_runs=False):
    text = guest.process.log.read_text() if guest.process.log.exists() else ""
    return text if all_runs else text[getattr(guest, "said", 0):]


def wait_for(guest, ask, what, seconds=SLOW):
    """With the agent's last words where it does not come true."""
    try:
        wait_until(ask, seconds, what, guest.process.alive)
    except Failed as e:
        raise AssertionError(f"{e}\n{guest.process.last_lines(30)}") from None


def has_line(guest, text):
    wait_for(guest, lambda: text in log(guest), f"the log does not say \"{text}\"")


def mounts(guest):
    wait_for(guest, guest.mounted, "not mounted")


def unmounts(guest):
    wait_until(lambda: not guest.mounted(), SLOW, "still mounted")


def engines(guest):
    """Processes of the user-space engine, and mapped devices, that belong to this guest."""
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (proc / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(guest.folder) in words and "keyward-volume" in words:
            found.append(words)
    return found


def tool(guest, *args, **more):
    """keyward-config beside the test."""
    argv = [str(guest.programs / "keyward-config"), "--conf", str(guest.conf), "--state", str(guest.state), *args]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            **more)


def token_or_none(disk):
    """What the token of a volume says of it, once there is one."""
    p = subprocess.run(["cryptsetup", "token", "export", "--token-id", "0", str(disk)], stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, check=False)
    return json.loads(p.stdout) if p.returncode == 0 else None


def new_guest(server, folder, **settings):
    guest = Guest(folder, server.address("agents"), server.ca, "sanitize", "guest-" + uuid.uuid4().hex[:8], 64 * MIB,
                  {**QUICK, **settings})
    guest.prepare()
    return guest


def finish(guest):
    """Ends the agent and closes what a failed test has left open."""
    guest.stop()
    if guest.mounted():
        subprocess.run(["umount", "-l", str(guest.mount_point)], check=False)


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, folder):
    """A guest that is not registered."""
    g = new_guest(server, folder / "guest")
    yield g
    finish(g)


@fixture("file")
def encrypted(server, tenant):
    """A guest with one encrypted volume and a file on it; its agent does not run. Tests leave it so."""
    g = new_guest(server, scratch() / ("guest-" + uuid.uuid4().hex[:8]))
    g.register(tenant.account, tenant.passphrase)
    tenant.encrypt(g)
    start(g)
    tenant.approve(g)
    mounts(g)
    (g.mount_point / "file").write_text("kept")
    assert g.stop()
    yield g
    finish(g)
    g.forget()


def run(guest, tenant):
    """Starts the agent of an encrypted guest and lets it mount."""
    start(guest)
    tenant.approve(guest)
    mounts(guest)
