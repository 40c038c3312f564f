/* policy.c - policies: lists, one of them, creating, changing and deleting it. */
#include "store/policy.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/device_step.h"
#include "store/policy_row.h"

#define IMAGES "(select count(*) from policy_image x where x.tenant = p.tenant and x.policy = p.id)"
#define DEVICES "(select count(*) from device d where d.tenant = p.tenant and d.policy = p.id and d.raid is null)"
#define COLUMNS "p.id, p.name, p.description, p.is_default, p.pooling, p.on_match, p.on_mismatch, p.timeout_s, p.check_scheduled," \
	" p.on_failure, p.approvals_needed, p.version, p.created, p.changed, p.changed_by"

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("p.name"), "text", 0 },
	{ "images", IMAGES, "bigint", 1 },
	{ "devices", DEVICES, "bigint", 1 },
	{ "rules", "jsonb_array_length(p.rules)", "bigint", 1 },
	{ "changed", "p.changed", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "p.name", "p.description", NULL };
static const struct list_filter filters[] = {
	{ "image", "exists (select 1 from policy_image x where x.tenant = p.tenant and x.policy = p.id and x.image = $::uuid)" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = COLUMNS ", jsonb_array_length(p.rules) as rules, " IMAGES " as images, " DEVICES " as devices", .from = "policy p",
	.id = "p.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int policy_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int policy_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS ", p.rules, " POLICY_NAMED("policy_document(p)") " as document, "
		IMAGES " as image_count, " DEVICES " as device_count from policy p where p.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int policy_names(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id, name, is_default from policy order by name collate \"und-x-icu\", id", DB_NONE);
}

int policy_by_name(struct db *db, const char *name, struct uuid *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select id from policy where lower(name) = lower($1)", DB_ARGS(db_text_arg(name)));

	if (rc < 0)
		return rc;
	*out = db_uuid(r, 0, 0);
	db_result_free(r);
	return 0;
}

int policy_log(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "policy", id, name }, detail);
}

/* What only the database can tell */

static json_t *texts_json(const char *const *texts)
{
	json_t *list = json_array();

	for (; *texts; texts++)
		json_array_append_new(list, json_string(*texts));
	return list;
}

#define MAY_DECIDE "u.state <> 'disabled' and u.role in (select json_array_elements_text($1))"

int policy_approvers(struct db *db, const char *const *roles, json_t **out)
{
	json_t *list = texts_json(roles);
	int rc = db_get_rows(db, out, "select u.email, u.name, u.role from app_user u where " MAY_DECIDE " order by u.name collate \"und-x-icu\", u.id",
		DB_ARGS(db_json_arg(list)));

	json_decref(list);
	return rc;
}

static int knows(const json_t *approvers, const char *email)
{
	json_t *a;
	size_t i;

	json_array_foreach(approvers, i, a)
		if (strcasecmp(json_string_value(json_object_get(a, "email")), email) == 0)
			return 1;
	return 0;
}

static void add_fault(json_t *faults, const char *at, json_t *text)
{
	json_array_append_new(faults, json_pack("{s:s, s:o}", "at", at, "text", text));
}

static void approval_faults(const json_t *approvers, const json_t *approvals, json_t *faults)
{
	json_t *of = json_object_get(approvals, "of"), *email;
	json_int_t needed = json_integer_value(json_object_get(approvals, "needed"));
	size_t i, most = json_array_size(of) ? json_array_size(of) : json_array_size(approvers);
	char at[40];

	json_array_foreach(of, i, email) {
		snprintf(at, sizeof at, "approvals/of/%zu", i);
		if (!knows(approvers, json_string_value(email)))
			add_fault(faults, at, json_sprintf("%s is nobody here who may decide key requests.", json_string_value(email)));
	}
	/* One person who may decide is enough where there is nobody else: every account begins so. */
	if (needed > 1 && needed > (json_int_t)most)
		add_fault(faults, "approvals/needed", json_sprintf("Only %zu %s may give an approval: no key could ever be released.",
			most, most == 1 ? "person" : "people"));
}

int policy_faults(struct db *db, const struct uuid *id, const json_t *document, const char *const *roles, json_t *faults)
{
	const char *name = json_string_value(json_object_get(document, "name"));
	json_t *approvers;
	struct uuid other;
	int rc = name ? policy_by_name(db, name, &other) : ERR_NOT_FOUND;

	if (rc == 0 && !(id && uuid_equal(id, &other)))
		add_fault(faults, "name", json_string("There is a policy with this name already."));
	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	rc = policy_approvers(db, roles, &approvers);
	if (rc < 0)
		return rc;
	approval_faults(approvers, json_object_get(document, "approvals"), faults);
	json_decref(approvers);
	return 0;
}

/* Creating, changing, deleting */

/* A document, argument $2, as the columns of a policy. */
#define NEW "(select d->>'name' as name, d->>'description' as description, coalesce((d->>'pooling')::boolean, false) as pooling," \
	" d #>> '{action,on_match}' as on_match, d #>> '{action,on_mismatch}' as on_mismatch," \
	" coalesce((d #>> '{action,timeout_s}')::bigint, 0) as timeout_s, coalesce(d->'rules', '[]') as rules," \
	" coalesce((d #>> '{approvals,needed}')::int, 1) as approvals_needed, coalesce((select array_agg(u.id order by u.id) from" \
	" jsonb_array_elements_text(d #> '{approvals,of}') o (x) join app_user u on lower(u.email) = lower(o.x)), '{}') as approvals_of," \
	" coalesce((d #>> '{approvals,expires_s}')::bigint, 86400) as approvals_expire_s," \
	" coalesce((d #>> '{check,scheduled}')::boolean, false) as check_scheduled," \
	" coalesce(d #>> '{check,on_failure}', 'notify') as on_failure, coalesce((d #>> '{check,grace_s}')::bigint, 0) as grace_s" \
	" from (select $2::jsonb as d) s)"
#define VALUES(t) t "name, " t "description, " t "pooling, " t "on_match, " t "on_mismatch, " t "timeout_s, " t "rules, " \
	t "approvals_needed, " t "approvals_of, " t "approvals_expire_s, " t "check_scheduled, " t "on_failure, " t "grace_s"

static int name_taken(struct db *db, int rc)
{
	if (rc == ERR_CONFLICT && strcmp(db_constraint(db), "policy_name") == 0)
		return err_set(rc, "there is a policy with this name already");
	return rc;
}

static json_t *with_why(json_t *detail, const char *why)
{
	if (*why)
		json_set_string(detail, "comment", why);
	return detail;
}

int policy_create(struct db *db, const struct uuid *id, const json_t *document, const char *why)
{
	int rc = name_taken(db, db_run(db, "insert into policy (tenant, id, " VALUES("") ", changed_by) select current_tenant(), $1, "
		VALUES("n.") ", $3 from " NEW " n", DB_ARGS(db_uuid_arg(id), db_json_arg(document), db_text_arg(db_actor(db)->name))));
	json_t *detail;

	if (rc >= 0)
		rc = policy_version_keep(db, id, why);
	if (rc < 0)
		return rc;
	detail = json_deep_copy(document);
	json_object_del(detail, "keyward_policy");
	return policy_log(db, AUDIT_POLICY_CREATED, id, json_string_value(json_object_get(document, "name")), with_why(detail, why));
}

int policy_lock(struct db *db, const struct uuid *id, json_t **row)
{
	return db_get_row(db, row, "select p.name, p.version, p.is_default, " POLICY_NAMED("policy_document(p)") " as document"
		" from policy p where p.id = $1 for no key update of p", DB_ARGS(db_uuid_arg(id)));
}

int policy_lock_editable(struct db *db, const struct uuid *id, json_t **row)
{
	int rc = policy_lock(db, id, row);

	if (rc < 0 || !json_is_true(json_object_get(*row, "is_default")))
		return rc;
	json_decref(*row);
	return err_set(ERR_CONFLICT, "the default policy cannot be deleted, and its lists follow from the other policies");
}

/* The number of rows: 0 when nothing differs. */
static int update(struct db *db, const struct uuid *id, const json_t *document)
{
	return name_taken(db, db_run(db, "update policy p set (" VALUES("") ") = row (" VALUES("n.") "), version = p.version + 1,"
		" changed = now(), changed_by = $3 from " NEW " n where p.id = $1 and (" VALUES("p.") ") is distinct from (" VALUES("n.") ")",
		DB_ARGS(db_uuid_arg(id), db_json_arg(document), db_text_arg(db_actor(db)->name))));
}

static int log_change(struct db *db, const struct uuid *id, const json_t *before, const char *why)
{
	json_t *after, *detail;
	int rc = policy_lock(db, id, &after);

	if (rc < 0)
		return rc;
	detail = audit_changes(json_object_get(before, "document"), json_object_get(after, "document"));
	if (detail == NULL)
		detail = json_object();
	json_object_set(detail, "version", json_object_get(after, "version"));
	rc = policy_log(db, AUDIT_POLICY_CHANGED, id, json_string_value(json_object_get(after, "name")), with_why(detail, why));
	json_decref(after);
	return rc;
}

int policy_change(struct db *db, const struct uuid *id, const json_t *document, const char *why, int64_t expected)
{
	json_t *before;
	int rc = policy_lock(db, id, &before);

	if (rc < 0)
		return rc;
	if (expected && json_integer_value(json_object_get(before, "version")) != expected)
		rc = err_set(ERR_CONFLICT, "the policy was changed by somebody else meanwhile");
	else
		rc = update(db, id, document);
	if (rc > 0) {
		rc = policy_version_keep(db, id, why);
		rc = rc < 0 ? rc : log_change(db, id, before, why);
	}
	json_decref(before);
	return rc;
}

int policy_home_images(struct db *db, const json_t *removed)
{
	return db_queue(db, "insert into policy_image (tenant, policy, image) select p.tenant, p.id, m.id from policy p join image m"
		" on m.tenant = p.tenant where p.is_default and ($1::json is null or m.id in " POLICY_IDS(1) ") and not exists (select 1"
		" from policy_image x where x.tenant = m.tenant and x.image = m.id) on conflict do nothing", DB_ARGS(db_json_arg(removed)));
}

/* All devices of ID, to policy TO: how many. Requests that are open come before their devices: they lose the policy with it. */
static int reassign_devices(struct db *db, const struct uuid *id, const struct uuid *to)
{
	int rc = db_queue(db, "select 1 from key_request where policy = $1 and closed is null order by id for update", DB_ARGS(db_uuid_arg(id)));

	if (rc == 0)
		rc = db_queue(db, DEVICE_LOCK("d.policy = $1 and d.raid is null"), DB_ARGS(db_uuid_arg(id)));
	return rc < 0 ? rc : db_run(db, "update device set policy = $2, changed = now() where policy = $1 and raid is null",
		DB_ARGS(db_uuid_arg(id), db_uuid_arg(to)));
}

int policy_delete(struct db *db, const struct uuid *id, const struct uuid *reassign)
{
	json_t *row;
	int moved = 0, rc = policy_lock_editable(db, id, &row);

	if (rc < 0)
		return rc;
	if (reassign && uuid_equal(id, reassign))
		rc = err_set(ERR_INVALID, "devices cannot go to the policy that is deleted");
	else if (reassign)
		rc = moved = reassign_devices(db, id, reassign);
	if (rc >= 0)
		rc = db_run_one(db, "delete from policy where id = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc == ERR_CONFLICT)
		rc = err_set(rc, reassign ? "there is no such policy to reassign devices to" : "the policy has devices");
	if (rc == 0)
		rc = policy_home_images(db, NULL);
	if (rc == 0)
		rc = policy_log(db, AUDIT_POLICY_DELETED, id, json_string_value(json_object_get(row, "name")),
			json_pack("{s:i}", "devices_moved", moved));
	json_decref(row);
	return rc;
}

int policy_any_rules(struct db *db, int *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select exists (select 1 from policy where rules <> '[]')", DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_bool(r, 0, 0);
	db_result_free(r);
	return 0;
}
