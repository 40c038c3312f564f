/* table.h - what jobd does now and then (to the second: due.h): one row per task. A task is bound to one tenant at a time, or to
 * none, and runs in a transaction of its own; run twice, or by two jobd at once, it does no more than once. */
#ifndef JOBS_TABLE_H
#define JOBS_TABLE_H

#include <jansson.h>

#include "base/clock.h"
#include "store/db.h"

struct task {
	const char *name;
	clock_us every;
	int per_tenant;
	int (*run)(struct db *db, clock_us now);         /* 0 or how much was done, or ERR_; TASK_CHUNK: there may be more, at once */
	int (*tenants)(struct db *db, json_t **out);     /* [{id}] for whom there is something to do; NULL: that is asked of each */
};

#define TASK_CHUNK 100           /* what a task of many rows does in one transaction, so that nobody waits for it */

extern const struct task tasks[];                        /* ends with a NULL name */

/* Runs TASK for TENANT (NULL: for none) in a transaction of its own; what it gave. A failure is logged. */
int task_run(struct db *db, const struct task *task, const struct uuid *tenant, clock_us now);

/* An agent that says nothing for this long is missing (RUN-7); gone this long, its instance leaves the list. */
#define INSTANCE_MISSING_AFTER (2 * CLOCK_MINUTE)
#define INSTANCE_EXPIRES_AFTER (7 * CLOCK_DAY)
#define HEARTBEAT_MONTHS 12
#define BULK_KEPT (30 * CLOCK_DAY)       /* what became of each is in the log, too */

#endif
