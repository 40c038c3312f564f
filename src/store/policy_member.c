/* policy_member.c - the images and devices of policies: an image is in one or more, a device in exactly one (POL-1); a member of an
 * array goes where that goes. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/device_step.h"
#include "store/policy_row.h"

static int remove_images(struct db *db, const struct uuid *id, const json_t *remove)
{
	int rc = db_run(db, "delete from policy_image where policy = $1 and image in " POLICY_IDS(2),
		DB_ARGS(db_uuid_arg(id), db_json_arg(remove)));
	int home = rc < 0 ? rc : policy_home_images(db, remove);

	return home < 0 ? home : rc;
}

/* One that has a policy of its own leaves the default. */
static int add_images(struct db *db, const struct uuid *id, const json_t *add)
{
	int rc = db_run(db, "insert into policy_image (tenant, policy, image) select m.tenant, $1, m.id from image m where m.id in "
		POLICY_IDS(2) " on conflict do nothing", DB_ARGS(db_uuid_arg(id), db_json_arg(add)));
	int left = rc < 0 ? rc : db_run(db, "delete from policy_image x using policy p where p.tenant = x.tenant and p.id = x.policy"
		" and p.is_default and x.image in " POLICY_IDS(1), DB_ARGS(db_json_arg(add)));

	return left < 0 ? left : rc;
}

static int remove_devices(struct db *db, const struct uuid *id, const json_t *remove)
{
	int rc = db_queue(db, DEVICE_LOCK("d.policy = $1 and d.raid is null and d.id in " POLICY_IDS(2)), DB_ARGS(db_uuid_arg(id), db_json_arg(remove)));

	return rc < 0 ? rc : db_run(db, "update device set policy = (select p.id from policy p where p.is_default), changed = now()"
		" where policy = $1 and raid is null and id in " POLICY_IDS(2), DB_ARGS(db_uuid_arg(id), db_json_arg(remove)));
}

static int add_devices(struct db *db, const struct uuid *id, const json_t *add)
{
	int rc = db_queue(db, DEVICE_LOCK("d.policy <> $1 and d.raid is null and d.id in " POLICY_IDS(2)), DB_ARGS(db_uuid_arg(id), db_json_arg(add)));

	return rc < 0 ? rc : db_run(db, "update device set policy = $1, changed = now() where policy <> $1 and raid is null and id in " POLICY_IDS(2),
		DB_ARGS(db_uuid_arg(id), db_json_arg(add)));
}

static const struct {
	const char *name;            /* of the list in documents */
	enum audit_event event;
	int (*add)(struct db *db, const struct uuid *id, const json_t *ids);
	int (*remove)(struct db *db, const struct uuid *id, const json_t *ids);
	const char *all;             /* ids of a policy's members, $1 */
	const char *called;          /* names of the things with the ids $1, at most $2 */
	const char *listed;          /* names for documents, $1 policy, $2 limit */
	const char *find;            /* name and id for the names $1 */
} kinds[] = {
	[POLICY_IMAGE] = { "images", AUDIT_POLICY_IMAGES, add_images, remove_images,
		"select image from policy_image where policy = $1",
		"select coalesce(nullif(m.name, ''), m.provider_image) from image m where m.id in " POLICY_IDS(1) " order by 1 limit $2",
		"select m.provider || ':' || m.provider_image from policy_image x join image m on m.tenant = x.tenant and m.id = x.image"
		" where x.policy = $1 order by 1 limit $2",
		"select n.x, (select m.id from image m where m.provider = split_part(n.x, ':', 1)"
		" and m.provider_image = substr(n.x, strpos(n.x, ':') + 1)) from json_array_elements_text($1) n (x)" },
	[POLICY_DEVICE] = { "devices", AUDIT_POLICY_DEVICES, add_devices, remove_devices,
		"select id from device where policy = $1 and raid is null",
		"select coalesce(nullif(d.name, ''), d.provider_device) from device d where d.id in " POLICY_IDS(1) " order by 1 limit $2",
		/* The provider's id alone may mean several devices: on some providers it is unique only within one machine. */
		"select case when (select count(*) from device e where e.tenant = d.tenant and e.provider = d.provider and e.provider_device ="
		" d.provider_device) = 1 then d.provider || ':' || d.provider_device else d.id::text end from device d where d.policy = $1 and d.raid is null"
		" order by 1 limit $2",
		"select n.x, (select (array_agg(d.id))[1] from device d where d.id::text = lower(n.x) or (d.provider = split_part(n.x, ':', 1)"
		" and d.provider_device = substr(n.x, strpos(n.x, ':') + 1)) having count(*) = 1) from json_array_elements_text($1) n (x)" },
};

static json_t *column_json(const struct db_result *r, int column)
{
	json_t *list = json_array();

	for (size_t i = 0; i < db_rows(r); i++)
		json_array_append_new(list, json_string(db_text(r, i, column)));
	return list;
}

/* Names for the log: an id says nothing to who reads it years later. */
static int names_of(struct db *db, enum policy_member kind, const json_t *ids, json_t *detail, const char *member)
{
	struct db_result *r;
	int rc;

	if (json_array_size(ids) == 0)
		return 0;
	rc = db_query(db, &r, kinds[kind].called, DB_ARGS(db_json_arg(ids), db_int_arg(POLICY_NAMES_LOGGED)));
	if (rc < 0)
		return rc;
	json_object_set_new(detail, member, column_json(r, 0));
	db_result_free(r);
	return 0;
}

static int log_move(struct db *db, const struct uuid *id, enum policy_member kind, const char *name, const json_t *add,
	const json_t *remove, int in, int out)
{
	json_t *detail = json_pack("{s:i, s:i}", "added", in, "removed", out);
	int rc = in ? names_of(db, kind, add, detail, "names_added") : 0;

	if (rc == 0 && out)
		rc = names_of(db, kind, remove, detail, "names_removed");
	if (rc == 0)
		return policy_log(db, kinds[kind].event, id, name, detail);
	json_decref(detail);
	return rc;
}

int policy_move(struct db *db, const struct uuid *id, enum policy_member kind, const json_t *add, const json_t *remove)
{
	json_t *row;
	int in = 0, out = 0, rc;

	if (json_array_size(add) + json_array_size(remove) == 0)
		return 0;
	rc = policy_lock_editable(db, id, &row);
	if (rc < 0)
		return rc;
	if (json_array_size(remove))
		rc = out = kinds[kind].remove(db, id, remove);
	if (rc >= 0 && json_array_size(add))
		rc = in = kinds[kind].add(db, id, add);
	if (rc >= 0 && (in || out))
		rc = log_move(db, id, kind, json_string_value(json_object_get(row, "name")), add, remove, in, out);
	json_decref(row);
	return rc < 0 ? rc : 0;
}

/* What is in FROM and not in OTHER, both ids as text. */
static json_t *without(const json_t *from, const json_t *other)
{
	json_t *known = json_object(), *out = json_array(), *id;
	size_t i;

	json_array_foreach(other, i, id)
		json_object_set_new(known, json_string_value(id), json_true());
	json_array_foreach(from, i, id)
		if (!json_object_get(known, json_string_value(id)))
			json_array_append(out, id);
	json_decref(known);
	return out;
}

int policy_set_members(struct db *db, const struct uuid *id, enum policy_member kind, const struct uuid *members, size_t count)
{
	json_t *wanted = json_array(), *present, *add, *remove;
	struct db_result *r;
	char text[UUID_TEXT_SIZE];
	int rc = db_query(db, &r, kinds[kind].all, DB_ARGS(db_uuid_arg(id)));

	for (size_t i = 0; i < count; i++) {
		uuid_text(&members[i], text);
		json_array_append_new(wanted, json_string(text));
	}
	if (rc == 0) {
		present = column_json(r, 0);
		db_result_free(r);
		add = without(wanted, present);
		remove = without(present, wanted);
		rc = policy_move(db, id, kind, add, remove);
		json_decref(present);
		json_decref(add);
		json_decref(remove);
	}
	json_decref(wanted);
	return rc;
}

int policy_member_names(struct db *db, const struct uuid *id, enum policy_member kind, size_t most, json_t **out)
{
	struct db_result *r;
	int rc = db_query(db, &r, kinds[kind].listed, DB_ARGS(db_uuid_arg(id), db_int_arg((int64_t)most + 1)));

	if (rc < 0)
		return rc;
	if (db_rows(r) > most)
		rc = err_set(ERR_TOO_LARGE, "the policy has more than %zu %s", most, kinds[kind].name);
	else
		*out = column_json(r, 0);
	db_result_free(r);
	return rc;
}

int policy_member_find(struct db *db, enum policy_member kind, const json_t *names, json_t **ids, json_t **unknown)
{
	struct db_result *r;
	int rc = db_query(db, &r, kinds[kind].find, DB_ARGS(db_json_arg(names)));

	if (rc < 0)
		return rc;
	*ids = json_array();
	*unknown = json_array();
	for (size_t i = 0; i < db_rows(r); i++)
		json_array_append_new(db_is_null(r, i, 1) ? *unknown : *ids, json_string(db_text(r, i, db_is_null(r, i, 1) ? 0 : 1)));
	db_result_free(r);
	return 0;
}
