"""The operator's name, address for support, colour and logo: set once, they are seen by everybody, everywhere; what could hurt is refused; and they can be put
back."""
import base64
import hashlib
import json
import re
import struct
import subprocess
import time
import zlib

from mailsink import mail_of
from stack.process import wait_until
from web import PASSWORD, Client, make_tenant, operator
from world import World, count

SECONDS = 180
STALE = 2.1                  # seconds after which no worker shows what was before (SEEN_FOR in src/web/brand.c)
NAME, SUPPORT, COLOUR = "Nordwind <Täschli> & Söhne", "https://support.nordwind.example/hilfe?from=vault", "#1f7a5c"
HTML = "Nordwind &lt;Täschli&gt; &amp; Söhne"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width, height, depth=8, colour=6, interlaced=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def png(width=120, height=40, before=b"", after=b"", pixels=None):
    """Colours that differ from each other, half of them transparent."""
    rows = pixels or b"".join(b"\0" + bytes(v for x in range(width) for v in (x % 256, y % 256, 7, 255 if x % 2 else 90)) for y in range(height))
    return SIGNATURE + header(width, height) + before + chunk(b"IDAT", zlib.compress(rows, 9)) + after + chunk(b"IEND", b"")


def url(data):
    return "data:image/png;base64," + base64.b64encode(data).decode()


def names_of(data):
    """The chunks of a PNG."""
    at, out = 8, []
    while at < len(data):
        length, = struct.unpack(">I", data[at:at + 4])
        out.append(data[at + 4:at + 8].decode())
        at += length + 12
    return out


def pixels_of(data):
    """Of one with 8 bits and alpha, without interlacing: the bytes of its rows."""
    width, height = struct.unpack(">II", data[16:24])
    at, packed = 8, b""
    while at < len(data):
        length, = struct.unpack(">I", data[at:at + 4])
        packed += data[at + 8:at + 8 + length] if data[at + 4:at + 8] == b"IDAT" else b""
        at += length + 12
    raw, out, above = zlib.decompress(packed), [], bytes(width * 4)
    for y in range(height):
        kind, line = raw[y * (width * 4 + 1)], bytearray(raw[y * (width * 4 + 1) + 1:(y + 1) * (width * 4 + 1)])
        for i in range(width * 4):
            a, b, c = line[i - 4] if i > 3 else 0, above[i], above[i - 4] if i > 3 else 0
            p = a + b - c
            paeth = a if abs(p - a) <= min(abs(p - b), abs(p - c)) else b if abs(p - b) <= abs(p - c) else c
            line[i] = (line[i] + (0, a, b, (a + b) // 2, paeth)[kind]) % 256
        above = bytes(line)
        out.append(above)
    return b"".join(out)


def save(c, status=200, **changes):
    a = c.api("/appearance", {"name": NAME, "support": SUPPORT, "colour": COLOUR, **changes})
    assert a.status == status, (changes, a)
    return a


def settled():
    time.sleep(STALE)


def changes(server):
    return count(server, "select coalesce(json_agg(detail -> 'changes' order by seq), '[]') from audit_entry where event = 'brand.changed'")


def sign_in_page(server, site="console"):
    return Client(server, site).get("/sign-in").text


def address_of(page, end):
    found = re.search(rf'"(/brand/[^"]+{end})"', page)
    return found and found.group(1)


def put_back(server):
    assert operator(server).api("/appearance/remove", {}).status == 200
    settled()


def check_files(server, page, sent):
    """The two files are open to everybody, kept for a year, and hold what they should and nothing else."""
    c = Client(server, "console")
    style, logo = c.get(address_of(page, r"\.css")), c.get(address_of(page, r"\.png"))
    assert style.status == logo.status == 200 and COLOUR in style.text and style.header("content-type").startswith("text/css")
    assert logo.header("content-type") == "image/png" and logo.header("x-content-type-options") == "nosniff"
    for path, file in ((address_of(page, r"\.css"), style), (address_of(page, r"\.png"), logo)):
        assert file.header("cache-control") == "public, max-age=31536000, immutable" and file.header("set-cookie") is None
        again = c.get(path, headers={"If-None-Match": file.header("etag")})
        assert again.status == 304 and again.body == b"" and c.post(path, csrf=False).status == 405
        assert Client(server, "central").get(path).body == file.body
    assert hashlib.sha256(logo.body).hexdigest() in address_of(page, r"\.png")
    # The pixels, and nothing that came with them.
    assert set(names_of(logo.body)) <= {"IHDR", "sRGB", "IDAT", "IEND"} and b"secret words" not in logo.body
    assert logo.body[:29] == sent[:29] and pixels_of(logo.body) == pixels_of(sent)
    for wrong in ("/brand/", "/brand/x.png", "/brand/" + "0" * 64 + ".png", "/brand/ff0000.000000000000.css", "/brand/../etc.css", address_of(page, r"\.css")[:-4] + "x.css"):
        assert c.get(wrong).status == 404, wrong


def check_report(world):
    c = world.console()
    form = {"name": "Who was here", "criteria": ["sign-ins"], "period": "last-week", "formats": ["pdf"], "schedule": "once", "keep_days": 30, "recipients": "",
            "at": "06:00", "act": "make"}
    report = c.api("/reports/templates/new", form).json["report"]
    wait_until(lambda: count(world.it, "select state from report where id = %s", report) in ("done", "failed"), SECONDS, "the report is not made")
    file = c.get(f"/reports/{report}/file?format=pdf").body
    text = subprocess.run(["pdftotext", "-l", "1", "-", "-"], input=file, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert NAME in text and "Keyward" not in text, text
    pictures = subprocess.run(["pdfimages", "-list", "-"], input=file, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[2:]
    assert [line.split()[:5] for line in pictures][0] == ["1", "0", "image", "120", "40"], pictures


def check_mail(server, world):
    email = f"ines@{world.slug}.example"
    with mail_of(server) as sink:
        assert world.console().api("/users/new", {"name": "Ines Invited", "email": email, "role": "auditor"}).status == 200
        mail = sink.wait(email)
    sender = mail.message["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == (NAME, "keyward@msp.example")
    assert f"{NAME}, account" in mail.text and f"of {NAME}." in mail.text and "Keyward" not in mail.text, mail.text
    assert f'color="{COLOUR}"><b>{HTML}</b>' in mail.html and "Keyward" not in mail.html, mail.html


def check_certificate(c, server):
    """What an account's people keep of it when it was closed bears the operator's name."""
    slug, account = make_tenant(server)
    assert c.api(f"/tenants/{account}/close/confirm", {"days": 0, "comment": "", "typed": slug}).status == 200
    path = f"/tenants/{account}/certificate.pdf"
    wait_until(lambda: c.get(path).status == 200, SECONDS, "no certificate")
    text = subprocess.run(["pdftotext", "-layout", "-", "-"], input=c.get(path).body, stdout=subprocess.PIPE, check=True).stdout.decode()
    assert NAME in text and account in text, text


def test_all_of_it_is_seen_everywhere_and_put_back(server):
    # covers: WEB-4, LOG-2
    world, c, before = World(server), operator(server), len(changes(server))
    sent = png(before=chunk(b"tEXt", b"Comment\0secret words") + chunk(b"zTXt", b"Bomb\0\0" + zlib.compress(bytes(1 << 20))))
    try:
        asked = c.post("/appearance", name=NAME, support=SUPPORT, colour=COLOUR.upper(), logo=url(sent), no_logo=[])
        assert asked.status == 303, asked.text
        page = c.get("/appearance").text
        assert HTML in page and f'value="{COLOUR}"' in page and 'href="/appearance/remove"' in page and address_of(page, r"\.png"), page
        settled()
        page = sign_in_page(server)
        assert f"Sign in · {HTML}</title>" in page and f'<a href="{SUPPORT.replace("&", "&amp;")}">' in page and page.count(address_of(page, r"\.png")) == 2, page
        check_files(server, page, sent)
        for inside in (world.console().get("/"), world.central().get("/"), Client(server, "central").get("/sign-in")):
            assert HTML in inside.text and address_of(inside.text, r"\.css") == address_of(page, r"\.css") and SUPPORT in inside.text, inside.text
        # An app shows it beside the codes.
        user = world.console()
        assert user.post("/factor/new", current=PASSWORD).status == 303 and f"{HTML} Tenant {world.slug}" in user.get("/factor/new").text
        check_report(world)
        check_mail(server, world)
        check_certificate(c, server)
        # What was before and after is in the log; what is the same is not.
        logo = hashlib.sha256(Client(server, "console").get(address_of(page, r"\.png")).body).hexdigest()
        made, = changes(server)[before:]
        assert made == {"name": {"old": "Keyward", "new": NAME}, "support": {"old": None, "new": SUPPORT}, "colour": {"old": None, "new": COLOUR},
                        "logo": {"old": None, "new": logo}}, made
        save(c)
        assert len(changes(server)) == before + 1 and address_of(c.get("/appearance").text, r"\.png") == address_of(page, r"\.png")
        log = c.get("/log").text
        assert "Appearance changed" in log
        # Where the agent's package is to be had: nothing named, a page, the file itself.
        steps = lambda: world.console().get("/devices").text
        assert "You get the package keyward-agent.deb from whoever runs this service for you" in steps()
        save(c, agent_package="https://nordwind.example/agents?a=1&b")
        settled()
        assert '<a href="https://nordwind.example/agents?a=1&amp;b">' in steps() and "curl" not in steps()
        save(c, agent_package="https://nordwind.example/a/keyward-agent_1.2_amd64.deb")
        settled()
        assert "curl -fLo keyward-agent.deb &#39;https://nordwind.example/a/keyward-agent_1.2_amd64.deb&#39; &amp;&amp; apt-get update" in steps(), steps()
        assert world.console().api("/account").json["commands"][0]["id"] == "command-install" and "You get the package" not in steps()
        save(c, colour="#3F57D6", no_logo=True)
        assert changes(server)[-1] == {"colour": {"old": COLOUR, "new": None}, "logo": {"old": logo, "new": None},
                                       "agent_package": {"old": "https://nordwind.example/a/keyward-agent_1.2_amd64.deb", "new": None}}
        asked = c.get("/appearance/remove")
        assert asked.status == 200 and HTML in asked.text
    finally:
        put_back(server)
    page = sign_in_page(server)
    assert "Sign in · Keyward</title>" in page and "/brand/" not in page and SUPPORT not in page, page
    assert Client(server, "console").get("/brand/" + logo + ".png").status == 404
    assert changes(server)[-1] == {"name": {"old": NAME, "new": "Keyward"}, "support": {"old": SUPPORT, "new": None}}
    assert c.get("/appearance/remove").status == 404 and 'href="/appearance/remove"' not in c.get("/appearance").text


def test_two_operators_at_one_page(server):
    # covers: WEB-4, WEB-3
    one, two, before = operator(server), operator(server), len(changes(server))
    basis = lambda c: re.search(r'name="basis" value="([^"]+)"', c.get("/appearance").text).group(1)
    try:
        seen = basis(one), basis(two)
        assert one.post("/appearance", name="Vault One", support="", colour=COLOUR, basis=seen[0]).status == 303
        # What somebody else has saved meanwhile is not undone unseen; what was typed stays, and can be sent then.
        a = two.post("/appearance", name="Vault Two", support=SUPPORT, colour="#7a1f5c", basis=seen[1])
        assert a.status == 409 and "was changed since you opened this page" in a.text and 'value="Vault Two"' in a.text and 'value="#7a1f5c"' in a.text, a.text
        assert 'value="Vault One"' in one.get("/appearance").text
        again = re.search(r'name="basis" value="([^"]+)"', a.text).group(1)
        assert two.post("/appearance", name="Vault Two", support=SUPPORT, colour="#7a1f5c", basis=again).status == 303
        # The same twice, as a double click sends it, is no conflict and no change.
        assert two.post("/appearance", name="Vault Two", support=SUPPORT, colour="#7a1f5c", basis=again).status == 303
        assert len(changes(server)) == before + 2
        # Put back meanwhile counts, too; a program that has seen nothing says what shall be.
        assert one.post("/appearance/remove").status == 303
        assert two.post("/appearance", name="Vault Three", support="", colour=COLOUR, basis=basis(one)).status == 303
        assert one.post("/appearance", name="Vault Four", support="", colour=COLOUR, basis="none").status == 409
        save(one, name="Vault Five")
    finally:
        put_back(server)


def light(colour):
    """Relative luminance, as WCAG has it."""
    return sum(share * (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4) for share, v in zip((0.2126, 0.7152, 0.0722), colour))


def test_the_darkest_colour_is_seen_on_dark_ground(server):
    # covers: WEB-4, WEB-1
    c = operator(server)
    surface = (0x16 / 255, 0x1c / 255, 0x28 / 255)       # --tblr-bg-surface in assets/css/1-base.css
    try:
        save(c, colour="#000000")
        style = c.get(address_of(c.get("/appearance").text, r"\.css")).text
        # Links by their text, buttons by the line around them, as what they are filled with cannot be told from the page.
        for part, least in ((r"link-color", 4.5), (r"link-hover-color", 4.5), (r"btn-primary[^}]*border-color", 3)):
            share = int(re.search(part + r": light-dark\([^;]*, color-mix\(in srgb, #000000 (\d+)%, white\)\);", style).group(1)) / 100
            assert (light([1 - share] * 3) + 0.05) / (light(surface) + 0.05) >= least, (part, share)
    finally:
        put_back(server)


def test_what_is_refused(server):
    # covers: WEB-4, WEB-3, SEC-5
    c, before = operator(server), len(changes(server))
    for name in ("", "x" * 61, "Key\u202eward", "Key\u200bward", "Key\x07ward", "Key\u2028ward"):
        assert "name" in json.dumps(save(c, 422, name=name).json), name
    for support in ("http://support.example", "javascript:alert(1)", "https://", "https://-x.example/", 'https://x.example/"onclick="x', "https://x.example /a",
                    "https://user@x.example/", "//x.example", "help@x.example", "mailto:nobody", "mailto:a@b.example?subject=x", "data:text/html,x"):
        assert "support" in json.dumps(save(c, 422, support=support).json), support
    for address in ("http://x.example/a.deb", "mailto:a@b.example", "https://x.example/'$(reboot)'.deb", "https://x.example/a b.deb"):
        assert "agent_package" in json.dumps(save(c, 422, agent_package=address).json), address
    for colour in ("", "#fff", "3f57d6", "red", "#3g57d6", "#000;}*{x:url(//x.example)}"):
        assert "colour" in json.dumps(save(c, 422, colour=colour).json), colour
    # What is too light is told its contrast and what would do: that is taken.
    a = c.post("/appearance", name="Vault", support=SUPPORT, colour="#ffd24d")
    assert a.status == 422 and 'id="e-colour"' in a.text and "contrast of 1.44 to 1" in a.text and "#8d742a" in a.text, a.text
    assert 'value="Vault"' in a.text and f'value="{SUPPORT}"' in a.text and 'value="#ffd24d"' in a.text
    # What would be taken for the red of danger.
    a = c.post("/appearance", name="Vault", support=SUPPORT, colour="#C2261D")
    assert a.status == 422 and 'id="e-colour"' in a.text and "one would be taken for the other" in a.text, a.text
    good, rows = png(), b"".join(b"\0" + bytes(64) for _ in range(16))
    broken = bytearray(good)
    broken[60] ^= 1
    for words, data in (
            ("no PNG", b"GIF89a" + good), ("no PNG", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), ("no PNG", SIGNATURE + chunk(b"IDAT", b"") + good[8:]),
            ("no PNG", SIGNATURE + chunk(b"IHDR", b"short") + good[8:]), ("ends before", good[:-1]), ("ends before", good[:-12]), ("ends before", good[:100]),
            ("ends before", SIGNATURE + header(16, 16) + struct.pack(">I", 0xffffffff) + b"IDAT"), ("damaged", bytes(broken)),
            ("damaged", SIGNATURE + header(16, 16) + chunk(b"IEND", b"")), ("damaged", SIGNATURE + header(16, 16) + chunk(b"IDAT", zlib.compress(rows)[:9]) + chunk(b"IEND", b"")),
            ("damaged", SIGNATURE + header(16, 16) + header(900, 900) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")),
            ("stands still", png(before=chunk(b"acTL", struct.pack(">II", 2, 0)))), ("follows after", good + b"PK\x03\x04 and more"), ("follows after", good + good),
            ("8 × 40 pixels", png(8, 40)), ("1025 × 16", png(1025, 16, pixels=b"\0")), ("60000 × 60000", png(60000, 60000, pixels=b"\0")),
            ("more than 256 KiB", png(before=chunk(b"tEXt", b"x" * 270000)))):
        a = save(c, 422, logo=url(data))
        assert words in json.dumps(a.json, ensure_ascii=False) and '"logo"' in json.dumps(a.json), (words, len(data), a.text)
    assert "base64" in save(c, 422, logo="data:image/png;base64,<script>").text
    a = c.post("/appearance", name="Vault", support=SUPPORT, colour=COLOUR, logo=url(good[:-1]), headers={"Accept-Language": "de"})
    assert a.status == 422 and 'id="e-logo"' in a.text and url(good[:-1])[:60] in a.text
    assert len(changes(server)) == before and "Sign in · Keyward</title>" in sign_in_page(server)


def test_pictures_of_every_kind_are_taken(server):
    # covers: WEB-4
    c = operator(server)
    grey, colours = b"".join(b"\0" + bytes(range(32)) for _ in range(16)), chunk(b"PLTE", b"\x10\x20\x30\xff\xff\xff")
    steps = ((2, 2), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8), (16, 8))        # of an interlaced one with 16 pixels a side
    end = chunk(b"IEND", b"")
    try:
        for data in (SIGNATURE + header(16, 16, 16, 0) + chunk(b"IDAT", zlib.compress(grey)) + end,
                     SIGNATURE + header(16, 16, 1, 3) + colours + chunk(b"tRNS", b"\x80") + chunk(b"IDAT", zlib.compress(b"\0\xf0\x0f" * 16)) + end,
                     SIGNATURE + header(16, 16, 8, 2, 1) + chunk(b"IDAT", zlib.compress(b"".join((b"\0" + bytes(3 * w)) * h for w, h in steps))) + end,
                     # More rows than it says: they are nobody's, and 64 MiB of them.
                     SIGNATURE + header(1024, 1024) + chunk(b"IDAT", zlib.compress(bytes(64 << 20), 9)) + end):
            save(c, logo=base64.b64encode(data).decode())
            kept = c.get(address_of(c.get("/appearance").text, r"\.png"))
            assert kept.status == 200 and kept.body[16:24] == data[16:24] and kept.body[24] == 8 and kept.body[25] in (2, 6) and kept.body[28] == 0, kept.body[:40]
    finally:
        put_back(server)


def test_who_may(server):
    # covers: WEB-4, ROL-7, TEN-4
    world, before = World(server), len(changes(server))
    reader, manager, other = operator(server, "auditor"), operator(server, "tenant-manager"), operator(server, "system-operator")
    page = reader.get("/appearance")
    assert page.status == 200 and "You can see this, but not change it" in page.text and 'type="submit">Save' not in page.text
    for c in (reader, manager):
        assert c.api("/appearance", {"name": NAME, "colour": COLOUR}).status == c.api("/appearance/remove", {}).status == 403
    assert manager.get("/appearance").status == 403 and "/appearance" not in manager.get("/").text
    # A tenant's administrator has no such page, and the operator's is not for its session.
    tenant = world.console()
    assert tenant.get("/appearance").status == 404 and tenant.api("/appearance", {"name": NAME, "colour": COLOUR}).status == 404
    stranger = Client(server, "central")
    stranger.cookies, stranger.csrf = dict(tenant.cookies), tenant.csrf
    assert stranger.api("/appearance", {"name": NAME, "colour": COLOUR}).status == 401
    assert len(changes(server)) == before
    try:
        save(other, support="mailto:help@nordwind.example")
        assert len(changes(server)) == before + 1
    finally:
        put_back(server)
