"""What the rows of the benchmark measure with: the load generator, pgbench, keyd's own benchmark."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess

from stack import certificates
from stack.ports import free_port
from stack.process import Failed, Process, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / "build" / "release" / "tests" / "bench"


def tool(*argv, **kw):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    if p.returncode != 0:
        raise Failed(f"{argv[0]} failed: {p.stdout[-500:]}{p.stderr[-1000:]}")
    return p.stdout


def median(measure, repeat):
    return statistics.median(measure() for _ in range(repeat))


TICK = os.sysconf("SC_CLK_TCK")


def _processes():
    """{pid: (parent, seconds of processor time with those of ended children)}"""
    found = {}
    for p in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = p.read_text().rpartition(")")[2].split()
        except OSError:              # it has ended in between
            continue
        found[int(p.parent.name)] = int(fields[1]), sum(map(int, fields[11:15])) / TICK
    return found


def processor_time(*pids):
    """Seconds that each of these and all its descendants have used."""
    found = _processes()

    def total(pid):
        return found.get(pid, (0, 0))[1] + sum(total(child) for child, (parent, _) in found.items() if parent == pid)

    return [total(pid) for pid in pids]


class Agents:
    """bench_agents on an installation; see its own first lines."""

    def __init__(self, it, accounts, agents, devices):
        self.it = it
        for slug in accounts:
            it.keyward("tenant", "create", slug, slug, f"admin@{slug}.example")
        self.process = subprocess.Popen(
            [str(PROGRAMS / "bench_agents"), it.database.conninfo("postgres"), str(it.state / "run" / "keyd.sock"), str(it.ca),
             str(it.port), str(agents), str(devices), *accounts], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer("preparation")

    def _answer(self, what):
        line = self.process.stdout.readline()
        if not line:
            raise Failed(f"the load generator ended ({what}), status {self.process.wait()}")
        return json.loads(line)

    def send(self, name, clients=0, seconds=0.0, pause_us=0):
        self.process.stdin.write(f"{name} {clients} {int(seconds * 1000)} {pause_us}\n")
        self.process.stdin.flush()

    def result(self, what):
        answer = self._answer(what)
        if answer.get("failed"):
            raise Failed(f"{what}: {answer['failed']} failed: {answer['why']}")
        return answer

    def ask(self, name, *args):
        self.send(name, *args)
        return self.result(name)

    def spend(self, name, clients, seconds):
        """As ask; "cpu" in the answer: microseconds of processor time for each answer, by who used them."""
        pids = {"database": self.it.processes["database"].pid, "keyd": self.it.processes["keyd"].pid,
                "web": self.it.processes["web"].pid, "load": self.process.pid}
        before = processor_time(*pids.values())
        answer = self.ask(name, clients, seconds)
        after = processor_time(*pids.values())
        answer["cpu"] = {n: (b - a) * 1e6 / max(answer["done"], 1) for n, a, b in zip(pids, before, after)}
        return answer

    def releases(self, clients, seconds):
        self.ask("approve")
        answer = self.spend("releases", clients, seconds)
        if answer["delivered"] != answer["done"]:
            raise Failed(f"{answer['done']} keys came, but {answer['delivered']} are in database and log")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# No plans made anew in between, and the ones of full tables for tables that are nearly empty.
STEADY = ("-c", "autovacuum=off", "-c", "enable_seqscan=off", "-c", "jit=off")


class Backend:
    """bench_backend on an installation whose database alone is of interest; each run makes accounts of its own."""

    def __init__(self, it):
        self.it, self.runs = it, 0

    def run(self, count, together=1, accounts=1):
        """COUNT releases, TOGETHER in one transaction, of so many accounts."""
        self.runs += 1
        slugs = [f"backend-{self.runs}-{i}" for i in range(accounts)]
        for slug in slugs:
            self.it.keyward("tenant", "create", slug, slug, f"admin@{slug}.example")
        return json.loads(tool(str(PROGRAMS / "bench_backend"), self.it.database.conninfo("postgres"),
                               self.it.database.conninfo("keyward_agent"), str(self.it.state / "run" / "keyd.sock"), str(count // accounts),
                               str(together), *slugs))

    @contextlib.contextmanager
    def counted(self):
        """The database under callgrind; the folder that it leaves its counts in."""
        database, folder = self.it.database, self.it.state / "callgrind"
        argv = database.argv
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, "postgres")
        self.it.stop("web", "jobd", "database")
        database.argv = ["/usr/bin/valgrind", "--tool=callgrind", "--trace-children=yes",
                         f"--callgrind-out-file={folder}/%p", *argv, *STEADY]
        try:
            self.it.start("database")
            yield folder
        finally:
            self.it.stop("database")
            database.argv = argv
            self.it.start("database", "jobd", "web")

    def instructions(self, few, many, ways):
        """Of the backend, for one release, each of WAYS (together, accounts): the difference of a run of FEW and one of MANY, so that nothing else
        is in it."""
        with self.counted() as folder:
            pids = {(way, n): self.run(n, *way)["pid"] for way in ways for n in (few, many)}
            self.it.stop("database")
            total = {run: int(re.search(r"^totals: (\d+)", (folder / str(pid)).read_text(), re.M).group(1)) for run, pid in pids.items()}
        return [(total[way, many] - total[way, few]) / (many - few) for way in ways]


class Inserts:
    """pgbench: one durable row per transaction, in the same cluster as the product's database."""

    def __init__(self, it):
        self.it = it
        self.script = it.state / "insert.sql"
        self.script.write_text("insert into bench (text) values ('one row, and it is on disk when the answer comes');\n")
        if it.database.ask("select count(*) from pg_database where datname = 'bench'").strip() == "0":
            it.database.ask("create database bench")
        it.database.ask("create table if not exists bench (id bigint generated always as identity primary key, at timestamptz default now(), "
                        "text text)", database="bench")
        if it.database.ask("show fsync") != "on" or it.database.ask("show synchronous_commit") != "on":
            raise Failed("the cluster does not write durably")

    def rate(self, clients, seconds):
        out = tool("pgbench", "-h", str(self.it.database.sockets), "-U", "postgres", "-n", "-M", "prepared", "-f", str(self.script),
                   "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(max(1, round(seconds))), "bench")
        return float(re.search(r"tps = ([0-9.]+)", out).group(1))


@contextlib.contextmanager
def busy(it, count):
    """So many connections of the database that do nothing but use up processor time."""
    argv = ["psql", "-XAtq", "-d", it.database.conninfo("postgres", "postgres") + " application_name=busy", "-c",
            "do $$ begin loop perform 1; end loop; end $$"]
    asked = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        while any(p.poll() is None for p in asked):
            it.database.ask("select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'busy'")


def policies(seconds):
    """Evaluations per second of processor time, by what is done."""
    return json.loads(tool(str(PROGRAMS / "bench_policy"), str(seconds)))


def seals(clients, seconds):
    """(limit, seals): Diffie-Hellman in one thread, and keyd alone with so many callers, per second."""
    out = tool(str(PROGRAMS / "bench_keyd"), str(max(1, round(seconds))), str(clients))
    return tuple(float(re.search(rf"^{name}.*?([0-9]+) /s", out, re.M).group(1)) for name in ("limit", "seal, tenant key at hand"))


def report(folder, form, how, rows, repeat):
    """bench_report; its median by processor time."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"report.{form}"
    runs = sorted((json.loads(tool(str(PROGRAMS / "bench_report"), form, how, str(rows), str(file))) for _ in range(repeat)), key=lambda r: r["cpu"])
    file.unlink()
    return runs[len(runs) // 2]


RELAY_WEB, RELAY_HERE = "web.bench.test", "127.0.0.1"


def _relay_certificate(folder, it, name, use):
    """FOLDER/NAME.key and .crt of the installation's authority, as docs/operations.md wants them of the two ends of a relay."""
    key, request, extensions = folder / f"{name}.key", folder / "request", folder / "extensions"
    certificates.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key), "-out", str(request),
                         "-subj", f"/CN={name}")
    key.chmod(0o600)
    extensions.write_text(f"extendedKeyUsage={use}\nsubjectAltName={'IP' if name[0].isdigit() else 'DNS'}:{name}\n")
    certificates.openssl("x509", "-req", "-in", str(request), "-sha256", "-days", "2", "-CA", str(it.ca), "-CAkey", str(it.state / "ca" / "ca.key"),
                         "-set_serial", "0x" + os.urandom(16).hex(), "-extfile", str(extensions), "-out", str(folder / f"{name}.crt"))


@contextlib.contextmanager
def relay(it):
    """A keyward-relay with both ends on this machine, before the installation's key service: its socket, and its two processes."""
    folder, run, port = it.state / "relay", it.state / "run", free_port()
    folder.mkdir()
    _relay_certificate(folder, it, RELAY_WEB, "clientAuth")
    _relay_certificate(folder, it, RELAY_HERE, "serverAuth")

    def end(which, who, *more):
        return Process(which, [str(ROOT / "build" / "release" / "src" / "relay" / "keyward-relay"), which, "--ca", str(it.ca), "--certificate",
                               str(folder / f"{who}.crt"), "--key", str(folder / f"{who}.key"), *more], it.state)

    far = end("far", RELAY_HERE, "--listen", f"{RELAY_HERE}:{port}", "--socket", str(run / "keyd.sock"), "--names", RELAY_WEB, "--user", "keyward-web")
    near = end("near", RELAY_WEB, "--connect", f"{RELAY_HERE}:{port}", "--socket", str(run / "relay.sock"), "--allow", "keyward-web", "--socket-group",
               "keyward", "--user", "keyward-relay")
    try:
        for p in (far, near):
            p.start()
            wait_until(lambda p=p: "ready" in p.last_lines(), 60, f"{p.name} is not ready", p.alive)
        yield run / "relay.sock", (far, near)
    finally:
        for p in (near, far):
            p.stop()
        shutil.rmtree(folder)


def ask_key_service(seconds, clients, *sockets):
    """bench_relay, as a web worker's user."""
    return json.loads(tool("setpriv", "--reuid", "keyward-web", "--regid", "keyward", "--clear-groups", str(PROGRAMS / "bench_relay"), str(seconds),
                           str(clients), *map(str, sockets)))
