/* log_search.c - one step after the other, as a job: the index of a large month takes minutes. */
#include "jobs/log_search.h"

#include "store/audit_search.h"

#define LEASE (30 * CLOCK_MINUTE)        /* for one step */

int log_search_queue(struct db *db, clock_us now)
{
	int rc = audit_search_due(db);

	(void)now;
	return rc <= 0 ? rc : job_add(db, LOG_SEARCH_JOB, NULL, 0, LOG_SEARCH_JOB);
}

/* Over a connection of its own, whose statements may take as long as they do. */
int log_search_job(struct work *w)
{
	struct db *db = db_new(conf_get(w->conf, CONF_DATABASE_JOBS));
	int rc = 1;

	db_set_log(db, conf_get(w->conf, CONF_DATABASE_LOG));
	db_limits(db, 0, DB_LOCK_MS);
	while (rc > 0) {
		rc = work_begin(w);
		if (rc == 0)
			rc = job_keep(w->db, &w->job->id, LEASE);
		rc = db_end(w->db, rc);
		if (rc == 0)
			rc = audit_search_step(db);
	}
	db_free(db);
	return rc;
}
