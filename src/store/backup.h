/* backup.h - which backups there are (KEY-8): written by `keyward backup`, role jobs; read by the operator's pages. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "store/db.h"

int backup_started(struct db *db, const struct uuid *id, const char *place);
/* ERROR NULL: it is whole. */
int backup_ended(struct db *db, const struct uuid *id, int64_t bytes, const char *error);
/* What a check of the backup at PLACE has found: ERROR NULL: it is whole; DECRYPTED: and it was decrypted. Nothing where the list has none there. */
int backup_verified(struct db *db, const char *place, int decrypted, const char *error);
/* It was too old, and is gone. */
int backup_removed(struct db *db, const char *place);
/* The newest MOST: [{id, started, finished, place, bytes, error, verified, decrypted, verify_error, removed}]. */
int backup_list(struct db *db, int most, json_t **out);
/* What operators are warned by. Times are 0 where there is none. */
struct backup_state {
	clock_us last;               /* the newest whole one was begun */
	clock_us decrypted;          /* one was last decrypted for a trial */
	int failed;                  /* the newest one has failed, or is damaged */
	char *error;                 /* what it has failed with, if it has, the caller's; else NULL */
};
int backup_state(struct db *db, struct backup_state *out);
/* Before a root key that was replaced is destroyed. Times are 0 where there is none. */
struct backup_left {
	clock_us moved;              /* when all was under the present root key */
	clock_us oldest;             /* of the whole backups begun before that and not removed since by age, as far as the list knows */
	int64_t before, after;       /* how many whole ones were begun before, and after that */
};
int backup_left(struct db *db, struct backup_left *out);

#endif
