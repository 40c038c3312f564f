"""A real mail server for tests: aiosmtpd on a free port of 127.0.0.1, with or without TLS and a login. Keeps what it was given."""
import asyncio
import contextlib
import email
import email.policy
import ssl
import threading

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from stack import certificates
from stack.process import wait_until
from web import operator

NAME = "mail.localhost"      # libcurl takes all names under localhost for this machine


class Mail:
    def __init__(self, envelope, tls):
        self.sender, self.recipients, self.tls = envelope.mail_from, envelope.rcpt_tos, tls
        self.raw = envelope.content
        self.message = email.message_from_bytes(envelope.content, policy=email.policy.default)

    @property
    def subject(self):
        return self.message["Subject"]

    @property
    def text(self):
        return self.message.get_body(("plain",)).get_content()

    @property
    def html(self):
        return self.message.get_body(("html",)).get_content()


class _Handler:
    def __init__(self, sink):
        self.sink = sink

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.sink.refused:
            return "550 no such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.sink.busy:
            return "451 try later"
        self.sink.mails.append(Mail(envelope, session.ssl is not None or self.sink.tls))
        while self.sink.hold:
            await asyncio.sleep(0.05)
        return "250 taken"


class _Server:
    """Serves in a thread of its own. (aiosmtpd's Controller first speaks to itself, which it cannot with TLS from the start.)"""

    def __init__(self, handler, smtps, **kw):
        self.loop = asyncio.new_event_loop()
        make = self.loop.create_server(lambda: SMTP(handler, loop=self.loop, **kw), "127.0.0.1", 0, ssl=smtps)
        self.server = self.loop.run_until_complete(make)
        self.port = self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    async def _close(self):
        self.server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(60)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()


class Sink:
    """TLS: None, "starttls" or "smtps"; LOGIN: (user, password) or None. FOLDER: where its certificate may lie."""

    def __init__(self, installation, folder, tls=None, login=None, name=NAME):
        self.mails, self.refused, self.busy, self.tls = [], set(), False, tls == "smtps"
        self.hold = False        # mails are taken, but that is not said
        context, kw = None, {}
        if tls:
            certificates.make_certificate(folder, installation.state / "ca", installation.ca, name)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        if tls == "starttls":
            kw.update(tls_context=context, require_starttls=True)
        if login:
            kw.update(authenticator=self._check(login), auth_required=True, auth_require_tls=tls == "starttls")
        self.server = _Server(_Handler(self), context if tls == "smtps" else None, hostname=NAME, **kw)
        self.port = self.server.port

    @staticmethod
    def _check(login):
        def check(server, session, envelope, mechanism, data):
            good = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == login
            return AuthResult(success=good, handled=False)
        return check

    def to(self, address):
        return [m for m in self.mails if address in m.recipients]

    def wait(self, address, word="", seconds=120):
        """The first mail to ADDRESS with WORD in its subject."""
        wait_until(lambda: [m for m in self.to(address) if word in m.subject], seconds, f"no mail to {address} about “{word}”")
        return [m for m in self.to(address) if word in m.subject][0]

    def stop(self):
        self.server.stop()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


@contextlib.contextmanager
def mail_of(installation):
    """A Sink without TLS, to which an installation sends its mails meanwhile."""
    c = operator(installation)
    with Sink(installation, None) as sink:
        a = c.api("/mail", {"host": NAME, "port": sink.port, "security": "none", "sender": "keyward@msp.example", "user": "", "password": "",
                            "ca": ""})
        assert a.status == 200, a
        try:
            yield sink
        finally:
            assert c.api("/mail/remove", {}).status == 200
