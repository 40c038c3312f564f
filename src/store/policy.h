/* policy.h - policies, their images and devices (POL-1 to POL-4). Role console; others only read. */
#ifndef STORE_POLICY_H
#define STORE_POLICY_H

#include "store/db.h"
#include "store/list.h"

/* NULL, or -1 for a number, leaves a thing as it is; for a new policy all but rules are needed. Names of actions are those of
 * policy/evaluate.h; RULES is a list that the caller has checked. */
struct policy_change {
	const char *name, *description;
	int pooling;                 /* 1, 0 */
	const char *on_match, *on_mismatch;
	int64_t timeout_s;
	const json_t *rules;
};
#define POLICY_CHANGE_NONE { NULL, NULL, -1, NULL, NULL, -1, NULL }

/* Sorts: name, images, devices, changed; filter: image. Rows: id, name, description, is_default, pooling, on_match,
 * on_mismatch, timeout_s, rules (their number), images, devices (numbers), version, created, changed, changed_by. */
int policy_list(struct db *db, const struct list_query *query, json_t **page);
/* A row with rules (the list), images [{id, name, provider, provider_image}] and device_count. Devices: device_list, filter. */
int policy_get(struct db *db, const struct uuid *id, json_t **out);
/* [{id, name, is_default}] by name: for pickers. */
int policy_names(struct db *db, json_t **out);

/* ERR_CONFLICT: there is one of that name; ERR_INVALID: an action that is none. */
int policy_create(struct db *db, const struct uuid *id, const struct policy_change *c);
/* Makes a new version when anything differs. EXPECTED: the version that was read, ERR_CONFLICT when it is another by now; 0: any. */
int policy_change(struct db *db, const struct uuid *id, const struct policy_change *c, int64_t expected);
/* Devices go to REASSIGN; NULL is fine only when there are none (ERR_CONFLICT). The default cannot be deleted (ERR_CONFLICT). */
int policy_delete(struct db *db, const struct uuid *id, const struct uuid *reassign);
/* Exactly these images. The default's lists cannot be edited (ERR_CONFLICT); an image in no other policy is in the default. */
int policy_set_images(struct db *db, const struct uuid *id, const struct uuid *images, size_t count);
/* Exactly these devices; those taken out go to the default policy. */
int policy_set_devices(struct db *db, const struct uuid *id, const struct uuid *devices, size_t count);

#endif
