/* request_decide.c - decisions on pending key requests: by the policy, by people, by time. */
#include "store/request.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "store/order.h"
#include "store/request_step.h"

int request_judge(struct db *db, const struct request_case *c, const struct verdict *v, int event)
{
	struct request_held h = { .id = c->id, .device = c->device.id, .instance = c->instance, .agent = c->agent, .status = c->status,
		.name = c->device.name };
	json_t *verdict = verdict_json(v);
	int rc;

	if (c->closed || c->status != REQUEST_PENDING) {
		json_decref(verdict);
		return err_set(ERR_CONFLICT, "the request is %s", c->closed ? "closed" : "decided already");
	}
	rc = db_queue(db, "update key_request set verdict = $2, integrity = $3, policy = $4, policy_name = $5, policy_version = $6,"
		" approve_at = $7, decided = case when $8 then now() else null end where id = $1", DB_ARGS(db_uuid_arg(&c->id),
		db_json_arg(verdict), db_text_arg(integrity_name(v->integrity)), db_uuid_arg(&c->device.policy),
		db_text_arg(c->policy_name), db_int_arg(c->policy_version), db_time_arg(event < 0 ? v->approve_at : 0),
		db_bool_arg(event >= 0)));
	json_decref(verdict);
	if (rc == 0 && event >= 0)
		rc = request_step(db, &h, (enum request_event)event,
			event == REQUEST_EVENT_APPROVE ? AUDIT_KEY_APPROVED_AUTOMATICALLY : AUDIT_KEY_DENIED_AUTOMATICALLY, NULL);
	else if (rc == 0 && !c->judged)
		rc = request_log(db, AUDIT_KEY_PENDING, &h, json_pack("{s:s}", "integrity", integrity_name(v->integrity)));
	return rc;
}

int request_decide(struct db *db, const struct uuid *id, enum request_event event, const char *comment)
{
	const struct db_actor *a = db_actor(db);
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (event != REQUEST_EVENT_APPROVE && event != REQUEST_EVENT_DENY)
		rc = err_set(ERR_INVALID, "a decision is approve or deny");
	else
		rc = request_step(db, &h, event, event == REQUEST_EVENT_APPROVE ? AUDIT_KEY_APPROVED : AUDIT_KEY_DENIED, comment);
	if (rc == 0)
		rc = db_queue(db, "update key_request set decided = now(), decided_by = $2, decided_by_name = $3, comment = $4,"
			" approve_at = null where id = $1", DB_ARGS(db_uuid_arg(id), db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id),
			db_text_arg(a->name), db_text_arg(comment)));
	if (rc == 0 && event == REQUEST_EVENT_APPROVE)
		rc = order_add(db, &h.agent, "request-key", &h.device, "");
	free(h.name);
	return rc;
}

int request_order(struct db *db, const struct uuid *id)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (request_rests(h.status))
		rc = order_add(db, &h.agent, "request-key", &h.device, "");
	else
		rc = err_set(ERR_CONFLICT, "the agent does not wait for an order: the request is %s", request_state_name(h.status));
	free(h.name);
	return rc;
}

int request_approve_due(struct db *db, const struct uuid *id, clock_us now)
{
	struct request_held h;
	int rc = request_hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (h.status != REQUEST_PENDING || h.approve_at == 0 || h.approve_at > now)
		rc = err_set(ERR_CONFLICT, "the request is not due");
	else
		rc = request_step(db, &h, REQUEST_EVENT_APPROVE, AUDIT_KEY_APPROVED_AUTOMATICALLY, "after the policy's time");
	if (rc == 0)
		rc = db_queue(db, "update key_request set decided = now(), approve_at = null where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = order_add(db, &h.agent, "request-key", &h.device, "");
	free(h.name);
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
		rc = db_run_one(db, "update device set policy = p.id, changed = now() from policy p where device.id = $1 and p.id = $2",
			DB_ARGS(db_uuid_arg(&h.device), db_uuid_arg(policy)));
	if (rc == 0)
		rc = db_queue(db, "insert into policy_image (tenant, policy, image) select i.tenant, $2, i.image from instance i where i.id = $1"
			" and i.image is not null on conflict do nothing", DB_ARGS(db_uuid_arg(&h.instance), db_uuid_arg(policy)));
	/* An image that has a policy of its own is no longer in the default. */
	if (rc == 0)
		rc = db_queue(db, "delete from policy_image x using policy p, instance i where i.id = $1 and x.image = i.image and p.id = x.policy"
			" and p.is_default and p.id <> $2", DB_ARGS(db_uuid_arg(&h.instance), db_uuid_arg(policy)));
	if (rc == 0)
		rc = request_log(db, AUDIT_KEY_POLICY, &h, NULL);
	free(h.name);
	return rc;
}

int request_due(struct db *db, clock_us now, int limit, json_t **out)
{
	return db_get_rows(db, out, "select id from key_request where closed is null and status = 'pending' and approve_at <= $1"
		" order by approve_at limit $2", DB_ARGS(db_time_arg(now), db_int_arg(limit)));
}
