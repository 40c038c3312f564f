/* taskkey.h - the key of a task that a person or the server has ordered (encrypting, adopting, giving back, encrypting anew), for which there
 * is no key request. */
#ifndef AGENT_GUEST_TASKKEY_H
#define AGENT_GUEST_TASKKEY_H

#include "agent/guest/guest.h"

struct task_key {
	struct uuid device;              /* the server's id */
	uint32_t version;
	struct secret *key;              /* the caller's */
};

/* Asks for it with REQUEST, of TYPE, whose answer is a proto_provision_start_answer and in which all is set but the one-time key and the
 * signature over it: PUBLIC_KEY and SIGNATURE, its members. DEVICE is the id in it. */
int taskkey_fetch(struct guest *g, enum proto_message type, void *request, const char *device, uint8_t *public_key, uint8_t *signature,
	struct task_key *out);
/* The same where the request is a proto_provision_start. */
int taskkey_fetch_for(struct guest *g, enum proto_message type, const char *device, struct task_key *out);
/* Opens SEALED, a key of VERSION. */
int taskkey_unseal(const struct guest *g, const struct sealed *one_time, const char *sealed, int64_t version, struct task_key *out);

#endif
