/* taskkey.c - see taskkey.h. */
#include "agent/guest/taskkey.h"

#include <stdio.h>
#include <string.h>

#include "agent/guest/claims.h"

int taskkey_unseal(const struct guest *g, const struct sealed *one_time, const char *sealed, int64_t version, struct task_key *out)
{
	struct sealed_expected expected = { .tenant = g->reg.account, .agent = g->reg.agent, .version = (uint32_t)version };
	struct secret *key = NULL;
	int rc = claims_read(sealed, &expected);

	if (rc == 0)
		rc = sealed_open(one_time, sealed, strlen(sealed), &expected, &key);
	if (rc == 0)
		*out = (struct task_key){ expected.device, expected.version, key };
	return rc;
}

int taskkey_fetch(struct guest *g, enum proto_message type, void *request, const char *device, uint8_t *public_key, uint8_t *signature,
	struct task_key *out)
{
	struct proto_provision_start_answer *a = proto_answer_new(type);
	struct sealed *one_time = NULL;
	int rc = guest_recipient(g, device, &one_time, public_key, signature);

	if (rc == 0)
		rc = guest_call(g, type, request, a);
	if (rc == 0)
		rc = taskkey_unseal(g, one_time, a->sealed, a->key_version, out);
	sealed_free(one_time);
	proto_answer_free(type, a);
	return rc;
}

int taskkey_fetch_for(struct guest *g, enum proto_message type, const char *device, struct task_key *out)
{
	struct proto_provision_start *r = proto_request_new(type);
	int rc;

	snprintf(r->device, sizeof r->device, "%s", device);
	rc = taskkey_fetch(g, type, r, device, r->recipient_key, r->signature, out);
	proto_request_free(type, r);
	return rc;
}
