/* zone.c - the steps of a time zone: day by day first, then to the quarter of an hour. */
#include "store/zone.h"

#include "base/mem.h"

#define EAST(at) "extract(epoch from (" at " at time zone $1) - (" at " at time zone 'UTC'))::int"

int zone_steps(struct db *db, const char *name, clock_us from, clock_us until, struct zone_step **out, size_t *count)
{
	struct db_result *r;
	int rc = db_query(db, &r, "with days as (select d, " EAST("d") " as east from generate_series($2::timestamptz, $3::timestamptz,"
		" interval '24 hours') as d), pairs as (select d, east, lag(d) over w as before, lag(east) over w as former from days"
		" window w as (order by d)) select coalesce((select min(h) from generate_series(before, d, interval '15 minutes') as h where "
		EAST("h") " = east), d), east from pairs where former is distinct from east order by d",
		DB_ARGS(db_text_arg(name), db_time_arg(from), db_time_arg(until)));
	struct zone_step *steps;

	if (rc < 0)
		return rc;
	steps = mem_array(db_rows(r) + 1, sizeof *steps);
	for (size_t i = 0; i < db_rows(r); i++)
		steps[i] = (struct zone_step){ db_time(r, i, 0), (int)db_int(r, i, 1) };
	*out = steps;
	*count = db_rows(r);
	db_result_free(r);
	return 0;
}

int zone_east(const struct zone_step *steps, size_t count, clock_us at)
{
	size_t i = count;

	while (i > 1 && steps[i - 1].from > at)
		i--;
	return i ? steps[i - 1].east_s : 0;
}
