/* order.h - what agents are to do; kinds are those of the agent protocol ("check", "revoke", "provision", ...). */
#ifndef STORE_ORDER_H
#define STORE_ORDER_H

#include <jansson.h>

#include "store/db.h"

#define ORDER_CHANNEL "keyward_order"    /* notified with the commit of an order, the agent's id as payload: db_listen */

/* DEVICE may be NULL: all, or an order without one. An order that waits already is not given twice. */
int order_add(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *argument);
/* No order, but a reason for the agent to ask what has become of its requests: its held line is answered with the commit. */
int order_nudge(struct db *db, const struct uuid *agent);
/* To the instance's active agent; without one nothing happens. */
int order_add_for_instance(struct db *db, const struct uuid *instance, const char *kind, const struct uuid *device,
	const char *argument);
/* Agent: the oldest LIMIT that are not finished, marked as taken: [{id, kind, device: the provider's id or "", argument}]. Given
 * again until finished. */
int order_take(struct db *db, const struct uuid *agent, int limit, json_t **out);
/* Agent: an order of that kind for DEVICE that waits no longer makes sense; WHY is kept with it. */
int order_forget(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *why);
/* Agent: ERR_NOT_FOUND when it is not this agent's or is finished already, which is no reason to worry. */
int order_finish(struct db *db, const struct uuid *agent, const struct uuid *order, int done, const char *detail);

#endif
