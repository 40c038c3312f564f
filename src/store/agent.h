/* agent.h - agents: registration, their keys, what they last said. Role agent unless said otherwise. */
#ifndef STORE_AGENT_H
#define STORE_AGENT_H

#include "store/db.h"
#include "store/inventory.h"

#define AGENT_KEY_SIZE 65        /* P-256 point, uncompressed */

struct agent {
	struct uuid id, instance, image;     /* image: that the instance was started from; nil: the provider knows none */
	uint8_t public_key[AGENT_KEY_SIZE];
	char state[16];              /* "active"; "replaced" or "removed": it may do nothing more */
	char tenant_state[16];       /* "active", "suspended", ... */
	char host_name[256];
};

/* Registers ID with its key; its instance and image are made where they are new. The instance's former agent is replaced. Where this key is
 * the active agent's of the instance already, ID becomes that agent's and nothing is changed. ERR_CONFLICT: it was another's. */
int agent_register(struct db *db, struct uuid *id, const uint8_t public_key[static AGENT_KEY_SIZE],
	const struct inventory *description, const char *version, const char *address, struct uuid *instance);
/* ERR_NOT_FOUND. The caller looks at both states. */
int agent_find(struct db *db, const struct uuid *id, struct agent *out);
/* It publishes what it has: where its machine was stopped or missing it runs again, and has started, which is logged. And its farewell. */
int agent_booted(struct db *db, const struct uuid *id);
int agent_stopped(struct db *db, const struct uuid *id, const char *reason);
/* Console. The agent of the instance may do nothing more. ERR_NOT_FOUND: it has none. */
int agent_remove(struct db *db, const struct uuid *instance);


/* How many messages the account's agents may send a second; 0: as many as they like. Agent. */
int agent_quota(struct db *db, int64_t *rate);

#endif
