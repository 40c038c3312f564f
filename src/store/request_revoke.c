/* request_revoke.c - a key that was handed out is taken back: announced, ordered, closed by the agent, given back (INT-2 to INT-4). What
 * a check's result does is decided by policy/check.c; here it is carried out. */
#include "store/request.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "policy/check.h"
#include "store/check.h"
#include "store/order.h"
#include "store/request_step.h"
#include "store/timer.h"

/* An agent that was told and does not say that the volume is closed is looked at again after this long. */
#define ANSWER_WITHIN (5 * CLOCK_MINUTE)
#define WHY_GOOD "an integrity check was good"

/* The agent is told now. BY: "check" or "person". */
static int order(struct db *db, struct request_held *h, const char *by, const char *comment)
{
	int rc = h->revoke_ordered ? err_set(ERR_CONFLICT, "the key is being revoked already") : 0;

	if (rc == 0)
		rc = request_step(db, h, REQUEST_EVENT_REVOKE, AUDIT_KEY_REVOKE, comment);
	if (rc == 0)
		rc = db_queue(db, "update key_request set revoke_at = coalesce(revoke_at, now()), revoke_by = $2, revoke_ordered = now(),"
			" recheck_at = now() + $3 * interval '1 microsecond' where id = $1", DB_ARGS(db_uuid_arg(&h->id), db_text_arg(by),
			db_int_arg(ANSWER_WITHIN)));
	return rc < 0 ? rc : order_add(db, &h->agent, "revoke", &h->asked, "");
}

int request_revoke(struct db *db, const struct uuid *id, const char *comment)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	rc = order(db, &h, "person", comment);
	request_held_release(&h);
	return rc;
}

static int announce(struct db *db, struct request_held *h, clock_us at, clock_us now)
{
	int rc = request_step(db, h, REQUEST_EVENT_ANNOUNCE, AUDIT_KEY_REVOKE_ANNOUNCED, NULL);

	return rc < 0 ? rc : db_queue(db, "update key_request set revoke_at = $2, revoke_by = 'check', revoke_ordered = null,"
		" recheck_at = $3 where id = $1", DB_ARGS(db_uuid_arg(&h->id), db_time_arg(at),
		db_time_arg(now + check_again_in(at - now))));
}

/* Revoking, announced: the volume is still open and stays so. */
static int cancel(struct db *db, struct request_held *h)
{
	int rc = request_step(db, h, REQUEST_EVENT_RESTORE, AUDIT_KEY_RESTORED, WHY_GOOD);

	return rc < 0 ? rc : db_queue(db, "update key_request set revoke_at = null, revoke_by = null, recheck_at = null where id = $1",
		DB_ARGS(db_uuid_arg(&h->id)));
}

/* Revoked: it is a question again, judged like any when the agent has asked it anew. What the former decision left, the database
 * clears (key_request_again). */
static int grant(struct db *db, struct request_held *h)
{
	int rc = request_step(db, h, REQUEST_EVENT_RESTORE, AUDIT_KEY_GRANTED_AGAIN, WHY_GOOD);

	return rc < 0 ? rc : order_add(db, &h->agent, "request-key", &h->asked, "");
}

int request_released(struct db *db, struct request_held *h)
{
	int rc = request_step(db, h, REQUEST_EVENT_RELEASED, AUDIT_KEY_REVOKED, NULL);

	return rc < 0 ? rc : db_queue(db, "update key_request set revoked = now(), recheck_at = now() + $2 * interval '1 microsecond'"
		" where id = $1", DB_ARGS(db_uuid_arg(&h->id), db_int_arg(check_again_in(0))));
}

/* Checks */

struct rest {                    /* what a decision needs beside the held row */
	struct check_subject subject;
	enum integrity integrity;
};

static int load_rest(struct db *db, const struct request_held *h, struct rest *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select r.revoked, s.regrant_s, p.on_failure, p.grace_s, r.integrity from key_request r"
		" join device d on d.tenant = r.tenant and d.id = r.device join policy p on p.tenant = d.tenant and p.id = d.policy"
		" join integrity_schedule s on s.tenant = r.tenant where r.id = $1", DB_ARGS(db_uuid_arg(&h->id)));

	if (rc < 0)
		return rc;
	out->subject = (struct check_subject){ .status = h->status, .ordered = h->revoke_ordered, .by_person = h->by_person,
		.revoked = db_time(r, 0, 0), .regrant = db_int(r, 0, 1) * CLOCK_SECOND, .grace = db_int(r, 0, 3) * CLOCK_SECOND };
	rc = check_failure_parse(db_text(r, 0, 2), &out->subject.on_failure);
	if (rc == 0)
		rc = integrity_parse(db_text(r, 0, 4), &out->integrity);
	db_result_free(r);
	return rc;
}

/* Good or Failed, and why; logged when it is another than before. */
static int keep_result(struct db *db, const struct request_held *h, enum integrity before, const struct verdict *v,
	const json_t *facts, enum integrity now)
{
	json_t *verdict = verdict_json(v);
	int rc = db_queue(db, "update key_request set integrity = $2, verdict = $3, facts = $4 where id = $1", DB_ARGS(db_uuid_arg(&h->id),
		db_text_arg(integrity_name(now)), db_json_arg(verdict), db_json_arg(facts)));

	json_decref(verdict);
	return rc < 0 || before == now ? rc : request_log(db, AUDIT_KEY_INTEGRITY, h, json_pack("{s:s}", "integrity",
		integrity_name(now)));
}

static int carry_out(struct db *db, struct request_held *h, const struct rest *rest, enum check_act act, clock_us now)
{
	switch (act) {
	case CHECK_ANNOUNCE:
		return announce(db, h, now + rest->subject.grace, now);
	case CHECK_ORDER:
		return order(db, h, "check", "an integrity check failed");
	case CHECK_CANCEL:
		return cancel(db, h);
	case CHECK_GRANT:
		return grant(db, h);
	default:
		return 0;
	}
}

int request_checked(struct db *db, const struct uuid *id, const struct verdict *v, const json_t *facts, clock_us now)
{
	struct request_held h;
	struct rest rest;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	rc = load_rest(db, &h, &rest);
	if (rc == 0 && h.status != REQUEST_DELIVERED && h.status != REQUEST_REVOKING && h.status != REQUEST_REVOKED)
		rc = err_set(ERR_CONFLICT, "a request that is %s is judged when it is decided", request_state_name(h.status));
	if (rc == 0 && v->integrity != INTEGRITY_UNKNOWN)
		rc = keep_result(db, &h, rest.integrity, v, facts,
			v->integrity == INTEGRITY_GOOD ? INTEGRITY_GOOD : INTEGRITY_FAILED);
	if (rc == 0)
		rc = carry_out(db, &h, &rest, check_decide(&rest.subject, v->integrity, now), now);
	request_held_release(&h);
	return rc;
}

int request_handed_out(struct db *db, const struct uuid *instance, json_t **out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where instance = $1 and closed is null and status in ('delivered', 'revoking',"
		" 'revoked') order by id", DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*out = json_array();
	for (size_t i = 0; i < db_rows(r); i++) {
		char text[UUID_TEXT_SIZE];
		struct uuid id = db_uuid(r, i, 0);

		uuid_text(&id, text);
		json_array_append_new(*out, json_string(text));
	}
	db_result_free(r);
	return 0;
}

/* By the clock */

static int unanswered(struct db *db, const struct request_held *h)
{
	int rc = db_queue(db, "update key_request set recheck_at = null where id = $1", DB_ARGS(db_uuid_arg(&h->id)));

	return rc < 0 ? rc : request_log(db, AUDIT_KEY_REVOKE_UNANSWERED, h, NULL);
}

static int look_again(struct db *db, const struct request_held *h, clock_us span, clock_us now)
{
	int rc = db_queue(db, "update key_request set recheck_at = $2 where id = $1", DB_ARGS(db_uuid_arg(&h->id),
		db_time_arg(now + check_again_in(span))));

	return rc < 0 ? rc : check_order(db, &h->instance, CHECK_BY_AGAIN);
}

/* Revoked: the check that gives it back is asked for until the period is over; a person's revocation waits for it alone. */
static int after_revoked(struct db *db, const struct request_held *h, const struct rest *rest, clock_us now)
{
	const struct check_subject *s = &rest->subject;

	if (now >= s->revoked + s->regrant)
		return request_end(db, h, "not granted again in time");
	if (h->by_person)
		return db_queue(db, "update key_request set recheck_at = $2 where id = $1", DB_ARGS(db_uuid_arg(&h->id),
			db_time_arg(s->revoked + s->regrant)));
	return look_again(db, h, now - s->revoked, now);
}

static int next_step(struct db *db, struct request_held *h, clock_us now)
{
	int due = h->recheck_at && h->recheck_at <= now;
	struct rest rest;
	int rc = load_rest(db, h, &rest);

	if (rc < 0)
		return rc;
	if (h->status == REQUEST_REVOKED)
		return due ? after_revoked(db, h, &rest, now) : 0;
	if (h->status != REQUEST_REVOKING)
		return 0;
	if (h->revoke_ordered)
		return due ? unanswered(db, h) : 0;
	if (h->revoke_at <= now)
		return order(db, h, "check", "the time that was announced has come");
	return due ? look_again(db, h, h->revoke_at - now, now) : 0;
}

static int step_one(struct db *db, const struct uuid *id, clock_us now)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	/* Somebody else has been quicker. */
	if (rc == ERR_CONFLICT || rc == ERR_NOT_FOUND)
		return 0;
	if (rc < 0)
		return rc;
	rc = next_step(db, &h, now);
	request_held_release(&h);
	return rc;
}

int request_revocations_due(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where closed is null and phase in ('revoking', 'revoked')"
		" and (recheck_at <= $1 or (revoke_at <= $1 and revoke_ordered is null and status = 'revoking')) and "
		TIMER_EXCEPT("id", "$3") " order by id limit $2 for update skip locked", DB_ARGS(db_time_arg(now), db_int_arg(limit),
		db_json_arg(except)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		*at = db_uuid(r, i, 0);
		rc = step_one(db, at, now);
	}
	rc = rc < 0 ? rc : (int)db_rows(r);
	db_result_free(r);
	return rc;
}
