"""Ways in that a thief would try: a code seen over a shoulder, codes guessed in many half sign-ins, a cookie planted before somebody signs
in, links in other hands."""
import concurrent.futures
import urllib.parse

from factors import code, enrol, half, signed_in
from fixtures import fixture
from test_users import accept, address, invite
from web import PASSWORD, Client, make_tenant, make_user
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
