"""A real receiver of syslog over TLS beside a test: rsyslog in a folder of its own. Keeps each message as it came, one to a line."""
import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile

from fixtures import scratch
from stack import certificates
from stack.ports import free_port
from stack.process import wait_until

PATIENCE = 60
NAME = "localhost"


class Rsyslog:
    """STRICT: it takes messages of those alone who have a certificate of its authority (client()). DRIVER "ossl" ends a connection with TLS's close_notify, "gtls"
    without; another one holds from the next start() on."""

    def __init__(self, strict=False, driver="ossl"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rsyslog-", dir=scratch()))
        self.port, self.process, self.strict, self.driver = free_port(), None, strict, driver
        f = self.folder
        self.ca = f / "ca.crt"
        certificates.make_ca(f / "ca", self.ca)
        certificates.make_certificate(f, f / "ca", self.ca, NAME)
    def _configure(self):
        f = self.folder
        (f / "rsyslog.conf").write_text(
            f'global(defaultNetstreamDriver="{self.driver}" defaultNetstreamDriverCAFile="{self.ca}" defaultNetstreamDriverCertFile="{f}/{NAME}.crt"'
            f' defaultNetstreamDriverKeyFile="{f}/{NAME}.key" workDirectory="{f}" maxMessageSize="16k" processInternalMessages="on"'
            ' parser.escapeControlCharactersOnReceive="on")\n'
            f'module(load="imtcp" streamDriver.name="{self.driver}" streamDriver.mode="1" streamDriver.authMode="{"x509/certvalid" if self.strict else "anon"}"'
            ' maxSessions="50")\n'
            'template(name="raw" type="string" string="%rawmsg%\\n")\n'
            f'input(type="imtcp" address="127.0.0.1" port="{self.port}")\n'
            f'action(type="omfile" file="{f}/messages" template="raw")\n')

    def client(self, name="keyward-log"):
        """A client's certificate and private key, in PEM."""
        certificates.make_certificate(self.folder, self.folder / "ca", self.ca, name, "clientAuth")
        return (self.folder / f"{name}.crt").read_text(), (self.folder / f"{name}.key").read_text()

    def _listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def _opened(self):
        """How often it has opened its file: it says there that it has started."""
        return sum(m.endswith("] start") for m in self._own())

    def start(self):
        """The driver ossl closes the descriptor of a connection twice, the second time perhaps what another thread has opened as that number (rsyslog 8.2302): so the
        file is open before anybody connects, and stays so."""
        opened = self._opened()
        self._configure()
        with open(self.folder / "out", "ab") as out:
            self.process = subprocess.Popen(["/usr/sbin/rsyslogd", "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.folder / "pid")],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        wait_until(lambda: self._opened() > opened, PATIENCE, "rsyslog does not start", lambda: self.process.poll() is None)
        wait_until(self._listens, PATIENCE, "rsyslog does not start", lambda: self.process.poll() is None)
        return self

    def stop(self, kill=False):
        if self.process and self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait()

    def said(self):
        """Of itself."""
        return ((self.folder / "out").read_text(errors="replace") + "\n".join(self._own()))[-1000:]

    def _lines(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "messages").read_text().splitlines()
        return []

    def _own(self):
        return [m for m in self._lines() if not m.startswith("<")]

    def messages(self):
        """What has been sent to it."""
        return [m for m in self._lines() if m.startswith("<")]

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
