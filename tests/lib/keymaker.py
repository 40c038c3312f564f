"""The key service's socket, for tests that need keys in numbers and no guests: its messages as src/keys/message.h has them."""
import os
import socket
import struct
import uuid

TENANT_CREATE, DEVICE_CREATE, PROTECT, SYSTEM_PROTECT, SYSTEM_REVEAL, ROOTS, REWRAP = 2, 3, 5, 7, 8, 20, 26


def bytes_field(b):
    return struct.pack(">I", len(b)) + b


class Refused(Exception):
    pass


class Keyd:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(60)
        self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def ask(self, type, fields):
        request = os.urandom(16)
        self.socket.sendall(bytes([1, type]) + request + fields)
        answer = self.socket.recv(65536)
        if not answer:
            raise ConnectionError("the key service has closed the connection")
        if answer[1]:
            raise Refused(answer[22:].decode(errors="replace"))
        return answer[18:]

    def tenant(self, tenant):
        return self.ask(TENANT_CREATE, uuid.UUID(tenant).bytes)[4:]

    def device(self, tenant, wrapped, device, version=1):
        fields = uuid.UUID(tenant).bytes + bytes_field(wrapped) + uuid.UUID(device).bytes + struct.pack(">IH", version, 32)
        return self.ask(DEVICE_CREATE, fields)[4:]

    def opens(self, tenant, wrapped, device, version, blob, purpose="key/device"):
        """Whether it unwraps, to something that is wrapped again."""
        fields = uuid.UUID(tenant).bytes + bytes_field(wrapped) + bytes_field(purpose.encode()) + struct.pack(">H", 1)
        fields += uuid.UUID(device).bytes + struct.pack(">I", version) + bytes_field(blob)
        try:
            return len(self.ask(REWRAP, fields)) == 6 + len(blob)
        except Refused:
            return False


def key_of(blob):
    """The id of the key that a blob is under."""
    return str(uuid.UUID(bytes=bytes(blob)[1:17]))
