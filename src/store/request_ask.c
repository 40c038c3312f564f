/* request_ask.c - an agent asks: a new request, or the one that is open already. */
#include "store/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/facts.h"
#include "store/order.h"
#include "store/request_step.h"

static int insert(struct db *db, const struct request_question *q, struct uuid *id)
{
	struct request_held h = { .id = uuid_new() };
	struct db_result *r;
	const struct uuid *given = uuid_is_nil(&q->given) ? &q->device : &q->given;
	json_t *detail;
	/* Who had the device encrypted does not approve its key (RUN-8) until one was delivered since. */
	int rc = db_query_row(db, &r, "with d as (select tenant, id, policy, coalesce(nullif(name, ''), provider_device) as label,"
		" case when not exists (select 1 from key_request o where o.tenant = device.tenant and o.device = device.id"
		" and o.requested >= device.key_created and o.delivered is not null) then encrypt_by end as ordered_by"
		" from device where id = $2), n as (insert into key_request (tenant, id, device, instance, agent, image, policy, policy_name,"
		" policy_version, access, mount_point, reason, recipient_key, signature, facts, address,"
		" ordered_by, asked_device, pooled, unplaced) select d.tenant, $1, d.id, i.id, $4,"
		" i.image, p.id, p.name, p.version, $5, $6, $7, $8, $9, $10, $11,"
		" d.ordered_by, $12, $13, $14 from d join instance i on i.id = $3 join policy p"
		" on p.id = d.policy returning id) select d.label, (select coalesce(nullif(a.name, ''), a.provider_device)"
		" from device a where a.id = $12) from d, n", DB_ARGS(db_uuid_arg(&h.id), db_uuid_arg(given),
		db_uuid_arg(&q->instance), db_uuid_arg(&q->agent), db_text_arg(q->access), db_text_arg(q->mount_point),
		db_text_arg(q->reason), db_bytes_arg(q->recipient_key, REQUEST_KEY_SIZE),
		db_bytes_arg(q->signature, REQUEST_SIGNATURE_SIZE), db_json_arg(q->facts), db_text_arg(q->address), db_uuid_arg(uuid_equal(given, &q->device) ? NULL : &q->device),
		db_bool_arg(q->pooled), db_bool_arg(q->unplaced)));

	if (rc < 0)
		return rc;
	h.name = mem_strdup(db_text(r, 0, 0));
	detail = json_pack("{s:s,s:s,s:s}", "access", q->access, "mount_point", q->mount_point, "reason", q->reason);
	if (!db_is_null(r, 0, 1))
		json_set_string(detail, "asked", db_text(r, 0, 1));
	db_result_free(r);
	rc = request_log(db, AUDIT_KEY_REQUESTED, &h, detail);
	request_held_release(&h);
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

/* The reason of an agent that asks because time has passed. */
#define BY_ITSELF "schedule"

/* Where the console says it, what the agent has said is no part of the question: keyward-config knows it from the task, the agent that goes
 * on after it does not. */
#define SAME_PLACE "(mount_point = $6 or exists (select 1 from device d where d.tenant = key_request.tenant and d.id = $7" \
	" and d.mount_point <> ''))"

/* The open request of device and instance. SAME: it was asked with the very same one-time key, by the same agent. HOLDS: what was
 * decided on it is the answer to this question too. MOVED: the question is answered with another device now; a denial holds for it too. */
struct found {
	struct uuid id;
	int same, holds, moved;
};

static int find_open(struct db *db, const struct request_question *q, struct found *f)
{
	struct request_again again;
	struct db_result *r;
	json_t *facts;
	int rc = db_query_row(db, &r, "select id, recipient_key = $3 and agent = $4 and access = $5 and " SAME_PLACE ","
		" agent = $4 and access = $5 and " SAME_PLACE ", status, decided_by is not null, delivered is not null,"
		" coalesce(decided, now()), now(), facts, device <> $7 or unplaced <> $8 from key_request"
		" where coalesce(asked_device, device) = $1 and instance = $2 and closed is null for update", DB_ARGS(db_uuid_arg(&q->device),
		db_uuid_arg(&q->instance), db_bytes_arg(q->recipient_key, REQUEST_KEY_SIZE), db_uuid_arg(&q->agent),
		db_text_arg(q->access), db_text_arg(q->mount_point), db_uuid_arg(uuid_is_nil(&q->given) ? &q->device : &q->given),
		db_bool_arg(q->unplaced)));

	if (rc < 0)
		return rc;
	facts = db_json(r, 0, 8);
	again = (struct request_again){ .unchanged = db_bool(r, 0, 2) && facts_unchanged(facts, q->facts),
		.by_person = db_bool(r, 0, 4), .delivered = db_bool(r, 0, 5), .age = db_time(r, 0, 7) - db_time(r, 0, 6), .by_itself = strcmp(q->reason, BY_ITSELF) == 0 };
	rc = request_state_parse(db_text(r, 0, 3), &again.status);
	if (rc == 0)
		*f = (struct found){ db_uuid(r, 0, 0), db_bool(r, 0, 1), request_holds(&again), db_bool(r, 0, 9) };
	if (rc == 0 && f->moved && f->holds && again.status == REQUEST_DENIED)
		f->moved = 0;
	if (rc == 0 && f->moved)
		f->same = 0;
	json_decref(facts);
	db_result_free(r);
	return rc;
}

/* What becomes of the open request; *SUPERSEDED: a new one is needed. */
static int reuse(struct db *db, const struct request_question *q, const struct found *f, int *superseded)
{
	struct request_held h;
	int rc = request_hold(db, &f->id, &h);

	if (rc < 0)
		return rc;
	*superseded = f->moved || (!f->holds && (h.status != REQUEST_PENDING || !uuid_equal(&h.agent, &q->agent)));
	/* Who asks anew has no key any more; the order to give it back must not close what is opened after this. */
	if (*superseded && h.status == REQUEST_REVOKING && h.revoke_ordered) {
		rc = request_released(db, &h);
		if (rc == 0)
			rc = order_forget(db, &h.agent, "revoke", &h.asked, "the agent has no key any more");
	}
	if (rc == 0)
		rc = *superseded ? request_end(db, &h, "superseded") : refresh(db, q, &f->id);
	request_held_release(&h);
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
