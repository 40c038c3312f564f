"""Three tasks as somebody does them who was told nothing and reads only what the pages show, at a desk and on a telephone, in light and dark: approve a key
that waits, knowing why; find out who exported one last month; have only patched machines in one region get their keys. Clicks are counted.

With PICTURES=<folder> each step is photographed."""
import datetime
import io
import json
import os
import pathlib
import subprocess

import openpyxl
from chrome import AXE_COLOURS, Person
from fixtures import fixture
from inventory import DOCUMENT, FACTS, Machine
from selenium.webdriver.common.by import By
from documents import LINUX, PATCHED
from web import PASSWORD, make_user
from world import World, count, run

PICTURES = os.environ.get("PICTURES")
EXPORTED_AT = "10.20.0.9"
NAMES = (("ledger-db-1", "eu-central-1", 3), ("ledger-db-2", "eu-central-1", 0), ("archive-db-1", "us-east-1", 0))


# Buttons whose words are wider than they are.
SPILLS = "return [...document.querySelectorAll('main .btn')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 160))"


class Newcomer(Person):
    """Counts what is clicked, and looks at each page as others would have it: narrow, dark."""

    def __init__(self, it, task):
        super().__init__(it, width=1440)
        self.task, self.clicks, self.steps = task, 0, []

    def _press(self, elements, what):
        self.clicks += 1
        return super()._press(elements, what)

    def sign_in(self, world, email):
        self.open("console", "/sign-in")
        self.put("Account name", world.slug)
        self.put("E-mail address", email)
        self.put("Password", PASSWORD)
        self.go("Sign in")
        self.clicks = 0

    def step(self, name):
        self.steps.append(name)
        for width in (1440, 390):
            self.size(width)
            assert self.too_wide() <= 0 and not self.driver.execute_script(SPILLS), (name, width, self.too_wide(), self.driver.execute_script(SPILLS))
            for dark in (False, True):
                self.dark(dark)
                if PICTURES:
                    self.picture(pathlib.Path(PICTURES) / f"{self.task}-{len(self.steps)}-{name}-{width}-{'dark' if dark else 'light'}.png")
                    self.size(width)
                if dark:
                    assert not self.axe(AXE_COLOURS), (name, width, self.axe(AXE_COLOURS))
        self.dark(False)
        self.size(1440)
        assert self.complaints() == [] and self.axe() == [], name

    def above(self, text):
        """Whether TEXT is seen without scrolling."""
        return self.driver.execute_script("""
            const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
            while (walk.nextNode())
                if (walk.currentNode.data.includes(arguments[0])) {
                    const at = walk.currentNode.parentElement.getBoundingClientRect();
                    return at.height > 0 && at.bottom < innerHeight;
                }
            return false;""", text)


@fixture("file")
def world(server):
    """Machines in two regions, one of which has not installed its updates; a policy that asks a person about such; an export of last month."""
    w = World(server)
    w.approver = make_user(server, w.tenant, "key-approver")
    w.auditor = make_user(server, w.tenant, "auditor")
    c = w.console()
    policy = c.api("/policies", {"document": {"keyward_policy": 1, "name": "Databases", "description": "Patched or asked for", "rules": [LINUX, PATCHED],
                                              "action": {"on_match": "approve", "on_mismatch": "manual"}}}).json["id"]
    w.machines, w.requests = {}, {}
    for name, region, pending in NAMES:
        m = w.machines[name] = Machine(server, w.tenant, name, "ec2")
        facts = {"agent": {**DOCUMENT["agent"], "values": {**FACTS, "host.name": name, "os.system": "linux", "instance.region": region,
                                                           "os.pending_security_updates": pending}}, "server": DOCUMENT["server"]}
        run(server, "update device set policy = %s where id = %s", policy, m.device)
        run(server, "insert into policy_image (tenant, policy, image) values (%s, %s, %s)", w.tenant, policy, m.image)
        run(server, "update instance set facts = %s, region = %s where id = %s", json.dumps(facts), region, m.instance)
        w.requests[name] = m.request()
        run(server, "update key_request set facts = %s, policy = %s, policy_name = 'Databases' where id = %s", json.dumps(facts), policy, w.requests[name])
    # The one that is not patched waits, by what its policy says of it.
    assert c.api(f"/requests/{w.requests['ledger-db-1']}/evaluate", {}).status == 200
    run(server, "update key_request set status = 'delivered' where id <> %s and tenant = %s", w.requests["ledger-db-1"], w.tenant)
    _exports(server, w)
    return w


def _exports(server, w):
    for name, who, ago in (("ledger-db-2", "Sam Okafor", 1), ("archive-db-1", "Aud Lindqvist", 3)):
        run(server, "select set_config('keyward.tenant', %s, false), audit_append('key', 'key.exported', 'user', null, %s, 'device', %s, %s, null, %s, null)",
            str(w.tenant), who, str(w.machines[name].device), f"{name} data", EXPORTED_AT)
        run(server, "update audit_entry set at = date_trunc('month', now()) - make_interval(months => %s) + interval '9 days' where tenant = %s"
                    " and event = 'key.exported' and actor_name = %s", ago, w.tenant, who)


def test_a_waiting_key_is_approved_by_who_knows_why_it_waits(server, world):
    # covers: RUN-3, WEB-2, ROL-5
    with Newcomer(server, "approve") as person:
        person.sign_in(world, world.approver)
        # The first page says that something waits, and what.
        assert person.above("Waiting for a decision") and person.above("ledger-db-1 data")
        person.step("dashboard")
        person.follow_row("ledger-db-1 data")
        # Why, in a sentence, and the rule that says it, without scrolling.
        for said in ("This key waits for a decision", "Not all rules of the policy match", "If a rule does not match: Manual Approve", "Pending security updates", "To the decision"):
            assert person.above(said), said
        first = person.driver.find_element(By.CSS_SELECTOR, ".kw-rule")
        assert "Pending security updates" in first.text and "Failed" in first.text and "3" in first.text, first.text
        person.step("request")
        person.put("Comment", "Patched tonight; announced by telephone.")
        person.go("Approve")
        person.sees("The key of ledger-db-1 data is approved")
        person.step("approved")
        assert person.clicks <= 2, person.clicks
        assert count(server, "select status from key_request where id = %s", world.requests["ledger-db-1"]) == "approved"


def test_who_exported_a_key_last_month_is_found(server, world):
    # covers: LOG-1, KEY-5, ROL-4
    with Newcomer(server, "export") as person:
        person.sign_in(world, world.auditor)
        person.menu("Log")
        # On a telephone the query is folded away: the first entry is on the first screen.
        person.size(390, 844)
        assert person.above("Signed in"), person.text()[:2000]
        person.size(1440)
        person.step("log")
        person.put("Text", "export")
        person.go("Last month")
        rows = person.rows("export")
        assert len(rows) == 1, [r.text for r in rows]
        for said in ("Device key exported", "Sam Okafor", "ledger-db-2 data", EXPORTED_AT):
            assert said in rows[0].text, (said, rows[0].text)
        person.step("found")
        assert person.clicks <= 2, person.clicks


def tick(person, label):
    person.click_at(f"label:has(strong:first-child) input[value='{label}']")


def test_who_exported_a_key_last_month_is_found_by_a_report(server, world):
    # covers: RPT-1, RPT-2, KEY-5, WEB-1
    with Newcomer(server, "report") as person:
        person.sign_in(world, world.auditor)
        person.menu("Reports")
        person.go("New report")
        person.put("Name", "Who exported")
        tick(person, "exports")
        tick(person, "xlsx")
        person.put("Period", "Last month (calendar month)")
        # What counts for other choices alone is not in the way.
        assert not person.driver.find_element(By.ID, "f-weekday").is_displayed() and not person.driver.find_element(By.ID, "f-since").is_displayed()
        person.put("Made", "Weekly")
        assert person.driver.find_element(By.ID, "f-weekday").is_displayed() and not person.driver.find_element(By.ID, "f-monthday").is_displayed()
        person.put("Made", "Only when asked")
        person.step("template")
        person.go("Save and generate")
        person.sees("Ready")
        person.step("made")
        assert person.clicks <= 5, person.clicks
        path = person.path
    c = world.console(world.auditor)
    book = openpyxl.load_workbook(io.BytesIO(c.get(f"{path}/file?format=xlsx").body))
    rows = [[cell.value for cell in row] for row in book["Exports of keys"].iter_rows(min_row=2)]
    said = [r for r in rows if "ledger-db-2 data" in r]
    assert len(said) == 1 and {"Sam Okafor", EXPORTED_AT, "exported"} <= set(said[0]) and not [r for r in rows if "archive-db-1 data" in r], rows
    pdf = c.get(f"{path}/file?format=pdf").body
    text = subprocess.run(["pdftotext", "-layout", "-", "-"], input=pdf, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "Exports of keys" in text and "Sam Okafor" in text and EXPORTED_AT in text, text
    # The device's own page says the day, too: "1 month ago" is no answer to "last month".
    day = datetime.datetime.now(datetime.timezone.utc).replace(day=1) - datetime.timedelta(days=1)
    page = c.get(f"/devices/{world.machines['ledger-db-2'].device}").text
    assert f"</time> · 10 {day:%b %Y}, " in page.split('id="history"')[1], page


def add_rule(person, search, label):
    """By what a newcomer would call it."""
    person.go("Add rule")
    person.driver.find_element(By.CSS_SELECTOR, "input[data-filter]").send_keys(search)
    person.until(lambda: len([e for e in person.driver.find_elements(By.CSS_SELECTOR, ".kw-type") if e.is_displayed()]) <= 4, "the search leaves too many")
    person.step(f"types-{search}")
    person.go_by(lambda: [e for e in person.driver.find_elements(By.CSS_SELECTOR, ".kw-type") if e.is_displayed() and e.text.startswith(label)], label)


def seen(person, line):
    return person.driver.find_element(By.CSS_SELECTOR, f"#line-{line} .kw-seen").find_element(By.XPATH, "..").text


def test_only_patched_machines_in_one_region_have_their_keys(server, world):
    # covers: POL-2, RUL-8, RUL-18, POL-4
    with Newcomer(server, "policy") as person:
        person.sign_in(world, world.user)
        person.menu("Policies")
        person.step("policies")
        person.go("New policy")
        person.put("Name", "Patched, in Frankfurt")
        person.put("Description", "Only patched machines of eu-central-1")
        person.step("general")
        person.go("Next")
        person.click("Choose all")
        person.until(lambda: "Chosen: 3" in person.text(), "not all are chosen")
        person.step("images")
        person.go("Next")
        person.click("Choose all")
        person.until(lambda: "Chosen: 3" in person.text(), "not all are chosen")
        person.step("devices")
        person.go("Next")
        person.step("rules-none")
        add_rule(person, "patched", "Pending security updates")
        # What one's own machines say shows how a value is written.
        assert seen(person, 0).replace("\n", " ") == "Your machines report: 0 (2) 3 (1)", seen(person, 0)
        person.driver.find_element(By.NAME, "r.0.0.value").send_keys("0")
        add_rule(person, "location", "Region")
        assert seen(person, 1).replace("\n", " ") == "Your machines report: eu-central-1 (2) us-east-1 (1)", seen(person, 1)
        person.driver.find_element(By.NAME, "r.1.0.value").send_keys("eu-central-1")
        person.step("rules")
        person.go("Next")
        person.click_at("label.kw-choice:has([name=on_match][value=approve])")
        person.click_at("label.kw-choice:has([name=on_mismatch][value=deny])")
        person.sees("A machine gets its key automatically if it has no pending security update and it is in region eu-central-1; all others are denied.")
        person.step("actions")
        # What it would have done: the one that is not patched, and why. From there it is made.
        person.go("Try it first")
        person.step("what-if")
        person.go("Try it")
        person.sees("1 verdict would change.")
        person.sees("Pending security updates: it is 3")
        person.step("tried")
        person.go("Create policy")
        person.sees("The policy is made.")
        person.step("made")
        assert person.clicks <= 19, person.clicks
        made = world.console().api("/policies/" + person.path.split("/")[2]).json["document"]
        assert [r["type"] for r in made["rules"]] == ["os.pending_security_updates", "instance.region"], made
        assert (made["action"]["on_match"], made["action"]["on_mismatch"]) == ("approve", "deny")
    # And that is what it does.
    said = {}
    for name, request in world.requests.items():
        run(server, "update key_request set status = 'pending', closed = null, policy = (select policy from device where id = device) where id = %s", request)
        assert world.console().api(f"/requests/{request}/evaluate", {}).status == 200
        said[name] = count(server, "select integrity from key_request where id = %s", request)
    assert said == {"ledger-db-1": "bad", "ledger-db-2": "good", "archive-db-1": "bad"}, said


def test_what_is_ticked_stays_ticked_while_pages_are_turned(server):
    # covers: RUN-9, WEB-1
    w = World(server)
    approver = make_user(server, w.tenant, "key-approver")
    for name in ("wave-1", "wave-2", "wave-3"):
        Machine(server, w.tenant, name).request()
    with Newcomer(server, "ticks") as person:
        def boxes():
            return [b.is_selected() for b in person.driver.find_elements(By.CSS_SELECTOR, ".kw-tickbox input")]

        person.sign_in(w, approver)
        person.open("console", "/requests/select?limit=2&sort=device")
        person.click_at(".kw-tickbox input")
        person.go("Next")
        person.sees("Ticked on other pages of the list, and chosen too: 1")
        person.click_at(".kw-tickbox input")
        person.go("Previous")
        assert boxes() == [True, False]
        person.step("turned")
        # What was found by a search is chosen beside it, and what is sent is what was said.
        person.search("wave-2")
        person.sees("chosen too: 2")
        person.click_at(".kw-tickbox input")
        person.go("Approve…")
        person.sees("To be approved: 3")
        # Sent once, or forgotten, nothing is left of them.
        person.open("console", "/requests/select?limit=2&sort=device")
        assert boxes() == [False, False]
        person.click_at(".kw-tickbox input")
        person.go("Next")
        person.sees("chosen too: 1")
        person.click("Forget those")
        person.go("Previous")
        assert boxes() == [False, False]
