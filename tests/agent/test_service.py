"""The agent as a service without systemd, its log, and an installation without anybody at the keyboard, against a running server."""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import uuid

from fixtures import ROOT, fixture
from stack.process import wait_until
from agents import SLOW, Tenant, finish, has_line, new_guest, run, start, tool

INSTALL = ROOT / "packaging" / "unattended" / "keyward-install"


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, folder):
    g = new_guest(server, folder / "guest")
    yield g
    finish(g)


def environment(guest, **more):
    path = f"{guest.programs}:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "KEYWARD_CONF": str(guest.conf), "KEYWARD_STATE": str(guest.state), "LC_ALL": "C.UTF-8", **more}


# Where the log goes

def test_lines_for_the_journal_bear_their_level(guest):
    # covers: AGT-8, OPS-2
    log = guest.folder / "err"
    with open(log, "wb") as f:
        st = os.fstat(f.fileno())
        argv = [str(guest.programs / "keyward-agent"), "--conf", "/nonexistent/agent.conf", "--state", str(guest.state)]
        subprocess.run(argv, stderr=f, env=dict(os.environ, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino}"))
        assert log.read_text().startswith("<3>agent cannot start reason="), log.read_text()
        f.truncate(0)
        subprocess.run(argv, stderr=f, env=dict(os.environ, JOURNAL_STREAM=f"{st.st_dev}:{st.st_ino + 1}"))
        assert re.search(r"\d{4}-\d\d-\d\dT\S+Z agent error cannot start", log.read_text()), log.read_text()


def wait_log(file, text):
    wait_until(lambda: file.exists() and text in file.read_text(), SLOW, f"{file.name} does not say \"{text}\"")


def test_init_script_starts_reloads_and_stops(tenant, guest):
    # covers: AGT-8, AGT-9
    guest.register(tenant.account, tenant.passphrase)
    installed = guest.folder / "keyward-agent"
    installed.write_text((ROOT / "packaging" / "keyward-agent.init.in").read_text())
    installed.chmod(0o755)
    log, pid = guest.folder / "log" / "agent.log", guest.folder / "agent.pid"
    defaults = guest.folder / "defaults"
    defaults.write_text(f"DAEMON={guest.programs}/keyward-agent\nRUN={guest.folder}/run\nPIDFILE={pid}\nLOG_FILE={log}\n"
                        f"DAEMON_OPTIONS='--conf {guest.conf} --state {guest.state}'\nREADY_SECONDS={SLOW}\n")

    def script(*args):
        # The sanitizer's own words would go to the terminal that a daemon does not have.
        return subprocess.run([str(installed), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env={**environment(guest), "KEYWARD_DEFAULTS": str(defaults)})

    assert script("status").returncode == 3 and script("nonsense").returncode == 2
    try:
        started = script("start")
        assert started.returncode == 0, started.stdout
        # It came back when the volumes were ready: with none, as soon as the inventory was published.
        assert (guest.folder / "run" / "ready").exists() and "inventory published" in log.read_text()
        assert script("status").returncode == 0
        first = pid.read_text()
        assert script("start").returncode == 0 and pid.read_text() == first
        assert log.stat().st_mode & 0o007 == 0
        # As logrotate does it, and another level of what is logged.
        log.rename(guest.folder / "log" / "agent.log.1")
        guest.conf.write_text(guest.conf.read_text().replace("log_level = debug", "log_level = info"))
        assert script("reload").returncode == 0
        wait_log(log, "log level set level=info")
    finally:
        stopped = script("stop")
    assert stopped.returncode == 0, stopped.stdout
    assert script("status").returncode == 3 and not pid.exists()


# Nobody at the keyboard

def begin(guest, *argv, **more):
    return subprocess.Popen([*argv, str(INSTALL)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env=environment(guest, **more))


def unattended(guest, **more):
    """Exit code and all that was said."""
    p = begin(guest, **more)
    out, _ = p.communicate()
    return p.returncode, out


def test_unattended_installation_says_what_is_missing(guest):
    # covers: CFG-4
    for env, said in (({"INSTALL_OPTION": "everything"}, "INSTALL_OPTION is"), ({}, "SC_ACCOUNT_ID is needed"),
                      ({"SC_ACCOUNT_ID": "x"}, "PROV_PASSWORD"), ({"INSTALL_OPTION": "credentials"}, "AWS_ACCESS_ID is needed"),
                      ({"SC_ACCOUNT_ID": "x", "PROV_PASSWORD": "x", "AWS_ACCESS_ID": "x"}, "AWS_SECRET_KEY is needed")):
        code, out = unattended(guest, **env)
        assert code == 2 and said in out, (env, out)
    assert not (guest.state / "identity.json").exists()


def test_unattended_installation_encrypts_what_the_batch_file_names(server, tenant, guest):
    # covers: CFG-4, CFG-2, SEC-4
    trace = guest.folder / "trace"
    wanted = {"INSTALL_OPTION": "provision", "WEB_SERVICE_URL": guest.url, "SC_ACCOUNT_ID": tenant.account, "CA_FILE": str(server.ca),
              "DEVICES_CONF": f"[device1]\nid = file:{guest.disk}\nmountpoint = {guest.mount_point}\n", "TIMEOUT": "10"}
    # Only what registers is traced: a tracer would wait for the process that serves the volume.
    p = begin(guest, "strace", "-f", "-v", "-s", "4096", "-e", "trace=execve", "-o", str(trace),
              **{**wanted, "INSTALL_OPTION": "register", "PROV_PASSWORD": tenant.passphrase, "ASAN_OPTIONS": "detect_leaks=0"})
    said, _ = p.communicate()
    assert p.returncode == 0 and "Registered" in said, said
    p = begin(guest, **wanted)
    wait_until(lambda: tenant.console("devices")["rows"] and tenant.requests(guest), 3 * SLOW, "no request", lambda: p.poll() is None)
    tenant.approve(guest)
    out, _ = p.communicate()
    assert p.returncode == 0 and guest.mounted() and tenant.device(guest)["status"] == "in-use", out
    code, again = unattended(guest, **wanted)
    assert code == 0 and "its identity is kept" in again and again.count("SECTION") == 1, again
    assert tenant.passphrase not in said + out + again
    # It was in the environment that cloud-init gave, and in nothing that was started from there.
    begun = [line for line in trace.read_text().splitlines() if "execve(" in line]
    assert len(begun) > 3
    assert not [line for line in begun if tenant.passphrase in line and str(INSTALL) not in line.split("[", 1)[0]]
    # An agent finds the volume open, and closes it at its end.
    start(guest)
    has_line(guest, "volume is open already")
    assert guest.stop() and not guest.mounted()


# Secrets

def limits(pid):
    return re.search(r"^Max core file size\s+(\S+)\s+(\S+)", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M).groups()


def test_no_secret_is_left_anywhere(tenant, guest):
    # covers: SEC-4, CFG-2, AGT-7
    secrets = {"proxy": "Proxy-Secret-4711", "passphrase": tenant.passphrase}
    env = dict(os.environ, KEYWARD_PROXY_PASSWORD=secrets["proxy"], KEYWARD_PASSPHRASE=secrets["passphrase"])
    argv = ["-y", "http://proxy.invalid:1", "--proxy-user", "me", "--register", "--url", guest.url, "--guid", tenant.account, "-i"]
    p = tool(guest, *argv, env=env)
    out, err = p.communicate()
    assert p.returncode == 0, err
    run_log = guest.folder / "log" / "agent.log"
    guest.start()
    wait_until(lambda: run_log.exists() and "inventory published" in run_log.read_text(), SLOW, "no start", guest.process.alive)
    pid = int((guest.folder / "run" / "agent.lock").read_text())
    assert limits(pid) == ("0", "0")
    assert guest.stop()
    assert not [name for name, s in secrets.items() if s in out + err]
    for file in guest.folder.rglob("*"):
        if not file.is_file() or file == guest.disk:
            continue
        held = [name for name, s in secrets.items() if s.encode() in file.read_bytes()]
        assert held == (["proxy"] if file.name == "proxy-password" else []), (file, held)
        if file.name == "proxy-password" or file.suffix == ".pem":
            assert file.stat().st_mode & 0o077 == 0, file


def test_what_was_typed_is_in_no_environment_and_no_dump(guest):
    # covers: SEC-4
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        p = tool(guest, "-r", "-u", f"https://agents.localhost:{deaf.getsockname()[1]}", "-g", str(uuid.uuid4()),
                 env=dict(os.environ, KEYWARD_PASSPHRASE="Very-Secret-3"))
        with deaf.accept()[0]:           # or it would be told that nobody is there before it is interrupted
            shown = pathlib.Path(f"/proc/{p.pid}/environ").read_bytes()
            core = limits(p.pid)
            p.send_signal(signal.SIGINT)
            out, err = p.communicate()
    assert b"PATH=" in shown and b"Very-Secret-3" not in shown and core == ("0", "0")
    assert p.returncode == 130 and "interrupted" in err and "Very-Secret-3" not in out + err, (p.returncode, err)


# Uninstalled and installed again

def test_reinstalled_machine_opens_its_volumes_again(tenant, guest):
    # covers: AGT-11
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest)
    run(guest, tenant)
    (guest.mount_point / "file").write_text("kept")
    assert guest.stop()
    before = tenant.device(guest)
    header = guest.disk.read_bytes()[:4096]
    # Purged: everything that was not on the device is gone.
    shutil.rmtree(guest.state)
    shutil.rmtree(guest.folder / "run")
    guest.prepare()
    assert json.loads(guest.config("--status", "--json", check=False).stdout)["registered"] is False
    guest.config("--register", "--force", "--url", guest.url, "--guid", tenant.account, "--publish-inventory",
                 passphrase=tenant.passphrase)
    assert guest.disk.read_bytes()[:4096] == header
    run(guest, tenant)
    assert (guest.mount_point / "file").read_text() == "kept"
    after = tenant.device(guest)
    assert (after["id"], after["key_version"], after["luks_uuid"]) == (before["id"], before["key_version"], before["luks_uuid"])
    assert guest.stop()
