/* permission.h - who may do what: one table for the tenant console's five roles (ROL-1 to ROL-5) and one for the operator's
 * four (ROL-7). Routes name a permission, the server enforces it, the Roles page shows it (ROL-6); tests try every pair. */
#ifndef IDENTITY_PERMISSION_H
#define IDENTITY_PERMISSION_H

/* id, name, label, then who holds it: Account administrator, Security administrator, Data analyst, auditoR, Key approver */
#define PERMISSIONS(X) \
	/*                                                                              A  S  D  R  K */ \
	X(INSTANCES_VIEW, "instances.view", "See running instances and key requests",    1, 1, 0, 1, 1) \
	X(INSTANCES_ORDER, "instances.order", "Give orders to agents: log level, settings, inventory", 1, 0, 0, 0, 0) \
	X(REQUESTS_DECIDE, "requests.decide", "Approve or deny key requests",            1, 0, 0, 0, 1) \
	X(KEYS_REVOKE, "keys.revoke", "Revoke delivered keys",                           1, 1, 0, 0, 0) \
	X(IMAGES_VIEW, "images.view", "See images",                                      1, 1, 0, 1, 1) \
	X(IMAGES_EDIT, "images.edit", "Edit images",                                     1, 0, 0, 0, 0) \
	X(DEVICES_VIEW, "devices.view", "See devices",                                   1, 1, 0, 1, 1) \
	X(DEVICES_EDIT, "devices.edit", "Configure, encrypt and unconfigure devices",    1, 0, 0, 0, 0) \
	X(KEYS_MANAGE, "keys.manage", "Set key size and cipher, rotate and destroy keys", 0, 1, 0, 0, 0) \
	X(KEYS_DESTRUCTION, "keys.destruction", "Confirm and cancel the destruction of keys", 1, 1, 0, 0, 0) \
	X(DEVICES_RELEASE, "devices.release", "Hand volumes over to their owner; decrypt them", 1, 1, 0, 0, 0) \
	X(KEYS_EXPORT, "keys.export", "Export keys",                                     0, 1, 0, 0, 0) \
	X(POLICIES_VIEW, "policies.view", "See policies",                                1, 1, 0, 1, 1) \
	X(POLICIES_EDIT, "policies.edit", "Create, edit and delete policies",            1, 0, 0, 0, 0) \
	X(REPORTS_USE, "reports.use", "Create and read reports",                         1, 1, 1, 1, 0) \
	X(REPORTS_KEYS, "reports.keys", "Reports with key information",                  0, 1, 0, 0, 0) \
	X(LOGS_VIEW, "logs.view", "Query logs",                                          1, 1, 1, 1, 0) \
	X(LOGS_DELETE, "logs.delete", "Delete archived logs",                            0, 0, 0, 1, 0) \
	X(USERS_VIEW, "users.view", "See users and roles",                               1, 1, 0, 1, 0) \
	X(USERS_EDIT, "users.edit", "Invite, edit and disable users",                    1, 0, 0, 0, 0) \
	X(ACCOUNT_VIEW, "account.view", "See account ID, addresses and settings",        1, 1, 0, 1, 0) \
	X(ACCOUNT_EDIT, "account.edit", "Read and set the provisioning passphrase; change settings", 1, 0, 0, 0, 0)

#define ROLES(X) \
	X(ACCOUNT_ADMINISTRATOR, "account-administrator", "Account Administrator", \
		"Everything except deleting logs, exporting keys, and reports with key information") \
	X(SECURITY_ADMINISTRATOR, "security-administrator", "Security Administrator", \
		"Views everything; manages device keys: size and cipher, rotate, revoke, destroy, export, key reports") \
	X(DATA_ANALYST, "data-analyst", "Data Analyst", "Reports in full, logs read-only, nothing else") \
	X(AUDITOR, "auditor", "Auditor", "Reports and logs in full including deleting archived logs; all else read-only") \
	X(KEY_APPROVER, "key-approver", "Key Approver", "Approves or denies key requests; policies, images and devices read-only")

/* Operator's side: MSP administrator, Tenant manager, System operator, Auditor */
#define OPERATOR_PERMISSIONS(X) \
	/*                                                                              M  T  S  A */ \
	X(TENANTS_VIEW, "tenants.view", "See tenants",                                   1, 1, 1, 1) \
	X(TENANTS_EDIT, "tenants.edit", "Create, rename, suspend and resume tenants; invite their first administrator", 1, 1, 0, 0) \
	X(TENANTS_CLOSE, "tenants.close", "Close tenants: destroy their keys and data",   1, 0, 0, 0) \
	X(LICENCES_VIEW, "licences.view", "See licences and what is used of them",       1, 1, 0, 1) \
	X(LICENCES_EDIT, "licences.edit", "Issue activation codes, and put them into force", 1, 1, 0, 0) \
	X(OPERATORS_VIEW, "operators.view", "See operators and roles",                   1, 0, 1, 1) \
	X(OPERATORS_EDIT, "operators.edit", "Invite, edit and disable operators",        1, 0, 0, 0) \
	X(SYSTEM_VIEW, "system.view", "See settings and health",                         1, 0, 1, 1) \
	X(SYSTEM_EDIT, "system.edit", "Change settings",                                 1, 0, 1, 0) \
	X(SYSTEM_LOG_VIEW, "system-log.view", "Query the system log",                    1, 0, 1, 1) \
	X(SYSTEM_LOG_DELETE, "system-log.delete", "Delete archived months of the system log", 0, 0, 0, 1) \
	X(SUMMARIES_USE, "operator-reports.use", "Create and read reports of what one may see", 1, 1, 1, 1)

#define OPERATOR_ROLES(X) \
	X(MSP_ADMINISTRATOR, "msp-administrator", "MSP Administrator", "Everything in the Central Management Console") \
	X(TENANT_MANAGER, "tenant-manager", "Tenant Manager", "Tenants and licences") \
	X(SYSTEM_OPERATOR, "system-operator", "System Operator", "Settings, health and backups") \
	X(OPERATOR_AUDITOR, "auditor", "Auditor", "Read-only, but for deleting archived logs")

/* What a token of the operator's API may (LIC-4), and what it is called. Never: closing a tenant, operators, settings, tokens. */
#define SCOPES(X) \
	X(METER, "meter", "See tenants, licences and what is used of them") \
	X(LICENCES, "licences", "The same, and issue licences and put them into force") \
	X(TENANTS, "tenants", "The same, and create, rename, suspend and resume tenants, and set their quotas")

enum scope {
	SCOPE_NONE,
#define X(id, ...) SCOPE_##id,
	SCOPES(X)
#undef X
};

enum permission {
	PERMISSION_PUBLIC,           /* nobody needs to be signed in */
	PERMISSION_SIGNED_IN,        /* any signed-in user of the site */
#define X(id, ...) PERMISSION_##id,
	PERMISSIONS(X)
	OPERATOR_PERMISSIONS(X)
#undef X
	PERMISSION_COUNT
};

enum role {
	ROLE_NONE,
#define X(id, ...) ROLE_##id,
	ROLES(X)
	OPERATOR_ROLES(X)
#undef X
	ROLE_COUNT
};

int scope_may(enum scope scope, enum permission permission);
int scope_parse(const char *name, enum scope *out);          /* ERR_INVALID */
const char *scope_name(enum scope scope);
const char *scope_label(enum scope scope);
/* A role of one side never holds a permission of the other. */
int role_may(enum role role, enum permission permission);
int role_may_named(enum role role, const char *permission);      /* 0 for a name that there is not */
const char *role_name(enum role role);
const char *role_label(enum role role);
const char *role_text(enum role role);
int role_is_operator(enum role role);
/* The names of both sides overlap ("auditor"): say which. */
int role_parse(const char *name, int operator_side, enum role *out);
const char *permission_name(enum permission p);
const char *permission_label(enum permission p);
int permission_is_operator(enum permission p);

#endif
