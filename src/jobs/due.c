/* due.c - automatic approvals and expiries at their second (POL-4, RUN-8), a chunk per transaction. */
#include "jobs/due.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "jobs/table.h"
#include "store/facts.h"
#include "store/check.h"
#include "store/request.h"
#include "store/timer.h"

#define DUE_AT_ONCE 50

/* On what is known of the machine now, not when it asked. */
static int approve(struct db *db, const struct request_case *c, clock_us now)
{
	struct facts_question newest = { .instance = &c->instance, .device = &c->device.id, .at = now };
	struct verdict verdict;
	json_t *facts = NULL;
	int rc = facts_document(db, &newest, &facts);

	if (rc < 0)
		return rc;
	request_evaluate(c, facts, now, &verdict);
	rc = request_approve_due(db, c, facts, &verdict, now);
	verdict_release(&verdict);
	json_decref(facts);
	return rc;
}

static int settle(struct db *db, const struct uuid *id, clock_us now)
{
	struct request_case c = { 0 };
	int rc = request_load_locked(db, id, &c);

	/* A tenant that was suspended in between waits. */
	if (rc == 0 && c.tenant_active && c.votes_expire && c.votes_expire <= now)
		rc = request_void_votes(db, &c);
	if (rc == 0 && c.tenant_active && c.approve_at && c.approve_at <= now)
		rc = approve(db, &c, now);
	request_case_release(&c);
	return rc;
}

/* By the database's clock, which has found them due. */
static int settle_requests(struct db *db, clock_us ours)
{
	json_t *due = NULL;
	const json_t *row;
	clock_us now = ours;
	size_t i;
	int rc = timer_now(db, &now);

	if (rc == 0)
		rc = request_due(db, now, DUE_AT_ONCE, &due);

	json_array_foreach(due, i, row) {
		struct uuid id;

		if (rc == 0 && (rc = json_get_uuid(row, "id", &id)) == 0)
			rc = settle(db, &id, now);
	}
	rc = rc < 0 ? rc : (int)json_array_size(due);
	json_decref(due);
	return rc;
}

static int settle_revocations(struct db *db, clock_us ours)
{
	clock_us now = ours;
	int rc = timer_now(db, &now);

	return rc < 0 ? rc : request_revocations_due(db, now, DUE_AT_ONCE);
}

static int run_schedule(struct db *db, clock_us ours)
{
	clock_us now = ours;
	int rc = timer_now(db, &now);

	return rc < 0 ? rc : schedule_run(db, now);
}

static int send_checks(struct db *db, clock_us ours)
{
	clock_us now = ours;
	int rc = timer_now(db, &now);

	return rc < 0 ? rc : check_send_due(db, now, DUE_AT_ONCE);
}

static const struct task timers[] = {
	{ "requests", 0, 1, settle_requests },
	{ "revocations", 0, 1, settle_revocations },
	{ "schedule", 0, 1, run_schedule },
	{ "checks", 0, 1, send_checks },
	{ NULL, 0, 0, NULL },
};

static int list_due(struct db *db, json_t **out)
{
	int rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" });

	if (rc == 0)
		rc = timer_due(db, out);
	db_rollback(db);
	return rc;
}

static int run_row(struct db *db, const json_t *row)
{
	const struct task *t = timers;
	struct uuid tenant;
	int rc = json_get_uuid(row, "tenant", &tenant);

	while (rc == 0 && t->name && strcmp(t->name, json_string_value(json_object_get(row, "timer"))) != 0)
		t++;
	return rc < 0 ? rc : t->name ? task_run(db, t, &tenant, clock_now()) : 0;
}

int due_run(struct db *db)
{
	json_t *due = NULL;
	const json_t *row;
	size_t i;
	int rc = list_due(db, &due), failed = 0, done = 0;

	json_array_foreach(due, i, row) {
		/* One tenant's trouble is not the others'; a database that is away is everybody's. */
		int one = run_row(db, row);

		failed = failed ? failed : one < 0 ? one : 0;
		done += one > 0 ? one : 0;
		if (one == ERR_UNAVAILABLE)
			break;
	}
	rc = rc < 0 ? rc : failed ? failed : done;
	json_decref(due);
	return rc;
}
