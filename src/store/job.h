/* job.h - the queue of what is slow or timed. Added in the transaction that causes it; taken by jobd. */
#ifndef STORE_JOB_H
#define STORE_JOB_H

#include <jansson.h>

#include "store/db.h"

#define JOB_CHANNEL "keyward_job"        /* notified when a job is added: db_listen */

struct job {
	struct uuid id;
	int has_tenant;
	struct uuid tenant;          /* whom to bind to while working on it */
	char *kind;
	json_t *payload;
	int64_t attempts;            /* this one included */
};

void job_release(struct job *j);                             /* frees what it points to; zeroed is fine */
/* For the tenant that the transaction is bound to; none: for the installation (central and jobs only). PAYLOAD is taken over
 * (NULL: {}). RUN_AT 0: now. UNIQUE (may be NULL): nothing is added while a job of that kind and key waits. */
int job_add(struct db *db, const char *kind, json_t *payload, clock_us run_at, const char *unique);
/* The same, now, for one that asks somebody outside. AWAY: who did not answer last time, so that others need not wait for that once more. */
int job_add_outside(struct db *db, const char *kind, json_t *payload, const char *unique, int away);

/* Whose turn it is in the queue: a thread takes none of the kinds LEAVE ("{mail,...}"; NULL: any), and only WITH_AWAY what has failed before. */
struct job_choice {
	const char *leave;
	int with_away;
};

/* jobd, bound to none. One that is due, for LEASE microseconds; ERR_NOT_FOUND when none is. */
int job_take(struct db *db, clock_us lease, const struct job_choice *choice, struct job *out);
/* In a transaction of its tenant: it is still at work, and stays its jobd's for LEASE microseconds from now, longer or shorter than before. */
int job_keep(struct db *db, const struct uuid *id, clock_us lease);
/* Adds the members of MORE to its payload, as whoever takes it next will see it. */
int job_note(struct db *db, const struct uuid *id, const json_t *more);
int job_finish(struct db *db, const struct uuid *id);
/* RETRY: when to try again; 0: never, it stays for people to see. ERROR must not hold a secret. */
int job_fail(struct db *db, const struct uuid *id, const char *error, clock_us retry);
/* When the next of each of COUNT choices is due: milliseconds by the database's clock until then, 0 or less when one is, at most MOST. */
int job_next_each(struct db *db, const struct job_choice *choices, size_t count, int64_t most, int64_t *ms);

#endif
