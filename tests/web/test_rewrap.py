"""Root key and tenants' keys replaced while the installation runs, moved from one provider to another, broken off at any point.
KEYWARD_SEED=N repeats the kills."""
import base64
import concurrent.futures
import html
import os
import pathlib
import random
import re
import subprocess
import threading
import time
import uuid

from factors import code, enrol, half, signed_in
from fixtures import fixture, installation
from keymaker import SYSTEM_PROTECT, SYSTEM_REVEAL, Keyd, bytes_field, key_of
from keystores import PIN, LockingToken, Token
from kmip import KmipServer
from rsyslog import NAME, Rsyslog
from stack.process import wait_until
from web import Client, database, make_operator, make_tenant, make_user, operator

SECONDS = 240
PASSPHRASE = "a passphrase that people keep"


class Keys:
    """Tenants and device keys in numbers, straight in the database and from the real key service."""

    def __init__(self, it):
        self.it = it

    def rows(self, sql, *args):
        with database(self.it).cursor() as c:
            c.execute(sql, args)
            return c.fetchall()

    def keyd(self):
        return Keyd(self.it.state / "run" / "keyd.sock")

    def tenant(self):
        return str(make_tenant(self.it)[1])

    def tenants(self, count):
        with self.keyd() as k, database(self.it).cursor() as c:
            for _ in range(count):
                id = str(uuid.uuid4())
                c.execute("insert into tenant (id, slug, name, wrapped_key) values (%s, %s, 'Many', %s)", (id, f"m{id[:13]}", k.tenant(id)))

    def devices(self, tenant, count):
        policy = self.rows("select id from policy where tenant = %s", tenant)[0][0]
        wrapped = self.wrapped(tenant)
        with self.keyd() as k, database(self.it).cursor() as c:
            for _ in range(count):
                id = str(uuid.uuid4())
                c.execute("insert into device (tenant, id, provider, provider_device, policy) values (%s, %s, 'ec2', %s, %s)",
                          (tenant, id, id, policy))
                c.execute("insert into device_key (tenant, device, version, wrapped) values (%s, %s, 1, %s)",
                          (tenant, id, k.device(tenant, wrapped, id)))

    def wrapped(self, tenant):
        return bytes(self.rows("select wrapped_key from tenant where id = %s", tenant)[0][0])

    def all_open(self):
        """How many device keys there are; each of them opens, and each tenant's key: as all was at one moment, for a rotation may go on."""
        with database(self.it).cursor() as c:
            c.execute("begin isolation level repeatable read")
            c.execute("select id, wrapped_key from tenant where wrapped_key is not null")
            tenants = {tenant: bytes(wrapped) for tenant, wrapped in c.fetchall()}
            c.execute("select tenant, device, version, wrapped from device_key where tenant = any(%s::uuid[])", (list(tenants),))
            blobs = c.fetchall()
        with self.keyd() as k:
            for tenant, wrapped in tenants.items():
                assert k.device(tenant, wrapped, str(uuid.uuid4())), tenant
            for tenant, id, version, blob in blobs:
                assert k.opens(tenant, tenants[tenant], id, version, bytes(blob)), (tenant, id)
        return len(blobs)

    def roots(self):
        return {key_of(row[0]) for row in self.rows("select wrapped_key from tenant where wrapped_key is not null")}

    def under(self, tenant):
        return {key_of(row[0]) for row in self.rows("select wrapped from device_key where tenant = %s union all select passphrase from"
                                                    " provisioning where tenant = %s union all select verifier from provisioning where"
                                                    " tenant = %s", tenant, tenant, tenant)}

    def wait_root(self):
        wait_until(lambda: self.rows("select state from root_rotation order by started desc limit 1") == [("done",)], SECONDS,
                   f"the rotation of the root key does not end: {self.rows('select * from root_rotation')}")

    def wait_tenant(self, tenant):
        wait_until(lambda: self.rows("select state from tenant_rotation where tenant = %s order by started desc limit 1", tenant)
                   == [("done",)], SECONDS, "the rotation of the tenant's key does not end")

    def listed(self):
        """{id: the rest of its line} of `keyward key list`."""
        lines = self.it.keyward("key", "list").splitlines()
        return {line[:36]: line[36:] for line in lines if re.match(r"[0-9a-f-]{36}  ", line)}

    def file_of(self, root):
        """The file of a root key of provider `file`."""
        folder = self.it.state / "keys"
        rows = (folder / "roots").read_text().splitlines() if (folder / "roots").exists() else []
        return pathlib.Path(next((row.split()[2] for row in rows if row.startswith(root)), folder / "root.key"))


@fixture("file")
def keys():
    """With one tenant and its devices: there are keys to move whichever test is the first."""
    with installation("rewrap", settings={"outside.local": "yes"}) as it:
        keys = Keys(it)
        keys.devices(keys.tenant(), 20)
        yield keys


def test_root_key_is_replaced_while_all_goes_on(keys):
    # covers: KEY-1, KEY-2, KEY-6, OPS-2
    tenant = keys.tenant()
    keys.tenants(70)
    keys.devices(tenant, 20)
    count, (old,) = keys.all_open(), keys.roots()
    file = keys.file_of(old)
    asked = []
    stop = threading.Event()

    def ask():
        slug = keys.rows("select slug from tenant where id = %s", tenant)[0][0]
        # Once at least: the rotation may be over in no time.
        while not asked or not stop.is_set():
            asked.append(keys.it.keyward("tenant", "passphrase", slug, check=False).returncode)
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert "new root key" in keys.it.keyward("rotate", "root")
        keys.wait_root()
    finally:
        stop.set()
        asking.join()
    new, = keys.roots()
    assert new != old and asked and set(asked) == {0}, asked
    assert keys.all_open() == count
    assert key_of((keys.it.state / "keys" / "identity").read_bytes()) == new
    listed = keys.listed()
    assert "in use" in listed[new] and "it can be retired" in listed[old], listed
    assert new in keys.it.status()
    # A restart finds both; the old one is needed for nothing.
    keys.it.restart("keyd")
    assert keys.all_open() == count
    refused = keys.it.keyward("key", "retire", new, check=False)
    assert refused.returncode == 1 and "in use" in refused.stderr
    assert file.exists() and "is destroyed" in keys.it.keyward("key", "retire", old, "destroy") and not file.exists()
    assert new in keys.listed() and old not in keys.listed()
    keys.it.restart("keyd")
    assert keys.all_open() == count


def test_a_root_key_in_use_is_not_retired(keys):
    # covers: KEY-2, SEC-7
    keys.it.stop("jobd")
    count, (before,) = keys.all_open(), keys.roots()
    keys.it.keyward("rotate", "root")
    refused = keys.it.keyward("key", "retire", before, "destroy", check=False)
    assert refused.returncode == 1 and "are under this root key still" in refused.stderr
    assert "goes on" in keys.it.keyward("rotate", "root")
    keys.it.start("jobd")
    keys.wait_root()
    assert keys.all_open() == count


def test_of_many_who_replace_it_at_once_one_does(keys):
    # covers: KEY-2, KEY-6, SEC-7
    count, before = keys.all_open(), set(keys.listed())
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        said = list(pool.map(lambda _: keys.it.keyward("rotate", "root", check=False), range(5)))
    assert all(p.returncode == 0 or "another keyward is making" in p.stderr for p in said), said
    assert sum("new root key" in p.stdout for p in said) == 1 and len(set(keys.listed()) - before) == 1, (said, keys.listed())
    keys.wait_root()
    keys.it.restart("keyd")
    assert keys.all_open() == count and set(keys.listed()) > before


def test_a_command_that_is_killed_leaves_its_work_to_nobody_else_until_that_has_ended(keys, folder):
    # covers: KEY-2, KEY-6, SEC-7
    # The program that makes the root key goes on without the command that has begun it; two of them at once would each write the list as they have read it.
    it, count, before = keys.it, keys.all_open(), set(keys.listed())
    conf, hold, begun, program = it.conf.read_text(), folder / "hold", folder / "begun", folder / "keyd"
    hold.touch()
    program.write_text(f'#!/bin/sh\ntouch {begun}\nwhile [ -e {hold} ]; do sleep 0.05; done\nexec {it.processes["keyd"].argv[0]} "$@"\n')
    program.chmod(0o755)
    it.conf.write_text("".join(line + "\n" for line in conf.splitlines() if not line.startswith("keyd.program")) + f"keyd.program = {program}\n")
    try:
        killed = subprocess.Popen([it._program("admin", "keyward"), "--config", str(it.conf), "rotate", "root"], env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(begun.exists, SECONDS, "it does not begin")
        killed.kill()
        killed.wait()
        it.conf.write_text(conf)
        refused = it.keyward("rotate", "root", check=False)
        assert refused.returncode == 1 and "another keyward is making" in refused.stderr, refused
    finally:
        it.conf.write_text(conf)
        hold.unlink()
    # Then the next command takes up what that one has made.
    wait_until(lambda: it.keyward("rotate", "root", check=False).returncode == 0, SECONDS, "it does not go on")
    keys.wait_root()
    on_disk = {line.split()[0] for line in (it.state / "keys" / "roots").read_text().splitlines()[1:]}
    assert keys.all_open() == count and len(on_disk - before) == 1 and on_disk == set(keys.listed()), (on_disk, keys.listed())


def test_retiring_that_was_broken_off_is_done_by_the_next(keys):
    # covers: KEY-6, SEC-7
    count = keys.all_open()
    while len(keys.listed()) < 3:
        keys.it.keyward("rotate", "root")
        keys.wait_root()
    root, = keys.roots()
    old = [r for r in keys.listed() if r != root][-1]
    file = keys.file_of(old)
    # What the command has done when it is killed before the key service is told, or before the list is written.
    subprocess.run([keys.it.processes["keyd"].argv[0], "--drop-root", old, "--roots", str(keys.it.state / "keys" / "roots"), "--destroy"],
                   check=True, stdout=subprocess.DEVNULL, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert not file.exists() and old in keys.listed()
    keys.it.keyward("key", "retire", old, "destroy")
    assert old not in keys.listed() and keys.all_open() == count
    for other in set(keys.listed()) - {root}:
        keys.file_of(other).unlink()
        assert "is destroyed" in keys.it.keyward("key", "retire", other, "destroy")
    assert set(keys.listed()) == {root}


def test_a_former_root_key_that_was_missing_is_found(keys):
    # covers: KEY-2, KEY-6
    count, (before,) = keys.all_open(), keys.roots()
    file = keys.file_of(before)
    aside = file.with_name("aside")
    keys.it.stop("jobd")
    keys.it.keyward("rotate", "root")
    file.rename(aside)
    keys.it.restart("keyd")
    assert before not in keys.listed() and "under a root key that the key service does not have" in keys.it.status()
    keys.it.start("jobd")
    wait_until(lambda: keys.rows("select 1 from job where kind = 'rotate-root' and last_error is not null"), SECONDS, "it does not fail")
    assert "wrapped under another key" in keys.rows("select last_error from job where kind = 'rotate-root'")[0][0] and keys.roots() == {before}
    aside.rename(file)
    wait_until(lambda: before in keys.listed(), SECONDS, "it is not found again")
    keys.rows("update job set run_at = now(), locked_until = null where kind = 'rotate-root' returning 1")
    keys.wait_root()
    assert keys.all_open() == count and before not in keys.roots() and "does not have" not in keys.it.status()


def test_links_that_wait_to_be_mailed_are_wrapped_again(keys):
    # covers: KEY-6, IDN-1
    keys.tenant()
    purpose, link = b"mail-link", b"https://console.example/password?token=1"
    with keys.keyd() as k:
        blob = k.ask(SYSTEM_PROTECT, bytes_field(purpose) + bytes_field(link))[4:]
    before = key_of(blob)
    keys.rows("insert into job (id, kind, payload, run_at) values (gen_random_uuid(), 'mail', jsonb_build_object('to', 'a@example.test', 'link',"
              " %s::text), now() + interval '1 day') returning 1", base64.urlsafe_b64encode(blob).decode().rstrip("="))
    keys.it.keyward("rotate", "root")
    keys.wait_root()
    text = keys.rows("select payload->>'link' from job where kind = 'mail' and payload ? 'link'")[0][0]
    moved = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert {key_of(moved)} == keys.roots() != {before}
    with keys.keyd() as k:
        assert k.ask(SYSTEM_REVEAL, bytes_field(purpose) + bytes_field(moved))[4:] == link


def test_second_factors_are_wrapped_again(keys):
    # covers: KEY-6, IDN-5
    slug, tenant = make_tenant(keys.it)
    people = {"console": (make_user(keys.it, tenant), slug), "central": (make_operator(keys.it), None)}
    secrets, blobs = {}, {}
    for site, (email, account) in people.items():
        c = Client(keys.it, site)
        assert c.sign_in(email, account=account).status == 303
        secrets[site] = enrol(c)[0]

    def now():
        return (keys.rows("select secret from second_factor where tenant = %s", tenant)[0][0],
                keys.rows("select f.secret from operator_factor f join operator_user u on u.id = f.user_id where u.email = %s",
                          people["central"][0])[0][0])
    blobs = [key_of(bytes(b)) for b in now()]
    keys.it.keyward("rotate", "root")
    keys.wait_root()
    keys.it.keyward("rotate", "tenant", slug)
    keys.wait_tenant(tenant)
    after = [key_of(bytes(b)) for b in now()]
    assert after[0] != blobs[0] and after[1] != blobs[1] and after[1] in keys.roots()
    for site, (email, account) in people.items():
        c = Client(keys.it, site)
        half(c, email, account)
        answer = c.post("/sign-in/code", code=code(secrets[site], step=1))
        assert answer.status == 303 and signed_in(c), answer


def test_operators_key_for_single_sign_on_and_webhooks_are_wrapped_again(keys):
    # covers: KEY-6, IDN-3, NTF-3
    keys.tenant()
    c = Client(keys.it, "central")
    assert c.sign_in(make_operator(keys.it)).status == 303
    assert c.post("/single-sign-on/begin").status == 303 and c.post("/single-sign-on/key/new", days="3").status == 303
    made = c.api("/webhooks/new", {"name": "Watch", "url": "https://hooks.example/", "format": "json", "events": ["server-trouble"], "enabled": True})
    assert made.status == 200, made

    def hook():
        return key_of(bytes(keys.rows("select secret from webhook where id = %s", made.json["made"]["id"])[0][0]))

    def kept(name="saml.key"):
        text = keys.rows("select value from setting where name = %s", name)[0][0]
        return key_of(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    before = kept()
    assert before in keys.roots() and hook() == before
    keys.it.keyward("rotate", "root")
    keys.wait_root()
    assert kept() != before and kept() in keys.roots() and hook() == kept() == kept("saml.second-key")
    metadata = c.get("/saml/metadata")
    assert metadata.status == 200 and "EntityDescriptor" in metadata.text, metadata


def test_the_keys_by_which_receivers_of_the_log_know_us_are_wrapped_again(keys):
    # covers: KEY-6, KEY-2, LOG-4
    slug, tenant = make_tenant(keys.it)
    sites = {"central": (Client(keys.it, "central"), "/log-forwarding"), "console": (Client(keys.it, "console"), "/account/log-forwarding")}
    assert sites["central"][0].sign_in(make_operator(keys.it)).status == 303
    assert sites["console"][0].sign_in(make_user(keys.it, tenant), account=slug).status == 303

    def kept():
        text = keys.rows("select value #>> '{}' from setting where name = 'log-forward.key'")[0][0]
        own = keys.rows("select client_key from log_forward where tenant = %s", tenant)[0][0]
        return key_of(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))), key_of(bytes(own))

    def sent(receiver):
        """What each log has by now arrives: its own key opens."""
        numbers = {c: keys.rows("select seq from audit_head where tenant = %s", c)[0][0] for c in (str(tenant), str(uuid.UUID(int=0)))}
        keys.rows("update log_forward set next_try = now() returning 1")
        wait_until(lambda: all([m for m in receiver.messages() if f'account="{c}" number="{n}"' in m] for c, n in numbers.items()), SECONDS,
                   f"not sent: {keys.rows('select tenant, seq, error from log_forward')} {numbers}")
    with Rsyslog(strict=True) as receiver:
        certificate, key = receiver.client()
        for c, url in sites.values():
            assert c.post(url, host=NAME, port=str(receiver.port), ca=receiver.ca.read_text(), format="syslog", certificate=certificate, key=key).status == 303
        sent(receiver)
        first = kept()
        keys.it.keyward("rotate", "root")
        keys.wait_root()
        keys.it.keyward("rotate", "tenant", slug)
        keys.wait_tenant(tenant)
        second = kept()
        assert second[0] in keys.roots() and second[0] != first[0] and second[1] != first[1]
        keys.it.restart("keyd")
        sent(receiver)
        # And to another provider and back.
        keys.it.keyward("key", "move", "passphrase", typed=PASSPHRASE)
        keys.wait_root()
        assert kept()[0] in keys.roots() and kept()[0] != second[0]
        sent(receiver)
        back_to_a_file(keys)
        sent(receiver)
        for c, url in sites.values():
            assert c.post(url + "/remove").status == 303


def test_tenant_key_is_replaced(keys):
    # covers: KEY-1, KEY-6
    tenant, other = keys.tenant(), keys.tenant()
    slug = keys.rows("select slug from tenant where id = %s", tenant)[0][0]
    keys.it.keyward("tenant", "passphrase", slug)
    keys.devices(tenant, 600)
    keys.devices(other, 3)
    old, = keys.under(tenant)
    untouched = keys.under(other)
    stale = keys.wrapped(tenant)
    device = keys.rows("select device from device_key where tenant = %s limit 1", tenant)[0][0]
    keys.it.keyward("rotate", "tenant", slug)
    keys.wait_tenant(tenant)
    new, = keys.under(tenant)
    assert new != old and keys.under(other) == untouched
    assert keys.all_open() >= 603
    assert len(keys.wrapped(tenant)) == len(stale)       # one key again
    # Whoever has read the former key before cannot write what nobody could open.
    with keys.keyd() as k:
        blob = k.device(tenant, stale, device, 9)
    try:
        keys.rows("insert into device_key (tenant, device, version, wrapped, state) values (%s, %s, 9, %s, 'former') returning 1", tenant, device, blob)
        raise AssertionError("a blob under a dropped key was taken")
    except Exception as e:
        assert "does not have any more" in str(e), e


def test_tenant_key_is_replaced_from_the_console_and_by_age(keys):
    # covers: KEY-6, ROL-2, ROL-6
    tenant = keys.tenant()
    slug = keys.rows("select slug from tenant where id = %s", tenant)[0][0]
    keys.devices(tenant, 5)
    first, = keys.under(tenant)
    people = {}
    for role in ("security-administrator", "account-administrator"):
        people[role] = Client(keys.it, "console")
        assert people[role].sign_in(make_user(keys.it, tenant, role), account=slug).status == 303
    assert people["account-administrator"].api("/account/keys/rotate", {}).status == 403
    assert people["security-administrator"].api("/account/keys/rotate", {}).status == 200
    keys.wait_tenant(tenant)
    second, = keys.under(tenant)
    assert second != first and "key" in people["security-administrator"].get("/account/keys").text
    assert keys.rows("select 1 from audit_entry where tenant = %s and event = 'tenant-key.rotated'", tenant)
    keys.rows("insert into rotation_age (tenant, days) values (%s, 90) returning 1", tenant)
    keys.rows("update tenant set key_changed = now() - interval '91 days' where id = %s returning 1", tenant)
    keys.it.restart("jobd")
    wait_until(lambda: keys.under(tenant) - {second} and len(keys.under(tenant)) == 1, SECONDS, "the old key is not replaced")
    keys.wait_tenant(tenant)
    assert keys.all_open()


def test_moved_to_a_passphrase_and_back(keys):
    # covers: KEY-2
    file_root, = keys.roots()
    keys.it.keyward("key", "move", "passphrase", typed=PASSPHRASE)
    keys.wait_root()
    passphrase_root, = keys.roots()
    assert "passphrase" in keys.listed()[passphrase_root] and keys.all_open()
    keys.it.restart("keyd")
    assert "unseal" in keys.it.status()
    keys.it.keyward("unseal", typed=PASSPHRASE)
    assert keys.all_open()
    keys.it.keyward("key", "move", "file")
    keys.wait_root()
    back, = keys.roots()
    assert back not in (file_root, passphrase_root) and keys.all_open()
    for root in set(keys.listed()) - {back}:
        keys.it.keyward("key", "retire", root, "destroy")
    keys.it.restart("keyd")
    assert keys.all_open() and set(keys.listed()) == {back}


def break_off(keys, what):
    """Kills at random points while everything is wrapped again."""
    seed = int(os.environ.get("KEYWARD_SEED") or random.randrange(1 << 30))
    print(f"    KEYWARD_SEED={seed}", flush=True)
    choose = random.Random(seed)
    for _ in range(3):
        time.sleep(choose.uniform(0, 0.3))
        victim = choose.choice(("database", "keyd", "jobd"))
        print(f"    {what}: kill -9 {victim}", flush=True)
        keys.it.kill(victim)
        keys.it.start_again(victim)


def back_to_a_file(keys):
    """Everything under a new root key in a file, and the others out of use."""
    keys.it.keyward("key", "move", "file")
    keys.wait_root()
    root, = keys.roots()
    for other in set(keys.listed()) - {root}:
        keys.it.keyward("key", "retire", other)
    keys.it.restart("keyd")
    assert keys.all_open() and set(keys.listed()) == {root}


def with_token(keys, name, kind=Token):
    token = kind(keys.it.state / name)
    keys.it.processes["keyd"].extra_env.update(token.env)
    os.environ.update(token.env)                 # of `keyward`, which makes the key
    keys.it.restart("keyd")
    return token


def test_moved_to_a_token_while_all_goes_on_and_back(keys):
    # covers: KEY-2, KEY-6
    token = with_token(keys, "token")
    count = keys.all_open()
    keys.tenants(80)
    assert "new root key" in keys.it.keyward("key", "move", "pkcs11", token.where())
    break_off(keys, "to a token")
    keys.wait_root()
    root, = keys.roots()
    assert "pkcs11" in keys.listed()[root] and keys.all_open() == count
    assert "keyward-root" in token.objects() and key_of((keys.it.state / "keys" / "identity").read_bytes()) == root
    assert keys.it.status().count("pkcs11")
    # It is there after a restart, and without the former root key.
    for other in set(keys.listed()) - {root}:
        keys.it.keyward("key", "retire", other, "destroy")
    keys.it.restart("keyd")
    assert keys.all_open() == count
    # Without the token nothing opens, and nothing is lost.
    keys.it.stop("keyd")
    token.take_out()
    keys.it.start("keyd")
    assert keys.it.keyward("status", check=False).returncode == 1
    token.put_back()
    wait_until(lambda: keys.it.keyward("status", check=False).returncode == 0, SECONDS, "the token is not found again")
    assert keys.all_open() == count
    back_to_a_file(keys)


def test_moved_to_a_key_server_while_all_goes_on_and_back(keys):
    # covers: KEY-2, KEY-6
    count = keys.all_open()
    with KmipServer() as server:
        assert "new root key" in keys.it.keyward("key", "move", "kmip", server.where())
        break_off(keys, "to a key server")
        keys.wait_root()
        root, = keys.roots()
        assert "kmip" in keys.listed()[root] and keys.all_open() == count
        assert server.was_asked("Create") and server.was_asked("Encrypt") and not server.was_asked("Get\n")
        keys.it.restart("keyd")
        assert keys.all_open() == count
        server.stop()
        keys.it.restart("keyd")
        assert keys.it.keyward("status", check=False).returncode == 1
        # A move away needs the key that all is under: nothing changes while that is away.
        assert keys.it.keyward("key", "move", "file", check=False).returncode == 1 and keys.roots() == {root}
        server.start()
        wait_until(lambda: keys.it.keyward("status", check=False).returncode == 0, SECONDS, "the key server is not found again")
        back_to_a_file(keys)


def test_rotations_wait_for_whatever_is_away(keys):
    # covers: KEY-2, KEY-3, KEY-6, SEC-7
    tenant = keys.tenant()
    keys.devices(tenant, 20)
    slug = keys.rows("select slug from tenant where id = %s", tenant)[0][0]
    count, jobs = keys.all_open(), ["rotate-root", "rotate-tenant"]

    def stuck():
        return keys.rows("select 1 from job where kind = any(%s) and last_error is not null", jobs)

    with KmipServer() as server:
        keys.it.keyward("key", "move", "kmip", server.where())
        keys.wait_root()
        away = {"key server": server.stop, "keyd": lambda: keys.it.kill("keyd"), "database": lambda: keys.it.kill("database")}
        back = {"key server": server.start, "keyd": lambda: keys.it.start_again("keyd"), "database": lambda: keys.it.start_again("database")}
        for who in away:
            # Both are asked for, and what they need goes away before anything is done, and stays away while they are tried.
            keys.it.stop("jobd")
            before, under = keys.roots(), keys.under(tenant)
            keys.it.keyward("rotate", "root", "kmip", f"{server.where()}&name={who.replace(' ', '-')}")
            keys.it.keyward("rotate", "tenant", slug)
            if who == "database":
                keys.it.start("jobd")
            away[who]()
            if who != "database":
                keys.it.start("jobd")
                wait_until(stuck, SECONDS, f"without {who}: nothing is tried")
                assert keys.roots() == before and under <= keys.under(tenant), who
                assert keys.rows("select count(*) from root_rotation where state = 'running'") == [(1,)]
            else:
                time.sleep(1)
            back[who]()
            wait_until(lambda: keys.it.alive("jobd"), SECONDS, "jobd has ended")
            with database(keys.it).cursor() as c:
                c.execute("update job set run_at = now(), locked_until = null where kind = any(%s)", (jobs,))
            keys.wait_root()
            keys.wait_tenant(tenant)
            assert keys.all_open() == count and keys.roots().isdisjoint(before) and keys.under(tenant).isdisjoint(under), who
            for root in before:
                keys.it.keyward("key", "retire", root)
        back_to_a_file(keys)


def test_two_root_keys_that_people_hold_are_both_asked_for(keys):
    # covers: KEY-2, OPS-2
    token = with_token(keys, "token-asked")
    keys.it.keyward("key", "move", "passphrase", typed=PASSPHRASE)
    keys.wait_root()
    keys.it.stop("jobd")
    keys.it.keyward("key", "move", "pkcs11", token.where(with_pin=False), typed=PIN)
    keys.it.restart("keyd")
    assert "keyward unseal" in keys.it.status()
    # One word alone: keys are delivered again as far as they are under that key, and the rest is named.
    one = keys.it.keyward("unseal", typed=PIN, check=False)
    assert one.returncode == 1 and "the former one is sealed still" in one.stderr, one
    assert "former root" in keys.it.status()
    keys.it.start("jobd")
    keys.it.keyward("unseal", typed=PASSPHRASE)
    keys.wait_root()
    # Both at once, in the order in which they are asked for.
    keys.it.restart("keyd")
    assert "unsealed" in keys.it.keyward("unseal", typed=f"{PIN}\n{PASSPHRASE}")
    assert "former root" not in keys.it.status()
    assert keys.all_open()
    back_to_a_file(keys)


def test_a_pin_that_is_locked_is_told_with_what_to_do(keys):
    # covers: KEY-2, OPS-2, ADM-2, SEC-7
    token = with_token(keys, "token-that-locks", LockingToken)
    count = keys.all_open()
    keys.it.keyward("key", "move", "pkcs11", token.where(with_pin=False), typed=PIN)
    keys.wait_root()
    slug, tenant = make_tenant(keys.it)
    console, central = Client(keys.it, "console"), operator(keys.it)
    assert console.sign_in(make_user(keys.it, tenant), account=slug).status == 303
    keys.it.restart("keyd")

    def said(cause, advice):
        """Everywhere, in words: what the matter is, and to those who can do something about it what that is."""
        # Whoever asks the token for the key service does so when that is there already.
        wait_until(lambda: f"sealed: {cause}" in console.get("/readyz").text, SECONDS, f"it is not said that it is sealed: {cause}")
        ready, status = console.get("/readyz"), keys.it.keyward("status", check=False)
        assert ready.status == 503 and f"sealed: {cause}" in ready.text, ready
        assert status.returncode == 1 and f"sealed, {cause}" in status.stdout and advice in " ".join(status.stdout.split()), status.stdout
        wait_until(lambda: all(advice in html.unescape(central.get(page).text) for page in ("/health", "/tenants")), SECONDS,
                   f"the operator's pages do not say: {advice}")
        wait_until(lambda: "key service is sealed" in console.get("/devices").text, SECONDS, "the tenant's pages do not say it")
        assert advice not in html.unescape(console.get("/devices").text)

    said("PIN needed", "Tell it its token's PIN: keyward unseal on the server.")
    told = [keys.it.keyward("unseal", typed=wrong, check=False) for wrong in ("1111", "2222", "3333", PIN)]
    assert [t.returncode for t in told] == [1] * 4
    for t, words in zip(told, ("the PIN is wrong", "the next wrong one locks it", "it is locked now", "security officer")):
        assert words in t.stderr, t
    # The right one is not tried on it either, nor after a restart.
    tries = token.tries()
    keys.it.restart("keyd")
    said("PIN locked", "The token takes no PIN until its security officer has set one anew; then keyward unseal on the server.")
    assert token.tries() == tries
    refused = keys.it.keyward("tenant", "create", "later", "Later", "a@later.example", check=False)
    assert refused.returncode == 1 and "PIN is locked" in refused.stderr
    token.reset()
    keys.it.keyward("unseal", typed=PIN)
    assert keys.all_open() == count and console.get("/readyz").status == 200
    wait_until(lambda: "key service is sealed" not in console.get("/devices").text, SECONDS, "it is not forgotten")
    back_to_a_file(keys)


def test_broken_off_at_any_point(keys):
    # covers: KEY-1, KEY-2, KEY-6
    seed = int(os.environ.get("KEYWARD_SEED") or random.randrange(1 << 30))
    print(f"    KEYWARD_SEED={seed}", flush=True)
    choose = random.Random(seed)
    tenant = str(keys.rows("select tenant from device_key group by tenant order by count(*) desc limit 1")[0][0])
    slug = keys.rows("select slug from tenant where id = %s", tenant)[0][0]
    count = keys.all_open()

    def revive():
        for name in ("database", "keyd", "jobd"):
            if not keys.it.alive(name):
                keys.it.start_again(name)

    for turn in range(3):
        commands = [("rotate", "root"), ("rotate", "tenant", slug)]
        for command in commands:
            p = threading.Thread(target=keys.it.keyward, args=command, kwargs={"check": False})
            p.start()
            victim = choose.choice(("database", "keyd", "jobd"))
            delay = choose.random() * 1.5
            time.sleep(delay)
            print(f"    {' '.join(command)}, {delay:.2f} s later: kill -9 {victim}", flush=True)
            keys.it.kill(victim)
            p.join()
            revive()
            assert keys.all_open() == count
    # Started again, both go on and end.
    wait_until(lambda: keys.it.keyward("rotate", "root", check=False).returncode == 0, SECONDS, "rotate root does not go on")
    keys.it.keyward("rotate", "tenant", slug, check=False)
    keys.wait_root()
    keys.wait_tenant(tenant)
    assert keys.all_open() == count and len(keys.roots()) == 1 and len(keys.under(tenant)) == 1


def test_operator_cannot_touch_keys_by_the_database(keys):
    # covers: TEN-3, TEN-4
    for role in ("central", "console", "agent"):
        import psycopg2
        c = psycopg2.connect(keys.it.conninfo("postgres"))
        with c.cursor() as q:
            q.execute(f"set session authorization keyward_{role}")
            for sql in ("update tenant set wrapped_key = null", "update root_rotation set state = 'done'",
                        "select setting_rewrapped('a', '1', '2')", "update tenant set key_id = null"):
                try:
                    q.execute("savepoint s")
                    q.execute(sql)
                    raise AssertionError((role, sql))
                except psycopg2.errors.InsufficientPrivilege:
                    q.execute("rollback to s")
        c.close()
