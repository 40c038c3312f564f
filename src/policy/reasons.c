/* reasons.c - of rules that were explained, those that keep them from matching: also within groups, each with what was there. */
#include <string.h>

#include "base/json.h"
#include "base/phrase.h"
#include "policy/evaluate.h"

struct found {
	json_t *list;
	size_t most, more;
};

static int is(const json_t *row, const char *member, const char *value)
{
	const char *text = json_string_value(json_object_get(row, member));

	return text && strcmp(text, value) == 0;
}

static int has_status(const json_t *row, enum rule_status s)
{
	return is(row, "status", rule_status_name(s));
}

/* WANTED 0: the rule stands behind a NOT, and does harm where it matches. */
static json_t *leaf_phrase(const json_t *row, int wanted)
{
	json_t *rule = json_incref(json_object_get(row, "rule"));

	if (wanted || has_status(row, RULE_UNKNOWN))
		return phrase_say("%{rule}: %{why}", "rule", rule, "why", json_incref(json_object_get(row, "reason")), NULL);
	return phrase_say("%{rule}: it is %{value}, and that is ruled out", "rule", rule, "value", json_incref(json_object_get(row, "actual")), NULL);
}

static void add(const json_t *row, int wanted, struct found *f)
{
	const json_t *rows = json_object_get(row, "rows"), *one;
	size_t i;

	if (!has_status(row, RULE_UNKNOWN) && !has_status(row, wanted ? RULE_FAILED : RULE_PASSED))
		return;
	json_array_foreach(rows, i, one)
		add(one, is(row, "join", "not") ? !wanted : wanted, f);
	if (json_is_array(rows))
		return;
	if (json_array_size(f->list) < f->most)
		json_array_append_new(f->list, leaf_phrase(row, wanted));
	else
		f->more++;
}

json_t *rules_reasons(const json_t *rows, size_t most)
{
	struct found f = { json_array(), most, 0 };
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		add(row, 1, &f);
	if (f.more)
		json_array_append_new(f.list, phrase_count("and %{n} more rule", "and %{n} more rules", (int64_t)f.more));
	return f.list;
}
