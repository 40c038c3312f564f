/* device_clone.c - another image for a device; configuration and key of another device for a copy of it. */
#include "store/device_clone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/say.h"
#include "store/audit.h"
#include "store/list.h"
#include "store/order.h"
#include "store/policy.h"
#include "store/request_step.h"

#define NAME(d) "coalesce(nullif(" d ".name, ''), " d ".provider_device)"
#define IMAGE_NAME(m) "coalesce(nullif(" m ".name, ''), " m ".provider_image, '')"
/* An array, or a device of one. */
#define ARRAY "(d.raid is not null or d.kind = '" DEVICE_KIND_RAID "')"
/* For which device and version the key k was made: what tokens name. Has an index. */
#define MADE DEVICE_KEY_TOKEN("k")

/* Another image */

enum { IMAGE_STATUS, IMAGE_DEVICE, IMAGE_ATTACHES, IMAGE_ARRAY, IMAGE_FITS, IMAGE_OLD, IMAGE_NEW, IMAGE_OLD_NAME, IMAGE_NEW_NAME };

static int may_reassign(const struct db_result *r)
{
	enum device_state from;
	int rc = device_state_parse(db_text(r, 0, IMAGE_STATUS), &from);

	if (rc == 0 && !db_bool(r, 0, IMAGE_ATTACHES))
		rc = err_set(ERR_CONFLICT, "devices of this provider belong to their machine");
	if (rc == 0 && db_bool(r, 0, IMAGE_ARRAY))
		rc = err_set(ERR_CONFLICT, "the devices of a RAID stay together");
	if (rc == 0)
		rc = device_next(from, DEVICE_EVENT_REASSIGN);
	if (rc >= 0 && !db_bool(r, 0, IMAGE_FITS))
		rc = err_set(ERR_INVALID, "the image is of another provider");
	return rc < 0 ? rc : 0;
}

static int log_reassigned(struct db *db, const struct uuid *id, const struct db_result *r)
{
	json_t *before = json_pack("{s:s}", "image", db_text(r, 0, IMAGE_OLD_NAME));
	json_t *after = json_pack("{s:s}", "image", db_text(r, 0, IMAGE_NEW_NAME)), *detail = audit_changes(before, after);

	json_decref(before);
	json_decref(after);
	return audit_log(db, AUDIT_DEVICE_REASSIGNED, &(struct audit_object){ "device", id, db_text(r, 0, IMAGE_DEVICE) }, detail);
}

/* What instances of another image have asked for is over: nobody can approve it any more. */
static int close_requests(struct db *db, const struct uuid *id, const struct uuid *image)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select r.id, r.agent from key_request r join instance i on i.tenant = r.tenant and i.id = r.instance where r.device"
		" = $1 and r.closed is null and i.image is distinct from $2 order by r.id", DB_ARGS(db_uuid_arg(id), db_uuid_arg(image)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid request = db_uuid(r, i, 0), agent = db_uuid(r, i, 1);

		rc = request_close(db, &request, N_("device reassigned"));
		/* One that waits for it asks anew, and is told why it gets none. */
		if (rc == 0)
			rc = order_nudge(db, &agent);
	}
	db_result_free(r);
	return rc;
}

/* An instance of the image that has the device already asks at once, not when it would again by itself. */
static int ask_now(struct db *db, const struct uuid *id, const struct uuid *image)
{
	struct db_result *r;
	struct uuid instance;
	int rc = db_query_row(db, &r, "select i.id from device d join instance i on i.tenant = d.tenant and i.id = d.instance and i.image = $2"
		" where d.id = $1", DB_ARGS(db_uuid_arg(id), db_uuid_arg(image)));

	if (rc < 0)
		return rc == ERR_NOT_FOUND ? 0 : rc;
	instance = db_uuid(r, 0, 0);
	db_result_free(r);
	return order_add_for_instance(db, &instance, "request-key", id, "");
}

int device_reassign(struct db *db, const struct uuid *id, const struct uuid *image)
{
	struct db_result *r;
	struct uuid from, to;
	int rc = request_lock_open(db, id);

	if (rc < 0)
		return rc;
	rc = db_query_row(db, &r, "select d.status, " NAME("d") ", provider_attaches(d.provider), " ARRAY ", m.provider = d.provider, d.image, m.id, "
		IMAGE_NAME("o") ", " IMAGE_NAME("m") " from device d join image m on m.id = $2 left join image o on o.tenant = d.tenant"
		" and o.id = d.image where d.id = $1 for no key update of d", DB_ARGS(db_uuid_arg(id), db_uuid_arg(image)));
	if (rc < 0)
		return rc;
	from = db_uuid(r, 0, IMAGE_OLD);
	to = db_uuid(r, 0, IMAGE_NEW);
	rc = may_reassign(r);
	if (rc == 0 && !uuid_equal(&from, &to)) {
		rc = db_queue(db, "update device set image = $2, changed = now() where id = $1", DB_ARGS(db_uuid_arg(id), db_uuid_arg(image)));
		if (rc == 0)
			rc = log_reassigned(db, id, r);
		if (rc == 0)
			rc = close_requests(db, id, image);
		if (rc == 0)
			rc = ask_now(db, id, image);
	}
	db_result_free(r);
	return rc;
}

/* A copy of another device */

int device_clone_sources(struct db *db, const struct uuid *id, const struct uuid *chosen, const char *search, int limit, json_t **out)
{
	char *pattern = list_pattern(search);
	int rc = db_get_rows(db, out, "select s.id, " NAME("s") " as name, s.provider_device, s.status, " IMAGE_NAME("m") " as image_name,"
		" s.mount_point, s.filesystem, s.access from device d join device_key k on k.tenant = d.tenant and " MADE " = (d.token_device,"
		" d.token_version) and d.token_account = d.tenant join device s on s.tenant = k.tenant and s.id = k.device left join image m on m.tenant = s.tenant"
		" and m.id = s.image where d.id = $1 and s.id <> d.id and s.raid is null and s.kind <> '" DEVICE_KIND_RAID "'"
		" and (s.id = $2 or s.name ilike $3 or s.provider_device ilike $3) order by s.id is distinct from $2, s.id <> d.token_device, 2, 1"
		" limit $4::int", DB_ARGS(db_uuid_arg(id), db_uuid_arg(uuid_is_nil(chosen) ? NULL : chosen), db_text_arg(pattern), db_int_arg(limit)));

	free(pattern);
	return rc;
}

enum { CLONE_STATUS, CLONE_SYSTEM, CLONE_ARRAY, CLONE_TOKEN, CLONE_TOKEN_VERSION, CLONE_VERSION, CLONE_KEY, CLONE_TICKET = CLONE_KEY + KEY_PAIR_COUNT };

static int may_clone(const struct db_result *r)
{
	enum device_state from;
	int rc = device_state_parse(db_text(r, 0, CLONE_STATUS), &from);

	if (rc == 0)
		rc = device_next(from, DEVICE_EVENT_CLONE);
	if (rc >= 0 && db_bool(r, 0, CLONE_SYSTEM))
		rc = err_set(ERR_CONFLICT, "the system runs from this device");
	if (rc >= 0 && db_bool(r, 0, CLONE_ARRAY))
		rc = err_set(ERR_CONFLICT, "it belongs to a RAID");
	if (rc >= 0 && db_is_null(r, 0, CLONE_TOKEN))
		rc = err_set(ERR_CONFLICT, "its agent reports no volume of this account on it");
	if (rc >= 0 && db_is_null(r, 0, CLONE_KEY))
		rc = err_set(ERR_CONFLICT, "what is on it was not encrypted with a key of that device");
	return rc < 0 ? rc : 0;
}

int device_clone_begin(struct db *db, const struct uuid *id, const struct uuid *source, const struct uuid *request, struct device_clone *out)
{
	struct db_result *r;
	/* The source's configuration and keys are read after the clone is locked; they are not held, as a key that is destroyed while it
	 * is copied is as good as one destroyed afterwards. */
	int rc = db_query_row(db, &r, "select d.status, d.is_system, " ARRAY ", case when d.token_account = d.tenant then d.token_device end, d.token_version, d.key_version + 1, " KEY_PAIR_COLUMNS
		", copy_ticket($3, d.id, s.id, k.version, $4) from device d join device s on s.tenant = d.tenant and s.id = $2 and s.id <> d.id and s.raid is null and s.kind <> '" DEVICE_KIND_RAID "' left join device_key k on k.tenant = s.tenant"
		" and k.device = s.id and " MADE " = (d.token_device, d.token_version)"
		" and d.token_account = d.tenant join tenant t on t.id = d.tenant where d.id = $1"
		" for no key update of d", DB_ARGS(db_uuid_arg(id), db_uuid_arg(source), db_uuid_arg(request), db_uuid_arg(&db_actor(db)->id)));

	if (rc < 0)
		return rc;
	rc = may_clone(r);
	if (rc == 0) {
		*out = (struct device_clone){ .device = *id, .source = *source, .version = db_int(r, 0, CLONE_VERSION),
			.made_for = db_uuid(r, 0, CLONE_TOKEN), .made_version = db_int(r, 0, CLONE_TOKEN_VERSION) };
		device_key_take(r, CLONE_KEY, &out->key);
		device_key_take_ticket(r, CLONE_TICKET, &out->key);
		rc = device_key_check(&out->key);
		if (rc < 0)
			device_key_pair_free(&out->key);
	}
	db_result_free(r);
	return rc;
}

/* The same rules guard the same key. The default policy is nobody's choice. */
static int join_policy(struct db *db, const struct device_clone *c, const struct db_result *source)
{
	struct uuid policy = db_uuid(source, 0, 1);
	json_t *ids;
	char text[UUID_TEXT_SIZE];
	int rc;

	if (db_bool(source, 0, 2))
		return 0;
	uuid_text(&c->device, text);
	ids = json_pack("[s]", text);
	rc = policy_move(db, &policy, POLICY_DEVICE, ids, NULL);
	json_decref(ids);
	return rc;
}

static int configure(struct db *db, const struct device_clone *c, const char *mount_point, const char *access)
{
	return db_run_one(db, "update device d set status = 'encrypted', os = s.os, filesystem = s.filesystem, mount_point = $3,"
		" access = $4, cipher = s.cipher, mode = s.mode, key_bits = s.key_bits, hash = s.hash, key_stored_on = s.key_stored_on,"
		" luks_uuid = d.found_luks, adopted = s.adopted, overwrite = false, progress = 100, error = null, configured = now(), changed = now() from device s"
		" where d.id = $1 and s.tenant = d.tenant and s.id = $2", DB_ARGS(db_uuid_arg(&c->device), db_uuid_arg(&c->source),
		db_text_arg(mount_point), db_text_arg(access)));
}

static int log_clone(struct db *db, const struct device_clone *c, const struct db_result *source, const char *mount_point,
	const char *access)
{
	json_t *detail = json_pack("{s:s, s:s, s:s}", "source_name", db_text(source, 0, 0), "mount_point", mount_point, "access", access);

	json_set_uuid(detail, "source", &c->source);
	return audit_log(db, AUDIT_DEVICE_CLONED, &(struct audit_object){ "device", &c->device, db_text(source, 0, 3) }, detail);
}

int device_clone_finish(struct db *db, const struct device_clone *c, struct wire_view wrapped, const char *mount_point,
	const char *access)
{
	struct device_key_copy copy = { .device = c->device, .version = c->version, .source = c->source, .source_version = c->key.version,
		.made_for = c->made_for, .made_version = c->made_version };
	struct db_result *source;
	struct uuid instance;
	int rc = db_query_row(db, &source, "select " NAME("s") ", s.policy, p.is_default, " NAME("d") ", d.instance from device s"
		" join policy p on p.tenant = s.tenant and p.id = s.policy join device d on d.id = $2 where s.id = $1",
		DB_ARGS(db_uuid_arg(&c->source), db_uuid_arg(&c->device)));

	if (rc < 0)
		return rc;
	instance = db_uuid(source, 0, 4);
	rc = configure(db, c, mount_point, access);
	if (rc == 0)
		rc = log_clone(db, c, source, mount_point, access);
	if (rc == 0)
		rc = device_key_copy(db, &copy, db_text(source, 0, 3), wrapped);
	if (rc == 0)
		rc = join_policy(db, c, source);
	if (rc == 0 && !uuid_is_nil(&instance))
		rc = order_add_for_instance(db, &instance, "request-key", &c->device, "");
	db_result_free(source);
	return rc;
}
