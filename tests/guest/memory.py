"""Looking for a volume's key in a virtual machine's memory, from outside."""
import subprocess

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fixtures import ROOT

SCAN = ROOT / "build" / "release" / "tests" / "guest" / "keyscan"
SECTOR = 4096
EXT_MAGIC = b"\x53\xef"


def _dump(vm, folder):
    file = folder / "memory"
    file.unlink(missing_ok=True)
    vm.qmp("pmemsave", val=0, size=vm.memory_mib << 20, filename=str(file))
    return file


def _is_ext(key, sector):
    """Whether KEY, of AES-256-XTS, makes the start of an ext file system of the first SECTOR of a volume's data."""
    d = Cipher(algorithms.AES(key), modes.XTS(bytes(16))).decryptor()
    return (d.update(sector) + d.finalize())[1024 + 56:][:2] == EXT_MAGIC


def volume_key(vm, disk, folder):
    """The key of the open volume on DISK, by the key schedules that lie in memory: each pair is tried on the disk."""
    with open(disk, "rb") as f:
        f.seek(16 << 20)
        sector = f.read(SECTOR)
    dump = _dump(vm, folder)
    found = subprocess.run([str(SCAN), str(dump)], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    dump.unlink()
    keys = [bytes.fromhex(k) for k in found]
    for one in keys:
        for two in keys:
            if one != two and _is_ext(one + two, sector):
                return one + two
    raise AssertionError(f"none of the {len(keys)} AES-256 keys in memory is the volume's: the search is blind")


def find(vm, key, folder):
    """How often either half of KEY lies in memory."""
    dump = _dump(vm, folder)
    data = dump.read_bytes()
    dump.unlink()
    return data.count(key[:32]) + data.count(key[32:])
