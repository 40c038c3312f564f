/* bulk.c - many key requests decided at once (RUN-9): choosing them, the list that a person confirms, and what became of each. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/bulk.h"
#include "store/request.h"
#include "web/doc.h"
#include "web/list.h"

#define ROWS_SHOWN 100           /* of each kind; the numbers count all */
#define REFRESH_S 2

static const char *const integrities[] = {
#define X(id, name, label) name,
	INTEGRITIES(X)
#undef X
	NULL
};
static const struct list_chip chips[] = {
#define X(id, name, label) { name, label },
	INTEGRITIES(X)
#undef X
	{ NULL, NULL }
};
static const char *const decisions[] = { "approve", "deny", NULL };
static const char *const filters[] = { "integrity", "policy", "image", "instance", NULL };
static const char *const sorts[] = { "device", "integrity", "instance", "policy", "requested", NULL };
static const struct list_view view = { .url = "/requests/select", .filters = filters, .chip = "integrity", .chips = chips, .sorts = sorts };

#define FILTER_PARAMS \
	{ "integrity", "Integrity", PARAM_ENUM, 0, 0, 0, integrities }, \
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL }, \
	{ "image", "Image", PARAM_UUID, 0, 0, 0, NULL }, \
	{ "instance", "Instance", PARAM_UUID, 0, 0, 0, NULL }

const struct route_param bulk_query[] = { LIST_PARAMS, FILTER_PARAMS, PARAM_END };

const struct route_param bulk_choose_fields[] = {
	LIST_PARAMS,
	FILTER_PARAMS,
	{ "decision", "Decision", PARAM_ENUM, PARAM_REQUIRED, 0, 0, decisions },
	{ "scope", "Which", PARAM_ENUM, PARAM_REQUIRED, 0, 0, list_scopes },
	{ "request", "Requests", PARAM_UUIDS, 0, 0, 0, NULL },
	PARAM_END
};

const struct route_param bulk_confirm_fields[] = {
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	{ "with_doubtful", "Those with failures too", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

static const char *const outcomes[] = { "open", "decided", "voted", "changed", "refused", "left", NULL };
static const struct list_chip outcome_chips[] = {
	{ "open", "Still to do" }, { "decided", "Decided" }, { "voted", "Your approval is kept" }, { "changed", "Skipped" },
	{ "refused", "Refused" }, { "left", "Left out" }, { NULL, NULL },
};
static const char *const booleans[] = { "false", "true", NULL };
static const char *const row_filters[] = { "outcome", "doubtful", NULL };
static const char *const row_sorts[] = { "device", NULL };
static const struct list_csv row_columns[] = { { "Device", "device" }, { "Integrity", "integrity" }, { "Instance", "instance" }, { "Policy", "policy" },
	{ "Failed rules", "failed" }, { "Requested", "requested" }, { "Outcome", "outcome" }, { "Reason", "reason" }, { NULL, NULL } };
static const struct list_view rows_view = { .of = "bulk", .filters = row_filters, .chip = "outcome", .chips = outcome_chips, .sorts = row_sorts, .columns = row_columns,
	.file = "requests.csv" };

const struct route_param bulk_list_query[] = {
	LIST_PARAMS_CSV,
	{ "outcome", "Outcome", PARAM_ENUM, 0, 0, 0, outcomes },
	{ "doubtful", "Rules failed", PARAM_ENUM, 0, 0, 0, booleans },
	PARAM_END
};

static void read_query(const struct call *c, struct list_query *q)
{
	list_read(c, &view, q);
	for (size_t i = 0; i < LIST_FILTERS_MAX; i++) {
		if (q->filters[i].name == NULL) {
			q->filters[i].name = "status";
			q->filters[i].value = "pending";
			return;
		}
	}
}

int bulk_select_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	read_query(c, &q);
	q.count = LIST_COUNTED;
	rc = request_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	list_show(c, &view, page, request_row);
	/* What the selection carries along, so that "all that match" means what is shown. */
	call_set(c, "fields", list_fields(c, &view));
	list_offer_scope(c, "All pending ones that match search and filter");
	return 0;
}

int bulk_choose(struct call *c)
{
	int all = list_is_all(c), approve = strcmp(call_text(c, "decision"), "approve") == 0, count = 0, rc;
	json_t *ids = all ? NULL : list_ticked(c, "request"), *roles;
	char text[UUID_TEXT_SIZE];
	struct uuid id = uuid_new();
	struct list_query q = { .filters = { { "status", "pending" } } };

	if (!all && json_array_size(ids) == 0) {
		json_decref(ids);
		return call_field_error(c, "scope", "Tick the requests, or choose all that match.");
	}
	roles = request_deciders();
	/* What is ticked need not be on the page that one searched for last. */
	if (all)
		read_query(c, &q);
	rc = bulk_prepare(c->db, &id, approve, &q, ids, roles, "", &count);
	json_decref(roles);
	json_decref(ids);
	if (rc < 0)
		return rc;
	if (count == 0)
		return call_refuse(c, ERR_CONFLICT, "None of these requests waits for a decision any more.");
	json_set_int(c->doc, "count", count);
	uuid_text(&id, text);
	call_redirect(c, "/requests/bulk/%s", text);
	return 0;
}

static json_t *row_of(struct call *c, const json_t *row)
{
	static const struct { const char *outcome, *label, *colour; } looks[] = {
		{ "decided", "Decided", "green" }, { "voted", "Your approval is kept", "blue" }, { "changed", "Skipped", "orange" },
		{ "refused", "Refused", "red" }, { "left", "Left out", "gray" },
	};
	const char *outcome = doc_text(row, "outcome");
	json_t *out = json_pack("{s:o, s:s, s:s, s:o, s:o, s:O, s:n, s:o}", "device", doc_link("/requests", doc_text(row, "request"),
		doc_text(row, "device_name")), "instance", doc_text(row, "instance_name"), "policy", doc_policy(c, doc_text(row, "policy_name")), "integrity",
		integrity_badge(c, doc_text(row, "integrity")), "requested", doc_when(c, row, "requested"), "failed",
		json_object_get(row, "failed"), "outcome", "reason", doc_reason(c, doc_text(row, "reason")));

	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
		if (strcmp(looks[i].outcome, outcome) == 0)
			json_object_set_new(out, "outcome", doc_badge(c, looks[i].label, looks[i].colour));
	return out;
}

static json_t *shown_row(struct call *c, json_t *row)
{
	return row_of(c, row);
}

/* A part of the list: those where FILTER is VALUE. */
static int set_part(struct call *c, const char *id, const char *name, const char *filter, const char *value)
{
	struct list_query q = { .limit = ROWS_SHOWN, .filters = { { "bulk", id }, { filter, value } } };
	json_t *page, *rows = json_array(), *row;
	int rc = bulk_rows(c->db, &q, &page);
	size_t i;

	if (rc == 0) {
		json_array_foreach(json_object_get(page, "rows"), i, row)
			json_array_append_new(rows, row_of(c, row));
		call_set(c, name, json_pack("{s:b, s:b}", "any", json_array_size(rows) > 0, "more", json_is_string(json_object_get(page, "next"))));
		json_object_set(json_object_get(c->doc, name), "rows", rows);
		json_decref(page);
	}
	json_decref(rows);
	return rc;
}

static int set_parts(struct call *c, const char *id, const char *state)
{
	int rc;

	if (strcmp(state, "prepared") != 0) {
		rc = set_part(c, id, "skipped", "outcome", "changed");
		rc = rc < 0 ? rc : set_part(c, id, "refused", "outcome", "refused");
		return rc < 0 ? rc : set_part(c, id, "voted", "outcome", "voted");
	}
	rc = set_part(c, id, "sure", "doubtful", "false");
	return rc < 0 ? rc : set_part(c, id, "doubtful", "doubtful", "true");
}

static json_t *bulk_member(const struct call *c, const json_t *row)
{
	static const char *const numbers[] = { "total", "doubtful", "open", "decided", "voted", "changed", "refused", "left", NULL };
	int64_t total = json_integer_value(json_object_get(row, "total")), open = json_integer_value(json_object_get(row, "open"));
	int approve = strcmp(doc_text(row, "decision"), "approve") == 0, prepared = strcmp(doc_text(row, "state"), "prepared") == 0;
	json_t *out = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:s, s:o, s:s?, s:I}", "id", doc_text(row, "id"), "decision",
		doc_text(row, "decision"), "state", doc_text(row, "state"), "approve", approve, "prepared", prepared, "running",
		strcmp(doc_text(row, "state"), "running") == 0, "done", strcmp(doc_text(row, "state"), "done") == 0, "by",
		doc_text(row, "made_by_name"), "created", doc_when(c, row, "created"), "comment",
		*doc_text(row, "comment") ? doc_text(row, "comment") : NULL, "percent", (json_int_t)(total ? 100 * (total - open) / total : 100));

	for (size_t i = 0; numbers[i]; i++)
		json_object_set(out, numbers[i], json_object_get(row, numbers[i]));
	json_set_int(out, "sure", total - json_integer_value(json_object_get(row, "doubtful")));
	json_object_set_new(out, "url", json_sprintf("/requests/bulk/%s", doc_text(row, "id")));
	return out;
}

int bulk_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), maker;
	json_t *row = NULL;
	int rc = bulk_get(c->db, &id, &row), mine;

	if (rc == 0)
		rc = set_parts(c, doc_text(row, "id"), doc_text(row, "state"));
	if (rc == 0) {
		mine = json_get_uuid(row, "made_by", &maker) == 0 && uuid_equal(&maker, &c->user);
		call_set(c, "bulk", bulk_member(c, row));
		call_set(c, "can", json_pack("{s:b}", "confirm", mine && strcmp(doc_text(row, "state"), "prepared") == 0));
		call_set(c, "live", strcmp(doc_text(row, "state"), "running") == 0 ? json_pack("{s:o, s:i}", "url",
			json_sprintf("/requests/bulk/%s", doc_text(row, "id")), "seconds", REFRESH_S) : json_null());
		call_form(c, "comment", json_string(""));
		call_form(c, "with_doubtful", json_false());
	}
	json_decref(row);
	return rc;
}

static int fetch_rows(struct call *c, const struct list_query *q, json_t **page)
{
	return bulk_rows(c->db, q, page);
}

int bulk_list_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = bulk_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	call_set(c, "bulk", bulk_member(c, row));
	json_decref(row);
	return list_answer(c, &rows_view, fetch_rows, shown_row);
}

int bulk_confirm(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	const char *comment = call_text(c, "comment");
	int rc = bulk_start(c->db, &id, call_bool(c, "with_doubtful"), *comment ? comment : NULL);
	char text[UUID_TEXT_SIZE];

	if (rc == ERR_FORBIDDEN)
		return call_refuse(c, rc, "Somebody else has made this list: make one of your own.");
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	call_redirect(c, "/requests/bulk/%s", text);
	return 0;
}
