/* roles.c - what each role may do and how many users hold it (ROL-6): the rows that the pipeline enforces, nothing else. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/user.h"
#include "web/doc.h"

static const enum role roles[] = {
#define X(id, ...) ROLE_##id,
	ROLES(X)
#undef X
};

static const enum permission permissions[] = {
#define X(id, ...) PERMISSION_##id,
	PERMISSIONS(X)
#undef X
};

/* Headings by the first word of a permission's name; one that none covers stands under the last. */
static const struct {
	const char *title, *words[5];
} groups[] = {
	{ "Keys", { "instances", "requests", "keys" } },
	{ "Inventory", { "images", "devices" } },
	{ "Policies", { "policies" } },
	{ "Reports and logs", { "reports", "logs" } },
	{ "Users and account", { "users", "account" } },
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
	json_t *cells = json_array();

	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		json_array_append_new(cells, json_pack("{s:b}", "allowed", role_may(roles[i], p)));
	return json_pack("{s:s, s:s, s:o}", "id", permission_name(p), "name", call_translate(c, permission_label(p)), "cells", cells);
}

static json_t *group_row(const struct call *c, size_t group)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < ARRAY_LEN(permissions); i++)
		if (group_of(permissions[i]) == group)
			json_array_append_new(rows, permission_row(c, permissions[i]));
	return json_pack("{s:s, s:i, s:o}", "name", call_translate(c, groups[group].title), "span", (int)ARRAY_LEN(roles) + 1,
		"permissions", rows);
}

static json_t *role_row(const struct call *c, enum role r, const json_t *counts)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:I}", "id", role_name(r), "name", call_translate(c, role_label(r)), "text",
		call_translate(c, role_text(r)), "users", json_integer_value(json_object_get(counts, role_name(r))));

	json_object_set_new(row, "url", json_sprintf("/users?role=%s", role_name(r)));
	return row;
}

int roles_page(struct call *c)
{
	json_t *counts, *columns = json_array(), *rows = json_array();
	int rc = user_counts(c->db, STORE_TENANT, &counts);

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(roles); i++)
		json_array_append_new(columns, role_row(c, roles[i], counts));
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(groups); i++)
		json_array_append_new(rows, group_row(c, i));
	call_set(c, "roles", columns);
	call_set(c, "groups", rows);
	if (rc == 0)
		json_decref(counts);
	return rc;
}
