/* raid.c - making, changing and taking apart RAID 0 arrays, and what becomes of them as their members come and go. */
#include "store/raid.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/device_step.h"
#include "store/rename.h"

/* Why device d cannot be a member of the array $1 together with device x: the name of a reason, or null. */
#define UNFIT "case when d.raid is not null and d.raid is distinct from $1 then 'member' when d.is_system then 'system'" \
	" when d.raid is null and d.status <> 'not-configured' then 'status' when d.raid is null and d.is_busy then 'busy'" \
	" when x.provider <> d.provider then 'provider' when x.machine <> d.machine then 'machine'" \
	" when coalesce(xi.zone, '') <> coalesce(i.zone, '') then 'zone' when x.image is distinct from d.image and x.id is not null then 'image'" \
	" end"
#define ZONES "left join instance i on i.tenant = d.tenant and i.id = d.instance" \
	" left join instance xi on xi.tenant = x.tenant and xi.id = x.instance"
#define NAME "coalesce(nullif(d.name, ''), d.provider_device)"

static const struct {
	const char *name, *text;
} reasons[] = {
	{ "member", "is a member of another RAID" }, { "system", "holds the root file system" }, { "status", "is configured already" },
	{ "busy", "is in use by the machine" }, { "provider", "is of another provider than the first one" },
	{ "machine", "belongs to another machine than the first one" }, { "zone", "is in another zone than the first one" },
	{ "image", "has another image than the first one" },
};

int raid_id_is_valid(const char *id)
{
	size_t len = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

	return len > 0 && len <= RAID_ID_MAX && id[len] == '\0';
}

static json_t *ids_json(const struct uuid *ids, size_t count)
{
	json_t *out = json_array();
	char text[UUID_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		uuid_text(&ids[i], text);
		json_array_append_new(out, json_string(text));
	}
	return out;
}

static int refuse(const struct db_result *r, size_t row)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(db_text(r, row, 1), reasons[i].name) == 0)
			return err_set(ERR_INVALID, "%s %s", db_text(r, row, 0), reasons[i].text);
	return err_set(ERR_INVALID, "%s: %s", db_text(r, row, 0), db_text(r, row, 1));
}

/* All of MEMBERS, locked, can be of array ID; NAMES: as they are called, in order. */
static int check_members(struct db *db, const struct uuid *id, const struct raid_definition *d, const json_t *ids, json_t **names)
{
	struct db_result *r;
	int rc;

	if (d->count < RAID_MEMBERS_MIN || d->count > RAID_MEMBERS_MAX)
		return err_set(ERR_INVALID, "a RAID has %d to %d members", RAID_MEMBERS_MIN, RAID_MEMBERS_MAX);
	rc = db_query(db, &r, DEVICE_LOCK("d.id in (select x::uuid from json_array_elements_text($1) x) and d.kind <> '" DEVICE_KIND_RAID "'"),
		DB_ARGS(db_json_arg(ids)));
	if (rc < 0)
		return rc;
	if (db_rows(r) != d->count)
		rc = err_set(ERR_NOT_FOUND, "one of the devices is not there, or chosen twice");
	db_result_free(r);
	if (rc == 0)
		rc = db_query(db, &r, "select " NAME ", " UNFIT " from json_array_elements_text($2) with ordinality o (id, n)"
			" join device d on d.id = o.id::uuid join device x on x.id = ($2 ->> 0)::uuid " ZONES " order by o.n",
			DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));
	if (rc < 0)
		return rc;
	*names = json_array();
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		json_array_append_new(*names, json_string(db_text(r, i, 0)));
		if (!db_is_null(r, i, 1))
			rc = refuse(r, i);
	}
	db_result_free(r);
	return rc;
}

/* They are the array's, which is as large as so many of the smallest are, and where they are. */
static int join(struct db *db, const struct uuid *id, const json_t *ids)
{
	int rc = db_queue(db, "update device m set raid = a.id, raid_index = o.n - 1, policy = a.policy, changed = now()"
		" from json_array_elements_text($2) with ordinality o (id, n), device a where a.id = $1 and m.id = o.id::uuid",
		DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));

	return rc < 0 ? rc : db_queue(db, "update device a set size_bytes = m.size, instance = m.instance, image = m.image, machine = m.machine"
		" from (select min(d.size_bytes) * count(*) as size, (array_agg(d.instance order by d.raid_index))[1] as instance,"
		" (array_agg(d.image order by d.raid_index))[1] as image, (array_agg(d.machine order by d.raid_index))[1] as machine"
		" from device d where d.raid = $1) m where a.id = $1", DB_ARGS(db_uuid_arg(id)));
}

static int configure(struct db *db, const struct uuid *id, const struct raid_definition *d)
{
	struct device_configuration c = *d->configuration;

	c.image = NULL;
	return device_configure(db, id, &c);
}

static int insert(struct db *db, const struct raid_definition *d, const json_t *ids, struct uuid *id)
{
	char *provider_device = mem_printf(RAID_PREFIX "%s", d->name);
	/* Where all of them are in one policy, it goes there; else to the default, as what is new does (POL-1). */
	int rc = db_run_one(db, "insert into device (tenant, id, provider, machine, provider_device, name, description, kind, policy)"
		" select current_tenant(), $1, min(d.provider), (array_agg(d.machine))[1], $2, $3, $4, '" DEVICE_KIND_RAID "',"
		" case when count(distinct d.policy) = 1 then (array_agg(d.policy))[1] else (select p.id from policy p where p.is_default) end"
		" from device d where d.id in (select x::uuid from json_array_elements_text($5) x)", DB_ARGS(db_uuid_arg(id),
		db_text_arg(provider_device), db_text_arg(d->name), db_text_arg(d->description), db_json_arg(ids)));

	free(provider_device);
	return rc == ERR_CONFLICT ? err_set(rc, "there is a RAID of this ID already") : rc;
}

int raid_create(struct db *db, const struct raid_definition *d, struct uuid *id)
{
	json_t *ids = ids_json(d->members, d->count), *names = NULL;
	int rc = raid_id_is_valid(d->name) ? 0 : err_set(ERR_INVALID, "an ID has letters, digits, - and _, at most %d", RAID_ID_MAX);

	*id = uuid_new();
	if (rc == 0)
		rc = check_members(db, id, d, ids, &names);
	if (rc == 0)
		rc = insert(db, d, ids, id);
	if (rc == 0)
		rc = join(db, id, ids);
	if (rc == 0)
		rc = audit_log(db, AUDIT_RAID_CREATED, &(struct audit_object) { "device", id, d->name },
			json_pack("{s:s, s:O}", "description", d->description, "members", names));
	if (rc == 0)
		rc = configure(db, id, d);
	json_decref(names);
	json_decref(ids);
	return rc;
}

/* Members of ID that are not in IDS (NULL: all): free, and as new. */
static int release(struct db *db, const struct uuid *id, const json_t *ids)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update device set raid = null, raid_index = null, changed = now(),"
		" status = case when status = 'undetected' then status else 'not-configured' end where raid = $1"
		" and id not in (select x::uuid from json_array_elements_text(coalesce($2, '[]')) x) returning id",
		DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid member = db_uuid(r, i, 0);

		rc = device_forget(db, &member);
	}
	if (rc >= 0)
		db_result_free(r);
	/* Places are given anew. */
	return rc < 0 ? rc : db_queue(db, "update device set raid = null, raid_index = null where raid = $1", DB_ARGS(db_uuid_arg(id)));
}

static int names_now(struct db *db, const struct uuid *id, json_t **names)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select " NAME " from device d where d.raid = $1 order by d.raid_index", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*names = json_array();
	for (size_t i = 0; i < db_rows(r); i++)
		json_array_append_new(*names, json_string(db_text(r, i, 0)));
	db_result_free(r);
	return 0;
}

static int log_members(struct db *db, const struct uuid *id, const char *name, json_t *before, json_t *after)
{
	json_t *old = json_pack("{s:O}", "members", before), *new = json_pack("{s:O}", "members", after);
	json_t *changes = audit_changes(old, new);
	int rc = changes == NULL ? 0 : audit_log(db, AUDIT_RAID_CHANGED, &(struct audit_object) { "device", id, name },
		json_incref(changes));

	json_decref(changes);
	json_decref(old);
	json_decref(new);
	return rc;
}

/* The array, locked, and it may be changed. */
static int hold_changeable(struct db *db, const struct uuid *id, struct device *raid)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select " DEVICE_COLUMNS " from device d where d.id = $1 and d.kind = '" DEVICE_KIND_RAID
		"' for no key update", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = device_take(r, 0, raid);
	db_result_free(r);
	if (rc == 0)
		rc = device_next(raid->status, DEVICE_EVENT_CONFIGURE);
	return rc < 0 ? rc : 0;
}

int raid_change(struct db *db, const struct uuid *id, const struct raid_definition *d)
{
	json_t *ids = ids_json(d->members, d->count), *names = NULL, *before = NULL;
	struct device raid = { 0 };
	int rc = db_queue(db, DEVICE_LOCK("d.id = $1 or d.raid = $1 or d.id in (select x::uuid from json_array_elements_text($2) x)"),
		DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));

	if (rc == 0)
		rc = hold_changeable(db, id, &raid);
	if (rc == 0)
		rc = names_now(db, id, &before);
	if (rc == 0)
		rc = check_members(db, id, d, ids, &names);
	if (rc == 0)
		rc = release(db, id, ids);
	if (rc == 0)
		rc = join(db, id, ids);
	if (rc == 0)
		rc = log_members(db, id, raid.name, before, names);
	if (rc == 0)
		rc = device_rename(db, id, NULL, d->description);
	if (rc == 0)
		rc = configure(db, id, d);
	device_release(&raid);
	json_decref(before);
	json_decref(names);
	json_decref(ids);
	return rc;
}

int raid_dissolve(struct db *db, const struct uuid *id, enum device_state status, const char *name)
{
	json_t *names = NULL;
	int rc = device_can_delete_raid(status) ? 0 : err_set(ERR_CONFLICT,
		"only a RAID that is Not configured, or whose device is missing, can be deleted");

	if (rc == 0)
		rc = names_now(db, id, &names);
	if (rc == 0)
		rc = release(db, id, NULL);
	if (rc == 0)
		rc = audit_log(db, AUDIT_RAID_DISSOLVED, &(struct audit_object) { "device", id, name },
			json_pack("{s:O}", "members", names));
	json_decref(names);
	return rc;
}

int raid_members(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_rows(db, out, "select d.id, " NAME " as name, d.provider_device, d.path, d.size_bytes, d.status, d.progress, d.error,"
		" d.found_filesystem, d.instance, coalesce(nullif(i.host_name, ''), i.provider_instance) as instance_name,"
		" d.key_created is not null as has_key, d.key_version, d.raid_index from device d"
		" left join instance i on i.tenant = d.tenant and i.id = d.instance where d.raid = $1 order by d.raid_index",
		DB_ARGS(db_uuid_arg(id)));
}

int raid_candidates(struct db *db, const struct uuid *raid, const char *search, const json_t *chosen, int limit, json_t **out)
{
	char *pattern = list_pattern(search ? search : "");
	int rc = db_get_rows(db, out, "select d.id, " NAME " as name, d.provider_device, d.provider, coalesce(i.zone, '') as zone,"
		" coalesce(nullif(m.name, ''), m.provider_image) as image_name, coalesce(nullif(i.host_name, ''), i.provider_instance)"
		" as instance_name, d.size_bytes, c.n is not null as chosen, " UNFIT " as reason, provider_label(d.provider) as provider_name from device d"
		" left join device x on x.tenant = d.tenant and x.id = ($2 ->> 0)::uuid " ZONES
		" left join image m on m.tenant = d.tenant and m.id = d.image"
		" left join json_array_elements_text($2) with ordinality c (id, n) on c.id::uuid = d.id"
		" where d.kind <> '" DEVICE_KIND_RAID "' and (c.n is not null or d.name ilike $3 or d.provider_device ilike $3)"
		" order by c.n nulls last, " UNFIT " is not null, d.provider, zone, 6, 7, d.name, d.id limit $4",
		DB_ARGS(db_uuid_arg(uuid_is_nil(raid) ? NULL : raid), db_json_arg(chosen), db_text_arg(pattern), db_int_arg(limit)));

	free(pattern);
	return rc;
}

static int follow_one(struct db *db, const struct db_result *r, size_t row)
{
	struct uuid id = db_uuid(r, row, 0);
	enum device_state status;
	int rc = device_state_parse(db_text(r, row, 1), &status), lost = db_bool(r, row, 2);
	enum device_event back = db_bool(r, row, 3) ? DEVICE_EVENT_FIND_ENCRYPTED : DEVICE_EVENT_FIND_CONFIGURED;

	if (rc < 0)
		return rc;
	/* In use, or being encrypted: kept as it is until that ends. */
	if (lost && device_can(status, DEVICE_EVENT_LOSE_MEMBER))
		return device_step(db, &id, DEVICE_EVENT_LOSE_MEMBER, AUDIT_DEVICE_LOST, NULL);
	if (!lost && status == DEVICE_MEMBER_MISSING)
		return device_step(db, &id, back, AUDIT_DEVICE_FOUND, NULL);
	return 0;
}

int raid_follow(struct db *db, const struct uuid *instance)
{
	struct db_result *r;
	int rc = db_query(db, &r, "with a as (select a.id, a.status, bool_or(m.status = 'undetected') as lost, bool_and(m.luks_uuid <> '')"
		" as encrypted, bool_and(m.instance = $1 and m.status <> 'undetected') as here from device a"
		" join device m on m.tenant = a.tenant and m.raid = a.id where a.id in (select d.raid from device d where d.instance = $1)"
		" group by a.tenant, a.id), u as (update device d set instance = $1, last_detected = now() from a where d.id = a.id and a.here)"
		" select id, status, lost, encrypted from a where lost or status = 'device-missing' order by id", DB_ARGS(db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++)
		rc = follow_one(db, r, i);
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

int raid_keys(struct db *db, const struct uuid *request, const struct uuid *raid, const struct uuid *instance,
	struct raid_key out[static RAID_MEMBERS_MAX])
{
	struct db_result *r;
	int rc = db_query(db, &r, "select d.id, d.provider_device, d.raid_index, k.version, k.wrapped, d.instance is not distinct from $2"
		" and d.status <> 'undetected', " NAME ", k.other, key_ticket($3, $4, d.id, k.version)"
		" from device d left join device_key k on k.tenant = d.tenant and k.device = d.id"
		" and k.state = 'active' where d.raid = $1 order by d.raid_index", DB_ARGS(db_uuid_arg(raid), db_uuid_arg(instance),
		db_uuid_arg(request), db_uuid_arg(&db_actor(db)->id)));
	size_t count = rc < 0 ? 0 : db_rows(r);

	if (rc == 0 && (count < RAID_MEMBERS_MIN || count > RAID_MEMBERS_MAX))
		rc = err_set(ERR_CONFLICT, "an array of %zu members", count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (!db_bool(r, i, 5) || db_is_null(r, i, 3))
			rc = err_set(ERR_CONFLICT, "%s of the RAID %s", db_text(r, i, 6), db_bool(r, i, 5) ? "has no key" : "is missing");
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct wire_view wrapped = db_bytes(r, i, 4), ticket = db_bytes(r, i, 8);

		out[i] = (struct raid_key) { .device = db_uuid(r, i, 0), .provider_device = mem_strdup(db_text(r, i, 1)),
			.index = db_int(r, i, 2), .version = db_int(r, i, 3), .other = db_int(r, i, 7), .wrapped = BUF_INIT };
		buf_add(&out[i].wrapped, wrapped.data, wrapped.len);
		buf_add(&out[i].ticket, ticket.data, ticket.len);
	}
	if (rc >= 0 || count)
		db_result_free(r);
	return rc < 0 ? rc : (int)count;
}

void raid_keys_free(struct raid_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(keys[i].provider_device);
		buf_free(&keys[i].wrapped);
		buf_free(&keys[i].ticket);
	}
}
