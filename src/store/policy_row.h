/* policy_row.h - what the files of policies share: locking one, and writing of it in the log. */
#ifndef STORE_POLICY_ROW_H
#define STORE_POLICY_ROW_H

#include "store/audit.h"
#include "store/policy.h"

/* SQL for a document whose approvers are ids: with their addresses instead. */
#define POLICY_NAMED(document) "jsonb_set(" document ", '{approvals,of}', (select coalesce(jsonb_agg(coalesce(u.email, o.id)" \
	" order by coalesce(u.email, o.id) collate \"C\"), '[]') from jsonb_array_elements_text(" document " #> '{approvals,of}') o (id)" \
	" left join app_user u on u.id = o.id::uuid))"
#define POLICY_IDS(n) "(select x::uuid from json_array_elements_text($" #n ") as x)"

/* Locks the policy. *ROW, the caller's: name, version, is_default, document (addresses). */
int policy_lock(struct db *db, const struct uuid *id, json_t **row);
/* Same, and it must not be the default (POL-1): ERR_CONFLICT. */
int policy_lock_editable(struct db *db, const struct uuid *id, json_t **row);
/* DETAIL is taken over. */
int policy_log(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail);
/* Images of REMOVED (a list of ids; NULL: all) that are in no policy now are in the default again. */
int policy_home_images(struct db *db, const json_t *removed);

#endif
