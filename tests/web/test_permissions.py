"""Every route of both consoles with every role, with nobody, and with another tenant's ids: the routes are asked from the server,
what each role may do is written down here a second time, so that a change of the table has to be meant."""
import hashlib
import re
import uuid

from fixtures import fixture
from web import Client, database, make_operator, make_tenant, make_user

ROLES = ("account-administrator", "security-administrator", "data-analyst", "auditor", "key-approver")
A, S, D, R, K = ROLES
HOLDERS = {
    "instances.view": {A, S, R, K}, "requests.decide": {A, K}, "keys.revoke": {A, S}, "images.view": {A, S, R, K},
    "images.edit": {A}, "devices.view": {A, S, R, K}, "devices.edit": {A}, "keys.manage": {S}, "keys.export": {S},
    "policies.view": {A, S, R, K}, "policies.edit": {A}, "reports.use": {A, S, D, R}, "reports.keys": {S}, "logs.view": {A, S, D, R},
    "logs.delete": {R}, "users.view": {A, S, R}, "users.edit": {A}, "account.view": {A, S, R}, "account.edit": {A},
    "signed-in": set(ROLES),
}
OPERATOR_ROLES = ("msp-administrator", "tenant-manager", "system-operator", "auditor")
M, T, O, U = OPERATOR_ROLES
OPERATOR_HOLDERS = {
    "tenants.view": {M, T, O, U}, "tenants.edit": {M, T}, "operators.view": {M, O, U}, "operators.edit": {M},
    "system.view": {M, O, U}, "system.edit": {M, O}, "system-log.view": {M, O, U}, "signed-in": set(OPERATOR_ROLES),
}
# What a change needs to reach its handler, so that a refusal is about the id and nothing else.
BODIES = {
    "/requests/{id}/decision": {"decision": "approve"}, "/requests/{id}/revoke": {"comment": "x"},
    "/devices/{id}/edit": {"name": "stolen"}, "/devices/{id}/encrypt": {"typed": "vault"},
    "/devices/{id}/unconfigure": {"typed": "vault"}, "/devices/{id}/delete": {"typed": "vault"},
    "/devices/{id}/configure": {"os": "linux", "filesystem": "ext4", "mount": "/srv/x", "access": "rw", "mode": "xts",
                                "key_size": "256"},
    "/images/{id}": {"name": "stolen", "description": ""}, "/users/{id}": {"name": "stolen", "role": "auditor"},
    "/tenants/{id}/invitation": {"name": "x", "email": "x@x.example"},
}
NOT_TRIED = {"/sign-out"}        # would end the session that tries; tests/web/test_session.py has it


def seed(server, tenant):
    """One of everything in TENANT; their ids by kind."""
    ids = {kind: str(uuid.uuid4()) for kind in ("image", "instance", "agent", "device", "request")}
    with database(server).cursor() as c:
        c.execute("select id from policy where tenant = %s and is_default", (tenant,))
        ids["policy"] = str(c.fetchone()[0])
        rows = (
            ("insert into image (tenant, id, provider, provider_image, name) values (%s, %s, 'native', 'i1', 'vault')", ("image",)),
            ("insert into instance (tenant, id, image, provider, provider_instance, host_name)"
             " values (%s, %s, %s, 'native', 'm1', 'vault')", ("instance", "image")),
            ("insert into agent (tenant, id, instance, public_key) values (%s, %s, %s, decode(repeat('04', 65), 'hex'))",
             ("agent", "instance")),
            ("insert into device (tenant, id, instance, image, policy, provider, provider_device, name, status)"
             " values (%s, %s, %s, %s, %s, 'native', 'd1', 'vault', 'in-use')", ("device", "instance", "image", "policy")),
            ("insert into key_request (tenant, id, device, instance, agent, policy, access, recipient_key, signature)"
             " values (%s, %s, %s, %s, %s, %s, 'read-write', decode(repeat('04', 65), 'hex'), decode(repeat('01', 64), 'hex'))",
             ("request", "device", "instance", "agent", "policy")),
        )
        for sql, kinds in rows:
            c.execute(sql, (tenant, *(ids[k] for k in kinds)))
        c.execute("select id from app_user where tenant = %s limit 1", (tenant,))
        ids["user"] = str(c.fetchone()[0])
        c.execute("select id from user_session where tenant = %s limit 1", (tenant,))
        ids["session"] = str(c.fetchone()[0])
    return ids


class Place:
    """A tenant with a signed-in user of each role, and one of everything."""

    def __init__(self, server):
        self.slug, self.tenant = make_tenant(server)
        self.clients = {}
        for role in ROLES:
            self.clients[role] = Client(server, "console")
            assert self.clients[role].sign_in(make_user(server, self.tenant, role), account=self.slug).status == 303
        self.ids = seed(server, self.tenant)
        self.routes = self.clients[A].api("/routes").json["routes"]

    def fingerprint(self, server):
        """Of every row of the tenant, but when its sessions were last seen."""
        out = {}
        with database(server).cursor() as c:
            c.execute("select table_name from information_schema.columns where column_name = 'tenant' and table_schema = 'public'")
            for (table,) in sorted(c.fetchall()):
                if table in ("user_session",):
                    continue
                c.execute(f"select coalesce(string_agg(t::text, '|' order by t::text), '') from {table} t where tenant = %s",
                          (self.tenant,))
                out[table] = hashlib.sha256(c.fetchone()[0].encode()).hexdigest()
        return out


@fixture("file")
def here(server):
    return Place(server)


@fixture("file")
def there(server):
    return Place(server)


def path_of(route, value):
    return re.sub(r"\{[a-z_]+\}", value, route["path"])


def ask(client, route, path):
    body = None if route["method"] == "GET" else BODIES.get(route["path"], {})
    return client.api(path, body)


def normal(answer, *ids):
    """What an answer says, without what differs between any two requests."""
    text = answer.text
    for value in ids:
        text = text.replace(value, "ID")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return answer.status, re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME", text)


def tried(routes):
    return [r for r in routes if r["path"] not in NOT_TRIED]


def check_roles(routes, clients, holders):
    assert {r["permission"] for r in routes} <= set(holders) | {"public"}
    for route in tried(routes):
        if route["permission"] == "public":
            continue
        for role, client in clients.items():
            status = ask(client, route, path_of(route, str(uuid.uuid4()))).status
            allowed = role in holders[route["permission"]]
            assert (status not in (401, 403)) == allowed, f"{role} {route['method']} {route['path']}: {status}"
            assert status < 500, f"{role} {route['method']} {route['path']}: {status}"


def test_every_route_with_every_role(server, here):
    # covers: ROL-1, ROL-2, ROL-3, ROL-4, ROL-5, ROL-6
    check_roles(here.routes, here.clients, HOLDERS)


def test_every_route_of_the_operators_with_every_role(server):
    # covers: ROL-7, TEN-3
    clients = {}
    for role in OPERATOR_ROLES:
        clients[role] = Client(server, "central")
        assert clients[role].sign_in(make_operator(server, role)).status == 303
    check_roles(clients[M].api("/routes").json["routes"], clients, OPERATOR_HOLDERS)


def test_every_route_with_nobody(server, here):
    # covers: IDN-6, ROL-6
    nobody = Client(server, "console")
    for route in tried(here.routes):
        answer = ask(nobody, route, path_of(route, str(uuid.uuid4())))
        assert (answer.status == 401) == (route["permission"] != "public"), f"{route['method']} {route['path']}: {answer!r}"


def test_every_route_with_another_tenants_ids(server, here, there):
    # covers: TEN-4, TEN-2
    before = there.fingerprint(server)
    own, found = here.clients[A], []
    for route in tried(here.routes):
        if "{" not in route["path"]:
            continue
        allowed = next(c for role, c in here.clients.items() if role in HOLDERS[route["permission"]])
        for kind, foreign in there.ids.items():
            nothing = str(uuid.uuid4())
            other, none = (normal(ask(allowed, route, path_of(route, v)), v) for v in (foreign, nothing))
            if other != none or other[0] != 404:
                found.append(f"{route['method']} {route['path']} with the other's {kind}: {other} against {none}")
    assert not found, "\n".join(found)
    assert there.fingerprint(server) == before, "something of the other tenant has changed"
    assert own.api("/session").status == 200


def test_own_ids_work(server, here):
    # covers: TEN-4
    """Or the test above would prove nothing."""
    for kind, path in (("device", "/devices/{}"), ("request", "/requests/{}"), ("device", "/devices/{}/configure")):
        assert here.clients[A].api(path.format(here.ids[kind])).status == 200, path


def test_lists_and_counts_hold_nothing_of_another_tenant(server, here, there):
    # covers: TEN-4, RUN-1
    for path in ("/instances", "/devices", "/log", "/account"):
        text = here.clients[A].api(path).text
        for kind, foreign in there.ids.items():
            assert foreign not in text, f"{path} shows the other's {kind}"
        assert there.slug not in text
    assert here.clients[A].api("/instances").json["totals"]["pending"] == 1


def test_the_operator_sees_no_tenant_contents(server, there):
    # covers: TEN-3
    c = Client(server, "central")
    assert c.sign_in(make_operator(server)).status == 303
    for route in tried(c.api("/routes").json["routes"]):
        if route["method"] != "GET":
            continue
        for kind, foreign in there.ids.items():
            answer = c.api(path_of(route, foreign))
            assert answer.status in (200, 404), f"{route['path']}: {answer!r}"
            if answer.status == 200 and "{" in route["path"]:
                raise AssertionError(f"{route['path']} knows the tenant's {kind}")
            assert "vault" not in answer.text, f"{route['path']} shows what the tenant calls its things"
