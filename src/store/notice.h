/* notice.h - what people are told: entries of a log, taken once each and kept as notices, who is to know, and what each person has read. The
 * log is the source, so nothing that causes a notice waits for one, and nothing is forgotten.
 *
 * Bound to a tenant all of this is about the tenant's log; bound to none, about the installation's. */
#ifndef STORE_NOTICE_H
#define STORE_NOTICE_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

#define NOTICE_ENTRIES_MOST 1000         /* taken at a time */
#define NOTICE_KEPT (90 * CLOCK_DAY)
#define NOTICE_UNREAD_MOST 99            /* counted; one more means that there are more */
#define NOTICE_UNREAD_AMONG 5000         /* the newest that are not read, of whatever kind */

/* Jobs */

/* The entries since the last call whose event is in EVENTS ("{key.revoked,key.pending}"), the oldest first; they count as told when
 * the transaction commits. [{seq, logged (RFC 3339), event, object, object_kind, name, detail, at, by, instance, instance_id, policy, revoke_at,
 * tenant}]; at and revoke_at as text in the tenant's time zone. Empty while another jobd is at it. */
int notice_take(struct db *db, const char *events, json_t **out);
/* Keeps ENTRY of notice_take as a notice. EVENTS: names; ITEM: what is said of it. */
int notice_add(struct db *db, const json_t *entry, const json_t *events, const char *severity, const json_t *item);
/* [{email, language ("": none chosen)}] of active users who have one of ROLES ("{auditor}") and want mail, but those whom a group tells of EVENT; of operators. */
int notice_recipients(struct db *db, const char *roles, const char *event, json_t **out);
/* Bound to none: [{id}] of the tenants for which notice_take has something. */
int notice_tenants(struct db *db, json_t **out);
/* Removes what is older than BEFORE; how many. */
int notice_clean(struct db *db, clock_us before);

/* Pages */

/* Whose reading it is, for the rest of the transaction: before the functions below. */
int notice_bind(struct db *db, const struct uuid *person);
/* VISIBLE: the events that the person may see ("{a,b}"); of what happened to the person's own user, any. *COUNT: at most NOTICE_UNREAD_MOST + 1. */
int notice_unread(struct db *db, const char *visible, int64_t *count);
/* Sorted by "seq"; filters "visible" (must be given), "state" (unread), "severity"; search in what it is about. Rows: seq, at, events, severity,
 * object_kind, object, item, unread. */
int notice_list(struct db *db, const struct list_query *query, json_t **page);
/* ERR_NOT_FOUND: there is none, or not for this person. */
int notice_get(struct db *db, const char *visible, int64_t seq, json_t **out);
int notice_mark(struct db *db, const char *visible, int64_t seq);
/* All that there is now. */
int notice_mark_all(struct db *db);

#endif
