"""What an operator meets in the first days: the first administrator's invitation, names that change, acts that ask, a display on a wall."""
import html
import re

from factors import link_of, signed_in
from fixtures import fixture
from mailsink import mail_of
from test_licences import Account
from web import Client, make_operator, make_tenant, operator
from world import count, run


@fixture("file")
def sink(server):
    with mail_of(server) as it:
        yield it


def text_of(answer):
    return html.unescape(re.sub(r"<[^>]+>", " ", answer.text))


def test_the_first_administrator_gets_a_mail(server, sink):
    # covers: TEN-1, IDN-1, TEN-3
    c, slug = operator(server, "tenant-manager"), "mailed-first"
    made = c.post("/tenants/new", account=slug, name="Mailed First Ltd", admin_name="Ada Adler", admin_email="ada@mailed.example")
    assert made.status == 200 and "Mailed to ada@mailed.example" in text_of(made), made
    id = str(count(server, "select id from tenant where slug = %s", slug))
    mail = sink.wait("ada@mailed.example", "invited")
    assert "Mailed First Ltd" in mail.text and f"/invitation?account={slug}&token=" in link_of(mail) and server.address("console") in mail.text
    # The link lies nowhere in the clear.
    assert count(server, "select count(*) from job where payload::text like '%%' || %s || '%%'", link_of(mail).split("token=")[1]) == 0
    page = c.get(f"/tenants/{id}")
    assert "Nobody of this tenant has joined yet" in page.text and 'name="email"' in page.text and "Has joined" not in page.text
    # A second one takes the place of the first.
    again = c.api(f"/tenants/{id}/invitation", {"name": "Ada Adler", "email": "ada2@mailed.example"}).json["invitation"]
    assert again["mailed"] and link_of(sink.wait("ada2@mailed.example", "invited")) in again["link"]
    visitor = Client(server, "console")
    assert visitor.get(link_of(mail)).status == 404
    token = again["link"].split("token=")[1]
    assert visitor.post("/invitation", csrf=False, account=slug, token=token, password="Correct-horse-7", repeat="Correct-horse-7").status == 303
    # From then on the operator has no way in, and is not offered one.
    page = c.get(f"/tenants/{id}")
    assert page.status == 200 and "Nobody of this tenant has joined yet" not in page.text and 'name="email"' not in page.text and "Has joined" in page.text
    assert c.api(f"/tenants/{id}").json["can"]["invite"] is False
    assert c.api(f"/tenants/{id}/invitation", {"name": "x", "email": "x@mailed.example"}).status == 409


def test_a_tenant_gets_another_name(server):
    # covers: TEN-1, LOG-2
    c, a = operator(server, "tenant-manager"), Account(server)
    assert f'href="/tenants/{a.id}/edit"' in c.get(f"/tenants/{a.id}").text
    wrong = c.post(f"/tenants/{a.id}/edit", name="  ")
    assert wrong.status == 422 and "is-invalid" in wrong.text
    assert c.post(f"/tenants/{a.id}/edit", name="Naïve & Söhne <b>").status == 303
    assert "Naïve & Söhne <b>" in html.unescape(c.get(f"/tenants/{a.id}").text) and "<b>" not in c.get(f"/tenants/{a.id}").text
    assert "Naïve & Söhne <b>" in html.unescape(a.client.get("/").text)
    # Both logs say so, once; the same name again is no change.
    changed = "select count(*) from audit_entry where event = 'tenant.changed' and object_id = %s and tenant = %s"
    nil = "00000000-0000-0000-0000-000000000000"
    assert [count(server, changed, a.id, t) for t in (a.id, nil)] == [1, 1]
    assert c.post(f"/tenants/{a.id}/edit", name="Naïve & Söhne <b>").status == 303
    assert [count(server, changed, a.id, t) for t in (a.id, nil)] == [1, 1]
    auditor = operator(server, "auditor")
    assert auditor.get(f"/tenants/{a.id}/edit").status == 403 and f"/tenants/{a.id}/edit" not in auditor.get(f"/tenants/{a.id}").text
    # What is closed stays as it is.
    run(server, "update tenant set state = 'closed' where id = %s", a.id)
    assert c.post(f"/tenants/{a.id}/edit", name="Other").status == 409


def test_closing_says_when_and_what_cannot_be_taken_back(server):
    # covers: TEN-7, WEB-3
    c, a = operator(server), Account(server)
    begun = count(server, "select now()")
    asked = text_of(c.get(f"/tenants/{a.id}/close/confirm?days=14"))

    def says(text, before=""):
        """The day; it may be another one by now than when this began."""
        days = count(server, "select array_agg(to_char((t + interval '14 days') at time zone 'UTC', 'FMDD Mon YYYY')) from unnest(array[%s, now()]) t", begun)
        return any(before + day in text for day in days)
    assert says(asked, "On ") and "You can cancel it until the last moment" in asked, asked
    at_once = text_of(c.get(f"/tenants/{a.id}/close/confirm?days=0"))
    assert "At once all its keys" in at_once and "It cannot be cancelled" in at_once and "until the last moment" not in at_once, at_once
    # Whose end is announced is found among those that close, with the day, and works on.
    assert c.post(f"/tenants/{a.id}/close/confirm", days=14, typed=a.slug).status == 303
    row, = c.api(f"/tenants?state=closing&search={a.slug}").json["list"]["rows"]
    assert row["state"]["name"] == "Active" and says(row["ends"]["text"])
    assert says(text_of(c.get(f"/tenants?search={a.slug}")), "Ends on ")
    assert c.api(f"/tenants?state=active&search={a.slug}").json["list"]["rows"]
    closing = next(s for s in c.api("/").json["states"] if s["url"].endswith("closing"))
    assert closing["count"] >= 1
    assert c.post(f"/tenants/{a.id}/close/cancel").status == 303
    assert not c.api(f"/tenants?state=closing&search={a.slug}").json["list"]["rows"]


def test_revoking_a_token_asks(server):
    # covers: LIC-4, WEB-3
    c = operator(server)
    c.api("/api-tokens", {"name": "Billing & more", "scope": "meter", "days": 30})
    id = next(t["id"] for t in c.api("/api-tokens").json["list"]["rows"] if t["name"] == "Billing & more" and t["active"])
    assert f'href="/api-tokens/{id}/revoke"' in c.get("/api-tokens").text
    asked = c.get(f"/api-tokens/{id}/revoke")
    assert asked.status == 200 and "Billing & more" in html.unescape(asked.text) and "It cannot be made valid again" in asked.text
    assert count(server, "select revoked is null from operator_token where id = %s", id), "asking alone changes nothing"
    assert c.get("/api-tokens/0193d1c7-0001-7c2e-9b41-5f0a6d001eef/revoke").status == 404
    assert operator(server, "auditor").get(f"/api-tokens/{id}/revoke").status == 403
    assert c.post(f"/api-tokens/{id}/revoke").status == 303


def test_a_display_shows_numbers_and_opens_nothing(server):
    # covers: ADM-2, IDN-6, SEC-7
    email = make_operator(server, "tenant-manager")
    c, other = operator(server, email=email), operator(server, email=email)
    slug, tenant = make_tenant(server)
    former = dict(c.cookies)
    assert "/wall/start" in c.get("/").text and "opens nothing but that page" in c.get("/wall/start").text
    answer = c.post("/wall/start")
    assert answer.status == 303 and answer.header("location") == "/wall" and "Max-Age=7776000" in " ".join(answer.all("set-cookie")), answer
    page = c.get("/wall")
    assert page.status == 200 and "Health" in page.text and "Active tenants" in page.text
    assert "<a " not in page.text, "nothing leads away from it"
    assert f"Tenant {slug}" not in page.text and email not in page.text and "csrf" not in page.text
    part = c.send("GET", "/wall", headers={"HX-Request": "true"})
    assert part.status == 200 and 'id="wall"' in part.text and 'id="bell"' not in part.text
    # Nothing else opens, for people or programs; neither does the session that it was.
    for path in ("/", "/tenants", f"/tenants/{tenant}", "/health", "/sessions", "/wall/start"):
        assert c.get(path).status == 303 and "/sign-in" in c.get(path).header("location"), path
    for path in ("/tenants", "/session", "/health"):
        assert c.api(path).status == 401, path
    assert c.post("/wall/start").status in (303, 403) and c.post("/sessions/others/revoke").status in (303, 403) and signed_in(other)
    gone = Client(server, "central")
    gone.cookies.update(former)
    assert not signed_in(gone)
    # Idle is no end of it; a month without anybody is none either.
    run(server, "update operator_session set last_seen = now() - interval '30 days' where step = 'wall' and user_id = (select id from operator_user"
        " where email = %s)", email)
    assert c.get("/wall").status == 200
    # Its owner sees it and ends it.
    rows = other.api("/sessions").json["sessions"]
    wall = next(r for r in rows if r["wall"])
    assert len(rows) == 2 and "Display" in other.get("/sessions").text
    assert count(server, "select count(*) from audit_entry where event = 'session.wall' and actor_id = (select id from operator_user where email = %s)",
                 email) == 1
    assert other.post(f"/sessions/{wall['id']}/revoke").status == 303
    assert c.get("/wall").status == 303
    # So does what ends all sessions.
    again = operator(server, email=email)
    assert again.post("/wall/start").status == 303 and again.get("/wall").status == 200
    run(server, "update operator_user set state = 'disabled' where email = %s", email)
    assert again.get("/wall").status == 303
