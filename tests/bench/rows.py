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
SLOW = "/log?text=nothing+says+this"     # reads the whole log
SIZES = (1_000, 100_000)     # devices
PAGES = {"Running Instances": "/instances?limit=25", "pending ones": "/instances?limit=25&status=pending",
         "Devices": "/devices?limit=25", "Devices by size": "/devices?limit=25&sort=size",
         "Devices by status": "/devices?limit=25&sort=status", "Dashboard": "/",
         "a search for what is not there": "/instances?limit=25&search=nothing+says+this",
         "a search for one machine": "/instances?limit=25&search=host-777", "a search for what all have": "/instances?limit=25&search=host",
         "Devices, for what is not there": "/devices?limit=25&search=nothing+says+this"}
PAGE_LOADS = 40
TENANTS, USERS = (10, 1_000), 100
TENANT_PAGES = {"central": {"Tenants": "/tenants?limit=25", "a search for one tenant": "/tenants?limit=25&search=filled-7", "a search for none":
                            "/tenants?limit=25&search=nothing+says+this", "Licences": "/licences?limit=25", "Licences by share":
                            "/licences?limit=25&sort=-share", "the operator's overview": "/"},
                "console": {"the tenant's dashboard": "/", "Users": "/users?limit=25", "Product License": "/licence", "Devices": "/devices?limit=25"}}
LOGS = (10_000, 1_000_000)   # entries over a year
LOG_PAGES = {"newest": "/log?limit=25", "an hour half a year ago": "/log?limit=25&from={half}T10:00&to={half}T11:00", "until half a year ago":
             "/log?limit=25&to={half}T10:00", "one type, one in a thousand": "/log?limit=25&type=report", "two types": "/log?limit=25&type=report&type=user",
             "a text of many": "/log?limit=25&text=disk-77", "a text of none, in one day": "/log?limit=25&text=nothing+says+this&from={half}T00:00&to={half}T23:59",
             "a text of none": SLOW}
PENDING = 10_000
STORM = 2_000
ROTATED, ROTATED_ACCOUNTS = 100_000, 1_000
PENDING_PAGES = {"Running Instances, the pending ones": "/instances?limit=25&status=pending",
                 "sorted by device": "/instances?limit=25&status=pending&sort=device", "a search": "/instances?limit=25&status=pending&search=host-777",
                 "to choose from": "/requests/select?limit=25"}


def build(names):
    targets = {t for n in names for t in SERVERLESS.get(n, ("tests/bench/bench_agents", "tests/bench/bench_backend", "tests/bench/bench_keyd"))}
    load.tool("ninja", "-C", str(load.ROOT / "build" / "release"), *sorted(targets))


def table(title, head, rows):
    print(f"\n{title}")
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for r in [head, *rows]:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))), flush=True)


class Bench:
    def __init__(self, it, folder, seconds, repeat):
        self.it, self.folder, self.seconds, self.repeat = it, folder, seconds, repeat
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
        """What a key release costs one connection of the database"""
        backend = load.Backend(self.it)
        times = [backend.run(BACKEND_RELEASES)["us"] for _ in range(self.repeat)]
        table(self.backend.__doc__, ("", ""), [
            ("instructions", f"{backend.instructions(100, 300):,.0f}"),
            (f"processor time, the least of {self.repeat} runs", f"{min(times):.0f} us")])

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
        rows, alone = [], None
        for readers in (0, 1, 8, 24):
            with console.Crowd(person, SLOW, readers) as crowd:
                quick = console.Reader(person)
                fleet.send("heartbeats", 4, self.seconds, 5000)
                waits = [quick.get("/healthz") for _ in range(5)]
                beat = fleet.result("heartbeats")
            alone = alone or beat
            searches = f"{sorted(crowd.times)[len(crowd.times) // 2] * 1000:.0f} ms" if crowd.times else "-"
            rows.append((f"{readers} searches at once", searches, f"{beat['median'] / 1000:.2f} ms", f"{beat['p99'] / 1000:.1f} ms",
                         f"{beat['median'] / alone['median']:.2f}", f"{sorted(waits)[2] * 1000:.1f} ms", f"{max(waits) * 1000:.0f} ms"))
        table(f"{self.slow.__doc__} of {LOG_ENTRIES:,} entries (heartbeats of 4 agents; a short console page meanwhile)",
              ("", "search", "heartbeat", "99th", "to alone", "short page", "slowest"), rows)

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

    def log(self):
        """The log's page of 25 rows, entries over a year, median time"""
        half = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 182 * 86400))
        times = {}
        for size in LOGS:
            person = console.account(self.it, f"log-{size}")
            console.fill_log(self.it, f"log-{size}", size, 360)
            reader = console.Reader(person)
            for name, path in LOG_PAGES.items():
                reader.median(path.format(half=half), 2)
                times[name, size] = reader.median(path.format(half=half), 9) * 1000
        table(self.log.__doc__, ("", *(f"{s:,} entries" for s in LOGS)), [(n, *(f"{times[n, s]:.1f} ms" for s in LOGS)) for n in LOG_PAGES])

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

    def pending(self):
        """10,000 pending requests: pages, and all of them approved at once"""
        person = console.account(self.it, "pending")
        console.fill_devices(self.it, "pending", PENDING)
        reader, rows = console.Reader(person), []
        for name, path in PENDING_PAGES.items():
            reader.median(path, 6)
            rows.append((name, f"{reader.median(path, PAGE_LOADS) * 1000:.1f} ms"))
        before, began = load.processor_time(*self.pids()), time.monotonic()
        where = person.ask("/requests/select", {"decision": "approve", "scope": "all"})["location"]
        rows.append(("the list of all is made", f"{(time.monotonic() - began) * 1000:.0f} ms"))
        rows.append(("its page, to be confirmed", f"{reader.median(where, 5) * 1000:.1f} ms"))
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
        rows.append(("approved in", f"{took:.1f} s, {PENDING / took:.0f} /s"))
        rows.append(("processor time for each: database, jobd", f"{spent[0]:.0f} us, {spent[1]:.0f} us"))
        rows.append(("Running Instances meanwhile", f"{statistics.median(other) * 1000:.1f} ms"))
        table(self.pending.__doc__, ("", ""), rows)

    def rotation(self):
        """Another key of an account with 100,000 device keys, another root key under 1,000 accounts"""
        console.account(self.it, "rotated")
        rotation.fill_keys(self.it, "rotated", ROTATED)
        tenant = rotation.measure(self.it, "tenant_rotation", "rotate", "tenant", "rotated")
        rotation.fill_tenants(self.it, ROTATED_ACCOUNTS)
        root = rotation.measure(self.it, "root_rotation", "rotate", "root")
        rows = [(name, f"{took:.1f} s", f"{count / took:.0f} /s", *(f"{used[p] * 1e6 / count:.0f} us" for p in rotation.PROCESSES))
                for name, count, (took, used) in ((f"{ROTATED:,} device keys", ROTATED, tenant),
                                                  (f"{ROTATED_ACCOUNTS:,} account keys", ROTATED_ACCOUNTS, root))]
        table(self.rotation.__doc__, ("", "took", "keys", *rotation.PROCESSES), rows)

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
            rows.append((name, f"{a['rate']:.0f}", f"{a['median'] / 1000:.2f} ms", f"{a['p99'] / 1000:.1f} ms", *cpu(a)))
        table(f"{self.storm.__doc__}: approved in {took:.1f} s, {STORM / took:.0f} /s; {during['decided']} of them while keys were fetched",
              ("", "releases/s", "median", "99th", *CPU), rows)

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


ALL = ("releases", "backend", "storm", "rotation", "heartbeats", "slow", "pages", "log", "tenants", "pending", "policies", "volumes")
# Rows that measure without an installation, and the programs that they measure with.
SERVERLESS = {"policies": ("tests/bench/bench_policy",), "volumes": ("tests/bench/volume_tool", "agent/keyward-volume")}
CPU = ("database", "web", "keyd", "load")


def cpu(answer):
    """Microseconds of processor time for each answer."""
    return [f"{answer['cpu'][c]:.0f} us" for c in CPU]


def run(it, folder, names, seconds, repeat):
    """IT: a running installation; None when all NAMES are serverless. FOLDER: for scratch."""
    bench = Bench(it, folder, seconds, repeat)
    try:
        for name in names:
            getattr(bench, name)()
    finally:
        bench.close()
