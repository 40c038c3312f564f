/* check.h - integrity checks of instances (INT-1, INT-3): when they are due, asking the agents, and what came of it. Whether a check was
 * good is the policy's word (request_checked in request.h); this file keeps who was asked, when, and the answer.
 *
 * A check whose answer does not come is "not checked", never "failed": an agent that is away says nothing about its machine. */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

#define CHECK_ANSWER_WITHIN (10 * CLOCK_MINUTE)  /* later it is "not checked"; the order stays, and a late answer counts as one */
#define CHECK_MISSED_MOST 3      /* so many in a row that nobody answered are logged */
#define CHECK_KEPT (90 * CLOCK_DAY)

#define CHECK_REASONS(X) \
	X(SCHEDULE, "schedule", "By schedule") \
	X(ORDER, "order", "Check now") \
	X(AGAIN, "again", "While a key is revoked") \
	X(BOOT, "boot", "After a start")

enum check_reason {
#define X(id, name, label) CHECK_BY_##id,
	CHECK_REASONS(X)
#undef X
	CHECK_REASON_COUNT
};

/* Asks the instance's agent at once; nothing when a question is open already. Console, jobs. */
int check_order(struct db *db, const struct uuid *instance, enum check_reason reason);
/* Agent: the instance has reported. REQUESTS keys were looked at, JUDGED of them by a policy with rules, FAILED of these do not match.
 * Ends all open questions to the instance; where there is none, REASON tells why it reported. */
int check_answer(struct db *db, const struct uuid *instance, enum check_reason reason, int requests, int judged, int failed);

/* Sort: due; filters: instance, result. Rows: id, instance, reason, due, ordered, ordered_by, answered, result ("good", "failed",
 * "not-checked", null: under way), summary, requests, failed. The newest first. Console. */
int check_list(struct db *db, const struct list_query *query, json_t **page);

/* INT-1. {kind: "off", "daily" or "weekly", weekday: 1 to 7 from Monday, at: "02:00", regrant_s, due, last_run, time_zone, date_format, due_local (text), changed,
 * changed_by, instances, good, failed, not_checked, open: numbers of the last run, policies: how many are checked by schedule,
 * revoking: how many of these take keys back}. Console. */
int schedule_get(struct db *db, json_t **out);
struct schedule {
	const char *kind;
	int64_t weekday;
	const char *at;              /* "02:00" */
	int64_t regrant_s;
};
/* When it runs next is computed anew, by the time zone of the account. ERR_INVALID. Console. */
int schedule_set(struct db *db, const struct schedule *s);
int schedule_renew(struct db *db);                   /* when it is next, anew: after the account's time zone was changed */
/* Names of time zones that the database knows ("Europe/Berlin"), UTC first. */
int schedule_zones(struct db *db, json_t **out);

/* jobd. Each does its part once, however many run and however late they come. The first two: how much was done, 0 for nothing. */

/* The run that is due: a question for every instance that has a key of a policy with scheduled checks, spread so that the server is asked
 * by at most some twenty agents a second; missed runs are not caught up on. */
int schedule_run(struct db *db, clock_us now);
/* Asks those whose time has come, at most LIMIT, no instance of EXCEPT (ids; NULL: none). After a failure *AT is the instance it failed at. */
int check_send_due(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at);
/* Those that were not answered are not checked. */
int check_expire(struct db *db, clock_us now);
/* [{id}]: whose agents were asked and have not answered yet. */
int check_tenants(struct db *db, json_t **out);
/* Those that were due before that are gone. */
int check_clean(struct db *db, clock_us before);

#endif
