"""Orders to agents from an instance's page, and their history, against a running installation whose machines stand in the database."""
from fixtures import fixture
from inventory import Machine
from web import make_user
from world import World, count, run

OPEN = "select array_agg(kind || ' ' || argument order by id) from agent_order where agent = %s and finished is null"


@fixture("file")
def world(server):
    return World(server)


@fixture("test")
def machine(server, world):
    return Machine(server, world.tenant, "orders-db-9")


def answer(server, machine, kind, done=True, detail=""):
    """What the agent service writes when the agent has got the order and answered it."""
    run(server, "update agent_order set taken = now(), finished = now(), done = %s, detail = %s where agent = %s and kind = %s"
        " and due is null and finished is null", done, detail, machine.agent, kind)


def rows(c, m, query=""):
    return c.api(f"/instances/{m.instance}/orders{query}").json["list"]["rows"]


def test_the_inventory_is_published_again(server, world, machine):
    # covers: RUN-6, DEV-7, LOG-2
    c = world.console()
    assert c.api(f"/instances/{machine.instance}/orders").json["list"]["empty"]
    assert "No orders" in c.get(f"/instances/{machine.instance}/orders").text
    for _ in range(2):
        assert c.post(f"/instances/{machine.instance}/inventory").status == 303
    order, = rows(c, machine)
    assert (order["kind"], order["result"], order["by"]) == ("inventory", "waiting", world.user)
    answer(server, machine, "inventory")
    order, = rows(c, machine)
    assert order["result"] == "done" and order["finished"] and order["state"]["name"] == "Done"
    assert count(server, "select array_agg(object_name) from audit_entry where event = 'agent.ordered' and object_id = %s", machine.agent) == ["orders-db-9"]


def test_what_an_agent_has_already_been_given_is_ordered_again(server, world, machine):
    # covers: AGT-5, DEV-3, RUN-6
    # It may have looked before there was what it is to look for; while it has not been told, once is enough.
    c, path = world.console(), f"/instances/{machine.instance}/inventory"
    taken = "update agent_order set taken = now() where agent = %s and finished is null"
    for _ in range(2):
        assert c.post(path).status == 303
    run(server, taken, machine.agent)
    for _ in range(2):
        assert c.post(path).status == 303
    assert [r["result"] for r in rows(c, machine)].count("waiting") == 1 and len(rows(c, machine)) == 2
    # What ends in the state that is asked for is not begun twice.
    path = f"/instances/{machine.instance}/check"
    assert c.post(path).status == 303
    run(server, taken, machine.agent)
    assert c.post(path).status == 303
    assert [r["kind"] for r in rows(c, machine)].count("check") == 1


def test_a_log_level_holds_for_a_time(server, world, machine):
    # covers: AGT-8
    c, path = world.console(), f"/instances/{machine.instance}/log-level"
    assert c.post(path, level="debug", hours="4").status == 303
    assert count(server, OPEN, machine.agent) == ["log-level debug", "log-level info"]
    assert count(server, "select due between now() + interval '3 hours 50 minutes' and now() + interval '4 hours' from agent_order"
                 " where agent = %s and argument = 'info'", machine.agent)
    answer(server, machine, "log-level")
    run(server, "update agent set log_level = 'debug' where id = %s", machine.agent)
    agent = c.api(f"/instances/{machine.instance}/orders").json["agent"]
    assert (agent["log_level"], agent["then"]) == ("debug", "info") and agent["until"]["relative"] == "in 3 hours"
    # Once more, and for ever: what it goes back to is not what it was told last.
    assert c.post(path, level="debug", hours="1").status == 303
    assert count(server, OPEN, machine.agent) == ["log-level debug", "log-level info"]
    assert c.post(path, level="warning", hours="0").status == 303
    assert count(server, OPEN, machine.agent) == ["log-level warning"]
    assert sorted(r["result"] for r in rows(c, machine)) == ["done", "waiting", "withdrawn", "withdrawn", "withdrawn"]
    wrong = c.post(path, level="loud", hours="1")
    assert wrong.status == 422 and 'id="e-level"' in wrong.text


def test_settings_within_limits(server, world, machine):
    # covers: RUN-6, WEB-3
    c, path = world.console(), f"/instances/{machine.instance}/settings"
    nothing = c.post(path, heartbeat="", script_seconds="", stop_seconds="")
    assert nothing.status == 422 and "at least one" in nothing.text
    wrong = c.post(path, heartbeat="3600", script_seconds="90", stop_seconds="")
    assert wrong.status == 422 and 'id="e-heartbeat"' in wrong.text and 'value="3600"' in wrong.text and 'value="90"' in wrong.text
    assert count(server, OPEN, machine.agent) is None
    assert c.post(path, heartbeat="20", script_seconds="90", stop_seconds="").status == 303
    assert count(server, OPEN, machine.agent) == ["configure heartbeat=20", "configure script_seconds=90"]
    answer(server, machine, "configure", False, "this setting cannot be changed by the server")
    assert {r["result"] for r in rows(c, machine, "?show=failed")} == {"failed"} and not rows(c, machine, "?show=open")
    assert "this setting cannot be changed by the server" in c.get(f"/instances/{machine.instance}/orders").text
    # The last value is the one that stays, also when it is the one that was ordered first and still waits.
    for seconds in ("20", "30", "20"):
        assert c.post(path, heartbeat=seconds, script_seconds="90", stop_seconds="").status == 303
    assert sorted(count(server, OPEN, machine.agent)) == ["configure heartbeat=20", "configure script_seconds=90"]


def test_who_may_and_an_instance_without_agent(server, world, machine):
    # covers: ROL-4, RUN-6, TEN-4
    reader = world.console(make_user(server, world.tenant, "auditor"))
    page = reader.get(f"/instances/{machine.instance}/orders")
    assert page.status == 200 and "<form method=\"post\" action=\"/instances" not in page.text
    for act in ("inventory", "log-level", "settings"):
        assert reader.post(f"/instances/{machine.instance}/{act}", level="debug", hours="1", heartbeat="5").status == 403
    other = World(server).console()
    assert other.get(f"/instances/{machine.instance}/orders").status == 404
    assert other.post(f"/instances/{machine.instance}/inventory").status == 404
    run(server, "insert into agent_order (tenant, id, agent, kind) values (%s, gen_random_uuid(), %s, 'check')", world.tenant, machine.agent)
    run(server, "update agent set state = 'removed' where id = %s", machine.agent)
    c = world.console()
    refused = c.post(f"/instances/{machine.instance}/inventory")
    assert refused.status == 409 and "No agent answers" in refused.text
    order, = rows(c, machine)
    assert order["result"] == "void" and "No agent answers" in c.get(f"/instances/{machine.instance}/orders").text


def test_an_agent_that_checks_no_certificates_is_marked(server, world, machine):
    # covers: AGT-1, RUN-1
    machine.request("pending")
    c = world.console()
    row = next(r for r in c.api("/instances").json["list"]["rows"] if r["instance"]["name"] == machine.name)
    assert row["insecure"] is False
    run(server, "update agent set insecure_tls = true where id = %s", machine.agent)
    row = next(r for r in c.api("/instances?search=orders-db-9").json["list"]["rows"] if r["insecure"])
    for path in (f"/instances?instance={machine.instance}", row["url"]):
        assert "TLS not checked" in c.get(path).text, path
    assert "does not check certificates" in c.get(f"/instances/{machine.instance}").text
    run(server, "update agent set insecure_tls = false where id = %s", machine.agent)
    assert "TLS not checked" not in c.get(f"/instances?instance={machine.instance}").text
