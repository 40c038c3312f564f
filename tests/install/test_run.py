"""`make run` as a person uses it: what it prints, that it stops cleanly, goes on where it was, and says what is wrong."""
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

from fixtures import fixture, scratch
from stack.ports import free_port
from stack.process import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 120


class Run:
    def __init__(self, state, port):
        self.state, self.port = state, port
        self.out = state.parent / f"{state.name}.out"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(["/usr/bin/python3", str(ROOT / "tools" / "run"), "--state", str(state), "--port", str(port),
                                             "--build", "sanitize"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def text(self):
        return self.out.read_text(errors="replace")

    def wait_for(self, words):
        end = time.monotonic() + SECONDS
        while words not in self.text():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.text()}"
            assert time.monotonic() < end, f"no \"{words}\":\n{self.text()}"
            time.sleep(0.1)
        return self.text()

    def end(self, number=signal.SIGINT):
        self.process.send_signal(number)
        self.process.wait(SECONDS)
        return self.process.returncode, self.text()


def all_ended(state):
    """None of its processes is left: what was killed at the end is gone as soon as the kernel comes to it."""
    wait_until(lambda: processes_of(state) == [], SECONDS, "processes are left")
    return True


def processes_of(state):
    """Command lines of living processes that name the folder."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = p.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(state) in line and "tools/run" not in line:
            found.append(line)
    return found


@fixture("file")
def state():
    folder = scratch() / "run"
    shutil.rmtree(folder, ignore_errors=True)
    yield folder
    for line in (folder / "pid").glob("*"):
        line.unlink()
    shutil.rmtree(folder, ignore_errors=True)


@fixture("file")
def port():
    return free_port()


def get(state, port, name, path):
    context = ssl.create_default_context(cafile=str(state / "ca.crt"))
    with socket.create_connection(("127.0.0.1", port), 20) as plain, context.wrap_socket(plain, server_hostname=name) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    return int(answer.split()[1])


def test_first_run_shows_addresses_and_links(state, port):
    # covers: ADM-3,TEN-1,AGT-1
    run = Run(state, port)
    text = run.wait_for("To see a volume open")
    for name in ("cmc", "console", "agents"):
        assert f"https://{name}.localhost:{port}/" in text
        assert get(state, port, f"{name}.localhost", "/readyz") == 200
    assert re.search(rf"https://cmc\.localhost:{port}/setup\?code=[A-Z0-9-]+", text)
    assert re.search(rf"https://console\.localhost:{port}/invitation\?account=example&token=\S+", text)
    assert str(state / "ca.crt") in text
    run.wait_for("inventory published")
    assert (state / "guest" / "disk.img").stat().st_size == 256 * 1024 * 1024
    status, text = run.end()
    assert status == 0 and "Stopped." in text.splitlines()[-1]
    assert all_ended(state)


def test_second_run_goes_on(state, port):
    # covers: OPS-2,KEY-2
    def account():
        return (state / "remembered.json").read_text(), (state / "guest" / "state" / "identity.json").read_text()
    if not (state / "remembered.json").exists():         # chosen without the test above
        run = Run(state, port)
        run.wait_for("inventory published")
        assert run.end()[0] == 0
    before = account()
    run = Run(state, port)
    run.wait_for("To see a volume open")
    status, _ = run.end(signal.SIGTERM)
    assert status == 0 and account() == before and all_ended(state)


def test_killed_run_is_cleaned_up_by_the_next(state, port):
    # covers: OPS-2
    run = Run(state, port)
    run.wait_for("To see a volume open")
    run.process.kill()
    run.process.wait()
    assert processes_of(state) != [], "the services outlive the program that started them"
    other = Run(state, port)
    other.wait_for("To see a volume open")
    status, _ = other.end()
    assert status == 0 and all_ended(state)


def test_other_port_is_taken_over_by_the_guest(state, port):
    # covers: OPS-5
    other = free_port()
    run = Run(state, other)
    run.wait_for("To see a volume open")
    run.wait_for("inventory published")
    status, text = run.end()
    assert status == 0 and f"https://agents.localhost:{other}/" in text and "cannot be reached" not in text


def test_taken_port_is_said(folder):
    # covers: OPS-5
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        run = Run(folder / "state", s.getsockname()[1])
        assert run.process.wait(SECONDS) == 1
    assert "PORT=" in run.text() and "Traceback" not in run.text()


def test_without_root_it_says_so(folder):
    # covers: OPS-5
    shutil.copytree(ROOT / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    p = subprocess.run(["/usr/bin/python3", str(folder / "tools" / "run"), "--state", str(folder / "state")], user="nobody",
                       group="nogroup", extra_groups=[], cwd="/", env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    assert p.returncode == 1 and "root" in p.stderr and "Traceback" not in p.stderr
