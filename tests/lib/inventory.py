"""What agents would have reported, straight into the database: for tests and pictures of the pages that only show it."""
import json
import uuid

from web import database

FACTS = {"host.name": "orders-db-1", "os.distribution": "Debian GNU/Linux", "os.version": "12", "os.kernel": "6.1.0-27-cloud-amd64",
         "os.bits": 64, "os.uptime_s": 7500, "network.addresses": {"10.20.4.17": None, "2001:db8::17": None}, "agent.version": "0.1.0",
         "network.services": {"tcp/22": {"address": ["0.0.0.0", "::"], "process": "sshd"},
                              "tcp/5432": {"address": ["127.0.0.1"], "process": "postgres"}},
         "packages": {f"package-{n:03}": f"1.{n}-1" for n in range(60)} | {"openssl": "3.0.11-1~deb12u2"},
         "gathered_at": "2026-11-21T09:26:00.000Z"}
DOCUMENT = {"agent": {"at": "2026-11-21T09:26:00.000Z", "values": FACTS},
            "server": {"at": "2026-11-21T09:26:00.000Z", "utc_offset_s": 0, "values": {"request.address": "10.20.4.17"}}}


class Machine:
    """One image, instance, agent, and a device of the default policy that is encrypted; ids as attributes."""

    def __init__(self, installation, tenant, name="orders-db-1", provider="native"):
        self.it, self.tenant, self.name = installation, tenant, name
        self.image, self.instance, self.agent, self.device = (str(uuid.uuid4()) for _ in range(4))
        self.provider_image = f"ami-{uuid.uuid4().hex[:12]}"
        with database(installation).cursor() as c:
            c.execute("select id from policy where tenant = %s and is_default", (tenant,))
            self.policy = c.fetchone()[0]
            c.execute("insert into image (tenant, id, provider, provider_image) values (%s, %s, %s, %s)",
                      (tenant, self.image, provider, self.provider_image))
            c.execute("insert into policy_image (tenant, policy, image) values (%s, %s, %s)", (tenant, self.policy, self.image))
            # Seen an hour from now: no agent tells that it is there, and jobd, after two minutes, would call it missing and end its requests.
            c.execute("insert into instance (tenant, id, image, provider, provider_instance, host_name, facts, facts_at, last_seen)"
                      " values (%s, %s, %s, %s, %s, %s, %s, now(), now() + interval '1 hour')",
                      (tenant, self.instance, self.image, provider, f"i-{self.instance}", name, json.dumps(DOCUMENT)))
            c.execute("insert into agent (tenant, id, instance, public_key, version, address) values (%s, %s, %s, %s, '0.1.0', '10.20.4.17')",
                      (tenant, self.agent, self.instance, uuid.uuid4().bytes * 4 + b"k"))
            c.execute("insert into device (tenant, id, provider, provider_device, name, size_bytes, instance, image, policy, status,"
                      " os, filesystem, mount_point) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'encrypted', 'linux', 'ext4',"
                      " '/srv/data')", (tenant, self.device, provider, f"d-{self.device}", f"{name} data", 5 << 30, self.instance, self.image,
                                        self.policy))

    def disk(self, name, size=1 << 30, **values):
        """Another device of this machine, not configured; VALUES go into its columns."""
        values = {"id": str(uuid.uuid4()), "tenant": self.tenant, "provider": "native", "provider_device": f"d-{name}", "name": name,
                  "size_bytes": size, "instance": self.instance, "image": self.image, "policy": self.policy} | values
        with database(self.it).cursor() as c:
            c.execute(f"insert into device ({', '.join(values)}) values ({', '.join(['%s'] * len(values))})", list(values.values()))
        return values["id"]

    def request(self, status="pending", days_ago=0, closed=False, decided_by=None):
        id = str(uuid.uuid4())
        with database(self.it).cursor() as c:
            c.execute("insert into key_request (tenant, id, device, instance, agent, image, policy, policy_name, status, access,"
                      " mount_point, recipient_key, signature, requested, closed, decided_by) values (%s, %s, %s, %s, %s, %s, %s,"
                      " 'Default policy', %s, 'read-write', '/srv/data', %s, %s, now() - %s * interval '1 day',"
                      " case when %s then now() end, %s)", (self.tenant, id, self.device, self.instance, self.agent, self.image,
                                                           self.policy, status, b"r" * 65, b"s" * 64, days_ago, closed, decided_by))
        return id
