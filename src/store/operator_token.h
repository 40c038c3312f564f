/* operator_token.h - tokens of the operator's API (LIC-4): for outside systems, with a scope and an end. Role central, bound to none. */
#ifndef STORE_OPERATOR_TOKEN_H
#define STORE_OPERATOR_TOKEN_H

#include <jansson.h>

#include "store/db.h"
#include "store/list.h"

#define OPERATOR_TOKEN_DAYS_MOST 730

/* HASH: SHA-256 of the token. */
int operator_token_create(struct db *db, const struct uuid *id, const uint8_t hash[static 32], const char *name, const char *scope, clock_us expires);
/* {name, scope, state (active, expired, revoked)}. */
int operator_token_get(struct db *db, const struct uuid *id, json_t **out);
/* ERR_NOT_FOUND; ERR_CONFLICT: it is revoked already. */
int operator_token_revoke(struct db *db, const struct uuid *id);
/* Sorts present (default: those in force, then the others, the newest first), created, name, state, scope, expires, used; filters state (active, expired, revoked), scope. A row: id, name,
 * scope, created, created_by, expires, last_used, last_address, revoked, revoked_by, state. */
int operator_token_list(struct db *db, const struct list_query *query, json_t **page);
/* One that is in force; notes its use once a minute. {id, name, scope}. ERR_NOT_FOUND: none, ended, revoked. */
int operator_token_use(struct db *db, const uint8_t hash[static 32], const char *address, json_t **out);

#endif
