/* device_step.c - steps of a device's life: configuring, encrypting, opening; the console's side and the agent's. */
#include "store/device_step.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/key.h"
#include "store/order.h"

/* What a step needs to know of a device, its row locked. */
struct held {
	struct uuid id;
	enum device_state status;
	struct db_result *r;
};

enum { HELD_STATUS, HELD_NAME, HELD_SYSTEM, HELD_LUKS, HELD_VERSION, HELD_INSTANCE, HELD_KIND };

static int hold(struct db *db, const struct uuid *id, struct held *h)
{
	int rc = db_query_row(db, &h->r, "select status, coalesce(nullif(name, ''), provider_device), is_system, luks_uuid,"
		" key_version, instance, kind from device where id = $1 for update", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	h->id = *id;
	rc = device_state_parse(db_text(h->r, 0, HELD_STATUS), &h->status);
	if (rc < 0)
		db_result_free(h->r);
	return rc;
}

static int log_held(struct db *db, const struct held *h, enum audit_event event, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", &h->id, db_text(h->r, 0, HELD_NAME) }, detail);
}

/* Moves the status; takes DETAIL over. */
static int step(struct db *db, struct held *h, enum device_event event, enum audit_event log, json_t *detail)
{
	int to = device_next(h->status, event), rc = to < 0 ? to : 0;

	if (rc < 0 || to == (int)h->status) {
		json_decref(detail);
		return rc;
	}
	rc = db_queue(db, "update device set status = $2, changed = now(), error = null where id = $1",
		DB_ARGS(db_uuid_arg(&h->id), db_text_arg(device_state_name((enum device_state)to))));
	if (rc == 0)
		return log_held(db, h, log, detail);
	json_decref(detail);
	return rc;
}

int device_step(struct db *db, const struct uuid *id, enum device_event event, enum audit_event log, json_t *detail)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0) {
		json_decref(detail);
		return rc;
	}
	rc = step(db, &h, event, log, detail);
	db_result_free(h.r);
	return rc;
}

/* Console */

static int is_encryptable(const struct held *h)
{
	if (db_bool(h->r, 0, HELD_SYSTEM))
		return err_set(ERR_INVALID, "a device that holds the root file system is never encrypted");
	return 0;
}

static json_t *configuration_json(const struct device_configuration *c)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "os", c->os, "filesystem", c->filesystem, "mount_point", c->mount_point,
		"access", c->access, "cipher", c->cipher, "mode", c->mode, "hash", c->hash, "key_bits", (json_int_t)c->key_bits);
}

int device_configure(struct db *db, const struct uuid *id, const struct device_configuration *c)
{
	struct held h;
	int rc = hold(db, id, &h), to;

	if (rc < 0)
		return rc;
	to = device_next(h.status, DEVICE_EVENT_CONFIGURE);
	rc = to < 0 ? to : is_encryptable(&h);
	if (rc == 0)
		rc = db_run_one(db, "update device set status = $2, os = $3, filesystem = $4, mount_point = $5, access = $6, cipher = $7,"
			" mode = $8, hash = $9, key_bits = $10, image = coalesce($11, image), configured = now(), changed = now(),"
			" error = null where id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(device_state_name((enum device_state)to)),
			db_text_arg(c->os), db_text_arg(c->filesystem), db_text_arg(c->mount_point), db_text_arg(c->access),
			db_text_arg(c->cipher), db_text_arg(c->mode), db_text_arg(c->hash), db_int_arg(c->key_bits), db_uuid_arg(c->image)));
	if (rc == 0)
		rc = log_held(db, &h, AUDIT_DEVICE_CONFIGURED, configuration_json(c));
	db_result_free(h.r);
	return rc;
}

int device_unconfigure(struct db *db, const struct uuid *id)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	rc = step(db, &h, DEVICE_EVENT_UNCONFIGURE, AUDIT_DEVICE_UNCONFIGURED, NULL);
	if (rc == 0)
		rc = db_queue(db, "update device set filesystem = '', mount_point = '', configured = null, luks_uuid = '',"
			" key_created = null, key_rotated = null, progress = 0, overwrite = false where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = device_key_destroy(db, id, db_text(h.r, 0, HELD_NAME));
	db_result_free(h.r);
	return rc;
}

/* The agent need not wait for its next round. */
static int order_agent(struct db *db, const struct held *h, const char *kind)
{
	struct uuid instance = db_uuid(h->r, 0, HELD_INSTANCE);

	return uuid_is_nil(&instance) ? 0 : order_add_for_instance(db, &instance, kind, NULL, "");
}

int device_encrypt(struct db *db, const struct uuid *id, int overwrite)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	rc = is_encryptable(&h);
	if (rc == 0)
		rc = step(db, &h, DEVICE_EVENT_ENCRYPT, AUDIT_DEVICE_ENCRYPT, json_pack("{s:b}", "overwrite", overwrite));
	if (rc == 0)
		rc = db_queue(db, "update device set overwrite = $2, progress = 0, encrypt_by = $3 where id = $1",
			DB_ARGS(db_uuid_arg(id), db_bool_arg(overwrite), db_uuid_arg(db_user(db))));
	if (rc == 0)
		rc = order_agent(db, &h, "provision");
	db_result_free(h.r);
	return rc;
}

int device_cancel(struct db *db, const struct uuid *id)
{
	return device_step(db, id, DEVICE_EVENT_CANCEL, AUDIT_DEVICE_CANCELLED, NULL);
}

int device_delete(struct db *db, const struct uuid *id)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	if (!device_can_delete(h.status))
		rc = err_set(ERR_CONFLICT, "only a device that is Undetected can be deleted");
	else
		rc = db_run_one(db, "delete from device where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = log_held(db, &h, AUDIT_DEVICE_DELETED, NULL);
	db_result_free(h.r);
	return rc;
}

/* Agent */

int device_start(struct db *db, const struct device *d, const struct wire_view *wrapped)
{
	struct held h;
	int rc = hold(db, &d->id, &h);

	if (rc < 0)
		return rc;
	rc = is_encryptable(&h);
	if (rc == 0 && db_int(h.r, 0, HELD_VERSION) != d->key_version)
		rc = err_set(ERR_CONFLICT, "the device has another key by now");
	/* Encryption that begins anew must have a new key: what a former try left behind is never opened again. */
	if (rc == 0 && wrapped == NULL && h.status != DEVICE_ENCRYPTING)
		rc = err_set(ERR_CONFLICT, "encryption that begins needs a new key");
	if (rc == 0)
		rc = step(db, &h, DEVICE_EVENT_START, AUDIT_DEVICE_STARTED, NULL);
	if (rc == 0 && wrapped)
		rc = device_key_add(db, &d->id, db_text(h.r, 0, HELD_NAME), d->key_version + 1, *wrapped);
	if (rc == 0)
		rc = db_queue(db, "update device set progress = 0, luks_uuid = '' where id = $1", DB_ARGS(db_uuid_arg(&d->id)));
	db_result_free(h.r);
	return rc;
}

int device_progress(struct db *db, const struct uuid *id, int percent)
{
	int rc = db_run(db, "update device set progress = $2, changed = now() where id = $1 and status = 'encrypting'",
		DB_ARGS(db_uuid_arg(id), db_int_arg(percent)));

	return rc < 0 ? rc : rc == 1 ? 0 : err_set(ERR_CONFLICT, "the device is not being encrypted");
}

int device_finish(struct db *db, const struct uuid *id, const char *luks_uuid, int64_t key_version)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	if (db_int(h.r, 0, HELD_VERSION) != key_version)
		rc = err_set(ERR_CONFLICT, "the device has another key by now");
	else if (*luks_uuid == '\0')
		rc = err_set(ERR_INVALID, "a finished volume has a UUID");
	else if (strcmp(db_text(h.r, 0, HELD_LUKS), luks_uuid) != 0)
		rc = step(db, &h, DEVICE_EVENT_FINISH, AUDIT_DEVICE_ENCRYPTED, json_pack("{s:s}", "luks_uuid", luks_uuid));
	if (rc == 0)
		rc = db_queue(db, "update device set progress = 100, luks_uuid = $2 where id = $1",
			DB_ARGS(db_uuid_arg(id), db_text_arg(luks_uuid)));
	db_result_free(h.r);
	return rc;
}

int device_fail(struct db *db, const struct uuid *id, const char *reason)
{
	struct held h;
	int rc = hold(db, id, &h);

	if (rc < 0)
		return rc;
	if (h.status != DEVICE_ERROR)
		rc = step(db, &h, DEVICE_EVENT_FAIL, AUDIT_DEVICE_FAILED, json_pack("{s:s}", "reason", reason));
	if (rc == 0)
		rc = db_queue(db, "update device set error = $2 where id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(reason)));
	db_result_free(h.r);
	return rc;
}
