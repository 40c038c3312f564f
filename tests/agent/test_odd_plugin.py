"""An agent whose provider plug-in answers what no plug-in should: nothing of it reaches a volume that is open, or the server's list of devices."""
import json

from fixtures import fixture
from agents import Tenant, finish, has_line, log, mounts, new_guest, start, wait_for

PLUGIN = """#!/usr/bin/python3
import json, pathlib, sys
question = json.load(sys.stdin)["question"]
if question == "describe":
    print(json.dumps({"keyward": 1, "name": "odd", "title": "Odd", "version": "1"}))
elif question == "identify":
    print(json.dumps({"keyward": 1}))
else:
    turn, text, status = (pathlib.Path(__file__ + part).read_text() for part in (".turn", ".answer", ".status"))
    # Before it is written: who says too much is not heard to the end.
    pathlib.Path(__file__ + ".given").write_text(turn)
    sys.stdout.write(text)
    sys.exit(int(status))
"""


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, tenant, folder):
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "odd").write_text(PLUGIN)
    (plugins / "odd").chmod(0o755)
    g = new_guest(server, folder / "guest", provider="odd", plugins=plugins)
    g.plugin = plugins / "odd"
    answer(g, {"keyward": 1, "devices": []})
    g.register(tenant.account, tenant.passphrase)
    yield g
    finish(g)


def answer(guest, what, status=0):
    guest.plugin.with_name("odd.answer").write_text(what if isinstance(what, str) else json.dumps(what))
    guest.plugin.with_name("odd.status").write_text(str(status))
    # Whoever sees this sees the answer, too.
    guest.turn = str(int(getattr(guest, "turn", 0)) + 1)
    guest.plugin.with_name("odd.turn").write_text(guest.turn)


def is_given(guest):
    """The agent is being given the answer; it looks at it before it asks for another, and before it hears of an order."""
    given = guest.plugin.with_name("odd.given")
    return given.exists() and given.read_text() == guest.turn


def listed(*devices):
    return {"keyward": 1, "devices": [{"kind": "disk", "size_bytes": 1 << 30, **d} for d in devices]}


def test_odd_answers_reach_no_open_volume_and_lose_no_device(server, tenant, guest, folder):
    # covers: CSP-1, VOL-4, SEC-5, SEC-7
    decoy = folder / "decoy.img"
    decoy.write_bytes(b"precious" * 1000)
    tenant.encrypt(guest)
    start(guest)
    tenant.approve(guest)
    mounts(guest)
    (guest.mount_point / "file").write_text("kept")
    tenant.status(guest, "in-use")
    before = {r["provider_device"]: r["status"] for r in tenant.console("devices")["rows"]}
    odd = [("", 0), ("no JSON", 0), ("[]", 0), ('{"keyward": 1}', 3), ('{"keyward": 2, "devices": []}', 0), ("x" * 400000, 0), ("[" * 100000, 0),
           ({"keyward": 1, "error": "text"}, 1), ({"keyward": 1, "error": {"code": "unavailable", "text": "away\nfrom here"}}, 1),
           (listed(*({"id": f"vol-{n}", "path": "/dev/null"} for n in range(200))), 0), (listed({"id": "vol-1", "path": 7}), 0),
           (listed({"id": "x" * 4000, "path": "/dev/null"}), 0), (listed({"id": "vol-1", "path": "/dev/null"}, {"id": "vol-1", "path": str(decoy)}), 0),
           (listed({"id": "vol-2", "path": "/"}, {"id": "vol-3", "path": "relative"}, {"id": "vol-4", "path": "/etc/shadow"}), 0),
           (listed({"id": f"file:{guest.disk}", "path": str(decoy), "name": "stolen"}), 0)]
    for n, (what, status) in enumerate(odd):
        answer(guest, what, status)
        tenant.order(guest, "inventory")
        wait_for(guest, lambda: is_given(guest), f"answer {n} is not asked for")
        assert guest.process.alive() and guest.mounted() and (guest.mount_point / "file").read_text() == "kept", what
    answer(guest, {"keyward": 1, "devices": []})
    tenant.order(guest, "inventory")
    wait_for(guest, lambda: is_given(guest), "the last answer is not asked for")
    tenant.order(guest, "log-level", "info")
    has_line(guest, "log level set level=info")
    tenant.status(guest, "in-use")
    after = {r["provider_device"]: r["status"] for r in tenant.console("devices")["rows"]}
    assert before.items() <= after.items(), (before, after)
    assert decoy.read_bytes() == b"precious" * 1000
    assert "away from here" in log(guest) and "\nfrom here" not in log(guest)
