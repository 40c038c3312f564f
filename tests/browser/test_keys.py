"""Exporting and destroying keys by people at a browser, with scripts and without."""
from chrome import Person
from fixtures import fixture
from inventory import Machine
from test_policies import sign_in
from web import PASSWORD, database, make_tenant, make_user


class World:
    def __init__(self, server):
        self.slug, self.tenant = make_tenant(server)
        self.first, self.second = (make_user(server, self.tenant, "security-administrator") for _ in range(2))
        self.machine = Machine(server, self.tenant)
        self.device = self.machine.device
        self.name = f"{self.machine.name} data"
        with database(server).cursor() as c:
            c.execute("insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, '\\x01')", (self.tenant, self.device))
            c.execute("update device set key_created = now(), key_version = 1, configured = now() where id = %s", (self.device,))

    def sign_in(self, person, user):
        self.user = user
        sign_in(person, self)


@fixture("test")
def world(server):
    return World(server)


def accessible(person):
    found = person.axe() if person.scripts else []       # which is a script itself
    assert not found, found


def rules_met(person):
    return len([1 for e in person.driver.find_elements("css selector", "[data-rule].is-met")])


def export_form(person, world):
    person.open("console", f"/devices/{world.device}")
    person.go("Export key")
    person.sees("Nobody can recover it")
    if person.scripts:
        person.put("Passphrase of the export", "short")
        assert rules_met(person) == 1
    person.put("Passphrase of the export", "Lantern & Harbour")
    person.put("The passphrase again", "Lantern & Harbour")
    person.put("Your own password", PASSWORD)
    if person.scripts:
        assert rules_met(person) == 4
    accessible(person)
    person.go("Export key")
    person.sees("needs a numeral")
    # Secrets are typed again.
    assert person.field("Passphrase of the export").get_attribute("value") == ""
    person.open("console", "/devices")
    person.go("Export keys")
    person.sees("Which devices")
    accessible(person)


def destroy(person, world):
    person.open("console", f"/devices/{world.device}")
    if person.scripts:
        person.click("Destroy keys")
        assert person.dialog(), "no dialog asks"
        assert not person.enabled("Ask for the destruction"), "the name was not typed"
    else:
        person.go("Destroy keys")
    person.put("Type", world.name)
    person.go("Ask for the destruction")
    person.sees("going to be destroyed")
    person.sees("Nothing is destroyed before a second person")
    accessible(person)


def both(server, world, scripts):
    with Person(server, scripts) as first:
        world.sign_in(first, world.first)
        export_form(first, world)
        destroy(first, world)
    with Person(server, scripts) as second:
        world.sign_in(second, world.second)
        second.menu("Destruction of Keys")
        second.sees(world.name)
        accessible(second)
        if scripts:
            second.click("Confirm")
            assert second.dialog(), "no dialog asks"
        else:
            second.go("Confirm")
        second.put("Type", world.name)
        second.go("Confirm", ("button",))
        second.sees("It is confirmed.")


def test_keys_are_exported_and_destroyed_with_scripts(server, world):
    # covers: KEY-5, KEY-7, WEB-1
    both(server, world, True)


def test_keys_are_exported_and_destroyed_without_scripts(server, world):
    # covers: KEY-5, KEY-7, WEB-1
    both(server, world, False)
