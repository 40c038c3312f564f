"""Every page of both consoles as an administrator finds it: all links lead somewhere, and nothing on the way is broken, too wide
for a telephone, or shut to who cannot see."""
import re
import urllib.parse
import uuid

import web
from chrome import Person
from fixtures import fixture
from selenium.webdriver.common.by import By
from stack.guest import Guest
from stack.process import wait_until

PAGES_MAX = 150              # a console that has more has links that never end
SECONDS = 90
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@fixture("file")
def harbour(server):
    """A tenant with an administrator, and a guest that has asked for the key of an encrypted device. (slug, tenant id, e-mail)"""
    slug, tenant = web.make_tenant(server)
    passphrase = re.search(r"passphrase: (\S+)", server.keyward("tenant", "passphrase", slug)).group(1)
    email = web.make_user(server, tenant)
    guest = Guest(server.state / ("guest-" + slug), server.address("agents"), server.ca, "sanitize", "guest-" + slug, 64 << 20,
                  {"heartbeat": "1", "stop_seconds": "2"})
    guest.prepare()
    guest.register(str(tenant), passphrase)
    client = web.Client(server, "console")
    client.sign_in(email, account=slug)
    device = f"/devices/{client.api('/devices').json['list']['rows'][0]['id']}"
    wanted = {"os": "linux", "filesystem": "ext4", "mount": str(guest.mount_point), "access": "rw", "mode": "xts", "key_size": "256"}
    for path, fields in ((f"{device}/configure", wanted), (f"{device}/encrypt", {})):
        answer = client.api(path, fields)
        assert answer.status == 200, answer
    guest.start()
    wait_until(lambda: client.api("/instances").json["list"]["rows"], SECONDS, "no key request", guest.process.alive)
    yield slug, tenant, email
    guest.forget()


def sign_in(person, site, email, account=None):
    person.open(site, "/sign-in")
    if account:
        person.put("Account name", account)
    person.put("E-mail address", email)
    person.put("Password", web.PASSWORD)
    person.go("Sign in")


def links(person):
    """Paths of this site that the page's links lead to, menus and dialogs included."""
    origin = person.it.address(person.site)
    found = person.driver.execute_script("return [...document.querySelectorAll('a[href]')].map(a => a.href)")
    return [u[len(origin):].split("#")[0] or "/" for u in found if u.startswith(origin + "/")]


def shape(path):
    """Pages that differ only in whose they are, or in how a list is sorted, are one."""
    path, _, query = path.partition("?")
    names = sorted(n for n, v in urllib.parse.parse_qsl(query) if n not in ("page", "sort"))
    return ID.sub("*", path) + "?" + "&".join(names)


# The variables of notifications are written as a template's are: in their fields, and on the buttons that put them there.
VARIABLES = re.compile(r'<textarea.*?</textarea>|<button class="kw-variable".*?</button>|<input[^>]*>', re.S)


def faults(person, path, scheme_axe):
    """What is wrong with the page that is open."""
    out = [f"{path}: {c}" for c in person.complaints()]
    text = person.driver.page_source
    title = person.driver.title
    out += [f"{path}: title \"{title}\""] if not title.strip() or title.startswith("·") or "rror" in title.split("·")[0] else []
    shown = VARIABLES.sub("", text)
    out += [f"{path}: a template shows through"] if "{{" in shown or "}}" in shown else []
    out += [f"{path}: shows \"{w}\"" for w in (">null<", ">undefined<", "%{") if w in text]
    out += [f"{path}: a link without words" for a in person.driver.find_elements(By.CSS_SELECTOR, "main a")
            if not (a.get_attribute("textContent").strip() or a.get_attribute("aria-label"))]
    out += [f"{path}: an address that is empty"] if re.search(r'(href|action)=""', text) else []
    out += [f"{path}: {v}" for v in person.axe()] if scheme_axe else []
    return out


def narrow(person, path):
    person.size(390, 844)
    wide = person.too_wide()
    person.size(1280)
    return [f"{path}: scrolls sideways by {wide} at 390 px"] if wide > 0 else []


def crawl(person, client, site):
    """Breadth first from the start page; what is wrong."""
    todo, seen, asked, wrong = ["/"], set(), set(), []
    person.site = site
    while todo:
        path = todo.pop(0)
        if shape(path) in seen:
            continue
        seen.add(shape(path))
        assert len(seen) < PAGES_MAX, sorted(seen)
        if path.split("?")[0].endswith(".csv"):
            answer = client.get(path)
            if answer.status != 200 or not answer.header("content-type").startswith("text/csv"):
                wrong.append(f"{path}: {answer}")
            continue
        answer = client.get(path)
        # A link that begins something leads to its page ("New policy").
        if answer.status == 303 and answer.header("location").startswith("/") and not answer.header("location").startswith("/sign-in"):
            todo.append(answer.header("location"))
            continue
        if answer.status != 200:
            wrong.append(f"{path}: {answer.status}")
            continue
        if answer.header("content-disposition"):
            continue
        person.open(site, path)
        wrong += faults(person, path, True) + narrow(person, path)
        person.dark(True)
        person.until(lambda: person.driver.execute_script("return !document.getAnimations().some(a => a instanceof CSSTransition)"), "colours keep changing")
        wrong += [f"dark {path}: {v}" for v in person.axe()]
        person.dark(False)
        for link in links(person):
            if link not in asked:
                asked.add(link)
                todo.append(link)
    return seen, wrong


def walk(server, site, email, account=None):
    client = web.Client(server, site)
    assert client.sign_in(email, account=account).status == 303
    with Person(server) as person:
        sign_in(person, site, email, account)
        return crawl(person, client, site)


def test_every_link_of_the_console(server, harbour):
    # covers: WEB-1, WEB-4, RUN-1, RUN-3, RUN-6, DEV-1, IMG-1, POL-1, ROL-6, LOG-1, TEN-1
    # guard: 900
    slug, _, email = harbour
    seen, wrong = walk(server, "console", email, slug)
    assert not wrong, "\n".join(wrong)
    for page in ("/", "/instances", "/requests/*", "/instances/*", "/devices", "/devices/*", "/images", "/images/*", "/policies",
                 "/policies/*", "/users", "/users/*", "/users/new", "/roles", "/account", "/log", "/password", "/sessions"):
        assert page + "?" in seen, (page, sorted(seen))


def test_every_link_of_the_central_console(server, harbour):
    # covers: WEB-1, WEB-4, ADM-2, TEN-2
    # guard: 900
    seen, wrong = walk(server, "central", web.make_operator(server, email=f"olga-{uuid.uuid4().hex[:8]}@msp.example"))
    assert not wrong, "\n".join(wrong)
    for page in ("/", "/tenants", "/tenants/new", "/tenants/*", "/tenants/*/suspend", "/log", "/password", "/sessions"):
        assert page + "?" in seen, (page, sorted(seen))
