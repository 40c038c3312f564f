"""Opens a JWE of keyd: test_keys_jwe.py JWK JWE OUT. ECDH-ES (RFC 7518, 4.6) and A256GCM (RFC 7516, 5.2) on plain primitives."""
import base64
import json
import pathlib
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash


def raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(raw(text), "big")


def public(jwk):
    return ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), ec.SECP256R1())


def prefixed(data):
    return len(data).to_bytes(4, "big") + data


def main(jwk_path, jwe_path, out_path):
    jwk = json.loads(pathlib.Path(jwk_path).read_text())
    jwe = json.loads(pathlib.Path(jwe_path).read_text())
    header = json.loads(raw(jwe["protected"]))
    assert header["alg"] == "ECDH-ES" and header["enc"] == "A256GCM", header
    own = ec.EllipticCurvePrivateNumbers(number(jwk["d"]), public(jwk)).private_key()
    shared = own.exchange(ec.ECDH(), public(jwe["header"]["epk"]).public_key())
    info = prefixed(b"A256GCM") + prefixed(raw(header["apu"])) + prefixed(raw(header["apv"])) + (256).to_bytes(4, "big")
    key = ConcatKDFHash(hashes.SHA256(), 32, info).derive(shared)
    sealed = raw(jwe["ciphertext"]) + raw(jwe["tag"])
    pathlib.Path(out_path).write_bytes(AESGCM(key).decrypt(raw(jwe["iv"]), sealed, jwe["protected"].encode()))


if __name__ == "__main__":
    main(*sys.argv[1:])
