"""Certificates that really end: the page, the warning, the mail that comes once; and a new one that the running web server takes in without losing a
connection."""
import contextlib
import csv
import http.client
import io
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from mailsink import NAME, Sink
from notices import told
from stack.certificates import openssl
from stack.process import wait_until
from web import Client, make_tenant, make_user, operator
from world import count

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


def reloads(server):
    """How often the keys' process has begun to read the files."""
    return server.processes["web"].log.read_text(errors="replace").count("(re)loading certificates")


def reload(server):
    """One whole reading of the files as they are now."""
    before = reloads(server)
    os.kill(int((server.state / "pid" / "kore").read_text()), signal.SIGUSR1)
    wait_until(lambda: reloads(server) > before, SECONDS, "the files are not read")


def served(server, name):
    with socket.create_connection(("127.0.0.1", server.port), 60) as plain:
        with ssl._create_unverified_context().wrap_socket(plain, server_hostname=name) as s:
            return ssl.DER_cert_to_PEM_cert(s.getpeercert(True))


def calm(ask):
    """What ASK gives; None where a busy machine's keys' process did not sign within the second that a worker waits, as a browser would try again."""
    try:
        return ask()
    except OSError:
        return None


def patient(c):
    """C, which asks again where calm() would."""
    send = c.send

    def again(*args, **kw):
        for _ in range(20):
            try:
                return send(*args, **kw)
            except OSError:
                time.sleep(0.5)
        return send(*args, **kw)
    c.send = again
    return c


def put(path, text):
    """TEXT in place of what is in the file, whose owner and mode stay."""
    new, was = path.with_suffix(".new"), path.stat()
    new.touch(mode=was.st_mode & 0o777)
    os.chown(new, was.st_uid, was.st_gid)
    new.write_text(text)
    new.rename(path)


@contextlib.contextmanager
def kept(server, name):
    """Certificate and key are as they were afterwards."""
    files = [server.state / "tls" / f"{name}.{end}" for end in ("key", "crt")]
    texts = [f.read_text() for f in files]
    before = texts[1]
    try:
        yield
    finally:
        for f, text in zip(files, texts):
            put(f, text)
        reload(server)
        # Five times running, without a reload in between, so that no later test falls into one.
        def quiet():
            seen = reloads(server)
            return all((calm(lambda: served(server, name)) or "").split() == before.split() for _ in range(5)) and reloads(server) == seen
        wait_until(quiet, SECONDS, "the former certificate is not served again")


def web_row(c, name):
    rows = [r for r in c.api("/certificates?limit=200").json["list"]["rows"] if (r["where"] or "").startswith(name)]
    return rows[0] if rows else None


def troubles(c, path, name):
    """With the certificate of NAME: others' may end as well."""
    return [t for t in c.api(path).json["troubles"] if t["area_name"] == "certificates" and name in t["value"]]


def test_all_certificates_are_listed(server):
    # covers: ADM-2
    c = operator(server, "system-operator")
    for name in server.sites.values():
        wait_until(lambda: web_row(c, name), SECONDS, f"the certificate of {name} is not listed")
        row = web_row(c, name)
        assert row["names"] == name and row["subject"] == f"CN={name}" and "Keyward CA" in row["issuer"]
        end = subprocess.run(["openssl", "x509", "-in", str(server.state / "tls" / f"{name}.crt"), "-noout", "-fingerprint", "-sha256"], stdout=subprocess.PIPE, text=True, check=True)
        assert end.stdout.strip().split("=")[1].replace(":", "").lower() == row["fingerprint"]
    rows = c.api("/certificates?limit=200").json["list"]["rows"]
    assert [r for r in rows if "CA of this installation" in (r["where"] or "") and r["self_signed"]]
    assert [r["days"] for r in rows] == sorted(r["days"] for r in rows)
    # A list as any other: sorted, searched, page by page, and as a file.
    def prints(query):
        shown = c.api(query if query.startswith("/") else "/certificates?" + query).json["list"]
        return [r["fingerprint"] for r in shown["rows"]], shown
    all = [r["fingerprint"] for r in rows]
    assert prints("limit=200&sort=-days")[0] == all[::-1]
    by_name = [r["subject"] for r in prints("limit=200&sort=subject")[1]["rows"]]
    assert by_name == sorted(by_name, key=str.lower) and len(by_name) == len(all)
    site = server.sites["console"]
    assert prints("search=" + site.upper())[0] == [r["fingerprint"] for r in rows if site in r["names"] + (r["where"] or "") + r["subject"]] != []
    assert prints("search=nothing-like-this")[1]["no_match"] and c.api("/certificates?sort=issuer").status == 422 and c.api("/certificates?page=x").status == 422
    one, first = prints("limit=2")
    two, second = prints(first["next"])
    assert one + two == all[:4] and prints(second["previous"])[0] == all[:2] and first["previous"] is None
    lines = list(csv.reader(io.StringIO(c.get("/certificates?as=csv").text)))
    assert [line[-1] for line in lines[1:]] == all and lines[0][0] == "Certificate"
    assert "PRIVATE" not in c.api("/certificates").text and c.get("/certificates").status == 200
    assert operator(server, "tenant-manager").get("/certificates").status == 403


def test_one_that_ends_is_told_of_and_renewed_live(server, folder):
    # covers: ADM-2
    name, c = server.sites["agents"], patient(operator(server))
    with kept(server, name), Sink(server, folder) as sink:
        a = c.api("/mail", {"host": NAME, "port": sink.port, "security": "none", "sender": "keyward@msp.example", "user": "", "password": "", "ca": ""})
        assert a.status == 200, a
        # A connection that is open before, and in use: what follows must not end it.
        open_one = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=SECONDS)
        open_one.sock = server.tls_context().wrap_socket(socket.create_connection(("127.0.0.1", server.port), SECONDS), server_hostname=name)

        def taken():
            open_one.request("GET", "/healthz", headers={"Host": f"{name}:{server.port}"})
            answer = open_one.getresponse()
            assert answer.read() and answer.status == 200 and not answer.will_close
            return (calm(lambda: served(server, name)) or "").split() == pem.split()
        own, pem = open_one.sock, issue(server, name, 3, folder)
        assert not taken()
        reload(server)
        wait_until(taken, SECONDS, "the new certificate is not served")
        assert taken() and open_one.sock is own
        open_one.close()
        wait_until(lambda: web_row(c, name) and web_row(c, name)["days"] <= 3, SECONDS, "the page does not have the new certificate")
        row = web_row(c, name)
        assert row["state"]["colour"] == "red" and row["warn"]
        # On the overview and on Health as well, with what to do.
        trouble = troubles(c, "/", name)
        assert trouble and "certificate request" in trouble[0]["advice"]
        ours = lambda: [m for m in sink.mails if name in m.subject and "certificate" in m.subject.lower()]
        server.restart("jobd")                   # which looks at its start, and then once a minute
        wait_until(ours, SECONDS, "no mail about it")
        told = {r for m in ours() for r in m.recipients}
        assert "certificate install" in ours()[0].text and f"CN={name}" in ours()[0].text
        # Once to each, though jobd looks again and again.
        server.restart("jobd")
        wait_until(lambda: web_row(c, name), SECONDS, "gone")
        assert len(ours()) == len({r for m in ours() for r in m.recipients}) and told
    c.api("/mail/remove", {})
    wait_until(lambda: not troubles(c, "/", name), SECONDS, "the warning stays")


def test_one_that_has_ended_is_bad(server, folder):
    # covers: ADM-2
    name, c = server.sites["agents"], patient(operator(server))
    with kept(server, name):
        issue(server, name, -1, folder)
        reload(server)
        wait_until(lambda: [t for t in troubles(c, "/health", name) if "has ended" in t["value"]], SECONDS, "it is not said that it has ended")
        row = web_row(c, name)
        assert row["days"] < 0 and row["state"]["name"] == "Ended"
        assert c.api("/health").json["health"]["level"] == "bad"


def test_one_with_another_key_disturbs_no_handshake(server, folder):
    # covers: ADM-2, SEC-2
    """A worker signs with the key that goes with the certificate it has just sent, while another follows it: without that about one handshake at each change is
    broken for the client."""
    name, results, over = server.sites["agents"], [], threading.Event()

    def shake():
        while not over.is_set():
            try:
                results.append(served(server, name))
            except ssl.SSLError as e:
                results.append(e.reason)
            except OSError:
                pass
    with kept(server, name):
        pairs = [[(server.state / "tls" / f"{name}.{end}").read_text() for end in ("key", "crt")]]
        own_ca(folder, name, 9)
        pairs.append([(folder / f"{name}.{end}").read_text() for end in ("key", "crt")])
        shakers = [threading.Thread(target=shake) for _ in range(4)]
        for t in shakers:
            t.start()
        try:
            for i in range(12):
                for end, text in zip(("key", "crt"), pairs[(i + 1) % 2]):
                    put(server.state / "tls" / f"{name}.{end}", text)
                reload(server)
                wait_until(lambda: any((r or "").split() == pairs[(i + 1) % 2][1].split() for r in results[-4:]), SECONDS, "the other certificate is not served")
        finally:
            over.set()
            for t in shakers:
                t.join()
    assert results.count("BAD_SIGNATURE") == 0, (results.count("BAD_SIGNATURE"), len(results))
    assert len({r for r in results if r and r.startswith("-----BEGIN")}) == 2


def own_ca(folder, name, days):
    """A CA's certificate that ends in DAYS."""
    out = folder / f"{name}.crt"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / f"{name}.key"), "-out", str(out), "-days", str(days),
            "-subj", f"/CN={name}")
    return out.read_text()


def test_what_an_account_has_entered_is_told_to_its_administrators(server, folder):
    # covers: ADM-1, ADM-2, NTF-2, LOG-2
    slug, tenant = make_tenant(server)
    other = make_tenant(server)[1]
    admin, auditor, stranger = make_user(server, tenant), make_user(server, tenant, "auditor"), make_user(server, other)
    t = Client(server, "console")
    assert t.sign_in(admin, account=slug).status == 303
    c = operator(server)
    with Sink(server, folder) as sink:
        assert c.api("/mail", {"host": NAME, "port": sink.port, "security": "none", "sender": "keyward@msp.example", "user": "", "password": "", "ca": ""}).status == 200
        both = own_ca(folder, f"long-{slug}", 300) + own_ca(folder, f"short-{slug}", 5)
        assert t.post("/account/log-forwarding", host="logs.example", port="6514", ca=both, format="syslog").status in (200, 303)
        server.restart("jobd")
        ours = lambda: [m for m in sink.mails if f"short-{slug}" in m.text or "Receiver of the log" in m.text]
        wait_until(ours, SECONDS, "no mail about it")
        mails = [(m.recipients, m.subject) for m in ours()]
        assert [r for r, _ in mails] == [[admin]] and "Certificate ends" in mails[0][1], mails
        told(server, tenant, "certificate-ends")
        assert "ends in 4 days" in ours()[0].text or "ends in 5 days" in ours()[0].text, ours()[0].text
        assert not [m for m in sink.mails if stranger in m.recipients or auditor in m.recipients]
        # Once, and nothing of one that has long to go.
        entries = lambda: count(server, "select count(*) from audit_entry where tenant = %s and event = 'certificate.ends'", tenant)
        assert entries() == 1
        server.restart("jobd")
        wait_until(lambda: count(server, "select count(*) from audit_entry where tenant = '00000000-0000-0000-0000-000000000000' and event = 'server.started' and at > now() - interval '1 minute'"), SECONDS, "no start")
        assert len(ours()) == 1 and entries() == 1
        # The operator learns nothing of it.
        assert not [r for r in c.api("/certificates?limit=200").json["list"]["rows"] if slug in r["subject"]]
    c.api("/mail/remove", {})


def sign(server, folder, request, days=30, name=None, extra=()):
    """What the installation's CA makes of a request, for the name in it or another."""
    csr, ext, out = folder / "r.csr", folder / "ext", folder / f"signed-{os.urandom(4).hex()}.crt"
    csr.write_text(request)
    ext.write_text(f"subjectAltName=DNS:{name}\n" if name else "")
    openssl("x509", "-req", "-sha256", "-days", str(days), "-in", str(csr), "-CA", str(server.ca), "-CAkey", str(server.state / "ca" / "ca.key"), "-set_serial",
            "0x" + os.urandom(16).hex(), "-out", str(out), *(["-extfile", str(ext)] if name else ["-copy_extensions", "copy"]))
    for more in extra:
        out.write_text(out.read_text() + more)
    return out


def test_a_certificate_is_renewed_by_command(server, folder):
    # covers: ADM-2, OPS-2
    name = server.sites["console"]
    tls = server.state / "tls"
    key, next_key = tls / f"{name}.key", tls / f"{name}.key.next"
    old_key = key.read_text()
    assert name in server.keyward("certificate", "list")
    with kept(server, name):
        try:
            before = served(server, name)
            request = server.keyward("certificate", "request", name)
            assert server.keyward("certificate", "request", name).split("\n")[0] == request.split("\n")[0] and key.read_text() == old_key
            assert next_key.stat().st_mode & 0o777 == 0o600
            fails = lambda file, who=name: server.keyward("certificate", "install", who, str(file), check=False).stderr
            # What would not do is said, and nothing changes.
            assert "but for other.example" in fails(sign(server, folder, request, name="other.example"))
            assert "has ended" in fails(sign(server, folder, request, days=-1))
            assert "is no host name of this installation" in fails(sign(server, folder, request), "other.example")
            (folder / "no.crt").write_text("nothing")
            assert "no certificate in PEM" in fails(folder / "no.crt") and "no such" in fails(folder / "away.crt").lower()
            stranger = openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(folder / "s.key"), "-subj", f"/CN={name}")
            assert "neither the one that waits" in fails(sign(server, folder, stranger, name=name))
            assert "did not issue the one before it" in fails(sign(server, folder, request, extra=[own_ca(folder, "unrelated", 30)]))
            assert served(server, name) == before and key.read_text() == old_key
            # And what does: at once, with the authority's own behind it.
            good = sign(server, folder, request, extra=[server.ca.read_text()])
            said = server.keyward("certificate", "install", name, str(good))
            assert "a new key" in said and "without losing a connection" in said, said
            wait_until(lambda: (calm(lambda: served(server, name)) or before) != before, SECONDS, "the new certificate is not served")
            wait_until(lambda: (calm(lambda: served(server, name)) or "nothing").strip() in good.read_text(), SECONDS, "the new certificate is not the one that is served")
            assert not next_key.exists() and key.read_text() != old_key
            assert (key.stat().st_mode & 0o777, key.group()) == (0o440, "keyward-tls")
            # The next one may keep the key.
            again = openssl("req", "-new", "-key", str(key), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
            assert "the same key" in server.keyward("certificate", "install", name, str(sign(server, folder, again)))
        finally:
            next_key.unlink(missing_ok=True)
            key.chmod(0o640)
            key.write_text(old_key)
            key.chmod(0o440)
