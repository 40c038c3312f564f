/* request.c - key requests: asking, loading for a decision, and every step from then on. Lists are in request_list.c. */
#include "store/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/device_step.h"
#include "store/order.h"

void request_case_release(struct request_case *c)
{
	free(c->access);
	free(c->mount_point);
	free(c->address);
	free(c->policy_name);
	json_decref(c->facts);
	json_decref(c->policy_rules);
	device_release(&c->device);
	memset(c, 0, sizeof *c);
}

/* A request with its row locked. */
struct held {
	struct uuid id, device, instance, agent;
	enum request_state status;
	int closed;
	char *name;                  /* the device's, for the log */
	struct uuid policy;
	int64_t version;
	clock_us approve_at;
};

static int hold(struct db *db, const struct uuid *id, struct held *h)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select r.device, r.instance, r.agent, r.status, r.closed is not null,"
		" coalesce(nullif(d.name, ''), d.provider_device), d.policy, coalesce(r.key_version, 0), r.approve_at from key_request r"
		" join device d on d.tenant = r.tenant and d.id = r.device where r.id = $1 for update of r", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*h = (struct held) {
		.id = *id, .device = db_uuid(r, 0, 0), .instance = db_uuid(r, 0, 1), .agent = db_uuid(r, 0, 2),
		.closed = db_bool(r, 0, 4), .name = mem_strdup(db_text(r, 0, 5)), .policy = db_uuid(r, 0, 6),
		.version = db_int(r, 0, 7), .approve_at = db_time(r, 0, 8),
	};
	rc = request_state_parse(db_text(r, 0, 3), &h->status);
	db_result_free(r);
	if (rc < 0)
		free(h->name);
	return rc;
}

/* Same, and it must be open. */
static int hold_open(struct db *db, const struct uuid *id, struct held *h)
{
	int rc = hold(db, id, h);

	if (rc == 0 && h->closed) {
		free(h->name);
		rc = err_set(ERR_CONFLICT, "the request is closed");
	}
	return rc;
}

static int log_request(struct db *db, enum audit_event event, const struct held *h, json_t *detail)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(&h->id, id);
	if (detail == NULL)
		detail = json_object();
	json_set_string(detail, "device", h->name);
	return audit_log(db, event, &(struct audit_object) { "request", &h->id, h->name }, detail);
}

static const char *actor_kind(const struct db *db)
{
	static const char *const names[] = {
#define X(id, name) name,
		DB_ACTORS(X)
#undef X
	};

	return names[db_actor(db)->kind];
}

static int record(struct db *db, const struct held *h, enum request_event event, const char *comment)
{
	const struct db_actor *a = db_actor(db);
	struct uuid id = uuid_new();

	return db_queue(db, "insert into key_decision (tenant, id, request, decision, by_kind, by_id, by_name, comment)"
		" values (current_tenant(), $1, $2, $3, $4, $5, $6, $7)", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(&h->id),
		db_text_arg(request_event_name(event)), db_text_arg(actor_kind(db)), db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id),
		db_text_arg(a->name), db_text_arg(comment)));
}

/* Moves the status, records who did it, logs. */
static int step(struct db *db, struct held *h, enum request_event event, enum audit_event log, const char *comment)
{
	int to = request_next(h->status, event), rc = to < 0 ? to : 0;

	if (rc == 0)
		rc = db_queue(db, "update key_request set status = $2 where id = $1",
			DB_ARGS(db_uuid_arg(&h->id), db_text_arg(request_state_name((enum request_state)to))));
	if (rc == 0)
		rc = record(db, h, event, comment);
	if (rc == 0)
		rc = log_request(db, log, h, comment ? json_pack("{s:s}", "comment", comment) : NULL);
	if (rc == 0)
		h->status = (enum request_state)to;
	return rc;
}

/* Asking */

static int close_held(struct db *db, const struct held *h, const char *reason)
{
	int rc = db_queue(db, "update key_request set closed = now(), closed_reason = $2, approve_at = null where id = $1"
		" and closed is null", DB_ARGS(db_uuid_arg(&h->id), db_text_arg(reason)));

	return rc < 0 ? rc : log_request(db, AUDIT_KEY_CLOSED, h, json_pack("{s:s,s:s}", "reason", reason, "status",
		request_state_name(h->status)));
}

static int insert(struct db *db, const struct request_question *q, struct uuid *id)
{
	struct held h = { .id = uuid_new() };
	struct db_result *r;
	int rc = db_query_row(db, &r, "with d as (select tenant, id, policy, coalesce(nullif(name, ''), provider_device) as label"
		" from device where id = $2), n as (insert into key_request (tenant, id, device, instance, agent, image, policy, policy_name,"
		" policy_version, access, mount_point, reason, recipient_key, signature, facts, address) select d.tenant, $1, d.id, i.id, $4,"
		" i.image, p.id, p.name, p.version, $5, $6, $7, $8, $9, $10, $11 from d join instance i on i.id = $3 join policy p"
		" on p.id = d.policy returning id) select d.label from d, n", DB_ARGS(db_uuid_arg(&h.id), db_uuid_arg(&q->device),
		db_uuid_arg(&q->instance), db_uuid_arg(&q->agent), db_text_arg(q->access), db_text_arg(q->mount_point),
		db_text_arg(q->reason), db_bytes_arg(q->recipient_key, REQUEST_KEY_SIZE),
		db_bytes_arg(q->signature, REQUEST_SIGNATURE_SIZE), db_json_arg(q->facts), db_text_arg(q->address)));

	if (rc < 0)
		return rc;
	h.name = mem_strdup(db_text(r, 0, 0));
	db_result_free(r);
	rc = log_request(db, AUDIT_KEY_REQUESTED, &h, json_pack("{s:s,s:s,s:s}", "access", q->access, "mount_point", q->mount_point,
		"reason", q->reason));
	free(h.name);
	*id = h.id;
	return rc;
}

static int refresh(struct db *db, const struct request_question *q, const struct uuid *id)
{
	return db_queue(db, "update key_request set recipient_key = $2, signature = $3, facts = $4, address = $5, access = $6,"
		" mount_point = $7 where id = $1",
		DB_ARGS(db_uuid_arg(id), db_bytes_arg(q->recipient_key, REQUEST_KEY_SIZE),
			db_bytes_arg(q->signature, REQUEST_SIGNATURE_SIZE), db_json_arg(q->facts), db_text_arg(q->address),
			db_text_arg(q->access), db_text_arg(q->mount_point)));
}

/* What differs from one question to the next of an unchanged machine. */
#define PASSING_FACTS "'{gathered_at,os.uptime_s}'::text[]"

/* The open request of device and instance. SAME: it was asked with the very same one-time key, by the same agent. APPROVED: a person
 * has approved it, and it is the same agent's unchanged machine that asks for the same: its one-time key was lost before it had
 * fetched the device's key (it began anew, or had been denied at first). */
struct found {
	struct uuid id;
	int same, approved;
};

static int find_open(struct db *db, const struct request_question *q, struct found *f)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select id, recipient_key = $3 and agent = $4 and access = $5 and mount_point = $6,"
		" status = 'approved' and decided_by is not null and delivered is null and agent = $4 and access = $5"
		" and mount_point = $6 and facts - " PASSING_FACTS " = $7::jsonb - " PASSING_FACTS " from key_request"
		" where device = $1 and instance = $2 and closed is null for update", DB_ARGS(db_uuid_arg(&q->device),
		db_uuid_arg(&q->instance), db_bytes_arg(q->recipient_key, REQUEST_KEY_SIZE), db_uuid_arg(&q->agent),
		db_text_arg(q->access), db_text_arg(q->mount_point), db_json_arg(q->facts)));

	if (rc < 0)
		return rc;
	*f = (struct found){ db_uuid(r, 0, 0), db_bool(r, 0, 1), db_bool(r, 0, 2) };
	db_result_free(r);
	return 0;
}

/* What becomes of the open request; *SUPERSEDED: a new one is needed. */
static int reuse(struct db *db, const struct request_question *q, const struct found *f, int *superseded)
{
	struct held h;
	int rc = hold(db, &f->id, &h);

	if (rc < 0)
		return rc;
	*superseded = !f->approved && (h.status != REQUEST_PENDING || !uuid_equal(&h.agent, &q->agent));
	rc = *superseded ? close_held(db, &h, "superseded") : refresh(db, q, &f->id);
	free(h.name);
	return rc;
}

int request_open(struct db *db, const struct request_question *q, struct uuid *id, int *fresh)
{
	struct found f = { .same = 0 };
	int superseded = 1, rc = find_open(db, q, &f);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0 && f.same)
		superseded = 0;
	else if (rc == 0)
		rc = reuse(db, q, &f, &superseded);
	else
		rc = 0;
	*id = f.id;
	if (rc == 0 && superseded)
		rc = insert(db, q, id);
	if (rc == 0 && fresh)
		*fresh = superseded;
	return rc;
}

/* Loading */

static int take_policy(struct db_result *r, struct request_case *c)
{
	int rc = policy_action_parse(db_text(r, 0, 12), &c->policy.on_match);

	if (rc == 0)
		rc = policy_action_parse(db_text(r, 0, 13), &c->policy.on_mismatch);
	c->policy.timeout_s = db_int(r, 0, 14);
	c->policy_rules = db_json(r, 0, 15);
	c->policy.rules = c->policy_rules;
	c->policy_name = mem_strdup(db_text(r, 0, 16));
	c->policy_version = db_int(r, 0, 17);
	c->policy_pooling = db_bool(r, 0, 18);
	return rc;
}

static int take_case(struct db_result *r, const struct uuid *id, struct request_case *c)
{
	struct wire_view key = db_bytes(r, 0, 9);
	int rc;

	*c = (struct request_case) {
		.id = *id, .agent = db_uuid(r, 0, 0), .instance = db_uuid(r, 0, 1), .image = db_uuid(r, 0, 2),
		.closed = db_bool(r, 0, 5), .access = mem_strdup(db_text(r, 0, 6)), .mount_point = mem_strdup(db_text(r, 0, 7)),
		.address = mem_strdup(db_text(r, 0, 8)), .facts = db_json(r, 0, 10), .requested = db_time(r, 0, 11),
		.image_in_policy = db_bool(r, 0, 19), .used_by = db_uuid(r, 0, 20), .tenant_active = db_bool(r, 0, 21),
		.approve_at = db_time(r, 0, 22), .delivered_version = db_int(r, 0, 23), .judged = db_bool(r, 0, 24),
	};
	rc = request_state_parse(db_text(r, 0, 3), &c->status);
	if (rc == 0)
		rc = integrity_parse(db_text(r, 0, 4), &c->integrity);
	if (rc == 0)
		rc = take_policy(r, c);
	if (rc == 0 && key.len != REQUEST_KEY_SIZE)
		rc = err_set(ERR_DB, "a one-time key has %zu bytes", key.len);
	if (rc == 0)
		memcpy(c->recipient_key, key.data, REQUEST_KEY_SIZE);
	return rc;
}

#define CASE_DEVICE 25           /* the column where the device's begin */

/* The instance that has the device open is the one whose delivered request is not closed. */
#define CASE "select r.agent, r.instance, i.image, r.status, r.integrity, r.closed is not null, r.access, r.mount_point, r.address," \
	" r.recipient_key, r.facts, r.requested, p.on_match, p.on_mismatch, p.timeout_s, p.rules, p.name, p.version, p.pooling," \
	" exists (select 1 from policy_image x where x.tenant = r.tenant and x.policy = p.id and x.image = i.image)," \
	" (select o.instance from key_request o where o.tenant = r.tenant and o.device = r.device and o.instance <> r.instance" \
	" and o.closed is null and o.status in ('delivered', 'revoking') order by o.requested desc limit 1)," \
	" t.state = 'active', r.approve_at, coalesce(r.key_version, 0), r.verdict is not null, " DEVICE_COLUMNS \
	" from key_request r join device d on d.tenant = r.tenant and d.id = r.device join policy p on p.tenant = d.tenant" \
	" and p.id = d.policy join instance i on i.tenant = r.tenant and i.id = r.instance join tenant t on t.id = r.tenant" \
	" where r.id = $1"

static int load(struct db *db, const char *sql, const struct uuid *id, struct request_case *out)
{
	struct request_case c = { .closed = 0 };
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = take_case(r, id, &c);
	if (rc == 0)
		rc = device_take(r, CASE_DEVICE, &c.device);
	db_result_free(r);
	if (rc == 0)
		*out = c;
	else
		request_case_release(&c);
	return rc;
}

int request_load(struct db *db, const struct uuid *id, struct request_case *out)
{
	return load(db, CASE, id, out);
}

int request_load_locked(struct db *db, const struct uuid *id, struct request_case *out)
{
	return load(db, CASE " for update of r", id, out);
}

/* Deciding */

static json_t *verdict_json(const struct verdict *v)
{
	return json_pack("{s:s,s:i,s:i,s:i,s:O?}", "action", policy_action_name(v->action), "passed", v->passed, "failed", v->failed,
		"informational", v->informational, "rules", v->rules);
}

int request_judge(struct db *db, const struct request_case *c, const struct verdict *v, int event)
{
	struct held h = { .id = c->id, .device = c->device.id, .instance = c->instance, .agent = c->agent, .status = c->status,
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
		rc = step(db, &h, (enum request_event)event,
			event == REQUEST_EVENT_APPROVE ? AUDIT_KEY_APPROVED_AUTOMATICALLY : AUDIT_KEY_DENIED_AUTOMATICALLY, NULL);
	else if (rc == 0 && !c->judged)
		rc = log_request(db, AUDIT_KEY_PENDING, &h, json_pack("{s:s}", "integrity", integrity_name(v->integrity)));
	return rc;
}

int request_decide(struct db *db, const struct uuid *id, enum request_event event, const char *comment)
{
	const struct db_actor *a = db_actor(db);
	struct held h;
	int rc = hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (event != REQUEST_EVENT_APPROVE && event != REQUEST_EVENT_DENY)
		rc = err_set(ERR_INVALID, "a decision is approve or deny");
	else
		rc = step(db, &h, event, event == REQUEST_EVENT_APPROVE ? AUDIT_KEY_APPROVED : AUDIT_KEY_DENIED, comment);
	if (rc == 0)
		rc = db_queue(db, "update key_request set decided = now(), decided_by = $2, decided_by_name = $3, comment = $4,"
			" approve_at = null where id = $1", DB_ARGS(db_uuid_arg(id), db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id),
			db_text_arg(a->name), db_text_arg(comment)));
	if (rc == 0 && event == REQUEST_EVENT_APPROVE)
		rc = order_add(db, &h.agent, "request-key", &h.device, "");
	free(h.name);
	return rc;
}

int request_approve_due(struct db *db, const struct uuid *id, clock_us now)
{
	struct held h;
	int rc = hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (h.status != REQUEST_PENDING || h.approve_at == 0 || h.approve_at > now)
		rc = err_set(ERR_CONFLICT, "the request is not due");
	else
		rc = step(db, &h, REQUEST_EVENT_APPROVE, AUDIT_KEY_APPROVED_AUTOMATICALLY, "after the policy's time");
	if (rc == 0)
		rc = db_queue(db, "update key_request set decided = now(), approve_at = null where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = order_add(db, &h.agent, "request-key", &h.device, "");
	free(h.name);
	return rc;
}

/* Nothing here waits for the database: all of it travels with the commit. */
static int deliver(struct db *db, const struct held *h, int64_t version)
{
	/* The answer was lost: the same key to the same one-time key is nothing new, but it is logged. */
	int again = h->status == REQUEST_DELIVERED && h->version == version, rc;
	int to = again ? REQUEST_DELIVERED : request_next(h->status, REQUEST_EVENT_DELIVER);

	if (to < 0)
		return to;
	/* One new version of the row, not one for its status and one for the rest. */
	rc = db_queue(db, "update key_request set status = $2, delivered = now(), key_version = $3 where id = $1",
		DB_ARGS(db_uuid_arg(&h->id), db_text_arg(request_state_name((enum request_state)to)), db_int_arg(version)));
	if (rc == 0 && !again)
		rc = record(db, h, REQUEST_EVENT_DELIVER, NULL);
	if (rc == 0)
		rc = log_request(db, AUDIT_KEY_DELIVERED, h, again ? json_pack("{s:b,s:I}", "again", 1, "version", (json_int_t)version) : NULL);
	return rc;
}

int request_deliver(struct db *db, const struct uuid *id, int64_t version)
{
	struct held h;
	int rc = hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	rc = deliver(db, &h, version);
	free(h.name);
	return rc;
}

int request_deliver_case(struct db *db, const struct request_case *c, int64_t version)
{
	const struct held h = { .id = c->id, .device = c->device.id, .instance = c->instance, .agent = c->agent, .status = c->status,
		.name = c->device.name, .version = c->delivered_version };

	return c->closed ? err_set(ERR_CONFLICT, "the request is closed") : deliver(db, &h, version);
}

int request_opened(struct db *db, const struct uuid *id)
{
	struct held h;
	int rc = hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	if (h.status != REQUEST_DELIVERED && h.status != REQUEST_REVOKING)
		rc = err_set(ERR_CONFLICT, "no key was delivered for this request");
	if (rc == 0)
		rc = db_queue(db, "update key_request set opened = coalesce(opened, now()) where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = device_step(db, &h.device, DEVICE_EVENT_OPEN, AUDIT_DEVICE_OPENED, NULL);
	free(h.name);
	return rc;
}

/* Nobody else has it open: then it is no longer In-use. */
static int close_device(struct db *db, const struct uuid *device, const char *reason)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select 1 from device d where d.id = $1 and d.status = 'in-use' and not exists (select 1 from"
		" key_request r where r.device = d.id and r.closed is null and r.opened is not null"
		" and r.status in ('delivered', 'revoking'))", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 1)
		rc = device_step(db, device, DEVICE_EVENT_CLOSE, AUDIT_DEVICE_CLOSED, json_pack("{s:s}", "reason", reason));
	db_result_free(r);
	return rc;
}

int request_close(struct db *db, const struct uuid *id, const char *reason)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	if (!h.closed && h.status == REQUEST_REVOKING)
		rc = step(db, &h, REQUEST_EVENT_RELEASED, AUDIT_KEY_REVOKED, NULL);
	/* A revoked key can be granted again (INT-4): its request stays open for that. */
	if (rc == 0 && !h.closed && h.status != REQUEST_REVOKED)
		rc = close_held(db, &h, reason);
	if (rc == 0)
		rc = close_device(db, &h.device, reason);
	free(h.name);
	return rc;
}

int request_volume_closed(struct db *db, const struct uuid *instance, const struct uuid *device, const char *reason)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where device = $1 and instance = $2 and closed is null"
		" and status in ('delivered', 'revoking') for update", DB_ARGS(db_uuid_arg(device), db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = request_close(db, &id, reason);
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

int request_revoke(struct db *db, const struct uuid *id, const char *comment)
{
	struct held h;
	int rc = hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	rc = step(db, &h, REQUEST_EVENT_REVOKE, AUDIT_KEY_REVOKE, comment);
	if (rc == 0)
		rc = order_add(db, &h.agent, "revoke", &h.device, "");
	free(h.name);
	return rc;
}

int request_restore(struct db *db, const struct uuid *id, const char *comment)
{
	struct held h;
	int rc = hold_open(db, id, &h), fetch;

	if (rc < 0)
		return rc;
	fetch = h.status == REQUEST_REVOKED;
	rc = step(db, &h, REQUEST_EVENT_RESTORE, AUDIT_KEY_RESTORED, comment);
	if (rc == 0 && fetch)
		rc = order_add(db, &h.agent, "request-key", &h.device, "");
	free(h.name);
	return rc;
}

int request_set_integrity(struct db *db, const struct uuid *id, enum integrity integrity, const json_t *verdict)
{
	struct held h;
	int changed, rc = hold_open(db, id, &h);

	if (rc < 0)
		return rc;
	rc = changed = db_run(db, "update key_request set integrity = $2, verdict = coalesce($3::jsonb, verdict) where id = $1"
		" and (integrity <> $2 or $3::jsonb is not null)", DB_ARGS(db_uuid_arg(id), db_text_arg(integrity_name(integrity)),
		db_json_arg(verdict)));
	if (changed > 0)
		rc = log_request(db, AUDIT_KEY_INTEGRITY, &h, json_pack("{s:s}", "integrity", integrity_name(integrity)));
	free(h.name);
	return rc < 0 ? rc : 0;
}

int request_assign_policy(struct db *db, const struct uuid *id, const struct uuid *policy)
{
	struct held h;
	int rc = hold_open(db, id, &h);

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
		rc = log_request(db, AUDIT_KEY_POLICY, &h, NULL);
	free(h.name);
	return rc;
}

int request_due(struct db *db, clock_us now, int limit, json_t **out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where closed is null and status = 'pending' and approve_at <= $1"
		" order by approve_at limit $2", DB_ARGS(db_time_arg(now), db_int_arg(limit)));

	if (rc < 0)
		return rc;
	*out = db_rows_json(r);
	db_result_free(r);
	return 0;
}
