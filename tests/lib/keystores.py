"""Where a root key can live but in a file, for tests of a whole installation: a token (SoftHSM) and a key server (PyKMIP)."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess

from stack.process import wait_until

MODULE, PIN, KEYD_USER = "/usr/lib/softhsm/libsofthsm2.so", "24681357", "keyward-keys"
SERVER = """[server]
hostname=127.0.0.1
port={port}
certificate_path={folder}/server.crt
key_path={folder}/server.key
ca_path={folder}/ca.crt
auth_suite=TLS1.2
policy_path={folder}/policies
enable_tls_client_auth=True
logging_level=INFO
database_path={folder}/pykmip.db
"""


def shell(command, **more):
    p = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    assert p.returncode == 0, p.stdout
    return p.stdout


class Token:
    """A token of keyd's user in FOLDER, whose parents that user may pass. Whoever uses it needs ENV."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.tokens, self.pin = self.folder / "tokens", self.folder / "pin"
        self.tokens.mkdir(parents=True)
        self.env = {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}
        (self.folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.pin.write_text(PIN + "\n")
        self.pin.chmod(0o600)
        user = pwd.getpwnam(KEYD_USER)
        os.chown(self.tokens, user.pw_uid, user.pw_gid)
        shell(f"setpriv --reuid {KEYD_USER} --clear-groups softhsm2-util --init-token --free --label keyward --pin {PIN} --so-pin 12345678",
              env={**os.environ, **self.env})

    def where(self, with_pin=True):
        return f"pkcs11:token=keyward?module-path={MODULE}" + (f"&pin-source=file:{self.pin}" if with_pin else "")

    def take_out(self):
        for token in self.tokens.iterdir():
            token.rename(self.folder / f"out-{token.name}")

    def put_back(self):
        for token in self.folder.glob("out-*"):
            token.rename(self.tokens / token.name[4:])

    def objects(self):
        return shell(f"setpriv --reuid {KEYD_USER} --clear-groups pkcs11-tool --module {MODULE} --login --pin {PIN} --list-objects --type secrkey",
                     env={**os.environ, **self.env})


class KeyServer:
    """PyKMIP in FOLDER, with an authority, a server's and a client's certificate."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = pathlib.Path(folder), port, None
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "policies").mkdir(parents=True)
        self.folder.chmod(0o700)
        self._run("openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-ca -keyout ca.key -out ca.crt")
        for name, use in (("server", "serverAuth"), ("client", "clientAuth")):
            (self.folder / f"{name}.ext").write_text(f"extendedKeyUsage={use}\nsubjectAltName=IP:127.0.0.1,DNS:localhost\n")
            self._run(f"openssl req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr")
            self._run(f"openssl x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile {name}.ext -out {name}.crt")
        (self.folder / "server.conf").write_text(SERVER.format(port=port, folder=self.folder))

    def _run(self, command):
        shell(command, cwd=self.folder)

    def where(self, more=""):
        f = self.folder
        return f"kmip://127.0.0.1:{self.port}?ca={f}/ca.crt&certificate={f}/client.crt&key={f}/client.key{more}"

    def _answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self):
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(["/usr/bin/python3", "-W", "ignore", "/usr/bin/pykmip-server", "-f",
                                             str(self.folder / "server.conf"), "-l", str(self.folder / "log")],
                                            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_until(self._answers, 120, "PyKMIP does not start", lambda: self.process.poll() is None)

    def stop(self):
        """It takes long to end by itself, and has a process that watches its policies."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def was_asked(self, operation):
        return f"Processing operation: {operation}" in (self.folder / "log").read_text()
