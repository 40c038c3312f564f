/* routes.c - what a tenant's console answers: one row per page, act and API call, and its menu. */
#include "console/pages.h"
#include "web/invite.h"
#include "web/log_page.h"
#include "web/route.h"
#include "web/sign.h"

const struct route console_routes[] = {
	WEB_SIGN_ROWS("console", sign_in_tenant_fields),
	{ WEB_GET, "/invitation", PERMISSION_PUBLIC, "console/accept_invitation", invite_page, invite_query, ROUTE_NO_TRANSACTION },
	{ WEB_POST, "/invitation", PERMISSION_PUBLIC, NULL, tenant_invitation, invite_fields, ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN },
	{ WEB_GET, "/", PERMISSION_SIGNED_IN, "console/dashboard", dashboard_page },
	{ WEB_GET, "/instances", PERMISSION_INSTANCES_VIEW, "console/instances", instances_page, instances_query,
		.fragment = "part/instances_live" },
	{ WEB_GET, "/instances.csv", PERMISSION_INSTANCES_VIEW, NULL, instances_csv, instances_query },
	{ WEB_GET, "/instances/{id}", PERMISSION_INSTANCES_VIEW, "console/instance", instance_page },
	{ WEB_POST, "/instances/{id}/check", PERMISSION_REQUESTS_DECIDE, NULL, instance_check, .form = "/instances/{id}" },
	{ WEB_GET, "/requests/{id}", PERMISSION_INSTANCES_VIEW, "console/key_request", request_page },
	{ WEB_POST, "/requests/{id}/decision", PERMISSION_REQUESTS_DECIDE, NULL, request_decision, request_decision_fields,
		.form = "/requests/{id}" },
	{ WEB_POST, "/requests/{id}/again", PERMISSION_REQUESTS_DECIDE, NULL, request_again, .form = "/requests/{id}" },
	{ WEB_GET, "/requests/{id}/revoke", PERMISSION_KEYS_REVOKE, "console/confirm", request_revoke_ask },
	{ WEB_POST, "/requests/{id}/revoke", PERMISSION_KEYS_REVOKE, NULL, request_revoke_run, request_comment },
	{ WEB_GET, "/devices", PERMISSION_DEVICES_VIEW, "console/devices", devices_page, devices_query },
	{ WEB_GET, "/devices.csv", PERMISSION_DEVICES_VIEW, NULL, devices_csv, devices_query },
	{ WEB_GET, "/devices/{id}", PERMISSION_DEVICES_VIEW, "console/device", device_page },
	{ WEB_GET, "/devices/{id}/edit", PERMISSION_DEVICES_EDIT, "console/device_edit", device_edit_page },
	{ WEB_POST, "/devices/{id}/edit", PERMISSION_DEVICES_EDIT, NULL, device_edit, device_edit_fields },
	{ WEB_GET, "/devices/{id}/configure", PERMISSION_DEVICES_EDIT, "console/device_configure", device_configure_page },
	{ WEB_POST, "/devices/{id}/configure", PERMISSION_DEVICES_EDIT, NULL, device_configure_run, device_configure_fields },
	{ WEB_GET, "/devices/{id}/encrypt", PERMISSION_DEVICES_EDIT, "console/confirm", device_encrypt_ask },
	{ WEB_POST, "/devices/{id}/encrypt", PERMISSION_DEVICES_EDIT, NULL, device_encrypt_run, device_typed },
	{ WEB_POST, "/devices/{id}/cancel", PERMISSION_DEVICES_EDIT, NULL, device_cancel_run, .form = "/devices/{id}" },
	{ WEB_GET, "/devices/{id}/unconfigure", PERMISSION_DEVICES_EDIT, "console/confirm", device_unconfigure_ask },
	{ WEB_POST, "/devices/{id}/unconfigure", PERMISSION_DEVICES_EDIT, NULL, device_unconfigure_run, device_typed },
	{ WEB_GET, "/devices/{id}/delete", PERMISSION_DEVICES_EDIT, "console/confirm", device_delete_ask },
	{ WEB_POST, "/devices/{id}/delete", PERMISSION_DEVICES_EDIT, NULL, device_delete_run, device_typed },
	{ WEB_GET, "/images", PERMISSION_IMAGES_VIEW, "console/images", images_page, images_query },
	{ WEB_GET, "/images.csv", PERMISSION_IMAGES_VIEW, NULL, images_csv, images_query },
	{ WEB_GET, "/images/{id}", PERMISSION_IMAGES_VIEW, "console/image", image_page },
	{ WEB_POST, "/images/{id}", PERMISSION_IMAGES_EDIT, NULL, image_edit, image_fields },
	{ WEB_GET, "/policies", PERMISSION_POLICIES_VIEW, "console/policies", policies_page, policies_query },
	{ WEB_GET, "/policies/{id}", PERMISSION_POLICIES_VIEW, "console/policy", policy_page },
	{ WEB_GET, "/users", PERMISSION_USERS_VIEW, "console/users", users_page, users_query },
	{ WEB_GET, "/users.csv", PERMISSION_USERS_VIEW, NULL, users_csv, users_query },
	{ WEB_GET, "/users/new", PERMISSION_USERS_EDIT, "console/user_new", user_new_page },
	{ WEB_POST, "/users/new", PERMISSION_USERS_EDIT, "console/user", user_new, user_new_fields },
	{ WEB_GET, "/users/{id}", PERMISSION_USERS_VIEW, "console/user", user_page },
	{ WEB_POST, "/users/{id}", PERMISSION_USERS_EDIT, NULL, user_edit, user_edit_fields },
	{ WEB_POST, "/users/{id}/invitation", PERMISSION_USERS_EDIT, "console/user", user_reinvite, .form = "/users/{id}" },
	{ WEB_POST, "/users/{id}/enable", PERMISSION_USERS_EDIT, NULL, user_enable, .form = "/users/{id}" },
	{ WEB_GET, "/users/{id}/disable", PERMISSION_USERS_EDIT, "console/confirm", user_disable_ask },
	{ WEB_POST, "/users/{id}/disable", PERMISSION_USERS_EDIT, NULL, user_disable, .form = "/users/{id}" },
	{ WEB_GET, "/roles", PERMISSION_USERS_VIEW, "console/roles", roles_page },
	{ WEB_GET, "/account", PERMISSION_ACCOUNT_VIEW, "console/account", account_page },
	{ WEB_POST, "/account/passphrase/reveal", PERMISSION_ACCOUNT_EDIT, "console/account", account_reveal, .form = "/account" },
	{ WEB_POST, "/account/passphrase", PERMISSION_ACCOUNT_EDIT, NULL, account_set, account_passphrase_fields, .form = "/account" },
	{ WEB_GET, "/deep-security", PERMISSION_ACCOUNT_VIEW, "console/deep_security", deep_security_page,
		.fragment = "part/deep_security_state" },
	{ WEB_POST, "/deep-security", PERMISSION_ACCOUNT_EDIT, NULL, deep_security_save, deep_security_fields },
	{ WEB_POST, "/deep-security/test", PERMISSION_ACCOUNT_EDIT, NULL, deep_security_test_run, .form = "/deep-security" },
	WEB_LOG_ROWS(PERMISSION_LOGS_VIEW, "console/log"),
	ROUTE_END
};

/* An entry is shown when its path has a row above that the user's role may open. */
const struct route_menu console_menu[] = {
	{ "Dashboard", "/", "gauge", NULL, NULL },
	{ "Running Instances", "/instances", "server", "Keys", instances_pending },
	{ "Devices", "/devices", "database", "Keys", NULL },
	{ "Images", "/images", "stack-2", "Keys", NULL },
	{ "Policies", "/policies", "shield-check", "Keys", NULL },
	{ "Users", "/users", "users", "User Management", NULL },
	{ "Roles", "/roles", "id", "User Management", NULL },
	{ "Account", "/account", "building", "User Management", NULL },
	{ "Deep Security", "/deep-security", "shield-lock", "User Management", NULL },
	{ "Log", "/log", "list-details", "Audit", NULL },
	ROUTE_MENU_END
};
