/* inventory.h - what agents publish: image, instance, devices (DEV-1, DEV-2, DEV-7). Role agent. */
#ifndef STORE_INVENTORY_H
#define STORE_INVENTORY_H

#include "store/db.h"

/* Strings are borrowed, "" where nothing is known, never NULL. */
struct inventory_device {
	const char *id;              /* the provider's; unique within tenant and provider */
	const char *name, *path, *kind, *filesystem;
	int64_t size_bytes;
	int in_use, system;
	const char *unusable;        /* why it cannot be encrypted now */
	const char *token_account, *token_device, *token_server;         /* of a volume of ours on it; ids as text */
	int64_t token_version;
	const char *luks_uuid;       /* "": none */
};

struct inventory {
	const char *provider, *instance_id, *image_id, *image_name, *region, *zone;
	const char *host_name, *system, *distribution, *version, *kernel, *arch;
	const struct inventory_device *devices;
	size_t devices_count;
};

/* Image and instance as described are there afterwards; a new image goes to the default policy (POL-1). The rest of INV is not
 * looked at. Registration needs this before there is an agent. */
int inventory_instance(struct db *db, const struct inventory *inv, struct uuid *instance);
/* All of it, for an INSTANCE that is there. Devices that are new go to the default policy; those of this instance that are not
 * in the list become Undetected where that is legal; those that were are back. A device that is in use by another instance
 * stays with that one. New ones beyond the account's quota of devices are left out: LEFT_OUT says how many. Can be repeated. */
int inventory_publish(struct db *db, const struct uuid *instance, const struct inventory *inv, size_t *left_out);

#endif
