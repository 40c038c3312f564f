"""Each class of events of the log, driven through the agent, the consoles and the administrator's command, and found with who did it, to what, from
where, in which request, and the values before and after (LOG-2)."""
import pathlib
import re
import uuid

from agents import guest, mounts, start, tenant, wait_for  # noqa: F401
from fixtures import ROOT
from stack.process import wait_until
from web import Client, database, make_user, operator

SECONDS = 120


def rows(server, account, event, since=0):
    with database(server).cursor() as c:
        c.execute("select seq, actor_kind, actor_name, object_kind, object_id, object_name, detail, address, request, category from audit_entry"
                  " where tenant = coalesce(%s::uuid, '00000000-0000-0000-0000-000000000000') and event = %s and seq > %s order by seq", (account, event, since))
        return [dict(zip([d.name for d in c.description], r)) for r in c.fetchall()]


def head(server, account):
    with database(server).cursor() as c:
        c.execute("select coalesce(max(seq), 0) from audit_head where tenant = coalesce(%s::uuid, '00000000-0000-0000-0000-000000000000')", (account,))
        return c.fetchone()[0]


def found(server, account, event, since=0, kind="user", web=True, **wanted):
    """The newest such entry; WEB: it came by a request, whose id and sender it has."""
    all_of = rows(server, account, event, since)
    assert all_of, f"no entry {event}"
    e = all_of[-1]
    assert e["actor_kind"] == kind and (kind == "agent" or e["actor_name"]), e
    assert not web or (e["address"] and uuid.UUID(e["request"])), e
    for name, value in wanted.items():
        assert e[name] == value, (name, e)
    return e


def changed(entry, field, old, new):
    assert entry["detail"]["changes"][field] == {"old": old, "new": new}, entry["detail"]


def test_every_event_is_written_somewhere():
    # covers: LOG-2
    events = re.findall(r'^\tX\(([A-Z_]+), "([a-z-]+\.[a-z-]+)"', (ROOT / "src" / "store" / "audit.h").read_text(), re.M)
    code = "\n".join(p.read_text() for p in pathlib.Path(ROOT / "src").rglob("*.c"))
    sql = "\n".join(p.read_text() for p in pathlib.Path(ROOT / "sql").glob("*.sql"))
    assert len(events) > 150
    assert [n for id, n in events if not re.search(rf"\bAUDIT_{id}\b", code) and f"'{n}'" not in sql] == []


def test_servers_start_and_stop(server):
    # covers: LOG-2
    before = head(server, None)
    server.restart("jobd")
    wait_until(lambda: rows(server, None, "server.started", before), SECONDS, "the start is not logged")
    for event in ("server.stopped", "server.started"):
        assert found(server, None, event, before, "system", False, object_name="keyward-jobd")["detail"]["host"]
    assert found(server, None, "server.started", 0, "system", False) and "keyward-web" in {
        e["object_name"] for e in rows(server, None, "server.started")}


def test_what_people_do_in_the_consoles(server, tenant):     # noqa: F811
    # covers: LOG-2
    account = tenant.account
    email = make_user(server, account)
    c = Client(server, "console")
    assert Client(server, "console", source="127.9.0.7").sign_in(email, "not-the-password-1", account=tenant.name).status == 422
    e = rows(server, account, "user.sign-in-failed")[-1]
    assert (e["object_name"], e["address"]) == (email, "127.9.0.7") and uuid.UUID(e["request"]), e
    assert c.sign_in(email, account=tenant.name).status == 303
    found(server, account, "user.signed-in", actor_name=email)
    # Users and policies: made, changed with the values before and after, deleted.
    other = f"log-{uuid.uuid4().hex[:8]}@tenant.example"
    assert c.post("/users/new", name="Ann", email=other, role="auditor").status in (200, 303)
    made = found(server, account, "user.invited", object_kind="user")
    id = str(made["object_id"])
    assert c.post(f"/users/{id}", name="Ann B.", role="data-analyst").status == 303
    found(server, account, "user.changed", object_kind="user")
    made_of = {}
    for e in rows(server, account, "user.changed"):
        made_of.update(e["detail"].get("changes", {}))
    changed({"detail": {"changes": made_of}}, "name", "Ann", "Ann B.")
    changed({"detail": {"changes": made_of}}, "role", "auditor", "data-analyst")
    # The operator's side: the account's entry is in both logs.
    o = operator(server)
    o_made = head(server, None)
    assert o.api(f"/tenants/{account}/suspend", {"comment": "unpaid"}).status == 200
    assert o.api(f"/tenants/{account}/resume", {"comment": ""}).status == 200
    for chain in (None, account):
        e = found(server, chain, "tenant.suspended", 0 if chain else o_made, "operator", object_kind="tenant")
        assert str(e["object_id"]) == account
    assert c.sign_in(email, account=tenant.name).status == 303
    # It is all on the page, found by text and by type.
    shown = c.api("/log?type=user&text=Ann%20B").json["list"]["rows"]
    assert shown and {r["type"]["name"] for r in shown} == {"User events"} and any(
        {"field": "name", "old": "Ann", "new": "Ann B."} in r["changes"] for r in shown), shown
    assert c.post("/sign-out").status == 303
    found(server, account, "user.signed-out")


def test_what_agents_do(server, tenant, guest):              # noqa: F811
    # covers: LOG-2
    account = tenant.account
    before = head(server, account)
    guest.register(account, tenant.passphrase)
    found(server, account, "agent.registered", before, "agent", False)
    tenant.encrypt(guest)
    start(guest)
    tenant.approve(guest)
    mounts(guest)
    device = tenant.device(guest)
    for event, kind in (("device.created", "agent"), ("device.configured", "user"), ("key.requested", "agent"), ("key.pending", "agent"),
                        ("key.approved", "user"), ("key.delivered", "agent")):
        wait_for(guest, lambda event=event: rows(server, account, event, before), f"no entry {event}")
        e = found(server, account, event, before, kind, False)
        assert kind != "agent" or e["address"], e
    assert str(found(server, account, "device.configured", before, web=False)["object_id"]) == device["id"]
    assert {e["category"] for e in rows(server, account, "key.delivered", before)} == {"key"}
    assert guest.stop()
    wait_until(lambda: rows(server, account, "agent.shut-down", before), SECONDS, "the stop is not logged")
    start(guest)
    wait_for(guest, lambda: rows(server, account, "agent.booted", before), "the start is not logged")
    assert found(server, account, "agent.booted", before, "agent", False)["address"]
    # Nothing that is secret is in any of it.
    with database(server).cursor() as c:
        c.execute("select string_agg(detail::text, ' ') from audit_entry where tenant = %s", (account,))
        assert tenant.passphrase not in c.fetchone()[0]
