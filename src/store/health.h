/* health.h - the installation's health as the database knows it (ADM-2): processes that say that they are here, the queue, the database itself. */
#ifndef STORE_HEALTH_H
#define STORE_HEALTH_H

#include <jansson.h>

#include "base/clock.h"
#include "store/db.h"

#define HEALTH_SAMPLES_KEPT (30 * CLOCK_DAY)

/* Central and jobs, bound to no tenant. */
struct health_process {
	const char *kind, *host;         /* "web", "jobd", "keyd", "ssod" */
	int pid;
	clock_us started;
	const char *version;
	json_t *says;                    /* an object of numbers and words for operators; never a secret */
};
/* CLOCK: the process' own, now; 0: it told nothing of its clock. */
int health_seen(struct db *db, const struct health_process *p, clock_us clock);
/* The service of that kind on HOST does not answer. */
int health_away(struct db *db, const char *kind, const char *host, const char *why);
int health_gone(struct db *db, const char *kind, const char *host, int pid);
/* Jobs: the folder of the database's files on its machine; "" where that may not be known. */
int health_database_folder(struct db *db, char *out, size_t size);
/* Jobs: notes how the queue is now, once a minute; forgets processes and samples of long ago. */
int health_sample(struct db *db, clock_us now);

/* Central. [{kind, host, pid, started, version, seen, age (seconds), skew, away, error, detail}] */
int health_processes(struct db *db, json_t **out);
/* {waiting, later, running, failed, oldest, behind (seconds, or null)} */
int health_queue(struct db *db, json_t **out);
/* [{name}] of accounts (null: the installation) whose log has entries that are not as they were written, as far as jobd has come upon them. */
int health_altered_logs(struct db *db, json_t **out);
/* {version, started, now, size, connections, most, reserved, standby, tls, tls_version, cipher, address, schema, schema_at, migrations, replicas,
 * uncommitted (seconds of the longest transaction; null: not known)} */
int health_database(struct db *db, json_t **out);
/* [{hour, waiting, running, failed, behind}]: the most of each hour of the last HOURS, oldest first, zeroes where nothing was noted. */
int health_history(struct db *db, int hours, json_t **out);
/* [{role, sessions, active, tls, longest (seconds)}] */
int health_sessions(struct db *db, json_t **out);
/* [{name, bytes, rows (about)}] of the MOST largest tables, partitions together. */
int health_tables(struct db *db, int most, json_t **out);
/* [{name, value}] of what may be shown of a connection string: no password. The caller's. */
json_t *health_conninfo(const char *conninfo);
/* [{day ("2026-11-21", UTC), by_policy, by_person, denied, pending}]: key requests of the whole installation, DAYS of them, the oldest first. */
int health_requests(struct db *db, int days, json_t **out);

#endif
