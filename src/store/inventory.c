/* inventory.c - what agents publish. */
#include "store/inventory.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/device.h"
#include "store/device_step.h"
#include "store/raid.h"
#include "store/rotation.h"

/* Which device another machine cannot have by listing it: one that is open; and, as long as an agent is where it is, one whose key is given
 * there without a request. Somebody who removes that agent, cancels the encryption, or takes the leave to release back, lets it go. */
#define DEVICE_STAYS "d.status = 'in-use' or ((d.status in ('encryption-pending', 'encrypting', 'decrypting') or d.release <> '')" \
	" and exists (select 1 from agent x where x.tenant = d.tenant and x.instance = d.instance and x.state = 'active'))"
#define OTHER_MACHINE "another machine has it now"
#define DETACHED "its machine does not have it any more"

static int log_device(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "device", id, name }, detail);
}

/* The image's id; nil when the provider knows none. */
static int take_image(struct db *db, const struct inventory *inv, struct uuid *image)
{
	struct uuid fresh = uuid_new();
	struct db_result *r;
	int rc;

	*image = (struct uuid) { { 0 } };
	if (*inv->image_id == '\0')
		return 0;
	rc = db_query(db, &r, "insert into image (tenant, id, provider, provider_image, name) values (current_tenant(), $1, $2, $3, $4)"
		" on conflict (tenant, provider, provider_image) do nothing returning id", DB_ARGS(db_uuid_arg(&fresh),
		db_text_arg(inv->provider), db_text_arg(inv->image_id), db_text_arg(inv->image_name)));
	if (rc < 0)
		return rc;
	if (db_rows(r) == 1) {
		rc = db_queue(db, "insert into policy_image (tenant, policy, image) select tenant, id, $1 from policy where is_default",
			DB_ARGS(db_uuid_arg(&fresh)));
		if (rc == 0)
			rc = audit_log(db, AUDIT_IMAGE_CREATED, &(struct audit_object) { "image", &fresh, inv->image_id }, NULL);
	}
	db_result_free(r);
	if (rc == 0)
		rc = db_query_row(db, &r, "select id from image where provider = $1 and provider_image = $2",
			DB_ARGS(db_text_arg(inv->provider), db_text_arg(inv->image_id)));
	if (rc < 0)
		return rc;
	*image = db_uuid(r, 0, 0);
	db_result_free(r);
	return 0;
}

int inventory_instance(struct db *db, const struct inventory *inv, struct uuid *instance)
{
	struct uuid image, fresh = uuid_new();
	struct db_result *r;
	int rc = take_image(db, inv, &image);

	if (rc == 0)
		rc = db_query_row(db, &r, "insert into instance as i (tenant, id, image, provider, provider_instance, host_name, os,"
			" distribution, os_version, kernel, arch, region, zone) values (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9,"
			" $10, $11, $12) on conflict (tenant, provider, provider_instance) do update set image = coalesce(excluded.image,"
			" i.image), host_name = excluded.host_name, os = excluded.os, distribution = excluded.distribution,"
			" os_version = excluded.os_version, kernel = excluded.kernel, arch = excluded.arch,"
			" region = coalesce(nullif(excluded.region, ''), i.region), zone = coalesce(nullif(excluded.zone, ''), i.zone),"
			" last_seen = now() returning id", DB_ARGS(db_uuid_arg(&fresh), db_uuid_arg(uuid_is_nil(&image) ? NULL : &image),
			db_text_arg(inv->provider), db_text_arg(inv->instance_id), db_text_arg(inv->host_name), db_text_arg(inv->system),
			db_text_arg(inv->distribution), db_text_arg(inv->version), db_text_arg(inv->kernel), db_text_arg(inv->arch),
			db_text_arg(inv->region), db_text_arg(inv->zone)));
	if (rc < 0)
		return rc;
	*instance = db_uuid(r, 0, 0);
	db_result_free(r);
	if (!uuid_equal(instance, &fresh))
		return 0;
	return audit_log(db, AUDIT_INSTANCE_CREATED, &(struct audit_object) { "instance", instance, inv->host_name },
		json_pack("{s:s,s:s}", "provider", inv->provider, "id", inv->instance_id));
}

/* A guest can write anything there: what is no pair of ids is no token. */
static void set_token(json_t *o, const struct inventory_device *d)
{
	struct uuid account, device;

	if (uuid_parse(d->token_account, &account) < 0 || uuid_parse(d->token_device, &device) < 0)
		return;
	json_set_uuid(o, "token_account", &account);
	json_set_uuid(o, "token_device", &device);
	json_set_string(o, "token_server", d->token_server);
	json_object_set_new(o, "token_version", json_integer(d->token_version));
}

static json_t *devices_json(const struct inventory *inv)
{
	json_t *list = json_array();

	for (size_t i = 0; i < inv->devices_count; i++) {
		const struct inventory_device *d = &inv->devices[i];
		struct uuid id = uuid_new();
		json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:b,s:b,s:s}", "provider_device", d->id, "name", d->name, "path", d->path,
			"kind", d->kind, "filesystem", d->filesystem, "size", (json_int_t)d->size_bytes, "busy", d->in_use, "system",
			d->system, "unusable", d->unusable);

		json_set_uuid(o, "id", &id);
		set_token(o, d);
		json_set_string(o, "luks", d->luks_uuid);
		json_array_append_new(list, o);
	}
	return list;
}

static int change_status(struct db *db, const struct uuid *id, enum device_state to)
{
	return db_queue(db, "update device set status = $2, error = null, changed = now() where id = $1",
		DB_ARGS(db_uuid_arg(id), db_text_arg(device_state_name(to))));
}

/* Back from Undetected to what it was: a finished volume, a configuration, or nothing. */
static int found_again(struct db *db, struct db_result *r, size_t row)
{
	struct uuid id = db_uuid(r, row, 0);
	enum device_event event = db_bool(r, row, 3) ? DEVICE_EVENT_FIND_ENCRYPTED
		: db_bool(r, row, 4) ? DEVICE_EVENT_FIND_CONFIGURED : DEVICE_EVENT_FIND_BARE;
	int to = device_next(DEVICE_UNDETECTED, event);
	int rc = to < 0 ? to : change_status(db, &id, (enum device_state)to);

	return rc < 0 ? rc : log_device(db, AUDIT_DEVICE_FOUND, &id, db_text(r, row, 1), NULL);
}

/* The leave to release it was for the machine that it was on; sql/0032 takes it back. */
static int log_leave_over(struct db *db, const struct uuid *id, const char *name, const char *why)
{
	return log_device(db, AUDIT_DEVICE_RELEASE_CANCELLED, id, name, json_pack("{s:s}", "reason", why));
}

/* What a person has ordered or allowed for one machine is no order for the next one that lists the device. */
static int end_orders(struct db *db, const struct uuid *instance, const struct inventory *inv, const json_t *devices)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select d.id, coalesce(nullif(d.name, ''), d.provider_device), coalesce(d.raid, d.id), d.release <> '',"
		" d.status = 'encryption-pending' and not exists (select 1 from device m where m.tenant = d.tenant and m.raid = d.raid and m.id < d.id"
		" and m.instance is distinct from $2) from device d where d.provider = $3 and d.instance is distinct from $2 and d.kind <> '"
		DEVICE_KIND_RAID "' and d.machine = device_machine($3, $2) and (d.release <> '' or d.status = 'encryption-pending')"
		" and not (" DEVICE_STAYS ") and d.provider_device in (select g.provider_device from json_to_recordset($1) as g(provider_device text))"
		" order by d.id", DB_ARGS(db_json_arg(devices), db_uuid_arg(instance), db_text_arg(inv->provider)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0), whole = db_uuid(r, i, 2);

		if (db_bool(r, i, 3))
			rc = log_leave_over(db, &id, db_text(r, i, 1), OTHER_MACHINE);
		if (rc == 0 && db_bool(r, i, 4))
			rc = device_step(db, &whole, DEVICE_EVENT_CANCEL, AUDIT_DEVICE_CANCELLED, json_pack("{s:s}", "reason", OTHER_MACHINE));
	}
	db_result_free(r);
	return rc;
}

static void leave_out(json_t *devices, const struct db_result *r)
{
	for (size_t i = json_array_size(devices); i-- > 0;)
		for (size_t row = 0; row < db_rows(r); row++)
			if (strcmp(json_string_value(json_object_get(json_array_get(devices, i), "provider_device")), db_text(r, row, 0)) == 0) {
				json_array_remove(devices, i);
				break;
			}
}

/* What is new and beyond the account's quota is left out of DEVICES, so that it does not hold up what is known: reports, keys and orders of that
 * machine go on. The database itself refuses whatever gets past this (within_quota). */
static int keep_within_quota(struct db *db, const struct uuid *instance, const struct inventory *inv, json_t *devices, size_t *left_out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select g.provider_device from json_to_recordset($1) as g(provider_device text) join tenant t"
		" on t.id = current_tenant() and t.quota_devices is not null where not exists (select 1 from device d where d.tenant = t.id"
		" and d.provider = $2 and d.machine = device_machine($2, $3) and d.provider_device = g.provider_device) group by 1 order by 1"
		" offset (select greatest(0, q.quota_devices - (select count(*) from device)) from tenant q where q.id = current_tenant()"
		" and q.quota_devices is not null)", DB_ARGS(db_json_arg(devices), db_text_arg(inv->provider), db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*left_out = db_rows(r);
	leave_out(devices, r);
	db_result_free(r);
	return 0;
}

static int take_devices(struct db *db, const struct uuid *instance, const struct inventory *inv, const json_t *devices)
{
	struct db_result *r;
	int rc = db_query(db, &r, "insert into device as d (tenant, id, provider, machine, provider_device, name, path, kind, found_filesystem,"
		" size_bytes, is_busy, is_system, unusable, found_luks, instance, image, policy) select distinct on (g.provider_device) i.tenant, g.id, $2,"
		" device_machine($2, i.id), g.provider_device, g.name, g.path, g.kind, g.filesystem, g.size, g.busy, g.system, g.unusable,"
		" coalesce(g.luks, ''), i.id, i.image, p.id from json_to_recordset($1) as g(id uuid, provider_device text, name text, path text,"
		" kind text, filesystem text, size bigint, busy boolean, system boolean, unusable text, luks text)"
		" join instance i on i.id = $3 join policy p on p.is_default order by g.provider_device"
		" on conflict (tenant, provider, machine, provider_device) do update set path = excluded.path, size_bytes = excluded.size_bytes,"
		" is_busy = excluded.is_busy, is_system = excluded.is_system, unusable = excluded.unusable, found_filesystem = excluded.found_filesystem,"
		" found_luks = excluded.found_luks,"
		" image = coalesce(d.image, excluded.image), instance = excluded.instance, last_detected = now()"
		" where d.kind <> '" DEVICE_KIND_RAID "' and (d.instance is not distinct from excluded.instance or not (" DEVICE_STAYS "))"
		" returning id, coalesce(nullif(name, ''), provider_device), status, luks_uuid <> '', configured is not null, xmax = 0",
		DB_ARGS(db_json_arg(devices), db_text_arg(inv->provider), db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		if (db_bool(r, i, 5))
			rc = log_device(db, AUDIT_DEVICE_CREATED, &id, db_text(r, i, 1), NULL);
		else if (strcmp(db_text(r, i, 2), device_state_name(DEVICE_UNDETECTED)) == 0)
			rc = found_again(db, r, i);
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

/* Whose volumes lie on them, by their tokens; one that is another device's is logged when it comes (VOL-5). */
static int take_tokens(struct db *db, const struct uuid *instance, const struct inventory *inv, const json_t *devices)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update device d set token_account = g.token_account, token_device = g.token_device, token_version = g.token_version,"
		" token_server = coalesce(g.token_server, '') from json_to_recordset($1) as g(provider_device text, token_account uuid,"
		" token_device uuid, token_server text, token_version int) where d.instance = $2 and d.provider = $3 and d.provider_device = g.provider_device"
		" and (d.token_account, d.token_device, d.token_version, d.token_server) is distinct from (g.token_account, g.token_device, g.token_version,"
		" coalesce(g.token_server, '')) returning d.id, coalesce(nullif(d.name, ''), d.provider_device), d.token_device,"
		" coalesce(d.token_account <> d.tenant, false), coalesce(d.token_device <> d.id, false)",
		DB_ARGS(db_json_arg(devices), db_uuid_arg(instance), db_text_arg(inv->provider)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		if (db_bool(r, i, 3) || db_bool(r, i, 4))
			rc = log_device(db, db_bool(r, i, 3) ? AUDIT_DEVICE_FOREIGN : AUDIT_DEVICE_COPY, &id, db_text(r, i, 1),
				json_pack("{s:s}", "volume_of", db_text(r, i, 2)));
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

/* A volume of a pool that is detached is not gone: it is free for whoever asks next (POL-5). */
static int back_to_pool(struct db *db, const struct uuid *id, const char *name)
{
	int rc = db_queue(db, "update device set instance = null, changed = now() where id = $1", DB_ARGS(db_uuid_arg(id)));

	return rc < 0 ? rc : log_device(db, AUDIT_DEVICE_LOST, id, name, json_pack("{s:s}", "pool", "free"));
}

static int lose(struct db *db, const struct uuid *id, enum device_state from, const char *name)
{
	int rc = change_status(db, id, (enum device_state)device_next(from, DEVICE_EVENT_LOSE));

	return rc < 0 ? rc : log_device(db, AUDIT_DEVICE_LOST, id, name, NULL);
}

static int lose_devices(struct db *db, const struct uuid *instance, const struct inventory *inv, const json_t *devices)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select d.id, coalesce(nullif(d.name, ''), d.provider_device), d.status, " DEVICE_POOLS ", d.release <> '' from device d"
		" join policy p on p.tenant = d.tenant and p.id = d.policy where d.instance = $1 and d.provider = $2"
		" and d.status <> 'undetected' and d.kind <> '" DEVICE_KIND_RAID "' and d.provider_device not in"
		" (select g.provider_device from json_to_recordset($3) as g(provider_device text)) order by d.id",
		DB_ARGS(db_uuid_arg(instance), db_text_arg(inv->provider), db_json_arg(devices)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);
		enum device_state from;

		/* In use, or being encrypted: kept as it is until that ends. */
		if (device_state_parse(db_text(r, i, 2), &from) < 0 || !device_can(from, DEVICE_EVENT_LOSE))
			continue;
		if (db_bool(r, i, 4))
			rc = log_leave_over(db, &id, db_text(r, i, 1), DETACHED);
		if (rc == 0)
			rc = from == DEVICE_ENCRYPTED && db_bool(r, i, 3) ? back_to_pool(db, &id, db_text(r, i, 1))
				: lose(db, &id, from, db_text(r, i, 1));
	}
	db_result_free(r);
	return rc;
}

/* All that this may change, before any of it: what the machine has, what it lists, and the arrays of those. */
static int lock_devices(struct db *db, const struct uuid *instance, const struct inventory *inv, const json_t *devices)
{
#define CONCERNED(m) "(" m ".instance = $1 or (" m ".provider = $2 and " m ".machine = device_machine($2, $1) and " m ".provider_device in" \
	" (select g.provider_device from json_to_recordset($3) as g(provider_device text))))"
	return db_queue(db, DEVICE_LOCK(CONCERNED("d") " or d.id in (select m.raid from device m where " CONCERNED("m") ")"),
		DB_ARGS(db_uuid_arg(instance), db_text_arg(inv->provider), db_json_arg(devices)));
#undef CONCERNED
}

int inventory_publish(struct db *db, const struct uuid *instance, const struct inventory *inv, size_t *left_out)
{
	json_t *devices = devices_json(inv);
	struct uuid described;
	int rc = inventory_instance(db, inv, &described);

	if (rc == 0 && !uuid_equal(&described, instance))
		rc = err_set(ERR_CONFLICT, "the inventory is of another instance");
	if (rc == 0)
		rc = keep_within_quota(db, instance, inv, devices, left_out);
	if (rc == 0)
		rc = lock_devices(db, instance, inv, devices);
	if (rc == 0)
		rc = end_orders(db, instance, inv, devices);
	if (rc == 0)
		rc = take_devices(db, instance, inv, devices);
	if (rc == 0)
		rc = take_tokens(db, instance, inv, devices);
	if (rc == 0)
		rc = rotation_brought_back(db, instance);
	if (rc == 0)
		rc = lose_devices(db, instance, inv, devices);
	if (rc == 0)
		rc = raid_follow(db, instance);
	json_decref(devices);
	return rc;
}
