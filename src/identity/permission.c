/* permission.c - the permission table, looked up. */
#include "identity/permission.h"

#include <string.h>

#include "base/err.h"

#define OPERATOR_SIDE 1
#define BIT(role) (1u << (role))

static const struct {
	const char *name, *label;
	int side;
	unsigned holders;            /* bits of enum role */
} permissions[PERMISSION_COUNT] = {
	[PERMISSION_PUBLIC] = { "public", "Anyone", 0, 0 },
	[PERMISSION_SIGNED_IN] = { "signed-in", "Anyone signed in", 0, 0 },
#define X(id, name, label, a, s, d, r, k) \
	[PERMISSION_##id] = { name, label, 0, \
		(a) * BIT(ROLE_ACCOUNT_ADMINISTRATOR) | (s) * BIT(ROLE_SECURITY_ADMINISTRATOR) | (d) * BIT(ROLE_DATA_ANALYST) | \
		(r) * BIT(ROLE_AUDITOR) | (k) * BIT(ROLE_KEY_APPROVER) },
	PERMISSIONS(X)
#undef X
#define X(id, name, label, m, t, s, a) \
	[PERMISSION_##id] = { name, label, OPERATOR_SIDE, \
		(m) * BIT(ROLE_MSP_ADMINISTRATOR) | (t) * BIT(ROLE_TENANT_MANAGER) | (s) * BIT(ROLE_SYSTEM_OPERATOR) | \
		(a) * BIT(ROLE_OPERATOR_AUDITOR) },
	OPERATOR_PERMISSIONS(X)
#undef X
};

static const struct {
	const char *name, *label, *text;
	int side;
} roles[ROLE_COUNT] = {
	[ROLE_NONE] = { "", "", "", 0 },
#define X(id, name, label, text) [ROLE_##id] = { name, label, text, 0 },
	ROLES(X)
#undef X
#define X(id, name, label, text) [ROLE_##id] = { name, label, text, OPERATOR_SIDE },
	OPERATOR_ROLES(X)
#undef X
};

int role_may(enum role role, enum permission permission)
{
	if (permission == PERMISSION_PUBLIC)
		return 1;
	if (permission == PERMISSION_SIGNED_IN)
		return role != ROLE_NONE;
	return (permissions[permission].holders & BIT(role)) != 0;
}

int role_may_named(enum role role, const char *permission)
{
	for (int p = PERMISSION_SIGNED_IN + 1; p < PERMISSION_COUNT; p++)
		if (strcmp(permissions[p].name, permission) == 0)
			return role_may(role, (enum permission)p);
	return 0;
}

const char *role_name(enum role role)
{
	return roles[role].name;
}

const char *role_label(enum role role)
{
	return roles[role].label;
}

const char *role_text(enum role role)
{
	return roles[role].text;
}

int role_is_operator(enum role role)
{
	return roles[role].side == OPERATOR_SIDE;
}

int role_parse(const char *name, int operator_side, enum role *out)
{
	for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++) {
		if (roles[i].side == (operator_side != 0) && strcmp(roles[i].name, name) == 0) {
			*out = (enum role)i;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "no such role: %s", name);
}

const char *permission_name(enum permission p)
{
	return permissions[p].name;
}

const char *permission_label(enum permission p)
{
	return permissions[p].label;
}

int permission_is_operator(enum permission p)
{
	return permissions[p].side == OPERATOR_SIDE;
}

static const struct {
	const char *name, *label;
} scopes[] = {
	{ "", "" },
#define X(id, name, label) { name, label },
	SCOPES(X)
#undef X
};

/* Each scope has what those before it have. */
static const struct {
	enum permission permission;
	enum scope least;
} scoped[] = {
	{ PERMISSION_TENANTS_VIEW, SCOPE_METER },
	{ PERMISSION_LICENCES_VIEW, SCOPE_METER },
	{ PERMISSION_LICENCES_EDIT, SCOPE_LICENCES },
	{ PERMISSION_TENANTS_EDIT, SCOPE_TENANTS },
};

int scope_may(enum scope scope, enum permission permission)
{
	for (size_t i = 0; i < sizeof scoped / sizeof scoped[0]; i++)
		if (scoped[i].permission == permission)
			return scope >= scoped[i].least;
	return 0;
}

int scope_parse(const char *name, enum scope *out)
{
	for (size_t i = 1; i < sizeof scopes / sizeof scopes[0]; i++) {
		if (strcmp(scopes[i].name, name) == 0) {
			*out = (enum scope)i;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "no such scope: %s", name);
}

const char *scope_name(enum scope scope)
{
	return scopes[scope].name;
}

const char *scope_label(enum scope scope)
{
	return scopes[scope].label;
}
