/* quota.h - limits of an account, so that one cannot starve others; 0: none. The database holds those of rows (sql, within_quota), the web
 * server those of requests. */
#ifndef STORE_QUOTA_H
#define STORE_QUOTA_H

#include <jansson.h>

#include "store/db.h"

#define QUOTA_ROWS_MOST 10000000
#define QUOTA_RATE_MOST 1000000
#define QUOTA_REPORTS_MOST 10000000      /* MiB */

struct quota {
	int64_t devices, instances, users, rate, reports;        /* rate: requests a second; reports: MiB that they take */
};

/* Central; bound to none. */
int quota_get(struct db *db, const struct uuid *account, struct quota *out);
int quota_set(struct db *db, const struct uuid *account, const struct quota *q);         /* ERR_NOT_FOUND; ERR_CONFLICT: closed */
int quota_used(struct db *db, const struct uuid *account, struct quota *out);            /* up to 100,000 each; rate: 0 */

#endif
