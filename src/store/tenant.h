/* tenant.h - accounts: the operator's view (role central, bound to no tenant) and the tenant's own (bound to it). */
#ifndef STORE_TENANT_H
#define STORE_TENANT_H

#include "base/buf.h"
#include "store/audit.h"
#include "store/db.h"
#include "store/list.h"

/* The operator's side; bound to none. */

/* Makes the account and, by a trigger, its default policy. WRAPPED: the tenant key from keyd. ERR_CONFLICT: SLUG is taken;
 * ERR_INVALID: SLUG is not a name for an address (a-z, 0-9, '-'; at most 63). */
int tenant_create(struct db *db, const struct uuid *id, const char *slug, const char *name, struct wire_view wrapped);
/* On-premise there is one account for good (TEN-5): ERR_FORBIDDEN where there is one, also a closed one. Before tenant_create, in its transaction. */
int tenant_first(struct db *db);
/* Also logged in the tenant's own chain. ERR_CONFLICT: it is closed, or is not there. */
int tenant_rename(struct db *db, const struct uuid *id, const char *name);
/* active <-> suspended; active or suspended -> closing; closing -> active, suspended or closed. ERR_CONFLICT otherwise.
 * Also logged in the tenant's own chain. REASON may be NULL. */
int tenant_set_state(struct db *db, const struct uuid *id, const char *state, const char *reason);
/* An entry of the log about account ID, which names it; BOTH: in its own log too. DETAIL is taken over. */
int tenant_log(struct db *db, enum audit_event event, const struct uuid *id, int both, json_t *detail);
/* ERR_FORBIDDEN once anybody of the tenant has accepted an invitation (TEN-3). Replaces one not yet accepted. */
int tenant_invite_admin(struct db *db, const struct uuid *tenant, const struct uuid *user, const char *email, const char *name,
	const uint8_t token[static 32], clock_us expires);
/* 1: somebody of the tenant has accepted an invitation, 0: nobody has yet, so that its first administrator can be invited. */
int tenant_joined(struct db *db, const struct uuid *tenant);
/* Sorts: name, slug, state, created; filter: state ("closing": also announced). Rows: id, slug, name, state, state_reason, created, state_changed, close_at. */
int tenant_list(struct db *db, const struct list_query *query, json_t **page);
int tenant_get(struct db *db, const struct uuid *id, json_t **out);
/* {active, suspended, closing, closed}: numbers; closing are also those whose end is announced, whatever their state. */
int tenant_totals(struct db *db, json_t **out);

/* Before sign-in; console, bound to none. {id, name, state}; ERR_NOT_FOUND. */
int tenant_by_slug(struct db *db, const char *slug, struct uuid *id, json_t **out);

/* The tenant's side; bound to it. */

/* {id, slug, name, state, state_reason, time_zone, settings, created, rate: requests a second, 0: any number} */
int tenant_self(struct db *db, json_t **out);
/* {slug, name}: what the other roles may know, too. */
int tenant_label(struct db *db, json_t **out);
/* The wrapped tenant key. ERR_SUSPENDED when the tenant is not active: then no key is given out (TEN-7). */
int tenant_key(struct db *db, struct buf *wrapped);
/* The same whatever the tenant's state: for what shows who somebody is, its people and its machines, while it is suspended or being closed,
 * too. */
int tenant_key_to_sign_in(struct db *db, struct buf *wrapped);
/* 0 while the tenant is active; else ERR_SUSPENDED, with its state in words. */
int tenant_is_active(struct db *db);
/* PATCH's members replace those of the settings; null removes. TIME_ZONE NULL: as it is. */
int tenant_change_settings(struct db *db, const char *time_zone, const json_t *patch);

/* Blobs of keyd: the passphrase to show, the verifier to enrol with. ERR_NOT_FOUND when none was set. */
int provisioning_passphrase(struct db *db, struct buf *blob, clock_us *changed);     /* console; logged as shown */
int provisioning_changed(struct db *db, clock_us *changed);  /* when it was set; 0: never */
int provisioning_verifier(struct db *db, struct buf *blob);                          /* agent */
int provisioning_set(struct db *db, struct wire_view passphrase, struct wire_view verifier);

/* jobd, bound to none: [{id, state}] of all that are not closed. */
int tenant_all(struct db *db, json_t **out);

#endif
