/* routes.c - what the Central Management Console answers: one row per page, act and API call, and its menu. */
#include "web/route.h"
#include "web/sign.h"

const struct route central_routes[] = {
	WEB_SIGN_ROWS("central", sign_in_operator_fields),
	ROUTE_END
};

/* An entry is shown when its path has a row above that the user's role may open. */
const struct route_menu central_menu[] = {
	{ "Overview", "/", "gauge", NULL, NULL },
	{ "Tenants", "/tenants", "building", NULL, NULL },
	{ "System log", "/log", "list-details", NULL, NULL },
	ROUTE_MENU_END
};
