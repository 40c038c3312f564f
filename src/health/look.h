/* look.h - all that is known of the installation's health: one document, from the database and from the key service that answers here. */
#ifndef HEALTH_LOOK_H
#define HEALTH_LOOK_H

#include <jansson.h>

#include "store/db.h"

/* Role central, in an open transaction that is bound to no tenant. *FACTS, the caller's: { now, processes, queue, database, key_server (null: none is
 * set; away_since, error, host), key_servers_away, mail (set, waiting, failed, oldest, last_error), webhooks (failed), certificates (health/certificates.h), backup (last, failed, error), root (since, days),
 * log (own: it has a database of its own; away: why that cannot be reached, or null; waiting, since, copied: store/audit_copy.h) };
 * as store/ gives them. */
int health_look(struct db *db, json_t **facts);
/* Role jobs: of these processes, queue, mail, webhooks, backup and now alone. What is judged without the others is no worse than it is. */
int health_look_here(struct db *db, json_t **facts);
/* What a service (KIND) of the machine HOST has just said of itself (health/beat.h; taken over) stands in FACTS instead of its row, which is some seconds
 * old, so that who has asked it and judges the facts says one thing of it. DETAIL NULL: it does not answer. */
void health_asked(json_t *facts, const char *kind, const char *host, const char *version, json_t *detail);

#endif
