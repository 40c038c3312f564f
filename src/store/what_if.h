/* what_if.h - a policy's document tried on the requests of the last days (POL-7): a run that jobd carries out in steps, each in a
 * transaction of its own, and that can be broken off and taken up again anywhere. */
#ifndef STORE_WHAT_IF_H
#define STORE_WHAT_IF_H

#include "store/db.h"
#include "store/list.h"

#define WHAT_IF_JOB "what-if"            /* payload {"run": id} */
#define WHAT_IF_DAYS_MAX 365
#define WHAT_IF_KEPT (30 * CLOCK_DAY)    /* runs older than that go */
#define WHAT_IF_RUNNING_MAX 5            /* of one tenant at a time */

/* Console */

/* POLICY NULL: of a policy that is not there yet, tried on the requests of the devices that DRAFT has chosen, or of all where it has none. DRAFT NULL: the policy as it is saved. DOCUMENT: canonical. ERR_TOO_MANY. */
int what_if_start(struct db *db, const struct uuid *policy, const struct uuid *draft, const json_t *document, int64_t days, struct uuid *id);
/* {id, policy, draft, document, name, days, since, state, error, total, done, unknown, verdicts, rules, created, devices (how many it is tried on; 0: all), created_by_name, finished};
 * ERR_NOT_FOUND. */
int what_if_get(struct db *db, const struct uuid *id, json_t **out);
/* ERR_CONFLICT: it has ended; ERR_NOT_FOUND. */
int what_if_stop(struct db *db, const struct uuid *id);
/* Filters: "run" (needed), "show" ("changed", an action it would be, or "approve>deny"). Sort: requested. Rows: id (of the request), requested,
 * was, would, reason, status, device, device_name, instance, instance_name, decided_by_name. */
int what_if_verdicts(struct db *db, const struct list_query *query, json_t **page);

/* Jobs */

/* The run, locked: {policy, document, since, state, at_time, at_request}; a waiting one is running from now on, with its total.
 * ERR_NOT_FOUND: it is gone; ERR_CONFLICT: it has ended. */
int what_if_take(struct db *db, const struct uuid *id, json_t **out);
/* The next LIMIT requests of the run, in order: [{id, requested, was, facts}]. */
int what_if_next(struct db *db, const json_t *run, int limit, json_t **out);
/* What came of a step. */
struct what_if_found {
	json_t *rows;                /* [{request, requested, was, would, reason}] */
	json_t *verdicts;            /* {"approve>deny": n, "manual>manual": n} */
	json_t *rules;               /* {"0>failed": n}: of the first rule at the top; "all>passed": requests that match them all */
	int64_t done, unknown;       /* unknown: of those done, they have nothing that a rule could be held against */
};
/* LAST: the last row of what_if_next, NULL: there was none, and the run is done. */
int what_if_note(struct db *db, const struct uuid *id, const struct what_if_found *found, const json_t *last);
int what_if_failed(struct db *db, const struct uuid *id, const char *error);
int what_if_clean(struct db *db, clock_us before);

#endif
