"""An installation in a folder: made once, found again, told apart, closed to those who have no business in it."""
import os
import pathlib
import shutil
import socket
import stat
import subprocess

from fixtures import fixture, scratch
from stack.installation import Installation
from stack.place import ELSEWHERE, place
from stack.ports import free_port
from stack.process import Failed

PARTS = ("database", "keyd")


@fixture("file")
def once():
    folder = scratch() / "installation"
    shutil.rmtree(folder, ignore_errors=True)
    with Installation(folder, "sanitize", free_port()) as it:
        it.setup = it.prepare()
        yield it
    shutil.rmtree(folder)


@fixture("test")
def made(once):
    """Prepared: database, key and sign-on service run, no web server."""
    once.take()
    once.start(*PARTS, "ssod")
    return once


def key_service(it):
    """What the status says of it; without web server and jobd not all is well."""
    return [line for line in it.status().splitlines() if line.startswith("key service")]


def test_first_start_prints_the_set_up_page(made):
    # covers: ADM-3,RUN-1
    assert f"https://cmc.localhost:{made.port}/setup?code=" in made.setup
    assert "0001_" in made.setup
    assert key_service(made)[0].startswith("key service    well")


def test_killed_at_once_it_goes_on_where_it_was(made):
    # covers: OPS-2,KEY-2
    before = key_service(made)
    made.database.ask("create table witness as select 42 as answer", database="keyward")
    for name in PARTS:
        made.kill(name)
    assert not any(made.alive(n) for n in PARTS)
    made.start_again(*PARTS)
    assert made.database.ask("select answer from witness", database="keyward") == "42"
    assert before and key_service(made) == before


def test_another_program_finds_what_a_killed_one_has_left(made):
    # covers: OPS-2
    pids = {n: made.processes[n].pid for n in PARTS}
    made.lock.close()                # as the kernel does when a program is killed
    made.lock = None
    other = Installation(made.state, "sanitize", made.port)
    assert {n: other.processes[n].pid for n in PARTS} == pids
    assert "up to date" in other.prepare()
    assert all(other.processes[n].pid not in (None, pids[n]) for n in PARTS)
    other.close()


def test_two_programs_cannot_run_the_same(made):
    # covers: OPS-2
    try:
        Installation(made.state, "sanitize", free_port()).prepare()
    except Failed as e:
        assert "running already" in str(e) and str(os.getpid()) in str(e)
    else:
        raise AssertionError("the second was let in")


def test_taken_port_is_named(folder):
    # covers: OPS-5
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        it = Installation(folder / "it", "sanitize", s.getsockname()[1])
        try:
            it.prepare()
        except Failed as e:
            assert f"port {it.port}" in str(e) and "PORT=" in str(e)
        else:
            raise AssertionError("it was made on a port that is taken")
        it.close()


def test_keys_are_closed_to_others(made):
    # covers: KEY-4,SEC-4
    secret = {"ca": "root", "ca/ca.key": "root", "keys": "root", "keys/root.key": "root", "db": "postgres"}
    for name, owner in secret.items():
        s = (made.state / name).stat()
        assert stat.S_IMODE(s.st_mode) & 0o077 == 0, name
        assert subprocess.run(["id", "-u", owner], stdout=subprocess.PIPE, text=True).stdout.strip() == str(s.st_uid), name
    for user, may in (("keyward-web", False), ("keyward-keys", False), ("postgres", False), ("keyward-tls", True)):
        p = subprocess.run(["cat", str(made.state / "tls" / "cmc.localhost.key")], user=user, group=user if user != "keyward-web"
                           else "keyward", extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert (p.returncode == 0) == may, user


def test_only_its_users_may_be_roles(made):
    # covers: TEN-3,SEC-4
    def may(user, role):
        p = subprocess.run(["psql", "-XAtq", "-d", made.conninfo(role), "-c", "select 1"], user=user, group="nogroup", extra_groups=[],
                           cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return p.returncode == 0
    assert may("keyward-web", "keyward_console") and may("keyward-jobs", "keyward_jobs")
    wrong = [(u, r) for u in ("keyward-web", "keyward-jobs", "keyward-keys", "nobody") for r in ("keyward_owner", "postgres") if may(u, r)]
    wrong += [(u, r) for u, r in (("keyward-web", "keyward_jobs"), ("keyward-jobs", "keyward_console"), ("keyward-keys", "keyward_console"),
                                  ("nobody", "keyward_agent")) if may(u, r)]
    assert wrong == []
    p = subprocess.run(["psql", "-XAtq", "-d", f"host=127.0.0.1 dbname=keyward user=postgres port=5432 hostaddr=127.0.0.1 "
                        f"application_name={made.state.name}", "-c", "show data_directory"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert str(made.state) not in p.stdout.decode(), "the private database listens on a network"


def test_key_service_refuses_other_users(made):
    # covers: KEY-4
    code = "import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])"
    p = subprocess.run(["/usr/bin/python3", "-c", code, str(made.state / "run" / "keyd.sock")], user="nobody", group="nogroup",
                       extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert p.returncode != 0 and "PermissionError" in p.stderr


def test_state_moves_where_others_may_pass(folder):
    # covers: OPS-5
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    real = place(closed / "var")
    try:
        assert real.parent == ELSEWHERE and (closed / "var").resolve() == real
        assert place(closed / "var") == real
        long = folder / ("x" * 60) / "var"
        long.parent.mkdir(mode=0o755)
        other = place(long)
        assert other.parent == ELSEWHERE and other != real
        other.rmdir()
        assert place(folder / "open") == (folder / "open").resolve()
    finally:
        real.rmdir()
    assert pathlib.Path(folder / "open").is_dir()
