/* signup.c - accounts that register themselves. */
#include "store/signup.h"

#include "base/err.h"
#include "store/audit.h"

int signup_ask(struct db *db, const uint8_t hash[static 32], const char *email, const char *name, const char *company, clock_us expires,
	const json_t *mail)
{
	int rc = db_run(db, "select signup_ask($1, $2, $3, $4, $5, $6::jsonb)", DB_ARGS(db_bytes_arg(hash, 32), db_text_arg(email), db_text_arg(name),
		db_text_arg(company), db_time_arg(expires), db_json_arg(mail)));

	return rc < 0 ? rc : 0;
}

int signup_find(struct db *db, const uint8_t hash[static 32], json_t **out)
{
	return db_get_row(db, out, "select email, name, company from signup_find($1)", DB_ARGS(db_bytes_arg(hash, 32)));
}

int signup_use(struct db *db, const uint8_t hash[static 32], const struct uuid *account, const char *slug, struct wire_view wrapped,
	const uint8_t invitation[static 32], clock_us expires, const struct quota *quota)
{
	struct uuid user = uuid_new();
	int rc = db_run(db, "select signup_use($1, $2, $3, $4, $5, $6, $7, nullif($8, 0)::int, nullif($9, 0)::int, nullif($10, 0)::int, nullif($11, 0)::int)", DB_ARGS(db_bytes_arg(hash, 32), db_uuid_arg(account), db_text_arg(slug),
		db_bytes_arg(wrapped.data, wrapped.len), db_uuid_arg(&user), db_bytes_arg(invitation, 32), db_time_arg(expires),
		db_int_arg(quota->devices), db_int_arg(quota->instances), db_int_arg(quota->users), db_int_arg(quota->rate)));

	return rc < 0 ? rc : audit_log(db, AUDIT_TENANT_CREATED, &(struct audit_object){ "tenant", account, NULL }, json_pack("{s:s, s:b}", "slug", slug,
		"registered", 1));
}
