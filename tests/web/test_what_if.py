"""What-if (POL-7): a policy tried on former requests, through the console and jobd."""
import json
import uuid

from fixtures import fixture
from inventory import Machine
from stack.process import wait_until
from web import database
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
    rows = {r["id"]: r for r in document["list"]["rows"]}
    assert set(rows) == {bad, allowed}, rows
    assert rows[bad]["would"]["name"] == "Deny" and "8080" in rows[bad]["reason"], rows[bad]
    assert rows[allowed]["would"]["name"] == "Approve" and rows[allowed]["reason"] is None
    assert {i["count"] for i in document["changes"]["items"]} == {1}
    # A click on a kind of change shows just those; each leads to its request.
    one = c.api(document["changes"]["items"][0]["url"]).json["list"]["rows"]
    assert len(one) == 1 and c.get(one[0]["url"]).status == 200
    found = c.api(f"/what-if/{document['run']['id']}?search=nothing-like-this").json["list"]
    assert found["no_match"] and {r["id"] for r in c.api(f"/what-if/{document['run']['id']}?search={machine.name}&sort=device").json["list"]["rows"]} == set(rows)
    # Nothing was decided by it.
    assert count(server, "select count(*) from key_request where tenant = %s and status <> 'delivered'", world.tenant) == 0
    assert "8080" in c.get(f"/what-if/{document['run']['id']}").text


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
    assert count(server, "select count(*) from what_if_change where run = %s", document["run"]["id"]) == 200


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
