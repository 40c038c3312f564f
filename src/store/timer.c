/* timer.c - what is due to the second. */
#include "store/timer.h"

int timer_due(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select timer, tenant from timers_due() union all select timer, tenant from integrity_timers_due()", DB_NONE);
}

int timer_wait(struct db *db, int64_t most, int64_t *ms)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select greatest(0, least($1, coalesce(ceil(extract(epoch from least(timers_next(), integrity_timers_next()) - clock_timestamp())"
		" * 1000), $1)))::bigint", DB_ARGS(db_int_arg(most)));

	if (rc < 0)
		return rc;
	*ms = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int timer_now(struct db *db, clock_us *now)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select now()", DB_NONE);

	if (rc < 0)
		return rc;
	*now = db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}
