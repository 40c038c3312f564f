"""A client of the consoles: HTTPS with checked certificates, cookies as a browser keeps them, forms with their token, and the same
pages as JSON."""
import http.client
import json
import random
import re
import select
import socket
import threading
import time
import urllib.parse

PASSWORD = "Correct-horse-7"     # of people who are made for a test or a demonstration
KEPT = 4                         # open connections of a client that keeps them: to some worker of the server each
IDLE_SECONDS = 20                # that one may have rested: the server ends it after 60


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        """Without the places where a browser may break long words (src/render/breaks.c), which are no part of them."""
        return self.body.decode(errors="replace").replace("<wbr>", "")

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name]

    def __repr__(self):
        return f"<{self.status} {self.header('location') or ''} {self.text[:200]!r}>"


class _Connection(http.client.HTTPSConnection):
    """The names of the sites are no names to the resolver: all are this machine."""
    source = None

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout, (self.source, 0) if self.source else None)
        # Or the body of a request waits until the server has acknowledged its head.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


class _Kept:
    """Open connections that nobody uses just now. Each request goes by any of them, so to another worker than the one before, as it would without."""

    def __init__(self):
        self.lock, self.rest = threading.Lock(), []

    def take(self):
        """One that is open still, or None while there are few."""
        while True:
            with self.lock:
                if len(self.rest) < KEPT:
                    return None
                connection, since = self.rest.pop(random.randrange(KEPT))
            poll = select.poll()
            poll.register(connection.sock, select.POLLIN)
            # What there is to read now is its end.
            if time.monotonic() - since < IDLE_SECONDS and not poll.poll(0):
                return connection
            connection.close()

    def give(self, connection):
        with self.lock:
            if connection.sock is not None and len(self.rest) < KEPT:
                self.rest.append((connection, time.monotonic()))
                return
        connection.close()


class Client:
    """SITE: "central" or "console". SOURCE: the address that it comes from (127.x.y.z); without one, one of its own: people sit at
    different machines, and an address has so many tries to sign in. KEEPS: it sends many requests, and uses connections again as browsers do: to
    make one costs more than most answers."""

    def __init__(self, installation, site, source=None, keeps=False):
        self.it, self.site, self.host = installation, site, installation.sites[site]
        self.source = source or f"127.{random.randint(16, 250)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        self.origin = installation.address(site)
        self.cookies = {}
        self.csrf = ""
        self.kept = _Kept() if keeps else None

    def connection(self, timeout=60):
        """One of its own to the server, not begun yet (http.client)."""
        connection = _Connection(self.host, self.it.port, timeout=timeout, context=self.it.tls_context())
        connection.source = self.source
        return connection

    def send(self, method, path, body=None, headers=None, origin=True, host=None, timeout=60):
        """One request as it stands; answers are not followed."""
        headers = dict(headers or {})
        headers.setdefault("Host", host or f"{self.host}:{self.it.port}")
        if self.cookies and "Cookie" not in headers:
            headers["Cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        if method == "POST" and origin:
            headers.setdefault("Origin", self.origin)
        connection = self.kept and self.kept.take() or self.connection(timeout)
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            connection.request(method, path, body=body, headers=headers)
            r = connection.getresponse()
            answer = Answer(r.status, r.getheaders(), r.read())
        except BaseException:
            connection.close()
            raise
        if self.kept:
            self.kept.give(connection)
        else:
            connection.close()
        self._keep(answer)
        return answer

    def _keep(self, answer):
        for line in answer.all("set-cookie"):
            pair, *flags = [p.strip() for p in line.split(";")]
            name, _, value = pair.partition("=")
            if any(f.lower() == "max-age=0" for f in flags):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        # Of any page that has one: it is the same for the whole session.
        found = re.search(r'name="csrf" value="([^"]*)"', answer.text) if answer.status < 300 else None
        if found and found.group(1):
            self.csrf = found.group(1)

    def get(self, path, **kw):
        return self.send("GET", path, **kw)

    def post(self, path, csrf=True, headers=None, **fields):
        """A form; a list as a value is the field several times."""
        pairs = [(n, v) for n, vs in fields.items() for v in (vs if isinstance(vs, list) else [vs])]
        if csrf:
            pairs.append(("csrf", self.csrf if csrf is True else csrf))
        return self.send("POST", path, urllib.parse.urlencode(pairs).encode(),
                         dict({"Content-Type": "application/x-www-form-urlencoded"}, **(headers or {})))

    def api(self, path, document=None, method=None, headers=None):
        """The same as JSON: GET without a document, POST with one."""
        headers = dict(headers or {})
        if document is not None:
            headers.setdefault("Content-Type", "application/json")
            if self.csrf:
                headers.setdefault("X-CSRF-Token", self.csrf)
        return self.send(method or ("GET" if document is None else "POST"), "/api/v1" + path,
                         None if document is None else json.dumps(document).encode(), headers)

    def sign_in(self, email, password=PASSWORD, account=None, **kw):
        fields = dict(email=email, password=password, **kw)
        if account is not None:
            fields["account"] = account
        answer = self.post("/sign-in", csrf=False, **fields)
        if answer.status == 303:
            self.csrf = self.api("/session").json["csrf"]
        return answer
