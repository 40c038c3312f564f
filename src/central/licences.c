/* licences.c - licences of all tenants: use against grant, near the limit, near the end (LIC-2, LIC-3); what new tenants begin with. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "store/licence.h"
#include "web/doc.h"
#include "web/list.h"

#define DAYS_MOST 3650

static const char *const filters[] = { "near", "state", "kind", NULL };
static const char *const sorts[] = { "name", "keys", "used", "share", "until", NULL };
static const struct list_chip chips[] = { { "limit", "Near the limit" }, { "end", "Near the end" }, { "none", "Neither" }, { NULL, NULL } };
static const struct list_view view = { .url = "/licences", .filters = filters, .chip = "near", .chips = chips, .sorts = sorts,
	.export = "/licences.csv" };
static const char *const nears[] = { "limit", "end", "none", NULL };
static const char *const states[] = { "active", "suspended", "closing", NULL };
const char *const licence_kinds[] = {
#define X(id, number, name, label) name,
	LICENCE_KINDS(X)
#undef X
	NULL
};

const struct route_param licences_query[] = {
	LIST_PARAMS,
	{ "near", "Near", PARAM_ENUM, 0, 0, 0, nears },
	{ "state", "State", PARAM_ENUM, 0, 0, 0, states },
	{ "kind", "Kind", PARAM_ENUM, 0, 0, 0, licence_kinds },
	PARAM_END
};

const struct route_param licences_trial_fields[] = {
	{ "keys", "Keys", PARAM_INT, PARAM_REQUIRED, 0, LICENCE_KEYS_MAX, NULL },
	{ "days", "Days", PARAM_INT, PARAM_REQUIRED, 1, DAYS_MOST, NULL },
	PARAM_END
};

static int level(const json_t *row, const char *name)
{
	return (int)json_integer_value(json_object_get(row, name));
}

json_t *licence_row(struct call *c, json_t *row)
{
	const int has = !json_is_null(json_object_get(row, "keys"));
	enum licence_warning w = !has ? LICENCE_WARNING_MISSING : licence_warn(&(struct licence_state){ .has = 1, .level_keys =
		level(row, "level_keys"), .level_end = level(row, "level_end") });
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:O, s:O, s:O, s:b, s:s?, s:s}", "id", doc_text(row, "id"), "name", doc_text(row, "name"),
		"account", doc_text(row, "slug"), "state", tenant_state_badge(c, doc_text(row, "state")), "keys", json_object_get(row, "keys"), "used",
		json_object_get(row, "used"), "share", json_object_get(row, "share"), "has", has, "warning", w == LICENCE_WARNING_NONE ? NULL :
		call_translate(c, licence_warning_text(w)), "warning_name", licence_warning_name(w));

	json_object_set_new(out, "kind", has ? doc_licence_kind(c, doc_text(row, "kind")) : doc_badge(c, "None", "red"));
	json_object_set_new(out, "status", w == LICENCE_WARNING_NONE ? doc_badge(c, "Well", "green") : doc_badge(c,
		w >= LICENCE_WARNING_FULL ? "No new devices" : level(row, "level_keys") ? "Near the limit" : "Near the end",
		w >= LICENCE_WARNING_FULL ? "red" : "orange"));
	json_object_set_new(out, "until", doc_when(c, row, "until"));
	json_object_set_new(out, "counted", doc_when(c, row, "at"));
	json_object_set(out, "serial", json_object_get(row, "serial"));
	json_object_set_new(out, "url", json_sprintf("/tenants/%s/licences", doc_text(row, "id")));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return licence_list(c->db, q, page);
}

int licences_page(struct call *c)
{
	struct list_query q;
	json_t *page = NULL;
	int64_t keys, days;
	int rc;

	list_read(c, &view, &q);
	rc = licence_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	list_show(c, &view, page, licence_row);
	rc = licence_trial(c->db, &keys, &days);
	if (rc < 0)
		return rc;
	call_form(c, "keys", json_integer(keys));
	call_form(c, "days", json_integer(days));
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_LICENCES_EDIT)));
	return 0;
}

int licences_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Account ID", "id" }, { "Account name", "account" }, { "Display name", "name" },
		{ "State", "state" }, { "Kind", "kind" }, { "Keys in use", "used" }, { "Keys licensed", "keys" }, { "Per cent", "share" },
		{ "Until", "until" }, { "Status", "status" }, { NULL, NULL } };

	return list_export(c, &view, fetch, licence_row, columns, "licences.csv");
}

int licences_trial(struct call *c)
{
	int rc = licence_set_trial(c->db, call_int(c, "keys", 0), call_int(c, "days", 30));

	if (rc < 0)
		return rc;
	call_notice(c, "success", "Saved. It holds for tenants that are made from now on.");
	call_redirect(c, "/licences");
	return 0;
}
