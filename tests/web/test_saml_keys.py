"""Our own keys of single sign-on, renewed while people sign in with a real identity provider, and single sign-on removed (IDN-3)."""
import base64
import hashlib
import html
import re
import urllib.error
import uuid

from fixtures import fixture, scratch
from identityprovider import IdentityProvider, Visitor, keys_in
from stack.process import wait_until
from test_single_sign_on import RULES, Account, redirect_of, session
from web import PASSWORD, Client, make_user, operator
from world import count, run

SECONDS = 180


@fixture("file")
def idp():
    with IdentityProvider(scratch() / f"idp-{uuid.uuid4().hex[:8]}") as p:
        yield p


def prints(xml, use="signing"):
    """SHA-256 of the certificates of our metadata that are for USE."""
    return [hashlib.sha256(base64.b64decode(text)).hexdigest() for u, text in keys_in(xml) if u == use]


def renew(client, days="7"):
    """Makes a next key; its fingerprint, as the page has it."""
    assert client.post("/single-sign-on/key/new", days=days).status == 303
    return re.search(r'name="key" value="([0-9a-f]{64})"', client.get("/single-sign-on").text).group(1)


def signs_in(a, name="alice"):
    client = Client(a.it, "console")
    return a.post(client, a.answer(client, name)).status == 303


def tried(a, path):
    """The way of a trial that begins at PATH: the page's answer, or None where the identity provider does not take the request."""
    try:
        fields = Visitor().sign_in(a.start(a.client, path), "alice")[1]
    except (urllib.error.HTTPError, AttributeError):
        return None
    return a.post(a.client, fields).status


def test_our_key_is_renewed_and_nobody_is_shut_out(server, idp):
    # covers: IDN-3, LOG-2
    a = Account(server, idp, encrypt=True)
    old, = prints(a.metadata())
    new = renew(a.client)
    assert prints(a.metadata()) == prints(a.metadata(), "encryption") == [old, new] and new != old
    refused = a.client.post("/single-sign-on/key/new", days="7")
    assert refused.status == 409 and "There is a second key already" in refused.text
    assert a.client.post("/single-sign-on/key/new", days="0").status == 422
    # The identity provider has only the old one: everything goes on, and a trial tells that it does not know the new one.
    assert signs_in(a) and tried(a, "/single-sign-on/test") == 303 and tried(a, "/single-sign-on/test?second=1") is None
    idp.trust(a.metadata(), encrypt=True)
    assert signs_in(a) and tried(a, "/single-sign-on/test?second=1") == 303
    # The change, once; the identity provider still encrypts for the first key that it was given.
    assert [a.client.post("/single-sign-on/key/use", key=new).status for _ in range(2)] == [303, 303]
    assert a.log("sso.key-used") == [{"sha256": new}] and prints(a.metadata()) == prints(a.metadata(), "encryption") == [new]
    assert signs_in(a)
    assert a.client.post("/single-sign-on/key/use", key="0" * 64).status == 409
    # Taken back, and forth again.
    assert a.client.post("/single-sign-on/key/use", key=old).status == 303 and prints(a.metadata()) == [old, new] and signs_in(a)
    assert a.client.post("/single-sign-on/key/use", key=new).status == 303
    assert "cannot be read any more" in html.unescape(a.client.get("/single-sign-on/key/remove").text)
    assert a.client.post("/single-sign-on/key/remove").status == 303 and a.log("sso.key-removed") == [{"sha256": old}]
    assert not signs_in(a) and a.log("sso.refused")[0]["reason"] == "decryption"
    idp.trust(a.metadata(), encrypt=True)
    assert signs_in(a)
    # Signing out, with the new key.
    client, visitor = Client(server, "console"), Visitor()
    assert a.post(client, a.answer(client, visitor=visitor)).status == 303
    client.csrf = session(client)["csrf"]
    way = html.unescape(re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', client.post("/sign-out").text).group(1))
    assert "SAMLResponse=" in redirect_of(visitor, way)


def test_keys_take_over_and_go_by_themselves(server, idp):
    # covers: IDN-3, LOG-2
    a = Account(server, idp)
    new = renew(a.client)
    run(server, "update saml set second_until = now() where tenant = %s", a.tenant)
    wait_until(lambda: prints(a.metadata()) == [new], SECONDS, "the next key does not take over")
    assert count(server, "select second_until > now() + interval '6 days' and second_is = 'former' from saml where tenant = %s", a.tenant)
    run(server, "update saml set second_until = now() where tenant = %s", a.tenant)
    wait_until(lambda: count(server, "select second_key is null from saml where tenant = %s", a.tenant), SECONDS, "the former key does not go")
    assert count(server, "select string_agg(distinct actor_name, ' ') from audit_entry where tenant = %s and event in ('sso.key-used', 'sso.key-removed')",
                 a.tenant) == "jobd"


def test_what_is_left_when_single_sign_on_is_removed(server, idp):
    # covers: IDN-3, IDN-1, LOG-2, WEB-3
    a = Account(server, idp)
    id = count(server, "select id from app_user where tenant = %s and email = %s", a.tenant, a.admin)
    local = make_user(server, a.tenant, "auditor")
    alice = Client(server, "console")
    assert a.post(alice, a.answer(alice)).status == 303 and signs_in(a, "bob")
    people = {e: count(server, "select id from app_user where tenant = %s and email = %s", a.tenant, f"{e}@idp.example") for e in ("alice", "bob")}
    assert a.client.post(f"/users/{people['bob']}/disable").status == 303
    a.save("required", break_glass=id)
    assert Client(server, "console").sign_in(local, account=a.slug).status == 422
    waiting = Client(server, "console")
    answer = a.answer(waiting)
    asked = html.unescape(a.client.get("/single-sign-on/remove").text)
    for words in (f"Remove single sign-on with {idp.entity}?", "2 users sign in by it and have no password", "Passwords of this console count again"):
        assert words in asked, (words, asked[-3000:])
    assert "You are one of them" not in asked
    assert a.client.post("/single-sign-on/remove").status == 303
    assert a.log("sso.removed") == [{"provider": idp.entity, "mode": "required", "users": 2}]
    # Nothing is left of it, for whoever was on the way either.
    assert Client(server, "console").get(f"/saml/{a.tenant}/metadata").status == 404 and a.post(waiting, answer).status == 404
    assert Client(server, "console").get(f"/saml/start?account={a.slug}").status == 404
    assert count(server, "select count(*) from saml_request where tenant = %s", a.tenant) == 0
    assert a.client.get("/single-sign-on/remove").status == 404
    # Passwords count again, and who had none is invited.
    assert alice.api("/session").status == 401 and a.client.api("/session").status == 200
    assert Client(server, "console").sign_in(local, account=a.slug).status == 303
    states = {e: count(server, "select source || ' ' || state from app_user where id = %s", i) for e, i in people.items()}
    assert states == {"alice": "local invited", "bob": "local disabled"}, states
    link = html.unescape(re.search(r'(/invitation\?[^"<\s]+)', a.client.post(f"/users/{people['alice']}/invitation").text).group(1))
    query = dict(p.split("=") for p in html.unescape(link).split("?")[1].split("&"))
    alice = Client(server, "console")
    assert alice.post("/invitation", csrf=False, password=PASSWORD, repeat=PASSWORD, **query).status == 303
    assert session(alice)["user"]["id"] == str(people["alice"]) and session(alice)["user"]["role"] == "account-administrator"
    enabled = a.client.post(f"/users/{people['bob']}/enable")
    assert enabled.status == 303 and count(server, "select state from app_user where id = %s", people["bob"]) == "invited"
    assert "send an invitation" in a.client.get(f"/users/{people['bob']}").text
    # It can be set up again, and takes nobody over who is local now.
    a.begin()
    a.save()
    idp.trust(a.metadata())
    assert not signs_in(a) and a.log("sso.refused")[0]["reason"] == "address-taken"


def test_operators_too(server, idp):
    # covers: IDN-3, TEN-2
    admin = operator(server)
    admin.post("/single-sign-on/remove")
    assert admin.post("/single-sign-on/begin").status == 303
    assert admin.post("/single-sign-on/metadata", metadata=idp.metadata()).status == 303
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', admin.get("/single-sign-on").text).group(1)
    assert admin.post("/single-sign-on/confirm", digest=digest).status == 303
    assert admin.post("/single-sign-on", mode="optional", **{**RULES, "roles": "staff = msp-administrator"}).status == 303
    metadata = lambda: Client(server, "central").get("/saml/metadata").text  # noqa: E731
    old, new = *prints(metadata()), renew(admin)
    idp.trust(metadata(), encrypt=True)
    run(server, "update operator_saml set second_until = now()")
    wait_until(lambda: prints(metadata()) == [new], SECONDS, "the next key does not take over")
    bob = Client(server, "central")
    way = html.unescape(re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', bob.get("/saml/start").text).group(1))
    fields = Visitor().sign_in(way, "bob")[1]
    answer = bob.post("/saml/acs", csrf=False, headers={"Origin": "http://127.0.0.1"}, **fields)
    assert answer.status == 303, answer.text[-2000:]
    run(server, "update operator_saml set second_until = now()")
    wait_until(lambda: not count(server, "select exists (select from setting where name = 'saml.second-key')"), SECONDS, "the former key does not go")
    # By one who signs in by it.
    try:
        bob.csrf = session(bob)["csrf"]
        assert "You are one of them" in bob.get("/single-sign-on/remove").text
        assert bob.post("/single-sign-on/remove").status == 303 and bob.api("/session").status == 401
        assert count(server, "select count(*) from setting where name like 'saml%%'") == 0
        assert "/saml/start" not in Client(server, "central").get("/sign-in").text
        assert count(server, "select state from operator_user where email = 'bob@idp.example'") == "invited"
    finally:
        run(server, "delete from operator_user where email = 'bob@idp.example'")


def test_a_session_begins_with_its_name_there_or_not_at_all(server, idp):
    # covers: IDN-3, LOG-3
    a = Account(server, idp)
    name = f"refuse_{uuid.uuid4().hex[:8]}"
    run(server, f"create function {name}() returns trigger language plpgsql as $$ begin raise exception 'refused-78'; end $$")
    run(server, f"create trigger {name} before insert on saml_session for each row when (new.tenant = '{a.tenant}') execute function {name}()")
    client = Client(server, "console")
    fields = a.answer(client)
    try:
        assert a.post(client, fields).status == 500
    finally:
        run(server, f"drop trigger {name} on saml_session")
        run(server, f"drop function {name}()")
    # What could not be ended from there was not begun.
    assert count(server, "select count(*) from user_session s join app_user u on u.id = s.user_id where s.tenant = %s and u.source = 'saml'", a.tenant) == 0
    assert client.api("/session").status == 401 and signs_in(a)
