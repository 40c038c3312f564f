/* sign_rules.h - the page about rules of signing in: the same for both consoles. */
#ifndef SHARED_SIGN_RULES_H
#define SHARED_SIGN_RULES_H

#include "web/call.h"

#define SHARED_SIGN_RULES_ROWS(site, view, edit) \
	{ WEB_GET, "/sign-in-rules", view, site "/sign_in_rules", sign_rules_page, .change = edit }, \
	{ WEB_POST, "/sign-in-rules", edit, NULL, sign_rules_save, sign_rules_fields }

int sign_rules_page(struct call *c), sign_rules_save(struct call *c);
extern const struct route_param sign_rules_fields[];

#endif
