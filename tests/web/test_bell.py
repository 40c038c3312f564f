"""The bell of both consoles: what counts, who sees what, read by each for himself, where a notice leads, that it keeps no session alive."""
from fixtures import fixture
from inventory import Machine
from mailsink import mail_of
from notices import log, noticed, told
from stack.process import wait_until
from web import Client, make_operator, make_user, operator
from world import World, count, run

SECONDS = 180


@fixture("file")
def world(server):
    return World(server)


def unread(c):
    return c.api("/notices/bell").json["bell"]["count"]


def titles(c):
    return [r["title"] for r in c.api("/notices?limit=200").json["list"]["rows"]]


def test_each_reads_for_himself(server, world):
    # covers: NTF-3, WEB-3
    machine = Machine(server, world.tenant, "orders-db-9")
    request = machine.request("pending")
    a, b = world.console(), world.console(make_user(server, world.tenant))
    assert "Nothing yet" in World(server).console().get("/notices").text
    log(server, world.tenant, "key.pending", "request", request, "orders data")
    log(server, world.tenant, "key.exported", "device", machine.device, "orders data")
    log(server, world.tenant, "key.exported", "device", machine.device, "other data")
    noticed(server, world.tenant)
    assert unread(a) == unread(b) == 3 and 'kw-bell-count" aria-hidden="true">3<' in a.get("/devices").text
    assert '>3<' in a.get("/notices/bell").text and "<html" not in a.get("/notices/bell").text
    rows = a.api("/notices").json["list"]["rows"]
    assert [r["title"] for r in rows] == ["Key exported", "Key exported", "Key waits for approval"] and all(r["unread"] for r in rows)
    # Opening one leads to what it is about, and marks it for the one who opens it.
    opened = a.get(rows[2]["url"])
    assert opened.status == 303 and opened.header("location") == f"/requests/{request}"
    assert unread(a) == 2 and unread(b) == 3
    assert a.post(f"{rows[0]['url']}/read").status == 303 and unread(a) == 1
    assert [r["about"] for r in a.api("/notices?state=unread").json["list"]["rows"]] == ["orders data"]
    assert len(a.api("/notices?search=other").json["list"]["rows"]) == 1 and len(a.api("/notices?severity=warning").json["list"]["rows"]) == 1
    assert "other data" in a.get("/notices.csv").text
    assert a.post("/notices/read").status == 303 and unread(a) == 0 and unread(b) == 3
    assert "kw-bell-count" not in a.get("/devices").text
    log(server, world.tenant, "key.exported", "device", machine.device, "news")
    noticed(server, world.tenant)
    assert unread(a) == 1 and unread(b) == 4


def test_nobody_sees_what_the_role_may_not(server, world):
    # covers: NTF-3, ROL-1, ROL-2, ROL-3, ROL-5, TEN-4
    other = World(server)
    for event, kind in (("key.pending", "request"), ("key.exported", "device"), ("licence.warning", "licence"), ("user.locked", "user")):
        log(server, other.tenant, event, kind, None, event)
    log(server, other.tenant, "report.made", "report", None, "plain", keys="no")
    log(server, other.tenant, "report.made", "report", None, "of keys", keys="yes")
    noticed(server, other.tenant)
    seen = {role: set(titles(other.console(make_user(server, other.tenant, role)))) for role in
            ("account-administrator", "security-administrator", "data-analyst", "auditor", "key-approver")}
    all_of = {"Key waits for approval", "Key exported", "Licence near its limit or its end", "User locked", "Report ready", "Report with key information ready"}
    assert seen["security-administrator"] == all_of and seen["account-administrator"] == seen["auditor"] == all_of - {"Report with key information ready"}
    assert seen["data-analyst"] == {"Report ready"} and seen["key-approver"] == {"Key waits for approval", "Key exported"}
    # Nor by its number, nor from another account.
    number = count(server, "select seq from notice where tenant = %s and events = '{key-exported}'", other.tenant)
    analyst = other.console(make_user(server, other.tenant, "data-analyst"))
    assert analyst.get(f"/notices/{number}").status == 404 and analyst.post(f"/notices/{number}/read").status == 404
    assert "Key exported" not in analyst.get("/notices").text and unread(analyst) == 1
    assert "key.exported" not in str(titles(world.console()))
    # What happened to one's own user one sees whatever the role is.
    email = make_user(server, other.tenant, "key-approver")
    id = count(server, "select id from app_user where email = %s", email)
    log(server, other.tenant, "user.new-place", "user", str(id), email)
    noticed(server, other.tenant)
    assert "Sign-in from a new place" in titles(other.console(email)) and "Sign-in from a new place" not in titles(analyst)


def test_the_operators_own(server, world):
    # covers: NTF-3, NTF-2, TEN-3
    c = operator(server)
    log(server, None, "key-server.away", None, None, None, reason="no answer")
    nil = "00000000-0000-0000-0000-000000000000"
    noticed(server, nil)
    row = next(r for r in c.api("/notices").json["list"]["rows"] if r["title"] == "Key server is away")
    assert row["comment"] == "no answer" and c.get(row["url"]).header("location") == "/key-server"
    assert c.get("/notices").status == 200 and 'id="bell"' in c.get("/tenants").text
    log(server, world.tenant, "key.exported", "device", None, "a tenant's")
    noticed(server, world.tenant)
    assert "Key exported" not in titles(c)
    # Other things may happen to the installation at any time: what is counted is what is in the list.
    wait_until(lambda: unread(c) == min(len(c.api("/notices?state=unread&limit=200").json["list"]["rows"]), 99), SECONDS, "it counts what is not in the list")
    assert "Key server is away" not in titles(operator(server, "tenant-manager"))
    wait_until(lambda: c.post("/notices/read").status == 303 and unread(c) == 0, SECONDS, "they stay unread")


def test_a_part_of_the_server_in_trouble(server):
    # covers: NTF-2, OPS-2
    c = operator(server)

    def of_keyd(title):
        return [r for r in c.api("/notices?limit=200").json["list"]["rows"] if r["title"] == title and r["about"] == "Key service"]
    # Other tests have stopped it before.
    trouble, well = "A part of the server is in trouble", "A part of the server is well again"
    before = {r["url"] for r in of_keyd(trouble) + of_keyd(well)}
    server.stop("keyd")
    try:
        found = "select count(*) from trouble where area = 'processes' and name = 'Key service'"
        wait_until(lambda: count(server, found), SECONDS, "jobd does not see it")
        run(server, "update trouble set since = now() - interval '1 minute'")
        wait_until(lambda: {r["url"] for r in of_keyd(trouble)} - before, SECONDS, "nobody is told")
    finally:
        server.start("keyd")
    wait_until(lambda: {r["url"] for r in of_keyd(well)} - before, SECONDS, "its return is not told")
    row = next(r for r in of_keyd(trouble) if r["url"] not in before)
    assert "keyward-keyd" in row["comment"] and c.get(row["url"]).header("location") == "/health"
    told(server, None, "server-trouble", "server-well")


def test_what_was_given_up(server):
    # covers: NTF-2, OPS-2, ADM-2
    c = operator(server)

    def told_of():
        return [r for r in c.api("/notices?limit=200&search=Mail").json["list"]["rows"] if r["title"] == "Something was given up" and r["about"] == "Mail"]

    def lose(sink, who):
        """A mail that the server refuses for good."""
        sink.refused.add(who)
        run(server, "insert into job (id, kind, payload) values (gen_random_uuid(), 'mail', json_build_object('to', %s, 'subject', 's', 'text', 't'))", who)
        wait_until(lambda: count(server, "select count(*) from job where state = 'failed' and payload ->> 'to' = %s", who), SECONDS, "it is not given up")

    def noted():
        """jobd has looked since: its next look is a new transaction's."""
        run(server, "update given_up set count = -1 where name = 'Mail'")
        wait_until(lambda: count(server, "select count from given_up where name = 'Mail'") >= 0, SECONDS, "jobd does not look")

    with mail_of(server) as sink:
        wait_until(lambda: count(server, "select count(*) from given_up where name = 'Mail'"), SECONDS, "jobd does not look")
        # Whatever was given up before by other tests is old news.
        noted()
        run(server, "update given_up set told_at = null, told = count where name = 'Mail'")
        before = len(told_of())
        lose(sink, "lost-1@example.net")
        wait_until(lambda: len(told_of()) == before + 1, SECONDS, "nobody is told")
        row = told_of()[0]
        assert "given up" in row["comment"] and row["severity"]["name"] == "Warning" and c.get(row["url"]).header("location") == "/jobs?state=failed"
        assert "lost-1@example.net" not in str(row)
        told(server, None, "given-up")
        # Not again for each, but when the day is over.
        lose(sink, "lost-2@example.net")
        noted()
        assert len(told_of()) == before + 1
        run(server, "update given_up set told_at = now() - interval '25 hours' where name = 'Mail'")
        wait_until(lambda: len(told_of()) == before + 2, SECONDS, "the second is never told of")
        # Told of in mails as well, by default; and what was removed is no news.
        wait_until(lambda: [m for m in sink.mails if "Something was given up" in m.subject], SECONDS, "nobody gets a mail")
        run(server, "delete from job where state = 'failed' and payload ->> 'to' like 'lost-%%@example.net'")
        noted()
        assert len(told_of()) == before + 2
    assert operator(server, "tenant-manager").api("/notices?search=Mail").json["list"]["rows"] == []


def test_the_bell_keeps_no_session_alive(server, world):
    # covers: NTF-3, IDN-6
    email = make_user(server, world.tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=world.slug).status == 303
    session = "from user_session s join app_user u on u.id = s.user_id where u.email = %s"
    run(server, "update user_session s set last_seen = now() - interval '10 minutes' from app_user u where u.id = s.user_id and u.email = %s", email)
    for _ in range(3):
        assert c.get("/notices/bell").status == 200
    assert count(server, f"select s.last_seen < now() - interval '9 minutes' {session}", email)
    assert c.get("/notices").status == 200
    assert count(server, f"select s.last_seen > now() - interval '1 minute' {session}", email)


def test_an_encryption_that_does_not_get_on(server, world):
    # covers: NTF-2
    machine = Machine(server, world.tenant, "idle-1")
    slow = machine.disk("slow data", status="encryption-pending", status_since="2026-01-01", changed="2026-01-01")
    machine.disk("busy data", status="encryption-pending")
    idle = "select count(*) from audit_entry where tenant = %s and event = 'device.idle'"
    wait_until(lambda: count(server, idle, world.tenant) == 1, SECONDS, "nobody notices")
    told(server, world.tenant, "provisioning-idle")
    row = world.console().api("/notices?search=slow").json["list"]["rows"][0]
    assert row["title"] == "Encryption does not get on" and "not begun" in row["comment"]
    run(server, "update device set status = 'encrypting' where id = %s", slow)
    assert count(server, "select idle_told from device where id = %s", slow) is False
    assert make_operator(server)
