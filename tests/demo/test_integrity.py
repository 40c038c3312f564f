"""A machine that leaves its policy and comes back to it, with a real agent, a real listener, a real browser and a real mail server: a policy
forbids a port; something listens on it; the scheduled check fails, people are told, the key is counted down, revoked, gone from
memory; the listener ends; the key comes back by itself."""
import datetime
import json
import socket
import time

import audited
import psycopg2
from chrome import Person
from fixtures import fixture, scratch
from mailsink import NAME, Sink
from memory_search import forms, memory_of
from notices import told
from stack.client import PASSWORD
from stack.installation import Installation
from stack.mainjob import ADMINISTRATOR, SLUG, TEXT, MainJob
from stack.ports import free_port
from stack.process import wait_until
from test_secrecy import known_keys, processes

SECONDS = 240
GRACE_S = 3600               # as long as a slow machine needs to look at it; then it is over at once


@fixture("test")
def job(folder):
    j = MainJob(Installation(folder / "demo", "sanitize", free_port()))
    yield j
    audited.keep(j.it, scratch())
    j.clean_up()


@fixture("test")
def sink(job, folder):
    with Sink(job.it, folder) as s:
        yield s


def forbid(job, port):
    """The default policy: no such listener; checked by schedule; revoked after a time."""
    rules = [{"type": "network.services", "join": "all", "conditions": [{"operator": "contains-none", "value": [str(port)]}]}]
    with psycopg2.connect(job.it.conninfo("postgres")) as c, c.cursor() as q:
        q.execute("update policy set rules = %s, on_match = 'approve', on_mismatch = 'deny', check_scheduled = true,"
                  " on_failure = 'revoke-after', grace_s = %s, version = version + 1 where tenant = %s and is_default",
                  (json.dumps(rules), GRACE_S, job.account))


def schedule(job):
    """Daily, half a day from now: not at the hour that accounts begin with, which may be this one."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=12)
    job.administrator.ask("/account/integrity", {"kind": "daily", "weekday": "1", "at": at.strftime("%H:%M"), "regrant_hours": 1})


def comes(job):
    """The scheduled time has come."""
    with psycopg2.connect(job.it.conninfo("postgres")) as c, c.cursor() as q:
        q.execute("update integrity_schedule set due = now() where tenant = %s and due > now() + interval '11 hours'", (job.account,))
        assert q.rowcount == 1


def grace_ends(job):
    """The announced revocation's time has come."""
    with psycopg2.connect(job.it.conninfo("postgres")) as c, c.cursor() as q:
        q.execute("update key_request set revoke_at = now() where tenant = %s and status = 'revoking' and revoke_at between now() + interval '10 minutes'"
                  " and now() + %s * interval '1 second'", (job.account, GRACE_S))
        assert q.rowcount == 1


def row_of(job):
    rows = [r for r in job.administrator.rows("/instances?limit=200") if r["device"]["id"] == job.device_id]
    return rows[0] if rows else {"state": None, "integrity": {"name": None}, "status": {"name": None}, "instance": None, "url": None}


def becomes(job, state, integrity):
    wait_until(lambda: (row_of(job)["state"], row_of(job)["integrity"]["name"]) == (state, integrity), SECONDS,
               f"the request does not become {state}, {integrity}: {row_of(job)}")
    return row_of(job)


def sign_in(person):
    person.open("console", "/sign-in")
    person.put("Account", SLUG)
    person.put("E-mail address", ADMINISTRATOR)
    person.put("Password", PASSWORD)
    person.go("Sign in")


def test_port_that_a_policy_forbids(job, sink, folder):
    # covers: INT-1, INT-2, INT-3, INT-4, SEC-7, RUL-9, NTF-2
    # guard: 900
    for step in job.steps[:9]:
        step(job)
    job.operator.ask("/mail", {"host": NAME, "port": sink.port, "security": "none", "sender": "keyward@msp.example", "user": "",
                               "password": "", "ca": ""})
    # Bound from the beginning, so that it is nobody else's; it listens later.
    listener = socket.socket()
    listener.bind(("0.0.0.0", 0))
    port = listener.getsockname()[1]
    schedule(job)
    forbid(job, port)
    # By its policy, without a person.
    job.guest.start()
    wait_until(job.guest.mounted, SECONDS, "the volume is not mounted")
    becomes(job, "delivered", "Good")
    job.write()
    key = forms(known_keys(job)[0])
    listener.listen()
    comes(job)
    with Person(job.it) as ada:
        sign_in(ada)
        sink.wait(ADMINISTRATOR, "Integrity check failed", SECONDS)
        mail = sink.wait(ADMINISTRATOR, "going to be revoked")
        assert job.it.address("console", "/requests/") in mail.text and "Revoked:" in mail.text, mail.text
        row = becomes(job, "revoking", "Failed")
        assert row["revocation"]["announced"] and row["revocation"]["at"]["relative"].startswith("in "), row
        # Counted down where people look; the volume is open meanwhile.
        for path in ("/instances", row["url"], row["instance"]["url"]):
            ada.open("console", path)
            ada.sees("Revoking")
            ada.sees("Revokes in")
        job.check_file()
        run = job.administrator.ask("/account/integrity")["run"]
        assert (run["instances"], run["failed"], run["good"]) == (1, 1, 0), run
        # Its time comes.
        grace_ends(job)
        row = becomes(job, "revoked", "Failed")
        assert not job.guest.mounted() and not job.engines()
        sink.wait(ADMINISTRATOR, "Key revoked")
        found, _ = memory_of(processes(job, "keyd", "jobd", "web") + [("agent", job.guest.process.pid)], key)
        assert not found, found
        # Still listening: nothing comes back.
        time.sleep(20)
        assert row_of(job)["state"] == "revoked" and not job.guest.mounted()
        listener.close()
        wait_until(job.guest.mounted, SECONDS, "the key does not come back")
        job.check_file()
        becomes(job, "delivered", "Good")
        assert row_of(job)["id"] == row["id"], "another request"
        sink.wait(ADMINISTRATOR, "may be given back")
        # And by hand.
        ada.open("console", row["instance"]["url"])
        ada.go("Check now")
        wait_until(lambda: checks(job)[-1] == ("order", "good"), SECONDS, "no answer to Check now")
        ada.open("console", "/instances")
        ada.sees("Delivered")
        assert not ada.complaints(), ada.complaints()
    names = [e["name"] for e in job.log()]
    names = names[names.index("integrity.schedule"):]
    wanted = iter(names)
    for name in ("integrity.schedule", "integrity.run", "key.integrity", "key.revoke-announced", "key.revoke", "key.revoked",
                 "key.granted-again", "key.approved-automatically", "key.delivered", "device.opened"):
        assert name in wanted, f"{name} is not at its place: {names}"
    assert names.count("integrity.run") == 1 and names.count("key.revoke") == 1
    told(job.it, job.account, "key-approved", "integrity-failed", "revocation-pending", "revocation-ordered", "revocation-done", "key-granted-again")
    # Once per person and event.
    assert len([m for m in sink.to(ADMINISTRATOR) if "Key revoked" in m.subject]) == 1
    job.verify()
    assert TEXT == (job.guest.mount_point / "ledger.txt").read_text()


def checks(job):
    with psycopg2.connect(job.it.conninfo("postgres")) as c, c.cursor() as q:
        q.execute("select reason, result from integrity_check where tenant = %s order by coalesce(answered, due)", (job.account,))
        return q.fetchall()
