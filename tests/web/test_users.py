"""A tenant's users over the console: inviting, changing, disabling, and who must stay."""
import html
import re
import urllib.parse
import uuid

from factors import signed_in
from fixtures import fixture
from web import PASSWORD, Client, database, make_tenant, make_user
from world import World, count, run

ROLES = ["account-administrator", "security-administrator", "data-analyst", "auditor", "key-approver"]


@fixture("file")
def world(server):
    return World(server)


def address():
    return f"person-{uuid.uuid4().hex[:10]}@tenant.example"


def link_in(page):
    """The invitation that a page shows: its path with query."""
    found = re.search(r'id="invitation-link">([^<]+)<', page)
    return re.sub(r"^https://[^/]+", "", html.unescape(found.group(1))) if found else None


def invite(c, email, role="auditor", name="Aiko Tanaka"):
    """The new user's id and link."""
    answer = c.post("/users/new", name=name, email=email, role=role)
    assert answer.status == 200, answer
    return re.search(r'action="/users/([0-9a-f-]{36})"', answer.text).group(1), link_in(answer.text)


def accept(server, link, password=PASSWORD):
    c = Client(server, "console", source="127.5.0.1")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    return c, c.post("/invitation", csrf=False, password=password, repeat=password, **query)


def state(server, id):
    return count(server, "select state from app_user where id = %s", id)


def test_life_of_a_user(server, world):
    # covers: IDN-1, LOG-2
    admin, email = world.console(), address()
    page = admin.get("/users/new").text
    assert [r for r in ROLES if f'value="{r}"' in page] == ROLES
    id, link = invite(admin, email)
    assert "account=" + world.slug in link
    assert link_in(admin.get(f"/users/{id}").text) is None, "the link is shown once"
    assert count(server, "select count(*) from invitation where user_id = %s and kind = 'invite'", id) == 1
    row = next(r for r in admin.api("/users").json["list"]["rows"] if r["id"] == id)
    assert (row["state"]["name"], row["role"], row["initials"], row["email"]) == ("Invited", "Auditor", "AT", email)
    assert Client(server, "console").sign_in(email, account=world.slug).status == 422

    user, answer = accept(server, link)
    assert answer.status == 303 and signed_in(user)
    assert state(server, id) == "active"
    assert next(r for r in admin.api("/users").json["list"]["rows"] if r["id"] == id)["last_sign_in"], "joining is signing in"
    assert admin.post(f"/users/{id}", name="Aiko T.", role="auditor").status == 303
    assert signed_in(user), "a new name ends no session"
    assert "Aiko T." in admin.get(f"/users/{id}").text

    assert "Disable “Aiko T.”?" in admin.get(f"/users/{id}/disable").text
    assert admin.post(f"/users/{id}/disable").status == 303
    assert not signed_in(user) and state(server, id) == "disabled"
    assert Client(server, "console", source="127.5.0.2").sign_in(email, account=world.slug).status == 422
    assert admin.post(f"/users/{id}/enable").status == 303
    assert Client(server, "console", source="127.5.0.2").sign_in(email, account=world.slug).status == 303
    assert _all(server, "select object_name from audit_entry where object_id = %s and event = 'user.accepted'", id) == [(email,)]
    events = [e for e, in _all(server, "select event from audit_entry where object_id = %s order by seq", id)]
    assert [e for e in events if not e.startswith("user.sign") and e != "user.new-place"] == ["user.invited", "user.accepted", "user.changed", "user.changed",
                                                            "user.changed"], events


def _all(server, sql, *args):
    from web import database
    with database(server).cursor() as c:
        c.execute(sql, args)
        return c.fetchall()


def test_an_invitation_works_once(server, world):
    # covers: IDN-1
    admin = world.console()
    id, link = invite(admin, address())
    assert Client(server, "console").get(link).status == 200
    assert accept(server, link)[1].status == 303
    again, answer = accept(server, link, "Another-horse-8")
    assert answer.status == 404 and not again.cookies
    assert Client(server, "console").get(link).status == 404


def test_an_invitation_expires(server, world):
    # covers: IDN-1
    admin = world.console()
    id, link = invite(admin, address())
    days = count(server, "select extract(epoch from expires - now()) / 86400 from invitation where user_id = %s", id)
    assert 6.9 < days <= 7
    run(server, "update invitation set expires = now() - interval '1 second' where user_id = %s", id)
    assert accept(server, link)[1].status == 404
    assert state(server, id) == "invited"
    # A new one works, and only the newest.
    second = link_in(admin.post(f"/users/{id}/invitation").text)
    third = link_in(admin.post(f"/users/{id}/invitation").text)
    assert second and third and second != third
    assert accept(server, second)[1].status == 404
    assert accept(server, third)[1].status == 303


def test_nobody_gets_a_link_for_who_has_joined(server, world):
    # covers: IDN-1
    admin = world.console()
    id, link = invite(admin, address())
    assert accept(server, link)[1].status == 303
    answer = admin.post(f"/users/{id}/invitation")
    assert answer.status == 409 and "joined already" in answer.text and link_in(answer.text) is None
    assert count(server, "select count(*) from invitation where user_id = %s and used is null", id) == 0


def test_an_invitation_can_be_withdrawn(server, world):
    # covers: IDN-1
    admin = world.console()
    id, link = invite(admin, address(), name="Withdrawn Person")
    assert "Withdraw the invitation of “Withdrawn Person”?" in admin.get(f"/users/{id}/disable").text
    assert admin.post(f"/users/{id}/disable").header("location") == "/users"
    assert accept(server, link)[1].status == 404
    assert admin.get(f"/users/{id}").status == 404


def test_wrong_entries_are_refused_where_they_are(server, world):
    # covers: IDN-1, WEB-3
    admin, email = world.console(), address()
    for field, bad in (("email", "nobody"), ("name", ""), ("role", "msp-administrator")):
        entries = dict(name="New Person", email=email, role="auditor")
        entries[field] = bad
        answer = admin.post("/users/new", **entries)
        assert answer.status == 422 and f'id="e-{field}"' in answer.text, field
    assert count(server, "select count(*) from app_user where email = %s", email) == 0
    invite(admin, email)
    answer = admin.post("/users/new", name="Same Address", email=email.upper(), role="auditor")
    assert answer.status == 422 and 'id="e-email"' in answer.text and 'value="Same Address"' in answer.text


def test_the_last_administrator_stays(server):
    # covers: IDN-1, ROL-1
    slug, tenant = make_tenant(server)
    email = make_user(server, tenant)
    admin = Client(server, "console", source="127.5.0.3")
    assert admin.sign_in(email, account=slug).status == 303
    id = str(count(server, "select id from app_user where email = %s", email))
    for answer in (admin.post(f"/users/{id}", name="Ursula User", role="auditor"), admin.post(f"/users/{id}/disable")):
        assert answer.status == 409 and "last active Account Administrator" in answer.text
    assert admin.api(f"/users/{id}/disable", {}).status == 409
    assert count(server, "select role || state from app_user where id = %s", id) == "account-administratoractive"
    # The invited first administrator does not count: nobody can sign in as that one yet.
    assert count(server, "select count(*) from app_user where tenant = %s and state = 'invited'", tenant) == 1
    other = make_user(server, tenant)
    assert admin.post(f"/users/{id}", name="Ursula User", role="auditor").status == 303
    assert not signed_in(admin), "a new role ends the own session too"
    second = Client(server, "console", source="127.5.0.3")
    assert second.sign_in(other, account=slug).status == 303
    other_id = count(server, "select id from app_user where email = %s", other)
    assert second.post(f"/users/{other_id}/disable").status == 409


def test_a_new_role_ends_sessions(server, world):
    # covers: IDN-6, ROL-1, ROL-6
    admin, email = world.console(), make_user(server, world.tenant, "auditor")
    user = world.console(email)
    id = count(server, "select id from app_user where email = %s", email)
    assert user.get("/users").status == 200 and user.get("/users/new").status == 403
    assert admin.post(f"/users/{id}", name="Ursula User", role="data-analyst").status == 303
    assert not signed_in(user)
    user = world.console(email)
    assert user.get("/users").status == 403 and user.get("/log").status == 200
    dashboard = user.get("/")
    assert dashboard.status == 200 and "/instances" not in dashboard.text and "totals" not in user.api("/").json


def test_search_filter_and_export(server, world):
    # covers: IDN-1, WEB-4
    admin, name = world.console(), f"=HYPERLINK {uuid.uuid4().hex[:8]}"
    email = address()
    id, _ = invite(admin, email, "key-approver", name)
    rows = admin.api(f"/users?search={email[:20]}").json["list"]["rows"]
    assert [r["id"] for r in rows] == [id]
    assert id in [r["id"] for r in admin.api("/users?state=invited&role=key-approver").json["list"]["rows"]]
    assert id not in [r["id"] for r in admin.api("/users?state=active").json["list"]["rows"]]
    csv = admin.get(f"/users.csv?search={email[:20]}")
    assert csv.header("content-type").startswith("text/csv") and "attachment" in csv.header("content-disposition")
    lines = csv.text.split("\r\n")
    assert lines[0].startswith('"ID","Name"') and f'"\'{name}"' in lines[1] and lines[2] == ""


def test_another_tenants_users_are_not_there(server, world):
    # covers: TEN-4
    other = World(server)
    foreign = count(server, "select id from app_user where email = %s", other.user)
    c = world.console()
    for id in (foreign, uuid.uuid4()):
        answers = [c.get(f"/users/{id}"), c.post(f"/users/{id}", name="x", role="auditor"), c.post(f"/users/{id}/invitation"),
                   c.post(f"/users/{id}/enable"), c.get(f"/users/{id}/disable"), c.post(f"/users/{id}/disable")]
        assert [a.status for a in answers] == [404] * 6, (id, answers)
    assert str(foreign) not in c.get("/users.csv").text
    assert state(server, foreign) == "active"


def test_who_may_not_is_told_whom_to_ask(server):
    # covers: ROL-6, WEB-3
    world = World(server)
    with database(server).cursor() as q:
        q.execute("update app_user set name = 'Ada Adler' where email = %s", (world.user,))
    admin, auditor, approver = world.console(), world.console(make_user(server, world.tenant, "auditor")), world.console(make_user(server, world.tenant, "key-approver"))
    for path in ("/users", "/roles", "/notifications", "/account/integrity", "/sign-in-rules"):
        text = auditor.get(path).text
        assert "You can see this, but not change it" in text and "It takes the role Account Administrator; yours is Auditor." in text, path
        assert "Ask one of: Ada Adler" in text and "You can see this" not in admin.get(path).text, path
    assert "Security Administrator" in auditor.get("/account/keys").text.split("<h1>")[0] and "Nobody holds it now" in auditor.get("/account/keys").text
    # What one may not open at all says it, too.
    refused = approver.get("/users/new")
    assert refused.status == 403 and "Your role does not allow this" in refused.text and "Ada Adler" in refused.text
