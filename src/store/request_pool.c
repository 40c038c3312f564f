/* request_pool.c - resource pooling (POL-5): which device answers a question, where the one asked for is in use by another instance. */
#include "store/request.h"

#include "base/err.h"
#include "store/device.h"

#define TRIES 8                  /* of finding a free one that nobody has taken in between */

/* Of device d, for instance $2: last seen on a machine that runs, or may run. One that is stopped has nothing attached. */
#define ATTACHED_ELSEWHERE "exists (select 1 from instance i where i.tenant = d.tenant and i.id = d.instance and i.id <> $2" \
	" and i.state <> 'stopped')"
/* An open request of another instance that has its key, or will. One that found nothing free holds nothing. */
#define HELD_ELSEWHERE(statuses) "exists (select 1 from key_request o where o.tenant = d.tenant and o.device = d.id" \
	" and o.instance <> $2 and o.closed is null and not o.unplaced" statuses ")"
#define TAKEN ATTACHED_ELSEWHERE " or " HELD_ELSEWHERE(" and o.status in ('pending', 'approved', 'delivered', 'revoking')")
/* This instance has it by any name. */
#define HELD_HERE "exists (select 1 from key_request o where o.tenant = d.tenant and o.device = d.id and o.instance = $2" \
	" and o.closed is null and not o.unplaced)"

struct question {
	int pools, mine;             /* mine: given to this instance in place of another */
	struct uuid first;           /* what it was given for this question, or else what it asks for */
};

static int look(struct db *db, const struct request_question *q, struct question *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select p.pooling and provider_attaches(d.provider) and d.kind <> '" DEVICE_KIND_RAID "',"
		" exists (select 1 from key_request o where o.tenant = d.tenant and o.device = d.id and o.instance = $2 and o.closed is null"
		" and o.asked_device <> d.id), coalesce((select o.device from key_request o where o.tenant = d.tenant and o.instance = $2"
		" and o.closed is null and not o.unplaced and o.asked_device = d.id limit 1), d.id) from device d"
		" join policy p on p.tenant = d.tenant and p.id = d.policy where d.id = $1",
		DB_ARGS(db_uuid_arg(&q->device), db_uuid_arg(&q->instance)));

	if (rc < 0)
		return rc;
	*out = (struct question){ db_bool(r, 0, 0), db_bool(r, 0, 1), db_uuid(r, 0, 2) };
	db_result_free(r);
	return 0;
}

static int is_taken(struct db *db, const struct uuid *device, const struct uuid *instance)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select " TAKEN " from device d where d.id = $1",
		DB_ARGS(db_uuid_arg(device), db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0);
	db_result_free(r);
	return rc;
}

/* 1: it is free, and this transaction's. Looked at before the lock, so that nobody waits for what is in use, and after it. */
static int take(struct db *db, const struct uuid *device, const struct uuid *instance)
{
	struct db_result *r;
	int rc = is_taken(db, device, instance);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = db_query_row(db, &r, "select 1 from device where id = $1 for no key update", DB_ARGS(db_uuid_arg(device)));
	if (rc < 0)
		return rc;
	db_result_free(r);
	rc = is_taken(db, device, instance);
	return rc < 0 ? rc : !rc;
}

/* A free device of the same policy, provider and, where known, zone; what the agent may do with it is not more than with the one asked
 * for. What this machine has attached comes first. ERR_NOT_FOUND. */
static int pick(struct db *db, const struct request_question *q, struct uuid *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select d.id from device d join device x on x.tenant = d.tenant and x.id = $1"
		" and x.policy = d.policy and x.provider = d.provider and x.id <> d.id join instance n on n.tenant = d.tenant and n.id = $2"
		" left join instance z on z.tenant = d.tenant and z.id = d.instance where d.status = 'encrypted' and d.raid is null"
		" and (d.access = 'read-only' or $3 = 'read-only' or x.access = 'read-write')"
		" and (coalesce(z.zone, '') in ('', n.zone) or n.zone = '')"
		" and exists (select 1 from device_key k where k.tenant = d.tenant and k.device = d.id and k.state = 'active')"
		" and not " ATTACHED_ELSEWHERE " and not " HELD_ELSEWHERE("") " and not " HELD_HERE
		" order by d.instance is not distinct from $2 desc, d.id limit 1 for no key update of d skip locked",
		DB_ARGS(db_uuid_arg(&q->device), db_uuid_arg(&q->instance), db_text_arg(q->access)));

	if (rc < 0)
		return rc;
	*out = db_uuid(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* The picture that a statement has may be older than its lock: looked at once more. */
static int pick_free(struct db *db, const struct request_question *q, struct uuid *out)
{
	for (int i = 0; i < TRIES; i++) {
		int rc = pick(db, q, out), taken = rc < 0 ? rc : is_taken(db, out, &q->instance);

		if (taken <= 0)
			return taken;
	}
	return ERR_NOT_FOUND;
}

int request_place(struct db *db, struct request_question *q)
{
	struct question s;
	int rc = look(db, q, &s);

	q->given = q->device;
	q->pooled = q->unplaced = 0;
	if (rc < 0 || !s.pools)
		return rc;
	if (s.mine)
		return err_set(ERR_CONFLICT, "this device was given to this instance in place of another; close that first");
	q->pooled = 1;
	q->given = s.first;
	/* The request that this machine has open comes before the device, as for whoever takes both. */
	rc = db_queue(db, "select 1 from key_request where coalesce(asked_device, device) = $1 and instance = $2 and closed is null for update",
		DB_ARGS(db_uuid_arg(&q->device), db_uuid_arg(&q->instance)));
	if (rc < 0)
		return rc;
	rc = take(db, &s.first, &q->instance);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = pick_free(db, q, &q->given);
	if (rc != ERR_NOT_FOUND)
		return rc;
	q->given = q->device;
	q->unplaced = 1;
	return 0;
}
