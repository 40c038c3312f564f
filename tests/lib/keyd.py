"""What root can know of the key service in a test: wrapped keys opened with the root key of provider `file`, by the form that docs/keys.md
describes; and its socket, spoken to in bytes, as any of its callers may."""
import pathlib
import socket
import uuid

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

STATUS, TENANT_CREATE, DEVICE_SEAL, REVEAL, CREDENTIALS_SEAL, DEVICE_REWRAP, DEVICE_EXPORT, TICKET_KEY = 1, 2, 4, 6, 13, 14, 15, 35     # src/keys/message.h
NIL = bytes(16)


def prefixed(data):
    return len(data).to_bytes(4, "big") + data


def root_key(state):
    """(id, key) of an installation in STATE."""
    file = (pathlib.Path(state) / "keys" / "root.key").read_bytes()
    assert file[:8] == b"KWROOT1\n"
    return file[8:24], file[24:56]


def blob_open(key, blob, purpose, tenant, object, version):
    associated = (b"keyward blob\x01" + blob[1:17] + prefixed(purpose.encode()) + tenant + object + version.to_bytes(4, "big"))
    return AESGCM(key).decrypt(blob[17:29], blob[29:], associated)


def tenant_key(state, tenant, wrapped):
    return blob_open(root_key(state)[1], bytes(wrapped), "key/tenant", uuid.UUID(str(tenant)).bytes, uuid.UUID(str(tenant)).bytes, 1)[16:]


def device_key(key, tenant, device, version, wrapped):
    """KEY: the tenant's."""
    return blob_open(key, bytes(wrapped), "key/device", uuid.UUID(str(tenant)).bytes, uuid.UUID(str(device)).bytes, version)


def ask(path, type, fields, request=None):
    """(code, what follows): code 0, or the error's number (src/base/err.h) with the reason."""
    request = request or uuid.uuid4().bytes
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(str(path))
        s.send(bytes([1, type]) + request + fields)
        answer = s.recv(65536)
    if answer[1]:
        return answer[1], answer[22:].decode()
    assert answer[2:18] == request
    return 0, answer[18:]
