"""The log on its way to a real rsyslog over TLS (LOG-4): every entry, in order, over outages and kills on both sides; nobody else's entries."""
import contextlib
import json
import re
import select
import socket
import ssl
import threading
import time
import types

from fixtures import fixture
from rsyslog import NAME, Rsyslog
from silent import Silent
from stack.process import Failed, wait_until
from test_log_archive import past
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


def first_number(receiver, account):
    """Of what has come. Its file is written a moment after it has said that it has everything."""
    wait_until(lambda: numbers(receiver, account), SECONDS, "nothing has arrived")
    return numbers(receiver, account)[0]


def works(client, url=URL):
    """Noted a moment after what was sent is there."""
    wait_until(lambda: badge(client, url) == "Works", SECONDS, "it does not work")


def head(server, account):
    return count(server, "select seq from audit_head where tenant = %s", account)


def arrive(server, receiver, account, first=1):
    """All entries from the number FIRST on are there, in order."""
    def there():
        got = numbers(receiver, account)
        return got and got[-1] >= head(server, account)
    try:
        wait_until(there, SECONDS, "not every entry has arrived")
    except Failed as e:
        state = count(server, "select row_to_json(f) from (select seq, next_try, now(), test, sent, away_since, failures, error, version from log_forward where tenant = %s) f", account)
        raise Failed(f"{e}: up to {numbers(receiver, account)[-1:]} of {head(server, account)}, {state}; the receiver, with {len(receiver.messages())} messages,"
                     f" says: {receiver.said()}") from None
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
    works(world.person)
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
    works(world.person)
    first = first_number(receiver, world.tenant)
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
    works(world.person)
    events = [r["event"] for r in world.person.api("/log?limit=20").json["list"]["rows"]]
    assert "Receiver of the log is back" in events, events


def test_a_receiver_killed_in_the_middle(server, world, receiver):
    # covers: LOG-4
    assert forward(world.person, receiver).status == 303
    works(world.person)
    first = first_number(receiver, world.tenant)
    for _ in range(3):
        write(server, world.tenant, 300)
        receiver.stop(kill=True)
        write(server, world.tenant, 300)
        receiver.start()
    run(server, "update log_forward set next_try = now() where tenant = %s", world.tenant)
    wait_until(lambda: numbers(receiver, world.tenant)[-1:] == [head(server, world.tenant)], SECONDS, "not every entry has arrived")
    # What it had taken when it was killed may be there twice, by the same number; nothing is missing.
    assert sorted(set(numbers(receiver, world.tenant))) == list(range(first, head(server, world.tenant) + 1))


def test_a_receiver_that_closes_without_goodbye(server, world):
    # covers: LOG-4
    with Rsyslog(driver="gtls") as gtls:
        assert forward(world.person, gtls, from_first="1").status == 303
        arrive(server, gtls, world.tenant)
        works(world.person)
        assert "gtls" in world.person.api(URL).json["state"]["note"]
        # Away and back, as any other: each entry once, in order.
        gtls.stop()
        write(server, world.tenant, 700)
        wait_until(lambda: badge(world.person) == "Away", SECONDS, "the outage is not shown")
        gtls.start()
        arrive(server, gtls, world.tenant)
        # Once it has said goodbye, it has to: one that does not any more may have been killed. Whoever has made it another program says so by saving it.
        gtls.stop()
        gtls.driver = "ossl"
        gtls.start()
        write(server, world.tenant, 5)
        arrive(server, gtls, world.tenant)
        wait_until(lambda: world.person.api(URL).json["state"]["note"] is None, SECONDS, "its goodbye is not noted")
        gtls.stop()
        gtls.driver = "gtls"
        gtls.start()
        write(server, world.tenant, 5)
        wait_until(lambda: "close_notify" in (world.person.api(URL).json["state"]["error"] or ""), SECONDS, "an end without goodbye is believed")
        assert count(server, "select f.seq < h.seq from log_forward f join audit_head h using (tenant) where tenant = %s", world.tenant)
        assert forward(world.person, gtls).status == 303
        wait_until(lambda: badge(world.person) == "Works" and numbers(gtls, world.tenant)[-1] >= head(server, world.tenant), SECONDS, "not every entry has arrived")
        assert sorted(set(numbers(gtls, world.tenant))) == list(range(1, head(server, world.tenant) + 1))


@contextlib.contextmanager
def leaves_early(receiver, goodbye):
    """A receiver with the certificate of RECEIVER that reads the first of what comes, and goes when all has been sent, with a GOODBYE said before or without.
    Yields its port and a list that grows by one with each connection that it has left."""
    context, left = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(receiver.folder / f"{NAME}.crt", receiver.folder / f"{NAME}.key")
    with socket.create_server(("127.0.0.1", 0)) as door:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with contextlib.suppress(ssl.SSLError, ConnectionError), context.wrap_socket(door.accept()[0], server_side=True) as c:
                        sent = select.poll()
                        sent.register(c, select.POLLRDHUP)
                        c.recv(100)
                        if goodbye:
                            with contextlib.suppress(ssl.SSLError):
                                c.unwrap()   # says it; that there is more to read is an error
                        sent.poll(SECONDS * 1000)
                        time.sleep(0.5)      # not a wait: who believes the goodbye alone has time to, before the reset
                    left.append(1)
        threading.Thread(target=serve, daemon=True).start()
        try:
            yield door.getsockname()[1], left
        finally:
            door.shutdown(socket.SHUT_RDWR)


def test_a_receiver_that_goes_before_it_has_read_all(server, world, receiver):
    # covers: LOG-4
    write(server, world.tenant, 80)         # more than one record of TLS, and less than its system takes unread
    for goodbye in (True, False):
        with leaves_early(receiver, goodbye) as (port, left):
            assert forward(world.person, receiver, port=port, from_first="1").status == 303
            wait_until(lambda: badge(world.person) != "Not tested", SECONDS, "it is not tried")
            wait_until(lambda: left, SECONDS, "the receiver has not left")
            assert badge(world.person) == "Away" and count(server, "select seq from log_forward where tenant = %s", world.tenant) == 0, goodbye
    assert world.person.post(URL + "/remove").status == 303


def test_receivers_that_stall_keep_no_others_waiting(server, world, receiver):
    # covers: LOG-4, TEN-4, SEC-5
    with Silent() as silent:
        others = [World(server) for _ in range(4)]
        people = [w.console() for w in others]
        for c in people:
            assert forward(c, receiver, port="1").status == 303
        # Each has been tried and did not answer; from now on it is one that keeps its asker waiting.
        wait_until(lambda: {badge(c) for c in people} == {"Away"}, SECONDS, "the outage is not shown")
        run(server, "update log_forward set port = %s, next_try = now() where tenant = any(%s::uuid[])", silent.port, [w.tenant for w in others])
        wait_until(lambda: silent.open, SECONDS, "they are not tried")
        assert forward(world.person, receiver, from_first="1").status == 303
        for _ in range(3):
            write(server, world.tenant, 5)
            arrive(server, receiver, world.tenant)
        # One thread alone waits for those who did not answer last time, however many they are.
        assert silent.most == 1, silent.most
        for w in others:
            run(server, "delete from log_forward where tenant = %s", w.tenant)


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
        works(central, "/log-forwarding")
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


def test_a_month_is_held_for_a_receiver_and_what_it_misses_is_said(server, world, receiver):
    # covers: LOG-4, LOG-1
    def dropped(months):
        """What jobd would do if entries were kept for so many MONTHS, with this account's in the archive; those of them that are left."""
        run(server, "insert into audit_archive (tenant, id, month, first, last, before, after, bytes, digest, made, signature, expires) select tenant,"
                    " gen_random_uuid(), date_trunc('month', at)::date, min(seq), max(seq), decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), 1,"
                    " decode(repeat('00', 32), 'hex'), now(), decode(repeat('00', 64), 'hex'), now() + interval '1 year' from audit_entry where tenant = %s and"
                    " at < date_trunc('month', now()) group by tenant, date_trunc('month', at) on conflict do nothing", world.tenant)
        run(server, "select audit_months()")
        run(server, "select audit_months_drop(date_trunc('month', now()) - make_interval(months => %s), 'archived', null)", months)
        return count(server, "select count(*) from audit_entry where tenant = %s and at < date_trunc('month', now())", world.tenant)

    # A receiver that never answers, from the first entry on: held for three months longer, and no more. By jobd too, which archives and drops months while this
    # runs: the month is the last one that it holds, and the receiver is there before the month is.
    old = 20
    assert forward(world.person, receiver, port="1", from_first="1").status == 303
    wait_until(lambda: badge(world.person) == "Away", SECONDS, "the outage is not shown")
    past(server, types.SimpleNamespace(id=world.tenant), {16: old})
    assert dropped(15) == old and dropped(12) == old
    wait_until(lambda: dropped(11) == 0, SECONDS, "a month is held for longer")      # somebody may be reading it
    assert forward(world.person, receiver, from_first="1").status == 303
    arrive(server, receiver, world.tenant, old + 1)
    lost = [r for r in world.person.api("/log?limit=20").json["list"]["rows"] if r["name"] == "log-forward.lost"]
    assert lost and f"first: 1, last: {old}" in lost[0]["detail"], lost


def test_a_certificate_of_ours(server, world, folder):
    # covers: LOG-4, SEC-4
    with Rsyslog(strict=True) as strict, Rsyslog() as other:
        certificate, key = strict.client()
        # Without one, and with one of another authority, it takes nothing.
        assert forward(world.person, strict, from_first="1").status == 303
        wait_until(lambda: badge(world.person) == "Away", SECONDS, "it takes messages of anybody")
        stranger = dict(zip(("certificate", "key"), other.client()))
        for wrong, field in (({"certificate": certificate}, "key"), ({"key": key}, "certificate"), ({"certificate": certificate, "key": stranger["key"]}, "key"),
                             ({"certificate": "nothing", "key": key}, "certificate"), ({"certificate": certificate, "key": "nothing"}, "key")):
            refused = forward(world.person, strict, **wrong)
            assert refused.status == 422 and f'id="e-{field}"' in refused.text and "PRIVATE KEY" not in refused.text, (wrong, field)
        assert forward(world.person, strict, **stranger).status == 303
        wait_until(lambda: badge(world.person) == "Away", SECONDS, "a stranger is believed")
        assert not strict.messages()
        assert forward(world.person, strict, certificate=certificate, key=key, from_first="1").status == 303
        arrive(server, strict, world.tenant)
        works(world.person)
        # Kept where it is left out with the same certificate; shown to nobody, in the clear nowhere.
        assert forward(world.person, strict, certificate=certificate, format="json").status == 303
        arrive(server, strict, world.tenant)
        said = world.person.get(URL).text
        assert certificate[30:90] in said and key[40:90] not in said and key[40:90] not in world.person.api(URL).text
        kept = count(server, "select row_to_json(f)::text || encode(client_key, 'escape') from log_forward f where tenant = %s", world.tenant)
        log = count(server, "select string_agg(detail::text, ' ') from audit_entry where tenant = %s and event = 'log-forward.changed'", world.tenant)
        assert key[40:90] not in kept and key[40:90] not in log and "client_certificate" in log
        # The installation's own, under the root key; gone with the setting.
        central = operator(server)
        nil = "00000000-0000-0000-0000-000000000000"
        assert forward(central, strict, "/log-forwarding", certificate=certificate, key=key).status == 303
        try:
            wait_until(lambda: badge(central, "/log-forwarding") == "Works" and numbers(strict, nil), SECONDS, "the system log does not arrive")
            assert count(server, "select length(value #>> '{}') from setting where name = 'log-forward.key'") > 200
        finally:
            assert central.post("/log-forwarding/remove").status == 303
        assert count(server, "select count(*) from setting where name = 'log-forward.key'") == 0
        # No certificate any more, no key any more.
        assert forward(world.person, other).status == 303
        assert count(server, "select client_key is null and certificate = '' from log_forward where tenant = %s", world.tenant)
        assert world.person.post(URL + "/remove").status == 303
