/* device_idle.h - encryptions that were asked for and do not get on (NTF-2): looked for by jobd, told of once each. */
#ifndef STORE_DEVICE_IDLE_H
#define STORE_DEVICE_IDLE_H

#include <jansson.h>

#include "store/db.h"

#define DEVICE_IDLE_AFTER CLOCK_HOUR

/* Bound to none: [{id}] of tenants that have some for whom nothing has happened since BEFORE. */
int device_idle_tenants(struct db *db, clock_us before, json_t **out);
/* Logs at most LIMIT of them; how many. */
int device_idle_find(struct db *db, clock_us before, int limit);

#endif
