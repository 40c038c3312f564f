/* rotation_due.c - what jobd does for rotations: orders that are missing, and keys that have become too old. */
#include "store/rotation.h"

#include "base/err.h"
#include "store/audit.h"
#include "store/order.h"

/* What failed is ordered again after a minute, after two, after four, at last once a day. */
#define RESTS "interval '1 minute' * least(power(2, greatest(least(r.tries, 12) - 1, 0)), 1440)"
/* Of those that are too old already, a day's share at a time. */
#define SHARE_OF_DAY "1440"              /* jobd comes once a minute */

int rotation_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from rotation_tenants()", DB_NONE);
}

static int order_one(struct db *db, const struct db_result *r, size_t row, clock_us now)
{
	struct uuid id = db_uuid(r, row, 0), instance = db_uuid(r, row, 1);
	int rc = order_add_for_instance(db, &instance, db_text(r, row, 2), &id, "");

	return rc < 0 ? rc : db_queue(db, "update rotation set tried = $2 where device = $1 and finished is null",
		DB_ARGS(db_uuid_arg(&id), db_time_arg(now)));
}

static int order_missing(struct db *db, clock_us now, int limit)
{
	struct db_result *r;
	int done = 0, rc = db_query(db, &r, "select d.id, d.instance, " ROTATION_ORDER_OF " from rotation r join device d on d.tenant = r.tenant and d.id = r.device"
		" where r.finished is null and d.status = 'in-use' and d.instance is not null and (r.tried is null or r.tried < $1::timestamptz - "
		RESTS ") and not exists (select 1 from agent_order o where o.tenant = r.tenant and o.device = r.device and o.kind = "
		ROTATION_ORDER_OF " and o.finished is null) order by r.wanted limit $2 for update of r skip locked",
		DB_ARGS(db_time_arg(now), db_int_arg(limit)));

	if (rc < 0)
		return rc;
	for (; rc == 0 && done < (int)db_rows(r); done++)
		rc = order_one(db, r, (size_t)done, now);
	db_result_free(r);
	return rc < 0 ? rc : done;
}

static int want_old(struct db *db, clock_us now, int limit)
{
	struct db_result *r;
	int done, rc = db_query(db, &r, "insert into rotation (tenant, id, device, reason, by_name) select d.tenant, gen_random_uuid(), d.id,"
		" 'age', $3 from rotation_age a join device d on d.tenant = a.tenant where d.key_created is not null and " ROTATION_DUE " < $1::timestamptz and "
		ROTATION_FITS " and d.kind <> '" DEVICE_KIND_RAID "' and not exists (select 1 from rotation x where x.tenant = d.tenant"
		" and x.device = d.id and x.finished is null) order by coalesce(d.key_rotated, d.key_created) limit least($2::int, (select 1 + count(*)"
		" / " SHARE_OF_DAY " from device n where n.key_created is not null)) on conflict do nothing returning device",
		DB_ARGS(db_time_arg(now), db_int_arg(limit), db_text_arg(db_actor(db)->name)));

	if (rc < 0)
		return rc;
	done = (int)db_rows(r);
	for (int i = 0; rc == 0 && i < done; i++) {
		struct uuid id = db_uuid(r, (size_t)i, 0);

		rc = audit_log(db, AUDIT_KEY_ROTATE, &(struct audit_object) { "device", &id, NULL }, json_pack("{s:s}", "reason", "age"));
	}
	db_result_free(r);
	return rc < 0 ? rc : done;
}

int rotation_run(struct db *db, clock_us now, int limit)
{
	int old = want_old(db, now, limit), rc = old < 0 ? old : order_missing(db, now, limit);

	/* Those that are due by their age come by the share: not at once because one share was full. */
	return rc;
}
