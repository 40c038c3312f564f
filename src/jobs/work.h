/* work.h - what jobd does when it is asked: one row per kind of job in the queue (store/job.h). Jobs may be slow and may speak to the
 * outside, so they run in threads of their own, each with its own connections, and never hold a transaction while they wait. */
#ifndef JOBS_WORK_H
#define JOBS_WORK_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/conf.h"
#include "keys/client.h"
#include "store/db.h"
#include "store/job.h"

/* One job under way. */
struct work {
	struct db *db;               /* role keyward_jobs; nothing open */
	struct keys_client *keys;
	const struct conf *conf;
	const struct job *job;
	clock_us now;
};

/* Whom a job waits for. Each has threads of its own: a peer that stalls holds up no other kind. */
enum work_lane {
	WORK_OURS,
	WORK_MAIL,
	WORK_WEBHOOK,
	WORK_LOG,
	WORK_KEY_SERVER,
	WORK_DEEP_SECURITY,
};

struct work_kind {
	const char *kind;
	enum work_lane lane;
	clock_us lease;              /* another jobd takes it over when it is not done by then */
	int attempts;                /* so often at the most; then it stays as failed, for people to see */
	clock_us pause;              /* before the second attempt; doubled each time */
	/* 0: done. An error is tried again, but for ERR_INVALID and ERR_NOT_FOUND: those would only come again. It can be run twice. */
	int (*run)(struct work *w);
};

extern const struct work_kind work_kinds[];              /* ends with a NULL kind */

/* A transaction bound to the job's tenant, as jobd; then db_commit or db_rollback. */
int work_begin(struct work *w);
/* The same job once more, behind those that wait: for long ones whose turn is over. */
int work_again(struct work *w);

/* Starts the threads; they end soon after *STOPPING is set. */
int work_start(const struct conf *conf, const atomic_int *stopping);
void work_join(void);

#endif
