"""Things at once, in an order that is certain: the test holds rows that they need, so that they stand in line for them."""
import concurrent.futures
import random
import uuid
from contextlib import contextmanager

import psycopg2
from stack.process import wait_until
from web import database
from world import count

SECONDS = 60


@contextmanager
def held(server, sql, *args):
    """The superuser has done SQL, which takes rows, and keeps them until the block ends; its cursor. Committed then."""
    connection = psycopg2.connect(server.database.conninfo("postgres"))
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, args)
            yield cursor
        connection.commit()
    finally:
        connection.close()


@contextmanager
def standing(server, table, when):
    """Whoever writes a row of TABLE such as WHEN says (of old and new) stands still in the middle of it until the block ends, for the 15 seconds at
    most that a statement may take. Yields what tells whether somebody does."""
    name, number = "stand_" + uuid.uuid4().hex[:8], random.randrange(1 << 31)
    with database(server).cursor() as c:
        c.execute(f"create table {name} as select 1")
        c.execute(f"create function {name}() returns trigger language plpgsql security definer as $$ begin perform pg_advisory_xact_lock_shared({number});"
                  f" while exists (select 1 from {name}) loop perform pg_sleep(0.05); end loop; return new; end $$")
        c.execute(f"create trigger {name} before update on {table} for each row when ({when}) execute function {name}()")
    try:
        yield lambda: count(server, "select count(*) from pg_locks where locktype = 'advisory' and objid = %s", number)
    finally:
        with database(server).cursor() as c:
            c.execute(f"delete from {name}")
            c.execute(f"drop trigger {name} on {table}")
            c.execute(f"drop function {name}()")
            c.execute(f"drop table {name}")


class Line:
    """What stands in line: each begins when the one before it waits."""

    def __init__(self, server):
        self.it, self.pool, self.all = server, concurrent.futures.ThreadPoolExecutor(8), []

    def add(self, act, *args, waits=True, **kw):
        self.all.append(self.pool.submit(act, *args, **kw))
        if waits:
            number = len(self.all)
            wait_until(lambda: self.waiting() >= number or self.all[-1].done(), SECONDS, "nothing waits")
        return self.all[-1]

    def waiting(self):
        return count(self.it, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename in ('keyward_console', 'keyward_central')")

    def results(self):
        return [f.result(SECONDS) for f in self.all]


def patiently(send, *args, **kw):
    """The answer; sent again where it says that it waited too long for somebody else, as one would by hand: whoever holds a lock for longer than the five
    seconds that others wait for it may just not have had the processor."""
    for _ in range(5):
        answer = send(*args, **kw)
        if answer.status != 503:
            break
    return answer


def in_line(meanwhile):
    """What MEANWHILE makes and the answers to its Line, anew where one of them is that it waited too long: for a lock that is five seconds, and a busy machine
    may not have brought the next one into the line by then."""
    for _ in range(5):
        made, line = meanwhile()
        answers = line.results()
        if all(a.status != 503 for a in answers):
            break
    return made, answers
