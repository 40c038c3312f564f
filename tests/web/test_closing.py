"""The end of a tenant: asked twice, announced, cancelled; exported by its own people; destroyed in steps that survive a kill; certified."""
import hashlib
import io
import json
import subprocess
import uuid
import zipfile

from stack.process import wait_until
from test_licences import Account, sql
from web import Client, make_user, operator

SECONDS = 120


def announce(c, account, days=30, status=200, typed=None):
    a = c.api(f"/tenants/{account.id}/close/confirm", {"days": days, "comment": "the contract ended", "typed": typed or account.slug})
    assert a.status == status, a
    return a


def left(server, account):
    """Tables that still have rows of the account."""
    tables = [r[0] for r in sql(server, "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant'"
                                " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition")]
    assert len(tables) > 30
    return [t for t in tables if sql(server, f"select count(*) from {t} where tenant = %s", (account.id,))[0][0]]


def state(server, account):
    return sql(server, "select state, wrapped_key is null from tenant where id = %s", (account.id,))[0]


def test_asked_twice_announced_and_cancelled(server):
    # covers: TEN-7
    c, a = operator(server), Account(server)
    page = c.get(f"/tenants/{a.id}/close")
    assert page.status == 200 and "Waiting period" in page.text
    second = c.get(f"/tenants/{a.id}/close/confirm?days=14&comment=over")
    assert second.status == 200 and a.slug in second.text and 'value="14"' in second.text and 'value="over"' in second.text
    assert "not the account" in announce(c, a, 14, 422, "something else").text
    assert announce(c, a, 14).status == 200
    announce(c, a, 14, 409)
    assert "This tenant is closed on" in c.get(f"/tenants/{a.id}").text
    # It works as ever, and everybody in it is told.
    assert "This account is closed on" in a.client.get("/devices").text and "/account/data" in a.client.get("/").text
    assert state(server, a) == ("active", False)
    for role in ("tenant-manager", "system-operator", "auditor"):
        assert operator(server, role).api(f"/tenants/{a.id}/close/cancel", {}).status == 403
    assert c.api(f"/tenants/{a.id}/close/cancel", {}).status == 200
    assert c.api(f"/tenants/{a.id}/close/cancel", {}).status == 409
    assert "is closed on" not in a.client.get("/devices").text and "is closed on" not in c.get(f"/tenants/{a.id}").text
    events = [r["event"] for r in a.client.api("/log?limit=50").json["list"]["rows"]]
    assert "Account is being closed" in events and "Announced closing of the account cancelled" in events, events
    # Announced anew, for another time; the job of the first one does nothing.
    announce(c, a, 30)
    assert c.api(f"/tenants/{a.id}/close/cancel", {}).status == 200


def test_the_accounts_data_without_any_key(server):
    # covers: TEN-7, SEC-4
    a, b = Account(server), Account(server)
    devices = a.devices(3)
    sql(server, "insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, '\\xdeadbeef00112233')", (a.id, devices[0]))
    sql(server, "update device set name = '=HYPERLINK(1)' where id = %s", (devices[0],))
    many = [str(uuid.uuid4()) for _ in range(1203)]
    for id in many:
        sql(server, "insert into image (tenant, id, provider, provider_image) values (%s, %s, 'ec2', %s)", (a.id, id, "ami-" + id[-12:]))
    other = b.devices(1)[0]
    # Former ones, as large as they may be: they do not fill the database that all are in.
    for age in range(1, 6):
        sql(server, "insert into tenant_export (tenant, id, requested_by, state, requested) values (%s, %s, 'x', %s, now() - %s * interval '1 hour')",
            (a.id, str(uuid.uuid4()), "failed" if age == 2 else "done", age))
    assert a.client.post("/account/data").status == 303
    wait_until(lambda: a.client.api("/account/data").json["exports"][0]["ready"], SECONDS, "the export is not made")
    assert sql(server, "select state, count(*)::int from tenant_export where tenant = %s group by state", (a.id,)) == [("done", 3)]
    row = a.client.api("/account/data").json["exports"][0]
    got = a.client.get(row["url"])
    assert got.status == 200 and got.header("content-type") == "application/zip"
    z = zipfile.ZipFile(io.BytesIO(got.body))
    assert z.testzip() is None
    assert set(z.namelist()) == {f"{n}.json" for n in ("users", "policies", "policy_versions", "images", "instances", "devices", "key_requests",
                                                       "licences")} | {"log.csv"}
    parts = {n: json.loads(z.read(n)) for n in z.namelist() if n.endswith(".json")}
    assert {d["id"] for d in parts["devices.json"]} == set(devices) and {i["id"] for i in parts["images.json"]} == set(many)
    assert [u["email"] for u in parts["users.json"] if u["state"] == "active"] == [a.email]
    everything = b"".join(z.read(n) for n in z.namelist()).decode()
    assert other not in everything and "argon2" not in everything and "deadbeef" not in everything and "wrapped" not in everything
    log = z.read("log.csv").decode().split("\r\n")
    assert log[0].startswith("number,at,") and "user.signed-in" in everything and log[1].startswith("1,")
    # Only the account's administrators, and nobody else's.
    reader = Client(server, "console")
    assert reader.sign_in(make_user(server, a.id, "auditor"), account=a.slug).status == 303
    assert reader.get("/account/data").status == 403 and reader.get(row["url"]).status == 403
    assert b.client.get(row["url"]).status == 404
    assert a.client.get(f"/account/data/{uuid.uuid4()}").status == 404
    assert a.client.get("/account/data").status == 200


def certificate(c, account, folder):
    names = {"certificate.pdf": f"/tenants/{account.id}/certificate.pdf", "certificate.sig": f"/tenants/{account.id}/certificate.sig",
             "certificate-key.pem": "/tenants/certificate-key.pem"}
    for name, path in names.items():
        a = c.get(path)
        assert a.status == 200, (path, a)
        (folder / name).write_bytes(a.body)
    return check(folder)


def check(folder):
    """As docs/closing.md says it."""
    hash = hashlib.sha256((folder / "certificate.pdf").read_bytes()).hexdigest()
    (folder / "statement").write_text(f"keyward certificate of destruction 1\n{hash}\n")
    return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", folder / "certificate-key.pem", "-rawin", "-in", folder / "statement",
                           "-sigfile", folder / "certificate.sig"], capture_output=True, text=True)


def test_destroyed_and_certified(server, folder):
    # covers: TEN-7
    c, a, b = operator(server), Account(server), Account(server)
    devices = a.devices(5)
    b.devices(2)
    for d in devices:
        sql(server, "insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, 'w')", (a.id, d))
    before = len(left(server, b))
    assert c.get(f"/tenants/{a.id}/certificate.pdf").status == 404
    announce(c, a, 0)
    wait_until(lambda: state(server, a)[0] == "closed", SECONDS, "the account is not closed")
    assert state(server, a) == ("closed", True) and left(server, a) == []
    assert len(left(server, b)) >= before and state(server, b) == ("active", False)
    assert b.client.get("/devices").status == 200
    page = c.get(f"/tenants/{a.id}")
    assert "Certificate of destruction" in page.text and "Closed" in page.text
    good = certificate(c, a, folder)
    assert good.returncode == 0, good
    text = subprocess.run(["pdftotext", "-layout", folder / "certificate.pdf", "-"], capture_output=True, text=True)
    if text.returncode == 0:
        assert a.id in text.stdout and a.slug in text.stdout and "5, of 5 devices" in text.stdout, text.stdout
        # Whole, as people compare them.
        raw = subprocess.run(["openssl", "pkey", "-pubin", "-in", folder / "certificate-key.pem", "-outform", "DER"], capture_output=True, check=True)
        assert raw.stdout[-32:].hex() in text.stdout, text.stdout
    pdf = (folder / "certificate.pdf").read_bytes()
    (folder / "certificate.pdf").write_bytes(pdf.replace(b"%PDF", b"%PdF"))
    assert check(folder).returncode != 0
    # Nobody gets in, nothing comes back.
    again = Client(server, "console")
    assert again.sign_in(a.email, account=a.slug).status != 303
    assert again.post("/forgotten", csrf=False, account=a.slug, email=a.email).status == 200
    assert a.client.get("/devices").status in (303, 401, 403)
    assert left(server, a) == [], "who tries the name of a destroyed account leaves something in it"
    announce(c, a, 0, 409)
    assert c.api(f"/tenants/{a.id}/resume", {}).status == 409 and c.api(f"/tenants/{a.id}/close/cancel", {}).status == 409
    assert c.api(f"/tenants/{a.id}/licences", {"kind": "full", "keys": 1, "until": "2099-01-01"}).status == 409
    assert server.keyward("audit", "verify")


def test_killed_in_the_middle_it_goes_on(server, folder):
    # covers: TEN-7
    c, a = operator(server), Account(server)
    rows = 30000
    sql(server, "insert into image (tenant, id, provider, provider_image) select %s, gen_random_uuid(), 'ec2', 'ami-' || n from"
        " generate_series(1, %s) n", (a.id, rows))
    announce(c, a, 0)
    wait_until(lambda: sql(server, "select coalesce(max(removed), 0) from tenant_closure where account = %s", (a.id,))[0][0] > 0
               or state(server, a)[0] == "closed", SECONDS, "the destruction does not begin")
    server.kill("jobd")
    killed_at = state(server, a)[0]
    assert state(server, a)[1], "the key was not the first to go"
    server.start("jobd")
    sql(server, "update job set locked_until = now() where kind = 'close-tenant'")          # not to wait for its lease
    wait_until(lambda: state(server, a)[0] == "closed", SECONDS, "it does not go on")
    assert left(server, a) == [] and certificate(c, a, folder).returncode == 0
    removed, = sql(server, "select removed from tenant_closure where account = %s", (a.id,))[0]
    assert removed >= rows, (removed, killed_at)


def test_jobd_destroys_nothing_that_nobody_asked_for(server):
    # covers: TEN-7, TEN-3
    import psycopg2
    c, a = operator(server), Account(server)
    announce(c, a, 10)
    closure = sql(server, "select id from tenant_closure where account = %s", (a.id,))[0][0]
    k = psycopg2.connect(server.conninfo("keyward_jobs"))
    k.autocommit = True
    with k.cursor() as q:
        for id in (closure, str(uuid.uuid4())):
            q.execute("select tenant_shred(%s, '0'), tenant_close_begin(%s, 10)", (id, id))
            assert q.fetchone() == (False, None)
        for text in ("select tenant_shred_rows(%s, 10)", "select tenant_closed(%s, 'x', 'y')"):
            try:
                q.execute(text, (closure,))
            except psycopg2.errors.InsufficientPrivilege:
                continue
            raise AssertionError(text)
    k.close()
    assert state(server, a) == ("active", False)
    assert c.api(f"/tenants/{a.id}/close/cancel", {}).status == 200
