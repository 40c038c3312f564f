/* explain.c - the same evaluation again, for people: what was asked, what was there, what came of it and why (RUN-3, RUL-25). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "policy/faults.h"
#include "policy/parts.h"

#define MEMBERS_SHOWN 12
#define ACTUAL_MAX 300           /* bytes of one value */
#define REASONS_SHOWN 12         /* of the conditions of one rule */

struct teller {
	const struct facts *facts;
	clock_us now;
};

/* TEXT, cut. */
static json_t *cut_text(const char *text, size_t most)
{
	char *cut = mem_printf("%.*s", (int)most, text);
	json_t *out = text_json(cut);

	free(cut);
	return out;
}

/* What is there */

static int counted(const struct rule_type *type, const json_t *detail)
{
	return type->filter == NULL || type->filter(detail) > 0;
}

/* A package's version or the process behind a port says more than the name alone. */
static json_t *member_text(const char *name, const json_t *detail)
{
	const char *more = json_is_string(detail) ? json_string_value(detail) : json_string_value(json_object_get(detail, "process"));
	char *text;
	json_t *out;

	if (more == NULL)
		more = json_string_value(json_object_get(detail, "version"));
	text = more ? mem_printf("%.80s (%.60s)", name, more) : mem_printf("%.80s", name);
	out = text_json(text);
	free(text);
	return out;
}

static json_t *members_phrase(const struct rule_type *type, const json_t *set)
{
	const char *name;
	json_t *detail, *list = json_array();
	size_t more = 0;

	json_object_foreach((json_t *)(uintptr_t)set, name, detail) {
		if (!counted(type, detail))
			continue;
		if (json_array_size(list) < MEMBERS_SHOWN)
			json_array_append_new(list, member_text(name, detail));
		else
			more++;
	}
	if (json_array_size(list))
		return phrase_more(list, more);
	json_decref(list);
	return phrase("none");
}

static json_t *actual_phrase(const struct rule_type *type, const json_t *value)
{
	struct value v;
	char *text;
	json_t *out;

	if (type->data == DATA_DATE && value_read(DATA_DATE, value, &v) == 0)
		return phrase_at(v.number);
	if (type->data == DATA_SET && json_is_object(value))
		return members_phrase(type, value);
	if (json_is_string(value))
		return cut_text(json_string_value(value), ACTUAL_MAX);
	if (json_is_integer(value))
		return json_integer(json_integer_value(value));
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	out = cut_text(text ? text : "", ACTUAL_MAX);
	free(text);
	return out;
}

static json_t *condition_actual(const struct node *n, const struct condition *c, const json_t *fact)
{
	struct moment m = { .now = 0 };
	const json_t *value = condition_value(n, c, fact, &m);

	if (value == NULL)
		return phrase(m.why == WHY_NO_SUBJECT ? N_("not there") : m.why == WHY_MALFORMED ? N_("not readable") : N_("not known"));
	if (c->op->data == DATA_SUBJECT && json_is_object(value))
		return phrase("there");
	return actual_phrase(n->type, value);
}

/* Why */

static json_t *subject_phrase(const struct node *n, const struct condition *c)
{
	return c->subject ? json_string(c->subject) : n->type->subjects ? phrase(n->type->label) : json_string(n->type->fact);
}

static json_t *unknown_phrase(const struct node *n, const struct condition *c, enum why why)
{
	static const char *const silent[FACT_SOURCES] = { [FACT_AGENT] = N_("the agent has not told %{fact}"),
		[FACT_SERVER] = N_("the server has not told %{fact}"), [FACT_DEEP_SECURITY] = "Deep Security has not told %{fact}" };
	const struct rule_type *t = n->type;

	switch (why) {
	case WHY_MISSING:
		return phrase_say(silent[t->source], "fact", json_string(t->fact), NULL);
	case WHY_NO_SUBJECT:
		return phrase_say("%{what} is not there, so it has nothing to compare", "what", subject_phrase(n, c), NULL);
	case WHY_NO_MEMBER:
		return phrase_say("%{what}: its %{part} is not known", "what", subject_phrase(n, c), "part", json_string(t->member ? t->member : "value"), NULL);
	case WHY_FUTURE:
		return phrase_say("%{fact} lies in the future", "fact", json_string(t->fact), NULL);
	case WHY_RESERVED:
		return phrase("this release cannot verify it");
	case WHY_WORK:
		return phrase("the rules compare too much");
	default:
		return phrase_say("%{fact} cannot be read as %{type}", "fact", json_string(t->fact), "type",
			t->data == DATA_SET ? phrase("a set") : json_string(policy_data_name(t->data)), NULL);
	}
}

/* The member that decided, where there is one. */
static const char *deciding_member(const struct node *n, const struct condition *c, const json_t *set)
{
	const char *found = NULL;

	if (c->op->op == OPERATOR_IN || c->op->op == OPERATOR_EQUALS)
		return set_example(n->type, c, NULL, set);
	for (size_t i = 0; c->op->op == OPERATOR_CONTAINS_NONE && i < c->count && found == NULL; i++)
		found = set_example(n->type, c, &c->values[i], set);
	return found;
}

/* NULL: nothing is lacking. */
static json_t *lacking_phrase(const struct node *n, const struct condition *c, const json_t *set)
{
	char text[VALUE_TEXT_SIZE];

	for (size_t i = 0; i < c->count; i++)
		if (set_example(n->type, c, &c->values[i], set) == NULL)
			return phrase_say("%{what} is not there", "what", cut_text(value_text(&c->values[i], text), ACTUAL_MAX), NULL);
	return NULL;
}

static json_t *set_failure(const struct node *n, const struct condition *c, const json_t *set)
{
	const char *member = deciding_member(n, c, set);

	if (member)
		return phrase_say(c->op->op == OPERATOR_CONTAINS_NONE ? N_("%{what} is there") : N_("%{what} is not one of them"), "what", cut_text(member, 80), NULL);
	if (c->op->op == OPERATOR_CONTAINS || c->op->op == OPERATOR_EQUALS)
		return lacking_phrase(n, c, set);
	return phrase(c->op->op == OPERATOR_EMPTY ? N_("something is there") : N_("none of them is there"));
}

static json_t *failure_phrase(const struct node *n, const struct condition *c, const struct teller *t)
{
	struct moment m = moment_at(t->facts, t->now);
	const json_t *value = condition_value(n, c, node_fact(n, t->facts), &m);
	struct value v;

	if (c->op->data == DATA_SUBJECT)
		return phrase_say(c->op->op == OPERATOR_PRESENT ? N_("%{what} is not there") : N_("%{what} is there"), "what", subject_phrase(n, c), NULL);
	if (n->type->data == DATA_SET)
		return set_failure(n, c, value);
	if (c->op->operand == OPERAND_DURATION && value_read(DATA_DATE, value, &v) == 0)
		return phrase_say("it was %{when}", "when", phrase_when(v.number, t->now), NULL);
	return phrase_say("it is %{value}", "value", actual_phrase(n->type, value), NULL);
}

/* Rows */

static void add_at(json_t *row, const struct facts *f, enum fact_source s)
{
	char at[CLOCK_TEXT_SIZE];

	clock_text(f->from[s].at, at);
	json_set_string(row, "source", fact_source_label(s));
	json_set_string(row, "at", f->from[s].at ? at : NULL);
}

static json_t *condition_row(const struct node *n, const struct condition *c, const struct teller *t)
{
	struct moment m = moment_at(t->facts, t->now);
	const json_t *fact = node_fact(n, t->facts);
	enum rule_status s = n->type->flags & RULE_TYPE_RESERVED ? RULE_UNKNOWN : condition_test(n, c, fact, &m);
	json_t *why = NULL;

	if (s == RULE_UNKNOWN)
		why = unknown_phrase(n, c, n->type->flags & RULE_TYPE_RESERVED ? WHY_RESERVED : m.why);
	else if (s == RULE_FAILED)
		why = failure_phrase(n, c, t);
	return json_pack("{s:s, s:o, s:o, s:o?}", "status", rule_status_name(s), "condition", condition_words(n, c, 0), "actual",
		condition_actual(n, c, fact), "reason", why);
}

static int has(const json_t *list, const json_t *what)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (json_equal(one, what))
			return 1;
	return 0;
}

/* What the conditions say, once each: those that make the rule what it is. */
static void join_reasons(json_t *row, const json_t *conditions, enum rule_status s)
{
	json_t *list = json_array(), *reason;
	const json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c) {
		reason = json_object_get(c, "reason");
		if (!json_is_null(reason) && strcmp(json_string_value(json_object_get(c, "status")), rule_status_name(s)) == 0
			&& json_array_size(list) < REASONS_SHOWN && !has(list, reason))
			json_array_append(list, reason);
	}
	if (json_array_size(list) == 1)
		json_object_set(row, "reason", json_array_get(list, 0));
	else if (json_array_size(list))
		json_object_set_new(row, "reason", phrase_list(json_incref(list), "; "));
	json_decref(list);
}

static void join_actuals(json_t *row, const struct node *n, const json_t *conditions)
{
	json_t *list = json_array(), *actual;
	const json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c) {
		if (i && n->type->subject == NULL)
			break;
		if (i >= MEMBERS_SHOWN)
			break;
		actual = json_incref(json_object_get(c, "actual"));
		if (n->type->subject && n->count > 1)
			actual = phrase_say("%{name}: %{value}", "name", json_string(n->conditions[i].subject), "value", actual, NULL);
		json_array_append_new(list, actual);
	}
	json_object_set(row, "actual", json_array_size(list) == 1 ? json_array_get(list, 0) : list);
	json_decref(list);
}

static void explain_rule(json_t *row, const struct node *n, enum rule_status s, const struct teller *t)
{
	json_t *conditions = json_array();

	json_set_string(row, "fact", n->type->fact);
	add_at(row, t->facts, n->type->source);
	json_object_set_new(row, "condition", node_words(n));
	if (s == RULE_SKIPPED) {
		json_object_set_new(row, "reason", phrase_say("%{source} is switched off", "source", phrase(fact_source_label(n->type->source)), NULL));
		json_decref(conditions);
		return;
	}
	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(conditions, condition_row(n, &n->conditions[i], t));
	join_actuals(row, n, conditions);
	if (s != RULE_PASSED)
		join_reasons(row, conditions, s);
	if (n->count > 1) {
		json_set_string(row, "join", n->any ? "any" : "all");
		json_object_set(row, "conditions", conditions);
	}
	json_decref(conditions);
}

static json_t *node_row(const struct node *n, const struct teller *t);

static void explain_group(json_t *row, const struct node *n, enum rule_status s, const struct teller *t)
{
	static const char *const joins[] = { [NODE_ALL] = "all", [NODE_ANY] = "any", [NODE_NOT] = "not" };
	static const char *const reasons[] = { [RULE_FAILED] = N_("not satisfied"), [RULE_UNKNOWN] = N_("what is in it is not known"),
		[RULE_SKIPPED] = N_("nothing in it is evaluated"), [RULE_PASSED] = NULL };
	json_t *rows = json_array();

	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(rows, node_row(&n->nodes[i], t));
	json_set_string(row, "join", joins[n->kind]);
	json_object_set_new(row, "rows", rows);
	json_object_set_new(row, "reason", reasons[s] ? phrase(reasons[s]) : json_null());
}

static json_t *node_row(const struct node *n, const struct teller *t)
{
	struct moment m = moment_at(t->facts, t->now);
	enum rule_status s = node_test(n, t->facts, &m);
	json_t *row = json_pack("{s:o, s:s?, s:s, s:s, s:n, s:n, s:n, s:n, s:n}", "rule", node_heading(n), "type", n->type ? n->type->name : NULL,
		"status", rule_status_name(s), "actual", "", "condition", "reason", "fact", "source", "at");

	if (n->fault)
		json_object_set_new(row, "reason", phrase_say("this server cannot evaluate it: %{why}", "why", policy_fault_phrase(n->fault), NULL));
	else if (n->kind == NODE_RULE)
		explain_rule(row, n, s, t);
	else
		explain_group(row, n, s, t);
	return row;
}

json_t *rules_explain(const struct rules *rules, const struct facts *facts, clock_us now)
{
	const struct teller t = { facts, now };
	json_t *rows = json_array();

	if (rules->top.fault)
		json_array_append_new(rows, node_row(&rules->top, &t));
	for (size_t i = 0; i < rules->top.count && rules->top.fault == NULL; i++)
		json_array_append_new(rows, node_row(&rules->top.nodes[i], &t));
	return rows;
}

/* Informational */

static void mark_used(const struct node *n, uint8_t *used)
{
	if (n->kind == NODE_RULE && n->type)
		used[n->type_index] = 1;
	for (size_t i = 0; i < n->count && n->kind != NODE_RULE; i++)
		mark_used(&n->nodes[i], used);
}

static void add_info(const struct rule_type *type, const struct facts *f, json_t *out)
{
	const json_t *fact = json_object_get(f->from[type->source].values, type->fact);
	json_t *row;

	/* What has a subject is told by another rule type of the same fact, or is too much to list. */
	if (fact == NULL || json_is_null(fact) || type->member || type->subject || (type->flags & RULE_TYPE_RESERVED))
		return;
	row = json_pack("{s:o, s:s, s:s, s:n, s:n, s:s, s:o}", "rule", phrase(type->label), "type", type->name, "status", "info", "condition",
		"reason", "fact", type->fact, "actual", actual_phrase(type, fact));
	add_at(row, f, type->source);
	json_array_append_new(out, row);
}

void policy_informational(const struct policy *policy, const struct facts *facts, json_t *out)
{
	struct rules *rules = rules_compile(policy->rules, "rules", NULL);
	size_t count;
	const struct rule_type *types = rule_types(&count);
	uint8_t *used = mem_array(count, 1);

	mark_used(&rules->top, used);
	for (size_t i = 0; i < count; i++)
		if (!used[i])
			add_info(&types[i], facts, out);
	free(used);
	rules_free(rules);
}
