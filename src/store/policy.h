/* policy.h - policies, their images and devices, and their versions (POL-1 to POL-6). Role console; others only read.
 *
 * A policy goes in and out as a document (policy/document.h, without images and devices), which the caller has checked with
 * document_parse and policy_faults. Outside of the tables approvers are addresses, inside they are ids (SEC-7). */
#ifndef STORE_POLICY_H
#define STORE_POLICY_H

#include "store/db.h"
#include "store/list.h"

#define POLICY_WHY_MAX 1000      /* characters of a reason for a change */
#define POLICY_NAMES_LOGGED 100  /* images or devices that one log entry names; it always counts all */

/* Sorts: name, images, devices, rules, changed; filter: image. Rows: id, name, description, is_default, pooling, on_match,
 * on_mismatch, timeout_s, check_scheduled, on_failure, approvals_needed, rules (their number), images, devices (numbers), version,
 * created, changed, changed_by. */
int policy_list(struct db *db, const struct list_query *query, json_t **page);
/* A row with rules (the list), document, image_count and device_count. Images and devices: image_list and device_list, filter. */
int policy_get(struct db *db, const struct uuid *id, json_t **out);
/* [{id, name, is_default}] by name: for pickers. */
int policy_names(struct db *db, json_t **out);
/* By name, capital and small letters alike; ERR_NOT_FOUND. */
int policy_by_name(struct db *db, const char *name, struct uuid *out);

/* What only the database can tell of a document: a name that is taken by a policy other than ID (NULL: a new one), approvers that
 * nobody is or who hold none of ROLES (ends with NULL), more approvals than there are people who can give them (RUN-8). Appended to
 * FAULTS as document_parse does. */
int policy_faults(struct db *db, const struct uuid *id, const json_t *document, const char *const *roles, json_t *faults);
/* [{email, name, role}] of everybody who holds one of ROLES and is not disabled, by name. */
int policy_approvers(struct db *db, const char *const *roles, json_t **out);

/* WHY: the reason that was given; "" for none. ERR_CONFLICT: there is one of that name. */
int policy_create(struct db *db, const struct uuid *id, const json_t *document, const char *why);
/* Makes a new version when anything differs. EXPECTED: the version that was read, ERR_CONFLICT when it is another by now; 0: any. */
int policy_change(struct db *db, const struct uuid *id, const json_t *document, const char *why, int64_t expected);
/* Devices go to REASSIGN; NULL is fine only when there are none (ERR_CONFLICT). The default cannot be deleted (ERR_CONFLICT). */
/* Whether any policy of the tenant has rules. */
int policy_any_rules(struct db *db, int *out);
int policy_delete(struct db *db, const struct uuid *id, const struct uuid *reassign);

/* policy_version.c */

/* Newest first. Rows: version, at, changed_by, why. Filter "policy" is needed. */
int policy_versions(struct db *db, const struct list_query *query, json_t **page);
/* {version, at, changed_by, why, document}; ERR_NOT_FOUND. */
int policy_version_get(struct db *db, const struct uuid *policy, int64_t version, json_t **out);
/* Writes the policy as it is now as its version: within the transaction that changed it. */
int policy_version_keep(struct db *db, const struct uuid *policy, const char *why);

/* policy_member.c */

enum policy_member { POLICY_IMAGE, POLICY_DEVICE };

/* ADD and REMOVE are lists of ids as text; ids that are not there are left out. An image is in the default policy as long as it is
 * in no other; a device that is taken out goes to the default. The default's own lists cannot be edited (ERR_CONFLICT). */
int policy_move(struct db *db, const struct uuid *id, enum policy_member kind, const json_t *add, const json_t *remove);
/* Exactly these. */
int policy_set_members(struct db *db, const struct uuid *id, enum policy_member kind, const struct uuid *members, size_t count);
/* All members of a policy as documents name them: images "provider:id", devices "provider:id". At most MOST: ERR_TOO_LARGE. */
int policy_member_names(struct db *db, const struct uuid *id, enum policy_member kind, size_t most, json_t **out);
/* Names of a document to ids as text: IDS; those that nothing or several things are called, to UNKNOWN. A device may also be given
 * by its id. Both the caller's. */
int policy_member_find(struct db *db, enum policy_member kind, const json_t *names, json_t **ids, json_t **unknown);

#endif
