"""A directory is set up, tested and used to sign in by people at a browser, with scripts and without; real slapd."""
from chrome import Person
from directory import BIND_DN, BIND_PASSWORD, GROUPS, PEOPLE, Directory
from fixtures import fixture, scratch
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select
from test_policies import sign_in
from web import make_tenant, make_user


class World:
    def __init__(self, server):
        self.slug, self.tenant = make_tenant(server)
        self.user = make_user(server, self.tenant)


@fixture("test")
def world(server):
    return World(server)


@fixture("file")
def directory():
    with Directory(scratch()) as d:
        yield d


def accessible(person):
    found = person.axe() if person.scripts else []       # which is a script itself
    assert not found, found


def set_up(person, directory):
    person.open("console", "/directory")
    accessible(person)
    person.driver.find_element(By.ID, "f-enabled").click()
    person.put("Servers", directory.ldaps)
    person.click_at("details.kw-pem > summary")
    person.put("Paste it here", directory.ca)
    person.put("Account that searches", BIND_DN)
    person.put("Its password", BIND_PASSWORD)
    person.put("Search below", PEOPLE)
    person.put("Search groups below", GROUPS)
    person.driver.find_element(By.NAME, "group").send_keys(f"cn=admins,{GROUPS}")
    Select(person.driver.find_element(By.NAME, "role")).select_by_visible_text("Auditor")
    person.go("Save")
    person.sees("The directory is saved")
    person.put("Name of a person", "alice")
    person.go("Test")
    person.sees("Alice Test: Auditor")
    accessible(person)


def whole_way(server, world, directory, scripts):
    with Person(server, scripts) as admin:
        sign_in(admin, world)
        set_up(admin, directory)
        admin.open("console", "/directory/people")
        admin.put("Name, user name or e-mail address", "bob")
        admin.go("Search")
        admin.sees("Bob Test")
        accessible(admin)
    with Person(server, scripts) as alice:
        alice.open("console", "/sign-in")
        alice.put("Account name", world.slug)
        alice.put("E-mail address or user name", "alice")
        alice.put("Password", "wrong")
        alice.go("Sign in")
        alice.sees("These do not fit together")
        alice.put("Password", "alice-Pw-1")
        alice.go("Sign in")
        alice.open("console", "/log")
        alice.sees("Alice Test")


def test_with_scripts(server, world, directory):
    # covers: IDN-2, WEB-1
    whole_way(server, world, directory, True)


def test_without_scripts(server, world, directory):
    # covers: IDN-2, WEB-1
    whole_way(server, world, directory, False)
