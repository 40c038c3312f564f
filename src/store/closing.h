/* closing.h - accounts that end (TEN-7): announced and cancelled by the operator, carried out by jobd in steps, each of which can be the last for a
 * time; and the export of an account's data for its own people. docs/closing.md. */
#ifndef STORE_CLOSING_H
#define STORE_CLOSING_H

#include <jansson.h>

#include "base/buf.h"
#include "store/db.h"

#define CLOSING_JOB "close-tenant"
#define CLOSING_EXPORT_JOB "export-tenant"
#define CLOSING_DAYS_MOST 365
#define CLOSING_PATIENCE "24 hours"       /* with key servers that are away */
#define CLOSING_EXPORT_KEPT (7 * CLOCK_DAY)
#define CLOSING_EXPORTS 3                /* the newest, of one account */
#define CLOSING_EXPORT_MOST (INT64_C(16) << 30)  /* bytes of a zip */
#define CLOSING_PART_SIZE (1024 * 1024)

/* The operator; bound to none. */

/* ERR_CONFLICT: it is announced already, or closed. */
int closing_announce(struct db *db, const struct uuid *account, clock_us at, const char *reason);
/* ERR_CONFLICT: nothing is announced, or it has begun. */
int closing_cancel(struct db *db, const struct uuid *account, const char *reason);
/* The latest: {id, requested, requested_by, reason, close_at, cancelled, begun, server_keys, shredded, facts, removed, finished,
 * has_certificate}; null: none. */
int closing_last(struct db *db, const struct uuid *account, json_t **out);
/* Of a closed account. ERR_NOT_FOUND. */
int closing_certificate(struct db *db, const struct uuid *account, struct buf *pdf, struct buf *signature);

/* jobd; bound to none. */

/* What is due begins, which cannot be cancelled any more: at most MOST of its keys on key servers are given to be destroyed there. How many; 0:
 * there are none any more, or it is not to begin. */
int closing_begin(struct db *db, const struct uuid *closure, int most);
/* The key is destroyed: 1; 0: it is not to be. ERR_UNAVAILABLE: key servers have not destroyed theirs yet, and are waited for. */
int closing_shred(struct db *db, const struct uuid *closure);
/* How many rows are gone; 0: there are none any more. */
int closing_remove(struct db *db, const struct uuid *closure, int most, int64_t *gone);
/* {account, slug, name, created, requested, requested_by, reason, close_at, shredded, facts, removed}; ERR_NOT_FOUND: it is done. */
int closing_facts(struct db *db, const struct uuid *closure, json_t **out);
int closing_done(struct db *db, const struct uuid *closure, const struct uuid *account, const char *name, const struct buf *pdf,
	const uint8_t signature[static 64]);

/* The account's people; bound to it. */

/* When it is closed; 0: nothing is announced. */
int closing_when(struct db *db, clock_us *at);
int closing_export_ask(struct db *db);                               /* ERR_CONFLICT: one is being made */
/* [{id, requested, requested_by, state, error, bytes, rows, finished}], the newest first. */
int closing_export_all(struct db *db, json_t **out);
/* Part PART (from 0) of the zip; 1: there is another one. With the first the download is logged. ERR_NOT_FOUND, ERR_CONFLICT: not done. */
int closing_export_part(struct db *db, const struct uuid *id, int64_t part, struct buf *out);

/* jobd; bound to the account. */

/* The files of an export, i from 0: name; NULL past the end. */
const char *closing_export_file(size_t i);
/* At most MOST rows of file I after AFTER (NULL: from the first) as JSON texts, and their keys: columns key, row. */
int closing_export_rows(struct db *db, size_t i, const char *after, int most, struct db_result **out);
int closing_export_running(struct db *db, const struct uuid *id);    /* ERR_NOT_FOUND: it is not */
int closing_export_keep_part(struct db *db, const struct uuid *id, int part, const void *data, size_t len);
/* What is older than the newest CLOSING_EXPORTS goes. */
int closing_export_done(struct db *db, const struct uuid *id, int64_t bytes, int64_t rows);
/* What there was of it goes. */
int closing_export_failed(struct db *db, const struct uuid *id, const char *error);
int closing_export_clean(struct db *db, clock_us before);

#endif
