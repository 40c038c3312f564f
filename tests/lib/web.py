"""For tests of the consoles: the client, and users made straight in the database, for tests that are not about inviting."""
import ctypes
import ctypes.util
import uuid

from stack.client import PASSWORD, Answer, Client  # noqa: F401

_sodium = None


def password_hash(password=PASSWORD, passes=2, memory=1 << 26):
    """As the server makes it: argon2id of libsodium, its interactive limits."""
    global _sodium
    if _sodium is None:
        _sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
        _sodium.sodium_init()
    out, text = ctypes.create_string_buffer(128), password.encode()
    if _sodium.crypto_pwhash_str_alg(out, text, ctypes.c_ulonglong(len(text)), ctypes.c_ulonglong(passes), ctypes.c_size_t(memory), 2):
        raise MemoryError
    return out.value.decode()


_hash = None


def _standard_hash():
    """As cheap as can be: it is verified at each of the tests' sign-ins, and what that costs stands in the text itself."""
    global _hash
    _hash = _hash or password_hash(passes=1, memory=1 << 13)
    return _hash


def database(installation):
    """A connection as the superuser: row security does not apply to it."""
    import psycopg2
    connection = psycopg2.connect(installation.database.conninfo("postgres"))
    connection.autocommit = True
    return connection


def make_operator(installation, role="msp-administrator", email=None):
    email = email or f"operator-{uuid.uuid4().hex[:12]}@msp.example"
    with database(installation).cursor() as c:
        c.execute("insert into operator_user (id, email, name, role, password, state) values (%s, %s, %s, %s, %s, 'active')",
                  (str(uuid.uuid4()), email, "Olga Operator", role, _standard_hash()))
    return email


def operator(installation, role="msp-administrator", email=None):
    """A client of the Central Management Console that is signed in: as EMAIL, or as a new operator of ROLE."""
    c = Client(installation, "central")
    assert c.sign_in(email or make_operator(installation, role)).status == 303
    return c


def make_tenant(installation, slug=None):
    """A tenant through the administrator's command, with a real key; its slug and id."""
    slug = slug or f"t{uuid.uuid4().hex[:12]}"
    installation.keyward("tenant", "create", slug, f"Tenant {slug}", f"first@{slug}.example")
    with database(installation).cursor() as c:
        c.execute("select id from tenant where slug = %s", (slug,))
        return slug, c.fetchone()[0]


def make_user(installation, tenant, role="account-administrator", email=None):
    email = email or f"user-{uuid.uuid4().hex[:12]}@tenant.example"
    with database(installation).cursor() as c:
        c.execute("insert into app_user (tenant, id, email, name, role, password, state) values (%s, %s, %s, %s, %s, %s, 'active')",
                  (tenant, str(uuid.uuid4()), email, "Ursula User", role, _standard_hash()))
    return email
