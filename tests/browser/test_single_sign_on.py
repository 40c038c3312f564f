"""Single sign-on in a real browser against a real identity provider: an administrator sets it up by clicking, somebody signs in and out."""
import uuid

from chrome import Person
from fixtures import scratch
from identityprovider import IdentityProvider
from web import PASSWORD, Client, make_tenant, make_user


def sign_in(person, slug, email):
    person.open("console", "/sign-in")
    person.put("Account name", slug)
    person.put("E-mail address", email)
    person.put("Password", PASSWORD)
    person.go("Sign in")


def set_up(person, idp):
    person.menu("Single Sign-On")
    person.go("Begin")
    person.driver.execute_script("document.getElementById('f-metadata').value = arguments[0]", idp.metadata())
    person.go("Show what would change")
    person.sees("Trust this identity provider?")
    person.go("Confirm")
    person.sees("The identity provider is trusted from now on.")
    person.put("Attribute with the name", "displayName")
    person.put("Attribute with the e-mail address", "mail")
    person.put("Attribute with groups or roles", "groups")
    person.put("Roles", "keyward-admins = account-administrator\nstaff = auditor")
    person.click_at("input[name=mode][value=optional]")
    person.go("Save")
    person.sees("Single sign-on is saved.")


def at_the_provider(person, name):
    person.until(lambda: "loginuserpass" in person.driver.current_url, "the identity provider does not ask who it is")
    person.driver.find_element("id", "username").send_keys(name)
    person.driver.find_element("id", "password").send_keys(f"{name}-Pw-1\n")


def test_somebody_signs_in_and_out_where_they_work(server):
    # covers: IDN-3, IDN-6, WEB-1
    slug, tenant = make_tenant(server)
    with IdentityProvider(scratch() / f"idp-{uuid.uuid4().hex[:8]}") as idp, Person(server) as admin, Person(server) as alice:
        sign_in(admin, slug, make_user(server, tenant))
        set_up(admin, idp)
        assert admin.axe() == [] and admin.too_wide() <= 0, admin.axe()
        idp.trust(Client(server, "console").get(f"/saml/{tenant}/metadata").text)
        # A trial first.
        admin.go("Test sign-in")
        at_the_provider(admin, "bob")
        admin.sees("Would become a new user")
        # Somebody who has never been here, on the way to a page.
        alice.open("console", f"/sign-in?account={slug}&return=/roles")
        assert alice.axe() == [], alice.axe()
        alice.go("Sign in with your organisation")
        at_the_provider(alice, "alice")
        alice.until(lambda: alice.path == "/roles", "the way does not lead back")
        alice.sees("Alice Ashdown")
        admin.menu("Users")
        admin.sees("alice@idp.example")
        # Out, here and there: the next sign-in asks again.
        alice.click_at(".kw-who")
        alice.go("Sign out")
        alice.sees("You are signed out here and at the identity provider.")
        alice.open("console", f"/saml/start?account={slug}")
        alice.until(lambda: "loginuserpass" in alice.driver.current_url, "the identity provider still knows who it is")
        assert not [line for line in alice.complaints() if "Content Security Policy" in line and "127.0.0.1" not in line.split(" ")[0]]
