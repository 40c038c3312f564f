/* evaluate.c - the verdict on a key request. */
#include "policy/evaluate.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"

static const char *const names[] = {
#define X(id, name, label) name,
	POLICY_ACTIONS(X)
#undef X
};
static const char *const labels[] = {
#define X(id, name, label) label,
	POLICY_ACTIONS(X)
#undef X
};

const char *policy_action_name(enum policy_action a)
{
	return names[a];
}

const char *policy_action_label(enum policy_action a)
{
	return labels[a];
}

int policy_action_parse(const char *name, enum policy_action *out)
{
	for (int i = 0; i < POLICY_ACTION_COUNT; i++) {
		if (strcmp(name, names[i]) == 0) {
			*out = (enum policy_action)i;
			return 0;
		}
	}
	return err_set(ERR_INVALID, "no such action: %s", name);
}

/* A rule of a kind that this build does not know cannot be satisfied; it is shown as what it is. */
static void add_unknown(const json_t *rule, struct verdict *out)
{
	json_t *row = json_object();
	const char *type = json_string_value(json_object_get(rule, "type"));

	json_set_string(row, "rule", type ? type : "?");
	json_set_string(row, "status", "unknown");
	json_set_string(row, "reason", "this server does not know such a rule");
	json_array_append_new(out->rules, row);
	out->failed++;
}

void policy_evaluate(const struct policy *policy, const json_t *facts, clock_us now, struct verdict *out)
{
	const json_t *rule;
	size_t i;

	(void)facts;
	*out = (struct verdict){ .rules = json_array() };
	json_array_foreach(policy->rules, i, rule)
		add_unknown(rule, out);
	if (json_array_size(policy->rules) == 0) {
		out->action = POLICY_ACTION_MANUAL;
		out->integrity = INTEGRITY_UNKNOWN;
		return;
	}
	out->integrity = out->failed ? INTEGRITY_BAD : INTEGRITY_GOOD;
	out->action = out->failed ? policy->on_mismatch : policy->on_match;
	/* "Approve" although a rule does not match is a choice for rules that say no, never for doubt. */
	if (out->failed && out->action == POLICY_ACTION_APPROVE)
		out->action = POLICY_ACTION_MANUAL;
	if (out->action == POLICY_ACTION_MANUAL_TIMEOUT)
		out->approve_at = now + policy->timeout_s * CLOCK_SECOND;
}

void verdict_release(struct verdict *v)
{
	json_decref(v->rules);
	v->rules = NULL;
}
