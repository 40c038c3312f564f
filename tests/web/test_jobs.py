"""The operator's pages Jobs and Database: a real job that really fails, tried again, removed; never what a job is about."""
import json
import uuid

from stack.process import wait_until
from web import Client, database, make_tenant, make_user, operator

SECONDS = 120
SECRET = "what-the-job-is-about"


def add(server, tenant, kind="mail", state="failed", error="550 bob@victim.example: no such user", payload=None, run_at="now()"):
    id = str(uuid.uuid4())
    with database(server).cursor() as q:
        q.execute(f"insert into job (id, tenant, kind, payload, state, attempts, last_error, run_at) values (%s, %s, %s, %s, %s, 3, %s, {run_at})",
                  (id, tenant, kind, json.dumps(payload or {"to": "bob@victim.example", "subject": SECRET, "text": SECRET}), state, error))
    return id


def rows(c, query=""):
    a = c.api("/jobs" + query)
    assert a.status == 200, a
    return {r["id"]: r for r in a.json["list"]["rows"]}


def drop(server, *ids):
    with database(server).cursor() as q:
        q.execute("delete from job where id = any(%s::uuid[])", (list(ids),))


def test_what_is_shown_and_what_not(server):
    # covers: ADM-2, TEN-2, TEN-3, WEB-3
    c, (slug, tenant) = operator(server, "system-operator"), make_tenant(server)
    id, other = add(server, tenant), add(server, None, "mail-test", error="no mail server is set")
    hook, own = (add(server, whose, "webhook", error="there is no address for the name victim.example") for whose in (tenant, None))
    try:
        found = rows(c, f"?search={slug}")
        assert set(found) == {id, hook}
        # Where an account's webhook leads is nobody's but the account's; the operator's own is the operator's.
        assert "the account sees why" in found[hook]["error"] and not rows(c, "?search=victim.example&kind=webhook").keys() & {hook}
        assert "victim.example" in rows(c, "?kind=webhook&limit=200")[own]["error"]
        drop(server, own)
        row = found[id]
        assert row["account"]["name"] == f"Tenant {slug}" and row["name"] == "Mail" and row["attempts"] == 3 and row["status"]["name"] == "Given up"
        # The error without the address; nothing of the contents, on the page as in the document.
        assert "550" in row["error"] and "victim" not in row["error"]
        for text in (c.get("/jobs").text, c.api("/jobs").text, c.get(f"/jobs/{id}/retry").text):
            assert SECRET not in text and "victim" not in text
        assert other in rows(c, "?state=failed&kind=mail-test") and id not in rows(c, "?state=failed&kind=mail-test")
        assert id not in rows(c, "?state=running")
        assert [r for r in rows(c, "?sort=-attempts&limit=1")] and c.api("/jobs?limit=1").json["list"]["next"]
        assert "<svg" in c.get("/jobs").text
        assert operator(server, "tenant-manager").get("/jobs").status == 403
        reader = operator(server, "auditor")
        assert not rows(reader, f"?search={slug}")[id]["may_retry"] and reader.api(f"/jobs/{id}/retry", {}).status == 403
        user = Client(server, "console")
        assert user.sign_in(make_user(server, tenant), account=slug).status == 303 and user.get("/jobs").status == 404
    finally:
        drop(server, id, other, hook, own)


def test_a_failed_job_is_tried_again(server):
    # covers: ADM-2, LOG-3
    c, (slug, tenant) = operator(server), make_tenant(server)
    # A kind that no jobd has: it really fails, at its first attempt, and is given up.
    id = add(server, tenant, "no-such-kind", "waiting", None)
    wait_until(lambda: rows(c, f"?search={slug}")[id]["state"] == "failed", SECONDS, "the job does not fail")
    assert "no such kind" in rows(c, f"?search={slug}")[id]["error"]
    with database(server).cursor() as q:
        q.execute("select attempts from job where id = %s", (id,))
        before = q.fetchone()[0]
    page = c.get(f"/jobs/{id}/retry")
    assert page.status == 200 and "no-such-kind" in page.text and f"/jobs/{id}/retry" in page.text
    assert c.api(f"/jobs/{id}/retry", {}).status == 200
    # It was begun anew, and has failed again: its attempts are counted from one.
    wait_until(lambda: rows(c, f"?search={slug}")[id]["state"] == "failed" and rows(c, f"?search={slug}")[id]["attempts"] == 1, SECONDS, "it was not tried again")
    assert before > 1
    page = c.get(f"/jobs/{id}/drop")
    assert page.status == 200
    assert c.api(f"/jobs/{id}/drop", {}).status == 200 and id not in rows(c)
    assert c.api(f"/jobs/{id}/drop", {}).status == 404 and c.api(f"/jobs/{id}/retry", {}).status == 404
    with database(server).cursor() as q:
        for whose in (tenant, "00000000-0000-0000-0000-000000000000"):
            q.execute("select event, actor_name, detail ->> 'kind' from audit_entry where tenant = %s and event like 'job.%%' and object_id = %s order by seq", (whose, str(tenant)))
            assert [(e, k) for e, _, k in q.fetchall()] == [("job.retried", "no-such-kind"), ("job.removed", "no-such-kind")], whose


def test_what_must_not_be_removed(server):
    # covers: ADM-2
    c, (slug, tenant) = operator(server), make_tenant(server)
    later = "now() + interval '1 hour'"
    mail, report = add(server, tenant, "mail", "waiting", None, run_at=later), add(server, tenant, "report", "waiting", None, {"report": str(uuid.uuid4())}, run_at=later)
    try:
        found = rows(c, f"?search={slug}")
        assert found[mail]["may_drop"] and not found[report]["may_drop"]
        assert c.api(f"/jobs/{report}/drop", {}).status == 409 and c.get(f"/jobs/{report}/drop").status == 409
        assert c.api(f"/jobs/{mail}/drop", {}).status == 200 and mail not in rows(c)
        # One that another jobd has in its hands is neither tried again nor removed.
        with database(server).cursor() as q:
            q.execute("update job set run_at = now(), locked_until = now() + interval '1 hour' where id = %s", (report,))
        assert rows(c, f"?search={slug}")[report]["state"] == "running"
        assert c.api(f"/jobs/{report}/retry", {}).status == 409 and c.api(f"/jobs/{report}/drop", {}).status == 409
    finally:
        drop(server, mail, report)


def test_the_database_page(server):
    # covers: ADM-2, SEC-4
    c = operator(server, "system-operator")
    doc = c.api("/database").json
    with database(server).cursor() as q:
        q.execute("select pg_database_size(current_database()), current_setting('max_connections')::int")
        size, most = q.fetchone()
    assert doc["database"]["most"] == most and doc["database"]["size"] and size
    roles = {r["role"]: r for r in doc["connections"]}
    assert {"keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"} <= set(roles)
    assert all(not {s["name"] for s in r["settings"]} & {"password", "passfile", "sslkey", "sslpassword"} for r in roles.values())
    # Sessions of all roles are counted, not just of this console's.
    assert roles["keyward_jobs"]["sessions"] > 0 and roles["keyward_jobs"]["protection"]["colour"] == "green"
    assert doc["tables"] and doc["tables"][0]["bytes"] > 0
    page = c.get("/database")
    assert page.status == 200 and "<svg" in page.text and "keyward_jobs" in page.text
    assert operator(server, "tenant-manager").get("/database").status == 403


def test_the_overview_counts_all_tenants(server):
    # covers: ADM-2, WEB-2, TEN-3
    c, (slug, tenant) = operator(server), make_tenant(server)

    def as_counted():
        with database(server).cursor() as q:
            q.execute("select state, count(*) from tenant group by state")
            return {**dict.fromkeys(("active", "suspended", "closing", "closed"), 0), **dict(q.fetchall())}
    # Accounts that other tests have closed may end in between.
    wait_until(lambda: {s["url"].split("=")[1]: s["count"] for s in c.api("/").json["states"]} == as_counted(), SECONDS, "accounts are not counted")
    before = sum_of(c.api("/").json)
    with database(server).cursor() as q:
        q.execute("insert into request_count_change (tenant, at, by_policy, by_person, denied, pending) values (%s, date_bin('15 minutes', now(), 'epoch'), 3000, 0, 1000, 0)", (tenant,))
    doc = c.api("/").json
    assert sum_of(doc) == before + 4000, doc["chart"]["summary"]
    assert c.get("/").status == 200 and "<svg" in c.get("/").text
    # Who may not see licences does not here either.
    assert operator(server, "system-operator").api("/").json["licences"] == [] and doc["has_licences"]


def sum_of(doc):
    """Its numbers are written for people: 1,000."""
    return sum(int(part.rsplit(" ", 1)[1].replace(",", "")) for part in doc["chart"]["summary"].split(": ", 1)[1].rstrip(".").split(", "))
