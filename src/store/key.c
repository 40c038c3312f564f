/* key.c - devices' keys. */
#include "store/key.h"

#include "base/err.h"
#include "store/audit.h"

int device_key_get(struct db *db, const struct uuid *device, int64_t *version, struct buf *wrapped)
{
	struct db_result *r;
	struct wire_view blob;
	int rc = db_query_row(db, &r, "select version, wrapped from device_key where device = $1 and state = 'active'",
		DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	blob = db_bytes(r, 0, 1);
	buf_reset(wrapped);
	buf_add(wrapped, blob.data, blob.len);
	*version = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

static int log_key(struct db *db, enum audit_event event, const struct uuid *device, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", device, name }, detail);
}

int device_key_add(struct db *db, const struct uuid *device, const char *name, int64_t version, struct wire_view wrapped)
{
	int rc = db_queue(db, "update device_key set state = 'former' where device = $1 and state = 'active'",
		DB_ARGS(db_uuid_arg(device)));

	if (rc == 0)
		rc = db_run_one(db, "insert into device_key (tenant, device, version, wrapped) values (current_tenant(), $1, $2, $3)",
			DB_ARGS(db_uuid_arg(device), db_int_arg(version), db_bytes_arg(wrapped.data, wrapped.len)));
	if (rc == 0)
		rc = db_queue(db, "update device set key_version = $2, key_created = now(), key_rotated = case when key_created is null"
			" then null else now() end where id = $1", DB_ARGS(db_uuid_arg(device), db_int_arg(version)));
	return rc < 0 ? rc : log_key(db, AUDIT_KEY_CREATED, device, name, json_pack("{s:I}", "version", (json_int_t)version));
}

int device_key_destroy(struct db *db, const struct uuid *device, const char *name)
{
	int rc = db_run(db, "delete from device_key where device = $1", DB_ARGS(db_uuid_arg(device)));

	return rc <= 0 ? rc : log_key(db, AUDIT_KEY_DESTROYED, device, name, json_pack("{s:i}", "keys", rc));
}
