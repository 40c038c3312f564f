"""Outside systems at the operator's API with tokens; quotas and rates of tenants; the three deployments; registration by mail."""
import concurrent.futures
import datetime
import re
import uuid

from fixtures import installation
from mailsink import Sink
from stack.process import wait_until
from test_agent_service import Agent, make_agent
from test_licences import Account, day, sql
from test_mail import save
from web import Client, make_operator, make_tenant, make_user

SECONDS = 120


def boss(server, role="msp-administrator"):
    c = Client(server, "central")
    assert c.sign_in(make_operator(server, role)).status == 303
    return c


class System:
    """An outside system: a token and no cookie."""

    def __init__(self, server, token):
        self.client, self.token = Client(server, "central"), token

    def __call__(self, path, document=None, status=200):
        a = self.client.api(path, document, headers={"Authorization": f"Bearer {self.token}"})
        assert a.status == status, (path, a)
        assert not a.all("set-cookie")
        return a.json


def token(c, scope, days=30, name="billing"):
    a = c.api("/api-tokens", {"name": name, "scope": scope, "days": days})
    assert a.status == 200, a
    return a.json["made"]["token"], next(t["id"] for t in a.json["list"]["rows"] if t["name"] == name and t["state"]["name"] == "In force")


def test_an_outside_system_drives_tenants_and_licences(server):
    # covers: LIC-4, API-1
    c = boss(server)
    text, id = token(c, "tenants", name="crm " + uuid.uuid4().hex[:6])
    system, slug = System(server, text), f"api{uuid.uuid4().hex[:10]}"
    made = system("/tenants/new", {"account": slug, "name": "From outside", "admin_name": "Ada", "admin_email": "ada@outside.example"})
    account = made["account"]["id"]
    assert "/invitation?account=" + slug in made["invitation"]["link"]
    issued = system(f"/tenants/{account}/licences", {"kind": "full", "keys": 12, "until": day(90), "assign": True})
    assert issued["made"]["assigned"]
    row, = [r for r in system(f"/licences?search={slug}")["list"]["rows"]]
    assert (row["keys"], row["used"], row["kind"]["name"]) == (12, 0, "Full")
    system(f"/tenants/{account}/licences", {"kind": "full", "keys": 20, "until": day(180), "assign": True})
    assert system(f"/tenants/{account}/licences")["account"]["keys"] == 20
    system(f"/tenants/{account}/suspend", {"comment": "unpaid"})
    assert system(f"/tenants/{account}")["account"]["state"]["name"] == "Suspended"
    system(f"/tenants/{account}/resume", {})
    system(f"/tenants/{account}/quotas", {"devices": 5})
    assert system(f"/tenants/{account}/quotas")["quota"]["devices"] == 5
    # Under its own name in the log.
    actors = {r["actor"]["name"] if isinstance(r["actor"], dict) else r["actor"] for r in c.api(f"/log?search={slug}&limit=50").json["list"]["rows"]}
    assert any("API token" in str(a) for a in actors), actors
    # And nothing beyond its scope.
    for path, document in (("/tenants/{}/close/confirm", {"days": 0, "typed": slug}), ("/tenants/{}/close/cancel", {})):
        system(path.format(account), document, 403)
    for path in ("/mail", "/log", "/api-tokens", "/", "/sessions", "/session"):
        a = system.client.api(path, headers={"Authorization": f"Bearer {text}"})
        assert a.status == 403, (path, a)
    assert system.client.send("GET", "/tenants", headers={"Authorization": f"Bearer {text}"}).status == 303      # not for pages


def test_scopes(server):
    # covers: LIC-4, SEC-7
    c, a = boss(server), Account(server)
    meter, licences = (System(server, token(c, s, name=s + uuid.uuid4().hex[:6])[0]) for s in ("meter", "licences"))
    code = {"kind": "full", "keys": 3, "until": day(9)}
    meter(f"/tenants/{a.id}/licences", code, 403)
    licences(f"/tenants/{a.id}/licences", code)
    for system in (meter, licences):
        assert system(f"/tenants?search={a.slug}")["list"]["rows"]
        system(f"/tenants/{a.id}/suspend", {}, 403)
        system("/tenants/new", {"account": "nobody-makes-it", "name": "x", "admin_name": "x", "admin_email": "x@x.example"}, 403)


def test_tokens_that_are_refused(server):
    # covers: LIC-4, SEC-4
    c = boss(server)
    text, id = token(c, "meter", name="gone " + uuid.uuid4().hex[:6])
    other, other_id = token(c, "meter", name="late " + uuid.uuid4().hex[:6])
    System(server, text)("/tenants")
    kept = sql(server, "select encode(token, 'hex'), last_used is not null, last_address from operator_token where id = %s", (id,))[0]
    assert text not in kept[0] and kept[1] and kept[2].startswith("127.")
    assert text not in c.get("/api-tokens").text and "gone" in c.get("/api-tokens").text
    assert c.api(f"/api-tokens/{id}/revoke", {}).status == 200 and c.api(f"/api-tokens/{id}/revoke", {}).status == 409
    sql(server, "update operator_token set expires = now() - interval '1 second' where id = %s", (other_id,))
    for wrong in (text, other, text[:-1], text + "A", "kwo_", "", "x" * 4000, "kwo_" + "A" * 43):
        System(server, wrong)("/tenants", status=401)
    # Nor in a tenant's console, nor made by anybody but an MSP Administrator.
    a = Account(server)
    fresh, _ = token(c, "tenants", name="new " + uuid.uuid4().hex[:6])
    assert Client(server, "console").api("/devices", headers={"Authorization": f"Bearer {fresh}"}).status == 401
    for role in ("tenant-manager", "system-operator", "auditor"):
        assert boss(server, role).api("/api-tokens", {"name": "x", "scope": "meter", "days": 1}).status == 403
    assert a.client.api("/api-tokens").status == 404
    for bad in ({"days": 0}, {"days": 731}, {"scope": "everything"}, {"name": ""}):
        assert c.api("/api-tokens", {"name": "x", "scope": "meter", "days": 1, **bad}).status == 422, bad


def test_quotas_of_rows(server):
    # covers: TEN-4, PERF-2
    import psycopg2
    c, a, b = boss(server), Account(server), Account(server)
    assert c.api(f"/tenants/{a.id}/quotas", {"devices": 2, "instances": 2, "users": 3}).status == 200
    a.devices(1)
    used = c.api(f"/tenants/{a.id}/quotas").json["used"]
    assert used["devices"] == 1 and used["instances"] == 1 and used["users"] >= 1
    # By the agents' service, whose words an agent gets.
    k = psycopg2.connect(server.conninfo("keyward_agent"))
    for account, table, rest, expected in ((a, "device", "policy", "quota of 2 devices"), (a, "instance", None, "quota of 2 instances"),
                                           (b, "device", "policy", None)):
        said = None
        with k.cursor() as q:
            q.execute("select set_config('keyward.tenant', %s, true)", (account.id,))
            try:
                for _ in range(3):
                    if table == "device":
                        q.execute("insert into device (tenant, id, provider, provider_device, policy) values (%s, gen_random_uuid(), 'ec2',"
                                  " gen_random_uuid()::text, %s)", (account.id, account.policy))
                    else:
                        q.execute("insert into instance (tenant, id, provider, provider_instance) values (%s, gen_random_uuid(), 'ec2',"
                                  " gen_random_uuid()::text)", (account.id,))
            except psycopg2.errors.ConfigurationLimitExceeded as e:
                said = str(e)
        k.rollback()
        assert (said or "").find(expected or "") >= 0 and (said is None) == (expected is None), (table, said)
    k.close()
    # By the console: who is invited.
    statuses = [a.client.api("/users/new", {"name": "N", "email": f"n{i}@x.example", "role": "auditor"}) for i in range(4)]
    assert statuses[0].status in (200, 201) and statuses[-1].status == 429 and "quota of 3 users" in statuses[-1].text, statuses
    assert "quota" in c.get(f"/tenants/{a.id}/quotas").text.lower()


def test_a_full_quota_holds_up_nothing_that_is_known(server):
    # covers: TEN-4, SEC-7, AGT-3
    c, a = boss(server), Account(server)
    id, key = make_agent(server, a.id)
    agent = Agent(server, a.id, id, key).connect()
    name = sql(server, "select i.provider_instance from instance i join agent g on g.instance = i.id where g.id = %s", (id,))[0][0]

    def publish(*disks):
        return agent.say(type="inventory", provider="native", instance_id=name, host={"name": "py", "system": "linux", "agent_version": "1"},
                         devices=[{"id": d, "path": "/dev/" + d, "size_bytes": 1 << 30, "kind": "disk"} for d in disks])

    def devices():
        return {r[0]: r[1] for r in sql(server, "select provider_device, status from device where tenant = %s", (a.id,))}

    assert "warning" not in publish("sda", "sdb")
    assert c.api(f"/tenants/{a.id}/quotas", {"devices": 3, "instances": 1}).status == 200
    # What fits is taken, what does not is told, what is known goes on: also lost and found again.
    said = publish("sda", "sdb", "sdc", "sdd", "sde")
    assert said["type"] == "inventory" and "2 devices are not registered" in said["warning"], said
    assert sorted(devices()) == ["sda", "sdb", "sdc"]
    assert c.api(f"/tenants/{a.id}/quotas", {"devices": 1, "instances": 1}).status == 200
    sql(server, "update device set configured = now(), status = 'configured' where tenant = %s and provider_device = 'sdb'", (a.id,))
    assert "1 devices" in publish("sda", "new")["warning"] and devices()["sdb"] == "undetected"
    assert "warning" not in publish("sda", "sdb", "sdc") and devices()["sdb"] == "configured"
    assert c.api(f"/tenants/{a.id}/quotas", {}).status == 200
    assert "warning" not in publish("sda", "sdb", "sdc", "sdd") and len(devices()) == 4


def test_rate_of_one_tenant_is_nobody_elses(server):
    # covers: TEN-4, PERF-2
    c, a, b = boss(server), Account(server), Account(server)
    assert c.api(f"/tenants/{a.id}/quotas", {"rate": 2}).status == 200
    with concurrent.futures.ThreadPoolExecutor(12) as many:
        answers = list(many.map(lambda _: a.client.api("/session"), range(24)))
    over = [x for x in answers if x.status == 429]
    assert over and "quota of requests" in over[0].text, answers
    assert [b.client.api("/session").status for _ in range(12)] == [200] * 12
    wait_until(lambda: a.client.api("/session").status == 200, SECONDS, "the rate does not come back")
    assert c.api(f"/tenants/{a.id}/quotas", {}).status == 200
    assert [a.client.api("/session").status for _ in range(12)] == [200] * 12


def installed(mode, name="mode", **settings):
    return installation(f"{name}-{mode}", mode=mode, settings={"outside.local": "yes", **settings})


def test_a_company_registers_itself(folder):
    # covers: TEN-5, LIC-1
    with installed("saas") as it:
        c = boss(it)
        visitor = Client(it, "console")
        assert 'href="/register"' in visitor.get("/sign-in").text
        # Nobody is told to wait for a mail that no server sends.
        nobody = {"company": "Northwind", "name": "Marta Lindqvist", "email": "marta@nw.example"}
        page, sent = visitor.get("/register"), visitor.post("/register", csrf=False, **nobody)
        assert "sends no mail yet" in page.text and "<form" not in page.text and sent.status == 409 and "sends no mail yet" in sent.text, sent
        assert sql(it, "select count(*) from signup")[0][0] == 0
        _, taken = make_tenant(it, "northwind")
        known = make_user(it, taken)
        with Sink(it, folder) as sink:
            save(c, sink, it, security="none", ca="")
            assert 'name="company"' in visitor.get("/register").text
            fields = {"company": "Northwind", "name": "Marta Lindqvist"}
            # The same answer for who is known and who is not.
            answers = [Client(it, "console").post("/register", csrf=False, email=e, **fields) for e in ("marta@nw.example", known)]
            assert [x.status for x in answers] == [200, 200], answers
            one, two = (re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{2}:\d{2}:\d{2}|[\w.-]+@[\w.-]+", "", x.text) for x in answers)
            assert one == two
            mail = sink.wait("marta@nw.example", "Confirm")
            sink.wait(known, "Confirm")
            link = re.search(r"https://\S+(/register/confirm\?token=\S+)", mail.text).group(1)
            page = visitor.get(link)
            assert page.status == 200 and 'value="northwind"' in page.text
            token_text = link.split("token=")[1]
            clash = visitor.post("/register/confirm", token=token_text, account="northwind")
            assert clash.status == 422 and "taken" in clash.text, clash
            bad = visitor.post("/register/confirm", token=token_text, account="No Name!")
            assert bad.status == 422, bad
            made = visitor.post("/register/confirm", token=token_text, account="northwind-2")
            assert made.status == 303 and made.header("location").startswith("/invitation?account=northwind-2"), made
            assert visitor.get(link).status == 404                      # once
            assert visitor.get(made.header("location")).status == 200
            joined = visitor.post("/invitation", account="northwind-2", token=made.header("location").split("token=")[1],
                                  password="Correct-horse-7", repeat="Correct-horse-7")
            assert joined.status == 303, joined
            licence = visitor.api("/licence").json["licence"]
            assert licence["begun"] and licence["keys"] == 100
            assert visitor.api("/account").json["account"]["passphrase_set"]
            # No more than a few mails an hour to one address, whoever asks; and an address has so many tries.
            before = len(sink.to("marta@nw.example"))
            for _ in range(5):
                assert Client(it, "console").post("/register", csrf=False, email="marta@nw.example", **fields).status == 200
            one_place = Client(it, "console")
            tries = [one_place.post("/register", csrf=False, email=f"{uuid.uuid4().hex[:8]}@x.example", **fields).status for _ in range(40)]
            assert 429 in tries and tries[0] == 200
            wait_until(lambda: sql(it, "select count(*) from job where kind = 'mail' and state = 'waiting'")[0][0] == 0, SECONDS, "mails wait")
            assert len(sink.to("marta@nw.example")) <= before + 3
            sql(it, "update signup set expires = now()")
            late = re.search(r"(/register/confirm\?token=\S+)", sink.to(known)[0].text).group(1)
            assert visitor.get(late).status == 404


def test_on_premise_has_one_account(folder):
    # covers: TEN-5, ADM-3
    with installed("on-premise") as it:
        code = re.search(r"code=(\S+)", it.keyward("setup-code")).group(1)
        c = Client(it, "central")
        assert "The account of this installation" in c.get(f"/setup?code={code}").text
        assert "not set up yet" in c.get("/sign-in").text
        fields = {"code": code, "name": "Olga", "email": "olga@own.example", "password": "Correct-horse-7", "repeat": "Correct-horse-7"}
        # All that is wrong is said at once, and what was typed stays.
        a = c.post("/setup", csrf=False, **{**fields, "password": "short"})
        assert a.status == 422 and "needed" in a.text and "At least 3 characters" in a.text and 'id="e-password"' in a.text, a
        assert 'value="olga@own.example"' in a.text
        a = c.post("/setup", csrf=False, **fields)
        assert a.status == 422 and "needed" in a.text, a
        a = c.post("/setup", csrf=False, company="Own Company", account="own", **{**fields, "code": "another-code"})
        assert a.status == 422 and sql(it, "select count(*) from audit_entry where event = 'setup.refused' and address is not null")[0][0] == 1, a
        a = c.post("/setup", csrf=False, company="Own Company", account="own", **fields)
        assert a.status == 303 and a.header("location").startswith("/tenants/"), a
        c.csrf = c.api("/session").json["csrf"]
        assert "not set up yet" not in Client(it, "central").get("/sign-in").text
        assert [r["account"] for r in c.api("/tenants").json["list"]["rows"]] == ["own"]
        invited = c.api(a.header("location") + "/invitation", {"name": "Ada", "email": "ada@own.example"})
        assert invited.status == 200 and "account=own" in invited.json["invitation"]["link"] and not invited.json["invitation"]["mailed"]
        # What is left to do is said until somebody of the account has joined.
        step = c.api("/").json["steps"]["list"][-1]
        assert "first administrator" in step["title"] and not step["done"], step
        token_text = invited.json["invitation"]["link"].split("token=")[1]
        assert Client(it, "console").post("/invitation", csrf=False, account="own", token=token_text, password="Correct-horse-7",
                                          repeat="Correct-horse-7").status == 303
        assert c.api("/").json["steps"] is None
        second = c.api("/tenants/new", {"account": "second", "name": "S", "admin_name": "S", "admin_email": "s@s.example"})
        assert second.status == 409 and "one account" in second.text, second
        try:
            it.keyward("tenant", "create", "third", "Third", "t@t.example")
        except Exception as e:
            assert "one account" in str(e), e
        else:
            raise AssertionError("a second account was made")
        assert Client(it, "console").get("/register").status == 404
