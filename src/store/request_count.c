/* request_count.c - how many key requests there were, from rows that triggers and jobd keep (sql/0013_request_count.sql). */
#include "store/request.h"

#define COUNTS "sum(by_policy)::bigint as by_policy, sum(by_person)::bigint as by_person, sum(denied)::bigint as denied," \
	" sum(pending)::bigint as pending"

#define WITHIN " where at >= d.begun and at < d.ended"

/* By the bounds of each day: a time zone is asked about days, not about each quarter of an hour. */
int request_per_day(struct db *db, const char *zone, int days, json_t **out)
{
	return db_get_rows(db, out, "with today as (select (now() at time zone $1)::date as day), days as (select g::date as day, g::timestamp"
		" at time zone $1 as begun, (g::timestamp + interval '1 day') at time zone $1 as ended from today,"
		" generate_series(day - ($2::int - 1), day::timestamp, interval '1 day') as g)"
		" select to_char(d.day, 'YYYY-MM-DD') as day, " COUNTS " from days d, lateral (select * from request_count" WITHIN
		" union all select * from request_count_change" WITHIN " union all select null, null, 0, 0, 0, 0) as n group by d.day order by d.day",
		DB_ARGS(db_text_arg(zone), db_int_arg(days)));
}

/* One statement: who counts meanwhile sees the changes or their sum, never both. */
int request_count_fold(struct db *db)
{
	int rc = db_run(db, "with taken as (delete from request_count_change returning *)"
		" insert into request_count as c select tenant, at, " COUNTS " from taken group by tenant, at order by at"
		" on conflict (tenant, at) do update set by_policy = c.by_policy + excluded.by_policy,"
		" by_person = c.by_person + excluded.by_person, denied = c.denied + excluded.denied, pending = c.pending + excluded.pending",
		DB_NONE);

	return rc < 0 ? rc : 0;
}
