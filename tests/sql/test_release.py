"""What triggers keep about a key request (sql/0016) is always what its columns say; and a delivery costs no index anything."""
import uuid

from test_isolation import populate

# How each of them follows from the rest of the row.
DERIVED = {
    "phase": "case status when 'delivered' then 'approved' else status end",
    "due": "case when closed is null and status = 'pending' then least(approve_at, votes_expire) end",
    "revoke_due": "case when closed is null and status = 'revoking' and revoke_ordered is null then least(revoke_at, recheck_at)"
                  " when closed is null and status in ('revoking', 'revoked') then recheck_at end",
    "gist": "md5(agent::text || device::text || coalesce(policy::text, '') || access || mount_point || integrity"
            " || coalesce(jsonb_path_query_array(verdict, '$.**.status')::text, ''))",
}
WAITS = "exists (select 1 from key_waiting w where w.tenant = r.tenant and w.request = r.id) = (closed is null and status = 'approved')"


def holds(c, request):
    with c.cursor() as cur:
        for column, expression in DERIVED.items():
            cur.execute(f"select {column}, {expression} from key_request where id = %s", (request,))
            kept, told = cur.fetchone()
            assert kept == told, f"{column} is {kept}, but the row says {told}"
        cur.execute(f"select {WAITS} from key_request r where id = %s", (request,))
        assert cur.fetchone()[0], "listed as waiting, or not, but it is not so"


def test_what_is_kept_follows_from_the_row(pg):
    # covers: RUN-2, RUN-8, INT-2, POL-4
    tenant = pg.new_tenant()
    ids = populate(pg, tenant)
    agent, console, jobs = (pg.connect_believed(r, tenant) for r in ("keyward_agent", "keyward_console", "keyward_jobs"))
    steps = (
        (jobs, "verdict = '{\"rules\": [{\"status\": \"passed\"}]}', integrity = 'good'"), (agent, "mount_point = '/elsewhere'"),
        (console, "policy = null"), (agent, "status = 'delivered'"), (jobs, "status = 'revoking', revoke_at = now(), recheck_at = null"),
        (jobs, "recheck_at = now() - interval '1 minute'"), (jobs, "revoke_ordered = now()"), (agent, "status = 'revoked'"),
        (console, "status = 'pending'"), (jobs, "approve_at = now() + interval '1 hour'"), (jobs, "votes_expire = now()"),
        (console, "status = 'approved', decided_by = gen_random_uuid()"), (jobs, "closed = now()"), (jobs, "closed = null"),
        (jobs, "status = 'denied'"), (jobs, "status = 'approved'"),
    )
    for c in (agent, console, jobs):
        holds(c, ids["request"])
    for c, change in steps:
        with c.cursor() as cur:
            cur.execute(f"update key_request set {change} where id = %s", (ids["request"],))
            assert cur.rowcount == 1
        holds(c, ids["request"])
    # One that was taken back and may be asked for again keeps nothing of the former decision.
    assert pg.run("postgres", "select decided_by_name, revoke_at from key_request where id = %s", (ids["request"],)) == [(None, None)]
    pg.run("postgres", "delete from key_request where id = %s", (ids["request"],))
    assert pg.run("postgres", "select count(*) from key_waiting where tenant = %s", (tenant,))[0][0] == 0


def test_a_delivery_touches_no_index(pg):
    # covers: PERF-2, LOG-3
    tenant = pg.new_tenant()
    ids = populate(pg, tenant)
    c = pg.connect("keyward_agent", tenant=tenant)
    c.autocommit = False
    with c.cursor() as cur:
        cur.execute("select set_config('keyward.tenant', %s, true)", (str(tenant),))
        # The same key again is logged, and nothing else.
        for again in (False, True):
            cur.execute("select keys_delivered(array[%s]::uuid[], array[%s]::uuid[], '{1}', array[%s], 'agent', array[%s]::uuid[], null, '{disk}',"
                        " '{\"{}\"}', '{192.0.2.1}', '{r}')", (str(tenant), ids["request"], again, ids["agent"]))
            cur.execute("select pg_stat_get_xact_tuples_hot_updated('key_request'::regclass), pg_stat_get_xact_tuples_updated('key_request'::regclass)")
            assert cur.fetchone() == (1, 1)
    c.commit()
    entries = pg.run("postgres", "select count(*) from audit_entry where object_id = %s and event = 'key.delivered'", (ids["request"],))
    assert (deliveries(pg, ids["request"]), entries[0][0]) == ([], 2)


def fetched(c, *wanted):
    """Which of WANTED (account, request, agent) came, in their order."""
    with c.cursor() as cur:
        cur.execute("select k is not null from keys_fetch(%s::uuid[], %s::uuid[], %s::uuid[]) k", tuple([str(w[i]) for w in wanted] for i in range(3)))
        return [r[0] for r in cur.fetchall()]


def test_several_accounts_in_one_transaction_see_each_their_own(pg):
    # covers: TEN-4, KEY-4
    one, two = ((t, populate(pg, t)) for t in (pg.new_tenant(), pg.new_tenant()))
    mine, theirs = ((t, ids["request"], ids["agent"]) for t, ids in (one, two))
    c, other = (pg.connect("keyward_agent") for _ in range(2))
    c.autocommit = other.autocommit = False
    # Another account's request is no request, by whatever mixture of ids.
    assert fetched(c, mine, (one[0], *theirs[1:]), theirs, (two[0], *mine[1:]), (one[0], uuid.uuid4(), mine[2])) == [True, False, True, False, False]
    # Who comes later waits for none of them, and gets the others.
    assert fetched(other, mine, theirs) == [False, False]
    c.rollback()
    other.rollback()
    with other.cursor() as cur:
        cur.execute("select set_config('keyward.tenant', %s, true)", (str(one[0]),))
        cur.execute("select 1 from key_request where id = %s for update", (mine[1],))
    assert fetched(c, mine, theirs) == [False, True]
    c.rollback()
    other.rollback()


def deliveries(pg, request):
    """What the history keeps of them; the last one is the request's own."""
    return [r[0] for r in pg.run("postgres", "select at from key_decision where request = %s and decision = 'deliver' order by at", (request,))]


def test_no_delivery_is_lost(pg):
    # covers: RUN-2, LOG-3, INT-4
    """One that gives way to another, or to a question anew, is in the history, whoever writes it away; one that a server of before has put there is
    not put there again."""
    tenant = pg.new_tenant()
    request = populate(pg, tenant)["request"]
    agent, jobs = (pg.connect_believed(r, tenant) for r in ("keyward_agent", "keyward_jobs"))
    delivered = "select delivered from key_request where id = %s"

    def step(c, change):
        before = pg.run("postgres", delivered, (request,))[0][0]
        with c.cursor() as cur:
            cur.execute(f"update key_request set {change} where id = %s", (request,))
            assert cur.rowcount == 1
        return before

    step(agent, "status = 'delivered', delivered = now(), key_version = 1")
    kept = [step(agent, "status = 'delivered', delivered = now() + interval '1 hour', key_version = 2")]
    assert deliveries(pg, request) == kept and kept[0]
    step(jobs, "status = 'revoking', revoke_ordered = now()")
    step(agent, "status = 'revoked'")
    assert deliveries(pg, request) == kept
    kept.append(step(agent, "status = 'pending'"))
    assert deliveries(pg, request) == kept and pg.run("postgres", delivered, (request,))[0][0] is None
    step(jobs, "status = 'approved'")
    with agent.cursor() as cur:
        cur.execute("begin")
        cur.execute("select keys_delivered(array[%s]::uuid[], array[%s]::uuid[], '{2}', '{f}', 'agent', '{null}', null, '{disk}', array['{}'::json], '{192.0.2.1}', '{r}')",
                    (str(tenant), request))
        cur.execute("commit")
    kept.append(step(agent, "delivered = null"))
    assert deliveries(pg, request) == sorted(kept) and len(set(kept)) == 3
