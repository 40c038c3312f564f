"""Row security: every table that has a tenant, under every role (TEN-4), and what a role may not do at all (TEN-3)."""
import uuid

import psycopg2
import psycopg2.errors

TENANT_ROLES = ("keyward_console", "keyward_agent", "keyward_jobs")
NIL = uuid.UUID(int=0)
# Tables whose tenant column has a policy of its own kind, and why.
SPECIAL = {
    "tenant": "its id is the tenant; the operator sees all rows",
    "job": "null is the installation's; tried in test_queue_is_isolated",
}


def tables(pg):
    """Every table and partition with a column `tenant`, and `tenant` itself."""
    rows = pg.run("postgres", "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
                  " where n.nspname = 'public' and c.relkind in ('r', 'p') and (c.relname = 'tenant' or exists"
                  " (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant' and not a.attisdropped))"
                  " order by 1")
    return [r[0] for r in rows]


def columns(pg, table):
    return [r[0] for r in pg.run("postgres", "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
                                 " and not attisdropped order by attnum", (table,))]


def may(pg, role, table, right):
    return pg.run("postgres", "select has_table_privilege(%s, %s, %s) or has_any_column_privilege(%s, %s, %s)"
                  if right in ("SELECT", "INSERT", "UPDATE") else "select has_table_privilege(%s, %s, %s)",
                  (role, table, right) * (2 if right in ("SELECT", "INSERT", "UPDATE") else 1))[0][0]


def populate(pg, tenant):
    """A row of TENANT in every table that has a tenant; as superuser, whom row security does not bind."""
    ids = {n: uuid.uuid4() for n in ("export", "user", "image", "draft", "instance", "agent", "device", "request", "bulk", "report",
                                         "session")}
    policy = pg.run("postgres", "select id from policy where tenant = %s", (tenant,))[0][0]
    token = uuid.uuid4().bytes * 2
    steps = [
        ("insert into tenant_rotation (tenant, id, started_by) values (%s, %s, 'A')", (tenant, uuid.uuid4())),
        ("insert into provisioning (tenant, passphrase, verifier) values (%s, 'p', 'v')", (tenant,)),
        ("insert into app_user (tenant, id, email, name, role) values (%s, %s, 'a@example.com', 'A', 'auditor')",
         (tenant, ids["user"])),
        ("insert into user_session (tenant, token, id, user_id, csrf, expires) values (%s, %s, %s, %s, 'c', now() + '1 day')",
         (tenant, token, ids["session"], ids["user"])),
        ("insert into saml (tenant) values (%s)", (tenant,)),
        ("insert into saml_request (tenant, id, browser, purpose, expires) values (%s, %s, %s, 'sign-in', now() + '1 day')",
         (tenant, "_" + uuid.uuid4().hex, token)),
        ("insert into saml_session (tenant, session, issuer, name_id, format) values (%s, %s, 'i', 'n', 'f')", (tenant, ids["session"])),
        ("insert into invitation (tenant, token, kind, user_id, expires) values (%s, %s, 'reset', %s, now() + '1 day')",
         (tenant, token, ids["user"])),
        ("insert into tenant_export (tenant, id, requested_by) values (%s, %s, 'A')", (tenant, ids["export"])),
        ("insert into tenant_export_part (tenant, export, part, data) values (%s, %s, 0, 'x')", (tenant, ids["export"])),
        ("insert into known_browser (tenant, user_id, token) values (%s, %s, %s)", (tenant, ids["user"], token)),
        ("insert into second_factor (tenant, user_id, secret) values (%s, %s, 's')", (tenant, ids["user"])),
        ("insert into recovery_code (tenant, user_id, hash) values (%s, %s, %s)", (tenant, ids["user"], token)),
        ("insert into image (tenant, id, provider, provider_image) values (%s, %s, 'ec2', 'ami')", (tenant, ids["image"])),
        ("insert into policy_image (tenant, policy, image) values (%s, %s, %s)", (tenant, policy, ids["image"])),
        ("insert into policy_draft (tenant, id, owner, document) values (%s, %s, %s, '{}')", (tenant, ids["draft"], ids["user"])),
        ("insert into policy_draft_member (tenant, draft, kind, member, chosen) values (%s, %s, 'image', %s, true)",
         (tenant, ids["draft"], ids["image"])),
        ("insert into instance (tenant, id, provider, provider_instance) values (%s, %s, 'ec2', 'i')", (tenant, ids["instance"])),
        ("insert into image_credential (tenant, image, provider, version, label, secret, instance) values (%s, %s, 'ec2', 1, 'id', 's', %s)",
         (tenant, ids["image"], ids["instance"])),
        ("insert into fact_change (tenant, id, instance, at, fact, kind) values (%s, %s, %s, now(), 'os.kernel', 'changed')",
         (tenant, uuid.uuid4(), ids["instance"])),
        ("insert into agent (tenant, id, instance, public_key) values (%s, %s, %s, %s)",
         (tenant, ids["agent"], ids["instance"], uuid.uuid4().bytes * 4 + b"x")),
        ("insert into device (tenant, id, provider, provider_device, policy) values (%s, %s, 'ec2', 'v', %s)",
         (tenant, ids["device"], policy)),
        ("insert into device_proposal (tenant, device, instance, os, filesystem, mount_point, access, mode, key_bits, overwrite)"
         " values (%s, %s, %s, 'linux', 'ext4', '/srv/x', 'read-only', 'xts-plain64', 256, false)",
         (tenant, ids["device"], ids["instance"])),
        ("insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, 'w')", (tenant, ids["device"])),
        ("insert into heartbeat (tenant, agent, at) values (%s, %s, now())", (tenant, ids["agent"])),
        ("insert into heartbeat (tenant, agent, at) values (%s, %s, now() - interval '5 years')", (tenant, ids["agent"])),
        ("insert into heartbeat (tenant, agent, at) values (%s, %s, now() + interval '1 month')", (tenant, ids["agent"])),
        ("insert into heartbeat (tenant, agent, at) values (%s, %s, date_trunc('month', now()) + interval '2 months 10 days')",
         (tenant, ids["agent"])),
        ("insert into audit_checkpoint values (%s, 1, %s, now(), %s)", (tenant, b"h" * 32, b"s" * 64)),
        ("insert into audit_archive (tenant, id, month, first, last, before, after, bytes, digest, made, signature, expires) values"
         " (%s, %s, '2020-01-01', 1, 1, %s, %s, 1, %s, now(), %s, now())",
         (tenant, ids["export"], b"h" * 32, b"h" * 32, b"h" * 32, b"s" * 64)),
        ("insert into audit_archive_piece values (%s, %s, 0, 'x')", (tenant, ids["export"])),
        ("insert into tenant_certificate_told (tenant, fingerprint, level) values (%s, repeat('f', 64), 7)", (tenant,)),
        ("insert into audit_copied (tenant, seq) values (%s, 1)", (tenant,)),
        ("insert into log_forward (tenant, host, port, ca, format, seq) values (%s, 'logs', 6514, '', 'json', 0)", (tenant,)),
        ("insert into key_request (tenant, id, device, instance, agent, status, access, recipient_key, signature)"
         " values (%s, %s, %s, %s, %s, 'approved', 'read-only', %s, %s)",
         (tenant, ids["request"], ids["device"], ids["instance"], ids["agent"], b"k" * 65, b"s" * 64)),
        ("insert into request_count values (%s, now(), 0, 0, 0, 1)", (tenant,)),
        ("insert into key_decision (tenant, id, request, decision, by_kind) values (%s, %s, %s, 'deny', 'user')",
         (tenant, uuid.uuid4(), ids["request"])),
        ("insert into key_server (tenant, host, port, ca, certificate, wrapped, settings) values (%s, 'kmip', 5696, 'c', 'c', 'w', 's')", (tenant,)),
        ("insert into key_place (tenant, place) values (%s, 'tenant')", (tenant,)),
        ("insert into key_server_gone (tenant, device, version, key_server, server_key, wrapped) values (%s, %s, 1, 'tenant', '1', 'w')",
         (tenant, uuid.uuid4())),
        ("insert into notice_cursor (tenant, seq) values (%s, 0)", (tenant,)),
        ("insert into notice (tenant, seq, at, events, severity, item) values (%s, 1, now(), '{key-pending}', 'info', '{}')", (tenant,)),
        ("insert into notice_seen (tenant, person, seq) values (%s, %s, 0)", (tenant, ids["user"])),
        ("insert into notice_read (tenant, person, seq) values (%s, %s, 1)", (tenant, ids["user"])),
        ("insert into notice_group (tenant, id, name, recipients, events, subject, header, content, footer, told) values (%s, %s, 'G', '{a@example.com}',"
         " '{key-pending}', 's', '', 'c', '', 0)", (tenant, uuid.uuid4())),
        ("insert into webhook (tenant, id, name, url, events, secret, told) values (%s, %s, 'W', 'https://h', '{key-pending}', 's', 0)",
         (tenant, ids["report"])),
        ("insert into webhook_delivery (tenant, id, webhook, event, body) values (%s, %s, %s, 'test', '{}')", (tenant, uuid.uuid4(), ids["report"])),
        ("insert into rotation (tenant, id, device, reason) values (%s, %s, %s, 'person')", (tenant, uuid.uuid4(), ids["device"])),
        ("insert into rotation_age (tenant, days) values (%s, 90)", (tenant,)),
        ("insert into destruction (tenant, id, device, people, asked_by, asked_by_name, due) values (%s, %s, %s, 2, %s, 'S', now())",
         (tenant, uuid.uuid4(), ids["device"], uuid.uuid4())),
        ("insert into destruction_rule (tenant, days, people) values (%s, 7, 2)", (tenant,)),
        ("insert into integrity_check (tenant, id, instance, reason) values (%s, %s, %s, 'order')",
         (tenant, uuid.uuid4(), ids["instance"])),
        ("insert into report_template (tenant, id, name, criteria, has_keys, period, formats, owner, owner_name) values (%s, %s, 'R', '{requests}', false,"
         " 'week', '{pdf}', %s, 'U')", (tenant, ids["report"], ids["user"])),
        ("insert into report (tenant, id, template, name, criteria, has_keys, since, until, zone, formats, owner, owner_name, expires) values (%s, %s, %s,"
         " 'R', '{requests}', false, now(), now(), 'UTC', '{pdf}', %s, 'U', now())", (tenant, ids["report"], ids["report"], ids["user"])),
        ("insert into report_piece (tenant, report, format, n, bytes) values (%s, %s, 'pdf', 0, 'x')", (tenant, ids["report"])),
        ("insert into what_if (tenant, id, document, since, days) values (%s, %s, '{}', now(), 1)", (tenant, ids["draft"])),
        ("insert into what_if_verdict (tenant, run, request, requested, was, would) values (%s, %s, %s, now(), 'deny', 'approve')",
         (tenant, ids["draft"], ids["request"])),
        ("insert into deep_security (tenant) values (%s)", (tenant,)),
        ("insert into directory (tenant, settings) values (%s, '{}')", (tenant,)),
        ("insert into deep_security_answer (tenant, instance, at) values (%s, %s, now())", (tenant, ids["instance"])),
        ("insert into key_vote (tenant, request, approver, approver_name, gist) values (%s, %s, %s, 'A', 'g')",
         (tenant, ids["request"], ids["user"])),
        ("insert into bulk_decision (tenant, id, decision, made_by, made_by_name, roles) values (%s, %s, 'deny', %s, 'A', '{}')",
         (tenant, ids["bulk"], ids["user"])),
        ("insert into bulk_request (tenant, bulk, request, gist, doubtful) values (%s, %s, %s, 'g', false)",
         (tenant, ids["bulk"], ids["request"])),
        ("insert into agent_order (tenant, id, agent, kind) values (%s, %s, %s, 'check')", (tenant, uuid.uuid4(), ids["agent"])),
        ("insert into job (id, tenant, kind) values (%s, %s, 'mail')", (uuid.uuid4(), tenant)),
        ("select set_config('keyward.tenant', %s, true), audit_append('user', 'e', 'user', null, null, null, null, null, null,"
         " null, null)", (str(tenant),)),
    ]
    c = pg.connect("postgres")
    with c, c.cursor() as cur:
        for sql, args in steps:
            cur.execute(sql, args)
    c.close()
    return ids


def refused(c, sql, args=None, errors=(psycopg2.errors.InsufficientPrivilege,)):
    """SQL fails with one of ERRORS; the transaction is rolled back."""
    try:
        with c.cursor() as cur:
            cur.execute(sql, args)
    except errors:
        c.rollback()
        return
    c.rollback()
    raise AssertionError(f"not refused: {sql}")


def test_every_tenant_table_is_isolated(pg):
    # covers: TEN-4
    found = tables(pg)
    assert len(found) >= 20, found
    for table in found:
        enabled, forced, policies = pg.run(
            "postgres", "select relrowsecurity, relforcerowsecurity, (select count(*) from pg_policy p where p.polrelid = c.oid)"
            " from pg_class c where oid = %s::regclass", (table,))[0]
        assert enabled and forced, f"{table}: row security is not enabled and forced"
        assert policies > 0, f"{table}: no policy"
        if table in SPECIAL:
            continue
        text = pg.run("postgres", "select pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) from pg_policy"
                      " where polrelid = %s::regclass and polname = 'tenant' and polpermissive and polcmd = '*'", (table,))
        assert len(text) == 1 and all("keyward.tenant" in t for t in text[0]), f"{table}: {text}"


def test_no_role_is_above_row_security(pg):
    # covers: TEN-4, TEN-3
    rows = pg.run("postgres", "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles"
                  " where rolname like 'keyward%'")
    assert len(rows) == 7
    assert not any(any(r[1:]) for r in rows), rows
    # The owner, as whom nobody signs in, sees numbers of sessions (the migration "health").
    assert set(pg.run("postgres", "select m.member::regrole::text, m.roleid::regrole::text from pg_auth_members m join pg_roles r on r.oid = m.member"
                      " where r.rolname like 'keyward%'")) <= {("keyward_owner", "pg_read_all_stats"), ("keyward_owner", "pg_read_all_settings"),
                                                         ("keyward_jobs", "keyward_summaries"), ("keyward_central", "keyward_summaries")}
    # What keyward_summaries may see, those two do not see while they are themselves.
    assert not pg.run("postgres", "select 1 from pg_roles where rolname in ('keyward_jobs', 'keyward_central') and rolinherit")
    assert pg.run("postgres", "select rolname from pg_roles where rolname like 'keyward%%' and not rolcanlogin order by 1") == [
        ("keyward_owner",), ("keyward_summaries",), ("keyward_tickets",)]
    # Everything belongs to the owner, but the key of proofs of approval, which not even the owner's functions can read.
    assert pg.run("postgres", "select relname from pg_class where relnamespace = 'public'::regnamespace"
                  " and relowner <> 'keyward_owner'::regrole and relname not like 'ticket_key%%'") == []
    assert pg.run("postgres", "select r.rolname from pg_roles r where not r.rolsuper and r.rolname <> 'keyward_tickets'"
                  " and has_table_privilege(r.oid, 'ticket_key', 'SELECT, INSERT, UPDATE, DELETE') and r.rolname not like 'pg%%'") == []
    # Which has no right to change anything (sql/0025 says why of the one).
    assert pg.run("postgres", "select c.table_name, c.column_name, c.privilege_type from information_schema.column_privileges c"
                  " where c.grantee = 'keyward_tickets' and c.privilege_type <> 'SELECT' and c.table_name <> 'ticket_key'") == [
        ("key_request", "waits", "UPDATE")]


def test_nothing_of_another_tenant(pg):
    # covers: TEN-4
    mine, theirs = pg.new_tenant(), pg.new_tenant()
    populate(pg, theirs)
    populate(pg, mine)
    tried = 0
    for role in TENANT_ROLES:
        c = pg.connect(role, tenant=mine)
        for table in tables(pg):
            key = "id" if table == "tenant" else "tenant"
            if may(pg, role, table, "SELECT"):
                with c.cursor() as cur:
                    cur.execute(f"select count(*) from {table} where {key} = %s", (theirs,))
                    assert cur.fetchone()[0] == 0, f"{role} sees another tenant's {table}"
                    cur.execute(f"select count(*) from {table} where {key} is distinct from %s", (mine,))
                    assert cur.fetchone()[0] == 0, f"{role} sees another tenant's {table}"
                tried += 1
            if may(pg, role, table, "UPDATE") and may(pg, role, table, "SELECT"):
                column = next(x for x in columns(pg, table) if pg.run(
                    "postgres", "select has_column_privilege(%s, %s, %s, 'UPDATE')", (role, table, x))[0][0])
                with c.cursor() as cur:
                    cur.execute(f"update {table} set {column} = {column} where {key} = %s", (theirs,))
                    assert cur.rowcount == 0, f"{role} changes another tenant's {table}"
                tried += 1
            if may(pg, role, table, "DELETE"):
                with c.cursor() as cur:
                    cur.execute(f"delete from {table} where {key} = %s", (theirs,))
                    assert cur.rowcount == 0, f"{role} deletes another tenant's {table}"
                tried += 1
            c.rollback()
        c.close()
    assert tried > 60, tried


def test_own_rows_are_there(pg):
    # covers: TEN-4
    # Or the test above would pass on an empty database.
    tenant = pg.new_tenant()
    populate(pg, tenant)
    for table in tables(pg):
        key = "id" if table == "tenant" else "tenant"
        # search_text is read by a function alone: test_search_names_only_what_is_ones_own.
        # As is audit_recent (test_copied_texts_of_the_log_are_only_ones_own).
        if table in ("heartbeat_other", "audit_entry_other", "search_text", "audit_recent", "job") or table.startswith(("heartbeat_2", "audit_entry_2", "audit_recent_2")):
            continue
        readers = [r for r in TENANT_ROLES if may(pg, r, table, "SELECT")]
        assert readers, f"nobody reads {table}"
        for role in readers:
            n = pg.run(role, f"select count(*) from {table} where {key} = %s", (tenant,), tenant=tenant)[0][0]
            assert n >= 1, f"{role} does not see its own {table}"


def test_no_insert_for_another_tenant(pg):
    # covers: TEN-4
    mine, theirs = pg.new_tenant(), pg.new_tenant()
    ids = populate(pg, theirs)
    policy = pg.run("postgres", "select id from policy where tenant = %s", (theirs,))[0][0]
    inserts = {
        "keyward_console": [
            ("insert into policy (tenant, id, name) values (%s, %s, 'x')", (theirs, uuid.uuid4())),
            ("insert into app_user (tenant, id, email, name, role) values (%s, %s, 'x@example.com', 'X', 'auditor')",
             (theirs, uuid.uuid4())),
            ("insert into policy_image (tenant, policy, image) values (%s, %s, %s)", (theirs, policy, ids["image"])),
            ("insert into integrity_check (tenant, id, instance, reason) values (%s, %s, %s, 'order')",
             (theirs, uuid.uuid4(), ids["instance"])),
            ("insert into agent_order (tenant, id, agent, kind) values (%s, %s, %s, 'check')",
             (theirs, uuid.uuid4(), ids["agent"])),
            ("update policy set tenant = %s where is_default", (theirs,)),
            ("update device set tenant = %s", (theirs,)),
        ],
        "keyward_agent": [
            ("insert into instance (tenant, id, provider, provider_instance) values (%s, %s, 'ec2', 'x')", (theirs, uuid.uuid4())),
            ("insert into device (tenant, id, provider, provider_device, policy) values (%s, %s, 'ec2', 'x', %s)",
             (theirs, uuid.uuid4(), policy)),
            ("insert into heartbeat (tenant, agent, at) values (%s, %s, now())", (theirs, ids["agent"])),
        ],
    }
    populate(pg, mine)
    for role, cases in inserts.items():
        c = pg.connect(role, tenant=mine)
        for sql, args in cases:
            refused(c, sql, args, (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.RestrictViolation))
        c.close()
    # A reference into another tenant is refused like one to nothing: the answer does not tell whether the id exists.
    c = pg.connect("keyward_console", tenant=mine)
    for target in (policy, uuid.uuid4()):
        refused(c, "update device set policy = %s", (target,), (psycopg2.errors.ForeignKeyViolation,))
    c.close()


def test_nothing_without_a_tenant(pg):
    # covers: TEN-4
    populate(pg, pg.new_tenant())
    for role in TENANT_ROLES:
        for bound in (None, "", NIL):
            c = pg.connect(role, tenant=bound)
            for table in tables(pg):
                if not may(pg, role, table, "SELECT"):
                    continue
                with c.cursor() as cur:
                    # The installation's own log is jobd's to sign and to archive.
                    own = role == "keyward_jobs" and table.startswith("audit_") and bound != NIL
                    cur.execute(f"select count(*) from {table}" + (f" where tenant <> '{NIL}'" if own else ""))
                    assert cur.fetchone()[0] == 0, f"{role} sees {table}, bound to {bound!r}"
            c.rollback()
            c.close()
    # A binding that is no UUID is an error, not a way around.
    c = pg.connect("keyward_console", tenant="' or true --")
    refused(c, "select * from policy", None, (psycopg2.errors.InvalidTextRepresentation,))
    c.close()


def test_binding_ends_with_the_transaction(pg):
    # covers: TEN-4
    tenant = pg.new_tenant()
    c = pg.connect("keyward_console")
    with c.cursor() as cur:
        cur.execute("select set_config('keyward.tenant', %s, true)", (str(tenant),))
        cur.execute("select count(*) from policy")
        assert cur.fetchone()[0] == 1
        c.commit()
        cur.execute("select count(*) from policy")
        assert cur.fetchone()[0] == 0
    c.close()


def test_operator_cannot_see_tenants_data(pg):
    # covers: TEN-3
    tenant = pg.new_tenant()
    populate(pg, tenant)
    # What the operator bills by is his to see (docs/threat.md): what was granted, and how many keys are in use.
    logs = ("audit_entry", "audit_head", "audit_checkpoint", "audit_archive", "audit_archive_piece", "audit_copied", "log_forward")
    own = ("notice", "notice_seen", "notice_read", "notice_group", "webhook", "webhook_delivery", "report_template", "report", "report_piece")     # of the installation
    hidden = [t for t in tables(pg) if t not in ("tenant", "job", "licence", "licence_use") + logs + own]
    assert {"policy", "device", "device_key", "key_request", "instance", "app_user", "provisioning"} <= set(hidden)
    for bound in (None, tenant):
        c = pg.connect("keyward_central", tenant=bound)
        for table in hidden:
            for sql in (f"select 1 from {table}", f"select count(*) from {table}", f"delete from {table}",
                        f"update {table} set tenant = tenant", f"insert into {table} default values", f"truncate {table}",
                        f"copy {table} to stdout", f"lock table {table}", f"create view v as select * from {table}"):
                refused(c, sql)
        with c.cursor() as cur:
            for table in own:
                cur.execute(f"select count(*) from {table} where tenant <> %s", (NIL,))
                assert cur.fetchone()[0] == 0, table
        c.rollback()
        for table in ("notice_seen", "notice_read"):
            refused(c, f"insert into {table} (tenant, person, seq) values ('{tenant}', '{tenant}', 1)")
        for table in ("licence", "licence_use"):
            for sql in (f"select * from {table}", f"delete from {table}", f"update {table} set tenant = tenant",
                        f"insert into {table} (tenant) values ('{tenant}')", f"lock table {table}"):
                refused(c, sql)
        refused(c, "select code from licence")
        refused(c, "select entered_by from licence")
        refused(c, "select told_keys from licence_use")
        # Of the account itself not the wrapped key, and nothing of the settings that are the tenant's.
        refused(c, "select wrapped_key from tenant")
        refused(c, "select settings from tenant")
        refused(c, "select * from tenant")
        refused(c, "update tenant set wrapped_key = null")
        refused(c, "update tenant set settings = '{}'")
        refused(c, "delete from tenant")
        with c.cursor() as cur:
            for table in logs:
                cur.execute(f"select count(*) from {table} where tenant = %s", (tenant,))
                assert cur.fetchone()[0] == 0
            for sql in ("delete from audit_archive_piece where tenant = %s", "update log_forward set host = 'x' where tenant = %s",
                        "delete from log_forward where tenant = %s"):
                cur.execute(sql, (tenant,))
                assert cur.rowcount == 0
            cur.execute("select count(*) from job where tenant is not null")
            assert cur.fetchone()[0] == 0
        c.rollback()
        refused(c, "insert into job (id, tenant, kind) values (%s, %s, 'x')", (uuid.uuid4(), tenant))
        refused(c, "insert into log_forward (tenant, host, port, ca, format, seq) values (%s, 'x', 1, '', 'json', 0)", (uuid.uuid4(),))
        c.close()


def test_the_operators_reports_cannot_hold_tenants_data(pg):
    # covers: RPT-5, TEN-3
    tenant = pg.new_tenant()
    populate(pg, tenant)
    seen = {"tenant": "id, slug, name, state, state_reason, created, state_changed, close_at", "licence": "tenant, kind, keys, until, replaced",
            "licence_use": "tenant, used, at"}
    for role in ("keyward_jobs", "keyward_central"):
        for bound in (None, tenant):
            c = pg.connect(role, tenant=bound)
            c.commit()
            as_it = "set local role keyward_summaries; "
            for table in tables(pg):
                if table in seen:
                    refused(c, as_it + f"select * from {table}")
                elif table == "audit_entry":
                    with c.cursor() as cur:
                        cur.execute(as_it + "select count(*) from audit_entry where tenant <> %s", (NIL,))
                        assert cur.fetchone()[0] == 0
                    c.rollback()
                else:
                    refused(c, as_it + f"select 1 from {table}")
            for table in ("operator_user", "operator_session", "setting", "job", "licence_issue"):
                refused(c, as_it + f"select * from {table}")
            for sql in ("delete from tenant", "update licence set keys = 1", "insert into backup (id, place) values (gen_random_uuid(), 'x')",
                        "delete from audit_entry", "delete from health_sample", "select code from licence_issue", "set local role keyward_owner"):
                refused(c, as_it + sql)
            c.close()
    rights = pg.run("postgres", "select table_name, string_agg(column_name, ', ' order by ordinal_position) from information_schema.column_privileges p"
                    " join information_schema.columns c using (table_schema, table_name, column_name) where p.grantee = 'keyward_summaries' and"
                    " p.privilege_type = 'SELECT' and table_name in ('tenant', 'licence', 'licence_use') group by 1")
    assert {t: set(n.split(", ")) for t, n in rights} == {t: set(n.split(", ")) for t, n in seen.items()}
    assert not pg.run("postgres", "select 1 from information_schema.column_privileges where grantee = 'keyward_summaries' and privilege_type <> 'SELECT'")


def test_tenants_cannot_see_the_operators(pg):
    # covers: TEN-2, TEN-3
    for role in TENANT_ROLES:
        c = pg.connect(role, tenant=pg.new_tenant())
        for table in ("operator_user", "operator_session", "operator_invitation", "operator_browser", "operator_factor",
                      "operator_recovery_code", "setup_code", "schema_migration"):
            # jobd wraps the secrets again (sql/0042): blobs of the key service, and whose they are.
            refused(c, f"select {'confirmed' if table == 'operator_factor' and role == 'keyward_jobs' else '1'} from {table}")
            refused(c, f"delete from {table}")
        refused(c, "insert into setting (name, value) values ('a', '1')")
        if role != "keyward_jobs":
            refused(c, "select 1 from setting")
        refused(c, "insert into tenant (id, slug, name) values (%s, 'new', 'new')", (uuid.uuid4(),))
        refused(c, "update tenant set state = 'active'")
        # jobd wraps keys again (sql/0029); what it would write that the key service has not made opens nothing.
        if role != "keyward_jobs":
            refused(c, "update tenant set wrapped_key = 'x'")
        c.close()


def test_agent_service_has_just_its_rights(pg):
    # covers: TEN-4, AGT-3
    tenant = pg.new_tenant()
    populate(pg, tenant)
    c = pg.connect("keyward_agent", tenant=tenant)
    for sql in ("select 1 from app_user", "select 1 from user_session", "select 1 from invitation", "select 1 from known_browser",
                "select 1 from second_factor", "select 1 from recovery_code", "select passphrase from provisioning", "update policy set rules = '[]'", "delete from policy",
                "update device set policy = policy", "update device set mount_point = '/'", "update device set overwrite = true",
                "delete from device", "delete from device_key", "update device_key set wrapped = 'x'",
                "update key_request set decided_by = id", "delete from key_request", "delete from policy_image",
                "update image set name = 'x'", "update key_decision set decision = 'approve'", "delete from heartbeat",
                "update heartbeat set at = now()", "select 1 from audit_entry", "select 1 from job", "select * from jobs_tenants()",
                "select 1 from policy_version", "select 1 from policy_draft", "select 1 from policy_draft_member"):
        refused(c, sql)
    c.close()


def test_jobs_cannot_touch_what_they_need_not(pg):
    # covers: TEN-4
    tenant = pg.new_tenant()
    populate(pg, tenant)
    c = pg.connect("keyward_jobs", tenant=tenant)
    for sql in ("select password from app_user", "select token from user_session", "select token from known_browser",
                "select 1 from recovery_code", "select last_step from second_factor", "update second_factor set confirmed = now()", "delete from provisioning",
                "insert into provisioning (tenant) values (null)", "update provisioning set changed = now()", "update image_credential set label = ''",
                "update policy set rules = '[]'", "update app_user set role = 'auditor'", "delete from device", "delete from policy",
                "update key_request set recipient_key = recipient_key", "update device set policy = policy",
                "delete from policy_version", "select 1 from policy_draft", "select 1 from policy_draft_member",
                "select payload from job", "delete from job", "update job set kind = 'x'"):
        refused(c, sql)
    c.close()


def test_queue_is_isolated(pg):
    # covers: TEN-4
    mine, theirs = pg.new_tenant(), pg.new_tenant()
    for role in ("keyward_console", "keyward_agent"):
        c = pg.connect(role, tenant=mine)
        for tenant in (theirs, None):
            refused(c, "insert into job (id, tenant, kind) values (%s, %s, 'mail')", (uuid.uuid4(), tenant))
        refused(c, "select payload from job")
        refused(c, "select * from job_take('1 minute')")
        c.close()
        c = pg.connect(role)
        refused(c, "insert into job (id, tenant, kind) values (%s, null, 'mail')", (uuid.uuid4(),))
        c.close()


def test_no_way_up(pg):
    # covers: TEN-3, TEN-4
    for role in ("keyward_central",) + TENANT_ROLES:
        c = pg.connect(role)
        for other in ("postgres", "keyward_owner", "keyward_central", "keyward_console", "keyward_agent", "keyward_jobs"):
            if other != role:
                refused(c, f"set role {other}")
                refused(c, f"set session authorization {other}")
        for sql in ("set row_security = off; select 1 from policy", "alter table policy disable row level security",
                    "alter table policy no force row level security", "drop policy tenant on policy",
                    "create policy all_rows on policy using (true)", "create table t (a int)", "create temporary table policy (a int)",
                    "create function f() returns int language sql as 'select 1'", "create schema s", "create extension pgcrypto",
                    "copy (select 1) to program 'true'", "select pg_read_file('/etc/passwd')", "create role x",
                    "alter role keyward_owner login", "grant keyward_owner to " + role, "alter database keyward set keyward.tenant = ''",
                    "select isolate('policy')", "select tenant_default_policy()", "drop table policy",
                    "select lo_import('/etc/passwd')"):
            refused(c, sql, None, (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.FeatureNotSupported))
        c.close()
