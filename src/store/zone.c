/* zone.c - the steps of a time zone: day by day first, then to the quarter of an hour. */
#include "store/zone.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define YEARS 15
#define EAST(at) "extract(epoch from (" at " at time zone $1) - (" at " at time zone 'UTC'))::int"

struct zone_step {
	clock_us from;
	int east_s;
};

int zone_load(struct db *db, const char *name, clock_us now, struct zone *out)
{
	/* From midnight, so that steps of a quarter of an hour meet the changes. */
	const clock_us day = now - now % CLOCK_DAY, span = YEARS * 365 * CLOCK_DAY;
	struct db_result *r;
	int rc;

	*out = (struct zone){ .name = mem_strdup(name) };
	if (strcmp(name, "UTC") == 0)
		return 0;
	rc = db_query(db, &r, "with days as (select d, " EAST("d") " as east from generate_series($2::timestamptz, $3::timestamptz,"
		" interval '24 hours') as d), pairs as (select d, east, lag(d) over w as before, lag(east) over w as former from days"
		" window w as (order by d)) select coalesce((select min(h) from generate_series(before, d, interval '15 minutes') as h where "
		EAST("h") " = east), d), east from pairs where former is distinct from east order by d",
		DB_ARGS(db_text_arg(name), db_time_arg(day - span), db_time_arg(day + span)));
	if (rc < 0) {
		zone_release(out);
		return rc;
	}
	out->count = db_rows(r);
	out->steps = mem_array(out->count + 1, sizeof *out->steps);
	for (size_t i = 0; i < out->count; i++)
		out->steps[i] = (struct zone_step){ db_time(r, i, 0), (int)db_int(r, i, 1) };
	db_result_free(r);
	return 0;
}

void zone_release(struct zone *z)
{
	free(z->name);
	free(z->steps);
	*z = (struct zone){ .name = NULL };
}

int zone_east(const struct zone *z, clock_us at)
{
	size_t i = z ? z->count : 0;

	while (i > 1 && z->steps[i - 1].from > at)
		i--;
	return i ? z->steps[i - 1].east_s : 0;
}

clock_us zone_change(const struct zone *z, clock_us at, clock_us until)
{
	/* The first step is where the knowledge begins. */
	for (size_t i = 1; i < z->count; i++)
		if (z->steps[i].from > at)
			return z->steps[i].from < until ? z->steps[i].from : 0;
	return 0;
}
