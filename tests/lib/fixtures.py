"""What tests ask for by the names of their parameters.

    @fixture("test")
    def folder(): ...                      # a value, or a generator that yields it and cleans up afterwards

Scope "run": made once, in the runner, before the first file that wants it, and shared by all, also at the same time. "lane":
the same for the files that run one after another. "file": once per test file; "test": for each test. A test file may define
fixtures of its own. Values of the first two cross a fork: they hold paths and ports, never open connections.
"""
import contextlib
import functools
import inspect
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile

import audited
import stack.guest
from stack.place import place

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGISTRY = {}


class Fixture:
    def __init__(self, make, scope):
        self.make, self.scope = make, scope
        self.name = make.__name__
        self.needs = list(inspect.signature(make).parameters)


def fixture(scope):
    def register(make):
        f = Fixture(make, scope)
        make.fixture = f
        if make.__module__ == __name__:
            REGISTRY[f.name] = f
        return make
    return register


class Scope:
    """Values that live together; close() cleans up in reverse order and returns the errors."""

    def __init__(self, known, scope, outer=None):
        self.known, self.scope, self.outer = known, scope, outer
        self.values, self.open = {}, []

    def get(self, name):
        if name not in self.known:
            raise LookupError(f"there is no fixture '{name}'")
        f = self.known[name]
        if f.scope != self.scope:
            if self.outer is None:
                raise LookupError(f"fixture '{name}' of scope {f.scope} is out of reach here")
            return self.outer.get(name)
        if name not in self.values:
            made = f.make(**{n: self.get(n) for n in f.needs})
            if inspect.isgenerator(made):
                self.values[name] = next(made)
                self.open.append(made)
            else:
                self.values[name] = made
        return self.values[name]

    def has(self, name):
        return name in self.values or (self.outer is not None and self.outer.has(name))

    def close(self):
        errors = []
        for g in reversed(self.open):
            try:
                next(g, None)
            except Exception as e:        # the others still have to be cleaned up
                errors.append(e)
        self.open, self.values = [], {}
        return errors


def outlasting(names, known=REGISTRY):
    """The fixtures that NAMES lead to and that live longer than a file, sorted."""
    out, todo = set(), list(names)
    while todo:
        f = known.get(todo.pop())
        if f is not None:
            todo += f.needs
            if f.scope in ("run", "lane"):
                out.add(f.name)
    return sorted(out)


def scratch():
    """Where tests leave things: a folder that every user may pass through."""
    return place(ROOT / "build" / "tests")


stack.guest.counted = scratch() / "counted"


@fixture("test")
def folder():
    """An empty folder of the test's own, gone afterwards."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="t-", dir=scratch()))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@fixture("file")
def pg():
    """A migrated private PostgreSQL cluster (pg.Cluster) of this file's own."""
    from pg import Cluster
    with Cluster(base=scratch(), migrated=True) as cluster:
        yield cluster


@contextlib.contextmanager
def installation(name, **how):
    """A whole sanitized installation (stack.installation.Installation, with its parameters), running, in a folder NAME of the scratch.
    Its processes may be killed, but its database waits for no disk, and begins with the schema."""
    from pg import schema
    from stack.installation import Installation
    from stack.ports import free_port
    shutil.rmtree(scratch() / name, ignore_errors=True)
    how["settings"] = {"jobs.pace": "5", **how.get("settings", {})}      # tests wait for jobd
    with Installation(scratch() / name, "sanitize", free_port(), durable=False, template=schema(), **how) as it:
        it.prepare()
        it.start()
        yield it
        audited.keep(it, scratch())


@functools.cache
def _pseudo():
    """A catalogue in which every text is longer, accented and in brackets (tools/texts), made once a run. Its file."""
    path = scratch() / "texts" / "en-XA.json"
    subprocess.run([ROOT / "tools" / "texts", "pseudo", path], check=True)
    return path


_servers = itertools.count(1)


@fixture("lane")
def server():
    """An installation that files share, one after another. What a test makes in it stays until the run's end: use names of your own, and
    leave its settings as they were. A test that stops or kills a part starts it again; the runner does, too, between two files."""
    with installation(f"server-{next(_servers)}", settings={"outside.local": "yes"}, languages=[_pseudo()]) as it:
        yield it


@fixture("file")
def whole_server():
    """As server, but this file's own: for tests that look at all that is there, where what other files have left would be looked at, too."""
    with installation(f"whole-{os.getpid()}", settings={"outside.local": "yes"}, languages=[_pseudo()]) as it:
        yield it
    shutil.rmtree(scratch() / f"whole-{os.getpid()}", ignore_errors=True)


@fixture("run")
def guest_server():
    """An installation whose agents are virtual machines (vm.Vm): its agent service has a name that is not this machine's alone.
    Tests make tenants of their own in it, and do not stop any part of it."""
    with installation("guest-server", sites={"agents": "agents.keyward.test"}) as it:
        yield it


@fixture("file")
def customer(guest_server):
    """A tenant of its, whose default policy releases keys by itself (tenant.Tenant)."""
    from tenant import Tenant
    it = Tenant(guest_server)
    it.release_automatically()
    return it


@fixture("test")
def env():
    """os.environ, put back afterwards."""
    before = dict(os.environ)
    yield os.environ
    os.environ.clear()
    os.environ.update(before)
