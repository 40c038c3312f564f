/* language.h - the page Language of both consoles. */
#ifndef WEB_LANGUAGE_H
#define WEB_LANGUAGE_H

#include "web/call.h"

/* Rows for the tables of both sites, WEB_LANGUAGE_ROWS("console", ...): everybody's is saved at PATH by who has PERMISSION. */
#define WEB_LANGUAGE_ROWS(site, path, permission) \
	{ WEB_GET, "/language", PERMISSION_SIGNED_IN, site "/language", language_page, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/language", PERMISSION_SIGNED_IN, NULL, language_save, language_fields, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, path, permission, NULL, language_save_everybody, language_everybody_fields, .form = "/language" }

int language_page(struct call *c), language_save(struct call *c), language_save_everybody(struct call *c);
extern const struct route_param language_fields[], language_everybody_fields[];

#endif
