"""Every provider plug-in through the conformance test, and the test itself against plug-ins that misbehave."""
import json
import os
import pathlib
import subprocess
import tempfile

from fixtures import ROOT, fixture

BUILD = ROOT / "build" / "sanitize" / "agent"
TEMPLATE = ROOT / "packaging" / "plugin-template" / "example"

GOOD = '''#!/usr/bin/python3 -IB
import json, sys, subprocess, os
try:
    q = json.load(sys.stdin)
except ValueError:
    q = None
def error(code):
    print(json.dumps({"keyward": 1, "error": {"code": code, "text": code}}))
    sys.exit(1)
if not isinstance(q, dict) or "question" not in q:
    error("invalid")
if q.get("keyward") != 1:
    error("version")
name = q["question"]
ABOUT = {"name": "odd", "title": "Odd", "version": "1", "credentials": [{"name": "word", "help": "h", "secret": True}]}
DEVICES = [{"id": "a", "path": "/dev/a"}, {"id": "b", "path": "/dev/b"}]
#HERE
if name == "describe":
    answer = ABOUT
elif name == "identify":
    answer = {"instance_id": "i"}
elif name == "list":
    answer = {"devices": DEVICES}
elif name == "check_credentials":
    error("unauthenticated")
else:
    error("unsupported")
print(json.dumps({"keyward": 1, **answer}))
'''


@fixture("test")
def folder():
    with tempfile.TemporaryDirectory() as f:
        yield f


def conformance(path, *args):
    p = subprocess.run([str(BUILD / "keyward-plugin-test"), "--plugin", str(path), *map(str, args)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert p.returncode in (0, 1), p.stdout
    failed = [line for line in p.stdout.splitlines() if line.startswith("FAILED")]
    assert (p.returncode == 1) == bool(failed), p.stdout
    return failed, p.stdout


def plugins():
    return sorted(f for f in (BUILD / "plugin").iterdir() if f.is_file() and os.access(f, os.X_OK))


def test_every_plugin_of_ours_passes():
    # covers: CSP-1, CSP-2
    found = plugins()
    assert found
    for plugin in found:
        failed, out = conformance(plugin)
        assert not failed, f"{plugin.name}\n{out}"
        assert " 0 failed" in out and int(out.splitlines()[-1].split()[0]) >= 7, out


def test_the_template_passes_in_full(folder):
    # covers: CSP-1
    disks = pathlib.Path(folder) / "disks"
    disks.mkdir()
    (disks / "a.img").write_bytes(b"x" * 1024)
    (disks / "user-data").write_text("hello")
    good = pathlib.Path(folder) / "good.json"
    good.write_text(json.dumps({"user": "demo", "password": "demo-password"}))
    failed, out = conformance(TEMPLATE, "--options", f"folder={disks}", "--credentials-file", good, "--attach", "a.img")
    assert not failed and "15 passed, 0 failed" in out, out
    failed, out = conformance(TEMPLATE)
    assert not failed, out


def odd(folder, code, *replace):
    """A plug-in that would pass, with CODE at the place where it has its question."""
    text = GOOD.replace("#HERE", code)
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    file = pathlib.Path(folder) / "odd"
    file.write_text(text)
    file.chmod(0o755)
    return file


def test_misbehaviour_is_found(folder):
    # covers: CSP-1
    assert not conformance(odd(folder, ""))[0]
    cases = [
        ("describes itself", 'ABOUT["title"] = ""'),
        ("describes itself", 'ABOUT["settings"] = [{"name": "pw", "help": "h", "secret": True}]'),
        ("describes itself", 'ABOUT["credentials"].append(ABOUT["credentials"][0])'),
        ("describes itself", 'print("hello")'),
        ("describes itself", 'os.kill(os.getpid(), 9)'),
        ("describes itself the same again", 'ABOUT["version"] = str(os.getpid())'),
        ("describes itself the same again", 'len(q) > 3 and "another" in q and error("invalid")'),
        ("refuses questions that it does not", 'name = {"location": "identify"}.get(name, name)'),
        ("identifies the machine", 'name == "identify" and sys.exit(3)'),
        ("identifies the machine", 'name == "identify" and (print(json.dumps({"keyward": 1})), sys.exit(1))'),
        ("lists devices", 'DEVICES[1]["id"] = "a"'),
        ("lists devices", 'DEVICES[1]["path"] = "dev/b"'),
        ("lists devices", 'DEVICES[1]["id"] = str(os.getpid())'),
        ("stands a memo", 'name == "list" and q.get("memo") and q["memo"]["devices"].keys()'),
        ("checks credentials", 'name = {"check_credentials": "identify"}.get(name, name)'),
        ("never says a secret", 'print(q.get("credentials", ""), file=sys.stderr)'),
        ("leaves no process", 'subprocess.Popen(["sleep", "300"], stdin=-3, stdout=-3, stderr=-3)'),
    ]
    for check, code in cases:
        failed, out = conformance(odd(folder, code))
        assert any(check in line for line in failed), f"{code}\n{out}"
    failed, out = conformance(odd(folder, "", ('error("version")', "pass")))
    assert any("version of the interface" in line for line in failed), out


def test_a_plugin_that_is_not_there_or_not_executable(folder):
    # covers: CSP-1
    p = subprocess.run([str(BUILD / "keyward-plugin-test"), "--plugin", "/nowhere"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True)
    assert p.returncode == 2 and "no such file" in p.stderr
    file = pathlib.Path(folder) / "plain"
    file.write_text("not a program")
    failed, out = conformance(file)
    assert failed, out


def test_a_plugin_is_installed_from_a_file_after_the_basic_checks(folder):
    # covers: CFG-2, CSP-1
    there = pathlib.Path(folder) / "plugins"
    conf = pathlib.Path(folder) / "agent.conf"
    conf.write_text(f"plugins = {there}\n")

    def config(*args):
        return subprocess.run([str(BUILD / "keyward-config"), "--conf", str(conf), *map(str, args)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p = config("--plugin", odd(folder, 'ABOUT["title"] = ""'))
    assert p.returncode != 0 and "describes itself" in p.stderr and not list(there.iterdir()), p.stderr
    p = config("--plugin", TEMPLATE)
    assert p.returncode == 0 and "--csp example" in p.stdout, p.stderr
    installed = there / "example"
    assert installed.read_bytes() == TEMPLATE.read_bytes() and installed.stat().st_mode & 0o777 == 0o755
    p = config("--list-plugins", "--json")
    assert [x["id"] for x in json.loads(p.stdout)["plugins"]] == ["example"]
    # Others could write it: it is not run.
    installed.chmod(0o777)
    assert "can be written by others" in config("--list-plugins").stdout
