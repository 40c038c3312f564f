"""keyward-keytool: volumes opened with keys that a running server's page has exported, when nothing of the server is left, without a network."""
import os
import stat
import subprocess
import urllib.parse
import zipfile

from exported import open_zip
from fixtures import ROOT, fixture
from stack.installation import Installation
from stack.mainjob import FILE, TEXT, MainJob
from stack.ports import free_port
from agents import Tenant
from test_array import COUNT, make_guest
from agents import finish, mounts, start
from web import PASSWORD, Client, make_user

AGENT = ROOT / "build" / "sanitize" / "agent"
VECTOR = ROOT / "tests" / "vectors" / "exported.xml"
PASSPHRASE = "Lantern & Harbour 47"


def export(installation, tenant, slug, device):
    c = Client(installation, "console")
    assert c.sign_in(make_user(installation, tenant, "security-administrator"), account=slug).status == 303
    body = urllib.parse.urlencode({"current": PASSWORD, "passphrase": PASSPHRASE, "repeat": PASSPHRASE, "csrf": c.csrf}).encode()
    a = c.send("POST", f"/devices/{device}/export", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert a.status == 200 and a.header("content-type") == "application/zip", a
    return a.body


class Tool:
    """The program in a network namespace of its own: nothing can be reached from there."""

    def __init__(self, folder):
        self.folder = folder
        self.folder.mkdir(exist_ok=True)

    def start(self, *args, passphrase=PASSPHRASE):
        env = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""), "LC_ALL": "C.UTF-8"}
        if passphrase:
            env["KEYWARD_EXPORT_PASSPHRASE"] = passphrase
        return subprocess.run(["unshare", "--net", str(AGENT / "keyward-keytool"), "--run-dir", str(self.folder / "run"), "--volume-program",
                               str(AGENT / "keyward-volume"), *map(str, args)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=env, timeout=240)

    def run(self, *args, **kw):
        p = self.start(*args, **kw)
        assert p.returncode == 0, (args, p.stdout, p.stderr.decode(errors="replace")[-3000:])
        return p.stdout

    def refused(self, code, text, *args, **kw):
        p = self.start(*args, **kw)
        said = p.stderr.decode(errors="replace")
        assert p.returncode == code and text in said, (args, p.returncode, p.stdout, said[-3000:])


@fixture("test")
def tool(folder):
    t = Tool(folder / "keytool")
    yield t
    for line in t.start("--list").stdout.decode().splitlines():
        t.start("--close", line.split()[0], "--force")


@fixture("test")
def job(folder):
    j = MainJob(Installation(folder / "server", "sanitize", free_port()))
    yield j
    j.clean_up()


def test_a_volume_is_opened_when_nothing_of_the_server_is_left(job, tool, folder):
    # covers: KEY-5, VOL-7, AGT-11
    # guard: 600
    for step in job.steps[:job.steps.index(MainJob.restart_agent)]:
        step(job)
    assert job.guest.stop() and not job.guest.mounted()
    file = folder / "KeywardDeviceKeys.zip"
    file.write_bytes(export(job.it, job.account, "demo", job.device_id))
    job.it.close()
    shown = tool.run("--inspect", file, passphrase=None).decode()
    assert job.device_id in shown and str(job.guest.mount_point) in shown and "argon2id" in shown
    tool.refused(1, "the passphrase is wrong, or the file was altered", "--open", file, passphrase="Another-One-77")
    said = tool.run("--open", file).decode()
    assert f"Mounted on {job.guest.mount_point}" in said, said
    assert (job.guest.mount_point / FILE).read_text() == TEXT
    (job.guest.mount_point / "more").write_text("written without a server")
    assert tool.run("--list").decode().split()[0] == f"keytool-{job.device_id}"
    tool.refused(1, "", "--open", file)                      # open already
    tool.run("--close", job.guest.mount_point)
    assert not job.guest.mounted() and tool.run("--list") == b""
    # Once more, elsewhere, read-only, with the disk named and the XML alone; the passphrase from a file.
    xml, passphrase, other = folder / "one.xml", folder / "passphrase", folder / "elsewhere"
    with zipfile.ZipFile(file) as z:
        xml.write_bytes(z.read(z.namelist()[0]))
    passphrase.write_text(PASSPHRASE + "\n")
    tool.run("--open", xml, "--disk", job.guest.disk, "--mount-point", other, "--read-only", "--name", "mine", "--engine", "userspace",
             "--passphrase-file", passphrase, passphrase=None)
    assert (other / "more").read_text() == "written without a server"
    try:
        (other / "never").write_text("x")
        raise AssertionError("it can be written to")
    except OSError:
        pass
    tool.run("--close", "mine")
    key_is_cryptsetups(tool, xml, job.guest.disk, folder / "key")
    others_and_damaged_files(tool, file, xml, job, folder)


def key_is_cryptsetups(tool, xml, disk, out):
    tool.refused(2, "--decrypt needs --output", "--decrypt", xml)
    tool.run("--decrypt", xml, "--output", out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    subprocess.run(["cryptsetup", "open", "--test-passphrase", "--key-file", str(out), str(disk)], check=True)
    tool.refused(1, "exists", "--decrypt", xml, "--output", out)
    assert tool.run("--decrypt", xml, "--output", "-") == out.read_bytes()


def others_and_damaged_files(tool, file, xml, job, folder):
    bad, text, data = folder / "bad", xml.read_text(), file.read_bytes()
    for content, code, said in ((b"", 2, "no exported key"), (data[:len(data) // 2], 2, "damaged"), (data[:-30], 2, "damaged"),
                                (text[:len(text) // 2].encode(), 2, "not all of it"), (b"<a/>", 2, "no exported key"),
                                (text.replace('format="1"', 'format="2"').encode(), 1, "later format"),
                                (text.replace(f'mount-point="{job.guest.mount_point}"', 'mount-point="/etc"').encode(), 1, "altered"),
                                (text.replace('passes="3"', 'passes="300000"').encode(), 2, "cannot be meant"),
                                (text.replace('by="', 'by="\u009b2J').encode(), 2, "makes no sense"),
                                (text.replace("<keyward", '<!DOCTYPE x [<!ENTITY a "b">]><keyward').encode(), 2, "no exported key"),
                                (text.replace("<sealed>", "<sealed>AAAA").encode(), 1, "altered")):
        assert content != text.encode(), said
        bad.write_bytes(content)
        tool.refused(code, said, "--open", bad, "--disk", job.guest.disk)
    # Somebody else's: well-formed and with its passphrase, of another volume.
    tool.refused(1, "another volume", "--open", VECTOR, "--disk", job.guest.disk)
    tool.refused(1, "no disk here holds the volume of orders", "--open", VECTOR)
    both = folder / "both.zip"
    with zipfile.ZipFile(both, "w") as z:
        z.writestr("a.xml", text)
        z.write(VECTOR, "b.xml")
    tool.refused(2, "choose one by --device", "--open", both)
    tool.refused(2, "no volume in it is called nothing", "--open", both, "--device", "nothing")
    assert tool.run("--decrypt", both, "--device", "orders", "--output", "-") == bytes(range(0xe0, 0x100))


def test_the_vector_opens(tool):
    # covers: KEY-5
    assert tool.run("--decrypt", VECTOR, "--output", "-") == bytes(range(0xe0, 0x100))


@fixture("file")
def tenant(server):
    return Tenant(server)


def test_a_raid_needs_all_its_keys_and_opens(server, tenant, tool, folder):
    # covers: KEY-5, RAID-1, VOL-2
    # guard: 600
    g = make_guest(server, tenant, folder / "guest")
    try:
        tenant.console("encrypt", tenant.device(g, g.array)["id"], 0)
        start(g)
        tenant.approve(g, g.array)
        mounts(g)
        (g.mount_point / "file").write_text("kept" * 100_000)
        assert g.stop()
        array = tenant.device(g, g.array)["id"]
        file, less = folder / "raid.zip", folder / "less.zip"
        file.write_bytes(export(server, tenant.account, tenant.name, array))
        assert len(open_zip(file.read_bytes(), PASSPHRASE)) == COUNT
        with zipfile.ZipFile(file) as z, zipfile.ZipFile(less, "w") as out:
            for name in z.namelist()[1:]:
                out.writestr(name, z.read(name))
        tool.refused(1, "is missing: all are needed", "--open", less)
        tool.refused(1, "another volume", "--open", file, "--disk", ",".join(map(str, reversed(g.disks))))
        tool.refused(2, "each device of a RAID has a key of its own", "--decrypt", file, "--output", "-")
        tool.run("--open", file, "--mount-point", folder / "there")
        assert (folder / "there" / "file").read_text() == "kept" * 100_000
        tool.run("--close", folder / "there")
    finally:
        finish(g)
        g.forget()
