"""Who would break the operator's API, the quotas and the registration: tokens in other places, bodies that are too much or cut, the same thing
many times at once, links of others, floods of mail."""
import json
import re
import socket
import threading
import uuid

import psycopg2
from mailsink import Sink
from stack.process import wait_until
from test_agent_service import Agent, make_agent
from test_licences import Account, day, sql
from test_mail import save
from test_operator_api import SECONDS, System, boss, installed, token
from web import Client, make_tenant


def at_once(number, act):
    """ACT(i) in NUMBER threads that begin together; their results in order."""
    results, begin = [None] * number, threading.Barrier(number)

    def run(i):
        begin.wait(60)
        results[i] = act(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(number)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(300)
    assert None not in results, results
    return results


def fresh(scope, server):
    return token(boss(server), scope, name=f"{scope} {uuid.uuid4().hex[:8]}")[0]


def tenant_fields(slug):
    return {"account": slug, "name": "N", "admin_name": "A", "admin_email": "a@outside.example"}


def test_a_token_counts_in_its_header_alone(server):
    # covers: LIC-4, SEC-4, API-1
    text = fresh("tenants", server)
    c = Client(server, "central")
    for path in (f"/tenants?access_token={text}", f"/tenants?token={text}", f"/tenants?search={text}"):
        assert c.api(path).status == 401, path
    for headers in ({"Authorization": f"Basic {text}"}, {"Authorization": text}, {"X-API-Key": text}, {"Cookie": f"__Host-keyward={text}"},
                    {"Cookie": f"__Host-keyward-central={text}"}, {"Proxy-Authorization": f"Bearer {text}"},
                    {"Authorization": f"Bearer  {text}"}, {"Authorization": f"Bearer {text} "[:-2]}, {"Authorization": f"Bearer {text},{text}"}):
        assert c.api("/tenants", headers=headers).status == 401, headers
    slug = f"url{uuid.uuid4().hex[:8]}"
    assert c.api("/tenants/new", {**tenant_fields(slug), "token": text, "access_token": text}).status == 401
    # Not at the other sites, nor for pages, nor beside a session that may less: what was sent with the request decides.
    a = Account(server)
    bearer = {"Authorization": f"Bearer {text}"}
    assert a.client.api("/session", headers=bearer).json["user"]["email"] == a.email
    assert Client(server, "agents").send("POST", "/agent/v1", b"KWD", bearer, origin=False).status != 500
    auditor = boss(server, "auditor")
    assert auditor.api("/tenants/new", tenant_fields(slug)).status == 403
    operator = boss(server)
    meter = {"Authorization": f"Bearer {fresh('meter', server)}"}
    assert operator.api("/tenants/new", tenant_fields(slug), headers=meter).status == 403
    assert operator.api("/tenants", headers={"Authorization": f"Bearer kwo_{'A' * 43}"}).status == 401
    # From a page of another site too: a browser never sends it by itself, and no such site may read the answer.
    a = c.api("/tenants", headers={**bearer, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert a.header("access-control-allow-origin") is None
    assert sql(server, "select count(*) from tenant where slug = %s", (slug,))[0][0] == 0
    for log in (server.state / "log").glob("*.log"):
        assert text not in log.read_text(errors="replace") and text[4:] not in log.read_text(errors="replace"), log


def test_bodies_that_are_too_much_or_cut(server):
    # covers: SEC-5, LIC-4
    text, slug = fresh("tenants", server), f"body{uuid.uuid4().hex[:8]}"
    good = json.dumps(tenant_fields(slug))
    c = Client(server, "central")

    def post(body, kind="application/json", bearer=text):
        return c.send("POST", "/api/v1/tenants/new", body if isinstance(body, bytes) else body.encode(),
                      {"Content-Type": kind, "Authorization": f"Bearer {bearer}"})

    bad = [good[:n] for n in (0, 1, len(good) // 2, len(good) - 1)] + [
        "[" * 20000 + "]" * 20000, '{"account":' * 5000 + "1" + "}" * 5000, f'{{"account": {good}}}', f"[{good}]", "null", "1", '"x"', good + good,
        good.replace('"N"', '"a\\u0000b"'), good[:-1] + ', "account": "other-one"}', good[:-1] + ', "name": null}',
        good.replace('"N"', '["N", "M"]'), good.replace('"N"', "1e999"), good.replace('"N"', json.dumps("n" * 201)),
        good.replace(slug, slug + "\\u200b"), good.replace(slug, "../" + slug), good.replace(slug, slug.upper()), good.replace(slug, "x" * 64),
        good.encode().replace(b'"N"', b'"\xff\xfe"'), good.encode("utf-16"), b"\xef\xbb\xbf" + good.encode()]
    for body in bad:
        a = post(body)
        assert 400 <= a.status < 500 and a.status not in (401, 403, 404), (body[:60], a)
        assert a.header("content-type").startswith("application/problem+json"), (body[:60], a.headers)
    # Told by its length alone: the server does not wait for it.
    a = c.send("POST", "/api/v1/tenants/new", None, {"Content-Type": "application/json", "Content-Length": "1100000", "Authorization": f"Bearer {text}"})
    assert a.status == 413, a
    assert post(good, kind="text/plain").status in (415, 422)
    # Whoever has no token learns nothing of how bodies are read.
    for body in (bad[2], bad[4], good):
        assert post(body, bearer="kwo_" + "A" * 43).status == 401
    assert sql(server, "select count(*) from tenant where slug like %s", (slug + "%",))[0][0] == 0
    assert post(good).status == 200


def test_the_same_thing_many_times_at_once(server):
    # covers: LIC-4, LIC-2, API-1
    system, slug = System(server, fresh("tenants", server)), f"twice{uuid.uuid4().hex[:8]}"
    answers = at_once(8, lambda i: system.client.api("/tenants/new", tenant_fields(slug), headers={"Authorization": f"Bearer {system.token}"}))
    made = [a for a in answers if a.status == 200]
    assert len(made) == 1 and {a.status for a in answers} == {200, 422}, answers
    assert all("already" in a.text for a in answers if a.status == 422)
    account = made[0].json["account"]["id"]
    assert sql(server, "select count(*) from tenant where slug = %s", (slug,)) == [(1,)]
    assert sql(server, "select count(*) from app_user where tenant = %s", (account,)) == [(1,)]
    # A caller that never had the answer finds the account, and a new link for its administrator ends the one that went astray.
    row, = system(f"/tenants?search={slug}")["list"]["rows"]
    assert row["id"] == account
    again = system(f"/tenants/{account}/invitation", {"name": "A", "email": "a@outside.example"})["invitation"]["link"]
    visitor = Client(server, "console")
    path = re.compile(r"/invitation\?\S+")
    assert visitor.get(path.search(made[0].json["invitation"]["link"]).group(0)).status == 404
    assert visitor.get(path.search(again).group(0)).status == 200
    # Licences: each has a number of its own, and one is in force.
    code = {"kind": "full", "keys": 7, "until": day(90), "assign": True}
    answers = at_once(6, lambda i: system.client.api(f"/tenants/{account}/licences", code, headers={"Authorization": f"Bearer {system.token}"}))
    assert {a.status for a in answers} <= {200, 409, 503} and any(a.status == 200 for a in answers), answers
    assert system(f"/tenants/{account}/licences")["account"]["keys"] == 7
    # Suspended once, and the log says so once.
    answers = at_once(6, lambda i: system.client.api(f"/tenants/{account}/suspend", {"comment": "x"},
                                                     headers={"Authorization": f"Bearer {system.token}"}))
    assert sorted(a.status < 400 for a in answers) == [False] * 5 + [True] and {a.status for a in answers if a.status >= 400} == {409}, answers


def test_revoked_while_in_use(server):
    # covers: LIC-4, SEC-7
    c = boss(server)
    text, id = token(c, "licences", name=f"used {uuid.uuid4().hex[:8]}")
    system, stop, gone, before, after = System(server, text), threading.Event(), threading.Event(), [], []

    def use():
        while not stop.is_set():
            late = gone.is_set()
            (after if late else before).append(system.client.api("/licences?limit=1", headers={"Authorization": f"Bearer {text}"}).status)

    users = [threading.Thread(target=use) for _ in range(3)]
    for t in users:
        t.start()
    wait_until(lambda: before.count(200) > 10, SECONDS, "the token is not used")
    assert c.api(f"/api-tokens/{id}/revoke", {}).status == 200
    gone.set()
    wait_until(lambda: len(after) > 20, SECONDS, "nothing is answered any more")
    stop.set()
    for t in users:
        t.join(60)
    assert set(before) <= {200, 401} and set(after) == {401}, after
    # Old ones never push one that is in force off the list, where it is revoked.
    other, other_id = token(c, "meter", name=f"kept {uuid.uuid4().hex[:8]}")
    sql(server, "insert into operator_token (id, name, token, scope, created, created_by, expires, revoked) select gen_random_uuid(), 'old ' || n,"
        " sha256(('old' || n || %s)::bytea), 'meter', now() + interval '1 hour', 'x', now(), now() from generate_series(1, 250) n", (id,))
    assert other_id in {t["id"] for t in c.api("/api-tokens?limit=200").json["list"]["rows"]}
    sql(server, "delete from operator_token where name like 'old %%'")


def test_tenants_that_are_suspended_or_closed(server):
    # covers: LIC-4, TEN-7
    c, a = boss(server), Account(server)
    system = System(server, fresh("tenants", server))
    system(f"/tenants/{a.id}/suspend", {"comment": "unpaid"})
    assert a.client.api("/devices").status == 403
    system(f"/tenants/{a.id}/quotas", {"users": 9})
    system(f"/tenants/{a.id}/licences", {"kind": "full", "keys": 3, "until": day(9), "assign": True})
    assert a.client.api("/devices").status == 403                   # a licence is no way around it
    system(f"/tenants/{a.id}/resume", {})
    assert a.client.api("/devices").status == 200
    # Once its end has begun there is no way back, for no token, operator or role of the database: a half destroyed account never works again.
    sql(server, "update tenant set state = 'closing' where id = %s", (a.id,))
    for path in ("resume", "suspend", "quotas"):
        for client in (system.client, c):
            headers = {"Authorization": f"Bearer {system.token}"} if client is system.client else {}
            answer = client.api(f"/tenants/{a.id}/{path}", {"users": 3} if path == "quotas" else {}, headers=headers)
            assert answer.status == 409, (path, answer)
    k = psycopg2.connect(server.conninfo("keyward_central"))
    for state in ("active", "suspended"):
        with k.cursor() as q:
            try:
                q.execute("update tenant set state = %s where id = %s", (state, a.id))
            except psycopg2.errors.RestrictViolation:
                k.rollback()
            else:
                raise AssertionError(state)
    k.close()
    sql(server, "update tenant set state = 'closed' where id = %s", (a.id,))
    before = sql(server, "select count(*) from audit_entry where tenant = %s", (a.id,))
    for path, document in (("quotas", {"users": 1}), ("licences", {"kind": "full", "keys": 3, "until": day(9), "assign": True}), ("resume", {}),
                           ("suspend", {}), ("invitation", {"name": "M", "email": "mallory@x.example"})):
        answer = system.client.api(f"/tenants/{a.id}/{path}", document, headers={"Authorization": f"Bearer {system.token}"})
        assert answer.status in (404, 409), (path, answer)
    assert sql(server, "select count(*) from audit_entry where tenant = %s", (a.id,)) == before
    nobody = str(uuid.uuid4())
    for path in ("quotas", "licences", "suspend", "resume"):
        document = {"kind": "full", "keys": 3, "until": day(9)} if path == "licences" else {}
        assert system.client.api(f"/tenants/{nobody}/{path}", document, headers={"Authorization": f"Bearer {system.token}"}).status == 404, path


def test_quotas_are_exact_when_many_come_at_once(server):
    # covers: TEN-4, LIC-4
    c, a = boss(server), Account(server)
    assert c.api(f"/tenants/{a.id}/quotas", {"devices": 5, "users": 4, "instances": 3}).status == 200

    def insert(i):
        k = psycopg2.connect(server.conninfo("keyward_agent"))
        try:
            with k, k.cursor() as q:
                q.execute("select set_config('keyward.tenant', %s, true)", (a.id,))
                if i % 2:
                    q.execute("insert into device (tenant, id, provider, provider_device, policy) values (%s, gen_random_uuid(), 'ec2',"
                              " gen_random_uuid()::text, %s)", (a.id, a.policy))
                else:
                    q.execute("insert into instance (tenant, id, provider, provider_instance) values (%s, gen_random_uuid(), 'ec2',"
                              " gen_random_uuid()::text)", (a.id,))
            return "in"
        except psycopg2.errors.ConfigurationLimitExceeded:
            return "refused"
        finally:
            k.close()

    assert sorted(at_once(24, insert)) == ["in"] * 7 + ["refused"] * 17
    assert sql(server, "select (select count(*) from device where tenant = %s), (select count(*) from instance where tenant = %s)",
               (a.id, a.id)) == [(5, 3)]
    users = at_once(8, lambda i: a.client.api("/users/new", {"name": "N", "email": f"q{i}@x.example", "role": "auditor"}))
    there = sql(server, "select count(*) from app_user where tenant = %s", (a.id,))[0][0]
    assert there == 4 and {u.status for u in users} <= {200, 201, 303, 429}, users
    # An agent that enrols anew where its instance is known already is not one more.
    id, key = make_agent(server, a.id)
    name = sql(server, "select i.provider_instance from instance i join agent g on g.instance = i.id where g.id = %s", (id,))[0][0]
    said = Agent(server, a.id, id, key).connect().say(type="inventory", provider="native", instance_id=name,
                                                      host={"name": "py", "system": "linux", "agent_version": "1"}, devices=[])
    assert said["type"] == "inventory", said


def test_a_rate_cannot_be_used_up_by_strangers(server):
    # covers: TEN-4, PERF-2
    c, a, b = boss(server), Account(server), Account(server)
    id, key = make_agent(server, a.id)
    agent = Agent(server, a.id, id, key).connect()
    agents = [agent, *(Agent(server, a.id, *make_agent(server, a.id)).connect() for _ in range(5))]
    assert c.api(f"/tenants/{a.id}/quotas", {"rate": 3}).status == 200

    def stranger(i):
        """What anybody can send in the account's name: pages without a session, handshakes without a key, records that cannot be read."""
        visitor, fake = Client(server, "console"), Agent(server, a.id, id, key)
        for _ in range(6):
            visitor.api("/devices", headers={"Cookie": f"__Host-keyward={a.id}.{'A' * 43}"})
            fake.post(fake.hello())
            fake.post(agent.record({"type": "heartbeat"}, counter=1 << 40)[:-1] + b"x")
        return "done"

    at_once(4, stranger)
    # The agents' rate is theirs, the people's is theirs, and other accounts' are not touched.
    assert a.client.api("/session").status == 200

    def ask(i):
        return [agents[i].say(type="inventory", provider="ec2", instance_id="x", host={"name": "n", "system": "linux", "agent_version": "1"}, devices=[])
                for _ in range(9)]

    said = sum(at_once(len(agents), ask), [])
    # Some are answered; others come too quickly, however slow the machine is.
    refused = [s for s in said if isinstance(s, str) or s.get("code", s["type"]) != "conflict"]
    assert len(refused) < len(said) and refused and all("later" in json.dumps(s) or "quota" in json.dumps(s) for s in refused), said
    assert [b.client.api("/session").status for _ in range(9)] == [200] * 9
    assert a.client.api("/session").status == 200


def test_on_premise_makes_one_account_of_many_at_once(folder):
    # covers: TEN-5
    with installed("on-premise", "raced") as it:
        def create(i):
            try:
                return it.keyward("tenant", "create", f"own-{i}", "Own", f"a{i}@own.example") and "made"
            except Exception as e:
                assert "one account" in str(e), e
                return "refused"

        assert sorted(at_once(4, create)) == ["made"] + ["refused"] * 3


def test_registration_under_attack(folder):
    # covers: TEN-5, TEN-4, SEC-5, IDN-1
    with installed("saas", "attacked", **{"signup.users": "2"}) as it:
        c = boss(it)
        slug, other = make_tenant(it, "victim")
        with Sink(it, folder) as sink:
            save(c, sink, it, security="none", ca="")
            lure = {"company": "You have won: https://evil.example/prize", "name": "Click https://evil.example now"}

            def register(email, **fields):
                return Client(it, "console").post("/register", csrf=False, email=email, **{**lure, **fields}).status

            def links(email):
                return [re.search(r"token=(\S+)", m.text).group(1) for m in sink.to(email)]

            def sent():
                wait_until(lambda: sql(it, "select count(*) from job where kind = 'mail' and state = 'waiting'")[0][0] == 0, SECONDS, "mails wait")

            # Twelve at once to one address, however it is written: three mails, which say nothing of what a stranger typed.
            assert at_once(12, lambda i: register("target@nw.example" if i % 2 else "Target@NW.example")) == [200] * 12
            sent()
            mails = sink.to("target@nw.example") + sink.to("Target@NW.example")
            assert len(mails) == 3, mails
            for m in mails:
                assert "evil" not in m.text and "won" not in m.text and "evil" not in str(m.message)
            for email in ("a@b.example\r\nBcc: x@y.example", "a@b.example,c@d.example", "a b@c.example", "@c.example", "x" * 250 + "@c.example"):
                assert register(email) == 422, email
            assert register("n@nw.example", company="", name="") == 422 and register("n@nw.example", company="x" * 201) == 422
            # Not after six in a day either.
            sql(it, "update signup set created = created - interval '2 hours'")
            for _ in range(4):
                register("target@nw.example")
            sent()
            sql(it, "update signup set created = created - interval '2 hours'")
            register("target@nw.example")
            sent()
            assert len(sink.to("target@nw.example") + sink.to("Target@NW.example")) == 6
            # One link, many at once: one account, whatever names they ask for.
            register("owner@nw.example")
            sent()
            link, = links("owner@nw.example")
            answers = at_once(8, lambda i: Client(it, "console").post("/register/confirm", csrf=False, token=link, account=f"northwind-{i}"))
            assert sorted(a.status for a in answers) == [303] + [404] * 7, answers
            assert sql(it, "select count(*) from tenant where slug like 'northwind-%%'") == [(1,)]
            account = sql(it, "select id from tenant where slug like 'northwind-%%'")[0][0]
            # It begins with the limits that the settings name; a used link counts among the mails.
            quota = c.api(f"/tenants/{account}/quotas").json["quota"]
            assert quota == {"devices": 1000, "instances": 500, "users": 2, "rate": 100, "reports": 5120}, quota
            register("owner@nw.example"), register("owner@nw.example"), register("owner@nw.example")
            sent()
            assert len(links("owner@nw.example")) == 3
            # A link is good for what it was made for: no invitation, no password, no other account; nor the other way round.
            _, second, third = links("owner@nw.example")
            visitor = Client(it, "console")
            assert visitor.get(f"/invitation?account={slug}&token={second}").status == 404
            assert visitor.post("/invitation", csrf=False, account=slug, token=second, password="Correct-horse-7", repeat="Correct-horse-7").status == 404
            taken = visitor.post("/register/confirm", csrf=False, token=second, account=slug)
            assert taken.status == 422 and "taken" in taken.text
            invited = it.keyward("tenant", "invite", slug, "first@victim.example")
            invitation = re.search(r"token=(\S+)", invited).group(1)
            assert visitor.get(f"/register/confirm?token={invitation}").status == 404
            for wrong in ("", "A" * 43, second[:-1], second + "A", second.swapcase(), "%00", "A" * 4000, "../" + second):
                assert visitor.get(f"/register/confirm?token={wrong}").status in (404, 414, 422), wrong
            # Names that are taken cannot be tried on and on.
            tries = [visitor.post("/register/confirm", csrf=False, token=second, account=slug).status for _ in range(40)]
            assert tries[0] == 422 and 429 in tries, tries
            # Over: gone, and swept away.
            sql(it, "update signup set expires = now() - interval '1 second'")
            for late in (second, third):
                assert Client(it, "console").get(f"/register/confirm?token={late}").status == 404
                assert Client(it, "console").post("/register/confirm", csrf=False, token=late, account="too-late").status == 404
            register("last@nw.example")
            assert sql(it, "select array_agg(email) from signup") == [(["last@nw.example"],)]
            assert "token=" not in (it.state / "log" / "web.log").read_text(errors="replace")


def test_large_downloads_of_one_account_do_not_fill_the_server(server):
    # covers: TEN-7, TEN-4, SEC-5
    a, id, parts = Account(server), str(uuid.uuid4()), 302
    sql(server, "insert into tenant_export (tenant, id, requested_by, state, bytes, rows, finished) values (%s, %s, 'x', 'done', %s, 1, now())",
        (a.id, id, parts << 20))
    sql(server, "insert into tenant_export_part (tenant, export, part, data) select %s, %s, n, convert_to(repeat('k', 1 << 20), 'UTF8')"
        " from generate_series(0, %s) n", (a.id, id, parts - 1))
    path = f"/account/data/{id}"
    cookie = "; ".join(f"{n}={v}" for n, v in a.client.cookies.items())

    def fetch(i):
        """A client that reads the head of the answer and no more; its status and connection."""
        plain = socket.create_connection(("127.0.0.1", server.port), 120, (a.client.source, 0))
        s = server.tls_context().wrap_socket(plain, server_hostname="console.localhost")
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: console.localhost:{server.port}\r\nCookie: {cookie}\r\n\r\n".encode())
        return s.recv(16), s

    # A worker has a part of each, and goes on with it when its client does.
    held = at_once(server.workers + 2, fetch)
    assert {h[0][9:12] for h in held} == {b"200"}, held
    assert a.client.get("/devices").status == 200
    for _, s in held:
        s.close()
    whole = a.client.get(path)
    assert whole.status == 200 and whole.body == b"k" * (parts << 20), len(whole.body)
    assert a.client.send("HEAD", path).status == 200
