/* policy_version.c - the versions of policies (POL-6): written with each change, never altered. */
#include "store/policy_row.h"

static const struct list_column sorts[] = {
	{ "version", "v.version", "bigint", 1 },
	{ NULL },
};
static const char *const searches[] = { "v.changed_by", "v.why", NULL };
static const struct list_filter filters[] = {
	{ "policy", "v.policy = $::uuid" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = "v.version, v.at, v.changed_by, v.why", .from = "policy_version v", .id = "v.version", .id_type = "bigint",
	.sorts = sorts, .searches = searches, .filters = filters,
};

int policy_versions(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int policy_version_get(struct db *db, const struct uuid *policy, int64_t version, json_t **out)
{
	return db_get_row(db, out, "select v.version, v.at, v.changed_by, v.why, " POLICY_NAMED("v.document") " as document"
		" from policy_version v where v.policy = $1 and v.version = $2", DB_ARGS(db_uuid_arg(policy), db_int_arg(version)));
}

int policy_version_keep(struct db *db, const struct uuid *policy, const char *why)
{
	const struct db_actor *a = db_actor(db);

	return db_run_one(db, "insert into policy_version (tenant, policy, version, document, changed_by_id, changed_by, why)"
		" select p.tenant, p.id, p.version, policy_document(p), $2, coalesce($3, ''), $4 from policy p where p.id = $1",
		DB_ARGS(db_uuid_arg(policy), db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id), db_text_arg(a->name), db_text_arg(why)));
}
