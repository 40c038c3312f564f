"""Exported keys: who may, what is asked first, what the files hold, what is logged and told."""
import pathlib
import re
import tempfile
import urllib.parse
import uuid

from cryptography.exceptions import InvalidTag

from chrome import Person
from exported import open_xml, open_zip
from fixtures import fixture
from mailsink import mail_of
from notices import noticed, told
from test_agent_pool import Machine, provision
from web import PASSWORD, database, make_user
from world import World, count

PASSPHRASE = "Lantern & Harbour 47"


class Exporter(World):
    def __init__(self, server):
        super().__init__(server)
        self.email = make_user(server, self.tenant, "security-administrator")
        self.machine = Machine(server, self.tenant, "native")
        for name in ("disk-1", "disk-2", "disk-3"):
            provision(server, self.machine, self.tenant, name)

    def device(self, name):
        with database(self.it).cursor() as c:
            c.execute("select id from device where tenant = %s and provider_device = %s", (self.tenant, name))
            return str(c.fetchone()[0])


@fixture("file")
def world(server):
    return Exporter(server)


def export(client, path, **changes):
    fields = {"current": PASSWORD, "passphrase": PASSPHRASE, "repeat": PASSPHRASE, **changes}
    pairs = [(k, x) for k, v in fields.items() for x in (v if isinstance(v, list) else [v])] + [("csrf", client.csrf)]
    return client.send("POST", path, urllib.parse.urlencode(pairs, errors="surrogateescape").encode(), {"Content-Type": "application/x-www-form-urlencoded"})


def entries(world, event):
    with database(world.it).cursor() as c:
        c.execute("select object_id::text, actor_name, detail from audit_entry where tenant = %s and event = %s order by seq",
                  (world.tenant, event))
        return c.fetchall()


def test_one_device_is_exported_logged_and_opened_by_other_code(server, world):
    # covers: KEY-5, ROL-2, LOG-2
    c, device = world.console(world.email), world.device("disk-1")
    assert f'href="/devices/{device}/export"' in c.get(f"/devices/{device}").text
    page = c.get(f"/devices/{device}/export")
    assert page.status == 200 and 'data-strength="f-passphrase"' in page.text and "12 to 128 characters" in page.text
    logged = len(entries(world, "key.exported"))
    a = export(c, f"/devices/{device}/export")
    assert a.status == 200 and a.header("content-type") == "application/zip", a
    assert re.fullmatch(r'attachment; filename="KeywardDeviceKeys-\d{8}T\d{6}Z\.zip"', a.header("content-disposition"))
    files = open_zip(a.body, PASSPHRASE)
    assert list(files) == [device]
    fields, key = files[device]
    assert len(key) == 32 and fields["account.id"] == str(world.tenant) and fields["device.provider-id"] == "disk-1"
    assert fields["volume.mount-point"] == "/data" and fields["volume.filesystem"] == "ext4" and fields["export.by"] == world.email
    assert count(server, "select luks_uuid from device where id = %s", device) == fields["volume.luks-uuid"]
    assert int(fields["derivation.memory-kib"]) >= 65536 and int(fields["derivation.passes"]) >= 3
    new = entries(world, "key.exported")[logged:]
    assert [e[0] for e in new] == [device] and new[0][2]["export"] == fields["export.id"]
    assert entries(world, "key.export")[-1][0] == fields["export.id"]
    # The log names it by its file, which whoever reads the log can find; of the whole export it says how many there are.
    name = a.header("content-disposition").split('"')[1]
    row = next(r for r in c.api("/log?text=" + name).json["list"]["rows"] if r["name"] == "key.export")
    assert row["object"] == name and row["detail"] == "devices: 1, keys: 1" and row["actor"] == world.email, row
    page = c.get("/log?text=" + name).text
    assert page.count(name) >= 2 and fields["export.id"] not in page, page
    # The same key again, under another salt; and what is altered does not open.
    again = export(c, f"/devices/{device}/export")
    other, same = open_zip(again.body, PASSPHRASE)[device]
    assert same == key and other["derivation.salt"] != fields["derivation.salt"]
    refuses_altered(again.body)


def refuses_altered(data):
    import io
    import zipfile
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        text = z.read(z.namelist()[0]).decode()
    for find, put in ((">", ">"), ('mount-point="/data"', 'mount-point="/etc"'), ('version="1"', 'version="2"'),
                      ('provider-id="disk-1"', 'provider-id="disk-2"'), ("</sealed>", None)):
        altered = text.replace(find, put) if put else text.replace("<sealed>", "<sealed>A", 1).replace("A</sealed>", "</sealed>")
        try:
            open_xml(altered, PASSPHRASE)
            assert altered == text, (find, put)
        except InvalidTag:
            assert altered != text
    try:
        open_xml(text, PASSPHRASE + "!")
        raise AssertionError("it opened with another passphrase")
    except InvalidTag:
        pass


def test_many_are_chosen_by_ticks_or_by_a_search(server, world):
    # covers: KEY-5, WEB-1, WEB-3
    c = world.console(world.email)
    page = c.get("/devices/export")
    ids = [world.device(f"disk-{n}") for n in (1, 2, 3)]
    assert page.status == 200 and all(f'value="{id}"' in page.text for id in ids)
    a = export(c, "/devices/export", scope="selected", device=ids[:2])
    assert set(open_zip(a.body, PASSPHRASE)) == set(ids[:2]), a
    a = export(c, "/devices/export", scope="all", search="")
    files = open_zip(a.body, PASSPHRASE)
    assert set(files) == set(ids) and len({key for _, key in files.values()}) == 3
    a = export(c, "/devices/export", scope="all", search="disk-3")
    assert set(open_zip(a.body, PASSPHRASE)) == {ids[2]}
    a = export(c, "/devices/export", scope="selected")
    assert a.status == 422 and "Tick the devices" in a.text
    # What was ticked stays ticked, and nothing secret comes back.
    a = export(c, "/devices/export", scope="selected", device=ids[:1], repeat="something else")
    assert a.status == 422 and a.text.count(" checked") == 2 and PASSPHRASE not in a.text, a.text.count(" checked")


def test_what_is_refused(server, world):
    # covers: KEY-5, ROL-1, ROL-2, IDN-6
    c, device = world.console(world.email), world.device("disk-1")
    logged = entries(world, "key.exported")
    for changes, text in ((dict(current="Wrong-Password-1"), "not your present password"), (dict(repeat="Another-One-77"), "not the same"),
                          (dict(passphrase="Short-1", repeat="Short-1"), "8 to 128"), (dict(passphrase="Eleven-0123", repeat="Eleven-0123"), "12 to 128"),
                          (dict(passphrase=PASSWORD, repeat=PASSWORD), "your own password"),
                          (dict(passphrase="no numeral here!", repeat="no numeral here!"), "upper case")):
        a = export(c, f"/devices/{device}/export", **changes)
        assert a.status == 422 and text in a.text, (changes, a.text[-3000:])
    # What no keyboard types; nothing is cut to what fits, and then exported under that.
    for odd in (" " * 12, "Lantern & Harbour\0 47", "Lantern & Harbour\n47", "Lantern & Harbour\x7f47", "Lantern & Harbour \udcff 47", "Aa1! " * 26, "Aa1! " * 40000):
        a = export(c, f"/devices/{device}/export", passphrase=odd, repeat=odd)
        assert a.status in (400, 413, 422) and a.header("content-disposition") is None, (odd[:30], a.status)
    for role in ("account-administrator", "auditor", "key-approver"):
        other = world.console(make_user(server, world.tenant, role))
        assert export(other, f"/devices/{device}/export").status == 403 and other.get("/devices/export").status == 403
        assert "/export" not in other.get(f"/devices/{device}").text
    with database(server).cursor() as q:
        for status in ("not-configured", "configured", "encryption-pending", "encrypting", "decrypting", "encryption-error", "undetected"):
            q.execute("update device set status = %s where id = %s", (status, device))
            assert export(c, f"/devices/{device}/export").status == 409, status
            assert export(c, "/devices/export", scope="selected", device=[device, world.device("disk-2")]).status == 409
            assert f"/devices/{device}/export" not in c.get(f"/devices/{device}").text
        q.execute("update device set status = 'encrypted' where id = %s", (device,))
    assert export(c, f"/devices/{uuid.uuid4()}/export").status in (404, 409)
    assert export(c, "/devices/export", scope="selected", device=[str(uuid.uuid4())]).status == 409
    assert entries(world, "key.exported") == logged
    # A key that does not open: what was begun is said to have come to nothing, and nothing is given out.
    with database(server).cursor() as q:
        change = "update device_key set wrapped = set_byte(wrapped, length(wrapped) - 1, 255 - get_byte(wrapped, length(wrapped) - 1)) where device = %s"
        q.execute(change, (device,))
        a = export(c, f"/devices/{device}/export")
        q.execute(change, (device,))
    assert a.status == 500 and "zip" not in (a.header("content-type") or ""), a
    (_, who, detail), = entries(world, "key.export-failed")
    assert who == world.email and detail["reason"], detail


def test_more_than_fit_into_one_export_are_refused_before_anything_is_done(server):
    # covers: KEY-5, SEC-5
    many = World(server)
    with database(server).cursor() as q:
        q.execute("insert into device (tenant, id, provider, provider_device, policy, status) select p.tenant, gen_random_uuid(), 'native', 'd' || n,"
                  " p.id, 'encrypted' from policy p, generate_series(1, 1001) n where p.tenant = %s and p.is_default", (many.tenant,))
    c = many.console(make_user(server, many.tenant, "security-administrator"))
    a = export(c, "/devices/export", scope="all", search="")
    assert a.status == 409 and "At most 1,000 keys" in a.text, a
    # Without a key each is refused, and so is all of them: nothing is left out.
    a = export(c, "/devices/export", scope="all", search="d7")
    assert a.status == 409 and "has no key here" in a.text.replace("\n", " "), a
    assert not entries(many, "key.exported") and not entries(many, "key.export")


def test_wrong_passwords_lock_as_at_sign_in(server, world):
    # covers: KEY-5, IDN-1
    email, device = make_user(server, world.tenant, "security-administrator"), world.device("disk-1")
    c = world.console(email)
    # The first ones count against the browser, which is like any other afterwards.
    for _ in range(11):
        assert export(c, f"/devices/{device}/export", current="Wrong-Password-1").status == 422
    assert export(c, f"/devices/{device}/export").status == 422
    assert count(server, "select locked_until > now() from app_user where email = %s", email)


def test_administrators_are_told(server, world):
    # covers: KEY-5, NTF-2
    # Of what tests before have exported nobody is told any more once there is a mail server.
    noticed(server, world.tenant)
    with mail_of(server) as sink:
        assert export(world.console(world.email), f"/devices/{world.device('disk-2')}/export").status == 200
        mail = sink.wait(world.user, "exported")
        assert world.device("disk-2") in mail.text and f"By: {world.email}" in mail.text and "Device: disk-2" in mail.text, mail.text
    told(server, world.tenant, "key-exported")


def test_a_guests_words_do_not_spoil_an_export(server):
    # covers: KEY-5, SEC-5
    w = Exporter(server)
    provision(server, w.machine, w.tenant, "disk-\x01\x9b\uffff<&")
    a = export(w.console(w.email), "/devices/export", scope="all", search="")
    files = open_zip(a.body, PASSPHRASE)
    assert len(files) == 4 and "disk-???<&" in {f["device.provider-id"] for f, _ in files.values()}, files


def by_browser(server, world, device, scripts, folder):
    with Person(server, scripts) as person:
        person.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
        person.open("console", "/sign-in")
        for label, value in (("Account name", world.slug), ("E-mail address", world.email), ("Password", PASSWORD)):
            person.put(label, value)
        person.go("Sign in")
        person.open("console", f"/devices/{device}/export")
        for label, value in (("Passphrase of the export", PASSPHRASE), ("The passphrase again", PASSPHRASE), ("Your own password", PASSWORD)):
            person.put(label, value)
        person.go("Export key")
        person.sees("1 key was exported")
        assert "disk-1" in person.text() and "keyward-keytool --open" in person.text()
        # With scripts it is saved at once, without them by a click; either way no passphrase stays on the page.
        if not scripts:
            person.click("Save the file")
        assert not person.driver.find_elements("css selector", "input[type=password]") and PASSPHRASE not in person.source()
        return person.until(lambda: next(folder.glob("KeywardDeviceKeys-*Z.zip"), None), "no file was saved")


def test_a_browser_is_told_what_was_exported_and_saves_it(server, world):
    # covers: KEY-5, WEB-1
    device = world.device("disk-1")
    for scripts in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            file = by_browser(server, world, device, scripts, pathlib.Path(folder))
            assert list(open_zip(file.read_bytes(), PASSPHRASE)) == [device]
