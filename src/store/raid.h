/* raid.h - RAID 0 arrays (RAID-1): a device of the kind DEVICE_KIND_RAID, made of others. What is done with a device is done with an
 * array by store/device.h, and its members follow; here is what only arrays have: making, changing, taking apart. An array is known to
 * agents, as their device ids are, by RAID_PREFIX and its ID. */
#ifndef STORE_RAID_H
#define STORE_RAID_H

#include "store/device.h"
#include "store/key.h"

#define RAID_PREFIX "raid:"
#define RAID_ID_MAX 50           /* letters, digits, '-' and '_' */
#define RAID_MEMBERS_MIN 2
#define RAID_MEMBERS_MAX 16

struct raid_definition {
	const char *name;            /* its ID; not looked at by raid_change: it stays */
	const char *description;
	const struct uuid *members;  /* in their order */
	size_t count;
	const struct device_configuration *configuration;    /* IMAGE is not looked at: it is the members' */
};

/* 1: may be an array's ID. */
int raid_id_is_valid(const char *id);
/* Configured afterwards. Members must be Not configured, free, no system disk, and all of one provider, zone and image. ERR_CONFLICT:
 * the ID is taken (on that machine); ERR_INVALID: too few, too many, an ID with other characters, or a device that cannot be a member:
 * err_text says which and why; ERR_NOT_FOUND: no such device, or one twice. */
int raid_create(struct db *db, const struct raid_definition *d, struct uuid *id);
/* Same, for one that is Not configured, Configured or has an Encryption error; else ERR_CONFLICT. Who is no member any more is free, its keys destroyed. */
int raid_change(struct db *db, const struct uuid *id, const struct raid_definition *d);
/* Of device_delete: the members of array ID are free again and as good as new. ERR_CONFLICT as device_can_delete_raid says. */
int raid_dissolve(struct db *db, const struct uuid *id, enum device_state status, const char *name);
/* [{id, name, provider_device, path, size_bytes, status, progress, error, found_filesystem, instance, instance_name, has_key, key_version,
 * raid_index}] in order. */
int raid_members(struct db *db, const struct uuid *id, json_t **out);
/* What a list to pick from offers: devices whose name or provider's id contains SEARCH (NULL: all), first those of CHOSEN (a list of
 * ids; the first one says what the others must be like), then those that can be chosen, at most LIMIT: [{id, name, provider_device,
 * provider, zone, image_name, instance_name, size_bytes, chosen, reason}]. REASON is null, or why it cannot be a member of RAID (nil:
 * a new one): "status", "member", "system", "busy", "provider", "machine", "zone", "image". */
int raid_candidates(struct db *db, const struct uuid *raid, const char *search, const json_t *chosen, int limit, json_t **out);

/* Agent: INSTANCE has published what it has: its arrays miss what it misses, and are where their members are. */
int raid_follow(struct db *db, const struct uuid *instance);

struct raid_key {
	struct uuid device;
	char *provider_device;
	int64_t index, version, other;      /* OTHER: as in struct key_pair */
	struct buf wrapped, ticket;  /* the proof of approval (docs/keys.md); empty: the key may not go out now */
};
/* Agent: the active key of each member, in order, with its ticket for REQUEST. ERR_CONFLICT: one has none, or is not there, or not on INSTANCE.
 * The count. */
int raid_keys(struct db *db, const struct uuid *request, const struct uuid *raid, const struct uuid *instance,
	struct raid_key out[static RAID_MEMBERS_MAX]);
void raid_keys_free(struct raid_key *keys, size_t count);

#endif
