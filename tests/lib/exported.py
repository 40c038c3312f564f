"""Files of exported keys opened as docs/keys.md describes them, with other code than the product's: Python's XML and zip, cryptography's
HKDF and AES-GCM, argon2id of libsodium."""
import base64
import ctypes
import ctypes.util
import io
import struct
import uuid
import xml.etree.ElementTree
import zipfile

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FIELDS = """account.id account.name device.id device.name device.provider device.provider-id device.size key.version key.made-for
    key.made-version volume.luks-uuid volume.filesystem volume.mount-point volume.access raid.id raid.name raid.index raid.members export.id
    export.at export.by derivation.function derivation.salt derivation.passes derivation.memory-kib""".split()


def argon2id(passphrase, salt, passes, memory_kib):
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    sodium.sodium_init()
    out, text = ctypes.create_string_buffer(32), passphrase.encode()
    if sodium.crypto_pwhash_argon2id(out, ctypes.c_ulonglong(32), text, ctypes.c_ulonglong(len(text)), salt, ctypes.c_ulonglong(passes),
                                     ctypes.c_size_t(memory_kib * 1024), 2):
        raise MemoryError
    return out.raw


def read(text):
    """{"element.attribute": text} and the sealed bytes."""
    root = xml.etree.ElementTree.fromstring(text)
    assert root.tag == "keyward-device-key" and root.attrib == {"format": "1"}, root.attrib
    fields = {f"{e.tag}.{a}": v for e in root if e.tag != "sealed" for a, v in e.attrib.items()}
    assert list(fields) == FIELDS, fields
    sealed = root.find("sealed").text
    return fields, base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))


def open_xml(text, passphrase):
    """The fields and the device key."""
    fields, sealed = read(text)
    assert fields["derivation.function"] == "argon2id"
    export_key = argon2id(passphrase, bytes.fromhex(fields["derivation.salt"]), int(fields["derivation.passes"]),
                          int(fields["derivation.memory-kib"]))
    info = (b"keyward export\1" + uuid.UUID(fields["account.id"]).bytes + uuid.UUID(fields["device.id"]).bytes
            + struct.pack(">I", int(fields["key.version"])))
    file_key = HKDF(hashes.SHA256(), 32, sealed[:32], info).derive(export_key)
    texts = b"".join(struct.pack(">I", len(v.encode())) + v.encode() for v in fields.values())
    return fields, AESGCM(file_key).decrypt(sealed[32:44], sealed[44:], info + texts)


def open_zip(data, passphrase):
    """{device id: (fields, key)}"""
    out = {}
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert z.testzip() is None
        for name in z.namelist():
            fields, key = open_xml(z.read(name), passphrase)
            assert name == f"{fields['device.id']}.xml"
            out[fields["device.id"]] = (fields, key)
    return out
