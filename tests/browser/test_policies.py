"""Policies made and changed by a person at a browser, with scripts and without: the same clicks, the same policy."""
from chrome import Person
from fixtures import fixture
from inventory import Machine
from selenium.webdriver.common.by import By
from web import PASSWORD, Client, make_tenant, make_user

RULES = [{"type": "network.services.remote", "conditions": [{"operator": "contains-none", "value": ["tcp/8080"]}]},
         {"any": [{"type": "security.pattern_date", "conditions": [{"operator": "newer-than", "subject": "clamav", "value": "2d"}]}]}]


class World:
    """A tenant with an administrator, an image and a device."""

    def __init__(self, server):
        self.slug, self.tenant = make_tenant(server)
        self.user = make_user(server, self.tenant)
        self.machine = Machine(server, self.tenant)
        self.client = Client(server, "console")
        assert self.client.sign_in(self.user, account=self.slug).status == 303


@fixture("test")
def world(server):
    return World(server)


def sign_in(person, world):
    person.open("console", "/sign-in")
    person.put("Account name", world.slug)
    person.put("E-mail address", world.user)
    person.put("Password", PASSWORD)
    person.go("Sign in")


def at(person, selector):
    return person.until(lambda: person.driver.find_element(By.CSS_SELECTOR, selector), f"there is no {selector}")


def choose(person, name, value):
    """A radio button that has the page drawn anew, where scripts run."""
    main = person.driver.find_element(By.TAG_NAME, "main")
    person.click_at(f"label.kw-choice:has([name={name}][value={value}])")
    if person.scripts:
        person.leaves(main)


def add_rule(person, button, search, label):
    person.go(button)
    if person.scripts:
        at(person, "input[data-filter]").send_keys(search)
        person.until(lambda: len([e for e in person.driver.find_elements(By.CSS_SELECTOR, ".kw-type") if e.is_displayed()]) <= 6,
                     "the search leaves all types")
    else:
        person.search(search)
    person.go_by(lambda: [e for e in person.driver.find_elements(By.CSS_SELECTOR, ".kw-type") if e.is_displayed() and e.text.startswith(label)], label)


def wizard(person, world, name):
    sign_in(person, world)
    person.menu("Policies")
    person.go("New policy")
    person.put("Name", name)
    person.go("Next")
    # The description is missing; what was typed is still there.
    person.sees("A text is needed")
    assert person.field("Name").get_attribute("value") == name
    person.put("Description", "Made in a browser")
    person.go("Next")
    at(person, f"#pick-{world.machine.image}").click()
    person.go("Next")
    at(person, f"#pick-{world.machine.device}").click()
    person.go("Back")
    assert at(person, f"#pick-{world.machine.image}").is_selected()
    person.go("Next")
    assert at(person, f"#pick-{world.machine.device}").is_selected()
    person.go("Next")
    add_rule(person, "Add rule", "reachable", "Network services reachable")
    at(person, "[name='r.0.0.value']").send_keys("tcp/8080")
    person.click("Add group")
    at(person, "#line-1.is-group")
    add_rule(person, "Add rule here", "pattern", "Scan pattern age")
    at(person, "[name='r.2.0.subject']").send_keys("clamav")
    at(person, "[name='r.2.0.value']").send_keys("many")
    person.go("Next")
    person.until(lambda: at(person, "[name='r.2.0.value']").get_attribute("aria-invalid") == "true", "the fault is not at its field")
    value = at(person, "[name='r.2.0.value']")
    value.clear()
    value.send_keys("2")
    person.go("Next")
    assert "Revoking a key can lose data" not in person.text()
    choose(person, "on_failure", "revoke")
    person.sees("Revoking a key can lose data")
    choose(person, "on_failure", "notify")
    person.go("Create policy")
    person.sees("The policy is made.")
    assert person.heading().startswith(name)


def change(person, world, client):
    """Every tab, Apply, and Save."""
    id = person.path.split("/")[2]
    person.go("Edit")
    person.put("Reason for the change", "tried")
    person.put("Description", "Changed in a browser")
    person.go("Apply")
    person.sees("The changes are saved.")
    person.click_at(".kw-tabs button[value='to:rules']")
    at(person, "#line-2")
    person.click_at("button[value='remove:1']")
    person.until(lambda: not person.driver.find_elements(By.CSS_SELECTOR, "#line-1"), "the group stays")
    person.click_at(".kw-tabs button[value='to:devices']")
    box = at(person, f"#pick-{world.machine.device}")
    assert box.is_selected()
    box.click()
    person.go("Save")
    person.sees("No device belongs to this policy.")
    document = client.api(f"/policies/{id}").json["document"]
    assert document["rules"] == RULES[:1] and document["description"] == "Changed in a browser"
    rows = client.api(f"/policies/{id}/versions").json["list"]["rows"]
    assert [(r["version"], r["why"]) for r in rows][1:] == [(2, "tried"), (1, "")], rows


def type_while_sending(person):
    """What is typed while the answer to a choice is under way is not lost, nor the place where one was typing."""
    person.driver.execute_script("""var real = window.fetch;
        window.fetch = function () { var given = arguments; return new Promise(function (done) {
            window.kwGoOn = function () { done(real.apply(window, given)); window.fetch = real; }; }); };
        document.querySelector("main").setAttribute("data-old", "");
        var choice = document.querySelector("[name='r.0.0.operator']"); choice.selectedIndex = (choice.selectedIndex + 1) % choice.length;
        choice.dispatchEvent(new Event("change", { bubbles: true }));""")
    at(person, "[name='r.0.0.value']").send_keys(",tcp/9090")
    person.driver.execute_script("window.kwGoOn()")
    person.until(lambda: not person.driver.find_elements(By.CSS_SELECTOR, "main[data-old]"), "the choice is not sent")
    assert at(person, "[name='r.0.0.value']").get_attribute("value").endswith("tcp/9090")        # with the new page, in one go
    assert person.driver.switch_to.active_element.get_attribute("name") == "r.0.0.value"


def both(server, world, scripts):
    client = world.client
    with Person(server, scripts=scripts) as person:
        wizard(person, world, f"By browser, scripts {scripts}")
        document = client.api("/policies/" + person.path.split("/")[2]).json["document"]
        assert document["rules"] == RULES, document["rules"]
        change(person, world, client)
        if not scripts:
            return
        # While rules are edited the page stays where it is.
        person.go("Edit")
        person.click_at(".kw-tabs button[value='to:rules']")
        at(person, "#line-0")
        person.mark()
        person.click("Add condition")
        at(person, "[name='r.0.1.operator']")
        type_while_sending(person)
        assert person.marked()
        assert person.complaints() == [] and person.axe() == []


def test_with_scripts(server, world):
    # covers: POL-2, WEB-1
    both(server, world, True)


def test_without_scripts(server, world):
    # covers: POL-2, WEB-1
    both(server, world, False)
