"""The client of Deep Security Manager, against a server of our own that speaks as its description says."""
import json
import socket
import subprocess

from fixtures import fixture
from deepsec import KEY, Manager, computer
from pg import build_dir

TOOL = build_dir() / "tests" / "unit" / "outside_tool"


@fixture("test")
def manager(folder):
    with Manager(folder) as m:
        yield m


def ask(manager, host=None, key=KEY, ca=True, local="local", url=None):
    """The facts, or the error's name and text."""
    args = [str(TOOL), url or manager.url, str(manager.ca) if ca else "-", local, key] + ([host] if host is not None else [])
    p = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode in (0, 1), p.stderr
    return json.loads(p.stdout) if p.returncode == 0 else tuple(p.stdout.strip().split(" ", 1))


def error(*args, **kw):
    answer = ask(*args, **kw)
    assert isinstance(answer, tuple), answer
    return answer


def test_a_computer_as_facts(manager):
    # covers: ADM-4, RUL-16
    manager.computers = [computer("web-1", antiMalware=("on", "warning"), firewall=("off", "inactive"), logInspection=("on", "error")),
                         computer("web-2", "inactive")]
    facts = ask(manager, "WEB-1")
    assert facts == {"deep_security.status": "active", "deep_security.anti_malware": "warning", "deep_security.web_reputation": "on",
                     "deep_security.firewall": "off", "deep_security.intrusion_prevention": "on",
                     "deep_security.integrity_monitoring": "on", "deep_security.log_inspection": "error"}, facts
    path, headers, body = manager.asked[-1]
    assert headers["api-secret-key"] == KEY and headers["api-version"] == "v1" and KEY not in path
    assert ask(manager, "web-2")["deep_security.status"] == "inactive"


def test_what_it_does_not_say_is_left_out(manager):
    # covers: ADM-4, RUL-24
    row = computer("half")
    del row["antiMalware"], row["computerStatus"]
    row["firewall"] = {"state": "inherited", "moduleStatus": {"agentStatus": "not-available"}}
    manager.computers = [row]
    facts = ask(manager, "half")
    assert not {"deep_security.anti_malware", "deep_security.status", "deep_security.firewall"} & set(facts), facts


def test_nobody_or_several(manager):
    # covers: ADM-4, RUL-24
    manager.computers = [computer("twin"), computer("twin"), computer("other")]
    assert error(manager, "nobody")[0] == "not-found"
    assert error(manager, "twin")[0] == "conflict"
    # A name that means everybody to the manager still means nobody here.
    manager.computers = [computer("other")]
    assert error(manager, "%")[0] == "not-found"
    assert error(manager, "")[0] == "not-found"


def test_wrong_key_or_place(manager):
    # covers: ADM-4
    manager.computers = [computer("web-1")]
    assert ask(manager) == {}
    assert error(manager, key="2:wrong")[0] == "unauthenticated"
    assert error(manager, url=manager.url + "/elsewhere")[0] == "not-found"
    assert error(manager, url=manager.url.replace("https:", "http:"))[0] == "invalid"
    assert error(manager, url=manager.url.replace("https://", "https://me:secret@"))[0] == "invalid"
    assert error(manager, url="https://localhost:1")[0] == "unavailable"
    assert error(manager, url="file:///etc/passwd")[0] == "invalid"


def test_only_the_certificate_that_was_named(manager):
    # covers: ADM-4
    asked = len(manager.asked)
    assert error(manager, ca=False)[0] == "crypto"
    assert error(manager, url=manager.url.replace("localhost", "127.0.0.1"))[0] == "crypto"
    assert len(manager.asked) == asked, "something was said before the certificate was checked"


def own_addresses():
    """What the machine is called by others: its address on the way to somewhere, where there is one. Nothing is sent."""
    found = []
    for family, somewhere, form in ((socket.AF_INET, "192.0.2.1", "{}"), (socket.AF_INET, "192.0.2.1", "[::ffff:{}]"),
                                    (socket.AF_INET6, "2001:db8::1", "[{}]"), (socket.AF_INET6, "fd00::1", "[{}]")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.connect((somewhere, 9))
                found.append(form.format(s.getsockname()[0]))
        except OSError:
            pass
    return found


def test_the_servers_own_machine_is_out_of_reach(manager):
    # covers: ADM-4, SEC-1
    port = manager.url.rsplit(":", 1)[1]
    asked = len(manager.asked)
    for host in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "[fe80::1]",
                 "2130706433", "0x7f.1", *own_addresses()):
        name, text = error(manager, url=f"https://{host}:{port}", local="strict")
        assert name == "forbidden", (host, name, text)
    assert len(manager.asked) == asked


def test_answers_that_are_none(manager):
    # covers: ADM-4, SEC-5
    def answering(status, body, headers=()):
        return lambda handler: handler.reply(status, body, headers)
    for special, code in ((answering(200, b"{"), "invalid"), (answering(200, b"[]"), "invalid"), (answering(200, b"{}"), "invalid"),
                          (answering(200, {"computers": [computer("x")] * 11}), "invalid"), (answering(500, {}), "unavailable"),
                          (answering(403, {}), "forbidden"), (answering(429, {}), "too-many"), (answering(204, b""), "io"),
                          (answering(302, b"", [("Location", "https://localhost:1/")]), "forbidden"),
                          (answering(200, b'{"computers": "' + b"x" * (5 << 20) + b'"}'), "too-large")):
        manager.special = special
        try:
            name, text = error(manager, "x")
        finally:
            manager.special = None
        assert name == code, (code, name, text)
