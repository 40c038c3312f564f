/* backup.c - the list of backups. */
#include "store/backup.h"

#include "base/err.h"
#include "base/mem.h"

int backup_started(struct db *db, const struct uuid *id, const char *place)
{
	return db_run_one(db, "insert into backup (id, place) values ($1, $2)", DB_ARGS(db_uuid_arg(id), db_text_arg(place)));
}

int backup_ended(struct db *db, const struct uuid *id, int64_t bytes, const char *error)
{
	return db_run_one(db, "update backup set finished = now(), bytes = $2, error = $3 where id = $1", DB_ARGS(db_uuid_arg(id),
		db_int_arg(bytes), db_text_arg(error)));
}

int backup_verified(struct db *db, const char *place, int decrypted, const char *error)
{
	int rc = db_run(db, "update backup set verified = now(), decrypted = case when $2 and $3::text is null then now() else decrypted end,"
		" verify_error = $3 where place = $1 and finished is not null", DB_ARGS(db_text_arg(place), db_bool_arg(decrypted),
		db_text_arg(error)));

	return rc < 0 ? rc : 0;
}

int backup_list(struct db *db, int most, json_t **out)
{
	return db_get_rows(db, out, "select id, started, finished, place, bytes, error, verified, decrypted, verify_error, removed from backup"
		" order by started desc limit $1", DB_ARGS(db_int_arg(most)));
}

int backup_state(struct db *db, struct backup_state *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select (select max(started) from backup where finished is not null and error is null), (select max(decrypted)"
		" from backup), newest.error is not null or newest.verify_error is not null, newest.error from (values (1)) one left join (select error,"
		" verify_error from backup where finished is not null order by started desc limit 1) newest on true", DB_NONE);

	if (rc < 0)
		return rc;
	*out = (struct backup_state) { .last = db_time(r, 0, 0), .decrypted = db_time(r, 0, 1), .failed = db_bool(r, 0, 2), .error =
		mem_strdup(db_text(r, 0, 3)) };
	db_result_free(r);
	return 0;
}

int backup_left(struct db *db, struct backup_left *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "with m as (select max(finished) as at from root_rotation where state = 'done'), b as (select started from backup"
		" where finished is not null and error is null and removed is null) select m.at, (select min(started) from b where started < m.at),"
		" (select count(*) from b where started < m.at), (select count(*) from b where started >= m.at) from m", DB_NONE);

	if (rc < 0)
		return rc;
	*out = (struct backup_left) { .moved = db_time(r, 0, 0), .oldest = db_time(r, 0, 1), .before = db_int(r, 0, 2), .after = db_int(r, 0, 3) };
	db_result_free(r);
	return 0;
}

int backup_removed(struct db *db, const char *place)
{
	int rc = db_run(db, "update backup set removed = now() where place = $1 and removed is null", DB_ARGS(db_text_arg(place)));

	return rc < 0 ? rc : 0;
}
