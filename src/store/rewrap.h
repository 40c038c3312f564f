/* rewrap.h - keys that are wrapped again under a new root key or a new key of their tenant (KEY-6): what is left, what comes back, how far
 * it is. The keys themselves are keyd's; blobs are opaque here. */
#ifndef STORE_REWRAP_H
#define STORE_REWRAP_H

#include "base/buf.h"
#include "store/db.h"

#define ROTATION_ROOT_JOB "rotate-root"
#define ROTATION_TENANT_JOB "rotate-tenant"

/* The installation's root key; role jobs, bound to none. */

/* Begins it for ROOT, the one in use, and its job; one that is under way for the same root goes on, one for another ends. */
int root_rotation_start(struct db *db, const struct uuid *root, const char *provider);
/* The newest: id, root, provider, state, total, done, error, started, started_by, finished; null when there was none. Central, too. */
int root_rotation_last(struct db *db, json_t **out);
/* [{id}] of at most MOST tenants after AFTER whose key is under another root than ROOT. */
int root_rotation_next(struct db *db, const struct uuid *root, const struct uuid *after, int most, json_t **out);
/* How many secrets are under another root than ROOT, settings' included. */
int root_rotation_left(struct db *db, const struct uuid *root, int64_t *left, int64_t *all);
/* How many are under ROOT itself. */
int root_rotation_under(struct db *db, const struct uuid *root, int64_t *count);
/* ERROR NULL: none. */
/* How old the root key may become, in days, as the operator has set it (setting ROOT_MAX_DAYS); 0: as old as it will. Roles central and jobs. */
#define ROOT_MAX_DAYS "keys.root-max-days"
int root_max_days(struct db *db, int64_t *days);
/* Since when ROOT is in use: its rotation's begin, or that of the installation's log. Role central. */
int root_since(struct db *db, const struct uuid *root, clock_us *since);
/* Tenants whose key is being replaced now, at most MOST: [{tenant, name, state, done, total, error, started, finished}]. Role central. */
int tenant_rotations_running(struct db *db, int most, json_t **out);
int root_rotation_note(struct db *db, const struct uuid *id, int64_t done, int64_t total, const char *error);
int root_rotation_done(struct db *db, const struct uuid *id, const struct uuid *root);
int root_rotation_retired(struct db *db, const struct uuid *root, int destroyed);

/* The installation's secrets: settings, operators' second factors, links in mails that wait, i from 0; ERR_NOT_FOUND past the end. PURPOSE as keyd knows it. *OUT is empty where that
 * secret is not set. */
#define SYSTEM_PURPOSE_SIZE 65
int system_secret_get(struct db *db, size_t i, char purpose[static SYSTEM_PURPOSE_SIZE], struct buf *out);
/* 0 too when it is another one than BEFORE by now. */
int system_secret_rewrapped(struct db *db, size_t i, const struct buf *before, const struct buf *after);

/* A tenant's key; bound to the tenant. */

/* {since}: when the key in use was made. */
int tenant_keys_age(struct db *db, json_t **out);
/* Begins it where the key is older than the account's maximum key age (rotation.h): 1 when it did. Role jobs. */
int tenant_rotation_start_due(struct db *db);
int tenant_rotation_start(struct db *db);        /* ERR_CONFLICT: one is under way; ERR_NOT_FOUND: there is no key. Role console or jobs */
/* The newest: id, state, total, done, error, started, started_by, finished; null when there was none. */
int tenant_rotation_last(struct db *db, json_t **out);
/* Role jobs, from here on. Locks the tenant's row. *FORMER is nil while there is one key alone. ERR_NOT_FOUND: no key any more. */
int tenant_keys_lock(struct db *db, struct buf *wrapped, struct uuid *key, struct uuid *former);
/* Without the lock. */
int tenant_keys_get(struct db *db, struct buf *wrapped, struct uuid *former);
/* FORMER NULL: none any more. */
int tenant_keys_set(struct db *db, const struct buf *wrapped, const struct uuid *key, const struct uuid *former);
/* The same key under another root key; 1, or 0 when it is not BEFORE any more. */
int tenant_key_rewrapped(struct db *db, const struct buf *before, const struct buf *after);

/* Kinds of blobs under a tenant's key, i from 0: their purpose, NULL past the end. */
const char *tenant_blob_purpose(size_t i);
/* The next at most MOST of kind I under FORMER after AFTER and its VERSION (nil and 0: from the first): object, version, blob as columns. */
int tenant_blob_next(struct db *db, size_t i, const struct uuid *former, const struct uuid *after, int64_t version, int most,
	struct db_result **out);
/* ITEMS: [{o: object, v: version, b: hexadecimal, a: the same wrapped again}]. What has changed meanwhile is left alone. How many were. */
int tenant_blob_rewrapped(struct db *db, size_t i, json_t *items);
int tenant_blob_left(struct db *db, const struct uuid *former, int64_t *left);
int tenant_rotation_note(struct db *db, const struct uuid *id, int64_t more, int64_t total, const char *error);  /* TOTAL -1: as it is */
int tenant_rotation_done(struct db *db, const struct uuid *id);

#endif
