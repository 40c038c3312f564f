/* policy.c - policies. */
#include "store/policy.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"

#define COLUMNS "p.id, p.name, p.description, p.is_default, p.pooling, p.on_match, p.on_mismatch, p.timeout_s, p.version, p.created," \
	" p.changed, p.changed_by, " IMAGES " as images, " DEVICES " as devices"
#define IMAGES "(select count(*) from policy_image x where x.tenant = p.tenant and x.policy = p.id)"
#define DEVICES "(select count(*) from device d where d.tenant = p.tenant and d.policy = p.id)"

static const struct list_column sorts[] = {
	{ "name", "lower(p.name)", "text", 0 },
	{ "images", IMAGES, "bigint", 1 },
	{ "devices", DEVICES, "bigint", 1 },
	{ "changed", "p.changed", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "p.name", "p.description", NULL };
static const struct list_filter filters[] = {
	{ "image", "exists (select 1 from policy_image x where x.tenant = p.tenant and x.policy = p.id and x.image = $::uuid)" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS ", jsonb_array_length(p.rules) as rules", .from = "policy p", .id = "p.id", .sorts = sorts,
	.searches = searches, .filters = filters,
};

int policy_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int policy_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select p.id, p.name, p.description, p.is_default, p.pooling, p.on_match, p.on_mismatch,"
		" p.timeout_s, p.version, p.created, p.changed, p.changed_by, p.rules, " DEVICES " as device_count,"
		" (select coalesce(json_agg(json_build_object('id', m.id, 'name', coalesce(nullif(m.name, ''), m.provider_image),"
		" 'provider', m.provider, 'provider_image', m.provider_image) order by m.name, m.id), '[]') from policy_image x join image m"
		" on m.tenant = x.tenant and m.id = x.image where x.tenant = p.tenant and x.policy = p.id) as images"
		" from policy p where p.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int policy_names(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id, name, is_default from policy order by lower(name), id", DB_NONE);
}

static int log_policy(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "policy", id, name }, detail);
}

static json_t *change_json(const struct policy_change *c)
{
	json_t *o = json_object();

	if (c->name)
		json_set_string(o, "name", c->name);
	if (c->description)
		json_set_string(o, "description", c->description);
	if (c->pooling >= 0)
		json_set_bool(o, "pooling", c->pooling);
	if (c->on_match)
		json_set_string(o, "on_match", c->on_match);
	if (c->on_mismatch)
		json_set_string(o, "on_mismatch", c->on_mismatch);
	if (c->timeout_s >= 0)
		json_set_int(o, "timeout_s", c->timeout_s);
	if (c->rules)
		json_object_set(o, "rules", (json_t *)(uintptr_t)c->rules);
	return o;
}

static int name_taken(struct db *db, int rc)
{
	if (rc == ERR_CONFLICT && strcmp(db_constraint(db), "policy_name") == 0)
		return err_set(rc, "there is a policy with this name already");
	return rc;
}

int policy_create(struct db *db, const struct uuid *id, const struct policy_change *c)
{
	int rc = name_taken(db, db_run(db, "insert into policy (tenant, id, name, description, pooling, on_match, on_mismatch, timeout_s,"
		" rules, changed_by) values (current_tenant(), $1, $2, $3, $4, $5, $6, $7, coalesce($8::jsonb, '[]'), $9)",
		DB_ARGS(db_uuid_arg(id), db_text_arg(c->name), db_text_arg(c->description), db_bool_arg(c->pooling > 0),
			db_text_arg(c->on_match), db_text_arg(c->on_mismatch), db_int_arg(c->timeout_s > 0 ? c->timeout_s : 0),
			db_json_arg(c->rules), db_text_arg(db_actor(db)->name))));

	return rc < 0 ? rc : log_policy(db, AUDIT_POLICY_CREATED, id, c->name, change_json(c));
}

/* Locks the policy; *ROW is the caller's. */
static int lock(struct db *db, const struct uuid *id, json_t **row)
{
	return db_get_row(db, row, "select name, description, pooling, on_match, on_mismatch, timeout_s, rules, version, is_default"
		" from policy where id = $1 for update", DB_ARGS(db_uuid_arg(id)));
}

/* Same, and it must not be the default (POL-1). */
static int lock_editable(struct db *db, const struct uuid *id, json_t **row)
{
	int rc = lock(db, id, row);

	if (rc < 0 || !json_is_true(json_object_get(*row, "is_default")))
		return rc;
	json_decref(*row);
	return err_set(ERR_CONFLICT, "the default policy cannot be deleted, and its lists follow from the other policies");
}

static int update(struct db *db, const struct uuid *id, const struct policy_change *c)
{
	return name_taken(db, db_run_one(db, "update policy set name = coalesce($2, name), description = coalesce($3, description),"
		" pooling = coalesce($4, pooling), on_match = coalesce($5, on_match), on_mismatch = coalesce($6, on_mismatch),"
		" timeout_s = coalesce($7, timeout_s), rules = coalesce($8::jsonb, rules), version = version + 1, changed = now(),"
		" changed_by = $9 where id = $1", DB_ARGS(db_uuid_arg(id), db_text_arg(c->name), db_text_arg(c->description),
		c->pooling < 0 ? db_null_bool_arg() : db_bool_arg(c->pooling), db_text_arg(c->on_match), db_text_arg(c->on_mismatch),
		c->timeout_s < 0 ? db_null_int_arg() : db_int_arg(c->timeout_s), db_json_arg(c->rules),
		db_text_arg(db_actor(db)->name))));
}

int policy_change(struct db *db, const struct uuid *id, const struct policy_change *c, int64_t expected)
{
	json_t *before, *after, *detail;
	int rc = lock(db, id, &before);

	if (rc < 0)
		return rc;
	after = change_json(c);
	detail = audit_changes(before, after);
	if (expected && json_integer_value(json_object_get(before, "version")) != expected)
		rc = err_set(ERR_CONFLICT, "the policy was changed by somebody else meanwhile");
	else if (detail)
		rc = update(db, id, c);
	if (detail && rc == 0) {
		json_set_int(detail, "version", json_integer_value(json_object_get(before, "version")) + 1);
		rc = log_policy(db, AUDIT_POLICY_CHANGED, id, c->name ? c->name : json_string_value(json_object_get(before, "name")),
			json_incref(detail));
	}
	json_decref(detail);
	json_decref(before);
	json_decref(after);
	return rc;
}

/* Images that are in no policy now are in the default again. */
static int home_images(struct db *db)
{
	return db_queue(db, "insert into policy_image (tenant, policy, image) select p.tenant, p.id, m.id from policy p join image m"
		" on m.tenant = p.tenant where p.is_default and not exists (select 1 from policy_image x where x.tenant = m.tenant"
		" and x.image = m.id) on conflict do nothing", DB_NONE);
}

int policy_delete(struct db *db, const struct uuid *id, const struct uuid *reassign)
{
	json_t *row;
	int moved = 0, rc = lock_editable(db, id, &row);

	if (rc < 0)
		return rc;
	if (reassign && uuid_equal(id, reassign))
		rc = err_set(ERR_INVALID, "devices cannot go to the policy that is deleted");
	else if (reassign)
		rc = moved = db_run(db, "update device set policy = $2, changed = now() where policy = $1",
			DB_ARGS(db_uuid_arg(id), db_uuid_arg(reassign)));
	if (rc >= 0)
		rc = db_run_one(db, "delete from policy where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == ERR_CONFLICT)
		rc = err_set(rc, reassign ? "there is no such policy to reassign devices to" : "the policy has devices");
	if (rc == 0)
		rc = home_images(db);
	if (rc == 0)
		rc = log_policy(db, AUDIT_POLICY_DELETED, id, json_string_value(json_object_get(row, "name")),
			json_pack("{s:i}", "devices_moved", moved));
	json_decref(row);
	return rc;
}

static json_t *ids_json(const struct uuid *ids, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char text[UUID_TEXT_SIZE];

		uuid_text(&ids[i], text);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

#define IDS "(select x::uuid from json_array_elements_text($2) as x)"

int policy_set_images(struct db *db, const struct uuid *id, const struct uuid *images, size_t count)
{
	json_t *row, *ids;
	int out, in = 0, rc = lock_editable(db, id, &row);

	if (rc < 0)
		return rc;
	ids = ids_json(images, count);
	rc = out = db_run(db, "delete from policy_image where policy = $1 and image not in " IDS,
		DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));
	if (rc >= 0)
		rc = in = db_run(db, "insert into policy_image (tenant, policy, image) select m.tenant, $1, m.id from image m where m.id in "
			IDS " on conflict do nothing", DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));
	/* One that has a policy of its own leaves the default. */
	if (rc >= 0)
		rc = db_run(db, "delete from policy_image x using policy p where p.tenant = x.tenant and p.id = x.policy and p.is_default"
			" and exists (select 1 from policy_image y where y.tenant = x.tenant and y.image = x.image and y.policy <> x.policy)",
			DB_NONE);
	if (rc >= 0)
		rc = home_images(db);
	if (rc == 0 && (in || out))
		rc = log_policy(db, AUDIT_POLICY_IMAGES, id, json_string_value(json_object_get(row, "name")),
			json_pack("{s:O,s:i,s:i}", "images", ids, "added", in, "removed", out));
	json_decref(ids);
	json_decref(row);
	return rc;
}

int policy_set_devices(struct db *db, const struct uuid *id, const struct uuid *devices, size_t count)
{
	json_t *row, *ids;
	int out, in = 0, rc = lock_editable(db, id, &row);

	if (rc < 0)
		return rc;
	ids = ids_json(devices, count);
	rc = out = db_run(db, "update device set policy = (select p.id from policy p where p.is_default), changed = now()"
		" where policy = $1 and id not in " IDS, DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));
	if (rc >= 0)
		rc = in = db_run(db, "update device set policy = $1, changed = now() where policy <> $1 and id in " IDS,
			DB_ARGS(db_uuid_arg(id), db_json_arg(ids)));
	if (rc >= 0 && (in || out))
		rc = log_policy(db, AUDIT_POLICY_DEVICES, id, json_string_value(json_object_get(row, "name")),
			json_pack("{s:O,s:i,s:i}", "devices", ids, "added", in, "removed", out));
	json_decref(ids);
	json_decref(row);
	return rc < 0 ? rc : 0;
}
