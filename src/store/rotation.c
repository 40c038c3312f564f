/* rotation.c - rotation of devices' keys: wanted by people, done by agents. What jobd does for it is in rotation_due.c. */
#include "store/rotation.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/device_step.h"
#include "store/key.h"
#include "store/order.h"

static int log_device(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", id, name }, detail);
}

/* Console */

enum { WANT_ID, WANT_NAME, WANT_STATUS, WANT_HAS_KEY, WANT_RELEASE, WANT_INSTANCE, WANT_OPEN };

static int may_rotate(const struct db_result *r, size_t row)
{
	enum device_state s;
	int rc = device_state_parse(db_text(r, row, WANT_STATUS), &s);

	if (rc == 0 && (!db_bool(r, row, WANT_HAS_KEY) || (s != DEVICE_ENCRYPTED && s != DEVICE_IN_USE)))
		rc = err_set(ERR_CONFLICT, "only the key of a device that is Encrypted or In-use can be rotated");
	if (rc == 0 && *db_text(r, row, WANT_RELEASE))
		rc = err_set(ERR_CONFLICT, "the device is to be released to its owner");
	return rc;
}

static const struct {
	const char *name, *order;
	enum audit_event event;
} kinds[] = {
	[ROTATION_DEVICE_KEY] = { "device-key", ROTATION_ORDER, AUDIT_KEY_ROTATE },
	[ROTATION_VOLUME_KEY] = { "volume-key", ROTATION_REENCRYPT_ORDER, AUDIT_KEY_REENCRYPT },
};

static int want_one(struct db *db, const struct db_result *r, size_t row, enum rotation_kind kind)
{
	struct uuid id = uuid_new(), device = db_uuid(r, row, WANT_ID), instance = db_uuid(r, row, WANT_INSTANCE);
	int rc = db_run_one(db, "insert into rotation (tenant, id, device, kind, reason, by_name) values (current_tenant(), $1, $2, $4, 'person',"
		" $3)", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(&device), db_text_arg(db_actor(db)->name), db_text_arg(kinds[kind].name)));

	if (rc == 0)
		rc = log_device(db, kinds[kind].event, &device, db_text(r, row, WANT_NAME), NULL);
	if (rc == 0 && strcmp(db_text(r, row, WANT_STATUS), device_state_name(DEVICE_IN_USE)) == 0 && !uuid_is_nil(&instance))
		rc = order_add_for_instance(db, &instance, kinds[kind].order, &device, "");
	return rc;
}

int rotation_want(struct db *db, const struct uuid *device, enum rotation_kind kind)
{
	struct db_result *r;
	int fresh = 0, rc = device_lock(db, device);

	if (rc < 0)
		return rc;
	rc = db_query(db, &r, "select d.id, coalesce(nullif(d.name, ''), d.provider_device), d.status, d.key_created is not null,"
		" d.release, d.instance, exists (select 1 from rotation x where x.tenant = d.tenant and x.device = d.id and x.finished is null)"
		" from device d where (d.id = $1 and d.kind <> '" DEVICE_KIND_RAID "') or d.raid = $1 order by d.raid_index, d.id",
		DB_ARGS(db_uuid_arg(device)));
	if (rc < 0)
		return rc;
	if (db_rows(r) == 0)
		rc = err_set(ERR_NOT_FOUND, "no such device");
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++)
		rc = may_rotate(r, i);
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++)
		if (!db_bool(r, i, WANT_OPEN)) {
			rc = want_one(db, r, i, kind);
			fresh++;
		}
	db_result_free(r);
	return rc == 0 && fresh == 0 ? err_set(ERR_CONFLICT, "its key is being rotated already") : rc;
}

int rotation_want_many(struct db *db, const struct list_query *query, const json_t *ids, int *count)
{
	int rc = device_list_run(db, query, "insert into rotation (tenant, id, device, reason, by_name) ",
		"d.tenant, gen_random_uuid(), d.id, 'person', $1::text", " and d.kind <> '" DEVICE_KIND_RAID "' and " ROTATION_FITS
		" and ($2::json is null or d.id in (select x::uuid from json_array_elements_text($2::json) as x)"
		" or d.raid in (select x::uuid from json_array_elements_text($2::json) as x)) on conflict do nothing",
		DB_ARGS(db_text_arg(db_actor(db)->name), db_json_arg(ids)));

	if (rc < 0)
		return rc;
	*count = rc;
	return rc == 0 ? 0 : audit_log(db, AUDIT_KEY_ROTATE_MANY, NULL, json_pack("{s:i}", "devices", rc));
}

int rotation_cancel(struct db *db, const struct uuid *device)
{
	struct db_result *r;
	size_t count;
	int rc = db_query(db, &r, "update rotation r set state = 'cancelled', finished = now() from device d where d.tenant = r.tenant"
		" and d.id = r.device and (d.id = $1 or d.raid = $1) and r.state = 'waiting' returning d.id, coalesce(nullif(d.name, ''),"
		" d.provider_device)", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	count = db_rows(r);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = log_device(db, AUDIT_KEY_ROTATE_CANCELLED, &id, db_text(r, i, 1), NULL);
	}
	db_result_free(r);
	return rc == 0 && count == 0 ? err_set(ERR_CONFLICT, "no rotation waits") : rc;
}

int rotation_list(struct db *db, const struct uuid *device, json_t **out)
{
	return db_get_rows(db, out, "select d.id as device, coalesce(nullif(d.name, ''), d.provider_device) as name, r.kind, r.state, r.reason,"
		" r.by_name, r.wanted, r.begun, r.finished, r.from_version, r.to_version, r.progress, r.error, r.tried from device d"
		" join lateral (select * from rotation x where x.tenant = d.tenant and x.device = d.id order by x.wanted desc limit 1) r on true"
		" where (d.id = $1 and d.kind <> '" DEVICE_KIND_RAID "') or d.raid = $1 order by d.raid_index, d.id",
		DB_ARGS(db_uuid_arg(device)));
}

int rotation_age_get(struct db *db, int64_t *days)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce((select days from rotation_age), 0)", DB_NONE);

	if (rc < 0)
		return rc;
	*days = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int rotation_due(struct db *db, const struct uuid *device, clock_us *at)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select min(" ROTATION_DUE ") from rotation_age a join device d on d.tenant = a.tenant where (d.id = $1 or d.raid = $1)"
		" and d.key_created is not null and d.kind <> '" DEVICE_KIND_RAID "'", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	*at = db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}

int rotation_age_set(struct db *db, int64_t days)
{
	int64_t former = 0;
	int rc = rotation_age_get(db, &former);

	if (rc < 0 || days == former)
		return rc;
	rc = days == 0 ? db_run(db, "delete from rotation_age", DB_NONE)
		: db_run(db, "insert into rotation_age (tenant, days, changed_by) values (current_tenant(), $1, $2) on conflict (tenant)"
			" do update set days = excluded.days, changed = now(), changed_by = excluded.changed_by",
			DB_ARGS(db_int_arg(days), db_text_arg(db_actor(db)->name)));
	return rc < 0 ? rc : audit_log(db, AUDIT_KEY_AGE, NULL, json_pack("{s:{s:{s:I,s:I}}}", "changes", "max_key_age_days", "old",
		(json_int_t)former, "new", (json_int_t)days));
}

/* Agent */

enum { OPEN_STATE, OPEN_FROM, OPEN_TO, OPEN_NEXT, OPEN_HELD, OPEN_NEWER };

/* HELD: the key was given to the instance, and the volume is open there. NEWER: its token names a later key than the current one. */
static int load_open(struct db *db, const struct uuid *device, const struct uuid *instance, enum rotation_kind kind, struct db_result **r)
{
	int rc = db_query_row(db, r, "select r.state, r.from_version, r.to_version, (select max(k.version) + 1 from device_key k where k.tenant ="
		" r.tenant and k.device = r.device), exists (select 1 from key_request q join device d on d.tenant = q.tenant and d.id = r.device"
		" where q.tenant = r.tenant and q.device in (d.id, d.raid) and q.instance = $2 and q.closed is null and q.status = 'delivered'"
		" and q.opened is not null), exists (select 1 from device d join device_key k on k.tenant = d.tenant and k.device = d.id and k.state = 'active'"
		" where d.tenant = r.tenant and d.id = r.device and d.token_account = d.tenant and d.token_device = d.id and d.token_version > k.version)"
		" from rotation r where r.device = $1 and r.finished is null and r.kind = $3 for update of r",
		DB_ARGS(db_uuid_arg(device), db_uuid_arg(instance), db_text_arg(kinds[kind].name)));

	if (rc == ERR_NOT_FOUND)
		return err_set(ERR_CONFLICT, "nobody wants the key of this device to be rotated");
	if (rc < 0 || db_bool(*r, 0, OPEN_HELD))
		return rc;
	db_result_free(*r);
	return err_set(ERR_CONFLICT, "its volume is not open on this machine with a key that was released: the key is rotated when it is");
}

int rotation_begin(struct db *db, const struct device *d, const struct uuid *instance, struct rotation_keys *k)
{
	struct db_result *r;
	int rc = load_open(db, &d->id, instance, ROTATION_DEVICE_KEY, &r);

	if (rc < 0)
		return rc;
	k->fresh = strcmp(db_text(r, 0, OPEN_STATE), "waiting") == 0;
	/* A new key of that version would hide that it is another one. */
	if (k->fresh && db_bool(r, 0, OPEN_NEWER)) {
		db_result_free(r);
		return err_set(ERR_CONFLICT, "the volume has a later key than the server, whose database is from before that rotation");
	}
	k->from = db_int(r, 0, OPEN_FROM);
	k->to = db_int(r, 0, k->fresh ? OPEN_NEXT : OPEN_TO);
	db_result_free(r);
	if (k->fresh)
		rc = device_key_get(db, &d->id, &k->from, &k->old);
	else
		rc = device_key_version(db, &d->id, k->from, &k->old);
	if (rc == 0 && !k->fresh)
		rc = device_key_version(db, &d->id, k->to, &k->next.wrapped);
	return rc < 0 ? rc : log_device(db, AUDIT_KEY_ROTATING, &d->id, d->name, json_pack("{s:I,s:I}", "from", (json_int_t)k->from, "to",
		(json_int_t)k->to));
}

int rotation_start(struct db *db, const struct device *d, const struct rotation_keys *k)
{
	int rc = device_key_insert(db, &d->id, k->to, "next", &k->next);

	if (rc == 0)
		rc = db_run_one(db, "update device_key set other = $2 where device = $1 and state = 'active'",
			DB_ARGS(db_uuid_arg(&d->id), db_int_arg(k->to)));
	return rc < 0 ? rc : db_run_one(db, "update rotation set state = 'adding', begun = now(), from_version = $2, to_version = $3"
		" where device = $1 and state = 'waiting'", DB_ARGS(db_uuid_arg(&d->id), db_int_arg(k->from), db_int_arg(k->to)));
}

void rotation_keys_free(struct rotation_keys *k)
{
	buf_free(&k->old);
	buf_free(&k->next.wrapped);
}

static int make_current(struct db *db, const struct device *d, int64_t from, int64_t to)
{
	int rc = db_run_one(db, "update device_key set state = 'former', other = null where device = $1 and version = $2 and state = 'active'",
		DB_ARGS(db_uuid_arg(&d->id), db_int_arg(from)));

	if (rc == 0)
		rc = db_run_one(db, "update device_key set state = 'active', other = $3 where device = $1 and version = $2 and state = 'next'",
			DB_ARGS(db_uuid_arg(&d->id), db_int_arg(to), db_int_arg(from)));
	if (rc == 0)
		rc = db_run_one(db, "update device set key_version = $2, key_rotated = now() where id = $1",
			DB_ARGS(db_uuid_arg(&d->id), db_int_arg(to)));
	/* An array's key is as old as the oldest of its members'. */
	if (rc == 0 && !uuid_is_nil(&d->raid))
		rc = db_queue(db, "update device a set key_rotated = (select case when bool_and(m.key_rotated is not null) then min(m.key_rotated)"
			" end from device m where m.tenant = a.tenant and m.raid = a.id) where a.id = $1", DB_ARGS(db_uuid_arg(&d->raid)));
	if (rc == 0)
		rc = db_run_one(db, "update rotation set state = 'removing', error = null, tries = 0 where device = $1 and state = 'adding'",
			DB_ARGS(db_uuid_arg(&d->id)));
	return rc < 0 ? rc : log_device(db, AUDIT_KEY_ROTATED, &d->id, d->name, json_pack("{s:I,s:I}", "from", (json_int_t)from, "to",
		(json_int_t)to));
}

/* The open rotation to VERSION, or that to it was the last one: *STATE is its state. */
static int find_step(struct db *db, const struct device *d, int64_t version, char state[static 16], int64_t *from)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select state, from_version from rotation where device = $1 and to_version = $2 and state <> 'cancelled'"
		" order by wanted desc limit 1 for update", DB_ARGS(db_uuid_arg(&d->id), db_int_arg(version)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 1) {
		snprintf(state, 16, "%s", db_text(r, 0, 0));
		*from = db_int(r, 0, 1);
	} else {
		rc = err_set(ERR_CONFLICT, "the key of this device is not being rotated to version %lld", (long long)version);
	}
	db_result_free(r);
	return rc;
}

int rotation_added(struct db *db, const struct device *d, int64_t version)
{
	char state[16];
	int64_t from;
	int rc = device_lock(db, &d->id);

	if (rc == 0)
		rc = find_step(db, d, version, state, &from);
	return rc < 0 || strcmp(state, "adding") != 0 ? rc : make_current(db, d, from, version);
}

int rotation_done(struct db *db, const struct device *d, int64_t version)
{
	char state[16];
	int64_t from;
	int rc = find_step(db, d, version, state, &from);

	if (rc < 0 || strcmp(state, "done") == 0)
		return rc;
	if (strcmp(state, "removing") != 0)
		return err_set(ERR_CONFLICT, "the new key is not the current one yet");
	rc = db_run_one(db, "update device_key set other = null where device = $1 and version = $2 and state = 'active'",
		DB_ARGS(db_uuid_arg(&d->id), db_int_arg(version)));
	if (rc == 0)
		rc = db_run_one(db, "update rotation set state = 'done', finished = now(), progress = 100, error = null where device = $1"
			" and state = 'removing'", DB_ARGS(db_uuid_arg(&d->id)));
	return rc < 0 ? rc : log_device(db, AUDIT_KEY_OLD_REMOVED, &d->id, d->name, json_pack("{s:I}", "version", (json_int_t)from));
}

enum { BACK_ID, BACK_NAME, BACK_WAS, BACK_IS };

/* What was under way was of the disk that is gone: nothing of it opens this one, and it would stand in the way for ever. A next key may be in use on a
 * copy of that disk. */
static int end_open(struct db *db, const struct uuid *device)
{
	int rc = db_run(db, "update rotation set state = 'cancelled', finished = now() where device = $1 and finished is null", DB_ARGS(db_uuid_arg(device)));

	return rc < 0 ? rc : db_run(db, "update device_key set state = 'former' where device = $1 and state = 'next'", DB_ARGS(db_uuid_arg(device)));
}

/* As the row was while its last step was to be done. */
static int bring_forward(struct db *db, const struct db_result *r, size_t row)
{
	struct uuid id = uuid_new(), device = db_uuid(r, row, BACK_ID);
	int64_t was = db_int(r, row, BACK_WAS), is = db_int(r, row, BACK_IS);
	int rc = end_open(db, &device);

	if (rc >= 0)
		rc = db_run_one(db, "insert into rotation (tenant, id, device, state, reason, begun, from_version, to_version) values (current_tenant(), $1, $2,"
			" 'removing', 'brought-back', now(), $3, $4)", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(&device), db_int_arg(was), db_int_arg(is)));
	if (rc == 0)
		rc = db_run_one(db, "update device_key set other = $2 where device = $1 and state = 'active'", DB_ARGS(db_uuid_arg(&device), db_int_arg(was)));
	return rc < 0 ? rc : log_device(db, AUDIT_KEY_ROTATE, &device, db_text(r, row, BACK_NAME), json_pack("{s:s,s:I,s:I}", "reason",
		"the disk is from before a rotation", "from", (json_int_t)was, "to", (json_int_t)is));
}

/* A rotation whose last step is done from that very key has not lost its disk: its agent had not yet said what is on it. */
int rotation_brought_back(struct db *db, const struct uuid *instance)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select d.id, coalesce(nullif(d.name, ''), d.provider_device), f.version, k.version from device d join device_key k on"
		" k.tenant = d.tenant and k.device = d.id and k.state = 'active' join device_key f on f.tenant = d.tenant and f.device = d.id and f.state ="
		" 'former' and " DEVICE_KEY_TOKEN("f") " = (d.token_device, d.token_version) where d.instance = $1 and d.token_account = d.tenant and f.version"
		" < k.version and " ROTATION_FITS " and not exists (select 1 from rotation x where x.tenant = d.tenant and x.device = d.id and x.state = 'removing'"
		" and x.from_version = f.version)", DB_ARGS(db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++)
		rc = bring_forward(db, r, i);
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

int rotation_reencrypt(struct db *db, const struct device *d, const struct uuid *instance, int64_t *version, struct buf *wrapped)
{
	struct db_result *r;
	int rc = load_open(db, &d->id, instance, ROTATION_VOLUME_KEY, &r);

	if (rc < 0)
		return rc;
	db_result_free(r);
	rc = device_key_get(db, &d->id, version, wrapped);
	if (rc == 0)
		rc = db_run_one(db, "update rotation set state = 'adding', begun = coalesce(begun, now()), error = null where device = $1"
			" and finished is null", DB_ARGS(db_uuid_arg(&d->id)));
	return rc < 0 ? rc : log_device(db, AUDIT_KEY_REENCRYPTING, &d->id, d->name, json_pack("{s:I}", "version", (json_int_t)*version));
}

int rotation_progress(struct db *db, const struct uuid *device, int percent)
{
	int rc = db_run(db, "update rotation set progress = $2 where device = $1 and state = 'adding' and kind = 'volume-key'",
		DB_ARGS(db_uuid_arg(device), db_int_arg(percent)));

	return rc == 0 ? err_set(ERR_CONFLICT, "the device is not being encrypted anew") : rc < 0 ? rc : 0;
}

int rotation_reencrypted(struct db *db, const struct device *d)
{
	struct db_result *r;
	int open, done, rc = db_query_row(db, &r, "select count(*) filter (where x.state = 'adding'), count(*) filter (where x.state = 'done')"
		" from (select state from rotation where device = $1 and kind = 'volume-key' order by wanted desc limit 1) x",
		DB_ARGS(db_uuid_arg(&d->id)));

	if (rc < 0)
		return rc;
	open = db_int(r, 0, 0) == 1;
	done = db_int(r, 0, 1) == 1;
	db_result_free(r);
	if (!open)
		return done ? 0 : err_set(ERR_CONFLICT, "the device is not being encrypted anew");
	rc = db_run_one(db, "update rotation set state = 'done', finished = now(), progress = 100, error = null where device = $1"
		" and state = 'adding' and kind = 'volume-key'", DB_ARGS(db_uuid_arg(&d->id)));
	return rc < 0 ? rc : log_device(db, AUDIT_KEY_REENCRYPTED, &d->id, d->name, NULL);
}

int rotation_opened(struct db *db, const struct uuid *device, const struct uuid *request)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select d.id, d.instance, " ROTATION_ORDER_OF " from rotation r join device d on d.tenant = r.tenant and d.id = r.device"
		" where r.finished is null and (d.id = $1 or d.raid = $1) and d.instance is not null", DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0), instance = db_uuid(r, i, 1);

		/* An agent that began anew was given its open order at once, finds no volume open, and says so when this one is:
		 * the order must not stand in the way of the next, nor its end count as a failure. */
		rc = order_forget_early(db, db_text(r, i, 2), &id, request, "given before the volume was open, and ordered again then");
		if (rc == 0)
			rc = order_add_for_instance(db, &instance, db_text(r, i, 2), &id, "");
	}
	db_result_free(r);
	return rc;
}

int rotation_failed(struct db *db, const struct uuid *device, const char *why)
{
	return db_queue(db, "update rotation set error = $2, tries = tries + 1, tried = now() where device = $1 and finished is null",
		DB_ARGS(db_uuid_arg(device), db_text_arg(why)));
}

int rotation_stop(struct db *db, const struct uuid *device)
{
	struct db_result *r;
	int begun, rc = db_query(db, &r, "select state <> 'waiting' from rotation where device = $1 and finished is null for update",
		DB_ARGS(db_uuid_arg(device)));

	if (rc < 0)
		return rc;
	begun = db_rows(r) == 1 && db_bool(r, 0, 0);
	db_result_free(r);
	if (begun)
		return err_set(ERR_CONFLICT, "its key is being rotated: when that is over it can be done");
	return db_queue(db, "update rotation set state = 'cancelled', finished = now() where device = $1 and finished is null",
		DB_ARGS(db_uuid_arg(device)));
}
