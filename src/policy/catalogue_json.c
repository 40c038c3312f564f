/* catalogue_json.c - the catalogue for programs and for the documentation. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "policy/catalogue.h"
#include "policy/document.h"

static json_t *texts(const char *const *list)
{
	json_t *out = json_array();

	for (; list && *list; list++)
		json_array_append_new(out, json_string(*list));
	return out;
}

static json_t *operators_of(const struct rule_type *type)
{
	size_t count;
	const struct operator_row *rows = policy_operators(&count);
	json_t *out = json_array();

	for (size_t i = 0; i < count; i++)
		if (rule_type_allows(type, &rows[i]))
			json_array_append_new(out, json_string(policy_operator_name(rows[i].op)));
	return out;
}

static json_t *type_json(const struct rule_type *t)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s, s:s, s:s, s:s}", "name", t->name, "label", t->label, "covers",
		t->covers, "group", t->group, "data", policy_data_name(t->data), "element",
		t->data == DATA_SET ? policy_data_name(t->element) : NULL, "subject", t->subject, "fact", t->fact, "source",
		fact_source_name(t->source), "source_label", fact_source_label(t->source), "help", t->help);

	json_set_string(out, "search", t->search);
	json_set_bool(out, "single", (t->flags & RULE_TYPE_SINGLE) != 0);
	json_set_bool(out, "reserved", (t->flags & RULE_TYPE_RESERVED) != 0);
	json_set_bool(out, "closed", (t->flags & RULE_TYPE_CLOSED) != 0);
	json_object_set_new(out, "subjects", texts(t->subject ? t->subjects : NULL));
	json_object_set_new(out, "choices", texts(t->choices));
	json_object_set_new(out, "operators", operators_of(t));
	json_object_set_new(out, "example", json_loads(t->example, 0, NULL));
	return out;
}

static json_t *operator_json(const struct operator_row *row)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", policy_operator_name(row->op), "label", row->label, "operand",
		policy_operand_name(row->operand), "operand_label", policy_operand_label(row->operand), "help", row->help);
}

static json_t *data_json(enum policy_data d)
{
	size_t count;
	const struct operator_row *rows = policy_operators(&count);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (rows[i].data == d)
			json_array_append_new(list, operator_json(&rows[i]));
	return json_pack("{s:s, s:s, s:o}", "name", policy_data_name(d), "label", policy_data_label(d), "operators", list);
}

json_t *catalogue_json(void)
{
	json_t *types = json_array(), *data = json_array();
	size_t count;
	const struct rule_type *rows = rule_types(&count);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(types, type_json(&rows[i]));
	for (int d = 0; d < DATA_COUNT; d++)
		if (d != DATA_PORT)
			json_array_append_new(data, data_json((enum policy_data)d));
	return json_pack("{s:o, s:o, s:{s:i, s:i, s:i, s:i, s:i, s:i}}", "types", types, "data", data, "limits", "rules", RULES_MAX,
		"depth", RULE_DEPTH_MAX, "conditions", RULE_CONDITIONS_MAX, "values", RULE_LIST_MAX, "text", RULE_TEXT_MAX, "document",
		DOCUMENT_SIZE_MAX);
}

/* Markdown */

static void describe_data(const struct rule_type *t, struct buf *out)
{
	buf_puts(out, policy_data_name(t->data));
	if (t->data == DATA_SET)
		buf_printf(out, " of %s", policy_data_name(t->element));
	if (t->subject)
		buf_printf(out, ", subject: %s", t->subject);
	if (t->flags & RULE_TYPE_SINGLE)
		buf_puts(out, ", single");
}

static void describe_type(const struct rule_type *t, struct buf *out)
{
	buf_printf(out, "| `%s` | %s | ", t->name, t->label);
	describe_data(t, out);
	buf_printf(out, " | %s | %s%s | %s |\n", fact_source_label(t->source), t->help,
		t->flags & RULE_TYPE_RESERVED ? " *Always unknown in this release.*" : "", t->covers);
}

static void describe_operators(enum policy_data d, struct buf *out)
{
	size_t count;
	const struct operator_row *rows = policy_operators(&count);

	for (size_t i = 0; i < count; i++)
		if (rows[i].data == d)
			buf_printf(out, "| %s | `%s` | %s | %s | %s |\n", policy_data_name(d), policy_operator_name(rows[i].op), rows[i].label,
				policy_operand_label(rows[i].operand), rows[i].help);
}

void catalogue_describe(struct buf *out)
{
	const char *group = "";
	size_t count;
	const struct rule_type *rows = rule_types(&count);

	buf_puts(out, "### Rule types\n\n| type | in words | data | told by | what it is | line |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++) {
		if (strcmp(group, rows[i].group) != 0)
			buf_printf(out, "| **%s** | | | | | |\n", rows[i].group);
		group = rows[i].group;
		describe_type(&rows[i], out);
	}
	buf_puts(out, "\n### Operators\n\n| data | operator | in words | value | holds when |\n|---|---|---|---|---|\n");
	for (int d = 0; d < DATA_COUNT; d++)
		describe_operators((enum policy_data)d, out);
}
