"""One of everything that a console can take away: for each route of the table that is marked so, an object that the act is legal for, made when it is
asked for. A route that is marked and has none here fails the test that goes through them (test_walk.py)."""
import json
import re
import uuid

from documents import REPORT, rule
from factors import enrol
from inventory import Machine
from notices import FORM as GROUP
from web import Client, database, make_operator, make_tenant, make_user
from world import count, run

NIL = "00000000-0000-0000-0000-000000000000"


class Act:
    """PATH is asked and then sent with FIELDS by CLIENT; NAME: what the question must call it. TWICE: it may be done again, and is then logged again;
    LOGGED False: it is in no log, as what is lost was never in force."""

    def __init__(self, client, path, name, fields=None, twice=False, logged=True):
        self.client, self.path, self.name, self.fields, self.twice, self.logged = client, path, name, fields or {}, twice, logged


class Site:
    """.tenant: whose log has what is done; .client(role): somebody signed in, one of each role. TENANT: (slug, id) of one that is there."""

    def __init__(self, it, site, tenant=None):
        self.it, self.site, self._clients = it, site, {}
        self.slug, self.tenant = tenant or (make_tenant(it) if site == "console" else (None, NIL))

    def user(self, role):
        return make_user(self.it, self.tenant, role) if self.site == "console" else make_operator(self.it, role)

    def sign_in(self, email):
        c = Client(self.it, self.site, keeps=True)
        assert c.sign_in(email, account=self.slug).status == 303
        return c

    def client(self, role=None):
        role = role or ("account-administrator" if self.site == "console" else "msp-administrator")
        if role not in self._clients:
            self._clients[role] = self.sign_in(self.user(role))
        return self._clients[role]

    def ask(self, path, document, role=None):
        answer = self.client(role).api(path, document)
        assert answer.status == 200, (path, answer)
        return answer.json

    def entries(self):
        """What people have done, by the log: {(event, id, name): times}."""
        with database(self.it).cursor() as c:
            c.execute("select event, object_id, object_name, count(*) from audit_entry where tenant = %s and actor_kind in ('user', 'operator') and event not like 'user.signed%%'"
                      " group by 1, 2, 3", (self.tenant,))
            return {r[:3]: r[3] for r in c.fetchall()}


# Both consoles

def person(s, act, state="active"):
    email = s.user("auditor")
    table, url = ("app_user", "/users") if s.site == "console" else ("operator_user", "/operators")
    id, name = count(s.it, f"select id from {table} where email = %s", email), f"Person {uuid.uuid4().hex[:6]}"
    run(s.it, f"update {table} set name = %s where id = %s", name, id)
    if act == "factor":
        enrol(s.sign_in(email))
    run(s.it, f"update {table} set state = %s where id = %s", state, id)
    return Act(s.client(), f"{url}/{id}/{act}", name)


def template(s, **_):
    name = f"Template {uuid.uuid4().hex[:6]}"
    criteria = ["approved"] if s.site == "console" else ["tenants"]
    saved = s.client().post("/reports/templates/new", **{**REPORT, "name": name, "criteria": criteria})
    assert saved.status == 303, saved
    return count(s.it, "select id from report_template where name = %s", name), name


def report(s):
    id, name = str(uuid.uuid4()), f"Report {uuid.uuid4().hex[:6]}"
    run(s.it, "insert into report (tenant, id, name, criteria, has_keys, since, until, zone, formats, owner, owner_name, state, expires) values (%s, %s, %s,"
              " %s, false, now() - interval '1 day', now(), 'UTC', '{pdf}', gen_random_uuid(), 'x', 'done', now() + interval '1 day')",
        s.tenant, id, name, ["approved"] if s.site == "console" else ["tenants"])
    return id, name


def report_template(s):
    id, name = template(s)
    return Act(s.client(), f"/reports/templates/{id}/delete", name)


def one_report(s):
    id, name = report(s)
    return Act(s.client(), f"/reports/{id}/delete", name)


def many_reports(s):
    (first, name), (second, _) = report(s), report(s)
    act = Act(s.client(), f"/reports/delete?report={first}&report={second}", name)
    act.fields = {"report": [first, second]}
    return act


def group(s):
    name = f"Group {uuid.uuid4().hex[:6]}"
    events = GROUP["events"] if s.site == "console" else ["server-trouble"]
    s.ask("/notifications/new", {**GROUP, "events": events, "name": name, "enabled": True})
    return Act(s.client(), f"/notifications/{count(s.it, 'select id from notice_group where name = %s', name)}/delete", name)


def archive(s):
    id = str(uuid.uuid4())
    run(s.it, "insert into audit_archive (tenant, id, month, first, last, before, after, bytes, digest, made, signature, expires) values (%s, %s, '2020-02-01', 1,"
              " 1, %s, %s, 1, %s, now(), %s, now() + interval '1 year')", s.tenant, id, b"h" * 32, b"h" * 32, b"h" * 32, b"s" * 64)
    run(s.it, "insert into audit_archive_piece values (%s, %s, 0, 'x')", s.tenant, id)
    return Act(s.client("auditor"), f"/log/archive/{id}/delete", "2020-02", {"typed": "2020-02"})


def directory(s):
    settings = json.dumps({"servers": ["ldaps://ldap.harbour.example"], "enabled": False})
    if s.site == "console":
        run(s.it, "insert into directory (tenant, settings) values (%s, %s)", s.tenant, settings)
    else:
        run(s.it, "insert into setting (name, value) values ('directory.settings', %s)", settings)
    return Act(s.client(), "/directory/remove", "ldap.harbour.example")


def single_sign_on(s):
    s.client().post("/single-sign-on/begin")
    table = "saml" if s.site == "console" else "operator_saml"
    run(s.it, f"update {table} set idp = '{{\"entity\": \"https://idp.harbour.example/x\"}}'" + (" where tenant = %s" if s.site == "console" else ""),
        *([s.tenant] if s.site == "console" else []))
    return Act(s.client(), "/single-sign-on/remove", "https://idp.harbour.example/x")


def second_key(s):
    s.client().post("/single-sign-on/begin")
    assert s.client().post("/single-sign-on/key/new", days="3").status == 303
    name = re.search(r'name="key" value="([0-9a-f]{64})"', s.client().get("/single-sign-on").text).group(1)
    return Act(s.client(), "/single-sign-on/key/remove", name)


def key_server(s):
    names, values = ("tenant, ", "%s, ") if s.site == "console" else ("", "")
    table, url = ("key_server", "/account/key-server") if s.site == "console" else ("installation_key_server", "/key-server")
    run(s.it, f"insert into {table} ({names}host, port, ca, certificate, wrapped, settings) values ({values}'kmip.harbour.example', 5696, 'c', 'c', 'w', 's')",
        *([s.tenant] if values else []))
    return Act(s.client(), url + "/remove", "kmip.harbour.example")


def forwarding(s):
    run(s.it, "insert into log_forward (tenant, host, port, ca, format, seq) values (%s, 'logs.harbour.example', 6514, '', 'json', 0)", s.tenant)
    return Act(s.client(), ("/account" if s.site == "console" else "") + "/log-forwarding/remove", "logs.harbour.example")


def people(url):
    return {url + "/{id}/disable": lambda s: person(s, "disable"), url + "/{id}/remove": lambda s: person(s, "remove", "disabled"),
            url + "/{id}/factor": lambda s: person(s, "factor")}


def hook(act, **more):
    def make(s):
        name = f"Hook {uuid.uuid4().hex[:6]}"
        event = "key-pending" if s.site == "console" else "given-up"
        s.ask("/webhooks/new", {"name": name, "url": "https://hooks.example.com/x", "format": "json", "events": [event], "ca": "", "enabled": False})
        return Act(s.client(), f"/webhooks/{count(s.it, 'select id from webhook where name = %s', name)}/{act}", name, **more)
    return make


BOTH = {"/reports/templates/{id}/delete": report_template, "/reports/{id}/delete": one_report, "/reports/delete": many_reports,
        "/notifications/{id}/delete": group, "/log/archive/{id}/delete": archive, "/directory/remove": directory,
        "/single-sign-on/key/remove": second_key, "/single-sign-on/remove": single_sign_on,
        # Each secret takes the former's place, and is shown.
        "/webhooks/{id}/secret": hook("secret", twice=True), "/webhooks/{id}/delete": hook("delete")}


# A tenant's

def machine(s):
    return Machine(s.it, s.tenant, f"db-{uuid.uuid4().hex[:6]}")


def device(act, role=None, typed=True, fields=None, **columns):
    def make(s):
        name = f"disk {uuid.uuid4().hex[:6]}"
        configured = {"os": "linux", "filesystem": "ext4", "mount_point": "/srv/x", **columns}
        id = machine(s).disk(name, **{c: v for c, v in configured.items() if v})
        return Act(s.client(role), f"/devices/{id}/{act}", name, {**({"typed": name} if typed else {}), **(fields or {})})
    return make


def proposal(s):
    act = device("proposal", status="not-configured", os=None, filesystem=None, mount_point=None, found_filesystem="ext4")(s)
    run(s.it, "insert into device_proposal (tenant, device, instance, os, filesystem, mount_point, access, mode, key_bits, overwrite) select tenant, id,"
              " instance, 'linux', 'xfs', '/srv/p', 'read-write', 'xts-plain64', 256, true from device where id = %s", act.path.split("/")[2])
    return act


def keys(s):
    act = device("destroy", "security-administrator", status="encrypted")(s)
    run(s.it, "insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, '\\x01')", s.tenant, act.path.split("/")[2])
    run(s.it, "update device set key_created = now(), key_version = 1, configured = now() where id = %s", act.path.split("/")[2])
    return act


def destruction(s):
    asked = keys(s)
    assert asked.client.post(asked.path, **asked.fields, comment="left").status == 303
    id = count(s.it, "select id from destruction where device = %s", asked.path.split("/")[2])
    return Act(s.sign_in(s.user("security-administrator")), f"/destructions/{id}/confirm", asked.name, asked.fields)


def revocation(s):
    m = machine(s)
    return Act(s.client(), f"/requests/{m.request('delivered')}/revoke", f"{m.name} data")


def agent(s):
    m = machine(s)
    return Act(s.client(), f"/instances/{m.instance}/remove-agent", m.name)


def credentials(s):
    m = machine(s)
    run(s.it, "insert into image_credential (tenant, image, provider, version, label, secret) values (%s, %s, 'ec2', 1, 'AKIAHARBOUR', 'w')", s.tenant, m.image)
    return Act(s.client(), f"/images/{m.image}/credentials", "AKIAHARBOUR")


def policy(s):
    name = f"Policy {uuid.uuid4().hex[:6]}"
    document = {"keyward_policy": 1, "name": name, "description": "d", "rules": [rule("os.system", "equals", "linux")],
                "action": {"on_match": "approve", "on_mismatch": "manual"}}
    return s.ask("/policies", {"document": document})["id"], name


def policy_gone(s):
    id, name = policy(s)
    return Act(s.client(), f"/policies/{id}/delete", name)


def draft(s):
    id, name = policy(s)
    draft_at = s.client().get(f"/policies/{id}/edit").header("location").split("/")[3]
    return Act(s.client(), f"/policies/drafts/{draft_at}/discard", name, logged=False)


CONSOLE = {
    **BOTH, **people("/users"), "/account/key-server/remove": key_server, "/account/log-forwarding/remove": forwarding,
    "/requests/{id}/revoke": revocation, "/instances/{id}/remove-agent": agent,
    "/devices/{id}/encrypt": device("encrypt", status="configured", found_filesystem="ext4"),
    "/devices/{id}/proposal": proposal,
    "/devices/{id}/unconfigure": device("unconfigure", status="configured"),
    "/devices/{id}/release": device("release", fields={"release": "hand-over", "keys": "destroy"}, status="encrypted"),
    "/devices/{id}/destroy": keys,
    "/destructions/{id}/confirm": destruction,
    "/devices/{id}/delete": device("delete", status="undetected"),
    "/images/{id}/credentials": credentials, "/policies/{id}/delete": policy_gone, "/policies/drafts/{id}/discard": draft,
}


# The operator's

def suspension(s):
    slug, id = make_tenant(s.it)
    return Act(s.client(), f"/tenants/{id}/suspend", f"Tenant {slug}")


def closing(s):
    slug, id = make_tenant(s.it)
    return Act(s.client(), f"/tenants/{id}/close/confirm?days=30&comment=left", f"Tenant {slug}", {"typed": slug, "days": "30", "comment": "left"})


def job(s):
    id = str(uuid.uuid4())
    run(s.it, "insert into job (id, tenant, kind, payload, state, attempts, run_at) values (%s, null, 'mail', '{}', 'waiting', 0, now() + interval '1 hour')", id)
    return Act(s.client(), f"/jobs/{id}/drop", "Mail")


def mail(s):
    s.ask("/mail", {"host": "mail.harbour.example", "port": 587, "security": "starttls", "sender": "keyward@msp.example", "user": "", "password": "", "ca": ""})
    return Act(s.client(), "/mail/remove", "mail.harbour.example")


def appearance(s):
    name = f"Vault {uuid.uuid4().hex[:6]}"
    s.ask("/appearance", {"name": name, "support": "", "colour": "#2f6f4f"})
    return Act(s.client(), "/appearance/remove", name)


def token(s):
    name = f"Token {uuid.uuid4().hex[:6]}"
    s.ask("/api-tokens", {"name": name, "scope": "meter", "days": 1})
    return Act(s.client(), f"/api-tokens/{count(s.it, 'select id from operator_token where name = %s', name)}/revoke", name)


CENTRAL = {
    **BOTH, **people("/operators"), "/key-server/remove": key_server, "/log-forwarding/remove": forwarding, "/tenants/{id}/suspend": suspension,
    "/tenants/{id}/close/confirm": closing, "/jobs/{id}/drop": job, "/mail/remove": mail, "/appearance/remove": appearance,
    "/api-tokens/{id}/revoke": token,
}
