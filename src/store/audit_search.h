/* audit_search.h - what finds a text in the log without reading all of it: made some time after the entries, so that no append keeps it (sql/0064, sql/0086).
 * Of all chains, so bound to none; for jobd. */
#ifndef STORE_AUDIT_SEARCH_H
#define STORE_AUDIT_SEARCH_H

#include "store/db.h"

#define AUDIT_SEARCH_UNREAD 5000         /* entries of a chain that a search reads at the most, where jobd keeps up; few enough for some milliseconds */

/* Whether there is something to do, here or in the log database: 1, 0. */
int audit_search_due(struct db *db);
/* The next step of it, in a transaction of its own on DB, whose statements must have no limit: 1; nothing is left: 0. */
int audit_search_step(struct db *db);

#endif
