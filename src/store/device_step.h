/* device_step.h - inside the store: one step of a device's life, checked against the table, on a locked row. */
#ifndef STORE_DEVICE_STEP_H
#define STORE_DEVICE_STEP_H

#include "store/audit.h"
#include "store/device.h"

/* SQL that locks the devices d of which WHERE is true, in the order that everybody locks several of them in, so that two never wait for each other: arrays, and
 * devices that are in none, by id; then members, by id. Who locks a member has its array locked before. Nothing is read: it can be queued. */
#define DEVICE_LOCK(where) "select 1 from device d where " where " order by d.raid is not null, d.id for no key update of d"
/* The device, the array that it is in, and its members. Costs no round trip; errors come with the next answer. */
int device_lock(struct db *db, const struct uuid *id);
/* Locks the device, moves its status by EVENT and logs LOG with DETAIL (taken over, NULL: none); a step that leaves the status as
 * it is is not logged. An array takes its members along. ERR_CONFLICT as the table says, ERR_NOT_FOUND. */
int device_step(struct db *db, const struct uuid *id, enum device_event event, enum audit_event log, json_t *detail);
/* What it was configured as, and all its keys, for good; an array's members likewise. The status is the caller's. */
int device_forget(struct db *db, const struct uuid *id);

#endif
