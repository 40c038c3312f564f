"""The product's main job from an empty folder to a verified log, step by step through the public interfaces: HTTP as the operator,
the tenant's administrator and the key approver; the agent's own commands in the guest. The demo shows it, the tests repeat it.

Every step can be run again when it was broken off: it looks first what is there already.
"""
import http.client
import json
import os
import pathlib
import re
import secrets

from stack.client import PASSWORD, Client
from stack.guest import Guest
from stack.process import Failed, wait_until

SLUG, TENANT = "demo", "Demo Ltd"
OPERATOR, ADMINISTRATOR, APPROVER = "operator@msp.example", "admin@demo.example", "approver@demo.example"
DENIED_BECAUSE = "not before the change window"
FILE, TEXT = "ledger.txt", "the volume's first file\n"
SECONDS = 120                # that a step may wait for what takes two
TELLS = (                    # what the tenant's log must say, in this order
    "agent.registered", "device.configured", "device.encrypt", "key.created", "device.encrypted", "key.requested", "key.denied",
    "key.approved", "key.delivered", "device.opened", "device.closed", "key.requested", "key.approved", "key.delivered",
    "device.opened", "key.revoke", "key.revoked",
)


class Person(Client):
    """Somebody in front of a console."""

    def __init__(self, installation, site, email, account=None):
        super().__init__(installation, site, keeps=True)
        self.email, self.account = email, account

    def ask(self, path, document=None, but=None):
        """The page as JSON, or what comes of sending the form. Raises Failed with the server's words; None for the status BUT."""
        try:
            answer = self.api(path, document)
        except (OSError, http.client.HTTPException) as e:
            raise Failed(f"{self.email}: {path}: no answer ({e})") from None
        if answer.status == 401 and self.signs_in():
            answer = self.api(path, document)
        if answer.status == but:
            return None
        if answer.status >= 300:
            raise Failed(f"{self.email}: {path} was answered {answer.status}: {answer.text.strip()[:500]}")
        return answer.json

    def signs_in(self):
        """Whether the password is good already."""
        try:
            return self.sign_in(self.email, account=self.account).status == 303
        except (OSError, http.client.HTTPException) as e:
            raise Failed(f"{self.email}: no answer to the sign-in ({e})") from None

    def opens(self, path, **fields):
        """A public form with a new password (set-up, invitation), which leaves its user signed in."""
        self.cookies, self.csrf = {}, ""
        self.ask(path, dict(fields, password=PASSWORD, repeat=PASSWORD))
        self.csrf = self.ask("/session")["csrf"]

    def accepts(self, link):
        """An invitation; a new password by it."""
        query = dict(re.findall(r"(\w+)=([^&]+)", link.partition("?")[2]))
        self.opens("/invitation", **query)

    def rows(self, path):
        return self.ask(path)["list"]["rows"]


class MainJob:
    """INSTALLATION: prepared by the first step. DISK_BYTES, SETTINGS: the guest's, see Guest."""

    def __init__(self, installation, disk_bytes=64 << 20, settings=None):
        self.it = installation
        self.operator = Person(installation, "central", OPERATOR)
        self.administrator = Person(installation, "console", ADMINISTRATOR, SLUG)
        self.approver = Person(installation, "console", APPROVER, SLUG)
        self.setup_code = self.account = self.passphrase = None
        self.admin_link = self.device_id = self.first_request = self.second_request = None
        self.guest = Guest(installation.state / "guest", installation.address("agents"), installation.ca, installation.build_name,
                           "guest-of-the-demo", disk_bytes, settings)

    # The server and its people

    def start(self):
        """the installation starts"""
        found = re.search(r"set-up page: \S*[?&]code=([^&\s]+)", self.it.prepare())
        self.setup_code = found.group(1) if found else None
        self.it.start()

    def set_up(self):
        """the set-up code makes the first operator"""
        if self.operator.signs_in():
            return
        if self.setup_code is None:
            self.setup_code = re.search(r"code=([^&\s]+)", self.it.keyward("setup-code")).group(1)
        self.operator.opens("/setup", code=self.setup_code, name="Olga Operator", email=OPERATOR)

    def create_tenant(self):
        """the operator creates a tenant and gets its administrator's link"""
        there = [r for r in self.operator.rows("/tenants") if r["account"] == SLUG]
        if there:
            page = self.operator.ask(f"/tenants/{there[0]['id']}/invitation", {"name": "Ada Administrator", "email": ADMINISTRATOR})
        else:
            page = self.operator.ask("/tenants/new", {"account": SLUG, "name": TENANT, "admin_name": "Ada Administrator",
                                                      "admin_email": ADMINISTRATOR})
        self.admin_link = page["invitation"]["link"]

    def join_administrator(self):
        """the administrator accepts the invitation"""
        if not self.administrator.signs_in():
            self.administrator.accepts(self.admin_link)

    def read_account(self):
        """the administrator reads account ID and URL, and reveals the passphrase"""
        page = self.administrator.ask("/account")
        self.account, url = page["account"]["id"], page["account"]["web_service"]
        if url != self.it.address("agents"):
            raise Failed(f"the account page names {url} as the agents' address")
        self.passphrase = self.administrator.ask("/account/passphrase/reveal", {})["passphrase"]
        return f"account {self.account}, {url}"

    def invite_approver(self):
        """the administrator invites a Key Approver, who accepts"""
        if self.approver.signs_in():
            return
        there = [r for r in self.administrator.rows("/users") if r["email"] == APPROVER]
        if there:
            page = self.administrator.ask(f"/users/{there[0]['id']}/invitation", {})
        else:
            page = self.administrator.ask("/users/new", {"name": "Kay Approver", "email": APPROVER, "role": "key-approver"})
        self.approver.accepts(page["invitation"]["link"])

    # The guest gets a volume

    def register(self):
        """the guest registers and publishes its devices"""
        self.guest.prepare()
        self.guest.register(self.account, self.passphrase)
        self.device_id = self._device()["id"]
        return f"{self.guest.disk.name}, {self.guest.disk_bytes >> 20} MiB"

    def _device(self):
        rows = [r for r in self.administrator.rows("/devices?limit=200") if r["provider_id"] == f"file:{self.guest.disk}"]
        if not rows:
            raise Failed("the console does not show the guest's device")
        return rows[0]

    def configure(self):
        """the administrator configures the device and asks for encryption"""
        if self._device()["state"] in ("not-configured", "configured"):
            self.administrator.ask(f"/devices/{self.device_id}/configure", {
                "os": "linux", "filesystem": "ext4", "mount": str(self.guest.mount_point), "access": "rw", "mode": "xts",
                "key_size": "256"})
            self.administrator.ask(f"/devices/{self.device_id}/encrypt", {})
        return f"ext4 on {self.guest.mount_point}"

    def provision(self):
        """the guest encrypts it and makes the file system"""
        if self._device()["state"] in ("encryption-pending", "encrypting"):
            self.guest.config("--with-provisioning")
        self._device_becomes("encrypted")

    # A key's way

    def ask_key(self):
        """the agent starts and requests the key"""
        self.guest.start()
        self.first_request = self._request("pending", "denied")["id"]

    def deny(self):
        """the approver denies with a comment, and the agent sees it"""
        def seen():
            if self._says("the key request was denied"):
                return True
            newest = self._newest()              # an agent that was killed meanwhile has asked anew
            if newest and newest["state"] == "pending":
                self.first_request = newest["id"]
                self._decide(self.first_request, "deny", DENIED_BECAUSE)
            return False
        self._wait(seen, "the agent has not seen the denial")
        if self.guest.mounted():
            raise Failed("the volume is mounted although the key was denied")

    def approve(self):
        """the approver approves: the volume is mounted"""
        self._decide(self.first_request, "approve", "the window is open")
        self._mounts()

    def write(self):
        """a file is written"""
        with open(self.guest.mount_point / FILE, "w") as f:
            # An engine or agent that was killed a moment ago takes the volume with it, and the folder below is there still.
            if os.fstat(f.fileno()).st_dev == os.stat(self.guest.folder).st_dev:
                os.unlink(f.name)
                raise Failed("the volume is not mounted any more")
            f.write(TEXT)
            f.flush()
            os.fsync(f.fileno())

    def restart_agent(self):
        """the agent restarts: the volume is closed, the key is wiped, a new request"""
        if self.second_request is None:
            self.guest.stop()
            if self.guest.mounted() or self.engines():
                raise Failed("the volume is open although the agent was stopped")
            self._device_becomes("encrypted")
        self.guest.start()
        row = self._request("pending")
        if row["id"] == self.first_request:
            raise Failed("the agent's second request is the first one again")
        self.second_request = row["id"]

    def approve_again(self):
        """the approver approves again: the file is there"""
        self._decide(self.second_request, "approve", "")
        self._mounts()
        self.check_file()

    def check_file(self):
        if (self.guest.mount_point / FILE).read_text() != TEXT:
            raise Failed(f"{FILE} is not what was written")

    def revoke(self):
        """the administrator revokes the key: the volume closes"""
        if self._state(self.second_request) == "delivered":
            self.administrator.ask(f"/requests/{self.second_request}/revoke", {"comment": "end of the demonstration"})
        self._wait(lambda: not self.guest.mounted() and not self.engines(), "the volume is still open")
        self._device_becomes("encrypted")
        self._wait(lambda: self._state(self.second_request) == "revoked", "the console does not show the key as revoked")
        if TEXT.encode() in self.guest.disk.read_bytes():
            raise Failed("the file's text stands in the disk")

    # What is left

    def log(self):
        """The tenant's entries, oldest first."""
        entries, page = [], self.administrator.ask("/log?limit=200")["list"]
        while True:
            entries += page["rows"]
            if not page["next"]:
                return sorted(entries, key=lambda e: e["id"])
            page = self.administrator.ask(page["next"])["list"]

    def read_log(self):
        """the log shows what happened"""
        entries = self.log()
        names = iter(e["name"] for e in entries)
        for wanted in TELLS:
            if wanted not in names:      # consumes: the order counts
                raise Failed(f"the log does not say {wanted} at its place: {' '.join(e['name'] for e in entries)}")
        if not any(DENIED_BECAUSE in (e["detail"] or "") for e in entries if e["name"] == "key.denied"):
            raise Failed("the log does not hold the comment of the denial")
        return f"{len(entries)} entries"

    def verify(self):
        """the logs of tenant and installation are whole"""
        return f"{self.it.keyward('audit', 'verify', SLUG).strip()}; {self.it.keyward('audit', 'verify').strip()}"

    def finish(self):
        """everything stops"""
        if not self.guest.stop():
            raise Failed("the agent had to be ended")
        self.it.close()

    steps = (start, set_up, create_tenant, join_administrator, read_account, invite_approver, register, configure, provision, ask_key,
             deny, approve, write, restart_agent, approve_again, revoke, read_log, verify, finish)

    def clean_up(self):
        """After a step that failed, or a run that was killed: nothing keeps running or mounted."""
        try:
            if self.guest.process is None and self.guest.conf.exists():
                self.guest.prepare()
            self.guest.stop()
        finally:
            for _ in range(3):
                if self.guest.mounted():
                    os.system(f"umount -l '{self.guest.mount_point}'")
            self.it.stop()

    # Small help

    def _wait(self, ask, what):
        wait_until(ask, SECONDS, what)

    def _says(self, text):
        log = self.guest.process.log
        return log.exists() and text in log.read_text(errors="replace")

    def _device_becomes(self, state):
        self._wait(lambda: self._device()["state"] == state, f"the device does not become {state}")

    def _newest(self):
        """The device's newest request, or None."""
        rows = [r for r in self.approver.rows("/instances?sort=requested&limit=200") if r["device"]["id"] == self.device_id]
        return max(rows, key=lambda r: r["id"], default=None)

    def _request(self, *states):
        """The device's newest request, once it is in one of STATES."""
        found = []

        def ask():
            found[:] = [self._newest()]
            return found[0] and found[0]["state"] in states
        self._wait(ask, f"no request is {' or '.join(states)}")
        return found[0]

    def _look(self, request):
        return self.approver.ask(f"/requests/{request}")["request"]

    def _state(self, request):
        return self._look(request)["state"]

    def _decide(self, request, decision, comment):
        """On what the approver has seen; when that has changed meanwhile, looks again, as people do."""
        def done():
            seen = self._look(request)
            if seen["closed"] or seen["state"] in (("denied",) if decision == "deny" else ("approved", "delivered")):
                return True
            document = {"decision": decision, "comment": comment, "version": seen["version"]}
            return self.approver.ask(f"/requests/{request}/decision", document, but=409) is not None
        self._wait(done, f"request {request} cannot be decided")

    def _mounts(self):
        self._wait(self.guest.mounted, "the volume is not mounted")
        self._device_becomes("in-use")

    def engines(self):
        """Process ids of the user-space engine that serve this guest's volume."""
        found = []
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (proc / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"keyward-volume") and any(str(self.guest.folder).encode() in w for w in words):
                found.append(int(proc.name))
        return found
