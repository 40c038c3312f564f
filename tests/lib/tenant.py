"""A tenant of a running installation and what its people do, all through the console's API: for tests whose guests are elsewhere.

    tenant = Tenant(installation)
    device = tenant.device("data")       # by a part of its provider's id: the disk's serial number
    tenant.encrypt(device, "/srv")
    tenant.approve(device)               # waits for the request first
    tenant.becomes(device, "in-use")"""
import re
import uuid

from stack.mainjob import Person
from stack.process import Failed, wait_until
from web import database, make_tenant, make_user

SECONDS = 600                # that a step may wait for what takes a virtual machine ten, on a machine that has other work


class Tenant:
    def __init__(self, installation):
        self.it = installation
        self.slug, self.account = make_tenant(installation, "guests" + uuid.uuid4().hex[:8])
        # While nobody has joined yet: afterwards it is the people's to set.
        self.passphrase = re.search(r"passphrase: (\S+)", installation.keyward("tenant", "passphrase", self.slug)).group(1)
        self.administrator = self._person("account-administrator")
        self.approver = self._person("key-approver")
        self.url = installation.address("agents")

    def _person(self, role):
        return Person(self.it, "console", make_user(self.it, self.account, role), self.slug)

    # Policies

    def release_automatically(self, rules=None, **action):
        """The default policy approves by itself: where these RULES match, or any that an agent of today matches."""
        row = next(r for r in self.administrator.rows("/policies?limit=200") if r["is_default"])
        document = self.administrator.ask(f"/policies/{row['id']}")["document"]
        document["rules"] = rules or [{"type": "os.system", "conditions": [{"operator": "equals", "value": "linux"}]}]
        document["action"] = {"on_match": "approve", "on_mismatch": "deny", **action}
        self.administrator.ask(f"/policies/{row['id']}", {"document": document})

    # Devices: DEVICE is the id

    def devices(self):
        return self.administrator.rows("/devices?limit=200")

    def device(self, part):
        """Waits until the inventory has it; its id."""
        found = []

        def there():
            found[:] = [d for d in self.devices() if part in d["provider_id"]]
            return found
        try:
            wait_until(there, SECONDS, f"no device has {part}")
        except Failed as e:
            raise Failed(f"{e}; there are {[d['provider_id'] for d in self.devices()]}") from None
        return found[0]["id"]

    def look(self, device):
        return self.administrator.ask(f"/devices/{device}")

    def state(self, device):
        return next(d["state"] for d in self.devices() if d["id"] == device)

    def becomes(self, device, *states):
        seen = []

        def there():
            seen[:] = [self.state(device)]
            return seen[0] in states
        try:
            wait_until(there, SECONDS, "")
        except Failed:
            raise Failed(f"the device is {seen[0]}, not {' or '.join(states)}: {self.look(device)}") from None

    def configure(self, device, mount, filesystem="ext4", access="rw", mode="xts", key_size=256):
        self.administrator.ask(f"/devices/{device}/configure", {"os": "linux", "filesystem": filesystem, "mount": mount,
                                                                "access": access, "mode": mode, "key_size": str(key_size)})

    def encrypt(self, device, mount, typed="", **configuration):
        """Configures and asks for encryption. TYPED: the device's name, where something is on it already."""
        self.configure(device, mount, **configuration)
        self.administrator.ask(f"/devices/{device}/encrypt", {"typed": typed} if typed else {})

    # Requests

    def requests(self, device):
        """Those that are not over, the newest first."""
        rows = [r for r in self.approver.rows("/instances?sort=requested&limit=200") if r["device"]["id"] == device]
        return sorted(rows, key=lambda r: r["id"], reverse=True)

    def asked(self, device):
        """How many requests there were ever, also those that are over."""
        with database(self.it).cursor() as c:
            c.execute("select count(*) from key_request where tenant = %s and device = %s", (self.account, device))
            return c.fetchone()[0]

    def request(self, device, *states):
        """Waits for the newest request to be in one of STATES."""
        seen = []

        def there():
            seen[:] = self.requests(device)[:1]
            return seen and seen[0]["state"] in states
        try:
            wait_until(there, SECONDS, "")
        except Failed:
            raise Failed(f"the newest request is {seen}, not {' or '.join(states)}") from None
        return seen[0]

    def decide(self, device, decision, comment=""):
        """Of the newest request, as one sees it when one decides."""
        request = self.request(device, "pending")["id"]

        def done():
            seen = self.approver.ask(f"/requests/{request}")["request"]
            document = {"decision": decision, "comment": comment, "version": seen["version"]}
            return seen["state"] != "pending" or self.approver.ask(f"/requests/{request}/decision", document, but=409)
        wait_until(done, SECONDS, f"request {request} cannot be decided")

    def approve(self, device):
        self.decide(device, "approve")

    def revoke(self, device):
        self.administrator.ask(f"/requests/{self.requests(device)[0]['id']}/revoke", {"comment": "by the test"})

    # Agents

    def register(self, vm, **settings):
        """Trusts the installation's CA and registers the machine as its administrator would; SETTINGS go into agent.conf."""
        conf = {"ca_file": "/etc/keyward/ca.crt", **settings}
        vm.write("/etc/keyward/ca.crt", self.it.ca.read_text())
        vm.write("/etc/keyward/agent.conf", "".join(f"{k} = {v}\n" for k, v in conf.items()))
        vm.write("/root/passphrase", self.passphrase + "\n", 0o600)
        return vm.run(f"keyward-config --register --url {self.url} --guid {self.account} --passphrase-file /root/passphrase"
                      " --publish-inventory; status=$?; rm /root/passphrase; exit $status")
