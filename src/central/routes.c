/* routes.c - what the Central Management Console answers: one row per page, act and API call, and its menu. */
#include "central/pages.h"
#include "shared/directory.h"
#include "shared/invite.h"
#include "shared/key_server.h"
#include "shared/language.h"
#include "shared/log_forward.h"
#include "shared/log_page.h"
#include "shared/notices.h"
#include "shared/people.h"
#include "shared/report.h"
#include "shared/saml.h"
#include "shared/sign_pages.h"
#include "shared/sign_rules.h"
#include "shared/webhook.h"
#include "web/route.h"

const struct route central_routes[] = {
	SHARED_LANGUAGE_ROWS("central", "/installation/language", PERMISSION_SYSTEM_EDIT),
	{ WEB_POST, "/installation/date-format", PERMISSION_SYSTEM_EDIT, NULL, language_save_dates, language_dates_fields, .form = "/language" },
	SHARED_SIGN_ROWS("central", sign_in_operator_fields, forgotten_operator_fields),
	{ WEB_GET, "/setup", PERMISSION_PUBLIC, "central/setup", setup_page, setup_query },
	{ WEB_POST, "/setup", PERMISSION_PUBLIC, NULL, setup_run, setup_fields, ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN },
	{ WEB_GET, "/invitation", PERMISSION_PUBLIC, "console/accept_invitation", invite_page, invite_query,
		ROUTE_NO_TRANSACTION },
	{ WEB_POST, "/invitation", PERMISSION_PUBLIC, NULL, operator_invitation, invite_fields,
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN },
	{ WEB_GET, "/", PERMISSION_SIGNED_IN, "central/overview", overview_page, .fragment = "part/overview_live" },
	{ WEB_GET, "/wall", PERMISSION_SIGNED_IN, "central/wall", wall_page, NULL, ROUTE_WALL | ROUTE_PAGE_ONLY, .fragment = "part/wall_live" },
	{ WEB_GET, "/wall/start", PERMISSION_SIGNED_IN, "central/confirm", wall_ask, NULL, ROUTE_PAGE_ONLY },
	{ WEB_POST, "/wall/start", PERMISSION_SIGNED_IN, NULL, wall_start, NULL, ROUTE_PAGE_ONLY },
	{ WEB_GET, "/tenants", PERMISSION_TENANTS_VIEW, "central/tenants", tenants_page, tenants_query },
	{ WEB_GET, "/tenants.csv", PERMISSION_TENANTS_VIEW, NULL, tenants_csv, tenants_query },
	{ WEB_GET, "/tenants/new", PERMISSION_TENANTS_EDIT, "central/tenant_new", tenant_new_page },
	{ WEB_POST, "/tenants/new", PERMISSION_TENANTS_EDIT, "central/tenant", tenant_new, tenant_new_fields },
	{ WEB_GET, "/tenants/{id}", PERMISSION_TENANTS_VIEW, "central/tenant", tenant_page },
	{ WEB_POST, "/tenants/{id}/invitation", PERMISSION_TENANTS_EDIT, "central/tenant", tenant_invite, tenant_invite_fields,
		.form = "/tenants/{id}" },
	{ WEB_GET, "/tenants/{id}/edit", PERMISSION_TENANTS_EDIT, "central/tenant_edit", tenant_edit_page },
	{ WEB_POST, "/tenants/{id}/edit", PERMISSION_TENANTS_EDIT, NULL, tenant_edit, tenant_edit_fields },
	{ WEB_GET, "/tenants/{id}/suspend", PERMISSION_TENANTS_EDIT, "central/confirm", tenant_suspend_ask },
	{ WEB_POST, "/tenants/{id}/suspend", PERMISSION_TENANTS_EDIT, NULL, tenant_suspend, tenant_comment, ROUTE_DESTROYS },
	{ WEB_GET, "/tenants/{id}/resume", PERMISSION_TENANTS_EDIT, "central/confirm", tenant_resume_ask },
	{ WEB_POST, "/tenants/{id}/resume", PERMISSION_TENANTS_EDIT, NULL, tenant_resume, tenant_comment },
	{ WEB_GET, "/tenants/{id}/close", PERMISSION_TENANTS_CLOSE, "central/tenant_close", tenant_close_page },
	{ WEB_GET, "/tenants/{id}/close/confirm", PERMISSION_TENANTS_CLOSE, "central/confirm", tenant_close_confirm, tenant_close_fields },
	{ WEB_POST, "/tenants/{id}/close/confirm", PERMISSION_TENANTS_CLOSE, NULL, tenant_close_run, tenant_close_typed, ROUTE_DESTROYS },
	{ WEB_POST, "/tenants/{id}/close/cancel", PERMISSION_TENANTS_CLOSE, NULL, tenant_close_cancel, .form = "/tenants/{id}" },
	{ WEB_GET, "/tenants/{id}/certificate.pdf", PERMISSION_TENANTS_VIEW, NULL, tenant_certificate },
	{ WEB_GET, "/tenants/{id}/certificate.sig", PERMISSION_TENANTS_VIEW, NULL, tenant_certificate_signature },
	{ WEB_GET, "/tenants/certificate-key.pem", PERMISSION_TENANTS_VIEW, NULL, tenants_certificate_key },
	{ WEB_GET, "/tenants/{id}/quotas", PERMISSION_TENANTS_VIEW, "central/tenant_quota", tenant_quota_page, .change = PERMISSION_TENANTS_EDIT },
	{ WEB_POST, "/tenants/{id}/quotas", PERMISSION_TENANTS_EDIT, NULL, tenant_quota_save, tenant_quota_fields },
	{ WEB_GET, "/api-tokens", PERMISSION_OPERATORS_VIEW, "central/api_tokens", api_tokens_page, api_tokens_query, .change = PERMISSION_OPERATORS_EDIT },
	{ WEB_POST, "/api-tokens", PERMISSION_OPERATORS_EDIT, "central/api_tokens", api_token_new, api_token_fields },
	{ WEB_GET, "/api-tokens/{id}/revoke", PERMISSION_OPERATORS_EDIT, "central/confirm", api_token_revoke_ask },
	{ WEB_POST, "/api-tokens/{id}/revoke", PERMISSION_OPERATORS_EDIT, NULL, api_token_revoke, NULL, ROUTE_DESTROYS, .form = "/api-tokens" },
	{ WEB_GET, "/licences", PERMISSION_LICENCES_VIEW, "central/licences", licences_page, licences_query, .change = PERMISSION_LICENCES_EDIT },
	{ WEB_GET, "/licences.csv", PERMISSION_LICENCES_VIEW, NULL, licences_csv, licences_query },
	{ WEB_POST, "/licences/trial", PERMISSION_LICENCES_EDIT, NULL, licences_trial, licences_trial_fields, .form = "/licences" },
	{ WEB_GET, "/tenants/{id}/licences", PERMISSION_LICENCES_VIEW, "central/tenant_licences", tenant_licences_page, tenant_licences_query },
	{ WEB_POST, "/tenants/{id}/licences", PERMISSION_LICENCES_EDIT, "central/tenant_licences", tenant_licence_issue, tenant_licence_fields },
	{ WEB_GET, "/health", PERMISSION_SYSTEM_VIEW, "central/health", health_page, .fragment = "part/health_live" },
	{ WEB_GET, "/jobs", PERMISSION_SYSTEM_VIEW, "central/jobs", jobs_page, jobs_query },
	{ WEB_GET, "/jobs/{id}/retry", PERMISSION_SYSTEM_EDIT, "central/confirm", job_retry_ask },
	{ WEB_POST, "/jobs/{id}/retry", PERMISSION_SYSTEM_EDIT, NULL, job_retry },
	{ WEB_GET, "/jobs/{id}/drop", PERMISSION_SYSTEM_EDIT, "central/confirm", job_drop_ask },
	{ WEB_POST, "/jobs/{id}/drop", PERMISSION_SYSTEM_EDIT, NULL, job_drop, NULL, ROUTE_DESTROYS },
	{ WEB_GET, "/certificates", PERMISSION_SYSTEM_VIEW, "central/certificates", certificates_page, certificates_query },
	{ WEB_GET, "/database", PERMISSION_SYSTEM_VIEW, "central/database", database_page },
	{ WEB_GET, "/keys", PERMISSION_SYSTEM_VIEW, "central/keys", keys_page, .change = PERMISSION_SYSTEM_EDIT },
	{ WEB_POST, "/keys", PERMISSION_SYSTEM_EDIT, NULL, keys_save, keys_fields },
	SHARED_NOTICES_ROWS("central"),
	SHARED_REPORT_ROWS("central", PERMISSION_SUMMARIES_USE),
	SHARED_NOTIFICATION_ROWS("central", PERMISSION_SYSTEM_VIEW, PERMISSION_SYSTEM_EDIT),
	SHARED_WEBHOOK_ROWS("central", PERMISSION_SYSTEM_VIEW, PERMISSION_SYSTEM_EDIT),
	{ WEB_GET, "/mail", PERMISSION_SYSTEM_VIEW, "central/mail", mail_page, .fragment = "part/mail_test", .change = PERMISSION_SYSTEM_EDIT },
	{ WEB_POST, "/mail", PERMISSION_SYSTEM_EDIT, NULL, mail_save, mail_fields },
	{ WEB_POST, "/mail/test", PERMISSION_SYSTEM_EDIT, NULL, mail_try, mail_test_fields, .form = "/mail" },
	{ WEB_GET, "/mail/remove", PERMISSION_SYSTEM_EDIT, "central/confirm", mail_remove_ask },
	{ WEB_POST, "/mail/remove", PERMISSION_SYSTEM_EDIT, NULL, mail_remove, NULL, ROUTE_DESTROYS, .form = "/mail" },
	{ WEB_GET, "/appearance", PERMISSION_SYSTEM_VIEW, "central/appearance", appearance_page, .change = PERMISSION_SYSTEM_EDIT },
	{ WEB_POST, "/appearance", PERMISSION_SYSTEM_EDIT, NULL, appearance_save, appearance_fields },
	{ WEB_GET, "/appearance/remove", PERMISSION_SYSTEM_EDIT, "central/confirm", appearance_remove_ask },
	{ WEB_POST, "/appearance/remove", PERMISSION_SYSTEM_EDIT, NULL, appearance_remove, NULL, ROUTE_DESTROYS, .form = "/appearance" },
	SHARED_DIRECTORY_ROWS("central", PERMISSION_OPERATORS_VIEW, PERMISSION_OPERATORS_EDIT, PERMISSION_OPERATORS_EDIT),
	SHARED_SAML_ROWS("central", "/saml", PERMISSION_SYSTEM_VIEW, PERMISSION_SYSTEM_EDIT),
	SHARED_KEY_SERVER_ROWS("central", "/key-server", central_key_server_page, PERMISSION_SYSTEM_VIEW, PERMISSION_SYSTEM_EDIT),
	{ WEB_POST, "/key-server/new-keys", PERMISSION_SYSTEM_EDIT, NULL, central_key_server_new_keys, central_key_server_new_fields,
		.form = "/key-server" },
	SHARED_SIGN_RULES_ROWS("central", PERMISSION_SYSTEM_VIEW, PERMISSION_SYSTEM_EDIT),
	SHARED_PEOPLE_ROWS("central", "/operators", PERMISSION_OPERATORS_VIEW, PERMISSION_OPERATORS_EDIT, operator),
	SHARED_LOG_FORWARD_ROWS("central", "/log-forwarding", PERMISSION_SYSTEM_VIEW, PERMISSION_SYSTEM_EDIT),
	SHARED_LOG_ROWS("central", "central/system_log", PERMISSION_SYSTEM_LOG_VIEW, PERMISSION_SYSTEM_LOG_DELETE),
	ROUTE_END
};

/* An entry is shown when its path has a row above that the user's role may open. */
const struct route_menu central_menu[] = {
	{ "Overview", "/", "gauge", NULL, NULL },
	{ "Tenants", "/tenants", "building", "Customers", NULL },
	{ "Licences", "/licences", "certificate", "Customers", NULL },
	{ "API Tokens", "/api-tokens", "plug", "Customers", NULL },
	{ "Health", "/health", "activity", "Installation", NULL },
	{ "Jobs", "/jobs", "stack-2", "Installation", NULL },
	{ "Keys and Backups", "/keys", "key", "Installation", NULL },
	{ "Certificates", "/certificates", "shield-check", "Installation", NULL },
	{ "Database", "/database", "database", "Installation", NULL },
	{ "Key Server", "/key-server", "server-2", "Installation", NULL },
	{ "Mail", "/mail", "mail", "Installation", NULL },
	{ "Notifications", "/notifications", "bell", "Installation", NULL },
	{ "Appearance", "/appearance", "palette", "Installation", NULL },
	{ "Operators", "/operators", "users", "People", NULL },
	{ "Roles", "/roles", "id", "People", NULL },
	{ "Sign-in Rules", "/sign-in-rules", "lock", "People", NULL },
	{ "Single Sign-On", "/single-sign-on", "login", "People", NULL },
	{ "Directory", "/directory", "network", "People", NULL },
	{ "Reports", "/reports", "report-analytics", "Audit", NULL },
	{ "System Log", "/log", "list-details", "Audit", NULL },
	{ "Log Forwarding", "/log-forwarding", "send", "Audit", NULL },
	ROUTE_MENU_END
};
