/* explain.c - the same evaluation again, for people: what was asked, what was there, what came of it and why (RUN-3, RUL-25). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "policy/parts.h"

#define MEMBERS_SHOWN 12
#define ACTUAL_MAX 300           /* bytes of one value */

struct teller {
	const struct facts *facts;
	clock_us now;
};

/* What is there */

static int counted(const struct rule_type *type, const json_t *detail)
{
	return type->filter == NULL || type->filter(detail) > 0;
}

/* A package's version or the process behind a port says more than the name alone. */
static void add_member(const char *name, const json_t *detail, struct buf *out)
{
	const char *more = json_is_string(detail) ? json_string_value(detail) : json_string_value(json_object_get(detail, "process"));

	if (more == NULL)
		more = json_string_value(json_object_get(detail, "version"));
	buf_printf(out, more ? "%.80s (%.60s)" : "%.80s", name, more);
}

static void add_members(const struct rule_type *type, const json_t *set, struct buf *out)
{
	const char *name;
	json_t *detail;
	size_t shown = 0, more = 0;

	json_object_foreach((json_t *)(uintptr_t)set, name, detail) {
		if (!counted(type, detail))
			continue;
		if (shown == MEMBERS_SHOWN) {
			more++;
			continue;
		}
		buf_puts(out, shown++ ? ", " : "");
		add_member(name, detail, out);
	}
	if (more)
		buf_printf(out, " and %zu more", more);
	if (shown == 0)
		buf_puts(out, "none");
}

static void add_actual(const struct rule_type *type, const json_t *value, struct buf *out)
{
	char *text;

	if (type->data == DATA_SET && json_is_object(value)) {
		add_members(type, value, out);
		return;
	}
	if (json_is_string(value)) {
		buf_printf(out, "%.*s", ACTUAL_MAX, json_string_value(value));
		return;
	}
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	buf_printf(out, "%.*s", ACTUAL_MAX, text ? text : "");
	free(text);
}

static void add_condition_actual(const struct node *n, const struct condition *c, const json_t *fact, struct buf *out)
{
	struct moment m = { .now = 0 };
	const json_t *value = condition_value(n, c, fact, &m);

	if (value == NULL)
		buf_puts(out, m.why == WHY_NO_SUBJECT ? "not there" : m.why == WHY_MALFORMED ? "not readable" : "not known");
	else if (c->op->data == DATA_SUBJECT && json_is_object(value))
		buf_puts(out, "there");
	else
		add_actual(n->type, value, out);
}

/* Why */

static const char *subject_words(const struct node *n, const struct condition *c)
{
	return c->subject ? c->subject : n->type->subjects ? n->type->label : n->type->fact;
}

static void add_unknown(const struct node *n, const struct condition *c, enum why why, struct buf *out)
{
	const struct rule_type *t = n->type;

	switch (why) {
	case WHY_MISSING:
		buf_printf(out, "%s has not told %s", t->source == FACT_AGENT ? "the agent" : t->source == FACT_SERVER ? "the server"
			: "Deep Security", t->fact);
		break;
	case WHY_NO_SUBJECT:
		buf_printf(out, "%s is not there, so it has nothing to compare", subject_words(n, c));
		break;
	case WHY_NO_MEMBER:
		buf_printf(out, "%s: its %s is not known", subject_words(n, c), t->member);
		break;
	case WHY_FUTURE:
		buf_printf(out, "%s lies in the future", t->fact);
		break;
	case WHY_RESERVED:
		buf_puts(out, "this release cannot verify it");
		break;
	case WHY_WORK:
		buf_puts(out, "the rules compare too much");
		break;
	default:
		buf_printf(out, "%s cannot be read as %s", t->fact, t->data == DATA_SET ? "a set" : policy_data_name(t->data));
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

static void add_lacking(const struct node *n, const struct condition *c, const json_t *set, struct buf *out)
{
	char text[VALUE_TEXT_SIZE];

	for (size_t i = 0; i < c->count; i++) {
		if (set_example(n->type, c, &c->values[i], set) == NULL) {
			buf_printf(out, "%.*s is not there", ACTUAL_MAX, value_text(&c->values[i], text));
			return;
		}
	}
}

static void add_set_failure(const struct node *n, const struct condition *c, const json_t *set, struct buf *out)
{
	const char *member = deciding_member(n, c, set);

	if (member && c->op->op == OPERATOR_CONTAINS_NONE)
		buf_printf(out, "%.80s is there", member);
	else if (member)
		buf_printf(out, "%.80s is not one of them", member);
	else if (c->op->op == OPERATOR_CONTAINS || c->op->op == OPERATOR_EQUALS)
		add_lacking(n, c, set, out);
	else
		buf_puts(out, c->op->op == OPERATOR_EMPTY ? "something is there" : "none of them is there");
}

static void add_failure(const struct node *n, const struct condition *c, const struct teller *t, struct buf *out)
{
	struct moment m = moment_at(t->facts, t->now);
	const json_t *value = condition_value(n, c, node_fact(n, t->facts), &m);
	char relative[64];
	struct value v;

	if (c->op->data == DATA_SUBJECT) {
		buf_printf(out, "%s is %sthere", subject_words(n, c), c->op->op == OPERATOR_PRESENT ? "not " : "");
	} else if (n->type->data == DATA_SET) {
		add_set_failure(n, c, value, out);
	} else if (c->op->operand == OPERAND_DURATION && value_read(DATA_DATE, value, &v) == 0) {
		clock_relative(v.number, t->now, relative, sizeof relative);
		buf_printf(out, "it was %s", relative);
	} else {
		buf_puts(out, "it is ");
		add_actual(n->type, value, out);
	}
}

/* Rows */

static void set_buf(json_t *row, const char *name, struct buf *b)
{
	json_object_set_new(row, name, text_json(buf_str(b)));
	buf_reset(b);
}

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
	json_t *row = json_pack("{s:s, s:n}", "status", rule_status_name(s), "reason");
	struct buf text = BUF_INIT;

	condition_words(n, c, 0, &text);
	set_buf(row, "condition", &text);
	add_condition_actual(n, c, fact, &text);
	set_buf(row, "actual", &text);
	if (s == RULE_UNKNOWN)
		add_unknown(n, c, n->type->flags & RULE_TYPE_RESERVED ? WHY_RESERVED : m.why, &text);
	else if (s == RULE_FAILED)
		add_failure(n, c, t, &text);
	if (text.len)
		set_buf(row, "reason", &text);
	buf_free(&text);
	return row;
}

/* What the conditions say, once each: those that make the rule what it is. */
static void join_reasons(json_t *row, const json_t *conditions, enum rule_status s)
{
	struct buf text = BUF_INIT;
	const json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c) {
		const char *reason = json_string_value(json_object_get(c, "reason"));

		if (reason && strcmp(json_string_value(json_object_get(c, "status")), rule_status_name(s)) == 0 && text.len < 1024
			&& strstr(buf_str(&text), reason) == NULL)
			buf_printf(&text, "%s%s", text.len ? "; " : "", reason);
	}
	if (text.len)
		set_buf(row, "reason", &text);
	buf_free(&text);
}

static void join_actuals(json_t *row, const struct node *n, const json_t *conditions)
{
	struct buf text = BUF_INIT;
	const json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c) {
		if (i && n->type->subject == NULL)
			break;
		if (i >= MEMBERS_SHOWN)
			break;
		buf_puts(&text, i ? ", " : "");
		if (n->type->subject && n->count > 1)
			buf_printf(&text, "%s: ", n->conditions[i].subject);
		buf_puts(&text, json_string_value(json_object_get(c, "actual")));
	}
	set_buf(row, "actual", &text);
	buf_free(&text);
}

static void explain_rule(json_t *row, const struct node *n, enum rule_status s, const struct teller *t)
{
	json_t *conditions = json_array();

	json_set_string(row, "fact", n->type->fact);
	add_at(row, t->facts, n->type->source);
	if (s == RULE_SKIPPED) {
		json_object_set_new(row, "reason", json_sprintf("%s is switched off", fact_source_label(n->type->source)));
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
	json_t *rows = json_array();
	const char *shown[] = { [RULE_FAILED] = "not satisfied", [RULE_UNKNOWN] = "what is in it is not known",
		[RULE_SKIPPED] = "nothing in it is evaluated", [RULE_PASSED] = NULL };

	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(rows, node_row(&n->nodes[i], t));
	json_set_string(row, "join", joins[n->kind]);
	json_object_set_new(row, "rows", rows);
	json_set_string(row, "reason", shown[s]);
}

static json_t *node_row(const struct node *n, const struct teller *t)
{
	struct moment m = moment_at(t->facts, t->now);
	enum rule_status s = node_test(n, t->facts, &m);
	json_t *row = json_pack("{s:n, s:s?, s:s, s:s, s:n, s:n, s:n, s:n}", "rule", "type", n->type ? n->type->name : NULL, "status",
		rule_status_name(s), "actual", "", "reason", "fact", "source", "at");
	struct buf text = BUF_INIT;

	node_heading(n, &text);
	set_buf(row, "rule", &text);
	node_words(n, &text);
	set_buf(row, "condition", &text);
	buf_free(&text);
	if (n->fault)
		json_object_set_new(row, "reason", json_sprintf("this server cannot evaluate it: %s", n->fault));
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
	struct buf text = BUF_INIT;
	json_t *row;

	/* What has a subject is told by another rule type of the same fact, or is too much to list. */
	if (fact == NULL || json_is_null(fact) || type->member || type->subject || (type->flags & RULE_TYPE_RESERVED))
		return;
	row = json_pack("{s:s, s:s, s:s, s:n, s:n, s:s}", "rule", type->label, "type", type->name, "status", "info", "condition",
		"reason", "fact", type->fact);
	add_at(row, f, type->source);
	add_actual(type, fact, &text);
	set_buf(row, "actual", &text);
	buf_free(&text);
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
