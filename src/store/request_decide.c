/* request_decide.c - decisions on pending key requests that no person takes: by the policy, and by its time. And the policy itself,
 * assigned. */
#include "store/request.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/say.h"
#include "store/deep_security.h"
#include "store/order.h"
#include "store/request_step.h"
#include "store/timer.h"

static struct request_held held(const struct request_case *c)
{
	return (struct request_held){ .id = c->id, .device = c->device.id, .asked = c->asked, .instance = c->instance, .agent = c->agent,
		.status = c->status, .name = c->device.name };
}

static int check_pending(const struct request_case *c)
{
	if (c->closed || c->status != REQUEST_PENDING)
		return err_set(ERR_CONFLICT, "the request is %s", c->closed ? "closed" : "decided already");
	return 0;
}

/* The verdict and the policy that made it. */
static int keep(struct db *db, const struct request_case *c, const struct verdict *v, clock_us approve_at, const char *waits)
{
	json_t *verdict = verdict_json(v);
	int rc = db_queue(db, "update key_request set verdict = $2, integrity = $3, policy = $4, policy_name = $5, policy_version = $6,"
		" approve_at = $7, waits = $8 where id = $1", DB_ARGS(db_uuid_arg(&c->id), db_json_arg(verdict),
		db_text_arg(integrity_name(v->integrity)), db_uuid_arg(&c->device.policy), db_text_arg(c->policy_name),
		db_int_arg(c->policy_version), db_time_arg(approve_at), db_text_arg(waits)));

	json_decref(verdict);
	if (rc == 0 && approve_at && approve_at != c->approve_at)
		rc = request_wake(db);
	return rc;
}

static int decide(struct db *db, const struct request_case *c, enum request_event event, const char *comment)
{
	struct request_held h = held(c);
	int rc = request_step(db, &h, event,
		event == REQUEST_EVENT_APPROVE ? AUDIT_KEY_APPROVED_AUTOMATICALLY : AUDIT_KEY_DENIED_AUTOMATICALLY, comment);

	if (rc == 0)
		rc = request_drop_votes(db, &c->id);
	/* An agent that asks right now has its answer. */
	if (rc == 0 && db_actor(db)->kind != DB_ACTOR_AGENT)
		rc = event == REQUEST_EVENT_APPROVE ? order_add(db, &c->agent, "request-key", &c->asked, "") : order_nudge(db, &c->agent);
	return rc < 0 ? rc : db_queue(db, "update key_request set decided = now() where id = $1", DB_ARGS(db_uuid_arg(&c->id)));
}

/* An agent that asks again does not begin to wait anew. */
static clock_us running(const struct request_case *c, const struct verdict *v)
{
	int same = c->judged && c->judged_version == c->policy_version;

	return v->action != POLICY_ACTION_MANUAL_TIMEOUT ? 0 : same && c->approve_at ? c->approve_at : v->approve_at;
}

int request_judge(struct db *db, const struct request_case *c, const struct verdict *v)
{
	const struct request_held h = held(c);
	int rc = check_pending(c);

	if (rc == 0)
		rc = keep(db, c, v, running(c, v), c->unplaced ? REQUEST_NO_DEVICE : NULL);
	if (rc == 0 && (v->action == POLICY_ACTION_APPROVE || v->action == POLICY_ACTION_DENY))
		rc = decide(db, c, v->action == POLICY_ACTION_APPROVE ? REQUEST_EVENT_APPROVE : REQUEST_EVENT_DENY, NULL);
	else if (rc == 0 && !c->judged)
		rc = request_log(db, AUDIT_KEY_PENDING, &h, json_pack("{s:s, s:s*}", "integrity", integrity_name(v->integrity), "image",
			c->image_in_policy || c->unplaced ? NULL : "not in the policy"));
	return rc;
}

static int judge_anew(struct db *db, const struct uuid *id, clock_us now)
{
	struct request_case c = { 0 };
	struct verdict verdict;
	json_t *answer = NULL;
	int rc = request_load_locked(db, id, &c);

	if (rc == 0)
		rc = deep_security_facts(db, &c.instance, now, &answer);
	if (rc == 0) {
		json_object_set_new(c.facts, "deep_security", answer);
		request_evaluate(&c, NULL, now, &verdict);
		rc = db_queue(db, "update key_request set facts = $2 where id = $1", DB_ARGS(db_uuid_arg(id), db_json_arg(c.facts)));
		if (rc == 0)
			rc = request_judge(db, &c, &verdict);
		verdict_release(&verdict);
	}
	request_case_release(&c);
	return rc;
}

int request_judge_awaiting(struct db *db, const struct uuid *instance, clock_us now)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select r.id from key_request r join tenant t on t.id = r.tenant and t.state = 'active'"
		" where r.instance = $1 and r.closed is null and r.status = 'pending' and r.facts->'deep_security'->>'waiting' = 'true'"
		/* Nobody comes back to one that somebody has in hand just now: it is waited for. */
		" order by r.id for update of r", DB_ARGS(db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = judge_anew(db, &id, now);
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

/* Why the policy's own approval does not come although its time has; NULL: nothing is in its way. Translated where it is shown. */
static const char *obstacle(const struct request_case *c, const struct verdict *v)
{
	if (c->approvals_needed != 1)
		return N_("the policy asks for the approval of several people now");
	if (!c->image_in_policy)
		return N_("the image is no longer in the policy of the device");
	if (v->failed)
		return v->failed == 1 ? N_("one of the policy's rules is not satisfied now") : N_("several of the policy's rules are not satisfied now");
	if (v->integrity != INTEGRITY_GOOD)
		return N_("the policy has no rules that could be evaluated now");
	if (v->action != POLICY_ACTION_MANUAL_TIMEOUT && v->action != POLICY_ACTION_APPROVE)
		return N_("the policy no longer approves automatically");
	return NULL;
}

static int refuse_due(struct db *db, const struct request_case *c, const struct verdict *v, const char *why)
{
	const struct request_held h = held(c);
	int rc = keep(db, c, v, 0, why);

	return rc < 0 ? rc : request_log(db, AUDIT_KEY_NOT_AUTOMATIC, &h, json_pack("{s:s}", "reason", why));
}

static int approve_due(struct db *db, const struct request_case *c, const struct verdict *v)
{
	int rc = keep(db, c, v, 0, NULL);

	return rc < 0 ? rc : decide(db, c, REQUEST_EVENT_APPROVE, "after the policy's time");
}

int request_approve_due(struct db *db, const struct request_case *c, const json_t *facts, const struct verdict *v, clock_us now)
{
	clock_us later = c->requested + c->policy.timeout_s * CLOCK_SECOND;
	const char *why = obstacle(c, v);
	int rc = check_pending(c);

	if (rc == 0 && (c->approve_at == 0 || c->approve_at > now))
		rc = err_set(ERR_CONFLICT, "the request is not due");
	if (rc == 0)
		rc = db_queue(db, "update key_request set facts = $2 where id = $1", DB_ARGS(db_uuid_arg(&c->id), db_json_arg(facts)));
	if (rc == 0 && why)
		rc = refuse_due(db, c, v, why);
	/* The policy gives people more time since. */
	else if (rc == 0 && c->judged_version != c->policy_version && v->action == POLICY_ACTION_MANUAL_TIMEOUT && later > now)
		rc = keep(db, c, v, later, NULL);
	else if (rc == 0)
		rc = approve_due(db, c, v);
	return rc;
}

int request_due(struct db *db, clock_us now, int limit, const json_t *except, json_t **out)
{
	return db_get_rows(db, out, "select id from key_request where due <= $1 and " TIMER_EXCEPT("id", "$3") " order by due limit $2"
		" for update skip locked", DB_ARGS(db_time_arg(now), db_int_arg(limit), db_json_arg(except)));
}

/* RUN-4 */

static int move(struct db *db, const struct request_held *h, const struct uuid *policy)
{
	int rc = db_run_one(db, "update device set policy = p.id, changed = now() from policy p where device.id = $1 and p.id = $2",
		DB_ARGS(db_uuid_arg(&h->device), db_uuid_arg(policy)));

	if (rc == 0)
		rc = db_queue(db, "insert into policy_image (tenant, policy, image) select i.tenant, $2, i.image from instance i where i.id = $1"
			" and i.image is not null on conflict do nothing", DB_ARGS(db_uuid_arg(&h->instance), db_uuid_arg(policy)));
	/* An image that has a policy of its own is no longer in the default. */
	if (rc == 0)
		rc = db_queue(db, "delete from policy_image x using policy p, instance i where i.id = $1 and x.image = i.image and p.id = x.policy"
			" and p.is_default and p.id <> $2", DB_ARGS(db_uuid_arg(&h->instance), db_uuid_arg(policy)));
	return rc;
}

static int log_assigned(struct db *db, const struct request_held *h, const struct uuid *policy)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select name from policy where id = $1", DB_ARGS(db_uuid_arg(policy)));

	if (rc < 0)
		return rc;
	rc = request_log(db, AUDIT_KEY_POLICY, h, json_pack("{s:s}", "policy", db_text(r, 0, 0)));
	if (rc == 0)
		rc = request_record(db, h, "assign", db_text(r, 0, 0));
	db_result_free(r);
	return rc;
}

int request_assign_policy(struct db *db, const struct uuid *id, const struct uuid *policy)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (h.status != REQUEST_PENDING)
		rc = err_set(ERR_CONFLICT, "the request is decided already");
	if (rc == 0)
		rc = move(db, &h, policy);
	/* Whoever chose the rules is not one of several who approve (RUN-8). */
	if (rc == 0)
		rc = db_queue(db, "update key_request set assigned_by = $2, policy = p.id, policy_name = p.name from policy p where"
			" key_request.id = $1 and p.id = $3", DB_ARGS(db_uuid_arg(id), db_uuid_arg(db_user(db)), db_uuid_arg(policy)));
	if (rc == 0)
		rc = log_assigned(db, &h, policy);
	request_held_release(&h);
	return rc;
}

int request_policies(struct db *db, const char *search, json_t **out)
{
	return db_get_rows(db, out, "select p.id, p.name, p.rules, (select count(*) from device d where d.tenant = p.tenant"
		" and d.policy = p.id) as devices from policy p where jsonb_array_length(p.rules) > 0"
		" and position(lower(coalesce($1, '')) in lower(p.name)) > 0 order by p.name collate \"und-x-icu\" limit 20", DB_ARGS(db_text_arg(search)));
}
