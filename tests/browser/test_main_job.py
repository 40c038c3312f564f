"""The main job in a real browser: from the set-up code to a file read back from the encrypted volume, through deny, approve and a
restart of the agent. Two people, the operator and the tenant's administrator, do it by clicking; the guest is a real agent with a
real volume on this machine."""
import re
import shutil
import subprocess
import uuid

from chrome import Person
from fixtures import fixture, installation, scratch
from stack.guest import Guest
from stack.process import wait_until

OPERATOR, ADMINISTRATOR = "olga@msp.example", "ada@harbour.example"
PASSWORD = "Harbour-Lantern-47"
TEXT = "written once, read after every boot\n"
DESTROY = "Encrypt and destroy its content"
SLOW = 90            # seconds for what takes two on an idle machine without sanitizers


@fixture("test")
def fresh():
    """An installation that nobody has set up."""
    name = "fresh-" + uuid.uuid4().hex[:8]
    with installation(name) as it:
        yield it
    shutil.rmtree(scratch() / name, ignore_errors=True)


@fixture("test")
def guest(fresh, folder):
    g = Guest(folder / "guest", fresh.address("agents"), fresh.ca, "sanitize", "orders-db", 64 * 1024 * 1024,
              {"heartbeat": "1", "stop_seconds": "2"})
    g.prepare()
    # What is on it is destroyed only for who types the device's name.
    subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "old", str(g.disk)], check=True)
    yield g
    g.stop()


def new_passwords(person):
    person.put("New password", PASSWORD)
    person.put("Repeat the new password", PASSWORD)


def set_up(operator, it):
    """The operator's part: first start, a tenant, the invitation. Returns its link."""
    address = re.search(r"https://\S+", it.keyward("setup-code")).group(0)
    operator.driver.get(address.split("?")[0])
    assert not operator.scripts or operator.axe() == [], operator.axe()
    operator.put("Set-up code", address.split("code=")[1])
    operator.put("Your name", "Olga Operator")
    operator.put("E-mail address", OPERATOR)
    new_passwords(operator)
    operator.go("Create operator and sign in")
    operator.sees("Olga Operator")
    operator.menu("Tenants")
    operator.go("New tenant")
    operator.put("Account name", "harbour")
    operator.put("Display name", "Harbour Logistics")
    operator.put("Name", "Ada Administrator")
    operator.put("E-mail address", ADMINISTRATOR)
    operator.go("Create tenant")
    assert operator.heading().startswith("Harbour Logistics"), operator.heading()
    return operator.value("invitation-link")


def join(person, link):
    """The administrator's part: accepts, and reads what an agent needs. Account ID and passphrase."""
    person.driver.get(link)
    person.sees("Welcome, Ada Administrator")
    new_passwords(person)
    person.go("Save password and sign in")
    person.sees("Harbour Logistics")
    person.menu("Account")
    assert person.value("account-name") == "harbour"
    assert person.value("web-service") == person.it.address("agents"), person.value("web-service")
    person.go("Reveal passphrase")
    return person.value("account-id"), person.value("passphrase-value")


def encrypt(person, guest):
    """The device that the guest has published: configured, then encrypted after a warning."""
    person.menu("Devices")
    person.go("disk.img")
    person.sees("Not configured")
    person.go("Configure")
    person.put("File system", "ext4")
    person.put("Mount point", str(guest.mount_point))
    person.go("Save configuration")
    person.sees("Configured")
    if person.scripts:
        person.click("Encrypt")
        assert person.dialog(), "no dialog asks"
        assert not person.enabled(DESTROY), "the name was not typed"
    else:
        person.go("Encrypt", ("a",))
    person.put("Type", "disk.img")
    person.go(DESTROY)
    person.sees("Encryption pending")


def row_shows(person, text):
    """A row that says TEXT comes onto the page: by itself with scripts, by loading the page again without."""
    if person.scripts:
        person.mark()
    person.until(lambda: person.rows(text) or not person.scripts and person.again() and person.rows(text), f"no row says \"{text}\"", SLOW)
    assert not person.scripts or person.marked(), "the page was loaded again"


def decide(person, decision, comment, becomes):
    """The newest request, as it comes up on Running Instances; afterwards it says BECOMES, and keeps the comment."""
    person.menu("Running Instances")
    row_shows(person, "Pending")
    person.follow_row("Pending")
    person.sees("Manual Approve")
    person.put("Comment", comment)
    person.go(decision)
    row_shows(person, becomes)
    person.follow_row(becomes)
    person.sees(comment)


def whole_way(operator, person, it, guest):
    link = set_up(operator, it)
    account, passphrase = join(person, link)
    guest.register(account, passphrase)
    encrypt(person, guest)

    # The agent encrypts, and asks for its key.
    guest.start()
    decide(person, "Deny", "Nobody has announced this machine.", "Denied")
    wait_until(lambda: "the key request was denied" in guest.process.log.read_text(), SLOW, "the agent is not told")
    assert not guest.mounted()

    # A boot asks again.
    guest.stop()
    guest.start()
    decide(person, "Approve", "Announced by telephone.", "Delivered")
    wait_until(guest.mounted, SLOW, "not mounted", guest.process.alive)
    file = guest.mount_point / "orders.txt"
    file.write_text(TEXT)
    assert guest.stop() and not file.exists()
    assert TEXT.encode() not in guest.disk.read_bytes()

    guest.start()
    decide(person, "Approve", "Planned restart.", "Delivered")
    wait_until(guest.mounted, SLOW, "not mounted", guest.process.alive)
    assert file.read_text() == TEXT
    person.menu("Devices")
    person.until(lambda: person.again() and person.rows("In-use"), "the device is not in use", SLOW)

    # All of it is in the log, and the chain holds.
    person.menu("Log")
    for said in ("Nobody has announced this machine.", "Announced by telephone.", "Planned restart."):
        person.search(said)
        person.until(lambda: len(person.rows("Key")) == 1, f"the log does not show one entry with \"{said}\"")
        person.click("Details", ("summary",))
        person.sees(said)
    assert it.keyward("audit", "verify", "harbour")
    assert guest.stop() and not guest.mounted()

    sign_out(person)
    sign_out(operator)
    person.driver.back()
    person.again()
    assert person.field("Password") and "orders.txt" not in person.text()


def sign_out(person):
    person.click_at("button[popovertarget=user-menu]")
    person.go("Sign out")
    assert person.field("Password")


def clean(*people):
    for p in people:
        found = p.complaints()
        assert not found, found


def test_whole_way_by_clicking(fresh, guest):
    # covers: RUN-1, RUN-2, RUN-3, ADM-3, TEN-1, IDN-1, DEV-2, DEV-3, AGT-1, AGT-3, LOG-2, LOG-3, WEB-1, WEB-3
    with Person(fresh) as operator, Person(fresh) as person:
        whole_way(operator, person, fresh, guest)
        clean(operator, person)


def test_whole_way_without_scripts(fresh, guest):
    # covers: RUN-1, RUN-3, ADM-3, DEV-3, WEB-1
    with Person(fresh, scripts=False) as operator, Person(fresh, scripts=False) as person:
        whole_way(operator, person, fresh, guest)
        clean(operator, person)
