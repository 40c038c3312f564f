/* migrate.h - brings a database to this build's schema: sql/NNNN_name.sql in order, each once, each in a transaction. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <jansson.h>

/* Makes the database roles and the database where they are missing. CONNINFO leads to another database (usually "postgres") as
 * a role that may do so. DATABASE is a plain name: letters, digits, '_'. ERR_INVALID, ERR_UNAVAILABLE, ERR_DB. */
int migrate_prepare(const char *conninfo, const char *database);
/* Applies what FOLDER has and the database has not, under a lock: runs at the same time wait for each other. CONNINFO leads to
 * the database itself, as a role that is keyward_owner or may become it. *APPLIED (may be NULL): names of the files, the caller's.
 * ERR_CONFLICT when a file that was applied has changed since, or one was put in before it. */
int migrate_run(const char *conninfo, const char *folder, json_t **applied);

#endif
