/* routes.c - what a tenant's console answers: one row per page, act and API call, and its menu. */
#include "web/route.h"
#include "web/sign.h"

const struct route console_routes[] = {
	WEB_SIGN_ROWS("console", sign_in_tenant_fields),
	ROUTE_END
};

/* An entry is shown when its path has a row above that the user's role may open. */
const struct route_menu console_menu[] = {
	{ "Dashboard", "/", "gauge", NULL, NULL },
	{ "Running Instances", "/instances", "server", "Keys", NULL },
	{ "Devices", "/devices", "database", "Keys", NULL },
	{ "Images", "/images", "stack-2", "Keys", NULL },
	{ "Policies", "/policies", "shield-check", "Keys", NULL },
	{ "Users", "/users", "users", "User Management", NULL },
	{ "Roles", "/roles", "id", "User Management", NULL },
	{ "Account", "/account", "building", "User Management", NULL },
	{ "Log", "/log", "list-details", "Audit", NULL },
	ROUTE_MENU_END
};
