"""A receiver of webhooks for tests: a real HTTPS server on a free port of 127.0.0.1, with a certificate of an authority of its own. Keeps
what it was sent; answers with what `answers` says next, else 200."""
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from stack import certificates


class Delivery:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body = path, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def signed_by(self, secret, within=300):
        """As docs/notifications.md tells receivers to check it."""
        parts = dict(p.split("=", 1) for p in self.headers["Keyward-Signature"].split(","))
        want = hmac.new(secret.encode(), parts["t"].encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(want, parts["v1"]) and abs(time.time() - int(parts["t"])) < within


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        receiver = self.server.receiver
        receiver.got.append(Delivery(self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        if receiver.raw:
            return self._answer_raw(receiver.raw)
        if receiver.hold:
            receiver.hold.wait(120)
        status, text, headers = receiver.answers.pop(0) if receiver.answers else (200, "taken", {})
        self.send_response(status)
        for name, value in {"Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())


    def _answer_raw(self, raw):
        self.close_connection = True
        try:
            for piece in raw:
                self.wfile.write(piece)
            while len(raw) > 1:
                self.wfile.write(raw[-1])
        except OSError:
            pass


class Receiver:
    """.raw: bytes that are the answer as they are, the last of two or more again and again until the other side has enough.

    with Receiver(folder) as r: r.url(path), r.ca (PEM); r.got."""

    def __init__(self, folder, name="localhost"):
        self.got, self.answers, self.hold, self.raw = [], [], None, None
        ca = folder / "hook-ca.crt"
        certificates.make_ca(folder / "hook-ca", ca)
        certificates.make_certificate(folder, folder / "hook-ca", ca, name)
        self.ca, self.name = ca.read_text(), name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.receiver, self.http.daemon_threads = self, True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)

    def url(self, path="/hook"):
        return f"https://{self.name}:{self.http.server_address[1]}{path}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()
