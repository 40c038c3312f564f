/* log_keep.h - the log is signed and put into the archive, chain by chain (LOG-1, LOG-3). */
#ifndef JOBS_LOG_KEEP_H
#define JOBS_LOG_KEEP_H

#include "base/conf.h"
#include "jobs/work.h"
#include "store/audit_keep.h"

/* Reads the settings log.*, before any of the rest. */
int log_keep_start(const struct conf *conf);

/* Tasks: queues the job below where there is something to do; for the bound tenant, or for the installation. */
int log_keep_tenants(struct db *db, json_t **out);
int log_keep_queue(struct db *db, clock_us now);
/* Copies what is new to the log database (store/audit_copy.h). */
int log_keep_copy_tenants(struct db *db, json_t **out);
int log_keep_copy(struct db *db, clock_us now);
int log_keep_make(struct db *db, clock_us now);
int log_keep_drop(struct db *db, clock_us now);

/* The job: a checkpoint when one is due, then month after month into the archive, then files removed whose time is over; each in a transaction of
 * its own. */
int log_keep_job(struct work *w);

#endif
