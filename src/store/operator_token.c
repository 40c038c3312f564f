/* operator_token.c - tokens of the operator's API. */
#include "store/operator_token.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"

int operator_token_create(struct db *db, const struct uuid *id, const uint8_t hash[static 32], const char *name, const char *scope, clock_us expires)
{
	char text[CLOCK_TEXT_SIZE];
	int rc = db_run(db, "insert into operator_token (id, name, token, scope, expires, created_by) values ($1, $2, $3, $4, $5, $6)",
		DB_ARGS(db_uuid_arg(id), db_text_arg(name), db_bytes_arg(hash, 32), db_text_arg(scope), db_time_arg(expires),
		db_text_arg(db_actor(db)->name)));

	clock_text(expires, text);
	return rc < 0 ? rc : audit_log(db, AUDIT_API_TOKEN, &(struct audit_object){ "api-token", id, name }, json_pack("{s:s, s:s}", "scope", scope,
		"until", text));
}

#define STATE "case when revoked is not null then 'revoked' when expires <= now() then 'expired' else 'active' end"

int operator_token_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select name, scope, " STATE " as state from operator_token where id = $1", DB_ARGS(db_uuid_arg(id)));
}

int operator_token_revoke(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select name, revoked is not null from operator_token where id = $1 for update", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	if (db_bool(r, 0, 1))
		rc = err_set(ERR_CONFLICT, "this token is revoked already");
	if (rc == 0)
		rc = db_run_one(db, "update operator_token set revoked = now(), revoked_by = $2 where id = $1", DB_ARGS(db_uuid_arg(id),
			db_text_arg(db_actor(db)->name)));
	if (rc == 0)
		rc = audit_log(db, AUDIT_API_TOKEN_REVOKED, &(struct audit_object){ "api-token", id, db_text(r, 0, 0) }, NULL);
	db_result_free(r);
	return rc;
}

/* Those in force first, however many there were: so many milliseconds later than any can be. */
#define PRESENT "((extract(epoch from created) * 1000)::bigint + case when revoked is null and expires > now() then 100000000000000 else 0 end)"

static const struct list_column sorts[] = {
	{ "present", PRESENT, "bigint", 1 },
	{ "created", "created", "timestamptz", 1 },
	{ "name", "lower(name)", "text", 0 },
	{ "state", STATE, "text", 0 },
	{ "scope", "scope", "text", 0 },
	{ "expires", "expires", "timestamptz", 0 },
	{ "used", "coalesce(last_used, 'epoch')", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "name", "created_by", "coalesce(last_address, '')", NULL };
static const struct list_filter filters[] = { { "state", STATE " = $" }, { "scope", "scope = $" }, { NULL } };
static const struct list_spec spec = {
	.columns = "id, name, scope, created, created_by, expires, last_used, last_address, revoked, revoked_by, " STATE " as state", .from =
		"operator_token", .id = "id", .sorts = sorts, .searches = searches, .filters = filters,
};

int operator_token_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int operator_token_use(struct db *db, const uint8_t hash[static 32], const char *address, json_t **out)
{
	json_t *row = NULL;
	struct uuid id;
	int rc = db_get_row(db, &row, "select id, name, scope, last_used < now() - interval '1 minute' or last_used is null as stale"
		" from operator_token where token = $1 and revoked is null and expires > now()", DB_ARGS(db_bytes_arg(hash, 32)));

	if (rc == 0 && json_is_true(json_object_get(row, "stale"))) {
		rc = json_get_uuid(row, "id", &id);
		if (rc == 0)
			rc = db_queue(db, "update operator_token set last_used = now(), last_address = $2 where id = $1", DB_ARGS(db_uuid_arg(&id),
				db_text_arg(address)));
	}
	if (rc == 0)
		*out = json_incref(row);
	json_decref(row);
	return rc;
}
