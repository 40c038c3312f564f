"""A second factor and a forgotten password by people at a browser: the QR code is read by a real reader; with scripts and without."""
import pathlib
import subprocess
import urllib.parse

from chrome import Person
from factors import code, link_of
from fixtures import fixture
from mailsink import mail_of
from web import PASSWORD, make_operator, make_tenant, make_user

NEW = "Battery-staple-8"


@fixture("file")
def sink(server):
    with mail_of(server) as it:
        yield it


def sign_in(person, site, email, slug, password=PASSWORD):
    person.open(site, "/sign-in")
    if slug:
        person.put("Account name", slug)
    person.put("E-mail address", email)
    person.put("Password", password)
    person.go("Sign in")


def accessible(person):
    found = person.axe() if person.scripts else []
    assert not found, found
    person.size(390, 844)
    assert person.too_wide() <= 0, person.path
    person.size(1280)


def scanned(person, folder):
    """What a camera reads from the page."""
    picture = pathlib.Path(folder) / "qr.png"
    picture.write_bytes(person.driver.find_element("css selector", "svg.kw-qr").screenshot_as_png)
    return subprocess.run(["zbarimg", "--quiet", "--raw", str(picture)], check=True, stdout=subprocess.PIPE).stdout.decode().strip()


def whole_way(person, site, email, slug, folder):
    sign_in(person, site, email, slug)
    person.open(site, "/factor")
    accessible(person)
    person.put("Present password", PASSWORD)
    person.go("Set up")
    person.sees("scan this code")
    for dark in (True, False):
        person.dark(dark)
        address = urllib.parse.urlsplit(scanned(person, folder))
        secret = urllib.parse.parse_qs(address.query)["secret"][0]
        assert address.scheme == "otpauth" and address.netloc == "totp" and urllib.parse.unquote(address.path).endswith(":" + email)
        assert person.value("factor-secret").replace(" ", "") == secret
    accessible(person)
    person.put("Code", "000000")
    person.go("Switch on")
    person.sees("not the app's present code")
    person.complaints()          # of the refusal itself
    person.put("Code", code(secret))
    person.go("Switch on")
    person.sees("Recovery codes")
    accessible(person)
    codes = [e.text for e in person.driver.find_elements("css selector", "#recovery-codes code")]
    assert len(codes) == 10
    person.go("I have kept them: continue")
    person.driver.delete_all_cookies()
    sign_in(person, site, email, slug)
    person.sees("Type the code that the app shows now for " + email)
    accessible(person)
    person.put("Code", codes[0])
    person.go("Sign in")
    person.sees("A recovery code is used up")
    person.driver.delete_all_cookies()
    sign_in(person, site, email, slug)
    person.put("Code", code(secret, step=1))
    person.go("Sign in")
    person.open(site, "/factor")
    person.sees("Recovery codes left")
    assert not person.complaints(), person.complaints()


def test_a_second_factor_at_a_browser(server, folder):
    # covers: IDN-5, WEB-1
    slug, tenant = make_tenant(server)
    with Person(server) as person:
        whole_way(person, "console", make_user(server, tenant), slug, folder)
        person.driver.delete_all_cookies()
        whole_way(person, "central", make_operator(server), None, folder)


def test_a_second_factor_without_scripts(server, folder):
    # covers: IDN-5, WEB-1
    slug, tenant = make_tenant(server)
    with Person(server, scripts=False) as person:
        whole_way(person, "console", make_user(server, tenant), slug, folder)


def test_a_forgotten_password_at_a_browser(server, sink):
    # covers: IDN-1, WEB-1
    slug, tenant = make_tenant(server)
    email = make_user(server, tenant)
    with Person(server) as person:
        person.open("console", "/sign-in")
        person.go("Forgotten password?")
        accessible(person)
        person.put("Account name", slug)
        person.put("E-mail address", email)
        person.go("Send link")
        person.sees("Look into your mail")
        accessible(person)
        person.open("console", link_of(sink.wait(email, "new password")))
        person.put("New password", NEW)
        person.put("Repeat the new password", NEW)
        person.go("Save password and sign in")
        person.sees("Your password is set")
        assert person.path == "/" and not person.complaints()


def test_people_of_the_operator_at_a_browser(server, sink):
    # covers: ADM-2, ROL-7, WEB-1
    email = f"new-{sink.port}@msp.example"
    with Person(server) as person:
        sign_in(person, "central", make_operator(server), None)
        person.menu("Operators")
        accessible(person)
        person.go("Invite operator")
        person.put("Name", "Nora Newcomer")
        person.put("E-mail address", email)
        person.click_at("input[name=role][value=auditor]")
        person.go("Invite")
        person.sees("Mailed to " + email)
        accessible(person)
        person.menu("Roles")
        accessible(person)
        person.menu("Sign-in Rules")
        accessible(person)
        person.driver.delete_all_cookies()
        person.open("central", link_of(sink.wait(email, "invited")))
        person.sees("Welcome, Nora Newcomer")
        person.put("New password", NEW)
        person.put("Repeat the new password", NEW)
        person.go("Save password and sign in")
        person.menu("Operators")
        assert not person._shown("link text", "Invite operator") and not person.complaints()
