/* audit_archive.h - the archive of the log as pages have it: months of the bound chain that retention has taken (LOG-1). */
#ifndef STORE_AUDIT_ARCHIVE_H
#define STORE_AUDIT_ARCHIVE_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

/* Sorts month (default), entries, bytes; searched by month, digest and who removed it; filter state: kept, removed. A row: id, month, first, last, entries, bytes, digest, made, expires, removed, removed_by. */
int audit_archive_list(struct db *db, const struct list_query *query, json_t **page);
int audit_archive_get(struct db *db, const struct uuid *id, json_t **row);
/* The file, appended to OUT, after its digest and the signature of its record were checked: ERR_TAMPERED. ERR_NOT_FOUND: it is gone. Logged. */
int audit_archive_read(struct db *db, const struct uuid *id, struct buf *out);
/* What was signed about it, and the signature. */
int audit_archive_record(struct db *db, const struct uuid *id, struct buf *text, struct buf *signature);
/* Removes the file before its time, by the actor; logged. ERR_CONFLICT: it is gone already. */
int audit_archive_delete(struct db *db, const struct uuid *id);

#endif
