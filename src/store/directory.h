/* directory.h - the settings of a tenant's directory, and of the operator's (IDN-2). Their meaning is identity/directory.h's; the password of
 * the account that searches is a blob of keyd. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "store/user.h"

#define DIRECTORY_PURPOSE "directory-password"                   /* of keyd's blob, for a tenant */
#define DIRECTORY_SYSTEM_PURPOSE "central-directory-password"    /* for the operator */
#define DIRECTORY_SETTING "directory.settings"
#define DIRECTORY_PASSWORD_SETTING "directory.password"

/* *SETTINGS is the caller's; PASSWORD (may be NULL) is empty where there is none. ERR_NOT_FOUND: there is no directory. */
int directory_load(struct db *db, enum store_side side, json_t **settings, struct buf *password);
/* PASSWORD NULL: it stays as it is; empty: none. Logged, without it. */
int directory_save(struct db *db, enum store_side side, const json_t *settings, const struct buf *password);
/* Settings and password go; users stay, and cannot sign in. */
int directory_remove(struct db *db, enum store_side side);

#endif
