"""Second factors and links in mails, for tests of sign-ins: codes as RFC 6238 has them, not the server's library."""
import base64
import hashlib
import hmac
import re
import struct
import time

from web import PASSWORD


def link_of(mail):
    """The path with query of the one link to a single use in a mail."""
    found = re.findall(r"https://[^/\s]+(/invitation\?\S+)", mail.text)
    assert len(found) == 1, mail.text
    return found[0]


def signed_in(c):
    return c.get("/sessions").status == 200


def code(secret, step=0):
    """RFC 6238 as its text has it: not the server's library."""
    counter = int(time.time() // 30) + step
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", counter), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1000000:06d}"


def secret_in(page):
    return re.search(r'id="factor-secret">([^<]+)<', page).group(1).replace(" ", "")


def codes_in(page):
    return re.findall(r"<li><code>([^<]+)</code>", page)


def enrol(c):
    """A second factor for who is signed in: secret and recovery codes."""
    answer = c.post("/factor/new", current=PASSWORD)
    assert answer.status == 303 and answer.header("location") == "/factor/new", answer
    secret = secret_in(c.get("/factor/new").text)
    answer = c.post("/factor/confirm", code=code(secret))
    assert answer.status == 200, answer
    return secret, codes_in(answer.text)


def half(c, email, account=None, password=PASSWORD):
    """Signs in as far as the code; the answer."""
    answer = c.post("/sign-in", csrf=False, email=email, password=password, return_to="/sessions", **({"account": account} if account else {}))
    if answer.status == 303:
        c.get(answer.header("location"))
    return answer
