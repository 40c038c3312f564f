/* what_if_page.c - what came of a what-if run (POL-7): its progress, verdicts before and after, how each rule came out, every request; and the way back to
 * the draft that was tried. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "policy/document.h"
#include "store/policy.h"
#include "store/what_if.h"
#include "web/doc.h"
#include "web/list.h"

#define LIVE_S 2

static const char *const filters[] = { "show", NULL };
static const char *const sorts[] = { "requested", "device", NULL };
static const struct list_csv columns[] = { { "Request", "id" }, { "Device", "device" }, { "Instance", "instance" }, { "Requested", "requested" }, { "Was", "was" },
	{ "Would be", "would" }, { "Because", "reason" }, { "Key status", "status" }, { "Decided by", "by" }, { NULL, NULL } };
const struct route_param what_if_query[] = {
	LIST_PARAMS_CSV,
	{ "show", "Show", PARAM_TEXT, 0, 0, 64, NULL },
	PARAM_END
};

/* Verdicts before and after, and how many of them differ. */
struct tally {
	json_int_t was[POLICY_ACTION_COUNT], would[POLICY_ACTION_COUNT];
	json_int_t all, changed;
};

static void tally_add(struct tally *t, const char *pair, json_int_t n)
{
	const char *cut = strchr(pair, '>');
	char *first = cut ? mem_printf("%.*s", (int)(cut - pair), pair) : NULL;
	enum policy_action was, would;

	if (first && policy_action_parse(first, &was) == 0 && policy_action_parse(cut + 1, &would) == 0) {
		t->was[was] += n;
		t->would[would] += n;
		t->all += n;
		t->changed += was == would ? 0 : n;
	}
	free(first);
}

static struct tally tally_of(const json_t *verdicts)
{
	struct tally t = { .all = 0 };
	const char *pair;
	json_t *n;

	json_object_foreach((json_t *)(uintptr_t)verdicts, pair, n)
		tally_add(&t, pair, json_integer_value(n));
	return t;
}

/* Runs of before sql/0092 have kept only what differs. */
static int is_whole(const json_t *row, const struct tally *t)
{
	return t->all + json_integer_value(json_object_get(row, "unknown")) == json_integer_value(json_object_get(row, "done"));
}

/* So many keys given, waiting, denied: before and after. */
static void set_totals(struct call *c, const json_t *row, const struct tally *t)
{
	static const struct { enum policy_action action; const char *label, *icon, *colour; int always; } looks[] = {
		{ POLICY_ACTION_APPROVE, "Keys given automatically", "circle-check", "green", 1 },
		{ POLICY_ACTION_MANUAL, "Wait for a person", "hourglass", "yellow", 1 },
		{ POLICY_ACTION_MANUAL_TIMEOUT, "Wait, then given automatically", "clock", "yellow", 0 },
		{ POLICY_ACTION_DENY, "Denied", "ban", "red", 1 },
	};
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(looks) && is_whole(row, t); i++)
		if (looks[i].always || t->was[looks[i].action] || t->would[looks[i].action])
			json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "label", call_translate(c, looks[i].label), "icon", looks[i].icon,
				"colour", looks[i].colour, "was", t->was[looks[i].action], "would", t->would[looks[i].action], "same",
				t->was[looks[i].action] == t->would[looks[i].action]));
	call_set(c, "has_totals", json_boolean(json_array_size(out) && t->all));
	call_set(c, "totals", out);
}

static json_int_t rule_count(const json_t *row, const char *which, const char *status)
{
	char name[40];

	snprintf(name, sizeof name, "%s>%s", which, status);
	return json_integer_value(json_object_get(json_object_get(row, "rules"), name));
}

/* Rule by rule, on how many requests it matches. */
static void set_rules(struct call *c, const json_t *row, const struct tally *t)
{
	json_t *out = json_array(), *rule;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(row, "document"), "rules"), i, rule) {
		json_t *name = rule_label(rule), *words = rule_words(rule);
		char number[20];

		snprintf(number, sizeof number, "%zu", i);
		json_array_append_new(out, json_pack("{s:o, s:o, s:I, s:I, s:I}", "name", call_phrase(c, name), "condition", call_phrase(c, words), "passed",
			rule_count(row, number, "passed"), "failed", rule_count(row, number, "failed"), "unknown", rule_count(row, number, "unknown")));
		json_decref(name);
		json_decref(words);
	}
	call_set(c, "has_rules", json_boolean(json_array_size(out) && t->all && is_whole(row, t)));
	call_set(c, "rules", out);
}

/* What differs, by before and after. */
static void set_changes(struct call *c, const json_t *row, const struct tally *t, const char *url)
{
	json_t *out = json_array(), *value;
	const char *pair, *chosen = call_text(c, "show");

	json_object_foreach(json_object_get(row, "verdicts"), pair, value) {
		const char *cut = strchr(pair, '>');
		char *was = cut ? mem_printf("%.*s", (int)(cut - pair), pair) : mem_strdup(pair);

		if (cut && strcmp(was, cut + 1) != 0)
			json_array_append_new(out, json_pack("{s:o, s:o, s:O, s:o, s:b}", "was", policy_action_badge(c, was), "would", policy_action_badge(c, cut + 1),
				"count", value, "url", json_sprintf("%s?show=%s", url, pair), "active", strcmp(chosen, pair) == 0));
		free(was);
	}
	call_set(c, "changes", json_pack("{s:I, s:b, s:o, s:s}", "count", t->changed, "has", t->changed > 0, "items", out, "all_url", url));
}

/* What it comes to, in a sentence; null while nothing is known. */
static void set_summary(struct call *c, const json_t *row, const struct tally *t)
{
	int whole = is_whole(row, t);
	const char *state = doc_text(row, "state");
	json_t *text = t->changed ? call_counted(c, t->changed, "%{n} verdict would change.", "%{n} verdicts would change.") :
		json_string(call_translate(c, "No verdict would change."));

	/* Nobody is let through: that must not read as if all were well. */
	call_set(c, "nobody", json_boolean(whole && t->all && t->would[POLICY_ACTION_APPROVE] + t->would[POLICY_ACTION_MANUAL_TIMEOUT] == 0 &&
		rule_count(row, "all", "passed") == 0 && json_array_size(json_object_get(json_object_get(row, "document"), "rules"))));
	call_set(c, "none", json_boolean(strcmp(state, "done") == 0 && json_integer_value(json_object_get(row, "total")) == 0));
	call_set(c, "summary", t->all || t->changed ? text : json_null());
	if (t->all == 0)
		json_decref(text);
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

static void set_run(struct call *c, const json_t *row)
{
	json_int_t total = json_integer_value(json_object_get(row, "total")), done = json_integer_value(json_object_get(row, "done"));
	const char *state = doc_text(row, "state"), *error = doc_text(row, "error");
	int live = strcmp(state, "waiting") == 0 || strcmp(state, "running") == 0;
	json_t *run = json_pack("{s:s, s:s, s:O, s:O, s:o, s:o, s:I, s:I, s:O, s:I, s:s, s:o, s:o, s:b}", "id", doc_text(row, "id"), "name",
		doc_policy(c, doc_text(row, "name")), "days", json_object_get(row, "days"), "devices", json_object_get(row, "devices"), "state",
		state_badge(c, state), "error", doc_reason(c, error), "total", total, "done", done, "unknown", json_object_get(row, "unknown"), "percent", total ? done * 100 / total : 0, "by",
		doc_text(row, "created_by_name"), "created", doc_when(c, row, "created"), "finished", doc_when(c, row, "finished"), "live", live);

	call_set(c, "run", run);
	call_set(c, "can", json_pack("{s:b}", "stop", live && call_may(c, PERMISSION_POLICIES_EDIT)));
	call_set(c, "live", live ? json_pack("{s:o, s:i}", "url", json_sprintf("/what-if/%s?fragment=1", doc_text(row, "id")), "seconds",
		LIVE_S) : json_null());
}

/* The rules that decide, one by one: a run of before sql/0092 has a phrase of the first alone. */
static json_t *reasons_of(const struct call *c, const json_t *reason)
{
	const json_t *list = json_object_get(reason, "list"), *one;
	json_t *out = json_array();
	size_t i;

	if (!json_is_array(list) && reason && !json_is_null(reason))
		json_array_append_new(out, call_phrase(c, reason));
	json_array_foreach(list, i, one)
		json_array_append_new(out, call_phrase(c, one));
	return out;
}

static json_t *verdict_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s?}", "id", doc_text(row, "id"), "requested", doc_when(c, row, "requested"),
		"was", policy_action_badge(c, doc_text(row, "was")), "would", policy_action_badge(c, doc_text(row, "would")), "reason",
		call_phrase(c, json_object_get(row, "reason")), "status", request_badge(c, doc_text(row, "status")), "by",
		json_string_value(json_object_get(row, "decided_by_name")));

	json_object_set_new(out, "same", json_boolean(strcmp(doc_text(row, "was"), doc_text(row, "would")) == 0));
	json_object_set_new(out, "reasons", reasons_of(c, json_object_get(row, "reason")));
	json_object_set_new(out, "url", json_sprintf("/requests/%s", doc_text(row, "id")));
	json_object_set_new(out, "device", doc_link("/devices", doc_text(row, "device"), doc_text(row, "device_name")));
	json_object_set_new(out, "instance", doc_link("/instances", doc_text(row, "instance"), doc_text(row, "instance_name")));
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return what_if_verdicts(c->db, q, page);
}

/* The last chip is for policies that use it. */
static int show_list(struct call *c, const char *url, const struct tally *t)
{
	struct list_chip chips[] = { { "changed", "Would change" }, { "approve", "Approve" }, { "manual", "Manual Approve" }, { "deny", "Deny" },
		{ "manual-timeout", "Approve after a time" }, { NULL, NULL } };
	const struct list_view view = { .url = url, .of = "run", .filters = filters, .chip = "show", .chips = chips, .sorts = sorts, .columns = columns,
		.file = "what-if.csv" };
	json_t *counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "", t->all, "changed", t->changed, "approve", t->would[POLICY_ACTION_APPROVE], "manual",
		t->would[POLICY_ACTION_MANUAL], "deny", t->would[POLICY_ACTION_DENY], "manual-timeout", t->would[POLICY_ACTION_MANUAL_TIMEOUT]);
	int rc;

	if (t->would[POLICY_ACTION_MANUAL_TIMEOUT] == 0)
		chips[ARRAY_LEN(chips) - 2] = (struct list_chip){ NULL, NULL };
	rc = list_answer(c, &view, fetch, verdict_row);
	if (rc == 0 && json_is_object(json_object_get(c->doc, "list")))
		list_counts(c, &view, counts);
	json_decref(counts);
	return rc;
}

/* The way back */

/* Whether the draft is still as it was tried. */
static int is_as_tried(const json_t *draft, const json_t *row)
{
	struct policy_document parsed = { .name = NULL };
	json_t *faults = json_array(), *now;
	int same = document_parse(json_object_get(draft, "document"), &parsed, faults) == 0;

	json_decref(faults);
	if (!same)
		return 0;
	now = document_json(&parsed);
	same = json_equal(now, json_object_get(row, "document"));
	json_decref(now);
	document_release(&parsed);
	return same;
}

/* The draft that was tried: its author goes on with it, or saves it. Null: the policy was tried as it is saved, or the draft is somebody else's or is
 * done with. */
static int set_draft(struct call *c, const json_t *row)
{
	struct uuid id;
	json_t *draft = NULL, *out;
	int rc = *doc_text(row, "draft") && call_may(c, PERMISSION_POLICIES_EDIT) && uuid_parse(doc_text(row, "draft"), &id) == 0 ?
		policy_draft_get(c->db, &id, 0, &draft) : ERR_NOT_FOUND;

	if (rc == ERR_NOT_FOUND) {
		call_set(c, "draft", json_null());
		return 0;
	}
	if (rc < 0)
		return rc;
	out = json_pack("{s:o, s:b, s:b}", "url", json_sprintf("/policies/drafts/%s", doc_text(row, "draft")), "same", is_as_tried(draft, row), "is_new",
		json_is_null(json_object_get(draft, "policy")));
	call_set(c, "draft", out);
	json_decref(draft);
	return 0;
}

/* Where the policy is by now: a new one has its draft's number. */
static int set_policy(struct call *c, const json_t *row)
{
	const char *which = doc_text(row, *doc_text(row, "policy") ? "policy" : "draft"), *name = doc_text(row, "name");
	json_t *run = json_object_get(c->doc, "run"), *draft = json_object_get(c->doc, "draft"), *policy = NULL;
	struct uuid id;
	int rc = json_is_null(draft) && uuid_parse(which, &id) == 0 ? policy_get(c->db, &id, &policy) : ERR_NOT_FOUND;

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	json_object_set_new(run, "policy", rc == 0 ? doc_link("/policies", which, doc_policy(c, doc_text(policy, "name"))) : json_is_null(draft) ?
		json_pack("{s:s, s:s}", "name", call_translate(c, "Policies"), "url", "/policies") :
		json_pack("{s:s, s:o}", "name", *name ? name : "?", "url", json_sprintf("%s/rules", doc_text(draft, "url"))));
	json_object_set_new(json_object_get(c->doc, "can"), "edit", json_boolean(rc == 0 && call_may(c, PERMISSION_POLICIES_EDIT)));
	json_decref(policy);
	return 0;
}

int what_if_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	struct tally t;
	char *url;
	int rc = what_if_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	url = mem_printf("/what-if/%s", doc_text(row, "id"));
	t = tally_of(json_object_get(row, "verdicts"));
	set_run(c, row);
	set_totals(c, row, &t);
	set_rules(c, row, &t);
	set_changes(c, row, &t, url);
	set_summary(c, row, &t);
	rc = set_draft(c, row);
	if (rc == 0)
		rc = set_policy(c, row);
	if (rc == 0)
		rc = show_list(c, url, &t);
	free(url);
	json_decref(row);
	return rc;
}

/* Saving what was tried */

int what_if_save_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), draft;
	json_t *row = NULL;
	struct policy_edit e = { .again = 0 };
	int rc = what_if_get(c->db, &id, &row);

	if (rc == 0)
		rc = json_get_uuid(row, "draft", &draft) < 0 ? ERR_NOT_FOUND : policy_edit_take(c, &e, &draft);
	if (rc == ERR_NOT_FOUND)
		rc = call_refuse(c, ERR_CONFLICT, "This was saved or discarded already.");
	else if (rc == 0 && !is_as_tried(e.draft, row))
		rc = call_refuse(c, ERR_CONFLICT, "You have changed the policy since it was tried. Look at it again before you save it.");
	else if (rc == 0)
		rc = policy_edit_finish(c, &e, STEP_ACTIONS);
	policy_edit_release(&e);
	json_decref(row);
	return rc;
}
