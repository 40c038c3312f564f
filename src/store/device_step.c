/* device_step.c - steps of a device's life: configuring, encrypting, opening; the console's side and the agent's. */
#include "store/device_step.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/key.h"
#include "store/order.h"
#include "store/raid.h"
#include "store/request_step.h"

/* What a step needs to know of a device, its row locked. */
struct held {
	struct uuid id;
	enum device_state status;
	struct db_result *r;
};

enum { HELD_STATUS, HELD_NAME, HELD_SYSTEM, HELD_LUKS, HELD_VERSION, HELD_INSTANCE, HELD_KIND, HELD_RAID };

static int hold(struct db *db, const struct uuid *id, struct held *h)
{
	int rc = db_query_row(db, &h->r, "select status, coalesce(nullif(name, ''), provider_device), is_system, luks_uuid,"
		" key_version, instance, kind, raid from device where id = $1 for no key update", DB_ARGS(db_uuid_arg(id)));

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

static int is_raid(const struct held *h)
{
	return strcmp(db_text(h->r, 0, HELD_KIND), DEVICE_KIND_RAID) == 0;
}

/* What people do with a device, they do with the array that it is in. */
static int hold_alone(struct db *db, const struct uuid *id, struct held *h)
{
	int rc = hold(db, id, h);

	if (rc == 0 && !db_is_null(h->r, 0, HELD_RAID)) {
		db_result_free(h->r);
		rc = err_set(ERR_CONFLICT, "the device is a member of a RAID");
	}
	return rc;
}

int device_lock(struct db *db, const struct uuid *id)
{
	return db_queue(db, DEVICE_LOCK("d.id = $1 or d.raid = $1 or d.id = (select m.raid from device m where m.id = $1)"), DB_ARGS(db_uuid_arg(id)));
}

/* For what the agent does with one device, which may be a member. */
static int hold_agents(struct db *db, const struct uuid *id, struct held *h)
{
	int rc = device_lock(db, id);

	if (rc == 0)
		rc = hold(db, id, h);
	if (rc == 0 && is_raid(h)) {
		db_result_free(h->r);
		rc = err_set(ERR_CONFLICT, "an array is encrypted member by member");
	}
	return rc;
}

/* Members go the way of their array. But the agent begins with one after the other, and one that is lost is found by itself. */
static int take_members_along(struct db *db, const struct held *h, enum device_event event, enum device_state to)
{
	if (!is_raid(h) || event == DEVICE_EVENT_START || event == DEVICE_EVENT_LOSE_MEMBER)
		return 0;
	return db_queue(db, "update device set status = $2, error = null, changed = now() where raid = $1"
		" and status not in ('undetected', $2)", DB_ARGS(db_uuid_arg(&h->id), db_text_arg(device_state_name(to))));
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
		rc = take_members_along(db, h, event, (enum device_state)to);
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

/* The array of a member whose step is H's. */
static int raid_step(struct db *db, const struct held *h, enum device_event event, enum audit_event log, json_t *detail)
{
	struct uuid raid = db_uuid(h->r, 0, HELD_RAID);

	return device_step(db, &raid, event, log, detail);
}

/* Console */

static int is_encryptable(const struct held *h)
{
	if (db_bool(h->r, 0, HELD_SYSTEM))
		return err_set(ERR_INVALID, "a device that holds the root file system is never encrypted");
	return 0;
}

/* Only where devices can be moved, and only to an image of the same provider. */
static int check_image(struct db *db, const struct held *h, const struct uuid *image)
{
	struct db_result *r;
	int rc;

	if (image == NULL)
		return 0;
	rc = db_query_row(db, &r, "select m.id = d.image or (provider_attaches(d.provider) and m.provider = d.provider) from device d, image m"
		" where d.id = $1 and m.id = $2", DB_ARGS(db_uuid_arg(&h->id), db_uuid_arg(image)));
	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0) ? 0 : err_set(ERR_INVALID, "the device cannot be assigned to this image");
	db_result_free(r);
	return rc;
}

static json_t *configuration_json(const struct device_configuration *c)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I}", "os", c->os, "filesystem", c->filesystem, "mount_point", c->mount_point,
		"access", c->access, "cipher", c->cipher, "mode", c->mode, "hash", c->hash, "key_bits", (json_int_t)c->key_bits);
}

/* All of it, and what was otherwise before. */
static int log_configured(struct db *db, const struct held *h, const json_t *before, const struct device_configuration *c)
{
	json_t *detail = configuration_json(c), *changes = h->status == DEVICE_NOT_CONFIGURED ? NULL : audit_changes(before, detail);

	if (changes)
		json_object_update(detail, changes);
	json_decref(changes);
	return log_held(db, h, AUDIT_DEVICE_CONFIGURED, detail);
}

/* Members are encrypted as their array says; what is made of them all is the array's alone. */
static int configure_members(struct db *db, const struct held *h, enum device_state to)
{
	return !is_raid(h) ? 0 : db_queue(db, "update device m set status = case when m.status = 'undetected' then m.status else $2 end,"
		" os = a.os, cipher = a.cipher, mode = a.mode, hash = a.hash, key_bits = a.key_bits, access = a.access, image = a.image,"
		" configured = now(), changed = now(), error = null from device a where a.id = $1 and m.raid = a.id",
		DB_ARGS(db_uuid_arg(&h->id), db_text_arg(device_state_name(to))));
}

int device_configure(struct db *db, const struct uuid *id, const struct device_configuration *c)
{
	struct held h;
	json_t *before = NULL;
	int rc = hold_alone(db, id, &h), to;

	if (rc < 0)
		return rc;
	to = device_next(h.status, DEVICE_EVENT_CONFIGURE);
	rc = to < 0 ? to : is_encryptable(&h);
	if (rc == 0)
		rc = check_image(db, &h, c->image);
	if (rc == 0)
		rc = db_get_row(db, &before, "select os, filesystem, mount_point, access, cipher, mode, hash, key_bits from device where id = $1",
			DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = db_run_one(db, "update device set status = $2, os = $3, filesystem = $4, mount_point = $5, access = $6, cipher = $7,"
			" mode = $8, hash = $9, key_bits = $10, image = coalesce($11, image), configured = now(), changed = now(),"
			" error = null, adopted = null where id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(device_state_name((enum device_state)to)),
			db_text_arg(c->os), db_text_arg(c->filesystem), db_text_arg(c->mount_point), db_text_arg(c->access),
			db_text_arg(c->cipher), db_text_arg(c->mode), db_text_arg(c->hash), db_int_arg(c->key_bits), db_uuid_arg(c->image)));
	if (rc == 0)
		rc = configure_members(db, &h, (enum device_state)to);
	if (rc == 0)
		rc = log_configured(db, &h, before, c);
	json_decref(before);
	db_result_free(h.r);
	return rc;
}

int device_forget(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update device set filesystem = '', mount_point = '', configured = null, luks_uuid = '',"
		" key_created = null, key_rotated = null, key_version = greatest(key_version, coalesce((select max(k.version) from device_key k"
		" where k.tenant = device.tenant and k.device = device.id), 0)), progress = 0, overwrite = false, error = null, release = '', release_by = '',"
		" cipher = case when adopted is null then cipher else 'aes' end, mode = case when adopted is null then mode else 'xts-plain64' end,"
		" key_bits = case when adopted is null then key_bits else 256 end, adopted = null where id = $1 or raid = $1"
		" returning id, coalesce(nullif(name, ''), provider_device)", DB_ARGS(db_uuid_arg(id)));

	if (rc == 0)
		rc = db_queue(db, "update rotation set state = 'cancelled', finished = now() where finished is null and device in (select d.id"
			" from device d where d.id = $1 or d.raid = $1)", DB_ARGS(db_uuid_arg(id)));
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid one = db_uuid(r, i, 0);

		rc = device_key_destroy(db, &one, db_text(r, i, 1));
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

/* A volume of a pool that no machine has (POL-5) is, without a key, a device that nobody detects. */
static int lose_unattached(struct db *db, const struct held *h)
{
	struct uuid instance = db_uuid(h->r, 0, HELD_INSTANCE);

	return is_raid(h) || !uuid_is_nil(&instance) ? 0 : device_step(db, &h->id, DEVICE_EVENT_LOSE, AUDIT_DEVICE_LOST, NULL);
}

int device_unconfigure(struct db *db, const struct uuid *id)
{
	struct held h;
	/* Without keys nothing is left of a wish to destroy them (sql/0026); it is locked before its device, as by who carries it out. */
	int rc = db_queue(db, "select 1 from destruction where device = $1 and state = 'waiting' for update", DB_ARGS(db_uuid_arg(id)));

	if (rc == 0)
		rc = hold_alone(db, id, &h);
	if (rc < 0)
		return rc;
	rc = step(db, &h, DEVICE_EVENT_UNCONFIGURE, AUDIT_DEVICE_UNCONFIGURED, NULL);
	if (rc == 0)
		rc = device_forget(db, id);
	if (rc == 0)
		rc = lose_unattached(db, &h);
	db_result_free(h.r);
	return rc;
}

/* The agent need not wait for its next round. */
static int order_agent(struct db *db, const struct held *h, const char *kind)
{
	struct uuid instance = db_uuid(h->r, 0, HELD_INSTANCE);

	return uuid_is_nil(&instance) ? 0 : order_add_for_instance(db, &instance, kind, NULL, "");
}

/* One agent must have them all. */
static int check_members(struct db *db, const struct held *h)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select count(*) filter (where m.instance is distinct from a.instance or m.status = 'undetected')"
		" from device a join device m on m.tenant = a.tenant and m.raid = a.id where a.id = $1", DB_ARGS(db_uuid_arg(&h->id)));

	if (rc < 0)
		return rc;
	if (is_raid(h) && db_int(r, 0, 0) > 0)
		rc = err_set(ERR_CONFLICT, "the members of the RAID are not on one machine now");
	db_result_free(r);
	return rc;
}

int device_encrypt(struct db *db, const struct uuid *id, int overwrite)
{
	struct held h;
	int rc = hold_alone(db, id, &h);

	if (rc < 0)
		return rc;
	rc = is_encryptable(&h);
	if (rc == 0)
		rc = check_members(db, &h);
	if (rc == 0)
		rc = step(db, &h, DEVICE_EVENT_ENCRYPT, AUDIT_DEVICE_ENCRYPT, json_pack("{s:b}", "overwrite", overwrite));
	if (rc == 0)
		rc = db_queue(db, "update device set overwrite = $2, progress = 0, encrypt_by = $3 where id = $1 or raid = $1",
			DB_ARGS(db_uuid_arg(id), db_bool_arg(overwrite), db_uuid_arg(db_user(db))));
	if (rc == 0)
		rc = order_agent(db, &h, "provision");
	db_result_free(h.r);
	return rc;
}

int device_cancel(struct db *db, const struct uuid *id)
{
	struct held h;
	int rc = hold_alone(db, id, &h);

	if (rc < 0)
		return rc;
	rc = step(db, &h, DEVICE_EVENT_CANCEL, AUDIT_DEVICE_CANCELLED, NULL);
	db_result_free(h.r);
	return rc;
}

int device_delete(struct db *db, const struct uuid *id)
{
	struct held h;
	/* Its requests go with it. */
	int rc = request_lock_open(db, id);

	if (rc == 0)
		rc = hold_alone(db, id, &h);
	if (rc < 0)
		return rc;
	if (is_raid(&h))
		rc = raid_dissolve(db, id, h.status, db_text(h.r, 0, HELD_NAME));
	else if (!device_can_delete(h.status))
		rc = err_set(ERR_CONFLICT, "only a device that is Undetected can be deleted");
	if (rc == 0)
		rc = db_run_one(db, "delete from device where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = log_held(db, &h, AUDIT_DEVICE_DELETED, NULL);
	db_result_free(h.r);
	return rc;
}

/* Agent */

/* With the first of its members an array begins: the next generation of its keys. */
static int start_raid(struct db *db, const struct held *h)
{
	struct uuid raid = db_uuid(h->r, 0, HELD_RAID);
	int rc;

	if (uuid_is_nil(&raid))
		return 0;
	rc = db_queue(db, "update device set key_version = key_version + 1, key_created = now(), progress = 0, luks_uuid = ''"
		" where id = $1 and status = 'encryption-pending'", DB_ARGS(db_uuid_arg(&raid)));
	return rc < 0 ? rc : raid_step(db, h, DEVICE_EVENT_START, AUDIT_DEVICE_STARTED, NULL);
}

int device_start(struct db *db, const struct device *d, const struct device_key_new *fresh)
{
	struct held h;
	int rc = hold_agents(db, &d->id, &h);

	if (rc < 0)
		return rc;
	rc = is_encryptable(&h);
	if (rc == 0 && db_int(h.r, 0, HELD_VERSION) != d->key_version)
		rc = err_set(ERR_CONFLICT, "the device has another key by now");
	/* Encryption that begins anew must have a new key: what a former try left behind is never opened again. */
	if (rc == 0 && fresh == NULL && h.status != DEVICE_ENCRYPTING)
		rc = err_set(ERR_CONFLICT, "encryption that begins needs a new key");
	if (rc == 0)
		rc = step(db, &h, DEVICE_EVENT_START, AUDIT_DEVICE_STARTED, NULL);
	if (rc == 0 && fresh)
		rc = device_key_add(db, &d->id, db_text(h.r, 0, HELD_NAME), d->key_version + 1, fresh);
	if (rc == 0)
		rc = db_queue(db, "update device set progress = 0, luks_uuid = '' where id = $1", DB_ARGS(db_uuid_arg(&d->id)));
	if (rc == 0)
		rc = start_raid(db, &h);
	db_result_free(h.r);
	return rc;
}

/* As far as its members are, on the average. */
#define RAID_PROGRESS "update device a set progress = (select avg(m.progress) from device m where m.tenant = a.tenant and m.raid = a.id)" \
	" where a.id = (select raid from device where id = $1)"

int device_progress(struct db *db, const struct uuid *id, int percent)
{
	int rc = device_lock(db, id);

	if (rc == 0)
		rc = db_run(db, "update device set progress = $2, changed = now() where id = $1 and status in ('encrypting', 'decrypting')",
			DB_ARGS(db_uuid_arg(id), db_int_arg(percent)));
	if (rc == 0)
		return err_set(ERR_CONFLICT, "the device is not being encrypted");
	return rc < 0 ? rc : db_queue(db, RAID_PROGRESS, DB_ARGS(db_uuid_arg(id)));
}

/* A member is ready when all of them are: then the file system is on them. */
static int finish_member(struct db *db, const struct held *h, const char *luks_uuid)
{
	struct uuid raid = db_uuid(h->r, 0, HELD_RAID);
	struct db_result *r;
	int rc;

	if (h->status != DEVICE_ENCRYPTING)
		return strcmp(db_text(h->r, 0, HELD_LUKS), luks_uuid) == 0 ? 0 : device_next(h->status, DEVICE_EVENT_FINISH);
	rc = db_queue(db, "update device set progress = 100, luks_uuid = $2 where id = $1",
		DB_ARGS(db_uuid_arg(&h->id), db_text_arg(luks_uuid)));
	if (rc == 0)
		rc = db_queue(db, RAID_PROGRESS, DB_ARGS(db_uuid_arg(&h->id)));
	if (rc == 0)
		rc = db_query_row(db, &r, "select count(*) filter (where m.luks_uuid = '') from device m where m.raid = $1",
			DB_ARGS(db_uuid_arg(&raid)));
	if (rc < 0)
		return rc;
	if (db_int(r, 0, 0) == 0)
		rc = raid_step(db, h, DEVICE_EVENT_FINISH, AUDIT_DEVICE_ENCRYPTED, NULL);
	db_result_free(r);
	return rc;
}

int device_finish(struct db *db, const struct uuid *id, const char *luks_uuid, int64_t key_version)
{
	struct held h;
	int rc = hold_agents(db, id, &h);

	if (rc < 0)
		return rc;
	if (db_int(h.r, 0, HELD_VERSION) != key_version)
		rc = err_set(ERR_CONFLICT, "the device has another key by now");
	else if (*luks_uuid == '\0')
		rc = err_set(ERR_INVALID, "a finished volume has a UUID");
	else if (!db_is_null(h.r, 0, HELD_RAID))
		rc = finish_member(db, &h, luks_uuid);
	else if (strcmp(db_text(h.r, 0, HELD_LUKS), luks_uuid) != 0)
		rc = step(db, &h, DEVICE_EVENT_FINISH, AUDIT_DEVICE_ENCRYPTED, json_pack("{s:s}", "luks_uuid", luks_uuid));
	if (rc == 0)
		rc = db_queue(db, "update device set progress = 100, luks_uuid = $2 where id = $1",
			DB_ARGS(db_uuid_arg(id), db_text_arg(luks_uuid)));
	db_result_free(h.r);
	return rc;
}

/* It is the array that failed, by this member. */
static int fail_raid(struct db *db, const struct held *h, const char *reason)
{
	struct uuid raid = db_uuid(h->r, 0, HELD_RAID);
	const char *name = db_text(h->r, 0, HELD_NAME);
	int rc;

	if (uuid_is_nil(&raid) || h->status == DEVICE_ERROR)
		return 0;
	rc = raid_step(db, h, DEVICE_EVENT_FAIL, AUDIT_DEVICE_FAILED, json_pack("{s:s, s:s}", "reason", reason, "member", name));
	return rc < 0 ? rc : db_queue(db, "update device set error = $2 || ': ' || $3 where id = $1",
		DB_ARGS(db_uuid_arg(&raid), db_text_arg(name), db_text_arg(reason)));
}

int device_fail(struct db *db, const struct uuid *id, const char *reason)
{
	struct held h;
	int rc = hold_agents(db, id, &h);

	if (rc < 0)
		return rc;
	rc = fail_raid(db, &h, reason);
	if (rc == 0 && h.status != DEVICE_ERROR)
		rc = step(db, &h, DEVICE_EVENT_FAIL, AUDIT_DEVICE_FAILED, json_pack("{s:s}", "reason", reason));
	if (rc == 0)
		rc = db_queue(db, "update device set error = $2, adopting = false where id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(reason)));
	db_result_free(h.r);
	return rc;
}
