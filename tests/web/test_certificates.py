"""Certificates that really end: the page, the warning, the mail that comes once; and a new one that the running web server takes in without losing a
connection."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess

from mailsink import NAME, Sink
from stack.certificates import openssl
from stack.process import wait_until
from web import operator

SECONDS = 150


def issue(server, name, days, folder):
    """A new certificate of the installation's own CA for NAME, in place of the present one; ends in DAYS."""
    key, crt, ext = server.state / "tls" / f"{name}.key", folder / f"{name}.crt", folder / "ext"
    request = openssl("req", "-new", "-key", str(key), "-subj", f"/CN={name}")
    ext.write_text(f"subjectAltName=DNS:{name}\n")
    openssl("x509", "-req", "-sha256", "-days", str(days), "-CA", str(server.ca), "-CAkey", str(server.state / "ca" / "ca.key"), "-set_serial", "0x" + os.urandom(16).hex(),
            "-extfile", str(ext), "-out", str(crt), stdin=request)
    target = server.state / "tls" / f"{name}.crt"
    shutil.copyfile(crt, target)
    return target.read_text()


def reload(server):
    os.kill(int((server.state / "pid" / "kore").read_text()), signal.SIGUSR1)


def served(server, name):
    with socket.create_connection(("127.0.0.1", server.port), 10) as plain:
        with ssl._create_unverified_context().wrap_socket(plain, server_hostname=name) as s:
            return ssl.DER_cert_to_PEM_cert(s.getpeercert(True))


def calm(ask):
    """What ASK gives; None where the handshake fell into the moment of the change, as a browser would try again."""
    try:
        return ask()
    except OSError:
        return None


@contextlib.contextmanager
def kept(server, name):
    """The certificate is as it was afterwards."""
    path = pathlib.Path(server.state / "tls" / f"{name}.crt")
    before = path.read_text()
    try:
        yield
    finally:
        path.write_text(before)
        reload(server)
        wait_until(lambda: (calm(lambda: served(server, name)) or "").split() == before.split(), SECONDS, "the former certificate is not served again")


def web_row(c, name):
    rows = [r for r in c.api("/certificates").json["certificates"] if r["where"].startswith(name)]
    return rows[0] if rows else None


def test_all_certificates_are_listed(server):
    # covers: ADM-2
    c = operator(server, "system-operator")
    for name in server.sites.values():
        wait_until(lambda: web_row(c, name), SECONDS, f"the certificate of {name} is not listed")
        row = web_row(c, name)
        assert row["names"] == name and row["subject"] == f"CN={name}" and "Keyward CA" in row["issuer"]
        end = subprocess.run(["openssl", "x509", "-in", str(server.state / "tls" / f"{name}.crt"), "-noout", "-fingerprint", "-sha256"], stdout=subprocess.PIPE, text=True, check=True)
        assert end.stdout.strip().split("=")[1].replace(":", "").lower() == row["fingerprint"]
    rows = c.api("/certificates").json["certificates"]
    assert [r for r in rows if "CA of this installation" in r["where"] and r["self_signed"]]
    assert [r["days"] for r in rows] == sorted(r["days"] for r in rows)
    assert "PRIVATE" not in c.api("/certificates").text and c.get("/certificates").status == 200
    assert operator(server, "tenant-manager").get("/certificates").status == 403


def test_one_that_ends_is_told_of_and_renewed_live(server, folder):
    # covers: ADM-2
    name, c = server.sites["agents"], operator(server)
    with kept(server, name), Sink(server, folder) as sink:
        a = c.api("/mail", {"host": NAME, "port": sink.port, "security": "none", "sender": "keyward@msp.example", "user": "", "password": "", "ca": ""})
        assert a.status == 200, a
        # A connection that is open before: what follows must not end it.
        plain = socket.create_connection(("127.0.0.1", server.port), 10)
        open_one = server.tls_context().wrap_socket(plain, server_hostname=name)
        pem = issue(server, name, 3, folder)
        reload(server)
        wait_until(lambda: (calm(lambda: served(server, name)) or "").split() == pem.split(), SECONDS, "the new certificate is not served")
        open_one.sendall(f"GET /healthz HTTP/1.1\r\nHost: {name}:{server.port}\r\nConnection: close\r\n\r\n".encode())
        assert b" 200 " in open_one.recv(4096).split(b"\r\n")[0]
        open_one.close()
        wait_until(lambda: web_row(c, name) and web_row(c, name)["days"] <= 3, SECONDS, "the page does not have the new certificate")
        row = web_row(c, name)
        assert row["state"]["colour"] == "red" and row["warn"]
        # On the overview and on Health as well, with what to do.
        trouble = [t for t in c.api("/").json["troubles"] if t["area_name"] == "certificates"]
        assert trouble and name in trouble[0]["value"] and "SIGUSR1" in trouble[0]["advice"]
        ours = lambda: [m for m in sink.mails if name in m.subject and "certificate" in m.subject.lower()]
        server.restart("jobd")                   # which looks at its start, and then once a minute
        wait_until(ours, SECONDS, "no mail about it")
        told = {r for m in ours() for r in m.recipients}
        assert "SIGUSR1" in ours()[0].text and f"CN={name}" in ours()[0].text
        # Once to each, though jobd looks again and again.
        server.restart("jobd")
        wait_until(lambda: web_row(c, name), SECONDS, "gone")
        assert len(ours()) == len({r for m in ours() for r in m.recipients}) and told
    c.api("/mail/remove", {})
    wait_until(lambda: not [t for t in c.api("/").json["troubles"] if t["area_name"] == "certificates"], SECONDS, "the warning stays")


def test_one_that_has_ended_is_bad(server, folder):
    # covers: ADM-2
    name, c = server.sites["agents"], operator(server)
    with kept(server, name):
        issue(server, name, -1, folder)
        reload(server)
        wait_until(lambda: calm(lambda: [t for t in c.api("/health").json["troubles"] if "has ended" in t["value"]]), SECONDS, "it is not said that it has ended")
        row = web_row(c, name)
        assert row["days"] < 0 and row["state"]["name"] == "Ended"
        assert c.api("/health").json["health"]["level"] == "bad"
