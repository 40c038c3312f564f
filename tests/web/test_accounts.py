"""Local accounts whole: forgotten passwords and invitations by mail, known browsers, second factors; against a real mail server."""
import base64
import re
import time
import urllib.parse

from factors import code, codes_in, enrol, half, link_of, secret_in, signed_in
from fixtures import fixture
from mailsink import mail_of
from notices import told
from stack.process import wait_until
from test_users import address, invite
from web import PASSWORD, Client, database, make_operator, make_tenant, make_user
from world import World, count, normal, run

SECONDS = 120
NEW = "Battery-staple-8"
COOKIE, BROWSER = "__Host-keyward", "__Host-browser"


@fixture("file")
def world(server):
    return World(server)


@fixture("file")
def sink(server):
    """A mail server that the installation uses."""
    with mail_of(server) as it:
        yield it


def use(server, link, password=NEW, site="console"):
    c = Client(server, site)
    page = c.get(link)
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    return c, page, c.post("/invitation", csrf=False, password=password, repeat=password, **query)


def events(server, email):
    with database(server).cursor() as c:
        c.execute("select event from audit_entry where object_name = %s or actor_name = %s order by at, seq", (email, email))
        return [e for e, in c.fetchall()]


def forgot(server, site, email, account=None):
    fields = {"email": email, **({"account": account} if account else {})}
    return Client(server, site).post("/forgotten", csrf=False, **fields)


# Forgotten passwords

def test_a_forgotten_password_in_both_consoles(server, world, sink):
    # covers: IDN-1, IDN-6, LOG-2
    for site, email, account in (("console", make_user(server, world.tenant), world.slug), ("central", make_operator(server), None)):
        old = Client(server, site)
        assert old.sign_in(email, account=account).status == 303
        assert "/forgotten" in Client(server, site).get("/sign-in").text
        page = forgot(server, site, email, account)
        assert page.status == 200 and email in page.text, page
        mail = sink.wait(email, "new password")
        link = link_of(mail)
        assert "{keyward-link}" not in mail.text and mail.text.count(link) == 1
        assert count(server, "select count(*) from job where payload ->> 'text' like %s", f"%{link[-20:]}%") == 0
        c, page, answer = use(server, link, site=site)
        assert page.status == 200 and "Choose a new password" in page.text
        assert answer.status == 303 and signed_in(c), answer
        assert not signed_in(old), "all sessions end"
        assert use(server, link, "Another-horse-8", site)[2].status == 404, "it works once"
        assert Client(server, site).sign_in(email, account=account).status == 422
        assert Client(server, site).sign_in(email, NEW, account).status == 303
        sink.wait(email, "was changed")
        seen = events(server, email)
        assert "password.reset-asked" in seen and "password.changed" in seen, seen


def test_links_wait_encrypted_in_the_queue(server, world, sink):
    # covers: IDN-1, SEC-4
    email = make_user(server, world.tenant)
    sink.busy = True
    try:
        assert forgot(server, "console", email, world.slug).status == 200
        wait_until(lambda: count(server, "select count(*) from job where payload ->> 'to' = %s", email), SECONDS, "no mail is queued")
        payload = str(count(server, "select payload::text from job where payload ->> 'to' = %s", email))
        assert "{keyward-link}" in payload and "token=" not in payload
    finally:
        sink.busy = False
    run(server, "update job set run_at = now(), locked_until = null where payload ->> 'to' = %s", email)
    assert "token=" in link_of(sink.wait(email, "new password"))


def test_nobody_learns_which_addresses_there_are(server, world, sink):
    # covers: IDN-1, TEN-4
    known, invited, disabled = (make_user(server, world.tenant) for _ in range(3))
    run(server, "update app_user set state = 'disabled' where email = %s", disabled)
    pages = {}
    for name, (email, account) in {"known": (known, world.slug), "nobody": ("nobody@tenant.example", world.slug),
                                   "disabled": (disabled, world.slug), "no account": (known, "no-such-account")}.items():
        begin = time.monotonic()
        status, page = normal(forgot(server, "console", email, account))
        assert time.monotonic() - begin > 0.38, name
        pages[name] = status, page.replace(email, "EMAIL").replace(account, "ACCOUNT")
    assert len(set(pages.values())) == 1, pages
    sink.wait(known, "new password")
    assert not sink.to(disabled) and not sink.to("nobody@tenant.example")


def test_asking_on_and_on_voids_nothing(server, world, sink):
    # covers: IDN-1
    email = make_user(server, world.tenant)
    for _ in range(6):
        assert forgot(server, "console", email, world.slug).status == 200
    mine = "user_id = (select id from app_user where email = %s)"
    assert count(server, f"select count(*) from invitation where {mine}", email) == 3, "so many at a time"
    wait_until(lambda: len(sink.to(email)) == 3, SECONDS, "three mails")
    first = link_of(sink.to(email)[0])
    assert use(server, first)[2].status == 303, "the first link stays good"
    assert count(server, f"select count(*) from invitation where {mine} and used is null", email) == 0, "the others end with it"


def test_a_link_expires(server, world, sink):
    # covers: IDN-1
    email = make_user(server, world.tenant)
    assert forgot(server, "console", email, world.slug).status == 200
    link = link_of(sink.wait(email, "new password"))
    mine = "user_id = (select id from app_user where email = %s)"
    assert 0.9 < count(server, f"select extract(epoch from expires - now()) / 3600 from invitation where {mine}", email) <= 1
    run(server, f"update invitation set expires = now() - interval '1 second' where {mine}", email)
    assert use(server, link)[2].status == 404


# Others cannot keep a user out

def test_wrong_passwords_of_others_do_not_close_a_known_browser(server, world):
    # covers: IDN-1
    email = make_user(server, world.tenant)
    mine = Client(server, "console")
    assert mine.sign_in(email, account=world.slug).status == 303
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", mine.cookies[BROWSER])
    for _ in range(6):
        assert Client(server, "console").sign_in(email, "Wrong-horse-7", world.slug).status == 422
    assert Client(server, "console").sign_in(email, PASSWORD, world.slug).status == 422, "closed"
    told(server, world.tenant, "user-locked")
    mine.cookies.pop(COOKIE)
    assert mine.sign_in(email, PASSWORD, world.slug).status == 303, "but not to a browser that is known"
    # Nor is the cookie a way to guess without end.
    mine.cookies.pop(COOKIE)
    run(server, "update app_user set failures = 9, locked_until = now() + interval '1 hour' where email = %s", email)
    for _ in range(5):
        assert mine.sign_in(email, "Wrong-horse-7", world.slug).status == 422
    assert mine.sign_in(email, PASSWORD, world.slug).status == 422
    # Another user's browser is not known for this one.
    other = Client(server, "console")
    assert other.sign_in(make_user(server, world.tenant), account=world.slug).status == 303
    other.cookies.pop(COOKIE)
    assert other.sign_in(email, PASSWORD, world.slug).status == 422


def test_a_new_password_forgets_browsers(server, world, sink):
    # covers: IDN-1
    for site, email, account, table in (("console", make_user(server, world.tenant), world.slug, "app_user"), ("central", make_operator(server), None, "operator_user")):
        mine, old = Client(server, site), Client(server, site)
        for c in (old, mine):
            assert c.sign_in(email, account=account).status == 303
        assert mine.post("/password", current=PASSWORD, password=NEW, repeat=NEW).status == 303
        close = lambda: run(server, f"update {table} set failures = 9, locked_until = now() + interval '1 hour' where email = %s", email)  # noqa: E731
        close()
        for c, status in ((old, 422), (mine, 303)):
            c.cookies.pop(COOKIE, None)
            assert c.sign_in(email, NEW, account).status == status, (site, status)
        # By a link neither, wherever it is opened: what was known before is not known after it.
        run(server, f"update {table} set failures = 0, locked_until = null where email = %s", email)
        assert forgot(server, site, email, account).status == 200
        link = link_of(sink.wait(email, "new password"))
        assert use(server, link, PASSWORD, site)[2].status == 303
        close()
        mine.cookies.pop(COOKIE, None)
        assert mine.sign_in(email, PASSWORD, account).status == 422, site


def test_a_new_place_is_told(server, world, sink):
    # covers: NTF-2, IDN-1
    email = make_user(server, world.tenant)
    first = Client(server, "console")
    assert first.sign_in(email, account=world.slug).status == 303
    assert "user.new-place" not in events(server, email), "who comes for the first time knows"
    first.cookies.pop(COOKIE)
    assert first.sign_in(email, account=world.slug).status == 303
    assert "user.new-place" not in events(server, email)
    second = Client(server, "console")
    assert second.sign_in(email, account=world.slug).status == 303
    mail = sink.wait(email, "New sign-in")
    assert second.source in mail.text
    assert events(server, email).count("user.new-place") == 1
    told(server, world.tenant, "new-place")
    boss = make_operator(server)
    for _ in range(2):
        assert Client(server, "central").sign_in(boss).status == 303
    told(server, None, "operator-new-place")


# The second factor

def test_a_second_factor_from_beginning_to_end(server, world, sink):
    # covers: IDN-5, LOG-2, SEC-4
    for site, email, account in (("console", make_user(server, world.tenant), world.slug), ("central", make_operator(server), None)):
        c, other = Client(server, site), Client(server, site)
        assert c.sign_in(email, account=account).status == 303
        assert other.sign_in(email, account=account).status == 303
        assert c.get("/factor/new").header("location") == "/factor"
        answer = c.post("/factor/new", current="Wrong-horse-7")
        assert answer.status == 422 and 'id="e-current"' in answer.text
        assert c.post("/factor/new", current=PASSWORD).status == 303
        page = c.get("/factor/new").text
        assert "<svg class=\"kw-qr\"" in page
        secret = secret_in(page)
        answer = c.post("/factor/confirm", code="000000" if code(secret) != "000000" else "111111")
        assert answer.status == 422 and 'id="e-code"' in answer.text and secret == secret_in(answer.text)
        # It counts for nothing until a first code was typed.
        assert Client(server, site).sign_in(email, account=account).status == 303
        first = code(secret)
        answer = c.post("/factor/confirm", code=first)
        codes = codes_in(answer.text)
        assert answer.status == 200 and len(codes) == 10 and len(set(codes)) == 10, answer
        assert signed_in(c) and not signed_in(other)
        assert secret not in c.get("/factor/new").text and secret not in c.get("/factor").text, "never shown again"
        sink.wait(email, "Second factor set up")
        table = "second_factor" if account else "operator_factor"
        user = count(server, f"select id from {'app_user' if account else 'operator_user'} where email = %s", email)
        blob = bytes(count(server, f"select secret from {table} where user_id = %s", user))
        assert base64.b32decode(secret) not in blob and len(blob) > 60

        # Half a sign-in opens nothing.
        d = Client(server, site)
        answer = half(d, email, account)
        assert answer.header("location").startswith("/sign-in/code?return=")
        for path in ("/", "/sessions", "/factor", "/factor/new", "/password"):
            assert d.get(path).header("location").startswith("/sign-in/code"), path
        assert d.api("/session").status == 401 and d.post("/password").status == 303
        answer = d.post("/sign-in/code", code="123", return_to="/sessions")
        assert answer.status == 422 and 'id="e-code"' in answer.text and email in answer.text
        before = d.cookies[COOKIE]
        assert d.post("/sign-in/code", code=first).status == 422, "the first code was used to set it up"
        second = code(secret, step=1)
        answer = d.post("/sign-in/code", code=f"{second[:3]} {second[3:]}", return_to="/sessions")
        assert answer.status == 303 and answer.header("location") == "/sessions" and signed_in(d)
        assert d.cookies[COOKIE] != before
        # The same code once more; and one before it.
        e = Client(server, site)
        half(e, email, account)
        assert e.post("/sign-in/code", code=second).status == 422
        assert e.post("/sign-in/code", code=first).status == 422
        # A recovery code, however it is typed, once.
        assert e.post("/sign-in/code", code=codes[0].lower().replace("-", " ")).status == 303 and signed_in(e)
        f = Client(server, site)
        half(f, email, account)
        assert f.post("/sign-in/code", code=codes[0]).status == 422
        assert f.post("/sign-in/code", code=codes[1]).status == 303 and signed_in(f)
        assert f.api("/factor").json["factor"]["codes"] == 8
        # New codes make the old ones void.
        answer = f.post("/factor/codes", current=PASSWORD, code=codes[2])
        fresh = codes_in(answer.text)
        assert answer.status == 200 and len(fresh) == 10 and not set(fresh) & set(codes)
        assert f.post("/factor/remove", current=PASSWORD, code=codes[3]).status == 422
        assert f.post("/factor/remove", current=PASSWORD).status == 422
        assert f.post("/factor/remove", current=PASSWORD, code=fresh[0]).status == 303
        sink.wait(email, "Second factor removed")
        assert Client(server, site).sign_in(email, account=account).status == 303
        seen = events(server, email)
        for event in ("factor.added", "factor.failed", "factor.codes", "factor.removed"):
            assert event in seen, (event, seen)


def test_codes_cannot_be_guessed(server, world):
    # covers: IDN-5, SEC-5
    email = make_user(server, world.tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=world.slug).status == 303
    secret, codes = enrol(c)
    thief = Client(server, "console")
    half(thief, email, world.slug)
    for i in range(6):
        assert thief.post("/sign-in/code", code=f"{i}00000").status == 422
    assert count(server, "select locked_until > now() from app_user where email = %s", email)
    assert thief.post("/sign-in/code", code=codes[0]).status == 422, "closed"
    assert half(Client(server, "console"), email, world.slug).status == 422
    # Not to who has been here before.
    c.cookies.pop(COOKIE)
    assert half(c, email, world.slug).status == 303
    assert c.post("/sign-in/code", code=codes[0]).status == 303 and signed_in(c)


def test_a_reset_leaves_the_second_factor(server, world, sink):
    # covers: IDN-1, IDN-5
    email = make_user(server, world.tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=world.slug).status == 303
    secret, codes = enrol(c)
    assert forgot(server, "console", email, world.slug).status == 200
    d, _, answer = use(server, link_of(sink.wait(email, "new password")))
    assert answer.status == 303 and answer.header("location").startswith("/sign-in/code") and not signed_in(d)
    d.get("/sign-in/code")
    assert d.post("/sign-in/code", code=codes[0]).status == 303 and signed_in(d)


def test_the_password_change_asks_for_the_code(server, world):
    # covers: IDN-5, KEY-5
    email = make_user(server, world.tenant, "security-administrator")
    c = Client(server, "console")
    assert c.sign_in(email, account=world.slug).status == 303
    assert 'name="code"' not in c.get("/password").text and not c.api("/devices/export").json["confirm_code"]
    secret, codes = enrol(c)
    assert 'name="code"' in c.get("/password").text and c.api("/devices/export").json["confirm_code"]
    answer = c.post("/password", current=PASSWORD, password=NEW, repeat=NEW)
    assert answer.status == 422 and 'id="e-code"' in answer.text
    answer = c.api("/devices/export", {"scope": "all", "current": PASSWORD, "passphrase": "Long-enough-horse-7", "repeat": "Long-enough-horse-7"})
    assert answer.status == 422 and [e["name"] for e in answer.json["errors"]] == ["code"], answer
    assert c.post("/password", current=PASSWORD, password=NEW, repeat=NEW, code=codes[0]).status == 303


def test_another_tenants_users_codes_are_nothing(server, world):
    # covers: TEN-4, IDN-5
    slug, tenant = make_tenant(server)
    here, there = make_user(server, world.tenant), make_user(server, tenant)
    a, b = Client(server, "console"), Client(server, "console")
    assert a.sign_in(here, account=world.slug).status == 303 and b.sign_in(there, account=slug).status == 303
    (_, mine), (_, theirs) = enrol(a), enrol(b)
    # A secret that is moved to another user's row opens for nobody.
    c = Client(server, "console")
    half(c, here, world.slug)
    assert c.post("/sign-in/code", code=theirs[0]).status == 422
    run(server, "update second_factor set secret = (select secret from second_factor f join app_user u on u.id = f.user_id where"
        " u.email = %s) where user_id = (select id from app_user where email = %s)", there, here)
    assert c.post("/sign-in/code", code="123456").status >= 422
    assert not signed_in(c)


def test_codes_work_while_an_account_is_suspended(server):
    # covers: IDN-5, TEN-7
    slug, tenant = make_tenant(server)
    email = make_user(server, tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=slug).status == 303
    secret, codes = enrol(c)
    run(server, "update tenant set state = 'suspended' where id = %s", tenant)
    d = Client(server, "console")
    half(d, email, slug)
    assert d.post("/sign-in/code", code=code(secret, step=1)).status == 303 and signed_in(d)


def test_invitations_are_mailed(server, world, sink):
    # covers: IDN-1
    admin, email = world.console(), address()
    id, shown = invite(admin, email)
    link = link_of(sink.wait(email, "invited"))
    assert link == shown
    c, page, answer = use(server, link)
    assert page.status == 200 and "Welcome" in page.text and answer.status == 303 and signed_in(c)
