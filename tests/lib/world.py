"""A tenant with people in it on a running installation, and single questions to its database: what tests of the consoles begin with."""
import re

from web import Client, database, make_operator, make_tenant, make_user, operator


class World:
    """One tenant with an administrator, and an operator; clients that are signed in."""

    def __init__(self, server):
        self.it = server
        self.slug, self.tenant = make_tenant(server)
        self.user = make_user(server, self.tenant)
        self.operator = make_operator(server)

    def console(self, email=None):
        c = Client(self.it, "console")
        assert c.sign_in(email or self.user, account=self.slug).status == 303
        return c

    def central(self):
        return operator(self.it, email=self.operator)


def count(server, sql, *args):
    with database(server).cursor() as c:
        c.execute(sql, args)
        return c.fetchone()[0]


def run(server, sql, *args):
    with database(server).cursor() as c:
        c.execute(sql, args)


def normal(answer):
    """A page without what differs from one request to the next."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "ID", answer.text)
    return answer.status, re.sub(r"\d\d:\d\d:\d\d", "TIME", text)
