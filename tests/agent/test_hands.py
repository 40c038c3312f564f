"""Volumes that change hands on a running server: adopted with what is on them, handed over with a passphrase, decrypted in place."""
import json
import os
import signal
import subprocess

from fixtures import fixture
from agents import MIB, SLOW, Tenant, finish, mounts, new_guest, run, start, tool
from stack.process import wait_until
from test_questions import Terminal

QUICK = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, tenant, folder):
    g = new_guest(server, folder / "guest")
    g.register(tenant.account, tenant.passphrase)
    yield g
    finish(g)


def cryptsetup(*args, check=True):
    return subprocess.run(["cryptsetup", *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=check)


def opens(path, key):
    return cryptsetup("open", "--test-passphrase", "--key-file", key, path, check=False).returncode == 0


def luks_with_files(guest, key):
    """A volume that the owner made himself, with a file system on it: written by way of a volume of ours that is then disowned."""
    box = guest.folder / "made"
    box.mkdir()
    from volume_box import Box
    b = Box(box)
    b.key = key
    cryptsetup("luksFormat", "--type", "luks2", "--batch-mode", "--key-file", key, *QUICK, "--cipher", "aes-cbc-essiv:sha256",
               "--key-size", "256", "--hash", "sha512", guest.disk)
    device = b.open(guest.disk, "made")
    b.tool("mkfs", device=device, fs="ext4", label="owners")
    b.tool("mount", device=device, point=box / "mnt")
    (box / "mnt" / "precious").write_text("the owner's")
    b.tool("unmount", point=box / "mnt")
    b.close("made")
    b.clean()


def adopt(guest, *more, env=None):
    p = tool(guest, "--adopt", str(guest.disk), *more, env=env)
    out, err = p.communicate(timeout=4 * SLOW)
    return p.returncode, out + err


def allow(tenant, guest, release, destroys=0):
    tenant.console("release", tenant.device(guest)["id"], release, destroys)


def logged(tenant, guest):
    return [e["event"] for e in tenant.console("log", tenant.device(guest)["id"])]


def test_a_volume_with_data_is_adopted_and_released_by_policy(tenant, guest):
    # covers: VOL-7, DEV-8, DEV-2
    # guard: 600
    key = guest.folder / "owners-key"
    key.write_bytes(b"correct horse battery staple")
    luks_with_files(guest, key)
    code, said = adopt(guest, "--key-file", str(key))
    assert code != 0 and "--mount-point" in said, said
    wrong = guest.folder / "wrong"
    wrong.write_bytes(b"wrong")
    code, said = adopt(guest, "--key-file", str(wrong), "--mount-point", str(guest.mount_point))
    assert code == 1 and "does not open" in said, said
    assert tenant.device(guest)["status"] == "not-configured"
    code, said = adopt(guest, "--mount-point", str(guest.mount_point), env={**os.environ, "KEYWARD_VOLUME_PASSPHRASE": key.read_text()})
    assert code == 0 and "is adopted" in said, said
    assert key.read_text() not in said
    device = tenant.device(guest)
    assert (device["status"], device["cipher"], device["mode"], device["key_bits"], device["hash"]) == (
        "encrypted", "aes", "cbc-essiv:sha256", 256, "sha512"), device
    assert device["adopted"] and device["has_key"] and device["key_version"] == 1
    assert {"device.adopt", "device.adopted", "key.created"} <= set(logged(tenant, guest))
    assert opens(guest.disk, key)
    # Nothing of it is a task: the agent formats nothing.
    run(guest, tenant)
    assert (guest.mount_point / "precious").read_text() == "the owner's"
    assert guest.stop()
    code, said = adopt(guest, "--key-file", str(key), "--mount-point", str(guest.mount_point))
    assert code != 0 and "managed already" in said, said


def test_adopting_can_take_the_old_key_away_and_goes_on_after_a_kill(tenant, guest):
    # covers: VOL-7
    # guard: 600
    key = guest.folder / "owners-key"
    key.write_bytes(os.urandom(64))
    luks_with_files(guest, key)
    for delay in (0.2, 0.5, 0.9, 1.4, 2.0):
        p = tool(guest, "--adopt", str(guest.disk), "--key-file", str(key), "--mount-point", str(guest.mount_point))
        try:
            p.communicate(timeout=delay)
            break
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
        assert opens(guest.disk, key)
        assert tenant.device(guest)["status"] in ("not-configured", "encrypting", "encrypted")
    if tenant.device(guest)["status"] != "encrypted":
        code, said = adopt(guest, "--key-file", str(key), "--mount-point", str(guest.mount_point), "--remove-old-slots")
        # What a killed one had asked for last may have been done after the look.
        assert code == 0 or "managed already" in said, said
        assert code or not opens(guest.disk, key)
    assert tenant.device(guest)["key_version"] == 1
    run(guest, tenant)
    assert (guest.mount_point / "precious").read_text() == "the owner's"
    assert guest.stop()


def encrypted(tenant, guest):
    start(guest)
    tenant.encrypt(guest)
    tenant.approve(guest)
    mounts(guest)
    (guest.mount_point / "precious").write_text("kept")


def hands_over_in_vain(guest, key):
    """keyward-config as it waits for leave, or has ended."""
    p = tool(guest, "--hand-over", str(guest.disk), "--key-file", str(key))
    wait_until(lambda: "Waiting for it to be allowed" in (p.stdout.readline() or "Waiting for it to be allowed"), SLOW, "it does not wait")
    return p


def test_hand_over_needs_leave_and_leaves_the_owner_alone_with_it(tenant, guest):
    # covers: VOL-7, KEY-7, LOG-2
    # guard: 600
    encrypted(tenant, guest)
    own = guest.folder / "own"
    own.write_bytes(b"my own words")
    p = hands_over_in_vain(guest, own)
    assert p.poll() is None and not opens(guest.disk, own)
    # Allowed while it is open: a key slot can change meanwhile.
    allow(tenant, guest, "hand-over", 1)
    out, err = p.communicate(timeout=4 * SLOW)
    assert p.returncode == 0 and "is handed over" in out, out + err
    device = tenant.device(guest)
    assert device["status"] == "not-configured" and not device["has_key"] and device["mount_point"] == ""
    events = logged(tenant, guest)
    assert {"device.release", "device.release-key", "device.released", "key.destroyed"} <= set(events), events
    assert guest.stop()
    assert opens(guest.disk, own)
    assert "keyward" not in cryptsetup("luksDump", guest.disk).stdout
    p = hands_over_in_vain(guest, own)
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=SLOW)
    assert p.returncode != 0


def test_decrypt_in_place_is_asked_for_twice_and_survives_kills(tenant, guest):
    # covers: VOL-7, DEV-2
    # guard: 600
    encrypted(tenant, guest)
    key = tenant.device(guest)["key_version"]
    allow(tenant, guest, "decrypt")
    said = guest.config("--decrypt", str(guest.disk), "--force", check=False)
    assert said.returncode == 1 and "stop keyward-agent" in said.stderr, said.stderr
    assert guest.stop()
    said = guest.config("--decrypt", str(guest.disk), check=False)
    assert said.returncode == 2 and "--force" in said.stderr, said.stderr
    t = Terminal(guest, "--decrypt", str(guest.disk))
    t.answer("to confirm: ", "yes")
    assert t.end() == 1 and "nothing was done" in t.all, t.all
    t = Terminal(guest, "--decrypt", str(guest.disk))
    t.expect("to confirm: ")
    os.write(t.fd, b"\x03")
    assert t.end() == 130, t.all
    assert tenant.device(guest)["status"] == "encrypted"
    for delay in (0.3, 0.6, 0.9, 1.2, 1.5):
        p = tool(guest, "--decrypt", str(guest.disk), "--force")
        try:
            p.communicate(timeout=delay)
            break
        except subprocess.TimeoutExpired:
            p.kill()
            p.communicate()
        assert tenant.device(guest)["status"] in ("encrypted", "decrypting", "not-configured")
    if tenant.device(guest)["status"] != "not-configured":
        said = guest.config("--decrypt", str(guest.disk), "--force", check=False)
        # What a killed one had told last may have been heard after the look.
        assert said.returncode == 0 or tenant.device(guest)["status"] == "not-configured", said.stderr
    device = tenant.device(guest)
    assert device["status"] == "not-configured" and device["key_version"] == key
    assert list(guest.state.glob("decrypt-*")) == []
    assert subprocess.run(["e2fsck", "-f", "-n", str(guest.disk)], stdout=subprocess.DEVNULL).returncode == 0
    guest.mount_point.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", str(guest.disk), str(guest.mount_point)], check=True)
    try:
        assert (guest.mount_point / "precious").read_text() == "kept"
    finally:
        subprocess.run(["umount", str(guest.mount_point)], check=True)
    guest.config("--publish-inventory")
    assert tenant.device(guest)["found_filesystem"] == "ext4"


def test_what_is_not_allowed_any_more_is_not_done(tenant, guest):
    # covers: VOL-7
    encrypted(tenant, guest)
    assert guest.stop()
    allow(tenant, guest, "decrypt")
    allow(tenant, guest, "")
    own = guest.folder / "own"
    own.write_bytes(b"my own words")
    p = tool(guest, "--hand-over", str(guest.disk), "--key-file", str(own))
    assert "Waiting" in p.stdout.readline()
    allow(tenant, guest, "decrypt")
    out, err = p.communicate(timeout=4 * SLOW)
    assert p.returncode != 0 and 'allows "decrypt", not "hand-over"' in err, err
    assert not opens(guest.disk, own)
    run(guest, tenant)
    assert guest.stop()
