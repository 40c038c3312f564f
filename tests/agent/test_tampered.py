"""What somebody on the guest has changed behind the agent's back: its settings, its state, the folder that a volume is mounted on, its clock. What
cannot be trusted is not used, and the reason names what to do."""
import json
import os
import subprocess

from agents import encrypted, has_line, run, start, tenant, wait_for  # noqa: F401
from fixtures import fixture

NOBODY = 65534


@fixture("test")
def point(encrypted):  # noqa: F811
    """Its mount point, empty as a folder before and after."""
    it = encrypted.mount_point
    yield it
    if it.is_symlink():
        it.unlink()
    it.mkdir(exist_ok=True)


def refused_at(guest, tenant, text):  # noqa: F811
    start(guest)
    tenant.approve(guest)
    has_line(guest, text)
    assert not guest.mounted()
    assert guest.stop()


def test_settings_that_others_may_write_are_not_used(encrypted):  # noqa: F811
    # covers: AGT-1, SEC-7
    for mode in (0o664, 0o646):
        encrypted.conf.chmod(mode)
        p = encrypted.config("--status", check=False)
        encrypted.conf.chmod(0o644)
        assert p.returncode == 2 and "root's alone to write" in p.stderr and "can be written by others" in p.stderr, p
    os.chown(encrypted.conf, NOBODY, NOBODY)
    p = encrypted.config("--status", check=False)
    os.chown(encrypted.conf, 0, 0)
    assert p.returncode == 2 and "belongs to another user" in p.stderr, p
    assert encrypted.config("--status").returncode == 0


def test_a_link_of_another_user_leads_no_volume_astray(encrypted, tenant, point, folder):  # noqa: F811
    # covers: AGT-1, SEC-7, VOL-4
    there = folder / "there"
    there.mkdir()
    point.rmdir()
    point.symlink_to(there)
    os.lchown(point, NOBODY, NOBODY)
    refused_at(encrypted, tenant, "is a link that another user than root has made")
    assert not os.path.ismount(there)
    # Root's own may lead elsewhere, but not over the system.
    point.unlink()
    point.symlink_to("/etc/keyward-test")
    refused_at(encrypted, tenant, "leads to /etc/keyward-test")
    os.rmdir("/etc/keyward-test")
    point.unlink()
    point.symlink_to(os.path.relpath(there, point.parent))
    start(encrypted)
    tenant.approve(encrypted)
    wait_for(encrypted, lambda: os.path.ismount(there), "not mounted")
    assert (there / "file").read_text() == "kept"
    assert encrypted.stop() and not os.path.ismount(there)


def test_state_that_is_cut_or_edited_is_explained_and_gives_nothing(encrypted, tenant):  # noqa: F811
    # covers: AGT-1, SEC-7, AGT-11
    file = encrypted.state / "identity.json"
    good = file.read_text()
    for text in ("", good[:40], "[]", good.replace("{", "{{", 1), good.replace('"agent"', '"agents"'), good + "x" * (1 << 20)):
        file.write_text(text)
        p = encrypted.config("--status", check=False)
        assert p.returncode == 1 and "the registration is damaged; restore it" in p.stderr and "AddressSanitizer" not in p.stderr, (text[:60], p)
    # Of another account: the server knows nobody there by this key.
    file.write_text(json.dumps(dict(json.loads(good), account="0193d1c7-0000-7c2e-9b41-5f0a6d000001")))
    p = encrypted.config("--mount", "--timeout", "1", check=False)
    assert p.returncode != 0 and not encrypted.mounted(), p
    file.write_text(good)
    run(encrypted, tenant)
    assert encrypted.stop()


def test_state_that_others_may_read_is_not_used(encrypted):  # noqa: F811
    # covers: AGT-1, CFG-2, SEC-4
    for file, mode, text in ((encrypted.state, 0o755, "mode 0700"), (next(encrypted.state.glob("agent-*.pem")), 0o640, "mode to 0600")):
        good = file.stat().st_mode & 0o777
        file.chmod(mode)
        p = encrypted.config("--status", check=False)
        file.chmod(good)
        assert p.returncode == 1 and text in p.stderr and "The server" not in p.stderr, p
    assert encrypted.config("--status").returncode == 0


def test_two_agents_do_not_run_at_once(encrypted, tenant):  # noqa: F811
    # covers: AGT-1, VOL-6
    run(encrypted, tenant)
    p = subprocess.run([str(encrypted.programs / "keyward-agent"), "--conf", str(encrypted.conf), "--state", str(encrypted.state)],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=90)
    assert p.returncode != 0 and "another Keyward program is at it" in p.stdout, p.stdout
    assert encrypted.mounted() and (encrypted.mount_point / "file").read_text() == "kept"
    assert encrypted.stop()


def test_a_damaged_registration_is_made_anew_and_opens_the_volume(encrypted, tenant):  # noqa: F811
    # covers: AGT-11, CFG-2
    (encrypted.state / "identity.json").write_text("{")
    encrypted.config("--register", "--force", "--url", encrypted.url, "--guid", tenant.account, "--publish-inventory",
                     passphrase=tenant.passphrase)
    run(encrypted, tenant)
    assert (encrypted.mount_point / "file").read_text() == "kept"
    assert encrypted.stop()
