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

int backup_last(struct db *db, clock_us *at, char **error)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select (select max(started) from backup where finished is not null and error is null),"
		" (select error from backup where finished is not null order by started desc limit 1)", DB_NONE);

	if (rc < 0)
		return rc;
	*at = db_time(r, 0, 0);
	*error = mem_strdup(db_text(r, 0, 1));
	db_result_free(r);
	return 0;
}
