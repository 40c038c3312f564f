"""Device keys on key servers (KEY-3): settings in both consoles, keys made there and given to agents by the real protocol, outages in the
middle, destruction, copies, exports; one tenant's server is nothing to another. The key server is PyKMIP."""
import subprocess
import uuid

import keyd
from exported import open_zip
from fixtures import fixture
from kmip import KmipServer
from notices import told
from stack.process import wait_until
from test_agent_pool import Machine, provision
from test_export import PASSPHRASE, export
from web import database, make_user
from world import World, count, run

PATIENCE = 120
URL = "/account/key-server"
RULES = '[{"type": "os.system", "conditions": [{"operator": "equals", "value": "linux"}]}]'


class Kept(World):
    """A tenant whose policy approves, and a machine of it."""

    def __init__(self, server):
        super().__init__(server)
        self.machine = Machine(server, self.tenant, "native")
        self.person = self.console()
        run(server, "update policy set on_match = 'approve', rules = %s where tenant = %s and is_default", RULES, self.tenant)

    def use(self, kmip, place="tenant"):
        saved = self.person.post(URL, **kmip.fields())
        assert saved.status == 303, saved
        self.becomes("Answers")
        assert self.person.post(URL + "/place", place=place).status == 303

    def state(self):
        return self.person.api(URL).json["state"]

    def becomes(self, badge):
        wait_until(lambda: self.state()["badge"]["name"] == badge, PATIENCE, f"the key server is not shown as {badge}")
        return self.state()

    def device(self):
        name = "disk-" + uuid.uuid4().hex[:8]
        provision(self.it, self.machine, self.tenant, name)
        return name, str(count(self.it, "select id from device where tenant = %s and provider_device = %s", self.tenant, name))

    def key(self, device):
        """Whose key server, and what that calls it."""
        with database(self.it).cursor() as c:
            c.execute("select key_server, server_key from device_key where device = %s and state = 'active'", (device,))
            return c.fetchone()

    def begin(self):
        """A device that is to be encrypted: its agent's question for a new key."""
        name = "disk-" + uuid.uuid4().hex[:8]
        run(self.it, "insert into device (tenant, id, provider, machine, provider_device, instance, policy, status, filesystem, mount_point,"
            " configured) select i.tenant, %s, i.provider, device_machine(i.provider, i.id), %s, i.id, p.id, 'encryption-pending',"
            " 'ext4', '/data', now() from instance i join policy p on p.tenant = i.tenant and p.is_default where i.id = %s",
            str(uuid.uuid4()), name, self.machine.instance)
        return name, lambda: self.machine.say(type="provision_start", **self.machine.recipient(name))

    def events(self):
        with database(self.it).cursor() as c:
            c.execute("select event from audit_entry where tenant = %s and event like '%%server%%' order by seq", (self.tenant,))
            return [e for (e,) in c.fetchall()]


@fixture("file")
def kmip():
    with KmipServer() as k:
        yield k


@fixture("file")
def kept(server, kmip):
    w = Kept(server)
    w.use(kmip)
    return w


@fixture("test")
def world(kept):
    """Whose key server is there, and known to be."""
    kept.becomes("Answers")
    return kept


def test_keys_are_made_there_shown_and_given(server, world, kmip):
    # covers: KEY-3, DEV-8, KEY-4
    name, device = world.device()
    whose, called = world.key(device)
    assert whose == "tenant" and called in kmip.keys() and len(kmip.key(called)) == 32
    page = world.person.get(f"/devices/{device}").text
    assert "Key server of this account" in page and f"<code>{called}</code>" in page
    assert "Key on key server" in world.person.get("/devices").text
    rows = world.person.api("/devices?stored=key-server").json["list"]["rows"]
    assert [r["id"] for r in rows] == [device] and not world.person.api("/devices?stored=server").json["list"]["rows"]
    given = world.machine.want(name)
    assert given["status"] == "delivered" and given["sealed"], given
    # Neither the database nor keyd's files have it: what is wrapped is only its name.
    with database(server).cursor() as c:
        c.execute("select t.wrapped_key, k.wrapped from tenant t join device_key k on k.tenant = t.id where k.device = %s", (device,))
        tenant_key, wrapped = c.fetchone()
    kept = keyd.device_key(keyd.tenant_key(server.state, world.tenant, tenant_key), world.tenant, device, 1, wrapped)
    assert kept.startswith(b"KWREF1") and kmip.key(called) not in kept
    state = world.person.api(URL).json
    assert state["server"]["keys"] == 1 and "PyKMIP" in state["state"]["text"]
    # The client's private key is nowhere to be seen.
    assert "PRIVATE KEY" not in world.person.get(URL).text


def test_an_outage_is_shown_and_waited_for(server, world, kmip):
    # covers: KEY-3, SEC-7
    name, device = world.device()
    open_name, open_device = world.device()
    opened = world.machine.want(open_name)
    assert opened["status"] == "delivered"
    assert world.machine.say(type="opened", request=opened["request"], device=open_name)["type"] == "opened"
    fresh, ask = world.begin()
    kmip.stop()
    shown = world.becomes("Away")
    assert shown["since"] and shown["error"], shown
    # Everybody sees it, on every page; other tenants do not.
    assert "key server that keeps this account&#39;s keys is away" in world.person.get("/devices").text.replace("&#x27;", "&#39;")
    assert "is away" not in World(server).console().get("/devices").text
    for language, says in (("de", "dieses Kontos liegen, ist nicht erreichbar. Anforderungen"), ("en", "is away. Requests for keys")):
        assert world.person.api("/language", {"language": language}).status == 200
        assert says in world.person.get("/devices").text
    assert world.slug in world.central().get("/key-server").text
    # A request stands and waits; what is open stays; no new key is made, here or there, and the device stays as it was.
    waits = world.machine.want(name)
    assert waits["status"] == "approved" and "key server" in waits["reason"] and not waits.get("sealed"), waits
    assert 0 < waits["retry_after_s"] <= 10
    page = world.person.get(f"/requests/{uuid.UUID(waits['request'])}")
    assert page.status == 200 and "Approved" in page.text
    refused = ask()
    assert refused["type"] == "refusal" and refused["code"] == "unavailable" and "key server" in refused["text"], refused
    assert count(server, "select status from device where tenant = %s and provider_device = %s", world.tenant, fresh) == "encryption-pending"
    assert count(server, "select status from device where id = %s", open_device) == "in-use"
    tested = world.person.post(URL + "/test")
    assert tested.status == 303 and world.state()["badge"]["name"] == "Away"
    # It goes on by itself.
    kmip.start()
    world.becomes("Answers")
    assert "is away" not in world.person.get("/devices").text
    got = world.machine.say(type="key_poll", request=waits["request"])
    assert got["status"] == "delivered" and got["sealed"], got
    begun = ask()
    assert begun.get("sealed"), begun
    assert {"key-server.away", "key-server.back"} <= set(world.events())
    told(server, world.tenant, "key-server-away", "key-server-back")


def test_one_that_hangs_is_away_too(server, world, kmip):
    # covers: KEY-3
    name, device = world.device()
    kmip.freeze()
    try:
        assert "in time" in world.becomes("Away")["error"] or world.state()["error"]
        assert world.machine.want(name)["status"] == "approved"
    finally:
        kmip.freeze(False)
    world.becomes("Answers")
    assert world.machine.want(name)["status"] == "delivered"


def test_the_last_reference_takes_the_key_with_it(server, world, kmip):
    # covers: KEY-3, KEY-7, DEV-5, DEV-6
    name, device = world.device()
    _, called = world.key(device)
    # A copy shares it.
    clone = str(uuid.uuid4())
    run(server, "insert into device (tenant, id, provider, machine, provider_device, name, instance, policy, token_account, token_device, token_version)"
        " select tenant, %s, provider, machine, %s, 'the copy', instance, policy, tenant, id, 1 from device where id = %s", clone, "copy-" + clone, device)
    copied = world.person.post(f"/devices/{clone}/copy", source=device, mount="/srv/copy", access="rw")
    assert copied.status == 303, copied
    assert world.key(clone) == ("tenant", called)
    assert count(server, "select key_stored_on from device where id = %s", clone) == "key-server"
    assert world.person.post(f"/devices/{device}/unconfigure", typed=name).status == 303
    assert world.key(device) is None and called in kmip.keys()
    # While it is away what is to be destroyed is kept in mind.
    kmip.stop()
    world.becomes("Away")
    assert world.person.post(f"/devices/{clone}/unconfigure", typed="the copy").status == 303
    assert world.person.api(URL).json["server"]["gone"] == 1
    assert world.person.post(URL + "/remove").status == 409
    kmip.start()
    wait_until(lambda: called not in kmip.keys(), PATIENCE, "the key is still on the key server")
    wait_until(lambda: world.person.api(URL).json["server"]["gone"] == 0, PATIENCE, "it is still to be destroyed")
    assert "key.server-destroyed" in world.events()


def test_exports_and_another_tenant_key(server, world, kmip):
    # covers: KEY-5, KEY-6
    name, device = world.device()
    _, called = world.key(device)
    # All that is under the tenant's key is wrapped again: references, settings.
    before = count(server, "select wrapped from key_server where tenant = %s", world.tenant)
    security = world.console(make_user(server, world.tenant, "security-administrator"))
    assert security.post("/account/keys/rotate").status == 303
    wait_until(lambda: count(server, "select state from tenant_rotation where tenant = %s order by started desc limit 1", world.tenant) == "done",
               PATIENCE, "the account's key is not replaced")
    assert count(server, "select wrapped from key_server where tenant = %s", world.tenant) != before
    assert world.person.post(URL + "/test").status == 303 and world.state()["badge"]["name"] == "Answers"
    server.restart("keyd")
    a = export(security, f"/devices/{device}/export")
    assert a.status == 200, a
    assert open_zip(a.body, PASSPHRASE)[device][1] == kmip.key(called)
    assert world.machine.want(name)["status"] == "delivered"


def test_bad_settings_stand_at_their_fields(server, world, kmip):
    # covers: KEY-3, WEB-3, SEC-5
    c = World(server).console()
    for change, name in (({"host": "kmip/x"}, "host"), ({"host": ""}, "host"), ({"port": "0"}, "port"), ({"key": ""}, "key"), ({"ca": ""}, "ca")):
        page = c.post(URL, **kmip.fields(**change))
        assert page.status == 422 and f'id="e-{name}"' in page.text, (change, page)
    for change, word in (({"key": kmip.pem("server.key")}, "client certificate"), ({"ca": "no certificate"}, "certificate"),
                         ({"key": "no key"}, "key")):
        page = c.post(URL, **kmip.fields(**change))
        assert page.status == 422 and word in page.text and "PRIVATE KEY" not in page.text, (change, page)
    assert c.api(URL).json["server"] is None
    assert c.post(URL + "/test").status == 409 and c.post(URL + "/place", place="tenant").status == 409
    # To another server only with open eyes, while keys are on the former one; the private key can be left as it is.
    world.device()
    moved = world.person.post(URL, **kmip.fields(port="1", key=""))
    assert moved.status == 422 and 'id="e-same"' in moved.text
    assert world.person.post(URL + "/remove").status == 409
    assert world.person.post(URL, **kmip.fields(key="")).status == 303
    world.becomes("Answers")
    assert world.console(make_user(server, world.tenant, "auditor")).post(URL, **kmip.fields()).status == 403


def test_the_installations_server_and_what_a_tenant_chooses(server, kmip):
    # covers: KEY-3, TEN-3, KEY-2
    world, other = Kept(server), Kept(server)
    central = world.central()
    assert central.post("/key-server", **kmip.fields()).status == 303
    assert central.post("/key-server/new-keys", for_new="1").status == 303
    try:
        wait_until(lambda: central.api("/key-server").json["state"]["badge"]["name"] == "Answers", PATIENCE, "it does not answer")
        # Who has chosen nothing follows the operator; who has, does not. An own one is not the operator's.
        assert other.person.post(URL + "/place", place="server").status == 303
        name, device = world.device()
        assert world.key(device)[0] == "installation"
        assert "Key server of the operator" in world.person.get(f"/devices/{device}").text
        assert other.key(other.device()[1]) == (None, None)
        assert central.api("/key-server").json["server"]["keys"] >= 1
        assert central.post("/key-server/remove").status == 409
        assert "key server     well; keys on it: 1" in server.status()
        assert world.machine.want(name)["status"] == "delivered"
        # The operator sees nothing of tenants' own servers but that one is away; a tenant nothing of the operator's settings.
        assert "127.0.0.1" not in other.person.get(URL).text
        kmip.stop()
        wait_until(lambda: central.api("/key-server").json["state"]["badge"]["name"] == "Away", PATIENCE, "the outage is not shown")
        assert "key server is away" in central.get("/tenants").text.lower()
        assert "key server, which keeps keys of this account, is away" in world.person.get("/").text
        assert "is away" not in other.person.get("/").text
        assert world.machine.want(name)["status"] == "approved"
        said = server.keyward("status", check=False)
        assert said.returncode and "127.0.0.1 is away since" in said.stdout, said
        kmip.start()
        wait_until(lambda: world.machine.want(name)["status"] == "delivered", PATIENCE, "it does not go on")
        told(server, None, "installation-key-server-away", "installation-key-server-back")
        assert world.person.post(f"/devices/{device}/unconfigure", typed=name).status == 303
    finally:
        assert central.post("/key-server/new-keys").status == 303
    wait_until(lambda: central.post("/key-server/remove").status == 303, PATIENCE, "it cannot be removed")
    assert central.api("/key-server").json["server"] is None


def test_another_tenants_references_open_nothing(server, world, kmip):
    # covers: TEN-4, KEY-1, SEC-7
    other = Kept(server)
    _, device = world.device()
    name, mine = other.device()
    assert other.key(mine) == (None, None)
    # Whoever writes to the database passes off another tenant's settings, and its reference, as this one's.
    run(server, "insert into key_server (tenant, host, port, ca, certificate, wrapped, settings) select %s, host, port, ca, certificate, wrapped,"
        " settings from key_server where tenant = %s", other.tenant, world.tenant)
    assert other.person.post(URL + "/test").status == 303 and other.state()["badge"]["name"] == "Away"
    run(server, "update key_server set away_since = null, check_at = now() + interval '1 hour' where tenant = %s", other.tenant)
    run(server, "update device_key t set wrapped = s.wrapped, key_server = s.key_server, server_key = s.server_key from device_key s"
        " where t.device = %s and s.device = %s", mine, device)
    answer = other.machine.want(name)
    assert answer["type"] == "refusal" and not answer.get("sealed"), answer


def test_an_account_that_ends_takes_its_keys_with_it(server, kmip):
    # covers: TEN-7, KEY-3, KEY-7
    def doomed():
        w = Kept(server)
        w.use(kmip)
        w.keys = [w.key(w.device()[1])[1] for _ in range(2)]
        return w, w.central()

    def close(w, central):
        assert central.api(f"/tenants/{w.tenant}/close/confirm", {"days": 0, "comment": "", "typed": w.slug}).status == 200
        wait_until(lambda: state(w) == "closing", PATIENCE, "it does not begin")

    def state(w):
        return count(server, "select state from tenant where id = %s", w.tenant)

    def certifies(w, central, text):
        wait_until(lambda: state(w) == "closed", PATIENCE, "the account is not closed")
        got = central.get(f"/tenants/{w.tenant}/certificate.pdf")
        says = subprocess.run(["pdftotext", "-layout", "-", "-"], input=got.body, capture_output=True, check=True).stdout.decode()
        assert text in says, says

    # The account's own key waits for the key server, and nobody can stop what has begun.
    (a, central), (b, _) = doomed(), doomed()
    kmip.stop()
    for w in (a, b):
        close(w, central)
    assert set(a.keys) | set(b.keys) <= set(kmip.keys())
    wait_until(lambda: "destroying 2 keys" in central.get(f"/tenants/{a.tenant}").text, PATIENCE, "it is not said what it waits for")
    assert central.api(f"/tenants/{a.tenant}/close/cancel", {}).status == 409
    assert count(server, "select wrapped_key is not null from tenant where id = %s", a.tenant)
    # One that is away too long is not waited for: what is left on it is named.
    run(server, "update tenant_closure set begun = now() - interval '25 hours' where account = %s", b.tenant)
    run(server, "update job set run_at = now() where kind = 'close-tenant' and state = 'waiting'")
    certifies(b, central, "0 of 2 destroyed; left on 127.0.0.1")
    kmip.start()
    wait_until(lambda: not set(a.keys) & set(kmip.keys()), PATIENCE, "the keys are not destroyed")
    run(server, "update job set run_at = now() where kind = 'close-tenant' and state = 'waiting'")
    certifies(a, central, "2, destroyed there")
    assert set(b.keys) <= set(kmip.keys())
