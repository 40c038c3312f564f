"""Polls for keys that wait at the same time (src/agentapi/together.h): answered in one transaction, and each as if it had been alone."""
import contextlib
import os
import pathlib
import socket
import sys

from fixtures import fixture
from races import standing
from stack.process import wait_until
from test_key_gates import Asker, approved
from test_requests import poisoned
from web import Client, database
from world import World, count, run

SECONDS = 120


@fixture("file")
def worlds(server):
    return World(server), World(server)


def name(c):
    """Of a connection's own end, as the kernel's table writes it."""
    address, port = c.sock.getsockname()
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"


def ends(server):
    """The server's ends of its connections, by the name of the other end: which socket, and how much has come that nobody has read."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {r[2]: (f"socket:[{r[9]}]", int(r[4].split(":")[1], 16)) for r in rows if int(r[1].split(":")[1], 16) == server.port}


def held_by(pid):
    """What is open in a process."""
    found = set()
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):       # closed meanwhile
            found.add(os.readlink(fd))
    return found


@contextlib.contextmanager
def lines(server, number):
    """NUMBER connections to the same worker, each of which has been used: a worker that stands still shakes no hands, but what comes on these waits for it."""
    web, agents = server.processes["web"].pid, Client(server, "agents")
    made = [agents.connection(SECONDS) for _ in range(number * server.workers)]
    try:
        for c in made:
            c.request("GET", "/healthz")
            assert c.getresponse().read()
        known = {}
        wait_until(lambda: known.update(ends(server)) or all(name(c) in known for c in made), SECONDS, "the kernel does not know all connections")
        for worker in pathlib.Path(f"/proc/{web}/task/{web}/children").read_text().split():
            its = held_by(worker)
            own = [c for c in made if known[name(c)][0] in its]
            if len(own) >= number:
                break
        yield own[:number]
    finally:
        for c in made:
            c.close()


def poll_all(server, tenant, polls):
    """The answers to POLLS (asker, request): while a worker stands still with the first one, a key of TENANT, all others come to it."""
    with lines(server, len(polls)) as connections:
        def send(c, asker, request):
            c.request("POST", "/agent/v1", asker.agent.record({"type": "key_poll", "request": request}), {"Content-Type": "application/octet-stream"})

        def answer(c, asker):
            answer = asker.agent.read(c.getresponse().read())
            return answer if isinstance(answer, str) else asker.agent.open(answer)

        def all_there():
            known = ends(server)
            return all(known.get(name(c), (None, 0))[1] for c in connections[1:])

        # Nobody writes into the end of the tenant's log, so that the worker waits with what it is at and more comes in meanwhile.
        with standing(server, "audit_head", f"old.tenant = '{tenant}'"):
            send(connections[0], *polls[0])
            wait_until(lambda: count(server, "select count(*) from pg_locks l join pg_stat_activity a on a.pid = l.pid where l.locktype = 'advisory'"
                                             " and a.usename = 'keyward_agent'"), SECONDS, "nobody waits for the log")
            for c, p in zip(connections[1:], polls[1:]):
                send(c, *p)
            wait_until(all_there, SECONDS, "what was sent has not come, or was read by a worker that does not wait")
        return [answer(c, asker) for c, (asker, _) in zip(connections, polls)]


def writers(server, requests):
    """The transactions that wrote these requests last."""
    with database(server).cursor() as c:
        c.execute("select count(distinct xmin::text) from key_request where id = any(%s::uuid[]) and status = 'delivered'", (requests,))
        return c.fetchone()[0]


def logged(server, request):
    return count(server, "select count(*) from audit_entry where object_id = %s and event = 'key.delivered'", request)


def test_each_gets_what_is_its_own(server, worlds):
    # covers: KEY-4, TEN-4, RUN-2, LOG-3, SEC-7
    one, two = worlds
    ours, theirs = [Asker(one) for _ in range(8)], [Asker(two) for _ in range(2)]
    good = [(a, approved(a)) for a in (*ours, *theirs)]
    waits = Asker(two)
    pending = waits.ask()["request"]
    removed, stranger = Asker(two), Asker(two)
    gone = approved(removed)
    run(server, "update agent set state = 'removed' where id = %s", removed.id)
    odd = [(waits, pending), (removed, gone), (stranger, good[0][1])]
    answers = poll_all(server, one.tenant, [good[0], *odd, *good[1:]])
    assert [a["type"] for a in answers[1:4]] == ["key_poll", "refusal", "refusal"], answers[1:4]
    assert answers[1]["status"] == "pending" and not answers[1].get("sealed")
    assert (answers[2]["code"], answers[3]["code"]) == ("forbidden", "not-found")
    keys = [answers[0], *answers[4:]]
    assert all(a["status"] == "delivered" and a["sealed"] for a in keys) and len({a["sealed"] for a in keys}) == len(keys)
    assert [a["device"] for a in keys] == [a.device for a, _ in good]
    assert [logged(server, r) for _, r in good] == [1] * len(good)
    assert count(server, "select status from key_request where id = %s", gone) == "approved"
    assert writers(server, [r for _, r in good]) == 2, "the others were not written together"
    # Another's of the same account is not its own either; the same key again is logged again.
    assert ours[0].poll(good[1][1])["code"] == "not-found"
    assert ours[0].poll(good[0][1])["sealed"] and logged(server, good[0][1]) == 2
    server.keyward("audit", "verify")


def test_one_that_fails_harms_no_other(server, worlds):
    # covers: KEY-4, SEC-7, LOG-3
    one, two = worlds
    askers = [Asker(w) for w in (one, one, one, one, one, two)]
    polls = [(a, approved(a)) for a in askers]
    with poisoned(server, f"OLD.id = '{polls[2][1]}'"):
        answers = poll_all(server, one.tenant, polls)
    assert answers[2]["type"] == "refusal" and not answers[2].get("sealed"), answers[2]
    assert all(a.get("sealed") for i, a in enumerate(answers) if i != 2), answers
    assert [logged(server, r) for _, r in polls] == [1, 1, 0, 1, 1, 1]
    assert askers[2].poll(polls[2][1])["sealed"]
