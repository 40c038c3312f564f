"""What makes the consoles pleasant, in a real browser: everything by keys, pages that keep themselves up to date over one connection and across an
outage, forms that are sent once and outlive a session."""
import json

from chrome import Person
from fixtures import fixture
from inventory import Machine
from notices import log
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from web import PASSWORD
from world import World, count, run

TABS_MAX = 150


@fixture("file")
def world(server):
    w = World(server)
    w.machine = Machine(server, w.tenant, "orders-db-1")
    w.request = w.machine.request("pending")
    return w


@fixture("test")
def person(server, world):
    with Person(server) as p:
        p.open("console", "/sign-in")
        sign_in(p, world)
        yield p


def sign_in(person, world):
    person.put("Account name", world.slug)
    person.put("E-mail address", world.user)
    person.put("Password", PASSWORD)
    person.go("Sign in")


def press(person, keys):
    person.driver.switch_to.active_element.send_keys(keys)


def focus(person):
    """What has the focus, so that it can be told from others, and whether one sees that it has."""
    return person.driver.execute_script("""
        const e = document.activeElement, s = getComputedStyle(e);
        if (!e.dataset.n) e.dataset.n = String(window.kwN = (window.kwN || 0) + 1);
        return [e.dataset.n, e.outerHTML.slice(0, 120), s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none'];""")


REACHABLE = """return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
    .filter(e => !e.disabled && e.checkVisibility({visibilityProperty: true}) && e.tabIndex >= 0 && !(e.type === 'radio' && !e.checked)).length"""


def test_everything_by_keys(server, world, person):
    # covers: WEB-1
    for path in ("/", "/instances", f"/devices/{world.machine.device}", "/users/new"):
        person.open("console", path)
        person.driver.execute_script("document.activeElement.blur()")
        wanted, seen, unseen = person.driver.execute_script(REACHABLE), {}, []
        for _ in range(TABS_MAX):
            press(person, Keys.TAB)
            number, what, shown = focus(person)
            if number in seen or what.startswith("<body"):
                break
            seen[number] = what
            unseen += [] if shown else [what]
        assert not unseen, (path, unseen)
        assert len(seen) >= wanted, (path, wanted, len(seen), list(seen.values()))


def given_back(person, element):
    """The focus, once no dialog is open any more."""
    person.until(lambda: person._scope() is None and person.driver.switch_to.active_element == element, "focus is not given back")


def test_keys_for_search_and_help(server, world, person):
    # covers: WEB-1, WEB-4
    person.open("console", "/instances")
    active = "return document.activeElement.type || document.activeElement.id"
    press(person, "/")
    person.until(lambda: person.driver.execute_script(active) == "search", "the search has not the focus")
    press(person, "?/")
    assert person.driver.switch_to.active_element.get_attribute("value") == "?/"       # what one types is not a command
    press(person, Keys.ESCAPE)
    person.until(lambda: person.driver.execute_script(active) == "main", "the search is not left")
    opener = person.driver.find_element(By.CSS_SELECTOR, "[data-theme-switch]")
    person.driver.execute_script("arguments[0].focus()", opener)
    press(person, "?")
    assert "Search on this page" in person.dialog().text
    press(person, Keys.ESCAPE)
    given_back(person, opener)
    # A dialog that asks, and the help, give it back too.
    person.open("console", f"/devices/{world.machine.device}")
    link = person.driver.find_element(By.CSS_SELECTOR, "a[data-dialog]")
    address = link.get_attribute("href")
    person.driver.execute_script("arguments[0].focus()", link)
    press(person, Keys.ENTER)
    person.dialog()
    press(person, Keys.ESCAPE)
    given_back(person, link)
    # Also where the part with the link was refreshed under the dialog.
    press(person, Keys.ENTER)
    person.dialog()
    person.driver.execute_script("arguments[0].replaceWith(arguments[0].cloneNode(true))", link)
    press(person, Keys.ESCAPE)
    person.until(lambda: person.driver.switch_to.active_element.get_attribute("href") == address, "focus is not given back")
    opener = person.driver.find_element(By.CSS_SELECTOR, "[popovertarget=help]")
    person.driver.execute_script("arguments[0].focus()", opener)
    press(person, Keys.ENTER)
    person.until(person.driver.find_element(By.ID, "help").is_displayed, "no help")
    press(person, Keys.ESCAPE)
    person.until(lambda: not person.driver.find_element(By.ID, "help").is_displayed(), "the help stays")
    given_back(person, opener)


COVERED = """return document.activeElement.getBoundingClientRect().top < document.querySelector('.kw-top').getBoundingClientRect().bottom
    && !document.activeElement.closest('.kw-top')"""


def test_keys_do_no_harm(server, world, person):
    # covers: WEB-1, WEB-3
    disk = world.machine.disk("blank", status="configured", os="linux", filesystem="ext4", mount_point="/srv/blank")
    person.open("console", f"/devices/{disk}")
    person.mark()
    # The first link leads to the page's own part, which is not loaded again for that, nor lies under the top bar what has the focus then.
    press(person, Keys.TAB)
    press(person, Keys.ENTER)
    person.until(lambda: person.path.endswith("#main"), "the first link leads nowhere")
    press(person, Keys.TAB)
    person.until(lambda: not person.driver.execute_script(COVERED), "the focus is covered")
    assert person.marked() and person.driver.execute_script("return document.activeElement.closest('main') !== null")
    # What destroys something does not have the focus when it is asked for.
    link = person.driver.find_element(By.CSS_SELECTOR, "a[data-dialog][href$='/encrypt']")
    person.driver.execute_script("arguments[0].focus()", link)
    press(person, Keys.ENTER)
    assert "Encrypt and destroy its content" in person.dialog().text
    assert person.driver.switch_to.active_element.text == "Cancel"
    press(person, Keys.ENTER)
    given_back(person, link)
    assert count(server, "select status from device where id = %s", disk) == "configured"


def fetched(person):
    """(paths, statuses) of what the page has asked for by itself; it is told to ask once more at once, as when it is looked at again."""
    return person.driver.execute_script("""
        document.dispatchEvent(new Event('visibilitychange'));
        const all = performance.getEntriesByType('resource').filter(e => e.initiatorType === 'fetch');
        return [all.map(e => new URL(e.name).pathname), all.map(e => e.responseStatus)];""")


def offline(person, off):
    person.driver.execute_cdp_cmd("Network.enable", {})
    person.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})


def test_pages_keep_themselves_up_to_date(server, world, person):
    # covers: RUN-1, NTF-3, WEB-2
    machine = Machine(server, world.tenant, "late-db-1")
    person.open("console", "/")
    person.mark()
    assert "late-db-1" not in person.text()
    log(server, world.tenant, "key.pending", "request", machine.request("pending"), "late-db-1 data")
    person.sees("late-db-1 data")
    person.until(lambda: person.driver.find_element(By.CSS_SELECTOR, "#menu .kw-count").text.startswith("2"), "the menu does not count")
    # Everything came with one question, and what has not changed is not sent again.
    person.until(lambda: 304 in fetched(person)[1], "everything is sent again")
    assert set(fetched(person)[0]) == {"/"}, fetched(person)
    # Across an outage of the network.
    offline(person, True)
    person.sees("Not updated at the moment")
    assert world.console().api(f"/devices/{machine.device}/edit", {"name": "renamed by night", "description": ""}).status == 200
    offline(person, False)
    person.sees("renamed by night")
    person.until(lambda: "Not updated" not in person.text(), "the sign stays")
    assert person.marked()
    # Until nobody may see it any more: then it says why, by itself.
    run(server, "update tenant set state = 'suspended' where id = %s", world.tenant)
    try:
        person.sees("This account is suspended")
    finally:
        run(server, "update tenant set state = 'active' where id = %s", world.tenant)


def judge(server, request, rules, **facts):
    """What the policy says to REQUEST becomes something else, as when its agent has reported anew and jobd has looked."""
    verdict = {"rules": rules, "result": "mismatch"}
    run(server, "update key_request set verdict = %s, integrity = 'bad' where id = %s", json.dumps(verdict), request)


PRESS_AT_ONCE = """
new MutationObserver(() => {
    const notice = document.querySelector('[data-changed]');
    if (!notice || notice.hidden || window.kwPressed) return;
    window.kwPressed = true;
    document.querySelector('button[value=approve]').click();
}).observe(document.body, {subtree: true, attributes: true, childList: true});"""


def test_a_key_request_changes_under_ones_hands(server, world, person):
    # covers: RUN-3, WEB-1, WEB-3
    machine = Machine(server, world.tenant, "moving-db-1")
    request = machine.request("pending")
    person.open("console", f"/requests/{request}")
    person.mark()
    box = person.field("Comment")
    box.send_keys("Announced by ")
    assert not person.driver.find_element(By.CSS_SELECTOR, "[data-changed]").is_displayed()
    # Another part of the page changes: what is typed, the cursor and the focus stay where they are.
    person.driver.execute_script("arguments[0].setSelectionRange(4, 4)", box)
    run(server, "update device set description = 'ledger of the harbour' where id = %s", machine.device)
    person.sees("ledger of the harbour")
    person.until(lambda: person.driver.switch_to.active_element == person.field("Comment"), "the focus is lost")
    press(person, "X")
    assert person.field("Comment").get_attribute("value") == "AnnoXunced by "
    # What one decides on changes: it is said, and a press that was meant for the other is not sent.
    person.driver.execute_script(PRESS_AT_ONCE)
    judge(server, request, [{"rule": "Host name", "status": "failed", "condition": "is nobody", "actual": "moving-db-1"}])
    person.until(lambda: person.driver.find_element(By.CSS_SELECTOR, "[data-changed]").is_displayed(), "nobody is told that it has changed")
    person.until(lambda: person.driver.execute_script("return window.kwPressed"), "the button was not pressed")
    assert count(server, "select status from key_request where id = %s", request) == "pending" and person.marked()
    assert person.field("Comment").get_attribute("value") == "AnnoXunced by "
    # A new look has what is new, and the decision is about that.
    version = person.driver.find_element(By.NAME, "version").get_attribute("value")
    assert version == "pending " + count(server, "select gist from key_request where id = %s", request)
    # Somebody else was faster: what was typed is not lost, and the page says why it has no place any more.
    run(server, "update key_request set closed = now(), closed_reason = 'superseded' where id = %s", request)
    person.sees("What you were typing has no place here any more")
    person.sees("AnnoXunced by")
    person.until(lambda: person.driver.switch_to.active_element.get_attribute("id") == "main", "the focus is lost")
    assert person.marked()
    assert person.complaints() == [] and person.axe() == []


def test_an_instance_is_shown_as_it_is(server, world, person):
    # covers: RUN-6, WEB-1
    machine = Machine(server, world.tenant, "shown-db-1")
    person.open("console", f"/instances/{machine.instance}")
    person.mark()
    link = person.driver.find_element(By.LINK_TEXT, "shown-db-1 data")
    person.driver.execute_script("arguments[0].focus()", link)
    machine.request("pending")
    run(server, "update instance set state = 'missing' where id = %s", machine.instance)
    person.sees("Missing")
    person.sees("Pending")
    person.until(lambda: person.driver.switch_to.active_element.text == "shown-db-1 data", "the focus is lost")
    assert person.marked()
    person.until(lambda: 304 in fetched(person)[1], "everything is sent again")
    assert set(fetched(person)[0]) == {f"/instances/{machine.instance}"}, fetched(person)


def mouse(person, what, at):
    person.driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": what, "x": at["x"] + at["width"] / 2, "y": at["y"] + at["height"] / 2,
                                                               "button": "left", "buttons": 1 if what == "mousePressed" else 0, "clickCount": 1})


def test_a_click_is_not_lost_to_what_is_new(server, world, person):
    # covers: RUN-6, WEB-3
    machine = Machine(server, world.tenant, "held-db-1")
    person.open("console", f"/instances/{machine.instance}")
    link = person.until(lambda: person.driver.find_element(By.LINK_TEXT, "held-db-1 data"), "no link")
    # While the button of the mouse is down on a link, the part of the page that has it becomes another.
    mouse(person, "mousePressed", link.rect)
    machine.request("pending")
    run(server, "update instance set state = 'missing' where id = %s", machine.instance)
    asked = len(fetched(person)[1])
    person.until(lambda: fetched(person)[1][asked:].count(200) > 1, "nothing is asked for")
    assert "Missing" not in person.text()
    mouse(person, "mouseReleased", link.rect)
    person.until(lambda: person.path == f"/devices/{machine.device}", "the click is lost")


def test_watching_keeps_no_session(server, world):
    # covers: IDN-6
    c = world.console()
    sessions = "select max(last_seen) from user_session s join app_user u on u.id = s.user_id and u.tenant = s.tenant where u.email = %s"
    run(server, "update user_session set last_seen = now() - interval '5 minutes' where tenant = %s", world.tenant)
    before = count(server, sessions, world.user)
    assert c.get("/instances", headers={"HX-Request": "true"}).status == 200 and count(server, sessions, world.user) == before
    assert c.get("/instances").status == 200 and count(server, sessions, world.user) > before


def fill_in(person, name, email):
    person.put("Name", name)
    person.put("E-mail address", email)
    person.click_at("label.kw-choice:has([value=key-approver])")


def test_a_form_outlives_its_session(server, world, person):
    # covers: WEB-3, IDN-6
    person.open("console", "/users/new")
    fill_in(person, "Nadia Night", "nadia@tenant.example")
    run(server, "delete from user_session where tenant = %s", world.tenant)
    person.go("Invite")
    assert person.path.startswith("/sign-in"), person.path
    sign_in(person, world)
    assert person.path == "/users/new", person.path
    person.sees("What you had typed is here again")
    assert person.field("Name").get_attribute("value") == "Nadia Night"
    assert person.driver.find_element(By.CSS_SELECTOR, "[value=key-approver]").is_selected()
    assert count(server, "select count(*) from app_user where tenant = %s and email = 'nadia@tenant.example'", world.tenant) == 0
    person.go("Invite")
    assert count(server, "select count(*) from app_user where tenant = %s and email = 'nadia@tenant.example'", world.tenant) == 1
    # It is given back once.
    person.open("console", "/users/new")
    assert person.field("Name").get_attribute("value") == "" and "is here again" not in person.text()


def test_a_policy_in_the_making_outlives_its_session(server, world, person):
    # covers: WEB-3, IDN-6, POL-2
    rules = [{"type": "network.services.remote", "conditions": [{"operator": "contains-none", "value": ["tcp/8080"]}]},
             {"type": "network.services.remote", "conditions": [{"operator": "contains-none", "value": ["tcp/23"]}]}]
    document = {"keyward_policy": 1, "name": "Long work", "description": "d", "rules": rules, "action": {"on_match": "approve", "on_mismatch": "manual"}}
    id = world.console().api("/policies", {"document": document}).json["id"]
    person.open("console", f"/policies/{id}/edit")
    person.click_at(".kw-tabs button[value='to:rules']")
    second = person.until(lambda: person.driver.find_element(By.CSS_SELECTOR, "[name='r.1.0.value']"), "no rules")
    where = person.path
    second.clear()
    second.send_keys("tcp/5900")
    person.put("Reason for the change", "asked for by the auditors")
    run(server, "delete from user_session where tenant = %s", world.tenant)
    person.go("Save")
    assert person.path.startswith("/sign-in"), person.path
    sign_in(person, world)
    assert person.path.split("#")[0] == where.split("#")[0], person.path
    person.sees("What you had typed is here again")
    shown = [person.driver.find_element(By.CSS_SELECTOR, f"[name='r.{n}.0.value']").get_attribute("value") for n in (0, 1)]
    assert shown == ["tcp/8080", "tcp/5900"] and person.field("Reason for the change").get_attribute("value") == "asked for by the auditors", shown
    person.go("Save")
    person.until(lambda: person.path.split("#")[0] == f"/policies/{id}", "it is not saved")
    saved = world.console().api(f"/policies/{id}").json["document"]["rules"]
    assert [r["conditions"][0]["value"] for r in saved] == [["tcp/8080"], ["tcp/5900"]], saved


def test_sent_once(server, world, person):
    # covers: WEB-3
    person.open("console", "/users/new")
    fill_in(person, "Twice Told", "twice@tenant.example")
    form = person.driver.find_element(By.CSS_SELECTOR, "main form[method=post]")
    person.driver.execute_script("arguments[0].requestSubmit(); arguments[0].requestSubmit();", form)
    person.sees("Invitation link")
    assert count(server, "select count(*) from app_user where email = 'twice@tenant.example'") == 1
    # Back, and once more: what is wrong stands next to the field, and nothing happens twice.
    person.driver.back()
    person.until(lambda: "Invitation link" not in person.text() and person.field("E-mail address"), "no way back")
    fill_in(person, "Twice Told", "twice@tenant.example")
    person.go("Invite")
    assert person.driver.find_element(By.ID, "e-email").is_displayed()
    assert count(server, "select count(*) from app_user where email = 'twice@tenant.example'") == 1
