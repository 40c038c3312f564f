"""The inside of a process that runs one suite: a Python test file here, or another program in our place."""
import contextlib
import importlib.util
import inspect
import os
import pathlib
import signal
import sys
import traceback

import fixtures
from stack.process import last_words

ROOT = pathlib.Path(__file__).resolve().parents[2]
VALUE_MAX = 600
LOG_LINES = 8                # of each process that was started
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(line):
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(1, (line + "\n").encode(errors="replace"))


def explain(error):
    """The traceback below our own frames, and the test's own variables: an assert alone does not say what was there."""
    tb, frames = error.__traceback__, []
    while tb is not None:
        frames.append(tb)
        tb = tb.tb_next
    ours = [t for t in frames if t.tb_frame.f_code.co_filename != __file__]
    print("".join(traceback.format_exception(type(error), error, ours[0] if ours else None)), end="")
    for t in ours:
        if "/tests/" in t.tb_frame.f_code.co_filename and t is ours[-1]:
            for name, value in t.tb_frame.f_locals.items():
                try:
                    text = repr(value)
                except Exception as e:
                    text = f"<no repr: {e}>"
                # What a program printed last says more than how it began.
                print(f"  {name} = {text if len(text) <= VALUE_MAX else text[:VALUE_MAX // 3] + ' ... ' + text[-VALUE_MAX:]}")


def load(file):
    spec = importlib.util.spec_from_file_location("tests_" + file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    spec.loader.exec_module(module)
    return module


def one(call, per_file, known):
    scope = fixtures.Scope(known, "test", per_file)
    try:
        call(**{n: scope.get(n) for n in inspect.signature(call).parameters})
        error = None
    except BaseException as e:
        if isinstance(e, (KeyboardInterrupt, SystemExit)):
            e = AssertionError(f"the test ended with {e!r}").with_traceback(e.__traceback__)
        error = e
        explain(e)
        print("\n".join(last_words(LOG_LINES)))
    for e in scope.close():
        explain(e)
        error = error or e
    return error is None


def run_file(suite, lane):
    """In a forked child: runs the suite's tests and prints "ok NAME" or "FAIL NAME" after each."""
    try:
        module = load(ROOT / suite.file)
        known = dict(fixtures.REGISTRY)
        known.update({f.fixture.name: f.fixture for f in vars(module).values() if hasattr(f, "fixture")})
        per_file = fixtures.Scope(known, "file", lane)
    except BaseException as e:
        explain(e)
        for t in suite.tests:
            say(f"FAIL {t.name}")
        return
    for t in suite.tests:
        say(("ok " if one(getattr(module, "test_" + t.name), per_file, known) else "FAIL ") + t.name)
    for e in per_file.close():
        print("cleaning up after the file failed:")
        explain(e)
        say("FAIL (file)")


@contextlib.contextmanager
def undisturbed():
    """A signal that ends the run waits until the block is done: what was started then has an owner, who ends it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def start(suite, lane, env):
    """Forks, undisturbed; the child's process id, and a descriptor with all that it prints."""
    r, w = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(w)
        return pid, r
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for s in (*ENDING, signal.SIGCHLD):
            signal.signal(s, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(w, 1)
        os.dup2(w, 2)
        os.chdir(ROOT)
        os.environ.clear()
        os.environ.update(env)
        if suite.kind == "python":
            os.closerange(3, 256)
            run_file(suite, lane)
            status = 0
        else:
            os.closerange(3, 256)
            names = [t.name for t in suite.tests] if suite.kind == "program" else []
            os.execve(suite.argv[0], suite.argv + names, env)
    except BaseException as e:
        print(f"{suite.file}: {e}", flush=True)
    finally:
        sys.stdout.flush()
        os._exit(status)
