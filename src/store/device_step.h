/* device_step.h - inside the store: one step of a device's life, checked against the table, on a locked row. */
#ifndef STORE_DEVICE_STEP_H
#define STORE_DEVICE_STEP_H

#include "store/audit.h"
#include "store/device.h"

/* Locks the device, moves its status by EVENT and logs LOG with DETAIL (taken over, NULL: none); a step that leaves the status as
 * it is is not logged. An array takes its members along. ERR_CONFLICT as the table says, ERR_NOT_FOUND. */
int device_step(struct db *db, const struct uuid *id, enum device_event event, enum audit_event log, json_t *detail);
/* What it was configured as, and all its keys, for good; an array's members likewise. The status is the caller's. */
int device_forget(struct db *db, const struct uuid *id);

#endif
