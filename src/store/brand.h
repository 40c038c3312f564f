/* brand.h - the operator's name, addresses (for support, and of the agent's package), colour and logo in the place of Keyward's (WEB-4). One row of settings that every role may read,
 * and the logo's bytes in a row of their own. */
#ifndef STORE_BRAND_H
#define STORE_BRAND_H

#include <jansson.h>

#include "base/buf.h"
#include "store/db.h"

#define BRAND_USUAL "Keyward"            /* the name where none is set */
#define BRAND_NAME_MAX 60                /* characters */
#define BRAND_ADDRESS_MAX 300            /* bytes, all of them ASCII */
#define BRAND_COLOUR_SIZE 8              /* "#rrggbb" */
#define BRAND_LOGO_SIZE 65               /* SHA-256 of the PNG, in hexadecimal */

/* "" where Keyward's own is shown, or nothing; but the name is always there. */
struct brand {
	char name[4 * BRAND_NAME_MAX + 1];
	char support[BRAND_ADDRESS_MAX + 1];
	char package[BRAND_ADDRESS_MAX + 1];     /* where tenants get the agent's: the .deb itself, or a page */
	char colour[BRAND_COLOUR_SIZE];
	char logo[BRAND_LOGO_SIZE];
};

/* Any role. */
int brand_get(struct db *db, struct brand *out);
/* Central: the same, and nobody else changes it before the end of the transaction. */
int brand_hold(struct db *db, struct brand *out);
/* The PNG whose hash is LOGO; OUT is replaced. ERR_NOT_FOUND: it is another one meanwhile, or none. */
int brand_logo(struct db *db, const char *logo, struct buf *out);
/* Central. PNG, the bytes of B's logo: NULL where that is the one that is kept, or none. With an entry of the log, when anything is other than it was. */
int brand_set(struct db *db, const struct brand *b, const struct buf *png);
/* Keyward's own again. */
int brand_reset(struct db *db);
/* {changed, changed_by} of what is set; null: nothing is. */
int brand_last(struct db *db, json_t **out);

#endif
