"""Reports from the form to the files, against a running installation: templates, archive, schedules, rights, mails, jobd killed in the middle."""
import datetime
import fcntl
import io
import os
import pathlib
import subprocess
import urllib.parse
import zipfile

import openpyxl
from fixtures import fixture
from inventory import Machine
from mailsink import mail_of
from notices import told
from stack.process import wait_until
from web import Client, database, make_user, operator
from world import World, count, run

SECONDS = 180
STATE = "select state from report where id = %s"
ALL = ["requests", "approved", "denied", "waiting", "keys", "key-events", "instances", "images", "devices", "sign-ins", "exports", "policies", "approvers",
       "run-time", "access"]
FORM = {"name": "Weekly", "criteria": ["requests", "approved"], "period": "last-week", "formats": ["pdf", "xlsx", "csv"], "schedule": "once",
        "keep_days": 30, "recipients": "", "at": "06:00"}


@fixture("file")
def world(server):
    w = World(server)
    Machine(server, w.tenant, "orders-db-1").request("pending")
    return w


def far_off():
    """A time of the day that does not come while a test runs, whenever it does."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=12)).strftime("%H:00")


def save(c, status=200, path="/reports/templates/new", **changes):
    a = c.api(path, {**FORM, "act": "make", **changes})
    assert a.status == status, a
    return a.json


def ready(server, report, state="done"):
    wait_until(lambda: count(server, STATE, report) in ("done", "failed"), SECONDS, "the report is not made")
    assert count(server, STATE, report) == state, count(server, "select error from report where id = %s", report)


def events(server, tenant):
    return count(server, "select array_agg(event order by seq) from audit_entry where tenant = %s and category = 'report'", tenant) or []


def test_a_report_is_made_in_all_formats_and_logged(server, world):
    # covers: RPT-1, RPT-2, RPT-3, RPT-4, LOG-2
    c = world.console(make_user(server, world.tenant, "security-administrator"))
    report = save(c, name="../Everything – всё", criteria=ALL)["report"]
    ready(server, report)
    page = c.get(f"/reports/{report}")
    assert page.status == 200 and "Ready" in page.text and "Who could read what" in page.text
    files = {f: c.get(f"/reports/{report}/file?format={f}") for f in ("pdf", "xlsx", "csv")}
    assert all(a.status == 200 for a in files.values())
    book = openpyxl.load_workbook(io.BytesIO(files["xlsx"].body))
    assert len(book.sheetnames) == len(ALL) + 2, book.sheetnames
    assert [cell.value for cell in book["Instances"][2]][0] == "orders-db-1"
    signed_in = [[cell.value for cell in row] for row in book["Sign-ins"].iter_rows(min_row=2)]
    assert [world_user for _, world_user, what, _ in signed_in if what == "signed in"], signed_in
    with zipfile.ZipFile(io.BytesIO(files["csv"].body)) as z:
        assert len(z.namelist()) == len(ALL) + 1
    text = subprocess.run(["pdftotext", "-layout", "-", "-"], input=files["pdf"].body, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "../Everything – всё" in text and "orders-db-1" in text and "Contents" in text
    said = events(server, world.tenant)
    assert "report.template-created" in said and "report.made" in said and said.count("report.downloaded") == 3
    # Who asked for it is in the log, though jobd has made it.
    asked = count(server, "select row_to_json(e) from audit_entry e where tenant = %s and event = 'report.asked'", world.tenant)
    assert (asked["object_id"], asked["actor_kind"], asked["object_name"]) == (report, "user", "../Everything – всё") and asked["address"] and asked["request"]
    assert asked["detail"]["criteria"] == ALL and asked["detail"]["keys"] == "yes" and asked["detail"]["since"], asked
    assert c.get(f"/reports/{report}/file?format=html").status == 422
    # Several in one zip; deleted, nothing of them is left.
    run(server, "update tenant set time_zone = 'Europe/Berlin', settings = settings || '{\"date_format\": \"DD/MM/YYYY\"}' where id = %s", world.tenant)
    again = save(c, path=f"/reports/templates/{template_of(server, report)}", criteria=["devices", "instances"], name="../Everything – всё", period="range",
                 since="2026-10-25", until="2026-10-25")["report"]
    ready(server, again)
    run(server, "update tenant set time_zone = 'UTC', settings = settings - 'date_format' where id = %s", world.tenant)
    # Which of the two hours a time is in, on the day on which clocks are set back, can be told.
    book = openpyxl.load_workbook(io.BytesIO(c.get(f"/reports/{again}/file?format=xlsx").body))
    facts = [cell.value for row in book["Summary"].iter_rows(max_row=8) for cell in row]
    assert "25/10/2026 00:00 to 26/10/2026 00:00" in facts and "Europe/Berlin (UTC+02:00; 25/10/2026 02:00 UTC+01:00)" in facts, facts
    # Days are the account's in what people read: a workbook's are still times. What programs read has ISO's.
    seen = [cell for row in book["Instances"].iter_rows(min_row=2) for cell in row if cell.is_date]
    assert seen and all(cell.number_format == "dd\\/mm\\/yyyy hh:mm:ss" for cell in seen), [cell.number_format for cell in seen]
    day = seen[0].value
    text = subprocess.run(["pdftotext", "-layout", "-", "-"], input=c.get(f"/reports/{again}/file?format=pdf").body, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "25/10/2026 00:00 to" in text and text.count(day.strftime("%d/%m/%Y")) > 1 and "2026-10" not in text and day.strftime("%Y-%m-%d") not in text, text
    with zipfile.ZipFile(io.BytesIO(c.get(f"/reports/{again}/file?format=csv").body)) as z:
        lines = "".join(z.read(name).decode() for name in z.namelist())
    assert "2026-10-25 00:00 to 2026-10-26 00:00" in lines and day.strftime("%Y-%m-%d %H:%M:") in lines and "25/10" not in lines, lines
    zipped = c.post("/reports", report=[report, again], act="download")
    assert zipped.status == 200
    with zipfile.ZipFile(io.BytesIO(zipped.body)) as z:
        assert len(z.namelist()) == 6 and len(set(z.namelist())) == 6, z.namelist()
        # Neither the first of a name nor the second leaves the folder that they are unpacked in.
        assert sum(" (2)." in n for n in z.namelist()) == 3 and not any("/" in n for n in z.namelist()), z.namelist()
    asked = c.post("/reports", report=[report, again], act="delete")
    assert asked.status == 200 and "2 reports: delete them?" in asked.text and f'value="{again}"' in asked.text and c.get(f"/reports/{again}").status == 200
    assert c.post(f"/reports/{report}/delete").status == 303 and c.post(f"/reports/{report}/delete").status == 404
    # One of those that are ticked is gone meanwhile: no half of a choice is downloaded, and the others can be deleted.
    assert "One of them is not there any more" in c.post("/reports", report=[report, again], act="download").text
    assert "1 report: delete it?" in c.post("/reports", report=[report, again], act="delete").text and c.post("/reports", report=[report], act="delete").status == 404
    # A file of which a part is lost is not given out as a whole one.
    run(server, "delete from report_piece where report = %s and format = 'csv'", again)
    for lost in (c.get(f"/reports/{again}/file?format=pdf"), c.post("/reports", report=[again], act="download")):
        assert lost.status == 409 and "A part of this report" in lost.text and lost.header("content-disposition") is None
    assert c.post("/reports/delete", report=[report, again]).status == 303 and c.post("/reports/delete", report=[again]).status == 404
    assert count(server, "select count(*) from report_piece where report in (%s, %s)", report, again) == 0
    assert c.get(f"/reports/{report}").status == 404


def abandoned():
    """Folders of files in the making that no process holds."""
    found = set()
    for folder in pathlib.Path("/tmp").glob("keyward-jobs-*"):
        try:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.add(folder)
        except BlockingIOError:
            pass
        os.close(fd)
    return found


def template_of(server, report):
    return count(server, "select template from report where id = %s", report)


def test_wrong_forms_say_so_at_the_field_and_keep_what_was_typed(server, world):
    # covers: RPT-1, WEB-3
    c = world.console()
    for field, changes in {"criteria": {"criteria": ["nonsense"]}, "formats": {"formats": ["doc"]}, "since": {"period": "range"},
                           "until": {"period": "range", "since": "2026-11-20", "until": "2026-11-19"}, "keep_days": {"keep_days": "366"},
                           "recipients": {"recipients": "a@example.net, b\u00a0@example.net"}, "at": {"at": "24:00"}, "name": {"name": "x" * 256}}.items():
        wrong = c.post("/reports/templates/new", **{**FORM, "name": "Kept", **changes})
        assert wrong.status == 422 and f'id="e-{field}"' in wrong.text, field
        if field != "name":
            assert 'value="Kept"' in wrong.text
    # Nothing ticked, and a switch without an address.
    for field, gone in (("criteria", {"criteria": []}), ("formats", {"formats": []}), ("recipients", {"mail": "1"})):
        wrong = c.post("/reports/templates/new", **{**FORM, **gone})
        assert wrong.status == 422 and f'id="e-{field}"' in wrong.text, field
    assert c.post("/reports/templates/new", **{**FORM, "name": "Twice"}).status == 303
    twice = c.post("/reports/templates/new", **{**FORM, "name": "twice"})
    assert twice.status == 422 and "of this name" in twice.text


def test_a_preview_saves_nothing(server, world):
    # covers: RPT-1, RPT-3
    c = world.console()
    mine = "select count(*) from report_template where tenant = %s"
    before = count(server, mine, world.tenant)
    page = c.post("/reports/preview", **{**FORM, "name": "Only a look", "criteria": ["instances", "sign-ins", "denied"]})
    assert page.status == 200 and "orders-db-1" in page.text and "<svg" in page.text and 'class="kw-bars' in page.text and "There is nothing in this period." in page.text
    assert count(server, mine, world.tenant) == before
    wrong = c.post("/reports/preview", **{**FORM, "criteria": ["keys"]})
    assert wrong.status == 422 and "Security Administrators" in wrong.text


def test_key_information_is_for_security_administrators_alone(server, world):
    # covers: RPT-2, ROL-1, ROL-2, ROL-3, TEN-4
    security = world.console(make_user(server, world.tenant, "security-administrator"))
    report = save(security, name="Keys", criteria=["keys"])["report"]
    template = template_of(server, report)
    ready(server, report)
    told(server, world.tenant, "key-report-ready")
    assert any(r["id"] == report for r in security.api("/reports").json["list"]["rows"])
    for role in ("account-administrator", "data-analyst", "auditor"):
        other = world.console(make_user(server, world.tenant, role))
        assert other.api("/reports").status == 200 and not [r for r in other.api("/reports").json["list"]["rows"] if r["keys"]], role
        assert not [r for r in other.api("/reports/templates").json["list"]["rows"] if r["keys"]], role
        for path in (f"/reports/{report}", f"/reports/{report}/file?format=pdf", f"/reports/{report}/delete", f"/reports/templates/{template}"):
            assert other.get(path).status == 404, (role, path)
        assert other.post(f"/reports/templates/{template}/make").status == 404
        assert other.api("/reports/templates/new", {**FORM, "name": role, "criteria": ["key-events"]}).status == 422
        assert "Key information" not in other.get("/reports/templates/new").text
    foreign = World(server).console()
    for path in (f"/reports/{report}", f"/reports/{report}/file?format=pdf", f"/reports/templates/{template}"):
        assert foreign.get(path).status == 404
    assert world.console(make_user(server, world.tenant, "key-approver")).get("/reports").status == 403


def test_a_schedule_runs_with_its_owners_rights_and_stops_without_them(server, world):
    # covers: RPT-1, RPT-2
    owner = make_user(server, world.tenant, "data-analyst")
    c = world.console(owner)
    save(c, name="Daily", act="save", schedule="daily", at=far_off())
    template = count(server, "select id from report_template where name = 'Daily' and tenant = %s", world.tenant)
    assert count(server, "select due > now() and due <= now() + interval '1 day' from report_template where id = %s", template)
    run(server, "update report_template set due = now() - interval '1 minute' where id = %s", template)
    made = "select count(*) from report where template = %s and state = 'done'"
    wait_until(lambda: count(server, made, template) == 1, SECONDS, "it is not made by itself")
    assert count(server, "select due > now() from report_template where id = %s", template)
    run(server, "update app_user set role = 'key-approver' where email = %s", owner)
    run(server, "update report_template set due = now() - interval '1 minute' where id = %s", template)
    wait_until(lambda: count(server, "select stopped from report_template where id = %s", template), SECONDS, "it does not stop")
    assert count(server, made, template) == 1 and count(server, "select due from report_template where id = %s", template) is None
    a = world.console()
    page = a.get(f"/reports/templates/{template}")
    assert "may not have reports any more" in page.text and "Stopped" in a.get("/reports/templates").text
    assert "report.stopped" in events(server, world.tenant)
    # Who saves it takes it over.
    save(a, path=f"/reports/templates/{template}", name="Daily", act="save", schedule="monthly", monthday=31)
    assert count(server, "select stopped from report_template where id = %s", template) is None
    assert count(server, "select extract(day from due + interval '1 day') in (1, 2) from report_template where id = %s", template)
    # One of a version that knew a part which this one does not know: it fails, and says so.
    run(server, "update report_template set criteria = '{gone}' where id = %s", template)
    assert a.post(f"/reports/templates/{template}/make").status == 303
    told(server, world.tenant, "report-ready", "report-failed", "report-stopped")


def test_when_schedules_are_due(server, world):
    # covers: RPT-1
    due = "select report_next(%s, %s, %s, %s, %s, %s)::text"
    for kind, weekday, monthday, at, zone, after, want in (
            ("monthly", 1, 31, "06:00", "UTC", "2027-02-01 00:00+00", "2027-02-28 06:00:00+00"),
            ("monthly", 1, 1, "06:00", "Europe/Berlin", "2026-11-01 05:00:00+00", "2026-12-01 05:00:00+00"),
            ("monthly", 1, 1, "06:00", "Europe/Berlin", "2026-11-01 04:59:59+00", "2026-11-01 05:00:00+00"),
            ("daily", 1, 1, "02:30", "Europe/Berlin", "2027-03-27 12:00+00", "2027-03-28 01:30:00+00"),
            ("weekly", 1, 1, "23:00", "America/New_York", "2026-11-27 00:00+00", "2026-12-01 04:00:00+00"),
            ("once", 1, 1, "06:00", "UTC", "2026-11-27 00:00+00", None)):
        got = count(server, "select (" + due[7:] + "::timestamptz at time zone 'UTC')::text", kind, weekday, monthday, at, zone, after)
        assert (got and got + "+00") == want, (kind, after, got)
    period = "select (p.since at time zone 'UTC')::text || ' ' || (p.until at time zone 'UTC')::text from report_period(%s, %s, %s) p"
    for name, zone, at, want in (("week", "Europe/Berlin", "2026-11-27 10:00+00", "2026-11-15 23:00:00 2026-11-22 23:00:00"),
                                 ("month", "Europe/Berlin", "2026-11-01 00:00+00", "2026-09-30 22:00:00 2026-10-31 23:00:00"),
                                 ("quarter", "UTC", "2026-11-27 10:00+00", "2026-07-01 00:00:00 2026-10-01 00:00:00"),
                                 ("day", "UTC", "2026-11-27 10:00+00", "2026-11-26 00:00:00 2026-11-27 00:00:00"),
                                 ("last-week", "UTC", "2026-11-27 10:00+00", "2026-11-20 10:00:00 2026-11-27 10:00:00")):
        assert count(server, period, name, zone, at) == want, name


def test_killed_in_the_middle_it_is_made_once_and_told_once(server, world):
    # covers: RPT-1, RPT-4, NTF-2
    c = world.console()
    old = save(c, name="Old")["report"]
    ready(server, old)
    with mail_of(server) as sink:
        server.stop("jobd")
        run(server, "update report set expires = now() - interval '1 minute' where id = %s", old)
        report = save(c, name="Once", mail=True, recipients="one@example.net; two@example.net")["report"]
        # Nobody can add a piece: jobd writes the files, then waits.
        lock = database(server)
        lock.autocommit = False
        lock.cursor().execute("lock table report_piece in share mode")
        server.start("jobd")
        waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and usename = 'keyward_jobs'"
        wait_until(lambda: count(server, waits), SECONDS, "jobd does not come to the files")
        server.kill("jobd")
        left = abandoned()
        assert left
        lock.rollback()
        assert count(server, "select count(*) from report_piece where report = %s", report) == 0
        run(server, "update job set locked_until = now() where kind = 'report'")
        server.start("jobd")
        ready(server, report)
        assert not left & abandoned(), "files of the killed one are left"
        mails = lambda: [m for m in sink.mails if m.recipients[0].endswith("@example.net")]    # noqa: E731: administrators hear of other things
        wait_until(lambda: len(mails()) >= 2, SECONDS, "nobody is told")
        run(server, "update job set locked_until = now() where kind = 'report'")
        assert sorted(m.recipients[0] for m in mails()) == ["one@example.net", "two@example.net"]
        link = next(w for w in mails()[0].text.split() if w.startswith("https://"))
        assert urllib.parse.urlsplit(link).path == f"/reports/{report}"
        # Who is not signed in is asked to first.
        asked = Client(server, "console").get(f"/reports/{report}")
        assert asked.status == 303 and "/sign-in" in asked.header("location"), asked
    # One whose days are over is gone, files and all; jobd looks when it starts, and each hour.
    wait_until(lambda: count(server, "select count(*) from report where id = %s", old) == 0, SECONDS, "it is not deleted")
    assert count(server, "select count(*) from report_piece where report = %s", old) == 0
    assert events(server, world.tenant).count("report.made") >= 1
    assert count(server, "select count(*) from audit_entry where tenant = %s and event = 'report.made' and object_id = %s", world.tenant, report) == 1


def test_the_operators_reports(server, world):
    # covers: RPT-5, RPT-1, RPT-3, RPT-4, NTF-2
    c = operator(server)
    form = {**FORM, "name": "Month of the installation"}
    page = c.get("/reports/templates/new")
    assert page.status == 200 and "Licence use" in page.text and "Keys requested" not in page.text
    parts = [o["value"] for o in c.api("/reports/templates/new").json["form"]["criteria"]["options"]]
    assert len(parts) >= 9
    seen = c.post("/reports/preview", **{**form, "criteria": parts})
    assert seen.status == 200 and "<svg" in seen.text
    name = count(server, "select name from tenant where id = %s", world.tenant)
    assert "orders-db-1" not in seen.text            # its own name is further down, where others have used the server
    # A tenant's parts are not to be had here, nor the operator's in an account.
    for who, part in ((c, "requests"), (world.console(), "tenants")):
        assert who.api("/reports/templates/new", {**form, "criteria": [part]}).status == 422, part
    with mail_of(server) as sink:
        report = save(c, name=form["name"], criteria=parts, mail=True, recipients="chief@example.net")["report"]
        ready(server, report)
        wait_until(lambda: [m for m in sink.mails if m.recipients[0] == "chief@example.net"], SECONDS, "nobody is told")
        mail = next(m for m in sink.mails if m.recipients[0] == "chief@example.net")
        link = next(w for w in mail.text.split() if w.startswith("https://"))
        assert urllib.parse.urlsplit(link).hostname == "cmc.localhost" and link.endswith(f"/reports/{report}"), link
    files = {f: c.get(f"/reports/{report}/file?format={f}") for f in ("pdf", "xlsx", "csv")}
    assert all(a.status == 200 for a in files.values())
    book = openpyxl.load_workbook(io.BytesIO(files["xlsx"].body))
    assert name in [r[0].value for r in book["Tenants"].iter_rows(min_row=2)] and len(book.sheetnames) == len(parts) + 2
    cells = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [text for text in cells if "orders-db-1" in text], "a tenant's machine"
    assert name in [r[0].value for r in book["Licence use"].iter_rows(min_row=2)]
    # It is in no account, and the roles see what they may.
    assert World(server).console().get(f"/reports/{report}").status == 404
    manager = operator(server, "tenant-manager")
    assert manager.get(f"/reports/{report}").status == 404 and not [r for r in manager.api("/reports").json["list"]["rows"] if r["id"] == report]
    assert manager.api("/reports/templates/new", {**form, "name": "M", "criteria": ["processes"]}).status == 422
    mine = save(manager, name="For billing", criteria=["tenants", "licences"], schedule="monthly")["report"]
    ready(server, mine)
    assert c.get(f"/reports/{mine}").status == 200
    # Its owner loses the right: it stops, and says so.
    template = template_of(server, mine)
    run(server, "update operator_user set role = 'system-operator' where id = (select owner from report_template where id = %s)", template)
    run(server, "update report_template set due = now() - interval '1 minute' where id = %s", template)
    wait_until(lambda: count(server, "select stopped from report_template where id = %s", template), SECONDS, "it does not stop")
    nil = "00000000-0000-0000-0000-000000000000"
    assert {"report.made", "report.downloaded", "report.stopped"} <= set(events(server, nil))
    run(server, "update report_template set criteria = '{gone}', stopped = null where id = %s", template)
    assert c.post(f"/reports/templates/{template}/make").status == 303
    told(server, None, "operator-report-ready", "operator-report-stopped", "operator-report-failed")
    # A program is not asked.
    assert c.api("/reports", {"report": [report, mine], "act": "delete"}).status == 200
    assert count(server, "select count(*) from report where template = %s", template) == 2         # what was not made says why


def test_reports_take_no_more_than_they_may(server):
    # covers: RPT-1, RPT-4, NTF-2
    w, boss = World(server), operator(server)
    c, mib = w.console(), 1 << 20
    size = "update report set bytes = %s where id = %s"
    assert boss.api(f"/tenants/{w.tenant}/quotas", {"reports": 1}).status == 200
    first = save(c, name="First", formats=["csv"])["report"]
    ready(server, first)
    storage = c.api("/reports").json["storage"]
    assert storage["most"].startswith("1") and storage["percent"] < 80 and not storage["warn"] and not storage["full"], storage
    # The next one comes near the limit: the page says so, and administrators are told, once.
    run(server, size, mib * 80 // 100 - 10, first)
    for name in ("Second", "Third"):
        ready(server, save(c, name=name, formats=["csv"])["report"])
    told(server, w.tenant, "report-storage")
    assert events(server, w.tenant).count("report.storage") == 1 and c.api("/reports").json["storage"]["warn"]
    assert "nearly used up" in c.get("/reports").text and boss.api(f"/tenants/{w.tenant}/quotas").json["used"]["reports"] == 1
    # One that is too much when it is made is not kept, and takes nobody's place.
    have = count(server, "select count(*) from report where tenant = %s and state = 'done'", w.tenant)
    run(server, size, mib * 98 // 100, first)
    late = save(c, name="Late")["report"]
    ready(server, late, "failed")
    assert "reports would take" in c.get(f"/reports/{late}").text and not count(server, "select count(*) from report_piece where report = %s", late)
    # When it is full a person is told at once, and what a schedule makes says why it is not there; it is made again when its time comes.
    run(server, size, mib, first)
    refused = c.api("/reports/templates/new", {**FORM, "act": "make", "name": "None"})
    assert refused.status == 409 and "all that they may" in refused.text and "is full" in c.get("/reports").text
    save(c, name="Nightly", act="save", schedule="daily", at=far_off())
    run(server, "update report_template set due = now() - interval '1 minute' where tenant = %s and name = 'Nightly'", w.tenant)
    nightly = "select max(state || ' ' || coalesce(error, '')) from report where tenant = %s and name = 'Nightly'"
    wait_until(lambda: (count(server, nightly, w.tenant) or "").startswith("failed"), SECONDS, "nothing is said of it")
    assert "of the 1 MiB" in count(server, nightly, w.tenant)
    assert count(server, "select due > now() and stopped is null from report_template where tenant = %s and name = 'Nightly'", w.tenant)
    assert count(server, "select count(*) from report where tenant = %s and state = 'done'", w.tenant) == have
    # Room is made by a person.
    assert c.post(f"/reports/{first}/delete").status == 303
    ready(server, save(c, name="Room", formats=["csv"])["report"])
