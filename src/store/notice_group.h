/* notice_group.h - groups of recipients (NTF-1) of an account or, bound to none, of the operator: who is told of which events, with which words,
 * how often. */
#ifndef STORE_NOTICE_GROUP_H
#define STORE_NOTICE_GROUP_H

#include "store/db.h"
#include "store/list.h"

#define NOTICE_GROUPS_MOST 200           /* of a tenant */
#define NOTICE_GROUP_RECIPIENTS 50

/* Texts are borrowed; RECIPIENTS (addresses in lower case) and EVENTS are arrays of texts. */
struct notice_group {
	const char *name, *description;
	int enabled;
	const json_t *recipients, *events;
	const char *subject, *header, *content, *footer;
	const char *frequency, *at;          /* "at-once", "hourly", "daily"; "08:00" */
};

/* Console, central. A row: id, name, description, enabled, recipients, events, subject, header, content, footer, frequency, at, due, sent, changed,
 * changed_by. Sorts "name", "changed", "sent"; filter "state" (on, off); search in name, description, recipients. */
int notice_group_list(struct db *db, const struct list_query *query, json_t **page);
int notice_group_get(struct db *db, const struct uuid *id, json_t **out);
/* How many events wait for the group's next mail; of one that is off none do. */
int notice_group_gathered(struct db *db, const struct uuid *id, int64_t *out);
/* ID NULL: a new one. What happened before, or while it was off, it is not told of. ERR_CONFLICT: the name is taken; ERR_TOO_MANY. Logged. */
int notice_group_save(struct db *db, const struct uuid *id, const struct notice_group *g, struct uuid *out);
int notice_group_enable(struct db *db, const struct uuid *id, int enabled);
int notice_group_delete(struct db *db, const struct uuid *id);

/* Jobs */

/* [{id}] of tenants with a group that may have to be told something; bound to none. */
int notice_group_tenants(struct db *db, json_t **out);
/* One group that has to be told now, and what of: {id, recipients, subject, header, content, footer, tenant, count, notices: [{events, severity,
 * item}]}, at most MOST notices listed; it counts as told when the transaction commits. MAILS: it gets a mail, which is noted as its last. ERR_NOT_FOUND: none. */
int notice_group_take(struct db *db, int64_t most, int mails, json_t **out);

#endif
