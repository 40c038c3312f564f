"""Policies through the pages, as a browser without scripts sends their forms: the wizard, the edit page, rules, versions, text."""
import json
import re
import threading
import uuid

from fixtures import fixture
from forms import Page
from inventory import Machine
from races import patiently
from web import make_user
from world import World, count, run


@fixture("file")
def world(server):
    world = World(server)
    world.machine = Machine(server, world.tenant)
    return world


@fixture("file")
def stranger(server):
    other = World(server)
    other.machine = Machine(server, other.tenant, "foreign-machine")
    return other


def begin(c, name, description="What it is for"):
    """The wizard up to its second step."""
    page = Page(c, "/policies/new")
    return page.press("next", name=name, description=description)


def add_rule(page, type, into="add"):
    page.press(into)
    assert "/rules/add" in page.path, (page.path, page.errors)
    return page.follow(page.send(("type", type)), page.path)


def make_policy(c, name, **document):
    whole = {"keyward_policy": 1, "name": name, "description": "Made by a test", "action": {"on_match": "approve", "on_mismatch": "deny"},
             **document}
    answer = c.api("/policies", {"document": whole})
    assert answer.status == 200, answer
    return answer.json["id"]


def saved(c, id):
    return c.api(f"/policies/{id}").json["document"]


def id_of(page):
    return re.search(r"/policies/(?:drafts/)?([0-9a-f-]{36})", page.path).group(1)


def test_the_wizard_without_scripts(server, world):
    # covers: POL-2, POL-4, RUN-8, INT-1, INT-2, WEB-1
    c, m = world.console(), world.machine
    page = Page(c, "/policies/new")
    assert page.path.endswith("/general")
    # Both are required, and the field says so.
    page.press("next", name="", description="")
    assert page.path.endswith("/general?check=1") and len(page.errors) == 2, page.errors
    page.press("next", name="Order databases", description="Only in our network", pooling="1")
    assert page.path.endswith("/images"), page.errors
    # Ticked, then searched for something else: still ticked.
    page.press("search", chosen=[m.image], search="no such thing")
    assert "Nothing matches" in page.text and "Chosen: 1" in page.text
    page.press("next")
    assert page.path.endswith("/devices")
    page.press("all")
    assert "Chosen: 1" in page.text and "not saved yet" in page.text
    page.press("to:general")
    assert page.value("name") == "Order databases" and page.value("pooling") == "1"
    page.press("to:rules")
    add_rule(page, "network.services.remote")
    page.press("condition:0", **{"r.0.0.operator": "contains-none", "r.0.0.value": "tcp/22, 8080"})
    assert page.value("r.0.0.value") == "tcp/22\n8080"
    page.press("drop:0.1")
    page.press("next")
    assert page.path.endswith("/actions"), page.errors
    page.press("finish", on_match="manual-timeout", timeout="0", needed="0", on_failure="revoke-after", scheduled="1")
    assert "/actions" in page.path
    assert any("at most 365 days" in e for e in page.errors) and any("at most 30 days" in e for e in page.errors), page.errors
    assert any("from 1 to 20" in e for e in page.errors) and len(page.errors) == 3, page.errors
    page.press("finish", timeout="90", timeout_unit="m", needed="1", grace="2", grace_unit="h", expires="3", expires_unit="h")
    id = id_of(page)
    assert page.path == f"/policies/{id}", (page.path, page.errors)
    assert saved(c, id) == {
        "keyward_policy": 1, "name": "Order databases", "description": "Only in our network", "pooling": True,
        "rules": [{"type": "network.services.remote", "conditions": [{"operator": "contains-none", "value": ["tcp/22", "8080"]}]}],
        "action": {"on_match": "manual-timeout", "on_mismatch": "manual", "timeout_s": 5400},
        "approvals": {"needed": 1, "of": [], "expires_s": 10800},
        "check": {"scheduled": True, "on_failure": "revoke-after", "grace_s": 7200}}, saved(c, id)
    document = c.api(f"/policies/{id}").json
    assert document["policy"]["image_count"] == 1 and document["policy"]["device_count"] == 1
    # In words, for everybody.
    assert "Network services reachable from outside contain none of" in page.text and "2 hours" in page.text
    assert count(server, "select count(*) from policy_draft where tenant = %s", world.tenant) == 0
    run(server, "update device set policy = (select id from policy where tenant = %s and is_default) where id = %s", world.tenant, m.device)


def test_finishing_twice_makes_one_policy(server, world):
    # covers: POL-2
    c = world.console()
    page = begin(c, "Pressed twice")
    page.press("to:actions")
    form, answers = page.form(), []
    body = page.body(("go", "finish"), form)

    def press():
        other = world_client(c)
        answers.append(patiently(other.send, "POST", form["action"], body, {"Content-Type": "application/x-www-form-urlencoded"}))

    threads = [threading.Thread(target=press) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [a.status for a in answers] == [303] * 3, answers
    assert len({a.header("location") for a in answers}) == 1
    assert count(server, "select count(*) from policy where tenant = %s and name = 'Pressed twice'", world.tenant) == 1


def world_client(c):
    """The same session in another window."""
    from web import Client
    other = Client(c.it, "console")
    other.cookies, other.csrf = dict(c.cookies), c.csrf
    return other


def test_what_a_second_window_has_typed_is_kept(server, world):
    # covers: POL-2, POL-6, WEB-3
    c = world.console()
    page = begin(c, "Two windows")
    page.press("to:actions")
    page.press("finish")
    id = id_of(page)
    first, second = Page(c, f"/policies/{id}/edit"), Page(world_client(c), f"/policies/{id}/edit")
    first.press("save", description="of the first")
    assert saved(c, id)["description"] == "of the first"
    second.press("save", description="of the second")
    assert second.path.endswith("/general") and "Another window has saved this policy" in second.text
    assert second.value("description") == "of the second"
    # What the first has changed is told, and only who has seen it overwrites it.
    assert "of the first" in second.text and saved(c, id)["description"] == "of the first"
    second.press("overwrite")
    assert saved(c, id)["description"] == "of the second" and c.api(f"/policies/{id}").json["policy"]["version"] == 3
    # The very same sent twice is no conflict.
    again = Page(c, f"/policies/{id}/edit")
    form = again.form()
    body = again.body(("go", "save"), form)
    for _ in range(2):
        answer = world_client(c).send("POST", form["action"], body, {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 303 and answer.header("location") == f"/policies/{id}", answer
    assert count(server, "select count(*) from policy_draft where tenant = %s", world.tenant) == 0


def test_a_draft_is_kept_resumed_and_discarded(server, world):
    # covers: POL-2
    c = world.console()
    page = begin(c, "Half done")
    draft = id_of(page)
    other = world.console()
    assert "Half done" in other.get("/policies").text
    assert Page(other, f"/policies/drafts/{draft}/general").value("name") == "Half done"
    # Nobody else's.
    colleague = world.console(make_user(server, world.tenant))
    for step in ("general", "images", "devices", "rules", "rules/add", "json", "actions", "discard"):
        assert colleague.get(f"/policies/drafts/{draft}/{step}").status == 404, step
    assert colleague.post(f"/policies/drafts/{draft}/general", go="next", name="Stolen").status == 404
    assert "Half done" not in colleague.get("/policies").text
    ask = Page(c, f"/policies/drafts/{draft}/discard")
    assert "Half done" in ask.text
    assert ask.send().status == 303
    assert "Half done" not in c.get("/policies").text and c.get(f"/policies/drafts/{draft}/general").status == 404


def test_rules_by_form(server, world):
    # covers: POL-2, RUL-1, RUL-4, RUL-19
    c = world.console()
    page = begin(c, "Rules by form")
    page.press("to:rules")
    page.press("group:top")
    add_rule(page, "package.version", "add:0")
    assert page.value("r.1.kind") == "rule" and page.value("r.1.depth") == "1"
    page.press("group:0", **{"r.0.kind": "all", "r.1.0.subject": "openssl", "r.1.0.operator": "at-least", "r.1.0.value": "3.0.11"})
    add_rule(page, "request.at", "add:2")
    assert page.value("r.3.0.from") == "08:00" and page.value("r.3.0.day") == ["mon", "tue", "wed", "thu", "fri"]
    add_rule(page, "os.uptime_s", "add:2")
    page.press("stay:4", **{"r.2.kind": "not", "r.4.0.operator": "between", "r.4.0.value": "10", "r.3.0.day": ["sat", "sun"]})
    page.press("stay:4", **{"r.4.0.to": "20"})
    add_rule(page, "device.access")
    page.press("stay:5", **{"r.5.0.operator": "equals", "r.5.0.value": "read-only"})
    add_rule(page, "instance.first_seen")
    page.press("stay:6", **{"r.6.0.operator": "older-than", "r.6.0.value": "12", "r.6.0.unit": "h"})
    add_rule(page, "os.distribution")
    page.press("stay:7", **{"r.7.0.operator": "in", "r.7.0.pick": ["debian"], "r.7.0.value": 'mine, "a, b"'})
    page.press("up:7")
    page.press("next")
    assert page.path.endswith("/actions"), (page.path, page.errors)
    page.press("finish")
    rules = saved(c, id_of(page))["rules"]
    assert rules == [
        {"all": [{"type": "package.version", "conditions": [{"operator": "at-least", "subject": "openssl", "value": "3.0.11"}]},
                 {"not": {"all": [{"type": "request.at", "conditions": [{"operator": "in-window", "value": {
                     "weekdays": ["sat", "sun"], "from": "08:00", "to": "18:00"}}]},
                     {"type": "os.uptime_s", "conditions": [{"operator": "between", "value": [10, 20]}]}]}}]},
        {"type": "device.access", "conditions": [{"operator": "equals", "value": "read-only"}]},
        {"type": "os.distribution", "conditions": [{"operator": "in", "value": ["debian", "mine", "a, b"]}]},
        {"type": "instance.first_seen", "conditions": [{"operator": "older-than", "value": "12h"}]}], rules
    # And the form shows again what it has made: nothing differs, no version.
    page = Page(c, f"/policies/{id_of(page)}/edit")
    page.press("to:rules")
    assert page.value("r.5.0.value") == 'mine\n"a, b"' or page.value("r.6.0.value") == 'mine\n"a, b"', page.form()["fields"]
    page.press("save")
    assert saved(c, id_of(page))["rules"] == rules and c.api(f"/policies/{id_of(page)}").json["policy"]["version"] == 1


def lines_of(page):
    """(kind or type, depth) of each line."""
    fields = dict(page.form()["fields"])
    out = []
    while f"r.{len(out)}.kind" in fields:
        n = len(out)
        out.append((fields.get(f"r.{n}.type") or fields[f"r.{n}.kind"], int(fields[f"r.{n}.depth"])))
    return out


def test_what_cannot_match_is_said(server, world):
    # covers: POL-2, RUL-8, RUL-24
    c, m = world.console(), Machine(server, world.tenant, "idle")
    page = begin(c, "In no region")
    page.press("to:rules")
    add_rule(page, "instance.region")
    assert "None of your machines reports this yet" in page.text, page.text
    # Nor does a policy whose device is on an image of another: said where it is made, on its page and in the list, with the way to mend it.
    idle = "does not decide about any key yet"
    assert idle not in page.text
    page.press("to:actions", **{"r.0.0.value": "eu-west-1"})
    assert idle in page.text and "Choose images" in page.text and "Choose devices" in page.text
    id = make_policy(c, "Half", devices=[m.device])
    page = c.get(f"/policies/{id}").text
    assert idle in page and f"/policies/{id}/edit?step=images" in page and "step=devices" not in page
    assert c.get(f"/policies/{id}/edit?step=images").header("location").endswith("/images") and c.get(f"/policies/{id}/edit?step=x").status == 422
    assert idle in c.get(c.get(f"/policies/{id}/edit").header("location")).text

    def in_list():
        return {r["id"]: r["idle"] for r in c.api("/policies?limit=200").json["list"]["rows"]}
    assert in_list()[id] == {"images": True, "devices": False} and in_list()[m.policy] is None, in_list()
    assert f'href="/policies/{id}/edit?step=images"' in c.get("/policies?search=Half").text
    run(server, "insert into policy_image (tenant, policy, image) values (%s, %s, %s)", world.tenant, id, m.image)
    assert idle not in c.get(f"/policies/{id}").text and idle not in c.get(f"/policies/{m.policy}").text and in_list()[id] is None
    run(server, "update device set policy = %s where id = %s", m.policy, m.device)


def test_a_policy_is_said_in_a_sentence(world):
    # covers: POL-2, POL-4
    c = world.console()
    page = begin(c, "In a sentence")
    page.press("to:rules")
    assert "because the policy has no rules" in page.text
    add_rule(page, "instance.region")
    page.press("to:actions", **{"r.0.0.value": "eu-west-1"})
    said = "A machine gets its key automatically if it is in region eu-west-1; all others wait for a person."
    assert said in page.text
    # As soon as something is chosen; what is not sound yet has no sentence.
    page.press("stay", on_mismatch="deny")
    assert "all others are denied." in page.text and said not in page.text
    page.press("stay", on_match="manual-timeout", timeout="")
    assert "gets its key" not in page.text
    page.press("stay", on_match="approve", on_mismatch="manual")
    page.press("finish")
    assert said in page.text and c.api(page.path).json["sentence"] == said, page.path


def test_rule_types_are_found_by_other_words(server, world):
    # covers: POL-2, RUL-8, RUL-18
    c = world.console()
    add = c.get("/policies/new").header("location").rsplit("/", 1)[0] + "/rules/add?search="

    def found(client, search):
        return set(re.findall(r'name="type" value="([^"]+)"', client.get(add + search).text))
    assert {"os.pending_security_updates", "os.pending_updates"} <= found(c, "patched") and len(found(c, "patched")) <= 5, found(c, "patched")
    assert "os.pending_security_updates" in found(c, "up+to+date") and {"instance.region", "instance.zone"} <= found(c, "location")
    # All words, in any order; what is not offered is not found.
    assert found(c, "updates+security+pending") == {"os.pending_security_updates"} and found(c, "attestation") == set()
    # In the reader's language, and by the English words there too.
    assert found(c, "gepatcht") == set()
    assert c.api("/language", {"language": "de"}).status == 200
    assert found(c, "gepatcht") == found(c, "patched") and "instance.region" in found(c, "Standort"), found(c, "gepatcht")
    assert c.api("/language", {"language": ""}).status == 200


def test_lines_are_moved_without_scripts(server, world):
    # covers: POL-2, WEB-1
    c = world.console()
    page = begin(c, "Moved about")
    page.press("to:rules")
    for type in ("host.name", "os.arch", "os.version"):
        add_rule(page, type)
    page.press("wrap:1")
    assert lines_of(page) == [("host.name", 0), ("any", 0), ("os.arch", 1), ("os.version", 0)]
    page.press("into:3")
    assert lines_of(page) == [("host.name", 0), ("any", 0), ("os.arch", 1), ("os.version", 1)]
    page.press("up:3")
    assert lines_of(page)[2:] == [("os.version", 1), ("os.arch", 1)]
    page.press("up:1")
    assert lines_of(page) == [("any", 0), ("os.version", 1), ("os.arch", 1), ("host.name", 0)]
    page.press("out:1")
    assert lines_of(page) == [("any", 0), ("os.arch", 1), ("os.version", 0), ("host.name", 0)]
    page.press("down:0")
    assert lines_of(page) == [("os.version", 0), ("any", 0), ("os.arch", 1), ("host.name", 0)]
    page.press("unwrap:1")
    assert lines_of(page) == [("os.version", 0), ("os.arch", 0), ("host.name", 0)]
    page.press("up:0")
    page.press("down:2")
    assert lines_of(page) == [("os.version", 0), ("os.arch", 0), ("host.name", 0)]
    page.press("wrap:2")
    page.press("wrap:2")
    page.press("remove:2")
    assert lines_of(page) == [("os.version", 0), ("os.arch", 0)]
    # What no button of the form says, or says of lines that there are not, does nothing.
    for go in ("up:99", "remove:-1", "drop:0.99", "drop:x", "explode:1", "group:0", "unwrap:0", "into:0", "out:1"):
        form = page.form()
        answer = c.send("POST", form["action"], page.body(None, form, go=go), {"Content-Type": "application/x-www-form-urlencoded"})
        page.follow(answer, page.path)
        assert lines_of(page) == [("os.version", 0), ("os.arch", 0)], go


def test_faults_stand_at_their_fields(server, world):
    # covers: POL-2, WEB-3
    c = world.console()
    page = begin(c, "Faulty")
    page.press("to:rules")
    add_rule(page, "os.pending_security_updates")
    page.press("next", **{"r.0.0.operator": "at-most", "r.0.0.value": "few"})
    assert "/rules?check=1" in page.path and len(page.errors) == 1, page.errors
    assert page.value("r.0.0.value") == "few" and 'aria-invalid="true"' in page.text
    page.press("next", **{"r.0.0.value": "3"})
    add = page.press("to:rules")
    add_rule(add, "request.address")
    page.press("next", **{"r.1.0.operator": "in", "r.1.0.value": "10.0.0.0/8\n10.0.0.300"})
    assert len(page.errors) == 1, page.errors
    page.press("next", **{"r.1.0.value": "10.0.0.0/8"})
    # The last step finds what is wrong in the first, and goes there.
    page.press("to:general")
    page.press("to:actions", name="")
    page.press("finish")
    assert "/general?check=1" in page.path and len(page.errors) == 1
    page.press("next", name=count(server, "select name from policy where tenant = %s and is_default", world.tenant).upper())
    assert any("already" in e for e in page.errors)
    # What was typed is not markup.
    page.press("next", name='<b>"Faulty" & more</b>')
    text = Page(c, f"/policies/drafts/{id_of(page)}/general").text
    assert '<b>"Faulty' not in text and '&lt;b&gt;&quot;Faulty&quot; &amp; more' in text
    page = Page(c, f"/policies/drafts/{id_of(page)}/actions")
    page.press("finish", needed="20", of=["nobody@tenant.example", world.user])
    assert any("nobody@tenant.example is nobody here" in e for e in page.errors) or any("fewer people" in e.lower() for e in page.errors)
    page.press("finish", needed="2", of=[world.user])
    assert any("fewer people" in e.lower() for e in page.errors), page.errors
    page.press("finish", needed="19", of=[])
    assert any("no key could ever be released" in e for e in page.errors), page.errors
    page.press("finish", on_match="deny", on_mismatch="burn", on_failure="explode", needed="1")
    assert len(page.errors) == 3, page.errors


def test_two_people_change_one_policy(server, world):
    # covers: POL-2, POL-6
    c, d = world.console(), world.console(make_user(server, world.tenant))
    id = make_policy(c, "Contested")
    mine, theirs = Page(c, f"/policies/{id}/edit"), Page(d, f"/policies/{id}/edit")
    theirs.press("save", description="Theirs", why="first")
    mine.press("save", description="Mine", why="second")
    assert "Somebody else has changed this policy meanwhile" in mine.text and "Theirs" in mine.text
    assert mine.value("description") == "Mine" and mine.value("why") == "second"
    assert saved(c, id)["description"] == "Theirs"
    # A third version meanwhile: what was seen is not what would be undone.
    answer = d.api(f"/policies/{id}", {"document": dict(saved(d, id), description="Theirs again")})
    assert answer.status == 200, answer
    mine.press("overwrite")
    assert "Theirs again" in mine.text and saved(c, id)["description"] == "Theirs again"
    mine.press("overwrite")
    assert mine.path == f"/policies/{id}" and saved(c, id)["description"] == "Mine"
    rows = c.api(f"/policies/{id}/versions").json["list"]["rows"]
    assert [(r["version"], r["why"]) for r in rows] == [(4, "second"), (3, ""), (2, "first"), (1, "")], rows


def test_apply_stays_and_save_leaves(server, world):
    # covers: POL-2
    c = world.console()
    id = make_policy(c, "Applied")
    page = Page(c, f"/policies/{id}/edit")
    page.press("apply", description="One")
    assert page.path.endswith("/general") and "The changes are saved" in page.text and page.value("description") == "One"
    page.press("to:actions", description="Two")
    assert saved(c, id)["description"] == "One"
    page.press("save")
    assert page.path == f"/policies/{id}" and saved(c, id)["description"] == "Two"
    # Once more, late: the draft is gone, the policy is as it was saved.
    page = Page(c, f"/policies/{id}/edit")
    form = page.form()
    body = page.body(("go", "save"), form, description="Three")
    for _ in range(2):
        answer = c.send("POST", form["action"], body, {"Content-Type": "application/x-www-form-urlencoded"})
        assert answer.status == 303 and answer.header("location") == f"/policies/{id}", answer
    assert c.api(f"/policies/{id}").json["policy"]["version"] == 4


def test_pickers_of_many(server, world):
    # covers: POL-2, PERF-2
    c = world.console()
    with_many = World(server)
    c, m = with_many.console(), Machine(server, with_many.tenant)
    run(server, "insert into device (tenant, id, provider, provider_device, name, policy) select %s, gen_random_uuid(), 'ec2', 'vol-' || n,"
        " 'volume ' || lpad(n::text, 5, '0'), %s from generate_series(1, 3000) n", with_many.tenant, m.policy)
    page = begin(c, "Many")
    page.press("to:devices")
    ids = page.value("off")
    assert len(ids) == 25
    page.press(next(v for n, v in page.form()["buttons"] if v.startswith("page:")), chosen=ids[:2])
    assert "Chosen: 2" in page.text and not set(page.value("off")) & set(ids)
    page.press("search", chosen=page.value("off")[0], search="volume 029")
    assert "Chosen: 3" in page.text
    page.press("all")
    assert "Chosen: 103" in page.text
    # By where their machines are.
    run(server, "update instance set region = 'eu-central-1', zone = 'eu-central-1b' where id = %s", m.instance)
    page.press("search", search="central-1")
    assert page.value("on") == m.device and ">eu-central-1<" in page.text and "eu-central-1b" in page.text, page.text
    page.press("none")
    assert "Chosen: 102" in page.text
    page.press("all")
    assert "Chosen: 103" in page.text
    page.press("search", search="", show="chosen")
    assert len(page.value("on")) == 25
    page.press("search", chosen=page.value("on")[1:], show="")
    assert "Chosen: 102" in page.text
    page.press("to:actions")
    page.press("finish")
    id = id_of(page)
    assert count(server, "select count(*) from device where policy = %s", id) == 102
    # In the meantime somebody else moved one in; nobody touched it here, so it stays.
    page = Page(c, f"/policies/{id}/edit")
    page.press("to:devices")
    run(server, "update device set policy = %s where id = %s", id, m.device)
    page.press("search", search="volume 0299")
    page.press("none")
    page.press("save")
    assert count(server, "select count(*) from device where policy = %s", id) == 93
    assert count(server, "select policy from device where id = %s", m.device) == id
    detail = count(server, "select detail from audit_entry where event = 'policy.devices' and object_id = %s order by seq desc limit 1", id)
    assert detail["removed"] == 10 and detail["names_removed"][0] == "volume 02990"


def test_deleting(server, world):
    # covers: POL-3, POL-1
    c, m = world.console(), Machine(server, world.tenant, "moves")
    id, other = make_policy(c, "Goes", devices=[m.device]), make_policy(c, "Takes over")
    page = Page(c, f"/policies/{id}/delete")
    assert "Policy for its devices" in page.text and "Devices that get another policy: 1" in page.text
    # The page offers the default; what is no policy of this account is refused.
    assert page.send(reassign="").status == 409
    assert page.send(reassign=str(uuid.uuid4())).status == 422
    assert page.send(reassign=id).status == 422
    assert page.send(reassign=other).status == 303
    assert count(server, "select policy from device where id = %s", m.device) == other
    assert c.get(f"/policies/{id}").status == 404
    run(server, "update device set policy = %s where id = %s", m.policy, m.device)
    assert "Policy for its devices" not in c.get(f"/policies/{other}/delete").text
    assert Page(c, f"/policies/{other}/delete").send().status == 303
    # The default stays, and says why.
    answer = c.get(f"/policies/{m.policy}/delete")
    assert answer.status == 409 and "cannot be deleted" in answer.text
    assert c.post(f"/policies/{m.policy}/delete").status == 409
    assert "data-dialog" not in c.get(f"/policies/{m.policy}").text
    page = Page(c, f"/policies/{m.policy}/edit")
    page.press("to:devices")
    assert "The lists of the default policy are not edited" in page.text and "chosen" not in dict(page.form()["fields"])
    answer = c.post(f"/policies/drafts/{id_of(page)}/devices", go="search", off=[m.device], chosen=[m.device])
    assert answer.status == 409, answer
    assert c.api(f"/policies/{m.policy}/members", {"kind": "devices", "remove": [m.device]}).status == 409


def test_versions_diff_and_restore(server, world):
    # covers: POL-6
    c = world.console()
    id = make_policy(c, "Versioned")
    page = Page(c, f"/policies/{id}/edit")
    page.press("to:rules")
    add_rule(page, "os.distribution")
    page.press("save", why="Only Debian", **{"r.0.0.operator": "equals", "r.0.0.value": "debian"})
    page.follow(c.get(f"/policies/{id}/versions"), f"/policies/{id}/versions")
    assert "Only Debian" in page.text and "Rule: Distribution" in page.text and world.user in page.text
    compare = c.api(f"/policies/{id}/versions?from=2&to=1").json["compare"]
    assert [(x["label"], x["old"], x["new"]) for x in compare["changes"]] == [("Rule: Distribution", "Distribution is debian", None)]
    assert "Distribution is debian" in c.get(f"/policies/{id}/versions/2").text
    assert c.get(f"/policies/{id}/versions/3").status == 404 and c.get(f"/policies/{id}/versions?from=9&to=1").status == 404
    ask = Page(c, f"/policies/{id}/versions/1/restore")
    assert "Distribution is debian" in ask.text
    assert ask.send(comment="It was a mistake").status == 303
    assert saved(c, id)["rules"] == []
    rows = c.api(f"/policies/{id}/versions").json["list"]["rows"]
    assert rows[0]["version"] == 3 and rows[0]["why"] == "It was a mistake – Restored version 1"
    # Somebody was quicker than who looks at this page.
    late = Page(c, f"/policies/{id}/versions/2/restore")
    c.api(f"/policies/{id}", {"document": dict(saved(c, id), description="Meanwhile")})
    assert late.send().status == 409 and saved(c, id)["rules"] == []
    # What was fine then need not be today.
    other = make_user(server, world.tenant, "key-approver")
    approvals = {"needed": 2, "of": [other, world.user]}
    assert c.api(f"/policies/{id}", {"document": dict(saved(c, id), approvals=approvals)}).status == 200
    run(server, "update app_user set state = 'disabled' where email = %s", other)
    ask = Page(c, f"/policies/{id}/versions/5/restore")
    answer = ask.send()
    assert answer.status == 422 and "nobody here who may decide" in answer.text


def test_export_and_import(server, world, stranger):
    # covers: POL-8, API-1
    c, m = world.console(), Machine(server, world.tenant, "exported")
    rules = [{"any": [{"type": "host.name", "conditions": [{"operator": "matches", "value": "db-*"}]}]}]
    id = make_policy(c, "Travels", rules=rules, images=[f"native:{m.provider_image}"], devices=[m.device])
    answer = c.get(f"/policies/{id}/export")
    assert answer.header("content-type") == "application/json" and "Travels" in answer.header("content-disposition")
    text = answer.text
    document = json.loads(text)
    assert document["images"] == [f"native:{m.provider_image}"] and document["devices"] == [f"native:d-{m.device}"]
    # The same again: nothing would change.
    page = Page(c, "/policies/import")
    page.press("preview", document=text)
    assert page.answer.status == 200 and "nothing would change" in page.text
    # Changed: shown first, done on request.
    changed = dict(document, description="Came by file", devices=[])
    page.press("preview", document=json.dumps(changed), why="from git")
    assert "Came by file" in page.text and saved(c, id)["description"] == "Made by a test"
    page.press("apply")
    assert page.path == f"/policies/{id}" and saved(c, id)["description"] == "Came by file"
    assert count(server, "select policy from device where id = %s", m.device) == m.policy
    assert c.api(f"/policies/{id}/versions").json["list"]["rows"][0]["why"] == "from git"
    # Every fault, with its place; nothing is made.
    faulty = dict(document, name="Faulty import", rules=[{"type": "no.such", "conditions": []}, {"type": "os.bits", "conditions": [
        {"operator": "equals", "value": "many"}]}], action={"on_match": "perhaps", "on_mismatch": "deny"})
    page = Page(c, "/policies/import")
    page.press("preview", document=json.dumps(faulty))
    assert page.answer.status == 422
    for place in ("document/rules/0", "document/rules/1/conditions/0/value", "document/action/on_match"):
        assert place in page.text, place
    assert page.value("document") == json.dumps(faulty)
    answer = c.api("/policies/import", {"document": faulty, "go": "apply"})
    assert answer.status == 422 and len(answer.json["errors"]) >= 3, answer
    answer = c.api("/policies/import", {"document": dict(document, name="Unknown things", images=["native:nope"], devices=["x:y"])})
    assert {e["name"] for e in answer.json["errors"]} == {"document/images", "document/devices"} and "native:nope" in answer.text
    page.press("preview", document="{ not json")
    assert page.answer.status == 422 and page.value("document") == "{ not json"
    # Into another account, where these machines are unknown.
    d = stranger.console()
    assert d.api("/policies/import", {"document": document}).status == 422
    document.pop("images"), document.pop("devices")
    answer = d.api("/policies/import", {"document": document, "go": "apply", "why": "copied"})
    assert answer.status == 200 and answer.json["created"]
    assert saved(d, answer.json["id"])["rules"] == rules
    # As JSON in the edit page: the same validator.
    page = Page(c, f"/policies/{id}/edit")
    page.press("to:rules")
    page.press("json")
    whole = json.loads(page.value("json"))
    page.press("check", json=json.dumps(dict(whole, rules=[{"type": "os.bits", "conditions": [{"operator": "equals", "value": {}}]}])))
    assert "rules/0/conditions/0/value" in page.text
    page.press("save", json=json.dumps(dict(whole, surprise=1)))
    assert "surprise" in page.text and "/policies/drafts/" in page.path
    assert page.follow(page.send(("go", "check"), json="[1]"), page.path).answer.status == 422 and page.value("json") == "[1]"
    page.press("save", json=json.dumps(dict(whole, description="By hand")))
    assert saved(c, id)["description"] == "By hand"


def test_who_may_only_view(server, world):
    # covers: ROL-2, ROL-4, ROL-5, POL-1
    id = make_policy(world.console(), "Read only", rules=[{"type": "os.bits", "conditions": [{"operator": "equals", "value": 64}]}])
    for role in ("security-administrator", "auditor", "key-approver"):
        c = world.console(make_user(server, world.tenant, role))
        for path in ("/policies", f"/policies/{id}", f"/policies/{id}/versions", f"/policies/{id}/versions/1"):
            answer = c.get(path)
            main = answer.text.split("<main")[1].split("</main")[0]
            assert answer.status == 200 and 'method="post"' not in main, (role, path)
            for act in ("/edit", "/delete", "/restore", "/policies/new", "/policies/import"):
                assert f'{act}"' not in main, (role, path, act)
        assert "Architecture, bits is 64" in c.get(f"/policies/{id}").text
        assert c.get(f"/policies/{id}/export").status == 200 and c.get("/policies.csv").text.count("Read only") == 1
        for path in (f"/policies/{id}/edit", f"/policies/{id}/delete", "/policies/new", "/policies/import", f"/policies/{id}/versions/1/restore"):
            assert c.get(path).status == 403, (role, path)
        assert c.api("/policies", {"document": {}}).status == 403


def test_another_tenants_policies_do_not_exist(server, world, stranger):
    # covers: TEN-4
    c, d = world.console(), stranger.console()
    id = make_policy(c, "Not yours")
    page = Page(c, f"/policies/{id}/edit")
    draft = id_of(page)
    before = saved(c, id)
    for path in (f"/policies/{id}", f"/policies/{id}/edit", f"/policies/{id}/export", f"/policies/{id}/delete", f"/policies/{id}/versions",
                 f"/policies/{id}/versions/1", f"/policies/{id}/versions/1/restore", f"/policies/drafts/{draft}/rules"):
        assert d.get(path).status == 404, path
    for path, fields in ((f"/policies/{id}/delete", {}), (f"/policies/{id}/versions/1/restore", {}), (f"/policies/drafts/{draft}/general",
                         {"go": "save", "name": "x"}), (f"/policies/drafts/{draft}/discard", {})):
        assert d.post(path, **fields).status == 404, path
    assert d.api(f"/policies/{id}", {"document": dict(before, name="Mine now")}).status == 404
    # Its machines cannot be chosen, and its policies take no devices.
    mine = begin(d, "Thief")
    mine.press("to:devices")
    d.post(f"/policies/drafts/{id_of(mine)}/devices", go="search", off=[world.machine.device], chosen=[world.machine.device])
    assert count(server, "select count(*) from policy_draft_member where draft = %s", id_of(mine)) == 0
    assert d.api(f"/policies/{stranger.machine.policy}/members", {"kind": "devices", "add": [world.machine.device]}).status in (200, 409)
    gone = make_policy(d, "To delete", devices=[stranger.machine.device])
    assert d.post(f"/policies/{gone}/delete", reassign=id).status == 422
    assert saved(c, id) == before and Page(c, f"/policies/drafts/{draft}/general").value("name") == "Not yours"


def test_list_search_sort_and_export(server):
    # covers: POL-1, WEB-3
    world = World(server)
    c = world.console()
    rule = {"type": "os.bits", "conditions": [{"operator": "equals", "value": 64}]}
    make_policy(c, "=Formula", rules=[rule, rule], check={"scheduled": True, "on_failure": "revoke"})
    make_policy(c, "Plain")
    rows = c.api("/policies?sort=-rules").json["list"]["rows"]
    assert [(r["name"], r["rules"], r["checks"] and r["checks"]["name"]) for r in rows][0] == ("=Formula", 2, "On: revoke")
    # Without rules it is manual, whatever its actions say.
    assert {r["name"]: r["matched"]["name"] for r in rows} == {"=Formula": "Approve", "Plain": "Manual Approve",
                                                              "Default policy": "Manual Approve"}
    assert [r["name"] for r in c.api("/policies?search=plai").json["list"]["rows"]] == ["Plain"]
    text = c.get("/policies.csv?search=formula").text
    assert "\"'=Formula\"" in text and "Plain" not in text
