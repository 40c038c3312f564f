"""Single sign-on by SAML (IDN-3): a real identity provider, the running server, and every attack of SEC-3 as a changed real response."""
import base64
import hashlib
import html
import os
import re
import subprocess
import urllib.error
import urllib.request
import uuid

from factors import code, codes_in, secret_in
from fixtures import ROOT, fixture, scratch
from identityprovider import IdentityProvider, Visitor, form_of, xml_of
from races import Line, held, in_line
from web import Client, database, make_tenant, make_user, operator
from world import count, run

RULES = {"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", "subject": "", "name": "displayName", "mail": "mail", "role": "groups",
         "roles": "keyward-admins = account-administrator\nstaff = auditor\n", "otherwise": "", "create": "1", "skew": "60"}


@fixture("file")
def idp():
    folder = scratch() / f"idp-{uuid.uuid4().hex[:8]}"
    with IdentityProvider(folder) as p:
        yield p


class Account:
    """A tenant that has set single sign-on up with the identity provider, by its pages."""

    def __init__(self, server, idp, mode="optional", encrypt=False, encrypt_name=False, **rules):
        self.it, self.idp = server, idp
        self.slug, self.tenant = make_tenant(server)
        self.admin = make_user(server, self.tenant)
        self.client = Client(server, "console")
        assert self.client.sign_in(self.admin, account=self.slug).status == 303
        self.begin()
        self.save(mode, **rules)
        idp.trust(self.metadata(), encrypt, encrypt_name)

    def begin(self):
        assert self.client.get("/single-sign-on").status == 200
        answer = self.client.post("/single-sign-on/begin")
        assert answer.status == 303, answer
        self.importing(self.idp.metadata())

    def importing(self, xml):
        answer = self.client.post("/single-sign-on/metadata", metadata=xml)
        assert answer.status == 303, answer.text[-3000:]
        page = self.client.get("/single-sign-on").text
        digest = re.search(r'name="digest" value="([0-9a-f]+)"', page).group(1)
        answer = self.client.post("/single-sign-on/confirm", digest=digest)
        assert answer.status == 303, answer

    def save(self, mode="optional", **rules):
        answer = self.client.post("/single-sign-on", mode=mode, **{**RULES, **rules})
        assert answer.status == 303, answer.text[-3000:]

    def metadata(self):
        answer = Client(self.it, "console").get(f"/saml/{self.tenant}/metadata")
        assert answer.status == 200, answer
        return answer.text

    def start(self, client, path=None):
        """The address to which a browser is sent."""
        answer = client.get(path or f"/saml/start?account={self.slug}&return_to=/roles")
        assert answer.status == 200, answer
        return html.unescape(re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text).group(1))

    def answer(self, client, name="alice", visitor=None):
        """The form that the identity provider has a browser post: its fields."""
        to, fields = (visitor or Visitor()).sign_in(self.start(client), name)
        assert to.endswith(f"/saml/{self.tenant}/acs"), to
        return fields

    def post(self, client, fields):
        return client.post(f"/saml/{self.tenant}/acs", csrf=False, headers={"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "cross-site"}, **fields)

    def log(self, event):
        """Details of the entries of EVENT, the newest first."""
        with database(self.it).cursor() as c:
            c.execute("select detail from audit_entry where tenant = %s and event = %s order by seq desc", (self.tenant, event))
            return [r[0] for r in c.fetchall()]


@fixture("file")
def account(server, idp):
    return Account(server, idp)


def session(client):
    return client.api("/session").json


def test_a_person_signs_in_and_becomes_a_user(account, server):
    # covers: IDN-3
    client = Client(server, "console")
    answer = account.post(client, account.answer(client))
    assert answer.status == 303 and answer.header("location") == "/roles", answer.text[:3000]
    user = session(client)["user"]
    assert (user["email"], user["name"], user["role"]) == ("alice@idp.example", "Alice Ashdown", "account-administrator"), user
    # There is no password to confirm anything with, and none is guessed.
    client.csrf = session(client)["csrf"]
    refused = client.post("/factor/new", current="Wrong-horse-7")
    assert refused.status == 422 and "Prove who you are" in html.unescape(refused.text), refused
    assert count(server, "select failures from app_user where id = %s", user["id"]) == 0
    # Again: the same user, known by the identifier.
    again = Client(server, "console")
    assert account.post(again, account.answer(again)).status == 303
    assert session(again)["user"]["id"] == user["id"]
    # The cookie of the request is gone.
    assert not [n for n in client.cookies if "saml" in n], client.cookies


# SEC-3: each attack is a real response, changed, brought by the browser that asked for it.

REFUSAL = "You could not be signed in."


def part(xml, name):
    return re.search(rf"<{name}[ >].*?</{name}>", xml, re.S).group(0)


def without_signature_of_response(xml):
    """As if the identity provider signed assertions alone: changes around the assertion are not found out by that signature."""
    before, assertion, after = xml.partition("<saml:Assertion")
    return re.sub(r"<ds:Signature.*?</ds:Signature>", "", before, flags=re.S) + assertion + after


def swap(xml, old, new):
    assert old in xml, (old, xml)
    return xml.replace(old, new, 1)


def forge(idp, xml, change):
    """CHANGE to the assertion, signed anew with the identity provider's own key: it is the truth of it, and still wrong."""
    assertion = part(xml, "saml:Assertion")
    plain = re.sub(r"<ds:Signature.*?</ds:Signature>", "", assertion, flags=re.S)
    plain = plain.replace("<saml:Assertion", '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"', 1)
    signed = subprocess.run([ROOT / "build/sanitize/tests/unit/saml_tool", idp.folder / "cert/idp.key"], input=change(plain).encode(),
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    return without_signature_of_response(xml).replace(assertion, signed[signed.index("<saml:Assertion"):].strip())


class Attack:
    def __init__(self, account, idp):
        self.account, self.idp = account, idp
        self.client = Client(account.it, "console")
        self.fields = account.answer(self.client)
        self.xml = xml_of(self.fields)

    def send(self, xml, client=None, **fields):
        return self.account.post(client or self.client, {**self.fields, "SAMLResponse": base64.b64encode(xml.encode()).decode(), **fields})

    def refused(self, answer, *reasons):
        assert answer.status == 403 and REFUSAL in answer.text, answer.text[:3000]
        entry = self.account.log("sso.refused")[0]
        assert entry["reason"] in reasons, (entry, reasons)
        # The page does not tell which.
        assert entry["text"] not in html.unescape(answer.text), entry
        assert self.client.api("/session").status == 401


@fixture("test")
def attack(account, idp):
    return Attack(account, idp)


def test_signatures_cannot_be_left_out(account, idp):
    # covers: SEC-3
    none = Attack(account, idp)
    none.refused(none.send(re.sub(r"<ds:Signature.*?</ds:Signature>", "", none.xml, flags=re.S)), "unsigned")
    # That of the response alone is not enough.
    outer = Attack(account, idp)
    inner = part(outer.xml, "saml:Assertion")
    outer.refused(outer.send(outer.xml.replace(inner, re.sub(r"<ds:Signature.*?</ds:Signature>", "", inner, flags=re.S))), "unsigned", "signature")
    # And that of the assertion alone is.
    good = Attack(account, idp)
    assert good.send(without_signature_of_response(good.xml)).status == 303


def test_what_is_changed_is_found_out(account, idp):
    # covers: SEC-3
    for change in (lambda x: swap(x, ">bob@idp.example<", ">alice@idp.example<") if "bob@" in x else swap(x, ">alice@idp.example<", ">admin@idp.example<"),
                   lambda x: swap(x, ">keyward-admins<", ">keyward-others<"),
                   lambda x: re.sub(r"(NotOnOrAfter=\"20)\d\d", r"\g<1>99", x)):
        a = Attack(account, idp)
        a.refused(a.send(without_signature_of_response(change(a.xml))), "signature")
    a = Attack(account, idp)
    a.refused(a.send(swap(a.xml, "status:Success", "status:Responder")), "signature")


def evil_of(assertion):
    """The attacker's own: another id, another name, no signature."""
    evil = re.sub(r"<ds:Signature.*?</ds:Signature>", "", assertion, flags=re.S)
    return re.sub(r' ID="[^"]+"', ' ID="_evil"', evil, count=1).replace(">alice@idp.example<", ">root@idp.example<")


def test_signatures_cannot_be_wrapped(account, idp):
    # covers: SEC-3
    def response_copy(xml, where):
        """XSW 1 and 2: the signed response inside of another one."""
        signature = part(xml, "ds:Signature")
        original = xml.replace(signature, "", 1)
        evil = re.sub(r' ID="[^"]+"', ' ID="_evil"', xml, count=1).replace(">alice@idp.example<", ">root@idp.example<")
        inside = swap(signature, "</ds:Signature>", f"<ds:Object>{original}</ds:Object></ds:Signature>")
        return swap(evil, signature, inside if where == "inside" else original + signature)

    def wrap(xml, number):
        xml = without_signature_of_response(xml) if number > 2 else xml
        signed = part(xml, "saml:Assertion")
        evil, signature = evil_of(signed), part(signed, "ds:Signature")
        bare = signed.replace(signature, "", 1)
        with_signature = swap(evil, "</saml:Issuer>", "</saml:Issuer>" + signature)
        return {
            1: lambda: response_copy(xml, "inside"),
            2: lambda: response_copy(xml, "before"),
            3: lambda: swap(xml, signed, evil + signed),
            4: lambda: swap(xml, signed, swap(evil, "</saml:Assertion>", signed + "</saml:Assertion>")),
            5: lambda: swap(xml, signed, with_signature + bare),
            6: lambda: swap(xml, signed, swap(evil, "</saml:Issuer>", "</saml:Issuer>" + swap(signature, "</ds:Signature>",
                                                                                              bare + "</ds:Signature>"))),
            7: lambda: swap(xml, "<samlp:Status>", f"<samlp:Extensions>{evil}</samlp:Extensions><samlp:Status>"),
            8: lambda: swap(xml, signed, swap(evil, "</saml:Issuer>", "</saml:Issuer>" + swap(
                signature, "</ds:Signature>", f"<ds:Object>{bare}</ds:Object></ds:Signature>"))),
        }[number]()

    for number in range(1, 9):
        a = Attack(account, idp)
        a.refused(a.send(wrap(a.xml, number)), "structure")


def test_values_cannot_be_cut(account, idp):
    # covers: SEC-3
    for change, reason in ((lambda x: swap(x, ">alice@idp.example<", ">alice@idp.example<!---->.evil<"), "comment"),
                           (lambda x: swap(x, ">alice@idp.example<", "><?x y?>alice@idp.example<"), "comment"),
                           (lambda x: swap(x, ">alice@idp.example<", "><![CDATA[alice@idp.example]]><"), "comment"),
                           (lambda x: '<!DOCTYPE a [<!ENTITY e "x">]>' + re.sub(r"^<\?xml.*?\?>", "", x), "dtd"),
                           (lambda x: '<!DOCTYPE a SYSTEM "file:///etc/passwd">' + re.sub(r"^<\?xml.*?\?>", "", x), "dtd"),
                           (lambda x: "<a>" * 20000, "xml"),
                           (lambda x: "x" + "y" * 70000, "too-large")):
        a = Attack(account, idp)
        a.refused(a.send(change(a.xml)), reason)
    a = Attack(account, idp)
    a.refused(account.post(a.client, {**a.fields, "SAMLResponse": "%%%"}), "encoding")


def test_weak_algorithms_are_refused(account, idp):
    # covers: SEC-3, SEC-6
    for old, new in (("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
                     ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
                     ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
                     ("http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2000/09/xmldsig#sha1"),
                     ("http://www.w3.org/2000/09/xmldsig#enveloped-signature", "http://www.w3.org/TR/1999/REC-xslt-19991116")):
        a = Attack(account, idp)
        a.refused(a.send(swap(a.xml, old, new)), "algorithm")


def test_an_answer_is_good_once_and_for_who_asked(account, idp, server):
    # covers: SEC-3, IDN-3
    a = Attack(account, idp)
    cookies = dict(a.client.cookies)
    assert a.send(a.xml).status == 303
    # The same browser, with all that it had then; and another one.
    again = Client(server, "console")
    again.cookies = cookies
    a.client = again
    a.refused(a.send(a.xml, again), "replay")
    b = Attack(account, idp)
    other = Client(server, "console")
    account.start(other)
    b.client = other
    b.refused(b.send(b.xml, other), "replay")
    b.client = Client(server, "console")
    b.refused(b.send(b.xml, b.client), "replay")
    # Nobody asked, or something else was asked.
    c = Attack(account, idp)
    c.refused(c.send(c.xml, RelayState=""), "unsolicited")
    d = Attack(account, idp)
    e = account.answer(d.client)
    d.refused(d.send(d.xml, RelayState=e["RelayState"]), "in-response-to")
    # Too late.
    f = Attack(account, idp)
    with database(server).cursor() as cursor:
        cursor.execute("update saml_request set expires = now() where id = %s", (f.fields["RelayState"],))
    f.refused(f.send(f.xml), "replay")
    # A refused answer has used its request up.
    g = Attack(account, idp)
    g.refused(g.send(swap(g.xml, "status:Success", "status:Responder")), "signature")
    g.refused(g.send(g.xml), "replay")


def test_what_is_truly_signed_and_wrong(account, idp):
    # covers: SEC-3, IDN-3
    other = "https://other.example/saml"
    acs = f"{account.client.origin}/saml/{account.tenant}/acs"
    long_ago = lambda x: re.sub(r'NotOnOrAfter="[^"]+"', 'NotOnOrAfter="2020-01-01T00:00:00Z"', x)  # noqa: E731
    for change, reason in ((lambda x: x, None),
                           (lambda x: swap(x, f"/saml/{account.tenant}/metadata</saml:Audience>", "/saml/x</saml:Audience>"), "audience"),
                           (lambda x: re.sub(r"<saml:AudienceRestriction>.*?</saml:AudienceRestriction>", "", x), "audience"),
                           (lambda x: swap(x, f'Recipient="{acs}"', f'Recipient="{other}"'), "recipient"),
                           (lambda x: re.sub(r"<saml:Issuer>[^<]+", f"<saml:Issuer>{other}", x), "issuer"),
                           (lambda x: re.sub(r' InResponseTo="[^"]+"', "", x), "unsolicited"),
                           (lambda x: re.sub(r'InResponseTo="[^"]+"', 'InResponseTo="_other"', x), "in-response-to"),
                           (long_ago, "expired"),
                           (lambda x: re.sub(r'NotBefore="[^"]+"', 'NotBefore="2099-01-01T00:00:00Z"', x), "not-yet-valid"),
                           (lambda x: re.sub(r'(SubjectConfirmationData) NotOnOrAfter="[^"]+"', r"\1", x), "subject"),
                           (lambda x: swap(x, "cm:bearer", "cm:holder-of-key"), "subject"),
                           (lambda x: re.sub(r"<saml:NameID.*?</saml:NameID>", "", x, flags=re.S), "subject"),
                           (lambda x: swap(x, "<saml:AttributeStatement>", "<saml:Advice/><saml:AttributeStatement>"), "structure")):
        a = Attack(account, idp)
        answer = a.send(forge(idp, a.xml, change))
        if reason is None:
            assert answer.status == 303, (answer, account.log("sso.refused")[:1])
        else:
            a.refused(answer, reason)
    a = Attack(account, idp)
    a.refused(a.send(swap(without_signature_of_response(a.xml), f'Destination="{acs}"', f'Destination="{other}"')), "destination")
    b = Attack(account, idp)
    b.refused(b.send(swap(without_signature_of_response(b.xml), "<saml:Issuer>", f"<saml:Issuer>{other}")), "issuer")


def test_another_key_is_not_believed(account, idp, server, folder):
    # covers: SEC-3
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=evil", "-keyout", folder / "evil.key",
                    "-out", folder / "evil.crt"], check=True, stderr=subprocess.DEVNULL)
    a = Attack(account, idp)

    class Evil:
        folder = None
    (folder / "cert").mkdir()
    (folder / "evil.key").rename(folder / "cert" / "idp.key")
    Evil.folder = folder
    a.refused(a.send(forge(Evil, a.xml, lambda x: swap(x, ">alice@idp.example<", ">root@idp.example<"))), "signature")


def test_of_another_account(account, idp, server):
    # covers: SEC-3, TEN-4
    theirs = Account(server, idp)
    a = Attack(account, idp)
    answer = theirs.post(a.client, a.fields)
    assert answer.status == 403
    assert theirs.log("sso.refused")[0]["reason"] == "replay"
    b = Client(server, "console")
    fields = theirs.answer(b)
    answer = theirs.post(b, {**fields, "SAMLResponse": base64.b64encode(without_signature_of_response(a.xml).encode()).decode()})
    assert answer.status == 403 and theirs.log("sso.refused")[0]["reason"] == "destination"


# People

def test_who_somebody_is(server, idp):
    # covers: IDN-3, SEC-7
    a = Account(server, idp, otherwise="", create="1")
    # Nobody's address is taken over, until an administrator allows it; then it is the same user.
    local = make_user(server, a.tenant, "auditor", "bob@idp.example")
    client = Client(server, "console")
    assert a.post(client, a.answer(client, "bob")).status == 403
    assert a.log("sso.refused")[0]["reason"] == "address-taken"
    with database(server).cursor() as c:
        c.execute("select id from app_user where tenant = %s and email = %s", (a.tenant, local))
        id = c.fetchone()[0]
    assert a.client.post(f"/users/{id}/link", allow="1").status == 303
    client = Client(server, "console")
    assert a.post(client, a.answer(client, "bob")).status == 303
    assert session(client)["user"]["id"] == id
    # No role, no way in.
    client = Client(server, "console")
    assert a.post(client, a.answer(client, "carol")).status == 403
    assert a.log("sso.refused")[0]["reason"] == "person"
    # The role follows what the identity provider says, at each sign-in.
    a.save(roles="staff = key-approver\nkeyward-admins = auditor\n")
    client = Client(server, "console")
    assert a.post(client, a.answer(client, "bob")).status == 303
    assert session(client)["user"]["role"] == "key-approver"
    # Nobody new.
    a.save(create="")
    client = Client(server, "console")
    assert a.post(client, a.answer(client, "alice")).status == 403
    assert a.log("sso.refused")[0]["reason"] == "unknown-person"


def test_a_role_that_comes_with_the_sign_in_counts_for_it(server, idp):
    # covers: IDN-3, IDN-5, SEC-7
    a = Account(server, idp, roles="staff = data-analyst\n")
    client = Client(server, "console")
    assert a.post(client, a.answer(client, "bob")).header("location") == "/roles"
    # Bob becomes more, and whoever is that must have a second factor: with this sign-in, not the next.
    assert a.client.api("/sign-in-rules", {"factor": ["security-administrator"], "idle_minutes": 30, "hours": 12}).status == 200
    a.save(roles="staff = security-administrator\n")
    client = Client(server, "console")
    answer = a.post(client, a.answer(client, "bob"))
    assert answer.header("location") == "/factor/new" and client.api("/session").status == 401, answer


AUDIT_HEAD = "select 1 from audit_head where tenant = %s for update"     # what a change has to have at its end


def local_administrators(server, a, email):
    """Two of an account, signed in twice: the first with EMAIL. Their ids."""
    first = make_user(server, a.tenant, email=email)
    other = Client(server, "console")
    assert other.sign_in(a.admin, account=a.slug).status == 303
    return [count(server, "select id from app_user where tenant = %s and email = %s", a.tenant, e) for e in (first, a.admin)], other


def test_who_gets_in_when_it_fails_is_not_taken_away_meanwhile(server, idp):
    # covers: IDN-3, IDN-1, SEC-7
    def meanwhile():
        a = Account(server, idp)
        (glass, own), other = local_administrators(server, a, "glass@tenant.example")
        line = Line(server)
        with held(server, AUDIT_HEAD, a.tenant):
            line.add(a.client.post, f"/users/{glass}/disable")
            line.add(other.post, "/single-sign-on", mode="required", break_glass=str(glass), **RULES)
        return a, line
    a, (first, second) = in_line(meanwhile)
    assert (first.status, second.status) == (303, 422), (first, second)
    assert count(server, "select mode from saml where tenant = %s", a.tenant) == "optional"


def test_the_last_local_administrator_is_not_linked_meanwhile(server, idp):
    # covers: IDN-3, IDN-1, ROL-1
    def meanwhile():
        a = Account(server, idp)
        (linked, own), other = local_administrators(server, a, "alice@idp.example")
        assert a.client.post(f"/users/{linked}/link", allow="1").status == 303
        second = Client(server, "console")
        assert second.sign_in("alice@idp.example", account=a.slug).status == 303
        client, line = Client(server, "console"), Line(server)
        fields = a.answer(client)
        with held(server, AUDIT_HEAD, a.tenant):
            line.add(second.post, f"/users/{own}/disable")
            line.add(a.post, client, fields)
        return a, line
    a, answers = in_line(meanwhile)
    assert [x.status for x in answers] == [303, 403], answers
    assert count(server, "select count(*) from app_user where tenant = %s and state = 'active' and source = 'local' and role = 'account-administrator'", a.tenant) == 1


def test_a_stranger_costs_an_account_little(server, account):
    # covers: SEC-5, TEN-4, IDN-3
    stranger, before = Client(server, "console"), len(account.log("sso.refused"))
    c = stranger.connection()

    def ask(path):
        c.request("GET", path, headers={"Host": f"{stranger.host}:{server.port}"})
        r = c.getresponse()
        r.read()
        return r.status

    # What signs nobody out is in the log, as often as tries to sign in are.
    wrong = [ask(f"/saml/{account.tenant}/slo?SAMLRequest=x") for _ in range(60)]
    written = len(account.log("sso.refused")) - before
    assert set(wrong) == {403, 429} and wrong[:29] == [403] * 29 and 30 <= written <= 45, (wrong, written)
    # And so is no end of requests that cost a process, a row, or a key's work.
    asked = [ask("/saml/start?account=none-of-this-name") for _ in range(250)]
    # One comes back every two seconds, and may be any of them.
    assert asked[0] == 404 and 429 in asked, asked
    assert 429 in [ask(f"/saml/{account.tenant}/metadata") for _ in range(9)]
    # Others go on.
    person = Client(server, "console")
    assert account.post(person, account.answer(person)).status == 303


def test_encrypted_assertions(server, idp):
    # covers: IDN-3
    a = Account(server, idp, encrypt=True)
    client = Client(server, "console")
    fields = a.answer(client)
    assert "EncryptedAssertion" in xml_of(fields) and "alice" not in xml_of(fields)
    assert a.post(client, fields).status == 303
    assert session(client)["user"]["email"] == "alice@idp.example"
    # Old padding gives away what it protects.
    client = Client(server, "console")
    fields = a.answer(client)
    xml = swap(without_signature_of_response(xml_of(fields)), "rsa-oaep-mgf1p", "rsa-1_5")
    assert a.post(client, {**fields, "SAMLResponse": base64.b64encode(re.sub(r"<ds:Signature.*?</ds:Signature>", "", xml, flags=re.S).encode()).decode()}).status == 403
    assert a.log("sso.refused")[0]["reason"] == "algorithm"


def test_encrypted_name_identifiers(server, idp):
    # covers: IDN-3, SEC-3
    a = Account(server, idp, encrypt_name=True)
    client, visitor = Client(server, "console"), Visitor()
    fields = a.answer(client, visitor=visitor)
    assert "<saml:EncryptedID" in xml_of(fields) and "<saml:NameID" not in xml_of(fields)
    assert a.post(client, fields).status == 303
    assert session(client)["user"]["email"] == "alice@idp.example"
    # It signs out by an encrypted name, too.
    ended_there(idp, visitor, client)
    assert client.api("/session").status == 401
    # For another key than ours, or inside of an encrypted assertion.
    client = Client(server, "console")
    fields = a.answer(client)
    broken = lambda x: re.sub(r"(<xenc:CipherValue>)....", r"\1AAAA", x, count=1)  # noqa: E731
    answer = a.post(client, {**fields, "SAMLResponse": base64.b64encode(forge(idp, xml_of(fields), broken).encode()).decode()})
    assert answer.status == 403 and a.log("sso.refused")[0]["reason"] == "decryption", a.log("sso.refused")[0]
    idp.trust(a.metadata(), encrypt=True, encrypt_name=True)
    client = Client(server, "console")
    assert a.post(client, a.answer(client)).status == 303


def test_in_place_of_passwords(server, idp):
    # covers: IDN-3, SEC-7
    a = Account(server, idp)
    other = make_user(server, a.tenant)
    answer = a.client.post("/single-sign-on", mode="required", **RULES)
    assert answer.status == 422 and "Choose an active local administrator" in answer.text
    with database(server).cursor() as c:
        c.execute("select id from app_user where tenant = %s and email = %s", (a.tenant, a.admin))
        id = c.fetchone()[0]
    # Links for a password are none either: neither those that are under way nor new ones.
    token = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    with database(server).cursor() as c:
        c.execute("insert into invitation (tenant, token, kind, user_id, expires) select tenant, %s, 'reset', id, now() + interval '1 hour'"
                  " from app_user where tenant = %s and email = %s", (hashlib.sha256(token.encode()).digest(), a.tenant, other))
    link = f"/invitation?account={a.slug}&token={token}"
    assert Client(server, "console").get(link).status == 200
    a.save("required", break_glass=id)
    guest = Client(server, "console")
    assert guest.get(link).status == 403 and "identity provider" in guest.get(link).text
    refused = guest.post("/invitation", csrf=False, account=a.slug, token=token, password="Battery-staple-8", repeat="Battery-staple-8")
    assert refused.status == 403 and guest.api("/session").status == 401, refused
    assert guest.post("/forgotten", csrf=False, account=a.slug, email=other).status in (200, 303)
    with database(server).cursor() as c:
        c.execute("select detail->>'sent' from audit_entry where tenant = %s and event = 'password.reset-asked'", (a.tenant,))
        assert c.fetchall() == [("false",)]
    assert Client(server, "console").sign_in(other, account=a.slug).status == 422
    assert Client(server, "console").sign_in(a.admin, account=a.slug).status == 303
    client = Client(server, "console")
    assert a.post(client, a.answer(client)).status == 303


def test_a_trial_shows_what_came_and_changes_nothing(server, idp):
    # covers: IDN-3
    a = Account(server, idp, mode="off", role="groups", roles="", otherwise="")
    to, fields = Visitor().sign_in(a.start(a.client, "/single-sign-on/test"), "alice")
    answer = a.post(a.client, fields)
    assert answer.status == 303 and answer.header("location") == "/single-sign-on", answer
    page = html.unescape(a.client.get("/single-sign-on").text)
    assert "This person could not sign in" in page and "keyward-admins, staff" in page and "Alice Ashdown" in page
    a.save("off")
    to, fields = Visitor().sign_in(a.start(a.client, "/single-sign-on/test"), "alice")
    assert a.post(a.client, fields).status == 303
    page = html.unescape(a.client.get("/single-sign-on").text)
    assert "Would become a new user" in page and "Account Administrator" in page
    with database(server).cursor() as c:
        c.execute("select count(*) from app_user where tenant = %s and source = 'saml'", (a.tenant,))
        assert c.fetchone()[0] == 0
    # It says what a sign-in would run into, without changing anything.
    def tried():
        to, fields = Visitor().sign_in(a.start(a.client, "/single-sign-on/test"), "alice")
        assert a.post(a.client, fields).status == 303
        return html.unescape(a.client.get("/single-sign-on").text)

    a.save("off", create="")
    assert "none is made at the first sign-in" in tried()
    a.save("off")
    local = make_user(server, a.tenant, "auditor", "alice@idp.example")
    page = tried()
    assert "There is another user with this address" in page and "Would become" not in page
    id = count(server, "select id from app_user where tenant = %s and email = %s", a.tenant, local)
    assert a.client.post(f"/users/{id}/link", allow="1").status == 303
    assert "Would sign in as alice@idp.example" in tried()
    assert count(server, "select source || link from app_user where id = %s", id) == "localtrue"
    # Switched off, nobody signs in.
    assert Client(server, "console").get(f"/saml/start?account={a.slug}").status == 404


def test_metadata_are_seen_before_they_are_believed(server, idp):
    # covers: IDN-3, SEC-5
    a = Account(server, idp)
    changed = re.sub(r"<md:SingleLogoutService[^>]+>", "", idp.metadata())
    answer = a.client.post("/single-sign-on/metadata", metadata=changed)
    assert answer.status == 303, answer
    page = html.unescape(a.client.get("/single-sign-on").text)
    assert "Signing out here will not sign out there any more." in page
    with database(server).cursor() as c:
        c.execute("select idp->>'slo_url' from saml where tenant = %s", (a.tenant,))
        assert c.fetchone()[0]
    assert a.client.post("/single-sign-on/confirm", digest="0" * 64).status == 409
    assert a.client.post("/single-sign-on/discard").status == 303
    for xml, words in (("<!DOCTYPE x []><x/>", "document type"), ("no XML", "not well-formed"), (a.metadata(), "no identity provider"),
                       (idp.metadata().replace("<md:IDPSSODescriptor", '<md:IDPSSODescriptor validUntil="2020-01-01T00:00:00Z"'), "valid until"),
                       (idp.metadata().replace("http://127.0.0.1", "http://idp.example"), "https://")):
        answer = a.client.post("/single-sign-on/metadata", metadata=xml)
        assert answer.status == 422 and words in html.unescape(answer.text), (words, answer.text[-2000:])


# Signing out

def test_signing_out_ends_both_sessions(account, idp, server):
    # covers: IDN-3
    client, visitor = Client(server, "console"), Visitor()
    assert account.post(client, account.answer(client, visitor=visitor)).status == 303
    client.csrf = client.api("/session").json["csrf"]
    answer = client.post("/sign-out")
    assert answer.status == 200, answer
    way = html.unescape(re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text).group(1))
    assert client.api("/session").status == 401
    back = redirect_of(visitor, way)
    assert back.startswith(f"{client.origin}/saml/{account.tenant}/slo?SAMLResponse="), back
    answer = client.get(back[len(client.origin):])
    assert answer.status == 303 and answer.header("location") == "/sign-in", answer.text[:2000]
    # There nobody is signed in any more.
    to, page = visitor.open(account.start(client))
    assert "AuthState" in page


def redirect_of(visitor, way):
    """Where the identity provider sends the browser, which is not followed to us."""
    class Stop(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            if "/saml/" in newurl and "simplesaml" not in newurl.split("?")[0]:
                self.found = newurl
                return None
            return super().redirect_request(req, fp, code, msg, headers, newurl)
    stop = Stop()
    opener = urllib.request.build_opener(stop, *[h for h in visitor.opener.handlers if isinstance(h, urllib.request.HTTPCookieProcessor)])
    try:
        opener.open(way, timeout=60)
    except urllib.error.HTTPError:
        pass
    return stop.found


def test_the_identity_provider_signs_out(account, idp, server):
    # covers: IDN-3, SEC-3
    client, visitor = Client(server, "console"), Visitor()
    assert account.post(client, account.answer(client, visitor=visitor)).status == 303
    index = count(server, "select s.index from saml_session s join user_session u on u.id = s.session where s.tenant = %s order by u.created desc limit 1",
                  account.tenant)
    told = redirect_of(visitor, f"{idp.base}/saml2/idp/SingleLogoutService.php?ReturnTo={idp.base}/x")
    path = told[len(client.origin):]
    # Changed, or without its signature, it ends nothing.
    for wrong in (path.split("&SigAlg=")[0], path.replace("Signature=", "Signature=AAAA"), re.sub(r"rsa-sha256", "rsa-sha1", path)):
        answer = Client(server, "console").get(wrong)
        assert answer.status == 403, answer
        assert client.api("/session").status == 200
    answer = Client(server, "console").get(path)
    assert answer.status == 200, answer
    assert f"{idp.base}/saml2/idp/SingleLogoutService.php?SAMLResponse=" in html.unescape(answer.text)
    assert client.api("/session").status == 401
    # The same message again ends nothing, not even what has begun since under the same name.
    client, visitor = Client(server, "console"), Visitor()
    assert account.post(client, account.answer(client, visitor=visitor)).status == 303
    run(server, "update saml_session set index = %s where tenant = %s", index, account.tenant)
    signed_out = len(account.log("sso.signed-out"))
    for browser in (Client(server, "console"), client):
        answer = browser.get(path)
        assert answer.status == 403 and "does not sign anybody out" in answer.text, answer
        assert account.log("sso.refused")[0]["reason"] == "replay"
    assert client.api("/session").status == 200 and len(account.log("sso.signed-out")) == signed_out


def half_there(a, client, name, visitor=None):
    """Signed in at the identity provider, with a second factor still to be shown; where that is asked for."""
    answer = a.post(client, a.answer(client, name, visitor))
    assert answer.status == 303, answer
    return answer.header("location")


def ended_there(idp, visitor, client):
    """The identity provider signs its person out: what it has a browser carry here is opened."""
    told = redirect_of(visitor, f"{idp.base}/saml2/idp/SingleLogoutService.php?ReturnTo={idp.base}/x")
    answer = Client(client.it, "console").get(told[len(client.origin):])
    assert answer.status == 200, answer


def test_the_identity_provider_signs_out_who_has_shown_a_second_factor(server, idp):
    # covers: IDN-3, IDN-5, IDN-6
    a = Account(server, idp)
    assert a.client.api("/sign-in-rules", {"factor": ["auditor"], "idle_minutes": 30, "hours": 12}).status == 200
    # One that has to be set up first: each step is a session of its own.
    client, visitor = Client(server, "console"), Visitor()
    assert half_there(a, client, "bob", visitor) == "/factor/new"
    secret = secret_in(client.get("/factor/new").text)
    recovery = codes_in(client.post("/factor/confirm", code=code(secret)).text)
    assert session(client)["user"]["email"] == "bob@idp.example"
    ended_there(idp, visitor, client)
    assert client.api("/session").status == 401
    # The code of one.
    client, visitor = Client(server, "console"), Visitor()
    assert half_there(a, client, "bob", visitor).startswith("/sign-in/code")
    client.get("/sign-in/code")
    assert client.post("/sign-in/code", code=recovery[0]).status == 303
    assert session(client)["user"]["email"] == "bob@idp.example"
    ended_there(idp, visitor, client)
    assert client.api("/session").status == 401
    # In between: no code opens what has ended there.
    client, visitor = Client(server, "console"), Visitor()
    half_there(a, client, "bob", visitor)
    client.get("/sign-in/code")
    ended_there(idp, visitor, client)
    answer = client.post("/sign-in/code", code=recovery[1])
    assert answer.status != 303 or answer.header("location").startswith("/sign-in"), answer
    assert client.api("/session").status == 401
    # And from here: it is told to end its own.
    client, visitor = Client(server, "console"), Visitor()
    half_there(a, client, "bob", visitor)
    client.get("/sign-in/code")
    assert client.post("/sign-in/code", code=recovery[1]).status == 303
    client.csrf = session(client)["csrf"]
    answer = client.post("/sign-out")
    assert answer.status == 200 and "SAMLRequest=" in html.unescape(answer.text), answer


def test_signing_out_by_post(server, folder):
    # covers: IDN-3, SEC-3
    with IdentityProvider(folder / "idp", post_logout=True) as idp:
        a = Account(server, idp)
        client, visitor = Client(server, "console"), Visitor()
        assert a.post(client, a.answer(client, visitor=visitor)).status == 303
        client.csrf = client.api("/session").json["csrf"]
        answer = client.post("/sign-out")
        assert answer.status == 200, answer
        to, fields = form_of(answer.text[answer.text.index("<form"):])
        assert to.startswith(idp.base) and "SAMLRequest" in fields
        # The page may send its form there, and no other page may.
        assert f"form-action 'self' http://127.0.0.1:{idp.port};" in answer.header("content-security-policy")
        assert str(idp.port) not in client.get("/sign-in").header("content-security-policy")
        back, fields = form_of(visitor.open(to, fields)[1])
        assert back == f"{client.origin}/saml/{a.tenant}/slo" and "SAMLResponse" in fields, (back, fields)
        outside = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "cross-site"}
        unsigned = re.sub(r"<ds:Signature.*?</ds:Signature>", "", xml_of(fields), flags=re.S)
        wrong = {**fields, "SAMLResponse": base64.b64encode(unsigned.encode()).decode()}
        assert client.post(f"/saml/{a.tenant}/slo", csrf=False, headers=outside, **wrong).status == 403
        assert a.log("sso.refused")[0]["reason"] == "unsigned"
        answer = client.post(f"/saml/{a.tenant}/slo", csrf=False, headers=outside, **fields)
        assert answer.status == 303 and answer.header("location") == "/sign-in", answer


def way_to_prove(client, path="/factor"):
    """Where a page leads who has no password."""
    return html.unescape(re.search(r'href="(/saml/again[^"]*)"', client.get(path).text).group(1))


def prove(a, client, name, visitor, path="/factor", **changes):
    """Goes from a page to the identity provider and back; what the console answered."""
    away = a.start(client, way_to_prove(client, path))
    return a.post(client, {**visitor.sign_in(away, name)[1], **changes})


def may_act(client):
    """Whether what asks others for their password is done: 303."""
    client.csrf = session(client)["csrf"]
    return client.post("/factor/new").status == 303


def test_who_has_no_password_proves_it_there_again(server, idp):
    # covers: IDN-3, IDN-5, KEY-5, SEC-3
    a = Account(server, idp)
    client, visitor = Client(server, "console"), Visitor()
    assert a.post(client, a.answer(client, visitor=visitor)).status == 303
    before = session(client)
    assert not may_act(client)
    # Who has signed in there before is asked all the same, and comes back to the page, still in the same session.
    away = a.start(client, way_to_prove(client, "/factor?x=1"))
    there, asked = visitor.open(away)
    assert "SAMLResponse" not in asked and "AuthState" in asked, asked[:2000]
    answer = prove(a, client, "alice", visitor, "/factor?x=1")
    assert answer.status == 303 and answer.header("location") == "/factor?x=1", answer.text[:2000]
    assert session(client)["user"] == before["user"] and count(server, "select count(*) from saml_session where tenant = %s", a.tenant) == 1
    shown = html.unescape(client.get("/factor").text)
    assert "has just vouched for you" in shown and "/saml/again" not in shown and 'name="current"' not in shown
    assert may_act(client)
    # For five minutes, and for this session alone.
    run(server, "update saml_session set proven = now() - interval '301 seconds' where tenant = %s", a.tenant)
    assert not may_act(client)
    other = Client(server, "console")
    assert a.post(other, a.answer(other)).status == 303
    assert prove(a, client, "alice", visitor).status == 303 and may_act(client) and not may_act(other)


def test_nobody_proves_it_for_another(server, idp):
    # covers: IDN-3, SEC-3
    a = Account(server, idp)
    client = Client(server, "console")
    assert a.post(client, a.answer(client)).status == 303
    # Somebody else at the same browser.
    assert prove(a, client, "bob", Visitor()).status == 403 and a.log("sso.refused")[0]["reason"] == "another-person"
    # An answer to a sign-in is not one to this, nor the other way round.
    fields = Visitor().sign_in(a.start(client, way_to_prove(client)), "alice")[1]
    sign_in = a.answer(client)
    assert a.post(client, {**sign_in, "RelayState": fields["RelayState"]}).status == 403
    assert not may_act(client)
    # One that the identity provider remembers from before: its time is that of the first sign-in.
    with database(server).cursor() as c:
        fields = Visitor().sign_in(a.start(client, way_to_prove(client)), "alice")[1]
        c.execute("update saml_request set expires = expires + interval '3 minutes' where id = %s", (fields["RelayState"],))
        answer = a.post(client, fields)
    assert answer.status == 403 and a.log("sso.refused")[0]["reason"] == "not-anew" and not may_act(client)
    # The session was revoked meanwhile.
    fields = Visitor().sign_in(a.start(client, way_to_prove(client)), "alice")[1]
    run(server, "delete from user_session where tenant = %s and user_id = (select id from app_user where tenant = %s and email = 'alice@idp.example')", a.tenant, a.tenant)
    assert a.post(client, fields).status == 403 and a.log("sso.refused")[0]["reason"] == "no-session"
    # Local people have no use for it, and strangers no way.
    assert "/saml/again" not in a.client.get("/factor").text
    assert Client(server, "console").get("/saml/again").status == 303


def test_operators_too(server, idp):
    # covers: IDN-3, TEN-2
    client = operator(server)
    client.get("/single-sign-on")
    assert client.post("/single-sign-on/begin").status == 303
    assert client.post("/single-sign-on/metadata", metadata=idp.metadata()).status == 303
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', client.get("/single-sign-on").text).group(1)
    assert client.post("/single-sign-on/confirm", digest=digest).status == 303
    rules = {**RULES, "roles": "keyward-admins = msp-administrator"}
    assert client.post("/single-sign-on", mode="optional", **rules).status == 303
    idp.trust(Client(server, "central").get("/saml/metadata").text)
    other = Client(server, "central")
    assert "/saml/start" in other.get("/sign-in").text
    way = html.unescape(re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', other.get("/saml/start").text).group(1))
    to, fields = Visitor().sign_in(way, "alice")
    answer = other.post("/saml/acs", csrf=False, headers={"Origin": "http://127.0.0.1"}, **fields)
    assert answer.status == 303, answer.text[:2000]
    assert session(other)["user"]["role"] == "msp-administrator"
    assert client.post("/single-sign-on", mode="off", **rules).status == 303
