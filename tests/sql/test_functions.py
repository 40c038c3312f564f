"""The functions that run with the owner's rights: each does what its comment says and no more (TEN-3, TEN-4)."""
import pathlib
import re
import uuid

import psycopg2
import psycopg2.errors

from test_isolation import populate, refused

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Who may call what; anything else that runs with the owner's rights is a mistake.
DEFINERS = {
    "tenant_by_slug": {"keyward_console"},
    "jobs_tenants": {"keyward_jobs"},
    "report_tenants": {"keyward_jobs"},
    "notice_zone": {"keyward_central", "keyward_console", "keyward_jobs"},
    "report_language": {"keyward_jobs"},
    "report_operator": {"keyward_jobs"},
    "tenant_invite_first_admin": {"keyward_central"},
    "audit_append": {"keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"},
    "public_setting": {"keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"},
    "schema_version": {"keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"},
    "heartbeat_partitions": {"keyward_jobs"},
    "tenant_close_begin": {"keyward_jobs"},
    "audit_months": {"keyward_jobs"},
    "audit_months_drop": {"keyward_jobs"},
    "audit_due": {"keyward_jobs"},
    "audit_behind": {"keyward_jobs"},
    "audit_way": {"keyward_central"},
    "audit_archived": {"keyward_jobs"},
    # In a log database jobd may: test_log_database.py.
    "audit_old": set(),
    "audit_take": set(),
    "audit_forget": set(),
    "audit_search_make": {"keyward_jobs"},
    "audit_search_due": {"keyward_jobs"},
    "audit_search_follow": {"keyward_jobs"},
    "audit_found": {"keyward_central", "keyward_console"},
    "audit_waiting": {"keyward_jobs"},
    "audit_altered": {"keyward_central", "keyward_jobs"},
    "log_forward_due": {"keyward_jobs"},
    "job_take": {"keyward_jobs"},
    "job_finish": {"keyward_jobs"},
    "job_fail": {"keyward_jobs"},
    "job_hold": {"keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"},
    "job_keep": {"keyward_jobs"},
    "job_next": {"keyward_jobs"},
    "timers_due": {"keyward_jobs"},
    "timers_next": {"keyward_jobs"},
    "tenant_default_policy": set(),
    "tenant_integrity_schedule": set(),
    "integrity_timers_due": {"keyward_jobs"},
    "integrity_timers_next": {"keyward_jobs"},
    "search_text_write": set(),
    "search_found": {"keyward_console"},
    "mail_queue": {"keyward_central", "keyward_jobs"},
    "notice_tenants": {"keyward_jobs"},
    "check_tenants": {"keyward_jobs"},
    "saml_second_due": {"keyward_jobs"},
    "operator_saml_turn": {"keyward_central", "keyward_jobs"},
    "operator_saml_drop": {"keyward_central", "keyward_jobs"},
    "notice_head": {"keyward_central", "keyward_console", "keyward_jobs"},
    "notice_entries": {"keyward_jobs"},
    "notice_operators": {"keyward_jobs"},
    "notice_group_tenants": {"keyward_jobs"},
    "webhook_tenants": {"keyward_jobs"},
    "webhook_given_up": {"keyward_central", "keyward_jobs"},
    "device_idle_tenants": {"keyward_jobs"},
    "job_note": {"keyward_jobs"},
    "device_proposal_apply": {"keyward_agent"},
    "device_proposal_settled": set(),
    "instance_missing_tenants": {"keyward_jobs"},
    "request_count_tenants": {"keyward_jobs"},
    "device_adopt": {"keyward_agent"},
    "device_released": {"keyward_agent"},
    "rotation_tenants": {"keyward_jobs"},
    "destruction_tenants": {"keyward_jobs"},
    "destruction_carry_out": {"keyward_jobs"},
    "destruction_void": set(),
    "device_key_used": set(),
    "key_request_may": {"keyward_console", "keyward_agent", "keyward_jobs"},
    "ticket_generation": {"keyward_central"},
    "keys_fetch": {"keyward_agent"},
    "key_ticket": {"keyward_agent"},
    "key_ticket_task": {"keyward_agent"},
    "credential_ticket": {"keyward_agent"},
    "export_ticket": {"keyward_console"},
    "copy_ticket": {"keyward_console"},
    "root_rotation_left": {"keyward_jobs"},
    "root_rotation_count": {"keyward_jobs", "keyward_central"},
    "root_rotation_under": {"keyward_jobs"},
    "setting_rewrapped": {"keyward_jobs"},
    "waiting_link": {"keyward_jobs"},
    "waiting_link_rewrapped": {"keyward_jobs"},
    "tenant_rotations_running": {"keyward_central"},
    "under_tenant_key": set(),
    "tenant_licence": set(),
    "device_licence": set(),
    "licence_count": {"keyward_jobs"},
    "licence_tenants": {"keyward_jobs"},
    "licence_assign": {"keyward_central"},
    "tenant_shred": {"keyward_jobs"},
    "tenant_shred_rows": {"keyward_jobs"},
    "tenant_closure_facts": {"keyward_jobs"},
    "tenant_closed": {"keyward_jobs"},
    "within_quota": set(),
    "quota_used": {"keyward_central"},
    "tenant_joined": {"keyward_central"},
    "signup_ask": {"keyward_console"},
    "signup_find": {"keyward_console"},
    "signup_use": {"keyward_console"},
    "signing_keep": {"keyward_central", "keyward_jobs"},
    "device_key_stored": set(),
    "device_key_gone": set(),
    "device_key_not_gone": set(),
    "key_server_tenants": {"keyward_jobs"},
    "installation_key_server_use": {"keyward_central"},
    "key_servers_away": {"keyward_central"},
    "job_retry": {"keyward_central"},
    "job_drop": {"keyward_central"},
    "certificates_set": {"keyward_central", "keyward_jobs"},
    "installation_requests": {"keyward_central"},
    "process_seen": {"keyward_central", "keyward_jobs"},
    "process_away": {"keyward_central", "keyward_jobs"},
    "process_gone": {"keyward_central", "keyward_jobs"},
    "queue_state": {"keyward_central", "keyward_jobs"},
    "database_sessions": {"keyward_central"},
    "database_folder": {"keyward_jobs"},
    "mail_undelivered": {"keyward_central", "keyward_console"},
    "mail_is_set": {"keyward_central", "keyward_console", "keyward_jobs"},
}
# Those that give out proofs of approval belong to a role of their own, which alone knows the key of them.
TICKETS = {"ticket_generation", "keys_fetch", "key_ticket", "key_ticket_task", "credential_ticket", "export_ticket", "copy_ticket"}
# What servers of the release before this one call: it goes with the next.
FORMER = set()
ROLES = ("keyward_central", "keyward_console", "keyward_agent", "keyward_jobs")


def test_definers_are_these_and_no_others(pg):
    # covers: TEN-4
    rows = pg.run("postgres", "select proname, oid, proconfig, pg_get_userbyid(proowner) from pg_proc"
                  " where pronamespace = 'public'::regnamespace and prosecdef")
    assert {r[0] for r in rows} == set(DEFINERS)
    for name, oid, config, owner in rows:
        assert owner == ("keyward_tickets" if name in TICKETS else "keyward_owner"), name
        assert config and "search_path=public, pg_temp" in config, f"{name}: no fixed search_path"
        for role in ROLES:
            may = pg.run("postgres", "select has_function_privilege(%s, %s::oid, 'EXECUTE')", (role, oid))[0][0]
            assert may == (role in DEFINERS[name]), f"{role} and {name}"
    # And no function at all may be called by just anybody.
    public = pg.run("postgres", "select p.proname from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
                    " where p.pronamespace = 'public'::regnamespace and a.grantee = 0")
    assert public == [], public


def test_nobody_has_left_a_function_behind(pg):
    # covers: TEN-4, SEC-7, OPS-4
    """Each is called by the product or by something of the schema; and none of the owner's rights stands there twice, in a former shape too."""
    product = "\n".join(f.read_text() for f in (ROOT / "src").rglob("*.[ch]"))
    functions = pg.run("postgres", "select proname, oid, prosrc, prosecdef from pg_proc p where pronamespace = 'public'::regnamespace"
                       " and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')")
    schema = pg.run("postgres", "select string_agg(x, ' ') from (select pg_get_expr(adbin, adrelid) x from pg_attrdef"
                    " union all select pg_get_constraintdef(oid) from pg_constraint union all select pg_get_triggerdef(oid) from pg_trigger"
                    " union all select pg_get_indexdef(indexrelid) from pg_index union all select concat(qual, with_check) from pg_policies"
                    " union all select pg_get_viewdef(oid) from pg_class where relkind = 'v') t")[0][0]
    for name, oid, _, _ in functions:
        callers = [product, schema, *(body for _, other, body, _ in functions if other != oid)]
        # What migrations isolate new tables with.
        assert name == "isolate" or name in FORMER or any(re.search(rf"\b{name}\b", text) for text in callers), f"{name} is called by nobody"
    definers = [f[0] for f in functions if f[3] and f[0] not in FORMER]
    assert sorted(definers) == sorted(set(definers))


def test_slug_finds_one_exact_match(pg):
    # covers: TEN-4
    pg.new_tenant("slug-exact")
    ask = "select id, name, state from tenant_by_slug(%s)"
    assert len(pg.run("keyward_console", ask, ("slug-exact",))) == 1
    for text in ("slug-exac", "slug-%", "SLUG-EXACT", "", "%", "' or true --", None):
        assert pg.run("keyward_console", ask, (text,)) == [], text


def test_public_settings_only(pg):
    # covers: SEC-4
    pg.run("keyward_central", "insert into setting (name, value) values ('public.url', '\"u\"'), ('smtp.password', '\"s\"'),"
           " ('publicity', '1')")
    ask = "select public_setting(%s)"
    assert pg.run("keyward_console", ask, ("public.url",))[0][0] == "u"
    for name in ("smtp.password", "publicity", "public.%", "%"):
        assert pg.run("keyward_console", ask, (name,))[0][0] is None, name


def test_operator_gets_in_only_before_anybody_else(pg):
    # covers: TEN-3
    tenant = pg.new_tenant()
    call = "select tenant_invite_first_admin(%s, %s, %s, 'A', %s, now() + interval '1 day')"

    def invite(email):
        c = pg.connect("keyward_central")
        try:
            with c, c.cursor() as cur:
                cur.execute(call, (tenant, uuid.uuid4(), email, uuid.uuid4().bytes * 2))
                cur.execute("select current_setting('keyward.tenant', true)")
                assert cur.fetchone()[0] in (None, ""), "the function's binding outlived it"
        finally:
            c.close()

    invite("a@example.com")
    invite("b@example.com")
    users = pg.run("postgres", "select email, role, state from app_user where tenant = %s", (tenant,))
    assert users == [("b@example.com", "account-administrator", "invited")]
    pg.run("postgres", "update app_user set state = 'active', password = 'x' where tenant = %s", (tenant,))
    for state in ("active", "disabled"):
        pg.run("postgres", "update app_user set state = %s where tenant = %s", (state, tenant))
        try:
            invite("c@example.com")
        except psycopg2.errors.InsufficientPrivilege:
            continue
        raise AssertionError(f"the operator got in beside a user who is {state}")
    assert pg.run("postgres", "select count(*) from app_user where tenant = %s", (tenant,))[0][0] == 1
    # Not into what is not there, and not into what is suspended.
    for state in ("suspended", None):
        other = pg.new_tenant()
        if state:
            pg.run("keyward_central", "update tenant set state = %s where id = %s", (state, other))
        c = pg.connect("keyward_central")
        refused(c, call, (other if state else uuid.uuid4(), uuid.uuid4(), "d@example.com", b"t" * 32),
                (psycopg2.errors.NoDataFound,))
        c.close()


def test_nothing_can_be_put_in_the_functions_way(pg):
    # covers: TEN-4
    # A table or function of the same name in a schema of the caller's choosing is not looked at.
    tenant = pg.new_tenant()
    for role in ROLES:
        c = pg.connect(role, tenant=tenant)
        refused(c, "create temporary table audit_head (tenant uuid)")
        refused(c, "create table x (a int)")
        with c.cursor() as cur:
            cur.execute("set search_path = pg_temp")
            cur.execute("select public.schema_version()")
            assert cur.fetchone()[0].endswith(".sql")
        c.rollback()
        c.close()


def test_default_policy_is_born_with_the_tenant_and_stays(pg):
    # covers: POL-1, POL-6, TEN-3
    tenant = pg.new_tenant()
    rows = pg.run("keyward_console", "select is_default, on_match, on_mismatch, rules from policy", tenant=tenant)
    assert rows == [(True, "manual", "manual", [])]
    c = pg.connect("keyward_console", tenant=tenant)
    # Its first version stands in the list of versions (POL-6), in the shape of a policy document, and what is there stays as it is.
    (document, at_start), = pg.run("keyward_console", "select v.document, v.document = policy_document(p) from policy_version v"
                                   " join policy p on p.id = v.policy", tenant=tenant)
    assert at_start and document["keyward_policy"] == 1 and document["approvals"] == {"needed": 1, "of": [], "expires_s": 86400}
    refused(c, "update policy_version set why = 'x'")
    refused(c, "delete from policy_version")
    gone = (psycopg2.errors.RestrictViolation,)
    refused(c, "delete from policy", None, gone)
    refused(c, "update policy set is_default = false", None, gone)
    refused(c, "insert into policy (tenant, id, name, is_default) values (current_tenant(), %s, 'x', true)", (uuid.uuid4(),),
            (psycopg2.errors.UniqueViolation,))
    c.close()


def test_queue_hands_out_each_job_once(pg):
    # covers: SEC-7
    tenant = pg.new_tenant()
    for _ in range(5):
        pg.run("keyward_console", "insert into job (id, tenant, kind) values (%s, %s, 'mail')", (uuid.uuid4(), tenant),
               tenant=tenant)
    connections = [pg.connect("keyward_jobs") for _ in range(4)]
    taken = []
    for c in connections:
        with c.cursor() as cur:
            cur.execute("select id from job_take('1 minute')")
            taken += [r[0] for r in cur.fetchall()]
    assert len(taken) == len(set(taken)) == 4
    # One that dies with its transaction gives its job back.
    connections[0].rollback()
    with connections[1].cursor() as cur:
        cur.execute("select id from job_take('1 minute')")
        assert cur.fetchone()[0] == taken[0]
    for c in connections:
        c.rollback()
        c.close()
    pg.run("postgres", "delete from job")


def test_jobs_whose_peer_was_away_can_be_left_to_others(pg):
    # covers: TEN-4, SEC-5, NTF-1
    tenant = pg.new_tenant()

    def add(away, unique=None):
        id = uuid.uuid4()
        pg.run("keyward_jobs", "insert into job (id, tenant, kind, away, unique_key) values (%s, %s, 'log-forward', %s, %s) on conflict do nothing", (id, tenant, away, unique), tenant=tenant)
        return id

    def take(with_away):
        rows = pg.run("keyward_jobs", "select id from job_take('1 minute', '{}', %s)", (with_away,))
        return rows[0][0] if rows else None

    def due(with_away):
        return pg.run("keyward_jobs", "select job_next('{mail}', %s) <= now(), job_next('{log-forward}', %s)", (with_away, with_away))[0]

    assert due(True) == (None, None)
    away = add(True, "same")
    # What is wanted now is not taken for one that waits behind those that are away; a second of either is.
    wanted, _, _ = add(False, "same"), add(False, "same"), add(True, "same")
    assert pg.run("postgres", "select count(*) from job")[0][0] == 2
    assert due(False) == due(True) == (True, None) and take(False) == wanted and take(False) is None and due(False) == (None, None)
    # Nor one that has failed by itself.
    pg.run("keyward_jobs", "select job_fail(%s, 'no answer', now() - interval '1 second')", (wanted,))
    assert take(False) is None and due(False) == (None, None) and {take(True), take(True)} == {away, wanted}
    pg.run("postgres", "delete from job")


def test_nobodys_many_jobs_come_before_anothers_first(pg):
    # covers: TEN-4, SEC-5
    many, few = pg.new_tenant(), pg.new_tenant()

    def add(tenant, kind="webhook"):
        id = uuid.uuid4()
        pg.run("keyward_console", "insert into job (id, tenant, kind) values (%s, %s, %s)", (id, tenant, kind), tenant=tenant)
        return id

    def take(leave="{}"):
        rows = pg.run("keyward_jobs", "select id from job_take('1 minute', %s)", (leave,))
        return rows[0][0] if rows else None

    first, second, third, fourth = (add(many) for _ in range(4))
    mail, other = add(few, "mail"), add(few, "mail")
    assert [take() for _ in range(3)] == [first, mail, second], "by turns, and by age where all have had theirs"
    # Who has one under way is anybody who has: also of a kind that is left alone.
    assert take("{mail}") == third and take() == fourth
    # One that failed is not under way while it waits.
    late = add(few, "mail")
    pg.run("keyward_jobs", "select job_fail(%s, 'no answer', now() + interval '1 hour')", (mail,))
    more = add(many)
    assert [take() for _ in range(2)] == [other, late]
    assert take() == more and take() is None
    pg.run("postgres", "delete from job")


def test_heartbeat_partitions(pg):
    # covers: AGT-5
    tenant = pg.new_tenant()
    ids = populate(pg, tenant)
    pg.run("keyward_jobs", "select heartbeat_partitions(12)")
    before = pg.run("postgres", "select count(*) from pg_inherits where inhparent = 'heartbeat'::regclass")[0][0]
    assert before >= 4
    pg.run("postgres", "create table heartbeat_200001 partition of heartbeat for values from ('2000-01-01') to ('2000-02-01');"
           " alter table heartbeat_200001 owner to keyward_owner; select isolate('heartbeat_200001')")
    pg.run("keyward_jobs", "select heartbeat_partitions(12)")
    assert pg.run("postgres", "select to_regclass('heartbeat_200001')")[0][0] is None
    assert pg.run("postgres", "select count(*) from pg_inherits where inhparent = 'heartbeat'::regclass")[0][0] == before
    rows = pg.run("keyward_console", "select count(*) from heartbeat where agent = %s", (ids["agent"],), tenant=tenant)
    assert rows[0][0] == 4
    # Partitions are reached only through their parent.
    c = pg.connect("keyward_console", tenant=tenant)
    refused(c, "select 1 from heartbeat_other")
    refused(c, "select heartbeat_partitions(1)")
    c.close()
    try:
        pg.run("keyward_jobs", "select heartbeat_partitions(0)")
    except psycopg2.errors.InvalidParameterValue:
        return
    raise AssertionError("dropped everything")


def test_timers_tell_times_and_tenants_of_the_active(pg):
    # covers: POL-4, TEN-4, TEN-7
    tenants = [pg.new_tenant() for _ in range(3)]
    for t in tenants:
        populate(pg, t)
    pg.run("postgres", "update key_request set approve_at = null, votes_expire = null")
    ask = "select timer, tenant from timers_due()", "select timers_next() - now()"
    assert pg.run("keyward_jobs", ask[0]) == [] and pg.run("keyward_jobs", ask[1]) == [(None,)]
    for t, minutes in zip(tenants, (-2, -1, 5)):
        pg.run("postgres", "update key_request set status = 'pending', closed = null, approve_at = now() + %s * interval '1 minute'"
               " where tenant = %s", (minutes, t))
    assert {r[1] for r in pg.run("keyward_jobs", ask[0])} == set(tenants[:2])
    assert pg.run("keyward_jobs", ask[1])[0][0].total_seconds() < -100
    pg.run("postgres", "update tenant set state = 'suspended' where id = %s", (tenants[0],))
    assert {r[1] for r in pg.run("keyward_jobs", ask[0])} == {tenants[1]}
    assert -100 < pg.run("keyward_jobs", ask[1])[0][0].total_seconds() < -50
    # What is decided, or closed, waits for nothing; the first of two times counts.
    pg.run("postgres", "update key_request set status = 'denied' where tenant = %s", (tenants[1],))
    pg.run("postgres", "update key_request set votes_expire = now() + interval '2 minutes' where tenant = %s", (tenants[2],))
    assert pg.run("keyward_jobs", ask[0]) == [] and 100 < pg.run("keyward_jobs", ask[1])[0][0].total_seconds() <= 120
    pg.run("postgres", "update key_request set closed = now() where tenant = %s", (tenants[2],))
    assert pg.run("keyward_jobs", ask[1]) == [(None,)]


def test_a_pooled_device_goes_to_one_instance(pg):
    # covers: POL-5
    tenant = pg.new_tenant()
    ids = populate(pg, tenant)
    other = uuid.uuid4()
    pg.run("postgres", "insert into instance (tenant, id, provider, provider_instance) values (%s, %s, 'ec2', 'j')", (tenant, other))
    pg.run("postgres", "update key_request set pooled = true where id = %s", (ids["request"],))
    add = ("insert into key_request (tenant, id, device, instance, agent, access, recipient_key, signature, pooled)"
           " values (%s, %s, %s, %s, %s, 'read-only', %s, %s, %s)")

    def args(pooled):
        return (tenant, uuid.uuid4(), ids["device"], other, ids["agent"], b"k" * 65, b"s" * 64, pooled)

    c = pg.connect("postgres")
    refused(c, add, args(True), (psycopg2.errors.UniqueViolation,))
    c.close()
    pg.run("postgres", "update key_request set status = 'denied' where id = %s", (ids["request"],))
    pg.run("postgres", add, args(True))


def test_search_names_only_what_is_ones_own(pg):
    # covers: TEN-4, PERF-2
    mine, theirs = pg.new_tenant(), pg.new_tenant()
    ids = {t: populate(pg, t) for t in (mine, theirs)}
    kinds = ["device", "instance", "image", "policy"]
    ask = "select id from search_found(%s, %s, 100)"

    def found(pattern, tenant=None):
        return {r[0] for r in pg.run("keyward_console", ask, (pattern, kinds), tenant=tenant)}

    assert found("%", mine) >= {ids[mine][k] for k in ("device", "instance", "image")}
    for pattern in ("%", "%v%", "%ami%", "%efault%"):
        rows = found(pattern, mine)
        assert rows and not rows & found(pattern, theirs), pattern
        assert found(pattern) == set(), pattern
    # Nobody reads or writes its table past it.
    for role in ROLES:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            assert not pg.run("postgres", "select has_table_privilege(%s, 'search_text', %s)", (role, right))[0][0], (role, right)
    assert not pg.run("postgres", "select 1 from unnest(%s) r where has_schema_privilege(r, 'extension', 'USAGE')", (list(ROLES),))


def test_copied_texts_of_the_log_are_only_ones_own(pg):
    # covers: TEN-4, LOG-1, PERF-2
    mine, theirs = pg.new_tenant(), pg.new_tenant()
    for tenant, first, last in ((mine, 1, 300), (theirs, 1, 20), (mine, 301, 1500)):
        pg.run("keyward_console", "select audit_append('user', 'user.changed', 'user', null, 'Person ' || n, 'user', null, 'x', null, null, null)"
               " from generate_series(%s, %s) n", (first, last), tenant=tenant)
    due, follow, copied = "select audit_search_due(%s)", "select audit_search_follow(%s, %s)", "select min(seq), max(seq), count(*) from audit_recent where tenant = %s"
    assert pg.run("keyward_jobs", due, (500,)) == [(True,)]
    while pg.run("keyward_jobs", follow, (500, 600)) != [(0,)] or pg.run("keyward_jobs", "select audit_search_make()") != [(None,)]:
        pass
    assert pg.run("keyward_jobs", due, (500,)) == [(False,)]
    # Once each, from the first on; a chain that is short is left alone, and so is what has just come.
    assert pg.run("postgres", copied, (mine,)) == [(1, 1200, 1200)] and pg.run("postgres", copied, (theirs,)) == [(None, None, 0)]
    found = "select seq from audit_found(%s, null, null, null, null, null, 'at', true, null, null, 5) seq"
    # Among the first that are read; only in what was copied; in what was not.
    for pattern, numbers in (("%person 7__%", range(795, 800)), ("%person 33_%", range(335, 340)), ("%person 1499%", [1499]), ("%nobody%", ())):
        got = sorted(r[0] for r in pg.run("keyward_console", found, (pattern,), tenant=mine))
        assert got[-5:] == list(numbers), (pattern, got)
    assert pg.run("keyward_console", found, ("%person 33_%",), tenant=theirs) == []
    # Nobody reads or writes it past that.
    for role in ROLES:
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            assert not pg.run("postgres", "select has_table_privilege(%s, 'audit_recent', %s)", (role, right))[0][0], (role, right)


def test_agents_configure_devices_only_by_what_the_account_permits(pg):
    # covers: CFG-2, DEV-3, TEN-4
    tenant = pg.new_tenant("proposals")
    policy = pg.run("postgres", "select id from policy where tenant = %s", (tenant,))[0][0]
    instance, other = uuid.uuid4(), uuid.uuid4()
    for i in (instance, other):
        pg.run("postgres", "insert into instance (tenant, id, provider, provider_instance) values (%s, %s, 'ec2', %s)", (tenant, i, str(i)))

    def tried(rule=None, overwrite=False, by=instance, **values):
        """Whether the agents' role gets it done, by the function; and then what the device is like."""
        row = {"tenant": tenant, "id": uuid.uuid4(), "provider": "ec2", "policy": policy, "instance": instance, **values}
        row["provider_device"] = str(row["id"])
        pg.run("postgres", f"insert into device ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})", list(row.values()))
        pg.run("postgres", "update tenant set settings = %s where id = %s", ('{"guest_proposals": "%s"}' % rule if rule else "{}", tenant))
        pg.run("keyward_agent", "insert into device_proposal (tenant, device, instance, os, filesystem, mount_point, access, mode, key_bits,"
               " overwrite) values (%s, %s, %s, 'linux', 'xfs', '/srv/x', 'read-only', 'xts-plain64', 128, %s)",
               (tenant, row["id"], by, overwrite), tenant)
        try:
            pg.run("keyward_agent", "select device_proposal_apply(%s)", (row["id"],), tenant)
        except psycopg2.errors.InsufficientPrivilege:
            assert pg.run("postgres", "select status, filesystem from device where id = %s", (row["id"],)) == [
                (values.get("status", "not-configured"), "")]
            return None
        assert pg.run("postgres", "select 1 from device_proposal where device = %s", (row["id"],)) == []
        return pg.run("postgres", "select status, filesystem, access, key_bits, overwrite from device where id = %s", (row["id"],))[0]

    done = ("encryption-pending", "xfs", "read-only", 128)
    assert tried() == done + (False,) and tried("empty") == done + (False,) and tried("confirmed") == done + (False,)
    assert tried("confirmed", True, found_filesystem="ext4") == done + (True,)
    # Named for it, but empty: nothing to overwrite, and what turns up later is not given up.
    assert tried("confirmed", True) == done + (False,)
    for refused in ({"rule": "ask"}, {"rule": "refuse"}, {"rule": "nonsense"}, {"found_filesystem": "ext4"},
                    {"found_filesystem": "ext4", "overwrite": True}, {"rule": "confirmed", "found_filesystem": "ext4"},
                    {"by": other}, {"is_system": True}, {"is_busy": True}, {"status": "configured"}, {"status": "encrypted"}):
        assert tried(**refused) is None, refused
    device = pg.run("postgres", "select id from device where tenant = %s and status = 'configured'", (tenant,))[0][0]
    for stolen in ("filesystem = 'ext3'", "overwrite = true", "mount_point = '/x'", "key_bits = 128", "name = 'x'"):
        try:
            pg.run("keyward_agent", f"update device set {stolen} where id = %s", (device,), tenant)
            raise AssertionError(stolen)
        except psycopg2.errors.InsufficientPrivilege:
            pass


def test_agents_adopt_what_nobody_manages_and_release_what_was_allowed(pg):
    # covers: VOL-7, TEN-4
    tenant, other = pg.new_tenant("custody"), pg.new_tenant("custody-other")
    policy = pg.run("postgres", "select id from policy where tenant = %s", (tenant,))[0][0]

    def device(**values):
        row = {"tenant": tenant, "id": uuid.uuid4(), "provider": "ec2", "policy": policy, **values}
        row["provider_device"] = str(row["id"])
        pg.run("postgres", f"insert into device ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})", list(row.values()))
        return row["id"]

    def call(sql, id, bound=tenant):
        try:
            return pg.run("keyward_agent", f"select {sql}", (id,), bound)[0][0]
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.NoDataFound) as e:
            return type(e)

    adopt = "device_adopt(%s, '', '/srv/x', 'read-only', 'serpent', 'xts-plain64', 512, 'sha512')"
    look = "select mount_point, access, cipher, key_bits, adopting from device where id = %s"
    fresh = device()
    assert call(adopt, fresh, other) is psycopg2.errors.NoDataFound
    call(adopt, fresh)
    assert pg.run("postgres", look, (fresh,)) == [("/srv/x", "read-only", "serpent", 512, True)]
    # What a person has configured stays; the cipher is the header's.
    decided = device(status="configured", configured="2026-01-01", mount_point="/srv/decided")
    call(adopt, decided)
    assert pg.run("postgres", look, (decided,)) == [("/srv/decided", "read-write", "serpent", 512, True)]
    for status in ("encryption-pending", "encrypting", "encrypted", "in-use", "decrypting", "undetected"):
        assert call(adopt, device(status=status)) is psycopg2.errors.NoDataFound, status
    release = "device_released(%s)"
    for destroys, left in ((True, []), (False, [("former",)])):
        for allowed in ("", "hand-over"):
            held = device(status="encrypted", release=allowed, release_destroys=destroys, luks_uuid="x", key_created="2026-01-01")
            pg.run("postgres", "insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, 'x')", (tenant, held))
            assert call(release, held, other) is psycopg2.errors.InsufficientPrivilege
            got = call(release, held)
            if not allowed:
                assert got is psycopg2.errors.InsufficientPrivilege
                continue
            assert got == int(destroys)
            assert pg.run("postgres", "select state from device_key where device = %s", (held,)) == left
            assert pg.run("postgres", "select release, luks_uuid, key_created from device where id = %s", (held,)) == [("", "", None)]
            assert call(release, held) is psycopg2.errors.InsufficientPrivilege
    for stolen in ("release = 'hand-over'", "release_destroys = true", "mount_point = '/x'", "adopted = now()"):
        try:
            pg.run("keyward_agent", f"update device set {stolen} where id = %s", (fresh,), tenant)
            raise AssertionError(stolen)
        except psycopg2.errors.InsufficientPrivilege:
            pass
