/* bulk.h - many key requests decided at once (RUN-9). What was chosen is kept as it was when it was listed; a person confirms the list;
 * jobd decides one after the other for that person, as request_decide does, and keeps what became of each. */
#ifndef STORE_BULK_H
#define STORE_BULK_H

#include "store/db.h"
#include "store/list.h"

#define BULK_JOB "bulk-decide"   /* kind of job; payload {bulk} */

/* Console. Lists the pending requests that QUERY's filters and search leave (IDS: of these; NULL: all). APPROVE 1 or 0. ROLES: names of
 * those that may decide. ORIGIN: query string of the list. *COUNT: how many. */
int bulk_prepare(struct db *db, const struct uuid *id, int approve, const struct list_query *query, const json_t *ids, const json_t *roles,
	const char *origin, int *count);
/* {id, decision, state, with_doubtful, comment, made_by, made_by_name, origin, created, started, finished, total, doubtful, open, decided,
 * voted, changed, refused, left: numbers} */
int bulk_get(struct db *db, const struct uuid *id, json_t **out);
/* Filters: bulk (needed), doubtful ("true", "false"), outcome. Sort: device. Rows: request, device_name, instance_name, policy_name,
 * integrity, requested, doubtful, failed (rules), outcome, reason. */
int bulk_rows(struct db *db, const struct list_query *query, json_t **page);
/* The person who prepared it confirms it; once: what runs or is done already stays as it is, and that is no error. WITH_DOUBTFUL 0: those
 * are left. ERR_FORBIDDEN: somebody else. */
int bulk_start(struct db *db, const struct uuid *id, int with_doubtful, const char *comment);

/* jobd, which the log names with the person for whom it acts: "jobd for ann@example.com". ERR_NOT_FOUND: not running. NAME is the
 * caller's. */
int bulk_actor(struct db *db, const struct uuid *id, char **name);
/* Decides at most LIMIT of them; how many were taken, 0 when it is done. What another jobd is at is not waited for. */
int bulk_step(struct db *db, const struct uuid *id, int limit);
/* The next open one could not even be tried: it counts as refused. */
int bulk_skip(struct db *db, const struct uuid *id, const char *why);
/* Lists that are older than BEFORE, run or not, are removed. */
int bulk_clean(struct db *db, clock_us before);

#endif
