"""Polls for keys that wait at the same time (src/agentapi/together.h): answered in one transaction, and each as if it had been alone."""
import contextlib
import threading
import time

from fixtures import fixture
from test_key_gates import Asker, approved
from test_requests import poisoned
from web import database
from world import World, count, run

SECONDS = 120


@fixture("file")
def worlds(server):
    return World(server), World(server)


@contextlib.contextmanager
def nobody_commits(server, tenant):
    """The end of TENANT's log is held, so that workers wait with what they are at and more comes in meanwhile."""
    with contextlib.closing(database(server)) as db:
        db.autocommit = False
        with db.cursor() as c:
            c.execute("select 1 from audit_head where tenant = %s for update", (str(tenant),))
        yield


def poll_all(server, tenant, polls):
    """The answers to POLLS (asker, request), which are all on their way before the first can be answered with a key of TENANT."""
    answers = [None] * len(polls)

    def poll(i, asker, request):
        answers[i] = asker.poll(request)

    threads = [threading.Thread(target=poll, args=(i, *p), daemon=True) for i, p in enumerate(polls)]
    with nobody_commits(server, tenant):
        for t in threads:
            t.start()
        end = time.monotonic() + SECONDS
        while not count(server, "select count(*) from pg_stat_activity where usename = 'keyward_agent' and wait_event_type = 'Lock'"):
            assert time.monotonic() < end, "nobody waits for the log"
            time.sleep(0.05)
        time.sleep(0.5)          # the others' requests are on their way
    for t in threads:
        t.join(SECONDS)
    return answers


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
    assert writers(server, [r for _, r in good]) < len(good), "each was written by itself"
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
