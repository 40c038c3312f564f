"""Resource pooling end to end (POL-5) and where devices come from (AGT-6): agents with the plug-in ec2, a stand-in for EC2 for each of
them, the same disks behind both."""
import json
import os
import sys

from clouds import DATA, KEY, POLICY, SPARE, Ec2
from fixtures import ROOT, fixture
from web import Client, database, make_user

sys.path.append(str(ROOT / "tests" / "agent"))
from agents import Tenant, has_line, log, mounts, start, unmounts, wait_for  # noqa: E402
from test_credentials import config, new_guest  # noqa: E402

RULES = json.dumps([{"type": "os.system", "conditions": [{"operator": "equals", "value": "linux"}]}])
INSTANCE = "i-0a1b2c3d4e5f60718"


@fixture("test")
def clouds(folder):
    """What the first machine has attached, the second can have only when it is free."""
    one, two = Ec2(folder / "one"), Ec2(folder / "two")
    for id, disk in one.disks.items():
        two.volume(id, file=str(disk))
    two.volume(DATA, state="in-use", attached_to="i-other", device="/dev/sdf", attachment="attached")
    for n, id in enumerate((DATA, SPARE)):
        one.volume(id, state="in-use", attached_to=INSTANCE, device=f"/dev/sd{'fg'[n]}", attachment="attached")
    yield one, two
    one.close()
    two.close()


@fixture("test")
def tenant(server):
    t = Tenant(server)
    with database(server).cursor() as c:
        c.execute("update policy set pooling = true, on_match = 'approve', rules = %s where tenant = %s and is_default", (RULES, t.account))
    return t


def device(tenant, id):
    row = [r for r in tenant.console("devices")["rows"] if r["provider_device"] == id]
    return tenant.console("device", row[0]["id"])


def add(guest, **settings):
    with open(guest.conf, "a") as f:
        f.writelines(f"{k} = {v}\n" for k, v in settings.items())


@fixture("test")
def guests(server, tenant, clouds, folder):
    """The first has encrypted both volumes, holds DATA open, and has let SPARE go; the second is registered."""
    one, two = (new_guest(server, c, folder, name) for c, name in zip(clouds, ("one", "two")))
    one.register(tenant.account, tenant.passphrase)
    # Every image is in a policy of its device's before a key is given without a person.
    with database(server).cursor() as c:
        c.execute("insert into policy_image (tenant, policy, image) select p.tenant, p.id, i.id from policy p join image i on"
                  " i.tenant = p.tenant where p.tenant = %s and p.is_default on conflict do nothing", (tenant.account,))
    config(one, secrets=KEY)
    for id, point in ((DATA, one.mount_point), (SPARE, one.folder / "spare")):
        d = device(tenant, id)
        tenant.console("configure", d["id"], "ext4", point, "read-write", "xts-plain64", 256)
        tenant.console("encrypt", d["id"], 1)
    start(one)
    wait_for(one, lambda: device(tenant, SPARE)["status"] == "in-use" and device(tenant, DATA)["status"] == "in-use", "not encrypted")
    (one.folder / "spare" / "hello").write_text("from the pool")
    assert one.stop()
    clouds[0].volume(SPARE, state="available", attached_to=None, device=None, attachment=None)
    os.unlink(clouds[0].folder / "by-id" / f"nvme-Amazon_Elastic_Block_Store_{SPARE.replace('-', '')}")
    start(one)
    wait_for(one, lambda: device(tenant, DATA)["status"] == "in-use", "DATA is not open")
    wait_for(one, lambda: device(tenant, SPARE)["status"] == "undetected" or device(tenant, SPARE)["instance"] is None, "SPARE still there")
    two.register(tenant.account, tenant.passphrase)
    yield one, two
    for g in (one, two):
        g.stop()


def test_another_device_of_the_pool_is_attached_mounted_and_goes_back(server, tenant, clouds, guests):
    # covers: POL-5, AGT-6, CSP-2
    one, two = guests
    # The volumes of both would have one name, which one kernel cannot tell apart: to the server the first still has its own.
    assert one.stop()
    with database(server).cursor() as c:
        c.execute("update instance set state = 'running' where tenant = %s and provider_instance = %s", (tenant.account, one.name))
    add(two, mount=f"{DATA},read-write,{two.mount_point}")
    start(two)
    mounts(two)
    assert (two.mount_point / "hello").read_text() == "from the pool"
    assert clouds[1].change()["volumes"][SPARE]["attached_to"] == INSTANCE
    wait_for(two, lambda: device(tenant, SPARE)["status"] == "in-use", "the server does not know")
    (two.mount_point / "more").write_text("written")
    # Killed and started again, it finds the volume open, and asks for nothing.
    two.process.kill()
    start(two)
    has_line(two, "volume is open already")
    assert "attaching a device" not in log(two)
    assert two.stop()
    assert not two.mounted() and clouds[1].change()["volumes"][SPARE]["attached_to"] is None
    # And again from the beginning: what was written is there.
    start(two)
    mounts(two)
    assert (two.mount_point / "more").read_text() == "written"
    # A revocation takes it off as well.
    request = [r for r in tenant.console("requests")["rows"] if r["status"] == "delivered" and r["device"] == device(tenant, SPARE)["id"]]
    tenant.console("revoke", request[0]["id"])
    unmounts(two)
    wait_for(two, lambda: clouds[1].change()["volumes"][SPARE]["attached_to"] is None, "still attached")


def test_credentials_that_were_replaced_meanwhile_are_fetched_and_used(server, tenant, clouds, guests):
    # covers: CFG-3, POL-5
    one, two = guests
    new = {"access_key_id": "AKIDROTATED", "secret_access_key": "rotated-secret"}
    for c in clouds:
        c.change(keys={k["access_key_id"]: {"secret": k["secret_access_key"], "policy": POLICY} for k in (KEY, new)})
    config(one, "--update-credentials", secrets=new, original=KEY)
    for c in clouds:
        c.change(keys={new["access_key_id"]: {"secret": new["secret_access_key"], "policy": POLICY}})
    add(two, mount=f"{DATA},read-write,{two.mount_point}")
    start(two)
    mounts(two)


def test_user_data_goes_before_the_file_and_is_a_fact(server, tenant, clouds, guests):
    # covers: AGT-6, RUL-7, RUL-8
    one, two = guests
    add(two, mount=f"{DATA},read-write,{two.folder}/by-file")
    clouds[1].change(user_data=f"#cloud-config\n# devices=[{DATA},rw,{two.mount_point}]\n")
    start(two)
    has_line(two, "user data goes before agent.conf")
    mounts(two)
    facts = None

    def reported():
        nonlocal facts
        facts = tenant.instance(two)["facts"]
        return facts and "instance.user_data" in json.dumps(facts)
    wait_for(two, reported, "no user data among the facts")
    values = facts["agent"]["values"]
    assert DATA in values["instance.user_data"] and values["instance.region"] == "eu-west-1" and values["instance.zone"] == "eu-west-1a"


def test_a_reassigned_device_opens_for_the_other_image_and_not_before(server, tenant, clouds, folder):
    # covers: DEV-4, SEC-7, CSP-2
    one, two = (new_guest(server, c, folder, name) for c, name in zip(clouds, ("one", "two")))
    clouds[1].change(image="ami-0fedcba9876543210")
    for g in (one, two):
        g.register(tenant.account, tenant.passphrase)
    with database(server).cursor() as c:
        # A pool is for whoever is in its policy, of whatever image.
        c.execute("update policy set pooling = false where tenant = %s and is_default", (tenant.account,))
        c.execute("insert into policy_image (tenant, policy, image) select p.tenant, p.id, i.id from policy p join image i on"
                  " i.tenant = p.tenant where p.tenant = %s and p.is_default on conflict do nothing", (tenant.account,))
        c.execute("select id from image where tenant = %s order by provider_image = 'ami-0fedcba9876543210'", (tenant.account,))
        first, other = (str(id) for id, in c.fetchall())
    config(one, secrets=KEY)
    people = Client(server, "console")
    assert people.sign_in(make_user(server, tenant.account), account=tenant.name).status == 303
    device_id = device(tenant, DATA)["id"]
    tenant.console("configure", device_id, "ext4", one.mount_point, "read-write", "xts-plain64", 256)
    tenant.console("encrypt", device_id, 1)
    try:
        start(one)
        mounts(one)
        (one.mount_point / "hello").write_text("from the first")
        assert one.stop()
        assert people.post(f"/devices/{device_id}/reassign", image=first).status == 303
        # Moved at the provider.
        clouds[0].volume(DATA, state="available", attached_to=None, device=None, attachment=None)
        os.unlink(clouds[0].folder / "by-id" / f"nvme-Amazon_Elastic_Block_Store_{DATA.replace('-', '')}")
        clouds[1].volume(DATA, state="in-use", attached_to=INSTANCE, device="/dev/sdf", attachment="attached")
        start(two)
        has_line(two, "is assigned to another image than this instance was started from; reassign it in the console")
        assert not os.path.ismount(one.mount_point)
        assert people.post(f"/devices/{device_id}/reassign", image=other).status == 303
        # It is told, and where it is mounted went with the device.
        has_line(two, "order=request-key")
        wait_for(two, lambda: os.path.ismount(one.mount_point), "not mounted")
        assert (one.mount_point / "hello").read_text() == "from the first"
        assert two.stop() and not os.path.ismount(one.mount_point)
    finally:
        one.stop()
        two.stop()
