/* answer_recipient.c - that an agent has signed the one-time key that a key is to be sealed to: verified when the key is asked for, and known
 * when it is released (seen.h). */
#include "keys/act.h"

#include <stdlib.h>

#include "keys/client.h"

int answer_recipient_check(struct act *a)
{
	struct proto_recipient r = { .account = a->tenant = wire_get_uuid(&a->in), .agent = a->object = wire_get_uuid(&a->in) };
	char *device = wire_get_string(&a->in, KEYS_AGENT_DEVICE_MAX);
	struct wire_view key = wire_get_raw(&a->in, KEYS_POINT_SIZE), agent_key = wire_get_raw(&a->in, KEYS_POINT_SIZE),
		signature = wire_get_raw(&a->in, KEYS_SIGNATURE_SIZE);
	int rc = wire_end(&a->in);

	r.device = device;
	r.key = key.data;
	if (rc == 0)
		rc = seen_recipient(&a->service->seen, &r, agent_key.data, signature.data);
	free(device);
	return rc;
}
