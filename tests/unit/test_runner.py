"""The test runner itself: it must see failures, crashes, hangs and what is left behind, and count them right."""
import pathlib
import subprocess
import textwrap

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
	left) setsid sleep 599 >/dev/null 2>&1 & until grep -q sleep /proc/$!/comm; do sleep 0.01; done; echo "ok left" ;;
	esac
done
"""

DRIVER = """
import sys
sys.path[:0] = [%(lib)r, %(tools)r]
import collect, runner
tests = [collect.Test(n, ["OPS-2"], 2) for n in %(names)r]
suite = collect.Suite("program", "unit/fake", "tests/unit/fake", tests, [%(program)r])
r = runner.Runner([suite], 2, {"PATH": "/usr/bin:/bin"})
r.run()
r.end()
runner.summary(r.failures, r.passed, 0)
sys.exit(1 if r.failures else 0)
"""


def run(folder, *names):
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    code = textwrap.dedent(DRIVER) % {"lib": str(ROOT / "tests/lib"), "tools": str(ROOT / "tools"), "names": list(names),
                                      "program": str(program)}
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
    left = subprocess.run(["pgrep", "-f", "^sleep 599$"], stdout=subprocess.PIPE, text=True).stdout.split()
    assert left == []


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
