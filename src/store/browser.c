/* browser.c - browsers that a user has signed in with. */
#include "store/browser.h"

#define TWO(before, after) { before "known_browser" after, before "operator_browser" after }
#define OF_USER " where user_id = $1 and token = $2"

int browser_known(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH])
{
	static const char *const sql[] = TWO("select 1 from ", OF_USER " and last_used > now() - $3 * interval '1 microsecond'");

	return db_has(db, sql[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(token, USER_TOKEN_HASH), db_int_arg(BROWSER_KEPT)));
}

int browser_used(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH])
{
	static const char *const touch[] = TWO("update ", " set last_used = now(), failures = 0" OF_USER " returning 1");
	static const char *const insert[] = {
		"insert into known_browser (tenant, user_id, token) values (current_tenant(), $1, $2) on conflict do nothing",
		"insert into operator_browser (user_id, token) values ($1, $2) on conflict do nothing",
	};
	static const char *const trim[] = {
		"delete from known_browser where user_id = $1 and token not in (select token from known_browser where user_id = $1"
		" order by last_used desc limit $2)",
		"delete from operator_browser where user_id = $1 and token not in (select token from operator_browser where user_id = $1"
		" order by last_used desc limit $2)",
	};
	int rc = db_has(db, touch[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(token, USER_TOKEN_HASH)));

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = db_queue(db, insert[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(token, USER_TOKEN_HASH)));
	if (rc == 0)
		rc = db_queue(db, trim[side], DB_ARGS(db_uuid_arg(user), db_int_arg(BROWSER_MOST)));
	return rc < 0 ? rc : 1;
}

int browser_failed(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH])
{
	static const char *const count[] = TWO("update ", " set failures = failures + 1" OF_USER);
	static const char *const drop[] = TWO("delete from ", OF_USER " and failures >= $3");
	int rc = db_queue(db, count[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(token, USER_TOKEN_HASH)));

	return rc < 0 ? rc : db_queue(db, drop[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(token, USER_TOKEN_HASH),
		db_int_arg(USER_LOCK_AFTER)));
}

int browser_forget(struct db *db, enum store_side side, const struct uuid *user, const uint8_t *keep)
{
	static const char *const sql[] = TWO("delete from ", " where user_id = $1 and token is distinct from $2");

	return db_queue(db, sql[side], DB_ARGS(db_uuid_arg(user), db_bytes_arg(keep, USER_TOKEN_HASH)));
}
