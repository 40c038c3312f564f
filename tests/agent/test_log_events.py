"""Each class of events of the log, driven through the agent, the consoles and the administrator's command, and found with who did it, to what, from
where, in which request, and the values before and after (LOG-2)."""
import pathlib
import re
import uuid

import audited
from agents import guest, mounts, start, tenant, wait_for  # noqa: F401
from fixtures import ROOT
from notices import told
from stack.process import wait_until
from web import Client, database, make_tenant, make_user, operator

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


# Forms that change nothing that is in force, or nothing but what one person sees; everything else that is sent to a console ends in an entry.
UNLOGGED = {
    "deep_security_test_run": "asks a server", "directory_test_run": "asks a server", "mail_try": "sends one mail to who asks",
    "log_forward_test": "sends one message without a number", "notices_read_all": "what one person has read", "notice_mark_run": "what one person has read",
    "notification_preview": "shows", "report_template_preview": "shows", "bulk_choose": "shows", "policy_types_run": "a draft, logged when it is saved",
    "policy_discard_run": "a draft that never was in force", "saml_fetch": "waits to be confirmed", "saml_import": "waits to be confirmed",
    "saml_discard": "what was not confirmed", "signup_send": "mails a link, whose use is logged",
    "what_if_stop_run": "its start is logged; it changes nothing",
}
FUNCTION = re.compile(r"^(static )?(?:const )?(?:struct |enum )?[a-z_0-9]+(?: \w+)*? \*?([a-z_0-9]+)\([^;{]*\)\n\{\n(.*?)^\}", re.M | re.S)
TABLE = re.compile(r"^(static )?(?:const )?struct \w+ (?:const )?([a-z_0-9]+)(?:\[\w*\])? = \{(.*?)\};$", re.M | re.S)


def logging_functions():
    """{name: whether it is called with an entry of the log at the end} of all public functions, as the sources call each other: functions of one file
    by their static names, SQL's by what statements say."""
    sql = {}
    for p in sorted((ROOT / "sql").glob("*.sql")):
        for name, body in re.findall(r"FUNCTION ([a-z_]+)\(.*?AS \$\$(.*?)\$\$", p.read_text(), re.S):
            sql[name] = set(re.findall(r"\b([a-z_]+)\(", body))
    in_sql, before = {"audit_append"}, None
    while before != len(in_sql):
        before = len(in_sql)
        in_sql |= {n for n, called in sql.items() if called & in_sql}
    of, private, public = {}, {}, {}
    for p in (ROOT / "src").rglob("*.c"):
        for static, name, body in [m for pattern in (FUNCTION, TABLE) for m in pattern.findall(p.read_text())]:
            statements, code = " ".join(re.findall(r'"((?:\\.|[^"\\])*)"', body)), re.sub(r'"(?:\\.|[^"\\])*"', "", body)
            of[p, name] = set(re.findall(r"\b[a-z_0-9]+\b", code)), set(re.findall(r"([a-z_]+)\(", statements))
            (private if static else public)[(p, name) if static else name] = (p, name)
    callers, names = {}, {n for _, n in of}
    for (p, n), (words, _) in of.items():
        for w in words & names:
            callers.setdefault(private.get((p, w)) or public.get(w), []).append((p, n))
    new = [public["audit_log"]] + [k for k, (_, statements) in of.items() if statements & in_sql]
    reach = set(new)
    while new:
        more = [c for c in callers.get(new.pop(), ()) if c not in reach]
        reach.update(more)
        new += more
    return {name: key in reach for name, key in public.items()}


def test_whatever_is_sent_to_a_console_ends_in_an_entry():
    # covers: LOG-2, LOG-3
    handlers = set()
    for p in [*(ROOT / "src").rglob("*.c"), *(ROOT / "src").rglob("*.h")]:
        handlers |= set(re.findall(r"\{ WEB_POST, [^,]+, [^,]+, [^,]+, ([a-z_0-9]+)", p.read_text()))
    logs = logging_functions()
    assert len(handlers) > 120 and not handlers - set(logs), handlers - set(logs)
    found = {h for h in handlers if not logs[h]}
    assert found == set(UNLOGGED), found ^ set(UNLOGGED)


def test_the_look_at_all_logs_sees_what_is_wrong():
    # covers: LOG-2
    known = audited.events()
    assert {*audited.OF_ALL, *audited.OWN_WORDS} <= set(known)
    # Each of its rules once.
    good = {"event": "user.changed", "actor_kind": "user", "categories": ["user"], "entries": 1, **{n: 0 for n in (
        "unnamed", "without_actor", "without_object", "unclear_object", "without_address", "without_request", "without_changes", "half_changes")}}
    assert audited.wrong_with(good, known) == []
    for wrong in ("unnamed", "without_actor", "without_object", "unclear_object", "without_address", "without_request", "without_changes", "half_changes"):
        assert len(audited.wrong_with({**good, wrong: 1}, known)) == 1, wrong
    assert audited.wrong_with({**good, "categories": ["key"]}, known) and audited.wrong_with({**good, "event": "user.odd"}, known)


def test_servers_start_and_stop(server):
    # covers: LOG-2
    before = head(server, None)
    # One that was not heard of for long leaves the list, and one that did not answer to the third check running is told of: jobd looks when it starts, and then now and then.
    account, gone, silent = make_tenant(server)[1], str(uuid.uuid4()), str(uuid.uuid4())
    with database(server).cursor() as c:
        c.execute("insert into instance (tenant, id, provider, provider_instance, host_name, state, last_seen) values (%s, %s, 'native', 'gone', 'gone-1', 'stopped',"
                  " now() - interval '8 days'), (%s, %s, 'native', 'silent', 'silent-1', 'running', now())", (account, gone, account, silent))
        c.execute("insert into integrity_check (tenant, id, instance, reason, due, ordered, result) select %s, gen_random_uuid(), %s, 'order', now() - n * interval '20 minutes',"
                  " now() - n * interval '20 minutes', case when n > 1 then 'not-checked' end from generate_series(1, 3) n", (account, silent))
    server.restart("jobd")
    wait_until(lambda: rows(server, account, "instance.not-checked"), SECONDS, "nobody is told that it does not answer")
    assert found(server, account, "instance.not-checked", kind="system", web=False, object_name="silent-1")["detail"] == {"checks": 3}
    told(server, account, "not-checked")
    wait_until(lambda: rows(server, account, "instance.deleted"), SECONDS, "it does not leave the list")
    assert str(found(server, account, "instance.deleted", kind="system", web=False, object_name="gone-1")["object_id"]) == gone
    wait_until(lambda: rows(server, None, "server.started", before), SECONDS, "the start is not logged")
    for event in ("server.stopped", "server.started"):
        assert found(server, None, event, before, "system", False, object_name="keyward-jobd")["detail"]["host"]
    assert found(server, None, "server.started", 0, "system", False) and "keyward-web" in {
        e["object_name"] for e in rows(server, None, "server.started")}
    told(server, None, "server-started")


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
    # A link for a new password, by the administrator's command.
    locked = make_user(server, account)
    assert "https://" in server.keyward("user", "reset", tenant.name, locked)
    found(server, account, "password.reset-sent", kind="system", web=False, object_kind="user", object_name=locked)
    # The passphrase shown; a template for reports made and deleted.
    a = c.post("/account/passphrase/reveal")
    assert a.status == 200, a
    found(server, account, "passphrase.shown", actor_name=email)
    form = {"name": "Log", "criteria": ["requests"], "period": "last-week", "formats": ["csv"], "schedule": "once", "keep_days": 30, "recipients": "",
            "at": "06:00", "act": "save"}
    a = c.api("/reports/templates/new", form)
    assert a.status == 200, a
    a = c.post(f"/reports/templates/{found(server, account, 'report.template-created')['object_id']}/delete")
    assert a.status == 303, a
    found(server, account, "report.template-deleted", object_kind="report-template", object_name="Log")
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
    told(server, account, "key-pending", "provisioning-done")
    # Nothing that is secret is in any of it.
    with database(server).cursor() as c:
        c.execute("select string_agg(detail::text, ' ') from audit_entry where tenant = %s", (account,))
        assert tenant.passphrase not in c.fetchone()[0]
