"""Pages beside slow pages: what a worker with four threads does when queries wait. With an installation of its own, which has but
that one worker."""
import threading

from fixtures import fixture, installation
from stack.process import wait_until
from web import database
from world import World

THREADS = 4
WAITING = 16 * THREADS       # PAGES_PER_THREAD in src/kore/module.c
ROUNDS = 12
PATIENCE = 60


@fixture("file")
def world():
    with installation("threads", workers=1, settings={"web.threads": str(THREADS)}) as it:
        yield World(it)


class Slow(threading.Thread):
    """Pages of the log, COUNT at once, whose table somebody holds locked: each waits, up to the limit for locks."""

    def __init__(self, world, client):
        super().__init__(daemon=True)
        self.world, self.client, self.answer = world, client, None
        self.start()

    def run(self):
        self.answer = self.client.get("/log", timeout=PATIENCE)


class Lock:
    def __init__(self, world):
        self.connection = database(world.it)

    def __enter__(self):
        self.connection.autocommit = False
        self.connection.cursor().execute("lock table audit_entry in access exclusive mode")

    def __exit__(self, *what):
        self.connection.close()


def waiting(world, role="%"):
    with database(world.it).cursor() as c:
        c.execute("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename like %s", (role,))
        return c.fetchone()[0]


def test_a_page_waits_for_no_slow_one_while_a_thread_is_free(world):
    # covers: PERF-1, WEB-1
    c, done = world.console(), 0
    for _ in range(ROUNDS):
        with Lock(world):
            slow = Slow(world, c)
            wait_until(lambda: waiting(world) > 0 or not slow.is_alive(), PATIENCE, "the slow page does not wait")
            for done in range(8):
                assert c.get("/sessions").status == 200
                if not slow.is_alive():
                    break
            else:
                break            # all of them came before it
        slow.join(PATIENCE)
    else:
        raise AssertionError(f"after {done} short pages the slow one was over, in each of {ROUNDS} rounds")
    slow.join(PATIENCE)
    assert slow.answer is not None


def test_one_account_leaves_room_for_the_others(world):
    # covers: SEC-5, PERF-1, TEN-4
    c, other, central, log = world.console(), World(world.it).console(), world.central(), world.it.state / "log" / "web.log"
    with Lock(world):
        slow = [Slow(world, c) for _ in range(THREADS + WAITING)]
        # It has no more than half of the places that wait, and one thread is at none of its pages.
        wait_until(lambda: "too many pages wait" in log.read_text(), PATIENCE, "none was refused")
        wait_until(lambda: waiting(world, "keyward_console") == THREADS - 1, PATIENCE, "it has all threads, or too few")
        assert other.get("/sessions").status == central.get("/sessions").status == 200
        assert waiting(world, "keyward_console") < THREADS and any(s.is_alive() for s in slow)
    for s in slow:
        s.join(PATIENCE)
    answers = [s.answer.status for s in slow]
    assert set(answers) <= {200, 503} and 503 in answers, answers
    assert c.get("/sessions").status == 200


def test_too_many_pages_are_refused_and_the_rest_served(world):
    # covers: SEC-5, WEB-1
    c, log = world.console(), world.it.state / "log" / "web.log"
    with Lock(world):
        slow = [Slow(world, c) for _ in range(THREADS + WAITING + 8)]
        wait_until(lambda: "too many pages wait" in log.read_text(), PATIENCE, "none was refused")
        refused = c.api("/sessions")
        if refused.status == 503:        # it is still as crowded
            assert refused.json["code"] == "busy" and refused.header("retry-after"), refused
        assert world.it.alive("web")
    for s in slow:
        s.join(PATIENCE)
    answers = [s.answer.status for s in slow]
    assert set(answers) <= {200, 503} and answers.count(503) >= 8 and 200 in answers, answers
    assert c.get("/sessions").status == 200
    # Whose client has gone is no trouble to the others.
    with Lock(world):
        try:
            c.get("/log", timeout=1)
            raise AssertionError("the page did not wait")
        except TimeoutError:
            pass
    assert c.get("/log").status == 200
