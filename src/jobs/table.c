/* table.c - the tasks themselves. */
#include "jobs/table.h"

#include "base/err.h"
#include "base/json.h"
#include "store/check.h"
#include "store/heartbeat.h"
#include "store/instance.h"
#include "store/request.h"
#include "store/session.h"

#define DUE_AT_ONCE 100

static int find_missing(struct db *db, clock_us now)
{
	return instance_find_missing(db, now - INSTANCE_MISSING_AFTER, NULL);
}

static int expire_instances(struct db *db, clock_us now)
{
	return instance_expire(db, now - INSTANCE_EXPIRES_AFTER, NULL);
}

/* Automatic approval after a time (POL-4). */
static int approve_due(struct db *db, clock_us now)
{
	json_t *due = NULL;
	const json_t *text;
	size_t i;
	int rc = request_due(db, now, DUE_AT_ONCE, &due);

	json_array_foreach(due, i, text) {
		struct uuid id;

		if (rc == 0 && uuid_parse(json_string_value(text), &id) == 0)
			rc = request_approve_due(db, &id, now);
		/* Somebody else has decided it in between. */
		if (rc == ERR_CONFLICT)
			rc = 0;
	}
	json_decref(due);
	return rc;
}

static int revoke_due(struct db *db, clock_us now)
{
	return request_revocations_due(db, now, DUE_AT_ONCE);
}

static int send_checks(struct db *db, clock_us now)
{
	return check_send_due(db, now, DUE_AT_ONCE);
}

static int clean_sessions(struct db *db, clock_us now)
{
	return session_clean(db, now);
}

static int maintain_heartbeats(struct db *db, clock_us now)
{
	(void)now;
	return heartbeat_maintain(db, HEARTBEAT_MONTHS);
}

const struct task tasks[] = {
	{ "approve requests that are due", CLOCK_SECOND, 1, approve_due },
	{ "revoke what was announced", CLOCK_SECOND, 1, revoke_due },
	{ "run scheduled checks", 5 * CLOCK_SECOND, 1, schedule_run },
	{ "ask for checks", CLOCK_SECOND, 1, send_checks },
	{ "give up on checks", 30 * CLOCK_SECOND, 1, check_expire },
	{ "find missing instances", 10 * CLOCK_SECOND, 1, find_missing },
	{ "expire instances", CLOCK_HOUR, 1, expire_instances },
	{ "remove ended sessions", 10 * CLOCK_MINUTE, 1, clean_sessions },
	{ "make and drop partitions", CLOCK_DAY, 0, maintain_heartbeats },
	{ NULL, 0, 0, NULL },
};
