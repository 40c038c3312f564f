"""Headers that somebody wrote who had the disk: whatever they say, no key is given to what would cost hours or all memory, nothing is written in the
clear, and what cannot be understood is refused with the reason."""
import hashlib
import os

from fixtures import fixture
from luks2 import Header
from volume_box import DATA_OFFSET, MIB, Box, Failed, read_device, run, write_device


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    b.clean()


def volume(box, **more):
    path = box.image("a.img", DATA_OFFSET + 4 * MIB)
    box.tool("format", path=path, **more)
    return path, Header(path)


def look(box, path):
    """What is found on it, None where that is refused: a device that cannot be looked at is published as one in use."""
    try:
        return box.tool("inspect", path=path)
    except Failed as e:
        assert e.code in ("io", "invalid", "not-found", "unsupported"), e
        return None


def refuse(box, path):
    """Refused for a reason, by a program that lives."""
    try:
        box.open(path, "a")
    except Failed as e:
        assert e.code in ("not-found", "invalid", "truncated", "io", "unsupported", "forbidden") and len(str(e)) > len(e.code) + 5, e
        return
    raise AssertionError("it was opened")


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_headers_of_these_tests_are_ones_that_cryptsetup_reads(box):
    # covers: VOL-1
    path, h = volume(box)
    h.json["tokens"]["0"]["server"] = "x"
    h.write()
    assert '"x"' in run("cryptsetup", "luksDump", "--dump-json-metadata", path)
    box.open(path, "a")


def test_a_slot_that_would_stretch_the_key_for_hours_is_not_tried(box):
    # covers: VOL-5, SEC-5
    argon = {"type": "argon2id", "time": 4000000, "memory": 1 << 20, "cpus": 4, "salt": "zKbb9uYYUWw7xmNzICkscsifWEHQwRpXjZNeGXTy5DA="}
    cases = [({"type": "pbkdf2", "hash": "sha256", "iterations": 4000000000, "salt": argon["salt"]}, "4000000000 rounds"),
             (argon, "argon2id"), (argon | {"memory": 4 << 20, "time": 1}, "argon2id")]
    for kdf, reason in cases:
        path, h = volume(box)
        h.json["keyslots"]["0"]["kdf"] = kdf
        h.write()
        text = box.refused("open", "forbidden", path=path, name="a")
        assert "does not open" in text and "key slot 0" in text and reason in text, text
    # Nor beside the right one, which is tried first; and all 31 of them do not delay a wrong key.
    path, h = volume(box)
    slot = h.json["keyslots"]["0"]
    for i in range(1, 32):
        h.json["keyslots"][str(i)] = slot | {"kdf": cases[i % 3][0], "area": slot["area"] | {"offset": str(32768 + i * 258048)}}
        h.json["digests"]["0"]["keyslots"].append(str(i))
    h.write()
    box.open(path, "a")
    box.close("a")
    box.refused("open", "forbidden", path=path, name="a", key=box.new_key("wrong"))


def test_a_check_value_that_takes_for_ever_is_refused(box):
    # covers: VOL-5, SEC-5
    path, h = volume(box)
    h.json["digests"]["0"]["iterations"] = 4000000000
    h.write()
    assert "check value takes 4000000000 rounds" in box.refused("open", "unsupported", path=path, name="a")
    assert box.tool("inspect", path=path)["content"] == "ours"


def test_a_header_that_would_have_us_write_plaintext_is_refused(box):
    # covers: VOL-1, VOL-5, SEC-4
    path, h = volume(box)
    for segment in ({"encryption": "cipher_null-ecb"}, {"encryption": "aes-ecb"}, {"encryption": "aes-cbc-null"}):
        h.json["segments"]["0"].update(segment)
        h.write()
        box.refused("open", "unsupported", path=path, name="a")
        text = box.refused("rekey", "unsupported", path=path, old=box.key, new=box.new_key("new"), version=2)
        assert "hides nothing" in text, text
    h.json["segments"]["0"] = {"type": "linear", "offset": str(DATA_OFFSET), "size": "dynamic"}
    h.json["digests"]["0"]["segments"] = []
    h.write()
    assert "linear" in box.refused("open", "unsupported", path=path, name="a")


def test_a_header_that_names_another_encryption_than_the_server_is_refused(box):
    # covers: VOL-1, DEV-8, SEC-7
    path, h = volume(box)
    good = {"expected": "aes-xts-plain64", "expected_bits": 256}
    text = box.refused("open", "unsupported", path=path, name="a", expected="aes-xts-plain64", expected_bits=128)
    assert "aes-xts-plain64, 256 bits; the server knows it with aes-xts-plain64, 128 bits" in text, text
    h.json["segments"]["0"]["encryption"] = "aes-cbc-plain64"
    h.write()
    text = box.refused("open", "unsupported", path=path, name="a", **good)
    assert "aes-cbc-plain64, 512 bits; the server knows it with aes-xts-plain64, 256 bits" in text, text
    h.json["segments"]["0"]["encryption"] = "aes-xts-plain64"
    h.write()
    box.open(path, "a", **good)


def test_tokens_that_make_no_sense_are_not_ours(box):
    # covers: VOL-5, SEC-5
    path, h = volume(box)
    good = dict(h.json["tokens"]["0"])
    for change in ({"keyslots": ["99999999999999999999"]}, {"keyslots": ["31"]}, {"key_version": -1}, {"key_version": 1 << 40}, {"account": "nobody"},
                   {"server": "s" * 1000}, {"device": 7}, {"provisioning": "no"}, {"array": {"id": "raid:t", "index": 5, "count": 2, "chunk": 4096}},
                   {"more": "x" * 4096}):
        h.json["tokens"]["0"] = good | change
        h.write()
        found = look(box, path)
        assert found is None or found["content"] in ("foreign", "signature") or change == {"keyslots": ["31"]}, (change, found)
    # A token that says it is of another account or server is one of ours, of somebody else: it opens by its key or not at all.
    h.json["tokens"]["0"] = good | {"server": "https://elsewhere.example", "device": "00000000-0000-4000-8000-000000000001"}
    h.write()
    found = box.tool("inspect", path=path)
    assert found["server"] == "https://elsewhere.example" and found["id"] == "00000000-0000-4000-8000-000000000001"
    box.refused("open", "forbidden", path=path, name="a", key=box.new_key("wrong"))


def test_headers_that_are_cut_or_contradict_themselves_are_refused(box):
    # covers: VOL-5, SEC-5
    path, h = volume(box)
    whole = path.read_bytes()
    for size in (512, 4096, 8192, 16384, 20000, 32768, 100000, DATA_OFFSET, DATA_OFFSET + 512):
        path.write_bytes(whole[:size])
        look(box, path)
        refuse(box, path)
    slot = h.json["keyslots"]["0"]
    for change in ({"keyslots": {"0": slot, "1": slot}},                                # two slots in one place
                   {"keyslots": {"0": {**slot, "area": {**slot["area"], "offset": "0"}}}},      # a slot over the header
                   {"keyslots": {"0": {**slot, "key_size": 2147483647}}},
                   {"keyslots": {"0": {**slot, "area": {**slot["area"], "key_size": 2147483647}}}},
                   {"segments": {"0": {**h.json["segments"]["0"], "offset": "18446744073709547520"}}},
                   {"segments": {"0": {**h.json["segments"]["0"], "size": "18446744073709547520"}}},
                   {"segments": {"0": {**h.json["segments"]["0"], "sector_size": 3}}},
                   {"digests": {}}, {"segments": {}}, {"keyslots": {}},
                   {"tokens": {str(i): {"type": "keyward", "keyslots": [str(i % 32)]} for i in range(32)}},
                   {"tokens": {"0": {"type": "keyward", "keyslots": ["0"], "next": "0"}, "1": {"type": "keyward", "keyslots": ["0"], "next": "0"}}}):
        path.write_bytes(whole)
        h = Header(path)
        h.json.update(change)
        h.write()
        look(box, path)
        if "tokens" not in change:
            refuse(box, path)
    for text in ("{", "[]", "{" * 4000 + "}" * 4000, '{"a":' * 1500 + "1" + "}" * 1500, "null", '{"keyslots":1}'):
        path.write_bytes(whole)
        Header(path).write(text)
        look(box, path)
        refuse(box, path)


def test_who_only_looks_mends_nothing(box):
    # covers: VOL-4, VOL-6
    path, h = volume(box)
    h.move_on()
    h.write(copies=(0,))                      # as between the two writes of another machine
    before = checksum(path)
    assert box.tool("inspect", path=path)["content"] == "ours"
    assert checksum(path) == before
    with open(path, "r+b") as f:              # the first copy is gone
        f.write(bytes(4096))
    before = checksum(path)
    assert box.tool("inspect", path=path)["content"] == "ours"
    assert checksum(path) == before
    # Who opens it, has it for himself and mends it.
    box.open(path, "a")
    assert checksum(path) != before and path.read_bytes()[:4] == b"LUKS"


def test_exchanged_disks_and_a_disk_seen_twice_open_for_the_right_key_alone(box):
    # covers: VOL-5
    keys = [box.new_key("k0"), box.new_key("k1")]
    paths = [box.image(f"d{i}.img", DATA_OFFSET + 2 * MIB) for i in range(2)]
    for path, key in zip(paths, keys):
        box.tool("format", path=path, key=key)
    write_device(box.open(paths[0], "a", key=keys[0]), b"of the first" * 100)
    # A second agent, with a folder of its own, sees the same disk.
    other = Box(box.folder / "other") if (box.folder / "other").mkdir() is None else None
    try:
        assert "in use" in other.refused("open", "busy", path=paths[0], name="b", key=keys[0])
        assert "held" in other.tool("inspect", path=paths[0])["use"]
        other.refused("format", "busy", path=paths[0], named=1)
        box.close("a")
        os.rename(paths[0], box.folder / "x")
        os.rename(paths[1], paths[0])
        os.rename(box.folder / "x", paths[1])
        for path, key in zip(paths, keys):
            before = checksum(path)
            assert "does not open" in box.refused("open", "forbidden", path=path, name="a", key=key)
            assert checksum(path) == before
        device = other.open(paths[1], "b", ro=1, key=keys[0])
        assert read_device(device, 12) == b"of the first"
    finally:
        other.clean()
