"""A server that answers as Deep Security Manager's REST API is publicly described (version 1: POST /api/computers/search with
api-secret-key and api-version). No real manager was at hand; what it says is what its description says."""
import http.server
import json
import ssl
import threading
import time
import urllib.parse

from stack import certificates

KEY = "2:hV9mX-a-key-for-tests:q7"
MODULES = ("antiMalware", "webReputation", "firewall", "intrusionPrevention", "integrityMonitoring", "logInspection")


def computer(host, status="active", **modules):
    """MODULES: name -> (state, agentStatus); what is not given is on and active."""
    row = {"ID": 7, "hostName": host, "displayName": "", "computerStatus": {"agentStatus": status,
                                                                           "agentStatusMessages": ["Managed (Online)"]}}
    for name in MODULES:
        state, agent = modules.get(name, ("on", "active"))
        row[name] = {"state": state, "moduleStatus": {"agentStatus": agent, "agentStatusMessage": agent.title()}}
    return row


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        manager = self.server.manager
        url = urllib.parse.urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        manager.asked.append((self.path, dict(self.headers), body))
        if manager.special:
            manager.special(self)
        elif url.path != "/api/computers/search":
            self.reply(404, {"message": "Not found"})
        elif self.headers.get("api-version") != "v1":
            self.reply(400, {"message": "Missing api-version"})
        elif self.headers.get("api-secret-key") != manager.key:
            self.reply(401, {"message": "Invalid API Key"})
        else:
            self.reply(200, {"computers": self.search(url, body)})

    def search(self, url, body):
        wanted = set(urllib.parse.parse_qs(url.query).get("expand", []))
        found = self.server.manager.computers
        for c in body.get("searchCriteria", []):
            assert c["stringTest"] == "equal", c
            pattern = c["stringValue"].lower()
            found = [row for row in found if pattern == "%" or row[c["fieldName"]].lower() == pattern]
        plain = {"ID", "hostName", "displayName"}
        return [{k: v for k, v in row.items() if k in plain | wanted} for row in found[:body.get("maxItems", 5000)]]


class Manager:
    """with Manager(folder) as m: m.url, m.ca; m.computers is what it knows, m.asked what it was asked."""

    def __init__(self, folder, name="localhost"):
        self.key, self.computers, self.asked, self.special = KEY, [], [], None
        self.ca = folder / "dsm-ca.crt"
        certificates.make_ca(folder / "dsm-ca", self.ca)
        certificates.make_certificate(folder, folder / "dsm-ca", self.ca, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.manager, self.http.daemon_threads = self, True
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self.http.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()


def stall(seconds):
    def special(handler):
        time.sleep(seconds)
    return special
