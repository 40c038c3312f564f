/* audit_keep.h - what keeps the log provable and bounded (LOG-1, LOG-3): checkpoints of its chains signed by the key service, months that are put into
 * the archive and later removed, and the proof over all of it. Bound to a tenant: its chain; to none: the installation's. */
#ifndef STORE_AUDIT_KEEP_H
#define STORE_AUDIT_KEEP_H

#include <jansson.h>

#include "audit/proof.h"
#include "store/db.h"
#include "store/job.h"

#define AUDIT_KEEP_JOB "log"
#define AUDIT_PIECE (256 * 1024)         /* bytes */

/* The keys of the chain that DB is bound to. */
int audit_scope(struct db *db, struct audit_scope *out);

/* jobd */

struct audit_rules {
	int64_t online, archive;         /* months */
	int64_t main;                    /* of them in the main database, where the log has its own */
	int64_t minutes;                 /* between checkpoints */
};
/* [{id}] of tenants whose log has something to do; whether the installation's has: 1, 0. */
int audit_keep_tenants(struct db *db, const struct audit_rules *rules, json_t **out);
int audit_keep_due(struct db *db, const struct audit_rules *rules);
/* Makes the months' partitions; drops those that are in the archive. Each in a transaction of its own: whoever reads takes their locks in turn. */
int audit_months_make(struct db *db);
int audit_months_drop(struct db *db, const struct audit_rules *rules);
/* 1: the head of the chain is to be signed, all but its signature is in *OUT; 0: not yet. */
int audit_checkpoint_due(struct db *db, const struct audit_rules *rules, struct audit_checkpoint *out);
int audit_checkpoint_add(struct db *db, const struct audit_checkpoint *c);
/* 1: the next month for the archive: month, first and last are set; 0: none. */
int audit_archive_next(struct db *db, const struct audit_rules *rules, struct audit_archive *out);
int audit_archive_add_piece(struct db *db, const struct uuid *id, int64_t n, const void *data, size_t len);
/* With its pieces, in one transaction; logged. */
int audit_archive_add(struct db *db, const struct audit_rules *rules, const struct uuid *id, const struct audit_archive *a);
/* JOB has found entries of the bound chain that are not as they were written: logged when its next try finds the same, once. One reading is not enough: it is many
 * statements, between which months may come and go (a table is made for entries that had none; a month that is in the log database is dropped here). */
int audit_altered_note(struct db *db, const struct job *job, const char *why);
/* Removes the files whose time is over; logged; how many. */
int audit_archive_expire(struct db *db);

/* Proof. Adds the bound chain's records and checkpoints to P, with its scope; FILES: archived files must be the ones that were signed. */
int audit_load(struct db *db, int files, struct audit_proof *p);
/* KEY: the log's public key, NULL where there is none. What P then holds is to be released whatever comes. */
int audit_prove(struct db *db, const uint8_t *key, struct audit_proof *p);
/* The chain with its proofs as lines (audit/export.h), in one snapshot. */
int audit_export(struct db *db, int (*put)(void *ctx, const struct buf *lines), void *ctx);

#endif
