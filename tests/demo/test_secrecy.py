"""After the whole main job, nobody but keyd has ever held a device key, the tenant's key or the root key: searched for in the memory of
every process, in every table of the database, in every file of the installation and the guest, and in what crossed the sockets of server processes."""
import base64
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import keyd
import psycopg2
from fixtures import fixture
from memory_search import forms, holds, in_memory, memory_of
from stack.installation import Installation
from stack.mainjob import MainJob
from stack.ports import free_port
from stack.process import wait_until

CALLS = "read,write,readv,writev,sendto,recvfrom,sendmsg,recvmsg"


@fixture("test")
def job(folder):
    j = MainJob(Installation(folder / "demo", "sanitize", free_port()))
    yield j
    j.clean_up()


# The secrets, as only root at keyd's own socket can get them

def known_keys(job):
    """(device key, tenant key, root key): unwrapped by ourselves, with the root key's file."""
    with psycopg2.connect(job.it.conninfo("postgres")) as c, c.cursor() as q:
        q.execute("select t.wrapped_key, k.version, k.wrapped from tenant t join device_key k on k.tenant = t.id where t.id = %s"
                  " and k.device = %s and k.state = 'active'", (job.account, job.device_id))
        wrapped_tenant, version, wrapped = q.fetchone()
    tenant = keyd.tenant_key(job.it.state, job.account, wrapped_tenant)
    key = keyd.device_key(tenant, job.account, job.device_id, version, wrapped)
    # It is the one that opens the volume: no other would say anything about the search.
    subprocess.run(["cryptsetup", "open", "--test-passphrase", "--type", "luks2", "--key-file", "-", str(job.guest.disk)], input=key,
                   check=True)
    return key, tenant, keyd.root_key(job.it.state)[1]


def wrapped_of(job):
    with psycopg2.connect(job.it.conninfo("postgres")) as c, c.cursor() as q:
        q.execute("select wrapped from device_key where device = %s and state = 'active'", (job.device_id,))
        return q.fetchone()[0]


def in_database(job, wanted):
    """Every table of it, each value as PostgreSQL writes it."""
    dump = subprocess.run(["pg_dump", "-d", job.it.conninfo("postgres")], stdout=subprocess.PIPE, check=True).stdout
    assert b"COPY public.device_key" in dump and b"COPY public.audit_entry" in dump
    return holds(dump, wanted)


# Where it could be

def children(pid):
    found = [pid]
    for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = tasks.read_text().split()
        except OSError:              # it has ended
            continue
        for child in below:
            found += children(int(child))
    return found


def processes(job, *names):
    """(name, pid) of these processes of the installation with all their children."""
    return [(name, pid) for name in names for pid in children(job.it.processes[name].pid)]


def in_files(folder, wanted):
    found, count = [], 0
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        try:
            content = file.read_bytes()
        except FileNotFoundError:        # one of the database's, which still runs
            continue
        count += 1
        if holds(content, wanted):
            found.append(str(file.relative_to(folder)))
    return found, count


class Trace:
    """What processes read and write, all of it, until end()."""

    def __init__(self, pids, file):
        self.file = file
        self.strace = subprocess.Popen(["strace", "-f", "-q", "-xx", "-s", "100000", "-e", f"trace={CALLS}", "-o", str(file),
                                        *[a for pid in pids for a in ("-p", str(pid))]], stderr=subprocess.DEVNULL)
        for pid in pids:
            wait_until(lambda pid=pid: self.has(pid), 120, "not traced")

    def has(self, pid):
        """Or it has ended since it was found, as a process of PostgreSQL may at any moment."""
        try:
            return "TracerPid:\t0\n" not in pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return True

    def end(self):
        self.strace.send_signal(signal.SIGINT)
        self.strace.wait(60)
        return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), self.file.read_bytes())


def test_nobody_but_keyd_sees_a_key(job, folder):
    # covers: KEY-1, KEY-4, SEC-4
    # guard: 900
    server = ("database", "jobd", "web")
    for step in job.steps[:-5]:
        trace = None
        if step.__name__ == "approve":
            trace = Trace([pid for _, pid in processes(job, "keyd", *server)], folder / "trace")
        step(job)
        if trace:
            crossed = trace.end()
    job.approve_again()
    key, tenant, root = known_keys(job)
    wanted, above = forms(key), forms(tenant) | forms(root)
    # The search itself finds what is there: in our own memory, and in a file of the installation.
    assert in_memory(os.getpid(), wanted, set())
    planted = job.it.state / "log" / "planted"
    planted.write_bytes(b"x" + base64.urlsafe_b64encode(b"ab" + key))
    assert in_files(job.it.state, wanted)[0] == ["log/planted"]
    planted.unlink()
    # What crossed the sockets holds the sealed key on its way, and nothing else of it.
    assert b"ECDH-ES" in crossed or b'"ciphertext"' in crossed, len(crossed)
    assert not holds(crossed, wanted | above)
    # While the volume is open: everybody, keyd with them, for it needs a device key just for the moment of sealing.
    time.sleep(1)
    guest = [("agent", job.guest.process.pid), *(("engine", pid) for pid in job.engines())]
    everybody = processes(job, "keyd", *server) + guest
    found, count = memory_of(everybody, wanted)
    assert not found and count > 10, (found, count)
    found, _ = memory_of(processes(job, *server) + guest, above)
    assert not found, found
    # The tenant key that keyd has used a moment ago is found where it must be: the search sees into it.
    assert memory_of(processes(job, "keyd"), forms(tenant))[0]
    assert not in_database(job, wanted | above)
    assert in_database(job, {bytes(wrapped_of(job)).hex().encode()})
    job.revoke()
    found, _ = memory_of(processes(job, "keyd", *server) + [("agent", job.guest.process.pid)], wanted)
    assert not found, found
    # And with everything on disk.
    job.read_log()
    job.verify()
    job.finish()
    found, count = in_files(job.it.state, wanted)
    assert not found and count > 1000, (found, count)
    assert in_files(job.it.state, forms(root))[0] == ["keys/root.key"]
    assert not in_files(job.it.state, forms(tenant))[0]
