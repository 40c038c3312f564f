"""Every page of both consoles from the route table, as somebody who needs the screen to be right finds it: no violation of WCAG 2.2 A and AA in light
and dark, nothing that the browser complains of, nothing that moves while it loads, no page too heavy; and the same page on a telephone without
scripts: all of it is there, nothing is cut off, every form can be sent."""
import pathlib

from chrome import AXE_COLOURS, Person
from fixtures import fixture
from showroom import Showroom
from web import Client, make_user

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAVY = 100_000              # bytes of a page, besides assets
SHIFT = 0.05                 # cumulative layout shift: half of what counts as good
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What leads nowhere: a page that sends on to an identity provider, which there is none of here (test_single_sign_on.py).
NOWHERE = {"/saml/again", "/single-sign-on/test"}
# One question per page: axe in light with all rules, then in dark those of colours alone, as nothing else changes; and what has moved.
ASK = """
const done = arguments[1], rules = arguments[0];
const put = r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 140) + ' (' + (n.failureSummary || '').slice(0, 160) + ')').join(' | '));
axe.run({runOnly: rules, resultTypes: ['violations']}).then(r => done(put(r)), e => done([String(e)]));
"""
WATCH = """window.kwShift = 0;
new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) window.kwShift += e.value; }).observe({type: 'layout-shift', buffered: true});"""
# Without scripts, 390 pixels wide.
PLAIN = """
const seen = e => e.checkVisibility({visibilityProperty: true}), out = [], wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
if (wide > 0) out.push('scrolls sideways by ' + wide);
if (![...document.querySelectorAll('h1')].some(seen)) out.push('has no heading');
for (const e of document.querySelectorAll('.kw-js')) if (seen(e)) out.push('shows what only scripts can do: ' + e.outerHTML.slice(0, 120));
for (const f of document.forms) if (seen(f) && !f.querySelector('button:not([type=button]), input[type=submit], input[type=search]')) out.push('a form without a button: ' + f.action);
return out;"""
WEIGHT = "const n = performance.getEntriesByType('navigation')[0]; return [n.decodedBodySize, window.kwShift];"


@fixture("file")
def room(whole_server):
    return Showroom(whole_server, machines=14, tenants=1)


class Looker:
    """A browser with axe-core in every page, and one without scripts, that keep their sessions as a client has them."""

    def __init__(self, person, plain):
        self.person, self.plain, self.client = person, plain, None
        axe = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
        person.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": axe + "\n" + WATCH})

    def become(self, site, client):
        """CLIENT None: nobody."""
        if client is self.client:
            return
        self.client = client
        for browser in (self.person, self.plain):
            browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
            for name, value in client.cookies.items() if client else ():
                browser.driver.execute_cdp_cmd("Network.setCookie", {"name": name, "value": value, "url": browser.it.address(site), "secure": True,
                                                                     "httpOnly": True, "path": "/"})

    def faults(self, site, path, name, quiet=True):
        """What is wrong with the page at PATH; NAME: as the table calls it. QUIET False: it is an error, and the browser says so."""
        person = self.person
        person.dark(False)
        person.open(site, path)
        # To an identity provider, where another test has set one up for the operators of this installation: its page is its own.
        if not person.driver.current_url.startswith(person.it.address(site)):
            person.complaints()
            return []
        out = person.complaints() if quiet else []
        size, shift = person.driver.execute_script(WEIGHT)
        # Of a page that came in parts, as from a busy machine, the second part moves what is below it; what moves by itself does so each time.
        for _ in range(3):
            if shift > SHIFT:
                person.open(site, path)
                shift = person.driver.execute_script(WEIGHT)[1]
        out += [f"{size} bytes"] if size > HEAVY else []
        out += [f"moves by {shift} while it loads"] if shift > SHIFT else []
        out += person.driver.execute_async_script(ASK, RULES)
        person.dark(True)
        out += ["dark: " + v for v in person.driver.execute_async_script(ASK, AXE_COLOURS)]
        self.plain.open(site, path)
        out += ["without scripts: " + v for v in self.plain.driver.execute_script(PLAIN)]
        person.complaints()
        return [f"{site} {name}: {fault}" for fault in out]


def before(room, site):
    """Paths of what comes before there is a session."""
    if site == "central":
        return "/sign-in", "/forgotten"
    invited = room.people["account-administrator"].api("/users/new", {"name": "Ines Invited", "email": f"ines@{room.slug}.example", "role": "auditor"})
    return "/sign-in", "/forgotten", "/" + invited.json["invitation"]["link"].split("/", 3)[3]


def walk(server, room, site):
    wrong, seen, none = [], [], []
    analyst = Client(server, "console")
    assert analyst.sign_in(make_user(server, room.tenant, "data-analyst"), account=room.slug).status == 303
    with Person(server) as person, Person(server, scripts=False, width=390, height=844) as plain:
        looker = Looker(person, plain)
        for path in before(room, site):
            wrong += looker.faults(site, path, path)
        wrong += looker.faults(site, "/nowhere", "what is not there", quiet=False)
        if site == "console":
            looker.become(site, analyst)
            wrong += looker.faults(site, "/users", "what one may not see", quiet=False)
        for client, path, row in room.pages(site, none):
            looker.become(site, client)
            wrong += looker.faults(site, path, row["path"])
            seen.append(row["path"])
    assert not wrong, "\n".join(wrong)
    assert set(none) <= NOWHERE, none
    return seen


def test_every_page_of_the_console(whole_server, room):
    # covers: WEB-1, WEB-2
    # guard: 1200
    seen = walk(whole_server, room, "console")
    for page in ("/", "/instances", "/requests/{id}", "/instances/{id}/facts", "/devices/{id}", "/policies/{id}/versions", "/policies/drafts/{id}/rules",
                 "/notifications/{id}", "/webhooks/{id}", "/log", "/users/{id}", "/style"):
        assert page in seen, (page, seen)


def test_every_page_of_the_central_console(whole_server, room):
    # covers: WEB-1, WEB-2, ADM-2
    # guard: 900
    seen = walk(whole_server, room, "central")
    for page in ("/", "/tenants/{id}", "/licences", "/health", "/keys", "/log", "/operators/{id}"):
        assert page in seen, (page, seen)
