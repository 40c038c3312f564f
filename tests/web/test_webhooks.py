"""Webhooks against a real receiver: what is sent and how it is signed, retries, switched off by itself, addresses that are refused, the secret
that is shown once, chat formats, jobd killed in the middle; rights."""
import json
import pathlib
import re
import threading

from fixtures import fixture
from hooks import Receiver
from notices import log, told
from stack.process import wait_until
from web import make_user, operator
from world import World, count, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 180


@fixture("file")
def world(server):
    return World(server)


@fixture("test")
def receiver(folder):
    with Receiver(folder) as r:
        yield r


def make(c, receiver, name="Watch", path="/hook?key=very-secret-path", events=("key-exported",), **changes):
    """Its id and secret."""
    a = c.api("/webhooks/new", {"name": name, "url": receiver.url(path), "format": "json", "events": list(events), "ca": receiver.ca, "enabled": True, **changes})
    assert a.status == 200, a
    return a.json["made"]["id"], a.json["made"]["secret"]


def again(server):
    """What waits for its next attempt does not wait any longer."""
    run(server, "update job set run_at = now(), locked_until = null where kind = 'webhook' and locked_until is not null and last_error is not null")


def state(server, hook):
    return count(server, "select json_agg(json_build_array(state, attempts, status) order by created) from webhook_delivery where webhook = %s", hook) or []


def test_signed_and_told(server, world, receiver):
    # covers: NTF-3, SEC-4, LOG-2
    c = world.console()
    hook, secret = make(c, receiver)
    assert re.fullmatch(r"kwhook_[\w-]{40}", secret)
    for path in (f"/webhooks/{hook}", f"/webhooks/{hook}/edit", "/webhooks"):
        page = c.get(path)
        assert page.status == 200 and secret not in page.text, path
    assert count(server, "select position(%s in encode(secret, 'escape')) from webhook where id = %s", secret, hook) == 0
    log(server, world.tenant, "key.exported", "device", None, "orders data")
    log(server, world.tenant, "key.pending", "device", None, "not for this one")
    wait_until(lambda: receiver.got, SECONDS, "nothing is sent")
    got = receiver.got[0]
    assert got.path == "/hook?key=very-secret-path" and got.signed_by(secret) and not got.signed_by(secret + "x")
    said = got.json
    assert said["event"] == got.headers["Keyward-Event"] == "key-exported" and said["severity"] == "critical" and said["data"]["device"] == "orders data"
    assert said["delivery"] == got.headers["Keyward-Delivery"] and said["data"]["account"] == f"Tenant {world.slug}" and said["data"]["link"].startswith("https://")
    wait_until(lambda: state(server, hook) == [["delivered", 1, 200]], SECONDS, "it is not noted")
    page = c.get(f"/webhooks/{hook}").text
    assert "Delivered" in page and "taken" in page and "orders data" in page and "<dd>Key exported</dd>" in page
    # A new secret signs from then on; the former does not.
    new = c.api(f"/webhooks/{hook}/secret", {}).json["made"]["secret"]
    assert c.post(f"/webhooks/{hook}/test").status == 303
    wait_until(lambda: len(receiver.got) == 2, SECONDS, "no test")
    assert receiver.got[1].signed_by(new) and not receiver.got[1].signed_by(secret) and receiver.got[1].json["event"] == "test"
    # The log knows the server, not the address, nor a secret.
    kept = count(server, "select string_agg(event || coalesce(detail::text, ''), ' ') from audit_entry where tenant = %s and event like 'webhook%%'", world.tenant)
    assert "webhook.created" in kept and "webhook.secret" in kept and "webhook.tested" in kept and "localhost" in kept
    assert "very-secret-path" not in kept and secret not in kept and new not in kept
    reader = world.console(make_user(server, world.tenant, "auditor"))
    page = reader.get(f"/webhooks/{hook}")
    assert page.status == 200 and "very-secret-path" not in page.text and reader.post(f"/webhooks/{hook}/test").status == 403
    assert "very-secret-path" not in reader.api(f"/webhooks/{hook}").text and reader.get(f"/webhooks/{hook}/edit").status == 403
    assert World(server).console().get(f"/webhooks/{hook}").status == 404
    assert c.post(f"/webhooks/{hook}/delete").status == 303 and count(server, "select count(*) from webhook_delivery where webhook = %s", hook) == 0


def test_tried_again_with_the_same_body(server, world, receiver):
    # covers: NTF-3
    c = world.console()
    receiver.answers = [(500, "no \x01<b>", {}), (302, "", {"Location": receiver.url("/elsewhere")})]
    hook, secret = make(c, receiver, "Again")
    log(server, world.tenant, "key.exported", "device", None, "tried again")
    for attempts, status in ((1, 500), (2, 302), (3, 200)):
        wait_until(lambda n=attempts: state(server, hook) and state(server, hook)[0][1] == n, SECONDS, "no attempt")
        assert state(server, hook)[0][2] == status, state(server, hook)
        again(server)
    assert state(server, hook) == [["delivered", 3, 200]]
    assert len({g.body for g in receiver.got}) == 1 and len({g.headers["Keyward-Delivery"] for g in receiver.got}) == 1 and len(receiver.got) == 3
    assert all(g.path.startswith("/hook") and g.signed_by(secret) for g in receiver.got)
    assert c.post(f"/webhooks/{hook}/delete").status == 303


def test_what_a_receiver_does_wrong_holds_up_nothing(server, world, receiver):
    # covers: NTF-3, SEC-5
    """An answer without end is not read to it: its status says whether the event was taken. One that promises more than it sends was not whole."""
    c = world.console()
    endless = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n"]
    asked = 0
    for raw, state_then, word in ((endless, "delivered", "xxx"), ([b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", b"y" * 65536], "failed", "status 500"),
                                  ([b"HTTP/1.1 302 F\r\nLocation: https://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"], "failed", "status 302"),
                                  ([b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"], "delivered", "done"),
                                  ([b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nhalf"], "failed", "half"), ([b"no HTTP\r\n\r\n"], "failed", ""),
                                  ([b"HTTP/1.1 200 OK\r\nX: ", b"z" * 65536], "failed", "the head of the answer is too large")):
        receiver.raw = raw
        hook, _ = make(c, receiver, f"Wrong {asked}")
        assert c.post(f"/webhooks/{hook}/test").status == 303
        wait_until(lambda h=hook: state(server, h) and state(server, h)[0][0] != "waiting", SECONDS, "no outcome")
        asked += 1
        page = c.get(f"/webhooks/{hook}").text
        assert state(server, hook)[0][0] == state_then and word in page and len(receiver.got) == asked, (raw[0], state(server, hook))
        assert c.post(f"/webhooks/{hook}/delete").status == 303


def test_switched_off_after_failures_and_said(server, world, receiver):
    # covers: NTF-3, NTF-2
    c = world.console()
    hook, _ = make(c, receiver, "Broken")
    receiver.answers = [(503, "down", {})] * 200
    for i in range(6):
        log(server, world.tenant, "key.exported", "device", None, f"lost {i}")
    wait_until(lambda: len(state(server, hook)) == 6, SECONDS, "no deliveries")
    run(server, "update job set attempts = 7 where kind = 'webhook'")

    def stopped():
        again(server)
        run(server, "update job set attempts = 7 where kind = 'webhook' and attempts < 7")
        return count(server, "select stopped from webhook where id = %s", hook)
    wait_until(stopped, SECONDS, "it goes on")
    assert count(server, "select enabled from webhook where id = %s", hook) is False
    assert "503" in c.get(f"/webhooks/{hook}").text and "Stopped" in c.get("/webhooks").text
    told(server, world.tenant, "webhook-stopped")
    assert c.post(f"/webhooks/{hook}/switch", enabled="1").status == 303
    receiver.answers = []
    log(server, world.tenant, "key.exported", "device", None, "heard again")
    wait_until(lambda: [g for g in receiver.got if b"heard again" in g.body], SECONDS, "it stays off")
    assert count(server, "select failures from webhook where id = %s", hook) == 0
    assert c.post(f"/webhooks/{hook}/delete").status == 303


def test_addresses_that_are_refused(server, world, receiver):
    # covers: NTF-3, SEC-5
    c = world.console()
    for url in ("http://hooks.example/x", "https://user@hooks.example/", "ftp://hooks.example/", "https://hooks.example/#a", "hooks.example"):
        a = c.api("/webhooks/new", {"name": "Bad", "url": url, "format": "json", "events": ["key-exported"]})
        assert a.status == 422 and "url" in json.dumps(a.json), url
    # Private networks, also by their address inside another; this installation allows itself, not those.
    for url in ("https://10.1.2.3/", "https://192.168.7.7/", "https://172.31.0.1/", "https://100.64.1.1/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/",
                "https://[64:ff9b::a00:1]/"):
        a = c.api("/webhooks/new", {"name": url, "url": url, "format": "json", "events": ["key-exported"]})
        assert a.status == 200, a
        hook = a.json["made"]["id"]
        assert c.post(f"/webhooks/{hook}/test").status == 303
        wait_until(lambda h=hook: state(server, h) == [["failed", 1, None]], SECONDS, f"{url} is tried again and again")
        assert "not allowed" in c.get(f"/webhooks/{hook}").text, url
        assert c.post(f"/webhooks/{hook}/delete").status == 303
    # A certificate of nobody we trust.
    hook, _ = make(c, receiver, "Unknown", ca="")
    assert c.post(f"/webhooks/{hook}/test").status == 303
    wait_until(lambda: state(server, hook) and state(server, hook)[0][0] == "failed", SECONDS, "no outcome")
    assert not receiver.got and "certificate" in c.get(f"/webhooks/{hook}").text.lower()
    assert c.post(f"/webhooks/{hook}/delete").status == 303


def test_forms_for_chats(server, world, receiver):
    # covers: NTF-3
    c = world.console()
    slack, _ = make(c, receiver, "Slack", "/slack", format="slack")
    teams, _ = make(c, receiver, "Teams", "/teams", format="teams")
    log(server, world.tenant, "key.exported", "device", None, "<!channel> & data")
    wait_until(lambda: len(receiver.got) == 2, SECONDS, "not both are told")
    said = {g.path: g.json for g in receiver.got}
    assert said["/slack"]["text"].startswith("[Critical] Key exported: &lt;!channel&gt; &amp; data\nhttps://"), said
    card = said["/teams"]["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive" and card["content"]["body"][0]["text"] == "Key exported"
    assert {"title": "Device", "value": "<!channel> & data"} in card["content"]["body"][1]["facts"] and card["content"]["actions"][0]["url"].startswith("https://")
    for hook in (slack, teams):
        assert c.post(f"/webhooks/{hook}/delete").status == 303


def test_killed_while_it_waits_for_an_answer(server, world, receiver):
    # covers: NTF-3
    c = world.console()
    hook, _ = make(c, receiver, "Killed")
    receiver.hold = threading.Event()
    log(server, world.tenant, "key.exported", "device", None, "in the middle")
    wait_until(lambda: receiver.got, SECONDS, "nothing is sent")
    server.kill("jobd")
    receiver.hold.set()
    receiver.hold = None
    run(server, "update job set locked_until = now() where kind = 'webhook'")
    server.start("jobd")
    wait_until(lambda: state(server, hook) == [["delivered", 2, 200]], SECONDS, "it is lost")
    # The receiver knows it as the same.
    assert len({g.headers["Keyward-Delivery"] for g in receiver.got}) == 1 and count(server, "select count(*) from webhook_delivery where webhook = %s", hook) == 1


def test_the_operators_own(server, world, receiver):
    # covers: NTF-3, NTF-2, TEN-3, ROL-7, LOG-2
    nil = "00000000-0000-0000-0000-000000000000"
    c, mine = operator(server, "system-operator"), world.console()
    assert "Webhooks" in c.get("/notifications").text and "New webhook" in c.get("/webhooks").text
    assert c.api("/webhooks/new", {"name": "W", "url": receiver.url(), "format": "json", "events": ["key-exported"]}).status == 422
    hook, secret = make(c, receiver, "Pager", events=["server-trouble"])
    log(server, None, "health.lost", "processes", None, "Key service", reason="none answers")
    log(server, world.tenant, "key.exported", "device", None, "a tenant's")
    wait_until(lambda: [g for g in receiver.got if g.json["data"].get("about") == "Key service"], SECONDS, "nothing is sent")
    got = next(g for g in receiver.got if g.json["data"].get("about") == "Key service")
    assert got.signed_by(secret) and got.json["event"] == "server-trouble" and got.json["data"]["account"] == "Central Management"
    assert got.json["data"]["comment"] == "none answers" and "cmc.localhost" in got.json["data"]["link"]
    assert not [g for g in receiver.got if b"tenant's" in g.body]
    new = c.api(f"/webhooks/{hook}/secret", {}).json["made"]["secret"]
    assert c.post(f"/webhooks/{hook}/test").status == 303
    wait_until(lambda: [g for g in receiver.got if g.json["event"] == "test"], SECONDS, "no test")
    assert next(g for g in receiver.got if g.json["event"] == "test").signed_by(new)
    # No account has it, and no operator who may not; the log knows who made it.
    for path in (f"/webhooks/{hook}", f"/webhooks/{hook}/edit"):
        assert mine.get(path).status == 404, path
    assert "Pager" not in mine.get("/webhooks").text and operator(server, "tenant-manager").get("/webhooks").status == 403
    reader = operator(server, "auditor")
    assert "very-secret-path" not in reader.get(f"/webhooks/{hook}").text and reader.post(f"/webhooks/{hook}/test").status == 403
    made = count(server, "select json_build_array(actor_kind, address is not null, object_name) from audit_entry where tenant = %s and event = 'webhook.created'"
                         " and object_id = %s", nil, hook)
    assert made == ["operator", True, "Pager"], made
    # Switched off by itself, operators hear of it.
    receiver.answers = [(503, "down", {})] * 200
    before = len(state(server, hook))
    for i in range(6):
        log(server, None, "health.lost", "processes", None, f"lost {i}")
    wait_until(lambda: len(state(server, hook)) >= before + 6, SECONDS, "no deliveries")

    def stopped():
        run(server, "update job set attempts = 7 where kind = 'webhook' and attempts < 7")
        again(server)
        return count(server, "select stopped from webhook where id = %s", hook)
    wait_until(stopped, SECONDS, "it goes on")
    told(server, None, "operator-webhook-stopped")

    # Others of the installation may have been told of before.
    def ours():
        return [r for r in c.api("/notices?limit=200").json["list"]["rows"] if r["title"] == "Webhook switched off" and r["about"] == "Pager"]
    wait_until(ours, SECONDS, "nobody is told of this one")
    assert c.post(f"/webhooks/{hook}/delete").status == 303 and c.get(f"/webhooks/{hook}").status == 404


def test_the_vector_of_the_documentation():
    # covers: NTF-3
    import hashlib
    import hmac
    text = (ROOT / "docs/notifications.md").read_text()
    part = {name: re.search(rf"^    {name}\s+(.+)$", text, re.M).group(1) for name in ("secret", "seconds", "body", "header")}
    mac = hmac.new(part["secret"].encode(), f"{part['seconds']}.{part['body']}".encode(), hashlib.sha256).hexdigest()
    assert part["header"] == f"Keyward-Signature: t={part['seconds']},v1={mac}"
