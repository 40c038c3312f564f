/* licence.h - licences (LIC-1 to LIC-3): the one in force and what is used of it; the operator's book of codes; warnings. docs/licences.md. */
#ifndef STORE_LICENCE_H
#define STORE_LICENCE_H

#include <jansson.h>

#include "base/licence.h"
#include "store/db.h"
#include "store/list.h"
#include "store/signing.h"

/* The account's side; bound to it. */

/* Counted at this moment; console, agent, jobs. */
int licence_get(struct db *db, struct licence_state *out);
/* As counted last, for notices: a row, whatever there is. Console. */
int licence_glance(struct db *db, struct licence_state *out);
/* 0 where the device, or all of an array's members, may get keys; those that have one need none. ERR_FORBIDDEN with what to tell whoever
 * asked. STARTS: its turn has come, so others that only wait do not count. Console, agent. */
int licence_check(struct db *db, const struct uuid *device, int starts);
/* Whether a code of that serial was entered before. */
int licence_had(struct db *db, uint32_t serial, int *had);
/* L was judged good (base/licence.h). ERR_CONFLICT: another has just been entered. */
int licence_enter(struct db *db, const struct licence *l, const char *code);
/* Sorts entered (default, the newest first), serial, kind, keys, until. A row: id, serial, kind, keys, until, issued, entered, entered_by, replaced,
 * ended. */
int licence_history(struct db *db, const struct list_query *query, json_t **page);

/* The operator's side; bound to none. */

/* Makes and signs a code: L has account, kind, keys and until, and gets the rest. It is written into the book; ASSIGN: and put into force. *CODE,
 * the caller's. ERR_NOT_FOUND; ERR_CONFLICT: the account is closed; errors of BY. */
int licence_issue(struct db *db, const struct signing_by *by, struct licence *l, const char *note, int assign, char **code);
/* Sorts serial (default, the newest first), state, kind, keys, until, issued; filters account, state (issued, in-force, replaced, expired). A row:
 * id, serial, kind, keys, until, issued, issued_by, note, code, state. */
int licence_issued(struct db *db, const struct list_query *query, json_t **page);
/* Of all accounts. Sorts: name, keys, used, share, until; filters: state, kind, near (limit, end, none). Rows: id, slug, name, state, kind, keys,
 * used, share (per cent), until, serial, level_keys, level_end, at. */
int licence_list(struct db *db, const struct list_query *query, json_t **page);
/* The same of one: ERR_NOT_FOUND. */
int licence_of(struct db *db, const struct uuid *account, json_t **out);
/* {limit, end, over}: how many accounts are near their limit, near their end, over one of them. */
int licence_near(struct db *db, json_t **out);
/* What new accounts begin with. */
int licence_trial(struct db *db, int64_t *keys, int64_t *days);
int licence_set_trial(struct db *db, int64_t keys, int64_t days);

/* jobd */

int licence_count(struct db *db);                            /* bound to none */
int licence_tenants(struct db *db, json_t **out);            /* bound to none: [{id}] whose people are to be told */
/* Bound to one: logs what is to be told and was not, in the account's log and the installation's, by which people hear of it. */
int licence_tell(struct db *db);

#endif
