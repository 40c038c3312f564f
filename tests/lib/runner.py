"""Runs suites in lanes, one process each, with a guard against hanging; prints a line per test and a summary.

A lane runs one suite at a time and has a server of its own for those that want one, so that no suite waits for another.

A suite that dies or hangs fails the test it was in, and goes on with the next one in a new process. What a suite leaves
behind (processes, mounts, loop devices) is ended when it has gone."""
import argparse
import dataclasses
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time

import audited
import child
import collect
import fixtures
import leftovers
import order
import pg
import times

FIRST_LINES, LAST_LINES = 80, 200      # shown of a failed test: its traceback is above what the processes said last
# 32 MiB of what was freed is watched: more than a request of ours frees; the usual 256 make each process that much bigger.
# Of who took a piece of memory eight frames are kept: all thirty cost a process that takes many pieces a third of its time.
SANITIZERS = {
    "ASAN_OPTIONS": "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:"
                    "quarantine_size_mb=32:malloc_context_size=8",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
    "LSAN_OPTIONS": "exitcode=99",
}


@dataclasses.dataclass
class Running:
    suite: collect.Suite
    lane: fixtures.Scope
    pid: int
    fd: int
    mark: str
    waiting: list                # tests without a result yet, in order
    since: float                 # start of the current test
    begun: float                 # of the suite, with what it shares
    partial: bytes = b""
    lines: list = dataclasses.field(default_factory=list)
    hung: bool = False


class Runner:
    def __init__(self, suites, jobs, env):
        self.todo, self.env = order.Order(suites, jobs, order.read()), env
        self.times = times.Times(jobs)
        self.active, self.failures, self.passed = [], [], 0
        self.select = selectors.DefaultSelector()
        self.per_run = fixtures.Scope(fixtures.REGISTRY, "run")
        self.lanes = [fixtures.Scope(fixtures.REGISTRY, "lane", self.per_run) for _ in range(jobs)]
        self.count = 0
        self.stop = False

    @staticmethod
    def _alone(test):
        """What is to be known of a failure where a part of a file was chosen."""
        return [f"not chosen of its file: {test.skipped} before it; if it stands on what they make, run the whole file"] if test.skipped else []

    def report(self, ok, group, name, seconds, lines=()):
        print(f"{'ok  ' if ok else 'FAIL'} {seconds:7.2f}s  {group}  {name}", flush=True)
        self.times.test(group, name, seconds)
        if ok:
            self.passed += 1
            return
        lines = list(lines)
        left_out = len(lines) - FIRST_LINES - LAST_LINES
        for line in [*lines[:FIRST_LINES], f"[{left_out} lines]", *lines[-LAST_LINES:]] if left_out > 0 else lines:
            print("        | " + line, flush=True)
        self.failures.append((f"{group}  {name}", reason(lines)))

    # Starting

    @staticmethod
    def _prepare(suite, lane):
        """Makes what it shares with others; what went wrong, or nothing."""
        for name in fixtures.outlasting(suite.fixtures):
            begun, there = time.monotonic(), lane.has(name)
            try:
                if there:
                    # A part that a suite started again has ended with that suite.
                    lane.get(name).start()
                    continue
                lane.get(name)
                print(f"     {time.monotonic() - begun:7.2f}s  ({name} is up)", flush=True)
            except Exception as e:
                return f"fixture {name}: {type(e).__name__}: {e}".splitlines()
        return None

    def _start(self, suite, lane):
        begun = time.monotonic()
        problem = self._prepare(suite, lane)
        if problem:
            for t in suite.tests:
                self.report(False, suite.group, t.name, 0, problem)
            return
        self.count += 1
        mark = f"{os.getpid()}.{self.count}"
        with child.undisturbed():
            pid, fd = child.start(suite, lane, dict(self.env, **{leftovers.MARK: mark}))
            r = Running(suite, lane, pid, fd, mark, list(suite.tests), time.monotonic(), begun)
            self.active.append(r)
        self.select.register(fd, selectors.EVENT_READ, r)

    # Reading

    def _line(self, r, line):
        result, _, name = line.partition(" ")
        known = [t for t in r.waiting if t.name == name]
        if result not in ("ok", "FAIL") or not (known or name == "(file)") or r.suite.kind == "single":
            r.lines.append(line)
            return
        now = time.monotonic()
        self.report(result == "ok", r.suite.group, name, now - r.since, (self._alone(known[0]) if known else []) + r.lines)
        r.lines, r.since = [], now
        r.waiting = [t for t in r.waiting if t.name != name]

    def _read(self, r):
        data = os.read(r.fd, 65536)
        if not data:
            self._end(r)
            return
        *whole, r.partial = (r.partial + data).split(b"\n")
        for line in whole:
            self._line(r, line.decode(errors="replace").rstrip("\r"))

    # Ending

    def _end(self, r):
        if r.partial:
            r.lines.append(r.partial.decode(errors="replace"))
        self.select.unregister(r.fd)
        os.close(r.fd)
        _, status, used = os.wait4(r.pid, 0)
        self.times.suite(r.suite, time.monotonic() - r.begun, used.ru_utime + used.ru_stime)
        code = os.waitstatus_to_exitcode(status)
        left = leftovers.clean(r.mark)
        self.active.remove(r)
        seconds = time.monotonic() - r.since
        if r.suite.kind == "single":
            t = r.waiting[0]
            ok = code == 0 and not r.hung
            self.report(ok, r.suite.group, t.name, seconds, r.lines + self._why(r, code))
            return
        if r.waiting:
            t = r.waiting[0]
            self.report(False, r.suite.group, t.name, seconds, self._alone(t) + r.lines + self._why(r, code))
            rest = r.waiting[1:]
            if rest and not self.stop:
                self._start(dataclasses.replace(r.suite, tests=rest), r.lane)
        elif code not in (0, 1) or (r.lines and code):
            self.report(False, r.suite.group, "(at exit)", seconds, r.lines + self._why(r, code))
        if left:
            print(f"      left behind and ended: {', '.join(left)}", flush=True)

    @staticmethod
    def _why(r, code):
        if r.hung:
            return [f"no result within {r.waiting[0].guard} s: ended"]
        if code < 0:
            return [f"ended by {signal.Signals(-code).name}"]
        return [f"exit status {code}"]

    def _guard(self):
        for r in self.active:
            if r.waiting and not r.hung and time.monotonic() - r.since > r.waiting[0].guard:
                r.hung = True
                leftovers.kill_group(r.pid)
                leftovers.clean(r.mark)

    def run(self):
        while (self.todo and not self.stop) or self.active:
            for lane in [x for x in self.lanes if x not in [r.lane for r in self.active]]:
                if self.todo and not self.stop:
                    self._start(self.todo.take([r.suite for r in self.active]), lane)
            for key, _ in self.select.select(timeout=1):
                self._read(key.data)
            self._guard()

    def end(self):
        """Ends what still runs, then the shared fixtures."""
        self.stop = True
        for r in list(self.active):
            leftovers.kill_group(r.pid)
            leftovers.clean(r.mark)
        for e in [e for scope in [*self.lanes, self.per_run] for e in scope.close()]:
            self.report(False, "runner", "cleaning up", 0, f"{type(e).__name__}: {e}".splitlines())


def _tool(command, env):
    """Runs one of tools/ and what it starts; when this is interrupted all of it ends. (status, output)"""
    p = subprocess.Popen([str(collect.ROOT / "tools" / command[0]), *command[1:]], env=env, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        out, _ = p.communicate()
    except KeyboardInterrupt:
        leftovers.kill_group(p.pid)
        raise
    return p.returncode, out


def build(env):
    # release is what guests and packages get: their tests install it.
    for command in (["assets"], ["build", "release"], ["build", "sanitize"], ["build", "fuzz"]):
        begun, name = time.monotonic(), " ".join(command)
        status, out = _tool(command, env)
        if status != 0:
            print(f"{out}\ntools/{name} failed\n0 passed, 1 failed")
            return False
        print(f"     {time.monotonic() - begun:7.2f}s  (tools/{name})", flush=True)
    return True


def show(suites):
    for s in suites:
        for t in s.tests:
            print(f"{s.group}  {t.name}  {','.join(t.covers) or '-'}")


def reason(lines):
    """The one line of a failure's output that says most: what a sanitizer found, or the exception under a traceback, by whatever name."""
    found = [line for line in lines if re.search(r"(Sanitizer|runtime error):", line)]
    traces = [i for i, line in enumerate(lines) if line.startswith("Traceback ")]
    raised = [line for line in lines[traces[-1] + 1:] if line[:1].strip()] if traces else []
    return (found[-1:] or raised[:1] or list(lines[-1:]) or [""])[0].strip()


def summary(failures, passed, began):
    if failures:
        print("\nFailed:")
        for name, why in failures:
            print(f"    {name}: {why}")
    print(f"\nin {time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {len(failures)} failed", flush=True)


def judge_logs(r, whole):
    """The last test of a whole run: LOG-2 over what all its servers have logged. What a part of the tests has logged is only told."""
    wrong = audited.problems(fixtures.scratch(), whole and not r.failures)
    if whole and wrong is not None:
        r.report(not wrong, "runner", "every event was driven, and entries say who, what and from where", 0, wrong)
    for line in [] if whole else wrong or []:
        print(f"      in a log: {line}", flush=True)
    waited = audited.deadlocks(fixtures.scratch())
    if whole or waited:
        r.report(not waited, "runner", "no two transactions waited for each other", 0, waited)


def interrupted(signum, frame):
    """Ends the run. Another signal meanwhile changes nothing: what was started is still ended."""
    for s in child.ENDING:
        signal.signal(s, lambda *_: None)
    raise KeyboardInterrupt


def main(argv):
    usage = argparse.ArgumentParser(prog="tests/run", description="Runs the tests; NAME is a line or group of lines of the "
                                    "specification, a test, a file or a folder of tests.")
    usage.add_argument("names", metavar="NAME", nargs="*")
    usage.add_argument("--list", action="store_true", help="show each test and what it covers")
    usage.add_argument("--no-build", action="store_true", help="take the programs as they are")
    usage.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="lanes: suites at a time; much of a test is waiting")
    usage.add_argument("--times", action="store_true", help="show at the end what took long, and whether lanes or processors were idle")
    usage.add_argument("--keep-times", action="store_true", help="write tests/times, by which suites are put in order")
    usage.add_argument("--fuzz-seconds", type=int, default=5, help="per fuzz target")
    o = usage.parse_args(argv)
    began = time.monotonic()
    env = dict(os.environ, LC_ALL="C.UTF-8", TZ="UTC", PYTHONDONTWRITEBYTECODE="1", **SANITIZERS, **{leftovers.MARK: f"{os.getpid()}.0"})
    os.environ.update(env)
    for s in child.ENDING:
        if signal.getsignal(s) != signal.SIG_IGN:        # nohup
            signal.signal(s, interrupted)
    try:
        return _run(o, env, began)
    except KeyboardInterrupt:        # before there was a test
        print("interrupted\n0 passed, 1 failed")
        return 1
    finally:
        leftovers.clean_run()
        # What the interpreter does to end is not cut short either: the status is the run's.
        for s in child.ENDING:
            signal.signal(s, signal.SIG_IGN)


def _run(o, env, began):
    if not o.list and not o.no_build and not build(env):
        return 1
    suites, broken = collect.collect(env, o.fuzz_seconds)
    suites, unknown = collect.select(suites, o.names)
    if o.list:
        show(suites)
        for problem in broken:
            print(problem, file=sys.stderr)
        return 1 if broken else 0
    leftovers.clean_earlier(fixtures.scratch())
    audited.clear(fixtures.scratch())
    os.environ[pg.SCHEMA] = env[pg.SCHEMA] = str(fixtures.scratch() / "schema")
    shutil.rmtree(env[pg.SCHEMA], ignore_errors=True)
    r = Runner(suites, o.jobs, env)
    for problem in [*broken, *(f"no test is called or covers {n}" for n in unknown)]:
        r.report(False, "runner", "collect", 0, problem.splitlines())
    try:
        r.run()
    except KeyboardInterrupt:
        r.report(False, "runner", "interrupted", 0)
    finally:
        r.end()
    judge_logs(r, not o.names)
    if o.times:
        r.times.show()
    if o.keep_times:
        order.write(r.times.by_file())
    summary(r.failures, r.passed, began)
    return 1 if r.failures else 0
