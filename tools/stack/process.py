"""One process of an installation: started in a session of its own, its output in a log file, known again after the program
that started it was killed."""
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

PASSED_ON = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
MARK = "KEYWARD_TEST_SUITE"  # whose processes a suite of tests ends with itself (tests/lib/leftovers.py)
PATIENCE = 60                # seconds that a process may take to end when asked
STARTED = {}                 # by log file: all that this program has started


class Failed(Exception):
    """What a person is told, without a traceback."""


def _born(pid):
    """When the kernel started PID, in its own ticks; None when there is no such process, or only its remains."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def wait_until(ask, seconds, what, alive=lambda: True):
    """Asks until the answer is true. Raises Failed with WHAT, also as soon as ALIVE says no. What takes long to ask or to come is asked
    seldom: who waits must not take the processor from what is waited for."""
    start = time.monotonic()
    end = start + seconds
    while True:
        began = time.monotonic()
        last = not alive()
        if ask():
            return
        if last:
            raise Failed(f"{what}: the process has ended")
        if time.monotonic() > end:
            raise Failed(what)
        now = time.monotonic()
        time.sleep(min(max(0.05, 3 * (now - began), (now - start) / 20), 0.5))


def last_words(count):
    """The last lines of the logs of all that was started and whose log is still there: why something did not come about."""
    text = []
    for process in STARTED.values():
        lines = process.last_lines(count)
        state = "runs" if process.alive() else f"has ended ({process.status})" if process.status is not None else "does not run"
        if lines:
            text += [f"{process.name} {state}; {process.log} ends:", *("    " + line for line in lines.splitlines())]
    return text


class Process:
    def __init__(self, name, argv, state, user=None, group=None, env=None, stop_signal=signal.SIGTERM):
        """STATE: the installation's folder, which has pid/ and log/. Without USER the process is ours."""
        self.name, self.argv, self.user, self.group = name, argv, user, group
        self.extra_env, self.stop_signal = env or {}, stop_signal
        self.pid_file = state / "pid" / name
        self.log = state / "log" / f"{name}.log"
        self.begin = 0               # where this start's lines begin in the log
        self.child = None
        self.status = None           # of the last run, when it was our child
        # Whoever made it owns it: what a suite starts again of a server that others use after it is not the suite's.
        self.mark = os.environ.get(MARK)
        self.starting = threading.Lock()

    @property
    def pid(self):
        """Its process id while it runs, whoever started it; else None."""
        if self.child is not None:
            self.status = self.child.poll()
            if self.status is None:
                return self.child.pid
            self.child = None
        try:
            noted = json.loads(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        # One that had ended before its birth could be noted has none.
        return noted["pid"] if noted["born"] and _born(noted["pid"]) == noted["born"] else None

    def alive(self):
        return self.pid is not None

    def start(self):
        """Two threads may want it at once."""
        with self.starting:
            if not self.alive():
                self._start()

    def _start(self):
        env = {k: os.environ[k] for k in PASSED_ON if k in os.environ}
        if self.mark:
            env[MARK] = self.mark
        env.update(self.extra_env)
        self.status = None
        if not os.access(self.argv[0], os.X_OK):
            raise Failed(f"{self.argv[0]} is missing: it has to be built first (make, or tools/build)")
        with open(self.log, "ab", buffering=0) as log, open(os.devnull, "rb") as null:
            self.begin = log.seek(0, 2)
            self.child = subprocess.Popen(self.argv, stdin=null, stdout=log, stderr=log, cwd="/", env=env, start_new_session=True,
                                          user=self.user, group=self.group, extra_groups=None if self.user is None else [])
        STARTED[self.log] = self
        self.pid_file.write_text(json.dumps({"pid": self.child.pid, "born": _born(self.child.pid)}))

    def _gone(self, pid, seconds):
        end = time.monotonic() + seconds
        while self.pid == pid:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def stop(self, patience=PATIENCE):
        """Asks it to end and waits; whether it did so by itself."""
        pid = self.pid
        if pid is None:
            return True
        os.kill(pid, self.stop_signal)
        clean = self._gone(pid, patience)
        self._end(pid)
        return clean

    def kill(self):
        """As a crash would: at once, the whole session."""
        pid = self.pid
        if pid is not None:
            self._end(pid)

    def _end(self, pid):
        try:
            os.killpg(pid, signal.SIGKILL)       # also what it left behind in its session
        except ProcessLookupError:
            pass
        self._gone(pid, 30)
        self.pid_file.unlink(missing_ok=True)

    def lines(self, most=1 << 20):
        """Of the log, but nothing from before it was started; of a long one the last MOST bytes."""
        try:
            with open(self.log, "rb") as f:
                f.seek(max(self.begin, f.seek(0, 2) - most))
                return f.read().decode(errors="replace")
        except OSError:
            return ""

    def last_lines(self, count=20):
        return "\n".join(self.lines(65536).splitlines()[-count:])
