"""The plug-in vcloud against a stand-in for VMware Cloud Director. No real director."""
import json
import pathlib
import subprocess
import uuid

from clouds import PLUGINS, TEST, Cloud, ask
from fixtures import fixture

PASSWORD = {"user": "reader", "password": "p%:ss w\u00f6rd"}
TOKEN = {"api_token": "refresh-token-1"}


def vm(name="other", macs=(), **more):
    return {"id": str(uuid.uuid4()), "name": name, "macs": list(macs), "disks": [], **more}


@fixture("test")
def director(folder):
    c = Cloud("vcloud_server.mjs", folder)
    c.settings = {"endpoint": c.url, "organization": "acme", "api_version": "36.0"}
    yield c
    c.close()


def fault(answer):
    assert "error" in answer, answer
    return answer["error"]["code"], answer["error"]["text"], answer["error"].get("advice", "")


def own_macs():
    """Of cards that something like hardware is behind; the machine of a test need not have any."""
    return [(c / "address").read_text().strip() for c in pathlib.Path("/sys/class/net").iterdir() if (c / "device").exists()]


def test_the_same_identity_with_and_without_credentials(director):
    # covers: CSP-2
    native = ask("native", "identify")
    assert ask("vcloud", "identify", director.settings) == native
    assert ask("vcloud", "identify", director.settings, PASSWORD) == native
    me = str(uuid.uuid4())
    for text in (f"vm-{me}", f"urn:vcloud:vm:{me}", f"https://vcd.example/api/vApp/vm-{me}", me):
        assert ask("vcloud", "identify", dict(director.settings, vm=text))["instance_id"] == f"vm-{me}", text
    for text in ("vm-1", f"vm-{me}x", "nonsense"):
        assert fault(ask("vcloud", "identify", dict(director.settings, vm=text)))[0] == "invalid"
    assert director.log() == [], "identity needs no director"


def test_signing_in_by_password_and_by_token(director):
    # covers: CSP-2, CFG-3
    mine = vm()
    director.change(vms=[mine])
    settings = dict(director.settings, vm=mine["id"])
    assert ask("vcloud", "check_credentials", settings, PASSWORD)["account"] == "reader@acme"
    assert director.change()["sessions"] == 0, "a session is left open"
    assert ask("vcloud", "check_credentials", settings, TOKEN)["account"] == "API token@acme"
    for wrong in (dict(PASSWORD, password="wrong-word"), {"api_token": "refresh-token-2"}):
        code, _, advice = fault(ask("vcloud", "check_credentials", settings, wrong))
        assert code == "unauthenticated" and advice
    for wrong in ({}, {"user": "reader"}):
        assert fault(ask("vcloud", "check_credentials", settings, wrong))[0] == "unauthenticated"
    assert fault(ask("vcloud", "check_credentials", dict(settings, organization="other/../acme"), TOKEN))[0] in ("unauthenticated", "not-found")
    director.change(rights=False)
    code, _, advice = fault(ask("vcloud", "check_credentials", settings, PASSWORD))
    assert code == "forbidden" and "docs/plugins.md" in advice
    assert director.change()["sessions"] == 0
    director.change(rights=True, versions=["38.0"])
    assert fault(ask("vcloud", "check_credentials", settings, PASSWORD))[0] == "unsupported"
    director.change(versions=["36.0"], failures=1)
    assert fault(ask("vcloud", "check_credentials", settings, PASSWORD))[0] == "unavailable"


def test_credentials_go_over_https(director):
    # covers: SEC-4, CSP-2
    for url in ("http://vcd.example/", "ftp://127.0.0.1", "https://a:b@vcd.example", "x"):
        assert fault(ask("vcloud", "check_credentials", dict(director.settings, endpoint=url), PASSWORD))[0] == "invalid", url


def test_this_machine_is_found_by_its_network_cards(director):
    # covers: CSP-2
    macs = own_macs()
    crowd = [vm(f"machine-{n}", [f"00:50:56:00:{n >> 8:02x}:{n & 255:02x}"]) for n in range(150)]
    crowd[3]["template"] = True
    crowd[5]["deleted"] = True
    director.change(vms=crowd)
    assert fault(ask("vcloud", "check_credentials", director.settings, PASSWORD))[0] == "not-found"
    pages = [line for line in director.log() if line == "GET /api/query"]
    assert len(pages) == 4, "two pages: those of this name, and the others"
    if macs:
        director.change(vms=crowd + [vm("me", [macs[0].upper()])])
        assert ask("vcloud", "check_credentials", director.settings, PASSWORD)["account"] == "reader@acme"


def test_disks_are_listed_as_natively_whatever_the_director_says(director):
    # covers: CSP-2, POL-5
    mine = vm("me", disks=[{"bus": 0, "unit": 0, "name": "orders <data>"}])
    director.change(vms=[mine])
    settings = dict(director.settings, vm=mine["id"])
    native = ask("native", "list")["devices"]
    without = ask("vcloud", "list", settings)
    assert without["devices"] == native
    first = ask("vcloud", "list", settings, PASSWORD)
    assert [d["id"] for d in first["devices"]] == [d["id"] for d in native] and first["memo"]["names"] == {"0:0": "orders <data>"}
    director.log()
    ask("vcloud", "list", settings, PASSWORD, memo=first["memo"])
    assert director.log() == [], "what is remembered is not asked again"
    director.change(rights=False)
    assert "names of disks" in ask("vcloud", "list", settings, PASSWORD)["warning"]
    for question in ("attach", "detach", "user_data", "location"):
        assert fault(ask("vcloud", question, settings, PASSWORD, device="x"))[0] == "unsupported"


def test_conformance_with_a_director(director, folder):
    # covers: CSP-1, CSP-2
    mine = vm()
    director.change(vms=[mine])
    file = folder / "key.json"
    file.write_text(json.dumps(PASSWORD))
    p = subprocess.run([str(TEST), "--plugin", str(PLUGINS / "vcloud"), "--options",
                        f"endpoint={director.url},organization=acme,vm={mine['id']}", "--credentials-file", str(file)],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert p.returncode == 0 and " 0 failed" in p.stdout, p.stdout
