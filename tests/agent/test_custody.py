"""Volumes that change hands: adopted from cryptsetup, handed over with a passphrase, decrypted in place; killed at any moment."""
import os
import random
import re
import subprocess
import time

from fixtures import fixture
from volume_box import DATA_OFFSET, MIB, Box, Failed, read_device, run, transform, volume_key, wait_for, write_device

MAPPER = "device-mapper" in open("/proc/misc").read()
QUICK = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    b.clean()


def luks(path, key, *more, type="luks2"):
    run("cryptsetup", "luksFormat", "--type", type, "--batch-mode", "--key-file", key, *QUICK[: None if type == "luks2" else 0],
        *more, path)


def opens(path, key):
    return subprocess.run(["cryptsetup", "open", "--test-passphrase", "--key-file", str(key), str(path)],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def slots(path):
    dump = run("cryptsetup", "luksDump", path)
    return len(re.findall(r"^  \d+: luks2$", dump, re.M)), "keyward" in dump


def test_adopted_volume_opens_with_both_keys_and_keeps_its_data(box):
    # covers: VOL-7, DEV-8
    old = box.new_key("old")
    for more, mode, bits in ((["--cipher", "aes-xts-plain64", "--key-size", "256"], "xts-plain64", "128"),
                             (["--cipher", "aes-cbc-essiv:sha256", "--key-size", "192", "--sector-size", "512"],
                              "cbc-essiv:sha256", "192")):
        path = box.image("a.img", 64 * MIB)
        luks(path, old, *more)
        data = os.urandom(MIB)
        write_device(box.open(path, "a", key=old), data)
        # While it is open: nothing but its header changes.
        look = box.tool("look", path=path)
        assert (look["cipher"], look["mode"], look["bits"], look["slots"], look["ours"]) == ("aes", mode, bits, "1", "0"), look
        assert "does not open" in box.refused("adopt", "forbidden", path=path, old=box.new_key("wrong"))
        assert "is needed" in box.refused("adopt", "forbidden", path=path)
        assert slots(path) == (1, False)
        box.tool("adopt", path=path, old=old, version=3)
        box.close("a")
        found = box.tool("inspect", path=path)
        assert found["content"] == "ours" and found["version"] == "3" and found["provisioning"] == "0"
        assert opens(path, old) and opens(path, box.key)
        assert read_device(box.open(path, "a"), MIB) == data
        box.close("a")
        # Run again without the old key, as after an interruption: one slot, one token.
        box.tool("adopt", path=path, version=3)
        assert slots(path) == (2, True)
        assert box.tool("drop", path=path)["dropped"] == "1"
        assert opens(path, box.key) and not opens(path, old)


def test_what_cannot_be_adopted_is_explained_and_left_alone(box):
    # covers: VOL-7
    old = box.new_key("old")

    def refused(path, text, code="unsupported"):
        before = run("sha256sum", path)
        assert text in box.refused("look", code, path=path)
        assert run("sha256sum", path) == before

    path = box.image("a.img", 64 * MIB)
    refused(path, "no LUKS header", "not-found")
    luks(path, old, "--iter-time", "10", type="luks1")
    refused(path, "convert --type luks2")
    run("cryptsetup", "convert", "--type", "luks2", "--batch-mode", path)
    box.tool("look", path=path)
    path, header = box.image("a.img", 64 * MIB), box.folder / "header"
    luks(path, old, "--header", header)
    refused(path, "no LUKS header", "not-found")
    refused(header, "only a header")
    path = box.image("a.img", 64 * MIB)
    if MAPPER:
        luks(path, old, "--integrity-no-wipe", "--integrity", "hmac-sha256")
        refused(path, "integrity")
    path = box.image("a.img", 64 * MIB)
    luks(path, old)
    run("cryptsetup", "reencrypt", "--batch-mode", "--init-only", "--force-offline-reencrypt", "--key-file", old, *QUICK, path)
    refused(path, "being re-encrypted")
    if not MAPPER:
        path = box.image("a.img", 64 * MIB)
        luks(path, old, "--cipher", "aes-cbc-plain64", "--key-size", "256")
        refused(path, "user-space engine cannot open it")


def test_handed_over_volume_has_the_owners_passphrase_and_nothing_of_ours(box):
    # covers: VOL-7
    path, own = box.image("a.img", 64 * MIB), box.new_key("own")
    box.tool("format", path=path)
    box.tool("ready", path=path)
    data = os.urandom(MIB)
    write_device(box.open(path, "a"), data)
    box.tool("hand-over", path=path, new=own)        # while it is open
    box.close("a")
    assert opens(path, own) and not opens(path, box.key)
    assert slots(path) == (1, False)
    assert "argon2" in run("cryptsetup", "luksDump", path)
    assert box.tool("inspect", path=path)["content"] == "foreign"
    with open(path, "rb") as f:
        f.seek(DATA_OFFSET)
        assert transform("xts", volume_key(path, own), 4096, f.read(MIB), decrypt=True) == data
    box.tool("hand-over", path=path, new=own)        # again: nothing is left to be done
    assert slots(path) == (1, False)
    assert "does not open" in box.refused("hand-over", "forbidden", path=path, new=box.new_key("other"))


def killed(box, seed, command, least, **values):
    """Runs COMMAND again and again, killed ever later, until it ends by itself."""
    chance, moment, kills = random.Random(seed), 0.0, 0
    while True:
        p = box.start(command, **values)
        moment += chance.uniform(0, least)
        try:
            said = p.communicate(timeout=moment)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
            kills += 1
            yield kills
            continue
        # Killed between its last act and its end: then there is nothing left to decrypt.
        assert p.returncode == 0 or (command == "decrypt" and b"error=not-found" in said), f"seed {seed}, after {kills}: {said[-500:]}"
        return


def test_killed_at_any_moment_some_key_opens_it(box):
    # covers: VOL-7, VOL-6
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    old, own = box.new_key("old"), box.new_key("own")
    path = box.image("a.img", 64 * MIB)
    luks(path, old)
    for kills in killed(box, seed, "adopt", 0.15, path=path, old=old):
        assert opens(path, old), f"seed {seed}, after {kills}"
    assert opens(path, old) and opens(path, box.key)
    box.tool("drop", path=path)
    for kills in killed(box, seed, "hand-over", 0.1, path=path, new=own, quick=1):
        assert opens(path, own) or opens(path, box.key), f"seed {seed}, after {kills}"
    assert opens(path, own) and not opens(path, box.key) and slots(path) == (1, False)


def decrypted(box, size, sector=4096):
    """A volume with random data on it, and those."""
    path = box.image("a.img", DATA_OFFSET + size)
    box.tool("format", path=path, sector=sector)
    box.tool("ready", path=path)
    data = os.urandom(size)
    write_device(box.open(path, "a"), data)
    box.close("a")
    return path, data


def test_decrypted_in_place_it_is_the_plain_data(box):
    # covers: VOL-7
    for size, sector in ((MIB, 512), (16 * MIB, 4096), (70 * MIB, 4096)):
        path, data = decrypted(box, size, sector)
        header = box.folder / "kept"
        device = box.open(path, "a")
        box.refused("decrypt", "busy", path=path, header=header)
        box.close("a")
        box.refused("decrypt", "forbidden", path=path, header=header, key=box.new_key("wrong"))
        header.unlink(missing_ok=True)
        box.tool("decrypt", path=path, header=header)
        assert path.read_bytes()[:size] == data, (size, sector)
        assert not header.exists() and box.tool("inspect", path=path)["content"] != "ours"


def test_decryption_killed_at_any_moment_goes_on(box):
    # covers: VOL-7, VOL-6
    # guard: 600
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    path, data = decrypted(box, 150 * MIB)
    header = box.folder / "kept"
    for kills in killed(box, seed, "decrypt", 0.3, path=path, header=header):
        pass
    assert path.read_bytes()[: len(data)] == data, f"seed {seed}"
    assert not header.exists()
