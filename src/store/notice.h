/* notice.h - what people are told by mail: entries of the tenant's log, taken once each, and who is to know. The log is the source, so
 * nothing that causes a mail waits for one, and nothing is forgotten. jobd. */
#ifndef STORE_NOTICE_H
#define STORE_NOTICE_H

#include <jansson.h>

#include "store/db.h"

#define NOTICE_ENTRIES_MOST 1000         /* taken at a time */

/* The entries since the last call whose event is in EVENTS ("{key.revoked,key.pending}"), the oldest first; they count as told when
 * the transaction commits. [{event, object, object_kind, name, detail, at, by, instance, instance_id, policy, revoke_at, tenant}]; times as text in the
 * tenant's time zone. Empty while another jobd is at it. */
int notice_take(struct db *db, const char *events, json_t **out);
/* [{id, email, name}] of active users who have one of ROLES ("{auditor}") and want mail. */
int notice_recipients(struct db *db, const char *roles, json_t **out);
/* jobd, bound to none: [{id}] of the tenants for which notice_take has something. */
int notice_tenants(struct db *db, json_t **out);

#endif
