"""The log in the database: nobody can write it but by audit_append, C computes the same hashes, and tampering shows (LOG-3)."""
import json
import threading
import uuid

import psycopg2
import psycopg2.errors

from pg import tool
from test_isolation import refused

APPEND = "select audit_append(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
ROLES = ("keyward_central", "keyward_console", "keyward_agent", "keyward_jobs")


def entry(kind="user", **more):
    e = {"category": "user", "event": "user.changed", "kind": kind, "actor": uuid.uuid4(), "name": "Ünïcode ☃", "okind": "user",
         "object": uuid.uuid4(), "oname": "x", "detail": json.dumps({"b": 1, "a": [1.50, "é"], "a2": None}), "address": "192.0.2.1",
         "request": "r-1"}
    e.update(more)
    return tuple(e.values())


def append(pg, tenant, count=1, role="keyward_console", **more):
    c = pg.connect(role, tenant=tenant)
    with c, c.cursor() as cur:
        for _ in range(count):
            cur.execute(APPEND, entry(**more))
    c.close()


def check(pg, tenant, role="keyward_console"):
    """(0 and number of entries) or (1 and the error's name)."""
    p = tool("audit-check", pg.conninfo(role), str(tenant) if tenant else "-", check=False)
    lines = p.stdout.splitlines()
    return (0, int(lines[0])) if p.returncode == 0 else (1, lines[1].split(":")[0])


def chain(pg, count=6):
    """A tenant with COUNT entries, some fields null, empty or alike."""
    tenant = pg.new_tenant()
    append(pg, tenant, count - 3)
    append(pg, tenant, 1, actor=None, name=None, okind=None, object=None, oname=None, detail=None, address=None, request=None)
    append(pg, tenant, 1, name="", okind="", oname="", address="", request="")
    append(pg, tenant, 1, detail='{ "spaces" :  [1,  2],\n"dup":1, "dup":2}')
    return tenant


def test_a_destroyed_account_has_no_log_any_more(pg):
    # covers: TEN-7, LOG-3
    tenant = chain(pg)
    pg.run("postgres", "update tenant set state = 'closing' where id = %s", (tenant,))
    append(pg, tenant)                                   # what is under way while it ends
    for step in ("update tenant set wrapped_key = null where id = %s", "update tenant set state = 'closed' where id = %s"):
        pg.run("postgres", step, (tenant,))
        pg.run("postgres", "delete from audit_entry where tenant = %s", (tenant,))
        pg.run("postgres", "delete from audit_head where tenant = %s", (tenant,))
        for role, kind in (("keyward_console", "user"), ("keyward_agent", "agent")):
            try:
                append(pg, tenant, role=role, kind=kind)
                raise AssertionError(f"{role} begins it anew")
            except psycopg2.errors.InsufficientPrivilege:
                pass
    assert pg.run("postgres", "select count(*) from audit_head where tenant = %s", (tenant,))[0][0] == 0


def test_c_and_sql_agree(pg):
    # covers: LOG-3
    tenant = chain(pg)
    assert check(pg, tenant) == (0, 6)
    append(pg, tenant, 1200)
    assert check(pg, tenant) == (0, 1206)
    assert check(pg, pg.new_tenant()) == (0, 0)
    append(pg, None, 3, role="keyward_central", kind="operator")
    code, n = check(pg, None, "keyward_central")
    assert code == 0 and n >= 3


def test_every_alteration_is_found(pg):
    # covers: LOG-3
    changes = {
        "at": "at + interval '1 microsecond'", "category": "'key'", "event": "event || ' '", "actor_kind": "'system'",
        "actor_id": "gen_random_uuid()", "actor_name": "coalesce(actor_name || 'x', '')", "object_kind": "coalesce(null, 'zz')",
        "object_id": "gen_random_uuid()", "object_name": "coalesce(object_name || 'x', '')", "detail": "'{\"x\":0}'::json",
        "address": "coalesce(address || 'x', '')", "request": "coalesce(request || 'x', '')", "written_by": "'postgres'",
        "previous": "sha256(previous)", "hash": "sha256(hash)", "seq": "seq + 1000000", "tenant": "gen_random_uuid()",
    }
    columns = {r[0] for r in pg.run("postgres", "select attname from pg_attribute where attrelid = 'audit_entry'::regclass"
                                    " and attnum > 0 and not attisdropped")}
    assert set(changes) == columns, "a column that the hash may not cover"
    tenant = chain(pg)
    pg.run("postgres", "create unlogged table whole as select * from audit_entry where tenant = %s", (tenant,))
    for column, expression in changes.items():
        for seq in (1, 4, 6):
            pg.run("postgres", f"update audit_entry set {column} = {expression} where tenant = %s and seq = %s", (tenant, seq))
            assert check(pg, tenant)[0] == 1, f"{column} of entry {seq}"
            pg.run("postgres", "delete from audit_entry where tenant = %s", (tenant,))
            pg.run("postgres", "insert into audit_entry select * from whole")
            assert check(pg, tenant) == (0, 6)
    pg.run("postgres", "drop table whole")


def test_removal_reordering_and_truncation_are_found(pg):
    # covers: LOG-3
    for where, error in (("seq = 1", "truncated"), ("seq = 3", "truncated"), ("seq = 6", "truncated"), ("seq > 2", "truncated"),
                         ("true", "truncated")):
        tenant = chain(pg)
        pg.run("postgres", f"delete from audit_entry where tenant = %s and {where}", (tenant,))
        assert check(pg, tenant) == (1, error), where
    # Numbers closed up again, two entries exchanged, one said twice.
    tenant = chain(pg)
    pg.run("postgres", "delete from audit_entry where tenant = %s and seq = 3", (tenant,))
    pg.run("postgres", "update audit_entry set seq = seq - 1 where tenant = %s and seq > 3", (tenant,))
    assert check(pg, tenant)[0] == 1
    tenant = chain(pg)
    pg.run("postgres", "update audit_entry set seq = case seq when 2 then 1003 else 1002 end where tenant = %s and seq in (2, 3)",
           (tenant,))
    pg.run("postgres", "update audit_entry set seq = seq - 1000 where tenant = %s and seq > 1000", (tenant,))
    assert check(pg, tenant)[0] == 1
    # The head moved back, or away; entries beyond it.
    tenant = chain(pg)
    pg.run("postgres", "update audit_head set seq = 5 where tenant = %s", (tenant,))
    assert check(pg, tenant) == (1, "tampered")
    tenant = chain(pg)
    pg.run("postgres", "delete from audit_head where tenant = %s", (tenant,))
    assert check(pg, tenant) == (1, "tampered")
    tenant = chain(pg)
    pg.run("postgres", "update audit_head set hash = sha256('x') where tenant = %s", (tenant,))
    assert check(pg, tenant) == (1, "tampered")
    # Another tenant's entries put in place of these.
    tenant, other = chain(pg), chain(pg)
    pg.run("postgres", "delete from audit_entry where tenant = %s", (tenant,))
    pg.run("postgres", "update audit_entry set tenant = %s where tenant = %s", (tenant, other))
    assert check(pg, tenant)[0] == 1


def test_nobody_writes_the_log(pg):
    # covers: LOG-3, TEN-3
    tenant = chain(pg)
    for role in ROLES:
        c = pg.connect(role, tenant=tenant)
        for table in ("audit_entry", "audit_head"):
            for sql in (f"delete from {table}", f"update {table} set seq = 1", f"update {table} set hash = sha256('x')",
                        f"truncate {table}", f"insert into {table} select * from {table}", f"alter table {table} disable trigger all",
                        f"drop table {table}"):
                refused(c, sql)
        c.close()
    assert check(pg, tenant) == (0, 6)


def test_roles_log_only_as_themselves(pg):
    # covers: LOG-3, TEN-3
    tenant = pg.new_tenant()
    allowed = {"keyward_central": {"operator", "system", "anonymous"}, "keyward_console": {"user", "system", "anonymous"},
               "keyward_agent": {"agent", "system", "anonymous"}, "keyward_jobs": {"system"}}
    for role, kinds in allowed.items():
        c = pg.connect(role, tenant=tenant)
        for kind in ("operator", "user", "agent", "system", "admin", "anonymous", None):
            if kind in kinds:
                with c.cursor() as cur:
                    cur.execute(APPEND, entry(kind=kind))
                c.rollback()
            else:
                refused(c, APPEND, entry(kind=kind), (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.NotNullViolation))
        c.close()
    # What wrote it is kept with it, and cannot be chosen.
    append(pg, tenant, 1)
    assert pg.run("keyward_console", "select written_by from audit_entry", tenant=tenant) == [("keyward_console",)]


def test_chains_are_kept_apart(pg):
    # covers: LOG-3, TEN-4
    for role in ("keyward_console", "keyward_agent"):
        for bound in (None, uuid.UUID(int=0), uuid.uuid4()):
            c = pg.connect(role, tenant=bound)
            refused(c, APPEND, entry(kind="system"))
            c.close()
    a, b = chain(pg), chain(pg)
    append(pg, a, 2)
    assert check(pg, a) == (0, 8) and check(pg, b) == (0, 6)


def test_change_and_entry_commit_together(pg):
    # covers: LOG-3
    tenant = pg.new_tenant()
    c = pg.connect("keyward_console", tenant=tenant)
    with c.cursor() as cur:
        cur.execute("update tenant set time_zone = 'Mars'")
        cur.execute(APPEND, entry())
    c.rollback()
    c.close()
    assert check(pg, tenant) == (0, 0)
    assert pg.run("keyward_console", "select time_zone from tenant", tenant=tenant) == [("UTC",)]


def test_many_at_once_make_one_chain(pg):
    # covers: LOG-3
    tenant = pg.new_tenant()
    failures = []

    def work():
        try:
            for _ in range(25):
                append(pg, tenant, 2)
        except psycopg2.Error as e:
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert check(pg, tenant) == (0, 300)
