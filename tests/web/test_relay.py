"""The key service on a machine of its own (TEN-6): web workers reach it through keyward-relay, over TLS with certificates at both ends. Jobs and
the administrator's command are on its machine; the database could be on a third (test_database_host.py)."""
import contextlib
import copy
import os
import shutil
import socket
import ssl
import struct
import subprocess

from fixtures import fixture, scratch
from stack import certificates
from stack.installation import Installation
from stack.ports import free_port
from stack.process import Process, wait_until
from test_agent_service import Agent, make_agent
from test_appearance import HTML, address_of, png, put_back, save, settled, sign_in_page, url
from test_database_host import certificate
from web import Client, make_operator, make_tenant, make_user, operator

WEB, OTHER, ADDRESS, SECONDS = "web1.keyward.test", "web9.keyward.test", "127.0.0.3", 60
QUESTION = struct.pack(">I", 18) + b"\1\1" + os.urandom(16)


class Apart(Installation):
    """The web server has a configuration of its own, in which the key service's socket is the relay's."""

    def _web(self, name="web", kore="kore"):
        return Process(name, [str(self.kore / "kore"), "-f", "-c", str(self.state / "etc" / f"{kore}.conf")], self.state,
                       env=dict(self._sanitizers(), KEYWARD_CONFIG=str(self.state / "etc" / f"{name}.conf")))

    def _configure(self):
        super()._configure()
        text = self.conf.read_text().replace("/run/keyd.sock", "/run/relay.sock")
        (self.state / "etc" / "web.conf").write_text(text)

    def beside(self, relay):
        """A second web server as on another machine, with its key service at the socket RELAY: its process, and the installation as those see it who come
        there."""
        there = copy.copy(self)
        there.port = free_port()
        for file, other, kept in (("web.conf", "web2.conf", "/run/relay.sock"), ("kore.conf", "kore2.conf", "/pid/kore")):
            text = (self.state / "etc" / file).read_text().replace(f" {self.port}\n", f" {there.port}\n").replace(f"workers {self.workers}\n", "workers 1\n")
            assert text.count(kept) == 1
            (self.state / "etc" / other).write_text(text.replace(kept, f"/run/{relay}" if "relay" in kept else "/pid/kore2"))
        return self._web("web2", "kore2"), there


class Relays:
    def __init__(self, it):
        self.it, self.port = it, free_port()
        self.folder = it.state / "relay"
        self.folder.mkdir()
        certificates.make_ca(it.state / "ca", it.ca)
        certificate(self.folder, it.state / "ca", it.ca, ADDRESS, "serverAuth", "root")
        for name in (WEB, OTHER, "web2.keyward.test"):
            certificate(self.folder, it.state / "ca", it.ca, name, "clientAuth", "root")
        other = it.state / "other-ca"
        certificates.make_ca(other, self.folder / "other.crt")
        certificate(self.folder, other, self.folder / "other.crt", "stranger", "clientAuth", "root")
        it.processes["near"], it.processes["far"] = self.near, self.far = self.end("near", WEB), self.end("far", ADDRESS)

    def end(self, which, who, relay="relay.sock"):
        run = self.it.state / "run"
        argv = [self.it._program("relay", "keyward-relay"), which, "--ca", str(self.it.ca), "--certificate", str(self.folder / f"{who}.crt"),
                "--key", str(self.folder / f"{who}.key")]
        argv += (["--connect", f"{ADDRESS}:{self.port}", "--socket", str(run / relay), "--allow", "keyward-web", "--socket-group", "keyward",
                  "--user", "keyward-relay"] if which == "near" else
                 ["--listen", f"{ADDRESS}:{self.port}", "--socket", str(run / "keyd.sock"), "--names", f"{WEB},{OTHER}", "--user", "keyward-web"])
        return Process(which if relay == "relay.sock" else f"{which} of {who}", argv, self.it.state, env=self.it._sanitizers())

    def start(self, *which):
        for p in which or (self.far, self.near):
            p.start()
            wait_until(lambda: "ready" in p.last_lines(), SECONDS, f"{p.name} is not ready", p.alive)

    def stranger(self, who=None, version=None):
        """What somebody gets who connects to the far end, as WHO: bytes of an answer, or why not."""
        c = ssl.create_default_context(cafile=str(self.it.ca))
        if version:
            c.maximum_version = version
        if who:
            c.load_cert_chain(self.folder / f"{who}.crt", self.folder / f"{who}.key")
        try:
            with socket.create_connection((ADDRESS, self.port), SECONDS) as plain, c.wrap_socket(plain, server_hostname=ADDRESS) as s:
                if who == WEB:                   # what a refused one has sent would turn the refusal into a reset
                    s.sendall(QUESTION)
                return s.recv(100)
        except (ssl.SSLError, ConnectionError) as e:
            return str(e)


@fixture("file")
def relays():
    folder = scratch() / "relays"
    shutil.rmtree(folder, ignore_errors=True)
    it = Apart(folder, "sanitize", free_port(), settings={"outside.local": "yes"})
    r = Relays(it)
    with it:
        it.prepare()
        try:
            r.start()
            it.start()
            yield r
        finally:
            it.stop("web")
            ended = [p.stop() for p in (r.near, r.far)]
    assert all(ended), "a relay had to be killed"


def key_work(it):
    """A page and an agent's session, which need keyd (a session's tickets are its)."""
    slug, tenant = make_tenant(it)
    t = Client(it, "console")
    assert t.sign_in(make_user(it, tenant), account=slug).status == 303
    id, key = make_agent(it, tenant)
    assert Agent(it, tenant, id, key).connect().say(type="heartbeat", uptime_s=1)["type"] == "heartbeat"


def ready(it):
    return Client(it, "central").get("/readyz").status


def test_key_service_of_another_machine(relays):
    # covers: TEN-6, KEY-1
    it = relays.it
    c = Client(it, "central")
    assert c.sign_in(make_operator(it)).status == 303
    assert ready(it) == 200
    key_work(it)
    assert f"name={WEB}" in relays.far.log.read_text()
    # Who asks keyd is the user that the far end runs as, and jobs by themselves; nobody is root any more.
    status = (lambda p: dict(x.split(":", 1) for x in open(f"/proc/{p.pid}/status") if ":" in x))
    for p in (relays.near, relays.far):
        s = status(p)
        assert s["CapEff"].strip() == "0" * 16 and s["NoNewPrivs"].strip() == "1" and s["Seccomp"].strip() == "2" and "0" not in s["Uid"].split(), s
    # The state of the relay is the state of the key service, for the web server.
    relays.far.stop()
    wait_until(lambda: ready(it) == 503, SECONDS, "the web server takes itself for ready without keys")
    relays.start(relays.far)
    wait_until(lambda: ready(it) == 200, SECONDS, "does not come back")
    relays.near.kill()
    wait_until(lambda: ready(it) == 503, SECONDS, "the web server takes itself for ready without keys")
    relays.start(relays.near)
    wait_until(lambda: ready(it) == 200, SECONDS, "does not come back")
    key_work(it)


@contextlib.contextmanager
def second_web_server(relays):
    """The installation as it is at a second web server, with a relay of its own, while it runs."""
    it, relay = relays.it, "relay2.sock"
    near = relays.end("near", OTHER, relay)
    web, there = it.beside(relay)
    it.processes.update({p.name: p for p in (near, web)})
    try:
        relays.start(near)
        web.start()
        wait_until(there._web_answers, 120, "the second web server does not answer", web.alive)
        yield there
    finally:
        ended = [p.stop() for p in (web, near)]
    assert all(ended), "it had to be killed"


def test_two_web_servers_on_one_database(relays):
    # covers: TEN-6, OPS-3, WEB-4
    it, picture = relays.it, png()
    with second_web_server(relays) as there:
        key_work(there)
        # Whoever has signed in at one is known to the other: a proxy before them may send each request to any.
        c, d = operator(it), Client(there, "central")
        d.cookies, d.csrf = dict(c.cookies), c.csrf
        assert d.get("/appearance").status == 200
        # What the operator sets at one is seen at the other when the two seconds are over that a worker keeps what it knows; and so it is put back.
        assert HTML not in sign_in_page(there)
        try:
            save(c, logo=url(png()))
            settled()
            page, own = sign_in_page(there), sign_in_page(it)
            assert f"Sign in · {HTML}</title>" in page, page
            for end in (r"\.css", r"\.png"):
                path = address_of(page, end)
                files = [Client(server, "console").get(path) for server in (it, there)]
                assert path == address_of(own, end) and [f.status for f in files] == [200, 200] and files[0].body == files[1].body, (path, own, files)
        finally:
            put_back(there)
        assert HTML not in sign_in_page(it) and Client(it, "console").get(path).status == 404


def test_only_machines_that_are_known_may_come(relays):
    # covers: TEN-6, SEC-7
    good = relays.stranger(WEB)
    assert isinstance(good, bytes) and len(good) > 4, good
    assert "certificate required" in relays.stranger().lower(), relays.stranger()
    assert "unknown ca" in relays.stranger("stranger").lower(), relays.stranger("stranger")
    assert "version" in str(relays.stranger(WEB, ssl.TLSVersion.TLSv1_2)).lower()
    assert relays.stranger("web2.keyward.test") == b""           # good, and not among the names
    wait_until(lambda: "of nobody who may come" in relays.far.log.read_text(), SECONDS, "nothing about it in the log")


def test_strangers_before_the_door_keep_nobody_out_who_is_known(relays):
    # covers: TEN-6, SEC-5
    crowd = []
    try:
        for i in range(300):
            crowd.append(socket.create_connection((ADDRESS, relays.port), SECONDS, (f"127.0.9.{1 + i // 40}", 0)))
        good = relays.stranger(WEB)
        assert isinstance(good, bytes) and len(good) > 4, good
    finally:
        for s in crowd:
            s.close()
    assert "too many that have not shown who they are" in relays.far.log.read_text()


def held_by(relays, who, most, source="127.0.0.1"):
    """Connections that WHO gets and keeps, at most MOST: each was answered on."""
    c, held = ssl.create_default_context(cafile=str(relays.it.ca)), []
    c.load_cert_chain(relays.folder / f"{who}.crt", relays.folder / f"{who}.key")
    while len(held) < most:
        s = c.wrap_socket(socket.create_connection((ADDRESS, relays.port), SECONDS, (source, 0)), server_hostname=ADDRESS)
        try:
            s.sendall(QUESTION)
            answer = s.recv(100)
        except (ssl.SSLError, ConnectionError):
            answer = b""
        if not answer:
            s.close()
            break
        held.append(s)
    return held


def test_one_machine_does_not_take_the_places_of_others(relays):
    # covers: TEN-6, SEC-5
    held = held_by(relays, OTHER, 256)
    try:
        # Half of all is kept for the names, as much for each; the web server has some of what anybody may have.
        assert 128 <= len(held) <= 192, len(held)
        assert len(held_by(relays, OTHER, 1)) == 0
        good = relays.stranger(WEB)
        assert isinstance(good, bytes) and len(good) > 4, good
        assert "it has its share" in relays.far.log.read_text()
    finally:
        for s in held:
            s.close()
    # Nor does it by connections on which it says nothing, from where it is known.
    crowd = []
    wait_until(lambda: crowd or crowd.extend(held_by(relays, OTHER, 1, "127.0.9.99")) or crowd, SECONDS, "its places are not given back")
    try:
        for _ in range(300):
            crowd.append(socket.create_connection((ADDRESS, relays.port), SECONDS, ("127.0.9.99", 0)))
        good = relays.stranger(WEB)
        assert isinstance(good, bytes) and len(good) > 4, good
    finally:
        for s in crowd:
            s.close()


def test_what_is_no_message_ends_its_connection_alone(relays):
    # covers: TEN-6, SEC-5
    c = ssl.create_default_context(cafile=str(relays.it.ca))
    c.load_cert_chain(relays.folder / f"{WEB}.crt", relays.folder / f"{WEB}.key")
    for wrong in (struct.pack(">I", 0), struct.pack(">I", 65537) + b"x" * 65537, struct.pack(">I", 0xffffffff)):
        with socket.create_connection((ADDRESS, relays.port), SECONDS) as plain, c.wrap_socket(plain, server_hostname=ADDRESS) as s:
            try:
                s.sendall(wrong)
                assert s.recv(1) == b""
            except (ConnectionError, ssl.SSLError):
                pass
    # The largest that there is goes through: keyd says what it thinks of it.
    with socket.create_connection((ADDRESS, relays.port), SECONDS) as plain, c.wrap_socket(plain, server_hostname=ADDRESS) as s:
        s.sendall(struct.pack(">I", 65536) + b"\1\1" + b"x" * 65534)
        assert len(s.recv(4)) == 4
    # Half a message, and no more.
    with socket.create_connection((ADDRESS, relays.port), SECONDS) as plain, c.wrap_socket(plain, server_hostname=ADDRESS) as s:
        s.sendall(struct.pack(">I", 100) + b"x")
    assert ready(relays.it) == 200 and relays.far.alive()


def test_a_far_end_that_is_not_ours_gets_no_question(relays):
    # covers: TEN-6, SEC-7
    relays.far.stop()
    got = []
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(relays.folder / "stranger.crt", relays.folder / "stranger.key")
    with socket.create_server((ADDRESS, relays.port)) as door:
        ask = subprocess.Popen(["setpriv", "--reuid", "keyward-web", "--regid", "keyward", "--clear-groups", "/usr/bin/python3", "-c",
                                "import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\ns.connect(sys.argv[1])\n"
                                "s.send(b'x' * 18)\nprint(len(s.recv(100)))", str(relays.it.state / "run" / "relay.sock")], stdout=subprocess.PIPE, text=True)
        plain, _ = door.accept()
        try:
            with c.wrap_socket(plain, server_side=True) as s:
                got.append(s.recv(100))
        except (ssl.SSLError, ConnectionError) as e:
            got.append(str(e))
        said = ask.communicate(timeout=SECONDS)[0]
    assert "unknown ca" in str(got[0]).lower(), got
    assert said.strip() in ("0", ""), said
    assert "certificate" in relays.near.log.read_text().split("no connection to the key service's machine", 1)[1]
    relays.start(relays.far)
    wait_until(lambda: ready(relays.it) == 200, SECONDS, "does not come back")


def test_the_near_end_answers_web_workers_alone(relays):
    # covers: TEN-6
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(str(relays.it.state / "run" / "relay.sock"))       # as root
        assert s.recv(10) == b""
    assert "user 0 is not allowed" in relays.near.log.read_text()
