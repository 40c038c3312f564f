"""The header of a LUKS2 volume as bytes: read, changed and sealed with its checksum again, by the on-disk format's description. For tests that
hand a program a header that nobody's tool would write."""
import hashlib
import json
import struct

AREA = 4096                       # the binary part before the JSON
CHECKSUM = slice(0x1C0, 0x200)


class Header:
    def __init__(self, path):
        self.path = path
        raw = path.read_bytes()[:8 << 20]
        self.size = struct.unpack(">Q", raw[8:16])[0]
        self.first, self.second = (bytearray(raw[at:at + AREA]) for at in (0, self.size))
        self.json = json.loads(raw[AREA:self.size].split(b"\0", 1)[0])

    def write(self, text=None, copies=(0, 1)):
        """Both copies, with checksums that are right; TEXT in place of the JSON."""
        text = (json.dumps(self.json) if text is None else text).encode()
        assert len(text) < self.size - AREA, len(text)
        area = text + bytes(self.size - AREA - len(text))
        with open(self.path, "r+b") as f:
            for i, binary in enumerate((self.first, self.second)):
                if i not in copies:
                    continue
                binary[CHECKSUM] = bytes(64)
                binary[CHECKSUM.start:CHECKSUM.start + 32] = hashlib.sha256(bytes(binary) + area).digest()
                f.seek(i * self.size)
                f.write(bytes(binary) + area)

    def move_on(self):
        """The next generation, as after a change."""
        for binary in (self.first, self.second):
            binary[16:24] = struct.pack(">Q", struct.unpack(">Q", bytes(binary[16:24]))[0] + 1)
