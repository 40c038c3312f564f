"""Things at once, in an order that is certain: the test holds rows that they need, so that they stand in line for them."""
import concurrent.futures
from contextlib import contextmanager

import psycopg2
from stack.process import wait_until
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
