/* instance_history.c - what one instance was through: changes of its facts (INT-6), its key requests, its integrity checks. Each a list with
 * pages; the tabs above lead from one to the other. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "console/pages.h"
#include "store/check.h"
#include "store/facts.h"
#include "store/instance.h"
#include "store/request.h"
#include "web/doc.h"
#include "web/list.h"

/* Tabs */

static const struct {
	const char *path, *title;
} tabs[] = {
	{ "", "Overview" }, { "facts", "Facts" }, { "changes", "Changes" }, { "requests", "Key requests" }, { "checks", "Checks" },
	{ "orders", "Orders" },
};

void instance_tabs(struct call *c, const char *id, const char *active)
{
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(tabs); i++)
		json_array_append_new(out, json_pack("{s:s,s:o,s:b}", "title", call_translate(c, tabs[i].title), "url",
			json_sprintf("/instances/%s%s%s", id, *tabs[i].path ? "/" : "", tabs[i].path), "active",
			strcmp(tabs[i].path, active) == 0));
	call_set(c, "tabs", out);
}

int instance_fetch(struct call *c, const struct list_query *q, const char *tab,
	int (*list)(struct db *db, const struct list_query *query, json_t **page), json_t **page)
{
	struct uuid id = call_uuid(c, "id");
	char text[UUID_TEXT_SIZE];
	json_t *name, *instance;
	int rc = instance_name(c->db, &id, &name);

	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	instance = json_pack("{s:s,s:o,s:o}", "id", text, "name", name, "url", json_sprintf("/instances/%s", text));
	call_set(c, "instance", instance);
	instance_tabs(c, text, tab);
	return list(c->db, q, page);
}

/* Changes of facts */

static const char *const change_filters[] = { "fact", NULL };
static const struct list_csv change_columns[] = { { "Seen", "at" }, { "Fact", "fact" }, { "Name", "subject" }, { "Change", "kind" }, { "Before", "old" },
	{ "After", "new" }, { NULL, NULL } };
static const struct list_view change_view = { .of = "instance", .filters = change_filters, .columns = change_columns, .file = "changes.csv" };

const struct route_param instance_changes_query[] = {
	LIST_PARAMS_CSV,
	{ "fact", "Fact", PARAM_TEXT, 0, 0, 100, NULL },
	PARAM_END
};

static json_t *value_text(const struct call *c, const json_t *row, const char *member)
{
	const json_t *value = json_object_get(row, member);
	const char *fact = doc_text(row, "fact");

	if (json_is_null(value))
		return json_null();
	return *doc_text(row, "subject") ? fact_member_text(c, fact, value) : fact_text(c, fact, value);
}

static json_t *kind_badge(const struct call *c, const char *kind)
{
	static const struct { const char *kind, *label, *colour; } looks[] = {
		{ "added", "New", "blue" }, { "removed", "Gone", "orange" }, { "changed", "Changed", "purple" }, { "many", "Many", "purple" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].kind, kind) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return doc_badge(c, kind, "gray");
}

static json_t *many_text(const struct call *c, const json_t *new)
{
	json_t *said = phrase_say("%{added} new, %{removed} gone, %{changed} changed", "added", json_incref(json_object_get(new, "added")), "removed",
		json_incref(json_object_get(new, "removed")), "changed", json_incref(json_object_get(new, "changed")), NULL);
	json_t *text = call_phrase(c, said);

	json_decref(said);
	return text;
}

static json_t *change_row(struct call *c, json_t *row)
{
	const char *kind = doc_text(row, "kind"), *subject = doc_text(row, "subject");
	int many = strcmp(kind, "many") == 0;

	return json_pack("{s:s,s:s,s:s?,s:o,s:o,s:o,s:o}", "id", doc_text(row, "id"), "fact", fact_label(c, doc_text(row, "fact")), "subject",
		*subject ? subject : NULL, "at", doc_when(c, row, "at"), "kind", kind_badge(c, kind), "old",
		many ? json_null() : value_text(c, row, "old"), "new", many ? many_text(c, json_object_get(row, "new")) : value_text(c, row,
		"new"));
}

/* A chip for each fact that has changed, which only this instance's history knows. */
static int add_chips(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *facts = NULL, *filter = json_object_get(json_object_get(c->doc, "list"), "filters"), *fact;
	const char *url = doc_text(json_object_get(c->doc, "list"), "url"), *active = call_text(c, "fact");
	size_t i;
	int rc = fact_change_facts(c->db, &id, &facts);

	if (rc < 0)
		return rc;
	json_array_append_new(filter, json_pack("{s:s,s:s,s:b,s:b,s:n}", "title", call_translate(c, "All"), "url", url, "active", !*active,
		"shows_count", 0, "count"));
	json_array_foreach(facts, i, fact)
		json_array_append_new(filter, json_pack("{s:s,s:o,s:b,s:b,s:n}", "title", fact_label(c, json_string_value(fact)), "url",
			json_sprintf("%s?fact=%s", url, json_string_value(fact)), "active", strcmp(active, json_string_value(fact)) == 0,
			"shows_count", 0, "count"));
	json_decref(facts);
	return 0;
}

static int fetch_changes(struct call *c, const struct list_query *q, json_t **page)
{
	return instance_fetch(c, q, "changes", fact_change_list, page);
}

int instance_changes_page(struct call *c)
{
	int rc = list_answer(c, &change_view, fetch_changes, change_row);

	return rc < 0 || json_object_get(c->doc, "list") == NULL ? rc : add_chips(c);
}

/* Key requests */

static const char *const request_states[] = { "pending", "approved", "delivered", "denied", "revoking", "revoked", NULL };
static const char *const request_filters[] = { "status", NULL }, *const request_sorts[] = { "requested", "status", "integrity", "device", "policy", NULL };
static const struct list_chip request_chips[] = { { "pending", "Pending" }, { "delivered", "Delivered" }, { "denied", "Denied" }, { "revoked", "Revoked" },
	{ NULL, NULL } };
static const struct list_csv request_columns[] = { { "Device", "device" }, { "Key status", "status" }, { "Integrity", "integrity" }, { "Policy", "policy" },
	{ "Requested", "requested" }, { NULL, NULL } };
static const struct list_view request_view = { .of = "instance", .filters = request_filters, .chip = "status", .chips = request_chips, .sorts = request_sorts, .columns =
	request_columns, .file = "requests.csv" };

const struct route_param instance_requests_query[] = {
	LIST_PARAMS_CSV,
	{ "status", "Key status", PARAM_ENUM, 0, 0, 0, request_states },
	PARAM_END
};

static int fetch_requests(struct call *c, const struct list_query *q, json_t **page)
{
	return instance_fetch(c, q, "requests", request_history, page);
}

int instance_requests_page(struct call *c)
{
	return list_answer(c, &request_view, fetch_requests, request_row);
}

/* Checks */

static const char *const check_results[] = { "good", "failed", "not-checked", NULL };
static const char *const check_filters[] = { "result", NULL }, *const check_sorts[] = { "due", "result", "reason", "answered", NULL };
static const struct list_chip check_chips[] = { { "good", "Good" }, { "failed", "Failed" }, { "not-checked", "Not checked" }, { NULL, NULL } };
static const struct list_csv check_columns[] = { { "Asked", "at" }, { "Result", "result" }, { "Detail", "summary" }, { "Reason", "reason" }, { "By", "by" },
	{ "Answered", "answered" }, { NULL, NULL } };
static const struct list_view check_view = { .of = "instance", .filters = check_filters, .chip = "result", .chips = check_chips, .sorts = check_sorts, .columns =
	check_columns, .file = "checks.csv" };

const struct route_param instance_checks_query[] = {
	LIST_PARAMS_CSV,
	{ "result", "Result", PARAM_ENUM, 0, 0, 0, check_results },
	PARAM_END
};

static json_t *result_badge(const struct call *c, const char *result)
{
	static const struct { const char *result, *label, *colour; } looks[] = {
		{ "good", "Good", "green" }, { "failed", "Failed", "red" }, { "not-checked", "Not checked", "gray" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].result, result) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return doc_badge(c, "Under way", "blue");
}

static const char *reason_label(const struct call *c, const char *reason)
{
#define X(id, name, label) \
	if (strcmp(reason, name) == 0) \
		return call_translate(c, label);
	CHECK_REASONS(X)
#undef X
	return reason;
}

static json_t *check_row(struct call *c, json_t *row)
{
	const char *by = doc_text(row, "ordered_by"), *summary = doc_text(row, "summary");

	return json_pack("{s:s,s:o,s:o,s:s,s:s?,s:s?,s:o}", "id", doc_text(row, "id"), "at", doc_when(c, row, "due"), "result",
		result_badge(c, doc_text(row, "result")), "reason", reason_label(c, doc_text(row, "reason")), "by", *by ? by : NULL, "summary",
		*summary ? call_translate(c, summary) : NULL, "answered", doc_when(c, row, "answered"));
}

static int fetch_checks(struct call *c, const struct list_query *q, json_t **page)
{
	return instance_fetch(c, q, "checks", check_list, page);
}

int instance_checks_page(struct call *c)
{
	return list_answer(c, &check_view, fetch_checks, check_row);
}
