"""A page as somebody finds it who needs the screen to be right, in two browsers at once: what axe-core, the browser itself and a telephone without scripts
have against it."""
import pathlib

from chrome import AXE_COLOURS

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEAVY = 100_000              # bytes of a page, besides assets
SHIFT = 0.05                 # cumulative layout shift: half of what counts as good
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
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
        for _ in range(8):
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
