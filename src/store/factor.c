/* factor.c - second factors. */
#include "store/factor.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"

#define TWO(before, after) { before "second_factor" after, before "operator_factor" after }
#define TWO_CODES(before, after) { before "recovery_code" after, before "operator_recovery_code" after }

void factor_system_purpose(const struct uuid *user, char out[static FACTOR_PURPOSE_SIZE])
{
	char id[UUID_TEXT_SIZE];

	uuid_text(user, id);
	snprintf(out, FACTOR_PURPOSE_SIZE, FACTOR_PURPOSE "-%s", id);
}

void factor_release(struct factor *f)
{
	buf_free(&f->secret);
	memset(f, 0, sizeof *f);
}

int factor_get(struct db *db, enum store_side side, const struct uuid *user, struct factor *out)
{
	static const char *const sql[] = TWO("select secret, confirmed, last_step from ", " where user_id = $1 for update");
	struct db_result *r;
	struct wire_view secret;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(user)));

	if (rc < 0)
		return rc;
	secret = db_bytes(r, 0, 0);
	*out = (struct factor){ .confirmed = db_time(r, 0, 1), .last_step = db_int(r, 0, 2) };
	buf_add(&out->secret, secret.data, secret.len);
	db_result_free(r);
	return 0;
}

int factor_has(struct db *db, enum store_side side, const struct uuid *user)
{
	static const char *const sql[] = TWO("select 1 from ", " where user_id = $1 and confirmed is not null");

	return db_has(db, sql[side], DB_ARGS(db_uuid_arg(user)));
}

int factor_show(struct db *db, enum store_side side, const struct uuid *user, json_t **out)
{
	static const char *const sql[] = {
		"select confirmed as since, (select count(*) from recovery_code c where c.tenant = f.tenant and c.user_id = f.user_id and c.used"
		" is null) as codes from second_factor f where user_id = $1 and confirmed is not null",
		"select confirmed as since, (select count(*) from operator_recovery_code c where c.user_id = f.user_id and c.used is null) as codes"
		" from operator_factor f where user_id = $1 and confirmed is not null",
	};
	int rc = db_get_row(db, out, sql[side], DB_ARGS(db_uuid_arg(user)));

	if (rc != ERR_NOT_FOUND)
		return rc;
	*out = json_null();
	return 0;
}

int factor_begin(struct db *db, enum store_side side, const struct uuid *user, struct wire_view secret)
{
	static const char *const sql[] = {
		"insert into second_factor as f (tenant, user_id, secret) values (current_tenant(), $1, $2) on conflict (tenant, user_id) do update"
		" set secret = excluded.secret, created = now(), last_step = 0 where f.confirmed is null",
		"insert into operator_factor as f (user_id, secret) values ($1, $2) on conflict (user_id) do update set secret = excluded.secret,"
		" created = now(), last_step = 0 where f.confirmed is null",
	};
	int rc = db_run(db, sql[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(secret.data, secret.len)));

	return rc == 0 ? err_set(ERR_CONFLICT, "there is a second factor already") : rc < 0 ? rc : 0;
}

static int log_factor(struct db *db, enum audit_event event, const struct user *u)
{
	return audit_log(db, event, &(struct audit_object) { "user", &u->id, u->email }, NULL);
}

int factor_used(struct db *db, enum store_side side, const struct user *u, const struct factor *f, int64_t step)
{
	static const char *const sql[] = TWO("update ", " set last_step = $2, confirmed = coalesce(confirmed, now()) where user_id = $1 and"
		" last_step < $2");
	int rc = db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(&u->id), db_int_arg(step)));

	return rc < 0 || f->confirmed ? rc : log_factor(db, AUDIT_FACTOR_ADDED, u);
}

int factor_codes_set(struct db *db, enum store_side side, const struct user *u, const uint8_t (*hashes)[FACTOR_CODE_HASH], int anew)
{
	static const char *const drop[] = TWO_CODES("delete from ", " where user_id = $1");
	static const char *const insert[] = {
		"insert into recovery_code (tenant, user_id, hash) values (current_tenant(), $1, $2)",
		"insert into operator_recovery_code (user_id, hash) values ($1, $2)",
	};
	int rc = db_queue(db, drop[side], DB_ARGS(db_uuid_arg(&u->id)));

	for (int i = 0; rc == 0 && i < FACTOR_CODES; i++)
		rc = db_queue(db, insert[side], DB_ARGS(db_uuid_arg(&u->id), db_bytes_arg(hashes[i], FACTOR_CODE_HASH)));
	return rc < 0 || !anew ? rc : log_factor(db, AUDIT_FACTOR_CODES, u);
}

int factor_code_use(struct db *db, enum store_side side, const struct uuid *user, const uint8_t hash[static FACTOR_CODE_HASH])
{
	static const char *const sql[] = TWO_CODES("update ", " set used = now() where user_id = $1 and hash = $2 and used is null");

	return db_run(db, sql[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(hash, FACTOR_CODE_HASH)));
}

int factor_remove(struct db *db, enum store_side side, const struct user *u)
{
	static const char *const sql[] = TWO("delete from ", " where user_id = $1 and confirmed is not null");
	int rc = db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(&u->id)));

	return rc < 0 ? rc : log_factor(db, AUDIT_FACTOR_REMOVED, u);
}
