/* report_storage.h - what an account's reports take of what they may. The operator's own, bound to no account, have no limit. */
#ifndef STORE_REPORT_STORAGE_H
#define STORE_REPORT_STORAGE_H

#include "store/db.h"

#define REPORT_STORAGE_WARN 80           /* per cent: from there on people are told */

struct report_storage {
	int64_t used, most;              /* bytes; most 0: no limit */
};

/* Roles central, console and jobs. */
int report_storage(struct db *db, struct report_storage *out);
int report_storage_percent(const struct report_storage *s);          /* 0: no limit */
/* ERR_INVALID, with the reason for people: nothing more can be kept. */
int report_storage_check(struct db *db);
/* jobd, in the transaction that keeps a report of BYTES: ERR_INVALID as above where that would be too much; logged when it comes near. Until that
 * transaction ends no other report of the account is kept. */
int report_storage_take(struct db *db, int64_t bytes);

#endif
