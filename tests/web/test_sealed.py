"""An installation whose root key is under a passphrase, from its making through seal and unseal; what pages and agents see meanwhile."""

from chrome import Person
from fixtures import fixture, installation
from looker import Looker
from stack.process import wait_until
from test_agent_pool import Machine, provision
from test_export import export
from web import make_tenant, make_user
from world import World, count

PASSPHRASE = "a passphrase that people keep"
# Where something is with the key service, or stands beside what says that it is sealed.
PAGES = {"console": ("/", "/devices", "/account", "/account/key-server", "/nowhere"), "central": ("/", "/health", "/keys", "/tenants", "/wall")}


@fixture("file")
def world():
    with installation("sealed", root_key="passphrase", passphrase=PASSPHRASE) as it:
        yield World(it)


def until(ask):
    """Each thread of a worker looks every few seconds."""
    wait_until(ask, 120, "the notice is not as it should be")


def sealed_everywhere(server, *clients):
    ready = clients[0].get("/readyz")
    assert ready.status == 503 and "sealed" in ready.text
    status = server.keyward("status", check=False)
    assert status.returncode == 1 and "keyward unseal" in status.stdout
    # What it has just asked, and no older word of the database's beside it.
    assert "Root key: sealed on" in status.stdout and "Root key: open on" not in status.stdout, status.stdout


def open_everywhere(server):
    said = server.keyward("status", check=False).stdout
    assert "key service    well" in said and "Root key: open on" in said and "Root key: sealed" not in said, said


def pages_are_right(server, clients):
    with Person(server) as person, Person(server, scripts=False, width=390, height=844) as plain:
        looker = Looker(person, plain)
        wrong = []
        for client in clients:
            looker.become(client.site, client)
            person.open(client.site)
            person.until(lambda: person.again() and "is sealed" in person.text(), "no page says that it is sealed")
            for path in PAGES[client.site]:
                wrong += looker.faults(client.site, path, path, quiet=path != "/nowhere")
    assert not wrong, "\n".join(wrong)


def test_sealed_is_said_and_heals_by_itself(world):
    # covers: KEY-2, OPS-2, SEC-7, WEB-1
    server, console, central = world.it, world.console(), world.central()
    assert console.get("/readyz").status == 200 and "is sealed" not in console.get("/account").text
    assert server.keyward("seal").startswith("sealed")
    sealed_everywhere(server, console)
    until(lambda: "key service is sealed" in console.get("/devices").text)
    until(lambda: "key service is sealed" in central.get("/tenants").text)
    pages_are_right(server, (console, central))
    refused = server.keyward("tenant", "create", "later", "Later", "a@later.example", check=False)
    assert refused.returncode == 1 and "sealed" in refused.stderr
    wrong = server.keyward("unseal", check=False, typed="not the passphrase")
    assert wrong.returncode == 1 and "passphrase is wrong" in wrong.stderr
    assert server.keyward("unseal", typed=PASSPHRASE).startswith("unsealed")
    open_everywhere(server)
    assert console.get("/readyz").status == 200
    until(lambda: "key service is sealed" not in console.get("/devices").text)
    assert "is not sealed" in server.keyward("unseal", typed="anything")


def test_a_restart_seals_and_what_was_made_comes_back(world):
    # covers: KEY-1, KEY-2, OPS-2
    server, console = world.it, world.console()
    slug, _ = make_tenant(server)
    server.restart("keyd")
    sealed_everywhere(server, console)
    server.keyward("unseal", typed=PASSPHRASE)
    open_everywhere(server)
    assert console.get("/readyz").status == 200
    # A tenant key that was wrapped before opens: its secrets can be shown and set.
    assert "passphrase:" in server.keyward("tenant", "passphrase", slug)


def test_what_cannot_be_exported_is_not_logged_as_exported(world):
    # covers: KEY-5, LOG-3, SEC-7
    server = world.it
    machine = Machine(server, world.tenant, "native")
    provision(server, machine, world.tenant, "disk-1")
    device = str(count(server, "select id from device where tenant = %s and provider_device = 'disk-1'", world.tenant))
    c = world.console(make_user(server, world.tenant, "security-administrator"))

    def logged():
        return count(server, "select count(*) from audit_entry where tenant = %s and event = 'key.exported'", world.tenant)

    server.keyward("seal")
    refused = export(c, f"/devices/{device}/export")
    assert refused.status == 503 and "has to unseal it" in refused.text and 'id="menu"' in refused.text and logged() == 0
    server.keyward("unseal", typed=PASSPHRASE)
    assert export(c, f"/devices/{device}/export").status == 200 and logged() == 1
