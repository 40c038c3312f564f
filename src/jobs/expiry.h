/* expiry.h - certificates that end: operators are told by mail, administrators of accounts by way of the log, once at each threshold. */
#ifndef JOBS_EXPIRY_H
#define JOBS_EXPIRY_H

#include "store/db.h"

/* A task (table.h), bound to no tenant. */
int expiry_tell(struct db *db, clock_us now);
/* A task, bound to a tenant. */
int expiry_tell_tenant(struct db *db, clock_us now);

#endif
