"""A tenant as a customer of some months has it (machines by the dozen, devices in every state, policies with rules, requests that wait, a
history), an operator with several tenants, and every page of both consoles with an address that leads somewhere: for pictures and for
tests that go through all pages."""
import json
import random
import re
import uuid

from destroying import CENTRAL, CONSOLE, Site
from documents import FRANKFURT, LINUX, PATCHED, QUIET, REPORT
from factors import enrol, half
from inventory import DOCUMENT, FACTS, Machine
from notices import FORM as GROUP
from stack.process import wait_until
from web import PASSWORD, Client, database, make_operator, make_tenant, make_user
from world import count

NAME = "Harbour Logistics"
OTHERS = ("Alder Insurance", "Brightwater Energy", "Cobalt Pharma", "Dunmore Shipping", "Eastgate Clinics", "Fenwick Rail", "Granite Mutual",
          "Hollis & Partners", "Inverness Foods", "Juniper Telecom", "Kestrel Airways", "Lakeside Hospital")
FLEET = (("orders-db", "Orders database", 6, "eu-central-1"), ("billing-db", "Billing database", 4, "eu-central-1"), ("files", "File server", 5, "eu-west-1"),
         ("search", "Search node", 8, "eu-west-1"), ("analytics", "Analytics worker", 9, "us-east-1"), ("build", "Build runner", 4, "us-east-1"))
PEOPLE = (("account-administrator", "Ada Andersen"), ("security-administrator", "Sam Okafor"), ("auditor", "Aud Lindqvist"), ("key-approver", "Kim Novak"),
          ("data-analyst", "Dana Ruiz"))
RAID = {"os": "linux", "filesystem": "ext4", "access": "rw", "mode": "xts", "key_size": "256", "mount": "/srv/fast", "go": "save"}
ID = re.compile(r"{[a-z_]+}")


class Showroom:
    """.people: {role: client}, signed in; .operator: client; .e-mail addresses beside them."""

    def __init__(self, installation, machines=None, tenants=3):
        self.it, self.random = installation, random.Random(8)
        self.slug, self.tenant = make_tenant(installation, f"harbour-{uuid.uuid4().hex[:6]}")
        self.emails, self.people = {}, {}
        self.db = database(installation).cursor()
        self.db.execute("update tenant set name = %s where id = %s", (NAME, self.tenant))
        for role, name in PEOPLE:
            self.emails[role] = make_user(installation, self.tenant, role, f"{name.split()[0].lower()}@{self.slug}.example")
            self.db.execute("update app_user set name = %s where email = %s", (name, self.emails[role]))
            self.people[role] = Client(installation, "console")
            assert self.people[role].sign_in(self.emails[role], account=self.slug).status == 303
        self.operator_email = make_operator(installation)
        self.operator = Client(installation, "central")
        assert self.operator.sign_in(self.operator_email).status == 303
        self._policies()
        self._fleet(machines)
        self._judge()
        self._told()
        self._counts()
        for name in OTHERS[:tenants]:
            self._neighbour(name)
        self.sites = {"console": Site(installation, "console", (self.slug, self.tenant)), "central": Site(installation, "central")}
        self._rare()
        self._visits()

    # What a customer has

    def _ask(self, role, path, document):
        answer = self.people[role].api(path, document)
        assert answer.status == 200, (path, answer)
        return answer.json

    def _policies(self):
        def make(name, description, rules, **action):
            whole = {"keyward_policy": 1, "name": name, "description": description, "rules": rules, "action": action}
            return self._ask("account-administrator", "/policies", {"document": whole})["id"]
        self.policies = [make("Databases in Europe", "Debian, in Frankfurt, one listener", [LINUX, FRANKFURT, PATCHED], on_match="approve", on_mismatch="manual"),
                         make("File servers", "Where documents of customers are", [LINUX, QUIET], on_match="manual", on_mismatch="deny"),
                         make("Batch workers", "May come and go", [LINUX], on_match="approve", on_mismatch="deny")]
        self.db.execute("select id from policy where tenant = %s and is_default", (self.tenant,))
        self.policies.append(str(self.db.fetchone()[0]))

    def _put(self, table, **values):
        values = {"tenant": self.tenant, "id": str(uuid.uuid4()), **values}
        self.db.execute(f"insert into {table} ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})", list(values.values()))
        return values["id"]

    def _fleet(self, most):
        self.machines = self.requests = 0
        for group, (stem, title, size, region) in enumerate(FLEET):
            policy = self.policies[group % len(self.policies)]
            image = self._put("image", provider="ec2", provider_image=f"ami-{uuid.uuid4().hex[:17]}", name=title, description=f"{title}, hardened")
            self.db.execute("insert into policy_image (tenant, policy, image) values (%s, %s, %s)", (self.tenant, policy, image))
            for n in range(1, size + 1):
                if most is None or self.machines < most:
                    self._machine(f"{stem}-{n}", group, n, image, region, policy)

    def _machine(self, name, group, n, image, region, policy):
        self.machines += 1
        facts = {"agent": {**DOCUMENT["agent"], "values": {**FACTS, "host.name": name, "os.system": "linux", "instance.region": region,
                                                                      "os.pending_security_updates": n % 3}},
                 "server": {**DOCUMENT["server"], "values": {"request.address": f"10.20.{group}.{n}"}}}
        gone = self.machines % 11 == 0
        instance = self._put("instance", image=image, provider="ec2", provider_instance=f"i-{uuid.uuid4().hex[:17]}", host_name=name, region=region,
                             zone=region + "a", os="linux", distribution="Debian GNU/Linux", os_version="12", kernel="6.1.0-27-cloud-amd64",
                             arch="x86_64", facts=json.dumps(facts), state="missing" if gone else "running")
        self.db.execute("update instance set facts_at = now() - interval '4 minutes', last_seen = now() - %s * interval '1 hour' where id = %s",
                        (9 if gone else 0, instance))
        agent = self._put("agent", instance=instance, public_key=uuid.uuid4().bytes * 4 + b"k", version="1.4.2" if n % 3 else "1.3.9",
                          address=f"10.20.{group}.{n}")
        self.db.execute("update agent set last_heartbeat = now() where id = %s", (agent,))
        state = ("encrypted", "encrypted", "in-use", "encrypted", "encrypting", "encrypted", "encryption-error", "configured", "encrypted",
                 "encryption-pending", "encrypted", "not-configured")[self.machines % 12]
        kept = state in ("encrypted", "in-use")
        configured = {} if state == "not-configured" else {"os": "linux", "filesystem": "ext4", "mount_point": "/srv/data"}
        device = self._put("device", provider="ec2", provider_device=f"vol-{uuid.uuid4().hex[:17]}", name=f"{name} data", path="/dev/nvme1n1",
                           size_bytes=(50 + 50 * n) << 30, instance=instance, image=image, policy=policy, status=state, key_version=int(kept),
                           progress=37 if state == "encrypting" else 0, error="The disk gave a read error at 12 GiB." if state == "encryption-error" else None,
                           **configured)
        if kept:
            self.db.execute("update device set key_created = now() - interval '90 days' where id = %s", (device,))
        self._put("device", provider="ec2", provider_device=f"vol-{uuid.uuid4().hex[:17]}", name=f"{name} system", path="/dev/nvme0n1", size_bytes=20 << 30,
                  instance=instance, image=image, policy=policy, is_system=True)
        if kept:
            self._history(device, instance, agent, image, policy, facts)

    def _history(self, device, instance, agent, image, policy, facts):
        common = {"device": device, "instance": instance, "agent": agent, "image": image, "policy": policy, "access": "read-write",
                  "mount_point": "/srv/data", "recipient_key": b"r" * 65, "signature": b"s" * 64, "facts": json.dumps(facts)}
        self.db.execute("select name from policy where id = %s", (policy,))
        common["policy_name"] = self.db.fetchone()[0]
        for day in self.random.sample(range(1, 30), 4):
            status = self.random.choice(["delivered", "delivered", "delivered", "denied"])
            who = self.random.choice([None, "Kim Novak"])
            id = self._put("key_request", **common, status=status, integrity="good" if status == "delivered" else "bad", decided_by_name=who)
            self.db.execute("update key_request set requested = now() - %s * interval '1 day' - %s * interval '1 hour', closed = now(),"
                            " decided = now() - %s * interval '1 day' where id = %s", (day, self.random.randrange(8), day, id))
        self.requests += 1
        waits = self.requests % 4 == 0
        id = self._put("key_request", **common, status="pending" if waits else "delivered", integrity="bad" if waits else "good",
                       reason="" if not waits else "1 rule does not match")
        self.db.execute("update key_request set requested = now() - %s * interval '1 hour' where id = %s", (self.requests % 20, id))
        for reason, result in (("boot", "good"), ("schedule", "failed" if self.requests % 9 == 0 else "good")):
            check = self._put("integrity_check", instance=instance, reason=reason, result=result, summary="" if result == "good" else "1 of 1 keys failed",
                              requests=1, failed=int(result == "failed"))
            self.db.execute("update integrity_check set answered = now() where id = %s", (check,))

    def _judge(self):
        """The pending requests are held against their policies; some are decided by that."""
        approver = self.people["key-approver"]
        for row in approver.api("/instances?status=pending&limit=200").json["list"]["rows"]:
            approver.api(f"/requests/{row['id']}/evaluate", {})

    def _told(self):
        """Settings that people have made: groups, webhooks, reports, tokens, drafts."""
        self._ask("account-administrator", "/notifications/new", {**GROUP, "enabled": True})
        hook = {"name": "Duty channel", "url": "https://hooks.example.com/keyward", "format": "json", "events": ["key-pending"], "ca": "", "enabled": False}
        self._ask("account-administrator", "/webhooks/new", hook)
        self.people["auditor"].post("/reports/templates/new", **REPORT)
        self.people["account-administrator"].get("/policies/new")
        self.people["account-administrator"].get(f"/policies/{self.policies[0]}/edit")

    def _counts(self):
        """Requests of the last days, as jobd would have added them up day by day; the trigger has counted all of them as today's."""
        waiting = "select count(*) from request_count_change where tenant = %s"
        wait_until(lambda: count(self.it, waiting, self.tenant) == 0, 180, "requests are not added up")
        self.db.execute("delete from request_count where tenant = %s", (self.tenant,))
        for day in range(30):
            busy = self.random.randrange(4, 9) if day % 7 in (1, 2) else self.random.randrange(12, 30)
            self.db.execute("insert into request_count (tenant, at, by_policy, by_person, denied, pending) values (%s, date_trunc('hour', now())"
                            " - %s * interval '1 day', %s, %s, %s, %s)", (self.tenant, day, busy, self.random.randrange(5), self.random.randrange(3),
                                                                          2 if day == 0 else 0))

    def _neighbour(self, name):
        slug, tenant = make_tenant(self.it)
        self.db.execute("update tenant set name = %s where id = %s", (name, tenant))
        self.neighbour = tenant

    # What is not there every day

    def _rare(self):
        """A bulk decision, a what-if run, a report, an array, what the provider has removed, a destruction, a job that was given up."""
        self._ask("key-approver", "/requests/select", {"decision": "approve", "scope": "all"})
        self._ask("account-administrator", f"/policies/{self.policies[0]}/what-if", {"days": 30})
        self.db.execute("select id from report_template where tenant = %s", (self.tenant,))
        self._ask("auditor", f"/reports/templates/{self.db.fetchone()[0]}/make", {})
        machine = Machine(self.it, self.tenant, "scratch-1")
        members = [machine.disk(f"scratch {n}", size=200 << 30) for n in (1, 2)]
        self._ask("account-administrator", "/devices/raid", {**RAID, "name": "scratch", "members": members})
        machine.disk("old scratch", status="undetected", os="linux", filesystem="xfs", mount_point="/srv/old")
        CONSOLE["/destructions/{id}/confirm"](self.sites["console"])
        self.db.execute("insert into job (id, tenant, kind, payload, state, attempts, last_error, run_at) values (gen_random_uuid(), %s, 'mail', %s, 'failed', 3,"
                        " '550 no such user', now())", (self.tenant, json.dumps({"to": "x@y.example", "subject": "s", "text": "t"})))
        for table, states in (("report", "done, failed"), ("what_if", "done, failed")):
            wait_until(lambda: count(self.it, f"select count(*) from {table} where tenant = %s and state = any(string_to_array(%s, ', '))", self.tenant, states), 120,
                       f"no {table} is made")

    def _visits(self):
        """Pages that one must be on the way to something to see: {(site, path of the table): (client, path)}."""
        self.special = {("central", "/tenants/{id}/close/confirm"): (self.operator, f"/tenants/{self.neighbour}/close/confirm?days=30&comment=The+contract+has+ended")}
        self.db.execute("select id from device where tenant = %s and kind = 'raid-0'", (self.tenant,))
        self.special["console", "/devices/{id}/raid"] = (self.people["account-administrator"], f"/devices/{self.db.fetchone()[0]}/raid")
        for name, site in self.sites.items():
            email = site.user("auditor")
            enrol(site.sign_in(email))
            waiting = Client(self.it, name)
            half(waiting, email, account=site.slug)
            setting_up = site.sign_in(site.user("auditor"))
            setting_up.post("/factor/new", current=PASSWORD)
            self.special[name, "/sign-in/code"], self.special[name, "/factor/new"] = (waiting, "/sign-in/code"), (setting_up, "/factor/new")

    # Every page

    def _ids(self, row, site):
        """What may stand for the {id} of a row's path: of the table that the path's beginning names."""
        table = next((t for p, t in TABLES.items() if row["path"].startswith(p)), None)
        if table is None:
            return []
        scope = f" where tenant = '{self.sites[site].tenant}'" if table not in OPERATORS else ""
        self.db.execute(f"select id from {table}{scope} order by id desc limit 100")
        return [str(r[0]) for r in self.db.fetchall()]

    def _open(self, clients, row, site):
        """(client, path) that shows the row's page, or None."""
        for id in self._ids(row, site) if "{" in row["path"] else [""]:
            path = ID.sub(id, row["path"].replace("{version}", "1"))
            for client in clients:
                answer = client.get(path)
                if answer.status == 200 and "<html" in answer.text:
                    return client, path
                if answer.status != 403:
                    break
        return None

    def pages(self, site, none):
        """(client, path, row) of every GET route of SITE that shows a page; NONE gets the paths of those that nothing leads to. What there can be one of
        in the whole installation is taken away again when the next is asked for, the operator's own at the end."""
        clients = list(self.people.values()) if site == "console" else [self.operator]
        makers = CONSOLE if site == "console" else CENTRAL
        kept = [makers[path](self.sites[site]) for path in KEPT] if site == "central" else []
        for row in clients[0].api("/routes").json["routes"]:
            if row["method"] != "GET" or not row["page"] or row["permission"] == "public" or NO_PAGE.search(row["path"]):
                continue
            there, act = self.special.get((site, row["path"])) or self._open(clients, row, site), None
            if there is None and row["path"] in makers:
                act = makers[row["path"]](self.sites[site])
                there = act.client, act.path
            if there is None:
                none.append(row["path"])
                continue
            yield (*there, row)
            if act and site == "central" and row["path"] in ONE:
                assert act.client.post(act.path, **act.fields).status == 303, act.path
        for act in kept:
            assert act.client.post(act.path, **act.fields).status == 303, act.path


ONE = ("/mail/remove", "/appearance/remove", "/directory/remove", "/key-server/remove", "/log-forwarding/remove")
# The operator's own, for as long as one looks: an account's are there anyway.
KEPT = ("/reports/templates/{id}/delete", "/reports/{id}/delete", "/notifications/{id}/delete", "/webhooks/{id}/delete")
NO_PAGE = re.compile(r"\.(csv|pem|pdf|sig)$|/(file|record|signature|bell)$|^/policies/(new|{id}/(export|edit))$|^/account/data/{id}$|{seq}")
TABLES = {"/instances/": "instance", "/requests/bulk/": "bulk_decision", "/requests/": "key_request", "/devices/": "device", "/images/": "image",
          "/policies/drafts/": "policy_draft", "/policies/": "policy", "/users/": "app_user", "/reports/templates/": "report_template", "/reports/": "report",
          "/notifications/": "notice_group", "/webhooks/": "webhook", "/destructions/": "destruction", "/what-if/": "what_if", "/log/archive": "audit_archive",
          "/account/data/": "tenant_export", "/tenants/": "tenant", "/operators/": "operator_user", "/jobs/": "job", "/api-tokens/": "operator_token"}
OPERATORS = ("tenant", "operator_user", "job", "operator_token")
