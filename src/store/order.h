/* order.h - what agents are to do; kinds are those of the agent protocol ("check", "revoke", "provision", ...). */
#ifndef STORE_ORDER_H
#define STORE_ORDER_H

#include <jansson.h>

#include "store/list.h"

#define ORDER_CHANNEL "keyward_order"    /* notified with the commit of an order, the agent's id as payload: db_listen */

/* DEVICE may be NULL: all, or an order without one. An order that waits already is not given twice. */
int order_add(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *argument);
/* No order, but a reason for the agent to ask what has become of its requests: its held line is answered with the commit. */
int order_nudge(struct db *db, const struct uuid *agent);
/* To the instance's active agent; without one nothing happens. */
int order_add_for_instance(struct db *db, const struct uuid *instance, const char *kind, const struct uuid *device,
	const char *argument);
/* The agent's setting NAME is VALUE from now on, in place of values of it that wait. */
int order_configure(struct db *db, const struct uuid *agent, const char *name, int64_t value);
/* What is known of the instance's active agent: {agent, log_level, log_level_until and log_level_then (null: it stays so)}.
 * ERR_NOT_FOUND: no such instance, or none that has an agent. */
int order_agent_of(struct db *db, const struct uuid *instance, json_t **out);
/* From now on the agent logs from LEVEL on, and after FOR_US (0: never) as it did before. Takes the place of an order of this kind that
 * waits. */
int order_log_level(struct db *db, const struct uuid *instance, const char *level, clock_us for_us);
/* All orders to agents of an instance: {id, kind, device, device_name, argument, state, created, created_by, due, taken, finished, detail};
 * state is one of ORDER_STATES. Filters "instance", and "show": "open", "done", "failed". */
int order_list(struct db *db, const struct list_query *query, json_t **page);
/* Removes some of those that were finished before. 0 or ERR_. */
int order_clean(struct db *db, clock_us before);

#define ORDER_STATES(X) \
	X("later", "For later", "blue") \
	X("waiting", "Waiting", "yellow") \
	X("given", "Given", "blue") \
	X("done", "Done", "green") \
	X("failed", "Failed", "red") \
	X("withdrawn", "Withdrawn", "gray") \
	X("void", "Agent is gone", "gray")
#define ORDER_KEPT (90 * CLOCK_DAY)

/* Agent: the oldest LIMIT that are not finished, marked as taken: [{id, kind, device: the provider's id or "", argument}]. Given
 * again until finished. */
int order_take(struct db *db, const struct uuid *agent, int limit, json_t **out);
/* Agent: an order of that kind for DEVICE that waits no longer makes sense; WHY is kept with it. */
int order_forget(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *why);
/* Agent: the same for orders for DEVICE that were given before the volume of the key request REQUEST was open. */
int order_forget_early(struct db *db, const char *kind, const struct uuid *device, const struct uuid *request, const char *why);
/* Agent: ERR_NOT_FOUND when it is not this agent's or is finished already, which is no reason to worry. */
int order_finish(struct db *db, const struct uuid *agent, const struct uuid *order, int done, const char *detail);

#endif
