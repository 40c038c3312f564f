/* key.c - devices' keys. */
#include "store/key.h"

#include <string.h>

#include "base/err.h"
#include "store/audit.h"

static void replace(struct buf *b, struct wire_view v)
{
	buf_reset(b);
	buf_add(b, v.data, v.len);
}

int device_key_get(struct db *db, const struct uuid *device, int64_t *version, struct buf *wrapped)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select version, wrapped from device_key where device = $1 and state = 'active'",
		DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	replace(wrapped, db_bytes(r, 0, 1));
	*version = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int device_key_release(struct db *db, const struct uuid *device, int64_t *version, struct buf *wrapped, struct buf *tenant)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select k.version, k.wrapped, t.state, t.wrapped_key from device_key k join tenant t"
		" on t.id = k.tenant where k.device = $1 and k.state = 'active'", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	if (strcmp(db_text(r, 0, 2), "active") != 0) {
		rc = err_set(ERR_SUSPENDED, "the account is %s", db_text(r, 0, 2));
	} else if (db_is_null(r, 0, 3)) {
		rc = err_set(ERR_NOT_FOUND, "the account has no key");
	} else {
		*version = db_int(r, 0, 0);
		replace(wrapped, db_bytes(r, 0, 1));
		replace(tenant, db_bytes(r, 0, 3));
	}
	db_result_free(r);
	return rc;
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
