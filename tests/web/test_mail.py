"""The mail server's page, and mail that really goes out: to a mail server with TLS and a login, to one that refuses, to none."""
import json
import socket
import uuid

from mailsink import NAME, Sink
from stack.ports import free_port
from stack.process import wait_until
from web import Client, database, make_tenant, make_user, operator

SECONDS = 120
USER, SECRET = "keyward", "Mail-secret-häßlich-7"


def save(c, sink, server, status=200, **changes):
    a = c.api("/mail", {"host": NAME, "port": sink.port, "security": "starttls", "sender": "keyward@msp.example", "user": "",
                        "password": "", "ca": server.ca.read_text(), **changes})
    assert a.status == status, a
    return a.json


def send_test(c, to="somebody@example.net"):
    """The result of a test mail, as the page shows it."""
    a = c.api("/mail/test", {"to": to})
    assert a.status == 200, a
    wait_until(lambda: not c.api("/mail").json["test"]["running"], SECONDS, "the test mail has no result")
    return c.api("/mail").json["test"]


def queue(server, tenant, to, subject, text="text"):
    with database(server).cursor() as q:
        id = str(uuid.uuid4())
        q.execute("insert into job (id, tenant, kind, payload) values (%s, %s, 'mail', %s)",
                  (id, tenant, json.dumps({"to": to, "subject": subject, "text": text})))
        return id


def job(server, id):
    with database(server).cursor() as q:
        q.execute("select state, attempts, last_error from job where id = %s", (id,))
        return q.fetchone()


def test_mail_through_tls_and_login(server, folder):
    # covers: ADM-2, SEC-4
    c = operator(server, "system-operator")
    for security in ("starttls", "smtps"):
        with Sink(server, folder, security, (USER, SECRET)) as sink:
            save(c, sink, server, security="tls" if security == "smtps" else security, user=USER, password=SECRET)
            result = send_test(c)
            assert result["sent"], result
            mail, = sink.to("somebody@example.net")          # what else happens to the installation is told, too
            assert mail.tls and mail.sender == "keyward@msp.example" and mail.recipients == ["somebody@example.net"]
            assert mail.message["From"].addresses[0].addr_spec == "keyward@msp.example"
            assert "test" in mail.subject and "Central Management Console" in mail.text
            assert mail.message["Date"] and mail.message["Message-ID"] and mail.message["Auto-Submitted"] == "auto-generated"
            # Saved again without the password: it stays.
            save(c, sink, server, security="tls" if security == "smtps" else security, user=USER)
            assert send_test(c)["sent"]
    page = c.get("/mail")
    assert page.status == 200 and SECRET not in page.text
    with database(server).cursor() as q:
        q.execute("select string_agg(value::text, '') from setting")
        assert SECRET not in q.fetchone()[0]
        q.execute("select coalesce(string_agg(detail::text, ''), '') from audit_entry where event = 'setting.changed'")
        kept = q.fetchone()[0]
        assert NAME in kept and SECRET not in kept


def test_what_goes_wrong_is_said(server, folder):
    # covers: ADM-2
    c = operator(server)
    with Sink(server, folder, "starttls", (USER, SECRET)) as sink:
        save(c, sink, server, user=USER, password="not it")
        result = send_test(c)
        assert not result["sent"] and ("password" in result["error"]), result
        # A certificate of nobody we trust, and one for another name.
        save(c, sink, server, user=USER, password=SECRET, ca="")
        assert "no safe line" in send_test(c)["error"]
        save(c, sink, server, user=USER, password=SECRET, host="localhost")
        assert "no safe line" in send_test(c)["error"]
        assert sink.mails == []
    with Sink(server, folder) as sink:
        save(c, sink, server)
        assert "no safe line" in send_test(c)["error"]          # STARTTLS is required, this one has none
        save(c, sink, server, security="opportunistic", ca="")
        assert send_test(c)["sent"] and not sink.to("somebody@example.net")[0].tls
        sink.refused.add("nobody@example.net")
        assert "550" in send_test(c, "nobody@example.net")["error"]
    save(c, sink, server, security="none", ca="")               # it is gone
    result = send_test(c)
    assert not result["sent"] and str(sink.port) in result["error"], result
    # One that takes the connection and says nothing.
    with socket.socket() as s:
        s.bind(("127.0.0.1", free_port()))
        s.listen()
        save(c, sink, server, security="none", ca="", port=s.getsockname()[1])
        assert "in time" in send_test(c)["error"]


def test_what_the_page_refuses(server, folder):
    # covers: ADM-2, ROL-7, WEB-3
    c, sink = operator(server), type("Port", (), {"port": 587})
    for field, changes in (("security", {"user": USER, "password": SECRET, "security": "opportunistic"}),
                           ("security", {"user": USER, "password": SECRET, "security": "none"}),
                           ("host", {"host": "mail.example/x?y"}), ("host", {"host": "mail example"}),
                           ("ca", {"ca": "not a certificate"}), ("port", {"port": 0}), ("sender", {"sender": "nobody"})):
        a = save(c, sink, server, 422, **changes)
        assert field in json.dumps(a), (field, a)
    save(c, sink, server, user=USER, password=SECRET)
    # The password was typed for one server: it does not go to another.
    assert "password" in json.dumps(save(c, sink, server, 422, user=USER, host="evil.example"))
    promising = ("/operators/new", "/notifications", "/notifications/new", "/reports/templates/new")
    assert not [p for p in promising if "No mail can be sent now" in c.get(p).text]
    assert c.api("/mail/remove", {}).status == 200
    assert c.api("/mail").json["mail"] == {"set": False, "password": False}
    # Where mail is promised it is said, with whom can mend it.
    assert not [p for p in promising if "No mail can be sent now" not in c.get(p).text or "Set the mail server" not in c.get(p).text]
    assert c.api("/mail/test", {"to": "a@example.net"}).status == 409
    reader = operator(server, "auditor")
    assert reader.get("/mail").status == 200 and reader.api("/mail/test", {"to": "a@example.net"}).status == 403
    assert operator(server, "tenant-manager").get("/mail").status == 403


def test_no_text_adds_a_header(server, folder):
    # covers: SEC-5
    c, (_, tenant) = operator(server), make_tenant(server)
    subjects = ["Schlüssel für “db-4” zurückgezogen ☂ " + "sehr lang " * 20, "plain", "a\r\nBcc: thief@example.net\r\n\r\nbody",
                "=?UTF-8?Q?x?=", "日本語の件名" * 12]
    with Sink(server, folder) as sink:
        save(c, sink, server, security="none", ca="")
        for i, subject in enumerate(subjects):
            queue(server, tenant, f"r{i}@example.net", subject, ".\r\n.leading dot\r\nGrüße\n" + "x" * 1500)
        bad = queue(server, tenant, "a@example.net>\r\nRCPT TO:<thief@example.net", "x")
        wait_until(lambda: all(sink.to(f"r{i}@example.net") for i in range(len(subjects))) and job(server, bad)[0] == "failed", SECONDS, "not all mails have come")
        for i, subject in enumerate(subjects):
            mail, = sink.to(f"r{i}@example.net")
            assert mail.recipients == [f"r{i}@example.net"]
            assert "Bcc" not in mail.message and mail.message.get_all("Subject") and len(mail.message.get_all("Subject")) == 1
            got = mail.subject.replace("\r", "").replace("\n", "")
            want = subject.encode()[:400].decode(errors="ignore").replace("\r", "").replace("\n", "")
            assert got.split() == want.split() or got == want, (got, want)
            assert "Grüße" in mail.text and "\n.leading dot" in mail.text and "x" * 1500 in mail.text
            assert all(len(line) <= 998 for line in mail.raw.split(b"\r\n"))


def test_tried_again_and_once(server, folder):
    # covers: ADM-2
    c, (_, tenant) = operator(server), make_tenant(server)
    with Sink(server, folder) as sink:
        sink.busy = True
        save(c, sink, server, security="none", ca="")
        id = queue(server, tenant, "later@example.net", "later")
        wait_until(lambda: (job(server, id) or (0, 0))[1] >= 1 and job(server, id)[2], SECONDS, "it was not tried")
        assert job(server, id)[0] == "waiting" and "451" in job(server, id)[2]
        assert c.api("/mail").json["queue"]["waiting"] >= 1 and "451" in c.api("/mail").json["queue"]["last_error"]
        sink.busy = False
        with database(server).cursor() as q:     # not to wait for its time
            q.execute("update job set run_at = now(), locked_until = null where id = %s", (id,))
        sink.wait("later@example.net")
        wait_until(lambda: job(server, id) is None, SECONDS, "the job does not end")
        assert len(sink.to("later@example.net")) == 1
        # A mailbox that there is not is given up at once, and does not hold up the others.
        sink.refused.add("nobody@example.net")
        id = queue(server, tenant, "nobody@example.net", "x")
        queue(server, tenant, "next@example.net", "next")
        sink.wait("next@example.net")
        wait_until(lambda: job(server, id)[0] == "failed", SECONDS, "it was not given up")


def log(server, tenant, event, kind, detail=None):
    with database(server).cursor() as q:
        q.execute("begin")
        q.execute("select set_config('keyward.tenant', %s, true)", (tenant,))
        q.execute("select audit_append('key', %s, 'system', null, 'test', %s, %s, 'data', %s, null, null)",
                  (event, kind, str(uuid.uuid4()), json.dumps(detail or {})))
        q.execute("commit")


def test_people_are_told_by_role(server, folder):
    # covers: NTF-2, INT-2
    c, (slug, tenant), (_, other) = operator(server), make_tenant(server), make_tenant(server)
    people = {role: make_user(server, tenant, role) for role in ("account-administrator", "security-administrator", "key-approver",
                                                                 "auditor", "data-analyst")}
    stranger, quiet = make_user(server, other), make_user(server, tenant)
    ada = Client(server, "console")
    assert ada.sign_in(people["account-administrator"], account=slug).status == 303
    row, = [r for r in ada.api("/users?limit=200").json["list"]["rows"] if r["email"] == quiet]
    assert ada.api(row["url"], {"name": "Quiet", "role": "account-administrator", "mail": "no"}).status == 200
    form = ada.api(row["url"]).json["form"]["mail"]
    assert form["value"] == "no", form
    with Sink(server, folder) as sink:
        save(c, sink, server, security="none", ca="")
        for _ in range(30):
            log(server, tenant, "key.pending", "request")
        log(server, tenant, "key.integrity", "request", {"integrity": "good"})
        log(server, tenant, "key.integrity", "request", {"integrity": "failed"})
        log(server, tenant, "instance.not-checked", "instance", {"checks": 3})
        log(server, tenant, "user.signed-in", "user")
        for role in ("account-administrator", "security-administrator"):
            sink.wait(people[role], "Integrity check failed")
            sink.wait(people[role], "not checked")
        pending = sink.wait(people["key-approver"], "waits for approval")
        sink.wait(people["account-administrator"], "waits for approval")
        waiting = sum(int((m.subject.partition("(")[2] or "1)").rstrip(")")) for m in sink.to(people["key-approver"]))
        wait_until(lambda: job_count(server, tenant, other) == 0, SECONDS, "mails wait")
        assert waiting <= 30 and server.address("console") in pending.text
        subjects = [m.subject for m in sink.mails]
        assert not any("waits" in m.subject for m in sink.to(people["security-administrator"])), subjects
        assert not any("Integrity" in m.subject for m in sink.to(people["key-approver"])), subjects
        for nobody in (people["auditor"], people["data-analyst"], stranger, quiet):
            assert sink.to(nobody) == [], nobody
        assert len([m for m in sink.to(people["account-administrator"]) if "Integrity check failed" in m.subject]) == 1
    assert c.api("/mail/remove", {}).status == 200


def job_count(server, *tenants):
    """Of these: others' may wait long for their next attempt."""
    with database(server).cursor() as q:
        q.execute("select count(*) from job where kind = 'mail' and state = 'waiting' and tenant = any(%s::uuid[])", (list(map(str, tenants)),))
        return q.fetchone()[0]
