/* raid.c - an array's keys (RAID-1): one request, one decision, a key for each member. */
#include "agentapi/raid.h"

#include <stdio.h>

#include "base/err.h"
#include "store/raid.h"
#include "store/tenant.h"

_Static_assert(RAID_MEMBERS_MAX <= PROTO_RAID_MAX, "an answer has room for all members");

static int seal_all(struct agent_call *c, const struct request_case *k, const struct raid_key *keys, int count,
	struct proto_key_answer *answer)
{
	const struct agent_recipient recipient = { k->asked_name, k->recipient_key, k->signature };
	struct buf tenant = BUF_INIT;
	int rc = tenant_key(c->db, &tenant);

	for (int i = 0; rc == 0 && i < count; i++) {
		struct proto_key_member *m = &answer->members[i];

		snprintf(m->device, sizeof m->device, "%s", keys[i].provider_device);
		m->index = keys[i].index;
		m->key_version = keys[i].version;
		rc = agent_seal(c, &k->id, &keys[i].device, keys[i].version, &tenant, &keys[i].wrapped, &keys[i].ticket, &recipient,
			m->sealed);
		m->other_version = keys[i].other;
		if (rc == 0 && keys[i].other)
			rc = agent_give_other(c, &k->id, &(struct agent_other){ .device = &keys[i].device, .name = keys[i].provider_device,
				.version = keys[i].other, .tenant = &tenant, .recipient = &recipient, .sealed = m->other_sealed });
	}
	buf_free(&tenant);
	return rc;
}

int agent_deliver_raid(struct agent_call *c, const struct request_case *k, struct proto_key_answer *answer)
{
	struct raid_key keys[RAID_MEMBERS_MAX] = { 0 };
	int count = raid_keys(c->db, &k->id, &k->device.id, &k->instance, keys);
	int rc = count < 0 ? count : request_deliver_case(c->db, k, k->device.key_version);

	if (rc == 0)
		rc = seal_all(c, k, keys, count, answer);
	if (rc == 0) {
		answer->members_count = count;
		answer->key_version = k->device.key_version;
		answer->status = PROTO_KEY_DELIVERED;
	}
	raid_keys_free(keys, count < 0 ? 0 : (size_t)count);
	return rc;
}
