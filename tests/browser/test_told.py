"""Notifications by a person at a browser: a group's words with buttons that insert, preview, test, deleted; a webhook's secret; the bell that
counts by itself; with scripts and without."""
from chrome import Person
from fixtures import fixture
from inventory import Machine
from mailsink import mail_of
from notices import log
from test_policies import sign_in
from world import World, count

SECONDS = 120


@fixture("test")
def world(server):
    return World(server)


def accessible(person):
    found = person.axe() if person.scripts else []       # which is a script itself
    assert not found, found
    person.size(390, 844)
    assert person.too_wide() <= 0, person.path
    person.size(1280)


def make_group(person):
    person.menu("Notifications")
    person.sees("No groups yet")
    person.go("New group")
    accessible(person)
    person.put("Name", "On duty")
    person.put("Recipients", "duty@example.net")
    if person.scripts:
        person.put("Subject", "Look: ")
        person.click_at("[data-insert='{{device}}']")
        assert person.value("f-subject") == "Look: {{device}}", person.value("f-subject")
    else:
        person.put("Subject", "Look: {{device}}")
    person.put("Header", "{{nonsense}}")
    person.go("Save")
    person.sees("{{nonsense}} is no variable")
    assert person.value("f-subject") == "Look: {{device}}" and person.value("f-name") == "On duty"
    person.put("Header", "In {{account}}")
    person.go("Save")
    person.sees("The group is saved.")
    accessible(person)


def by_a_person(server, world, scripts):
    with mail_of(server) as sink, Person(server, scripts) as person:
        sign_in(person, world)
        make_group(person)
        person.follow_row("On duty")
        person.go("Send a test")
        person.sees("A test mail is on its way")
        assert "Look: orders data" in sink.wait("duty@example.net", "[Test]").subject
        person.menu("Notifications")
        person.go("Events")
        person.sees("key-not-together")
        accessible(person)
        person.go("Webhooks")
        person.go("New webhook")
        accessible(person)
        person.put("Name", "Channel")
        person.put("Address", "https://hooks.example.com/x")
        person.click_at("input[value=key-exported]")
        person.go("Create webhook")
        secret = person.value("secret")
        assert secret.startswith("kwhook_")
        accessible(person)
        person.go("I have kept it: continue")
        person.sees("Nothing was sent yet")
        assert secret not in person.source()
        accessible(person)
        # The bell.
        machine = Machine(server, world.tenant)
        person.mark()
        log(server, world.tenant, "key.exported", "device", machine.device, "orders data")
        if scripts:
            person.until(lambda: person.driver.find_element("css selector", ".kw-bell-count").text == "1", "the bell does not ring", SECONDS)
            assert person.marked(), "the page was loaded again"
        else:
            person.until(lambda: count(server, "select count(*) from notice where tenant = %s", world.tenant), "no notice", SECONDS)
            person.again()
        person.click_at("#bell")
        person.sees("orders data")
        accessible(person)
        person.go("Key exported")
        person.until(lambda: person.path == f"/devices/{machine.device}", "the notice leads elsewhere")
        person.until(lambda: not person.driver.find_elements("css selector", ".kw-bell-count"), "it counts as unread")
        person.menu("Notifications")
        person.follow_row("On duty")
        if scripts:
            person.click("Delete")
            person.dialog()
            person.go("Delete group")
        else:
            person.go("Delete")
            person.go("Delete group")
        person.sees("The group is deleted.")


def test_by_a_person(server, world):
    # covers: NTF-1, NTF-3, WEB-1, WEB-3, WEB-4
    by_a_person(server, world, True)


def test_by_a_person_without_scripts(server, world):
    # covers: NTF-1, NTF-3, WEB-1
    by_a_person(server, world, False)
