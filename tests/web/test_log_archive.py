"""The log signed, archived by month and removed in the end, by jobd; the proof over all of it, here and with nothing but an export and the key."""
import contextlib
import csv
import gzip
import hashlib
import io
import json
import subprocess
import time

from notices import told
from stack.process import Failed, wait_until
from test_licences import Account, sql
from web import Client, database, make_user, operator

SECONDS = 120
NIL = "00000000-0000-0000-0000-000000000000"
OWN_APPEND = """do $$ begin
    execute replace(replace(replace(pg_get_functiondef('audit_append'::regproc), 'FUNCTION public.audit_append(', 'FUNCTION pg_temp.audit_append_at('),
        'RETURN audit_append(', 'RETURN pg_temp.audit_append_at('), 'clock_timestamp()', 'current_setting(''test.at'')::timestamptz');
end $$"""


def past(server, a, months, detail=None, event="user.changed"):
    """The account's log begins anew: COUNT entries in the month so many MONTHS ago, {months: count}, oldest first; by the database's own function."""
    c = database(server)
    c.autocommit = False
    with c, c.cursor() as q:
        q.execute(OWN_APPEND)
        q.execute("select set_config('keyward.tenant', %s, true)", (a.id,))
        q.execute("lock table audit_head, audit_checkpoint in access exclusive mode")
        for table in ("audit_entry", "audit_checkpoint", "audit_head"):
            q.execute(f"delete from {table} where tenant = %s", (a.id,))
        for ago, count in sorted(months.items(), reverse=True):
            # Never later than now, on the first days of a month either.
            q.execute("select set_config('test.at', least(now() at time zone 'UTC', date_trunc('month', now() at time zone 'UTC') - make_interval(months => %s)"
                      " + interval '3 days')::text || 'Z', true)", (ago,))
            q.execute("select pg_temp.audit_append_at('user', %s, 'user', null, 'Ünïcode ☃ ' || n, 'user', null, case n %% 3 when 0 then '=1+1'"
                      " when 1 then '''quoted' end, %s::json, '192.0.2.1', 'r') from generate_series(1, %s) n", (event, json.dumps(detail), count))
    c.close()


def archives(server, a):
    return sql(server, "select to_char(month, 'YYYY-MM'), last - first + 1, removed is not null, id from audit_archive where tenant = %s order by month",
               (a.id,))


def entries(server, a):
    return sql(server, "select count(*) from audit_entry where tenant = %s", (a.id,))[0][0]


def events(server, a, name):
    return sql(server, "select count(*) from audit_entry where tenant = %s and event = %s", (a.id, name))[0][0]


def hurry(server, gone=lambda: True):
    """The months that can go are looked for when jobd starts, and then each hour: one that somebody reads just then is left for the next time. Until they are GONE."""
    for _ in range(6):
        server.restart("jobd")
        with contextlib.suppress(Failed):
            wait_until(gone, SECONDS / 2, "")
            return
    raise AssertionError("the months are not dropped")


def proof(server, a):
    return server.keyward("audit", "verify", a.slug, check=False)


def archived(server, months, detail=None):
    a = Account(server)
    past(server, a, months, detail)
    wanted = [n for ago, n in sorted(months.items(), reverse=True) if ago > 12]
    wait_until(lambda: [r[1] for r in archives(server, a)] == wanted, SECONDS, "the months are not archived")
    return a


def test_the_log_is_signed_and_a_cut_shows(server, folder):
    # covers: LOG-3
    a = Account(server)
    past(server, a, {0: 6})
    wait_until(lambda: sql(server, "select 1 from audit_checkpoint where tenant = %s", (a.id,)), SECONDS, "nothing is signed")
    assert "1 signed checkpoints" in server.keyward("audit", "verify", a.slug)
    assert "signed checkpoint" in server.keyward("audit", "verify")
    signed, = sql(server, "select max(seq) from audit_checkpoint where tenant = %s", (a.id,))[0]
    # Anywhere, with the export and the key alone.
    export, key = folder / "log.jsonl", folder / "log.pem"
    export.write_text(server.keyward("audit", "export", a.slug))
    key.write_text(server.keyward("audit", "key"))

    def elsewhere(text):
        other = folder / "other.jsonl"
        other.write_text(text)
        return subprocess.run([server._program("admin", "keyward"), "audit", "verify", "file", str(other), str(key)], env={}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    whole = elsewhere(export.read_text())
    assert whole.returncode == 0 and "none missing" in whole.stdout and "1 signed checkpoints" in whole.stdout, whole.stdout
    lines = export.read_text().splitlines(keepends=True)
    last = json.loads(lines[1 + signed])["entry"]
    assert last["entry"] == signed
    head = json.loads(lines[0])
    head["keyward_log"].update(entry=last["entry"] - 1, hash=last["previous"])
    for text, why in (("".join(lines[:5] + lines[6:]), "entry 4 is missing"), ("".join(lines[:-1]), "is not reached"), (export.read_text().replace("192.0.2.1", "192.0.2.9", 3), "altered"),
                      ("".join([json.dumps(head) + "\n"] + lines[1:1 + signed]), "is not reached"),
                      ("".join(lines[:1] + lines[2:]), None), ("", "not an exported log"), ("{}\n", "line 1"), (lines[0] + "x\n", "line 2")):
        p = elsewhere(text)
        if why is None:              # without the checkpoint it is whole, but cannot say whether it was cut
            assert p.returncode == 0 and "no signed checkpoint" in p.stdout, p.stdout
        else:
            assert p.returncode == 1 and why in p.stdout, (why, p.stdout)
    # The last entries deleted by somebody who may do anything in the database, and the head moved back so that the rest is a whole chain.
    sql(server, "delete from audit_entry where tenant = %s and seq >= %s", (a.id, signed))
    sql(server, "update audit_head h set seq = e.seq, hash = e.hash from audit_entry e where h.tenant = %s and e.tenant = h.tenant and e.seq = %s",
        (a.id, signed - 1))
    p = server.keyward("audit", "verify", a.slug, check=False)
    assert f"the checkpoint of entry {signed}, signed" in str(p) and "is not reached" in str(p), p


def test_months_go_into_the_archive_and_the_proof_holds(server, folder):
    # covers: LOG-1, LOG-3
    a = archived(server, {15: 40, 13: 7, 12: 5, 0: 3}, {"a": ["é", 1.50]})
    assert events(server, a, "log.archived") == 2
    assert "none missing" in server.keyward("audit", "verify", a.slug)
    before = sql(server, "select seq, hash from audit_entry where tenant = %s and seq <= 47 order by seq", (a.id,))
    hurry(server, lambda: not sql(server, "select 1 from audit_entry where tenant = %s and seq <= 47", (a.id,)))
    said = server.keyward("audit", "verify", a.slug)
    assert "entries 1 to 47 were archived by month, as 2 signed records say; the files of 2 are still there" in said, said
    # The file: all entries in order, every field as it was, in a form that programs for tables read and do not calculate.
    auditor = Client(server, "console")
    assert auditor.sign_in(make_user(server, a.id, "auditor"), account=a.slug).status == 303
    listed = auditor.api("/log/archive").json["list"]["rows"]
    for query, found in ((f"search={listed[1]['month']}", listed[1:]), (f"search={listed[0]['digest'][8:30]}", listed[:1]), ("state=kept", listed),
                         ("state=removed", []), ("sort=entries", listed), ("sort=month", listed[::-1])):
        assert [r["id"] for r in auditor.api("/log/archive?" + query).json["list"]["rows"]] == [r["id"] for r in found], query
    assert [r["entries"] for r in listed] == [7, 40] and all(r["can_download"] for r in listed)
    got = auditor.get(f"/log/archive/{listed[1]['id']}/file")
    assert got.status == 200 and hashlib.sha256(got.body).hexdigest() == listed[1]["digest"]
    rows = list(csv.reader(io.StringIO(gzip.decompress(got.body).decode())))
    assert len(rows) == 41 and rows[0][0] == "Number" and [int(r[0]) for r in rows[1:]] == list(range(1, 41))
    assert [r[15] for r in rows[1:]] == [bytes(h).hex() for _, h in before[:40]]
    assert {r[9] for r in rows[1:]} == {"'=1+1", "''quoted", ""} and rows[1][6] == "Ünïcode ☃ 1" and json.loads(rows[1][10]) == {"a": ["é", 1.50]}
    # What was signed can be checked without us.
    files = {n: folder / n for n in ("key.pem", "record", "signature")}
    files["key.pem"].write_text(server.keyward("audit", "key"))
    assert auditor.get("/log/key.pem").text == files["key.pem"].read_text()
    files["record"].write_bytes(auditor.get(f"/log/archive/{listed[1]['id']}/record").body)
    files["signature"].write_bytes(auditor.get(f"/log/archive/{listed[1]['id']}/signature").body)
    assert hashlib.sha256(got.body).hexdigest() in files["record"].read_text()
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", files["key.pem"], "-rawin", "-in", files["record"], "-sigfile", files["signature"]],
                   check=True, stdout=subprocess.DEVNULL)
    assert events(server, a, "log.archive-downloaded") == 1
    # A file that is not what was signed is not given out, and the proof names it.
    kept = sql(server, "select bytes from audit_archive_piece where archive = %s", (listed[0]["id"],))[0][0]
    sql(server, "update audit_archive_piece set bytes = set_byte(bytes, 20, 255 - get_byte(bytes, 20)) where archive = %s", (listed[0]["id"],))
    refused = auditor.get(f"/log/archive/{listed[0]['id']}/file")
    assert refused.status == 409 and "altered in the database" in refused.text and "audit verify" in refused.text
    assert "is not the one that was signed" in str(proof(server, a))
    sql(server, "update audit_archive_piece set bytes = %s where archive = %s", (kept, listed[0]["id"]))
    assert auditor.get(f"/log/archive/{listed[0]['id']}/file").status == 200
    # A record that is gone, or was changed.
    for change, back, why in (("last = last + 1", "last = last - 1", "not signed"), ("digest = sha256(digest)", "digest = %s", "is not the one"),
                              ("made = made + interval '1 second'", "made = made - interval '1 second'", "is not signed by")):
        sql(server, f"update audit_archive set {change} where id = %s", (listed[1]["id"],))
        assert why in str(proof(server, a)), change
        args = (bytes.fromhex(listed[1]["digest"]),) if "%s" in back else ()
        sql(server, f"update audit_archive set {back} where id = %s", (*args, listed[1]["id"]))
    assert "none missing" in server.keyward("audit", "verify", a.slug)
    sql(server, "delete from audit_archive where id = %s", (listed[1]["id"],))
    assert "entries 1 to 40 are missing" in str(proof(server, a))


def test_removed_when_their_time_is_over_or_by_an_auditor(server):
    # covers: LOG-1, ROL-4
    a = archived(server, {15: 4, 14: 5, 13: 6, 0: 1})
    ids = [r[3] for r in archives(server, a)]
    sql(server, "update audit_archive set expires = now() where id = %s", (ids[0],))
    wait_until(lambda: archives(server, a)[0][2], SECONDS, "the file is not removed")
    assert events(server, a, "log.archive-expired") == 1
    for role, may in (("account-administrator", False), ("security-administrator", False), ("data-analyst", False), ("auditor", True)):
        c, email = Client(server, "console"), make_user(server, a.id, role)
        assert c.sign_in(email, account=a.slug).status == 303
        rows = c.api("/log/archive").json["list"]["rows"]
        assert [r["entries"] for r in rows] == [6, 5, 4] and [r["can_delete"] for r in rows] == [may, may, False]
        assert [r["can_download"] for r in rows] == [True, True, False]
        path = f"/log/archive/{ids[1]}/delete"
        assert c.get(path).status == (200 if may else 403)
        if not may:
            assert c.api(path, {"typed": rows[1]["month"]}).status == 403
    assert "not the month" in c.post(path, typed="2020-01").text and not archives(server, a)[1][2]
    assert c.post(path, typed=rows[1]["month"]).status == 303
    assert archives(server, a)[1][2] and c.post(path, typed=rows[1]["month"]).status == 409
    assert c.get(f"/log/archive/{ids[1]}/file").status == 404
    assert not sql(server, "select 1 from audit_archive_piece where archive in (%s, %s)", (ids[0], ids[1]))
    page = c.get("/log/archive")
    assert f"Deleted by {email}" in page.text and "Its time was over" in page.text, page.text[page.text.index("<tbody>"):]
    entry = sql(server, "select actor_name, object_name from audit_entry where tenant = %s and event = 'log.archive-deleted'", (a.id,))
    assert entry == [(email, rows[1]["month"])]
    assert "the files of 1 are still there" in server.keyward("audit", "verify", a.slug)
    # Another account's archive is not there.
    other = Client(server, "console")
    b = Account(server)
    assert other.sign_in(make_user(server, b.id, "auditor"), account=b.slug).status == 303
    assert other.get(f"/log/archive/{ids[2]}/file").status == 404 and other.post(f"/log/archive/{ids[2]}/delete", typed=rows[0]["month"]).status == 404


def test_killed_anywhere_nothing_is_archived_twice(server):
    # covers: LOG-1
    a = Account(server)
    months = {n: 700 for n in range(13, 25)}
    server.stop("jobd")
    past(server, a, months)
    done = []
    for pause in (0.05, 0.15, 0.3, 0.5, 0.1, 0.7, 0.4, 1.0):
        server.start("jobd")
        time.sleep(pause)            # not a wait: where it is hit must differ
        server.kill("jobd")
        sql(server, "update job set locked_until = now() where kind = 'log'")
        rows = archives(server, a)
        done.append(len(rows))
        for _, count, _, id in rows:
            assert count == 700 and sql(server, "select 1 from audit_archive_piece where archive = %s and n = 0", (id,))
    server.start("jobd")
    wait_until(lambda: len(archives(server, a)) == 12, SECONDS, f"not all months are archived: {done}")
    hurry(server, lambda: entries(server, a) < 700)
    names = [n for n, in sql(server, "select object_name from audit_entry where tenant = %s and event = 'log.archived' order by seq", (a.id,))]
    assert names == [r[0] for r in archives(server, a)], (names, done)
    assert "entries 1 to 8400 were archived" in server.keyward("audit", "verify", a.slug)


def test_what_was_altered_is_not_archived(server):
    # covers: LOG-1, LOG-3, NTF-2
    a, other, boss = Account(server), Account(server), operator(server)
    server.stop("jobd")
    try:
        past(server, a, {13: 5, 0: 1})
        past(server, other, {13: 4, 0: 1})
        sql(server, "update audit_entry set actor_name = 'somebody else' where tenant = %s and seq = 3", (a.id,))
        # Entries are in their months' tables from the first; these would be moved there while they are read.
        sql(server, "select audit_months()")
    finally:
        server.start("jobd")
    jobs = "select attempts, last_error, run_at > now() + (attempts - 2) * interval '5 seconds' from job where tenant = %s and kind = 'log'"
    # Read a second time before anybody is told: the first time may have come while a month was made or dropped.
    wait_until(lambda: sql(server, jobs + " and payload ? 'altered' and run_at > now()", (a.id,)), SECONDS, "nothing is said")
    # Others' logs are archived meanwhile.
    wait_until(lambda: [r[1] for r in archives(server, other)] == [4], SECONDS, "another account's log is not archived")
    # The one job that there is waits longer each time.
    tries = sql(server, jobs, (a.id,))[0][0]
    sql(server, "update job set run_at = now(), locked_until = null where tenant = %s and kind = 'log'", (a.id,))
    wait_until(lambda: sql(server, jobs + " and attempts > %s and run_at > now()", (a.id, tries)), SECONDS, "it is not tried again")
    (attempts, why, later), = sql(server, jobs, (a.id,))
    assert tries >= 2 and archives(server, a) == [] and entries(server, a) >= 6
    assert "entry 3 was altered" in why and later, (attempts, why, later)
    # Told once, not at each try: in both logs, so to the account and to the operator, who is also shown it on the page of the health.
    for whose in (a.id, NIL):
        found = sql(server, "select detail ->> 'reason' from audit_entry where tenant = %s and event = 'log.altered' and (object_id = %s or tenant = %s)", (whose, a.id, a.id))
        assert found == [("entry 3 was altered",)], (whose, found)
    told(server, a.id, "log-altered")
    told(server, None, "installation-log-altered")
    assert sql(server, "select object_name from audit_entry where tenant = %s and event = 'log.altered' and object_id = %s", (NIL, a.id)) == [(f"Tenant {a.slug}",)]
    row, = (r for r in boss.api("/health").json["checks"] if r["name"] == "Archiving of logs")
    assert row["level"] == "warn" and f"Tenant {a.slug}" in row["value"] and f"Tenant {other.slug}" not in row["value"] and "audit verify" in row["advice"], row
    hurry(server)
    assert "entry 3 was altered" in str(proof(server, a))
    # Put right, it goes on by itself.
    sql(server, "update audit_entry set actor_name = 'Ünïcode ☃ 3' where tenant = %s and seq = 3", (a.id,))
    sql(server, "update job set run_at = now(), locked_until = null where tenant = %s and kind = 'log'", (a.id,))
    wait_until(lambda: [r[1] for r in archives(server, a)] == [5], SECONDS, "the log that was put right is not archived")
    # The job ends a moment after that.
    wait_until(lambda: not [r for r in boss.api("/health").json["checks"] if r["name"] == "Archiving of logs" and f"Tenant {a.slug}" in r["value"]], SECONDS,
               "the warning stays")
