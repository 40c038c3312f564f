"""Heartbeats whose answer the server holds back until there is an order: by an agent of our own, with an installation of its own,
since parts of it are stopped and killed. One worker, so that all lines meet in it."""
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import uuid

from fixtures import fixture, installation
from stack.installation import SITES
from stack.process import wait_until
from test_agent_service import HEARTBEAT, Agent, make_agent
from test_key_gates import Asker
from web import Client, database, make_tenant, make_user

PATIENCE = 60        # seconds for what takes one, and less than the longest wait
LONG = 60
PLACES = 128         # connections that the worker takes; of one address more than a 32nd are many (kore_connection_make_room)
HEADER_SECONDS = 8


class World:
    def __init__(self, it):
        self.it = it
        self.slug, self.tenant = make_tenant(it)
        self.user = Client(it, "console")
        assert self.user.sign_in(make_user(it, self.tenant), account=self.slug).status == 303

    def agent(self, tenant=None):
        a = Agent(self.it, str(tenant or self.tenant), *make_agent(self.it, tenant or self.tenant)).connect()
        a.id = str(uuid.UUID(bytes=a.agent))
        return a

    def row(self, sql, *args):
        with database(self.it).cursor() as c:
            c.execute(sql, args)
            return c.fetchone()

    def run(self, sql, *args):
        with database(self.it).cursor() as c:
            c.execute(sql, args)

    def console(self):
        return self.user

    def order(self, agent):
        """By a person in the console: "check now"."""
        instance = self.row("select instance from agent where id = %s", agent.id)[0]
        answer = self.user.api(f"/instances/{instance}/check", {})
        assert answer.status in (200, 201, 204, 303), answer

    def worker(self):
        p = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.it.processes["web"].pid)], stdout=subprocess.PIPE, text=True)
        return next((int(line.split()[0]) for line in p.stdout.splitlines() if "[wrk" in line), None)


class Line(threading.Thread):
    """A heartbeat under way; .answer when it has come, .error when the line broke."""

    def __init__(self, world, agent, wait=LONG, **more):
        super().__init__(daemon=True)
        self.agent, self.answer, self.error = agent, None, None
        self.frame = agent.record({**HEARTBEAT, "wait_s": wait, **more})
        before = world.row("select count(*) from heartbeat where agent = %s", agent.id)[0]
        self.start()
        # It is written a moment after it came: then it has been looked at, and is held or answered.
        wait_until(lambda: not self.is_alive() or
                   world.row("select count(*) from heartbeat where agent = %s", agent.id)[0] > before, PATIENCE, "no heartbeat came")

    def run(self):
        try:
            answer = self.agent.post(self.frame)
            self.header, self.answer = answer.header("connection"), self.agent.open(answer.body)
        except OSError as e:
            self.error = e

    def ended(self):
        self.join(PATIENCE)
        assert not self.is_alive(), "still held"
        assert self.answer is not None, self.error
        return self.answer


@fixture("file")
def world():
    with installation("held", workers=1) as it:
        # So that a test need not open thousands of connections, nor wait long for what takes too long.
        conf = it.state / "etc" / "kore.conf"
        text = conf.read_text()
        for name, value in (("worker_max_connections", PLACES), ("http_header_timeout", HEADER_SECONDS)):
            text = re.sub(rf"(?m)^{name} .*$", f"{name} {value}", text)
        conf.write_text(text)
        it.restart("web")
        yield World(it)


def kinds(answer):
    return [o["kind"] for o in answer.get("orders", [])]


def test_an_order_ends_the_wait_of_its_agent_alone(world):
    # covers: INT-3, AGT-5
    one, other = world.agent(), world.agent()
    lines = Line(world, one), Line(world, other)
    assert lines[0].is_alive() and lines[1].is_alive()
    world.order(one)
    answer = lines[0].ended()
    assert kinds(answer) == ["check"] and answer["held"] and answer["poll"], answer
    assert lines[1].is_alive(), lines[1].answer
    # Asked again without having done it, or after a lost answer: at once again. With it under way: held until the next one.
    order = answer["orders"][0]["id"]
    assert kinds(Line(world, one).ended()) == ["check"]
    line = Line(world, one, begun=[{"order": order}])
    assert line.is_alive(), line.answer
    world.order(other)
    assert kinds(lines[1].ended()) == ["check"] and line.is_alive()


def test_keys_are_taken_back_from_a_suspended_account(world):
    # covers: TEN-7, INT-3
    tenant = make_tenant(world.it)[1]
    a = world.agent(tenant)
    line = Line(world, a)
    with database(world.it).cursor() as c:
        c.execute("update tenant set state = 'suspended' where id = %s", (tenant,))
        assert line.is_alive()
        c.execute("insert into agent_order (tenant, id, agent, kind) values (%s, gen_random_uuid(), %s, 'revoke');"
                  " select pg_notify('keyward_order', %s)", (tenant, a.id, a.id))
    assert kinds(line.ended()) == ["revoke"]


class Waiter(Asker):
    """An agent with a request that nobody has decided, and its heartbeats."""

    def __init__(self, world):
        super().__init__(world)
        self.agent.id = self.id
        answer = self.ask()
        assert answer["status"] == "pending", answer
        self.request = answer["request"]

    def line(self, pending=True):
        """PENDING: what it has heard of its request last."""
        return Line(self.world, self.agent, volumes=[{"device": self.device, "status": "waiting", "request": self.request, "pending": pending}])

    def is_held(self, **more):
        """Only an order ends it: what is answered at once, or because of a decision, brings none."""
        line = self.line(**more)
        self.world.order(self.agent)
        answer = line.ended()
        assert kinds(answer) == ["check"], answer
        done = Line(self.world, self.agent, wait=0, results=[{"order": o["id"], "done": True} for o in answer["orders"]]).ended()
        assert kinds(done) == [] and "poll" not in done, done

    def decide(self, decision):
        assert self.world.user.api(f"/requests/{self.request}/decision", {"decision": decision}).status == 200

    def is_told(self, line):
        answer = line.ended()
        assert answer.get("poll") and answer["held"], answer


def test_what_was_decided_before_a_line_is_held_is_not_missed(world):
    # covers: AGT-5, RUN-2
    waiter = Waiter(world)
    waiter.is_held()
    line = waiter.line()
    waiter.decide("deny")
    waiter.is_told(line)
    # The one worker has heard of the denial, and nothing will be said again. An agent that had asked before, and comes only now, learns it.
    waiter.is_told(waiter.line())
    assert waiter.poll(waiter.request)["status"] == "denied"
    waiter.is_held(pending=False)
    # The same beside an order, with which the answer leaves at once, and where no line is wished.
    world.order(waiter.agent)
    answer = waiter.line().ended()
    assert kinds(answer) == ["check"] and answer["poll"], answer
    # Over, somebody else's, or none at all.
    other = Waiter(world)
    answer = Line(world, other.agent, wait=0, volumes=[{"device": other.device, "status": "waiting", "request": waiter.request, "pending": True}]).ended()
    assert answer["poll"], answer
    world.run("update key_request set closed = now() where id = %s", other.request)
    other.is_told(other.line())
    assert other.poll(other.request)["code"] == "not-found"


def test_a_denial_by_the_policy_reaches_a_held_line(world):
    # covers: AGT-5, POL-4
    waiter = Waiter(world)
    line = waiter.line()
    rules = [{"type": "os.system", "conditions": [{"operator": "equals", "value": "windows"}]}]
    world.run("update policy set rules = %s, on_mismatch = 'deny', version = version + 1 where tenant = %s and is_default", json.dumps(rules), world.tenant)
    assert world.user.post(f"/requests/{waiter.request}/evaluate").status == 303
    waiter.is_told(line)
    assert waiter.poll(waiter.request)["status"] == "denied"
    world.run("update policy set rules = '[]', on_mismatch = 'manual', version = version + 1 where tenant = %s and is_default", world.tenant)


def test_a_wait_that_is_over_is_answered_without_orders(world):
    # covers: AGT-5
    answer = Line(world, world.agent(), wait=1).ended()
    assert answer["held"] and answer["next_s"] > 0 and "poll" not in answer and kinds(answer) == [], answer
    assert "held" not in Line(world, world.agent(), wait=0).ended()


def test_a_newer_heartbeat_ends_the_older(world):
    # covers: AGT-5, SEC-5
    a = world.agent()
    lines = [Line(world, a) for _ in range(20)]
    for line in lines[:-1]:
        assert "held" not in line.ended()
    assert lines[-1].is_alive()
    world.order(a)
    assert kinds(lines[-1].ended()) == ["check"]


def test_other_messages_go_on_beside_a_held_one(world):
    # covers: AGT-5
    a = world.agent()
    line = Line(world, a)
    assert a.say(type="provisioning")["type"] == "provisioning"
    assert a.say(type="report", reason="schedule", facts={"os": {"system": "linux"}})["type"] == "report"
    assert line.is_alive()
    world.order(a)
    assert kinds(line.ended()) == ["check"]


def test_a_check_that_is_wanted_after_the_answer_is_ordered(world):
    # covers: INT-2, AGT-5
    a = world.agent()
    world.order(a)
    first, = Line(world, a).ended()["orders"]
    said = a.say(type="report", reason="order", order=first["id"], facts={"os": {"system": "linux"}})
    assert said["type"] == "report", said
    # What tells that it is done has yet to come.
    world.order(a)
    second, = Line(world, a, results=[{"order": first["id"], "done": True}]).ended()["orders"]
    assert second["kind"] == "check" and second["id"] != first["id"], (first, second)
    assert world.row("select done from agent_order where id = %s", first["id"]) == (True,)
    line = Line(world, a, results=[{"order": second["id"], "done": True}])
    assert line.is_alive(), line.answer


def test_a_client_that_goes_away_is_forgotten(world):
    # covers: AGT-5
    a = world.agent()
    frame = a.record({**HEARTBEAT, "wait_s": LONG})
    s = world.it.tls_context().wrap_socket(socket.create_connection(("127.0.0.1", world.it.port)), server_hostname=SITES["agents"])
    s.sendall((f"POST /agent/v1 HTTP/1.1\r\nHost: {SITES['agents']}:{world.it.port}\r\nContent-Type: application/octet-stream\r\n"
               f"Content-Length: {len(frame)}\r\n\r\n").encode() + frame)
    wait_until(lambda: world.row("select count(*) from heartbeat where agent = %s", a.id)[0] == 1, PATIENCE, "no heartbeat came")
    s.close()
    world.order(a)
    assert kinds(Line(world, a).ended()) == ["check"]


GET = f"GET /healthz HTTP/1.1\r\nHost: {SITES['agents']}\r\n\r\n".encode()


def connected(world, source="127.0.0.1"):
    plain = socket.create_connection(("127.0.0.1", world.it.port), PATIENCE, (source, 0))
    return world.it.tls_context().wrap_socket(plain, server_hostname=SITES["agents"])


def asked(s):
    """Whether S is open still: it is asked something."""
    try:
        s.sendall(GET)
        return b" 200 " in s.recv(65536)
    except OSError:
        return False


class Trickle(threading.Thread):
    """A handshake that is begun and comes byte by byte, for longer than one may take; .over: the server has ended it."""

    def __init__(self, world):
        super().__init__(daemon=True)
        out = ssl.MemoryBIO()
        try:
            world.it.tls_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=SITES["agents"]).do_handshake()
        except ssl.SSLWantReadError:
            self.hello = out.read()
        self.plain, self.over = socket.create_connection(("127.0.0.1", world.it.port), PATIENCE), False
        self.start()

    def run(self):
        with self.plain:
            self.plain.settimeout(1)
            for byte in self.hello[:PATIENCE]:
                try:
                    self.plain.sendall(bytes([byte]))
                    self.over = self.plain.recv(1) == b""
                except TimeoutError:
                    continue
                except OSError:
                    self.over = True
                if self.over:
                    return


def test_a_kept_connection_may_rest_but_a_request_may_not_dawdle(world):
    # covers: AGT-5, SEC-5
    resting, slow, trickle = connected(world), connected(world), Trickle(world)
    assert asked(resting) and asked(slow)
    slow.sendall(GET[:20])
    slow.settimeout(PATIENCE)
    assert b" 408 " in slow.recv(65536)              # after http_header_timeout
    time.sleep(3)
    assert asked(resting)
    trickle.join()
    assert trickle.over, "a handshake goes on for ever"


def test_one_address_keeps_nobody_out(world):
    # covers: SEC-5, OPS-3
    a, crowd = world.agent(), []
    line, others = Line(world, a), [connected(world, f"127.0.77.{n}") for n in (1, 1, 2, 2)]
    assert all(asked(s) for s in others)
    try:
        for i in range(2 * PLACES):
            crowd.append(connected(world, "127.0.88.1"))
            assert asked(crowd[-1]), i
        # Whoever comes from elsewhere gets in; who was there, and what waits for the server, stays.
        assert world.console().get("/").status == 200
        assert all(asked(s) for s in others) and line.is_alive()
        assert PLACES // 2 < sum(asked(s) for s in crowd) < PLACES
        world.order(a)
        assert kinds(line.ended()) == ["check"]
    finally:
        for s in crowd + others:
            s.close()


def test_without_the_database_held_lines_are_answered_without_orders(world):
    # covers: AGT-5, OPS-3
    a = world.agent()
    line = Line(world, a)
    world.it.stop("database")
    try:
        answer = line.ended()
        assert "held" not in answer and kinds(answer) == [] and answer["next_s"] > 0, answer
        refusal = a.say(**HEARTBEAT, wait_s=LONG)
        assert refusal["type"] == "refusal" and refusal["retry_after_s"] > 0, refusal
    finally:
        world.it.start("database")

    def held_again():
        line = Line(world, a)
        if not line.is_alive():
            return False
        world.order(a)
        return kinds(line.ended()) == ["check"]

    wait_until(held_again, PATIENCE, "lines are not held any more")


def test_lines_of_a_killed_worker_break_and_its_successor_holds_them(world):
    # covers: AGT-5, OPS-3
    a = world.agent()
    line, victim = Line(world, a), world.worker()
    os.kill(victim, signal.SIGKILL)
    line.join(PATIENCE)
    assert not line.is_alive() and line.error is not None, line.answer
    wait_until(lambda: world.worker() not in (None, victim), PATIENCE, "no successor")
    line = Line(world, a)                            # in the same session: workers share them
    assert line.is_alive(), line.answer
    world.order(a)
    assert kinds(line.ended()) == ["check"]


def test_a_server_that_stops_sends_its_agents_away(world):
    # covers: AGT-5, OPS-3
    a = world.agent()
    line = Line(world, a)
    world.it.stop("web")
    try:
        answer = line.ended()
        assert "held" not in answer and answer["next_s"] > 0, answer
    finally:
        world.it.start("web")
