"""Metadata of an identity provider by an address (IDN-3): fetched by the sign-on service from a real https server, good and bad."""
import contextlib
import html
import http.server
import re
import ssl
import threading
import time
import uuid

from fixtures import fixture, scratch
from identityprovider import IdentityProvider
from signon import sign_on_with
from stack import certificates
from web import Client, make_tenant, make_user
from world import count, run

PATH = "/federation/metadata.xml?app=1"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.it.asked.append(self.path)
        self.server.it.answer(self)

    def reply(self, body, status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Place:
    """An https server on this machine; ANSWER is what it does with a request."""

    def __init__(self, folder):
        self.asked, self.answer, self.body = [], self.good, b""
        self.ca = folder / "ca.crt"
        certificates.make_ca(folder / "ca", self.ca)
        certificates.make_certificate(folder, folder / "ca", self.ca, "localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "localhost.crt", folder / "localhost.key")
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.it, self.http.daemon_threads = self, True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        self.url = f"https://localhost:{self.port}{PATH}"

    def good(self, handler):
        handler.reply(self.body)

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()


@fixture("file")
def place():
    folder = scratch() / f"metadata-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    with IdentityProvider(folder / "idp") as idp, Place(folder) as p:
        p.body = idp.metadata().replace("http://127.0.0.1", "https://idp.example").encode()
        yield p


@fixture("file")
def admin(server):
    slug, tenant = make_tenant(server)
    c = Client(server, "console")
    assert c.sign_in(make_user(server, tenant), account=slug).status == 303
    c.get("/single-sign-on")
    assert c.post("/single-sign-on/begin").status == 303
    c.tenant = tenant
    return c


def fetch(c, place, url=None, ca=None):
    return c.post("/single-sign-on/fetch", url=url or place.url, ca=place.ca.read_text() if ca is None else ca)


def fault(answer):
    assert answer.status == 422, (answer.status, answer.text[-2000:])
    return html.unescape(re.sub(r"<[^>]+>", "", re.search(r'id="e-(?:url|ca)"[^>]*>(.*?)</(?:p|div)>', answer.text, re.S).group(1)))


def believed(server, c):
    return count(server, "select idp->>'entity' from saml where tenant = %s", c.tenant)


def test_metadata_are_fetched_shown_and_then_believed(server, admin, place):
    # covers: IDN-3, ADM-1
    assert fetch(admin, place).status == 303 and place.asked == [PATH]
    page = html.unescape(admin.get("/single-sign-on").text)
    assert "Trust this identity provider?" in page and place.url in page and believed(server, admin) is None
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', page).group(1)
    assert admin.post("/single-sign-on/confirm", digest=digest).status == 303
    assert "idp.example" in believed(server, admin)
    page = html.unescape(admin.get("/single-sign-on").text)
    assert "Fetched from its address" in page and place.ca.read_text().strip().splitlines()[1] in page
    # Again, on demand: nothing is new; then something is, and is only proposed.
    assert fetch(admin, place).status == 303
    page = html.unescape(admin.get("/single-sign-on").text)
    assert "the metadata say what is in force already" in page and "Take over these changes?" not in page
    before = place.body
    try:
        place.body = re.sub(rb"<md:SingleLogoutService[^>]+>", b"", before)
        assert fetch(admin, place).status == 303
        page = html.unescape(admin.get("/single-sign-on").text)
        assert "Take over these changes?" in page and "Signing out here will not sign out there any more." in page
        assert count(server, "select idp->>'slo_url' is not null from saml where tenant = %s", admin.tenant)
    finally:
        place.body = before
    # From a file, it is nobody's address any more.
    answer = admin.post("/single-sign-on/metadata", metadata=before.decode())
    assert answer.status == 303
    page = html.unescape(admin.get("/single-sign-on").text)
    assert "Address of the metadata" in page
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', page).group(1)
    assert admin.post("/single-sign-on/confirm", digest=digest).status == 303
    assert count(server, "select source is null from saml where tenant = %s", admin.tenant)


def test_what_cannot_be_fetched_is_said_and_changes_nothing(server, admin, place):
    # covers: IDN-3, SEC-5
    def huge(h):
        h.reply(b"<md:EntityDescriptor>" + b" " * 200000)

    def endless(h):
        h.send_response(200)
        h.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(100000):
                h.wfile.write(b" " * 65536)

    def elsewhere(to):
        return lambda h: h.reply(b"", 302, Location=to)

    def mine(h):
        h.reply(b"<html>Welcome</html>")
    before = count(server, "select row_to_json(saml)::text from saml where tenant = %s", admin.tenant)
    for answer, words in ((huge, "larger than"), (endless, "larger than"), (elsewhere("http://localhost/"), "not followed"),
                          (elsewhere("file:///etc/passwd"), "not followed"), (elsewhere(place.url), "not followed"),
                          (lambda h: h.reply(b"", 404), "404"), (mine, "no SAML metadata"), (lambda h: h.connection.close(), "")):
        place.answer = answer
        try:
            text = fault(fetch(admin, place))
        finally:
            place.answer = place.good
        assert words in text, (words, text)
    asked = len(place.asked)
    for url, ca, words in ((None, "", "certificate"), (None, "no certificate", "PEM"), (place.url.replace("localhost", "127.0.0.1"), None, "certificate"),
                           (place.url.replace("https:", "http:"), None, "https://"), ("file:///etc/passwd", None, "https://"),
                           (place.url.replace("https://", "https://me:pw@"), None, "https://"), ("https://nowhere.invalid/x", None, "no address"),
                           (place.url.replace(str(place.port), "1"), None, "connect")):
        text = fault(fetch(admin, place, url, ca))
        assert words in text, (words, text)
    assert len(place.asked) == asked, "somebody was asked whose certificate was not believed"
    assert count(server, "select row_to_json(saml)::text from saml where tenant = %s", admin.tenant) == before


def test_a_place_that_is_slow_costs_nobody_else_time(server, admin, place):
    # covers: IDN-3, SEC-5
    def drip(h):
        with contextlib.suppress(OSError):
            h.send_response(200)
            h.end_headers()
            while True:
                h.wfile.write(b" ")
                time.sleep(0.2)
    place.answer = drip
    try:
        with sign_on_with(server, "--most", "3"):
            assert "no answer" in fault(fetch(admin, place)).lower()
    finally:
        place.answer = place.good


def test_neither_this_machine_nor_its_neighbours_can_be_asked(server, admin, place):
    # covers: IDN-3, SEC-5
    asked = len(place.asked)
    with sign_on_with(server, without=("--local",)):
        for address in ("localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[fe80::1]", "10.1.2.3", "172.16.9.9",
                        "192.168.7.7", "100.64.1.1", "[fd00::1]", "[64:ff9b::a00:1]", "[2002:c0a8:101::1]", "2130706433", "0x7f.1", "224.0.0.1"):
            text = fault(fetch(admin, place, f"https://{address}:{place.port}/x"))
            assert "not allowed" in text, (address, text)
    with sign_on_with(server, "--private", without=("--local",)):
        text = fault(fetch(admin, place, f"https://127.0.0.1:{place.port}/x"))
        assert "not allowed" in text, text
    assert len(place.asked) == asked


def test_an_end_of_the_certificate_is_warned_of(server, admin, place):
    # covers: IDN-3
    at = "jsonb_set(idp, '{certificates,0,not_after}', to_jsonb(to_char(now() + interval '%s', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))"
    if believed(server, admin) is None:
        fetch(admin, place)
        digest = re.search(r'name="digest" value="([0-9a-f]+)"', admin.get("/single-sign-on").text).group(1)
        assert admin.post("/single-sign-on/confirm", digest=digest).status == 303
    run(server, "update saml set mode = 'optional' where tenant = %s", admin.tenant)
    for interval, words in (("40 days", None), ("20 days", "certificate ends soon"), ("-1 days", "certificate has ended")):
        run(server, f"update saml set idp = {at % interval} where tenant = %s", admin.tenant)
        page = html.unescape(admin.get("/users").text)
        assert ("provider's certificate" in page) == (words is not None) and (words or "") in page, (interval, page)
    run(server, "update saml set mode = 'off' where tenant = %s", admin.tenant)
    assert "provider's certificate" not in html.unescape(admin.get("/users").text)
