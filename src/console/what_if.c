/* what_if.c - a policy, saved or in the making, tried on the requests of the last days (POL-7): asking for it, its progress, what it found. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "policy/document.h"
#include "store/policy.h"
#include "store/policy_draft.h"
#include "store/what_if.h"
#include "web/doc.h"
#include "web/list.h"

#define DAYS_OFFERED 30
#define LIVE_S 2

const struct route_param what_if_fields[] = {
	{ "days", "Days", PARAM_INT, PARAM_REQUIRED, 1, WHAT_IF_DAYS_MAX, NULL },
	PARAM_END
};

static const char *const filters[] = { "change", NULL };
static const char *const sorts[] = { "requested", "device", NULL };
const struct route_param what_if_query[] = {
	LIST_PARAMS_CSV,
	{ "change", "Change", PARAM_TEXT, 0, 0, 64, NULL },
	PARAM_END
};

/* Asking */

static void set_ask(struct call *c, const char *name, const char *folder, const char *id, int draft)
{
	call_set(c, "ask", json_pack("{s:s, s:b, s:i}", "name", name, "draft", draft, "most", WHAT_IF_DAYS_MAX));
	json_object_set_new(json_object_get(c->doc, "ask"), "url", json_sprintf("%s/%s/what-if", folder, id));
	json_object_set_new(json_object_get(c->doc, "ask"), "back", json_sprintf("%s/%s%s", folder, id, draft ? "/rules" : ""));
	call_form(c, "days", json_integer(DAYS_OFFERED));
}

int what_if_policy_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_get(c->db, &id, &row);

	if (rc == 0)
		set_ask(c, doc_text(row, "name"), "/policies", doc_text(row, "id"), 0);
	json_decref(row);
	return rc;
}

int what_if_draft_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_draft_get(c->db, &id, 0, &row);

	if (rc == 0)
		set_ask(c, doc_text(json_object_get(row, "document"), "name"), "/policies/drafts", doc_text(row, "id"), 1);
	json_decref(row);
	return rc;
}

static int start(struct call *c, const struct uuid *policy, const json_t *document)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id;
	int rc = what_if_start(c->db, policy, document, call_int(c, "days", DAYS_OFFERED), &id);

	if (rc == ERR_TOO_MANY)
		return call_refuse(c, ERR_CONFLICT, "Several are under way already. Wait until one of them is done, or stop one.");
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	call_set(c, "run", json_string(text));
	call_redirect(c, "/what-if/%s", text);
	return 0;
}

int what_if_policy_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_get(c->db, &id, &row);

	if (rc == 0)
		rc = start(c, &id, json_object_get(row, "document"));
	json_decref(row);
	return rc;
}

/* A draft may be wrong; what is tried must be as sound as what is saved. */
static int start_draft(struct call *c, const json_t *row)
{
	struct policy_document parsed = { .name = NULL };
	json_t *faults = json_array(), *document;
	struct uuid policy;
	int rc = document_parse(json_object_get(row, "document"), &parsed, faults);

	json_decref(faults);
	if (rc < 0)
		return call_refuse(c, rc, "The policy has faults. Its pages show them next to the fields: mend those first.");
	document = document_json(&parsed);
	document_release(&parsed);
	rc = start(c, json_get_uuid(row, "policy", &policy) == 0 ? &policy : NULL, document);
	json_decref(document);
	return rc;
}

int what_if_draft_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = policy_draft_get(c->db, &id, 0, &row);

	if (rc == 0)
		rc = start_draft(c, row);
	json_decref(row);
	return rc;
}

int what_if_stop_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = what_if_stop(c->db, &id);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "It has ended in the meantime.");
	return rc < 0 ? rc : doc_done(c, "/what-if", &id, "Stopped. What was found until then is kept.");
}

/* Progress */

static json_t *state_badge(const struct call *c, const char *state)
{
	static const struct { const char *name, *label, *colour; } looks[] = {
		{ "waiting", "Waiting", "gray" }, { "running", "Under way", "blue" }, { "done", "Done", "green" },
		{ "stopped", "Stopped", "yellow" }, { "failed", "Failed", "red" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].name, state) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return doc_badge(c, state, "gray");
}

static void set_changes(struct call *c, const json_t *row, const char *url)
{
	json_t *out = json_array(), *value;
	const char *name, *chosen = call_text(c, "change");
	json_int_t all = 0;

	json_object_foreach(json_object_get(row, "changes"), name, value) {
		const char *cut = strchr(name, '>');
		char *was = cut ? mem_printf("%.*s", (int)(cut - name), name) : mem_strdup(name);
		json_int_t count = json_integer_value(value);

		all += count;
		json_array_append_new(out, json_pack("{s:o, s:o, s:I, s:o, s:b}", "was", policy_action_badge(c, was), "would",
			policy_action_badge(c, cut ? cut + 1 : ""), "count", count, "url", json_sprintf("%s?change=%s", url, name), "active",
			strcmp(chosen, name) == 0));
		free(was);
	}
	call_set(c, "changes", json_pack("{s:I, s:b, s:o, s:s}", "count", all, "has", all > 0, "items", out, "all_url", url));
}

static void set_run(struct call *c, const json_t *row)
{
	json_int_t total = json_integer_value(json_object_get(row, "total")), done = json_integer_value(json_object_get(row, "done"));
	const char *state = doc_text(row, "state"), *error = doc_text(row, "error");
	int live = strcmp(state, "waiting") == 0 || strcmp(state, "running") == 0;
	json_t *run = json_pack("{s:s, s:s, s:O, s:o, s:o, s:I, s:I, s:O, s:I, s:s, s:o, s:o, s:b}", "id", doc_text(row, "id"), "name",
		doc_text(row, "name"), "days", json_object_get(row, "days"), "state", state_badge(c, state), "error", doc_reason(c, error),
		"total", total, "done", done, "unknown", json_object_get(row, "unknown"), "percent", total ? done * 100 / total : 0, "by",
		doc_text(row, "created_by_name"), "created", doc_when(c, row, "created"), "finished", doc_when(c, row, "finished"), "live", live);

	json_object_set_new(run, "policy", doc_link("/policies", doc_text(row, "policy"), doc_text(row, "name")));
	call_set(c, "run", run);
	call_set(c, "can", json_pack("{s:b}", "stop", live && call_may(c, PERMISSION_POLICIES_EDIT)));
	call_set(c, "live", live ? json_pack("{s:o, s:i}", "url", json_sprintf("/what-if/%s?fragment=1", doc_text(row, "id")), "seconds",
		LIVE_S) : json_null());
}

static json_t *change_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s?}", "id", doc_text(row, "id"), "requested", doc_when(c, row, "requested"),
		"was", policy_action_badge(c, doc_text(row, "was")), "would", policy_action_badge(c, doc_text(row, "would")), "reason",
		call_phrase(c, json_object_get(row, "reason")), "status", request_badge(c, doc_text(row, "status")), "by",
		json_string_value(json_object_get(row, "decided_by_name")));

	json_object_set_new(out, "url", json_sprintf("/requests/%s", doc_text(row, "id")));
	json_object_set_new(out, "device", doc_link("/devices", doc_text(row, "device"), doc_text(row, "device_name")));
	json_object_set_new(out, "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return what_if_changes(c->db, q, page);
}

static int show_list(struct call *c, const char *url)
{
	static const struct list_csv columns[] = { { "Request", "id" }, { "Device", "device" }, { "Instance", "instance" }, { "Requested", "requested" }, { "Was", "was" },
		{ "Would be", "would" }, { "Because", "reason" }, { "Key status", "status" }, { "Decided by", "by" }, { NULL, NULL } };
	const struct list_view view = { .url = url, .of = "run", .filters = filters, .sorts = sorts, .columns = columns, .file = "what-if.csv" };

	return list_answer(c, &view, fetch, change_row);
}

int what_if_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	char *url;
	int rc = what_if_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	url = mem_printf("/what-if/%s", doc_text(row, "id"));
	set_run(c, row);
	set_changes(c, row, url);
	rc = show_list(c, url);
	free(url);
	json_decref(row);
	return rc;
}
