/* key.h - devices' keys: opaque blobs that only keyd can open (KEY-1). */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include "base/buf.h"
#include "store/db.h"

#define KEY_SERVER_ID_MAX 255    /* bytes of what a key server calls a key */
#define KEY_POINT_SIZE 65        /* an agent's one-time key: P-256 point, uncompressed */

/* The active key; WRAPPED's former content is replaced. ERR_NOT_FOUND when the device has none. */
int device_key_get(struct db *db, const struct uuid *device, int64_t *version, struct buf *wrapped);

/* The active key together with the account's key, which unwraps it. */
struct key_pair {
	int64_t version;             /* 0: the device has none */
	struct buf wrapped, tenant;
	char account[16];            /* the account's state */
	struct uuid made_for;        /* the device whose key this is a copy of; nil: its own */
	int64_t other;               /* version of the one that it is being rotated to or from; 0: none */
	struct buf ticket;           /* the proof of approval that the key service asks for (docs/keys.md); empty: it may not go out now */
};
#define KEY_PAIR_COLUMNS "k.version, k.wrapped, t.state, t.wrapped_key, k.made_for, k.other"      /* of device_key k and tenant t */
#define KEY_PAIR_COUNT 6
/* SQL, of device_key k: the device and the version that the token of a volume with this key names. */
#define DEVICE_KEY_TOKEN(k) "(coalesce(" k ".made_for, " k ".device), coalesce(" k ".made_version, " k ".version))"
/* From the first row, whose column AT is the first of those; without a ticket. */
void device_key_take(struct db_result *r, int at, struct key_pair *out);
/* Its column AT. */
void device_key_take_ticket(struct db_result *r, int at, struct key_pair *out);
/* 0, or why no key may go out: ERR_SUSPENDED as tenant_key, ERR_NOT_FOUND. */
int device_key_check(const struct key_pair *p);
/* What an agent's task takes that no request is for: the account's key, and the ticket (sql/0025, key_ticket_task), empty where the database
 * does not let the key of VERSION go to the acting agent now. WORK is the id under which the key service is asked. ERR_SUSPENDED, ERR_NOT_FOUND as
 * tenant_key. */
int device_key_for_task(struct db *db, const struct uuid *device, int64_t version, const struct uuid *work,
	const uint8_t recipient[static KEY_POINT_SIZE], struct key_pair *out);
/* The ticket for the key of VERSION, which is REQUEST's device's, or a member's of its array: the active one, or the one that it is being rotated to or
 * from; empty where it may not go to the acting agent now. OUT's former content is replaced. */
int device_key_ticket(struct db *db, const struct uuid *request, const struct uuid *device, int64_t version, struct buf *out);
void device_key_pair_free(struct key_pair *p);               /* zeroed is fine */

/* Whether the active key was made while the device was at INSTANCE: only there it is given to make the volume with. */
int device_key_is_for(struct db *db, const struct uuid *device, const struct uuid *instance, int *out);
/* The key of VERSION, whatever its state; WRAPPED's former content is replaced. */
int device_key_version(struct db *db, const struct uuid *device, int64_t version, struct buf *wrapped);
/* The device that the key of VERSION is a copy of; nil: its own. */
int device_key_made_for(struct db *db, const struct uuid *device, int64_t version, struct uuid *out);
/* A new key as keyd has made it: WRAPPED, or wrapped reference to one on a key server. */
struct device_key_new {
	struct buf wrapped;
	const char *key_server;      /* whose (key_server_owner_name); NULL: the key itself is in WRAPPED */
	char server_key[KEY_SERVER_ID_MAX + 1];  /* what the key server calls it */
};
/* A new active key; the one before becomes a former one. NAME of the device for the log. ERR_CONFLICT: VERSION exists. */
int device_key_add(struct db *db, const struct uuid *device, const char *name, int64_t version, const struct device_key_new *key);
/* The row alone, in another STATE ("next"). */
int device_key_insert(struct db *db, const struct uuid *device, int64_t version, const char *state, const struct device_key_new *key);
/* A key of another device, wrapped for DEVICE: its new active one. MADE_FOR: what tokens in LUKS2 headers name. */
struct device_key_copy {
	struct uuid device, source, made_for;
	int64_t version, source_version, made_version;
};
int device_key_copy(struct db *db, const struct device_key_copy *c, const char *name, struct wire_view wrapped);
/* All of them, for good. Logged when there was one. */
int device_key_destroy(struct db *db, const struct uuid *device, const char *name);

#endif
