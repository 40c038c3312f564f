"""Finds the tests: a Suite is what runs as one process (a C program, a Python file, a fuzz target) and holds Tests."""
import ast
import dataclasses
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
GUARD_SECONDS = 600          # a hang guard, not a limit on speed: the longest test without one of its own takes 90 on an idle machine
SPEC_LINE = re.compile(r"[A-Z]{2,4}-\d+$")


@dataclasses.dataclass
class Test:
    name: str
    covers: list
    guard: int = GUARD_SECONDS
    skipped: int = 0         # tests before it in its file that were not chosen: it may stand on what they make


@dataclasses.dataclass
class Suite:
    kind: str                # "program": argv and names of tests; "python": a file; "single": the exit status is the result
    group: str               # shown before the tests' names: "unit/base"
    file: str                # source, below the checkout
    tests: list
    argv: list = dataclasses.field(default_factory=list)
    fixtures: frozenset = frozenset()


class Broken(Exception):
    """A suite that cannot say which tests it has."""


def _covers(text):
    return [c.strip() for c in text.split(",") if c.strip()]


def _listed(kind, group, file, argv, env):
    """A program that knows --list: "name SPEC,LINES" per line."""
    try:
        p = subprocess.run(argv + ["--list"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=GUARD_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Broken(f"{file} --list: {e}")
    if p.returncode != 0:
        raise Broken(f"{file} --list: exit status {p.returncode}\n{p.stdout}")
    tests = []
    for line in p.stdout.splitlines():
        name, _, covers = line.partition(" ")
        tests.append(Test(name, _covers(covers)))
    return Suite(kind, group, file, tests, argv)


def unit_programs(env):
    for program in sorted((BUILD / "sanitize" / "tests" / "unit").glob("unit_*")):
        if program.is_file() and os.access(program, os.X_OK):
            name = program.name[len("unit_"):]
            yield lambda program=program, name=name: _listed("program", f"unit/{name}", f"tests/unit/test_{name}.c",
                                                             [str(program)], env)


def scripts(env):
    """Programs named check.py: they know --list and take names, as the C programs do."""
    for file in sorted((ROOT / "tests").glob("*/check.py")):
        group = file.parent.name + "/check"
        yield lambda file=file, group=group: _listed("program", group, str(file.relative_to(ROOT)),
                                                     ["/usr/bin/python3", "-u", "-B", str(file)], env)


def python_file(file):
    """Reads a test file without running it: names, `# covers:` and `# guard: SECONDS` comments, fixtures."""
    rel = str(file.relative_to(ROOT))
    source = file.read_text()
    try:
        tree = ast.parse(source, rel)
    except SyntaxError as e:
        raise Broken(f"{rel}: {e}")
    lines = source.splitlines()
    tests, fixtures = [], set()
    for f in tree.body:
        if not isinstance(f, ast.FunctionDef):
            continue
        fixtures.update(a.arg for a in f.args.args)
        if not f.name.startswith("test_"):
            continue
        head = "\n".join(lines[f.lineno:f.body[-1].lineno])
        covers = re.search(r"^\s+# covers: (.*)$", head, re.M)
        guard = re.search(r"^\s+# guard: (\d+)$", head, re.M)
        tests.append(Test(f.name[len("test_"):], _covers(covers.group(1)) if covers else [],
                          int(guard.group(1)) if guard else GUARD_SECONDS))
    return Suite("python", f"{file.parent.name}/{file.stem[len('test_'):]}", rel, tests, fixtures=frozenset(fixtures))


def python_files():
    for file in sorted((ROOT / "tests").glob("*/test_*.py")):
        yield lambda file=file: python_file(file)


def _fuzz(source, seconds):
    name = source.stem
    short = name[len("fuzz_"):]
    found = re.search(r"covers: ([A-Z0-9, -]+)", source.read_text())
    work, finds, kept = (BUILD / "fuzz-corpus" / short, BUILD / "fuzz-finds" / short, ROOT / "tests" / "fuzz" / "corpus" / short)
    for folder in (work, finds):
        folder.mkdir(parents=True, exist_ok=True)
    argv = [str(BUILD / "fuzz" / "tests" / "fuzz" / name), f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=2048",
            "-print_final_stats=1", f"-artifact_prefix={finds}/", str(work)]
    if kept.is_dir():
        argv.append(str(kept))
    # Where an input format needs more than libFuzzer's guess, the target says so in a file beside its corpus.
    dictionary = source.with_suffix(".dict")
    if dictionary.is_file():
        argv.insert(1, f"-dict={dictionary}")
    test = Test(name, _covers(found.group(1)) if found else ["SEC-5"], GUARD_SECONDS + seconds)
    return Suite("single", "fuzz", str(source.relative_to(ROOT)), [test], argv)


def fuzz_targets(seconds):
    for source in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c")):
        yield lambda source=source: _fuzz(source, seconds)


def collect(env, fuzz_seconds):
    """All suites, and a list of (file, why) for what could not be read."""
    suites, broken = [], []
    for make in [*unit_programs(env), *scripts(env), *python_files(), *fuzz_targets(fuzz_seconds)]:
        try:
            suites.append(make())
        except Broken as e:
            broken.append(str(e))
    for s in suites:
        for t in s.tests:
            wrong = [c for c in t.covers if not SPEC_LINE.match(c)]
            if wrong:
                broken.append(f"{s.file}: {t.name} covers {wrong}, which is no name of a line")
    return suites, broken


def matches(name, suite, test):
    folder = suite.file.split("/")[1]
    file = suite.file.split("/")[-1]
    names = {test.name, suite.group, suite.group.split("/")[-1], f"{suite.group}/{test.name}", folder, file, file.rsplit(".", 1)[0], suite.file}
    if suite.argv:
        names.add(suite.argv[0].rsplit("/", 1)[-1])
    return name in names or any(c == name or c.split("-")[0] == name for c in test.covers)


def select(suites, names):
    """The suites with the tests that any of NAMES means, each knowing how many before it were left out; and the names that mean nothing."""
    if not names:
        return suites, []
    unknown = [n for n in names if not any(matches(n, s, t) for s in suites for t in s.tests)]
    out = []
    for s in suites:
        tests = []
        for at, t in enumerate(s.tests):
            if any(matches(n, s, t) for n in names):
                tests.append(dataclasses.replace(t, skipped=at - len(tests)))
        if tests:
            out.append(dataclasses.replace(s, tests=tests))
    return out, unknown
