"""The guest's programs against a running server: registration, inventory, provisioning, copies of devices."""
import datetime
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agents import (MIB, SLOW, Tenant, encrypted, engines, guest, has_line, mounts, new_guest, run, start, tenant, token_or_none,  # noqa: F401, F811
                    tool, wait_for)
from fixtures import fixture, scratch
from stack.ports import free_port
from stack.process import wait_until
from web import Client, database, make_user


# Registration

@fixture("file")
def patient(server, tenant):  # noqa: F811
    """Waits for a minute while the tests go on: with a guest of its own, how long it took and what became of it."""
    g, ended = new_guest(server, scratch() / ("guest-" + uuid.uuid4().hex[:8])), []

    def wait():
        began = time.monotonic()
        p = g.config("--with-provisioning", "--timeout", "1", check=False)
        ended.append((time.monotonic() - began, p))
    g.register(tenant.account, tenant.passphrase)
    thread = threading.Thread(target=wait)
    thread.start()
    yield thread, ended
    thread.join()
    g.forget()


def test_registration_explains_what_is_wrong(server, tenant, guest, patient):
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
    code, said = register(f"https://agents.localhost:{free_port()}", tenant.account, "x")
    assert code == 3 and "nobody answers" in said, said
    code, said = register("https://no-such-name.invalid", tenant.account, "x")
    assert code == 3, said
    code, said = register(server.address("console"), tenant.account, "x")
    assert code == 3 and "no Keyward agent service" in said, said
    assert guest.config(check=False).returncode == 2
    assert guest.config("--nonsense", check=False).returncode == 2
    assert guest.config("--publish-inventory", check=False).returncode == 1
    assert not (guest.state / "identity.json").exists()


def test_what_is_wrong_comes_with_what_to_do(tenant, guest):
    # covers: CFG-2, AGT-1
    def error(*args, passphrase=None):
        p = guest.config("--json", *args, passphrase=passphrase, check=False)
        found = json.loads(p.stdout)
        assert p.returncode == found["exit"], p
        return found["result"], found["error"]["text"], found["error"]["advice"] or ""

    there = ("--register", "--url", guest.url, "--guid", tenant.account)
    result, text, advice = error(*there, passphrase="wrong")
    assert result == "refused" and "Account in the console shows both" in advice, (result, advice)
    trusting = guest.conf.read_text()
    guest.conf.write_text(re.sub("(?m)^ca_file.*\n", "", trusting))
    result, text, advice = error(*there, passphrase=tenant.passphrase)
    assert result == "unreachable" and "not trusted" in text and "compare its fingerprint" in advice and "SHA-256" in advice, (text, advice)
    guest.conf.write_text(trusting + "colour = red\n")
    result, text, _ = error("--status")
    assert result == "usage" and "colour" in text and "line" in text, text
    guest.conf.write_text(trusting)
    assert "did you mean --register?" in guest.config("--regster", check=False).stderr
    result, text, _ = error("--mount")
    assert result == "failed" and "--register with --url, --guid and a passphrase" in text, text


def test_a_suspended_account_tells_those_who_know_its_passphrase(server, guest):
    # covers: TEN-7, CFG-2, AGT-2
    tenant = Tenant(server)

    def error(passphrase):
        p = guest.config("--json", "--register", "--force", "--url", guest.url, "--guid", tenant.account, passphrase=passphrase, check=False)
        found = json.loads(p.stdout)
        return found["result"], found["error"]["text"], found["error"]["advice"]

    def count(what):
        with database(server).cursor() as c:
            c.execute(f"select count(*) from {what}", (tenant.account,))
            return c.fetchone()[0]

    wrong = error("wrong")
    for state, words in (("suspended", "the account is suspended"), ("closing", "the account is being closed")):
        with database(server).cursor() as c:
            c.execute("update tenant set state = %s where id = %s", (state, tenant.account))
        result, text, advice = error(tenant.passphrase)
        assert result == "refused" and words in text and "operator" in advice, (result, text, advice)
        assert error("wrong") == wrong, "a stranger learns of it"
    assert count("audit_entry where tenant = %s and event = 'agent.refused' and detail ->> 'reason' in ('the account is suspended',"
                 " 'the account is being closed')") == 2
    assert count("agent where tenant = %s") == 0

def certificate_from(folder, name, begin, end):
    """A server's own certificate for NAME, valid from and until so many days from now; files of it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now, who = datetime.datetime.utcnow(), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now + datetime.timedelta(days=begin)).not_valid_after(now + datetime.timedelta(days=end))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256()))
    files = folder / "odd.crt", folder / "odd.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def test_a_wrong_clock_and_a_wrong_name_are_called_that(tenant, guest, folder):
    # covers: AGT-1, CFG-2
    for name, begin, end, text in (("agents.localhost", 300, 600, "is not valid yet: this machine's clock says"),
                                   ("agents.localhost", -600, -300, "has expired, unless this machine's clock is wrong"),
                                   ("other.localhost", -1, 30, "that was shown is not for agents.localhost")):
        certificate, key = certificate_from(folder, name, begin, end)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with socket.create_server(("127.0.0.1", 0)) as s:
            def serve():
                try:
                    context.wrap_socket(s.accept()[0], server_side=True)
                except OSError:
                    pass            # it hangs up: that is what it is here for
            threading.Thread(target=serve, daemon=True).start()
            p = guest.config("--register", "--url", f"https://agents.localhost:{s.getsockname()[1]}", "--guid", tenant.account,
                             "--ca-file", str(certificate), passphrase="x", check=False)
        assert p.returncode == 3 and text in p.stderr and "--ca-file" not in p.stderr, p


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
    # Once, in the tool's own form: neither time nor level of a log among what it says.
    said = [line for line in loud.stderr.splitlines() if "CERTIFICATE CHECKS" in line]
    assert len(said) == 1 and said[0].startswith("keyward-config: CERTIFICATE CHECKS ARE SWITCHED OFF") and f"(url {guest.url})" in said[0], said
    start(guest)
    has_line(guest, "CERTIFICATE CHECKS ARE SWITCHED OFF")
    wait_until(lambda: tenant.instance(guest)["agent"]["insecure_tls"], SLOW, "the console does not show it")
    with database(server).cursor() as c:
        c.execute("select array_agg(object_name) from audit_entry where tenant = %s and event = 'agent.insecure-tls'", (tenant.account,))
        assert c.fetchone()[0] == [socket.gethostname()]
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
    lost = run("--register", "--url", f"https://agents.localhost:{free_port()}", "--guid", tenant.account, passphrase="x")
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
        here = free_port()
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




# Provisioning

def test_foreign_contents_are_refused_unless_confirmed(tenant, guest):
    # covers: VOL-4, DEV-3
    # Whatever bytes a label has, the server is told.
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", b"precious\xff\xc3\x1b[1m", str(guest.disk)], check=True)
    before = guest.disk.read_bytes()
    guest.register(tenant.account, tenant.passphrase)
    start(guest)
    tenant.encrypt(guest)
    tenant.status(guest, "encryption-error")
    assert '"precious???[1m"' in tenant.device(guest)["error"], tenant.device(guest)["error"]
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
    plain = guest.conf.read_text()
    guest.conf.write_text(plain + "wipe = yes\n")
    # Wiping it takes so long that it is killed in the middle of it.
    os.truncate(guest.disk, 4096 * MIB)
    guest.register(tenant.account, tenant.passphrase)
    start(guest)
    tenant.encrypt(guest)
    has_line(guest, "encrypting a device")
    tenant.status(guest, "encrypting")
    wait_for(guest, lambda: token_or_none(guest.disk), "no header")
    os.kill(guest.process.pid, signal.SIGKILL)
    wait_until(lambda: not guest.process.alive(), SLOW, "still alive")
    assert tenant.device(guest)["status"] == "encrypting" and token_or_none(guest.disk)["provisioning"]
    guest.conf.write_text(plain)
    start(guest)
    tenant.approve(guest)
    mounts(guest)
    tenant.status(guest, "in-use")
    assert tenant.device(guest)["key_version"] == 1
    assert guest.stop()


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


# Begun with the first test

def test_waiting_ends_with_the_time_limit(patient):
    # covers: CFG-1, CFG-2
    thread, ended = patient
    thread.join()
    took, p = ended[0]
    assert p.returncode == 5 and 55 < took, p.stderr
