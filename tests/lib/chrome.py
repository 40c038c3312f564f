"""A person at a real browser (headless Chromium): fields by their labels, buttons and links by their words, and what the browser
itself has to say against a page. It trusts the installation's certificates by their keys and nothing else that is not public."""
import base64
import hashlib
import pathlib
import subprocess
import time

from selenium import webdriver
from selenium.common.exceptions import (ElementClickInterceptedException, ElementNotInteractableException, NoSuchElementException,
                                        StaleElementReferenceException, WebDriverException)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from stack.ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage")
PATIENCE = 60                # seconds that something may take to appear
# An element that is not there yet, or was replaced between two looks at it, as on a page that keeps itself up to date.
MOVING = (NoSuchElementException, StaleElementReferenceException, ElementClickInterceptedException, ElementNotInteractableException)
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE_COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}       # all that dark colours can change
SEEN_SERIOUS = ("serious", "critical")


def key_hash(certificate):
    """The SHA-256 of a certificate's public key, as Chromium wants it."""
    pem = subprocess.run(["openssl", "x509", "-in", str(certificate), "-noout", "-pubkey"], check=True, stdout=subprocess.PIPE).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem, check=True, stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


class Person:
    """SCRIPTS False: JavaScript is switched off in the browser."""

    def __init__(self, installation, scripts=True, width=1280, height=900):
        self.it, self.scripts = installation, scripts
        options = webdriver.ChromeOptions()
        for flag in FLAGS:
            options.add_argument(flag)
        keys = [key_hash(installation.state / "tls" / f"{name}.crt") for name in installation.sites.values()]
        options.add_argument("--ignore-certificate-errors-spki-list=" + ",".join(keys))
        if not scripts:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.binary_location = "/usr/bin/chromium"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver", free_port()))
        self.driver.set_page_load_timeout(PATIENCE)
        self.size(width, height)

    def close(self):
        self.driver.quit()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # Looking

    def size(self, width, height=900):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def dark(self, dark):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}, {"name": "prefers-reduced-motion", "value": "reduce"}]})

    def open(self, site, path="/"):
        self.driver.get(self.it.address(site, path))

    @property
    def path(self):
        return "/" + self.driver.current_url.split("/", 3)[3]

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def source(self):
        """The page's markup without the places where a long word may be broken: what is looked for in it is in one piece."""
        return self.driver.page_source.replace("<wbr>", "")

    def heading(self):
        return self.driver.find_element(By.TAG_NAME, "h1").text

    def until(self, ask, what, seconds=PATIENCE):
        """Asks again until the answer is true, whatever the page does meanwhile; the answer."""
        end = time.monotonic() + seconds
        while True:
            try:
                answer = ask()
            except MOVING:
                answer = None
            if answer:
                return answer
            if time.monotonic() > end:
                raise AssertionError(f"{what}; at {self.driver.current_url} there is:\n{self.driver.execute_script('return document.body.innerText')}")
            time.sleep(0.1)

    def sees(self, text):
        """Waits for TEXT to be visible on the page as it is, without loading it again."""
        return self.until(lambda: text in self.text(), f"\"{text}\" does not appear")

    def _shown(self, by, what, within=None):
        return [e for e in (within or self.driver).find_elements(by, what) if e.is_displayed()]

    def _scope(self):
        """An open dialog covers the page."""
        dialogs = self._shown(By.CSS_SELECTOR, "dialog[open]")
        return dialogs[-1] if dialogs else None

    def value(self, identity):
        """What the element with this id holds, as one would copy it."""
        e = self.driver.find_element(By.ID, identity)
        return (e.get_attribute("value") or e.text).strip()

    # Doing

    def _press(self, elements, what):
        """Clicks the first of ELEMENTS; the page that was there then."""
        def ask():
            found = elements()
            if not found or not found[0].is_enabled():
                return None
            before = self.driver.find_element(By.TAG_NAME, "html")
            self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found[0])
            found[0].click()
            return before
        return self.until(ask, f"nothing to click: {what}")

    def _leaves(self, before, what):
        """Waits until another page than BEFORE is there, all of it."""
        self.until(lambda: self._left(before), f"{what} leads nowhere")
        self.until(self._complete, "the page does not end")

    def _words(self, tags, text):
        return " | ".join(f".//{tag}[normalize-space(.)='{text}' or @aria-label='{text}']" for tag in tags)

    def click(self, text, tags=("button", "a")):
        """What says TEXT: a button or a link, in the open dialog if there is one."""
        self._press(lambda: self._shown(By.XPATH, self._words(tags, text), self._scope()), text)

    def click_at(self, selector):
        """For what has no words of its own: the first thing that is shown of a CSS selector."""
        self._press(lambda: self._shown(By.CSS_SELECTOR, selector), selector)

    def go(self, text, tags=("button", "a")):
        """As click, and waits until another page is there."""
        self.go_by(lambda: self._shown(By.XPATH, self._words(tags, text), self._scope()), text)

    def go_by(self, elements, what):
        """The same, for the first of what ELEMENTS finds."""
        self._leaves(self._press(elements, what), f"\"{what}\"")

    def leaves(self, element):
        """Waits until ELEMENT is not on the page any more."""
        self.until(lambda: self._left(element), "the page stays as it is")

    def _left(self, html):
        try:
            html.is_enabled()
        except (StaleElementReferenceException, WebDriverException):
            return True
        return False

    def _complete(self):
        try:
            return self.driver.execute_script("return document.readyState") == "complete"
        except WebDriverException:           # one page gave way to the next
            return False

    def menu(self, title):
        """A link of the main menu; a count may stand beside its title."""
        self.go_by(lambda: self._shown(By.XPATH, f"//nav[@id='menu']//a[contains(normalize-space(.), '{title}')]"), f"{title} in the menu")

    def field(self, label):
        def ask():
            for e in self._shown(By.XPATH, f".//label[starts-with(normalize-space(.), '{label}')]", self._scope()):
                return self.driver.find_element(By.ID, e.get_attribute("for"))
        return self.until(ask, f"there is no field \"{label}\"")

    def put(self, label, value):
        def typed():
            e = self.field(label)
            if e.tag_name == "select":
                Select(e).select_by_visible_text(value)
            else:
                e.clear()
                e.send_keys(value)
            return True
        self.until(typed, f"\"{label}\" cannot be filled in")

    def rows(self, text):
        """Rows of tables that say TEXT."""
        return self._shown(By.XPATH, f"//tbody/tr[contains(., '{text}')]")

    def follow_row(self, text):
        """Opens what the first row of a table that says TEXT is about."""
        self.go_by(lambda: self._shown(By.XPATH, f"//tbody/tr[contains(., '{text}')]/th//a"), f"the row {text}")

    def search(self, text):
        """In the list's search box, with the Enter key."""
        def typed():
            box, before = self.driver.find_element(By.CSS_SELECTOR, "input[type=search]"), self.driver.find_element(By.TAG_NAME, "html")
            box.clear()
            box.send_keys(text)
            box.send_keys("\n")
            return before
        self._leaves(self.until(typed, "there is no search"), "the search")

    def again(self):
        self.driver.refresh()
        return True

    def dialog(self):
        return self.until(self._scope, "no dialog opens")

    def enabled(self, text):
        """Whether the button, once it is there, can be pressed."""
        return self.until(lambda: self._shown(By.XPATH, self._words(("button",), text), self._scope()), f"there is no \"{text}\"")[0].is_enabled()

    def mark(self):
        """Leaves a mark that goes when the page is loaded again."""
        self.driver.execute_script("document.documentElement.setAttribute('data-marked', '')")

    def marked(self):
        return self.driver.find_element(By.TAG_NAME, "html").get_attribute("data-marked") is not None

    # Judging

    def complaints(self):
        """What the browser has written into its console since the last call: errors, and anything that a policy has stopped."""
        return [line["message"] for line in self.driver.get_log("browser")
                if line["level"] == "SEVERE" or "Content Security Policy" in line["message"]]

    def axe(self, rules=None):
        """axe-core's serious findings on the page as it stands."""
        if not self.driver.execute_script("return 'axe' in window"):
            self.driver.execute_script((ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text())
        found = self.driver.execute_async_script(
            "const done = arguments[1]; axe.run({runOnly: arguments[0]}).then(r => done(r.violations), e => done(String(e)))", rules or AXE_RULES)
        assert isinstance(found, list), found
        return [f"{v['id']}: {v['nodes'][0]['html'][:160]} ({v['nodes'][0].get('failureSummary', '')[:200]})"
                for v in found if v["impact"] in SEEN_SERIOUS]

    def too_wide(self):
        """By how many pixels the page scrolls sideways."""
        return self.driver.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def picture(self, file, whole=True):
        if whole:
            height = self.driver.execute_script("return document.documentElement.scrollHeight")
            self.size(self.driver.execute_script("return innerWidth"), max(height, 600))
        self.driver.save_screenshot(str(file))
