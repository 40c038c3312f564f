"""In which language the consoles speak: the browser's, the account's, one's own; pages, errors, dates and mails."""
import html
import json
import re

from fixtures import fixture
from hooks import Receiver
from inventory import Machine
from mailsink import mail_of
from notices import FORM, SECONDS, log
from stack.process import wait_until
from web import Client, make_operator, make_tenant, make_user, operator
from world import World, count, run

NIL = "00000000-0000-0000-0000-000000000000"        # the installation
GERMAN = {"Accept-Language": "de-CH, fr;q=0.8"}


@fixture("file")
def world(server):
    return World(server)


def language(answer):
    assert answer.header("vary") == "accept-language, cookie", answer.headers
    lang = answer.text.split('<html lang="')[1].split('"')[0]
    assert answer.header("content-language") == lang
    return lang


def test_before_sign_in_the_browser_says_it(server):
    # covers: WEB-1
    c = Client(server, "console")
    assert language(c.get("/sign-in")) == "en" and language(c.get("/sign-in", headers={"Accept-Language": "fr, x"})) == "en"
    # As much as each is wanted, not as it comes; of two that are wanted alike the first.
    for wanted, spoken in (("de;q=0.3, en;q=0.9", "en"), ("en;q=0.3,fr,de-AT;q=0.8", "de"), ("de;q=0, fr", "en"), ("de;q=NaN, en;q=0.1", "en"), ("de, en", "de"), ("en, de", "en")):
        assert language(c.get("/sign-in", headers={"Accept-Language": wanted})) == spoken, wanted
    page = c.get("/sign-in", headers=GERMAN)
    assert language(page) == "de" and "Passwort vergessen?" in page.text and "Forgotten password?" not in page.text
    page = c.post("/sign-in", csrf=False, headers=GERMAN, account="nobody", email="a@b.example", password="x")
    assert page.status == 422 and "Das passt nicht zusammen." in page.text, page


def test_the_accounts_choice_and_ones_own(server):
    # covers: WEB-1, ADM-1
    slug, tenant = make_tenant(server)
    admin, other = make_user(server, tenant), make_user(server, tenant, "auditor")
    a, o = Client(server, "console"), Client(server, "console")
    assert a.sign_in(admin, account=slug).status == o.sign_in(other, account=slug).status == 303
    assert language(a.get("/sessions")) == "en" and language(o.get("/sessions", headers=GERMAN)) == "de"
    assert a.post("/account/language", everybody="de").status == 303 and o.post("/account/language", everybody="de").status == 403
    assert language(a.get("/sessions")) == language(o.get("/sessions")) == "de"
    page = a.get("/sessions")
    assert "Meine Sitzungen" in page.text and ("vor " in page.text or "gerade eben" in page.text), page.text
    # One's own before the account's; the page tells each language in its own words.
    assert a.post("/language", language="en").status == 303 and language(a.get("/sessions")) == "en" and language(o.get("/sessions")) == "de"
    page = a.get("/language").text
    assert '<option value="de">Deutsch</option>' in page and '<option value="en" selected>English</option>' in page, page
    assert a.post("/language", language="").status == 303 and language(a.get("/sessions")) == "de"
    again = a.post("/language", language="xx")
    assert again.status == 422 and "Bitte wählen Sie etwas aus der Liste." in again.text, again
    # Programs are told in English, whoever asks.
    assert "Please choose one of the list." in a.api("/language", {"language": "xx"}).text
    # What the log keeps is English; its page is not.
    assert "Kontoeinstellungen geändert" in a.get("/log").text
    assert "Account settings changed" in a.api("/log").text
    # What the database has named with the account is called so in the reader's language, to programs as it is kept; a name of one's own stays.
    page = a.get("/policies").text
    assert "Standardrichtlinie" in page and "Für neue Images und Geräte" in page and "Default policy" not in page, page
    assert [r["name"] for r in a.api("/policies").json["list"]["rows"]] == ["Default policy"]


def test_errors_are_put_together_in_the_language(server, world):
    # covers: WEB-1, WEB-3
    c = Client(server, "central")
    assert c.sign_in(world.operator).status == 303
    assert c.post("/language", language="de").status == 303
    try:
        page = c.post("/password", current="Correct-horse-7", password="short", repeat="short")
        assert page.status == 422 and "Das Passwort muss 8 bis 128 Zeichen haben." in page.text, page.text
        page = c.post("/password", current="", password="x", repeat="x")
        assert "Bitte füllen Sie dies aus." in page.text
        page = c.get("/tenants/01a21d44-0000-7000-8000-000000000000")
        assert page.status == 404 and "Nicht gefunden" in page.text, page
    finally:
        c.post("/language", language="")


def test_a_mail_is_in_its_recipients_language(server):
    # covers: WEB-1, NTF-1
    slug, tenant = make_tenant(server)
    person = make_user(server, tenant)
    run(server, "update app_user set language = 'de' where email = %s", person)
    with mail_of(server) as sink:
        answer = Client(server, "console").post("/forgotten", csrf=False, account=slug, email=person)
        assert answer.status == 200 and language(answer) == "en"
        mail = sink.wait(person)
        assert mail.subject == "Neues Passwort wählen", mail.subject
        assert "Er funktioniert einmal, eine Stunde lang." in mail.text, mail.text


def german(server):
    """An account that speaks German: (its tenant, a signed-in administrator)."""
    slug, tenant = make_tenant(server)
    c = Client(server, "console")
    assert c.sign_in(make_user(server, tenant), account=slug).status == 303
    assert c.post("/account/language", everybody="de").status == 303
    return tenant, c


def words(answer):
    """What people read of a page."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text)))


def test_entries_of_the_log_are_said_in_the_readers_language(server):
    # covers: WEB-1, LOG-1, NTF-3
    tenant, c = german(server)
    assert c.post("/users/new", email="pruefer@example.net", name="Jörg Maß", role="auditor").status in (200, 303)
    log(server, tenant, "agent.refused", "account", str(tenant), reason="wrong provisioning passphrase")
    log(server, tenant, "key.closed", "request", None, "data", reason="shutdown", status="delivered")
    log(server, tenant, "key-server.away", reason="kmip.example cannot be reached: Connection refused")
    log(server, tenant, "policy.changed", "policy", None, "Good", comment="Good", changes={"action": {"old": {"on_match": "manual"}, "new": {
        "on_match": "manual-timeout", "timeout_s": 600}}, "pooling": {"old": False, "new": True}})
    log(server, tenant, "policy.changed", "policy", None, "Default policy", changes={"name": {"old": "Default policy", "new": "Default"}})
    log(server, tenant, "key.policy", "request", None, "data", policy="Default policy")
    page = words(c.get("/log?limit=100"))
    for said in ("Wie: Passwort", "Name: Jörg Maß, Rolle: Prüfer", "Grund: falsche Bereitstellungs-Passphrase", "Grund: heruntergefahren, Status: Ausgeliefert",
                 "Grund: kmip.example ist nicht erreichbar: Verbindung abgelehnt", "Kommentar: Good", "Zeitablauf: 10 Minuten", "Ressourcen-Pooling nein ja",
                 "Name Standardrichtlinie Default", "Richtlinie: Standardrichtlinie"):
        assert said in page, (said, page)
    assert "Default policy" not in page, page
    # In a file of it too; programs are told what is kept.
    told = c.get("/log.csv").text
    assert "Wie: Passwort" in told and '"Standardrichtlinie"' in told and "Default policy" not in told, told
    kept = c.api("/log?limit=100").text
    assert "how: password" in kept and "reason: wrong provisioning passphrase" in kept and "policy: Default policy" in kept and "Passwort" not in kept
    # Reports.
    Machine(server, tenant, "orders-db-9")
    page = words(c.post("/reports/preview", name="Bestand", criteria=["devices", "policies"], period="last-week", formats=["pdf"], schedule="once", keep_days=30, at="06:00"))
    assert page.count("Standardrichtlinie") >= 2 and "Default policy" not in page, page
    # The bell.
    wait_until(lambda: "Schlüsselserver ist nicht erreichbar" in c.get("/notices").text, SECONDS, "the bell does not ring")
    assert "kmip.example ist nicht erreichbar: Verbindung abgelehnt" in words(c.get("/notices"))


def test_what_is_wrong_with_a_policy_is_said_in_the_readers_language(server):
    # covers: WEB-1, WEB-3, POL-8
    _, c = german(server)
    faulty = {"keyward_policy": 1, "name": "Prüfung", "description": "x", "rules": [{"type": "no.such", "conditions": []}, {"type": "os.bits", "conditions": [
        {"operator": "equals", "value": "many"}]}], "action": {"on_match": "perhaps", "on_mismatch": "deny"}}
    page = words(c.post("/policies/import", document=json.dumps(faulty), go="preview"))
    for said in ("Es gibt keine Regelart „no.such“", "Eine ganze Zahl ist nötig", "Eines davon ist nötig: approve, manual, manual-timeout"):
        assert said in page, (said, page)
    told = c.api("/policies/import", {"document": faulty, "go": "apply"}).text
    assert "A whole number is needed" in told, told


def test_a_group_is_mailed_in_the_language_of_its_account(server):
    # covers: WEB-1, NTF-1, NTF-2
    tenant, c = german(server)
    page = c.get("/notifications/new").text
    assert "Im Konto {{account}}:" in page and "Gerät: {{device}}" in html.unescape(page), page
    texts = {**FORM, "content": "{{event}}\nGrund: {{comment}}\nRichtlinie: {{policy}}\nWann: {{time}}", "events": ["key-denied"], "recipients": "wache@example.net"}
    run(server, "update tenant set settings = settings || '{\"date_format\": \"DD.MM.YYYY\"}' where id = %s", tenant)
    assert c.post("/notifications/new", **texts).status == 303
    assert "Wann: 21.11.2026 09:30:00 (Europe/Berlin)" in c.post("/notifications/preview", **texts).text
    request = Machine(server, tenant, "orders-db-8").request("pending")
    with mail_of(server) as sink:
        log(server, tenant, "key.denied-automatically", "request", request, "orders data", comment="an integrity check failed")
        mail = sink.wait("wache@example.net")
        assert mail.subject == "Schlüssel automatisch abgelehnt: orders data", mail.subject
        assert "Grund: eine Integritätsprüfung ist fehlgeschlagen" in mail.text and "Richtlinie: Standardrichtlinie\n" in mail.text, mail.text
        assert re.search(r"^Wann: \d\d\.\d\d\.20\d\d \d\d:\d\d:\d\d \(UTC\)$", mail.text, re.M), mail.text


def test_names_are_sorted_and_found_as_people_write_them(server):
    # covers: WEB-1, WEB-3
    _, c = german(server)
    names = ["Äpfel", "apfel", "Birne", "Öl", "Ofen", "Straße", "Strauß", "zebra", "Zebra"]
    action = {"on_match": "approve", "on_mismatch": "deny"}
    for name in reversed(names):
        assert c.api("/policies/import", {"document": {"keyward_policy": 1, "name": name if name != "Zebra" else "Zebra 2", "description": "x", "action": action},
                                          "go": "apply"}).status == 200, name

    def listed(query):
        return [r["name"] for r in c.api("/policies?" + query).json["list"]["rows"] if r["name"] != "Default policy"]

    assert listed("sort=name&limit=100") == ["apfel", "Äpfel", "Birne", "Ofen", "Öl", "Straße", "Strauß", "zebra", "Zebra 2"]
    assert listed("sort=-name&limit=100") == list(reversed(listed("sort=name&limit=100")))
    # By pages, which begin where the one before ended.
    found, query = [], "sort=name&limit=4"
    while query:
        page = c.api("/policies?" + query).json["list"]
        found += [r["name"] for r in page["rows"] if r["name"] != "Default policy"]
        query = page["next"].split("?", 1)[1] if page["next"] else None
    assert found == listed("sort=name&limit=100")
    assert listed("search=%C3%A4PF") == ["Äpfel"] and listed("search=stra%C3%9F") == ["Straße"] and listed("search=U%C3%9F") == ["Strauß"] and listed("search=%C3%96L") == ["Öl"]


def test_the_installation_has_a_language_of_its_own(server, folder):
    # covers: WEB-1, NTF-1, NTF-2, NTF-3, ADM-2
    boss, reader, other = make_operator(server, "system-operator"), make_operator(server, "auditor"), make_operator(server, "tenant-manager")
    c, r = operator(server, email=boss), operator(server, email=reader)
    assert "As the browser asks for it" in c.get("/language").text and "/installation/language" not in r.get("/language").text
    assert r.post("/installation/language", everybody="de").status == 403 and c.post("/installation/language", everybody="xx").status == 422
    with Receiver(folder) as receiver, mail_of(server) as sink:
        assert c.post("/installation/language", everybody="de").status == 303
        assert r.post("/installation/date-format", date_format="MM/DD/YYYY").status == 403
        assert c.post("/installation/date-format", date_format="nonsense").status == 422
        assert c.post("/installation/date-format", date_format="MM/DD/YYYY").status == 303
        try:
            # Pages, where none was chosen; one's own goes before.
            assert language(c.get("/language")) == language(r.get("/sessions")) == "de" and "Wie in der Installation eingestellt" in c.get("/language").text
            assert r.post("/language", language="en").status == 303 and language(r.get("/sessions")) == "en"
            # A letter, though the page that asks for it is the browser's.
            assert language(Client(server, "central").post("/forgotten", csrf=False, email=other)) == "en"
            sink.wait(other, "Neues Passwort wählen")
            # A group, a chat, and by default each operator.
            form = {**FORM, "subject": "{{event}}: {{about}}", "header": "{{account}}", "content": "{{comment}}", "footer": ""}
            assert c.post("/notifications/new", **{**form, "name": "Wache", "events": ["server-trouble"], "recipients": "nachtwache@example.net"}).status == 303
            hook = c.api("/webhooks/new", {"name": "Chat", "url": receiver.url(), "format": "slack", "events": ["server-trouble"], "ca": receiver.ca, "enabled": True}).json["made"]["id"]
            group = count(server, "select id from notice_group where tenant = %s and name = 'Wache'", NIL)
            log(server, None, "health.lost", "processes", None, "Key service", reason="none answers")
            # Something else may be the matter with the server that other tests have used, and be told in the same mail.
            mails = lambda who, *words: [m for m in sink.to(who) if "gestört" in m.subject and all(w in m.subject + m.text for w in words)]      # noqa: E731
            wait_until(lambda: mails("nachtwache@example.net", "Schlüsseldienst", "keiner antwortet", "Zentrale Verwaltung"), SECONDS, "the group is not told")
            wait_until(lambda: mails(boss, "Schlüsseldienst"), SECONDS, "the operator is not told")
            # And its date format: in mails, on pages, not in the API.
            told = mails(boss, "Schlüsseldienst")[0].text
            assert re.search(r"\d\d/\d\d/20\d\d \d\d:\d\d:\d\d \(UTC\)", told), told
            assert re.search(r"\d\d/\d\d/20\d\d, \d\d:\d\d:\d\d UTC", c.get("/log").text) and "11/28/2026" in c.get("/language").text
            assert not re.search(r"\d/\d\d/20\d\d", c.api("/log").text)
            # Of types of entries those that an installation's log can have; what is asked for is shown.
            types = [o["value"] for o in c.api("/log").json["form"]["types"]["options"]]
            assert types == ["key", "user", "report", "system"] and "device" in [o["value"] for o in c.api("/log?type=device").json["form"]["types"]["options"]], types
            said = "Ein Teil des Servers ist gestört: Schlüsseldienst - keiner antwortet"
            wait_until(lambda: [g for g in receiver.got if said in g.json["text"]], SECONDS, "the chat is not told")
            assert c.post(f"/notifications/{group}/delete").status == c.post(f"/webhooks/{hook}/delete").status == 303
        finally:
            assert c.post("/installation/language", everybody="").status == c.post("/installation/date-format", date_format="usual").status == 303
    assert language(c.get("/language")) == "en"
    assert count(server, "select json_agg(detail -> 'changes' -> 'value' order by seq) from audit_entry where tenant = %s and event = 'setting.changed' and object_name = 'language'",
                 NIL) == [{"old": None, "new": "de"}, {"old": "de", "new": None}]
    assert count(server, "select json_agg(detail -> 'changes' -> 'value' order by seq) from audit_entry where tenant = %s and event = 'setting.changed' and object_name = 'date_format'",
                 NIL) == [{"old": None, "new": "MM/DD/YYYY"}, {"old": "MM/DD/YYYY", "new": None}]
