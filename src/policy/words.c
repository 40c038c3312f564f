/* words.c - conditions, rules and groups in words. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/parts.h"

#define SHOWN 12                 /* values of a list; of the others only the number */

/* A text of several words needs marks around it. */
static void add_value(const struct value *v, struct buf *out)
{
	char own[VALUE_TEXT_SIZE];
	const char *text = value_text(v, own);
	int marks = v->data == DATA_STRING && strpbrk(text, " ,()\"");

	buf_printf(out, marks ? "\"%s\"" : "%s", text);
}

static void add_list(const struct condition *c, struct buf *out)
{
	for (size_t i = 0; i < c->count && i < SHOWN; i++) {
		buf_puts(out, i ? ", " : "");
		add_value(&c->values[i], out);
	}
	if (c->count > SHOWN)
		buf_printf(out, " and %zu more", c->count - SHOWN);
}

static void add_duration(const char *text, struct buf *out)
{
	static const struct { char unit; const char *name; } units[] = { { 'w', "week" }, { 'd', "day" }, { 'h', "hour" },
		{ 'm', "minute" }, { 's', "second" } };
	long n = strtol(text, NULL, 10);

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (text[strlen(text) - 1] == units[i].unit)
			buf_printf(out, "%ld %s%s", n, units[i].name, n == 1 ? "" : "s");
}

static void add_operand(const struct condition *c, struct buf *out)
{
	if (c->op->operand != OPERAND_NONE)
		buf_putc(out, ' ');
	switch (c->op->operand) {
	case OPERAND_PAIR:
		add_value(&c->values[0], out);
		buf_puts(out, " and ");
		add_value(&c->values[1], out);
		break;
	case OPERAND_DURATION:
		add_duration(json_string_value(json_object_get(c->canonical, "value")), out);
		break;
	case OPERAND_WINDOW:
		window_words(&c->window, out);
		break;
	default:
		add_list(c, out);
	}
}

static void add_label(const struct rule_type *type, const struct condition *c, struct buf *out)
{
	if (type->subject == NULL)
		buf_puts(out, type->label);
	else if (c->op->data == DATA_SUBJECT || strcmp(type->label, type->subject) == 0)
		buf_printf(out, "%s %s", type->subject, c->subject);
	else
		buf_printf(out, "%s of %s", type->label, c->subject);
	buf_putc(out, ' ');
}

void condition_words(const struct node *n, const struct condition *c, int with_label, struct buf *out)
{
	if (with_label || n->type->subject)
		add_label(n->type, c, out);
	buf_puts(out, c->op->label);
	add_operand(c, out);
}

static void add_rule(const struct node *n, struct buf *out)
{
	for (size_t i = 0; i < n->count; i++) {
		if (i)
			buf_puts(out, n->any ? " or " : " and ");
		condition_words(n, &n->conditions[i], i == 0, out);
	}
}

void node_words(const struct node *n, struct buf *out)
{
	if (n->fault) {
		buf_printf(out, "(not understood: %s)", n->fault);
		return;
	}
	if (n->kind == NODE_RULE) {
		add_rule(n, out);
		return;
	}
	buf_puts(out, n->kind == NODE_NOT ? "not (" : "(");
	for (size_t i = 0; i < n->count; i++) {
		if (i)
			buf_puts(out, n->kind == NODE_ANY ? " or " : " and ");
		node_words(&n->nodes[i], out);
	}
	buf_putc(out, ')');
}

/* What a node says by itself: WORDS or a label, of one that need not be sound. */
static char *compiled_text(const json_t *node, void (*add)(const struct node *n, struct buf *out))
{
	json_t *list = json_pack("[O]", node);
	struct rules *r = rules_compile(list, "rules", NULL);
	struct buf out = BUF_INIT;

	if (r->top.count)
		add(&r->top.nodes[0], &out);
	rules_free(r);
	json_decref(list);
	buf_puts(&out, "");
	return buf_take(&out);
}

void node_heading(const struct node *n, struct buf *out)
{
	static const char *const groups[] = { [NODE_ALL] = "All of", [NODE_ANY] = "One of", [NODE_NOT] = "Not" };
	const char *name = json_string_value(json_object_get(n->source, "name"));

	if (name == NULL && n->kind == NODE_RULE)
		name = n->type ? n->type->label : json_string_value(json_object_get(n->source, "type"));
	else if (name == NULL)
		name = groups[n->kind];
	buf_puts(out, name ? name : "?");
}

char *rule_text(const json_t *node)
{
	return compiled_text(node, node_words);
}

char *rule_label(const json_t *node)
{
	return compiled_text(node, node_heading);
}
