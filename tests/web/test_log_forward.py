"""The log on its way to a real rsyslog over TLS (LOG-4): every entry, in order, over outages and kills on both sides; nobody else's entries."""
import json
import re
import time

from fixtures import fixture
from rsyslog import NAME, Rsyslog
from stack.process import wait_until
from web import database, make_user, operator
from world import World, count, run

SECONDS = 120
URL = "/account/log-forwarding"
NUMBER = re.compile(r'\[keyward@32473 account="([0-9a-f-]+)" number="(\d+)"')


@fixture("file")
def receiver():
    with Rsyslog() as r:
        yield r


@fixture("test")
def world(server):
    w = World(server)
    w.person = w.console()
    return w


def forward(client, receiver, url=URL, **changes):
    return client.post(url, **{"host": NAME, "port": str(receiver.port), "ca": receiver.ca.read_text(), "format": "syslog", **changes})


def badge(client, url=URL):
    return client.api(url).json["state"]["badge"]["name"]


def numbers(receiver, account):
    return [int(n) for m in receiver.messages() for a, n in NUMBER.findall(m) if a == account and n != "0"]


def head(server, account):
    return count(server, "select seq from audit_head where tenant = %s", account)


def arrive(server, receiver, account, first=1):
    """All entries from the number FIRST on are there, in order."""
    def there():
        got = numbers(receiver, account)
        return got and got[-1] >= head(server, account)
    wait_until(there, SECONDS, "not every entry has arrived")
    got = numbers(receiver, account)
    assert got == list(range(first, got[-1] + 1)), got
    return got


def write(server, account, many):
    """Entries as any process writes them."""
    with database(server).cursor() as c:
        c.execute("select set_config('keyward.tenant', %s, false)", (account,))
        for i in range(many):
            c.execute("select audit_append('user', 'user.test', 'system', null, 'test', 'test', null, %s, null, null, null)", (f"entry {i}",))


def test_every_entry_arrives_in_each_form(server, world, receiver):
    # covers: LOG-4, ADM-1
    assert world.person.api(URL).json["state"] is None
    assert forward(world.person, receiver, from_first="1").status == 303
    wait_until(lambda: badge(world.person) == "Works", SECONDS, "it does not work")
    arrive(server, receiver, world.tenant)
    last = [m for m in receiver.messages() if world.tenant in m][-1]
    assert re.match(r"<109>1 \d{4}-\d\d-\d\dT\S+Z \S+ keyward - \S+ \[", last), last
    signed_in = next(m for m in receiver.messages() if world.tenant in m and "user.signed-in" in m)
    assert 'category="user"' in signed_in and 'actorKind="user"' in signed_in and 'address="' in signed_in
    at = head(server, world.tenant)
    assert forward(world.person, receiver, format="json").status == 303
    got = arrive(server, receiver, world.tenant)
    message = next(m for m in receiver.messages() if f'account="{world.tenant}" number="{got[-1]}"' in m)
    o = json.loads(message[message.index("] {") + 2:])
    assert got[-1] > at and o["number"] == got[-1] and o["event"] == "log-forward.changed", o
    assert o["detail"]["changes"]["format"] == {"old": "syslog", "new": "json"}, o
    assert forward(world.person, receiver, format="cef").status == 303
    got = arrive(server, receiver, world.tenant)
    message = next(m for m in receiver.messages() if f'account="{world.tenant}" number="{got[-1]}"' in m)
    assert "CEF:0|Keyward|Keyward|1|log-forward.changed|" in message, message
    assert world.person.post(URL + "/remove").status == 303
    assert world.person.post(URL + "/remove").status == 409 and world.person.post(URL + "/test").status == 409


def test_outages_and_kills_lose_nothing(server, world, receiver):
    # covers: LOG-4, SEC-7
    assert forward(world.person, receiver).status == 303
    wait_until(lambda: badge(world.person) == "Works", SECONDS, "it does not work")
    first = numbers(receiver, world.tenant)[0]
    receiver.stop()
    write(server, world.tenant, 700)
    wait_until(lambda: badge(world.person) == "Away", SECONDS, "the outage is not shown")
    state = world.person.api(URL).json["state"]
    assert state["waiting"] >= 700 and state["error"] and state["since"], state
    server.kill("jobd")
    write(server, world.tenant, 700)
    server.start("jobd")
    receiver.start()
    arrive(server, receiver, world.tenant, first)
    assert badge(world.person) == "Works"
    events = [r["event"] for r in world.person.api("/log?limit=20").json["list"]["rows"]]
    assert "Receiver of the log is back" in events, events


def test_a_receiver_killed_in_the_middle(server, world, receiver):
    # covers: LOG-4
    assert forward(world.person, receiver).status == 303
    wait_until(lambda: badge(world.person) == "Works", SECONDS, "it does not work")
    first = numbers(receiver, world.tenant)[0]
    for _ in range(3):
        write(server, world.tenant, 300)
        receiver.stop(kill=True)
        write(server, world.tenant, 300)
        receiver.start()
    run(server, "update log_forward set next_try = now() where tenant = %s", world.tenant)
    wait_until(lambda: numbers(receiver, world.tenant)[-1:] == [head(server, world.tenant)], SECONDS, "not every entry has arrived")
    # What it had taken when it was killed may be there twice, by the same number; nothing is missing.
    assert sorted(set(numbers(receiver, world.tenant))) == list(range(first, head(server, world.tenant) + 1))


def test_only_whom_its_authority_vouches_for(server, world, receiver):
    # covers: LOG-4, SEC-7
    with Rsyslog() as other:
        assert forward(world.person, receiver, ca=other.ca.read_text()).status == 303
        wait_until(lambda: badge(world.person) == "Away", SECONDS, "a stranger is believed")
        assert "certificate" in world.person.api(URL).json["state"]["error"]
        # The name is not the certificate's.
        assert forward(world.person, receiver, host="127.0.0.1").status == 303
        wait_until(lambda: "mismatch" in (world.person.api(URL).json["state"]["error"] or ""), SECONDS, "another name is believed")
    before = len(receiver.messages())
    time.sleep(0.5)
    assert not [m for m in receiver.messages()[before:] if world.tenant in m] and not numbers(receiver, world.tenant)


def test_whose_log_and_who_may(server, world, receiver):
    # covers: LOG-4, TEN-3, ROL-3, ROL-7
    central = operator(server)
    assert forward(central, receiver, "/log-forwarding").status == 303
    try:
        wait_until(lambda: badge(central, "/log-forwarding") == "Works", SECONDS, "it does not work")
        nil = "00000000-0000-0000-0000-000000000000"
        wait_until(lambda: numbers(receiver, nil), SECONDS, "the system log does not arrive")
        assert not numbers(receiver, world.tenant)
        assert receiver.ca.read_text()[:60] not in world.person.get(URL).text
    finally:
        assert central.post("/log-forwarding/remove").status == 303
    auditor = world.console(make_user(server, world.tenant, "auditor"))
    assert forward(auditor, receiver).status == 403
    for field, value in (("host", "a b"), ("port", "0"), ("ca", "no certificate"), ("format", "xml")):
        refused = world.person.api(URL, {"host": NAME, "port": receiver.port, "ca": "", "format": "syslog", field: value})
        assert refused.status == 422 and field in refused.text, (field, refused)
    assert world.person.api(URL).json["state"] is None
