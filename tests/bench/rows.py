"""The rows of `make bench`."""
import statistics
import time

import console
import load
import rotation
import tang
import volumes
from stack.process import Failed

CLIENTS = (1, 8, 32)
FLEETS = {"one account": (["bench"], 32), "eight accounts": ([f"bench-{i}" for i in range(8)], 4)}   # accounts, agents in each
DEVICES = 300                # per agent
BACKEND_RELEASES = 1500
LOG_ENTRIES = 200_000
SLOW = "/log?text=zq"            # not there, and too short for the index: reads the whole log
SIZES = (1_000, 100_000)     # devices
PAGES = {"Running Instances": "/instances?limit=25", "pending ones": "/instances?limit=25&status=pending",
         "Devices": "/devices?limit=25", "Devices by size": "/devices?limit=25&sort=size",
         "Devices by status": "/devices?limit=25&sort=status", "Dashboard": "/",
         "a search for what is not there": "/instances?limit=25&search=nothing+says+this",
         "a search for one machine": "/instances?limit=25&search=host-777", "a search for what all have": "/instances?limit=25&search=host",
         "Devices, for what is not there": "/devices?limit=25&search=nothing+says+this"}
PAGE_LOADS = 40
OPEN_PAGES, LOOKS = 10_000, 400
OPEN = {"a page without a part that changes": ("/notices/bell", 10), "Dashboard": ("/", 10), "Running Instances": ("/instances", 5)}   # seconds between two looks
TENANTS, USERS = (10, 1_000), 100
TENANT_PAGES = {"central": {"Tenants": "/tenants?limit=25", "a search for one tenant": "/tenants?limit=25&search=filled-7", "a search for none":
                            "/tenants?limit=25&search=nothing+says+this", "Licences": "/licences?limit=25", "Licences by share":
                            "/licences?limit=25&sort=-share", "the operator's overview": "/"},
                "console": {"the tenant's dashboard": "/", "Users": "/users?limit=25", "Product License": "/licence", "Devices": "/devices?limit=25"}}
LOG_FEW, LOG_MANY, LOG_DAYS = 10_000, 1_000_000, 360      # entries, over so many days
LOG_PAGES = {"newest": "/log?limit=25", "an hour in the middle": "/log?limit=25&from={half}T10:00&to={half}T11:00", "until the middle":
             "/log?limit=25&to={half}T10:00", "one type, one in a thousand": "/log?limit=25&type=report", "two types": "/log?limit=25&type=report&type=user",
             "a text of all": "/log?limit=25&text=disk", "a text of many, all of them old": "/log?limit=25&text=disk-77",
             "... and of one type": "/log?limit=25&text=disk-77&type=report", "a text of few": "/log?limit=25&text=disk-7777",
             "a text of none, in one day": "/log?limit=25&text=nothing+says+this&from={half}T00:00&to={half}T23:59",
             "a text of none": "/log?limit=25&text=nothing+says+this"}
PENDING = 10_000
REPORTS = {"xlsx": 1_000_000, "csv": 1_000_000, "pdf": 100_000}   # rows; a PDF shows 10,000 of a section
MADE = (10_000, 1_000_000)    # rows
STORM = 2_000
ROTATED, ROTATED_ACCOUNTS = 100_000, 1_000
PENDING_PAGES = {"Running Instances, the pending ones": "/instances?limit=25&status=pending",
                 "sorted by device": "/instances?limit=25&status=pending&sort=device", "a search": "/instances?limit=25&status=pending&search=host-777",
                 "to choose from": "/requests/select?limit=25"}


def build(names):
    targets = {t for n in names for t in SERVERLESS.get(n, ("tests/bench/bench_agents", "tests/bench/bench_backend", "tests/bench/bench_keyd", "tests/bench/bench_relay"))}
    load.tool("ninja", "-C", str(load.ROOT / "build" / "release"), *sorted(targets))


def table(title, head, rows):
    print(f"\n{title}")
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for r in [head, *rows]:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))), flush=True)


class Bench:
    def __init__(self, it, folder, seconds, repeat, entries, days):
        self.it, self.folder, self.seconds, self.repeat, self.entries, self.days = it, folder, seconds, repeat, entries, days
        self.fleets = {}

    def fleet(self, name, devices=DEVICES):
        if name not in self.fleets:
            accounts, agents = FLEETS[name]
            self.fleets[name] = load.Agents(self.it, accounts, agents, devices)
        return self.fleets[name]

    def close(self):
        for f in self.fleets.values():
            f.close()

    def releases(self):
        """Key releases per second: decision, seal, log entry and commit, over TLS"""
        inserts, peer_tang = load.Inserts(self.it), tang.Tang(self.folder / "tang")
        _, seal = load.seals(4, 2)
        rows = []
        for clients in CLIENTS:
            peer = load.median(lambda: inserts.rate(clients, self.seconds), self.repeat)
            recoveries = [peer_tang.recoveries(clients, self.seconds) for _ in range(self.repeat)]
            tang_rate, tang_cost = (statistics.median(r[i] for r in recoveries) for i in (0, 1))
            for name in FLEETS:
                answers = [self.fleet(name).releases(clients, self.seconds) for _ in range(self.repeat)]
                best = sorted(answers, key=lambda a: a["rate"])[len(answers) // 2]
                rows.append((f"{clients} agents, {name}", f"{best['rate']:.0f}", f"{best['median'] / 1000:.2f} ms", f"{peer:.0f}",
                             f"{best['rate'] / peer:.2f}", f"{best['rate'] / seal:.2f}", f"{tang_rate:.0f}", f"{best['rate'] / tang_rate:.2f}",
                             *cpu(best), f"{tang_cost:.0f} us"))
        peer_tang.close()
        table(f"{self.releases.__doc__} (keyd alone: {seal:.0f} seals/s)",
              ("", "releases/s", "median", "inserts/s", "of inserts", "of seals", "Tang/s", "of Tang", *CPU, "Tang"), rows)

    def backend(self):
        """What a key release costs one connection of the database, alone and with others in one transaction"""
        backend = load.Backend(self.it)
        ways = {"one for itself": (1, 1), "eight of one account": (8, 1), "eight of eight accounts": (8, 8)}
        times = {name: min(backend.run(BACKEND_RELEASES, *way)["us"] for _ in range(self.repeat)) for name, way in ways.items()}
        counts = dict(zip(ways, backend.instructions(160, 480, ways.values())))
        alone = next(iter(ways))
        table(self.backend.__doc__, ("", "instructions", "to alone", f"processor time, the least of {self.repeat}", "to alone"), [
            (name, f"{counts[name]:,.0f}", f"{counts[name] / counts[alone]:.2f}", f"{times[name]:.0f} us", f"{times[name] / times[alone]:.2f}")
            for name in ways])

    def relay(self):
        """A question to the key service, the smallest: at its own socket, and through keyward-relay (TLS, both ends on this machine)"""
        with load.relay(self.it) as (socket, ends):
            rows = []
            for clients in CLIENTS[:2]:
                before = sum(load.processor_time(*(p.pid for p in ends)))
                runs = [load.ask_key_service(self.seconds, clients, self.it.state / "run" / "keyd.sock", socket) for _ in range(self.repeat)]
                spent = sum(load.processor_time(*(p.pid for p in ends))) - before
                direct, far = ({k: statistics.median(r[i][k] for r in runs) for k in runs[0][i]} for i in range(2))
                rows.append((f"{clients} at a time", f"{direct['median']:.0f} us", f"{far['median']:.0f} us", f"{far['median'] - direct['median']:.0f} us",
                             f"{direct['late']:.0f} us", f"{far['late']:.0f} us", f"{far['rate']:.0f}",
                             f"{1e6 * spent / sum(r[1]['rate'] * self.seconds for r in runs):.0f} us"))
        table(self.relay.__doc__, ("", "direct", "relay", "more", "99th direct", "99th relay", "questions/s", "relay's processor time"), rows)

    def heartbeats(self):
        """Heartbeats per second against what the same server answers without any work, over TLS kept alive"""
        fleet = self.fleet("one account")
        rows = []
        for clients in CLIENTS:
            rate = {w: load.median(lambda: fleet.ask(w, clients, self.seconds)["rate"], self.repeat)
                    for w in ("heartbeats", "nothing", "page")}
            spent = fleet.spend("heartbeats", clients, self.seconds)
            rows.append((f"{clients} agents", f"{rate['heartbeats']:.0f}", f"{rate['nothing']:.0f}", f"{rate['page']:.0f}",
                         f"{rate['heartbeats'] / rate['nothing']:.2f}", f"{rate['heartbeats'] / rate['page']:.2f}", *cpu(spent)))
        table(self.heartbeats.__doc__, ("", "heartbeats/s", "refusals/s", "/healthz/s", "of refusals", "of /healthz", *CPU), rows)

    def slow(self):
        """Agents beside a console that searches its whole log"""
        fleet = self.fleet("one account", devices=1)
        person = console.account(self.it, "slow")
        console.fill_log(self.it, "slow", LOG_ENTRIES)
        rows = []
        for readers in (0, 1, 8, 24):
            # What it costs to share the processors with as many connections of the database that no worker has to do with.
            with load.busy(self.it, readers):
                shared = fleet.ask("heartbeats", 4, self.seconds, 5000)
            with console.Crowd(person, SLOW, readers) as crowd:
                quick = console.Reader(person)
                fleet.send("heartbeats", 4, self.seconds, 5000)
                waits = [quick.get("/healthz") for _ in range(5)]
                beat = fleet.result("heartbeats")
            searches = f"{sorted(crowd.times)[len(crowd.times) // 2] * 1000:.0f} ms" if crowd.times else "-"
            rows.append((f"{readers} searches at once", searches, f"{beat['median'] / 1000:.2f} ms", f"{beat['p99'] / 1000:.1f} ms",
                         f"{shared['median'] / 1000:.2f} ms", f"{beat['median'] / shared['median']:.2f}", f"{sorted(waits)[2] * 1000:.1f} ms",
                         f"{max(waits) * 1000:.0f} ms"))
        table(f"{self.slow.__doc__} of {LOG_ENTRIES:,} entries (heartbeats of 4 agents; the same beside as many busy connections of the database; a short console page meanwhile)",
              ("", "search", "heartbeat", "99th", "beside busy", "ratio", "short page", "slowest"), rows)

    def pages(self):
        """Console pages of 25 rows, median time"""
        rows, readers, times = [], {}, {}
        for size in SIZES:
            person = console.account(self.it, f"pages-{size}")
            console.fill_devices(self.it, f"pages-{size}", size)
            readers[size] = console.Reader(person)
        for name, path in PAGES.items():
            for reader in readers.values():
                reader.median(path, 6)
            # In turns: what else runs on the machine is the same for both.
            loads = [[reader.get(path) for reader in readers.values()] for _ in range(PAGE_LOADS)]
            times.update({(name, size): statistics.median(pair[i] for pair in loads) for i, size in enumerate(readers)})
        for name in PAGES:
            small, large = (times[name, s] * 1000 for s in SIZES)
            rows.append((name, f"{small:.1f} ms", f"{large:.1f} ms", f"{large / small:.2f}"))
        table(self.pages.__doc__, ("", *(f"{s:,} devices" for s in SIZES), "ratio"), rows)

    def languages(self):
        """Console pages of 25 rows of an account with 1,000 devices, in English and in German, median time"""
        person, rows = console.account(self.it, "languages"), []
        console.fill_devices(self.it, "languages", SIZES[0])
        readers = [console.Reader(person, language) for language in ("en", "de")]
        for name, path in PAGES.items():
            for reader in readers:
                reader.median(path, 6)
            loads = [[reader.get(path) for reader in readers] for _ in range(PAGE_LOADS)]
            english, german = (statistics.median(pair[i] for pair in loads) * 1000 for i in range(2))
            rows.append((name, f"{english:.1f} ms", f"{german:.1f} ms", f"{german / english:.2f}"))
        table(self.languages.__doc__, ("", "English", "German", "ratio"), rows)

    def open(self):
        """Pages that are open and keep themselves up to date, of an account with 100,000 devices: one look, and 10,000 of them"""
        person, rows = console.account(self.it, "open"), []
        console.fill_devices(self.it, "open", SIZES[-1])
        reader, one = console.Reader(person), person.ask("/instances?limit=1")["list"]["rows"][0]
        of_one = {"a key request": (one["url"], 5), "an instance": (one["instance"]["url"], 10)}
        for name, (path, every) in {**OPEN, **of_one}.items():
            for _ in range(6):
                reader.look(path)
            before = load.processor_time(*self.pids())
            looks = [reader.look(path) for _ in range(LOOKS)]
            used = [(b - a) / LOOKS for a, b in zip(before, load.processor_time(*self.pids()))]
            rows.append((name, f"{statistics.median(t for t, _, _ in looks) * 1000:.1f} ms", f"{sum(n for _, n, _ in looks) / LOOKS:,.0f}",
                         f"{sum(s for _, _, s in looks) * 100 / LOOKS:.0f} %", f"{sum(used) * 1e6:.0f} us", f"{every} s",
                         f"{sum(used) * OPEN_PAGES / every:.1f}"))
        table(self.open.__doc__, ("", "one look", "bytes", "changed", "processor", "each", f"cores for {OPEN_PAGES:,}"), rows)

    def log(self):
        """The log's page of 25 rows, median time"""
        console.account(self.it, "log-append")
        alone, indexed = console.append_time(self.it, "log-append", max(self.repeat, 3))
        table("An entry of the log, in one session that does not wait for the disk", ("", "time", "ratio"),
              [("as it is", f"{alone:.0f} us", "1.00"), ("with an index of texts that each append keeps", f"{indexed:.0f} us", f"{indexed / alone:.2f}")])
        half = time.strftime("%Y-%m-%d", time.gmtime(time.time() - self.days // 2 * 86400))
        times = {}
        for size in (LOG_FEW, self.entries):
            person, began = console.account(self.it, f"log-{size}"), time.monotonic()
            console.fill_log(self.it, f"log-{size}", size, self.days)
            print(f"  ({size:,} entries written, with their indexes, in {time.monotonic() - began:.0f} s)", flush=True)
            reader = console.Reader(person)
            for name, path in LOG_PAGES.items():
                reader.median(path.format(half=half), 2)
                times[name, size] = reader.median(path.format(half=half), 9) * 1000
        few, many = ({n: times[n, s] for n in LOG_PAGES} for s in (LOG_FEW, self.entries))
        table(f"{self.log.__doc__}, entries over {self.days} days", ("", *(f"{s:,} entries" for s in (LOG_FEW, self.entries)), "ratio"),
              [(n, f"{few[n]:.1f} ms", f"{many[n]:.1f} ms", f"{many[n] / few[n]:.2f}") for n in LOG_PAGES])

    def tenants(self):
        """Tenants with 100 users each: pages of 25 rows of the operator and of one tenant, and signing in, median time"""
        person, times, have = console.account(self.it, "among-many"), {}, 0
        boss = console.operator(self.it)
        for count in TENANTS:
            console.fill_tenants(self.it, have + 1, count - 1, USERS)
            have = count - 1
            for side, who in (("central", boss), ("console", person)):
                reader = console.Reader(who)
                for name, path in TENANT_PAGES[side].items():
                    reader.median(path, 6)
                    times[name, count] = reader.median(path, PAGE_LOADS)
            times["signing in", count] = statistics.median(console.sign_in_time(person) for _ in range(9))
        names = [*TENANT_PAGES["central"], *TENANT_PAGES["console"], "signing in"]
        few, many = ({n: times[n, c] * 1000 for n in names} for c in TENANTS)
        table(self.tenants.__doc__, ("", *(f"{c:,} tenants" for c in TENANTS), "ratio"),
              [(n, f"{few[n]:.1f} ms", f"{many[n]:.1f} ms", f"{many[n] / few[n]:.2f}") for n in names])

    def both(self):
        """An account with 100,000 devices in an installation of 1,000 tenants with 100 users each: pages of 25 rows, median time"""
        who = {"console": console.account(self.it, "both"), "central": console.operator(self.it)}
        console.fill_devices(self.it, "both", SIZES[-1])
        readers, times = {side: console.Reader(p) for side, p in who.items()}, {}
        pages = [("console", n, p) for n, p in PAGES.items()] + [("central", n, p) for n, p in TENANT_PAGES["central"].items()]
        for when in ("alone", "among all"):
            for side, name, path in pages:
                readers[side].median(path, 6)
                times[name, when] = readers[side].median(path, PAGE_LOADS) * 1000
            if when == "alone":
                console.fill_tenants(self.it, 2 * TENANTS[-1], 3 * TENANTS[-1] - 2, USERS)      # not those of the row before
        table(self.both.__doc__, ("", "before the others came", "beside them", "ratio"), [(n, f"{times[n, 'alone']:.1f} ms", f"{times[n, 'among all']:.1f} ms",
            f"{times[n, 'among all'] / times[n, 'alone']:.2f}") for _, n, _ in pages])

    def pending(self):
        """10,000 pending requests: pages, and all of them approved at once"""
        person = console.account(self.it, "pending")
        console.fill_devices(self.it, "pending", PENDING)
        reader, rows = console.Reader(person), []
        for name, path in PENDING_PAGES.items():
            reader.median(path, 6)
            took = reader.median(path, PAGE_LOADS)
            first = took if not rows else first
            rows.append((name, f"{took * 1000:.1f} ms", f"{took / first:.2f}"))
        before, began = load.processor_time(*self.pids()), time.monotonic()
        where = person.ask("/requests/select", {"decision": "approve", "scope": "all"})["location"]
        rows.append(("the list of all is made", f"{(time.monotonic() - began) * 1000:.0f} ms", f"{(time.monotonic() - began) / first:.2f}"))
        took = reader.median(where, 5)
        rows.append(("its page, to be confirmed", f"{took * 1000:.1f} ms", f"{took / first:.2f}"))
        began = time.monotonic()
        person.ask(where, {"with_doubtful": True})
        other = []
        while not (bulk := person.ask(where)["bulk"])["done"]:
            other.append(reader.get("/instances?limit=25&status=pending"))
            time.sleep(0.5)
        took = time.monotonic() - began
        if bulk["decided"] != PENDING:
            raise Failed(f"of {PENDING} requests {bulk['decided']} were decided")
        spent = [(b - a) * 1e6 / PENDING for a, b in zip(before, load.processor_time(*self.pids()))]
        rows.append(("Running Instances meanwhile", f"{statistics.median(other) * 1000:.1f} ms", f"{statistics.median(other) / first:.2f}"))
        table(f"{self.pending.__doc__} (ratio: to the first page)", ("", "median", "ratio"), rows)
        inserts = load.median(lambda: load.Inserts(self.it).rate(1, self.seconds), self.repeat)
        table("... approved by one jobd", ("", "approved/s", "inserts/s", "of inserts", "database", "jobd"), [
            (f"in {took:.1f} s", f"{PENDING / took:.0f}", f"{inserts:.0f}", f"{PENDING / took / inserts:.2f}", *(f"{s:.0f} us" for s in spent))])

    def rotation(self):
        """Another key of an account with 100,000 device keys, another root key under 1,000 accounts"""
        console.account(self.it, "rotated")
        rotation.fill_keys(self.it, "rotated", ROTATED)
        tenant = rotation.measure(self.it, "tenant_rotation", "rotate", "tenant", "rotated")
        bare = rotation.bare(self.it, "device_key", "wrapped", "rotated")
        rotation.fill_tenants(self.it, ROTATED_ACCOUNTS)
        root = rotation.measure(self.it, "root_rotation", "rotate", "root")
        rows = [(name, f"{took:.1f} s", f"{count / took:.0f} /s", f"{took / peer:.1f}" if peer else "-",
                 *(f"{used[p] * 1e6 / count:.0f} us" for p in rotation.PROCESSES))
                for name, count, peer, (took, used) in ((f"{ROTATED:,} device keys", ROTATED, bare, tenant),
                                                        (f"{ROTATED_ACCOUNTS:,} account keys", ROTATED_ACCOUNTS, None, root))]
        table(self.rotation.__doc__, ("", "took", "keys", "to one bare UPDATE", *rotation.PROCESSES), rows)

    def storm(self):
        """2,000 requests approved in bulk while agents fetch keys (processor time of all for each answer of the agents)"""
        person = console.account(self.it, "storm")
        console.fill_devices(self.it, "storm", STORM)
        fleet, rows = self.fleet("eight accounts"), []
        answers = {"alone": fleet.releases(8, self.seconds)}
        fleet.ask("approve")
        where = person.ask("/requests/select", {"decision": "approve", "scope": "all"})["location"]
        began = time.monotonic()
        person.ask(where, {"with_doubtful": True})
        answers["beside the storm"] = fleet.spend("releases", 8, self.seconds)
        during = person.ask(where)["bulk"]
        while not (bulk := person.ask(where)["bulk"])["done"]:
            time.sleep(0.1)
        took = time.monotonic() - began
        if bulk["decided"] != STORM:
            raise Failed(f"of {STORM} requests {bulk['decided']} were decided")
        for name, a in answers.items():
            rows.append((name, f"{a['rate']:.0f}", f"{a['rate'] / answers['alone']['rate']:.2f}", f"{a['median'] / 1000:.2f} ms",
                         f"{a['p99'] / 1000:.1f} ms", *cpu(a)))
        table(f"{self.storm.__doc__}: approved in {took:.1f} s, {STORM / took:.0f} /s; {during['decided']} of them while keys were fetched",
              ("", "releases/s", "to alone", "median", "99th", *CPU), rows)

    def pids(self):
        return [self.it.processes[p].pid for p in ("database", "jobd")]

    def policies(self):
        """Evaluations of a policy per second of one core: 20 rules, 200 ports, 500 packages"""
        runs = [load.policies(self.seconds / 2) for _ in range(self.repeat)]
        rate = {name: sorted(r[name] for r in runs)[len(runs) // 2] for name in runs[0]}
        rows = [(words, f"{rate[name]:,.0f}", f"{rate[name] / rate[limit]:.2f}", of) for words, name, limit, of in (
            ("rules compiled, facts read before", "decide", "look_up", "the look-ups alone"),
            ("rules compiled, facts from JSON text", "read_and_decide", "read", "jansson reading the text"),
            ("rules from JSON, with the reasons in words", "explain", "read", "jansson reading the facts"))]
        table(self.policies.__doc__, ("", "per second", "ratio", "to"), rows)

    def volumes(self):
        """Volumes: fio at depth 16, direct I/O on ext4 (MiB/s of 1M, requests per second of 4k); processor time of the server"""
        for place, on_disk in (("on files in the page cache", False), ("on disks, nothing cached", True)):
            with volumes.opened(self.folder / "volumes", on_disk) as opened:
                rows = [self.pattern(p, opened) for p in volumes.PATTERNS]
            table(f"{self.volumes.__doc__}; {place}",
                  ("", *volumes.KINDS, "of plain", "of qemu", "of aim", "keyward each", "qemu each"), rows)

    def pattern(self, pattern, opened):
        # In turns: what else runs on the machine is the same for all.
        turns = [{n: v.measure(pattern, self.seconds) for n, v in opened.items()} for _ in range(self.repeat)]
        rate, cost = ({n: statistics.median(t[n][i] for t in turns) for n in opened} for i in (0, 1))
        plain, ours, peer = rate.values()
        aim = min(3 * peer, 0.7 * plain)
        return (pattern, *(f"{r:,.0f}" for r in rate.values()), f"{ours / plain:.2f}", f"{ours / peer:.2f}", f"{ours / aim:.2f}",
                *(f"{c:.0f} us" for n, c in cost.items() if opened[n].server))

    def reports(self):
        """Reports: rows of eight cells by the product's writer and by the bare loop of its library; processor time, most memory"""
        rows = []
        for form, count in REPORTS.items():
            ours, bare, few = (load.report(self.folder, form, how, n, self.repeat) for how, n in (("report", count), ("bare", count), ("report", count // 10)))
            rows.append((f"{form}, {count:,} rows", f"{ours['cpu']:.2f} s", f"{bare['cpu']:.2f} s", f"{ours['cpu'] / bare['cpu']:.2f}",
                         *(f"{a['kib'] / 1024:.1f} MiB" for a in (ours, few, bare))))
        table(self.reports.__doc__, ("", "report", "bare", "ratio", "memory", "of a tenth", "bare"), rows)

    def made(self):
        """A report made by jobd from the log, as XLSX and CSV: time from the click, processor time, most memory of jobd"""
        person, rows, done = console.account(self.it, "made"), [], 0
        for count in MADE:
            console.fill_sign_ins(self.it, "made", done, count)
            done = count
            seconds, cpu, kib = console.make_report(self.it, person)
            each = sum(cpu) / count
            first = each if len(rows) == 0 else first
            rows.append((f"{count:,} rows", f"{seconds:.1f} s", *(f"{c:.1f} s" for c in cpu), f"{each / first:.2f}", f"{kib / 1024:.1f} MiB"))
        table(self.made.__doc__, ("", "whole", "jobd", "database", "a row, to the first", "memory"), rows)


ALL = ("releases", "backend", "relay", "storm", "rotation", "heartbeats", "slow", "pages", "languages", "open", "log", "tenants", "both", "pending", "policies", "volumes", "reports", "made")
# Rows that measure without an installation, and the programs that they measure with.
SERVERLESS = {"policies": ("tests/bench/bench_policy",), "reports": ("tests/bench/bench_report",), "volumes": ("tests/bench/volume_tool", "agent/keyward-volume")}
# What PERF-1 names and these do not measure.
ELSEWHERE = """
Not measured here:
  volumes against plain dm-crypt, and the agent in a small machine: this needs a kernel with device mapper; tests/bench/bench_guest.py boots one
    in a virtual machine (several minutes)
  the log's pages with ten million entries: tools/bench --entries 10000000 log (writing the entries alone takes some minutes)"""
CPU = ("database", "web", "keyd", "load")


def cpu(answer):
    """Microseconds of processor time for each answer."""
    return [f"{answer['cpu'][c]:.0f} us" for c in CPU]


def run(it, folder, names, seconds, repeat, entries, days):
    """IT: a running installation; None when all NAMES are serverless. FOLDER: for scratch."""
    bench = Bench(it, folder, seconds, repeat, entries, days)
    try:
        for name in names:
            began = time.monotonic()
            getattr(bench, name)()
            print(f"  ({name}: {time.monotonic() - began:.0f} s)", flush=True)
    finally:
        bench.close()
