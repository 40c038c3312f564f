/* request_count.c - how many key requests there were, from rows that triggers and jobd keep (sql/0013_request_count.sql). */
#include "store/request.h"

#define COUNTS "sum(by_policy)::bigint as by_policy, sum(by_person)::bigint as by_person, sum(denied)::bigint as denied," \
	" sum(pending)::bigint as pending"

/* By the bounds of the days: a time zone is asked about each day, not about each quarter of an hour. */
int request_per_day(struct db *db, const char *zone, int days, json_t **out)
{
	return db_get_rows(db, out, "with today as (select (now() at time zone $1)::date as day), bounds as (select array_agg((day - ($2::int - n))"
		"::timestamp at time zone $1 order by n) as begun from today, generate_series(1, $2::int) n), rows as ("
		"select * from request_count where at >= (select begun[1] from bounds)"
		" union all select * from request_count_change where at >= (select begun[1] from bounds)),"
		" counted as (select width_bucket(at, (select begun from bounds)) as n, " COUNTS " from rows group by 1)"
		" select to_char(day - ($2::int - n), 'YYYY-MM-DD') as day, coalesce(by_policy, 0) as by_policy, coalesce(by_person, 0) as by_person,"
		" coalesce(denied, 0) as denied, coalesce(pending, 0) as pending from today, generate_series(1, $2::int) n left join counted using (n)"
		" order by n", DB_ARGS(db_text_arg(zone), db_int_arg(days)));
}

int request_count_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from request_count_tenants()", DB_NONE);
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
