/* look.h - all that is known of the installation's health: one document, from the database and from the key service that answers here. */
#ifndef HEALTH_LOOK_H
#define HEALTH_LOOK_H

#include <jansson.h>

#include "store/db.h"

/* Role central, in an open transaction that is bound to no tenant. *FACTS, the caller's: { now, processes, queue, database, key_server (null: none is
 * set; away_since, error, host), key_servers_away, mail (set, waiting, failed, oldest, last_error), certificates (health/certificates.h), backup (last, failed, error), root (since, days) };
 * as store/ gives them. */
int health_look(struct db *db, json_t **facts);

#endif
