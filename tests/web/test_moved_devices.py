"""An agent that lies in its inventory: it lists a volume that a neighbour of its own account has (of a provider that attaches volumes, where
they do move), while a key is given for it without a policy: in the midst of its encryption, or once its release was allowed."""
import uuid

from fixtures import fixture
from test_agent_service import Agent, make_agent
from test_key_gates import Asker
from world import World, count, run


class Pair:
    """A volume of EC2 at its machine, and a neighbour that would have it."""

    def __init__(self, server):
        self.owner = Asker(World(server))
        self.server, tenant = server, str(self.owner.world.tenant)
        self.thief = Agent(server, tenant, *make_agent(server, tenant)).connect()
        run(server, "update instance set provider = 'ec2' where tenant = %s", tenant)
        run(server, "update device set provider = 'ec2', machine = device_machine('ec2', instance) where id = %s", self.owner.row)

    def list_it(self, agent, devices=None):
        name = count(self.server, "select i.provider_instance from instance i join agent a on a.instance = i.id where a.id = %s",
                     str(uuid.UUID(bytes=agent.agent)))
        return agent.say(type="inventory", provider="ec2", instance_id=name, host={"name": "py", "system": "linux", "agent_version": "1"},
                         devices=[{"id": self.owner.device, "path": "/dev/sdf", "size_bytes": 1 << 30, "kind": "disk"}]
                         if devices is None else devices)

    def ask(self, **message):
        """As the neighbour, with a one-time key that it has signed for."""
        own, self.owner.agent = self.owner.agent, self.thief
        try:
            return self.thief.say(device=self.owner.device, **message, **self.owner.recipient())
        finally:
            self.owner.agent = own


@fixture("test")
def pair(server):
    return Pair(server)


def pending(server, pair):
    run(server, "delete from device_key where device = %s", pair.owner.row)
    run(server, "update device set status = 'encryption-pending', luks_uuid = '', configured = now() where id = %s", pair.owner.row)


def test_who_lists_a_volume_that_is_to_be_encrypted_gets_no_task_and_no_key(server, pair):
    # covers: DEV-3, KEY-4, SEC-7
    pending(server, pair)
    assert pair.list_it(pair.thief)["type"] == "inventory"
    assert pair.thief.say(type="provisioning").get("tasks", []) == []
    answer = pair.ask(type="provision_start")
    assert answer["type"] == "refusal" and "sealed" not in answer, answer
    assert len(pair.owner.agent.say(type="provisioning")["tasks"]) == 1


def test_an_order_to_encrypt_does_not_go_to_the_next_machine(server, pair):
    # covers: DEV-3, SEC-7, LOG-3
    pending(server, pair)
    run(server, "update agent set state = 'removed' where id = %s", pair.owner.id)
    assert pair.list_it(pair.thief)["type"] == "inventory"
    assert count(server, "select status from device where id = %s", pair.owner.row) == "configured"
    assert pair.thief.say(type="provisioning").get("tasks", []) == []
    assert pair.ask(type="provision_start")["type"] == "refusal"
    assert count(server, "select count(*) from audit_entry where object_id = %s and event = 'device.cancelled'"
                 " and detail ->> 'reason' like %s", pair.owner.row, "another machine%") == 1


def test_a_release_that_was_allowed_ends_when_the_device_is_detached(server, pair):
    # covers: VOL-7, SEC-7, LOG-3
    for pooling, status in ((False, "undetected"), (True, "encrypted")):
        run(server, "update policy set pooling = %s where tenant = %s", pooling, pair.owner.world.tenant)
        pair.list_it(pair.owner.agent)
        run(server, "update device set status = 'encrypted', release = 'hand-over', release_by = 'x' where id = %s", pair.owner.row)
        pair.list_it(pair.owner.agent, devices=[])
        assert count(server, "select status || ':' || release || release_by from device where id = %s", pair.owner.row) == status + ":"
        pair.list_it(pair.thief)
        answer = pair.ask(type="release_start", release="hand-over")
        assert answer["type"] == "refusal" and "nobody has allowed it" in answer["text"], answer
        pair.list_it(pair.thief, devices=[])
    assert count(server, "select count(*) from audit_entry where object_id = %s and event = 'device.release-cancelled'", pair.owner.row) == 2


def test_a_release_that_was_allowed_is_not_for_the_machine_that_comes_after(server, pair):
    # covers: VOL-7, SEC-7
    run(server, "update device set release = 'hand-over', release_destroys = true where id = %s", pair.owner.row)
    run(server, "update agent set state = 'removed' where id = %s", pair.owner.id)
    pair.list_it(pair.thief)
    assert pair.ask(type="release_start", release="hand-over")["type"] == "refusal"
    assert pair.thief.say(type="release_done", device=pair.owner.device)["type"] == "refusal"
    assert count(server, "select count(*) from device_key where device = %s and state = 'active'", pair.owner.row) == 1


def test_who_lists_a_volume_that_is_being_encrypted_gets_no_key(server, pair):
    # covers: KEY-4, SEC-7
    run(server, "update device_key set used = null where device = %s", pair.owner.row)
    run(server, "update device set status = 'encrypting', luks_uuid = '' where id = %s", pair.owner.row)
    assert pair.list_it(pair.thief)["type"] == "inventory"
    answer = pair.ask(type="provision_start")
    assert answer["type"] == "refusal" and "sealed" not in answer, answer


def test_who_lists_a_volume_whose_release_was_allowed_gets_no_key(server, pair):
    # covers: VOL-7, SEC-7
    run(server, "update device set release = 'hand-over' where id = %s", pair.owner.row)
    assert pair.list_it(pair.thief)["type"] == "inventory"
    answer = pair.ask(type="release_start", release="hand-over")
    assert answer["type"] == "refusal" and "sealed" not in answer, answer


def test_who_lists_a_volume_whose_release_was_allowed_does_not_end_it(server, pair):
    # covers: VOL-7, SEC-7
    run(server, "update device set release = 'hand-over', release_destroys = true where id = %s", pair.owner.row)
    pair.list_it(pair.thief)
    answer = pair.thief.say(type="release_done", device=pair.owner.device)
    assert answer["type"] == "refusal", answer
    assert count(server, "select count(*) from device_key where device = %s", pair.owner.row) == 1


def test_who_lists_a_volume_that_is_being_decrypted_gets_no_key(server, pair):
    # covers: VOL-7, SEC-7
    run(server, "update device set release = 'decrypt', status = 'decrypting' where id = %s", pair.owner.row)
    assert pair.list_it(pair.thief)["type"] == "inventory"
    answer = pair.ask(type="release_start", release="decrypt")
    assert answer["type"] == "refusal" and "sealed" not in answer, answer


def test_agents_say_nothing_of_devices_of_others(server, pair):
    # covers: SEC-7
    n = pair.owner.device
    for message in ({"type": "provision_progress", "percent": 5}, {"type": "provision_done", "luks_uuid": "x", "key_version": 1},
                    {"type": "provision_failed", "reason": "no"}, {"type": "adopt_done", "luks_uuid": "x", "key_version": 1},
                    {"type": "rotate_added", "key_version": 1}, {"type": "rotate_done", "key_version": 1}, {"type": "release_done"},
                    {"type": "propose", "os": "linux", "filesystem": "ext4", "mount_point": "/srv/x", "access": "read-write",
                     "mode": "xts-plain64", "key_bits": 256, "label": ""}):
        answer = pair.thief.say(device=n, **message)
        assert answer["type"] == "refusal" and answer["code"] == "not-found", (message, answer)
    for type in ("provision_start", "rotate_start"):
        assert pair.ask(type=type)["code"] == "not-found"
