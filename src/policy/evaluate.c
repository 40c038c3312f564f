/* evaluate.c - compiled rules against facts: three answers, and what the policy makes of them. Builds no text: explain.c does. */
#include "policy/evaluate.h"

#include <string.h>

#include "base/json.h"
#include "base/word.h"
#include "policy/parts.h"

#define SKEW CLOCK_DAY           /* clocks differ; a date further ahead is no date that anything can be said of */

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
static const char *const status_names[] = {
#define X(id, name) name,
	RULE_STATUSES(X)
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
	int i = word_find(names, POLICY_ACTION_COUNT, name, "action");

	if (i < 0)
		return i;
	*out = (enum policy_action)i;
	return 0;
}

const char *rule_status_name(enum rule_status s)
{
	return status_names[s];
}

/* Kleene */

enum rule_status status_and(enum rule_status a, enum rule_status b)
{
	if (a == RULE_SKIPPED || b == RULE_SKIPPED)
		return a == RULE_SKIPPED ? b : a;
	if (a == RULE_FAILED || b == RULE_FAILED)
		return RULE_FAILED;
	return a == RULE_UNKNOWN || b == RULE_UNKNOWN ? RULE_UNKNOWN : RULE_PASSED;
}

enum rule_status status_not(enum rule_status a)
{
	return a == RULE_PASSED ? RULE_FAILED : a == RULE_FAILED ? RULE_PASSED : a;
}

enum rule_status status_or(enum rule_status a, enum rule_status b)
{
	return status_not(status_and(status_not(a), status_not(b)));
}

static enum rule_status holds(int yes)
{
	return yes ? RULE_PASSED : RULE_FAILED;
}

static enum rule_status unknown(struct moment *m, enum why why)
{
	m->why = why;
	return RULE_UNKNOWN;
}

/* Conditions */

struct moment moment_at(const struct facts *f, clock_us now)
{
	return (struct moment){ .now = now, .utc_offset_s = f->utc_offset_s, .work = EVALUATE_WORK_MAX };
}

static const json_t *absent(struct moment *m, enum why why)
{
	m->why = why;
	return NULL;
}

static int is_there(const json_t *j)
{
	return j && !json_is_null(j);
}

static const json_t *subject_detail(const struct rule_type *type, const struct condition *c, const json_t *fact)
{
	const json_t *detail = NULL;

	if (type->subject)
		return json_object_getn(fact, c->subject, c->subject_len);
	for (const char *const *name = type->subjects; *name && !is_there(detail); name++)
		detail = json_object_get(fact, *name);
	return detail;
}

const json_t *condition_value(const struct node *n, const struct condition *c, const json_t *fact, struct moment *m)
{
	const struct rule_type *type = n->type;
	const json_t *detail, *value;

	if (!is_there(fact))
		return absent(m, WHY_MISSING);
	if (type->subject == NULL && type->subjects == NULL)
		return fact;
	if (!json_is_object(fact))
		return absent(m, WHY_MALFORMED);
	detail = subject_detail(type, c, fact);
	if (!is_there(detail))
		return absent(m, WHY_NO_SUBJECT);
	value = type->member && c->op->data != DATA_SUBJECT ? json_object_get(detail, type->member) : detail;
	return is_there(value) ? value : absent(m, WHY_NO_MEMBER);
}

static int one_equals(const struct condition *c, const struct value *v, int fold)
{
	for (size_t i = 0; i < c->count; i++)
		if (v->data == DATA_STRING ? text_equal(v->text, c->values[i].text, fold) : value_fits(v, &c->values[i]))
			return 1;
	return 0;
}

static int test_string(const struct condition *c, const struct value *v, int fold)
{
	const char *operand = c->values[0].text;

	switch (c->op->base) {
	case OPERATOR_CONTAINS:
		return text_contains(v->text, operand, fold);
	case OPERATOR_STARTS_WITH:
		return text_starts(v->text, operand, fold);
	case OPERATOR_MATCHES:
		return text_matches(v->text, operand, fold);
	default:
		return one_equals(c, v, fold);
	}
}

/* Numbers and versions. */
static int test_ordered(const struct condition *c, const struct value *v)
{
	int order = c->op->base == OPERATOR_IN || c->op->base == OPERATOR_STARTS_WITH ? 0 : value_compare(v, &c->values[0]);

	switch (c->op->base) {
	case OPERATOR_LESS:
		return order < 0;
	case OPERATOR_GREATER:
		return order > 0;
	case OPERATOR_AT_LEAST:
		return order >= 0;
	case OPERATOR_AT_MOST:
		return order <= 0;
	case OPERATOR_BETWEEN:
		return order >= 0 && value_compare(v, &c->values[1]) <= 0;
	case OPERATOR_STARTS_WITH:
		return version_starts(v->text, c->values[0].text);
	default:
		return one_equals(c, v, 0);
	}
}

static enum rule_status test_age(const struct condition *c, const struct value *v, struct moment *m)
{
	clock_us age = m->now - v->number;

	if (age < -SKEW)
		return unknown(m, WHY_FUTURE);
	return holds(c->op->base == OPERATOR_NEWER_THAN ? age < c->duration : age >= c->duration);
}

static enum rule_status test_date(const struct condition *c, const struct value *v, struct moment *m)
{
	clock_us first, last, first_of_second;

	if (c->op->operand == OPERAND_DURATION)
		return test_age(c, v, m);
	if (c->op->operand == OPERAND_WINDOW)
		return holds(window_holds(&c->window, v->number, m->utc_offset_s));
	value_span(&c->values[0], m->utc_offset_s, &first, &last);
	if (c->op->base == OPERATOR_LESS)
		return holds(v->number < first);
	if (c->op->base == OPERATOR_GREATER)
		return holds(v->number > last);
	if (v->number < first)
		return RULE_FAILED;
	value_span(&c->values[1], m->utc_offset_s, &first_of_second, &last);
	return holds(v->number <= last);
}

static enum rule_status test_scalar(const struct rule_type *type, const struct condition *c, const json_t *fact, struct moment *m)
{
	struct value v;

	if (value_read(type->data, fact, &v) < 0)
		return unknown(m, WHY_MALFORMED);
	/* What is none of those that there are says nothing, least of all that it is not a certain one of them. */
	if ((type->flags & RULE_TYPE_CLOSED) && type->data == DATA_STRING && !rule_type_offers(type, v.text))
		return unknown(m, WHY_MALFORMED);
	v.plain = (type->flags & RULE_TYPE_PLAIN) != 0;
	m->work -= (long)c->count;
	switch (type->data) {
	case DATA_STRING:
		m->work -= (long)v.len / 16;
		return holds(test_string(c, &v, (type->flags & RULE_TYPE_FOLD) != 0));
	case DATA_NUMBER:
	case DATA_VERSION:
		return holds(test_ordered(c, &v));
	case DATA_DATE:
		return test_date(c, &v, m);
	default:
		if (c->op->base == OPERATOR_EQUALS)
			return holds(memcmp(&v.network, &c->values[0].network, sizeof v.network) == 0);
		if (c->op->base == OPERATOR_CONTAINS)
			return holds(network_contains(&v.network, &c->values[0].network));
		return holds(one_equals(c, &v, 0));
	}
}

static enum rule_status test_base(const struct node *n, const struct condition *c, const json_t *fact, struct moment *m)
{
	const json_t *value = condition_value(n, c, fact, m);

	if (c->op->data == DATA_SUBJECT && (value || m->why == WHY_NO_SUBJECT))
		return holds(value != NULL);
	if (value == NULL)
		return RULE_UNKNOWN;
	if (m->work < 0)
		return unknown(m, WHY_WORK);
	if (n->type->data == DATA_SET)
		return json_is_object(value) ? set_test(n->type, c, value, m) : unknown(m, WHY_MALFORMED);
	return test_scalar(n->type, c, value, m);
}

enum rule_status condition_test(const struct node *n, const struct condition *c, const json_t *fact, struct moment *m)
{
	enum rule_status s = test_base(n, c, fact, m);

	return c->op->op == c->op->base ? s : status_not(s);
}

/* Rules and groups */

const json_t *node_fact(const struct node *n, const struct facts *f)
{
	return json_object_getn(f->from[n->type->source].values, n->type->fact, n->fact_len);
}

static enum rule_status rule_test(const struct node *n, const struct facts *f, struct moment *m)
{
	enum rule_status s = RULE_SKIPPED, stop = n->any ? RULE_PASSED : RULE_FAILED;
	const json_t *fact;

	if (f->from[n->type->source].off)
		return RULE_SKIPPED;
	if (n->type->flags & RULE_TYPE_RESERVED)
		return unknown(m, WHY_RESERVED);
	fact = node_fact(n, f);
	m->sound = n->type_index < 64 && (f->sound >> n->type_index & 1);
	for (size_t i = 0; i < n->count && s != stop; i++) {
		enum rule_status one = condition_test(n, &n->conditions[i], fact, m);

		s = n->any ? status_or(s, one) : status_and(s, one);
	}
	return s;
}

enum rule_status node_test(const struct node *n, const struct facts *f, struct moment *m)
{
	enum rule_status s = RULE_SKIPPED, stop = n->kind == NODE_ANY ? RULE_PASSED : RULE_FAILED;

	if (n->fault)
		return unknown(m, WHY_FAULT);
	if (n->kind == NODE_RULE)
		return rule_test(n, f, m);
	for (size_t i = 0; i < n->count && s != stop; i++) {
		enum rule_status one = node_test(&n->nodes[i], f, m);

		s = n->kind == NODE_ANY ? status_or(s, one) : status_and(s, one);
	}
	return n->kind == NODE_NOT ? status_not(s) : s;
}

/* Verdicts */

static void count(struct verdict *v, enum rule_status s)
{
	v->passed += s == RULE_PASSED;
	v->failed += s == RULE_FAILED || s == RULE_UNKNOWN;
	v->unknown += s == RULE_UNKNOWN;
	v->skipped += s == RULE_SKIPPED;
}

static void act(const struct policy *policy, clock_us now, struct verdict *v)
{
	if (v->passed + v->failed == 0) {
		v->action = POLICY_ACTION_MANUAL;
		v->integrity = INTEGRITY_UNKNOWN;
		return;
	}
	v->integrity = v->failed ? INTEGRITY_BAD : INTEGRITY_GOOD;
	v->action = v->failed ? policy->on_mismatch : policy->on_match;
	if (v->unknown && v->action != POLICY_ACTION_DENY)
		v->action = POLICY_ACTION_MANUAL;
	if (v->action == POLICY_ACTION_MANUAL_TIMEOUT)
		v->approve_at = now + policy->timeout_s * CLOCK_SECOND;
}

void policy_decide(const struct policy *policy, const struct rules *rules, const struct facts *facts, clock_us now,
	struct verdict *out)
{
	struct moment m = moment_at(facts, now);
	struct verdict v = { .rules = NULL };

	if (rules->top.fault)
		count(&v, RULE_UNKNOWN);
	for (size_t i = 0; i < rules->top.count; i++)
		count(&v, node_test(&rules->top.nodes[i], facts, &m));
	act(policy, now, &v);
	*out = v;
}

void policy_evaluate(const struct policy *policy, const struct facts *facts, clock_us now, struct verdict *out)
{
	struct rules *rules = rules_compile(policy->rules, "rules", NULL);

	policy_decide(policy, rules, facts, now, out);
	out->rules = rules_explain(rules, facts, now);
	rules_free(rules);
}

json_t *verdict_json(const struct verdict *v)
{
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:O?}", "action", policy_action_name(v->action), "passed", v->passed, "failed",
		v->failed, "unknown", v->unknown, "informational", v->informational, "skipped", v->skipped, "rules", v->rules);
}

void verdict_release(struct verdict *v)
{
	json_decref(v->rules);
	v->rules = NULL;
}
