/* rule.c - rules: JSON to compiled and back, every fault with its place. */
#include "policy/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/parts.h"

#define AT_SIZE 512              /* a place at the greatest depth is far shorter */

struct compiler {
	json_t *faults;              /* NULL: nobody wants them */
	int faulty;
	size_t nodes;                /* so far, at all depths */
	const struct rule_type *as;  /* of every rule; NULL: what it says */
};

static const struct {
	const char *name;
	enum node_kind kind;
} groups[] = { { "all", NODE_ALL }, { "any", NODE_ANY }, { "not", NODE_NOT } };

/* Faults */

static void add_fault(json_t *faults, const char *at, const char *text)
{
	if (faults && json_array_size(faults) < RULE_FAULTS_MAX)
		json_array_append_new(faults, json_pack("{s:o, s:o}", "at", text_json(at), "text", text_json(text)));
}

void rule_fault(json_t *faults, const char *at, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	add_fault(faults, at, text);
}

/* MEMBER (may be "") is put behind AT. */
static void fault(struct compiler *k, struct node *n, const char *at, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void fault(struct compiler *k, struct node *n, const char *at, const char *member, const char *fmt, ...)
{
	char text[512], place[AT_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(place, sizeof place, "%s%s%s", at, *member ? "/" : "", member);
	add_fault(k->faults, place, text);
	k->faulty = 1;
	if (n->fault == NULL)
		n->fault = mem_strdup(text);
}

/* Members other than those of NAMES (NULL-terminated) are slips of somebody's pen. */
static void check_members(struct compiler *k, struct node *n, const json_t *o, const char *at, const char *const *names)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)o, name, value) {
		const char *const *known = names;

		while (*known && strcmp(*known, name) != 0)
			known++;
		if (*known == NULL)
			fault(k, n, at, "", "no such member: %.60s", name);
	}
}

/* Operands */

static const char *one_of(const char *const *choices, struct buf *list)
{
	for (const char *const *c = choices; *c; c++)
		buf_printf(list, "%s%s", c == choices ? "" : ", ", *c);
	return buf_str(list);
}

static int check_choice(const struct rule_type *type, const struct value *v)
{
	struct buf list = BUF_INIT;
	int rc = 0;

	if (!(type->flags & RULE_TYPE_CLOSED) || v->data != DATA_STRING)
		return 0;
	if (rule_type_offers(type, v->text))
		return 0;
	rc = err_set(ERR_INVALID, "one of these is needed: %s", one_of(type->choices, &list));
	buf_free(&list);
	return rc;
}

static int check_hash(const struct rule_type *type, const struct value *v)
{
	if (!(type->flags & RULE_TYPE_SHA256) || (v->len == 64 && strspn(v->text, "0123456789abcdefABCDEF") == 64))
		return 0;
	return err_set(ERR_INVALID, "64 hexadecimal digits are needed: what sha256sum prints");
}

static int read_value(const struct rule_type *type, const struct operator_row *op, const json_t *j, struct value *out)
{
	enum policy_data data = type->data == DATA_SET ? type->element : type->data;
	int pattern = op->operand == OPERAND_PATTERN || type->data == DATA_SET, rc = operand_read(data, j, pattern, out);

	if (rc == 0 && op->operand == OPERAND_ONE && data == DATA_IP && out->network.prefix < 128)
		rc = err_set(ERR_INVALID, "one address is needed, without a slash; for networks there is \"in-range\"");
	out->plain = (type->flags & RULE_TYPE_PLAIN) != 0;
	/* An address is a network of one; "contains" asks for either. */
	if (rc == 0 && data == DATA_CIDR && op->base == OPERATOR_EQUALS && strchr(json_string_value(j), '/') == NULL)
		rc = err_set(ERR_INVALID, "a network such as 10.0.0.0/24 is needed");
	if (rc == 0)
		rc = check_choice(type, out);
	return rc < 0 ? rc : check_hash(type, out);
}

/* Reads GIVEN, a list of at least LEAST and at most MOST, into C's values. */
static void read_list(struct compiler *k, struct node *n, struct condition *c, const json_t *given, size_t least, size_t most,
	const char *at)
{
	json_t *canonical = json_array(), *one;
	char place[32];
	size_t i;

	json_object_set_new(c->canonical, "value", canonical);
	if (json_array_size(given) < least || json_array_size(given) > most) {
		if (least == most)
			fault(k, n, at, "value", "exactly %zu values are needed", least);
		else if (json_array_size(given) < least)
			fault(k, n, at, "value", "at least %zu value is needed", least);
		else
			fault(k, n, at, "value", "at most %zu values", most);
		return;
	}
	c->values = mem_array(json_array_size(given), sizeof *c->values);
	json_array_foreach(given, i, one) {
		struct value *v = &c->values[c->count];

		if (read_value(n->type, c->op, one, v) < 0) {
			snprintf(place, sizeof place, "value/%zu", i);
			fault(k, n, at, place, "%s", err_text());
			continue;
		}
		json_array_append_new(canonical, value_json(v));
		c->count++;
	}
}

static void check_pair(struct compiler *k, struct node *n, const struct condition *c, const char *at)
{
	clock_us first, last, end;

	if (c->count != 2)
		return;
	if (c->values[0].data != DATA_DATE) {
		if (value_compare(&c->values[0], &c->values[1]) > 0)
			fault(k, n, at, "value", "the first of the two has to be the smaller one");
		return;
	}
	value_span(&c->values[0], 0, &first, &last);
	value_span(&c->values[1], 0, &last, &end);
	if (first > end)
		fault(k, n, at, "value", "the first of the two has to be the earlier one");
}

static void read_one(struct compiler *k, struct node *n, struct condition *c, const json_t *given, const char *at)
{
	c->values = mem_array(1, sizeof *c->values);
	if (read_value(n->type, c->op, given, c->values) < 0) {
		fault(k, n, at, "value", "%s", err_text());
		return;
	}
	c->count = 1;
	json_object_set_new(c->canonical, "value", value_json(c->values));
}

static void read_operand(struct compiler *k, struct node *n, struct condition *c, const json_t *given, const char *at)
{
	json_t *single = json_is_array(given) ? NULL : json_pack("[O]", given ? given : json_null());
	int rc = 0;

	switch (c->op->operand) {
	case OPERAND_NONE:
		if (given && !json_is_null(given))
			fault(k, n, at, "value", "\"%s\" takes no value", policy_operator_name(c->op->op));
		break;
	case OPERAND_LIST:
		if (given == NULL)
			fault(k, n, at, "value", "a list of values is needed");
		else
			read_list(k, n, c, single ? single : given, 1, RULE_LIST_MAX, at);
		break;
	case OPERAND_PAIR:
		read_list(k, n, c, given, 2, 2, at);
		check_pair(k, n, c, at);
		break;
	case OPERAND_DURATION:
		rc = duration_read(json_string_value(given), &c->duration);
		json_object_set(c->canonical, "value", (json_t *)(uintptr_t)given);
		break;
	case OPERAND_WINDOW:
		rc = window_read(given, &c->window);
		if (rc == 0)
			json_object_set_new(c->canonical, "value", window_json(&c->window));
		break;
	default:
		read_one(k, n, c, given, at);
	}
	if (rc < 0)
		fault(k, n, at, "value", "%s", err_text());
	json_decref(single);
}

/* The texts of values from now on belong to the canonical form. */
static void settle(struct condition *c)
{
	const json_t *value = json_object_get(c->canonical, "value");

	for (size_t i = 0; i < c->count; i++) {
		const json_t *own = json_is_array(value) ? json_array_get(value, i) : value;

		c->values[i].text = json_string_value(own);
		c->values[i].len = json_string_length(own);
	}
	c->subject = json_string_value(json_object_get(c->canonical, "subject"));
	c->subject_len = c->subject ? strlen(c->subject) : 0;
}

/* Conditions */

static void read_subject(struct compiler *k, struct node *n, struct condition *c, const json_t *given, const char *at)
{
	const char *text = json_string_value(given), *why = NULL;

	if (n->type->subject == NULL) {
		if (given && !json_is_null(given))
			fault(k, n, at, "subject", "\"%s\" has no subject", n->type->name);
		return;
	}
	if (text == NULL || *text == '\0')
		fault(k, n, at, "subject", "%s: a name is needed", n->type->subject);
	else if (!text_check(text, json_string_length(given), &why))
		fault(k, n, at, "subject", "%s", why);
	else if ((n->type->flags & RULE_TYPE_PATH) && *text != '/')
		fault(k, n, at, "subject", "a path that begins with / is needed");
	else
		json_set_string(c->canonical, "subject", text);
}

static void no_operator(struct compiler *k, struct node *n, const char *name, const char *at)
{
	struct buf list = BUF_INIT;
	size_t count;
	const struct operator_row *rows = policy_operators(&count);

	for (size_t i = 0; i < count; i++)
		if (rule_type_allows(n->type, &rows[i]))
			buf_printf(&list, "%s%s", list.len ? ", " : "", policy_operator_name(rows[i].op));
	fault(k, n, at, "operator", "%s%.40s%s: one of these is needed: %s", name ? "no operator \"" : "", name ? name : "",
		name ? "\" for this rule" : "no operator", buf_str(&list));
	buf_free(&list);
}

static void compile_condition(struct compiler *k, struct node *n, struct condition *c, const json_t *j, const char *at)
{
	static const char *const members[] = { "operator", "value", "subject", NULL };
	const char *name = json_string_value(json_object_get(j, "operator"));

	c->canonical = json_object();
	if (!json_is_object(j)) {
		fault(k, n, at, "", "a condition is an object with operator and value");
		return;
	}
	check_members(k, n, j, at, members);
	read_subject(k, n, c, json_object_get(j, "subject"), at);
	c->op = rule_type_operator(n->type, name);
	if (c->op == NULL) {
		no_operator(k, n, name, at);
		return;
	}
	json_set_string(c->canonical, "operator", name);
	read_operand(k, n, c, json_object_get(j, "value"), at);
	settle(c);
}

/* Nodes */

/* SIZE_MAX for what is no row of the catalogue. */
static size_t rule_type_index(const struct rule_type *type)
{
	size_t count;
	const struct rule_type *types = rule_types(&count);

	return type >= types && type < types + count ? (size_t)(type - types) : SIZE_MAX;
}

static void compile_conditions(struct compiler *k, struct node *n, const json_t *list, const char *at)
{
	char place[AT_SIZE];
	json_t *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0) {
		fault(k, n, at, "conditions", "at least one condition is needed");
		return;
	}
	if (json_array_size(list) > RULE_CONDITIONS_MAX) {
		fault(k, n, at, "conditions", "at most %d conditions", RULE_CONDITIONS_MAX);
		return;
	}
	if ((n->type->flags & RULE_TYPE_SINGLE) && json_array_size(list) > 1)
		fault(k, n, at, "conditions", "\"%s\" takes one condition only", n->type->name);
	n->conditions = mem_array(json_array_size(list), sizeof *n->conditions);
	json_array_foreach(list, i, one) {
		snprintf(place, sizeof place, "%s/conditions/%zu", at, i);
		compile_condition(k, n, &n->conditions[n->count++], one, place);
	}
}

static void compile_name(struct compiler *k, struct node *n, const json_t *j, const char *at)
{
	const json_t *name = json_object_get(j, "name");
	const char *why = NULL;

	if (name == NULL || json_is_null(name))
		return;
	if (!json_is_string(name) || json_string_length(name) == 0 || json_string_length(name) > RULE_NAME_MAX)
		fault(k, n, at, "name", "a name has 1 to %d bytes", RULE_NAME_MAX);
	else if (!text_check(json_string_value(name), json_string_length(name), &why))
		fault(k, n, at, "name", "%s", why);
}

static void compile_rule(struct compiler *k, struct node *n, const json_t *j, const char *at)
{
	static const char *const members[] = { "type", "join", "conditions", "name", NULL };
	const json_t *join = json_object_get(j, "join"), *type = json_object_get(j, "type");

	n->kind = NODE_RULE;
	n->type = k->as ? k->as : rule_type_find(json_string_value(type));
	if (n->type == NULL) {
		fault(k, n, at, "type", json_is_string(type) ? "there is no rule type \"%.60s\"" : "a rule type is needed%.0s",
			json_is_string(type) ? json_string_value(type) : "");
		return;
	}
	n->type_index = rule_type_index(n->type);
	n->fact_len = strlen(n->type->fact);
	check_members(k, n, j, at, members);
	compile_name(k, n, j, at);
	n->any = join && json_is_string(join) && strcmp(json_string_value(join), "any") == 0;
	if (join && !json_is_null(join) && !n->any && (!json_is_string(join) || strcmp(json_string_value(join), "all") != 0))
		fault(k, n, at, "join", "\"all\" or \"any\" is needed");
	compile_conditions(k, n, json_object_get(j, "conditions"), at);
}

static void compile_node(struct compiler *k, struct node *n, const json_t *j, const char *at, int depth);

static void compile_list(struct compiler *k, struct node *n, const json_t *list, const char *at, int depth)
{
	char place[AT_SIZE];
	json_t *one;
	size_t i;

	n->nodes = mem_array(json_array_size(list) + 1, sizeof *n->nodes);
	json_array_foreach(list, i, one) {
		if (++k->nodes > RULES_MAX) {
			fault(k, n, at, "", "at most %d rules and groups", RULES_MAX);
			return;
		}
		snprintf(place, sizeof place, "%s/%zu", at, i);
		compile_node(k, &n->nodes[n->count++], one, place, depth);
	}
}

static void compile_group(struct compiler *k, struct node *n, const json_t *j, const char *at, size_t which, int depth)
{
	const char *const members[] = { groups[which].name, "name", NULL };
	const json_t *inner = json_object_get(j, groups[which].name);
	char place[AT_SIZE];

	n->kind = groups[which].kind;
	check_members(k, n, j, at, members);
	compile_name(k, n, j, at);
	snprintf(place, sizeof place, "%s/%s", at, groups[which].name);
	if (depth >= RULE_DEPTH_MAX) {
		fault(k, n, at, "", "at most %d groups within each other", RULE_DEPTH_MAX);
	} else if (n->kind == NODE_NOT) {
		n->nodes = mem_array(1, sizeof *n->nodes);
		n->count = 1;
		k->nodes++;
		compile_node(k, n->nodes, inner, place, depth + 1);
	} else if (!json_is_array(inner) || json_array_size(inner) == 0) {
		fault(k, n, at, groups[which].name, "a group needs at least one rule");
	} else {
		compile_list(k, n, inner, place, depth + 1);
	}
}

static void compile_node(struct compiler *k, struct node *n, const json_t *j, const char *at, int depth)
{
	n->source = json_incref((json_t *)(uintptr_t)(j ? j : json_null()));
	if (json_object_get(j, "type") == NULL)
		for (size_t i = 0; i < ARRAY_LEN(groups); i++)
			if (json_object_get(j, groups[i].name)) {
				compile_group(k, n, j, at, i, depth);
				return;
			}
	if (json_is_object(j))
		compile_rule(k, n, j, at);
	else
		fault(k, n, at, "", "a rule is an object with type and conditions, or a group: all, any, not");
}

static struct rules *compile(struct compiler *k, const json_t *source, const char *at)
{
	struct rules *r = mem_alloc(sizeof *r);

	r->top.kind = NODE_ALL;
	r->top.source = json_incref((json_t *)(uintptr_t)(source ? source : json_null()));
	if (json_is_array(source))
		compile_list(k, &r->top, source, at, 0);
	else if (source && !json_is_null(source))
		fault(k, &r->top, at, "", "a list of rules is needed");
	r->faulty = k->faulty;
	return r;
}

struct rules *rules_compile(const json_t *source, const char *at, json_t *faults)
{
	return compile(&(struct compiler){ .faults = faults }, source, at);
}

struct rules *rules_compile_as(const struct rule_type *type, const json_t *rule, json_t *faults)
{
	json_t *list = json_pack("[O]", rule);
	struct rules *r = compile(&(struct compiler){ .faults = faults, .as = type }, list, "rules");

	json_decref(list);
	return r;
}

static void free_node(struct node *n)
{
	for (size_t i = 0; i < n->count && n->kind == NODE_RULE; i++) {
		free(n->conditions[i].values);
		json_decref(n->conditions[i].canonical);
	}
	for (size_t i = 0; i < n->count && n->kind != NODE_RULE; i++)
		free_node(&n->nodes[i]);
	free(n->conditions);
	free(n->nodes);
	free(n->fault);
	json_decref(n->source);
}

void rules_free(struct rules *r)
{
	if (r)
		free_node(&r->top);
	free(r);
}

size_t rules_count(const struct rules *r)
{
	return r->top.count;
}

int rules_faulty(const struct rules *r)
{
	return r->faulty;
}

/* Printing */

static json_t *rule_json(const struct node *n)
{
	json_t *out = json_pack("{s:s}", "type", n->type->name), *list = json_array();

	for (size_t i = 0; i < n->count; i++)
		json_array_append(list, n->conditions[i].canonical);
	json_object_set_new(out, "conditions", list);
	if (n->any && n->count > 1)
		json_set_string(out, "join", "any");
	return out;
}

static json_t *node_json(const struct node *n);

static json_t *group_json(const struct node *n)
{
	json_t *out = json_object(), *list = json_array();

	for (size_t i = 0; i < n->count && n->kind != NODE_NOT; i++)
		json_array_append_new(list, node_json(&n->nodes[i]));
	if (n->kind == NODE_NOT) {
		json_decref(list);
		list = node_json(n->nodes);
	}
	json_object_set_new(out, groups[n->kind - NODE_ALL].name, list);
	return out;
}

static json_t *node_json(const struct node *n)
{
	const json_t *name = json_object_get(n->source, "name");
	json_t *out;

	if (n->fault)
		return json_incref(n->source);
	out = n->kind == NODE_RULE ? rule_json(n) : group_json(n);
	if (json_is_string(name))
		json_object_set(out, "name", (json_t *)(uintptr_t)name);
	return out;
}

json_t *rules_json(const struct rules *r)
{
	json_t *out = json_array();

	for (size_t i = 0; i < r->top.count; i++)
		json_array_append_new(out, node_json(&r->top.nodes[i]));
	return out;
}
