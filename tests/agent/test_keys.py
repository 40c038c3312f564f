"""What becomes of the key of an encrypted volume: decisions, revocation, orders, restarts and outages, secrets."""
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from agents import SLOW, encrypted, engines, guest, has_line, log, mounts, run, start, tenant, unmounts, wait_for  # noqa: F401, F811
from races import held
from stack.process import wait_until
from web import database


# Keys

def test_the_server_does_not_mount_where_it_likes(server, tenant, encrypted):
    # covers: SEC-5
    device, elsewhere = tenant.device(encrypted)["id"], f"{encrypted.mount_point}/../elsewhere"
    with database(server).cursor() as c:
        c.execute("update device set mount_point = %s where id = %s", (elsewhere, device))
    start(encrypted)
    tenant.approve(encrypted)
    has_line(encrypted, "the server wants it mounted on")
    assert not encrypted.mounted() and not (encrypted.mount_point.parent / "elsewhere").exists()
    with database(server).cursor() as c:
        c.execute("update device set mount_point = %s where id = %s", (str(encrypted.mount_point), device))
    assert encrypted.stop()


def test_denied_request_waits_for_an_order(tenant, encrypted):
    # covers: AGT-1, RUN-2
    start(encrypted)
    tenant.console("deny", tenant.request(encrypted, "pending")["id"])
    has_line(encrypted, "the key request was denied")
    assert not encrypted.mounted()
    tenant.order(encrypted, "request-key")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert (encrypted.mount_point / "file").read_text() == "kept"
    assert encrypted.stop()


def test_denied_request_can_be_approved_after_all(tenant, encrypted):
    # covers: AGT-1, RUN-2, RUN-3
    start(encrypted)
    request = tenant.request(encrypted, "pending")["id"]
    tenant.console("deny", request)
    has_line(encrypted, "the key request was denied")
    before = len(tenant.requests(encrypted))
    tenant.console("approve", request)
    mounts(encrypted)
    assert tenant.request(encrypted, "delivered")["id"] == request
    assert len(tenant.requests(encrypted)) == before
    assert encrypted.stop()


def test_revocation_closes_and_wipes(tenant, encrypted):
    # covers: INT-3, AGT-5, RUN-2
    run(encrypted, tenant)
    request = tenant.request(encrypted, "delivered")
    tenant.status(encrypted, "in-use")
    tenant.console("revoke", request["id"])
    unmounts(encrypted)
    wait_until(lambda: tenant.console("request", request["id"])["status"] == "revoked", SLOW, "not revoked")
    wait_until(lambda: engines(encrypted) == [], SLOW, "an engine still runs")
    tenant.status(encrypted, "encrypted")
    time.sleep(3)
    assert not encrypted.mounted()
    tenant.order(encrypted, "request-key")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert encrypted.stop()


def waits_on_its_line(server, guest, request, since="requested"):
    """A heartbeat has come since: it is written after it was looked at."""
    def came():
        with database(server).cursor() as c:
            c.execute(f"select 1 from heartbeat h join key_request r on r.tenant = h.tenant and r.agent = h.agent where r.id = %s and h.at > r.{since}", (request,))
            return c.fetchone()
    wait_for(guest, came, "no heartbeat came")


def denied_between(server, tenant, guest, request):
    """A denial after the agent has asked and before its next heartbeat, in this order for certain: how long the agent took to learn it."""
    def waiting(role):
        with database(server).cursor() as c:
            c.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = %s", (role,))
            return c.fetchone()[0]

    def asked():
        with database(server).cursor() as c:
            c.execute("select pg_notify('keyward_order', agent::text) from key_request where id = %s", (request,))
        return waiting("keyward_agent")
    said, agent = log(guest).count("the key request was denied"), guest.process.pid
    denial = threading.Thread(target=tenant.console, args=("deny", request))
    try:
        with held(server, "select 1 from key_request where id = %s for update", request):
            wait_for(guest, asked, "the agent does not ask")
            os.kill(agent, signal.SIGSTOP)
            # The question is first in line, the denial second.
            denial.start()
            wait_until(lambda: waiting("keyward_console"), SLOW, "the denial does not wait")
        denial.join()
        assert tenant.console("request", request)["status"] == "denied"
    finally:
        os.kill(agent, signal.SIGCONT)
    began = time.monotonic()
    wait_for(guest, lambda: log(guest).count("the key request was denied") > said, "the denial is not learnt")
    return time.monotonic() - began


def decisions_learnt(server, tenant, guest):
    """Of a guest whose request waits: how long it took to learn a denial, an approval, a revocation."""
    took, request = {}, tenant.request(guest, "pending")["id"]
    waits_on_its_line(server, guest, request)
    said, decided = log(guest).count("the key request was denied"), time.monotonic()
    tenant.console("deny", request)
    wait_for(guest, lambda: log(guest).count("the key request was denied") > said, "the denial is not learnt")
    took["a denial"] = time.monotonic() - decided
    tenant.order(guest, "request-key")
    request = tenant.request(guest, "pending")["id"]
    waits_on_its_line(server, guest, request)
    took["a denial right after it had asked"] = denied_between(server, tenant, guest, request)
    tenant.order(guest, "request-key")
    request = tenant.request(guest, "pending")["id"]
    waits_on_its_line(server, guest, request)
    decided = time.monotonic()
    tenant.console("approve", request)
    mounts(guest)
    took["an approval"] = time.monotonic() - decided
    tenant.status(guest, "in-use")
    waits_on_its_line(server, guest, request, "opened")
    decided = time.monotonic()
    tenant.console("revoke", request)
    unmounts(guest)
    took["a revocation"] = time.monotonic() - decided
    wait_until(lambda: tenant.console("request", request)["status"] == "revoked", SLOW, "not revoked")
    print("    " + ", ".join(f"{what} after {s:.2f} s" for what, s in took.items()), flush=True)
    return took


def test_decisions_and_orders_reach_an_agent_that_waits(server, tenant, encrypted):
    # covers: INT-3, AGT-1, AGT-5
    # No heartbeat is due for 50 seconds, nor a poll: what comes sooner came over the line that the server holds. On a machine that was too busy once it does so later.
    was = encrypted.conf.read_text()
    encrypted.conf.write_text(re.sub(r"(?m)^heartbeat.*$", "heartbeat = 0", was))
    try:
        start(encrypted)
        took = decisions_learnt(server, tenant, encrypted)
        for _ in range(2):
            if max(took.values()) < 40:
                break
            tenant.order(encrypted, "request-key")
            took = decisions_learnt(server, tenant, encrypted)
        assert max(took.values()) < 40, took
        assert "cannot be reached" not in log(encrypted)
    finally:
        encrypted.conf.write_text(was)
        assert encrypted.stop()


def test_revocation_of_a_busy_volume_names_who_uses_it(tenant, encrypted):
    # covers: INT-3, AGT-5
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    with (encrypted.mount_point / "file").open() as held:
        tenant.console("revoke", tenant.request(encrypted, "delivered")["id"])
        wait_until(lambda: re.search(rf"used_by=.*\({os.getpid()}\)", log(encrypted)), SLOW, "the holder is not named")
        assert encrypted.mounted() and held.read() == "kept"
    unmounts(encrypted)
    tenant.status(encrypted, "encrypted")
    assert encrypted.stop()


def test_kill_order_takes_the_key_at_once(tenant, encrypted):
    # covers: AGT-5, PSV-2
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    held = (encrypted.mount_point / "file").open()
    tenant.order(encrypted, "kill")
    unmounts(encrypted)
    has_line(encrypted, "reason=killed")
    try:
        os.pread(held.fileno(), 4, 0)
        os.posix_fadvise(held.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        pass
    held.close()
    wait_until(lambda: engines(encrypted) == [], SLOW, "an engine still runs")
    tenant.status(encrypted, "encrypted")
    assert encrypted.stop()


def test_lock_holds_until_unlock(tenant, encrypted):
    # covers: AGT-5, PSV-2
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    before = len(tenant.requests(encrypted))
    tenant.order(encrypted, "lock")
    unmounts(encrypted)
    tenant.order(encrypted, "request-key")
    time.sleep(5)
    assert len(tenant.requests(encrypted)) == before
    tenant.order(encrypted, "unlock")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert encrypted.stop()


# Restarts and outages

def test_killed_agent_finds_its_volume_open(tenant, encrypted):
    # covers: AGT-5, VOL-6
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    before = [(r["id"], r["status"]) for r in tenant.requests(encrypted)]
    os.kill(encrypted.process.pid, signal.SIGKILL)
    wait_until(lambda: not encrypted.process.alive(), SLOW, "still alive")
    assert encrypted.mounted() and (encrypted.mount_point / "file").read_text() == "kept"
    start(encrypted)
    has_line(encrypted, "volume is open already")
    time.sleep(3)
    assert [(r["id"], r["status"]) for r in tenant.requests(encrypted)] == before
    assert encrypted.mounted()
    assert encrypted.stop() and not encrypted.mounted() and engines(encrypted) == []
    assert tenant.device(encrypted)["status"] == "encrypted"


def test_an_upgrade_leaves_volumes_open(tenant, encrypted):
    # covers: AGT-5, VOL-6, OPS-1
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")
    before = [(r["id"], r["status"]) for r in tenant.requests(encrypted)]
    pid = encrypted.process.pid
    os.kill(pid, signal.SIGUSR2)
    has_line(encrypted, "begins anew with the program that is installed now")
    has_line(encrypted, "volume is open already")
    assert encrypted.process.alive() and encrypted.mounted() and (encrypted.mount_point / "file").read_text() == "kept"
    tenant.order(encrypted, "log-level", "warning")
    wait_until(lambda: tenant.instance(encrypted)["agent"]["log_level"] == "warning", SLOW, "it hears no orders any more")
    tenant.order(encrypted, "log-level", "debug")
    assert [(r["id"], r["status"]) for r in tenant.requests(encrypted)] == before
    assert encrypted.stop() and not encrypted.mounted() and engines(encrypted) == []


def test_server_outage_leaves_volumes_open(server, tenant, encrypted):
    # covers: AGT-5, SEC-7
    run(encrypted, tenant)
    tenant.status(encrypted, "in-use")

    def waits():
        return [float(seconds) for seconds in re.findall(r"in_seconds=([0-9.]+)", log(encrypted))]
    server.stop("web")
    try:
        wait_for(encrypted, lambda: len(waits()) >= 2, "it is not tried again")
        assert encrypted.mounted() and (encrypted.mount_point / "file").read_text() == "kept" and waits()[0] <= 1.0
        # Whoever has mended the way need not wait until the agent tries again by itself.
        began, known = time.monotonic(), len(waits())
        for n in range(known + 1, known + 6):
            os.kill(encrypted.process.pid, signal.SIGHUP)
            wait_for(encrypted, lambda: len(waits()) >= n, "SIGHUP does not make it try")
        assert sum(waits()[known:-1]) > time.monotonic() - began, waits()
    finally:
        server.start("web")
    # The server has lost all sessions as well.
    os.kill(encrypted.process.pid, signal.SIGHUP)
    has_line(encrypted, "the server answers again")
    tenant.order(encrypted, "check")
    wait_until(lambda: tenant.instance(encrypted)["facts"], SLOW, "no facts")
    assert encrypted.mounted()
    assert encrypted.stop()
    assert tenant.device(encrypted)["status"] == "encrypted"


def test_outage_before_the_key_is_waited_for(server, tenant, encrypted):
    # covers: AGT-1, AGT-5
    server.stop("web")
    try:
        start(encrypted)
        has_line(encrypted, "the server cannot be reached")
    finally:
        server.start("web")
    tenant.approve(encrypted)
    mounts(encrypted)
    assert encrypted.stop()


def test_stop_right_after_start_closes_what_was_left_open(tenant, encrypted):
    # covers: AGT-1
    run(encrypted, tenant)
    os.kill(encrypted.process.pid, signal.SIGKILL)
    wait_until(lambda: not encrypted.process.alive(), SLOW, "still alive")
    start(encrypted)
    has_line(encrypted, "log level set")     # from here on it hears
    assert encrypted.stop() and not encrypted.mounted() and engines(encrypted) == []


def test_stop_leaves_a_busy_volume_open(tenant, encrypted):
    # covers: AGT-1, VOL-6
    run(encrypted, tenant)
    with (encrypted.mount_point / "file").open() as held:
        assert encrypted.stop()
        assert encrypted.process.status == 1
        assert encrypted.mounted() and held.read() == "kept"
        assert re.search(rf"LEFT OPEN.*\({os.getpid()}\)", log(encrypted))
    start(encrypted)
    has_line(encrypted, "volume is open already")
    assert encrypted.stop() and not encrypted.mounted()


# Orders and secrets

def test_orders_change_the_log_level_and_report(server, tenant, encrypted):
    # covers: AGT-4, AGT-5, AGT-8
    run(encrypted, tenant)
    tenant.order(encrypted, "log-level", "warning")
    wait_until(lambda: tenant.instance(encrypted)["agent"]["log_level"] == "warning", SLOW, "level not reported")
    tenant.order(encrypted, "configure", "url=https://evil.example")
    # Back by itself when its time is over.
    with database(server).cursor() as c:
        c.execute("insert into agent_order (tenant, id, agent, kind, argument, due) select tenant, gen_random_uuid(), id, 'log-level', 'info',"
                  " now() + interval '1 second' from agent where id = %s", (tenant.instance(encrypted)["agent"]["id"],))
    wait_until(lambda: tenant.instance(encrypted)["agent"]["log_level"] == "info", SLOW, "the former level does not come back")
    has_line(encrypted, "cannot be changed by the server")
    tenant.order(encrypted, "check")
    wait_until(lambda: tenant.instance(encrypted)["facts"], SLOW, "no facts")
    assert tenant.instance(encrypted)["facts"]["agent"]["values"]["host.name"] == socket.gethostname()
    assert encrypted.stop()


def facts_of(tenant, guest, fits):
    """Orders a check until what the server has then is as FITS wants it."""
    def ask():
        tenant.order(guest, "check")
        time.sleep(1)
        return fits((tenant.instance(guest)["facts"] or {}).get("agent", {}).get("values", {}))
    wait_for(guest, ask, "the facts are not as they should be", 2 * SLOW)
    return tenant.instance(guest)["facts"]["agent"]["values"]


def test_facts_are_those_of_the_machine(server, tenant, guest, folder):
    # covers: AGT-4, RUL-9, RUL-19, RUL-20, RUL-21, INT-5, INT-6
    watched, absent = folder / "watched.conf", folder / "absent.conf"
    watched.write_text("as it was\n")
    rule = [{"type": "file.sha256", "conditions": [{"subject": str(p), "operator": "present"} for p in (watched, absent)]}]
    with database(server).cursor() as c:
        c.execute("update policy set rules = %s where tenant = %s and is_default", (json.dumps(rule), tenant.account))
    guest.config("--register", "--url", guest.url, "--guid", tenant.account, passphrase=tenant.passphrase)
    start(guest)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = f"tcp/{listener.getsockname()[1]}"
        has_line(guest, "inventory published")
        facts = facts_of(tenant, guest, lambda f: port in f.get("network.services", {}) and str(watched) in f.get("files", {}))
        name = pathlib.Path("/proc/self/comm").read_text().strip()
        assert facts["network.services"][port] == {"address": ["127.0.0.1"], "process": name}, facts["network.services"]
        assert facts["processes"][name] >= 1 and facts["host.name"] == socket.gethostname()
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "bash"], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert facts["packages"]["bash"] == version
        # The same for people, before anything is registered or decided.
        argv = [guest.programs / "keyward-agent", "--facts", "--conf", guest.conf, "--state", guest.state]
        shown = json.loads(subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout)
        assert shown["packages"]["bash"] == version and shown["host.name"] == facts["host.name"], shown
        assert facts["files"] == {str(watched): hashlib.sha256(b"as it was\n").hexdigest(), str(absent): None}
    watched.write_text("otherwise\n")
    changed = hashlib.sha256(b"otherwise\n").hexdigest()
    facts = facts_of(tenant, guest, lambda f: f.get("files", {}).get(str(watched)) == changed and port not in f.get("network.services", {port}))
    with database(server).cursor() as c:
        c.execute("select fact, subject, kind, new from fact_change where tenant = %s and fact in ('files', 'network.services')"
                  " and subject in (%s, %s) order by fact, at", (tenant.account, str(watched), port))
        rows = c.fetchall()
    assert ("files", str(watched), "changed", changed) in rows, rows
    assert ("network.services", port, "removed", None) in rows, rows
    assert guest.stop()


def test_nothing_secret_is_left_in_files_or_arguments(tenant, encrypted):
    # covers: SEC-4, AGT-3, AGT-8
    run(encrypted, tenant)
    pem = next(encrypted.state.glob("agent-*.pem")).read_text()
    key_line = pem.splitlines()[1]
    words = b"".join(pathlib.Path(f"/proc/{encrypted.process.pid}/{f}").read_bytes() for f in ("cmdline", "environ"))
    engine_words = "".join(engines(encrypted))
    for folder in (encrypted.folder / "run", encrypted.folder / "log"):
        for f in folder.rglob("*"):
            if f.is_file() and not f.is_mount() and ".fuse" not in str(f):
                text = f.read_text(errors="replace")
                assert tenant.passphrase not in text and key_line not in text and "ciphertext" not in text, f
    assert tenant.passphrase.encode() not in words and tenant.passphrase not in engine_words
    limits = pathlib.Path(f"/proc/{encrypted.process.pid}/limits").read_text()
    assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
    assert encrypted.stop()
