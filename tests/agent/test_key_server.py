"""A guest whose volume's key is on a key server (KEY-3): encrypted, opened, rotated, with that server away in between."""
from agents import Tenant, finish, guest, has_line, mounts, new_guest, start, unmounts, wait_for  # noqa: F401
from fixtures import fixture
from kmip import PATIENCE, KmipServer
from stack.process import wait_until
from test_rotation import is_done, slots
from web import Client, database, make_user

URL = "/account/key-server"


class Kept(Tenant):
    """An account whose keys are on KMIP."""

    def __init__(self, server, kmip):
        super().__init__(server)
        self.page = Client(server, "console")
        assert self.page.sign_in(make_user(server, self.account), account=self.name).status == 303
        assert self.page.post(URL, **kmip.fields()).status == 303
        assert self.page.post(URL + "/place", place="tenant").status == 303
        self.becomes("Answers")

    def becomes(self, badge):
        wait_until(lambda: self.page.api(URL).json["state"]["badge"]["name"] == badge, PATIENCE, f"the key server is not {badge}")

    def keys(self, device):
        with database(self.server).cursor() as c:
            c.execute("select version, state, key_server, server_key from device_key where device = %s order by version", (device,))
            return c.fetchall()


@fixture("test")
def kmip():
    with KmipServer() as k:
        yield k


def test_encrypted_opened_and_rotated_with_outages_in_between(server, kmip, guest):  # noqa: F811
    # covers: KEY-3, KEY-6, AGT-1
    tenant = Kept(server, kmip)
    guest.register(tenant.account, tenant.passphrase)
    # It is to be encrypted while the key server is away: it waits, without an error.
    kmip.stop()
    tenant.becomes("Away")
    tenant.encrypt(guest)
    start(guest)
    has_line(guest, "key server has been away")
    assert tenant.device(guest)["status"] == "encryption-pending"
    kmip.start()
    tenant.approve(guest)
    mounts(guest)
    (guest.mount_point / "file").write_text("kept")
    device = tenant.device(guest)["id"]
    [(version, _, whose, called)] = tenant.keys(device)
    assert whose == "tenant" and called in kmip.keys()
    # The new key of a rotation is made there, too.
    tenant.becomes("Answers")
    tenant.console("rotate", device, "device-key")
    is_done(tenant, guest)
    rows = tenant.keys(device)
    assert [(r[1], r[2]) for r in rows] == [("former", "tenant"), ("active", "tenant")] and rows[1][3] != called and rows[1][3] in kmip.keys(), rows
    assert len(slots(guest.disk)) == 1
    # Open volumes do not care. Closed, they are opened again when the key server is back.
    kmip.stop()
    tenant.becomes("Away")
    assert (guest.mount_point / "file").read_text() == "kept"
    assert guest.stop()
    unmounts(guest)
    start(guest)
    tenant.approve(guest)
    wait_for(guest, lambda: tenant.requests(guest)[0]["status"] == "approved", "the request does not wait")
    assert not guest.mounted()
    kmip.start()
    mounts(guest)
    assert (guest.mount_point / "file").read_text() == "kept"
