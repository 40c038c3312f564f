/* licence.h - tells people, once each, that a licence is near its limit or its end (LIC-3). */
#ifndef JOBS_LICENCE_H
#define JOBS_LICENCE_H

#include "base/clock.h"
#include "store/db.h"

/* A task (table.h), bound to one tenant. Its administrators are told by way of the log (notice.h), the operators from here. */
int licence_tell(struct db *db, clock_us now);

#endif
