"""A real KMIP server beside a test: PyKMIP in a folder of its own, with an authority, a server's and a client's certificate."""
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import tempfile
import shutil

from fixtures import scratch
from stack.ports import free_port
from stack.process import wait_until

PATIENCE = 120


def openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


class KmipServer:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="kmip-", dir=scratch()))
        self.port, self.process = free_port(), None
        openssl(self.folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=test-ca", "-keyout", "ca.key",
                "-out", "ca.crt")
        self.certify("server", "serverAuth")
        self.certify("client", "clientAuth")
        (self.folder / "policies").mkdir()
        (self.folder / "server.conf").write_text(
            f"[server]\nhostname=127.0.0.1\nport={self.port}\ncertificate_path={self.folder}/server.crt\nkey_path={self.folder}/server.key\n"
            f"ca_path={self.folder}/ca.crt\nauth_suite=TLS1.2\npolicy_path={self.folder}/policies\nenable_tls_client_auth=True\n"
            f"logging_level=INFO\ndatabase_path={self.folder}/pykmip.db\n")

    def certify(self, name, use):
        openssl(self.folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"extendedKeyUsage={use}\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(self.folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                "-extfile", f"{name}.ext", "-out", f"{name}.crt")

    def pem(self, name):
        return (self.folder / name).read_text()

    def fields(self, **changes):
        """Of the page "Key server"."""
        return {"host": "127.0.0.1", "port": str(self.port), "ca": self.pem("ca.crt"), "certificate": self.pem("client.crt"),
                "key": self.pem("client.key"), **changes}

    def where(self):
        """A root key there (docs/keys.md)."""
        f = self.folder
        return f"kmip://127.0.0.1:{self.port}?ca={f}/ca.crt&certificate={f}/client.crt&key={f}/client.key"

    def was_asked(self, operation):
        return f"Processing operation: {operation}" in (self.folder / "log").read_text()

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        """On its old data."""
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(["/usr/bin/python3", "-W", "ignore", "/usr/bin/pykmip-server", "-f", str(self.folder / "server.conf"),
                                             "-l", str(self.folder / "log")], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            start_new_session=True, env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"})
        wait_until(self._listens, PATIENCE, "PyKMIP does not start", lambda: self.process.poll() is None)
        return self

    def stop(self):
        """At once: it has nothing to lose."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def freeze(self, frozen=True):
        os.killpg(self.process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def keys(self):
        """What it calls those that it has."""
        with sqlite3.connect(f"file:{self.folder}/pykmip.db?mode=ro", uri=True, timeout=PATIENCE) as db:
            return {str(row[0]) for row in db.execute("select uid from managed_objects")}

    def key(self, name):
        with sqlite3.connect(f"file:{self.folder}/pykmip.db?mode=ro", uri=True, timeout=PATIENCE) as db:
            return db.execute("select value from managed_objects where uid = ?", (name,)).fetchone()[0]

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
