/* destruction.h - keys that are to be destroyed for good (KEY-7): asked for by one person, confirmed by another where the account says so,
 * carried out by jobd when the waiting period is over; cancelled by anybody who may until then. */
#ifndef STORE_DESTRUCTION_H
#define STORE_DESTRUCTION_H

#include "store/db.h"
#include "store/list.h"

#define DESTRUCTION_DAYS_MOST 365

/* Console */

struct destruction_rule {
	int64_t days;                /* from asking to carrying out; 1 to DESTRUCTION_DAYS_MOST */
	int64_t people;              /* 1, or 2: a second person has to confirm */
};
int destruction_rule_get(struct db *db, struct destruction_rule *out);       /* what holds while the account has set nothing: 7 days, 2 people */
int destruction_rule_set(struct db *db, const struct destruction_rule *r);

/* Of a device, or of all members of an array. ERR_CONFLICT: it has no key, is a member of an array, is being encrypted, decrypted or released, or
 * it was asked for already. */
int destruction_ask(struct db *db, const struct uuid *device, const char *comment);
/* ERR_FORBIDDEN: by who asked for it; ERR_CONFLICT: it is over, or confirmed; ERR_EXPIRED: who asked for it was removed, or may not any more. */
int destruction_confirm(struct db *db, const struct uuid *id);
/* ERR_CONFLICT: it is over. */
int destruction_cancel(struct db *db, const struct uuid *id, const char *comment);
/* The one that waits for DEVICE, a row as of destruction_list; json null when there is none. */
int destruction_of(struct db *db, const struct uuid *device, json_t **out);
int destruction_get(struct db *db, const struct uuid *id, json_t **out);
/* Sorts: due, asked, device; filter: state ("waiting", "done", "cancelled"). Rows: id, device, device_name, device_status, state, comment, people,
 * asked, asked_by, asked_by_name, due, confirmed, confirmed_by_name, finished, finished_by_name, keys, stands (who asked
 * for it still may). */
int destruction_list(struct db *db, const struct list_query *query, json_t **page);
/* How often keys of the device or the array's members were exported. */
int destruction_exports(struct db *db, const struct uuid *device, int64_t *count);

/* jobd, bound to a tenant: carries out what is due, at most LIMIT. The number done. */
int destruction_run(struct db *db, clock_us now, int limit);
/* jobd, bound to none: [{id}] of tenants that have something due. */
int destruction_tenants(struct db *db, json_t **out);

#endif
