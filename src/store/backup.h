/* backup.h - which backups there are (KEY-8): written by `keyward backup`, role jobs; read by the operator's pages. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/db.h"

int backup_started(struct db *db, const struct uuid *id, const char *place);
/* ERROR NULL: it is whole. */
int backup_ended(struct db *db, const struct uuid *id, int64_t bytes, const char *error);
/* When the newest whole one was begun, 0: there is none; and what the newest one failed with, if it did, the caller's, else NULL. */
int backup_last(struct db *db, clock_us *at, char **error);

#endif
