/* browser.h - browsers that a user has signed in with (IDN-1): known here only by the SHA-256 of a cookie. They stay open to the user while
 * wrong passwords from elsewhere have closed the door, and a sign-in with another one is something to tell the user. */
#ifndef STORE_BROWSER_H
#define STORE_BROWSER_H

#include "store/user.h"

#define BROWSER_KEPT (90 * CLOCK_DAY)    /* since it was last used */
#define BROWSER_MOST 20                  /* of one user; the one unused for longest goes */

/* 1 or 0: TOKEN is one of USER's. */
int browser_known(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH]);
/* A good sign-in with it: 1 when it is a new one, 0 when it was known. */
int browser_used(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH]);
/* A wrong password with it; after USER_LOCK_AFTER in a row it is like any other. */
int browser_failed(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH]);

/* A new password: USER's browsers are like any others from now on, but KEEP (NULL: all). */
int browser_forget(struct db *db, enum store_side side, const struct uuid *user, const uint8_t *keep);

#endif
