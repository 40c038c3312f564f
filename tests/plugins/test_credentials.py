"""A provider's credentials from a guest to the server and to every guest of its image (AGT-3, CFG-3), with the plug-in ec2 against a
stand-in for EC2."""
import json
import os
import pathlib
import subprocess
import sys
import uuid

from clouds import DATA, KEY, POLICY, Ec2
from fixtures import ROOT, fixture
from memory_search import in_memory
from stack.guest import Guest
from web import database, make_user

sys.path[1:1] = [str(ROOT / "tests" / "agent"), str(ROOT / "tests" / "web")]
from agents import QUICK, Tenant, has_line, start  # noqa: E402
from test_questions import Terminal, hidden  # noqa: E402
from world import World  # noqa: E402

NEW = {"access_key_id": "AKIDROTATED", "secret_access_key": "rotated/secret+KEY,with\\everything"}


def listed(key):
    """As the options want it."""
    return ",".join(f"{k}={v.replace(chr(92), chr(92) * 2).replace(',', chr(92) + ',')}" for k, v in key.items())


@fixture("test")
def cloud(folder):
    c = Ec2(folder / "cloud")
    c.change(keys={k["access_key_id"]: {"secret": k["secret_access_key"], "policy": POLICY} for k in (KEY, NEW)})
    yield c
    c.close()


@fixture("test")
def tenant(server):
    return Tenant(server)


def new_guest(server, cloud, folder, name):
    g = Guest(folder / name, server.address("agents"), server.ca, build="sanitize", name=f"{name}-{uuid.uuid4().hex[:8]}", disk_bytes=64 << 20,
              settings=dict(QUICK, provider="ec2"))
    g.prepare()
    with open(g.conf, "a") as f:
        f.writelines(f"provider_setting = {k}={v}\n" for k, v in cloud.settings.items())
    return g


@fixture("test")
def guests(server, tenant, cloud, folder):
    """Two of one image, registered; no agent runs."""
    out = [new_guest(server, cloud, folder, name) for name in ("one", "two")]
    for g in out:
        g.register(tenant.account, tenant.passphrase)
    yield out
    for g in out:
        g.stop()


def config(guest, *args, secrets=None, original=None, check=True):
    env = {k: v for k, v in {"KEYWARD_CREDENTIALS": secrets and listed(secrets),
                             "KEYWARD_ORIGINAL_CREDENTIALS": original and listed(original)}.items() if v}
    p = subprocess.run([str(guest.programs / "keyward-config"), "--conf", str(guest.conf), "--state", str(guest.state), *args],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
    assert not check or p.returncode == 0, p.stdout + p.stderr
    for key in (secrets, original):
        assert not key or key["secret_access_key"] not in p.stdout + p.stderr
    return p


def row(server, tenant):
    with database(server).cursor() as c:
        c.execute("select version, label, provider, secret, host_name from image_credential where tenant = %s order by changed desc limit 1",
                  (tenant.account,))
        return c.fetchone()


def entries(server, tenant):
    with database(server).cursor() as c:
        c.execute("select event, detail from audit_entry where tenant = %s and event like 'credentials.%%' order by seq", (tenant.account,))
        return c.fetchall()


def console(server, tenant):
    world = World.__new__(World)
    world.it, world.tenant = server, tenant.account
    with database(server).cursor() as c:
        c.execute("select slug from tenant where id = %s", (tenant.account,))
        world.slug = c.fetchone()[0]
    return world.console(make_user(server, tenant.account))


def test_given_kept_wrapped_picked_up_rotated_and_removed(server, tenant, cloud, guests):
    # covers: CFG-3, AGT-3, LOG-2
    one, two = guests
    start(two)
    has_line(two, "inventory published")
    wrong = dict(KEY, secret_access_key="wrong-secret-of-mine")
    p = config(one, secrets=wrong, check=False)
    assert p.returncode == 1 and "does not accept" in p.stderr and "does not belong" in p.stderr, p.stderr
    assert row(server, tenant) is None
    p = config(one, secrets=KEY)
    assert "AKIDEXAMPLE (123456789012)" in p.stdout
    version, label, provider, secret, _ = row(server, tenant)
    assert (version, label, provider) == (1, "AKIDEXAMPLE", "ec2") and KEY["secret_access_key"].encode() not in bytes(secret)
    # The other guest is told, at once.
    has_line(two, "credentials of the provider received credentials=AKIDEXAMPLE version=1")
    # A second time is a rotation, and says so.
    p = config(one, secrets=NEW, check=False)
    assert p.returncode == 1 and "--update-credentials" in p.stderr
    p = config(one, "--update-credentials", secrets=NEW, original=NEW, check=False)
    assert p.returncode == 4 and "not those of the image" in p.stderr
    p = config(two, "--update-credentials", secrets=dict(NEW, secret_access_key="wrong-again"), original=KEY, check=False)
    assert p.returncode == 1 and row(server, tenant)[:2] == (1, "AKIDEXAMPLE")
    out = json.loads(config(two, "--update-credentials", "--json", secrets=NEW, original=KEY).stdout)
    assert out["credentials"] == {"credentials": "AKIDROTATED", "account": "123456789012"}
    assert row(server, tenant)[:2] == (2, "AKIDROTATED")
    has_line(two, "credentials=AKIDROTATED version=2")
    events = entries(server, tenant)
    assert [e for e, _ in events] == ["credentials.set", "credentials.replaced"]
    assert "secret" not in json.dumps([d for _, d in events])
    # Shown in the console, never with the secret; removed there.
    browser = console(server, tenant)
    with database(server).cursor() as c:
        c.execute("select image from image_credential where tenant = %s", (tenant.account,))
        image = str(c.fetchone()[0])
    page = browser.get(f"/images/{image}").text
    assert "AKIDROTATED" in page and "rotated/secret" not in page
    assert browser.post(f"/images/{image}/credentials").status == 303
    assert "AKIDROTATED" not in browser.get(f"/images/{image}").text
    assert row(server, tenant)[1] == "" and row(server, tenant)[3] is None
    has_line(two, "the image has no credentials of the provider")
    assert entries(server, tenant)[-1][0] == "credentials.removed"
    # New ones do not repeat a version.
    config(one, secrets=KEY)
    assert row(server, tenant)[0] == 4


def test_in_no_file_argument_or_environment_and_in_no_other_process(server, tenant, cloud, guests):
    # covers: AGT-3, SEC-4
    one, two = guests
    start(two)
    has_line(two, "inventory published")
    # Of this test alone: others that run at this time may give the usual one by the environment.
    key = dict(KEY, secret_access_key=f"searched/for+{uuid.uuid4().hex}")
    cloud.change(keys={key["access_key_id"]: {"secret": key["secret_access_key"], "policy": POLICY}})
    config(one, secrets=key)
    has_line(two, "credentials of the provider received")
    word = key["secret_access_key"].encode()
    for g in guests:
        for file in [f for f in g.folder.rglob("*") if f.is_file()]:
            assert word not in file.read_bytes(), file
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            said = (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
        except OSError:
            continue
        assert word not in said, proc
    # keyd wipes what it handles; what the agent holds is in its locked memory alone, once.
    for pid in [json.loads(p.read_text())["pid"] for p in (server.state / "pid").glob("keyd*")]:
        assert not in_memory(pid, [word], set()), "keyd"
    assert len(in_memory(two.process.pid, [word], set())) <= 1, "more than one copy in the agent"


def test_on_a_terminal_they_are_asked_for_and_not_shown(server, tenant, cloud, folder):
    # covers: CFG-1, CFG-3, SEC-4
    g = new_guest(server, cloud, folder, "asked")
    t = Terminal(g)
    try:
        t.answer("Provider plug-in [ec2]")
        t.answer("Account ID", tenant.account)
        t.answer("Web Service URL", g.url)
        t.answer("Provisioning passphrase: ", tenant.passphrase)
        t.answer("for all machines of this image? [y/N]", "y")
        for field, value in NEW.items():
            t.expect(f"  {field} (")
            if field == "access_key_id":             # needed: nothing is no answer
                hidden(t)
                os.write(t.fd, b"\n")
                t.expect(f"  {field} (")
            hidden(t)
            os.write(t.fd, value.encode() + b"\n")
        t.answer("session_token")
        for question in ("Publish", "Wait", "Mount"):
            t.answer(question, "n")
        t.expect("have the provider check its credentials")
        t.answer("Go on?")
        assert t.end() == 0, t.all
        assert f"The image has the credentials {NEW['access_key_id']}" in t.all and NEW["secret_access_key"] not in t.all
        assert row(server, tenant)[1] == NEW["access_key_id"]
    finally:
        g.stop()
