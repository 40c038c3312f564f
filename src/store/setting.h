/* setting.h - settings of the installation, and the one-time code of the set-up page. Names that begin with "public." may be
 * read by consoles and agents too: addresses and the like. Secrets among the values are blobs of keyd, as base64url. */
#ifndef STORE_SETTING_H
#define STORE_SETTING_H

#include <jansson.h>

#include "base/buf.h"
#include "store/db.h"

/* *OUT, the caller's. ERR_NOT_FOUND. Any role for "public." names, central and jobs for all. */
int setting_get(struct db *db, const char *name, json_t **out);
int setting_get_public(struct db *db, const char *name, json_t **out);
/* SECRET: the log tells that, not what. VALUE NULL removes. */
int setting_set(struct db *db, const char *name, const json_t *value, int secret);
/* The same without an entry of the log, for who writes one of its own. VALUE NULL: ERR_NOT_FOUND where there was none. */
int setting_put(struct db *db, const char *name, const json_t *value);
/* A secret: a blob of keyd. Empty where there is none: read so, and removed by that. OUT is replaced. */
int setting_get_blob(struct db *db, const char *name, struct buf *out);
int setting_set_blob(struct db *db, const char *name, const struct buf *blob);

/* ADM-3. There is at most one code; only while there is no operator. HASH: SHA-256 of the code. */
int setup_needed(struct db *db);                             /* 1, 0 or an error */
int setup_code_set(struct db *db, const uint8_t hash[static 32], clock_us expires);
/* 0 once for the right code; ERR_FORBIDDEN for any other, ERR_CONFLICT when the installation has an operator already. */
int setup_code_use(struct db *db, const uint8_t hash[static 32]);

#endif
