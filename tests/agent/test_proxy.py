"""The guest's programs behind a real proxy (squid), with a real server behind it."""
import json
import os
import pathlib
import socket
import subprocess
import uuid

from fixtures import fixture, scratch
from proxies import FORBIDDEN, NAME, PASSWORD, USER, Front, Squid
from stack.ports import free_port
from stack.process import wait_until
from agents import SLOW, Tenant, finish, has_line, log, new_guest, start, tool


@fixture("file")
def front(server):
    folder = scratch() / ("front-" + uuid.uuid4().hex[:8])
    folder.mkdir()
    it = Front(server, folder)
    yield it
    it.stop()


@fixture("file")
def squid(server):
    folder = scratch() / ("squid-" + uuid.uuid4().hex[:8])
    folder.mkdir()
    it = Squid(server, folder)
    yield it
    it.stop()


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, folder, front):
    g = new_guest(server, folder / "guest")
    g.url = front.url
    yield g
    finish(g)


def config(guest, *args, password=None, environment=None, stdin=""):
    env = {k: v for k, v in os.environ.items() if k.lower() not in ("https_proxy", "http_proxy", "all_proxy", "no_proxy")}
    env.update(environment or {})
    if password is not None:
        env["KEYWARD_PROXY_PASSWORD"] = password
    p = subprocess.run([str(guest.programs / "keyward-config"), "--conf", str(guest.conf), "--state", str(guest.state), *args],
                       input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    assert PASSWORD not in p.stdout + p.stderr
    return p


def tried(guest, *args, **more):
    """The stages that a test has passed, the last of them failed or not, and what was said."""
    p = config(guest, "--proxy-settings", "test", "--url", guest.url, "--json", *args, **more)
    said = json.loads(p.stdout)
    stages = said["proxy"]["test"]
    assert all(s["ok"] for s in stages[:-1])
    return stages[-1]["stage"], stages[-1]["ok"], p.returncode, said.get("error", {}).get("text", "")


def test_proxy_is_set_shown_and_removed(guest):
    # covers: AGT-7, CFG-2, SEC-4
    assert "No proxy is set" in config(guest, "-y", "show").stdout
    assert config(guest, "-y", "https://squid.example:8080", "--proxy-user", USER, password=PASSWORD).returncode == 0
    shown = config(guest, "-y", "show")
    assert "https://squid.example:8080" in shown.stdout and USER in shown.stdout, shown.stdout
    said = json.loads(config(guest, "-y", "show", "--json").stdout)["proxy"]
    assert said == {"source": "settings", "url": "https://squid.example:8080", "user": USER, "has_password": True}
    kept = guest.state / "proxy-password"
    assert kept.read_text() == PASSWORD and kept.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in (guest.state / "proxy.json").read_text()
    config(guest, "-y", "squid.example")
    assert not kept.exists()
    assert json.loads(config(guest, "-y", "show", "--json").stdout)["proxy"]["url"] == "http://squid.example:3128"
    assert "removed" in config(guest, "-y", "remove").stdout
    assert json.loads(config(guest, "-y", "show", "--json").stdout)["proxy"]["source"] == "none"
    for wrong in ("socks5://x:1", "ftp://x", "http://", "http://x/path", "http://:pw@x", "x y"):
        p = config(guest, "-y", wrong)
        assert p.returncode == 2 and "no proxy" in p.stderr or "login" in p.stderr, (wrong, p.stderr)
    p = config(guest, "-y", "http://one:Hid-den-1@x")
    assert p.returncode == 0 and "Hid-den-1" not in p.stdout + p.stderr and "ps" in p.stderr
    p = config(guest, "-y", "http://x", "--proxy-user", "two", "--proxy-password-file", "-", stdin="From-a-pipe\n")
    assert p.returncode == 0 and kept.read_text() == "From-a-pipe"


def test_login_of_the_proxy_is_gone_from_the_arguments(guest):
    # covers: AGT-7, SEC-4
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        p = tool(guest, "-r", "-u", f"https://{NAME}:1", "-g", str(uuid.uuid4()), "--passphrase-file", "/etc/hostname", "-y",
                 f"http://me:Very-Secret-2@127.0.0.1:{port}")
        deaf.accept()
        shown = pathlib.Path(f"/proc/{p.pid}/cmdline").read_bytes()
        p.kill()
        out, err = p.communicate()
    assert b"keyward-config" in shown and b"Very-Secret-2" not in shown
    assert "Very-Secret-2" not in out + err


def test_every_kind_of_proxy_leads_to_the_server(guest, squid):
    # covers: AGT-7
    assert config(guest, "-y", squid.open).returncode == 0
    assert tried(guest) == ("server", True, 0, "")
    for url in (squid.login, squid.tls):
        assert config(guest, "-y", url, "--proxy-user", USER, password=PASSWORD).returncode == 0
        assert tried(guest) == ("server", True, 0, ""), url
    plain = config(guest, "-y", "test", "-u", guest.url).stdout
    assert "TLS of the proxy         ok" in plain and "Web Service              ok" in plain, plain
    assert f"CONNECT {guest.url.removeprefix('https://')}" in squid.seen()
    config(guest, "-y", "remove")
    assert tried(guest, environment={"https_proxy": squid.open}) == ("server", True, 0, "")
    login = "http://guest%20one:Pa%3Ass%40w%C3%B6rd%2041%2F@" + squid.login.removeprefix("http://")
    assert tried(guest, environment={"https_proxy": login}) == ("server", True, 0, "")


def test_a_test_of_the_proxy_says_where_it_fails(guest, squid, server):
    # covers: AGT-7
    def set_(url, user=None, password=None):
        more = ("--proxy-user", user) if user else ()
        assert config(guest, "-y", url, *more, password=password).returncode == 0

    set_("http://no-such-proxy.invalid:1")
    stage, ok, code, text = tried(guest)
    assert (stage, ok, code) == ("name", False, 3) and "no-such-proxy.invalid" in text, text
    set_(f"http://127.0.0.1:{free_port()}")
    stage, ok, code, text = tried(guest)
    assert (stage, ok, code) == ("connect", False, 3) and "nobody answers at the proxy" in text, text
    set_(squid.login)
    stage, ok, code, text = tried(guest)
    assert (stage, ok, code) == ("login", False, 3) and "407" in text, text
    set_(squid.login, USER, "wrong")
    assert tried(guest)[:3] == ("login", False, 3)
    set_(squid.tls.replace("https:", "http:"), USER, PASSWORD)
    assert tried(guest)[1:3] == (False, 3)
    url = guest.url
    set_(squid.open)
    guest.url = url.replace(NAME, FORBIDDEN)
    stage, ok, code, text = tried(guest)
    assert (stage, ok, code) == ("tunnel", False, 3) and "CONNECT" in text, text
    guest.url = "https://unknown.example.test:8443"
    assert tried(guest)[:3] == ("tunnel", False, 3)
    guest.url = url
    plain = guest.conf.read_text()
    guest.conf.write_text("".join(line + "\n" for line in plain.splitlines() if not line.startswith("ca_file")))
    stage, ok, code, text = tried(guest)
    assert (stage, ok, code) == ("tls", False, 3) and "not trusted" in text, text
    set_(squid.tls, USER, PASSWORD)
    stage, ok, code, text = tried(guest)
    assert (stage, ok, code) == ("proxy-tls", False, 3) and squid.tls in text, text
    guest.conf.write_text(plain)
    set_(squid.open)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        guest.url = f"https://{NAME}:{other.getsockname()[1]}"
        p = tool(guest, "-y", "test", "-u", guest.url, "--json")
        peer, _ = other.accept()
        peer.close()
        out, _ = p.communicate()
    assert json.loads(out)["proxy"]["test"][-1] == {"stage": "tls", "ok": False}, out


def test_no_proxy_is_honoured(guest, squid):
    # covers: AGT-7
    config(guest, "-y", squid.open)
    for except_ in (NAME, "example.test", "*"):
        stage, ok, _, text = tried(guest, environment={"no_proxy": except_})
        assert (stage, ok) == ("name", False) and NAME in text, (except_, text)


def test_agent_works_through_a_proxy_that_wants_a_login(guest, squid, tenant):
    # covers: AGT-7, AGT-5
    p = config(guest, "-y", squid.tls, "--proxy-user", USER, "-r", "-i", "-u", guest.url, "-g", tenant.account,
               password=PASSWORD, environment={"KEYWARD_PASSPHRASE": tenant.passphrase})
    assert p.returncode == 0, p.stderr
    start(guest)
    wait_until(lambda: tenant.instance(guest)["agent"]["insecure_tls"] is False, SLOW, "no heartbeat", guest.process.alive)
    # Another proxy is taken by the agent that runs, and one that is away is said to be what is away.
    config(guest, "-y", f"http://127.0.0.1:{free_port()}")
    has_line(guest, "nobody answers at the proxy")
    config(guest, "-y", squid.open)
    has_line(guest, f"the proxy has changed proxy={squid.open}")
    tenant.order(guest, "log-level", "info")
    has_line(guest, "log level set level=info")
    assert PASSWORD not in log(guest, all_runs=True) and "Pa%3A" not in log(guest, all_runs=True)
    assert guest.stop()
