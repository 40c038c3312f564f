/* zone.h - when a time zone's distance from UTC changes, as the database knows it: the same rules by which it runs schedules. */
#ifndef STORE_ZONE_H
#define STORE_ZONE_H

#include "store/db.h"

struct zone_step {
	clock_us from;
	int east_s;                      /* seconds east of UTC, from then on */
};

/* *OUT, the caller's: *COUNT steps in order of time, the first at FROM. NAME must be one that the database has (schedule_zones). */
int zone_steps(struct db *db, const char *name, clock_us from, clock_us until, struct zone_step **out, size_t *count);
/* At AT; before the first step as at it. 0 without steps. */
int zone_east(const struct zone_step *steps, size_t count, clock_us at);

#endif
