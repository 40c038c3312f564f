/* heartbeat.h - heartbeats, gathered by the agent service and written many at a time, per tenant. */
#ifndef STORE_HEARTBEAT_H
#define STORE_HEARTBEAT_H

#include <jansson.h>

#include "store/db.h"

struct heartbeat {
	struct uuid agent;
	clock_us at;
	const json_t *volumes;       /* list; borrowed; NULL: none */
	const char *version, *log_level, *address;   /* NULL: as it was */
	int insecure_tls;            /* certificate checks are switched off in the guest */
};

/* One statement each for history, agents, their checks of certificates, and instances. Logged are those that were missing and are back, and
 * those that have switched the checks off or on. */
int heartbeat_write(struct db *db, const struct heartbeat *beats, size_t count);
/* jobd: makes partitions ahead, drops those that ended more than KEEP months ago. Bound to none. */
int heartbeat_maintain(struct db *db, int keep_months);

#endif
