"""Tang (Debian's tangd), a peer of key releases: what a Clevis client asks for when its machine boots. It keeps no log, asks nobody and
knows no policy; it multiplies a point of P-521 for whoever asks. One process for each connection, as its systemd socket starts it."""
import base64
import contextlib
import glob
import hashlib
import http.client
import json
import pathlib
import socket
import subprocess
import threading
import time

from load import processor_time, tool
from stack.process import Failed


def program(name):
    found = [*glob.glob(f"/usr/libexec/{name}"), *glob.glob(f"/usr/lib/*/{name}"), *glob.glob(f"/usr/lib/{name}")]
    if not found:
        raise Failed(f"{name} is missing: run tools/install bench")
    return found[0]


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tang:
    def __init__(self, folder):
        self.keys = pathlib.Path(folder)
        self.keys.mkdir(parents=True)
        tool(program("tangd-keygen"), str(self.keys))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.children = []
        threading.Thread(target=self._accept, daemon=True).start()
        self.path, self.body = self._question()

    def _accept(self):
        with contextlib.suppress(OSError):           # closed at the end
            while True:
                line, _ = self.listener.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.children.append(subprocess.Popen([program("tangd"), str(self.keys)], stdin=line, stdout=line,
                                                      stderr=subprocess.DEVNULL))
                line.close()

    def _connect(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.connect()
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return c

    def _ask(self, connection, method, path, body=None):
        connection.request(method, path, body, {"Content-Type": "application/jwk+json"} if body else {})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise Failed(f"tangd answers {answer.status} to {method} {path}")
        return json.loads(text)

    def _question(self):
        """Of the advertised keys the one that keys are derived with; any point of its curve is a question, so its own is."""
        connection = self._connect()
        keys = json.loads(unbase64(self._ask(connection, "GET", "/adv")["payload"]))["keys"]
        connection.close()
        key = next(k for k in keys if "deriveKey" in k["key_ops"])
        public = {n: key[n] for n in ("crv", "kty", "x", "y")}
        name = base64.urlsafe_b64encode(hashlib.sha256(json.dumps(public, separators=(",", ":"), sort_keys=True).encode()).digest())
        return f"/rec/{name.decode().rstrip('=')}", json.dumps(dict(public, alg="ECMR"))

    def recoveries(self, clients, seconds):
        """(recoveries per second, microseconds of tangd's processor time for each), over connections that are kept."""
        connections = [self._connect() for _ in range(clients)]
        for c in connections:
            self._ask(c, "POST", self.path, self.body)
        done, pids = [0] * clients, [p.pid for p in self.children if p.poll() is None]
        until = time.monotonic() + seconds

        def work(i):
            while time.monotonic() < until:
                if "x" not in self._ask(connections[i], "POST", self.path, self.body):
                    raise Failed("tangd's answer is no point")
                done[i] += 1
        before, began = sum(processor_time(*pids)), time.monotonic()
        threads = [threading.Thread(target=work, args=(i,)) for i in range(clients)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took, used = time.monotonic() - began, sum(processor_time(*pids)) - before
        for c in connections:
            c.close()
        return sum(done) / took, used * 1e6 / max(sum(done), 1)

    def close(self):
        self.listener.close()
        for p in self.children:
            p.terminate()
            p.wait()
