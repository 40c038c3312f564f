/* key.c - devices' keys. */
#include "store/key.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
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

int device_key_is_for(struct db *db, const struct uuid *device, const struct uuid *instance, int *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select exists (select 1 from device_key where device = $1 and state = 'active' and instance = $2)",
		DB_ARGS(db_uuid_arg(device), db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*out = db_bool(r, 0, 0);
	db_result_free(r);
	return 0;
}

int device_key_version(struct db *db, const struct uuid *device, int64_t version, struct buf *wrapped)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select wrapped from device_key where device = $1 and version = $2",
		DB_ARGS(db_uuid_arg(device), db_int_arg(version)));

	if (rc < 0)
		return rc;
	replace(wrapped, db_bytes(r, 0, 0));
	db_result_free(r);
	return 0;
}

int device_key_made_for(struct db *db, const struct uuid *device, int64_t version, struct uuid *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select made_for from device_key where device = $1 and version = $2",
		DB_ARGS(db_uuid_arg(device), db_int_arg(version)));

	if (rc < 0)
		return rc;
	*out = db_uuid(r, 0, 0);
	db_result_free(r);
	return 0;
}

void device_key_take(struct db_result *r, int at, struct key_pair *out)
{
	out->version = db_int(r, 0, at);
	replace(&out->wrapped, db_bytes(r, 0, at + 1));
	snprintf(out->account, sizeof out->account, "%s", db_text(r, 0, at + 2));
	replace(&out->tenant, db_bytes(r, 0, at + 3));
	out->made_for = db_uuid(r, 0, at + 4);
	out->other = db_int(r, 0, at + 5);
}

void device_key_take_ticket(struct db_result *r, int at, struct key_pair *out)
{
	replace(&out->ticket, db_bytes(r, 0, at));
}

int device_key_check(const struct key_pair *p)
{
	if (strcmp(p->account, "active") != 0)
		return err_set(ERR_SUSPENDED, "the account is %s", p->account);
	if (p->version == 0)
		return err_set(ERR_NOT_FOUND, "the device has no key");
	return p->tenant.len ? 0 : err_set(ERR_NOT_FOUND, "the account has no key");
}

int device_key_for_task(struct db *db, const struct uuid *device, int64_t version, const struct uuid *work,
	const uint8_t recipient[static KEY_POINT_SIZE], struct key_pair *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select t.state, t.wrapped_key, key_ticket_task($1, $2, $3, $4, $5) from tenant t where t.id = current_tenant()",
		DB_ARGS(db_uuid_arg(&db_actor(db)->id), db_uuid_arg(device), db_int_arg(version), db_uuid_arg(work),
		db_bytes_arg(recipient, KEY_POINT_SIZE)));

	if (rc < 0)
		return rc;
	snprintf(out->account, sizeof out->account, "%s", db_text(r, 0, 0));
	out->version = version;
	replace(&out->tenant, db_bytes(r, 0, 1));
	replace(&out->ticket, db_bytes(r, 0, 2));
	db_result_free(r);
	return device_key_check(out);
}

int device_key_ticket(struct db *db, const struct uuid *request, const struct uuid *device, int64_t version, struct buf *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select key_ticket($1, $2, $3, $4)", DB_ARGS(db_uuid_arg(request), db_uuid_arg(&db_actor(db)->id),
		db_uuid_arg(device), db_int_arg(version)));

	if (rc < 0)
		return rc;
	replace(out, db_bytes(r, 0, 0));
	db_result_free(r);
	return 0;
}

void device_key_pair_free(struct key_pair *p)
{
	buf_free(&p->wrapped);
	buf_free(&p->tenant);
	buf_free(&p->ticket);
}

static int log_key(struct db *db, enum audit_event event, const struct uuid *device, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", device, name }, detail);
}

static int retire(struct db *db, const struct uuid *device)
{
	return db_queue(db, "update device_key set state = 'former', other = null where device = $1 and state = 'active'", DB_ARGS(db_uuid_arg(device)));
}

int device_key_copy(struct db *db, const struct device_key_copy *c, const char *name, struct wire_view wrapped)
{
	json_t *detail = json_pack("{s:I, s:I}", "version", (json_int_t)c->version, "source_version", (json_int_t)c->source_version);
	int rc = retire(db, &c->device);

	json_set_uuid(detail, "source", &c->source);
	if (rc == 0)
		rc = db_run_one(db, "insert into device_key (tenant, device, version, wrapped, made_for, made_version, key_server, server_key)"
			" select k.tenant, $1, $2, $3, $4, $5, k.key_server, k.server_key from device_key k where k.device = $6 and k.version = $7",
			DB_ARGS(db_uuid_arg(&c->device), db_int_arg(c->version), db_bytes_arg(wrapped.data, wrapped.len),
			db_uuid_arg(&c->made_for), db_int_arg(c->made_version), db_uuid_arg(&c->source), db_int_arg(c->source_version)));
	if (rc == 0)
		rc = db_queue(db, "update device set key_version = $2, key_created = now(), key_rotated = null where id = $1",
			DB_ARGS(db_uuid_arg(&c->device), db_int_arg(c->version)));
	if (rc == 0)
		return log_key(db, AUDIT_KEY_COPIED, &c->device, name, detail);
	json_decref(detail);
	return rc;
}

int device_key_insert(struct db *db, const struct uuid *device, int64_t version, const char *state, const struct device_key_new *key)
{
	return db_run_one(db, "insert into device_key (tenant, device, version, wrapped, state, key_server, server_key) values (current_tenant(), $1,"
		" $2, $3, $4, $5, $6)", DB_ARGS(db_uuid_arg(device), db_int_arg(version), db_bytes_arg(key->wrapped.data, key->wrapped.len),
		db_text_arg(state), db_text_arg(key->key_server), db_text_arg(key->key_server ? key->server_key : NULL)));
}

int device_key_add(struct db *db, const struct uuid *device, const char *name, int64_t version, const struct device_key_new *key)
{
	json_t *detail = json_pack("{s:I,s:s*}", "version", (json_int_t)version, "key_server", key->key_server);
	int rc = retire(db, device);

	if (rc == 0)
		rc = device_key_insert(db, device, version, "active", key);
	if (rc == 0)
		rc = db_queue(db, "update device set key_version = $2, key_created = now(), key_rotated = case when key_created is null"
			" then null else now() end where id = $1", DB_ARGS(db_uuid_arg(device), db_int_arg(version)));
	if (rc == 0)
		return log_key(db, AUDIT_KEY_CREATED, device, name, detail);
	json_decref(detail);
	return rc;
}

int device_key_destroy(struct db *db, const struct uuid *device, const char *name)
{
	int rc = db_run(db, "delete from device_key where device = $1", DB_ARGS(db_uuid_arg(device)));

	return rc <= 0 ? rc : log_key(db, AUDIT_KEY_DESTROYED, device, name, json_pack("{s:i}", "keys", rc));
}
