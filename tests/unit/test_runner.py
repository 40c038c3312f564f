"""The test runner itself: it must see failures, crashes, hangs and what is left behind, and count them right."""
import pathlib
import signal
import subprocess
import textwrap

from stack.process import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = """#!/bin/sh
# Behaves as a unit test program would that passes, fails, crashes, hangs and leaves a process behind.
for name; do
	case $name in
	good) echo "ok good" ;;
	bad) echo "    why it is bad"; echo "FAIL bad" ;;
	long)
		echo "Traceback (most recent call last):"; echo "  File x, line 1"; echo "odd.Refused: by another name"; echo "  value = 3"
		for n in $(seq 400); do echo "    said $n"; done; echo "FAIL long" ;;
	crash) echo "before the crash"; kill -SEGV $$ ;;
	hang) sleep 600 ;;
	left) setsid sleep 599 >/dev/null 2>&1 & echo $! >${0%/*}/left; until grep -q sleep /proc/$!/comm; do sleep 0.01; done; echo "ok left" ;;
	both) setsid sleep 599 >/dev/null 2>&1 & echo both >>${0%/*}/begun; sleep 600 ;;
	esac
done
"""

DRIVER = """
import sys
sys.path[:0] = [%(lib)r, %(tools)r]
import collect, runner
tests = [collect.Test(n, ["OPS-2"], 2 if n == "hang" else 60, %(skipped)d) for n in %(names)r]
suite = collect.Suite("program", "unit/fake", "tests/unit/fake", tests, [%(program)r])
r = runner.Runner([suite], 2, {"PATH": "/usr/bin:/bin"})
r.run()
r.end()
runner.summary(r.failures, r.passed, 0)
sys.exit(1 if r.failures else 0)
"""


def run(folder, *names, skipped=0):
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    code = textwrap.dedent(DRIVER) % {"lib": str(ROOT / "tests/lib"), "tools": str(ROOT / "tools"), "names": list(names),
                                      "program": str(program), "skipped": skipped}
    p = subprocess.run(["/usr/bin/python3", "-B", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return p.returncode, p.stdout


def test_all_good(folder):
    # covers: OPS-2
    status, out = run(folder, "good")
    assert status == 0 and out.splitlines()[-1] == "1 passed, 0 failed"


def test_no_result_is_a_failure(folder):
    # covers: OPS-2
    status, out = run(folder, "good", "silent")
    assert status == 1 and out.splitlines()[-1] == "1 passed, 1 failed"


def test_failure_shows_its_output(folder):
    # covers: OPS-2
    status, out = run(folder, "good", "bad")
    assert status == 1 and out.splitlines()[-1] == "1 passed, 1 failed"
    assert "        |     why it is bad" in out


def test_what_was_raised_is_told_before_a_long_output(folder):
    # covers: OPS-2
    status, out = run(folder, "long", "bad")
    assert "        | odd.Refused: by another name" in out and "said 1\n" in out and "said 400" in out and "said 150\n" not in out and "[124 lines]" in out
    assert "    unit/fake  long: odd.Refused: by another name" in out and "    unit/fake  bad: why it is bad" in out


def test_crash_fails_one_and_the_rest_goes_on(folder):
    # covers: OPS-2
    status, out = run(folder, "good", "crash", "bad")
    assert status == 1 and out.splitlines()[-1] == "1 passed, 2 failed"
    assert "before the crash" in out and "SIGSEGV" in out and "FAIL" in out


def test_hang_is_ended(folder):
    # covers: OPS-2
    status, out = run(folder, "hang", "good")
    assert status == 1 and out.splitlines()[-1] == "1 passed, 1 failed"
    assert "no result within 2 s" in out


def test_processes_left_behind_are_ended(folder):
    # covers: OPS-2
    status, out = run(folder, "left")
    assert status == 0 and "left behind and ended: sleep" in out
    try:
        assert pathlib.Path(f"/proc/{(folder / 'left').read_text().strip()}/cmdline").read_bytes() == b"", "it is more than a zombie"
    except FileNotFoundError:
        pass


# A whole run of one program, after something that it shares was made; COUNT of what has begun stands in a file.
WHOLE = """
import pathlib, subprocess, sys, time
sys.path[:0] = [%(lib)r, %(tools)r]
import collect, fixtures, runner
folder = pathlib.Path(%(folder)r)
def shared():
    subprocess.Popen(["setsid", "sleep", "598"])
    with open(folder / "begun", "a") as f:
        f.write("shared\\n")
    time.sleep(%(seconds)d)
    try:
        yield 1
    finally:
        time.sleep(1)
        (folder / "cleaned").write_text("")
fixtures.REGISTRY = {"shared": fixtures.Fixture(shared, "run")}
fixtures.outlasting.__defaults__ = (fixtures.REGISTRY,)
fixtures.scratch = lambda: folder
suite = collect.Suite("program", "unit/fake", "tests/unit/fake", [collect.Test("both", [])], [%(program)r], frozenset(["shared"]))
collect.collect = lambda *_: ([suite], [])
sys.exit(runner.main(["--no-build", "both"]))
"""


def marked(pid):
    """Processes that a run has started, those of its suites too."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            found += [p.parent.name] if f"KEYWARD_TEST_SUITE={pid}.".encode() in p.read_bytes() else []
        except OSError:
            continue
    return found


def interrupted(folder, number, seconds, words, impatient=False):
    """One signal NUMBER once WORDS have begun, and for an IMPATIENT person more of them; the run's status and output."""
    folder.mkdir()
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    code = textwrap.dedent(WHOLE) % {"lib": str(ROOT / "tests/lib"), "tools": str(ROOT / "tools"), "folder": str(folder), "program": str(program),
                                     "seconds": seconds}
    p = subprocess.Popen(["/usr/bin/python3", "-B", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    begun = folder / "begun"
    wait_until(lambda: begun.exists() and begun.read_text().split() == words, 60, "it does not begin", lambda: p.poll() is None)
    assert marked(p.pid), "nothing runs"
    p.send_signal(number)
    if impatient:
        wait_until(lambda: p.poll() is not None or p.send_signal(number), 60, "it does not end")
    out, _ = p.communicate(timeout=60)
    assert marked(p.pid) == [], out
    return p.returncode, out


def test_one_signal_ends_a_run_and_all_that_it_has_started(folder):
    # covers: OPS-2
    for number, impatient in ((signal.SIGINT, False), (signal.SIGTERM, True)):
        status, out = interrupted(folder / f"test-{number}", number, 0, ["shared", "both"], impatient)
        assert status == 1 and "runner  interrupted" in out and out.endswith("0 passed, 1 failed\n"), out
        assert (folder / f"test-{number}" / "cleaned").exists(), out
    # While something shared is made, before any test.
    status, out = interrupted(folder / "making", signal.SIGTERM, 600, ["shared"])
    assert status == 1 and "Traceback" not in out and out.endswith("0 passed, 1 failed\n"), out


def test_failure_shows_the_logs_of_what_was_started(folder):
    # covers: OPS-2
    for name in ("pid", "log"):
        (folder / name).mkdir()
    code = f"""
import pathlib, sys
sys.path[:0] = [{str(ROOT / "tests/lib")!r}, {str(ROOT / "tools")!r}]
import child
from stack.process import Process, wait_until
def fails():
    p = Process("helper", ["/bin/sh", "-c", "echo why it ended >&2; exit 3"], pathlib.Path({str(folder)!r}))
    p.start()
    wait_until(lambda: False, 60, "it does not help", p.alive)
assert not child.one(fails, None, {{}})
"""
    p = subprocess.run(["/usr/bin/python3", "-B", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert p.returncode == 0, p.stdout
    assert "helper has ended (3)" in p.stdout and "    why it ended" in p.stdout and "it does not help: the process has ended" in p.stdout


def test_a_part_of_a_file_that_fails_says_that_it_was_a_part(folder):
    # covers: OPS-2
    import collect
    suite = collect.Suite("program", "unit/fake", "tests/unit/fake", [collect.Test(n, [line]) for n, line in
                                                                      (("good", "KEY-1"), ("silent", "KEY-2"), ("bad", "KEY-3"), ("long", "KEY-2"))])
    (chosen,), unknown = collect.select([suite], ["KEY-3", "silent", "RUN"])
    assert [(t.name, t.skipped) for t in chosen.tests] == [("silent", 1), ("bad", 1)] and unknown == ["RUN"]
    _, out = run(folder, "bad", skipped=1)
    assert "        | not chosen of its file: 1 before it" in out and "    unit/fake  bad: why it is bad" in out, out
    assert "not chosen" not in run(folder, "bad")[1]


def test_long_suites_begin_first_and_machines_are_spread_over_the_run():
    # covers: OPS-2
    import collect
    import order

    def suite(file):
        return collect.Suite("python", file, file, [])
    machines = [suite(f"tests/guest/{n}") for n in range(4)]
    others = [suite(f"tests/web/{n}") for n in range(9)]
    known = {**{s.file: 100 for s in machines}, **{s.file: 100 * n for n, s in enumerate(others)}}
    del known[others[0].file]                    # a new one
    todo = order.Order([*others, *machines], 3, known)
    first = [todo.take([])]
    first.append(todo.take(first))
    assert first == [machines[0], others[8]], first
    # Whatever ends, a machine is in a lane: another beside it only when more of them is left than of all others.
    then = []
    while todo:
        then.append(todo.take(first).file.removeprefix("tests/"))
    assert then == ["web/7", "web/6", "web/5", "web/4", "web/3", "guest/1", "guest/2", "web/2", "guest/3", "web/1", "web/0"], then
