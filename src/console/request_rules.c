/* request_rules.c - what a policy says to a key request, rule by rule (RUN-3): groups as a tree in words, what the policy does not ask
 * for as information (RUL-25). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "console/pages.h"
#include "store/request.h"
#include "web/doc.h"

#define DEPTH_SHOWN 4            /* deeper groups are not set in further */

/* As evaluator and template name them; the first is for what is neither. */
static const struct look {
	const char *status, *label, *colour, *icon;
} looks[] = {
	{ "info", "Informational", "gray", "info-circle" },
	{ "failed", "Failed", "red", "circle-x" },
	{ "unknown", "Unknown", "orange", "help-circle" },
	{ "passed", "Passed", "green", "circle-check" },
	{ "skipped", "Not evaluated", "gray", "ban" },
};

const char *const request_shows[] = { "failed", "unknown", "passed", "info", "skipped", NULL };

/* The rows in the making: how many there are of each look; SHOW: only those of this status, "" for all. */
struct rules_view {
	const char *show;
	int denies;                      /* the policy denies what does not match */
	int counts[ARRAY_LEN(looks)];
	json_t *rows;
};

static size_t look_of(const json_t *row)
{
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].status, doc_text(row, "status")) == 0)
			return i;
	return 0;
}

static const char *group_words(const char *join)
{
	return strcmp(join, "all") == 0 ? "All of these (AND)" : strcmp(join, "any") == 0 ? "At least one of these (OR)" :
		"Not the following (NOT)";
}

static int is_passed(const json_t *row)
{
	return strcmp(doc_text(row, "status"), "passed") == 0;
}

/* Of a group that holds: what of it failed or is unknown does no harm, and must not look as if it did. */
static int is_harmless(const json_t *group, const json_t *row)
{
	return group && is_passed(group) && strcmp(doc_text(group, "join"), "all") != 0 && !is_passed(row);
}

/* Why it is as it is; null where that would say once more what the actual value says. */
static json_t *reason_of(const struct call *c, const json_t *row)
{
	json_t *reason = call_phrase(c, json_object_get(row, "reason")), *same;

	same = phrase_say("it is %{value}", "value", json_incref(json_object_get(row, "actual")), NULL);
	if (json_equal(json_object_get(row, "reason"), same)) {
		json_decref(reason);
		reason = json_null();
	}
	json_decref(same);
	return reason;
}

/* One condition of several of a rule. */
static json_t *condition_rows(const struct call *c, const json_t *row)
{
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach(json_object_get(row, "conditions"), i, one) {
		const struct look *l = &looks[look_of(one)];

		json_array_append_new(out, json_pack("{s:o, s:o, s:o, s:o}", "condition", call_phrase(c, json_object_get(one, "condition")), "actual",
			call_phrase(c, json_object_get(one, "actual")), "reason", reason_of(c, one), "status",
			doc_badge(c, l->label, is_harmless(row, one) ? "gray" : l->colour)));
	}
	return out;
}

/* What to do where something is not known that a rule asks for. By fact; of those that are not here, by who would tell it. */
static const struct { const char *fact, *source, *text; } advices[] = {
	{ "instance.region", NULL, "The plug-in of the machine's provider tells it. A machine without one has no region: its devices belong into a policy that does not ask for it." },
	{ "instance.zone", NULL, "The plug-in of the machine's provider tells it. A machine without one has no zone: its devices belong into a policy that does not ask for it." },
	{ "instance.user_data", NULL, "The plug-in of the machine's provider tells it when the agent starts. A machine without one has no user data." },
	{ "os.pending_security_updates", NULL, "The agent asks apt for it. On systems with dnf, zypper or apk it cannot tell; elsewhere the count may take a while after updates were installed: then have the machine checked again." },
	{ "os.pending_updates", NULL, "The agent asks apt for it. On systems with dnf, zypper or apk it cannot tell; elsewhere the count may take a while after updates were installed: then have the machine checked again." },
	{ "os.updates_checked_at", NULL, "It is known on systems with apt or dnf that have looked for updates at least once." },
	{ "secure_boot", NULL, "A machine without UEFI does not tell it, nor one whose kernel does not show the firmware's variables." },
	{ NULL, "Deep Security", "Deep Security Manager must know this computer, and be connected." },
	{ NULL, "Server", "It is known after the machine has been heard of once more." },
	{ NULL, NULL, "What the agent has reported, and when, is on the page of its facts. On the machine keyward-agent --facts shows what it can tell." },
};

static const char *advice_of(const json_t *row)
{
	size_t i = 0;

	while ((advices[i].fact && strcmp(advices[i].fact, doc_text(row, "fact")) != 0) ||
		(advices[i].source && strcmp(advices[i].source, doc_text(row, "source")) != 0))
		i++;
	return advices[i].text;
}

/* What follows from a fact that is not known, and what to do; null for what is known, or does no harm. */
static json_t *help_of(const struct call *c, const struct rules_view *v, const json_t *row)
{
	if (strcmp(doc_text(row, "status"), "unknown") != 0 || json_is_array(json_object_get(row, "rows")))
		return json_null();
	return json_pack("{s:s, s:s}", "effect", call_translate(c, v->denies ? "What is not known never matches, and what does not match this policy denies." :
		"What is not known never matches, so the key waits for a person."), "advice", call_translate(c, advice_of(row)));
}

/* Why a group's status may differ from that of its rules; NULL: nothing to say. The caller frees. */
static char *note_of(const struct call *c, const json_t *group, const json_t *row)
{
	const json_t *rows = json_object_get(row, "rows"), *one;
	int passed = 0;
	size_t i;

	if (is_harmless(group, row))
		return mem_strdup(call_translate(c, strcmp(doc_text(group, "join"), "any") == 0 ? "Not needed: another one matches" :
			"As wanted: this must not match"));
	if (!json_is_array(rows) || strcmp(doc_text(row, "join"), "any") != 0)
		return NULL;
	json_array_foreach(rows, i, one)
		passed += is_passed(one);
	return mem_printf("%s: %d / %zu", call_translate(c, "Matching"), passed, json_array_size(rows));
}

/* HARMLESS: what this row says does not count, and it stands with what is said for information. */
static void add_row(struct call *c, struct rules_view *v, const json_t *parent, const json_t *row, int depth, int harmless)
{
	const char *join = doc_text(row, "join");
	int group = json_is_array(json_object_get(row, "rows"));
	const struct look *l = &looks[look_of(row)], *counted = harmless ? &looks[0] : l;
	char *note;
	json_t *out;

	v->counts[counted - looks] += !group;
	if (*v->show && (group || strcmp(v->show, counted->status) != 0))
		return;
	note = note_of(c, parent, row);
	out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:s, s:s?, s:o, s:o, s:i, s:b, s:s?, s:s?}", "kind", counted->status, "name",
		call_phrase(c, json_object_get(row, "rule")), "condition", call_phrase(c, json_object_get(row, "condition")), "actual",
		call_phrase(c, json_object_get(row, "actual")), "reason", reason_of(c, row), "status", doc_badge(c, group && is_passed(row) ? "Satisfied" : l->label,
		harmless ? "gray" : l->colour), "icon", l->icon, "source",
		*doc_text(row, "source") ? call_translate(c, doc_text(row, "source")) : NULL, "at", doc_when(c, row, "at"), "conditions", condition_rows(c, row), "depth",
		*v->show ? 0 : depth < DEPTH_SHOWN ? depth : DEPTH_SHOWN, "group", group, "join",
		group ? call_translate(c, group_words(join)) : NULL, "note", note);
	free(note);
	json_object_set_new(out, "help", harmless ? json_null() : help_of(c, v, row));
	json_object_set_new(out, "has_conditions", json_boolean(json_array_size(json_object_get(out, "conditions"))));
	json_array_append_new(v->rows, out);
}

/* WITHIN: of a group that does no harm, so that nothing in it does. */
static void add_rows(struct call *c, struct rules_view *v, const json_t *parent, const json_t *rows, int depth, int within)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		int harmless = is_harmless(parent, row) || (within && !is_passed(row));

		add_row(c, v, parent, row, depth, harmless);
		add_rows(c, v, row, json_object_get(row, "rows"), depth + 1, harmless);
	}
}

/* All of them are joined by AND, so their order says nothing: what does not match comes first, the rest stays as the policy has it. */
static json_t *unmatched_first(const json_t *rules)
{
	json_t *out = json_array(), *row;
	size_t i;

	for (int passed = 0; passed < 2; passed++)
		json_array_foreach(rules, i, row)
			if (is_passed(row) == passed)
				json_array_append(out, row);
	return out;
}

/* Links, not scripts: they work everywhere, and the address says what is shown. */
static json_t *chips(struct call *c, const struct rules_view *v, const char *url)
{
	json_t *out = json_array();
	int all = 0;

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		all += v->counts[i];
	json_array_append_new(out, json_pack("{s:s, s:s, s:b, s:i}", "title", call_translate(c, "All"), "url", url, "active",
		*v->show == '\0', "count", all));
	for (size_t s = 0; request_shows[s]; s++) {
		for (size_t i = 0; i < ARRAY_LEN(looks); i++)
			if (strcmp(looks[i].status, request_shows[s]) == 0 && (v->counts[i] || strcmp(request_shows[s], "skipped") != 0))
				json_array_append_new(out, json_pack("{s:s, s:o, s:b, s:i}", "title", call_translate(c, looks[i].label), "url",
					json_sprintf("%s?show=%s#rules", url, request_shows[s]), "active", strcmp(v->show, request_shows[s]) == 0,
					"count", v->counts[i]));
	}
	return out;
}

void request_set_rules(struct call *c, const struct request_case *k, const json_t *verdict)
{
	struct rules_view v = { .show = call_text(c, "show"), .denies = k->policy.on_mismatch == POLICY_ACTION_DENY, .rows = json_array() };
	json_t *info = json_array(), *counts = json_object(), *rules = unmatched_first(json_object_get(verdict, "rules"));
	char id[UUID_TEXT_SIZE], url[sizeof "/requests/" + UUID_TEXT_SIZE] = "/requests/";
	struct facts facts;

	uuid_text(&k->id, id);
	strcat(url, id);
	add_rows(c, &v, NULL, rules, 0, 0);
	if (facts_read(k->facts, &facts) == 0)
		policy_informational(&k->policy, &facts, info);
	add_rows(c, &v, NULL, info, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		json_set_int(counts, looks[i].status, v.counts[i]);
	/* Unknown is not satisfied (RUL-24): who decides counts it among those that do not match. */
	json_set_int(counts, "unmatched", v.counts[1] + v.counts[2]);
	call_set(c, "counts", counts);
	call_set(c, "has_chips", json_boolean(json_array_size(rules) + json_array_size(info)));
	call_set(c, "chips", chips(c, &v, url));
	call_set(c, "has_rules", json_boolean(json_array_size(rules)));
	call_set(c, "has_rows", json_boolean(json_array_size(v.rows)));
	call_set(c, "rules", v.rows);
	json_decref(rules);
	json_decref(info);
}
