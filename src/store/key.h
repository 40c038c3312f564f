/* key.h - devices' keys: opaque blobs that only keyd can open (KEY-1). */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include "base/buf.h"
#include "store/db.h"

/* The active key; WRAPPED's former content is replaced. ERR_NOT_FOUND when the device has none. */
int device_key_get(struct db *db, const struct uuid *device, int64_t *version, struct buf *wrapped);
/* The same together with the account's key, which unwraps it; ERR_SUSPENDED as tenant_key. Both are replaced. */
int device_key_release(struct db *db, const struct uuid *device, int64_t *version, struct buf *wrapped, struct buf *tenant);
/* A new active key; the one before becomes a former one. NAME of the device for the log. ERR_CONFLICT: VERSION exists. */
int device_key_add(struct db *db, const struct uuid *device, const char *name, int64_t version, struct wire_view wrapped);
/* All of them, for good. Logged when there was one. */
int device_key_destroy(struct db *db, const struct uuid *device, const char *name);

#endif
