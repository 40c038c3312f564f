/* words.c - conditions, rules and groups as phrases (base/phrase.h). */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/say.h"
#include "policy/faults.h"
#include "policy/parts.h"

#define SHOWN 12                 /* values of a list; of the others only the number */

/* A text of several words needs marks around it. */
json_t *value_words(const struct value *v)
{
	char own[VALUE_TEXT_SIZE];
	const char *text = value_text(v, own);

	if (v->data == DATA_NUMBER)
		return json_integer(v->number);
	return v->data == DATA_STRING && strpbrk(text, " ,()\"") ? json_sprintf("\"%s\"", text) : text_json(text);
}

json_t *phrase_more(json_t *list, size_t more)
{
	return more ? phrase_say("%{list} and %{n} more", "list", list, "n", json_integer((json_int_t)more), NULL) : list;
}

static json_t *list_phrase(const struct condition *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->count && i < SHOWN; i++)
		json_array_append_new(list, value_words(&c->values[i]));
	return phrase_more(list, c->count > SHOWN ? c->count - SHOWN : 0);
}

/* The value of a duration is sound: a number and a letter. */
static json_t *duration_phrase(const char *text)
{
	return phrase_units(strtol(text, NULL, 10), text[strlen(text) - 1]);
}

json_t *operand_words(const struct condition *c)
{
	switch (c->op->operand) {
	case OPERAND_PAIR:
		return phrase_say("%{first} and %{second}", "first", value_words(&c->values[0]), "second", value_words(&c->values[1]), NULL);
	case OPERAND_DURATION:
		return duration_phrase(json_string_value(json_object_get(c->canonical, "value")));
	case OPERAND_WINDOW:
		return window_phrase(&c->window);
	default:
		return c->count == 1 ? value_words(&c->values[0]) : list_phrase(c);
	}
}

/* "Version of clamav", "Package openssl". */
static json_t *label_phrase(const struct rule_type *type, const struct condition *c)
{
	if (type->subject == NULL)
		return phrase(type->label);
	if (c->op->data == DATA_SUBJECT || strcmp(type->label, type->subject) == 0)
		return phrase_say("%{kind} %{name}", "kind", phrase(type->subject), "name", json_string(c->subject), NULL);
	return phrase_say("%{what} of %{name}", "what", phrase(type->label), "name", json_string(c->subject), NULL);
}

json_t *condition_words(const struct node *n, const struct condition *c, int with_label)
{
	json_t *says = phrase(c->op->label);

	if (c->op->operand != OPERAND_NONE)
		says = phrase_say("%{is} %{value}", "is", says, "value", operand_words(c), NULL);
	return with_label || n->type->subject ? phrase_say("%{what} %{is}", "what", label_phrase(n->type, c), "is", says, NULL) : says;
}

static json_t *joined(json_t *list, int any)
{
	return json_array_size(list) == 1 ? list : phrase_list(list, any ? N_(" or ") : N_(" and "));
}

static json_t *rule_phrase(const struct node *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(list, condition_words(n, &n->conditions[i], i == 0));
	return joined(list, n->any);
}

json_t *node_words(const struct node *n)
{
	json_t *list;

	if (n->fault)
		return phrase_say("(not understood: %{why})", "why", policy_fault_phrase(n->fault), NULL);
	if (n->kind == NODE_RULE)
		return rule_phrase(n);
	list = json_array();
	for (size_t i = 0; i < n->count; i++)
		json_array_append_new(list, node_words(&n->nodes[i]));
	return phrase_say(n->kind == NODE_NOT ? N_("not (%{rules})") : N_("(%{rules})"), "rules", joined(list, n->kind == NODE_ANY), NULL);
}

json_t *node_heading(const struct node *n)
{
	static const char *const groups[] = { [NODE_ALL] = "All of", [NODE_ANY] = "One of", [NODE_NOT] = "Not" };
	const json_t *name = json_object_get(n->source, "name");

	if (json_is_string(name))
		return json_string(json_string_value(name));
	if (n->kind != NODE_RULE)
		return phrase(groups[n->kind]);
	if (n->type)
		return phrase(n->type->label);
	name = json_object_get(n->source, "type");
	return json_string(json_is_string(name) ? json_string_value(name) : "?");
}

/* What a node says by itself: its words or its heading, of one that need not be sound. */
static json_t *compiled_phrase(const json_t *node, json_t *(*say)(const struct node *n))
{
	json_t *list = json_pack("[O]", node), *out;
	struct rules *r = rules_compile(list, "rules", NULL);

	out = r->top.count ? say(&r->top.nodes[0]) : json_string("");
	rules_free(r);
	json_decref(list);
	return out;
}

json_t *rule_words(const json_t *node)
{
	return compiled_phrase(node, node_words);
}

json_t *rule_label(const json_t *node)
{
	return compiled_phrase(node, node_heading);
}
