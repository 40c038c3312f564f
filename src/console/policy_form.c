/* policy_form.c - rules as lines of a form, and what its buttons do to them. Values are policy_value.c's. */
#include "console/policy_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "console/policy_value.h"
#include "policy/catalogue.h"

static const char *const groups[] = { "all", "any", "not" };

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return s ? s : "";
}

static int depth_of(const json_t *line)
{
	return (int)json_integer_value(json_object_get(line, "depth"));
}

/* Rules to lines */

static void add_lines(json_t *out, const json_t *nodes, int depth, const char *at);

static json_t *new_line(const char *kind, int depth, const char *at)
{
	return json_pack("{s:s, s:i, s:s}", "kind", kind, "depth", depth, "at", at);
}

static void add_rule_line(json_t *out, const json_t *node, int depth, const char *at)
{
	json_t *line = new_line("rule", depth, at), *conditions = json_object_get(node, "conditions");

	json_set_string(line, "type", text_of(node, "type"));
	json_set_string(line, "join", strcmp(text_of(node, "join"), "any") == 0 ? "any" : "all");
	json_set_string(line, "name", text_of(node, "name"));
	json_object_set_new(line, "conditions", json_is_array(conditions) ? json_deep_copy(conditions) : json_array());
	json_array_append_new(out, line);
}

/* "not" holds one node; when that is "all of", the lines in it stand below the "not" directly. */
static void add_group_lines(json_t *out, const char *kind, const json_t *inner, int depth, const char *at)
{
	json_t *one, *all = json_object_get(inner, "all");
	char *below;

	json_array_append_new(out, new_line(kind, depth, at));
	if (strcmp(kind, "not") != 0) {
		below = mem_printf("%s/%s", at, kind);
		add_lines(out, inner, depth + 1, below);
	} else if (json_is_array(all)) {
		below = mem_printf("%s/not/all", at);
		add_lines(out, all, depth + 1, below);
	} else {
		below = mem_printf("%s/not", at);
		one = json_pack("[O]", inner);
		add_lines(out, one, depth + 1, below);
		json_decref(one);
	}
	free(below);
}

static void add_lines(json_t *out, const json_t *nodes, int depth, const char *at)
{
	json_t *node;
	size_t i;

	if (depth > POLICY_FORM_DEPTH)
		return;
	json_array_foreach(nodes, i, node) {
		/* What "not" holds has no number. */
		int numbered = strlen(at) < 4 || strcmp(at + strlen(at) - 4, "/not") != 0;
		char *place = numbered ? mem_printf("%s/%zu", at, i) : mem_strdup(at);

		if (json_object_get(node, "type"))
			add_rule_line(out, node, depth, place);
		for (size_t g = 0; g < ARRAY_LEN(groups); g++)
			if (json_object_get(node, groups[g]) && !json_object_get(node, "type"))
				add_group_lines(out, groups[g], json_object_get(node, groups[g]), depth, place);
		free(place);
	}
}

json_t *policy_form_lines(const json_t *rules)
{
	json_t *out = json_array();

	add_lines(out, rules, 0, "rules");
	return out;
}

/* Lines to rules */

static json_t *rule_of(const json_t *line)
{
	json_t *rule = json_pack("{s:s, s:O}", "type", text_of(line, "type"), "conditions", json_object_get(line, "conditions"));

	if (strcmp(text_of(line, "join"), "any") == 0)
		json_set_string(rule, "join", "any");
	if (*text_of(line, "name"))
		json_set_string(rule, "name", text_of(line, "name"));
	return rule;
}

static json_t *nodes_from(const json_t *lines, size_t *i, int depth);

static json_t *group_of(const char *kind, json_t *nodes)
{
	json_t *group = json_object();

	if (strcmp(kind, "not") != 0) {
		json_object_set_new(group, kind, nodes);
	} else if (json_array_size(nodes) == 1) {
		json_object_set(group, "not", json_array_get(nodes, 0));
		json_decref(nodes);
	} else {
		json_object_set_new(group, "not", json_pack("{s:o}", "all", nodes));
	}
	return group;
}

/* From line *I on, as long as they are not above DEPTH. */
static json_t *nodes_from(const json_t *lines, size_t *i, int depth)
{
	json_t *out = json_array(), *line;

	while ((line = json_array_get(lines, *i)) != NULL && depth_of(line) >= depth) {
		const char *kind = text_of(line, "kind");

		(*i)++;
		if (strcmp(kind, "rule") == 0)
			json_array_append_new(out, rule_of(line));
		else
			json_array_append_new(out, group_of(kind, depth < POLICY_FORM_DEPTH ? nodes_from(lines, i, depth + 1) : json_array()));
	}
	return out;
}

json_t *policy_form_rules(const json_t *lines)
{
	size_t i = 0;

	return nodes_from(lines, &i, 0);
}

/* Fields to lines */

static const char *field(const json_t *fields, const char *line, const char *name)
{
	char *full = mem_printf("%s.%s", line, name);
	const json_t *value = json_object_get(fields, full);
	const char *s = json_is_array(value) ? json_string_value(json_array_get(value, 0)) : json_string_value(value);

	free(full);
	return s ? s : "";
}

static json_t *read_conditions(const json_t *fields, const char *line, const struct rule_type *type)
{
	json_t *out = json_array();

	for (int k = 0;; k++) {
		char *at = mem_printf("%s.%d", line, k);
		int there = *field(fields, at, "operator") != '\0';

		if (there)
			json_array_append_new(out, policy_value_read(fields, at, type));
		free(at);
		if (!there)
			return out;
	}
}

static json_t *read_line(const json_t *fields, const char *at, int most)
{
	const char *kind = field(fields, at, "kind");
	int depth = atoi(field(fields, at, "depth"));
	json_t *line = new_line("rule", depth < 0 ? 0 : depth > most ? most : depth, "");

	for (size_t g = 0; g < ARRAY_LEN(groups); g++)
		if (strcmp(kind, groups[g]) == 0)
			json_set_string(line, "kind", kind);
	if (strcmp(kind, "rule") == 0) {
		json_set_string(line, "type", field(fields, at, "type"));
		json_set_string(line, "join", field(fields, at, "join"));
		json_set_string(line, "name", field(fields, at, "name"));
		json_object_set_new(line, "conditions", read_conditions(fields, at, rule_type_find(field(fields, at, "type"))));
	}
	return line;
}

json_t *policy_form_read(const json_t *fields)
{
	json_t *out = json_array();
	int most = 0;

	for (int n = 0;; n++) {
		char at[16];
		json_t *line;

		snprintf(at, sizeof at, "%d", n);
		if (*field(fields, at, "kind") == '\0')
			return out;
		line = read_line(fields, at, most);
		/* Only below a group can something be deeper. */
		most = depth_of(line) + (strcmp(text_of(line, "kind"), "rule") != 0 && depth_of(line) < POLICY_FORM_DEPTH);
		json_array_append_new(out, line);
	}
}

/* Buttons */

/* The line after the last that belongs to line N. */
static size_t end_of(const json_t *lines, size_t n)
{
	size_t i = n + 1;

	while (i < json_array_size(lines) && depth_of(json_array_get(lines, i)) > depth_of(json_array_get(lines, n)))
		i++;
	return i;
}

/* The line before N that stands beside it: same depth, same group; -1: none. */
static int before(const json_t *lines, int n)
{
	int depth = depth_of(json_array_get(lines, (size_t)n));

	for (int i = n - 1; i >= 0 && depth_of(json_array_get(lines, (size_t)i)) >= depth; i--)
		if (depth_of(json_array_get(lines, (size_t)i)) == depth)
			return i;
	return -1;
}

static int is_group(const json_t *lines, int n)
{
	return n >= 0 && strcmp(text_of(json_array_get(lines, (size_t)n), "kind"), "rule") != 0;
}

/* Lines FROM to END to where TO is now; TO is outside of them. */
static int move(json_t *lines, size_t from, size_t end, size_t to)
{
	for (size_t i = 0; i < end - from; i++) {
		size_t source = to > from ? from : from + i;
		json_t *line = json_incref(json_array_get(lines, source));

		json_array_remove(lines, source);
		json_array_insert_new(lines, to > from ? to - 1 : to + i, line);
	}
	return (int)(to > from ? to - (end - from) : to);
}

static void deepen(json_t *lines, size_t from, size_t end, int by)
{
	for (size_t i = from; i < end; i++)
		json_set_int(json_array_get(lines, i), "depth", depth_of(json_array_get(lines, i)) + by);
}

static int deepest(const json_t *lines, size_t from, size_t end)
{
	int depth = 0;

	for (size_t i = from; i < end; i++)
		if (depth_of(json_array_get(lines, i)) > depth)
			depth = depth_of(json_array_get(lines, i));
	return depth;
}

static int act_up(json_t *lines, int n)
{
	int other = before(lines, n);

	return other < 0 ? n : move(lines, (size_t)n, end_of(lines, (size_t)n), (size_t)other);
}

static int act_down(json_t *lines, int n)
{
	size_t end = end_of(lines, (size_t)n);

	if (end >= json_array_size(lines) || depth_of(json_array_get(lines, end)) != depth_of(json_array_get(lines, (size_t)n)))
		return n;
	return move(lines, (size_t)n, end, end_of(lines, end));
}

static int act_remove(json_t *lines, int n)
{
	for (size_t end = end_of(lines, (size_t)n); end > (size_t)n; end--)
		json_array_remove(lines, (size_t)n);
	return n > 0 ? n - 1 : 0;
}

/* Into the group that stands right before it. */
static int act_into(json_t *lines, int n)
{
	size_t end = end_of(lines, (size_t)n);

	if (is_group(lines, before(lines, n)) && deepest(lines, (size_t)n, end) < POLICY_FORM_DEPTH)
		deepen(lines, (size_t)n, end, 1);
	return n;
}

/* Behind the group that it is in. */
static int act_out(json_t *lines, int n)
{
	size_t end = end_of(lines, (size_t)n), parent_end;
	int parent = n - 1, depth = depth_of(json_array_get(lines, (size_t)n));

	if (depth == 0)
		return n;
	while (parent > 0 && depth_of(json_array_get(lines, (size_t)parent)) >= depth)
		parent--;
	parent_end = end_of(lines, (size_t)parent);
	deepen(lines, (size_t)n, end, -1);
	return move(lines, (size_t)n, end, parent_end);
}

static int act_wrap(json_t *lines, int n)
{
	size_t end = end_of(lines, (size_t)n);
	int depth = depth_of(json_array_get(lines, (size_t)n));

	if (deepest(lines, (size_t)n, end) < POLICY_FORM_DEPTH) {
		deepen(lines, (size_t)n, end, 1);
		json_array_insert_new(lines, (size_t)n, new_line("any", depth, ""));
	}
	return n;
}

static int act_unwrap(json_t *lines, int n)
{
	if (is_group(lines, n)) {
		deepen(lines, (size_t)n, end_of(lines, (size_t)n), -1);
		json_array_remove(lines, (size_t)n);
	}
	return n;
}

static int act_condition(json_t *lines, int n)
{
	json_t *line = json_array_get(lines, (size_t)n), *conditions = json_object_get(line, "conditions");
	const struct rule_type *type = rule_type_find(text_of(line, "type"));

	if (conditions && type)
		json_array_append_new(conditions, policy_value_first(type, json_array_get(conditions, json_array_size(conditions) - 1)));
	return n;
}

/* A new line of KIND in the group IN, or at the end; returns where it came to stand. */
static int insert(json_t *lines, int in, json_t *line)
{
	size_t at = in >= 0 ? end_of(lines, (size_t)in) : json_array_size(lines);

	if (in >= 0)
		json_set_int(line, "depth", depth_of(json_array_get(lines, (size_t)in)) + 1);
	json_array_insert_new(lines, at, line);
	return (int)at;
}

static int act_group(json_t *lines, int n)
{
	if (!is_group(lines, n) || depth_of(json_array_get(lines, (size_t)n)) >= POLICY_FORM_DEPTH - 1)
		return n;
	return insert(lines, n, new_line("any", 0, ""));
}

static const struct {
	const char *name;
	int (*act)(json_t *lines, int n);
} acts[] = {
	{ "up", act_up }, { "down", act_down }, { "remove", act_remove }, { "into", act_into }, { "out", act_out }, { "wrap", act_wrap },
	{ "unwrap", act_unwrap }, { "condition", act_condition }, { "group", act_group },
};

static int act_drop(json_t *lines, const char *which)
{
	char *end;
	long n = strtol(which, &end, 10);

	if (*end == '.' && n >= 0)
		json_array_remove(json_object_get(json_array_get(lines, (size_t)n), "conditions"), (size_t)atoi(end + 1));
	return (int)n;
}

int policy_form_act(json_t *lines, const char *go)
{
	const char *rest = strchr(go, ':');
	int n = rest ? atoi(rest + 1) : -1;

	if (rest == NULL)
		return -1;
	if (strcmp(go, "group:top") == 0)
		return insert(lines, -1, new_line("any", 0, ""));
	if (n < 0 || (size_t)n >= json_array_size(lines))
		return -1;
	if (strncmp(go, "drop:", 5) == 0)
		return act_drop(lines, rest + 1);
	for (size_t i = 0; i < ARRAY_LEN(acts); i++)
		if (strlen(acts[i].name) == (size_t)(rest - go) && strncmp(acts[i].name, go, (size_t)(rest - go)) == 0)
			return acts[i].act(lines, n);
	return -1;
}

int policy_form_add(json_t *lines, int in, const char *type)
{
	const struct rule_type *t = rule_type_find(type);
	json_t *line = new_line("rule", 0, "");

	json_set_string(line, "type", type);
	json_object_set_new(line, "conditions", t ? json_pack("[o]", policy_value_first(t, NULL)) : json_array());
	return insert(lines, is_group(lines, in) ? in : -1, line);
}
