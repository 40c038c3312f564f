/* device.c - devices as they are: loading, lists, names. What changes their status is in device_step.c. */
#include "store/device.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/rename.h"

void device_release(struct device *d)
{
	free(d->provider);
	free(d->provider_device);
	free(d->name);
	free(d->filesystem);
	free(d->mount_point);
	free(d->access);
	free(d->cipher);
	free(d->mode);
	free(d->hash);
	free(d->luks_uuid);
	memset(d, 0, sizeof *d);
}

#define SELECT "select " DEVICE_COLUMNS " from device d"

int device_take(const struct db_result *r, int at, struct device *out)
{
	enum device_state status;
	int rc = device_state_parse(db_text(r, 0, at + 4), &status);

	if (rc < 0)
		return rc;
	*out = (struct device) {
		.id = db_uuid(r, 0, at), .instance = db_uuid(r, 0, at + 1), .image = db_uuid(r, 0, at + 2),
		.policy = db_uuid(r, 0, at + 3), .status = status, .provider = mem_strdup(db_text(r, 0, at + 5)), .provider_device = mem_strdup(db_text(r, 0, at + 6)),
		.name = mem_strdup(db_text(r, 0, at + 7)), .filesystem = mem_strdup(db_text(r, 0, at + 8)),
		.mount_point = mem_strdup(db_text(r, 0, at + 9)), .access = mem_strdup(db_text(r, 0, at + 10)),
		.cipher = mem_strdup(db_text(r, 0, at + 11)), .mode = mem_strdup(db_text(r, 0, at + 12)),
		.hash = mem_strdup(db_text(r, 0, at + 13)),
		.luks_uuid = mem_strdup(db_text(r, 0, at + 14)), .size_bytes = db_int(r, 0, at + 15), .key_bits = db_int(r, 0, at + 16),
		.key_version = db_int(r, 0, at + 17), .progress = (int)db_int(r, 0, at + 18), .system = db_bool(r, 0, at + 19),
		.overwrite = db_bool(r, 0, at + 20), .has_key = db_bool(r, 0, at + 21), .raid = db_uuid(r, 0, at + 22),
		.is_raid = db_bool(r, 0, at + 23), .attaches = db_bool(r, 0, at + 24), .adopting = db_bool(r, 0, at + 25),
	};
	return 0;
}

int device_load(struct db *db, const struct uuid *id, struct device *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, SELECT " where d.id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = device_take(r, 0, out);
	db_result_free(r);
	return rc;
}

int device_by_provider_id(struct db *db, const struct uuid *instance, const char *provider_device, struct device *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, SELECT " join instance n on n.id = $1 and n.provider = d.provider"
		" where d.machine = device_machine(n.provider, n.id) and d.provider_device = $2",
		DB_ARGS(db_uuid_arg(instance), db_text_arg(provider_device)));

	if (rc < 0)
		return rc;
	rc = device_take(r, 0, out);
	db_result_free(r);
	return rc;
}

#define COLUMNS "d.id, coalesce(nullif(d.name, ''), d.provider_device) as name, d.description, d.provider, provider_label(d.provider) as provider_name, d.provider_device, d.kind, d.size_bytes, d.os, d.filesystem," \
	" d.mount_point, d.access, d.status, d.progress, d.error, d.policy, p.name as policy_name, d.image," \
	" coalesce(nullif(m.name, ''), m.provider_image) as image_name, d.instance," \
	" coalesce(nullif(i.host_name, ''), i.provider_instance) as instance_name, d.is_system, d.is_busy, d.status_since, d.cipher, d.mode," \
	" d.key_bits, d.key_stored_on, d.key_version, d.key_created is not null as has_key, d.last_detected, d.raid, a.name as raid_name, d.raid_index," \
	" case when d.kind = '" DEVICE_KIND_RAID "' then (select count(*) from device n where n.tenant = d.tenant and n.raid = d.id)" \
	" end as members"
#define FROM "device d join policy p on p.tenant = d.tenant and p.id = d.policy" \
	" left join device a on a.tenant = d.tenant and a.id = d.raid" \
	" left join image m on m.tenant = d.tenant and m.id = d.image" \
	" left join instance i on i.tenant = d.tenant and i.id = d.instance"

static const struct list_column sorts[] = {
	/* The column itself, not an expression: the index on it carries the page (PERF-2). */
	{ "name", LIST_NAME("d.name"), "text", 0 },
	{ "provider", "d.provider", "text", 0 },
	{ "provider_device", "d.provider_device", "text", 0 },
	{ "size", "d.size_bytes", "bigint", 1 },
	{ "status", "d.status", "text", 0 },
	{ "mount_point", "d.mount_point", "text", 0 },
	{ "policy", LIST_NAME("p.name"), "text", 0 },
	{ "image", LIST_NAME("coalesce(nullif(m.name, ''), m.provider_image, '')"), "text", 0 },
	{ "instance", "coalesce(nullif(i.host_name, ''), i.provider_instance, '')", "text", 0 },
	{ NULL },
};
static const char *const searches[] = {
	"d.name", "d.description", "d.provider_device", "d.mount_point", "coalesce(i.host_name, '')", NULL,
};
static const struct list_way ways[] = {
	{ "device", "select id from device where id = any ($::uuid[])" },
	{ "instance", "select id from device where instance = any ($::uuid[])" },
	{ NULL },
};
static const struct list_filter filters[] = {
	{ "status", "d.status = $" },
	{ "provider", "d.provider = $" },
	{ "policy", "d.policy = $::uuid" },
	{ "image", "d.image = $::uuid" },
	{ "instance", "d.instance = $::uuid" },
	{ "kind", "d.kind = $" },
	{ "stored", "(d.key_stored_on = $ and d.key_created is not null)" },
	{ "exportable", "(d.status in ('encrypted', 'in-use') and d.raid is null) = $::boolean" },
	{ "rotatable", "(d.status in ('encrypted', 'in-use') and d.key_created is not null) = $::boolean" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS, .from = FROM, .id = "d.id", .sorts = sorts, .searches = searches, .ways = ways,
	.filters = filters,
};

int device_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int device_list_run(struct db *db, const struct list_query *query, const char *before, const char *columns, const char *after,
	const struct db_arg *args, size_t count)
{
	return list_run(db, &spec, query, before, columns, after, args, count);
}

int device_totals(struct db *db, json_t **out)
{
	struct db_result *r;
	/* Members count with their array. */
	int rc = db_query_row(db, &r, "select " LIST_COUNT("device where raid is null") " as devices, "
		LIST_COUNT("device where status in ('encrypted', 'in-use') and raid is null") " as encrypted", DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_row_json(r, 0);
	db_result_free(r);
	return 0;
}

#define LINK "json_build_object('id', x.id, 'name', coalesce(nullif(x.name, ''), x.provider_device))"
/* What the token on it names, if it is of this account; the device, where that is another one. */
#define TOKEN_DEVICE "case when d.token_account = d.tenant then d.token_device end"
#define TOKEN_OF "(select " LINK " from device x where x.tenant = d.tenant and x.id = " TOKEN_DEVICE " and x.id <> d.id)"
/* Whose key it has a copy of; it may be gone by now. */
#define MADE_FOR "(select json_build_object('id', k.made_for, 'name', (select coalesce(nullif(x.name, ''), x.provider_device) from device x" \
	" where x.tenant = k.tenant and x.id = k.made_for)) from device_key k where k.tenant = d.tenant and k.device = d.id" \
	" and k.state = 'active' and k.made_for is not null)"
/* The volume on it has a key that is not here: the database was restored from before that was made. */
#define KEY_IS_NEWER "coalesce(d.token_account = d.tenant and d.token_device = d.id and d.token_version > d.key_version and not exists (select 1 from" \
	" rotation x where x.tenant = d.tenant and x.device = d.id and x.state = 'adding'), false)"
/* Other devices with the same key. */
#define SHARED "(select coalesce(json_agg(" LINK " order by x.name, x.id), '[]') from device_key k join device_key o on o.tenant = k.tenant" \
	" and (coalesce(o.made_for, o.device), coalesce(o.made_version, o.version)) = (coalesce(k.made_for, k.device)," \
	" coalesce(k.made_version, k.version)) and o.device <> k.device join device x on x.tenant = o.tenant and x.id = o.device" \
	" where k.tenant = d.tenant and k.device = d.id and k.state = 'active')"

int device_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS ", d.path, d.hash, a_key.key_server, a_key.server_key, d.key_created, d.key_rotated, d.luks_uuid,"
		" d.found_filesystem, d.overwrite, d.unusable, d.release, d.release_by, d.adopted, d.created, d.configured, d.changed,"
		" provider_attaches(d.provider) as attaches, p.pooling,"
		" " TOKEN_DEVICE " as token_device, " TOKEN_OF " as token_of, " MADE_FOR " as copy_of, " SHARED " as shared, " KEY_IS_NEWER " as key_is_newer,"
		" d.token_version, i.image as instance_image,"
		" (select coalesce(nullif(x.name, ''), x.provider_image) from image x where x.tenant = i.tenant and x.id = i.image)"
		" as instance_image_name, said.status as said_status, coalesce(said.detail, '') as said from " FROM " left join lateral " DEVICE_SAID
		" said on true left join device_key a_key on a_key.tenant = d.tenant and a_key.device = d.id"
		" and a_key.state = 'active' where d.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int device_rename(struct db *db, const struct uuid *id, const char *name, const char *description)
{
	static const struct rename what = { "select name, description, provider_device from device where id = $1 for no key update",
		"update device set name = $2, description = $3, changed = now() where id = $1", "device", AUDIT_DEVICE_CHANGED };

	return rename_row(db, &what, id, name, description);
}

int device_tasks(struct db *db, const struct uuid *instance, json_t **out)
{
	return db_get_rows(db, out, "select d.id, d.provider_device, coalesce(nullif(d.name, ''), d.provider_device) as label, d.cipher,"
		" d.mode, d.hash, d.key_bits, coalesce(a.filesystem, d.filesystem) as filesystem, coalesce(a.mount_point, d.mount_point)"
		" as mount_point, d.access, d.overwrite, d.status, coalesce(a.provider_device, '') as raid_name, coalesce(d.raid_index, 0)"
		" as raid_index, (select count(*) from device n where n.tenant = d.tenant and n.raid = d.raid) as raid_members from device d"
		" left join device a on a.tenant = d.tenant and a.id = d.raid where d.instance = $1 and d.kind <> '" DEVICE_KIND_RAID "'"
		" and coalesce(a.status, d.status) in ('encryption-pending', 'encrypting') and not d.is_system and not d.adopting"
		" order by coalesce(a.provider_device, d.provider_device), d.raid_index", DB_ARGS(db_uuid_arg(instance)));
}

int device_repaired(struct db *db, const struct device *d, const char *found)
{
	return audit_log(db, AUDIT_DEVICE_REPAIRED, &(struct audit_object) { "device", &d->id, d->name }, json_pack("{s:s}", "found", found));
}
