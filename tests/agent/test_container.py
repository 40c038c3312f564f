"""Container files: made as agent.conf says, on file systems with and without allocation, once and never by mistake."""
import os
import subprocess

from fixtures import fixture
from agents import MIB, SLOW, Tenant, finish, mounts, new_guest, start, tool, wait_for
from volume_box import run as command


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, tenant, folder):
    g = new_guest(server, folder / "guest")
    g.register(tenant.account, tenant.passphrase)
    yield g
    finish(g)
    for name in ("small", "old"):
        if os.path.ismount(folder / name):
            subprocess.run(["umount", "-l", str(folder / name)], check=True)


def configure(guest, *items):
    plain = [line for line in guest.conf.read_text().splitlines() if not line.startswith("container")]
    guest.conf.write_text("\n".join(plain + [f"container = {item}" for item in items]) + "\n")


def test_the_rest_of_a_file_system_becomes_a_volume(tenant, guest, folder):
    # covers: VOL-2
    small = folder / "small"
    small.mkdir()
    command("mount", "-t", "tmpfs", "-o", "size=200M", "none", small)
    path = small / "data.keyward"
    configure(guest, f"{path},rest")
    start(guest)
    wait_for(guest, lambda: tenant.device(guest, path), "the agent does not make it")
    assert path.stat().st_size == 136 * MIB, path.stat()
    assert path.stat().st_blocks * 512 >= 136 * MIB and path.stat().st_mode & 0o777 == 0o600
    tenant.encrypt(guest, path)
    tenant.approve(guest, path)
    mounts(guest)
    (guest.mount_point / "file").write_bytes(os.urandom(MIB))
    assert guest.stop()
    # Gone once, it is not made again: whoever forgets to mount finds no empty volume.
    path.unlink()
    guest.config("--publish-inventory")
    assert not path.exists() and tenant.device(guest, path)["status"] == "undetected"


def test_blocks_are_written_where_they_cannot_be_allocated(guest, folder):
    # covers: VOL-2
    old = folder / "old"
    old.mkdir()
    image = folder / "old.img"
    image.touch()
    os.truncate(image, 300 * MIB)
    command("mkfs.ext3", "-q", image)           # knows no fallocate, like NFS before 4.2
    command("mount", "-o", "loop", image, old)
    path, thin = old / "data.keyward", old / "thin.keyward"
    configure(guest, f"{path},100M", f"{thin},1G,sparse")
    # Killed while it writes: the next call begins anew.
    p = tool(guest, "--publish-inventory")
    try:
        p.communicate(timeout=0.4)
    except subprocess.TimeoutExpired:
        p.kill()
        p.communicate()
    guest.config("--publish-inventory")
    assert path.stat().st_size == 100 * MIB and path.stat().st_blocks * 512 >= 100 * MIB
    assert thin.stat().st_size == 1024 * MIB and thin.stat().st_blocks * 512 < MIB
    assert sorted(f.name for f in old.iterdir() if f.name != "lost+found") == ["data.keyward", "thin.keyward"]


def test_the_root_file_system_is_not_filled_and_mistakes_are_explained(guest, folder):
    # covers: VOL-2, VOL-4
    def refused(item):
        configure(guest, item)
        p = guest.config("--publish-inventory", check=False)
        assert p.returncode != 0
        return p.stderr
    if os.stat(folder).st_dev == os.stat("/").st_dev:
        assert "root file system" in refused(f"{folder}/x.keyward,rest")
        assert not (folder / "x.keyward").exists()
    assert "is no folder" in refused(f"{folder}/absent/x.keyward,64M")
    assert "MiB free" in refused(f"{folder}/x.keyward,60000T")
    for wrong in ("x,rest", f"{folder}/x", f"{folder}/x,12Q", f"{folder}/x,1M", f"{folder}/x,64M,thick", f"{folder}/x,-5G"):
        assert "container" in refused(wrong), wrong
    assert list(folder.glob("*.making")) == []
