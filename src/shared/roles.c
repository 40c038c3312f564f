/* roles.c - what each role may do and how many users hold it (ROL-6, ROL-7): the rows that the pipeline enforces, nothing else. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "shared/people.h"
#include "store/user.h"
#include "web/doc.h"
#include "web/list.h"
#include "web/sign.h"

#define ROLE(id, ...) ROLE_##id,
#define PERMISSION(id, ...) PERMISSION_##id,
static const enum role tenant_roles[] = { ROLES(ROLE) }, operator_roles[] = { OPERATOR_ROLES(ROLE) };
static const enum permission tenant_permissions[] = { PERMISSIONS(PERMISSION) }, operator_permissions[] = { OPERATOR_PERMISSIONS(PERMISSION) };

/* Of the two consoles. */
static const struct table {
	const enum role *roles;
	size_t role_count;
	const enum permission *permissions;
	size_t permission_count;
	const char *people;              /* page of those who hold them */
} tables[] = {
	[STORE_TENANT] = { tenant_roles, ARRAY_LEN(tenant_roles), tenant_permissions, ARRAY_LEN(tenant_permissions), "/users" },
	[STORE_OPERATOR] = { operator_roles, ARRAY_LEN(operator_roles), operator_permissions, ARRAY_LEN(operator_permissions), "/operators" },
};

const struct route_param roles_query[] = { LIST_PARAM_CSV, PARAM_END };

static const struct table *table_of(const struct call *c)
{
	return &tables[sign_side(c)];
}

/* Headings by the first word of a permission's name; one that none covers stands under the last; groups without any are left out. */
static const struct {
	const char *title, *words[5];
} groups[] = {
	{ "Tenants", { "tenants", "licences" } },
	{ "Keys", { "instances", "requests", "keys" } },
	{ "Inventory", { "images", "devices" } },
	{ "Policies", { "policies" } },
	{ "Reports and logs", { "reports", "logs", "operator-reports" } },
	{ "Users and account", { "users", "account" } },
	{ "System", { "operators", "system", "system-log" } },
};

static size_t group_of(enum permission p)
{
	const char *name = permission_name(p);
	size_t len = strcspn(name, ".");

	for (size_t g = 0; g < ARRAY_LEN(groups); g++)
		for (size_t i = 0; i < ARRAY_LEN(groups[g].words) && groups[g].words[i]; i++)
			if (strlen(groups[g].words[i]) == len && strncmp(groups[g].words[i], name, len) == 0)
				return g;
	return ARRAY_LEN(groups) - 1;
}

static json_t *permission_row(const struct call *c, enum permission p)
{
	const struct table *t = table_of(c);
	json_t *cells = json_array();

	for (size_t i = 0; i < t->role_count; i++)
		json_array_append_new(cells, json_pack("{s:b}", "allowed", role_may(t->roles[i], p)));
	return json_pack("{s:s, s:s, s:o}", "id", permission_name(p), "name", call_translate(c, permission_label(p)), "cells", cells);
}

static void add_group(const struct call *c, size_t group, json_t *out)
{
	const struct table *t = table_of(c);
	json_t *rows = json_array();

	for (size_t i = 0; i < t->permission_count; i++)
		if (group_of(t->permissions[i]) == group)
			json_array_append_new(rows, permission_row(c, t->permissions[i]));
	if (json_array_size(rows))
		json_array_append_new(out, json_pack("{s:s, s:i, s:O}", "name", call_translate(c, groups[group].title), "span",
			(int)t->role_count + 1, "permissions", rows));
	json_decref(rows);
}

static json_t *role_row(const struct call *c, enum role r, const json_t *counts)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:I}", "id", role_name(r), "name", call_translate(c, role_label(r)), "text",
		call_translate(c, role_text(r)), "users", json_integer_value(json_object_get(counts, role_name(r))));

	json_object_set_new(row, "url", json_sprintf("%s?role=%s", table_of(c)->people, role_name(r)));
	return row;
}

/* The same as a list: a permission a row, a role a column. */
static int all_permissions(struct call *c, const struct list_query *q, json_t **page)
{
	const struct table *t = table_of(c);
	json_t *rows = json_array(), *row;

	for (size_t g = 0; g < ARRAY_LEN(groups); g++)
		for (size_t i = 0; i < t->permission_count; i++) {
			if (group_of(t->permissions[i]) != g)
				continue;
			row = json_pack("{s:s, s:s}", "group", call_translate(c, groups[g].title), "permission", call_translate(c, permission_label(t->permissions[i])));
			for (size_t r = 0; r < t->role_count; r++)
				json_set_bool(row, role_name(t->roles[r]), role_may(t->roles[r], t->permissions[i]));
			json_array_append_new(rows, row);
		}
	*page = json_pack("{s:o}", "rows", rows);
	return 0;
}

static int export(struct call *c)
{
	static const struct list_view view = { .url = "/roles" };
	const struct table *t = table_of(c);
	struct list_csv columns[ARRAY_LEN(tenant_roles) + ARRAY_LEN(operator_roles) + 3] = { { "Part", "group" }, { "Permission", "permission" } };

	for (size_t r = 0; r < t->role_count; r++)
		columns[r + 2] = (struct list_csv){ role_label(t->roles[r]), role_name(t->roles[r]) };
	return list_export(c, &view, all_permissions, NULL, columns, "roles.csv");
}

int roles_page(struct call *c)
{
	const struct table *t = table_of(c);
	json_t *counts = NULL, *columns = json_array(), *rows = json_array();
	int rc = user_counts(c->db, sign_side(c), &counts);

	for (size_t i = 0; rc == 0 && i < t->role_count; i++)
		json_array_append_new(columns, role_row(c, t->roles[i], counts));
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(groups); i++)
		add_group(c, i, rows);
	call_set(c, "roles", columns);
	call_set(c, "groups", rows);
	json_decref(counts);
	return rc == 0 && call_has(c, "as") ? export(c) : rc;
}
