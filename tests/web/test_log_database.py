"""A log database of its own: moved to, away and back, backed up with the rest, and given up again; no entry lost, none there twice."""
import csv
import datetime
import io
import uuid
import zipfile

import psycopg2

from fixtures import fixture, installation
from stack.process import wait_until
from test_closing import announce, certificate, left, state
from test_licences import Account, sql
from test_log_archive import hurry, past
from test_reports import ready, save
from web import make_operator, operator

SECONDS = 180


@fixture("file")
def it():
    with installation("log-database", settings={"outside.local": "yes", "log.main_months": "1"}) as server:
        yield server


def far(server, text, args=None):
    c = psycopg2.connect(server.database.conninfo("postgres", "keyward_log"))
    c.autocommit = True
    try:
        with c.cursor() as q:
            q.execute(text, args)
            return q.fetchall() if q.description else q.rowcount
    finally:
        c.close()


def head(server, a):
    return sql(server, "select seq from audit_head where tenant = %s", (a.id,))[0][0]


def configure(server, **settings):
    """With these settings (None: without) everything that reads them is started again."""
    server.settings.update(settings)
    server.settings = {k: v for k, v in server.settings.items() if v is not None}
    server._configure()
    for name in ("web", "jobd"):
        server.stop(name)
    server.keyward("migrate")
    server.start()


def write(a):
    """Something that is logged, by the account's own console."""
    assert a.client.post("/users/new", name="Ann", email=f"{uuid.uuid4().hex}@tenant.example", role="auditor").status in (200, 303)


def numbers(a, query=""):
    got = a.client.get("/log.csv" + query, timeout=SECONDS)
    assert got.status == 200, got
    return [int(r[0]) for r in list(csv.reader(io.StringIO(got.body.decode())))[1:]]


def listed(a, query=""):
    """All numbers that the pages of the list have, forwards, and then backwards."""
    url, there, back = "/log?limit=7" + query, [], []
    while url:
        page = a.client.api(url).json["list"]
        there += [r["id"] for r in page["rows"]]
        url, last = page["next"], page
    while last["previous"]:
        last = a.client.api(last["previous"]).json["list"]
        back = [r["id"] for r in last["rows"]] + back
    return there, back


def all_copied(server, a):
    return far(server, "select seq from audit_head where tenant = %s", (a.id,)) == [(head(server, a),)]


def test_the_log_moves_to_a_database_of_its_own_and_back(it):
    # covers: LOG-5, LOG-1, LOG-3
    a = Account(it)
    past(it, a, {14: 4, 5: 30, 2: 11, 0: 6})
    before = head(it, a)
    configure(it, **{"database.log": "dbname=keyward_log"})
    wait_until(lambda: all_copied(it, a), SECONDS, "the log is not copied")
    # Months that are there go from the main database, but for the newest.
    wait_until(lambda: sql(it, "select min(seq) from audit_entry where tenant = %s", (a.id,))[0][0] == before - 5, SECONDS, "the months stay")
    assert far(it, "select count(*), count(distinct seq) from audit_entry where tenant = %s and seq <= %s", (a.id, before)) in ([(before, before)],
                                                                                                                                 [(before - 4, before - 4)])
    # What is older than a year goes from there into the archive.
    wait_until(lambda: sql(it, "select first, last from audit_archive where tenant = %s", (a.id,)) == [(1, 4)], SECONDS, "nothing is archived")
    hurry(it, lambda: far(it, "select min(seq) from audit_entry where tenant = %s", (a.id,)) == [(5,)])
    assert "none altered, none missing" in it.keyward("audit", "verify", a.slug) and "none missing" in it.keyward("audit", "verify")
    # Pages and files show both, also what is on its way: here nothing is copied any more.
    it.stop("jobd")
    write(a)
    last = head(it, a)
    assert last > far(it, "select seq from audit_head where tenant = %s", (a.id,))[0][0]
    whole = list(range(last, 4, -1))
    assert numbers(a) == whole and numbers(a, "?sort=number") == whole[::-1]
    there, back = listed(a)
    assert there == whole and back == whole[:len(back)] and len(back) >= len(whole) - 7
    assert listed(a, "&sort=number")[0] == whole[::-1]
    assert numbers(a, "?text=%C3%9Cn%C3%AFcode+%E2%98%83+30&sort=number") == [34]
    it.start("jobd")
    wait_until(lambda: all_copied(it, a), SECONDS, "the rest is not copied")
    # There it is one chain without a gap.
    assert far(it, "select count(*) from audit_entry e where not exists (select 1 from audit_entry n where n.tenant = e.tenant and n.seq = e.seq + 1)"
                   " and e.tenant = %s", (a.id,)) == [(1,)]

    # Away: what is written is written, the newest months are shown and said to be all that can be, a file is refused.
    far_pids = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'keyward_log'"
    sql(it, "alter database keyward_log allow_connections false")
    sql(it, far_pids)
    wait_until(lambda: "The log database cannot be reached." in a.client.get("/log").text, SECONDS, "the page does not say so")
    assert min(r["id"] for r in a.client.api("/log?limit=200").json["list"]["rows"]) == before - 5
    assert a.client.get("/log.csv").status == 503
    write(a)
    assert "Log database" in it.status() and "away" in it.status()
    assert "log database" in str(it.keyward("audit", "verify", a.slug, check=False))
    sql(it, "alter database keyward_log allow_connections true")
    wait_until(lambda: all_copied(it, a), SECONDS, "what came meanwhile is not copied")
    wait_until(lambda: "cannot be reached" not in a.client.get("/log").text, SECONDS, "the page does not see it")
    assert "all entries are there" in it.status() or "on their way" in it.status()
    assert "none missing" in it.keyward("audit", "verify", a.slug)

    # Nobody writes there but jobd, and only what follows; nobody sees another's.
    for role, text in (("keyward_jobs", "select audit_append('user', 'e', 'system', null, null, null, null, null, null, null, null)"),
                       ("keyward_console", "select audit_forget()"), ("keyward_central", "select audit_old(now())")):
        assert it.database.ask(text, role, "keyward_log") is None
    assert it.database.ask("select count(*) from audit_entry", "keyward_console", "keyward_log") == "0"
    assert it.database.ask("begin; select set_config('keyward.tenant', '" + a.id + "', true); select audit_take(1000000, now(), 'user', 'e', 'system', null,"
                           " null, null, null, null, null, null, null, 'x', decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'))",
                           "keyward_jobs", "keyward_log") is None
    # It is no database for an installation.
    wrong = it.keyward("migrate", check=False)
    assert wrong.returncode == 0, wrong

    # And back.
    assert "stop keyward-jobd first" in str(it.keyward("log", "return", check=False).stderr)
    it.stop("jobd")
    assert "in the main database again" in it.keyward("log", "return")
    configure(it, **{"database.log": None})
    assert "none missing" in it.keyward("audit", "verify", a.slug)
    now = head(it, a)
    assert numbers(a) == list(range(now, 4, -1))
    assert "Log database" not in it.status()


def members(answer):
    """{name: text} of a zip."""
    assert answer.status == 200, answer
    with zipfile.ZipFile(io.BytesIO(answer.body)) as z:
        return {n: z.read(n).decode() for n in z.namelist()}


def sign_ins(c, report):
    """Who signed in, oldest first, by the file of the report's one part."""
    _, text = members(c.get(f"/reports/{report}/file?format=csv")).values()
    return [r[1] for r in csv.reader(io.StringIO(text.lstrip("\ufeff"))) if len(r) > 3 and r[2] == "signed in"]


def test_reports_and_the_end_of_an_account(it, folder):
    # covers: LOG-5, RPT-2, RPT-5, TEN-7
    a, b, me = Account(it), Account(it), make_operator(it)
    past(it, a, {3: 5}, event="user.signed-in")
    configure(it, **{"database.log": "dbname=keyward_log"})
    o = operator(it, email=me)
    # Months that are there are not here any more.
    wait_until(lambda: sql(it, "select count(*) from audit_entry where tenant = %s and at < now() - interval '2 months'", (a.id,)) == [(0,)], SECONDS,
               "the months stay")
    assert far(it, "select count(*) from audit_entry where tenant = %s and event = 'user.signed-in'", (a.id,)) == [(5,)]
    # A report has what is there alone, and what was on its way when it was asked for.
    today = datetime.date.today()
    form = {"criteria": ["sign-ins"], "formats": ["csv"], "period": "range", "since": str(today - datetime.timedelta(150)),
            "until": str(today + datetime.timedelta(1))}
    assert a.client.post("/sign-out").status == 303 and a.client.sign_in(a.email, account=a.slug).status == 303
    report = save(a.client, name="Who was here", **form)["report"]
    ready(it, report)
    who = sign_ins(a.client, report)
    assert len(who) == 6 and who[-1] == a.email and b.email not in who, who
    # The page's own look reads there, too.
    seen = a.client.post("/reports/preview", name="A look", schedule="once", keep_days="30", recipients="", at="06:00", **form)
    assert seen.status == 200 and "=1+1" in seen.text, seen.text[-2000:]
    # The operator's has the installation's, and no account's.
    mine = save(o, name="Who was here", **{**form, "criteria": ["operator-sign-ins"]})["report"]
    ready(it, mine)
    who = sign_ins(o, mine)
    assert me in who and a.email not in who and "'=1+1" not in who, who
    # An account's data, with its whole log; then the account ends, and nothing of it is left on either side.
    assert a.client.post("/account/data").status == 303
    wait_until(lambda: a.client.api("/account/data").json["exports"][0]["ready"], SECONDS, "the export is not made")
    log = members(a.client.get(a.client.api("/account/data").json["exports"][0]["url"]))["log.csv"].split("\r\n")
    assert log[1].startswith("1,") and len([line for line in log if '"user.signed-in"' in line]) == 6, log[:3]
    announce(o, a, 0)
    wait_until(lambda: state(it, a)[0] == "closed", SECONDS, "the account is not closed")
    for table in ("audit_entry", "audit_head"):
        assert far(it, f"select count(*) from {table} where tenant = %s", (a.id,)) == [(0,)], table
    assert left(it, a) == [] and certificate(o, a, folder).returncode == 0
    assert all_copied(it, b) and "none missing" in it.keyward("audit", "verify", b.slug) and "none missing" in it.keyward("audit", "verify")
    # One whose log database is away is closed when it is back: not before, as something of it would stay.
    sql(it, "alter database keyward_log allow_connections false")
    sql(it, "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'keyward_log'")
    announce(o, b, 0)
    wait_until(lambda: sql(it, "select last_error from job where kind = 'close-tenant' and last_error is not null"), SECONDS, "it is not tried")
    assert state(it, b)[0] != "closed"
    sql(it, "alter database keyward_log allow_connections true")
    sql(it, "update job set run_at = now(), locked_until = null where kind = 'close-tenant'")
    wait_until(lambda: state(it, b)[0] == "closed", SECONDS, "the account is not closed")
    assert far(it, "select count(*) from audit_entry where tenant = %s", (b.id,)) == [(0,)]
