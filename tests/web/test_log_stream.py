"""Lists as files of any size: sent in parts, as quickly as the client takes them, in memory that does not grow; and what becomes of one that does not."""
import csv
import datetime
import io
import pathlib
import random
import re
import socket
import threading
import urllib.parse

from stack.process import wait_until
from test_licences import Account, sql
from test_log_archive import past
from web import database

SECONDS = 120
ENTRIES, WORDS = 6000, 2500      # 15 MB, more than connections have buffers for


def fill(server, a, count, words):
    """COUNT entries of the account, by the database's own function."""
    c = database(server)
    c.autocommit = False
    with c, c.cursor() as q:
        q.execute("select set_config('keyward.tenant', %s, true)", (a.id,))
        q.execute("select audit_append('user', 'user.changed', 'user', null, 'Ünïcode ' || n, 'user', null, '=1+1', json_build_object('n', n, 'words',"
                  " repeat('w', %s)), '192.0.2.1', 'r') from generate_series(1, %s) n", (words, count))
    c.close()


class Download:
    """GET PATH with the session of CLIENT, on a connection that takes little by itself."""

    def __init__(self, client, path, version="1.1", method="GET"):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        plain.settimeout(SECONDS)
        plain.connect(("127.0.0.1", client.it.port))
        self.s = client.it.tls_context().wrap_socket(plain, server_hostname=client.host)
        cookies = "; ".join(f"{n}={v}" for n, v in client.cookies.items())
        self.s.sendall(f"{method} {path} HTTP/{version}\r\nHost: {client.host}:{client.it.port}\r\nCookie: {cookies}\r\n\r\n".encode())

    def rest(self):
        got = b""
        while True:
            try:
                piece = self.s.recv(65536)
            except OSError:
                piece = b""
            if not piece:
                return got
            got += piece


def workers(server):
    """Resident KiB of the largest process of the web server."""
    parent = server.processes["web"].pid
    children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return max(int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) for pid in children)


def test_the_whole_log_comes_in_parts(server):
    # covers: LOG-1
    a = Account(server)
    fill(server, a, ENTRIES, WORDS)
    answer = a.client.get("/log.csv", timeout=SECONDS)
    assert answer.status == 200 and answer.header("transfer-encoding") == "chunked" and "log.csv" in answer.header("content-disposition")
    assert answer.header("connection") == "close"
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    numbers = [int(r[0]) for r in rows[1:]]
    head, = sql(server, "select seq from audit_head where tenant = %s", (a.id,))[0]
    assert rows[0][0] == "Number" and numbers == list(range(max(numbers), 0, -1)) and ENTRIES < max(numbers) <= head
    # Narrowed and turned round; small ones come in one piece.
    some = a.client.get("/log.csv?sort=number&text=%22n%22+%3A+5&type=user", timeout=SECONDS)
    found = [int(r[0]) for r in list(csv.reader(io.StringIO(some.body.decode())))[1:]]
    assert found == sorted(found) and len(found) == 1 + 10 + 100 + 1000 and some.header("transfer-encoding") == "chunked"
    one = a.client.get("/log.csv?text=Account+created")
    assert one.header("content-length") == str(len(one.body)) and one.header("transfer-encoding") is None
    # What asks for its head alone, and what does not know parts.
    assert Download(a.client, "/log.csv", method="HEAD").rest().partition(b"\r\n\r\n")[2] == b""
    assert Download(a.client, "/log.csv", version="1.0").rest().startswith(b"HTTP/1.0 505")
    assert a.client.get("/log").status == 200


def test_a_slow_client_delays_nobody_and_one_that_may_no_more_gets_no_end(server):
    # covers: LOG-1, SEC-7
    a, other = Account(server), Account(server)
    fill(server, a, ENTRIES, WORDS)
    slow = [Download(a.client, "/log.csv") for _ in range(12)]        # more than there are threads
    for d in slow:
        assert d.s.recv(100).startswith(b"HTTP/1.1 200")
    for _ in range(5):
        assert other.client.get("/log").status == 200
    # All of the others' answers are still complete, and one that goes on gets all of its own.
    assert slow[0].rest().endswith(b"\r\n0\r\n\r\n")
    # Half way through the role is taken away, and the page that keeps itself up to date is loaded again, which says so.
    live = {"HX-Request": "true"}
    assert a.client.get("/log", headers=live).header("hx-refresh") is None
    sql(server, "update app_user set role = 'key-approver' where tenant = %s", (a.id,))
    assert not slow[4].rest().endswith(b"0\r\n\r\n")
    refused = a.client.get("/log", headers=live)
    assert refused.status == 403 and refused.header("hx-refresh") == "true" and "Not allowed" in a.client.get("/log").text
    sql(server, "update app_user set role = 'account-administrator' where tenant = %s", (a.id,))
    # The same where the session ends.
    a.client.post("/sign-out")
    for d in slow[1:4]:
        rest = d.rest()
        assert not rest.endswith(b"0\r\n\r\n") and len(rest) < ENTRIES * WORDS, len(rest)
    for d in slow[5:]:
        d.s.close()
    assert other.client.get("/log.csv").status == 200


def test_memory_does_not_grow_with_the_file(server):
    # covers: LOG-1
    a = Account(server)
    fill(server, a, ENTRIES, WORDS)
    a.client.get("/log.csv?text=created")
    before, seen, done = workers(server), [], threading.Event()

    def look():
        while not done.wait(0.02):
            seen.append(workers(server))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        assert len(a.client.get("/log.csv", timeout=SECONDS).body) > ENTRIES * WORDS
    finally:
        done.set()
        watcher.join()
    assert before and max(seen) - before < 8 * 1024, (before, max(seen))
    # Meanwhile jobd has copied the texts of so many, so that nobody has to read all of them for one.
    wait_until(lambda: sql(server, "select count(*) from audit_recent where tenant = %s", (a.id,))[0][0] >= ENTRIES, SECONDS, "no texts are copied")
    assert len(a.client.api("/log?text=%C3%9Cn%C3%AFcode+5999").json["list"]["rows"]) == 1


def test_a_text_is_found_by_the_index_of_months_that_are_over_and_without(server):
    # covers: LOG-1, PERF-2
    a, other = Account(server), Account(server)
    past(server, a, {4: 40, 1: 30, 0: 20}, {"note": "Gruesse 100%"})
    past(server, other, {4: 3}, {"note": "Gruesse 100%"})
    # As jobd does.
    sql(server, "select audit_months()")
    without = ("select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'audit_entry'::regclass and c.relname ~"
               " '[0-9]{6}$' and to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' < now() at time zone 'UTC' - interval '1 hour' and to_regclass(c.relname || '_text') is null")
    wait_until(lambda: sql(server, "select audit_search_make()") and sql(server, without) == [(0,)], SECONDS, "a month has no index of its texts")
    whole = {int(r[0]): r for r in list(csv.reader(io.StringIO(a.client.get("/log.csv").body.decode())))[1:]}
    for text in ("☃ 3", "gruesse 100%", "192.0.2.1", "user.changed", "no such text", "☃ 21", "%", "quoted"):
        wanted = sorted((n for n, r in whole.items() if text.lower() in " ".join(r).lower() or (text == "user.changed" and r[3] == "User changed")), reverse=True)
        page, got = a.client.api("/log?limit=7&text=" + urllib.parse.quote(text)).json["list"], []
        while True:
            got += [r["id"] for r in page["rows"]]
            if page["next"] is None:
                break
            page = a.client.api(page["next"]).json["list"]
        assert got == wanted, (text, got, wanted)
    # Only in the period, and in the other order.
    since = (datetime.datetime.now(datetime.timezone.utc).replace(day=1) - datetime.timedelta(days=45)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = [r["id"] for r in a.client.api(f"/log?limit=200&sort=seq&text=%E2%98%83+1&from={since}").json["list"]["rows"]]
    assert found == sorted(n for n, r in whole.items() if "☃ 1" in r[7] + r[5] and n > 40), found
    # A year that is not typed to its end is one of long ago, and stands in the form again.
    for year in ("0012", "0026"):
        assert len(a.client.api(f"/log?limit=200&from={year}-11-21&text=gruesse").json["list"]["rows"]) == 90, year
        assert f'value="{year}-11-21T00:00"' in a.client.get(f"/log?from={year}-11-21").text, year
    assert a.client.api("/log?from=0000-01-01").status == 422
    # The wrong way round nothing is found, and the page says at the field why.
    assert "It does not lie after the beginning." in a.client.get("/log?from=2026-11-28&to=2026-11-01").text


def test_every_page_of_a_search_is_what_reading_everything_gives(server):
    # covers: LOG-1, PERF-2
    """Texts of many entries and of few, of words and across them; months with more entries than are read before the index is asked, the one that grows, and
    in no month yet."""
    a, of = Account(server), random.Random(7)
    past(server, a, {5: 3, 4: 1100, 2: 200, 1: 5, 0: 1300})
    # Bunched and spread, so that each way of finding them is gone.
    sql(server, "update audit_entry set actor_name = case when seq %% 3 = 0 then 'Grüße-' || seq else 'agent ' || seq %% 7 end, object_name = case when seq < 300 then"
                " 'Rack ' || seq / 10 else 'disk_' || seq * 37 %% 501 end, address = '192.0.' || seq %% 5 || '.' || seq %% 250, detail = json_build_object('50%%', seq %% 11),"
                " category = case when seq %% 40 = 0 then 'report' when seq %% 2 = 0 then 'key' else category end where tenant = %s", (a.id,))
    sql(server, "select audit_months()")
    wait_until(lambda: sql(server, "select audit_search_make()") == [(None,)], SECONDS, "months without an index of their texts")
    # Of the month that grows all but a few are copied.
    copied = "select count(*) from audit_recent where tenant = %s"
    wait_until(lambda: sql(server, "select audit_search_follow(500, 600)") and sql(server, copied, (a.id,)) == [(1200,)], SECONDS, "no texts are copied")
    # Some in a month that has no place of its own.
    sql(server, "insert into audit_entry select tenant, seq + 100000, at - interval '7 months', category, event, actor_kind, actor_id, actor_name, object_kind, object_id,"
                " object_name, detail, address, request, written_by, previous, hash from audit_entry where tenant = %s and seq < 20", (a.id,))
    fields = "e.event", "coalesce(e.actor_name, '')", "coalesce(e.object_name, '')", "coalesce(e.address, '')", "coalesce(e.detail::text, '')"
    rows = sql(server, f"select {', '.join(fields)} from audit_entry e where tenant = %s", (a.id,))
    # Once each, and not among the thousand that are read first: in an index, in what was copied, and in what was not.
    last = ["grüße-60", "grüße-1320", "grüße-2400", "grüße-2550"] * 2
    texts = [*last, "disk_", "rack", "GRÜSSE-2", "grüße-1", "%", "_", "50%", "192.0.", "no such text", "agent 3", ".1", "\\", "r"]
    while len(texts) < 28:
        field = of.choice(of.choice(rows))
        at = of.randrange(len(field))
        texts.append(field[at:at + of.randrange(1, 9)].strip() or "x")
    half = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=75)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for n, text in enumerate(texts):
        type, since, until, sort = of.choice(("", "", "report", "key")), of.choice((None, None, half)), of.choice((None, None, half)), of.choice(("", "seq", "-seq"))
        if n < len(last):
            type, since, until, sort = "", None, None, ("", "seq")[n // 4]
        wanted = [i for i, in sql(server, f"select seq from audit_entry e where tenant = %s and (%s = '' or category = %s) and at >= coalesce(%s, '-infinity')::timestamptz and"
                  f" at < coalesce(%s, 'infinity')::timestamptz and ({' or '.join(f + ' ilike %s' for f in fields)}) order by at" + (", seq" if sort == "seq" else " desc, seq desc"),
                  (a.id, type, type, since, until, *["%" + re.sub(r"([\\%_])", r"\\\1", text) + "%"] * len(fields)))]
        query = {"limit": of.choice((20, 60, 200)), "text": text, "type": type, "sort": sort, "from": since, "to": until}
        page = a.client.api("/log?" + urllib.parse.urlencode({k: v for k, v in query.items() if v})).json["list"]
        pages = [page]
        while page["next"] and len(pages) < 4:
            page = a.client.api(page["next"]).json["list"]
            pages.append(page)
        got = [r["id"] for p in pages for r in p["rows"]]
        assert got == wanted[:len(got)] and (page["next"] or len(got) == len(wanted)), (n, query, len(got), len(wanted))
        # And back again.
        for before in reversed(pages[:-1]):
            page = a.client.api(page["previous"]).json["list"]
            assert [r["id"] for r in page["rows"]] == [r["id"] for r in before["rows"]], (n, query)
