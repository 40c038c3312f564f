/* audit_search.c - asks the database for it: all is in SQL's audit_search_follow (the month that grows) and audit_search_make (those that are over). */
#include "store/audit_search.h"

#include "base/err.h"

#define STEP 20000               /* entries of a chain in one transaction */

static int ask(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0);
	db_result_free(r);
	return rc;
}

static int is_due(struct db *db)
{
	return ask(db, "select audit_search_due($1::int)", DB_ARGS(db_int_arg(AUDIT_SEARCH_UNREAD)));
}

static int step(struct db *db)
{
	return ask(db, "select case when audit_search_follow($1::int, $2::int) > 0 then true else audit_search_make() is not null end", DB_ARGS(
		db_int_arg(AUDIT_SEARCH_UNREAD), db_int_arg(STEP)));
}

int audit_search_due(struct db *db)
{
	struct db *log;
	int rc = is_due(db);

	if (rc != 0 || !db_has_log(db))
		return rc;
	rc = db_log(db, &log);
	if (rc == 0)
		rc = is_due(log);
	/* One that is away waits. */
	return rc == ERR_UNAVAILABLE ? 0 : rc;
}

int audit_search_step(struct db *db)
{
	struct db *log;
	int rc = db_begin(db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" }), ended;

	if (rc == 0)
		rc = step(db);
	if (rc == 0 && db_has_log(db)) {
		rc = db_log(db, &log);
		if (rc == 0)
			rc = step(log);
		ended = rc > 0 ? db_commit(log) : 0;
		rc = ended < 0 ? ended : rc;
	}
	return db_end(db, rc);
}
