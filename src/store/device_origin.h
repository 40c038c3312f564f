/* device_origin.h - whose volume lies on a device: its own, a copy of another device's, one that was moved here, another account's
 * (VOL-5). It is what an agent has read from the disk, so it explains and never permits. */
#ifndef STORE_DEVICE_ORIGIN_H
#define STORE_DEVICE_ORIGIN_H

#include "base/buf.h"
#include "store/db.h"

enum device_origin_kind {
	DEVICE_ORIGIN_OWN,               /* its own, or none of ours */
	DEVICE_ORIGIN_COPY,              /* of a device that is still where it was */
	DEVICE_ORIGIN_MOVED,             /* of one that is undetected now */
	DEVICE_ORIGIN_FORGOTTEN,         /* of one that was deleted here */
	DEVICE_ORIGIN_FOREIGN,           /* another account's */
};

/* null for its own; else {foreign_account, token_account, token_device, token_server, has_key, id, name, gone, instance, instance_name,
 * same_instance}: id to same_instance of the device that the token names, null where it is not this tenant's. */
int device_origin(struct db *db, const struct uuid *id, json_t **out);
enum device_origin_kind device_origin_kind(const json_t *origin);
/* In words, for people; nothing for its own. Appends. */
void device_origin_say(const json_t *origin, struct buf *out);

#endif
