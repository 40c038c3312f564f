"""The life of a key request in the console: the page with its rules, a policy assigned first, several approvers, many decided at once;
against a running installation whose requests stand in the database."""
import contextlib
import json
import os
import signal
import subprocess
import threading
import time
import uuid

from fixtures import fixture
from inventory import Machine
from races import patiently
from web import make_user
from world import World, count, run

RULES = [{"any": [{"type": "host.name", "conditions": [{"operator": "equals", "value": "nobody"}]},
                  {"not": {"type": "network.services", "conditions": [{"operator": "contains", "value": ["tcp/8080"]}]}}]},
         {"type": "device.access", "conditions": [{"operator": "equals", "value": "read-only"}]}]
FACTS = {"agent": {"at": "2026-11-21T09:26:00.000Z", "values": {"host.name": "orders-db-1", "network.services": {"tcp/22": {}},
                                                                  "os.kernel": "6.1.0-27"}},
         "server": {"at": "2026-11-21T09:26:00.000Z", "utc_offset_s": 0, "values": {"device.access": "read-write"}}}


@fixture("test")
def world(server):
    world = World(server)
    world.machine = Machine(server, world.tenant)
    return world


def make_policy(server, world, name, rules=RULES, **columns):
    id = str(uuid.uuid4())
    names = "".join(f", {n}" for n in columns)
    run(server, f"insert into policy (tenant, id, name, rules{names}) values (%s, %s, %s, %s{', %s' * len(columns)})", world.tenant, id,
        name, json.dumps(rules), *columns.values())
    return id


def make_request(server, world, machine=None):
    id = (machine or world.machine).request()
    run(server, "update key_request set facts = %s where id = %s", json.dumps(FACTS), id)
    return id


def status(server, id):
    return count(server, "select status from key_request where id = %s", id)


def user(server, world, role="key-approver"):
    return world.console(make_user(server, world.tenant, role))


def test_a_policy_comes_first(server, world):
    # covers: RUN-4, RUN-3
    request, policy = make_request(server, world), make_policy(server, world, "Databases")
    make_policy(server, world, "Others", on_match="approve")
    c, url = world.console(), f"/requests/{request}"
    document = c.api(url).json
    assert document["assign"]["may"] and not document["can"]["decide"]
    options = document["form"]["policy"]["options"]
    assert [o["text"] for o in options] == ["Databases", "Others"] and "Device access" in options[0]["hint"]
    assert [o["text"] for o in c.api(url + "?search=OTHER").json["form"]["policy"]["options"]] == ["Others"]
    assert 'name="decision"' not in c.get(url).text
    refused = c.post(url + "/decision", decision="approve")
    assert refused.status == 409 and "assign one first" in refused.text, refused.text
    assert status(server, request) == "pending"
    # Who may not assign sees what to ask for.
    approver = user(server, world)
    page = approver.get(url).text
    assert "Ask an Account Administrator" in page and f"{url}/policy" not in page
    assert approver.post(url + "/policy", policy=policy).status == 403
    assert c.post(url + "/policy", policy=str(uuid.uuid4())).status in (404, 422)
    assert c.post(url + "/policy", policy=policy).status == 303
    document = c.api(url).json
    assert document["assign"] is None and document["policy"]["name"] == "Databases" and document["request"]["integrity"]["name"] == "Bad"
    assert document["can"]["approve"] and status(server, request) == "pending"
    assert count(server, "select count(*) from policy_image where policy = %s and image = %s", policy, world.machine.image) == 1
    assert count(server, "select count(*) from audit_entry where event = 'key.policy' and object_id = %s", request) == 1
    # What its policy has not judged is not said to match.
    run(server, "update key_request set verdict = null where id = %s", request)
    document = c.api(url).json
    assert document["why"].startswith("It has not been held against the rules") and document["policy"]["action"] is None, document["why"]
    # Somebody may decide without rules, but has to say so.
    other = make_request(server, world, Machine(server, world.tenant, "second"))
    assert c.api(f"/requests/{other}?anyway=1").json["can"]["approve"]
    assert c.post(f"/requests/{other}/decision", decision="approve", unassigned="1").status == 303
    assert status(server, other) == "approved"


def test_rules_as_a_tree_and_their_filters(server, world):
    # covers: RUN-3, RUL-24, RUL-25
    request, policy = make_request(server, world), make_policy(server, world, "Tree")
    c, url = world.console(), f"/requests/{request}"
    assert c.post(url + "/policy", policy=policy).status == 303
    document = c.api(url).json
    shown = [(r["depth"], r["join"] or r["name"], r["kind"]) for r in document["rules"] if r["kind"] != "info"]
    # What fails where it does no harm stands with the information.
    assert shown == [(0, "Device access type", "failed"), (0, "At least one of these (OR)", "passed"),
                     (1, "Not the following (NOT)", "passed")], shown
    access = [r for r in document["rules"] if r["name"] == "Device access type"][0]
    # What it is stands there once, not as its own reason once more.
    assert access["reason"] is None and access["actual"] and access["condition"] and access["source"] == "Server" and access["at"]["iso"].startswith("2026-11-21T09:26")
    info = [r for r in document["rules"] if r["kind"] == "info"]
    assert "6.1.0-27" in [r["actual"] for r in info] and {"Host name", "Network services"} <= {r["name"] for r in info}
    chips = {c["title"]: c for c in document["chips"]}
    assert chips["Failed"]["count"] == 1 and chips["Informational"]["count"] == len(info)
    page = c.get(chips["Failed"]["url"].split("#")[0]).text
    assert page.count('class="kw-rule ') == 1 and 'data-kind="passed"' not in page
    assert c.get(url + "?show=nonsense").status == 422 and "kw-depth-2" in c.get(url).text
    # A policy that changes is evaluated anew before anybody decides.
    run(server, "update policy set version = version + 1, rules = %s where id = %s", json.dumps(RULES[:1]), policy)
    document = c.api(url).json
    assert document["policy"]["stale"] and document["why"].startswith("The policy has changed since"), document["why"]
    assert c.post(url + "/decision", decision="approve").status == 303 and status(server, request) == "pending"
    document = c.api(url).json
    assert not document["policy"]["stale"] and document["request"]["integrity"]["name"] == "Good"
    # What has changed since it was shown is not decided.
    stale = c.api(url + "/decision", {"decision": "approve", "version": "pending 0123"})
    assert stale.status == 409 and status(server, request) == "pending"
    assert c.api(url + "/decision", {"decision": "deny", "version": document["request"]["version"], "comment": "no"}).status == 200
    assert status(server, request) == "denied"
    run(server, "update key_request set closed = now(), closed_reason = 'superseded' where id = %s", request)
    assert "This request is over" in c.get(url).text and c.post(url + "/decision", decision="approve").status == 409


def test_what_is_not_known_is_said_with_what_to_do(server, world):
    # covers: RUN-3, RUL-24
    request = make_request(server, world)
    policy = make_policy(server, world, "In one region", rules=[{"type": "instance.region", "conditions": [{"operator": "equals", "value": "eu-west-1"}]}])
    c, url = world.console(), f"/requests/{request}"
    assert c.post(url + "/policy", policy=policy).status == 303
    document = c.api(url).json
    region, = [r for r in document["rules"] if r["kind"] == "unknown"]
    assert region["name"] == "Region" and region["help"]["effect"].endswith("so the key waits for a person.") and "has no region" in region["help"]["advice"], region
    assert document["why"].startswith("Something that the policy asks for is not known"), document["why"]
    page = c.get(url).text
    assert f"/instances/{world.machine.instance}/facts" in page and "<em>Unknown</em>" in page and "A machine without one has no region" in page
    run(server, "update policy set on_mismatch = 'deny' where id = %s", policy)
    region, = [r for r in c.api(url).json["rules"] if r["kind"] == "unknown"]
    assert region["help"]["effect"].endswith("what does not match this policy denies."), region
    run(server, "update key_request set closed = now(), closed_reason = 'superseded' where id = %s", request)


def test_two_people(server, world):
    # covers: RUN-8
    policy = make_policy(server, world, "Two", RULES[:1], approvals_needed=2, approvals_expire_s=3600)
    request = make_request(server, world)
    admin, ann, bob = world.console(), user(server, world), user(server, world)
    url = f"/requests/{request}"
    assert admin.post(url + "/policy", policy=policy).status == 303
    # Who has chosen the policy is not one of the two.
    document = admin.api(url).json
    assert not document["can"]["approve"] and document["can"]["deny"] and "your own request" in document["why_not"]
    assert admin.api(url + "/decision", {"decision": "approve"}).status == 409
    answer = ann.api(url + "/decision", {"decision": "approve", "comment": "fine"}).json
    assert not answer["decided"] and answer["approvals"] == {"given": 1, "needed": 2}
    assert ann.api(url + "/decision", {"decision": "approve"}).status == 409 and status(server, request) == "pending"
    page = bob.get(url).text
    assert "Approvals: 1 of 2" in page and "Void if not complete" in page and "Can still approve" in page
    assert user(server, world, "auditor").get(url).status == 200
    assert user(server, world, "auditor").api(url + "/decision", {"decision": "approve"}).status == 403
    assert bob.post(url + "/decision", decision="approve").status == 303 and status(server, request) == "approved"


def test_approvers_at_the_same_moment(server, world):
    # covers: RUN-8
    policy = make_policy(server, world, "Race", RULES[:1], approvals_needed=3)
    people = [user(server, world) for _ in range(4)]
    for _ in range(3):
        request = make_request(server, world, Machine(server, world.tenant, uuid.uuid4().hex[:8]))
        url = f"/requests/{request}"
        assert world.console().post(url + "/policy", policy=policy).status == 303
        threads = [threading.Thread(target=patiently, args=(p.api, url + "/decision", {"decision": "approve"})) for p in people[:2] + people[:2]]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        # Two people, each twice: that is two.
        assert status(server, request) == "pending"
        assert count(server, "select count(*) from key_vote where request = %s", request) == 2
        threads = [threading.Thread(target=patiently, args=(p.api, url + "/decision", {"decision": "approve"})) for p in people[2:]]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert status(server, request) == "approved"
        assert count(server, "select count(*) from audit_entry where event = 'key.approved' and object_id = %s", request) == 1


def many(server, world, number, policy, integrity="good"):
    """Pending requests of as many machines, which are heard of all the time."""
    run(server, """with n as (select gen_random_uuid() as i, gen_random_uuid() as a, gen_random_uuid() as d, gen_random_uuid() as r, g
        from generate_series(1, %s) g), i as (insert into instance (tenant, id, provider, provider_instance, host_name, last_seen)
        select %s, i, 'ec2', i::text, 'fleet-' || g, now() + interval '1 hour' from n), a as (insert into agent (tenant, id, instance, public_key)
        select %s, a, i, uuid_send(a) || uuid_send(i) || uuid_send(d) || uuid_send(r) || 'k' from n), d as (insert into device (tenant, id, provider,
        provider_device, name, instance, policy, status) select %s, d, 'ec2', d::text, 'fleet ' || g, i, %s, 'encrypted' from n)
        insert into key_request (tenant, id, device, instance, agent, policy, policy_version, status, integrity, verdict, access,
        recipient_key, signature) select %s, r, d, i, a, %s, 1, 'pending', %s, '{"failed": 0, "rules": []}', 'read-write', %s, %s from n""",
        number, world.tenant, world.tenant, world.tenant, policy, world.tenant, policy, integrity, b"r" * 65, b"s" * 64)


def until(found, seconds=300, pause=0.2):
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(pause)


def test_many_at_once(server, world):
    # covers: RUN-9
    policy = make_policy(server, world, "Fleet", RULES[:1])
    many(server, world, 300, policy)
    many(server, world, 3, policy, "bad")
    run(server, "update key_request set verdict = '{\"failed\": 2, \"rules\": []}' where tenant = %s and integrity = 'bad'", world.tenant)
    c = user(server, world)
    assert "/requests/select" in c.get("/instances").text and "fleet" in c.get("/requests/select").text
    # "All" says how many that is, on all pages of the list.
    page = c.api(f"/requests/select?search=fleet&policy={policy}&limit=1").json
    assert page["form"]["scope"]["options"][1]["hint"] == "303 at present" and len(page["list"]["rows"]) == 1, page["form"]
    assert c.post("/requests/select", decision="approve", scope="selected").status == 422
    assert user(server, world, "auditor").get("/requests/select").status == 403
    where = c.post("/requests/select", decision="approve", scope="all", search="fleet", policy=policy).header("location")
    document = c.api(where).json
    assert (document["bulk"]["total"], document["bulk"]["sure"], document["bulk"]["doubtful"]) == (303, 300, 3)
    assert len(document["sure"]["rows"]) == 100 and document["sure"]["more"] and len(document["doubtful"]["rows"]) == 3
    assert "Left out, unless you tick" in c.get(where).text
    # Some change between the list and the click.
    changed = [r["device"]["url"].split("/")[-1] for r in document["sure"]["rows"][:2]]
    run(server, "update key_request set integrity = 'bad' where id = %s", changed[0])
    run(server, "update key_request set closed = now() where id = %s", changed[1])
    # Not somebody else's to confirm; and twice is once.
    assert user(server, world).post(where).status == 403
    threads = [threading.Thread(target=c.post, args=(where,), kwargs={"comment": "after the power cut"}) for _ in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    until(lambda: c.api(where).json["bulk"]["done"])
    b = c.api(where).json["bulk"]
    assert (b["decided"], b["changed"], b["left"], b["refused"], b["open"]) == (298, 2, 3, 0, 0), b
    assert {r["device"]["url"].split("/")[-1] for r in c.api(where).json["skipped"]["rows"]} == set(changed)
    assert count(server, "select count(*) from audit_entry where tenant = %s and event = 'key.approved' and detail->>'comment' ="
                 " 'after the power cut'", world.tenant) == 298
    assert count(server, "select count(distinct decided_by_name) from key_request where tenant = %s and status = 'approved'",
                 world.tenant) == 1
    assert count(server, "select count(*) from agent_order where tenant = %s and kind = 'request-key'", world.tenant) == 298
    # By their ids; and a policy of two keeps an approval.
    run(server, "update policy set approvals_needed = 2 where id = %s", policy)
    rows = [r["id"] for r in c.api("/requests/select?integrity=bad").json["list"]["rows"]]
    where = c.api("/requests/select", {"decision": "approve", "scope": "selected", "request": rows[:2]}).json["location"]
    assert c.api(where, {"with_doubtful": True}).status == 200
    until(lambda: c.api(where).json["bulk"]["done"])
    assert c.api(where).json["bulk"]["voted"] == 2
    # A denial needs one.
    where = c.api("/requests/select", {"decision": "deny", "scope": "all"}).json["location"]
    c.api(where, {"with_doubtful": True})
    until(lambda: c.api(where).json["bulk"]["done"])
    assert c.api(where).json["bulk"]["decided"] == 4
    assert c.api("/requests/select", {"decision": "deny", "scope": "all"}).status == 409


def test_many_are_not_approved_by_what_a_former_policy_said(server, world):
    # covers: RUN-9, POL-6, SEC-7
    policy = make_policy(server, world, "Stricter", RULES[:1])
    many(server, world, 3, policy)
    c, choice = user(server, world), {"scope": "all", "policy": policy}
    before = c.api("/requests/select", {"decision": "approve", **choice}).json["location"]
    run(server, "update policy set rules = %s, version = version + 1 where id = %s", json.dumps(RULES), policy)
    # Listed before the change, and after it; nobody has held them against the new rules yet.
    for where in (before, c.api("/requests/select", {"decision": "approve", **choice}).json["location"]):
        assert c.api(where, {"with_doubtful": True}).status == 200
        until(lambda where=where: c.api(where).json["bulk"]["done"])
        assert (c.api(where).json["bulk"]["changed"], c.api(where).json["bulk"]["decided"]) == (3, 0)
    assert count(server, "select count(*) from key_request where policy = %s and status = 'pending'", policy) == 3
    # A denial releases nothing.
    where = c.api("/requests/select", {"decision": "deny", **choice}).json["location"]
    assert c.api(where, {"with_doubtful": True}).status == 200
    until(lambda: c.api(where).json["bulk"]["done"])
    assert c.api(where).json["bulk"]["decided"] == 3


@contextlib.contextmanager
def more_jobd(server, number):
    """Beside the installation's own."""
    started = [subprocess.Popen(server.processes["jobd"].argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for _ in range(number)]
    try:
        yield
        assert all(p.poll() is None for p in started)
    finally:
        for p in started:
            p.terminate()
        for p in started:
            p.wait(120)


def test_automatic_approvals_by_three_jobd_at_once(server, world):
    # covers: POL-4
    policy = make_policy(server, world, "Timed", [{"type": "host.name", "conditions": [{"operator": "equals", "value": "web"}]}],
                         on_match="manual-timeout", timeout_s=60)
    many(server, world, 200, policy)
    run(server, "update instance set facts = '{\"agent\": {\"at\": \"2026-11-21T09:26:00Z\", \"values\": {\"host.name\": \"web\"}}}', facts_at = now()"
        " where tenant = %s", world.tenant)
    image = world.machine.image
    run(server, "update instance set image = %s where tenant = %s", image, world.tenant)
    run(server, "insert into policy_image (tenant, policy, image) values (%s, %s, %s)", world.tenant, policy, image)
    # One that no longer matches when its time comes.
    run(server, "update instance set facts = '{}' where id = (select instance from key_request where tenant = %s limit 1)", world.tenant)
    with more_jobd(server, 2):
        run(server, "update key_request set approve_at = now() + interval '3 seconds' where tenant = %s", world.tenant)
        run(server, "select pg_notify('keyward_timer', '')")
        until(lambda: count(server, "select count(*) from key_request where tenant = %s and approve_at is not null", world.tenant) == 0)
        time.sleep(2)
    assert count(server, "select count(*) from key_request where tenant = %s and status = 'approved'", world.tenant) == 199
    assert count(server, "select count(*) from audit_entry where tenant = %s and event = 'key.approved-automatically'", world.tenant) == 199
    assert count(server, "select waits from key_request where tenant = %s and status = 'pending'", world.tenant)
    assert count(server, "select count(*) from key_decision where tenant = %s and decision = 'approve'", world.tenant) == 199


def matching_policy(server, world):
    """All the tenant's machines satisfy it; its approvals come after a time."""
    policy = make_policy(server, world, "Timed", [{"type": "host.name", "conditions": [{"operator": "equals", "value": "web"}]}],
                         on_match="manual-timeout", timeout_s=60)
    run(server, "insert into policy_image (tenant, policy, image) values (%s, %s, %s)", world.tenant, policy, world.machine.image)
    return policy


def satisfy(server, world):
    run(server, "update instance set image = %s, facts_at = now(), facts = '{\"agent\": {\"at\": \"2026-11-21T09:26:00Z\", \"values\":"
        " {\"host.name\": \"web\"}}}' where tenant = %s", world.machine.image, world.tenant)


@contextlib.contextmanager
def poisoned(server, where):
    """The database refuses to change requests WHERE."""
    run(server, f"""create function poison() returns trigger language plpgsql as $$ begin raise exception 'poisoned'; end $$;
        create trigger poison before update on key_request for each row when ({where}) execute function poison()""")
    try:
        yield
    finally:
        run(server, "drop function poison() cascade")


def test_a_request_that_fails_holds_up_no_other(server, world):
    # covers: POL-4, INT-2
    policy = matching_policy(server, world)
    many(server, world, 120, policy)
    satisfy(server, world)
    bad = [count(server, "select id from key_request where tenant = %s order by id offset %s limit 1", world.tenant, n) for n in (0, 70)]
    revoked = make_request(server, world)
    other = make_request(server, world, Machine(server, world.tenant))
    run(server, "update key_request set status = 'revoking', revoke_by = 'check', revoke_at = now() + interval '1 day' where id in (%s, %s)",
        revoked, other)
    with poisoned(server, "OLD.id in ('%s', '%s', '%s') and NEW.due is not distinct from OLD.due" % (*bad, revoked)):
        run(server, "update key_request set approve_at = now() - interval '1 second' where tenant = %s and status = 'pending'", world.tenant)
        run(server, "update key_request set revoke_at = now() - interval '1 second' where id = %s", other)
        run(server, "alter table key_request disable trigger poison; update key_request set revoke_at = now() - interval '1 second'"
            f" where id = '{revoked}'; alter table key_request enable trigger poison")
        run(server, "select pg_notify('keyward_timer', '')")
        until(lambda: count(server, "select count(*) from key_request where tenant = %s and status = 'approved'", world.tenant) == 118)
        until(lambda: count(server, "select revoke_ordered from key_request where id = %s", other))
        # Each was tried and put off, not tried again and again.
        said = server.processes["jobd"].log
        tries = lambda request: sum(str(request) in x and "could not be done" in x for x in said.read_text().splitlines())    # noqa: E731
        until(lambda: all(tries(r) for r in (*bad, revoked)))
        assert [status(server, r) for r in bad] == ["pending", "pending"]
        assert count(server, "select revoke_ordered from key_request where id = %s", revoked) is None
    assert all(tries(r) < 20 for r in (*bad, revoked)), [tries(r) for r in (*bad, revoked)]


@contextlib.contextmanager
def resting_jobd(server):
    """The installation's own does nothing meanwhile. Not stopped in a transaction, which would keep what it has locked."""
    pid = server.processes["jobd"].pid

    def rests():
        os.kill(pid, signal.SIGSTOP)
        if not count(server, "select count(*) from pg_stat_activity where usename = 'keyward_jobs' and state <> 'idle'"):
            return True
        os.kill(pid, signal.SIGCONT)
        return False
    try:
        until(rests)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


THOUSANDS = 10_000


def test_ten_thousand_pending(server, world):
    # covers: RUN-9, RUN-1, PERF-2, LOG-3
    # guard: 900
    policy = make_policy(server, world, "Fleet", RULES[:1])
    many(server, world, THOUSANDS, policy)
    run(server, "analyze key_request, device, instance")
    c = user(server, world)
    first = c.api("/instances?status=pending&limit=25").json["list"]
    assert len(first["rows"]) == 25 and first["next"]
    assert "1,000" in c.get("/instances").text or "1000" in c.get("/instances").text
    assert len(c.api("/instances?status=pending&search=fleet-77&limit=200").json["list"]["rows"]) == 111
    # Nothing of all these is lost or said twice by paging.
    where = c.post("/requests/select", decision="approve", scope="all", policy=policy).header("location")
    document = c.api(where).json
    assert document["bulk"]["total"] == THOUSANDS
    seen, page = set(), f"{where}/list?limit=200"
    for _ in range(3):
        part = c.api(page).json["list"]
        seen |= {r["device"]["name"] for r in part["rows"]}
        page = part["next"]
    assert len(seen) == 600
    # Killed in the middle, and again; others work meanwhile. The installation's own rests: it is for other tests, too.
    with resting_jobd(server):
        assert c.api(where, {"comment": "after the storm"}).status == 200
        for share in (0.05, 0.2):
            jobd = subprocess.Popen(server.processes["jobd"].argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                until(lambda: c.api(where).json["bulk"]["open"] < THOUSANDS * (1 - share), 600, pause=2)
            finally:
                jobd.kill()
                jobd.wait()
            assert c.api("/instances?status=pending").status == 200 and c.api("/devices").status == 200
            b = c.api(where).json["bulk"]
            assert not b["done"] and 0 < b["open"] < THOUSANDS and b["percent"] > 0
    until(lambda: c.api(where).json["bulk"]["done"], 800, pause=2)
    b = c.api(where).json["bulk"]
    assert (b["decided"], b["open"], b["changed"], b["refused"]) == (THOUSANDS, 0, 0, 0), b
    for what in ("select count(*) from key_request where tenant = %s and status = 'approved'",
                 "select count(*) from audit_entry where tenant = %s and event = 'key.approved'",
                 "select count(distinct object_id) from audit_entry where tenant = %s and event = 'key.approved'",
                 "select count(*) from key_decision where tenant = %s and decision = 'approve'",
                 "select count(distinct request) from key_decision where tenant = %s and decision = 'approve'"):
        assert count(server, what, world.tenant) == THOUSANDS, what
    slug = count(server, "select slug from tenant where id = %s", world.tenant)
    assert "none altered, none missing" in server.keyward("audit", "verify", slug)
