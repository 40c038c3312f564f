"""The plug-ins ec2 and eucalyptus against a server that checks what EC2 does; its signatures are made again by aws4. No real cloud."""
import json
import subprocess

from clouds import DATA, KEY, POLICY, ROOT_VOLUME, SPARE, TEST, Ec2, ask, PLUGINS
from fixtures import fixture

OTHER = "vol-0dddddddddddddddd"


@fixture("test")
def cloud(folder):
    c = Ec2(folder)
    yield c
    c.close()


def fault(answer):
    assert "error" in answer, answer
    return answer["error"]["code"], answer["error"]["text"], answer["error"].get("advice", "")


def without(*actions):
    """The published policy less some actions."""
    p = json.loads(json.dumps(POLICY))
    for s in p["Statement"]:
        s["Action"] = [a for a in s["Action"] if a not in actions]
    return p


def test_identity_and_location_by_tokens(cloud):
    # covers: CSP-2, RUL-8
    assert ask("ec2", "identify", cloud.settings) == {"keyward": 1, "instance_id": "i-0a1b2c3d4e5f60718", "image_id": "ami-00aa11bb22cc33dd4"}
    assert cloud.log()[0] == "PUT api/token"
    assert ask("ec2", "location", cloud.settings) == {"keyward": 1, "region": "eu-west-1", "zone": "eu-west-1a"}
    cloud.change(metadata_failures=2)
    assert ask("ec2", "identify", cloud.settings)["instance_id"]
    cloud.change(metadata="off")
    assert fault(ask("ec2", "identify", cloud.settings))[0] == "forbidden"
    cloud.change(metadata="v1")
    code, _, advice = fault(ask("ec2", "identify", cloud.settings))
    assert code == "unavailable" and "hop limit" in advice
    # Eucalyptus may be older.
    assert ask("eucalyptus", "identify", cloud.settings)["instance_id"] == "i-0a1b2c3d4e5f60718"
    assert ask("eucalyptus", "location", cloud.settings) == {"keyward": 1, "zone": "eu-west-1a"}


def test_metadata_over_ipv6(folder):
    # covers: CSP-2
    cloud = Ec2.__new__(Ec2)
    super(Ec2, cloud).__init__("ec2_server.mjs", folder, "::1")
    try:
        assert ask("ec2", "identify", {"metadata": f"http://[::1]:{cloud.port}"})["instance_id"] == "i-0a1b2c3d4e5f60718"
    finally:
        cloud.close()


def test_metadata_is_asked_nearby_only_and_credentials_go_over_https(cloud):
    # covers: CSP-2, SEC-4
    for url in ("http://metadata.example/", "http://8.8.8.8", "http://user@127.0.0.1/", "file:///etc/passwd", "nonsense"):
        assert fault(ask("ec2", "identify", dict(cloud.settings, metadata=url)))[0] == "invalid", url
    for url in ("http://ec2.example/", "ftp://127.0.0.1/", "https://u:p@ec2.example/", "nonsense"):
        assert fault(ask("ec2", "check_credentials", dict(cloud.settings, endpoint=url), KEY))[0] == "invalid", url


def test_user_data(cloud):
    # covers: CSP-2, RUL-7, AGT-6
    assert ask("ec2", "user_data", cloud.settings) == {"keyward": 1}
    cloud.change(user_data="#cloud-config\nname: grün\n")
    assert ask("ec2", "user_data", cloud.settings)["user_data"] == "#cloud-config\nname: grün\n"
    cloud.change(user_data="a\0b")
    assert fault(ask("ec2", "user_data", cloud.settings))[0] == "unsupported"
    cloud.change(user_data="x" * 70000)
    assert fault(ask("ec2", "user_data", cloud.settings))[0] == "too-large"


def test_attach_list_detach(cloud):
    # covers: CSP-2, POL-5
    assert ask("ec2", "attach", cloud.settings, KEY, device=DATA)["path"] == str(cloud.disks[DATA])
    log = cloud.log()
    assert log.count("AttachVolume") == 1 and cloud.change()["volumes"][DATA]["device"] == "/dev/sdf"
    assert ask("ec2", "attach", cloud.settings, KEY, device=DATA)["path"] == str(cloud.disks[DATA])
    assert "AttachVolume" not in cloud.log()
    assert ask("ec2", "attach", cloud.settings, KEY, device=SPARE)["path"] == str(cloud.disks[SPARE])
    assert cloud.change()["volumes"][SPARE]["device"] == "/dev/sdg"
    listed = {d["id"]: d for d in ask("ec2", "list", cloud.settings)["devices"]}
    assert listed[DATA]["path"] == str(cloud.disks[DATA]) and listed[DATA]["size_bytes"] == 64 << 20 and SPARE in listed
    assert ask("ec2", "detach", cloud.settings, KEY, device=DATA) == {"keyward": 1, "memo": {}}
    assert ask("ec2", "detach", cloud.settings, KEY, device=DATA) == {"keyward": 1, "memo": {}}
    assert DATA not in [d["id"] for d in ask("ec2", "list", cloud.settings)["devices"]]
    assert cloud.change()["volumes"][DATA]["state"] == "available"


def test_what_is_elsewhere_or_gone_is_explained(cloud):
    # covers: CSP-2, POL-5
    cloud.volume(DATA, state="in-use", attached_to="i-other", device="/dev/sdf", attachment="attached")
    code, text, _ = fault(ask("ec2", "attach", cloud.settings, KEY, device=DATA))
    assert code == "conflict" and "i-other" in text
    # What is attached elsewhere is left alone.
    ask("ec2", "detach", cloud.settings, KEY, device=DATA)
    assert cloud.change()["volumes"][DATA]["attached_to"] == "i-other" and "DetachVolume" not in cloud.log()
    cloud.volume(SPARE, zone="eu-west-1b")
    code, text, _ = fault(ask("ec2", "attach", cloud.settings, KEY, device=SPARE))
    assert code == "invalid" and "eu-west-1b" in text
    code, _, advice = fault(ask("ec2", "attach", cloud.settings, KEY, device=OTHER))
    assert code == "not-found" and "another region" in advice
    assert fault(ask("ec2", "attach", cloud.settings, KEY, device="vol-0; reboot"))[0] == "invalid"


def test_names_in_use_are_not_taken(cloud):
    # covers: CSP-2
    volumes = cloud.change()["volumes"]
    for n, letter in enumerate("fgh"):
        volumes[f"vol-0eeeeeeeeeeeeee{n:02}"] = {"zone": "eu-west-1a", "state": "in-use", "attached_to": "i-0a1b2c3d4e5f60718",
                                               "device": f"/dev/{'xvd' if n else 'sd'}{letter}"}
    cloud.change(volumes=volumes)
    ask("ec2", "attach", cloud.settings, KEY, device=DATA)
    assert cloud.change()["volumes"][DATA]["device"] == "/dev/sdi"
    for n, letter in enumerate("jklmnop"):
        volumes[f"vol-0fffffffffffffff{n}"] = {"zone": "eu-west-1a", "state": "in-use", "attached_to": "i-0a1b2c3d4e5f60718",
                                              "device": f"/dev/sd{letter}"}
    cloud.change(volumes=dict(volumes, **{DATA: cloud.change()["volumes"][DATA]}))
    assert fault(ask("ec2", "attach", cloud.settings, KEY, device=SPARE))[0] == "too-many"


def test_wrong_expired_and_temporary_keys(cloud):
    # covers: CSP-2, CFG-3
    assert ask("ec2", "check_credentials", cloud.settings, KEY)["account"] == "123456789012"
    for wrong in (dict(KEY, secret_access_key="not this one"), dict(KEY, access_key_id="AKIDNOBODY")):
        code, _, advice = fault(ask("ec2", "check_credentials", cloud.settings, wrong))
        assert code == "unauthenticated" and advice
    assert fault(ask("ec2", "check_credentials", cloud.settings, {"access_key_id": "x"}))[0] == "unauthenticated"
    assert fault(ask("ec2", "check_credentials", cloud.settings, dict(KEY, access_key_id="a\r\nX: y")))[0] == "unauthenticated"
    keys = cloud.change()["keys"]
    keys["ASIATEMP"] = {"secret": "temporary", "token": "the-token//==", "policy": POLICY}
    cloud.change(keys=keys)
    temporary = {"access_key_id": "ASIATEMP", "secret_access_key": "temporary", "session_token": "the-token//=="}
    assert ask("ec2", "check_credentials", cloud.settings, temporary)["account"]
    assert fault(ask("ec2", "check_credentials", cloud.settings, dict(temporary, session_token="other")))[0] == "unauthenticated"
    keys["ASIATEMP"]["expired"] = True
    cloud.change(keys=keys)
    code, _, advice = fault(ask("ec2", "check_credentials", cloud.settings, temporary))
    assert code == "unauthenticated" and "expired" in advice


def test_role_of_the_instance_where_no_keys_are_given(cloud):
    # covers: CSP-2
    code, _, advice = fault(ask("ec2", "attach", cloud.settings, device=DATA))
    assert code == "unauthenticated" and "role" in advice
    cloud.change(keys={"ASIAROLE": {"secret": "of the role", "token": "role-token", "policy": POLICY}}, role="ASIAROLE")
    assert ask("ec2", "attach", cloud.settings, device=DATA)["path"] == str(cloud.disks[DATA])


def test_published_policy_suffices_and_all_of_it_is_needed(cloud):
    # covers: CSP-2
    assert ask("ec2", "check_credentials", cloud.settings, KEY)["account"]
    assert ask("ec2", "attach", cloud.settings, KEY, device=DATA)["path"]
    ask("ec2", "detach", cloud.settings, KEY, device=DATA)
    done = {line.split()[0] for line in cloud.log() if line[0] in "DA"}
    assert {f"ec2:{a}" for a in done} == {a for s in POLICY["Statement"] for a in s["Action"]}
    for action in (a for s in POLICY["Statement"] for a in s["Action"]):
        cloud.change(keys={KEY["access_key_id"]: {"secret": KEY["secret_access_key"], "policy": without(action)}})
        code, text, advice = fault(ask("ec2", "check_credentials", cloud.settings, KEY))
        assert code == "forbidden" and action.split(":")[1] in text and "docs/plugins.md" in advice, action
    # Checking changes nothing.
    assert cloud.change()["volumes"][ROOT_VOLUME]["attached_to"] == "i-0a1b2c3d4e5f60718"


def test_throttling_and_failures_are_waited_out(cloud):
    # covers: CSP-2
    cloud.change(throttle=2)
    assert ask("ec2", "check_credentials", cloud.settings, KEY)["account"]
    cloud.change(failures=1)
    assert ask("ec2", "check_credentials", cloud.settings, KEY)["account"]
    cloud.change(throttle=1000)
    assert fault(ask("ec2", "check_credentials", cloud.settings, KEY))[0] == "too-many"


def test_a_wrong_clock_is_noticed_and_gone_around(cloud):
    # covers: CSP-2
    for skew in (3600, -86400):
        cloud.change(skew=skew)
        assert ask("ec2", "check_credentials", cloud.settings, KEY)["account"] == "123456789012"
        assert any("RequestExpired" in line for line in cloud.log())
    # Not for ever: one that is wrong again is refused.
    cloud.change(skew=0)
    assert fault(ask("ec2", "check_credentials", cloud.settings, dict(KEY, secret_access_key="not this one")))[0] == "unauthenticated"


def test_conformance_with_a_cloud(cloud, folder):
    # covers: CSP-1, CSP-2
    file = folder / "key.json"
    file.write_text(json.dumps(KEY))
    options = ",".join(f"{k}={v}" for k, v in cloud.settings.items())
    for plugin in ("ec2", "eucalyptus"):
        more = ",region=eu-west-1" if plugin == "eucalyptus" else ""
        p = subprocess.run([str(TEST), "--plugin", str(PLUGINS / plugin), "--options", options + more, "--credentials-file", str(file),
                            "--attach", DATA], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert p.returncode == 0 and "15 passed, 0 failed" in p.stdout, p.stdout
