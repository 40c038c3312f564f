"""A tenant's console under the benchmark: rows by the hundred thousand, people, and pages over one kept-alive connection."""
import concurrent.futures
import http.client
import pathlib
import re
import socket
import statistics
import threading
import time

import load
from stack.database import programs
from stack.mainjob import Person
from stack.process import Failed

SITE = "console"
WRITERS = 2                      # of entries
UNREAD = 5000                    # AUDIT_SEARCH_UNREAD of src/store/audit_search.h


def sql(it, text):
    return load.tool(f"{programs()}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", it.database.conninfo("postgres", "keyward"), "-c", text)


def account(it, slug):
    """Its administrator, signed in."""
    printed = it.keyward("tenant", "create", slug, slug, f"admin@{slug}.example")
    person = Person(it, SITE, f"admin@{slug}.example", slug)
    person.accepts(re.search(r"https://\S+", printed).group(0))
    return person


def fill_devices(it, slug, count):
    """So many devices, each with a machine, an agent and an open request of its own; 100,000 are asked for within 29 days."""
    bound = f"select set_config('keyward.tenant', (select id::text from tenant where slug = '{slug}'), true);"
    each = f"generate_series(1, {count}) n"
    sql(it, "begin;" + bound + f"""
        create temporary table made on commit drop as select n, gen_random_uuid() as machine, gen_random_uuid() as agent,
            gen_random_uuid() as device from {each};
        insert into instance (tenant, id, provider, provider_instance, host_name, last_seen)
            select current_tenant(), machine, 'native', machine, 'host-' || n, now() + interval '1 day' from made;
        insert into agent (tenant, id, instance, public_key, version, last_heartbeat)
            select current_tenant(), agent, machine, decode(rpad(md5(n::text), 130, '0'), 'hex'), 'bench', now() from made;
        insert into device (tenant, id, provider, machine, provider_device, name, instance, policy, status, key_version, key_created)
            select current_tenant(), m.device, 'native', m.machine, 'disk-' || n, 'disk-' || n, m.machine, p.id, 'encrypted', 1, now()
            from made m, policy p where p.tenant = current_tenant() and p.is_default;
        insert into key_request (tenant, id, device, instance, agent, policy, policy_name, policy_version, access, recipient_key,
            signature, requested) select current_tenant(), gen_random_uuid(), m.device, m.machine, m.agent, p.id, p.name, p.version,
            'read-write', decode(repeat('00', 65), 'hex'), decode(repeat('00', 64), 'hex'), now() - n * interval '25 seconds'
            from made m, policy p where p.tenant = current_tenant() and p.is_default;
        commit""")
    # jobd adds the requests up, whatever it is busy with.
    for _ in range(600):
        if sql(it, "select count(*) from request_count_change").strip() == "0":
            break
        time.sleep(0.2)
    else:
        raise Failed("jobd does not add up requests")
    # As autovacuum leaves it a minute later.
    sql(it, "vacuum analyze instance, agent, device, key_request, search_text, request_count, request_count_change")


def operator(it):
    """An operator, signed in; his address is of the benchmark's own."""
    email = f"operator-{time.monotonic_ns()}@bench.example"
    sql(it, f"insert into operator_user (id, email, name, role, password, state) select gen_random_uuid(), '{email}', 'Bench', 'msp-administrator',"
        " password, 'active' from app_user where password is not null limit 1")
    person = Person(it, "central", email)
    if not person.signs_in():
        raise Failed("the operator cannot sign in")
    return person


def fill_tenants(it, first, last, users):
    """Tenants number FIRST to LAST, each with so many users, who cannot sign in."""
    sql(it, f"""insert into tenant (id, slug, name, wrapped_key) select gen_random_uuid(), 'filled-' || n, 'Filled ' || n, 'x' from
        generate_series({first}, {last}) n;
        insert into app_user (tenant, id, email, name, role) select t.id, gen_random_uuid(), 'user-' || n || '@' || t.slug || '.example',
        'User ' || n, 'auditor' from tenant t, generate_series(1, {users}) n where t.slug ~ '^filled-' and substr(t.slug, 8)::int between {first}
        and {last};
        analyze tenant, app_user, licence, licence_use, policy""")


def sign_in_time(person):
    """Seconds of a sign-in; most of them are the password's hash."""
    began = time.monotonic()
    if not person.signs_in():
        raise Failed("nobody can sign in")
    return time.monotonic() - began


def fill_log(it, slug, count, days=0):
    """The account's log becomes so many entries that look like keys' deliveries, one in a thousand a report, over so many DAYS (0: one a second), with what
    finds texts in them. Their chain does not hold: this log is only searched."""
    step = days * 86400 / count if days else 1
    # The months' partitions first: what came before them would have to be moved, entry by entry.
    sql(it, f"set role keyward_owner; select audit_month_make(m::date) from generate_series(date_trunc('month', now() at time zone 'UTC' - {count} * {step}"
        " * interval '1 second'), now() at time zone 'UTC', '1 month') m")
    sql(it, f"delete from audit_entry e using tenant t where e.tenant = t.id and t.slug = '{slug}'")
    bounds = [count * i // WRITERS for i in range(WRITERS + 1)]
    with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda first, last: sql(it, f"""insert into audit_entry (tenant, seq, at, category, event, actor_kind, actor_name, object_kind,
            object_name, detail, address, written_by, previous, hash) select t.id, 1000000 + n, now() - ({count} - n) * {step} * interval '1 second',
            case n % 1000 when 0 then 'report' else 'key' end, case n % 1000 when 0 then 'report.made' else 'key.delivered' end, 'agent',
            'agent-' || n, 'request', 'disk-' || n, '{{"device": "data", "version": 1}}', '192.0.2.1', 'keyward_agent',
            decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex') from tenant t, generate_series({first} + 1, {last}) n
            where t.slug = '{slug}'"""), bounds[:-1], bounds[1:]))
    # What goes on is behind them; nobody is told of them.
    sql(it, f"""update audit_head h set seq = 1000000 + {count}, at = now() from tenant t where h.tenant = t.id and t.slug = '{slug}';
        insert into notice_cursor (tenant, seq) select t.id, 1000000 + {count} from tenant t where t.slug = '{slug}' on conflict (tenant) do update
        set seq = excluded.seq""")
    # As jobd does, which takes its part in it.
    def step(what):
        while sql(it, f"select audit_search_due({UNREAD})").strip() == "t":
            sql(it, f"select {what}")
            time.sleep(0.05)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(step, (f"audit_search_follow({UNREAD}, 20000)", "audit_search_make()")))
    sql(it, "vacuum analyze audit_entry, audit_recent")


APPENDS = 6000
TEXTS = ("set role keyward_owner; create index bench_texts on {month} using gin (tenant extension.uuid_ops, audit_text(event, actor_name, object_name, address, detail)"
         " extension.gin_trgm_ops) with (fastupdate = on, gin_pending_list_limit = 1048576)")


def append_time(it, slug, repeat):
    """Microseconds that an entry takes in one session that does not wait for the disk, as it is and with an index of texts that each append keeps, whose
    list nothing but time flushes; medians."""
    month = "audit_entry_" + time.strftime("%Y%m", time.gmtime())

    def append():
        began = time.monotonic()
        sql(it, f"""set synchronous_commit = off; select set_config('keyward.tenant', (select id::text from tenant where slug = '{slug}'), false);
            do $$ begin for n in 1 .. {APPENDS} loop perform audit_append('key', 'key.delivered', 'agent', gen_random_uuid(), 'agent-' || n, 'request',
            gen_random_uuid(), 'disk-' || n, '{{"device": "data", "version": 1}}', '192.0.2.1', gen_random_uuid()::text); end loop; end $$""")
        return (time.monotonic() - began) * 1e6 / APPENDS

    append()
    times = [load.median(append, repeat)]
    sql(it, TEXTS.format(month=month))
    times.append(load.median(append, repeat))
    sql(it, "drop index bench_texts")
    return times


def fill_sign_ins(it, slug, first, last):
    """Entries FIRST to LAST of people who sign in, four a minute. Their chain does not hold: this log is only read."""
    sql(it, f"""insert into audit_entry (tenant, seq, at, category, event, actor_kind, actor_name, object_kind, object_name, detail,
        address, written_by, previous, hash) select t.id, 1000000 + n, now() - n * interval '15 seconds', 'user', 'user.signed-in', 'anonymous',
        'user-' || n % 200, 'user', 'user-' || n % 200 || '@example.net', '{{}}', '192.0.2.' || n % 250, 'keyward_console',
        decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex') from tenant t, generate_series({first + 1}, {last}) n
        where t.slug = '{slug}'""")
    sql(it, "select audit_months()")
    sql(it, "vacuum analyze audit_entry")


def make_report(it, person):
    """A report of all sign-ins as XLSX and CSV: seconds until it is ready, processor time of jobd and database, the most memory of jobd in KiB."""
    jobd, database = (it.processes[p].pid for p in ("jobd", "database"))
    pathlib.Path(f"/proc/{jobd}/clear_refs").write_text("5")     # the most from now on
    before, began = load.processor_time(jobd, database), time.monotonic()
    report = person.ask("/reports/templates/new", {"name": f"Sign-ins {began}", "criteria": ["sign-ins"], "period": "last-year", "formats": ["xlsx", "csv"],
                                                   "schedule": "once", "keep_days": 1, "at": "06:00", "recipients": "", "act": "make"})["report"]
    while (state := sql(it, f"select state from report where id = '{report}'").strip()) not in ("done", "failed"):
        time.sleep(0.1)
    seconds = time.monotonic() - began
    if state == "failed":
        raise Failed(sql(it, f"select error from report where id = '{report}'"))
    used = [b - a for a, b in zip(before, load.processor_time(jobd, database))]
    return seconds, used, int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{jobd}/status").read_text())[1])


class Connection(http.client.HTTPSConnection):
    """The names of the sites are no names to the resolver: all are this machine."""

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class Reader:
    """One person's browser: a connection that stays. LANGUAGE: what it wants pages in."""

    def __init__(self, person, language="en"):
        self.looks, self.language = {}, language
        self.connection = Connection(person.host, person.it.port, timeout=120, context=person.it.tls_context())
        self.cookie = "; ".join(f"{n}={v}" for n, v in person.cookies.items())

    def get(self, path):
        """Seconds that the whole page took."""
        began = time.monotonic()
        self.connection.request("GET", path, headers={"Cookie": self.cookie, "Accept-Language": self.language})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failed(f"{path} was answered {answer.status}: {text[:200]!r}")
        return time.monotonic() - began

    def look(self, path):
        """(seconds, bytes, whether something was sent) of what an open page asks for, as its script does: what has not changed is not sent again."""
        headers = {"Cookie": self.cookie, "HX-Request": "true", **({"If-None-Match": self.looks[path]} if path in self.looks else {})}
        began = time.monotonic()
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 304):
            raise Failed(f"{path} was answered {answer.status}: {text[:200]!r}")
        self.looks[path] = answer.getheader("etag")
        return time.monotonic() - began, len(text), answer.status == 200

    def median(self, path, count):
        return statistics.median(self.get(path) for _ in range(count))


class Crowd:
    """COUNT people who ask for PATH again and again until the block ends; .times are the seconds that their answers took."""

    def __init__(self, person, path, count):
        self.readers, self.path, self.over, self.times = [Reader(person) for _ in range(count)], path, False, []

    def _read(self, reader):
        while not self.over:
            self.times.append(reader.get(self.path))

    def __enter__(self):
        self.threads = [threading.Thread(target=self._read, args=(r,)) for r in self.readers]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.over = True
        for t in self.threads:
            t.join()
