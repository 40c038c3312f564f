"""Licences: codes issued, entered and refused; what is counted; the limit and the end; warnings in both consoles and by mail."""
import base64
import csv
import datetime
import io
import uuid

from mailsink import mail_of
from notices import told
from stack.process import wait_until
from web import Client, database, make_operator, make_tenant, make_user, operator

SECONDS = 120


def sql(server, text, args=None):
    with database(server).cursor() as c:
        c.execute(text, args)
        return c.fetchall() if c.description else c.rowcount


class Account:
    def __init__(self, server):
        self.server = server
        self.slug, self.id = make_tenant(server)
        self.email = make_user(server, self.id)
        self.client = Client(server, "console")
        assert self.client.sign_in(self.email, account=self.slug).status == 303
        self.policy = sql(server, "select id from policy where tenant = %s", (self.id,))[0][0]
        self.instance = str(uuid.uuid4())
        sql(server, "insert into instance (tenant, id, provider, provider_instance) values (%s, %s, 'ec2', 'i-1')", (self.id, self.instance))

    def devices(self, number, keys=True, status="encrypted", raid=None, kind="disk"):
        ids = [str(uuid.uuid4()) for _ in range(number)]
        for id in ids:
            sql(self.server, "insert into device (tenant, id, provider, provider_device, policy, instance, status, key_created, raid, raid_index, kind,"
                " filesystem, mount_point, os, size_bytes) values (%s, %s, 'ec2', %s, %s, %s, %s, case when %s then now() end, %s, %s, %s, 'ext4', %s,"
                " 'linux', 1 << 30)", (self.id, id, "vol-" + id[-12:], self.policy, self.instance, status, keys, raid,
                                       None if raid is None else ids.index(id), kind, "/srv/" + id[-12:]))
        return ids

    def licence(self):
        return self.client.api("/licence").json["licence"]


def day(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def issue(c, account, keys=10, until=None, kind="full", status=200, **more):
    a = c.api(f"/tenants/{account.id}/licences", {"kind": kind, "keys": keys, "until": until or day(365), **more})
    assert a.status == status, a
    return a.json["made"]["code"] if status == 200 else a.json


def enter(account, code, status=200):
    a = account.client.api("/licence", {"code": code})
    assert a.status == status, a
    return a.text


def test_issued_entered_renewed(server):
    # covers: LIC-1, LIC-2
    c, a = operator(server, "tenant-manager"), Account(server)
    begun = a.licence()
    assert begun["begun"] and begun["keys"] == 100 and begun["kind"]["name"] == "Trial"
    first = issue(c, a, 10, note="order 4711")
    assert first.startswith("KWL1.") and len(first) < 180
    enter(a, first[:60] + "\n  " + first[60:] + "\r\n")
    now = a.licence()
    assert (now["keys"], now["serial"], now["kind"]["name"], now["begun"]) == (10, 1, "Full", False)
    second, third = issue(c, a, 20), issue(c, a, 30)
    enter(a, third)
    assert a.licence()["keys"] == 30
    for code, words in ((third, "in force already"), (first, "replaced by a later one"), (second, "older than the one in force")):
        assert words in enter(a, code, 422), words
    assert a.licence()["keys"] == 30
    codes = c.api(f"/tenants/{a.id}/licences").json["list"]["rows"]
    assert [(k["serial"], k["state"]["name"]) for k in codes] == [(3, "In force"), (2, "Issued, not entered"), (1, "Replaced")]
    assert codes[2]["note"] == "order 4711"
    page = a.client.get("/licence")
    assert page.status == 200 and "Number 3" in page.text and "Trial at the beginning" in page.text and "<progress" in page.text
    assert c.get(f"/tenants/{a.id}/licences").status == 200
    # Put into force by the operator: the tenant sees who did it.
    issue(c, a, 40, assign=True)
    assert a.licence()["keys"] == 40
    events = [r["event"] for r in a.client.api("/log?limit=50").json["list"]["rows"]]
    assert "Licence put into force by the operator" in events and "Activation code entered" in events, events
    # Both logs name the account, and not by an id.
    named = sql(server, "select distinct object_name from audit_entry where event in ('licence.issued', 'licence.assigned') and object_id = %s", (a.id,))
    assert named == [(f"Tenant {a.slug}",)], named


def test_codes_that_do_not_fit(server):
    # covers: LIC-1
    c, a, b = operator(server, "tenant-manager"), Account(server), Account(server)
    code = issue(c, a)
    raw = bytearray(base64.urlsafe_b64decode(code[5:] + "=" * (-len(code[5:]) % 4)))

    def text(raw):
        return "KWL1." + base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("=")

    assert text(raw) == code

    def changed(at):
        other = bytearray(raw)
        other[at] ^= 1
        return text(other)

    for wrong, words in (("hello", "not an activation code"), (code[:-10], "not an activation code"), (code + "AAAA", "not an activation code"),
                         ("KWL2." + code[5:], "later form"), (changed(0), "not an activation code"), (changed(5), "another installation"),
                         (changed(36), "signature"), (changed(41), "signature"), (changed(60), "signature"), (changed(121), "signature"),
                         (issue(c, b), "another account"), ("x" * 400, "not an activation code")):
        assert words in enter(a, wrong, 422), (wrong, words)
    assert enter(a, "y" * 401, 422)
    # One that has ended since it was issued.
    short = issue(c, a, until=day(1))
    assert "passed" in str(issue(c, a, until=day(-1), status=422))
    enter(a, short)
    # The table of who may, and what an account's readers see.
    reader = Client(server, "console")
    assert reader.sign_in(make_user(server, a.id, "auditor"), account=a.slug).status == 303
    assert reader.api("/licence").status == 200 and reader.api("/licence", {"code": code}).status == 403
    assert operator(server, "system-operator").get("/licences").status == 403
    assert operator(server, "auditor").api(f"/tenants/{a.id}/licences", {"kind": "full", "keys": 1, "until": day(9)}).status == 403


def test_what_counts_and_what_the_limit_does(server):
    # covers: LIC-1, LIC-3
    c, a = operator(server, "tenant-manager"), Account(server)
    enter(a, issue(c, a, 5))
    raid, = a.devices(1, False, "configured", kind="raid-0")
    a.devices(2)
    a.devices(1, status="in-use")
    members = a.devices(2, False, "configured", raid=raid)
    one, two, third = a.devices(3, False, "configured")
    assert a.licence()["used"] == 3
    # Two are left: the array takes both; while its encryption waits, they are taken.
    assert a.client.api(f"/devices/{raid}/encrypt", {}).status == 200
    assert a.licence()["pending"] == 2
    refused = a.client.api(f"/devices/{one}/encrypt", {})
    assert refused.status == 422 and "no key left" in refused.text and "Product License" in refused.text, refused
    page = a.client.post(f"/devices/{one}/encrypt")
    assert page.status == 422 and "no key left" in page.text
    assert a.client.api(f"/devices/{raid}/cancel", {}).status == 200
    assert a.client.api(f"/devices/{one}/encrypt", {}).status == 200
    assert a.client.api(f"/devices/{raid}/encrypt", {}).status == 422         # two members, one key left
    # What ends before it is entered, and after.
    sql(server, "update licence set until = now() - interval '1 minute' where tenant = %s and replaced is null", (a.id,))
    refused = a.client.api(f"/devices/{two}/encrypt", {})
    assert refused.status == 422 and "has ended" in refused.text
    page = a.client.get("/devices")
    assert "The licence has ended" in page.text and "/licence" in page.text
    enter(a, issue(c, a, 5))
    assert a.client.api(f"/devices/{two}/encrypt", {}).status == 200
    assert a.client.api(f"/devices/{third}/encrypt", {}).status == 422
    assert members


def test_the_database_holds_the_limit(server):
    # covers: LIC-3
    import psycopg2
    c, a = operator(server, "tenant-manager"), Account(server)
    enter(a, issue(c, a, 2))
    a.devices(1)
    waiting = a.devices(2, False, "encrypting")
    done = []
    for role in ("keyward_agent", "keyward_console"):
        with psycopg2.connect(server.conninfo(role)) as k:
            with k.cursor() as q:
                q.execute("select set_config('keyward.tenant', %s, true)", (a.id,))
                try:
                    q.execute("update device set key_created = now() where id = %s", (waiting[len(done) and 1],))
                    done.append("given")
                except psycopg2.errors.CheckViolation as e:
                    done.append(e.diag.constraint_name)
                    k.rollback()
        k.close()
    assert done == ["given", "licence"], done


def test_keys_of_encrypted_devices_are_delivered_after_the_end(server):
    # covers: LIC-3
    # Nothing on the way of a release asks for the licence: neither the functions that give proofs, nor the release itself.
    texts = sql(server, "select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace and proname in"
                " ('keys_fetch', 'key_ticket', 'keys_delivered', 'key_request_may')")
    assert len(texts) == 4 and not any("licence" in t for _, t in texts)


def test_operator_sees_use_and_nothing_else(server):
    # covers: LIC-2, TEN-3
    c, a, b = operator(server, "tenant-manager"), Account(server), Account(server)
    enter(a, issue(c, a, 10))
    a.devices(9)
    enter(b, issue(c, b, 50, until=day(20)))
    secret = "vol-" + a.devices(1, False, "configured")[0][-12:]

    def row(account, query=""):
        found = [r for r in c.api(f"/licences?search={account.slug}{query}").json["list"]["rows"] if r["account"] == account.slug]
        return found[0] if found else None

    wait_until(lambda: row(a)["used"] == 9, SECONDS, "keys are not counted")
    assert row(a)["share"] == 90 and row(a)["status"]["name"] == "Near the limit"
    assert row(a, "&near=limit") and not row(b, "&near=limit")
    assert row(b, "&near=end") and not row(a, "&near=end") and row(b)["status"]["name"] == "Near the end"
    rows = c.api("/licences?sort=-share&limit=200").json["list"]["rows"]
    assert [r["share"] for r in rows] == sorted((r["share"] for r in rows), reverse=True)
    table = list(csv.DictReader(io.StringIO(c.get(f"/licences.csv?search={a.slug}").text)))
    assert len(table) == 1 and table[0]["Keys in use"] == "9" and table[0]["Keys licensed"] == "10"
    page = c.get("/licences")
    assert page.status == 200 and a.slug in c.get(f"/licences?search={a.slug}").text
    # The notice of how many is counted now and then.
    wait_until(lambda: all(t in c.get("/licences").text for t in ("80 % or more of their licence", "licence ends soon")), SECONDS, "no notice")
    for path in (f"/tenants/{a.id}/licences", "/licences", f"/tenants/{a.id}"):
        text = c.get(path).text
        assert secret not in text and a.email not in text and "Default policy" not in text
    # The trial of new tenants is the operator's to set.
    assert c.api("/licences/trial", {"keys": 0, "days": 14}).status == 200
    try:
        none = Account(server)
        assert not none.licence()["has"]
        device, = none.devices(1, False, "configured")
        refused = none.client.api(f"/devices/{device}/encrypt", {})
        assert refused.status == 422 and "no licence" in refused.text
        enter(none, issue(c, none, 1))
        assert none.client.api(f"/devices/{device}/encrypt", {}).status == 200
    finally:
        assert c.api("/licences/trial", {"keys": 100, "days": 30}).status == 200


def test_everybody_is_warned_once(server):
    # covers: LIC-3
    c, a = operator(server, "tenant-manager"), Account(server)
    manager = make_operator(server, "tenant-manager")
    other = make_user(server, a.id, "key-approver")
    enter(a, issue(c, a, 10))
    with mail_of(server) as sink:
        a.devices(8)
        mail = sink.wait(a.email, "Licence", SECONDS)
        told(server, a.id, "licence")
        told(server, None, "tenant-licence")
        assert "80 %" in mail.text and server.address("console") + "/licence" in mail.text
        of_a = lambda: [m.text for m in sink.to(manager) if a.slug in m.text]          # noqa: E731: several accounts may be in one mail
        wait_until(of_a, SECONDS, "the operator is not told")
        assert "80 %" in of_a()[0] and "8 of 10" in of_a()[0] and f"/tenants/{a.id}" in of_a()[0]
        rows = [r for r in c.api(f"/notices?search={a.slug}").json["list"]["rows"]]
        assert [r["title"] for r in rows] == ["Licence of a tenant near its limit or its end"] and "80 %" in rows[0]["comment"], rows
        assert c.get(rows[0]["url"]).header("location") == f"/tenants/{a.id}"
        assert "80 % or more" in a.client.get("/").text
        a.devices(2)
        wait_until(lambda: [m for m in sink.to(a.email) if "All licensed keys" in m.text], SECONDS, "nobody is told of the limit")
        # The end: 30, 7, 1 days, and after it; each once, whatever jobd does meanwhile.
        ends = ((29, "within 30 days"), (6, "within 7 days"), (0.9, "within one day"), (-1, "has ended"))
        others = []
        for days, words in ends:
            b = Account(server)
            enter(b, issue(c, b, 10))
            sql(server, "update licence set until = now() + %s * interval '1 day' where tenant = %s and replaced is null", (days, b.id))
            others.append((b, words))

        def heard_of(account, words):
            """What the operator was told of the account in these words: several may be in one mail."""
            return [part for m in sink.to(manager) for part in m.text.split("\n\n") if account.slug in part and words in part]

        for b, words in others:
            wait_until(lambda: [m for m in sink.to(b.email) if words in m.text], SECONDS, f"nobody is told: {words}")
            wait_until(lambda: heard_of(b, words), SECONDS, f"the operator is not told: {words}")
        # Not told of 7 days again when it is 1 day; once each.
        last = others[1][0]
        sql(server, "update licence set until = now() + interval '2 hours' where tenant = %s and replaced is null", (last.id,))
        wait_until(lambda: [m for m in sink.to(last.email) if "within one day" in m.text] and heard_of(last, "within one day"), SECONDS,
                   "nobody is told of the last day")
        for b, texts in [(a, ("80 %", "All licensed keys")), (last, ("within 7 days", "within one day"))] + [(b, (w,)) for b, w in others]:
            for words in texts:
                assert len([m for m in sink.to(b.email) if words in m.text]) == 1, (b.slug, words)
                assert len(heard_of(b, words)) == 1, (b.slug, words)
        assert sink.to(other) == []
        # Another code begins anew.
        enter(a, issue(c, a, 11))
        wait_until(lambda: len([m for m in sink.to(a.email) if "80 %" in m.text]) == 2, SECONDS, "the new code's limit is not told")


def test_command(server):
    # covers: LIC-2
    a = Account(server)
    code = server.keyward("licence", "issue", a.slug, "7", day(30)[:10]).strip()
    assert "genuine" in server.keyward("licence", "show", code, a.slug)
    assert "keys         7" in server.keyward("licence", "show", code)
    assert "KWL1." in server.keyward("licence", "issue", a.slug, "8", day(40)[:10], "trial", "assign")
    assert a.licence()["keys"] == 8 and a.licence()["kind"]["name"] == "Trial"
    assert "older" in enter(a, code, 422)
    assert a.slug in server.keyward("licence", "list")
    for args in ((a.slug, "0", "2099-01-01"), (a.slug, "5", "yesterday"), (a.slug, "5", "2020-01-01"), ("no-such", "5", "2099-01-01"),
                 (a.slug, "5", "2099-01-01", "gift")):
        try:
            server.keyward("licence", "issue", *args)
        except Exception:
            continue
        raise AssertionError(args)


def test_signing_keys_are_opened_for_nobody(server):
    # covers: KEY-4, LIC-1
    issue(operator(server, "tenant-manager"), Account(server))
    kept = dict(sql(server, "select name, value from setting where name like '%signing-licence'"))
    assert set(kept) == {"signing-licence", "public.signing-licence"}
    blob = base64.urlsafe_b64decode(kept["signing-licence"] + "==")
    assert len(blob) == 1 + 16 + 12 + 32 + 16        # a blob of keyd around a seed, never the seed
