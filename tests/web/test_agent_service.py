"""The agent service against a running server, spoken to by an agent of our own in Python: what is refused, and with which word.
The protocol's pieces come from tests/vectors/check.py, which was written from docs/protocol.md alone."""
import base64
import importlib.util
import json
import os
import pathlib
import struct
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fixtures import fixture
from web import Client, database, make_tenant

_spec = importlib.util.spec_from_file_location("check", pathlib.Path(__file__).resolve().parents[1] / "vectors" / "check.py")
check = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check)

CURVE = ec.SECP256R1()
KINDS = check.KINDS


def public(key):
    return key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def head(kind, version=1):
    return b"KWD" + bytes([version, KINDS[kind]])


def seal(key, direction, counter, clear, plain):
    return clear + AESGCM(key).encrypt(direction + struct.pack(">Q", counter), plain, clear)


def make_agent(server, tenant):
    """An enrolled agent with a key of ours: its id and key."""
    key, agent, instance = ec.generate_private_key(CURVE), str(uuid.uuid4()), str(uuid.uuid4())
    with database(server).cursor() as c:
        # Seen an hour from now: what sends no heartbeats would be missing after two minutes, and its requests closed.
        c.execute("insert into instance (tenant, id, provider, provider_instance, host_name, last_seen) values (%s, %s, 'native', %s, 'py',"
                  " now() + interval '1 hour')", (tenant, instance, instance))
        c.execute("insert into agent (tenant, id, instance, public_key) values (%s, %s, %s, %s)", (tenant, agent, instance, public(key)))
    return agent, key


class Agent:
    def __init__(self, server, account, agent, key):
        self.http = Client(server, "agents")
        self.account, self.agent, self.key = uuid.UUID(account).bytes, uuid.UUID(agent).bytes, key
        self.counter = 0

    def post(self, frame, **headers):
        return self.http.send("POST", "/agent/v1", frame, {"Content-Type": "application/octet-stream", **headers}, origin=False)

    def ask(self, frame):
        """The answer's frame, or the word of an error frame."""
        answer = self.post(frame)
        assert answer.status == 200, answer
        return self.read(answer.body)

    @staticmethod
    def read(data):
        return WORDS[data[5]] if data[4] == 15 else data

    def hello(self):
        self.secret, self.nonce = ec.generate_private_key(CURVE), os.urandom(32)
        return head("hello") + self.account + self.nonce + public(self.secret)

    def finish(self, hello, answer):
        peer = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, answer[53:118])
        master = check.extract(self.nonce + answer[21:53], self.secret.exchange(ec.ECDH(), peer))
        transcript = check.sha256(hello, answer[:118])
        proof = check.open_proof("server", master, transcript, answer, 118)
        transcript = check.sha256(transcript, answer[118:])
        identity = self.account + self.agent + public(self.key)
        digest = check.sha256(check.string(b"keyward 1 agent signature"), transcript, check.string(identity))
        r, s = utils.decode_dss_signature(self.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
        mac = check.mac(check.expand(master, b"keyward 1 agent mac", transcript), check.string(b"keyward 1 agent identity"),
                        check.string(identity))
        self.session = answer[5:21]
        frame = seal(check.expand(master, b"keyward 1 agent key", transcript), check.AGENT, 0, head("finish") + self.session,
                     self.agent + r.to_bytes(32, "big") + s.to_bytes(32, "big") + mac)
        transcript = check.sha256(transcript, frame)
        self.keys = (check.expand(master, b"keyward 1 record agent key", transcript),
                     check.expand(master, b"keyward 1 record server key", transcript))
        assert len(proof) == 112
        return frame

    def connect(self):
        hello = self.hello()
        finish = self.finish(hello, self.ask(hello))
        answer = self.ask(finish)
        assert not isinstance(answer, str), answer
        return self

    def record(self, message, counter=None):
        if counter is None:
            self.counter += 1
            counter = self.counter
        clear = head("record") + self.session + struct.pack(">Q", counter)
        return seal(self.keys[0], check.AGENT, counter, clear, json.dumps(message).encode())

    def open(self, frame):
        counter = struct.unpack(">Q", frame[21:29])[0]
        return json.loads(check.open_sealed(self.keys[1], check.SERVER, counter, frame, 29))

    def say(self, **message):
        answer = self.ask(self.record(message))
        return answer if isinstance(answer, str) else self.open(answer)


def _words():
    """The codes of docs/protocol.md's section on errors, by number."""
    text = (pathlib.Path(check.ROOT) / "docs" / "protocol.md").read_text()
    rows = text[text.index("## 7. Errors"):text.index("## 8.")].splitlines()
    cells = [[c.strip(" *`") for c in r.strip("|").split("|")] for r in rows if r.startswith("|")]
    return {int(c[0]): c[1] for c in cells if c[0].isdigit()}


WORDS = _words()
HEARTBEAT = {"type": "heartbeat", "uptime_s": 5, "volumes": [], "results": []}


@fixture("file")
def tenant(server):
    return make_tenant(server)[1]


@fixture("test")
def agent(server, tenant):
    return Agent(server, str(tenant), *make_agent(server, tenant)).connect()


def heartbeat(agent):
    return agent.say(**HEARTBEAT)


def test_a_session_and_a_message(agent):
    # covers: AGT-2, AGT-5
    answer = heartbeat(agent)
    assert answer["type"] == "heartbeat" and answer["next_s"] > 0, answer


def test_what_is_repeated_late_or_altered_is_refused(agent):
    # covers: AGT-2
    agent.counter = 5
    first = agent.record(HEARTBEAT)
    assert agent.open(agent.ask(first))["type"] == "heartbeat"
    assert agent.ask(first) == "replayed"
    assert agent.ask(agent.record(HEARTBEAT, counter=4)) == "reordered"
    assert agent.ask(agent.record(HEARTBEAT, counter=0)) == "invalid"
    whole = agent.record(HEARTBEAT)
    assert agent.ask(whole[:-1] + bytes([whole[-1] ^ 1])) == "tampered"
    assert agent.ask(whole[:20]) == "truncated"
    assert agent.ask(b"KWD\x02" + whole[4:]) == "version"
    assert agent.ask(b"") == "truncated"
    assert agent.ask(b"GET / HTTP") == "invalid"
    # None of that has harmed the session.
    assert agent.open(agent.ask(whole))["type"] == "heartbeat"


def test_sessions_of_others_are_of_no_use(server, agent, tenant):
    # covers: AGT-2, TEN-4
    other = Agent(server, str(make_tenant(server)[1]), *make_agent(server, make_tenant(server)[1]))
    stranger = Agent(server, str(tenant), *make_agent(server, tenant)).connect()
    stranger.session = agent.session
    assert heartbeat(stranger) == "tampered"
    stranger.session = os.urandom(16)
    assert heartbeat(stranger) == "not-found"
    # An agent of another tenant cannot open a session here, nor one that was never enrolled; both hear the same.
    other.account = uuid.UUID(str(tenant)).bytes
    hello = other.hello()
    assert other.ask(other.finish(hello, other.ask(hello))) == "unauthenticated"
    nobody = Agent(server, str(uuid.uuid4()), str(uuid.uuid4()), ec.generate_private_key(ec.SECP256R1()))
    hello = nobody.hello()
    assert nobody.ask(nobody.finish(hello, nobody.ask(hello))) == "unauthenticated"


def test_a_handshake_is_finished_once(server, tenant):
    # covers: AGT-2
    a = Agent(server, str(tenant), *make_agent(server, tenant))
    hello = a.hello()
    finish = a.finish(hello, a.ask(hello))
    assert not isinstance(a.ask(finish), str)
    assert a.ask(finish) == "replayed"
    assert heartbeat(a)["type"] == "heartbeat"


def test_an_answer_belongs_to_its_question(agent):
    # covers: AGT-2
    one, two = (agent.ask(agent.record(HEARTBEAT)) for _ in range(2))
    try:
        agent.open(one[:21] + two[21:29] + one[29:])
        raise AssertionError("an answer opened under another question's number")
    except InvalidTag:
        pass


def test_a_removed_agent_and_a_suspended_account_get_nothing(server):
    # covers: TEN-7, SEC-7
    _, tenant = make_tenant(server)
    removed = Agent(server, str(tenant), *make_agent(server, tenant)).connect()
    suspended = Agent(server, str(tenant), *make_agent(server, tenant)).connect()
    ask = {"type": "provision_start", "device": "d", "recipient_key": (b"\4" + b"x" * 64).hex(), "signature": (b"s" * 64).hex()}
    with database(server).cursor() as c:
        c.execute("update agent set state = 'removed' where id = %s", (str(uuid.UUID(bytes=removed.agent)),))
    assert removed.say(**ask)["type"] == "refusal"
    again = Agent(server, str(tenant), str(uuid.UUID(bytes=removed.agent)), removed.key)
    hello = again.hello()
    assert again.ask(again.finish(hello, again.ask(hello))) == "unauthenticated"
    with database(server).cursor() as c:
        c.execute("update tenant set state = 'suspended' where id = %s", (tenant,))
    assert suspended.say(**ask)["type"] == "refusal"


def test_messages_of_unknown_shape_are_refused_inside(agent):
    # covers: AGT-2, SEC-5
    for message in ({"type": "no-such-thing"}, {"type": "key_request"}, {"type": "key_request", "device": 7}, {}):
        answer = agent.say(**message)
        assert answer["type"] == "refusal" and answer["code"] in ("unsupported", "invalid"), (message, answer)
    assert heartbeat(agent)["type"] == "heartbeat"


def test_no_agent_names_a_mount_point_that_the_console_would_not(server, agent):
    # covers: VOL-7, SEC-5
    me = str(uuid.UUID(bytes=agent.agent))
    with database(server).cursor() as c:
        c.execute("insert into device (tenant, id, provider, machine, provider_device, kind, instance, policy) select a.tenant,"
                  " gen_random_uuid(), 'native', a.instance, 'disk', 'disk', a.instance, p.id from agent a join policy p on"
                  " p.tenant = a.tenant and p.is_default where a.id = %s", (me,))
    recipient = public(ec.generate_private_key(CURVE))
    digest = check.sha256(check.string(b"keyward 1 recipient"), agent.account, agent.agent, check.string(b"disk"), recipient)
    r, s = utils.decode_dss_signature(agent.key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256()))))
    ask = {"type": "adopt_start", "device": "disk", "cipher": "aes", "mode": "xts-plain64", "hash": "sha256", "key_bits": 256,
           "access": "read-write", "recipient_key": text(recipient), "signature": text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}
    for point in ("/etc", "/usr", "/srv/..", "/proc/1", "/srv/a\nb", "/srv/../etc", "srv"):
        answer = agent.say(**ask, mount_point=point)
        assert answer["type"] == "refusal" and answer["code"] == "invalid", (point, answer)
        assert "mount point: " in json.dumps(answer) or "\n" in point, (point, answer)
    with database(server).cursor() as c:
        c.execute("select status, mount_point from device d join agent a on a.instance = d.instance where a.id = %s", (me,))
        assert c.fetchone()[:2] == ("not-configured", "")


def test_only_frames_come_in(server, agent):
    # covers: SEC-5, TEN-2
    frame = agent.record(HEARTBEAT)
    assert agent.http.send("GET", "/agent/v1").status == 405
    assert agent.http.send("POST", "/agent/v2", frame, {"Content-Type": "application/octet-stream"}).status == 404
    assert agent.post(frame, **{"Content-Type": "application/json"}).status == 415
    assert agent.http.send("GET", "/sign-in").status == 404
    assert agent.ask(b"KWD\x01\x05" + b"x" * 9000) in ("too-large", "invalid")
