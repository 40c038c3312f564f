/* audit_copy.h - the log on its way to a database of its own (LOG-5): what was committed with its change in the main one is copied there, in the order of
 * its chain and exactly once. For jobd; all of it does nothing where the log has no other database. */
#ifndef STORE_AUDIT_COPY_H
#define STORE_AUDIT_COPY_H

#include <jansson.h>

#include "store/db.h"

#define AUDIT_COPY_STEP 1000

/* [{id}] of tenants with entries that are not copied yet. */
int audit_copy_tenants(struct db *db, json_t **out);
/* At most AUDIT_COPY_STEP entries of the bound chain, committed there before this returns; how many. Another jobd is at it: 0. ERR_TAMPERED: the log database
 * has another chain than this one. */
int audit_copy(struct db *db);
/* All that there are, in transactions of their own: DB has none open, and is bound to TENANT (NULL: the installation's) for it. */
int audit_copy_all(struct db *db, const struct uuid *tenant);
/* What the log database has of the bound account, which is gone; committed. */
int audit_copy_forget(struct db *db);
/* {waiting, since, copied}: entries on their way, the time of the oldest, all that were copied. Role central. */
int audit_copy_state(struct db *db, json_t **out);

#endif
