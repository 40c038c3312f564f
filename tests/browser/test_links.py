"""Every page of both consoles as an administrator finds it: all links lead somewhere, and nothing on the way is broken or too wide
for a telephone. What axe-core says of them is in test_pages.py. All of it in the language that the tests make (tools/texts pseudo), whose texts are longer than English, and in
brackets: what stands outside of brackets and is not a value cannot be translated."""
import re
import socket
import urllib.parse
import uuid

import web
from chrome import Person
from fixtures import fixture
from stack.guest import Guest
from stack.process import wait_until

PAGES_MAX = 150              # a console that has more has links that never end
SECONDS = 90
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@fixture("file")
def harbour(whole_server):
    """A tenant with an administrator, and a guest that has asked for the key of an encrypted device. (slug, tenant id, e-mail)"""
    slug, tenant = web.make_tenant(whole_server)
    passphrase = re.search(r"passphrase: (\S+)", whole_server.keyward("tenant", "passphrase", slug)).group(1)
    email = web.make_user(whole_server, tenant)
    guest = Guest(whole_server.state / ("guest-" + slug), whole_server.address("agents"), whole_server.ca, "sanitize", "guest-" + slug, 64 << 20,
                  {"heartbeat": "1", "stop_seconds": "2"})
    guest.prepare()
    guest.register(str(tenant), passphrase)
    client = web.Client(whole_server, "console")
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


def faults(person, path):
    """What is wrong with the page that is open."""
    out = [f"{path}: {c}" for c in person.complaints()]
    text = person.source()
    title = person.driver.title
    out += [f"{path}: title \"{title}\""] if not title.strip() or title.startswith("·") or "rrór" in title.split("·")[0] else []
    shown = VARIABLES.sub("", text)
    out += [f"{path}: a template shows through"] if "{{" in shown or "}}" in shown else []
    out += [f"{path}: shows \"{w}\"" for w in (">null<", ">undefined<", "%{") if w in text]
    out += [f"{path}: a link without words: {a}" for a in person.driver.execute_script(
        "return [...document.querySelectorAll('main a')].filter(a => !(a.textContent.trim() || a.getAttribute('aria-label'))).map(a => a.outerHTML)")]
    out += [f"{path}: an address that is empty"] if re.search(r'(href|action)=""', text) else []
    return out


# Texts of the page that stand outside of brackets, and those of attributes that are read out.
OUTSIDE = """
const out = [], skip = 'script, style, code, kbd, samp, pre, textarea, time, [translate=no]';
let depth = 0;
function look(text) {
    let left = '';
    for (const c of text) {
        if (c === '[') depth++;
        else if (c === ']') depth--;
        else if (depth <= 0) left += c;
    }
    if (/[A-Za-z]{2}/.test(left)) out.push(left.trim().replace(/\\s+/g, ' '));
}
// A word with a place to break it is one word still.
for (const place of document.querySelectorAll('wbr')) place.remove();
document.body.normalize();
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) if (!walk.currentNode.parentElement.closest(skip)) look(walk.currentNode.data);
for (const e of document.querySelectorAll('[title], [aria-label], [placeholder], [alt], [data-label]'))
    for (const a of ['title', 'aria-label', 'placeholder', 'alt', 'data-label']) { depth = 0; if (e.hasAttribute(a)) look(e.getAttribute(a)); }
return out;
"""
# Values, not words: what people, machines and standards call things.
VALUE = re.compile(
    r"^(?:" + "|".join((
        r"\S*[@/:_=]\S*", r"\S*\d\S*", r"[A-Z]{2,6}s?(?:-\w+)*", r"[a-z0-9]+(?:[-.][a-z0-9]+)+", r"Keyward", r"Deutsch", r"English", r"root", r"keyward",
        r"[a-z]{2}-[A-Z]{2}", r"KiB|MiB|GiB|TiB|ext3|ext4|xfs|NTFS|FAT32|Linux|linux|Windows|Chrome|PostgreSQL|Native|native|debian|file|vda|vm|jobd|command",
        r"aide|clamav|samhain|kore|-----BEGIN", re.escape(socket.gethostname()))) + r")\??$")
PEOPLE = re.compile(r"O=Keyward, CN=Keyward CA of this installation|Olga Operator|Ursula User|Erika Example|Tenant t\w+|Default policy|For new images and devices")
# Programs that listen on this machine, whichever they are: "tcp/25 (master)", "master · 127.0.0.1".
LISTENERS = re.compile(r"(?<=\d )\([^)]*\)|^\S+(?= · [0-9a-f.:]+(?:,|$))")
BETWEEN = re.compile(r"[\s,;·()“”…–+]+")


def untranslated(person, path):
    """What is outside of brackets and no value."""
    texts = (LISTENERS.sub("", PEOPLE.sub("", t)) for t in person.driver.execute_script(OUTSIDE))
    # What PostgreSQL calls tables.
    texts = (t for t in texts if not (path == "/database" and re.fullmatch(r"[a-z_]+", t)))
    return sorted({t for t in texts if any(len(re.sub(r"[^A-Za-z]", "", w)) > 1 and not VALUE.match(w) for w in BETWEEN.split(t))})


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
        wrong += faults(person, path) + narrow(person, path) + [f"{path}: cannot be translated: {t}" for t in untranslated(person, path)]
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
        assert client.api("/language", {"language": "en-XA"}).status == 200
        return crawl(person, client, site)


def test_every_link_of_the_console(whole_server, harbour):
    # covers: WEB-1, WEB-4, RUN-1, RUN-3, RUN-6, DEV-1, IMG-1, POL-1, ROL-6, LOG-1, TEN-1
    # guard: 900
    slug, _, email = harbour
    seen, wrong = walk(whole_server, "console", email, slug)
    assert not wrong, "\n".join(wrong)
    for page in ("/", "/instances", "/requests/*", "/instances/*", "/devices", "/devices/*", "/images", "/images/*", "/policies",
                 "/policies/*", "/users", "/users/*", "/users/new", "/roles", "/account", "/log", "/password", "/sessions"):
        assert page + "?" in seen, (page, sorted(seen))


def test_every_link_of_the_central_console(whole_server, harbour):
    # covers: WEB-1, WEB-4, ADM-2, TEN-2
    # guard: 900
    seen, wrong = walk(whole_server, "central", web.make_operator(whole_server, email=f"olga-{uuid.uuid4().hex[:8]}@msp.example"))
    assert not wrong, "\n".join(wrong)
    for page in ("/", "/tenants", "/tenants/new", "/tenants/*", "/tenants/*/suspend", "/log", "/password", "/sessions"):
        assert page + "?" in seen, (page, sorted(seen))
