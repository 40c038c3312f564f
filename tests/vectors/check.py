#!/usr/bin/python3
"""check.py - the agent protocol a second time, from docs/protocol.md alone, held against what the C code writes.

SPAKE2 and ECDH are done in plain Python integers, the rest with python3-cryptography. Each vector gives one line; the
exit status is 0 only when all hold.

    check.py            all: the stored vectors, and new ones that proto_vectors writes now
    check.py --list     "name SPEC-LINES"
    check.py NAME...    only these

The program proto_vectors is taken from the newest build below build/, or from the variable PROTO_VECTORS.
"""
import glob
import hashlib
import hmac
import json
import os
import struct
import subprocess
import sys
import tempfile

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# P-256 (SP 800-186) in integers. Points are pairs; None is the point at infinity.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
A = P - 3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)


def lift(x, odd):
    y = pow((x**3 + A * x + B) % P, (P + 1) // 4, P)
    return (x, y if y % 2 == odd else P - y)


SPAKE2_M = lift(0x886E2F97ACE46E55BA9DD7242579F2993B64E16EF3DCAB95AFD497333D8FA12F, 0)
SPAKE2_N = lift(0xD8BBD6C639C62937B04D997F38C3770719C629D7014D49A24B4F98BAA1292B49, 1)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] + A) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return (x, (slope * (p[0] - x) - p[1]) % P)


def mul(k, p):
    total = None
    while k:
        if k & 1:
            total = add(total, p)
        p = add(p, p)
        k >>= 1
    return total


def negate(p):
    return (p[0], P - p[1])


def point_bytes(p):
    return b"\x04" + p[0].to_bytes(32, "big") + p[1].to_bytes(32, "big")


def point(data):
    need(len(data) == 65 and data[0] == 4, "uncompressed point")
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    need(x < P and y < P and (y * y - x**3 - A * x - B) % P == 0, "point on the curve")
    return (x, y)


class Wrong(Exception):
    """A vector does not hold."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def equal(got, want, what):
    need(got == want, "%s: %s, not %s" % (what, got.hex() if isinstance(got, bytes) else got,
                                          want.hex() if isinstance(want, bytes) else want))


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def extract(salt, secret):
    return mac(salt or bytes(32), secret)


def expand(prk, label, context=b"", size=32):
    out, block, i = b"", b"", 1
    while len(out) < size:
        block = mac(prk, block, label, context, bytes([i]))
        out, i = out + block, i + 1
    return out[:size]


def string(data):
    return struct.pack(">I", len(data)) + data


def open_sealed(key, direction, counter, frame, clear):
    return AESGCM(key).decrypt(direction + struct.pack(">Q", counter), frame[clear:], frame[:clear])


def verify(public_key, digest, signature):
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key)
    der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key.verify(der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def uuid_bytes(text):
    return bytes.fromhex(text.replace("-", ""))


AGENT, SERVER = b"AGNT", b"SRVR"
KINDS = {"enrol_start": 1, "enrol_start_answer": 2, "enrol_finish": 3, "enrol_finish_answer": 4, "hello": 5,
         "hello_answer": 6, "finish": 7, "finish_answer": 8, "record": 9, "record_answer": 10}


class Vector:
    """One JSON file; hex members as bytes."""

    def __init__(self, folder, name):
        with open(os.path.join(folder, name + ".json"), encoding="utf-8") as f:
            self.data = json.load(f)

    def text(self, name):
        return self.data[name]

    def bytes(self, name):
        return bytes.fromhex(self.data[name])

    def frame(self, name):
        frame = self.bytes(name)
        equal(frame[:5], b"KWD\x01" + bytes([KINDS[name]]), "head of " + name)
        return frame


# SPAKE2 (RFC 9382)

def spake2(role, id_a, id_b, w, secret, share_a, share_b, aad):
    """Own share, Ke, both confirmations."""
    own, other = (SPAKE2_M, SPAKE2_N) if role == "A" else (SPAKE2_N, SPAKE2_M)
    share = point_bytes(add(mul(secret, G), mul(w, own)))
    peer = point(share_b if role == "A" else share_a)
    shared = mul(secret, add(peer, negate(mul(w, other))))
    parts = [id_a, id_b, share_a, share_b, point_bytes(shared), w.to_bytes(32, "big")]
    transcript = b"".join(struct.pack("<Q", len(x)) + x for x in parts)
    digest = sha256(transcript)
    confirm = expand(extract(b"", digest[16:]), b"ConfirmationKeys", aad)
    return share, digest[:16], mac(confirm[:16], transcript), mac(confirm[16:], transcript)


def check_rfc9382(folder):
    for v in Vector(HERE, "rfc9382").data["vectors"]:
        shares = [bytes.fromhex(v["share_a"]), bytes.fromhex(v["share_b"])]
        for role, secret, share in (("A", v["x"], shares[0]), ("B", v["y"], shares[1])):
            got = spake2(role, v["a"].encode(), v["b"].encode(), int(v["w"], 16), int(secret, 16), *shares, b"")
            equal(got[0], share, "share of " + role)
            equal(got[1].hex(), v["ke"], "Ke")
            equal(got[2].hex(), v["confirm_a"], "confirmation of A")
            equal(got[3].hex(), v["confirm_b"], "confirmation of B")


# Enrolment (docs/protocol.md, section 4)

def enrolment_keys(v, role):
    account = v.text("account")
    hashed = hashlib.pbkdf2_hmac("sha256", v.text("passphrase").encode(), b"keyward enrol 1" + uuid_bytes(account), 210000, 40)
    w = int.from_bytes(hashed, "big") % N
    equal(w.to_bytes(32, "big"), v.bytes("w"), "w")
    start, answer = v.frame("enrol_start"), v.frame("enrol_start_answer")
    equal(len(start), 86, "size of enrol_start")
    equal(len(answer), 86, "size of enrol_start_answer")
    equal(start[5:21], uuid_bytes(account), "account in enrol_start")
    transcript = sha256(start, answer)
    equal(transcript, v.bytes("transcript"), "transcript")
    secret = int.from_bytes(v.bytes("agent_scalar" if role == "A" else "server_scalar"), "big")
    share, ke, confirm_a, confirm_b = spake2(role, b"agent:" + account.encode(), b"server:" + account.encode(), w, secret,
                                             start[21:], answer[21:], transcript)
    equal(share, start[21:] if role == "A" else answer[21:], "share of " + role)
    prk = extract(transcript, ke)
    return {"transcript": transcript, "ke": ke, "confirm_agent": confirm_a, "confirm_server": confirm_b,
            "key_agent": expand(prk, b"keyward 1 enrol agent key"), "key_server": expand(prk, b"keyward 1 enrol server key")}


def check_enrolment(folder):
    v = Vector(folder, "enrolment")
    for role in "AB":
        keys = enrolment_keys(v, role)
        for name, value in keys.items():
            equal(value, v.bytes(name), name)
    finish, answer = v.frame("enrol_finish"), v.frame("enrol_finish_answer")
    for frame in (finish, answer):
        equal(frame[5:21], v.bytes("enrolment_id"), "enrolment id")
    equal(finish[21:53], keys["confirm_agent"], "confirmation sent by the agent")
    plain = open_sealed(keys["key_agent"], AGENT, 0, finish, 53)
    public_key, signature, description = plain[:65], plain[65:129], plain[129:]
    equal(public_key, v.bytes("agent_identity"), "registered key")
    verify(public_key, sha256(string(b"keyward 1 enrol possession"), keys["transcript"], public_key, string(description)), signature)
    equal(json.loads(description)["host"]["name"], "db-1", "host in the description")
    equal(answer[21:53], keys["confirm_server"], "confirmation sent by the server")
    plain = open_sealed(keys["key_server"], SERVER, 0, answer, 53)
    equal(plain[0], 0, "code")
    equal(struct.unpack(">Q", plain[1:9])[0], v.text("server_time_us"), "server's time")
    equal(plain[9:25], uuid_bytes(v.text("agent")), "agent id")
    equal(plain[25:], v.bytes("server_identity"), "server's identity")


# Session (section 5)

SIDES = {"server": (SERVER, b"keyward 1 server "), "agent": (AGENT, b"keyward 1 agent ")}


def open_proof(side, master, transcript, frame, clear):
    direction, label = SIDES[side]
    return open_sealed(expand(master, label + b"key", transcript), direction, 0, frame, clear)


def check_proof(side, master, transcript, proof, who, identity, public_key):
    label = SIDES[side][1]
    equal(proof[:16], who, "name of the " + side)
    verify(public_key, sha256(string(label + b"signature"), transcript, string(identity)), proof[16:80])
    mac_key = expand(master, label + b"mac", transcript)
    equal(proof[80:], mac(mac_key, string(label + b"identity"), string(identity)), "MAC of the " + side)


def session_keys(v):
    """Walks through the four frames; (transcript, master, record keys)."""
    hello, answer, finish = v.frame("hello"), v.frame("hello_answer"), v.frame("finish")
    equal((len(hello), len(answer), len(finish)), (118, 246, 149), "sizes")
    account, agent = uuid_bytes(v.text("account")), uuid_bytes(v.text("agent"))
    equal(hello[5:21], account, "account in hello")
    shared = [mul(int.from_bytes(v.bytes(s), "big"), point(f[53:118]))[0].to_bytes(32, "big")
              for s, f in (("agent_scalar", answer), ("server_scalar", hello))]
    equal(shared[0], shared[1], "shared secret of both")
    master = extract(hello[21:53] + answer[21:53], shared[0])
    equal(master, v.bytes("master"), "master")
    transcript = sha256(hello, answer[:118])
    identity = v.bytes("server_identity")
    proof = open_proof("server", master, transcript, answer, 118)
    check_proof("server", master, transcript, proof, sha256(identity)[:16], identity, identity)
    transcript = sha256(transcript, answer[118:])
    equal(finish[5:21], answer[5:21], "session id")
    key = v.bytes("agent_identity")
    proof = open_proof("agent", master, transcript, finish, 21)
    check_proof("agent", master, transcript, proof, agent, account + agent + key, key)
    transcript = sha256(transcript, finish)
    equal(transcript, v.bytes("transcript"), "transcript")
    return transcript, master, (expand(master, b"keyward 1 record agent key", transcript),
                                expand(master, b"keyward 1 record server key", transcript))


def check_session(folder):
    v = Vector(folder, "session")
    transcript, master, keys = session_keys(v)
    equal(keys[0], v.bytes("key_agent"), "key_agent")
    equal(keys[1], v.bytes("key_server"), "key_server")
    answer = v.frame("finish_answer")
    equal(answer[5:21], v.frame("finish")[5:21], "session id")
    plain = open_sealed(expand(master, b"keyward 1 finish key", transcript), SERVER, 0, answer, 21)
    equal(struct.unpack(">IQ", plain), (v.text("lifetime_s"), v.text("server_time_us")), "lifetime and time")


# Records (section 6)

def ratchet(key, epochs):
    for _ in range(epochs):
        key = expand(key, b"keyward rekey")
    return key


def check_records(folder):
    v = Vector(folder, "records")
    keys = session_keys(Vector(folder, "session"))[2]
    equal(keys, (v.bytes("key_agent"), v.bytes("key_server")), "keys")
    for e in v.data["exchanges"]:
        epoch = e["counter"] >> 16
        for name, text, key, direction in (("record", "request", keys[0], AGENT), ("record_answer", "answer", keys[1], SERVER)):
            frame = bytes.fromhex(e[name])
            equal(frame[:5], b"KWD\x01" + bytes([KINDS[name]]), "head")
            equal(frame[5:21], v.bytes("session"), "session")
            equal(struct.unpack(">Q", frame[21:29])[0], e["counter"], "counter")
            plain = open_sealed(ratchet(key, epoch), direction, e["counter"], frame, 29)
            equal(plain.decode(), e[text], text)
            need("type" in json.loads(plain), "message has a type")
    equal(ratchet(keys[0], epoch), v.bytes("last_key_agent"), "last key of the agent")
    equal(ratchet(keys[1], epoch), v.bytes("last_key_server"), "last key of the server")


def check_evidence(folder):
    v = Vector(folder, "evidence")
    digest = sha256(string(b"keyward 1 recipient"), uuid_bytes(v.text("account")), uuid_bytes(v.text("agent")),
                    string(v.text("device").encode()), v.bytes("recipient_key"))
    verify(v.bytes("agent_identity"), digest, v.bytes("signature"))


CODES = {"invalid": 1, "not-found": 2, "unauthenticated": 4, "conflict": 5, "too-large": 6, "too-many": 7, "unavailable": 8,
         "tampered": 13, "replayed": 14, "reordered": 15, "truncated": 16, "version": 17, "expired": 18, "internal": 99}


def check_errors(folder):
    v = Vector(folder, "errors")
    equal(sorted(v.data), sorted(CODES), "codes")
    for name, code in CODES.items():
        equal(v.bytes(name), b"KWD\x01\x0f" + struct.pack(">BI", code, 90 if name == "too-many" else 0), name)


def check_changes(folder):
    """That this decoder can fail: every third byte of each frame, changed, must be noticed."""
    v = Vector(folder, "session")
    for name, clear in (("hello", 0), ("hello_answer", 118), ("finish", 21)):
        for at in range(5, len(v.bytes(name)), 3):
            changed = bytearray(v.bytes(name))
            changed[at] ^= 1
            v.data = dict(v.data, **{name: changed.hex()})
            try:
                session_keys(v)
            except (Wrong, InvalidTag, InvalidSignature):
                pass
            else:
                raise Wrong("%s accepted with byte %d changed" % (name, at))
            changed[at] ^= 1
            v.data[name] = changed.hex()


# The program of today

def program():
    found = os.environ.get("PROTO_VECTORS")
    if not found:
        built = glob.glob(os.path.join(ROOT, "build", "*", "tests", "unit", "proto_vectors"))
        need(built, "proto_vectors is not built")
        found = max(built, key=os.path.getmtime)
    return found


def check_fresh(folder):
    with tempfile.TemporaryDirectory() as fresh:
        subprocess.run([program(), "--vectors", fresh], check=True)
        for check in (check_enrolment, check_session, check_records, check_evidence, check_errors):
            check(fresh)
        for name in ("enrol_start", "enrol_start_answer", "ke", "key_agent", "key_server"):
            equal(Vector(fresh, "enrolment").text(name), Vector(folder, "enrolment").text(name), "stored " + name)
        for name in ("hello", "master"):
            equal(Vector(fresh, "session").text(name), Vector(folder, "session").text(name), "stored " + name)


def check_documented(folder):
    table = subprocess.run([program(), "--messages"], check=True, stdout=subprocess.PIPE).stdout.decode()
    with open(os.path.join(ROOT, "docs", "protocol.md"), encoding="utf-8") as f:
        need(table in f.read(), "docs/protocol.md does not hold the output of proto_vectors --messages")


CHECKS = [
    ("proto_spake2_rfc9382", "AGT-2,TEN-1", check_rfc9382),
    ("proto_enrolment", "AGT-2,TEN-1", check_enrolment),
    ("proto_session", "AGT-2", check_session),
    ("proto_records", "AGT-2", check_records),
    ("proto_evidence", "AGT-2,KEY-4", check_evidence),
    ("proto_errors", "AGT-2", check_errors),
    ("proto_changes_are_seen", "AGT-2", check_changes),
    ("proto_vectors_of_today", "AGT-2", check_fresh),
    ("proto_messages_documented", "AGT-2", check_documented),
]


def main(names):
    if names == ["--list"]:
        for name, covers, _ in CHECKS:
            print(name, covers)
        return 0
    failed = 0
    for name, _, check in CHECKS:
        if names and name not in names:
            continue
        try:
            check(HERE)
            print("ok", name)
        except (Wrong, InvalidTag, InvalidSignature, OSError, ValueError, KeyError, subprocess.CalledProcessError) as e:
            print("FAIL %s: %s %s" % (name, type(e).__name__, e))
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
