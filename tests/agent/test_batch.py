"""keyward-config --devices against a running server: what a batch file asks for is done, waits for a person or is refused, device by
device, as the account has it. People's part is played with the console's own store functions (console_tool)."""
import json
import subprocess

from fixtures import fixture
from agents import MIB, Tenant, finish, has_line, mounts, new_guest, start, tool


@fixture("test")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, folder, tenant):
    """Registered, with two disks: guest.disk and guest.second."""
    second = folder / "second.img"
    with open(second, "wb") as f:
        f.truncate(64 * MIB)
    g = new_guest(server, folder / "guest")
    g.second = second
    with open(g.conf, "a") as f:
        f.write(f"devices = {second}\n")
    g.register(tenant.account, tenant.passphrase)
    yield g
    finish(g)


def batch(guest, *devices, name="batch.conf"):
    file = guest.folder / name
    file.write_text("".join(f"[device{i}]\n" + "".join(f"{k} = {v}\n" for k, v in d.items()) for i, d in enumerate(devices, 1)))
    return str(file)


def disk(guest, path=None, **more):
    return {"id": f"file:{path or guest.disk}", "mountpoint": guest.mount_point if path is None else guest.folder / "mnt2", **more}


def run(guest, file, *args):
    """Exit code, what each device came to, and the error's text."""
    p = guest.config("--devices", file, "--json", *args, check=False)
    said = json.loads(p.stdout)
    assert said["exit"] == p.returncode
    return (p.returncode, [d["result"] for d in said.get("batch", [])], [d["detail"] for d in said.get("batch", [])],
            said.get("error", {}).get("text", ""))


def with_filesystem(path):
    subprocess.run(["mkfs.ext4", "-q", path], check=True)


def test_mistakes_are_all_named_before_anything_is_done(tenant, guest):
    # covers: CFG-2
    file = batch(guest, disk(guest, filesystem="ntfs", keysize="99"), {"mountpoint": "/etc"})
    code, results, _, text = run(guest, file, "--with-provisioning")
    assert code == 2 and results == [], text
    for part in ("line 4, [device1]: filesystem", "line 5, [device1]: keysize", "[device2]: id is missing", "[device2]: mountpoint"):
        assert part in text, (part, text)
    assert run(guest, str(guest.folder / "none"))[0] == 2
    assert tenant.device(guest)["status"] == "not-configured"


def test_empty_devices_are_encrypted_and_a_second_run_changes_nothing(tenant, guest):
    # covers: CFG-2, DEV-3
    file = batch(guest, disk(guest, label="Data"), disk(guest, guest.second, filesystem="ext3", keysize=192, mode="cbc-essiv", access="ro"))
    code, results, _, text = run(guest, file, "--with-provisioning", "--timeout", "5")
    assert code == 0 and results == ["encrypted", "encrypted"], text
    first, second = tenant.device(guest), tenant.device(guest, guest.second)
    assert first["status"] == second["status"] == "encrypted" and first["name"] == "Data"
    assert (first["filesystem"], first["mode"], first["key_bits"], first["access"]) == ("ext4", "xts-plain64", 256, "read-write")
    assert (second["filesystem"], second["mode"], second["key_bits"], second["access"]) == ("ext3", "cbc-essiv:sha256", 192, "read-only")
    assert second["mount_point"] == str(guest.folder / "mnt2")
    code, results, details, text = run(guest, file, "--with-provisioning")
    assert code == 0 and results == ["encrypted", "encrypted"] and details == ["it is so already"] * 2, text
    assert tenant.device(guest)["key_version"] == first["key_version"]
    other = batch(guest, disk(guest, filesystem="ext3"))
    code, results, details, _ = run(guest, other)
    assert code == 1 and results == ["failed"] and "otherwise" in details[0], details
    assert tenant.device(guest)["filesystem"] == "ext4"


def test_devices_fail_one_by_one(tenant, guest):
    # covers: CFG-2, VOL-4
    with_filesystem(guest.disk)
    file = batch(guest, disk(guest), disk(guest, guest.second), {"id": "serial:none", "mountpoint": "/srv/none"})
    guest.config("--publish-inventory")
    code, results, details, text = run(guest, file, "-w", "--timeout", "5")
    assert code == 1 and results == ["failed", "encrypted", "failed"] and "2 of 3" in text, (results, text)
    assert "holds ext4" in details[0] and "no such device" in details[2], details
    assert subprocess.run(["blkid", "-o", "value", "-s", "TYPE", guest.disk], stdout=subprocess.PIPE).stdout.strip() == b"ext4"
    # A path names a device as well as its id does.
    code, results, _, _ = run(guest, batch(guest, disk(guest, guest.second) | {"id": guest.second}))
    assert (code, results) == (0, ["encrypted"])


def test_contents_go_only_when_named_and_allowed(tenant, guest):
    # covers: CFG-2, DEV-3, VOL-4
    with_filesystem(guest.disk)
    named = batch(guest, disk(guest, overwrite=f"file:{guest.disk}"))
    guest.config("--publish-inventory")
    # By default a person has to say so too.
    code, results, _, _ = run(guest, named)
    assert (code, results) == (0, ["waiting"])
    device = tenant.device(guest)
    assert device["status"] == "not-configured"
    assert tenant.console("proposal", device["id"])["overwrite"] is True
    tenant.console("reject", device["id"])
    tenant.console("proposals", "confirmed")
    code, results, details, _ = run(guest, batch(guest, disk(guest), name="other.conf"))
    assert code == 1 and "not named" in details[0], details
    code, results, _, text = run(guest, named, "-w", "--timeout", "5")
    assert (code, results) == (0, ["encrypted"]), text


def test_people_decide_where_the_account_has_it_so(tenant, guest):
    # covers: CFG-2, DEV-3, LOG-2
    file = batch(guest, disk(guest))
    tenant.console("proposals", "refuse")
    code, results, details, _ = run(guest, file)
    assert code == 1 and results == ["failed"] and "takes no proposals" in details[0], details
    tenant.console("proposals", "ask")
    assert run(guest, file)[:2] == (0, ["waiting"])
    device = tenant.device(guest)["id"]
    assert tenant.device(guest)["status"] == "not-configured"
    p = tool(guest, "--devices", file, "--with-provisioning", "--timeout", "5", "--json")
    tenant.console("accept", device, 0)
    out, _ = p.communicate()
    assert p.returncode == 0 and json.loads(out)["batch"][0]["result"] == "encrypted", out


def test_running_agent_does_the_work(tenant, guest):
    # covers: CFG-2, AGT-5
    start(guest)
    has_line(guest, "inventory published")
    code, results, _, text = run(guest, batch(guest, disk(guest)), "-w", "--timeout", "5")
    assert (code, results) == (0, ["encrypted"]), text + guest.process.last_lines(20)
    # The server knows it first.
    has_line(guest, "device is encrypted")
    tenant.approve(guest)
    mounts(guest)
    assert guest.stop()


def test_no_guest_proposes_for_a_device_of_another(server, tenant, guest, folder):
    # covers: CFG-2, TEN-4
    other = new_guest(server, folder / "other")
    other.register(tenant.account, tenant.passphrase)
    file = batch(guest, disk(guest) | {"id": f"file:{other.disk}"})
    code, results, details, _ = run(guest, file)
    assert code == 1 and results == ["failed"] and "no such device" in details[0]
    # Nor when it lies about what it has: ids of this provider belong to one machine.
    with open(guest.conf, "a") as f:
        f.write(f"devices = {other.disk}\n")
    code, results, _, _ = run(guest, file)
    rows = [r for r in tenant.console("devices")["rows"] if r["provider_device"] == f"file:{other.disk}"]
    assert sorted(r["status"] for r in rows) == ["encryption-pending", "not-configured"], rows
    finish(other)
