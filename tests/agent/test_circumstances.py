"""keyward-config where things are not as they should be: a narrow terminal, output that goes elsewhere or nowhere, a full disk, no root, a disk that
goes while its key is waited for, a volume that the agent opens just then, and whatever else may be typed."""
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import uuid

import keyd
from agents import SLOW, Tenant, finish, guest, has_line, log, mounts, new_guest, start, tenant, tool  # noqa: F401
from test_questions import Terminal
from volume_box import TOOL
from web import database

NOBODY = 65534
URL, ACCOUNT = "https://agents.example", str(uuid.uuid4())


def argv(guest, *args):  # noqa: F811
    return [str(guest.programs / "keyward-config"), "--conf", str(guest.conf), "--state", str(guest.state), *args]


def test_a_narrow_terminal_shows_whole_lines(guest):  # noqa: F811
    # covers: CFG-2
    t = Terminal(guest, "--help", columns=60)
    assert t.end() == 0
    lines = t.all.replace("\r", "").split("\n")
    assert len(lines) > 60 and [line for line in lines if len(line) > 60] == []
    t = Terminal(guest, "--get-device-list", columns=60)
    assert t.end() == 0
    # The id is there to be copied: alone on its line, whole.
    lines = t.all.replace("\r", "").split("\n")
    assert f"file:{guest.disk}" in lines and lines[lines.index(f"file:{guest.disk}") + 1].startswith("    file, 64"), lines


def test_long_ids_move_nothing(guest):  # noqa: F811
    # covers: CFG-2
    long = guest.folder / ("disk-" + "x" * 60 + ".img")
    long.touch()
    os.truncate(long, 64 << 20)
    with open(guest.conf, "a") as f:
        f.write(f"devices = {long}\n")
    lines = guest.config("--get-device-list").stdout.splitlines()
    at = [lines[0].index(title) for title in ("ID", "KIND", "USE", "CONTENT", "PATH")]
    rows = {line[:at[1]].rstrip(): [line[i:].split("  ")[0].strip() for i in at[1:]] for line in lines[1:]}
    for path in (long, guest.disk):
        kind, use, content, shown = rows[f"file:{path}"]
        assert (kind.split()[0], use, content, shown) == ("file", "free", "-", str(path)), lines


def test_questions_and_answers_do_not_mix(tenant, guest):  # noqa: F811
    # covers: CFG-1, CFG-2
    out = guest.folder / "out"
    options = ("--register", "--url", guest.url, "--guid", tenant.account)
    # A script on a terminal is asked nothing: what it reads is one object.
    t = Terminal(guest, *options, "--json", output=out)
    assert t.end() == 2 and "Provisioning passphrase:" not in t.all, t.all
    assert "a passphrase" in json.loads(out.read_text())["error"]["text"]
    # A person is asked where he looks.
    t = Terminal(guest, *options, output=out)
    t.answer("Provisioning passphrase: ", tenant.passphrase)
    assert t.end() == 0, t.all
    assert "Registered as agent" in out.read_text() and "passphrase" not in out.read_text()
    with open("/dev/full", "w") as full:
        p = subprocess.run(argv(guest, "--list-plugins"), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "not all of the output could be written" in p.stderr, p
    # Several actions at once are all done.
    said = json.loads(guest.config("--list-plugins", "--status", "--json").stdout)
    assert said["registered"] and len(said["plugins"]) > 3


def test_a_full_disk_costs_no_registration(server, tenant, guest):  # noqa: F811
    # covers: CFG-2, VOL-6
    options = ("--register", "--url", guest.url, "--guid", tenant.account)
    # Room for the key that an attempt begins with, and for its copy; not for the registration.
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=0700", "none", str(guest.state)], check=True)
    try:
        p = guest.config(*options, passphrase=tenant.passphrase, check=False)
        assert p.returncode == 1 and "No space left on device" in p.stderr, p
        assert not (guest.state / "identity.json").exists()
        assert guest.config("--publish-inventory", check=False).returncode == 1
        subprocess.run(["mount", "-o", "remount,size=1m", str(guest.state)], check=True)
        guest.config(*options, "--publish-inventory", passphrase=tenant.passphrase)
        assert sorted(f.suffix for f in guest.state.iterdir()) == [".json", ".pem"]
        with database(server).cursor() as c:
            c.execute("select a.id from agent a join instance i on i.tenant = a.tenant and i.id = a.instance where i.provider_instance = %s",
                      (guest.name,))
            [(agent,)] = c.fetchall()            # the second attempt found the first one's
            c.execute("update agent set state = 'removed' where id = %s", (agent,))
        # Whom somebody has removed since then is not taken back with that key, but with another.
        (guest.state / "pending.pem").write_bytes(next(guest.state.glob("agent-*.pem")).read_bytes())
        (guest.state / "pending.pem").chmod(0o600)
        guest.config(*options, "--force", passphrase=tenant.passphrase)
        assert json.loads((guest.state / "identity.json").read_text())["agent"] != str(agent)
    finally:
        subprocess.run(["umount", str(guest.state)], check=True)


def test_who_is_not_root_is_told_so(guest):  # noqa: F811
    # covers: CFG-2
    p = subprocess.run(argv(guest, "--status"), user=NOBODY, group=NOBODY, extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "Only root can do this" in p.stderr, p


def test_a_disk_that_goes_is_not_taken_for_mounted(tenant, guest):  # noqa: F811
    # covers: CFG-2, VOL-6
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest)
    start(guest)
    tenant.request(guest, "pending")
    p = tool(guest, "--mount")
    assert "approved in the console" in p.stdout.readline()
    away = guest.disk.with_suffix(".away")
    guest.disk.rename(away)
    try:
        out, err = p.communicate(timeout=SLOW)
    finally:
        away.rename(guest.disk)
    assert p.returncode == 1 and "1 of 1 encrypted devices is not there any more" in err, out + err
    assert guest.stop()


def half_opened(server, tenant, guest):  # noqa: F811
    """Its volume opened and not mounted, as the agent has it between the two. A function that asks the engine for its state, or for another COMMAND."""
    with database(server).cursor() as c:
        c.execute("select t.wrapped_key, k.device, k.version, k.wrapped from tenant t join device_key k on k.tenant = t.id where t.id = %s", (tenant.account,))
        [(tenants, device, version, wrapped)] = c.fetchall()
    key = guest.folder / "key"
    key.write_bytes(keyd.device_key(keyd.tenant_key(server.state, tenant.account, tenants), tenant.account, device, version, wrapped))
    name = "keyward-" + hashlib.sha256(f"file:{guest.disk}".encode()).hexdigest()[:16]

    def ask(command="status"):
        return subprocess.run([str(TOOL), command, f"env={guest.folder}/run", f"program={guest.programs}/keyward-volume", f"name={name}",
                               f"path={guest.disk}", f"key={key}"], check=True, stdout=subprocess.PIPE, text=True).stdout
    ask("open")
    return ask


def test_a_volume_that_the_agent_just_opens_is_left_to_it(server, guest):  # noqa: F811
    # covers: CFG-2, VOL-6, AGT-5
    tenant = Tenant(server)  # noqa: F811
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest)
    with open(guest.folder / "run" / "agent.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)         # as another one that looks just then
        assert json.loads(guest.config("--status", "--json").stdout)["agent_running"] is False
    start(guest)
    tenant.request(guest, "pending")
    os.kill(guest.process.pid, signal.SIGSTOP)
    state = half_opened(server, tenant, guest)
    for options in (("--status",), ("--get-device-list",), ("--publish-inventory",)):
        said = guest.config(*options, "--json")
        assert "alive=1" in state() and "somebody else" not in said.stderr, (options, said)
    waits = tool(guest, "--mount")
    assert "keyward-agent asks" in waits.stdout.readline() and "alive=1" in state()
    waits.kill()
    waits.communicate()
    # Left so by an agent that was killed, it is closed by the next one, which asks for the key at once.
    guest.process.kill()
    start(guest)
    has_line(guest, "closed a volume that was left half open")
    assert "in use by somebody else" not in log(guest)
    # After a start it is a new question (request_holds): an approval of the former one would not count for it.
    has_line(guest, "the key request waits for approval")
    tenant.approve(guest)
    mounts(guest)
    assert guest.stop()


WRONG = (
    (("--timeout", "0"), 2, "a whole number from 1 to 525600"),
    (("--timeout", "1h"), 2, "a whole number from 1 to 525600"),
    (("--guid",), 2, "--guid needs a value: ACCOUNT"),
    (("--guid", "--quiet"), 2, "--guid needs a value: ACCOUNT; --quiet is an option"),
    (("--json=yes",), 2, "--json takes no value"),
    (("--pas", "x"), 2, "is the beginning of several options"),
    (("now",), 2, '"now" is not an option'),
    (("--guid", b"\xff\xfe"), 2, "--guid: its value is no text"),
    ((b"--\xff\xfe",), 2, "there is no option --??"),
    ((b"\x9b31m",), 2, '"?31m" is not an option'),
    (("--url", URL, "--saas"), 2, "--url and --saas exclude each other"),
    (("--mount-point", "/x"), 2, "--mount-point needs --adopt too"),
    (("--conf", "/nonexistent", "--status"), 2, "/nonexistent"),
    (("--conf", "/nonexistent", "--list-plugins"), 2, "/nonexistent"),
    (("--state", "/etc/passwd", "--status"), 1, "/etc/passwd is not a folder"),
    (("--csp", "../../../bin/sh", "--status"), 2, "../../../bin/sh"),
    (("--csp", "nothing-of-the-kind", "--status"), 2, "nothing-of-the-kind"),
    (("--options", "nonsense", "--status"), 2, "nonsense"),
    (("--ca-file", "/nonexistent", "--status"), 2, "the CA file /nonexistent cannot be read"),
    (("--devices", "/nonexistent"), 2, "/nonexistent"),
    (("--devices", "/proc/self/exe"), 2, "/proc/self/exe"),
    (("--update-credentials",), 2, "needs new ones"),
    (("--adopt", "/dev/null"), 1, "this machine is not registered"),
    (("--proxy-settings", "shwo"), 2, "did you mean show?"),
    (("--proxy-settings", "text"), 2, "did you mean test? (one of that name: http://text:3128)"),
    (("--register", "--url", URL, "--guid", ACCOUNT, "--passphrase-file", "/nonexistent"), 2, "no passphrase can be read from /nonexistent"),
    (("--register", "--url", URL, "--guid", ACCOUNT, "--passphrase-file", "/"), 2, "no passphrase can be read from /"),
    (("--register", "--url", "agents.example", "--guid", ACCOUNT, "--passphrase", "x"), 2, "is no Web Service URL: https://NAME"),
    (("--register", "--url", "https://" + "a" * 5000, "--guid", ACCOUNT, "--passphrase", "x"), 2, "the URL is too long"),
    (("--register", "--url", URL, "--guid", ACCOUNT + "0", "--passphrase", "x"), 2, "is no account ID"),
)


def test_whatever_is_typed_is_explained(guest):  # noqa: F811
    # covers: CFG-2
    for args, code, text in WRONG:
        p = subprocess.run([os.fsencode(a) if isinstance(a, str) else a for a in argv(guest, "--json", *args)], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = json.loads(p.stdout)
        assert p.returncode == code == said["exit"] and text in said["error"]["text"], (args, p)
    assert not (guest.state / "identity.json").exists() and not (guest.state / "proxy.json").exists()
