"""Disks that are not what they seem: in use, copied, moved, exchanged, another account's. What the console says of them, and that the
wrong one is never opened."""
import shutil

from fixtures import fixture
from agents import MIB, Tenant, finish, has_line, mounts, new_guest, run, start, wait_for
from luks2 import Header


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guests(server, folder):
    """Makes guests; they end with the test."""
    made = []

    def make(tenant=None, **settings):
        made.append(new_guest(server, folder / f"guest{len(made)}", **settings))
        if tenant:
            made[-1].register(tenant.account, tenant.passphrase)
        return made[-1]
    yield make
    for guest in made:
        finish(guest)


def origin(tenant, guest, path=None):
    return tenant.console("origin", tenant.device(guest, path)["id"])


def encrypt(tenant, guest):
    start(guest)
    tenant.encrypt(guest)
    tenant.approve(guest)
    mounts(guest)
    (guest.mount_point / "whose").write_text(guest.name)
    assert guest.stop()


def test_console_says_why_a_device_cannot_be_encrypted(tenant, guests):
    # covers: DEV-3, VOL-4
    guest = guests()
    with open(guest.disk, "r+b"):
        guest.register(tenant.account, tenant.passphrase)
        assert "in use by another process" in tenant.device(guest)["unusable"]
    guest.config("--publish-inventory")
    assert tenant.device(guest)["unusable"] == ""
    small = guest.disk.with_name("small")
    with guest.conf.open("a") as conf:
        conf.write(f"devices = {small}\n")
    small.write_bytes(bytes(MIB))
    guest.config("--publish-inventory")
    assert "too small" in tenant.device(guest, small)["unusable"]


def test_a_copied_disk_is_named_and_gets_no_key(tenant, guests):
    # covers: VOL-5
    first, second = guests(tenant), guests(tenant)
    encrypt(tenant, first)
    shutil.copyfile(first.disk, second.disk)
    second.config("--publish-inventory")
    told = origin(tenant, second)
    assert told["origin"]["id"] == tenant.device(first)["id"]
    assert "is a copy of device" in told["words"] and "attached also to instance" in told["words"], told
    start(second)
    has_line(second, "is a copy of device")
    assert not second.mounted() and tenant.requests(second) == []
    assert second.stop()
    # The original is what it was.
    assert origin(tenant, first) == {"origin": None, "words": ""}
    run(first, tenant)
    assert (first.mount_point / "whose").read_text() == first.name
    assert first.stop()
    # Its own disk gone from its own machine, the copy is the disk itself that was moved.
    first.disk.rename(first.disk.with_name("away"))
    first.config("--publish-inventory")
    assert "no longer there" in origin(tenant, second)["words"]


def test_exchanged_disks_are_not_opened_for_each_other(tenant, guests):
    # covers: VOL-5
    first, second = guests(tenant), guests(tenant)
    for guest in (first, second):
        encrypt(tenant, guest)
    kept = first.disk.with_name("kept")
    first.disk.rename(kept)
    shutil.copyfile(second.disk, first.disk)
    start(first)
    tenant.approve(first)
    has_line(first, "holds the volume of another device")
    assert not first.mounted()
    assert first.stop()
    kept.rename(first.disk)
    run(first, tenant)
    assert (first.mount_point / "whose").read_text() == first.name
    assert first.stop()


def test_another_accounts_volume_is_said_to_be_that(server, tenant, guests):
    # covers: VOL-5, TEN-4
    other = Tenant(server)
    theirs, ours = guests(other), guests(tenant)
    encrypt(other, theirs)
    shutil.copyfile(theirs.disk, ours.disk)
    ours.config("--publish-inventory")
    told = origin(tenant, ours)
    assert f"belongs to account {other.account} on server {theirs.url}" in told["words"], told
    assert told["origin"]["name"] is None and told["origin"]["instance_name"] is None
    start(ours)
    wait_for(ours, lambda: tenant.instance(ours)["agent"]["last_heartbeat"], "no heartbeat")
    assert not ours.mounted() and tenant.requests(ours) == []
    assert ours.stop()


def test_a_header_that_names_another_encryption_is_not_opened(tenant, guests):
    # covers: VOL-1, DEV-8, SEC-7
    guest = guests(tenant)
    encrypt(tenant, guest)
    good = Header(guest.disk)
    bad = Header(guest.disk)
    bad.json["segments"]["0"]["encryption"] = "aes-cbc-plain64"
    bad.write()
    start(guest)
    tenant.approve(guest)
    has_line(guest, "the server knows it with aes-xts-plain64, 256 bits")
    assert not guest.mounted()
    wait_for(guest, lambda: "the server knows it with" in tenant.device(guest)["said"], "the console does not say it")
    assert guest.stop()
    good.write()
    run(guest, tenant)
    assert (guest.mount_point / "whose").read_text() == guest.name
    assert guest.stop()


def test_a_volume_that_somebody_else_has_is_asked_for_when_it_is_free(tenant, guests):
    # covers: VOL-4, AGT-1
    guest = guests(tenant)
    encrypt(tenant, guest)
    before, beat = len(tenant.requests(guest)), tenant.instance(guest)["agent"]["last_heartbeat"]
    with open(guest.disk, "r+b"):
        start(guest)
        has_line(guest, "a volume is in use by somebody else")
        wait_for(guest, lambda: tenant.instance(guest)["agent"]["last_heartbeat"] != beat, "no heartbeat")
        assert len(tenant.requests(guest)) == before
    tenant.approve(guest)
    mounts(guest)
    assert guest.stop()


def test_one_disk_at_two_machines_is_open_at_one(tenant, guests):
    # covers: VOL-5, VOL-6, SEC-7
    first, second = guests(tenant), guests()
    second.disk.unlink()
    second.disk.symlink_to(first.disk)
    second.register(tenant.account, tenant.passphrase)
    encrypt(tenant, first)
    # The other machine sees it first after a boot, and has no key of its own for it.
    start(second)
    has_line(second, "is a copy of device")
    run(first, tenant)
    assert second.config("--publish-inventory").returncode == 0
    machine = tenant.instance(second)["id"]
    assert [r for r in tenant.console("requests")["rows"] if r["instance"] == machine] == [] and not second.mounted()
    assert second.stop()
    assert (first.mount_point / "whose").read_text() == first.name
    assert first.stop()
