/* audit_part.h - the log in one database alone. For files of this folder. */
#ifndef STORE_AUDIT_PART_H
#define STORE_AUDIT_PART_H

#include "audit/chain.h"
#include "store/db.h"

/* audit_each of what this very database has. */
int audit_each_in(struct db *db, int64_t after, int64_t last, int (*each)(void *ctx, const struct audit_entry *e), void *ctx);
/* Up to which number the bound chain was copied to the log database; 0: nothing, or there is none. */
int audit_copied(struct db *db, int64_t *seq);

#endif
