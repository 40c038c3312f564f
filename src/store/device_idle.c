/* device_idle.c - encryptions that do not get on. */
#include "store/device_idle.h"

#include "base/err.h"
#include "store/audit.h"

int device_idle_tenants(struct db *db, clock_us before, json_t **out)
{
	return db_get_rows(db, out, "select id from device_idle_tenants($1)", DB_ARGS(db_time_arg(before)));
}

/* A device that waits behind others of a RAID 0 array is its array's matter. */
int device_idle_find(struct db *db, clock_us before, int limit)
{
	struct db_result *r;
	int rc = db_query(db, &r, "with idle as (select d.id from device d where d.status in ('encryption-pending', 'encrypting') and not d.idle_told and"
		" greatest(d.status_since, d.changed) < $1 order by d.id limit $2 for update skip locked) update device d set idle_told = true from idle where"
		" d.id = idle.id returning d.id, d.name, d.status = 'encrypting', d.raid is not null", DB_ARGS(db_time_arg(before), db_int_arg(limit)));
	int count = rc < 0 ? 0 : (int)db_rows(r);

	for (int i = 0; rc == 0 && i < count; i++) {
		struct uuid id = db_uuid(r, (size_t)i, 0);

		if (!db_bool(r, (size_t)i, 3))
			rc = audit_log(db, AUDIT_DEVICE_IDLE, &(struct audit_object){ "device", &id, db_text(r, (size_t)i, 1) }, json_pack("{s:s}", "reason",
				db_bool(r, (size_t)i, 2) ? "it was begun, and there is no progress" : "the machine has not begun"));
	}
	if (rc >= 0)
		db_result_free(r);
	return rc < 0 ? rc : count;
}
