/* policy_draft.h - policies that somebody is working on: new ones, and unsaved changes to one. Each belongs to the user who acts
 * (db_actor); for anybody else it does not exist: ERR_NOT_FOUND. */
#ifndef STORE_POLICY_DRAFT_H
#define STORE_POLICY_DRAFT_H

#include "store/policy.h"

#define POLICY_DRAFTS_MAX 20     /* new policies that one user has in the making */

/* One for a new policy, with DOCUMENT to begin with; the newest that was never touched, where there is one. ERR_TOO_MANY. */
int policy_draft_new(struct db *db, const json_t *document, struct uuid *out);
/* The user's draft of a policy; made as the policy is now where there is none. ERR_NOT_FOUND: no such policy. */
int policy_draft_open(struct db *db, const struct uuid *policy, struct uuid *out);
/* {id, policy, base_version, document, why, created, changed; of the policy, null for a new one: version, name, is_default, changed_by,
 * policy_changed, saved (its document); images, devices (members that the policy has with the draft)}. LOCK: for a change; then
 * two changes come one after the other. */
int policy_draft_get(struct db *db, const struct uuid *id, int lock, json_t **out);
/* [{id, name, changed, created}]: the user's new policies in the making, newest first. */
int policy_draft_list(struct db *db, json_t **out);
/* WHY NULL: as it is. */
int policy_draft_save(struct db *db, const struct uuid *id, const json_t *document, const char *why);
/* The user has seen version VERSION, and wants the draft in its place. */
int policy_draft_rebase(struct db *db, const struct uuid *id, int64_t version);
int policy_draft_delete(struct db *db, const struct uuid *id);

/* Images or devices to pick from. Sorts: name, provider; filters: "draft" (needed), "show": "chosen" or "others". Rows: id, name,
 * description, provider, provider_id, chosen, changed (differs from the saved policy), policies (names of those it is in). */
int policy_draft_pick(struct db *db, enum policy_member kind, const struct list_query *query, json_t **page);
/* Puts ON into the draft's policy and takes OFF out: lists of ids as text. */
int policy_draft_choose(struct db *db, const struct uuid *id, enum policy_member kind, const json_t *on, const json_t *off);
/* The same with all whose name, description or provider's id contains SEARCH ("": all). */
int policy_draft_choose_all(struct db *db, const struct uuid *id, enum policy_member kind, const char *search, int on);
/* What differs from the saved policy; lists of ids as text, the caller's. */
int policy_draft_moves(struct db *db, const struct uuid *id, enum policy_member kind, json_t **add, json_t **remove);

#endif
