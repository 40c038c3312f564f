"""The Integrity Check Module as the agent uses it: keyward-facts on this machine with real products, hanging and failing ones, and apt."""
import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile

from fixtures import ROOT, fixture
from volume_box import MIB, Box, run, wait_for

TOOL = ROOT / "build" / "sanitize" / "tests" / "unit" / "facts_tool"
PROGRAM = ROOT / "build" / "sanitize" / "agent" / "keyward-facts"


def ask(*words, program=PROGRAM):
    """The facts, and what was logged: to a file, since a process that hangs would keep a pipe open."""
    with tempfile.TemporaryFile("w+") as log:
        p = subprocess.run([str(TOOL), str(program), *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=log, text=True, timeout=280)
        log.seek(0)
        said = log.read()
    assert p.returncode == 0, said
    return json.loads(p.stdout), said


@fixture("test")
def box(folder):
    b = Box(folder)
    yield b
    subprocess.run(["umount", "-l", str(folder / "mnt")], stderr=subprocess.DEVNULL)
    b.clean()


def pretend(folder, body):
    """A program in the place of keyward-facts."""
    path = folder / "pretend"
    path.write_text(f"#!/usr/bin/python3\nimport json, os, sys, time\nwish = json.load(sys.stdin)\n"
                    f"def say(name, value=None):\n"
                    f"    if name not in wish['known'] and name not in wish['skip']:\n"
                    f"        print(json.dumps({{'fact': name, 'value': value}} if value else {{'fact': name}}), flush=True)\n{body}")
    path.chmod(0o755)
    return path


def test_facts_of_this_machine(folder):
    # covers: AGT-4, RUL-17, RUL-18, RUL-19, RUL-21
    (folder / "file").write_text("hello\n")
    facts, _ = ask(folder / "file", folder / "none")
    assert facts["os.system"] == "linux" and facts["instance.zone"] == "here-1"
    assert facts["os.kernel"] == os.uname().release and facts["host.name"] == os.uname().nodename
    assert facts["files"] == {str(folder / "file"): hashlib.sha256(b"hello\n").hexdigest(), str(folder / "none"): None}
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "bash"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert facts["packages"]["bash"] == version
    assert facts["processes"]["keyward-facts"] >= 1 and "gathered_at" in facts


def test_a_file_system_that_hangs_costs_one_fact(box):
    # covers: AGT-4, RUL-24, SEC-7
    """A watched file lies where nobody answers: the fact of files is unknown, all others are there, and the agent goes on."""
    point = box.folder / "mnt"
    point.mkdir()
    path = box.image("a.img", 48 * MIB)
    box.tool("format", path=path)
    device = box.open(path, "a")
    run("mkfs.ext4", "-q", device)
    run("mount", device, point)
    (point / "file").write_bytes(os.urandom(MIB))
    run("umount", point)
    run("mount", device, point)          # nothing of the file is in memory any more
    pid = box.pid("a")
    os.kill(pid, signal.SIGSTOP)
    try:
        facts, log = ask(point / "file")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert "files" not in facts and "packages" in facts and "security.products" in facts
    assert re.search(r"a fact cannot be told and is left out fact=files", log), log
    assert str(point / "file") in ask(point / "file")[0]["files"]
    run("umount", point)


def test_what_crashes_or_lies_costs_one_fact(folder):
    # covers: AGT-4, RUL-24, SEC-5
    crash = pretend(folder, "say('host.name', 'a')\nif 'os.system' not in wish['skip']:\n    os.abort()\n"
                            "say('os.distribution', 'b')\nsys.exit(3)\n")
    facts, log = ask(program=crash)
    assert facts["host.name"] == "a" and "os.system" not in facts and facts["os.distribution"] == "b"
    assert log.count("keyward-facts ended too early") > 2
    wrong = pretend(folder, "say('host.name', 'a')\nprint('{\"fact\": \"packages\", \"value\": {}}', flush=True)\ntime.sleep(600)\n")
    facts, log = ask(program=wrong)
    assert set(facts) == {"gathered_at", "host.name", "packages"} and 'was not asked for now' in log, log
    flood = pretend(folder, "sys.stdout.write('x' * (6 << 20))\nsys.stdout.flush()\ntime.sleep(600)\n")
    facts, log = ask(program=flood)
    assert set(facts) == {"gathered_at"} and "more than" in log
    facts, log = ask(program=folder / "nothing")
    assert set(facts) == {"gathered_at"} and "cannot be gathered" in log


def test_products_as_debian_has_them(folder):
    # covers: AGT-4, RUL-13, RUL-14, RUL-15, RUL-20
    """ClamAV with a database of one pattern, AIDE with one of its own, Samhain: found, with version, and whether they run."""
    def version(package):
        text = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], stdout=subprocess.PIPE, text=True, check=True).stdout
        return re.sub(r"\+.*", "", text.split(":")[-1].rsplit("-", 1)[0])

    (folder / "db").mkdir()
    (folder / "db" / "own.ndb").write_text("Keyward.Test:0:*:6b6579776172642d746573742d7061747465726e\n")
    (folder / "clamd.conf").write_text(f"DatabaseDirectory {folder}/db\nLocalSocket {folder}/clamd.sock\nForeground yes\nUser root\n"
                                       f"LogFile {folder}/clamd.log\n")
    before, _ = ask()
    clamd = subprocess.Popen(["clamd", "-c", str(folder / "clamd.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: (folder / "clamd.sock").exists())
        products = ask()[0]["security.products"]
    finally:
        clamd.kill()
        clamd.wait()
    assert products["clamav"]["version"] == version("clamav-daemon") == products["clamav"]["engine"]
    assert products["clamav"]["running"] is True
    assert products["aide"]["version"] == version("aide") and products["samhain"]["version"] == version("samhain")
    assert products["samhain"]["running"] is False and before["security.products"].keys() == products.keys()


def apt_says():
    out = subprocess.run(["apt-get", "-s", "-q", "-o", "Debug::NoLocking=1", "dist-upgrade"], stdout=subprocess.PIPE, text=True,
                         check=True, env=dict(os.environ, LC_ALL="C")).stdout
    waiting = [w for w in out.splitlines() if re.match(r"Inst \S+ \[", w)]
    return len(waiting), len([w for w in waiting if "-security" in w.lower()])


def test_updates_that_wait_as_apt_says(folder):
    # covers: AGT-4, RUL-18
    """Counted once by a process of its own, kept until packages change."""
    folder.chmod(0o700)
    pending, security = apt_says()

    def known():
        facts, _ = ask(f"cache={folder}")
        return "os.pending_updates" in facts and facts
    found = []
    wait_for(lambda: found.append(known()) or found[-1], 300)
    assert (found[-1]["os.pending_updates"], found[-1]["os.pending_security_updates"]) == (pending, security)
    kept = folder / "updates.json"
    first = kept.stat().st_mtime_ns
    again, _ = ask(f"cache={folder}")
    assert again["os.pending_updates"] == pending and kept.stat().st_mtime_ns == first
    # What was counted for another state of the machine counts no more.
    doc = json.loads(kept.read_text())
    kept.write_text(json.dumps(dict(doc, stamp="0 0", pending=12345, security=12345)))
    found.clear()
    wait_for(lambda: found.append(known()) or found[-1], 300)
    assert found[-1]["os.pending_updates"] == pending
    # Without a place to keep it nothing is asked.
    assert "os.pending_updates" not in ask()[0]
