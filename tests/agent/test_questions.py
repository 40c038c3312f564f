"""keyward-config asking on a real terminal: each answer is checked at once, nothing is done before the last question, and Ctrl-C leaves
neither half of a registration nor a terminal that shows nothing."""
import fcntl
import os
import pty
import select
import struct
import termios
import time

from fixtures import fixture
from agents import SLOW, Tenant, finish, new_guest
from stack.ports import free_port


@fixture("file")
def tenant(server):
    return Tenant(server)


@fixture("test")
def guest(server, folder):
    g = new_guest(server, folder / "guest")
    yield g
    finish(g)


class Terminal:
    """keyward-config on a terminal of its own, COLUMNS wide. OUTPUT: a file that standard output goes into instead."""

    def __init__(self, guest, *args, columns=80, output=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
            if output:
                os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
            os.execv(guest.programs / "keyward-config",
                     ["keyward-config", "--conf", str(guest.conf), "--state", str(guest.state), *args])
        self.seen = self.all = ""

    def read(self):
        if not select.select([self.fd], [], [], SLOW)[0]:
            raise AssertionError(f"nothing comes after:\n{self.all}")
        try:
            text = os.read(self.fd, 4096).decode()
        except OSError:
            return False
        self.seen += text
        self.all += text
        return bool(text)

    def expect(self, text):
        while text not in self.seen:
            assert self.read(), f"\"{text}\" is not asked:\n{self.all}"
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def answer(self, question, text=""):
        self.expect(question)
        os.write(self.fd, text.encode() + b"\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def hidden(t):
    end = time.monotonic() + SLOW
    while t.echoes():
        assert time.monotonic() < end, "the passphrase would be shown"
        time.sleep(0.05)


def test_questions_lead_to_a_registration_and_each_answer_is_checked(server, tenant, guest):
    # covers: CFG-1
    t = Terminal(guest)
    t.expect("Amazon EC2")
    assert "secret_access_key" not in t.all, "settings of what nobody has chosen"
    t.answer("Provider plug-in [native]", "nothing-of-the-kind")
    t.answer("Provider plug-in [native]")
    t.answer("Account ID", "mine")
    t.expect("is no account ID")
    t.answer("Account ID", tenant.account)
    t.answer("Web Service URL", "http://agents.example")
    t.expect("is no Web Service URL")
    t.answer("Web Service URL", f"https://agents.localhost:{free_port()}")
    t.expect("nobody answers")
    t.answer("Web Service URL", server.address("console"))
    t.expect("no Keyward agent service")
    t.answer("Web Service URL", guest.url)
    t.answer("Provisioning passphrase: ")
    t.expect("shows it under Account")
    t.expect("Provisioning passphrase: ")
    hidden(t)
    os.write(t.fd, b"Mis-typed-1\n")
    t.answer("Publish the inventory now? [Y/n]", "perhaps")
    t.answer("Publish the inventory now? [Y/n]")
    t.answer("Wait for provisioning? [Y/n]", "n")
    t.answer("Mount the volumes here? [y/N]", "y")
    t.answer("how many minutes? [720]", "soon")
    t.answer("how many minutes? [720]", "1")
    t.expect("This will be done:")
    assert not (guest.state / "identity.json").exists()
    t.expect(f"with account {tenant.account} at {guest.url}")
    t.answer("Go on? [Y/n]")
    t.expect("the passphrase is wrong, or the account ID")
    t.expect("Provisioning passphrase: ")
    hidden(t)
    os.write(t.fd, tenant.passphrase.encode() + b"\n")
    code = t.end()
    # There is no volume to be mounted yet.
    assert code == 1 and "no encrypted device" in t.all, t.all
    assert "Registered as agent" in t.all and "Inventory published" in t.all
    assert tenant.passphrase not in t.all and "Mis-typed-1" not in t.all
    assert tenant.device(guest)["status"] == "not-configured"


def test_untrusted_certificate_is_explained_and_a_ca_file_taken(server, tenant, guest):
    # covers: CFG-1, AGT-1
    plain = guest.conf.read_text()
    guest.conf.write_text("".join(line + "\n" for line in plain.splitlines() if not line.startswith("ca_file")))
    t = Terminal(guest)
    t.answer("Provider plug-in")
    t.answer("Account ID", tenant.account)
    t.answer("Web Service URL", guest.url)
    t.expect("not trusted")
    t.expect("SHA-256")
    t.answer("CA file (PEM; empty: another URL)", str(server.ca))
    t.answer("Provisioning passphrase: ", tenant.passphrase)
    t.answer("Publish", "n")
    t.answer("Wait", "n")
    t.answer("Mount", "n")
    t.answer("Go on?")
    assert t.end() == 0, t.all
    assert str(server.ca) in (guest.state / "identity.json").read_text()


def test_interruption_leaves_nothing_half_done(tenant, guest):
    # covers: CFG-1
    answers = {"Provider plug-in": "", "Account ID": tenant.account, "Web Service URL": guest.url, "Provisioning passphrase: ": tenant.passphrase,
               "Publish": "n", "Wait": "n", "Mount": "y", "how many minutes": "", "Go on?": "n"}

    def asked(n):
        """The question after N answers."""
        t = Terminal(guest)
        for question in list(answers)[:n]:
            t.answer(question, answers[question])
        if n < len(answers):
            t.expect(list(answers)[n])
        return t

    for n, question in enumerate(answers):
        t = asked(n)
        if "passphrase" in question:
            hidden(t)
        os.write(t.fd, b"\x03")
        t.expect("interrupted")
        assert t.echoes() and t.end() == 130, t.all
    t = asked(len(answers))
    assert t.end() == 2 and "nothing was done" in t.all
    # The input's end is no answer either.
    t = asked(3)
    os.write(t.fd, b"\x04")
    assert t.end() == 2 and "the input has ended" in t.all, t.all
    assert not (guest.state / "identity.json").exists()


def test_progress_is_a_bar_on_a_terminal(tenant, guest):
    # covers: CFG-1
    guest.register(tenant.account, tenant.passphrase)
    tenant.encrypt(guest)
    t = Terminal(guest, "--with-provisioning", "--timeout", "5", columns=60)
    code = t.end()
    bars = [bar.split("\r")[0] for bar in t.all.split("\r\x1b[K")[1:]]
    assert code == 0 and bars and "[####" in t.all, t.all
    # Wider, it would leave a line behind with each step. The disk is known by the end of its name.
    assert all(len(bar) < 60 and guest.disk.name in bar for bar in bars), bars
