"""What-if (POL-7): a policy tried on former requests, through the console and jobd."""
import json
import uuid

from fixtures import fixture
from inventory import Machine
from stack.process import wait_until
from web import database, make_user
from world import World, count

PATIENCE = 180
SSH_ONLY = [{"type": "network.services", "conditions": [{"operator": "in", "value": ["tcp/22"]}]}]


@fixture("file")
def world(server):
    return World(server)


def facts(ports):
    return {"agent": {"at": "2026-11-20T09:00:00.000Z", "values": {"network.services": {p: {} for p in ports}}}}


def judged(machine, ports, was="approve", days_ago=1, n=1):
    """N closed requests that the policy judged WAS; the ids."""
    ids = [str(uuid.uuid4()) for _ in range(n)]
    with database(machine.it).cursor() as c:
        for id in ids:
            c.execute("insert into key_request (tenant, id, device, instance, agent, image, policy, policy_name, status, access,"
                      " mount_point, recipient_key, signature, facts, verdict, requested, closed) values (%s, %s, %s, %s, %s, %s, %s,"
                      " 'Default policy', 'delivered', 'read-write', '/srv/data', %s, %s, %s, %s, now() - %s * interval '1 day', now())",
                      (machine.tenant, id, machine.device, machine.instance, machine.agent, machine.image, machine.policy,
                       b"r" * 65, b"s" * 64, json.dumps(facts(ports)), json.dumps({"action": was}), days_ago))
    return ids


def set_rules(machine, rules, on_match="approve", on_mismatch="deny"):
    with database(machine.it).cursor() as c:
        c.execute("update policy set rules = %s, on_match = %s, on_mismatch = %s where tenant = %s and id = %s",
                  (json.dumps(rules), on_match, on_mismatch, machine.tenant, machine.policy))


def try_it(c, machine, days=30):
    answer = c.api(f"/policies/{machine.policy}/what-if", {"days": days})
    assert answer.status == 200, answer
    return answer.json["run"]


def totals(document):
    return {t["label"]: (t["was"], t["would"]) for t in document["totals"]}


def ended(c, run):
    def there():
        return not c.api(f"/what-if/{run}").json["run"]["live"]
    wait_until(there, PATIENCE, "the run does not end")
    return c.api(f"/what-if/{run}").json


def test_the_requests_that_would_be_judged_otherwise(server):
    # covers: POL-7
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant)
    judged(machine, ["tcp/22"], n=3)
    bad, = judged(machine, ["tcp/22", "tcp/8080"])
    allowed, = judged(machine, ["tcp/22"], was="deny")
    judged(machine, ["tcp/8080"], days_ago=40)
    set_rules(machine, SSH_ONLY)
    document = ended(c, try_it(c, machine))
    assert document["run"]["state"]["name"] == "Done" and document["run"]["total"] == document["run"]["done"] == 5, document["run"]
    # Every request has its verdict before and after; those that would change are a click away.
    everything = document["list"]["rows"]
    assert len(everything) == 5 and sum(r["same"] for r in everything) == 3, everything
    assert all(r["was"]["name"] == r["would"]["name"] == "Approve" for r in everything if r["same"]), everything
    assert totals(document) == {"Keys given automatically": (4, 4), "Wait for a person": (0, 0), "Denied": (1, 1)}, document["totals"]
    assert document["summary"] == "2 verdicts would change." and not document["nobody"], document["summary"]
    assert [(r["passed"], r["failed"], r["unknown"]) for r in document["rules"]] == [(4, 1, 0)], document["rules"]
    assert [(f["title"], f["count"]) for f in document["list"]["filters"]][:3] == [("All", 5), ("Would change", 2), ("Approve", 4)], document["list"]["filters"]
    rows = {r["id"]: r for r in c.api(f"/what-if/{document['run']['id']}?show=changed").json["list"]["rows"]}
    assert set(rows) == {bad, allowed}, rows
    assert rows[bad]["would"]["name"] == "Deny" and "8080" in rows[bad]["reason"], rows[bad]
    assert rows[allowed]["would"]["name"] == "Approve" and rows[allowed]["reason"] is None
    assert {i["count"] for i in document["changes"]["items"]} == {1}
    # A click on a kind of change shows just those; each leads to its request.
    one = c.api(document["changes"]["items"][0]["url"]).json["list"]["rows"]
    assert len(one) == 1 and c.get(one[0]["url"]).status == 200
    found = c.api(f"/what-if/{document['run']['id']}?search=nothing-like-this").json["list"]
    assert found["no_match"] and len(c.api(f"/what-if/{document['run']['id']}?search={machine.name}&sort=device").json["list"]["rows"]) == 5
    # Nothing was decided by it.
    assert count(server, "select count(*) from key_request where tenant = %s and status <> 'delivered'", world.tenant) == 0
    assert "8080" in c.get(f"/what-if/{document['run']['id']}").text


def draft_of(c, path, **fields):
    """A new draft, or one of a policy: its address."""
    draft = c.get(path).header("location").rsplit("/", 1)[0]
    assert c.post(f"{draft}/general", name="Only patched ones", description="Tried first", go="to:rules", **fields).status == 303
    return draft


def set_draft(server, draft, rules):
    with database(server).cursor() as cursor:
        cursor.execute("update policy_draft set document = jsonb_set(document, '{rules}', %s) where id = %s", (json.dumps(rules), draft.rsplit("/", 1)[1]))


PATCHED = [{"type": "os.pending_security_updates", "conditions": [{"operator": "equals", "value": 0}]},
           {"any": [{"type": "instance.region", "conditions": [{"operator": "equals", "value": "eu-west-1"}]},
                    {"not": {"type": "network.services", "conditions": [{"operator": "contains", "value": ["tcp/22"]}]}}]}]


def test_nobody_is_let_through(server):
    """Where nothing changes because everybody waits, before and after, the page says which rules are in the way and what was there."""
    # covers: POL-7, RUL-24
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant)
    judged(machine, ["tcp/22"], was="manual", n=2)
    draft = draft_of(c, "/policies/new")
    set_draft(server, draft, PATCHED)
    document = ended(c, c.api(f"{draft}/what-if", {"days": 30}).json["run"])
    assert document["summary"] == "No verdict would change." and document["nobody"], document["summary"]
    assert totals(document) == {"Keys given automatically": (0, 0), "Wait for a person": (2, 2), "Denied": (0, 0)}, document["totals"]
    assert [(r["passed"], r["failed"], r["unknown"]) for r in document["rules"]] == [(0, 0, 2), (0, 0, 2)], document["rules"]
    for row in document["list"]["rows"]:
        assert row["would"]["name"] == "Manual Approve" and len(row["reasons"]) == 3, row
        assert row["reasons"][0].startswith("Pending security updates: ") and row["reasons"][1].startswith("Region: "), row
        assert row["reasons"][2] == "Network services: it is tcp/22, and that is ruled out", row
    page = c.get(f"/what-if/{document['run']['id']}").text
    assert "No request matches all rules" in page and "that is ruled out" in page and "device chosen" not in page
    # With devices chosen, theirs alone.
    assert "No device is chosen" in c.get(f"{draft}/what-if").text
    other = Machine(server, world.tenant)
    mine = judged(other, ["tcp/443"], was="manual")
    assert c.post(f"{draft}/devices", go="search", off=[other.device], chosen=[other.device]).status == 303
    assert "Requests of the 1 device that is chosen" in c.get(f"{draft}/what-if").text
    document = ended(c, c.api(f"{draft}/what-if", {"days": 30}).json["run"])
    assert [r["id"] for r in document["list"]["rows"]] == mine and document["run"]["total"] == 1, document["run"]
    assert "1 device chosen" in c.get(f"/what-if/{document['run']['id']}").text


def test_from_the_result_back_to_the_draft(server):
    # covers: POL-7, POL-2
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant)
    judged(machine, ["tcp/22"])
    draft = draft_of(c, "/policies/new")
    set_draft(server, draft, SSH_ONLY)
    run = c.api(f"{draft}/what-if", {"days": 30}).json["run"]
    document = ended(c, run)
    assert document["draft"] == {"url": draft, "same": True, "is_new": True}, document["draft"]
    page = c.get(f"/what-if/{run}").text
    assert "Create policy" in page and f'href="{draft}/rules"' in page and "Change and try again" in page
    # Nobody else has the draft.
    assert world.console(make_user(server, world.tenant)).api(f"/what-if/{run}").json["draft"] is None
    # Typed on since: it is not saved unseen.
    set_draft(server, draft, SSH_ONLY * 2)
    assert c.api(f"/what-if/{run}").json["draft"]["same"] is False
    assert c.post(f"/what-if/{run}/save").status == 409
    set_draft(server, draft, SSH_ONLY)
    made = c.post(f"/what-if/{run}/save")
    assert made.status == 303 and made.header("location") == draft.replace("/drafts", ""), made.header("location")
    policy = c.api(made.header("location")).json
    assert policy["policy"]["name"] == "Only patched ones" and policy["document"]["rules"] == SSH_ONLY, policy["document"]
    after = c.api(f"/what-if/{run}").json
    assert after["draft"] is None and after["run"]["policy"]["url"] == made.header("location") and after["can"]["edit"], after["run"]
    assert c.post(f"/what-if/{run}/save").status == 409
    # The same of a policy that there is.
    draft = draft_of(c, f"/policies/{policy['policy']['id']}/edit", why="Tried first")
    set_draft(server, draft, PATCHED)
    run = c.api(f"{draft}/what-if", {"days": 30}).json["run"]
    assert ended(c, run)["draft"]["is_new"] is False
    saved = c.post(f"/what-if/{run}/save")
    assert saved.status == 303, saved
    assert c.api(f"/policies/{policy['policy']['id']}/versions").json["list"]["rows"][0]["why"] == "Tried first"


def test_a_draft_with_faults_is_not_tried_but_mended(server, world):
    # covers: POL-7
    c = world.console()
    draft = c.get("/policies/new").header("location").rsplit("/", 1)[0]
    answer = c.post(f"{draft}/rules", go="what-if")
    assert answer.status == 303 and answer.header("location") == f"{draft}/general?check=1", answer.header("location")


def test_many_requests_in_steps(server):
    # covers: POL-7, PERF-2
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant)
    with database(server).cursor() as cursor:
        cursor.execute("insert into key_request (tenant, id, device, instance, agent, image, policy, policy_name, status, access,"
                       " mount_point, recipient_key, signature, facts, verdict, requested, closed) select %s, gen_random_uuid(), %s, %s,"
                       " %s, %s, %s, 'p', 'delivered', 'read-write', '/d', %s, %s, jsonb_build_object('agent', jsonb_build_object('at',"
                       " '2026-11-20T09:00:00.000Z', 'values', jsonb_build_object('network.services', jsonb_build_object('tcp/' ||"
                       " case when n %% 10 = 0 then 8080 else 22 end, '{}'::jsonb)))), '{\"action\": \"approve\"}',"
                       " now() - interval '1 day', now() from generate_series(1, 2000) n",
                       (machine.tenant, machine.device, machine.instance, machine.agent, machine.image, machine.policy, b"r" * 65,
                        b"s" * 64))
    set_rules(machine, SSH_ONLY)
    document = ended(c, try_it(c, machine))
    # All of one moment, so that steps end between equal times.
    assert document["run"]["done"] == 2000 and document["changes"]["count"] == 200, document["run"]
    assert count(server, "select count(*) from what_if_verdict where run = %s and was <> would", document["run"]["id"]) == 200
    assert totals(document)["Keys given automatically"] == (2000, 1800) and document["rules"][0]["failed"] == 200, document["totals"]


def test_limits_and_other_tenants(server, world):
    # covers: POL-7, TEN-4, ROL-6
    c, machine = world.console(), Machine(server, world.tenant)
    for days in (0, 366, "x"):
        assert c.api(f"/policies/{machine.policy}/what-if", {"days": days}).status == 422
    run = try_it(c, machine)
    ended(c, run)
    assert c.post(f"/what-if/{run}/stop").status == 409
    other = World(server).console()
    assert other.api(f"/what-if/{run}").status == 404 and other.post(f"/what-if/{run}/stop").status == 404
    assert other.api(f"/policies/{machine.policy}/what-if", {"days": 3}).status == 404
