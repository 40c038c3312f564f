/* request.c - a key request with all that a decision needs. Asking is in request_ask.c, decisions in request_decide.c, what comes
 * after them in request_fetch.c and request_key.c, the steps of all of them in request_step.c, lists in request_list.c, counts in
 * request_count.c. */
#include "store/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void request_case_release(struct request_case *c)
{
	free(c->access);
	free(c->mount_point);
	free(c->address);
	free(c->asked_name);
	free(c->policy_name);
	free(c->gist);
	json_decref(c->facts);
	json_decref(c->policy_rules);
	device_release(&c->device);
	memset(c, 0, sizeof *c);
}

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
	c->approvals_needed = db_int(r, 0, 25);
	c->judged_version = db_int(r, 0, 26);
	c->person_revoked = db_bool(r, 0, 30);
	return rc;
}

/* A one-time key, or the signature over one. */
static int take_point(struct db_result *r, int column, uint8_t *out, size_t len)
{
	struct wire_view v = db_bytes(r, 0, column);

	if (v.len != len)
		return err_set(ERR_DB, "a one-time key or its signature has %zu bytes", v.len);
	memcpy(out, v.data, len);
	return 0;
}

static int take_case(struct db_result *r, const struct uuid *id, struct request_case *c)
{
	int rc;

	*c = (struct request_case) {
		.id = *id, .agent = db_uuid(r, 0, 0), .instance = db_uuid(r, 0, 1), .image = db_uuid(r, 0, 2),
		.closed = db_bool(r, 0, 5), .access = mem_strdup(db_text(r, 0, 6)), .mount_point = mem_strdup(db_text(r, 0, 7)),
		.address = mem_strdup(db_text(r, 0, 8)), .facts = db_json(r, 0, 10), .requested = db_time(r, 0, 11),
		.image_in_policy = db_bool(r, 0, 19), .used_by = db_uuid(r, 0, 20), .tenant_active = db_bool(r, 0, 21),
		.approve_at = db_time(r, 0, 22), .delivered_version = db_int(r, 0, 23), .judged = db_bool(r, 0, 24),
		.votes_expire = db_time(r, 0, 27), .gist = mem_strdup(db_text(r, 0, 28)), .asked = db_uuid(r, 0, 29),
		.unplaced = db_bool(r, 0, 31),
	};
	rc = request_state_parse(db_text(r, 0, 3), &c->status);
	if (rc == 0)
		rc = integrity_parse(db_text(r, 0, 4), &c->integrity);
	if (rc == 0)
		rc = take_policy(r, c);
	return rc < 0 ? rc : take_point(r, 9, c->recipient_key, sizeof c->recipient_key);
}

#define CASE_DEVICE 32           /* the column where the device's begin */

/* A person took this key from this machine, by another request, and nobody has approved it since. */
#define SAME_DEVICE(x) "(" x ".device = r.device or coalesce(" x ".asked_device, " x ".device) = coalesce(r.asked_device, r.device))"
#define PERSON_REVOKED "exists (select 1 from key_request o where o.tenant = r.tenant and o.instance = r.instance" \
	" and o.id <> r.id and o.revoke_by = 'person' and " SAME_DEVICE("o") " and not exists (select 1 from key_request n" \
	" where n.tenant = o.tenant and n.instance = o.instance and n.requested > o.requested and " SAME_DEVICE("n") \
	" and n.decided_by is not null and n.status <> 'denied'))"

/* The instance that has the device open is the one whose delivered request is not closed. */
#define CASE "select r.agent, r.instance, i.image, r.status, r.integrity, r.closed is not null, r.access, r.mount_point, r.address," \
	" r.recipient_key, r.facts, r.requested, p.on_match, p.on_mismatch, p.timeout_s, p.rules, p.name, p.version, p.pooling," \
	" exists (select 1 from policy_image x where x.tenant = r.tenant and x.policy = p.id and x.image = i.image)," \
	" (select o.instance from key_request o where o.tenant = r.tenant and o.device = r.device and o.instance <> r.instance" \
	" and o.closed is null and o.status in ('delivered', 'revoking') order by o.requested desc limit 1)," \
	" t.state = 'active', r.approve_at, coalesce(r.key_version, 0), r.verdict is not null, p.approvals_needed," \
	" case when r.verdict is not null and r.policy = p.id then r.policy_version else 0 end, r.votes_expire, r.gist, coalesce(r.asked_device, r.device), " PERSON_REVOKED ", r.unplaced, " DEVICE_COLUMNS \
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

/* An answer of Deep Security Manager is on its way: until it is there nothing is decided for want of it. */
static int is_awaited(const json_t *facts)
{
	return json_is_true(json_object_get(json_object_get(facts, "deep_security"), "waiting"));
}

void request_evaluate(const struct request_case *c, const json_t *facts, clock_us now, struct verdict *out)
{
	struct facts known;

	/* What cannot be read is not known (RUL-24). */
	if (facts_read(facts ? facts : c->facts, &known) < 0)
		facts_read(NULL, &known);
	policy_evaluate(&c->policy, &known, now, out);
	/* Image and device in different policies: nobody but a person can say which one holds (RUN-4). */
	if (!c->image_in_policy)
		out->integrity = INTEGRITY_UNKNOWN;
	/* A policy that asks for no approval at all is a mistake, and a mistake releases nothing (SEC-7). What a person revoked only a
	 * person gives back, however the agent asks for it. */
	if (!c->image_in_policy || c->approvals_needed < 1 || ((c->person_revoked || c->unplaced) && out->action != POLICY_ACTION_DENY)
		|| (c->approvals_needed > 1 && out->action == POLICY_ACTION_MANUAL_TIMEOUT)
		|| (out->unknown && is_awaited(facts ? facts : c->facts))) {
		out->action = POLICY_ACTION_MANUAL;
		out->approve_at = 0;
	}
}
