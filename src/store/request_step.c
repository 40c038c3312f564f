/* request_step.c - one step of a key request: locked, allowed by the table of states, recorded, logged. */
#include "store/request_step.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/timer.h"

void request_held_release(struct request_held *h)
{
	free(h->name);
	free(h->gist);
	h->name = h->gist = NULL;
}

int request_hold(struct db *db, const struct uuid *id, struct request_held *h)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select r.device, r.instance, r.agent, r.status, r.closed is not null,"
		" coalesce(nullif(d.name, ''), d.provider_device), d.policy, coalesce(r.key_version, 0), r.approve_at,"
		" r.revoke_at, r.recheck_at, r.revoke_ordered is not null, coalesce(r.revoke_by = 'person', false),"
		" coalesce(r.asked_device, r.device), r.gist, r.unplaced from key_request r"
		" join device d on d.tenant = r.tenant and d.id = r.device where r.id = $1 for update of r", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*h = (struct request_held) {
		.id = *id, .device = db_uuid(r, 0, 0), .instance = db_uuid(r, 0, 1), .agent = db_uuid(r, 0, 2),
		.closed = db_bool(r, 0, 4), .name = mem_strdup(db_text(r, 0, 5)), .policy = db_uuid(r, 0, 6),
		.version = db_int(r, 0, 7), .approve_at = db_time(r, 0, 8), .revoke_at = db_time(r, 0, 9),
		.recheck_at = db_time(r, 0, 10), .revoke_ordered = db_bool(r, 0, 11), .by_person = db_bool(r, 0, 12),
		.asked = db_uuid(r, 0, 13), .gist = mem_strdup(db_text(r, 0, 14)), .unplaced = db_bool(r, 0, 15),
	};
	rc = request_state_parse(db_text(r, 0, 3), &h->status);
	db_result_free(r);
	if (rc < 0)
		request_held_release(h);
	return rc;
}

int request_lock_open(struct db *db, const struct uuid *device)
{
	return db_queue(db, "select 1 from key_request where (device = $1 or asked_device = $1) and closed is null order by id for update",
		DB_ARGS(db_uuid_arg(device)));
}

int request_hold_open(struct db *db, const struct uuid *id, struct request_held *h)
{
	int rc = request_hold(db, id, h);

	if (rc == 0 && h->closed) {
		request_held_release(h);
		rc = err_set(ERR_CONFLICT, "the request is closed");
	}
	return rc;
}

int request_log(struct db *db, enum audit_event event, const struct request_held *h, json_t *detail)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(&h->id, id);
	if (detail == NULL)
		detail = json_object();
	json_set_string(detail, "device", h->name);
	return audit_log(db, event, &(struct audit_object) { "request", &h->id, h->name }, detail);
}

int request_record(struct db *db, const struct request_held *h, const char *what, const char *comment)
{
	const struct db_actor *a = db_actor(db);
	struct uuid id = uuid_new();

	return db_queue(db, "insert into key_decision (tenant, id, request, decision, by_kind, by_id, by_name, comment)"
		" values (current_tenant(), $1, $2, $3, $4, $5, $6, $7)", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(&h->id),
		db_text_arg(what), db_text_arg(db_actor_kind_name(a->kind)), db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id),
		db_text_arg(a->name), db_text_arg(comment)));
}

int request_stepped(struct db *db, struct request_held *h, enum request_event event, enum audit_event log, const char *comment)
{
	int to = request_next(h->status, event), rc = to < 0 ? to : request_record(db, h, request_event_name(event), comment);

	if (rc == 0)
		rc = request_log(db, log, h, comment ? json_pack("{s:s}", "comment", comment) : NULL);
	if (rc == 0)
		h->status = (enum request_state)to;
	return rc;
}

int request_step(struct db *db, struct request_held *h, enum request_event event, enum audit_event log, const char *comment)
{
	int to = request_next(h->status, event), rc = to < 0 ? to : 0;

	if (rc == 0)
		rc = db_queue(db, "update key_request set status = $2 where id = $1",
			DB_ARGS(db_uuid_arg(&h->id), db_text_arg(request_state_name((enum request_state)to))));
	return rc < 0 ? rc : request_stepped(db, h, event, log, comment);
}

int request_wake(struct db *db)
{
	return db_at_commit(db, "select pg_notify('" TIMER_CHANNEL "', '')", DB_NONE);
}

int request_end(struct db *db, const struct request_held *h, const char *reason)
{
	int rc = db_queue(db, "update key_request set closed = now(), closed_reason = $2, approve_at = null where id = $1"
		" and closed is null", DB_ARGS(db_uuid_arg(&h->id), db_text_arg(reason)));

	return rc < 0 ? rc : request_log(db, AUDIT_KEY_CLOSED, h, json_pack("{s:s,s:s}", "reason", reason, "status",
		request_state_name(h->status)));
}
