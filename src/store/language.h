/* language.h - in which language people are spoken to: what a user chose, else what the account, or the installation, did; and how days are
 * written, which is everybody's. */
#ifndef STORE_LANGUAGE_H
#define STORE_LANGUAGE_H

#include "store/user.h"

#define LANGUAGE_MAX 8           /* bytes of a language's name, "pt-BR", with its end */
#define LANGUAGE_SETTING "language"
/* In queries of keyward_central and keyward_jobs: what the installation chose for its operators; null: nothing. */
#define LANGUAGE_OF_INSTALLATION "(select value #>> '{}' from setting where name = '" LANGUAGE_SETTING "')"

#define DATE_FORMAT_MAX 16       /* bytes of a date format's name (render/words.h) with its end */
#define DATE_FORMAT_SETTING "date_format"        /* of an account (tenant.settings) and of the installation (setting) */
#define DATE_FORMAT_OF_INSTALLATION "(select value #>> '{}' from setting where name = '" DATE_FORMAT_SETTING "')"
/* In queries of keyward_jobs: of whom the transaction is bound to; '': as usual. */
#define DATE_FORMAT "coalesce(case when current_tenant() is null then " DATE_FORMAT_OF_INSTALLATION \
	" else (select settings ->> '" DATE_FORMAT_SETTING "' from tenant where id = current_tenant()) end, '')"

/* What USER is spoken to in where there is no browser to ask: own choice, or the account's, an operator's the installation's; "" when neither was chosen. */
int language_of(struct db *db, enum store_side side, const struct uuid *user, char out[static LANGUAGE_MAX]);
/* The user's own choice; "": none. */
int language_own(struct db *db, enum store_side side, const struct uuid *user, char out[static LANGUAGE_MAX]);
/* The account's (bound tenant's) choice, or the installation's; "": none. */
int language_of_everybody(struct db *db, enum store_side side, char out[static LANGUAGE_MAX]);
/* LANGUAGE "": as everybody, or the browser, has it. Logged where it is new. */
int language_choose(struct db *db, enum store_side side, const struct uuid *user, const char *language);
/* The installation's. NAME "": as usual. */
int date_format_of_installation(struct db *db, char out[static DATE_FORMAT_MAX]);
int date_format_choose_for_installation(struct db *db, const char *name);
int language_choose_for_everybody(struct db *db, enum store_side side, const char *language);

#endif
