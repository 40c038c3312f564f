"""keyward-ssod as its callers and its directory see it: real slapd, bytes on its socket."""
import json
import os
import pathlib
import select
import signal
import uuid

from directory import (BASE, BIND_PASSWORD, FIND, GROUPS, LOOK, LOOK_UP_GROUPS, SIGN_IN, STATUS, TEST, Directory, ask, connect, make_ca,
                       receive, send, text)
from fixtures import fixture, scratch
from signon import sign_on_with
from silent import Silent
from stack.process import Failed, wait_until

INVALID, NOT_FOUND, FORBIDDEN, UNAUTHENTICATED, CONFLICT, TOO_MANY, UNAVAILABLE, TIMEOUT, CRYPTO = 1, 2, 3, 4, 5, 7, 8, 9, 12
SUSPENDED, UNSUPPORTED, VERSION, TRUNCATED, BUSY = 19, 21, 17, 16, 22


@fixture("file")
def directory():
    with Directory(scratch()) as d:
        yield d


@fixture("file")
def sock(server):
    return server.state / "run" / "ssod.sock"


def start_of(settings, password=BIND_PASSWORD):
    return text(json.dumps(settings)) + text(password)


def sign_in(sock, settings, login, password, bind_password=BIND_PASSWORD, tenant=None):
    code, answer = ask(sock, SIGN_IN, start_of(settings, bind_password) + text(login) + text(password), tenant)
    person = json.loads(answer[4:]) if code == 0 else {}
    if "wrong" in person:
        assert set(person) == {"wrong", "why"} and person["wrong"], person
        return UNAUTHENTICATED, person["why"]
    return code, person or answer


def try_out(sock, settings, login="", bind_password=BIND_PASSWORD):
    code, answer = ask(sock, TEST, start_of(settings, bind_password) + text(login))
    return code, json.loads(answer[4:]) if code == 0 else answer


def names(person):
    return sorted(g["dn"].split(",")[0] for g in person["groups"])


def test_a_person_signs_in_with_starttls_and_ldaps(sock, directory):
    # covers: IDN-2
    for url in (directory.starttls, directory.ldaps):
        code, person = sign_in(sock, directory.settings(servers=[url]), "alice", "alice-Pw-1")
        assert code == 0, person
        assert (person["login"], person["name"], person["mail"], person["state"]) == ("alice", "Alice Test", "alice@example.test", "active")
        assert uuid.UUID(person["id"]) and names(person) == ["cn=admins"] and not person["more"]
    # By mail too, and by the second server when the first is away.
    code, other = sign_in(sock, directory.settings(servers=["ldaps://127.0.0.1:1", directory.ldaps]), "alice@example.test", "alice-Pw-1")
    assert code == 0 and other["id"] == person["id"], other


def test_who_does_not_get_in(sock, directory):
    # covers: IDN-2, SEC-7
    s = directory.settings()
    for login, password, want in (("alice", "wrong", UNAUTHENTICATED), ("alice", "", UNAUTHENTICATED), ("", "alice-Pw-1", UNAUTHENTICATED),
                                  ("alice", "alice-Pw-1\0", UNAUTHENTICATED), ("nobody@else.where", "x", NOT_FOUND),
                                  ("twin@example.test", "twin1-Pw-1", CONFLICT), ("expired", "expired-Pw-1", SUSPENDED),
                                  ("addisabled", "addisabled-Pw-1", SUSPENDED), ("adexpired", "adexpired-Pw-1", SUSPENDED)):
        code, reason = sign_in(sock, s, login, password)
        assert code == want, (login, password, code, reason)
    # Its server refuses the locked one by itself; the reason says both. A wrong password is no more than that, whatever the account's state.
    code, reason = sign_in(sock, s, "locked", "locked-Pw-1")
    assert code == UNAUTHENTICATED and "locked in the directory" in reason, reason
    code, reason = sign_in(sock, s, "addisabled", "wrong")
    assert code == UNAUTHENTICATED and "disabled in the directory" in reason, reason


def test_what_was_typed_stands_for_itself_in_a_filter(sock, directory):
    # covers: IDN-2, SEC-3
    s = directory.settings()
    for login in ("*", "alice)(uid=*", "al*", "alice)(|(uid=*)", "*)(objectClass=*))(|(uid=alice", "\\61lice", "alice\\00", "(", ")", "\\", "alíce", "\n"):
        code, reason = sign_in(sock, s, login, "alice-Pw-1")
        assert code == NOT_FOUND, (login, code, reason)
    code, person = sign_in(sock, s, "odd", "odd-Pw-1")
    assert code == 0 and person["name"] == "Odd (One)*\\\\", person
    code, found = ask(sock, FIND, start_of(s) + text("(One)*") + bytes([10]))
    assert [p["login"] for p in json.loads(found[4:])["people"]] == ["odd"]


def test_groups_in_groups(sock, directory):
    # covers: IDN-2
    code, person = sign_in(sock, directory.settings(), "bob", "bob-Pw-1")
    # inner and outer hold each other: that ends.
    assert code == 0 and names(person) == ["cn=inner", "cn=outer", "cn=outermost"], person
    code, person = sign_in(sock, directory.settings(nesting="none"), "bob", "bob-Pw-1")
    assert code == 0 and names(person) == ["cn=inner"], person
    code, found = ask(sock, LOOK_UP_GROUPS, start_of(directory.settings()) + bytes([2]) + text(f"cn=admins,{GROUPS}") + text(f"cn=none,{GROUPS}"))
    rows = json.loads(found[4:])["groups"]
    assert uuid.UUID(rows[0]["id"]) and "there is no entry" in rows[1]["error"], rows


def test_active_directory(sock, directory):
    # covers: IDN-2
    s = directory.active_directory(nesting="walk")
    code, person = sign_in(sock, s, "adalice@ad.example.test", "adalice-Pw-1")
    assert code == 0, person
    assert person["id"] == "03020100-0504-0706-0809-0a0b0c0d0e0f" and person["name"] == "Alice of AD" and names(person) == ["cn=adgroup"], person
    assert person["groups"][0]["id"] == "13121110-1514-1716-1819-1a1b1c1d1e1f"
    code, again = ask(sock, LOOK, start_of(s) + text(person["id"]))
    assert code == 0 and json.loads(again[4:])["dn"] == person["dn"]
    assert ask(sock, LOOK, start_of(s) + text("no-guid"))[0] == INVALID
    assert ask(sock, LOOK, start_of(s) + text(str(uuid.uuid4())))[0] == NOT_FOUND


def test_each_fault_has_its_words(sock, directory, folder):
    # covers: IDN-2
    s = directory.settings
    other = make_ca(folder, "another-ca")
    local = directory.ldaps.replace("127.0.0.1", "localhost")
    for settings, password, code, words in (
            (s(ca=other), BIND_PASSWORD, CRYPTO, "was issued by"),
            (s(ca=other, servers=[directory.ldaps]), BIND_PASSWORD, CRYPTO, "which the trusted certificates do not vouch for"),
            (s(ca=""), BIND_PASSWORD, CRYPTO, "test-directory-ca"),
            (s(ca="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), BIND_PASSWORD, CRYPTO, "trusted certificates cannot be read"),
            (s(servers=[local]), BIND_PASSWORD, CRYPTO, "not for this name"),
            (s(), "wrong", FORBIDDEN, "the account that searches"),
            (s(), "", FORBIDDEN, "the account that searches"),
            (s(base=f"ou=nowhere,{BASE}"), BIND_PASSWORD, INVALID, "no entry at the base"),
            (s(base=f"ou=elsewhere,{BASE}"), BIND_PASSWORD, FORBIDDEN, "refers to another one"),
            (s(filter="(&(uid={login})(!))"), BIND_PASSWORD, INVALID, "filter"),
            (s(servers=["ldap://127.0.0.1:1"]), BIND_PASSWORD, UNAVAILABLE, "cannot be reached: Connection refused"),
            (s(servers=["ldap://nowhere.invalid"]), BIND_PASSWORD, UNAVAILABLE, "no address for this name"),
            (s(id="jpegPhoto"), BIND_PASSWORD, INVALID, "does not show attribute jpegPhoto"),
            (s(servers=["http://x"]), BIND_PASSWORD, INVALID, "servers"),
            (s(servers=[directory.ldaps.replace("ldaps", "ldap")]), BIND_PASSWORD, CRYPTO, "")):
        got = try_out(sock, settings, "alice", password)
        assert got[0] == code and words in got[1], (settings, got)
    code, answer = try_out(sock, s())
    assert code == 0 and answer["people"] >= 8 and answer["server"] == directory.starttls, answer


def status(sock):
    import struct
    code, rest = ask(sock, STATUS, b"")
    assert code == 0
    return dict(zip(("running", "waiting", "done", "failed", "late", "refused"), struct.unpack_from(">IIQQQQ", rest)))


def test_a_server_that_says_nothing_costs_its_own_tenant_time_and_nobody_else(server, sock, directory):
    # covers: IDN-2, SEC-5
    # What is ten seconds otherwise: how it goes does not depend on how long, but all is asked and looked at before the first time is over. On a machine that
    # was too busy for that it goes right with more.
    for most in ("15", "90"):
        with sign_on_with(server, "--most", most):
            try:
                _silence(sock, directory)
                return
            except (AssertionError, Failed):
                if most == "90":
                    raise


def _silence(sock, directory):
    slow, other = uuid.uuid4(), uuid.uuid4()
    with Silent() as silent, connect(sock) as idle:
        settings = directory.settings(servers=[silent.url("ldap")])
        waiting = [connect(sock) for _ in range(45)]
        for s in waiting:
            send(s, SIGN_IN, start_of(settings) + text("alice") + text("alice-Pw-1"), slow)
        wait_until(lambda: len(select.select(waiting, [], [], 0)[0]) == 5, 60, "not just five are refused at once")
        now = status(sock)
        assert (now["running"], now["waiting"]) == (8, 32), now
        for s in select.select(waiting, [], [], 0)[0]:
            assert receive(s)[0] == TOO_MANY
            waiting.remove(s)
        code, person = sign_in(sock, directory.settings(), "alice", "alice-Pw-1", tenant=other)
        assert code == 0 and status(sock)["running"] == 8, "the other tenant had to wait"
        wait_until(lambda: len(select.select(waiting, [], [], 0)[0]) >= 8, 300, "nobody's time is over")
        codes = {receive(s)[0] for s in select.select(waiting, [], [], 0)[0]}
        assert codes <= {TIMEOUT, BUSY} and TIMEOUT in codes, codes
        # From now on one at a time, until one is answered.
        wait_until(lambda: status(sock)["running"] <= 1, 300, "a slow tenant still has more than one")
        for s in waiting:
            s.close()
        # Who asks nothing has nobody's place for ever.
        wait_until(lambda: select.select([idle], [], [], 0)[0], 300, "a connection that asks nothing stays")
        assert idle.recv(1) == b""
    wait_until(lambda: status(sock)["running"] == status(sock)["waiting"] == 0, 300, "what nobody waits for goes on")


def test_what_is_no_question(server, sock):
    # covers: SEC-5
    assert ask(sock, 49, b"")[0] == UNSUPPORTED
    assert ask(sock, SIGN_IN, b"")[0] == TRUNCATED
    assert ask(sock, SIGN_IN, text("{}") + text("") + text("a") + text("b"))[0] == INVALID
    assert ask(sock, SIGN_IN, text("no json") + text("") + text("a") + text("b"))[0] == INVALID
    with connect(sock) as s:
        s.send(b"\x02\x01" + bytes(32))
        assert receive(s)[0] == VERSION
        s.send(b"\x01")
        assert receive(s)[0] == TRUNCATED
        send(s, STATUS, b"")
        assert receive(s)[0] == 0
    log = server.processes["ssod"].log.read_text()
    assert "wrong" not in BIND_PASSWORD and BIND_PASSWORD not in log and "alice-Pw-1" not in log


def test_status_and_readiness_show_it(server):
    # covers: OPS-2, IDN-2
    assert "sign-on        well" in server.status()
    assert server.request("console", "/readyz") == (200, "ok\n")
    server.stop("ssod")
    try:
        p = server.keyward("status", check=False)
        assert p.returncode and "ssod.sock" in p.stdout, p.stdout
        # Agents and local accounts do without it.
        assert server.request("console", "/readyz") == (200, "ok\nwithout: sign-on service\n")
    finally:
        server.start("ssod")


def test_a_process_for_a_question_that_ends_or_lies_harms_nobody(server, sock, directory):
    # covers: SEC-5
    # Killed while it waits for a server: its asker hears so, the service goes on.
    with Silent() as silent, connect(sock) as s:
        send(s, SIGN_IN, start_of(directory.settings(servers=[silent.url("ldap")])) + text("alice") + text("alice-Pw-1"))
        parent = server.processes["ssod"].pid
        children = lambda: pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        wait_until(children, 60, "no process for the question")
        os.kill(int(children()[0]), signal.SIGKILL)
        code, reason = receive(s)
        assert code == 99 and "ended with signal 9" in reason, (code, reason)
    assert sign_in(sock, directory.settings(), "alice", "alice-Pw-1")[0] == 0
