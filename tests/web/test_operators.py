"""People of the Central Management Console: inviting, changing, disabling, removing; roles; rules of signing in in both consoles."""
import re

from factors import code, codes_in, enrol, half, link_of, secret_in, signed_in
from fixtures import fixture
from test_accounts import COOKIE, sink, use  # noqa: F401
from test_users import address, link_in
from web import PASSWORD, Client, make_operator, make_tenant, make_user, operator
from world import World, count, run

OPERATOR_ROLES = ["msp-administrator", "tenant-manager", "system-operator", "auditor"]


@fixture("file")
def world(server):
    return World(server)


def operator_id(server, email):
    return str(count(server, "select id from operator_user where email = %s", email))


def test_life_of_an_operator(server, sink):
    # covers: ADM-2, ROL-7, IDN-1, LOG-2
    admin, email = operator(server), address()
    page = admin.get("/operators/new").text
    assert [r for r in OPERATOR_ROLES if f'value="{r}"' in page] == OPERATOR_ROLES and "data-analyst" not in page
    answer = admin.post("/operators/new", name="Tariq Manager", email=email, role="tenant-manager")
    assert answer.status == 200, answer
    shown, id = link_in(answer.text), operator_id(server, email)
    assert link_of(sink.wait(email, "invited")) == shown and "account=" not in shown
    row, = admin.api(f"/operators?search={email}").json["list"]["rows"]
    assert row["state"]["name"] == "Invited" and row["invited_until"] and not row["invitation_over"]
    run(server, "update operator_invitation set expires = now() where user_id = %s", id)
    assert admin.api(f"/operators?search={email}").json["list"]["rows"][0]["invitation_over"]
    again = link_in(admin.post(f"/operators/{id}/invitation").text)
    assert again and use(server, shown, site="central")[2].status == 404
    person, _, answer = use(server, again, PASSWORD, site="central")
    assert answer.status == 303 and person.get("/tenants").status == 200 and person.get("/operators").status == 403
    assert admin.post(f"/operators/{id}", name="Tariq M.", role="auditor").status == 303
    assert not signed_in(person), "a new role ends the sessions"
    person = operator(server, email=email)
    assert person.get("/operators").status == 200 and person.get("/operators/new").status == 403
    assert admin.post(f"/operators/{id}/remove").status == 409, "who is active is not removed"
    assert admin.post(f"/operators/{id}/disable").status == 303 and not signed_in(person)
    assert "Remove Tariq M." in re.sub(r"[“”\"]|&quot;", "", admin.get(f"/operators/{id}/remove").text)
    answer = admin.post(f"/operators/{id}/remove")
    assert answer.status == 303 and answer.header("location") == "/operators"
    assert admin.get(f"/operators/{id}").status == 404
    with_it = count(server, "select array_agg(event order by seq) from audit_entry where object_id = %s", id)
    for event in ("user.invited", "user.accepted", "user.changed", "user.deleted"):
        assert event in with_it, with_it


def test_the_last_operator_stays(server):
    # covers: ADM-2, ROL-7
    email = make_operator(server)
    admin, id = operator(server, email=email), operator_id(server, email)
    run(server, "update operator_user set state = 'disabled' where role = 'msp-administrator' and state = 'active' and email <> %s", email)
    try:
        for answer in (admin.post(f"/operators/{id}", name="Olga", role="auditor"), admin.post(f"/operators/{id}/disable")):
            assert answer.status == 409 and "last active MSP Administrator" in answer.text
    finally:
        run(server, "update operator_user set state = 'active' where role = 'msp-administrator' and state = 'disabled'")


def test_the_roles_page_of_the_operator(server):
    # covers: ROL-6, ROL-7
    doc = operator(server, role="auditor").api("/roles").json
    assert [r["id"] for r in doc["roles"]] == OPERATOR_ROLES and all(r["users"] >= 0 for r in doc["roles"])
    rows = {p["id"]: [c["allowed"] for c in p["cells"]] for g in doc["groups"] for p in g["permissions"]}
    assert rows["tenants.edit"] == [True, True, False, False] and rows["system.edit"] == [True, False, True, False]
    assert not any("keys" in id or "policies" in id for id in rows)
    assert operator(server, role="tenant-manager").get("/roles").status == 403


def test_a_lost_second_factor_is_removed_by_an_administrator(server, world, sink):
    # covers: IDN-5, LOG-2, ADM-1
    email = make_user(server, world.tenant, "auditor")
    user, admin = Client(server, "console"), world.console()
    assert user.sign_in(email, account=world.slug).status == 303
    enrol(user)
    id = count(server, "select id from app_user where email = %s", email)
    assert admin.api(f"/users/{id}").json["person"]["factor"]
    assert "told by mail" in admin.get(f"/users/{id}/factor").text
    assert admin.post(f"/users/{id}/factor").status == 303
    assert not signed_in(user)
    text = sink.wait(email, "Second factor removed").text
    assert "Ursula User has removed the second factor" in " ".join(text.split()), text
    assert admin.post(f"/users/{id}/factor").status == 409
    assert Client(server, "console").sign_in(email, account=world.slug).status == 303
    mine = count(server, "select id from app_user where email = %s", world.user)
    assert admin.post(f"/users/{mine}/factor").status == 409


def rules(c, status=200, **changed):
    a = c.api("/sign-in-rules", {"factor": [], "idle_minutes": 30, "hours": 12, **changed})
    assert a.status == status, a
    return a.json


def test_roles_that_must_have_a_second_factor(server):
    # covers: IDN-5, ADM-1, ADM-2
    slug, tenant = make_tenant(server)
    admin = Client(server, "console")
    assert admin.sign_in(make_user(server, tenant), account=slug).status == 303
    approver = Client(server, "console")
    assert approver.sign_in(make_user(server, tenant, "auditor"), account=slug).status == 303
    assert approver.api("/sign-in-rules").status == 200
    rules(approver, 403)
    rules(admin, 422, factor=["msp-administrator"])
    rules(admin, factor=["key-approver"])
    assert admin.api("/sign-in-rules").json["form"]["factor"]["options"][4]["selected"]
    assert count(server, "select detail::text from audit_entry where tenant = %s and event = 'account.changed' order by seq desc limit 1",
                 tenant).count("key-approver") == 1
    email = make_user(server, tenant, "key-approver")
    c = Client(server, "console")
    answer = c.post("/sign-in", csrf=False, email=email, password=PASSWORD, account=slug)
    assert answer.status == 303 and answer.header("location") == "/factor/new"
    page = c.get("/factor/new")
    secret = secret_in(page.text)
    assert "Your role must" in page.text
    for path in ("/", "/instances", "/sessions", "/factor"):
        assert c.get(path).header("location") == "/factor/new", path
    assert c.api("/instances").status == 401
    half_cookie = c.cookies[COOKIE]
    answer = c.post("/factor/confirm", code="12345")
    assert answer.status == 422 and secret_in(answer.text) == secret
    answer = c.post("/factor/confirm", code=code(secret))
    codes = codes_in(answer.text)
    assert answer.status == 200 and len(codes) == 10
    assert c.cookies[COOKIE] != half_cookie and c.get("/instances").status == 200
    # From then on the code is asked for, and it cannot be removed by oneself.
    answer = c.post("/factor/remove", current=PASSWORD, code=codes[0])
    assert answer.status == 409 and "must have a second factor" in answer.text
    d = Client(server, "console")
    assert half(d, email, slug).header("location").startswith("/sign-in/code")
    # Other roles are not asked.
    assert Client(server, "console").sign_in(make_user(server, tenant, "auditor"), account=slug).status == 303


def test_times_of_sessions(server):
    # covers: IDN-6
    slug, tenant = make_tenant(server)
    admin = Client(server, "console")
    assert admin.sign_in(make_user(server, tenant), account=slug).status == 303
    for bad in ({"idle_minutes": 4}, {"idle_minutes": 31}, {"hours": 0}, {"hours": 13}):
        rules(admin, 422, **bad)
    rules(admin, idle_minutes=10, hours=2)
    email = make_user(server, tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=slug).status == 303
    mine = "user_id = (select id from app_user where email = %s)"
    assert 1.9 < count(server, f"select extract(epoch from expires - now()) / 3600 from user_session where {mine}", email) <= 2
    run(server, f"update user_session set last_seen = now() - interval '9 minutes' where {mine}", email)
    assert signed_in(c)
    run(server, f"update user_session set last_seen = now() - interval '11 minutes' where {mine}", email)
    assert not signed_in(c)
    # Another tenant has its own.
    slug, tenant = make_tenant(server)
    email = make_user(server, tenant)
    assert c.sign_in(email, account=slug).status == 303
    run(server, f"update user_session set last_seen = now() - interval '11 minutes' where {mine}", email)
    assert signed_in(c)


def test_rules_of_the_operator(server):
    # covers: IDN-5, IDN-6, ADM-2
    admin = operator(server)
    try:
        rules(admin, factor=["auditor"], idle_minutes=15)
        c = Client(server, "central")
        email = make_operator(server, "auditor")
        answer = c.post("/sign-in", csrf=False, email=email, password=PASSWORD)
        assert answer.header("location") == "/factor/new"
        secret = secret_in(c.get("/factor/new").text)
        assert c.post("/factor/confirm", code=code(secret)).status == 200 and c.get("/tenants").status == 200
        run(server, "update operator_session set last_seen = now() - interval '16 minutes' where user_id = %s", operator_id(server, email))
        assert not signed_in(c)
        assert operator(server, role="tenant-manager").get("/sign-in-rules").status == 403
    finally:
        rules(admin)


def test_the_administrators_command_removes_a_second_factor(server, world):
    # covers: IDN-5, OPS-2
    for site, email, account in (("console", make_user(server, world.tenant), world.slug), ("central", make_operator(server), None)):
        c = Client(server, site)
        assert c.sign_in(email, account=account).status == 303
        enrol(c)
        command = ["user", "factor", account, email] if account else ["operator", "factor", email]
        assert "removed" in server.keyward(*command)
        assert not signed_in(c)
        again = server.keyward(*command, check=False)
        assert again.returncode == 1 and "no second factor" in again.stderr
        assert Client(server, site).sign_in(email, account=account).status == 303


def test_passwords_that_everybody_tries(server, world):
    # covers: IDN-1
    email = make_user(server, world.tenant)
    c = Client(server, "console")
    assert c.sign_in(email, account=world.slug).status == 303
    for bad in ("Password1!", "Ursula-2026!"):
        answer = c.post("/password", current=PASSWORD, password=bad, repeat=bad)
        assert answer.status == 422 and "anybody tries" in answer.text
