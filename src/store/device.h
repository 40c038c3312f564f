/* device.h - devices: lists, configuration, provisioning, opening and closing. Every change of status goes through the table
 * in policy/device_state.h; what that does not allow gives ERR_CONFLICT with its words. */
#ifndef STORE_DEVICE_H
#define STORE_DEVICE_H

#include "base/buf.h"
#include "policy/device_state.h"
#include "store/db.h"
#include "store/key.h"
#include "store/list.h"

#define DEVICE_KIND_RAID "raid-0"        /* an array: store/raid.h */
/* SQL, of device d and its policy p: while it is free it may be given in place of another (POL-5). */
#define DEVICE_POOLS "(p.pooling and d.provider not in ('native', 'vcloud'))"

struct device {
	struct uuid id, instance, image, policy;     /* nil: none */
	struct uuid raid;                            /* the array that it is a member of; nil: none */
	enum device_state status;
	char *provider, *provider_device, *name;     /* name: what to call it, never "" */
	char *filesystem, *mount_point, *access, *cipher, *mode, *hash, *luks_uuid;
	int64_t size_bytes, key_bits, key_version;
	int progress, system, overwrite, has_key, is_raid, adopting;
	int attaches;                /* its provider can move it between instances */
};

void device_release(struct device *d);                       /* frees what it points to; zeroed is fine */
/* What device_take reads, of "device d", for statements that select more than a device. */
#define DEVICE_COLUMNS "d.id, d.instance, d.image, d.policy, d.status, d.provider, d.provider_device," \
	" coalesce(nullif(d.name, ''), d.provider_device), d.filesystem, d.mount_point, d.access, d.cipher, d.mode, d.hash," \
	" d.luks_uuid, d.size_bytes, d.key_bits, d.key_version, d.progress, d.is_system, d.overwrite, d.key_created is not null, d.raid, d.kind = '" DEVICE_KIND_RAID "', provider_attaches(d.provider), d.adopting"
/* From the first row, whose column AT is the first of those. */
int device_take(const struct db_result *r, int at, struct device *out);
int device_load(struct db *db, const struct uuid *id, struct device *out);
/* As an agent names it: by the provider's id, under the provider of INSTANCE. It may be attached to another instance: look at
 * device.instance. ERR_NOT_FOUND. */
int device_by_provider_id(struct db *db, const struct uuid *instance, const char *provider_device, struct device *out);

/* Console */

/* Sorts: name, provider, provider_device, size, status, mount_point, policy, image, instance; filters: status, provider,
 * policy, image, instance, kind, exportable, rotatable (its keys can be exported, its own key rotated: "true"). Rows: id, name, description, provider, provider_name, provider_device, kind, size_bytes, os, filesystem,
 * mount_point, access, status, progress, error, policy, policy_name, image, image_name, instance, instance_name, is_system,
 * is_busy, status_since, cipher, mode, key_bits, key_version, has_key, last_detected, raid, raid_name, raid_index, members (number). */
int device_list(struct db *db, const struct list_query *query, json_t **page);
/* list_run over that list: device d, its policy p, image m, instance i. */
int device_list_run(struct db *db, const struct list_query *query, const char *before, const char *columns, const char *after,
	const struct db_arg *args, size_t count);
/* A row with path, hash, key_stored_on, key_created, key_rotated, luks_uuid, found_filesystem, overwrite, unusable, release,
 * release_by, adopted, created, configured, changed;
 * attaches (its provider can move it), token_device and token_of {id, name}: which device the token on it names, where that is
 * another; copy_of {id, name}: whose key it has a copy of; shared [{id, name}]: others with the same key; instance_image,
 * instance_image_name: what the machine that it was last seen on was started from. */
int device_get(struct db *db, const struct uuid *id, json_t **out);
/* {devices, encrypted}: numbers up to LIST_COUNT_MAX + 1; encrypted ones may be in use. */
int device_totals(struct db *db, json_t **out);
/* NULL leaves a thing as it is. */
int device_rename(struct db *db, const struct uuid *id, const char *name, const char *description);

/* All members are needed but image (NULL: as it is). ERR_INVALID: sizes and modes that do not go together (DEV-8), a root disk. */
struct device_configuration {
	const char *os, *filesystem, *mount_point, *access, *cipher, *mode, *hash;
	int64_t key_bits;
	const struct uuid *image;
};
int device_configure(struct db *db, const struct uuid *id, const struct device_configuration *c);
/* Destroys the keys and with them the data; the caller has asked (DEV-6). */
int device_unconfigure(struct db *db, const struct uuid *id);
/* OVERWRITE: a person confirmed that what is on it may go. Orders the instance's agent to look. */
int device_encrypt(struct db *db, const struct uuid *id, int overwrite);
int device_cancel(struct db *db, const struct uuid *id);
int device_delete(struct db *db, const struct uuid *id);     /* only when Undetected (DEV-7); an array as raid_dissolve says */

/* Agent */

/* [{id, provider_device, label, cipher, mode, hash, key_bits, filesystem, mount_point, access, overwrite, status, raid_name ("": none),
 * raid_index, raid_members}]; the members of an array one after the other, in order. */
int device_tasks(struct db *db, const struct uuid *instance, json_t **out);
/* Members of an array by themselves; the array follows them: it is Encrypted when all of them are finished, and when one of them
 * fails, all have failed. */
/* Begins, or begins again. FRESH: a new key of version D->key_version + 1; NULL when it goes on with the key it has. */
int device_start(struct db *db, const struct device *d, const struct device_key_new *fresh);
int device_progress(struct db *db, const struct uuid *id, int percent);      /* ERR_CONFLICT: not (or no longer) encrypting */
int device_finish(struct db *db, const struct uuid *id, const char *luks_uuid, int64_t key_version);     /* can be repeated */
/* Its file system was found damaged when it was opened, and mended: logged. */
int device_repaired(struct db *db, const struct device *d, const char *found);
int device_fail(struct db *db, const struct uuid *id, const char *reason);

/* SQL of this folder: what the agent of its machine said last of the device D; its columns are status and detail. */
#define DEVICE_SAID "(select v ->> 'status' as status, v ->> 'detail' as detail from agent g, jsonb_array_elements((select h.volumes from heartbeat h" \
	" where h.tenant = g.tenant and h.agent = g.id order by h.at desc limit 1)) v where g.tenant = d.tenant and g.instance = d.instance" \
	" and g.state = 'active' and v ->> 'device' = d.provider_device limit 1)"

#endif
