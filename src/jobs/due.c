/* due.c - automatic approvals and expiries at their second (POL-4, RUN-8), a chunk per transaction. */
#include "jobs/due.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "store/facts.h"
#include "store/check.h"
#include "store/request.h"
#include "store/timer.h"

#define DUE_AT_ONCE 50
#define RESTING_MOST 256
#define RESTS_FOR CLOCK_MINUTE

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

static int has_id(const json_t *ids, const struct uuid *id)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	return json_has_string(ids, text);
}

static int settle_requests(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at)
{
	json_t *due = NULL;
	const json_t *row;
	size_t i;
	int rc = request_due(db, now, limit, except, &due);

	json_array_foreach(due, i, row) {
		if (rc == 0 && (rc = json_get_uuid(row, "id", at)) == 0)
			rc = settle(db, at, now);
	}
	rc = rc < 0 ? rc : (int)json_array_size(due);
	json_decref(due);
	return rc;
}

static int run_schedule(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at)
{
	*at = *db_tenant(db);
	return has_id(except, at) ? 0 : schedule_run(db, now);
}

static const struct timer {
	const char *name;
	/* What is due of the bound tenant at NOW, which is the database's clock that has found it due: at most LIMIT, none of EXCEPT (ids). How
	 * much was done; a failure has happened at *AT. */
	int (*run)(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at);
} timers[] = {
	{ "requests", settle_requests },
	{ "revocations", request_revocations_due },
	{ "schedule", run_schedule },
	{ "checks", check_send_due },
	{ NULL, NULL },
};

/* What has failed by itself rests for a while, so that it neither holds up others nor fails twenty times a second. */
static struct {
	struct uuid id;
	clock_us until;
} resting[RESTING_MOST];
static size_t resting_count, resting_next;

static void rest(const struct uuid *id)
{
	size_t i = resting_next;

	resting[i].id = *id;
	resting[i].until = clock_ticks() + RESTS_FOR;
	resting_next = (i + 1) % RESTING_MOST;
	resting_count = resting_count < RESTING_MOST ? resting_count + 1 : RESTING_MOST;
}

static json_t *list_resting(void)
{
	json_t *ids = NULL;
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < resting_count; i++) {
		if (resting[i].until <= clock_ticks())
			continue;
		uuid_text(&resting[i].id, text);
		ids = ids ? ids : json_array();
		json_array_append_new(ids, json_string(text));
	}
	return ids;
}

/* A transaction of its own, with at most LIMIT. */
static int attempt(struct db *db, const struct timer *t, const struct uuid *tenant, int limit, struct uuid *at)
{
	json_t *except = list_resting();
	clock_us now = 0;
	int rc = db_begin(db, tenant, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" }), done = 0;

	if (rc == 0)
		rc = timer_now(db, &now);
	if (rc == 0)
		rc = done = t->run(db, now, limit, except, at);
	if (rc >= 0)
		rc = db_commit(db);
	db_rollback(db);
	json_decref(except);
	return rc < 0 ? rc : done;
}

static void note_failure(const struct timer *t, const struct uuid *tenant, const struct uuid *at, int rc)
{
	char whose[UUID_TEXT_SIZE], id[UUID_TEXT_SIZE];

	uuid_text(tenant, whose);
	uuid_text(at, id);
	log_warning("due, but it could not be done", "timer", t->name, "tenant", whose, "id", id, "code", err_name(rc), "why", err_text(), NULL);
}

/* One by one where they cannot be done together: one row's trouble is not its neighbours'. */
static int run_timer(struct db *db, const struct timer *t, const struct uuid *tenant)
{
	struct uuid at = { { 0 } };
	int rc = attempt(db, t, tenant, DUE_AT_ONCE, &at), done = 0;

	if (rc >= 0 || rc == ERR_UNAVAILABLE)
		return rc;
	for (int i = 0; i < DUE_AT_ONCE && rc != 0; i++) {
		at = (struct uuid){ { 0 } };
		rc = attempt(db, t, tenant, 1, &at);
		done += rc > 0;
		if (rc == ERR_UNAVAILABLE)
			return rc;
		if (rc < 0)
			note_failure(t, tenant, &at, rc);
		if (rc < 0 && uuid_is_nil(&at))
			return rc;
		if (rc < 0)
			rest(&at);
	}
	return done;
}

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
	const struct timer *t = timers;
	struct uuid tenant;
	int rc = json_get_uuid(row, "tenant", &tenant);

	while (rc == 0 && t->name && strcmp(t->name, json_string_value(json_object_get(row, "timer"))) != 0)
		t++;
	return rc < 0 ? rc : t->name ? run_timer(db, t, &tenant) : 0;
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
