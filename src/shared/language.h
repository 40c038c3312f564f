/* language.h - the page Language of both consoles, and the choice of how days are written: an account's stands beside its time zone, the
 * installation's, which has none, on that page. */
#ifndef SHARED_LANGUAGE_H
#define SHARED_LANGUAGE_H

#include "web/call.h"

/* Rows for the tables of both sites, SHARED_LANGUAGE_ROWS("console", ...): everybody's is saved at PATH by who has PERMISSION. */
#define SHARED_LANGUAGE_ROWS(site, path, permission) \
	{ WEB_GET, "/language", PERMISSION_SIGNED_IN, site "/language", language_page, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/language", PERMISSION_SIGNED_IN, NULL, language_save, language_fields, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, path, permission, NULL, language_save_everybody, language_everybody_fields, .form = "/language" }

extern const char *const date_format_names[];            /* of render/words.h, which folders of pages do not see */
/* A parameter date_format and its field, for a form of which it is a part. */
#define LANGUAGE_DATES_PARAM { "date_format", "Date format", PARAM_ENUM, 0, 0, 0, date_format_names }
/* What NAME looks like; the caller's reference. */
json_t *language_say_dates(struct call *c, const char *name);
/* CHOSEN: a name of date_format_names, or "": as usual. */
void language_offer_dates(struct call *c, const char *chosen);
/* What is to be kept of the parameter, "" for as usual; NULL where it was not given: as it is. */
const char *language_dates(const struct call *c);
extern const struct route_param language_dates_fields[];
int language_save_dates(struct call *c);         /* the installation's */

int language_page(struct call *c), language_save(struct call *c), language_save_everybody(struct call *c);
extern const struct route_param language_fields[], language_everybody_fields[];

#endif
