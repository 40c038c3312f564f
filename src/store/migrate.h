/* migrate.h - brings a database to this build's schema: sql/NNNN_name.sql in order, each once, each in a transaction. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include <jansson.h>
#include <stdint.h>

#define MIGRATE_TICKET_KEY_SIZE 32

/* Makes the database roles and the database where they are missing. CONNINFO leads to another database (usually "postgres") as
 * a role that may do so. DATABASE is a plain name: letters, digits, '_'. ERR_INVALID, ERR_UNAVAILABLE, ERR_DB. */
int migrate_prepare(const char *conninfo, const char *database);
/* Applies what FOLDER has and the database has not, under a lock: runs at the same time wait for each other. CONNINFO leads to
 * the database itself, as a role that is keyward_owner or may become it. *APPLIED (may be NULL): names of the files, the caller's.
 * ERR_CONFLICT when a file that was applied has changed since, or one was put in before it. */
int migrate_run(const char *conninfo, const char *folder, json_t **applied);
/* What is in CONNINFO's database, in words for people, the caller's: NULL where it is empty, as a backup needs it. */
int migrate_contents(const char *conninfo, char **out);
/* Asks GET, which asks the key service, for the key of proofs of approval (sql/0025), and puts it into the database, at once and under a lock: of
 * the generation that is there, or of the next one, LEAST at the least, where there is none or LEAST is not 0. *OUT: which. CONNINFO as above, for
 * keyward_tickets. */
typedef int (*migrate_ticket_key)(void *ctx, uint32_t generation, uint8_t key[static MIGRATE_TICKET_KEY_SIZE]);
int migrate_tickets(const char *conninfo, uint32_t least, migrate_ticket_key get, void *ctx, uint32_t *out);

/* CONNINFO's database becomes that of the log of the installation whose database the first one is: both are migrated. ERR_DB: it is an installation's. */
int migrate_log(const char *conninfo, const char *log);
/* All that the log database has is in the main one again, or nothing has changed; how many entries. ERR_TAMPERED: the two differ. */
int migrate_log_back(const char *conninfo, const char *log, int64_t *entries);

#endif
