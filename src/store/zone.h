/* zone.h - how far a time zone is from UTC, and when, as the database knows it: the same rules by which it runs schedules. */
#ifndef STORE_ZONE_H
#define STORE_ZONE_H

#include "store/db.h"

struct zone_step;

struct zone {
	char *name;
	struct zone_step *steps;         /* in order of time */
	size_t count;                    /* 0: UTC */
};

/* NAME, one that the database has (schedule_zones), for fifteen years before and after NOW. *OUT is the caller's. */
int zone_load(struct db *db, const char *name, clock_us now, struct zone *out);
void zone_release(struct zone *z);                               /* what it points to; zeroed is fine */
/* When clocks of Z are next set on or back after AT; 0: not before UNTIL. */
clock_us zone_change(const struct zone *z, clock_us at, clock_us until);
/* Seconds that clocks of Z (NULL: UTC) are ahead of UTC at AT; before the first step as there. */
int zone_east(const struct zone *z, clock_us at);

#endif
