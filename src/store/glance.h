/* glance.h - how a tenant's fleet does, in numbers for its dashboard. Role console. */
#ifndef STORE_GLANCE_H
#define STORE_GLANCE_H

#include <jansson.h>

#include "store/db.h"

#define GLANCE_NEWEST 1000
#define GLANCE_VERSIONS_MAX 5

/* {integrity: {good, bad, unknown, failed}, versions: [{name, agents}]}: of the GLANCE_NEWEST newest open requests, and of the so many agents that were
 * heard of last, the most frequent versions first. The caller's. */
int glance_fleet(struct db *db, json_t **out);

#endif
