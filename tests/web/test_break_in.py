"""Ways in that a thief would try: a code seen over a shoulder, codes guessed in many half sign-ins, a cookie planted before somebody signs
in, links in other hands, things done at the same moment, floods."""
import concurrent.futures
import ssl
import urllib.parse

from factors import code, enrol, half, link_of, signed_in
from fixtures import fixture
from mailsink import mail_of
from races import Line, held, in_line
from stack.process import wait_until
from test_licences import Account, day, issue
from test_users import accept, address, invite
from web import PASSWORD, Client, make_tenant, make_user, operator, password_hash
from world import World, count, run

COOKIE = "__Host-keyward"


@fixture("file")
def world(server):
    return World(server)


def with_factor(server, world):
    email = make_user(server, world.tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=world.slug).status == 303
    return email, *enrol(c)


def test_a_code_opens_for_one_of_many_who_send_it_at_once(server, world):
    # covers: IDN-5
    email, secret, codes = with_factor(server, world)
    for shown in (lambda: code(secret, 1), lambda: codes[0]):
        thieves = [Client(server, "console") for _ in range(6)]
        for t in thieves:
            half(t, email, world.slug)
        shown = shown()
        with concurrent.futures.ThreadPoolExecutor(len(thieves)) as pool:
            answers = list(pool.map(lambda t: t.post("/sign-in/code", code=shown), thieves))
        assert sorted(a.status for a in answers).count(303) == 1, [a.status for a in answers]
        assert sum(signed_in(t) for t in thieves) == 1
        run(server, "update app_user set failures = 0, locked_until = null where email = %s", email)


def test_codes_guessed_in_many_half_sign_ins_count_together(server, world):
    # covers: IDN-5, SEC-5
    email, secret, codes = with_factor(server, world)
    thieves = [Client(server, "console") for _ in range(6)]
    for t in thieves:
        half(t, email, world.slug)
    # A right password in between makes nothing good.
    for i, t in enumerate(thieves[:5]):
        assert t.post("/sign-in/code", code=f"{i}00000").status == 422
        half(Client(server, "console"), email, world.slug)
    assert count(server, "select failures >= 5 and locked_until > now() from app_user where email = %s", email)
    assert thieves[5].post("/sign-in/code", code=code(secret, 1)).status == 422, "the right one, too late"
    assert not signed_in(thieves[5])


def test_a_planted_cookie_is_not_the_one_that_is_signed_in(server, world):
    # covers: IDN-6
    email, secret, codes = with_factor(server, world)
    plain = make_user(server, world.tenant)
    for victim, finish in ((plain, None), (email, codes[1])):
        for planted in ("half", "whole"):
            thief, person = Client(server, "console"), Client(server, "console")
            if planted == "half":
                half(thief, email, world.slug)
            else:
                assert thief.sign_in(plain, account=world.slug).status == 303
            person.cookies[COOKIE] = thief.cookies[COOKIE]
            half(person, victim, world.slug)
            if finish:
                between = person.cookies[COOKIE]
                assert between != thief.cookies[COOKIE]
                assert person.post("/sign-in/code", code=finish).status == 303
                assert person.cookies[COOKIE] != between
                thief.cookies[COOKIE] = between
                assert thief.api("/session").status == 401
                finish = codes[2]
            assert signed_in(person) and thief.api("/session").status == 401, (victim, planted)


def test_a_link_is_nothing_in_other_hands(server, world):
    # covers: IDN-1, TEN-4
    other, _ = make_tenant(server)
    id, link = invite(world.console(), address())
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    # Of another account, of none, cut, or longer.
    for changed in ({**query, "account": other}, {**query, "account": ""}, {**query, "token": query["token"][:-1]}, {**query, "token": query["token"] + "A"}):
        answer = Client(server, "console").post("/invitation", csrf=False, password=PASSWORD, repeat=PASSWORD, **changed)
        assert answer.status in (404, 422), (changed, answer)
    assert Client(server, "central").post("/invitation", csrf=False, password=PASSWORD, repeat=PASSWORD, token=query["token"]).status in (404, 422)
    # Looking at it, as mail scanners do, does not use it up, nor does a password that is refused.
    for _ in range(3):
        assert Client(server, "console").get(link).status == 200
    assert accept(server, link, "short")[1].status == 422
    # Another page cannot send it.
    query.update(password=PASSWORD, repeat=PASSWORD)
    assert Client(server, "console").post("/invitation", csrf=False, headers={"Origin": "https://evil.example"}, **query).status == 403
    # Many at once: one gets in.
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: accept(server, link), range(4)))
    assert sorted(a.status for _, a in answers).count(303) == 1 and sum(signed_in(c) for c, _ in answers) == 1
    assert count(server, "select count(*) from invitation where user_id = %s and used is null", id) == 0


# At the same moment

def test_a_password_that_is_changed_meanwhile_opens_nothing(server, world):
    # covers: IDN-1, IDN-6
    def changed():
        email, thief, line = make_user(server, world.tenant), Client(server, "console"), Line(server)
        with held(server, "select 1 from app_user where email = %s for no key update", email) as cursor:
            line.add(thief.sign_in, email, account=world.slug)
            # The thief has typed the right one; its owner has another before the session is there.
            cursor.execute("update app_user set password = %s where email = %s", (password_hash("Another-horse-8", 1, 1 << 13), email))
        return (email, thief), line
    (email, thief), (answer,) = in_line(changed)
    assert answer.status == 422 and "do not fit together" in answer.text and not signed_in(thief), answer
    assert thief.sign_in(email, "Another-horse-8", account=world.slug).status == 303

    # A user who is disabled, and enabled again later.
    def disabled():
        email, thief, line = make_user(server, world.tenant), Client(server, "console"), Line(server)
        with held(server, "update app_user set state = 'disabled' where email = %s", email):
            line.add(thief.sign_in, email, account=world.slug)
        run(server, "update app_user set state = 'active' where email = %s", email)
        return thief, line
    thief, (answer,) = in_line(disabled)
    assert answer.status == 422 and not signed_in(thief), answer


def test_a_factor_that_is_set_up_meanwhile_is_asked_for(server, world):
    # covers: IDN-5
    def set_up():
        email, thief, line = make_user(server, world.tenant), Client(server, "console"), Line(server)
        with held(server, "select 1 from app_user where email = %s for no key update", email) as cursor:
            line.add(half, thief, email, world.slug)
            cursor.execute("insert into second_factor (tenant, user_id, secret, confirmed) select tenant, id, 'x', now() from app_user where email = %s", (email,))
        return thief, line
    thief, (answer,) = in_line(set_up)
    assert answer.status == 303 and answer.header("location").startswith("/sign-in/code") and not signed_in(thief), answer


def test_of_two_codes_at_once_the_later_one_stays(server):
    # covers: LIC-1, LIC-2
    c = operator(server, "tenant-manager")

    def different():
        a, others = Account(server), Client(server, "console")
        older, later, line = issue(c, a, 1000), issue(c, a, 10), Line(server)
        assert others.sign_in(a.email, account=a.slug).status == 303
        with held(server, "select 1 from licence where tenant = %s and replaced is null for update", a.id):
            line.add(a.client.api, "/licence", {"code": later})
            line.add(others.api, "/licence", {"code": older})
        return (a, others), line

    (a, others), (first, second) = in_line(different)
    assert first.status == 200 and second.status == 409, (first, second)
    assert a.licence()["keys"] == 10 and count(server, "select count(*) from licence where tenant = %s and replaced is null", a.id) == 1

    # And of the same code one.
    def the_same():
        again, line = issue(c, a, 20), Line(server)
        with held(server, "select 1 from licence where tenant = %s and replaced is null for update", a.id):
            for who in (a.client, others):
                line.add(who.api, "/licence", {"code": again})
        return a, line
    assert sorted(x.status for x in in_line(the_same)[1]) == [200, 409] and a.licence()["keys"] == 20


def test_an_end_that_is_called_off_while_it_begins(server):
    # covers: TEN-7
    c = operator(server)

    def begun():
        slug, tenant = make_tenant(server)
        assert c.api(f"/tenants/{tenant}/close/confirm", {"days": 30, "typed": slug}).status == 200
        run(server, "update tenant_closure set close_at = now() - interval '1 second' where account = %s", tenant)
        id, line = count(server, "select id from tenant_closure where account = %s", tenant), Line(server)
        # It has begun, and is not there yet for anybody else: who calls it off waits, and is told.
        with held(server, "select tenant_close_begin(%s, 1)", id):
            line.add(c.api, f"/tenants/{tenant}/close/cancel", {})
        return id, line
    id, (answer,) = in_line(begun)
    assert answer.status == 409, answer
    assert count(server, "select begun is not null and cancelled is null from tenant_closure where id = %s", id)
    # The other way round: what was called off does not begin.
    slug, tenant = make_tenant(server)
    assert c.api(f"/tenants/{tenant}/close/confirm", {"days": 30, "typed": slug}).status == 200
    assert c.api(f"/tenants/{tenant}/close/cancel", {}).status == 200
    run(server, "update tenant_closure set close_at = now() - interval '1 second' where account = %s", tenant)
    assert count(server, "select tenant_close_begin(id, 1) from tenant_closure where account = %s", tenant) is None
    assert count(server, "select state from tenant where id = %s", tenant) == "active"


def test_the_operator_is_too_late_for_who_joins_meanwhile(server):
    # covers: TEN-3
    c = operator(server)

    def joined():
        slug, tenant = make_tenant(server)
        invited, line = {"name": "O", "email": address()}, Line(server)
        assert c.api(f"/tenants/{tenant}/invitation", invited).status == 200
        # Accepted, and not there yet for anybody else.
        with held(server, "update app_user set state = 'active', password = 'x' where tenant = %s", tenant):
            line.add(c.api, f"/tenants/{tenant}/invitation", {**invited, "email": address()})
        return tenant, line
    tenant, (answer,) = in_line(joined)
    assert answer.status in (403, 409), answer
    assert count(server, "select count(*) from app_user where tenant = %s", tenant) == 1


# Floods

def connected(client):
    c = client.connection()
    c.connect()
    return c


def is_answered(c):
    """Whether the beginning of an answer is there: TLS itself sends some bytes, too."""
    c.sock.setblocking(False)
    try:
        return len(c.sock.recv(1)) == 1
    except ssl.SSLWantReadError:
        return False


def answered_first(server, world, person):
    """Of 40 tries to sign in, how many are answered before eight pages of PERSON that are asked for when they are in the line."""
    tries = [connected(Client(server, "console")) for _ in range(40)]
    own = [connected(person) for _ in range(8)]
    host = f"{person.host}:{server.port}"
    body = urllib.parse.urlencode({"account": world.slug, "email": "nobody@tenant.example", "password": PASSWORD})
    for c in tries:
        c.request("POST", "/sign-in", body, {"Content-Type": "application/x-www-form-urlencoded", "Origin": person.origin, "Host": host})
    answered = set()

    def look():
        answered.update(c for c in tries if c not in answered and is_answered(c))
        return len(answered)

    # When the first is answered the others are in the line.
    wait_until(look, 60, "no try is answered")
    for c in own:
        c.request("GET", "/sessions", headers={"Cookie": "; ".join(f"{n}={v}" for n, v in person.cookies.items()), "Host": host})
    assert [c.getresponse().status for c in own] == [200] * 8
    ready = look()
    for c in tries + own:
        c.close()
    return ready


def test_tries_to_sign_in_hold_up_nobody_who_is_in(server, world):
    # covers: TEN-4, SEC-5, IDN-1
    person = world.console()
    # Who came last is answered before most of them: each takes the time of a password's hash. Where pages come slowly, too, once is enough.
    for _ in range(5):
        ready = answered_first(server, world, person)
        if ready <= 24:
            break
    assert ready <= 24, f"{ready} of 40 tries were answered first"


def test_a_name_leads_nobody_elses_link_away(server, world):
    # covers: IDN-1, NTF-1
    email = make_user(server, world.tenant)
    run(server, "update app_user set name = 'see https://evil.example/{keyward-link} {{keyward-link}' where email = %s", email)
    with mail_of(server) as sink:
        assert Client(server, "console").post("/forgotten", csrf=False, email=email, account=world.slug).status == 200
        mail = sink.wait(email, "new password")
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(link_of(mail)).query)["token"][0]
    assert mail.text.count(token) == 1 and "evil.example/(keyward-link}" in mail.text, mail.text
