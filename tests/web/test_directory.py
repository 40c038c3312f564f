"""People of a directory on both consoles (IDN-2): settings, test, sign-in, roles, choosing one; real slapd behind the real service."""
import json
import re
import threading

from directory import BIND_DN, BIND_PASSWORD, GROUPS, PEOPLE, Directory
from fixtures import fixture, scratch
from signon import sign_on_with
from silent import Silent
from web import PASSWORD, Client, make_user
from world import World, count, run

REFUSED = "These do not fit together"
ADMINS, INNER, OUTERMOST = f"cn=admins,{GROUPS}", f"cn=inner,{GROUPS}", f"cn=outermost,{GROUPS}"


@fixture("file")
def directory():
    with Directory(scratch()) as d:
        yield d


@fixture("file")
def world(server):
    return World(server)


def fields(directory, groups=((ADMINS, "security-administrator"), (OUTERMOST, "auditor")), **more):
    s = directory.settings()
    out = {k: s[k] for k in ("ca", "bind_dn", "base", "filter", "id", "login", "name", "mail", "group_base", "group_filter", "member", "nesting", "otherwise")}
    out.update(enabled="1", create="1", servers=directory.starttls, password=BIND_PASSWORD, group=[g for g, _ in groups], role=[r for _, r in groups])
    out.update(more)
    return {k: v for k, v in out.items() if v != "" or k in ("password",)}


def save(c, directory, *args, **more):
    a = c.post("/directory", **fields(directory, *args, **more))
    assert a.status == 303, (a.status, re.findall(r'id="e-[^>]*>[^<]*', a.text), re.findall(r"<p>[^<]*</p>", a.text)[:4])
    return a


def sign_in(world, name, password, site="console"):
    c = Client(world.it, site)
    return c, c.sign_in(name, password=password, **({"account": world.slug} if site == "console" else {}))


def logged(c, what):
    return [r for r in c.api(f"/log?search={what}").json["list"]["rows"]]


def reasons(server, tenant):
    from web import database
    with database(server).cursor() as cur:
        cur.execute("select detail->>'reason' from audit_entry where tenant = %s and event = 'user.sign-in-failed' order by seq desc limit 5",
                    (tenant,))
        return [r[0] for r in cur.fetchall()]


def row(server, world, email):
    from web import database
    with database(server).cursor() as cur:
        cur.execute("select role, source, external_id, name, state, role_fixed from app_user where tenant = %s and email = %s", (world.tenant, email))
        return cur.fetchone()


def test_settings_are_tested_and_then_people_sign_in(server, world, directory):
    # covers: IDN-2, ADM-1
    c = world.console()
    save(c, directory)
    # Neither page nor log nor database shows the password.
    page = c.get("/directory").text
    assert BIND_PASSWORD not in page and ADMINS in page
    assert BIND_PASSWORD not in json.dumps(c.api("/log?search=directory").json)
    assert not count(server, "select count(*) from directory where position(%s::bytea in password) > 0", BIND_PASSWORD.encode())
    # Groups are kept by their ids.
    kept = count(server, "select settings->'roles'->0->>'group' from directory where tenant = %s", world.tenant)
    assert re.fullmatch(r"[0-9a-f-]{36}", kept), kept

    a = c.post("/directory/test", who="alice")
    assert a.status == 200 and "Alice Test: Security Administrator" in a.text and ADMINS in a.text, a.text
    assert "The directory answers" in c.post("/directory/test").text
    assert "no entry below" in c.post("/directory/test", who="somebody").text

    alice, a = sign_in(world, "alice", "alice-Pw-1")
    assert a.status == 303, a.text
    assert alice.api("/session").json["user"]["email"] == "alice@example.test"
    role, source, external, name, state, fixed = row(server, world, "alice@example.test")
    assert (role, source, name, state, fixed) == ("security-administrator", "directory", "Alice Test", "active", False), role
    # By address too; groups in groups; the same user again.
    assert sign_in(world, "alice@example.test", "alice-Pw-1")[1].status == 303
    assert row(server, world, "alice@example.test")[2] == external
    assert sign_in(world, "bob", "bob-Pw-1")[1].status == 303
    assert row(server, world, "bob@example.test")[0] == "auditor"


def test_a_role_is_looked_up_at_each_sign_in_and_a_person_by_the_stable_id(server, world, directory):
    # covers: IDN-2, SEC-7
    c = world.console()
    save(c, directory)
    before, a = sign_in(world, "alice", "alice-Pw-1")
    assert a.status == 303
    try:
        directory.modify(f"dn: {INNER}\nchangetype: modify\nadd: member\nmember: uid=alice,{PEOPLE}\n\n"
                         f"dn: uid=alice,{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: alice.new@example.test\n")
        # The first row that fits still is that of admins, until she is out of it; the group has another name by then, and is the same.
        directory.modify(f"dn: {ADMINS}\nchangetype: modrdn\nnewrdn: cn=renamed\ndeleteoldrdn: 1\n")
        assert sign_in(world, "alice", "alice-Pw-1")[1].status == 303
        assert row(server, world, "alice.new@example.test")[0] == "security-administrator"
        directory.modify(f"dn: cn=renamed,{GROUPS}\nchangetype: modify\nreplace: member\nmember: uid=nobody,{PEOPLE}\n")
        # A new group with the old name is not that group.
        directory.modify(f"dn: {ADMINS}\nchangetype: add\nobjectClass: groupOfNames\ncn: admins\nmember: uid=alice,{PEOPLE}\n")
        assert sign_in(world, "alice", "alice-Pw-1")[1].status == 303
        assert row(server, world, "alice.new@example.test")[0] == "auditor"
        # Another role ends the sessions that had the old one.
        assert before.api("/session").status == 401
        assert count(server, "select count(*) from app_user where tenant = %s and source = 'directory' and name = 'Alice Test'", world.tenant) == 1
        assert sign_in(world, "nobody", "nobody-Pw-1")[1].status == 303
        assert row(server, world, "nobody@example.test")[0] == "security-administrator"
    finally:
        directory.modify(f"dn: {ADMINS}\nchangetype: delete\n\ndn: cn=renamed,{GROUPS}\nchangetype: modify\nreplace: member\nmember: uid=alice,{PEOPLE}\n\n"
                         f"dn: cn=renamed,{GROUPS}\nchangetype: modrdn\nnewrdn: cn=admins\ndeleteoldrdn: 1\n\n"
                         f"dn: {INNER}\nchangetype: modify\ndelete: member\nmember: uid=alice,{PEOPLE}\n\n"
                         f"dn: uid=alice,{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: alice@example.test\n")
    # Out of every group: no way in, and what was open is over.
    nobody, a = sign_in(world, "nobody", "nobody-Pw-1")
    assert a.status == 422 and "None of your groups" in a.text
    assert "None of your groups" in reasons(server, world.tenant)[0]
    assert not count(server, "select count(*) from user_session s join app_user u on (u.tenant, u.id) = (s.tenant, s.user_id)"
                     " where u.email = 'nobody@example.test' and u.tenant = %s", world.tenant)


def test_who_is_refused_learns_nothing_that_he_has_not_proven(server, world, directory):
    # covers: IDN-2, SEC-7
    c = world.console()
    save(c, directory, otherwise="data-analyst")
    for name, password, words, why in (
            ("alice", "wrong", REFUSED, "Invalid credentials"), ("who@else.where", "x", REFUSED, "no entry"), ("*", "alice-Pw-1", REFUSED, "no entry"),
            ("alice)(uid=*", "alice-Pw-1", REFUSED, "no entry"), ("addisabled", "wrong", REFUSED, "disabled in the directory"),
            ("locked", "locked-Pw-1", REFUSED, "locked in the directory"),
            ("addisabled", "addisabled-Pw-1", "this account is disabled", "disabled"), ("expired", "expired-Pw-1", "has expired", "expired"),
            ("twin@example.test", "twin1-Pw-1", "several entries", "several entries")):
        _, a = sign_in(world, name, password)
        assert a.status == 422 and words in a.text, (name, a.status, a.text)
        assert why in reasons(server, world.tenant)[0], (name, reasons(server, world.tenant))
        if words == REFUSED:
            assert "directory" not in a.text.lower(), "a refusal that can be told apart"
    # Nothing was made of any of them.
    assert row(server, world, "addisabled@example.test") is None
    # An empty password never gets as far as the directory.
    assert sign_in(world, "alice", "")[1].status == 422


def test_the_two_kinds_of_users_stay_apart(server, world, directory):
    # covers: IDN-2, IDN-1, SEC-7
    c = world.console()
    save(c, directory, otherwise="data-analyst")
    local = make_user(server, world.tenant, "auditor", "odd@example.test")
    # A local user is checked here alone: the directory's password of the same address is none.
    assert sign_in(world, local, "odd-Pw-1")[1].status == 422
    assert sign_in(world, local, PASSWORD)[1].status == 303
    # And is not taken over by whoever has that address in the directory.
    _, a = sign_in(world, "odd", "odd-Pw-1")
    assert a.status == 422 and "There is a local user" in a.text
    assert row(server, world, local)[1] == "local"
    # A user of the directory has no password here, and gets none.
    assert sign_in(world, "alice", "alice-Pw-1")[1].status == 303
    assert count(server, "select password is null from app_user where tenant = %s and email = 'alice@example.test'", world.tenant)
    # Disabled here is disabled, though the directory would let her in.
    uid = count(server, "select id from app_user where tenant = %s and email = 'alice@example.test'", world.tenant)
    assert c.post(f"/users/{uid}/disable").status == 303
    _, a = sign_in(world, "alice", "alice-Pw-1")
    assert a.status == 422 and "disabled here" in a.text
    assert c.post(f"/users/{uid}/enable").status == 303
    assert sign_in(world, "alice", "alice-Pw-1")[1].status == 303


def test_the_local_administrator_comes_in_while_the_directory_is_away(server, world, directory):
    # covers: IDN-2, IDN-1
    c = world.console()
    save(c, directory, ((ADMINS, "account-administrator"),))
    alice, a = sign_in(world, "alice", "alice-Pw-1")
    assert a.status == 303
    # The last one with a password here stays, though the directory gives others the role.
    me = count(server, "select id from app_user where tenant = %s and email = %s", world.tenant, world.user)
    a = alice.post(f"/users/{me}/disable")
    assert a.status == 409 and "last active Account Administrator" in a.text, a.text
    directory.stop()
    try:
        _, a = sign_in(world, "alice", "alice-Pw-1")
        assert a.status == 422 and "cannot be used at present" in a.text, a.text
        assert "cannot be reached: Connection refused" in reasons(server, world.tenant)[0]
        assert sign_in(world, world.user, PASSWORD)[1].status == 303
        assert "cannot be reached" in c.post("/directory/test", who="alice").text
    finally:
        directory.start()
    assert sign_in(world, "alice", "alice-Pw-1")[1].status == 303


def test_wrong_passwords_of_others_do_not_close_a_known_browser_of_a_directory_user(server, world, directory):
    # covers: IDN-1, IDN-2
    world = World(server)
    save(world.console(), directory)
    mine, a = sign_in(world, "bob@example.test", "bob-Pw-1")
    assert a.status == 303, a.text
    closed = lambda: count(server, "select locked_until > now() from app_user where tenant = %s and email = 'bob@example.test'", world.tenant)  # noqa: E731
    again = lambda name, password: mine.sign_in(name, password, world.slug)  # noqa: E731
    for _ in range(5):
        assert sign_in(world, "bob@example.test", "wrong-Pw-1")[1].status == 422
    assert closed() and sign_in(world, "bob@example.test", "bob-Pw-1")[1].status == 422
    assert sign_in(world, "bob", "bob-Pw-1")[1].status == 422, "by the other name neither"
    for name in ("bob@example.test", "bob"):
        mine.cookies.pop("__Host-keyward")
        assert again(name, "bob-Pw-1").status == 303, name
    # Its own wrong ones count against it alone, and five of them close it as well.
    mine.cookies.pop("__Host-keyward")
    assert not closed()
    for _ in range(5):
        assert again("bob@example.test", "wrong-Pw-1").status == 422
    assert not closed()
    # From then on they close the door, by whatever name.
    for _ in range(5):
        assert again("bob", "wrong-Pw-1").status == 422
    assert closed() and again("bob@example.test", "bob-Pw-1").status == 422


def test_a_slow_directory_is_said_and_holds_nobody_else(server, world, directory):
    # covers: IDN-2, SEC-5
    c = world.console()
    other = World(server)
    other_admin = other.console()
    save(other_admin, directory)
    save(c, directory, ())
    # What is ten seconds otherwise: how it goes does not depend on how long, but others sign in before the first time is over.
    # A machine that was too busy for that has more of it.
    for most in ("12", "25"):
        with sign_on_with(server, "--most", most):
            answers, meanwhile = _answers_of_a_silent_one(world, other, c, other_admin, directory)
        if meanwhile:
            break
    assert meanwhile, "the slow ones were through before"
    assert len(answers) == 20 and all(a.status == 422 for a in answers)
    assert any("did not answer in time" in a.text for a in answers) and all("Local accounts" in a.text or "Try again" in a.text for a in answers)


def _answers_of_a_silent_one(world, other, c, other_admin, directory):
    with Silent() as silent:
        save(c, directory, (), servers=silent.url("ldap"))
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(sign_in(world, "alice", "alice-Pw-1")[1])) for _ in range(20)]
        for t in waiting:
            t.start()
        # More than there are threads for pages; the other account's people, and everybody's pages, are served meanwhile.
        meanwhile = 0
        for _ in range(3):
            assert sign_in(other, "alice", "alice-Pw-1")[1].status == 303
            assert other_admin.get("/users").status == 200
            meanwhile += not answers
        for t in waiting:
            t.join(600)
    return answers, meanwhile


def test_somebody_is_chosen_from_the_directory(server, world, directory):
    # covers: IDN-2, ADM-1
    c = world.console()
    save(c, directory, create="")
    _, a = sign_in(world, "nobody", "nobody-Pw-1")
    assert a.status == 422
    a = c.get("/directory/people?search=nor")
    assert a.status == 200 and "Nora Nobody" in a.text, a.text
    person = re.search(r'name="person" value="([^"]+)"', a.text).group(1)
    a = c.post("/directory/people", person=person, role="groups", search="nor")
    assert a.status == 422 and "None of this person" in a.text, a.text
    count(server, "delete from app_user where tenant = %s and name = 'Nora Nobody' returning 1", world.tenant) if row(
        server, world, "nobody@example.test") else None
    assert c.post("/directory/people", person=person, role="key-approver").status == 303
    assert row(server, world, "nobody@example.test")[0] == "key-approver"
    assert sign_in(world, "nobody", "nobody-Pw-1")[1].status == 303
    # A role that was given here stays.
    assert row(server, world, "nobody@example.test")[0] == "key-approver"
    a = c.post("/directory/people", person=person, role="auditor")
    assert a.status == 409 and "already" in a.text
    a = c.post("/directory/people", person="no-such-id", role="auditor")
    assert a.status == 422, a.status
    assert "Is a user" in c.get("/directory/people?search=nor").text


def test_faults_stand_at_their_fields_and_what_was_typed_stays(server, world, directory):
    # covers: IDN-2, WEB-3
    c = world.console()
    for change, words in (({"servers": "http://x"}, "an address is ldap://host"), ({"filter": "(uid=*)"}, "={login}"), ({"base": "people"}, "A distinguished name"),
                          ({"id": "a b"}, "The name of one attribute"), ({"ca": "x"}, "-----BEGIN CERTIFICATE-----"),
                          ({"group": ["cn=none,dc=x"], "role": ["auditor"]}, "cn=none,dc=x"), ({"group": [ADMINS], "role": [""]}, "Choose a role")):
        a = c.post("/directory", **fields(directory, **change))
        assert a.status == 422 and words in a.text, (change, a.status, re.findall(r'feedback[^>]*>[^<]*', a.text))
        assert directory.starttls in a.text or "servers" in change
    # In the reader's language, as a sentence begins.
    assert c.post("/account/language", everybody="de").status == 303
    try:
        for change, words in (({"servers": "http://x"}, "„http://x“: Eine Adresse ist ldap://Host"), ({"group": ["cn=none,dc=x"], "role": ["auditor"]}, "Es gibt keinen Eintrag cn=none,dc=x")):
            a = c.post("/directory", **fields(directory, **change))
            assert a.status == 422 and words in a.text, (change, re.findall(r'feedback[^>]*>[^<]*', a.text))
    finally:
        assert c.post("/account/language", everybody="").status == 303
    # A kept password goes to no other server than the one that it was typed for.
    save(c, directory)
    a = c.post("/directory", **fields(directory, servers="ldaps://elsewhere.example", password=""))
    assert a.status == 422 and "type its password" in a.text
    save(c, directory, password="")
    # What is kept but not whole, by whoever wrote it, is no directory: its page says what is missing, other pages and signing in go on without it.
    run(server, "update directory set settings = settings - 'base' where tenant = %s", world.tenant)
    page = c.get("/directory")
    assert page.status == 200 and re.search(r'id="e-base">.*What is kept here is not complete', page.text) and 'id="e-filter"' not in page.text, page.text
    # What is closed otherwise is open there.
    run(server, "update directory set settings = settings - 'ca' where tenant = %s", world.tenant)
    assert re.search(r'<details class="kw-pem" open>(?:(?!</details>).)*id="e-ca"', c.get("/directory").text, re.S)
    users = c.get("/users")
    assert users.status == 200 and "/directory/people" not in users.text
    assert sign_in(world, "alice", "alice-Pw-1")[1].status == 422 and c.post("/directory/test", who="x").status == 409
    assert "There is no directory" in c.get("/directory/people?search=alice").text
    save(c, directory)
    assert "/directory/people" in c.get("/users").text
    assert c.post("/directory/remove").status == 303
    assert c.post("/directory/test", who="x").status == 409


def test_operators_come_from_a_directory_too(server, world, directory):
    # covers: IDN-2, ROL-7, TEN-2
    c = world.central()
    a = c.post("/directory", **fields(directory, ((ADMINS, "tenant-manager"),)))
    assert a.status == 303, a.text
    try:
        assert "Alice Test: Tenant Manager" in c.post("/directory/test", who="alice").text
        alice, a = sign_in(world, "alice", "alice-Pw-1", "central")
        assert a.status == 303, a.text
        assert alice.get("/tenants").status == 200 and alice.get("/directory").status == 403
        _, a = sign_in(world, "bob", "bob-Pw-1", "central")
        assert a.status == 422 and "None of your groups" in a.text
        assert not count(server, "select count(*) from setting where value::text like %s", f"%{BIND_PASSWORD}%")
        # The tenants' side knows nothing of it.
        assert count(server, "select count(*) from directory where settings->>'bind_dn' = %s and tenant <> %s", BIND_DN, world.tenant) >= 0
    finally:
        assert c.post("/directory/remove").status == 303


def test_a_password_of_the_directory_confirms_and_is_changed_there(server, world, directory):
    # covers: IDN-2, IDN-1
    c = world.console()
    save(c, directory, ((ADMINS, "security-administrator"),))
    alice, a = sign_in(world, "alice", "alice-Pw-1")
    assert a.status == 303
    for password, status, words in (("wrong", 422, "not your present password"), ("alice-Pw-1", 409, "Your password is not kept here")):
        a = alice.post("/password", current=password, password="Another-Pw-9x", repeat="Another-Pw-9x")
        assert a.status == status and words in a.text, (password, a.status, a.text[-1500:])
    assert count(server, "select password is null from app_user where tenant = %s and email = 'alice@example.test'", world.tenant)
