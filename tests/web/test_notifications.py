"""Notifications: groups from the form to the mail, consolidation, what is refused, rights; every event of the table; killed in the middle."""
import ast
import html
import pathlib
import re
import subprocess

from fixtures import fixture
from hooks import Receiver
from inventory import Machine
from mailsink import mail_of
from notices import FORM, log
from stack.process import wait_until
from web import make_user, operator
from world import World, count, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 180


def table():
    """(name, heading, severity, roles, permission, label, help, entry, member, value) of src/notice/event.h."""
    text = (ROOT / "src/notice/event.h").read_text().replace("\\\n", " ")
    rows = re.findall(r'X\("([a-z-]+)", "([^"]+)", ([A-Z]+), (NOTICE_[A-Z]+), ([A-Z_]+), "([^"]+)",\s+"([^"]+)",\s+"([a-z.-]+)", (NULL|"[^"]*"),\s+(NULL|"[^"]*"),',
                      text)
    assert len(rows) == len(re.findall(r'^\tX\("[a-z-]+", "[A-Z]', (ROOT / "src/notice/event.h").read_text(), re.M)), rows
    return rows


@fixture("file")
def world(server):
    return World(server)


def save(c, status=303, path="/notifications/new", **changes):
    a = c.post(path, **{**FORM, **changes})
    assert a.status == status, a.text[-3000:]
    return a


def group(server, world, name="On duty"):
    return count(server, "select id from notice_group where tenant = %s and name = %s", world.tenant, name)


def entries(server, world, event):
    return count(server, "select json_agg(detail order by seq) from audit_entry where tenant = %s and event = %s", world.tenant, event) or []


def test_a_group_gets_its_words(server, world):
    # covers: NTF-1, NTF-2, LOG-2
    c, machine = world.console(), Machine(server, world.tenant, "orders-db-7")
    request = machine.request("pending")
    save(c)
    id = group(server, world)
    with mail_of(server) as sink:
        log(server, world.tenant, "key.pending", "request", request, "orders data", image="not in the policy")
        mail = sink.wait("duty@example.net")
        assert mail.subject == "Device and image are not in one policy: orders data"
        assert mail.text.startswith(f"In Tenant {world.slug}, 1:") and "Device: orders data\nPolicy: Default policy\n" in mail.text, mail.text
        assert f"/requests/{request}" in mail.text and f'/requests/{request}">' in mail.html and f"of Tenant {world.slug}" in mail.text
        assert mail.message.get_content_type() == "multipart/alternative" and mail.message["Auto-Submitted"] == "auto-generated"
        assert sink.wait("second@example.net").text == mail.text
        # The administrator hears because of the role, but not when a group tells of it.
        assert sink.wait(world.user, "waits for approval")
        save(c, path=f"/notifications/{id}", recipients=world.user, header="For you")
        log(server, world.tenant, "key.pending", "request", request, "other data")
        wait_until(lambda: [m for m in sink.to(world.user) if "For you" in m.text], SECONDS, "the group's mail does not come")
        assert len([m for m in sink.to(world.user) if "other data" in m.text]) == 1
        # A line whose variables are all empty is not there.
        save(c, path=f"/notifications/{id}", events=["key-exported"], recipients="bare@example.net")
        log(server, world.tenant, "key.exported", "device", machine.device, "bare data")
        assert "Policy:" not in sink.wait("bare@example.net").text
        # A test, also while it is off.
        assert c.post(f"/notifications/{id}/switch").status == 303 and c.post(f"/notifications/{id}/test").status == 303
        assert "[Test]" in sink.wait("bare@example.net", "[Test]").subject
    created, = entries(server, world, "notice-group.created")
    assert created["recipients"] == ["duty@example.net", "second@example.net"] and created["subject"] == FORM["subject"]
    changed = entries(server, world, "notice-group.changed")
    assert changed[0]["changes"]["recipients"] == {"old": ["duty@example.net", "second@example.net"], "new": [world.user]}
    assert changed[-1]["changes"]["enabled"] == {"old": True, "new": False}
    assert c.post(f"/notifications/{id}/delete").status == 303 and c.get(f"/notifications/{id}").status == 404
    assert entries(server, world, "notice-group.deleted") and entries(server, world, "notice-group.tested")


def test_consolidated_by_the_hour_and_by_the_day(server, world):
    # covers: NTF-1
    c = world.console()
    run(server, "update tenant set time_zone = 'Asia/Kolkata' where id = %s", world.tenant)
    for name, frequency in (("Hourly", "hourly"), ("Daily", "daily")):
        save(c, name=name, frequency=frequency, recipients=f"{frequency}@example.net", events=["key-exported", "keys-destroyed"], at="08:15")
    save(c, name="Long", frequency="hourly", recipients="long@example.net", events=["key-exported"], content="{{event}} " + "x" * 3900)
    # A full hour may go by before one looks.
    local = "select to_char(due at time zone 'Asia/Kolkata', 'MI:SS') || ' ' || (due > now() - interval '5 minutes') from notice_group where tenant = %s and name = %s"
    assert count(server, local, world.tenant, "Hourly") == "00:00 true" and count(server, local, world.tenant, "Daily") == "15:00 true"
    save(c, name="Off", enabled="", recipients="off@example.net", events=["key-exported"])

    def due(when):
        """Of the two: no full hour comes in between by itself."""
        run(server, f"update notice_group set due = now() + interval '{when}' where tenant = %s and due is not null", world.tenant)
    due("1 day")
    with mail_of(server) as sink:
        for i in range(60):
            log(server, world.tenant, "key.exported", "device", None, f"volume {i}")
        head = count(server, "select max(seq) from audit_entry where tenant = %s and event = 'key.exported'", world.tenant)
        wait_until(lambda: count(server, "select coalesce(max(seq), 0) from notice where tenant = %s", world.tenant) >= head, SECONDS, "no notices")
        assert not sink.to("hourly@example.net")
        due("0")
        for who in ("hourly", "daily"):
            mail = sink.wait(f"{who}@example.net")
            assert mail.subject == "Key exported" and ", 60:" in mail.text, (mail.subject, mail.text)
            assert mail.text.count("Device: volume") == 50 and "and 10 more" in mail.text
        # More words than fit into a mail: the events that there is no room for are counted.
        long = sink.wait("long@example.net").text
        assert len(long) < 65536 and f"and {60 - long.count('x' * 3900)} more" in long and long.count("x" * 3900) > 5, long[-500:]
        # Nothing happened: nothing is sent, and the next time is noted.
        due("0")
        wait_until(lambda: count(server, "select bool_and(due > now()) from notice_group where tenant = %s and due is not null", world.tenant), SECONDS, "due")
        due("1 day")
        # Switched on, a group is not told of what was before.
        off = group(server, world, "Off")
        assert c.post(f"/notifications/{off}/switch", enabled="1").status == 303
        log(server, world.tenant, "key.exported", "device", None, "afterwards")
        assert "afterwards" in sink.wait("off@example.net").text
        assert [len(sink.to(f"{w}@example.net")) for w in ("hourly", "daily", "off")] == [1, 1, 1]
        # What has been gathered is said on the group's page, and is not lost with another frequency.
        daily = group(server, world, "Daily")
        assert "1 event waits for the next mail:" in c.get(f"/notifications/{daily}").text
        save(c, path=f"/notifications/{daily}", name="Daily", frequency="at-once", recipients="daily@example.net", events=["key-exported"])
        wait_until(lambda: len(sink.to("daily@example.net")) == 2, SECONDS, "what was gathered is not sent")
        assert "afterwards" in sink.to("daily@example.net")[1].text


def test_wrong_forms_say_so_at_the_field_and_keep_what_was_typed(server, world):
    # covers: NTF-1, WEB-3
    c = world.console()
    for field, value, word in (("recipients", "a@example.net; nobody", "nobody: this is no e-mail"), ("recipients", "a\tb@example.net", "cannot be seen"), ("recipients", " ; ", "To whom"),
                               ("recipients", "a@example.net; b\u202emoc@example.net", "b\u2423moc@example.net: There is a character in it that cannot be seen"),
                               ("recipients", "a\u00a0b@example.net", "cannot be seen"), ("recipients", "-oq@example.net", "begin with a hyphen"), ("events", [], "at least one"),
                               ("events", ["server-trouble"], "not there to choose"), ("events", ["key-report-ready"], "not there to choose"),
                               ("subject", "{{evnt}}", "{{evnt}} is no variable"), ("content", "x {{device", "not closed"), ("header", "{{ }}", "no variable"),
                               ("footer", "{{" + "ü" * 90 + "}}", "no variable"), ("at", "25:00", "Hours and minutes"), ("name", "", ""), ("frequency", "yearly", "")):
        a = save(c, 422, **{"name": "Kept", field: value})
        assert f'id="e-{field}"' in a.text and word in a.text.replace("&#39;", "'"), (field, value)
    many = "; ".join(f"u{i}@example.net" for i in range(51))
    assert "At most 50" in save(c, 422, recipients=many).text
    save(c, name="Twice")
    assert "of this name" in save(c, 422, name="tWICE").text
    # Markup in any text stays text.
    # What an event does not have is left out, as it will be.
    page = c.post("/notifications/preview", **{**FORM, "events": ["user-locked", "key-pending"], "subject": "{{event}}: {{about}}"})
    assert "Device:" not in page.text and "Policy:" not in page.text and f"User locked: {world.user}" in page.text, page.text
    page = c.post("/notifications/preview", **{**FORM, "subject": "<b>{{device}}</b>", "header": "<script>alert(1)</script>"})
    assert page.status == 200 and "<script>alert(1)" not in page.text and "&lt;script&gt;alert(1)" in page.text and "orders data" in page.text
    assert "&lt;b&gt;orders data&lt;/b&gt;" in page.text


def test_who_may_what_and_lists(server, world):
    # covers: NTF-1, ROL-1, ROL-2, ROL-4, WEB-3, TEN-4
    other = World(server)
    a = other.console()
    assert "No groups yet" in a.get("/notifications").text
    save(a)
    id = group(server, other)
    for role in ("security-administrator", "auditor"):
        c = other.console(make_user(server, other.tenant, role))
        page = c.get(f"/notifications/{id}")
        assert page.status == 200 and "disabled" in page.text and c.post(f"/notifications/{id}", **FORM).status == 403
        # Headings stand where a group of events begins, and nothing else does.
        assert "1 Jan 1970" not in page.text
        assert c.get("/notifications").status == 200 and "/notifications/new" not in c.get("/notifications").text
    assert other.console(make_user(server, other.tenant, "key-approver")).get("/notifications").status == 403
    assert world.console().get(f"/notifications/{id}").status == 404
    found = a.api("/notifications?search=night&sort=-name&state=on").json["list"]
    assert [r["id"] for r in found["rows"]] == [str(id)] and "duty@example.net" in a.get("/notifications.csv").text
    assert "Nothing" in a.get("/notifications?search=zzz").text or a.api("/notifications?search=zzz").json["list"]["no_match"]


def test_killed_while_a_mail_is_handed_over_nobody_gets_it_twice(server):
    # covers: NTF-1, ADM-2
    world = World(server)
    c = world.console()
    save(c, name="Once", events=["key-exported"], recipients="once@example.net")
    with mail_of(server) as sink:
        sink.hold = True
        log(server, world.tenant, "key.exported", "device", None, "once")
        sink.wait("once@example.net")
        server.kill("jobd")
        sink.hold = False
        run(server, "update job set locked_until = now() where kind = 'mail' and tenant = %s", world.tenant)
        server.start("jobd")
        state = "select state from job where kind = 'mail' and payload ->> 'to' = 'once@example.net'"
        wait_until(lambda: count(server, state) == "failed", SECONDS, "it is not shown")
        assert len(sink.to("once@example.net")) == 1
        assert "not sent twice" in count(server, state.replace("state from", "last_error from"))
        # Whoever has it tried again takes that upon himself.
        boss = operator(server, "system-operator")
        job = count(server, state.replace("state from", "id from"))
        assert "reach its recipient twice" in boss.get(f"/jobs/{job}/retry").text and boss.post(f"/jobs/{job}/retry").status == 303
        wait_until(lambda: len(sink.to("once@example.net")) == 2, SECONDS, "it is not tried again")
        # Two of them do no more than one.
        second = subprocess.Popen(server.processes["jobd"].argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for i in range(20):
                log(server, world.tenant, "key.exported", "device", None, f"volume {i:02}.")
            wait_until(lambda: all(any(f"volume {i:02}." in m.text for m in sink.to("once@example.net")) for i in range(20)), SECONDS, "not all are told")
        finally:
            second.kill()
            second.wait()
        assert sum(m.text.count("Device: volume") for m in sink.to("once@example.net")) == 20


def test_a_mail_server_that_stalls_holds_up_nothing_but_mails(server, folder):
    # covers: NTF-1, NTF-3, ADM-2
    world = World(server)
    c = world.console()
    given_up = "select count(*) from job where kind = 'mail' and payload ->> 'to' like %s and last_error is not null"
    with mail_of(server) as sink, Receiver(folder) as receiver:
        hook = c.api("/webhooks/new", {"name": "Meanwhile", "url": receiver.url(), "format": "json", "events": ["key-exported"], "ca": receiver.ca,
                                       "enabled": True}).json["made"]["id"]
        # A mail server has ten seconds to answer: on a busy machine some round may take longer than that, which shows nothing.
        for n in range(5):
            to = [f"slow-{n}-{i}@example.net" for i in range(6)]
            save(c, name=f"Round {n}", events=["key-pending"], recipients="; ".join(to))
            sink.hold, before = True, len(receiver.got)
            log(server, world.tenant, "key.pending", "device", None, "for all")
            wait_until(lambda: any(sink.to(who) for who in to), SECONDS, "no mail is handed over")
            # Its threads wait for the mail server; a report is made all the same, a webhook's delivery is sent, and pages are served.
            report = c.api("/reports/templates/new", {"name": f"Meanwhile {n}", "criteria": ["devices"], "period": "last-day", "formats": ["csv"], "schedule": "once",
                                                      "keep_days": 1, "at": "06:00", "recipients": "", "act": "make"}).json["report"]
            assert c.post(f"/webhooks/{hook}/test").status == 303
            wait_until(lambda: count(server, "select state from report where id = %s", report) == "done", SECONDS, "the report waits for the mail server")
            wait_until(lambda: len(receiver.got) > before, SECONDS, "the webhook waits for the mail server")
            assert c.get("/notifications").status == 200
            late = count(server, given_up, f"slow-{n}-%")
            sink.hold = False
            if not late:
                break
            assert c.post(f"/notifications/{group(server, world, f'Round {n}')}/delete").status == 303
        assert not late, "all that waited for the mail server"
        wait_until(lambda: all(sink.to(who) for who in to), SECONDS, "not all are told")
        assert [len(sink.to(who)) for who in to] == [1] * 6
        assert c.post(f"/webhooks/{hook}/delete").status == 303


def test_a_recipient_that_is_refused_harms_nobody_else(server):
    # covers: NTF-1
    world = World(server)
    c = world.console()
    save(c, events=["key-exported"], recipients="refused@example.net; good@example.net")
    with mail_of(server) as sink:
        sink.refused.add("refused@example.net")
        log(server, world.tenant, "key.exported", "device", None, "for both")
        assert "for both" in sink.wait("good@example.net").text
        state = "select state || ' ' || last_error from job where kind = 'mail' and payload ->> 'to' = 'refused@example.net'"
        wait_until(lambda: (count(server, "select count(*) from job where kind = 'mail' and payload ->> 'to' = 'refused@example.net' and state = 'failed'")), SECONDS,
                   "it is tried again and again")
        assert "550" in count(server, state)
        # Who wrote the address sees it, and nobody else; not what the operator's mail server says.
        page = c.get(f"/notifications/{group(server, world)}").text
        assert "refused by its mail server" in page and "RCPT failed" not in page and page.count("<strong>refused@example.net") == 1 and "<strong>good@example.net" not in page
        assert "Not delivered to 1 recipient" in c.get("/notifications").text
        other = World(server).console()
        save(other, events=["key-exported"], recipients="refused@example.net")
        assert "refused by its mail server" not in other.get(other.api("/notifications").json["list"]["rows"][0]["url"]).text
        assert "Not delivered" not in other.get("/notifications").text
        sink.busy = True
        log(server, world.tenant, "key.exported", "device", None, "later")
        waits = "select count(*) from job where kind = 'mail' and payload ->> 'to' = 'good@example.net' and last_error is not null"
        wait_until(lambda: count(server, waits), SECONDS, "it was not tried")
        assert "tried again" in c.get(f"/notifications/{group(server, world)}").text
        sink.busy = False
        run(server, "update job set run_at = now(), locked_until = null where kind = 'mail'")
        wait_until(lambda: [m for m in sink.to("good@example.net") if "later" in m.text], SECONDS, "it is lost")
        assert len([m for m in sink.to("good@example.net") if "later" in m.text]) == 1


def test_every_event_of_the_table_reaches_a_group(server):
    # covers: NTF-2
    world = World(server)
    rows = [r for r in table() if r[4] not in ("SYSTEM_VIEW", "OPERATORS_VIEW", "SUMMARIES_USE", "LICENCES_VIEW", "REPORTS_KEYS")]
    c = world.console()
    save(c, name="All", recipients="all@example.net", events=[r[0] for r in rows], subject="{{event}}", frequency="hourly")
    run(server, "update notice_group set due = now() + interval '1 day' where tenant = %s", world.tenant)       # no full hour comes in between
    with mail_of(server) as sink:
        for name, _, _, _, _, label, _, entry, member, value in rows:
            detail = {} if member == "NULL" or value == '""' else {member.strip('"'): value.strip('"')}
            log(server, world.tenant, entry, "device", None, f"about {name}", **detail)
        wait_until(lambda: count(server, "select count(distinct e) from notice n, unnest(events) e where tenant = %s", world.tenant) == len(rows), SECONDS,
                   "not all events are noticed")
        run(server, "update notice_group set due = now() where tenant = %s", world.tenant)
        text = sink.wait("all@example.net").text
        for row in rows:
            assert row[5] in text and f"about {row[0]}" in text or row[0] in ("key-pending",), (row, text)
        assert text.count("\nDevice: about") == len(rows)
    # What one entry raises is for the same people: the lists go by the first of them (src/store/notice.c).
    sees = {}
    for row in table():
        operators = row[4] in ("SYSTEM_VIEW", "OPERATORS_VIEW", "SUMMARIES_USE", "LICENCES_VIEW")
        sees.setdefault((operators, row[7], row[9] if row[8] == '"keys"' else None), set()).add(row[4])
    assert all(len(permissions) == 1 for permissions in sees.values()), sees
    # What each row looks for is an event that the log knows, and the page lists them all.
    known = (ROOT / "src/store/audit.h").read_text()
    page = c.get("/notifications/events").text
    for row in table():
        assert f'"{row[7]}"' in known, row
        assert (f"<code>{row[0]}</code>" in page) == (row in rows), row


def test_the_operators_groups(server):
    # covers: NTF-1, NTF-2, TEN-3
    nil = "00000000-0000-0000-0000-000000000000"
    c, world = operator(server, "system-operator"), World(server)
    rows = [r for r in table() if r[4] in ("SYSTEM_VIEW", "OPERATORS_VIEW", "SUMMARIES_USE")]
    page = c.get("/notifications/events").text
    assert all((f"<code>{r[0]}</code>" in page) == (r in rows) for r in table())
    # It begins with what the operator's events have.
    new = c.get("/notifications/new").text
    assert "About: {{about}}" in html.unescape(new) and "Device: {{device}}" not in html.unescape(new), new
    wrong = save(c, 422, events=["key-pending"])
    assert "not there to choose" in wrong.text
    form = {"name": "Watch", "recipients": "watch@example.net", "content": "{{event}}\n{{about}}\n{{comment}}", "header": "In {{account}}, {{count}}:", "footer": ""}
    assert "In Central Management, 1:" in c.post("/notifications/preview", **{**FORM, **form, "events": ["server-trouble"]}).text
    save(c, **form, events=[r[0] for r in rows], subject="{{event}}")
    id = count(server, "select id from notice_group where tenant = %s and name = 'Watch'", nil)
    with mail_of(server) as sink:
        for name, _, _, _, _, label, _, entry, member, value in rows:
            log(server, None, entry, None, None, f"about {name}")
        for r in rows:
            wait_until(lambda: [m for m in sink.to("watch@example.net") if f"about {r[0]}" in m.text], SECONDS, f"not told of {r[0]}")
        assert c.post(f"/notifications/{id}/test").status == 303 and "[Test]" in sink.wait("watch@example.net", "[Test]").subject
        assert not [m for m in sink.to("watch@example.net") if "In Tenant" in m.text]
    # No account has it, whoever asks.
    assert world.console().get(f"/notifications/{id}").status == 404 and operator(server, "tenant-manager").get("/notifications").status == 403
    assert operator(server, "auditor").post(f"/notifications/{id}/switch").status == 403
    assert c.post(f"/notifications/{id}/delete").status == 303


# Driven in C, through the store that the agent service and jobd call: the entry of the log stands in that file.
IN_C = {"revocation-unanswered": "test_store_checks.c", "revocation-cancelled": "test_store_checks.c",
        "provisioning-error": "test_store_machines.c"}


def test_every_event_is_driven_for_real_by_some_test():
    # covers: NTF-2
    driven = {a.value for p in (ROOT / "tests").glob("*/test_*.py") for call in ast.walk(ast.parse(p.read_text())) if isinstance(call, ast.Call)
              and getattr(call.func, "id", "") == "told" for a in call.args if isinstance(a, ast.Constant)}
    rows = {r[0]: r[7] for r in table()}
    assert sorted(set(rows) - driven - set(IN_C)) == [] and driven | set(IN_C) <= set(rows) | {None}
    for name, file in IN_C.items():
        assert f'"{rows[name]}"' in (ROOT / "tests" / "unit" / file).read_text(), name


def test_the_documentation_lists_every_event():
    # covers: NTF-2
    text = (ROOT / "docs/notifications.md").read_text()
    listed = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([a-z]+) \| ([^:|]+): ", text, re.M)
    assert listed == [(r[0], r[2].lower(), r[5]) for r in table()]
