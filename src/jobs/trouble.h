/* trouble.h - jobd tells operators of what is bad with the installation (NTF-2). */
#ifndef JOBS_TROUBLE_H
#define JOBS_TROUBLE_H

#include "base/clock.h"
#include "store/db.h"

/* A task, bound to none. */
int trouble_look(struct db *db, clock_us now);

#endif
