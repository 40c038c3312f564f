"""The guest's programs against a running server: registration, provisioning, keys, revocation, outages, restarts. The
console's part is played with the console's own store functions (console_tool)."""
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import uuid

from fixtures import ROOT, fixture, scratch
from stack.guest import Guest
from stack.process import Failed, wait_until
from web import Client, database, make_user

TOOL = ROOT / "build" / "sanitize" / "tests" / "unit" / "console_tool"
MIB = 1024 * 1024
QUICK = {"heartbeat": "1", "log_level": "debug", "stop_seconds": "2"}
SLOW = 90            # seconds for what takes two on an idle machine without sanitizers


class Tenant:
    """An account of the running server, and what its people do in the console."""

    def __init__(self, server):
        self.server, self.name = server, "agents" + uuid.uuid4().hex[:8]
        name = self.name
        created = server.keyward("tenant", "create", name, name, "admin@example.test")
        self.account = re.search(r"account id: (\S+)", created).group(1)
        self.passphrase = re.search(r"passphrase: (\S+)", server.keyward("tenant", "passphrase", name)).group(1)
        with database(server).cursor() as c:
            c.execute("select id from app_user where tenant = %s and email = %s", (self.account, make_user(server, self.account)))
            self.user = str(c.fetchone()[0])

    def console(self, *args):
        p = subprocess.run([str(TOOL), self.server.conninfo("keyward_console"), self.account, *map(str, args)], env={**os.environ, "CONSOLE_USER": self.user},
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert p.returncode == 0, f"{args}: {p.stderr}"
        return json.loads(p.stdout) if p.stdout.strip() else None

    def device(self, guest, path=None):
        wanted = path if str(path).startswith("raid:") else f"file:{path or guest.disk}"
        row = [r for r in self.console("devices")["rows"] if r["provider_device"] == wanted]
        return self.console("device", row[0]["id"]) if row else None

    def instance(self, guest):
        row = [r for r in self.console("instances")["rows"] if r["provider_instance"] == guest.name]
        return self.console("instance", row[0]["id"])

    def requests(self, guest, path=None):
        """Of the guest's disk, the newest first."""
        device = self.device(guest, path)["id"]
        return [r for r in self.console("requests")["rows"] if r["device"] == device]

    def request(self, guest, status, path=None):
        """Waits for the newest request to have STATUS."""
        wait_for(guest, lambda: [r["status"] for r in self.requests(guest, path)[:1]] == [status],
                 f"no {status} request")
        return self.requests(guest, path)[0]

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


def unused_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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


# Registration

def test_registration_explains_what_is_wrong(server, tenant, guest):
    # covers: CFG-2, AGT-1
    def register(url, account, passphrase):
        p = guest.config("--register", *(("--url", url) if url else ()), *(("--guid", account) if account else ()),
                         passphrase=passphrase, check=False)
        return p.returncode, p.stderr

    code, said = register(guest.url, tenant.account, "wrong")
    assert code == 4 and "passphrase is wrong" in said, said
    code, said = register(guest.url, str(uuid.uuid4()), tenant.passphrase)
    assert code == 4 and "passphrase is wrong" in said, said
    code, said = register(guest.url, None, None)
    assert code == 2 and "--guid" in said and "passphrase" in said, said
    code, said = register(guest.url, "me", "x")
    assert code == 2 and "account ID" in said, said
    code, said = register(f"https://agents.localhost:{unused_port()}", tenant.account, "x")
    assert code == 3 and "nobody answers" in said, said
    code, said = register("https://no-such-name.invalid", tenant.account, "x")
    assert code == 3, said
    code, said = register(server.address("console"), tenant.account, "x")
    assert code == 3 and "no Keyward agent service" in said, said
    assert guest.config(check=False).returncode == 2
    assert guest.config("--nonsense", check=False).returncode == 2
    assert guest.config("--publish-inventory", check=False).returncode == 1
    assert not (guest.state / "identity.json").exists()


def test_server_certificate_is_checked_unless_told_otherwise(server, tenant, guest):
    # covers: AGT-1, CFG-2
    args = ("--register", "--url", guest.url, "--guid", tenant.account, "--publish-inventory")
    plain = guest.conf.read_text()
    guest.conf.write_text("".join(line + "\n" for line in plain.splitlines() if not line.startswith("ca_file")))
    refused = guest.config(*args, passphrase=tenant.passphrase, check=False)
    assert refused.returncode == 3 and "not trusted" in refused.stderr, refused.stderr
    shown = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:" + server.address("agents").rsplit(":")[-1],
                            "-servername", "agents.localhost"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=False).stdout
    digest = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=shown, stdout=subprocess.PIPE,
                            check=True).stdout.decode().split("=")[1].strip()
    assert digest in refused.stderr and "--ca-file" in refused.stderr, refused.stderr
    other = guest.config(*args, "--ca-file", "/etc/hostname", passphrase=tenant.passphrase, check=False)
    assert other.returncode == 3, other.stderr
    loud = guest.config(*args, "--ignore-ssl-error", passphrase=tenant.passphrase)
    assert "CERTIFICATE CHECKS ARE SWITCHED OFF" in loud.stderr
    start(guest)
    has_line(guest, "CERTIFICATE CHECKS ARE SWITCHED OFF")
    wait_until(lambda: tenant.instance(guest)["agent"]["insecure_tls"], SLOW, "the console does not show it")
    assert guest.stop()


def test_scripts_read_everything_as_one_json_object(server, tenant, guest):
    # covers: CFG-2
    def run(*args, passphrase=None):
        p = guest.config(*args, "--json", passphrase=passphrase, check=False)
        said = json.loads(p.stdout)
        assert said["exit"] == p.returncode, said
        return said

    account = ("--url", guest.url, "--guid", tenant.account)
    assert run("--nix")["error"]["kind"] == "usage"
    assert run()["error"]["text"].startswith("nothing to do")
    assert {"native", "ec2", "eucalyptus", "vcloud"} <= {p["id"] for p in run("--list-plugins")["plugins"]}
    assert run("--publish-inventory")["error"]["kind"] == "failed"
    wrong = run("--register", *account, passphrase="wrong")
    assert wrong["result"] == "refused" and "passphrase" in wrong["error"]["advice"], wrong
    lost = run("--register", "--url", f"https://agents.localhost:{unused_port()}", "--guid", tenant.account, passphrase="x")
    assert lost["result"] == "unreachable" and "nobody answers" in lost["error"]["text"], lost
    done = run("--register", "--publish-inventory", "--get-device-list", "--status", *account, passphrase=tenant.passphrase)
    assert done["result"] == "ok" and done["registration"] == "new" and done["account"] == tenant.account, done
    assert done["published"] == len(done["devices"]) and done["server"] == "answers", done
    assert run("--register", *account)["registration"] == "kept"


def test_identity_is_kept_until_forced(tenant, guest):
    # covers: CFG-2, AGT-11
    guest.register(tenant.account, tenant.passphrase)
    first = json.loads((guest.state / "identity.json").read_text())
    again = guest.config("--register", "--url", guest.url, "--guid", tenant.account, passphrase=tenant.passphrase)
    assert "its identity is kept" in again.stdout
    assert json.loads((guest.state / "identity.json").read_text()) == first
    other = guest.config("--register", "--url", guest.url, "--guid", str(uuid.uuid4()), passphrase="x", check=False)
    assert other.returncode == 1 and "--force" in other.stderr
    guest.config("--register", "--force", "--url", guest.url, "--guid", tenant.account, passphrase=tenant.passphrase)
    second = json.loads((guest.state / "identity.json").read_text())
    assert second["agent"] != first["agent"] and second["server_key"] == first["server_key"]
    assert guest.state.stat().st_mode & 0o777 == 0o700
    keys = list(guest.state.glob("*.pem"))
    assert len(keys) == 1 and keys[0].stat().st_mode & 0o777 == 0o600
    status = json.loads(guest.config("--status", "--json").stdout)
    assert status["registered"] and status["server"] == "answers" and status["agent"] == second["agent"]


def test_passphrase_is_gone_from_the_arguments(guest):
    # covers: CFG-2, SEC-4
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        p = tool(guest, "-r", "-u", f"https://agents.localhost:{deaf.getsockname()[1]}", "-g", str(uuid.uuid4()), "-x",
                 "Very-Secret-1")
        deaf.accept()
        shown = pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes()
        p.kill()
        out, err = p.communicate()
    assert b"keyward-config" in shown and b"Very-Secret-1" not in shown
    assert "ps" in err and "Very-Secret-1" not in out + err


def test_proxy_of_the_environment_is_used_but_not_for_this_machine(guest):
    # covers: AGT-7
    with socket.socket() as proxy:
        proxy.bind(("127.0.0.1", 0))
        proxy.listen()
        here = unused_port()
        env = dict(os.environ, https_proxy=f"http://127.0.0.1:{proxy.getsockname()[1]}", KEYWARD_PASSPHRASE="x")
        env.pop("no_proxy", None)
        env.pop("NO_PROXY", None)

        def register(url):
            return tool(guest, "--register", "--url", url, "--guid", str(uuid.uuid4()), env=env)
        p = register("https://agents.example:8443")
        peer, _ = proxy.accept()
        with peer:
            asked = peer.recv(4096)
            peer.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        out, err = p.communicate()
        assert asked.startswith(b"CONNECT agents.example:8443 HTTP/1.1\r\n"), asked
        assert p.returncode == 3 and "502" in err, err
        p = register(f"https://agents.localhost:{here}")
        out, err = p.communicate()
        assert p.returncode == 3 and "nobody answers at agents.localhost" in err, err


# Inventory

def test_inventory_shows_devices_and_never_offers_the_system(tenant, guest):
    # covers: DEV-1, CSP-2, VOL-4
    guest.register(tenant.account, tenant.passphrase)
    device = tenant.device(guest)
    assert device["kind"] == "file" and device["size_bytes"] == 64 * MIB
    assert not device["is_busy"] and not device["is_system"]
    root = os.stat("/").st_dev
    shown = json.loads(guest.config("--get-device-list", "--json").stdout)["devices"]
    for row in shown:
        st = os.stat(row["path"])
        if row["kind"] != "file" and st.st_rdev == root:
            assert row["system"] and row["in_use"], row
    again = json.loads(guest.config("--get-device-list", "--json").stdout)["devices"]
    assert [r["id"] for r in shown] == [r["id"] for r in again]
    assert len({r["id"] for r in shown}) == len(shown)


def test_agent_started_first_picks_up_the_registration(tenant, guest):
    # covers: AGT-1
    start(guest)
    has_line(guest, "is not registered")
    guest.config("--register", "--url", guest.url, "--guid", tenant.account, passphrase=tenant.passphrase)
    has_line(guest, "inventory published")
    assert tenant.device(guest)["status"] == "not-configured"
    assert guest.stop()


# The whole way

def test_encrypt_approve_mount_stop_and_again(tenant, guest, folder):
    # covers: AGT-1, AGT-3, VOL-5, DEV-2, RUN-2
    said = folder / "said"
    for event in ("mount_complete", "teardown"):
        script = folder / event
        script.write_text(f"#!/bin/sh\nmountpoint -q {guest.mount_point} && echo $KEYWARD_EVENT mounted >>{said}\n")
        script.chmod(0o755)
        with guest.conf.open("a") as f:
            f.write(f"{event} = {script}\n")
    guest.register(tenant.account, tenant.passphrase)
    start(guest)
    tenant.encrypt(guest)
    tenant.approve(guest)
    mounts(guest)
    tenant.status(guest, "in-use")
    (guest.mount_point / "hello").write_text("world")
    wait_until(lambda: said.exists() and said.read_text() == "mount_complete mounted\n", SLOW,
               "mount_complete was not run once")
    assert guest.stop()
    assert not guest.mounted() and engines(guest) == []
    assert said.read_text() == "mount_complete mounted\nteardown mounted\n"
    assert tenant.device(guest)["status"] == "encrypted"
    dump = json.loads(subprocess.run(["cryptsetup", "luksDump", "--dump-json-metadata", str(guest.disk)], check=True,
                                     stdout=subprocess.PIPE).stdout)
    token = json.dumps(dump["tokens"])
    assert tenant.account in token and tenant.device(guest)["id"] in token and guest.url in token
    assert b"world" not in guest.disk.read_bytes()
    # A boot: a new request, a new approval, the same data.
    before = len(tenant.requests(guest))
    run(guest, tenant)
    assert (guest.mount_point / "hello").read_text() == "world"
    assert len(tenant.requests(guest)) == before + 1
    assert guest.stop()
    kept = {f.name for f in guest.state.iterdir()}
    known = {"identity.json", "instance-id", "updates.json", "updates.lock"}
    assert all(n in known or n.endswith(".pem") for n in kept), kept


def test_configuration_tool_alone_encrypts_and_mounts(tenant, guest):
    # covers: CFG-2, VOL-3
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest, filesystem="ext3", mode="cbc-essiv:sha256", bits=192)
    done = guest.config("--with-provisioning")
    assert "Provisioning is done" in done.stdout
    p = tool(guest, "--mount")
    wait_until(lambda: tenant.requests(guest), SLOW, "no request", lambda: p.poll() is None)
    tenant.console("approve", tenant.requests(guest)[0]["id"])
    out, err = p.communicate(timeout=SLOW)
    assert p.returncode == 0 and guest.mounted(), out + err
    kind = [line.split()[2] for line in pathlib.Path("/proc/mounts").read_text().splitlines()
            if line.split()[1] == str(guest.mount_point)]
    assert kind == ["ext3"]
    # An agent that comes later finds it open.
    requests = len(tenant.requests(guest))
    start(guest)
    has_line(guest, "volume is open already")
    tenant.status(guest, "in-use")
    assert len(tenant.requests(guest)) == requests
    assert guest.stop() and not guest.mounted()


def test_read_only_access_is_honoured(tenant, guest):
    # covers: VOL-3, AGT-6
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest, access="read-only")
    start(guest)
    tenant.approve(guest)
    mounts(guest)
    try:
        (guest.mount_point / "x").write_text("x")
    except OSError as e:
        assert e.errno == 30, e
    else:
        raise AssertionError("a read-only volume was written to")
    assert guest.stop()


def test_waiting_ends_with_the_time_limit(tenant, guest):
    # covers: CFG-1, CFG-2
    guest.register(tenant.account, tenant.passphrase)
    began = time.monotonic()
    p = guest.config("--with-provisioning", "--timeout", "1", check=False)
    assert p.returncode == 5 and 55 < time.monotonic() - began, p.stderr


# Keys

def test_the_server_does_not_mount_where_it_likes(server, tenant, encrypted):
    # covers: SEC-5
    device, elsewhere = tenant.device(encrypted)["id"], f"{encrypted.mount_point}/../elsewhere"
    with database(server).cursor() as c:
        c.execute("update device set mount_point = %s where id = %s", (elsewhere, device))
    start(encrypted)
    tenant.approve(encrypted)
    has_line(encrypted, "the server wants it mounted on")
    assert not encrypted.mounted() and not (encrypted.mount_point.parent / "elsewhere").exists()
    with database(server).cursor() as c:
        c.execute("update device set mount_point = %s where id = %s", (str(encrypted.mount_point), device))
    assert encrypted.stop()


def test_denied_request_waits_for_an_order(tenant, encrypted):
    # covers: AGT-1, RUN-2
    start(encrypted)
    tenant.console("deny", tenant.request(encrypted, "pending")["id"])
    has_line(encrypted, "the key request was denied")
    assert not encrypted.mounted()
    tenant.order(encrypted, "request-key")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert (encrypted.mount_point / "file").read_text() == "kept"
    assert encrypted.stop()


def test_denied_request_can_be_approved_after_all(tenant, encrypted):
    # covers: AGT-1, RUN-2, RUN-3
    start(encrypted)
    request = tenant.request(encrypted, "pending")["id"]
    tenant.console("deny", request)
    has_line(encrypted, "the key request was denied")
    before = len(tenant.requests(encrypted))
    tenant.console("approve", request)
    mounts(encrypted)
    assert tenant.request(encrypted, "delivered")["id"] == request
    assert len(tenant.requests(encrypted)) == before
    assert encrypted.stop()


def test_revocation_closes_and_wipes(tenant, encrypted):
    # covers: INT-3, AGT-5, RUN-2
    run(encrypted, tenant)
    request = tenant.request(encrypted, "delivered")
    tenant.status(encrypted, "in-use")
    tenant.console("revoke", request["id"])
    unmounts(encrypted)
    wait_until(lambda: tenant.console("request", request["id"])["status"] == "revoked", SLOW, "not revoked")
    wait_until(lambda: engines(encrypted) == [], SLOW, "an engine still runs")
    tenant.status(encrypted, "encrypted")
    time.sleep(3)
    assert not encrypted.mounted()
    tenant.order(encrypted, "request-key")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert encrypted.stop()


def test_decisions_and_orders_reach_an_agent_that_waits(server, tenant, encrypted):
    # covers: INT-3, AGT-1, AGT-5
    # No heartbeat is due for 50 seconds, nor a poll: what comes sooner came over the line that the server holds.
    was = encrypted.conf.read_text()
    encrypted.conf.write_text(re.sub(r"(?m)^heartbeat.*$", "heartbeat = 0", was))
    try:
        start(encrypted)
        request = tenant.request(encrypted, "pending")["id"]
        time.sleep(5)                            # the agent waits on its line now
        decided = time.monotonic()
        tenant.console("deny", request)
        has_line(encrypted, "the key request was denied")
        took = {"a denial": time.monotonic() - decided}
        tenant.order(encrypted, "request-key")
        request = tenant.request(encrypted, "pending")["id"]
        time.sleep(5)
        decided = time.monotonic()
        tenant.console("approve", request)
        mounts(encrypted)
        took["an approval"] = time.monotonic() - decided
        tenant.status(encrypted, "in-use")
        time.sleep(5)
        decided = time.monotonic()
        tenant.console("revoke", request)
        unmounts(encrypted)
        took["a revocation"] = time.monotonic() - decided
        wait_until(lambda: tenant.console("request", request)["status"] == "revoked", SLOW, "not revoked")
        print("    " + ", ".join(f"{what} after {s:.2f} s" for what, s in took.items()), flush=True)
        assert max(took.values()) < 40, took
        assert "cannot be reached" not in log(encrypted)
    finally:
        encrypted.conf.write_text(was)
        assert encrypted.stop()


def test_revocation_of_a_busy_volume_names_who_uses_it(tenant, encrypted):
    # covers: INT-3, AGT-5
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    with (encrypted.mount_point / "file").open() as held:
        tenant.console("revoke", tenant.request(encrypted, "delivered")["id"])
        wait_until(lambda: re.search(rf"used_by=.*\({os.getpid()}\)", log(encrypted)), SLOW, "the holder is not named")
        assert encrypted.mounted() and held.read() == "kept"
    unmounts(encrypted)
    tenant.status(encrypted, "encrypted")
    assert encrypted.stop()


def test_kill_order_takes_the_key_at_once(tenant, encrypted):
    # covers: AGT-5, PSV-2
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    held = (encrypted.mount_point / "file").open()
    tenant.order(encrypted, "kill")
    unmounts(encrypted)
    has_line(encrypted, "reason=killed")
    try:
        os.pread(held.fileno(), 4, 0)
        os.posix_fadvise(held.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        pass
    held.close()
    wait_until(lambda: engines(encrypted) == [], SLOW, "an engine still runs")
    tenant.status(encrypted, "encrypted")
    assert encrypted.stop()


def test_lock_holds_until_unlock(tenant, encrypted):
    # covers: AGT-5, PSV-2
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    before = len(tenant.requests(encrypted))
    tenant.order(encrypted, "lock")
    unmounts(encrypted)
    tenant.order(encrypted, "request-key")
    time.sleep(5)
    assert len(tenant.requests(encrypted)) == before
    tenant.order(encrypted, "unlock")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert encrypted.stop()


# Restarts and outages

def test_killed_agent_finds_its_volume_open(tenant, encrypted):
    # covers: AGT-5, VOL-6
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    before = [(r["id"], r["status"]) for r in tenant.requests(encrypted)]
    os.kill(encrypted.process.pid, signal.SIGKILL)
    wait_until(lambda: not encrypted.process.alive(), SLOW, "still alive")
    assert encrypted.mounted() and (encrypted.mount_point / "file").read_text() == "kept"
    start(encrypted)
    has_line(encrypted, "volume is open already")
    time.sleep(3)
    assert [(r["id"], r["status"]) for r in tenant.requests(encrypted)] == before
    assert encrypted.mounted()
    assert encrypted.stop() and not encrypted.mounted() and engines(encrypted) == []
    assert tenant.device(encrypted)["status"] == "encrypted"


def test_server_outage_leaves_volumes_open(server, tenant, encrypted):
    # covers: AGT-5, SEC-7
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    server.stop("web")
    try:
        has_line(encrypted, "the server cannot be reached")
        time.sleep(5)
        assert encrypted.mounted() and (encrypted.mount_point / "file").read_text() == "kept"
        tries = re.findall(r"in_seconds=([0-9.]+)", log(encrypted))
        assert len(tries) >= 2 and float(tries[0]) <= 1.0, tries
    finally:
        server.start("web")
    # The server has lost all sessions as well.
    has_line(encrypted, "the server answers again")
    tenant.order(encrypted, "check")
    wait_until(lambda: tenant.instance(encrypted)["facts"], SLOW, "no facts")
    assert encrypted.mounted()
    assert encrypted.stop()
    assert tenant.device(encrypted)["status"] == "encrypted"


def test_outage_before_the_key_is_waited_for(server, tenant, encrypted):
    # covers: AGT-1, AGT-5
    server.stop("web")
    try:
        start(encrypted)
        has_line(encrypted, "the server cannot be reached")
    finally:
        server.start("web")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert encrypted.stop()


def test_stop_right_after_start_closes_what_was_left_open(tenant, encrypted):
    # covers: AGT-1
    run(encrypted, tenant)
    os.kill(encrypted.process.pid, signal.SIGKILL)
    wait_until(lambda: not encrypted.process.alive(), SLOW, "still alive")
    start(encrypted)
    has_line(encrypted, "log level set")     # from here on it hears
    assert encrypted.stop() and not encrypted.mounted() and engines(encrypted) == []


def test_stop_leaves_a_busy_volume_open(tenant, encrypted):
    # covers: AGT-1, VOL-6
    run(encrypted, tenant)
    with (encrypted.mount_point / "file").open() as held:
        began = time.monotonic()
        assert encrypted.stop()
        assert time.monotonic() - began < 60
        assert encrypted.process.status == 1
        assert encrypted.mounted() and held.read() == "kept"
        assert re.search(rf"LEFT OPEN.*\({os.getpid()}\)", log(encrypted))
    start(encrypted)
    has_line(encrypted, "volume is open already")
    assert encrypted.stop() and not encrypted.mounted()


# Provisioning

def test_foreign_contents_are_refused_unless_confirmed(tenant, guest):
    # covers: VOL-4, DEV-3
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "precious", str(guest.disk)], check=True)
    before = guest.disk.read_bytes()
    guest.register(tenant.account, tenant.passphrase)
    start(guest)
    tenant.encrypt(guest)
    tenant.status(guest, "encryption-error")
    assert "precious" in tenant.device(guest)["error"]
    assert guest.disk.read_bytes() == before
    tenant.console("encrypt", tenant.device(guest)["id"], 1)
    tenant.approve(guest)
    mounts(guest)
    assert guest.stop()


def test_mounted_device_is_refused_even_when_confirmed(tenant, guest, folder):
    # covers: VOL-4, DEV-3
    subprocess.run(["mkfs.ext4", "-q", "-F", str(guest.disk)], check=True)
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest, overwrite=1)
    point = folder / "elsewhere"
    point.mkdir()
    subprocess.run(["mount", "-o", "loop", str(guest.disk), str(point)], check=True)
    try:
        start(guest)
        tenant.status(guest, "encryption-error")
        assert guest.stop()
    finally:
        subprocess.run(["umount", str(point)], check=True)
    assert subprocess.run(["blkid", "-o", "value", "-s", "TYPE", str(guest.disk)], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip() == "ext4"


def test_killed_provisioning_starts_anew(tenant, guest):
    # covers: VOL-4, VOL-6
    with guest.conf.open("a") as f:
        f.write("wipe = yes\n")
    guest.register(tenant.account, tenant.passphrase)
    start(guest)
    tenant.encrypt(guest)
    has_line(guest, "encrypting a device")
    tenant.status(guest, "encrypting")
    time.sleep(0.3)
    os.kill(guest.process.pid, signal.SIGKILL)
    wait_until(lambda: not guest.process.alive(), SLOW, "still alive")
    assert tenant.device(guest)["status"] == "encrypting"
    start(guest)
    tenant.approve(guest)
    mounts(guest)
    tenant.status(guest, "in-use")
    assert tenant.device(guest)["key_version"] == 1
    assert guest.stop()


# Orders and secrets

def test_orders_change_the_log_level_and_report(tenant, encrypted):
    # covers: AGT-4, AGT-5, AGT-8
    run(encrypted, tenant)
    tenant.order(encrypted, "log-level", "warning")
    wait_until(lambda: tenant.instance(encrypted)["agent"]["log_level"] == "warning", SLOW, "level not reported")
    tenant.order(encrypted, "configure", "url=https://evil.example")
    tenant.order(encrypted, "log-level", "info")
    has_line(encrypted, "cannot be changed by the server")
    tenant.order(encrypted, "check")
    wait_until(lambda: tenant.instance(encrypted)["facts"], SLOW, "no facts")
    assert tenant.instance(encrypted)["facts"]["agent"]["values"]["host.name"] == socket.gethostname()
    assert encrypted.stop()


def facts_of(tenant, guest, fits):
    """Orders a check until what the server has then is as FITS wants it."""
    def ask():
        tenant.order(guest, "check")
        time.sleep(1)
        return fits((tenant.instance(guest)["facts"] or {}).get("agent", {}).get("values", {}))
    wait_for(guest, ask, "the facts are not as they should be", 2 * SLOW)
    return tenant.instance(guest)["facts"]["agent"]["values"]


def test_facts_are_those_of_the_machine(server, tenant, guest, folder):
    # covers: AGT-4, RUL-9, RUL-19, RUL-20, RUL-21, INT-5, INT-6
    watched, absent = folder / "watched.conf", folder / "absent.conf"
    watched.write_text("as it was\n")
    rule = [{"type": "file.sha256", "conditions": [{"subject": str(p), "operator": "present"} for p in (watched, absent)]}]
    with database(server).cursor() as c:
        c.execute("update policy set rules = %s where tenant = %s and is_default", (json.dumps(rule), tenant.account))
    guest.config("--register", "--url", guest.url, "--guid", tenant.account, passphrase=tenant.passphrase)
    start(guest)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = f"tcp/{listener.getsockname()[1]}"
        has_line(guest, "inventory published")
        facts = facts_of(tenant, guest, lambda f: port in f.get("network.services", {}))
        name = pathlib.Path("/proc/self/comm").read_text().strip()
        assert facts["network.services"][port] == {"address": ["127.0.0.1"], "process": name}, facts["network.services"]
        assert facts["processes"][name] >= 1 and facts["host.name"] == socket.gethostname()
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "bash"], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert facts["packages"]["bash"] == version
        assert facts["files"] == {str(watched): hashlib.sha256(b"as it was\n").hexdigest(), str(absent): None}
    watched.write_text("otherwise\n")
    changed = hashlib.sha256(b"otherwise\n").hexdigest()
    facts = facts_of(tenant, guest, lambda f: f["files"][str(watched)] == changed and port not in f["network.services"])
    with database(server).cursor() as c:
        c.execute("select fact, subject, kind, new from fact_change where tenant = %s and fact in ('files', 'network.services')"
                  " and subject in (%s, %s) order by fact, at", (tenant.account, str(watched), port))
        rows = c.fetchall()
    assert ("files", str(watched), "changed", changed) in rows, rows
    assert ("network.services", port, "removed", None) in rows, rows
    assert guest.stop()


def test_nothing_secret_is_left_in_files_or_arguments(tenant, encrypted):
    # covers: SEC-4, AGT-3, AGT-8
    run(encrypted, tenant)
    pem = next(encrypted.state.glob("agent-*.pem")).read_text()
    key_line = pem.splitlines()[1]
    words = b"".join(pathlib.Path(f"/proc/{encrypted.process.pid}/{f}").read_bytes() for f in ("cmdline", "environ"))
    engine_words = "".join(engines(encrypted))
    for folder in (encrypted.folder / "run", encrypted.folder / "log"):
        for f in folder.rglob("*"):
            if f.is_file() and not f.is_mount() and ".fuse" not in str(f):
                text = f.read_text(errors="replace")
                assert tenant.passphrase not in text and key_line not in text and "ciphertext" not in text, f
    assert tenant.passphrase.encode() not in words and tenant.passphrase not in engine_words
    limits = pathlib.Path(f"/proc/{encrypted.process.pid}/limits").read_text()
    assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
    assert encrypted.stop()

# A copy of a device

def test_a_copied_disk_opens_once_the_configuration_is_copied(server, tenant, encrypted, guest):
    # covers: DEV-5, VOL-5, KEY-1
    people = Client(server, "console")
    assert people.sign_in(make_user(server, tenant.account), account=tenant.name).status == 303
    subprocess.run(["cp", "--sparse=always", encrypted.disk, guest.disk], check=True)
    guest.register(tenant.account, tenant.passphrase)
    start(guest)
    origin, copy = tenant.device(encrypted)["id"], tenant.device(guest)["id"]
    has_line(guest, "the server refuses to decide on a key")
    page = people.get(f"/devices/{copy}").text
    assert "A copy of another device" in page and f'href="/devices/{copy}/copy"' in page
    assert people.post(f"/devices/{copy}/copy", source=origin, mount=str(guest.mount_point), access="rw").status == 303
    shown = people.api(f"/devices/{copy}").json
    assert shown["device"]["state"] == "encrypted" and shown["copy_of"]["url"] == f"/devices/{origin}"
    assert [d["url"] for d in shown["key"]["shared"]] == [f"/devices/{origin}"]
    tenant.approve(guest)
    mounts(guest)
    assert (guest.mount_point / "file").read_text() == "kept"
    assert guest.stop()
    # One goes, the other keeps its copy of the key.
    assert "Keeps its copy of the key" in people.get(f"/devices/{copy}/unconfigure").text
    name = tenant.device(guest)["name"]
    assert people.post(f"/devices/{copy}/unconfigure", typed=name).status == 303
    assert tenant.device(guest)["status"] == "not-configured" and not tenant.device(guest)["has_key"]
    run(encrypted, tenant)
    assert (encrypted.mount_point / "file").read_text() == "kept"
    assert encrypted.stop()
    # And back again: the token on it still names the device whose key it was.
    assert people.post(f"/devices/{copy}/copy", source=origin, mount=str(guest.mount_point), access="ro").status == 303
    run(guest, tenant)
    assert (guest.mount_point / "file").read_text() == "kept"
    assert guest.stop()


def test_another_key_than_the_tokens_is_not_tried(tenant, encrypted, guest):
    # covers: VOL-5, SEC-7
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest)
    start(guest)
    tenant.approve(guest)
    mounts(guest)
    assert guest.stop()
    subprocess.run(["cp", "--sparse=always", encrypted.disk, guest.disk], check=True)
    start(guest)
    tenant.approve(guest)
    has_line(guest, "holds the volume of another device")
    assert not guest.mounted()
    guest.stop()
