"""Every route of both consoles with every role, without a session, and with another tenant's ids: the table is the test plan."""
import html
import pathlib
import re
import threading
import uuid

from destroying import CENTRAL, CONSOLE, Site
from fixtures import fixture, installation
from races import patiently
from web import Client, database, make_operator, make_tenant, make_user

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROLES = ("account-administrator", "security-administrator", "data-analyst", "auditor", "key-approver")
OPERATOR_ROLES = ("msp-administrator", "tenant-manager", "system-operator", "auditor")


def permissions():
    """Who holds what, as the header that the server is compiled from says it: {(site, permission): roles}."""
    text, out = (ROOT / "src" / "identity" / "permission.h").read_text(), {}
    for name, flags in re.findall(r'^\tX\([A-Z_]+, "([a-z.-]+)", "[^"]*",\s*([01, ]+)\)', text, re.M):
        flags = [f == "1" for f in flags.replace(" ", "").split(",")]
        roles, site = (ROLES, "console") if len(flags) == 5 else (OPERATOR_ROLES, "central")
        out[site, name] = {r for r, f in zip(roles, flags) if f}
    return out


def value_of(param, id):
    """Something well-formed, so that the handler runs."""
    return {"text": "walk", "lines": "walk", "email": "walk@tenant.example", "password": "Walking-horse-7", "secret": "walk", "certificates": "", "uuid": id, "int": 1,
            "bool": True, "time": "2026-11-21T00:00:00Z", "enum": (param.get("choices") or [None])[0], "uuids": [id], "json": {},
            "texts": ["walk"], "fields": {}}[param["type"]]


def call(client, row, id):
    """The row as JSON with ID wherever an id can be."""
    path = re.sub(r"{[a-z_]+}", id, row["path"])
    if row["method"] == "GET":
        return client.api(path)
    in_path = re.findall(r"{([a-z_]+)}", row["path"])
    return client.api(path, {p["name"]: value_of(p, id) for p in row["params"] if p["name"] not in in_path})


def takes_id(row):
    """Whether call() has a place for one."""
    return "{" in row["path"] or (row["method"] != "GET" and any(p["type"] in ("uuid", "uuids") for p in row["params"]))


def routes(client):
    # Signing out is last: it ends the walk.
    rows = [r for r in client.api("/routes").json["routes"] if r["api"] and r["path"] not in ("/sign-out", "/password")]
    assert len(rows) > 5
    return rows


def walk_roles(client, site, role, held):
    seen = set()
    for row in routes(client):
        a = call(client, row, str(uuid.uuid4()))
        allowed = row["permission"] in ("public", "signed-in") or role in held[site, row["permission"]]
        denied = a.status == 403 and a.json["code"] == "forbidden"
        assert denied != allowed or row["permission"] == "public", (role, row["method"], row["path"], a)
        assert a.status < 500, (role, row["method"], row["path"], a)
        if not allowed:
            page = client.get(re.sub(r"{[a-z_]+}", str(uuid.uuid4()), row["path"])) if row["method"] == "GET" and row["page"] else None
            assert page is None or page.status == 403, (role, row["path"], page)
        seen.add(allowed)
    return seen


def test_every_route_with_every_role_of_a_tenant(server):
    # covers: ROL-1, ROL-2, ROL-3, ROL-4, ROL-5, ROL-6
    held, seen = permissions(), set()
    for role in ROLES:
        slug, tenant = make_tenant(server)
        c = Client(server, "console", keeps=True)
        assert c.sign_in(make_user(server, tenant, role), account=slug).status == 303
        seen |= walk_roles(c, "console", role, held)
    assert seen == {True, False}


@fixture("file")
def apart():
    """For operators that walk: they change what holds for all accounts, such as the trial that a new one begins with."""
    with installation("walk") as it:
        yield it


def test_every_route_with_every_role_of_the_operator(apart):
    # covers: ROL-6, ROL-7
    held, seen = permissions(), set()
    for role in OPERATOR_ROLES:
        c = Client(apart, "central", keeps=True)
        assert c.sign_in(make_operator(apart, role)).status == 303
        seen |= walk_roles(c, "central", role, held)
    assert True in seen


def test_every_route_without_a_session(server):
    # covers: TEN-2, IDN-6
    slug, tenant = make_tenant(server)
    for site, email, account in (("console", make_user(server, tenant), slug), ("central", make_operator(server), None)):
        known, nobody = Client(server, site), Client(server, site, keeps=True)
        assert known.sign_in(email, account=account).status == 303
        for row in routes(known):
            if row["permission"] == "public":
                continue
            nobody.cookies.clear()
            a = call(nobody, row, str(uuid.uuid4()))
            assert a.status == 401, (site, row["path"], a)
            if row["page"] and row["method"] == "GET":
                nobody.cookies.clear()
                a = nobody.get(re.sub(r"{[a-z_]+}", str(uuid.uuid4()), row["path"]))
                assert a.status == 303 and a.header("location").startswith("/sign-in"), (site, row["path"], a)


# What jobd counts and remembers by itself changes at any moment.
JOBDS_OWN = ("request_count", "request_count_change", "notice_cursor", "notice", "audit_checkpoint")


class Other:
    """A tenant that has one of everything; ids by table."""

    TABLES = ("app_user", "user_session", "image", "instance", "agent", "device", "key_request", "policy")

    def __init__(self, server):
        self.it = server
        self.slug, self.tenant = make_tenant(server)
        self.email = make_user(server, self.tenant)
        self.client = Client(server, "console", keeps=True)
        assert self.client.sign_in(self.email, account=self.slug).status == 303
        key = b"\4" + b"k" * 64
        image, instance, agent, device, request = (str(uuid.uuid4()) for _ in range(5))
        with database(server).cursor() as c:
            c.execute("insert into image (tenant, id, provider, provider_image, name) values (%s, %s, 'native', 'i', 'walk image')",
                      (self.tenant, image))
            # Seen an hour from now: a walk that takes its time must not find the machine missing, which jobd notes.
            c.execute("insert into instance (tenant, id, image, provider, provider_instance, host_name, last_seen) "
                      "values (%s, %s, %s, 'native', 'n', 'walk-host', now() + interval '1 hour')", (self.tenant, instance, image))
            # Nor is it time for the daily check meanwhile, whatever o'clock it is.
            c.execute("update integrity_schedule set due = now() + interval '1 day' where tenant = %s", (self.tenant,))
            c.execute("insert into agent (tenant, id, instance, public_key) values (%s, %s, %s, %s)",
                      (self.tenant, agent, instance, key))
            c.execute("insert into device (tenant, id, provider, provider_device, name, instance, image, policy) "
                      "select %s, %s, 'native', 'd', 'walk device', %s, %s, id from policy where tenant = %s and is_default",
                      (self.tenant, device, instance, image, self.tenant))
            c.execute("insert into key_request (tenant, id, device, instance, agent, access, recipient_key, signature) "
                      "values (%s, %s, %s, %s, %s, 'read-only', %s, %s)", (self.tenant, request, device, instance, agent, key, b"s" * 64))

    def ids(self):
        out = {}
        with database(self.it).cursor() as c:
            for table in self.TABLES:
                c.execute(f"select id from {table} where tenant = %s", (self.tenant,))
                out[table] = [str(r[0]) for r in c.fetchall()]
        assert all(out.values()), out
        return out

    def contents(self):
        out = {}
        with database(self.it).cursor() as c:
            c.execute("select table_name from information_schema.columns where table_schema = 'public' and column_name = 'tenant'")
            for (table,) in c.fetchall():
                if table in JOBDS_OWN:
                    continue
                c.execute(f"select coalesce(jsonb_agg(to_jsonb(t) order by to_jsonb(t)::text), '[]') from {table} t where tenant = %s",
                          (self.tenant,))
                out[table] = c.fetchone()[0]
        return out


@fixture("file")
def other(server):
    return Other(server)


def outcome(answer, id):
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "ID", answer.text.replace(id, "ID"))
    return answer.status, re.sub(r'"(iso|text|relative)":"[^"]*"', "", text)


def test_the_owner_sees_what_is_there(server, other):
    # covers: TEN-4
    # Without this the next test would prove nothing: these ids do lead somewhere for the right tenant.
    found = {id for ids in other.ids().values() for id in ids for row in routes(other.client)
             if row["method"] == "GET" and "{" in row["path"] and call(other.client, row, id).status == 200}
    assert set(other.ids()["key_request"] + other.ids()["device"]) <= found


def test_every_route_with_another_tenants_ids(server, other):
    # covers: TEN-4
    slug, tenant = make_tenant(server)
    c = Client(server, "console", keeps=True)
    assert c.sign_in(make_user(server, tenant), account=slug).status == 303
    ids, before = other.ids(), other.contents()
    tried = 0
    for row in routes(c):
        if "{" not in row["path"] and not any(p["type"] in ("uuid", "uuids") for p in row["params"]):
            continue
        nobodys = str(uuid.uuid4())
        nothing = call(c, row, nobodys)
        for table, foreign in ids.items():
            theirs = call(c, row, foreign[0])
            assert outcome(theirs, foreign[0]) == outcome(nothing, nobodys), (row["method"], row["path"], table, theirs, nothing)
            assert theirs.status != 200 or "{" not in row["path"], (row["method"], row["path"], table, theirs)
            tried += 1
    assert tried > 100
    after = other.contents()
    assert after == before, {name: (before[name], rows) for name, rows in after.items() if rows != before[name]}


def test_the_operator_reaches_nothing_of_a_tenant(apart):
    # covers: TEN-3
    c = Client(apart, "central", keeps=True)
    assert c.sign_in(make_operator(apart)).status == 303
    # Of a licence that others' walks have left jobd would write into the account's log.
    assert c.api("/licences/trial", {"keys": 100, "days": 30}).status == 200
    other = Other(apart)
    before = other.contents()
    for row in routes(c):
        for table, foreign in list(other.ids().items())[:None if takes_id(row) else 1]:
            a = call(c, row, foreign[0])
            assert "walk-host" not in a.text and "walk device" not in a.text and other.email not in a.text, (row["path"], a)
            assert a.status < 500, (row["path"], a)
            assert a.status != 200 or "{" not in row["path"], (row["path"], table, a)
    after = other.contents()
    assert after == before, {name: (before[name], rows) for name, rows in after.items() if rows != before[name]}


# What is lost is said in one of these words, which are looked for without the object's name.
LOSS = re.compile(r"\b(lost|los[ei]|destroy(ed)?|deleted?|forgotten|gone|wipes|drop|signed out|refused?|never|cannot|not sent|no more|nothing more|any more|stops)\b", re.I)


def question(client, path):
    """The words of the form that asks before PATH is sent, and where its way back leads."""
    page = client.get(path)
    assert page.status == 200, (path, page)
    form = next((f for f in re.findall(r"<form .*?</form>", page.text, re.S) if f'action="{path.partition("?")[0]}"' in html.unescape(f)), None)
    assert form, (path, "asks with another form")
    back = re.search(r'<a class="btn" href="([^"]+)"', form)
    assert back, (path, "has no way back")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", form)).split()), html.unescape(back.group(1))


def asks(act):
    words, back = question(act.client, act.path)
    assert act.name in words, (act.path, act.name, words)
    assert LOSS.search(words.replace(act.name, "")), (act.path, "does not say what is lost", words)
    assert act.client.get(back).status == 200, (act.path, back)


def send_at_once(act, times=2):
    answers, path = [], act.path.partition("?")[0]
    threads = [threading.Thread(target=lambda: answers.append(patiently(act.client.post, path, **act.fields))) for _ in range(times)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def destroys_once(site, path, make):
    """Asked, sent twice at once, gone back to and sent again: it is done, and done once."""
    act = make(site)
    asks(act)
    before = site.entries()
    answers = send_at_once(act)
    assert {a.status for a in answers} & {200, 303} and {a.status for a in answers} <= {200, 303, 404, 409}, (path, answers)
    done = site.entries()
    news = {k: n - before.get(k, 0) for k, n in done.items() if n != before.get(k, 0)}
    assert bool(news) == act.logged and (act.twice or set(news.values()) <= {1}), (path, news, answers)
    # Back, and the same button again.
    back, again = act.client.get(act.path), act.client.post(act.path.partition("?")[0], **act.fields)
    assert back.status in (200, 303, 404, 409) and again.status in (200, 303, 404, 409, 422), (path, back, again)
    assert act.twice or site.entries() == done, (path, again, {k: n for k, n in site.entries().items() if n != done.get(k)})


def destroying(it, name, cases):
    site = Site(it, name)
    marked = {r["path"] for r in site.client().api("/routes").json["routes"] if r["destroys"]}
    assert marked == set(cases), marked ^ set(cases)
    wrong = []
    for path, make in cases.items():
        try:
            destroys_once(site, path, make)
        except Exception as e:               # of each, not of the first alone
            wrong.append(f"{path}: {e!r}"[:1200])
    assert not wrong, "\n".join(wrong)


def test_what_a_tenant_can_destroy_is_asked_for_and_done_once(server):
    # covers: WEB-3
    destroying(server, "console", CONSOLE)


def test_what_the_operator_can_destroy_is_asked_for_and_done_once(apart):
    # covers: WEB-3
    destroying(apart, "central", CENTRAL)
