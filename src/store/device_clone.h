/* device_clone.h - what a device takes over from elsewhere: another image (DEV-4), or configuration and key of the device as which
 * its content was encrypted (DEV-5). */
#ifndef STORE_DEVICE_CLONE_H
#define STORE_DEVICE_CLONE_H

#include "store/device.h"
#include "store/key.h"

/* ERR_CONFLICT: not Encrypted, or its provider cannot move it. ERR_INVALID: an image of another provider. ERR_NOT_FOUND. */
int device_reassign(struct db *db, const struct uuid *id, const struct uuid *image);

/* A copy in the making. */
struct device_clone {
	struct uuid device, source;
	int64_t version;             /* which the clone's key will have */
	struct key_pair key;         /* the source's that the clone's token names; its version is the source's */
	struct uuid made_for;        /* what the token names */
	int64_t made_version;
};

/* [{id, name, provider_device, status, image_name, mount_point, filesystem, access}]: devices that have the key which the token on
 * device ID names, by SEARCH ("": all), CHOSEN (nil: none) first, whatever is searched; at most LIMIT. */
int device_clone_sources(struct db *db, const struct uuid *id, const struct uuid *chosen, const char *search, int limit, json_t **out);
/* Locks the device. The key comes with a ticket for REQUEST, the web request's id. ERR_CONFLICT: its status does not allow it, it bears no token, or SOURCE has not the key that the token names;
 * ERR_SUSPENDED as tenant_key. *OUT is the caller's: device_key_pair_free(&out->key). */
int device_clone_begin(struct db *db, const struct uuid *id, const struct uuid *source, const struct uuid *request, struct device_clone *out);
/* WRAPPED: the key once more, for the clone's id and version (keys_device_rewrap). The device is Encrypted then, in the source's policy
 * if that is not the default one, and its agent asks for the key. */
int device_clone_finish(struct db *db, const struct device_clone *c, struct wire_view wrapped, const char *mount_point,
	const char *access);

#endif
