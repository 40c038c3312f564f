/* language.h - in which language people are spoken to: what a user chose, else what the account did. */
#ifndef STORE_LANGUAGE_H
#define STORE_LANGUAGE_H

#include "store/user.h"

#define LANGUAGE_MAX 8           /* bytes of a language's name, "pt-BR", with its end */

/* What USER is spoken to in where there is no browser to ask: own choice, or the account's; "" when neither was chosen. */
int language_of(struct db *db, enum store_side side, const struct uuid *user, char out[static LANGUAGE_MAX]);
/* The user's own choice; "": none. */
int language_own(struct db *db, enum store_side side, const struct uuid *user, char out[static LANGUAGE_MAX]);
/* The account's (bound tenant's) choice; "": none. */
int language_of_account(struct db *db, char out[static LANGUAGE_MAX]);
/* LANGUAGE "": as the account, or the browser, has it. Logged where it is new. */
int language_choose(struct db *db, enum store_side side, const struct uuid *user, const char *language);
int language_choose_for_account(struct db *db, const char *language);

#endif
