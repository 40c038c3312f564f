"""The rows of `make bench`."""
import load
from stack.process import Failed

CLIENTS = (1, 8, 32)
FLEETS = {"one account": (["bench"], 32), "eight accounts": ([f"bench-{i}" for i in range(8)], 4)}   # accounts, agents in each
DEVICES = 300                # per agent


def build():
    load.tool("ninja", "-C", str(load.ROOT / "build" / "release"), "tests/bench/bench_agents", "tests/bench/bench_keyd")


def table(title, head, rows):
    print(f"\n{title}")
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    for r in [head, *rows]:
        print("  " + "  ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(r, widths))), flush=True)


class Bench:
    def __init__(self, it, seconds, repeat):
        self.it, self.seconds, self.repeat = it, seconds, repeat
        self.fleets = {}

    def fleet(self, name):
        if name not in self.fleets:
            accounts, agents = FLEETS[name]
            self.fleets[name] = load.Agents(self.it, accounts, agents, DEVICES)
        return self.fleets[name]

    def close(self):
        for f in self.fleets.values():
            f.close()

    def releases(self):
        """Key releases per second: decision, seal, log entry and commit, over TLS"""
        inserts = load.Inserts(self.it)
        _, seal = load.seals(4, 2)
        rows = []
        for clients in CLIENTS:
            peer = load.median(lambda: inserts.rate(clients, self.seconds), self.repeat)
            for name in FLEETS:
                answers = [self.fleet(name).releases(clients, self.seconds) for _ in range(self.repeat)]
                best = sorted(answers, key=lambda a: a["rate"])[len(answers) // 2]
                rows.append((f"{clients} agents, {name}", f"{best['rate']:.0f}", f"{best['median'] / 1000:.2f} ms", f"{peer:.0f}",
                             f"{best['rate'] / peer:.2f}", f"{best['rate'] / seal:.2f}"))
        table(f"{self.releases.__doc__} (keyd alone: {seal:.0f} seals/s)",
              ("", "releases/s", "median", "inserts/s", "of inserts", "of seals"), rows)

    def heartbeats(self):
        """Heartbeats per second against what the same server answers without any work, over TLS kept alive"""
        fleet = self.fleet("one account")
        rows = []
        for clients in CLIENTS:
            rate = {w: load.median(lambda: fleet.ask(w, clients, self.seconds)["rate"], self.repeat)
                    for w in ("heartbeats", "nothing", "page")}
            rows.append((f"{clients} agents", f"{rate['heartbeats']:.0f}", f"{rate['nothing']:.0f}", f"{rate['page']:.0f}",
                         f"{rate['heartbeats'] / rate['nothing']:.2f}", f"{rate['heartbeats'] / rate['page']:.2f}"))
        table(self.heartbeats.__doc__, ("", "heartbeats/s", "refusals/s", "/healthz/s", "of refusals", "of /healthz"), rows)


ALL = ("releases", "heartbeats")


def run(it, names, seconds, repeat):
    bench = Bench(it, seconds, repeat)
    try:
        for name in names:
            getattr(bench, name)()
    finally:
        bench.close()
