/* bulk.c - decides many key requests for the person who has confirmed the list, a chunk per transaction; when its time is up,
 * another job goes on. */
#include "jobs/bulk.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/bulk.h"

#define CHUNK 100
#define TIME_MOST (20 * CLOCK_SECOND)
#define LEASE (15 * CLOCK_SECOND)        /* from chunk to chunk */

static int step(struct work *w, const struct uuid *id, int limit)
{
	struct db_actor actor = { .kind = DB_ACTOR_SYSTEM };
	char *name = NULL;
	int rc = work_begin(w);

	if (rc == 0)
		rc = bulk_actor(w->db, id, &name);
	db_rollback(w->db);
	actor.name = name;
	if (rc == 0)
		rc = db_begin(w->db, &w->job->tenant, &actor);
	if (rc == 0)
		rc = job_keep(w->db, &w->job->id, LEASE);
	rc = db_end(w->db, rc < 0 ? rc : bulk_step(w->db, id, limit));
	free(name);
	return rc;
}

/* A chunk that the database refuses is done one by one; the one that it was because of is left out. */
static int one_by_one(struct work *w, const struct uuid *id)
{
	int rc = 1;

	for (int i = 0; i < CHUNK && rc > 0; i++) {
		rc = step(w, id, 1);
		if (rc < 0)
			log_warning("a request of many could not be decided", "code", err_name(rc), "why", err_text(), NULL);
		if (rc < 0 && rc != ERR_UNAVAILABLE && rc != ERR_NOT_FOUND && (rc = work_begin(w)) == 0) {
			rc = bulk_skip(w->db, id, "it could not be decided");
			if (rc >= 0 && db_commit(w->db) < 0)
				rc = ERR_UNAVAILABLE;
			db_rollback(w->db);
		}
	}
	return rc;
}

int bulk_job(struct work *w)
{
	clock_us until = clock_ticks() + TIME_MOST;
	struct uuid id;
	int rc = json_get_uuid(w->job->payload, "bulk", &id), taken = 1;

	if (rc < 0)
		return rc;
	while (taken > 0 && clock_ticks() < until) {
		taken = step(w, &id, CHUNK);
		if (taken < 0 && taken != ERR_UNAVAILABLE && taken != ERR_NOT_FOUND)
			taken = one_by_one(w, &id);
	}
	/* Not running: another has finished it. */
	if (taken < 0)
		return taken == ERR_NOT_FOUND ? 0 : taken;
	return taken > 0 ? work_again(w) : 0;
}
