/* document_diff.c - what differs between two policies, as phrases (POL-6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "policy/document.h"

/* How a member's value reads: a phrase, or NULL. */
typedef json_t *say(const json_t *value);

static json_t *say_text(const json_t *v)
{
	return json_is_string(v) ? json_string(json_string_value(v)) : NULL;
}

static json_t *say_switch(const json_t *v)
{
	return phrase(json_is_true(v) ? "On" : "Off");
}

static json_t *say_number(const json_t *v)
{
	return json_integer(json_integer_value(v));
}

static json_t *say_seconds(const json_t *v)
{
	return json_integer_value(v) > 0 ? phrase_span_exact(json_integer_value(v)) : NULL;
}

static json_t *say_action(const json_t *v)
{
	enum policy_action a;
	const char *name = json_string_value(v);

	return name && policy_action_parse(name, &a) == 0 ? phrase(policy_action_label(a)) : say_text(v);
}

static json_t *say_failure(const json_t *v)
{
	enum check_failure f;
	const char *name = json_string_value(v);

	return name && check_failure_parse(name, &f) == 0 ? phrase(check_failure_label(f)) : say_text(v);
}

static json_t *say_list(const json_t *v)
{
	json_t *list = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach(v, i, one)
		json_array_append_new(list, json_string(json_is_string(one) ? json_string_value(one) : "?"));
	if (json_array_size(list))
		return list;
	json_decref(list);
	return NULL;
}

static const struct {
	const char *group, *member, *label;
	say *say;
} fields[] = {
	{ NULL, "name", "Name", say_text },
	{ NULL, "description", "Description", say_text },
	{ NULL, "pooling", "Resource pooling", say_switch },
	{ "action", "on_match", "If all rules match", say_action },
	{ "action", "timeout_s", "Automatic approval after", say_seconds },
	{ "action", "on_mismatch", "If a rule does not match", say_action },
	{ "approvals", "needed", "Approvals needed", say_number },
	{ "approvals", "of", "Approvers", say_list },
	{ "approvals", "expires_s", "Approvals expire after", say_seconds },
	{ "check", "scheduled", "Scheduled integrity check", say_switch },
	{ "check", "on_failure", "If a check fails", say_failure },
	{ "check", "grace_s", "Grace period", say_seconds },
	{ NULL, "images", "Images", say_list },
	{ NULL, "devices", "Devices", say_list },
};

static void add(json_t *out, const char *at, json_t *label, json_t *old, json_t *new)
{
	json_array_append_new(out, json_pack("{s:s, s:o, s:o?, s:o?}", "at", at, "label", label, "old", old, "new", new));
}

static const json_t *member(const json_t *doc, const char *group, const char *name)
{
	return json_object_get(group ? json_object_get(doc, group) : doc, name);
}

static void compare_field(size_t i, const json_t *before, const json_t *after, json_t *out)
{
	const json_t *old = member(before, fields[i].group, fields[i].member), *new = member(after, fields[i].group, fields[i].member);
	char at[64];

	if (json_equal(old, new) || (old == NULL && new == NULL))
		return;
	snprintf(at, sizeof at, "%s%s%s", fields[i].group ? fields[i].group : "", fields[i].group ? "/" : "", fields[i].member);
	add(out, at, phrase(fields[i].label), old ? fields[i].say(old) : NULL, new ? fields[i].say(new) : NULL);
}

/* Rules */

/* The index in LIST of one that is RULE and not TAKEN yet; -1: none. SAME_TYPE: of the same rule type will do. */
static int find(const json_t *list, const uint8_t *taken, const json_t *rule, int same_type)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const json_t *type = json_object_get(one, "type");

		if (taken[i])
			continue;
		if (same_type ? type && json_equal(type, json_object_get(rule, "type")) : json_equal(one, rule))
			return (int)i;
	}
	return -1;
}

static void add_rule(json_t *out, size_t i, const json_t *old, const json_t *new)
{
	char at[32];

	snprintf(at, sizeof at, "rules/%zu", i);
	add(out, at, phrase_say("Rule: %{label}", "label", rule_label(new ? new : old), NULL), old ? rule_words(old) : NULL, new ? rule_words(new) : NULL);
}

/* Pairs what is the same, then what is of the same type: that was changed. What is left came or went. Their order means nothing. */
static void compare_rules(const json_t *before, const json_t *after, json_t *out)
{
	uint8_t *old_taken = mem_array(json_array_size(before) + 1, 1), *new_taken = mem_array(json_array_size(after) + 1, 1);
	const json_t *rule;
	size_t i;

	for (int same_type = 0; same_type < 2; same_type++) {
		json_array_foreach(after, i, rule) {
			int old = new_taken[i] ? -1 : find(before, old_taken, rule, same_type);

			if (old < 0)
				continue;
			old_taken[old] = new_taken[i] = 1;
			if (same_type)
				add_rule(out, i, json_array_get(before, (size_t)old), rule);
		}
	}
	json_array_foreach(after, i, rule)
		if (!new_taken[i])
			add_rule(out, i, NULL, rule);
	json_array_foreach(before, i, rule)
		if (!old_taken[i])
			add_rule(out, i, rule, NULL);
	free(old_taken);
	free(new_taken);
}

json_t *policy_document_diff(const json_t *before, const json_t *after)
{
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		compare_field(i, before, after, out);
	compare_rules(json_object_get(before, "rules"), json_object_get(after, "rules"), out);
	return out;
}
