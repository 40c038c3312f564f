"""The connection to a tenant's Deep Security Manager: set, tested and asked through the console and jobd."""
import json
import uuid

from deepsec import KEY, Manager, computer
from fixtures import fixture
from inventory import Machine
from races import held
from stack.process import wait_until
from web import database
from world import World, count

PATIENCE = 120


@fixture("file")
def world(server):
    return World(server)


@fixture("test")
def manager(folder):
    with Manager(folder) as m:
        yield m


def fields(manager, **more):
    return {"enabled": "1", "url": manager.url, "api_key": KEY, "ca": manager.ca.read_text(), "keep_minutes": "5", **more}


def state(c):
    return c.api("/deep-security").json["state"]


def outcome(c):
    assert c.post("/deep-security/test").status == 303
    wait_until(lambda: state(c)["badge"]["name"] != "Testing", PATIENCE, "the test does not end")
    return state(c)


def test_set_and_test(server, world, manager):
    # covers: ADM-4, ADM-1
    c = world.console()
    assert state(c)["badge"]["name"] == "Off"
    assert c.post("/deep-security", **fields(manager)).status == 303
    assert outcome(c)["badge"]["name"] == "Works"
    assert manager.asked[-1][1]["api-secret-key"] == KEY
    # The key is not shown again, and an empty field keeps it.
    assert KEY not in c.get("/deep-security").text
    assert c.post("/deep-security", **fields(manager, api_key="", keep_minutes="10")).status == 303
    assert outcome(c)["badge"]["name"] == "Works"
    assert c.post("/deep-security", **fields(manager, api_key="2:other")).status == 303
    failed = outcome(c)
    assert failed["badge"]["name"] == "Failed" and "secret" in failed["text"], failed
    log = c.api("/log?search=deep-security").json
    text = json.dumps(log)
    assert len(log["list"]["rows"]) == 3 and KEY not in text and "secret_changed" in text, text
    assert not count(server, "select count(*) from deep_security where position(%s::bytea in api_key) > 0", KEY.encode())


def test_faults_stand_at_their_fields(server, world, manager):
    # covers: ADM-4, WEB-3
    c = world.console()
    for change, name in (({"url": "http://dsm"}, "url"), ({"url": ""}, "url"), ({"url": "https://u:p@dsm"}, "url"),
                         ({"ca": "no certificate"}, "ca"), ({"keep_minutes": "0"}, "keep_minutes"), ({"keep_minutes": "x"}, "keep_minutes")):
        answer = c.api("/deep-security", fields(manager, **change))
        assert answer.status == 422, (change, answer)
        page = c.post("/deep-security", **fields(manager, **change))
        assert page.status == 422 and f'id="e-{name}"' in page.text, (change, page)
    other = World(server).console()
    page = other.post("/deep-security", **fields(manager, api_key=""))
    assert page.status == 422 and 'id="e-api_key"' in page.text and manager.url in page.text, page
    assert other.post("/deep-security/test").status == 409


def test_a_key_goes_to_no_other_server(server, manager):
    # covers: ADM-4, SEC-1
    c = World(server).console()
    assert c.post("/deep-security", **fields(manager)).status == 303
    asked = len(manager.asked)
    elsewhere = manager.url + "/elsewhere"
    page = c.post("/deep-security", **fields(manager, url=elsewhere, api_key=""))
    assert page.status == 422 and 'id="e-api_key"' in page.text, page
    # Nor in two steps.
    assert c.post("/deep-security", **fields(manager, enabled="0", url=elsewhere, api_key="")).status == 303
    assert c.post("/deep-security", **fields(manager, url=elsewhere, api_key="")).status == 422
    assert c.api("/deep-security").json["connection"]["has_key"] is False
    assert len(manager.asked) == asked
    assert c.post("/deep-security", **fields(manager)).status == 303
    assert outcome(c)["badge"]["name"] == "Works"


def ask(world, machine):
    with database(world.it).cursor() as c:
        c.execute("insert into job (id, tenant, kind, payload) values (%s, %s, 'deep-security-ask', %s)",
                  (str(uuid.uuid4()), world.tenant, json.dumps({"instance": machine.instance})))


def answer(server, machine):
    with database(server).cursor() as c:
        c.execute("select facts, error from deep_security_answer where instance = %s", (machine.instance,))
        return c.fetchone()


def test_a_machine_is_asked_about(server, manager):
    # covers: ADM-4, RUL-16, RUL-24
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant, "dsm-box")
    manager.computers = [computer("dsm-box", firewall=("off", "inactive"))]
    assert c.post("/deep-security", **fields(manager)).status == 303
    ask(world, machine)
    wait_until(lambda: answer(server, machine), PATIENCE, "no answer is kept")
    facts, error = answer(server, machine)
    assert facts["deep_security.firewall"] == "off" and facts["deep_security.anti_malware"] == "on" and error is None
    # What cannot be known replaces what was known.
    manager.computers = []
    ask(world, machine)
    wait_until(lambda: answer(server, machine)[1], PATIENCE, "the former answer stays")
    facts, error = answer(server, machine)
    assert facts is None and "dsm-box" in error
    wait_until(lambda: state(c)["badge"]["name"] == "Failed", PATIENCE, "it is not shown")


RULE = [{"type": "deep_security.firewall", "conditions": [{"operator": "equals", "value": "on"}]}]


def waiting_request(machine):
    """A request whose policy asks for the manager's answer, as the agent service has left it."""
    id = machine.request()
    with database(machine.it).cursor() as c:
        c.execute("update policy set rules = %s, on_match = 'approve', on_mismatch = 'deny' where tenant = %s and id = %s",
                  (json.dumps(RULE), machine.tenant, machine.policy))
        c.execute("update key_request set facts = '{\"deep_security\": {\"waiting\": true}}' where id = %s", (id,))
    return id


def judged(server, request):
    return count(server, "select status || ' ' || integrity from key_request where id = %s", request)


def test_requests_wait_for_the_answer(server, manager):
    # covers: ADM-4, RUL-16, SEC-7
    for firewall, outcome, orders in (("on", "approved good", 1), ("off", "denied bad", 0)):
        world = World(server)
        c, machine = world.console(), Machine(server, world.tenant, "dsm-" + firewall)
        manager.computers = [computer("dsm-" + firewall, firewall=(firewall, "active" if firewall == "on" else "inactive"))]
        assert c.post("/deep-security", **fields(manager)).status == 303
        request = waiting_request(machine)
        ask(world, machine)
        wait_until(lambda: judged(server, request) == outcome, PATIENCE, f"not {outcome}: {judged(server, request)}")
        assert count(server, "select count(*) from agent_order where agent = %s and kind = 'request-key'", machine.agent) == orders


def test_one_that_is_in_hand_when_the_answer_comes_is_judged_after_that(server, manager):
    # covers: ADM-4, RUL-16, SEC-7
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant, "dsm-held")
    manager.computers = [computer("dsm-held")]
    assert c.post("/deep-security", **fields(manager)).status == 303
    request = waiting_request(machine)
    stands = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'keyward_jobs'"
    left = "select count(*) from job where tenant = %s and kind = 'deep-security-ask'"
    with held(server, "select 1 from key_request where id = %s for update", request):
        ask(world, machine)
        wait_until(lambda: answer(server, machine), PATIENCE, "no answer is kept")
        wait_until(lambda: count(server, stands) or not count(server, left, world.tenant), PATIENCE, "jobd does not come to it")
    wait_until(lambda: judged(server, request) == "approved good", PATIENCE, "it is left to wait for ever")


def test_switched_off_nobody_waits(server, manager):
    # covers: ADM-4, POL-4
    world = World(server)
    machine = Machine(server, world.tenant, "dsm-none")
    request = waiting_request(machine)
    ask(world, machine)
    # A policy all of whose rules are skipped is one without rules: a person decides.
    wait_until(lambda: count(server, "select facts->'deep_security'->>'off' from key_request where id = %s", request) == "true",
               PATIENCE, "still waiting")
    assert judged(server, request) == "pending unknown"


def test_an_answer_of_a_former_connection_is_worth_nothing(server, manager, folder):
    # covers: ADM-4, SEC-7
    world = World(server)
    c, machine = world.console(), Machine(server, world.tenant, "dsm-moved")
    (folder / "new").mkdir()
    with Manager(folder / "new") as new:
        new.computers = [computer("dsm-moved", firewall=("off", "inactive"))]
        moved = []

        def slow(handler):
            moved.append(c.post("/deep-security", **fields(new)).status)
            handler.reply(200, {"computers": [computer("dsm-moved")]})
        assert c.post("/deep-security", **fields(manager)).status == 303
        manager.special = slow
        ask(world, machine)
        wait_until(lambda: answer(server, machine), PATIENCE, "no answer is kept")
        assert moved == [303] and answer(server, machine)[0]["deep_security.firewall"] == "off"


def test_an_outcome_of_a_former_connection_is_none(server, manager):
    # covers: ADM-4
    world = World(server)
    c, asked = world.console(), []

    def changed(handler):
        asked.append(c.post("/deep-security", **fields(manager, keep_minutes="7")).status)
        handler.reply(200, {"computers": []})
    assert c.post("/deep-security", **fields(manager)).status == 303
    manager.special = changed
    left = "select count(*) from job where kind = 'deep-security-test' and tenant = %s"
    assert c.post("/deep-security/test").status == 303
    wait_until(lambda: asked and not count(server, left, world.tenant), PATIENCE, "the test does not end")
    assert asked == [303] and state(c)["badge"]["name"] == "Not tested", state(c)
