/* policy_rules.c - the rules of a policy as a form, the choice of a rule type, and the same as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "console/pages.h"
#include "console/policy_edit.h"
#include "console/policy_form.h"
#include "console/policy_value.h"
#include "policy/catalogue.h"
#include "policy/document.h"
#include "store/facts.h"
#include "web/doc.h"

#define JSON_TEXT_MOST (4 * DOCUMENT_SIZE_MAX)       /* white space included */

const struct route_param policy_rules_query[] = {
	POLICY_PAGE_PARAMS,
	{ "line", "Line", PARAM_INT, 0, 0, RULES_MAX * 2, NULL },
	PARAM_END
};
const struct route_param policy_rules_fields[] = {
	POLICY_FORM_PARAMS,
	{ "r", "Rules", PARAM_FIELDS, 0, 0, 0, NULL },
	PARAM_END
};
const struct route_param policy_types_query[] = {
	{ "in", "Group", PARAM_INT, 0, 0, RULES_MAX * 2, NULL },
	{ "search", "Search", PARAM_TEXT, 0, 0, 100, NULL },
	PARAM_END
};
const struct route_param policy_types_fields[] = {
	{ "in", "Group", PARAM_INT, 0, 0, RULES_MAX * 2, NULL },
	{ "type", "Rule type", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "policy", "Policy", PARAM_UUID, 0, 0, 0, NULL },
	PARAM_END
};
const struct route_param policy_json_fields[] = {
	POLICY_FORM_PARAMS,
	{ "json", "Policy", PARAM_JSON, PARAM_REQUIRED, 0, JSON_TEXT_MOST, NULL },
	PARAM_END
};

/* Drawing */

static json_t *option(const char *value, const char *text, int selected)
{
	return json_pack("{s:s, s:s, s:b}", "value", value, "text", text, "selected", selected);
}

/* The first fault at AT itself, or with DEEP also of what is in it; null where there is none. */
static json_t *fault_at(const struct call *c, const struct policy_edit *e, const char *at, int deep)
{
	size_t len = strlen(at), i;
	json_t *fault, *out = NULL;

	json_array_foreach(e->faults, i, fault) {
		const char *where = doc_text(fault, "at");
		char *sentence;

		if (out || strncmp(where, at, len) != 0 || (where[len] != '\0' && !(deep && where[len] == '/')))
			continue;
		sentence = policy_fault_text(c, doc_text(fault, "text"));
		out = json_string(sentence);
		free(sentence);
	}
	return out ? out : json_null();
}

/* The same for the member of that name, and what is in it. */
static json_t *fault_in(const struct call *c, const struct policy_edit *e, const char *at, const char *member)
{
	char *place = mem_printf("%s/%s", at, member);
	json_t *out = fault_at(c, e, place, 1);

	free(place);
	return out;
}

/* A fault of a line that is none of its conditions'. */
static json_t *line_fault(const struct call *c, const struct policy_edit *e, const json_t *line)
{
	static const char *const members[] = { "", "/type", "/join", "/name", "/conditions", "/all", "/any", "/not", "/not/all" };
	json_t *out = json_null();

	for (size_t i = 0; i < ARRAY_LEN(members) && json_is_null(out); i++) {
		char *place = mem_printf("%s%s", doc_text(line, "at"), members[i]);

		out = fault_at(c, e, place, 0);
		free(place);
	}
	return out;
}

static json_t *operator_options(const struct call *c, const struct rule_type *type, const struct operator_row *chosen)
{
	const struct operator_row *rows;
	json_t *out = json_array();
	size_t count;

	rows = policy_operators(&count);
	for (size_t i = 0; i < count; i++)
		if (rule_type_allows(type, &rows[i]))
			json_array_append_new(out, option(policy_operator_name(rows[i].op), call_translate(c, rows[i].label), &rows[i] == chosen));
	return out;
}

static json_t *unit_options(const struct call *c, const char *chosen)
{
	static const struct { const char *value, *text; } units[] = { { "m", N_("minutes") }, { "h", N_("hours") }, { "d", N_("days") },
		{ "w", N_("weeks") }, { "s", N_("seconds") } };
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		json_array_append_new(out, option(units[i].value, call_translate(c, units[i].text), strcmp(units[i].value, chosen) == 0));
	return out;
}

static json_t *day_options(const struct call *c, const json_t *days)
{
	static const struct { const char *value, *text; } week[] = { { "mon", "Mon" }, { "tue", "Tue" }, { "wed", "Wed" }, { "thu", "Thu" },
		{ "fri", "Fri" }, { "sat", "Sat" }, { "sun", "Sun" } };
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(week); i++)
		json_array_append_new(out, option(week[i].value, call_translate(c, week[i].text), json_object_get(days, week[i].value) != NULL));
	return out;
}

/* What is known of the type's values, each ticked when it is among PICKS; SKIP_OTHERS: those of a closed list only. */
static json_t *pick_options(const struct rule_type *type, const json_t *picks)
{
	json_t *out = json_array();

	for (const char *const *choice = type->choices; choice && *choice; choice++)
		json_array_append_new(out, option(*choice, *choice, json_has_string(picks, *choice)));
	return out;
}

static json_t *texts_json(const char *const *texts)
{
	json_t *out = json_array();

	for (; texts && *texts; texts++)
		json_array_append_new(out, json_string(*texts));
	return out;
}

/* Which inputs the operand has: at most one of these is true. */
static void set_shape(json_t *out, const struct rule_type *type, const struct operator_row *op, const char *value)
{
	enum policy_operand operand = op ? op->operand : OPERAND_ONE;
	int choices = type->choices != NULL, one = operand == OPERAND_ONE, known = !*value;

	for (const char *const *choice = type->choices; choice && *choice; choice++)
		known |= strcmp(*choice, value) == 0;
	json_set_bool(out, "is_select", one && choices && type->flags & RULE_TYPE_CLOSED && known);
	json_set_bool(out, "is_text", (one && !(choices && type->flags & RULE_TYPE_CLOSED && known)) || operand == OPERAND_PATTERN ||
		operand == OPERAND_RANGE);
	json_set_bool(out, "is_list", operand == OPERAND_LIST);
	json_set_bool(out, "is_pair", operand == OPERAND_PAIR);
	json_set_bool(out, "is_duration", operand == OPERAND_DURATION);
	json_set_bool(out, "is_window", operand == OPERAND_WINDOW);
	json_set_bool(out, "has_picks", operand == OPERAND_LIST && choices);
	json_set_bool(out, "is_closed", choices && type->flags & RULE_TYPE_CLOSED);
	/* A date's own input cannot hold a moment ("2026-11-21T09:30:00Z"): then it is text. */
	json_set_string(out, "input", type->data == DATA_DATE && (*value == '\0' || strlen(value) == 10) ? "date" : "text");
}

static const char *placeholder_of(const struct rule_type *type, const struct operator_row *op)
{
	if (op && op->operand == OPERAND_RANGE)
		return "10.0.0.0/8";
	if (op && op->operand == OPERAND_PATTERN)
		return "*";
	switch (type->data == DATA_SET ? type->element : type->data) {
	case DATA_PORT:
		return "tcp/22";
	case DATA_IP:
		return "10.0.0.0/8";
	case DATA_CIDR:
		return "10.0.0.0/24";
	case DATA_VERSION:
		return "1.2.3";
	case DATA_DATE:
		return "2026-11-21";
	default:
		return "";
	}
}

static json_t *condition_member(struct call *c, const struct policy_edit *e, const struct rule_type *type, const json_t *line, size_t n,
	size_t k)
{
	const json_t *conditions = json_object_get(line, "conditions"), *condition = json_array_get(conditions, k);
	const struct operator_row *op = rule_type_operator(type, doc_text(condition, "operator"));
	char *at = mem_printf("%s/conditions/%zu", doc_text(line, "at"), k);
	json_t *out = policy_value_show(type, op, condition);
	const char *value = doc_text(out, "value");

	json_object_set_new(out, "key", json_sprintf("r.%zu.%zu", n, k));
	json_object_set_new(out, "id", json_sprintf("r-%zu-%zu", n, k));
	json_object_set_new(out, "number", json_sprintf("%zu.%zu", n, k));
	json_set_bool(out, "more", k > 0);
	json_set_bool(out, "can_drop", json_array_size(conditions) > 1);
	json_object_set_new(out, "operators", operator_options(c, type, op));
	json_set_string(out, "operator_help", op ? call_translate(c, op->help) : "");
	json_set_string(out, "subject_label", type->subject ? call_translate(c, type->subject) : "");
	json_set_string(out, "subject", doc_text(condition, "subject"));
	json_set_bool(out, "has_subject", type->subject != NULL);
	json_object_set_new(out, "subjects", texts_json(type->subject ? type->subjects : NULL));
	set_shape(out, type, op, value);
	json_object_set_new(out, "choices", pick_options(type, json_is_true(json_object_get(out, "is_list")) ? json_object_get(out, "picks") :
		NULL));
	if (json_is_true(json_object_get(out, "is_select"))) {
		json_t *one = json_pack("[s]", value);

		json_object_set_new(out, "choices", pick_options(type, one));
		json_decref(one);
	}
	json_object_set_new(out, "units", unit_options(c, doc_text(out, "unit")));
	json_object_set_new(out, "weekdays", day_options(c, json_object_get(out, "days")));
	json_set_string(out, "placeholder", placeholder_of(type, op));
	json_object_set_new(out, "error_operator", fault_in(c, e, at, "operator"));
	json_object_set_new(out, "error_subject", fault_in(c, e, at, "subject"));
	json_object_set_new(out, "error_value", fault_in(c, e, at, "value"));
	json_object_set_new(out, "error", fault_at(c, e, at, 1));
	free(at);
	return out;
}

static void set_rule(struct call *c, const struct policy_edit *e, const json_t *line, size_t n, json_t *out)
{
	const struct rule_type *type = rule_type_find(doc_text(line, "type"));
	json_t *conditions = json_array(), *all = json_object_get(line, "conditions"), *joins = json_array();
	int any = strcmp(doc_text(line, "join"), "any") == 0;

	for (size_t k = 0; type && k < json_array_size(all); k++)
		json_array_append_new(conditions, condition_member(c, e, type, line, n, k));
	json_array_append_new(joins, option("all", call_translate(c, "all of these"), !any));
	json_array_append_new(joins, option("any", call_translate(c, "at least one of these"), any));
	json_set_string(out, "type", doc_text(line, "type"));
	json_set_string(out, "label", type ? call_translate(c, type->label) : doc_text(line, "type"));
	json_set_string(out, "help", type ? call_translate(c, type->help) : "");
	json_set_string(out, "join_word", call_translate(c, any ? "or" : "and"));
	json_set_bool(out, "known", type != NULL);
	json_set_bool(out, "reserved", type && type->flags & RULE_TYPE_RESERVED);
	json_set_bool(out, "can_add", type && !(type->flags & RULE_TYPE_SINGLE) && json_array_size(all) < RULE_CONDITIONS_MAX);
	json_set_bool(out, "has_join", type && json_array_size(all) > 1);
	json_object_set_new(out, "joins", joins);
	json_object_set_new(out, "conditions", conditions);
}

static void set_group(struct call *c, const json_t *line, json_t *out)
{
	static const struct { const char *value, *text; } kinds[] = { { "all", "All of these hold (AND)" },
		{ "any", "At least one of these holds (OR)" }, { "not", "These do not hold (NOT)" } };
	json_t *options = json_array();

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		json_array_append_new(options, option(kinds[i].value, call_translate(c, kinds[i].text),
			strcmp(kinds[i].value, doc_text(line, "kind")) == 0));
	json_object_set_new(out, "kinds", options);
	json_set_bool(out, "can_nest", json_integer_value(json_object_get(line, "depth")) < POLICY_FORM_DEPTH - 1);
}

/* A rule in words, for its card; null as long as it is not sound: then the fields say why. */
static json_t *words_of(const struct call *c, const json_t *line)
{
	json_t *one = json_pack("[O]", line), *rules = policy_form_rules(one), *out;
	struct rules *compiled = rules_compile(rules, "", NULL);
	json_t *words = rules_faulty(compiled) ? NULL : rule_words(json_array_get(rules, 0));

	out = call_phrase(c, words);
	json_decref(words);
	rules_free(compiled);
	json_decref(rules);
	json_decref(one);
	return out;
}

static json_t *line_member(struct call *c, const struct policy_edit *e, const json_t *lines, size_t n)
{
	const json_t *line = json_array_get(lines, n), *before = n ? json_array_get(lines, n - 1) : NULL;
	int is_rule = strcmp(doc_text(line, "kind"), "rule") == 0;
	json_int_t depth = json_integer_value(json_object_get(line, "depth"));
	json_t *out = json_pack("{s:i, s:i, s:O, s:O, s:b, s:b, s:b, s:b, s:s}", "n", (int)n, "number", (int)n + 1, "kind",
		json_object_get(line, "kind"), "depth", json_object_get(line, "depth"), "is_rule", is_rule, "is_group", !is_rule, "can_out",
		depth > 0, "can_into", 0, "name", doc_text(line, "name"));
	static const char *const absent[] = { "type", "label", "help", "conditions", "joins", "kinds", "words", "known", "reserved",
		"can_add", "has_join", "can_nest", "join_word" };

	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		json_object_set_new(out, absent[i], json_null());
	/* Only where there is a group, or something in one, before it on the same level. */
	if (before && (json_integer_value(json_object_get(before, "depth")) > depth || (strcmp(doc_text(before, "kind"), "rule") != 0 &&
		json_integer_value(json_object_get(before, "depth")) == depth)))
		json_set_bool(out, "can_into", 1);
	if (is_rule)
		set_rule(c, e, line, n, out);
	else
		set_group(c, line, out);
	if (is_rule)
		json_object_set_new(out, "words", words_of(c, line));
	json_object_set_new(out, "error", line_fault(c, e, line));
	return out;
}

/* What own machines say tells how a value is written. Not what may hold secrets, and nothing that differs at each report. */
static const char *asked_fact(const json_t *line)
{
	const struct rule_type *t = rule_type_find(doc_text(line, "type"));

	return t && t->source == FACT_AGENT && t->subject == NULL && t->subjects == NULL && (t->data == DATA_STRING || t->data == DATA_NUMBER ||
		t->data == DATA_VERSION) && strcmp(t->fact, "instance.user_data") != 0 && strcmp(t->fact, "os.uptime_s") != 0 ? t->fact : NULL;
}

static int add_seen(struct call *c, const json_t *lines, json_t *shown)
{
	json_t *facts = json_array(), *seen = NULL, *line;
	int rc = 0;
	size_t n;

	json_array_foreach(lines, n, line)
		if (asked_fact(line))
			json_array_append_new(facts, json_string(asked_fact(line)));
	if (json_array_size(facts))
		rc = facts_seen(c->db, facts, &seen);
	json_array_foreach(lines, n, line) {
		json_t *values = asked_fact(line) ? json_object_get(seen, asked_fact(line)) : NULL, *out = json_array_get(shown, n);

		json_set_bool(out, "has_seen", values != NULL);
		json_set_bool(out, "none_seen", asked_fact(line) && values == NULL);
		json_object_set_new(out, "seen", values ? json_incref(values) : json_array());
	}
	json_decref(seen);
	json_decref(facts);
	return rc;
}

int policy_rules_page(struct call *c)
{
	struct policy_edit e;
	json_t *lines, *out = json_array();
	int rc = policy_edit_load(c, &e);

	if (rc < 0)
		return rc;
	rc = policy_edit_frame(c, &e, STEP_RULES);
	lines = policy_form_lines(json_object_get(e.document, "rules"));
	for (size_t n = 0; n < json_array_size(lines); n++)
		json_array_append_new(out, line_member(c, &e, lines, n));
	if (rc == 0)
		rc = add_seen(c, lines, out);
	call_set(c, "has_lines", json_boolean(json_array_size(out)));
	call_set(c, "lines", out);
	call_set(c, "rules_error", fault_at(c, &e, "rules", 0));
	json_decref(lines);
	policy_edit_release(&e);
	return rc;
}

/* Buttons */

static int to_line(struct call *c, const struct policy_edit *e, int line)
{
	call_redirect(c, "/policies/drafts/%s/rules#line-%d", e->id_text, line);
	return 0;
}

int policy_rules_run(struct call *c)
{
	const char *go = call_text(c, "go");
	struct policy_edit e;
	json_t *lines, *none = json_object();
	int rc = policy_edit_begin(c, &e), line = -1;

	if (rc > 0) {
		lines = policy_form_read(call_json(c, "r") ? call_json(c, "r") : none);
		line = policy_form_act(lines, go);
		json_object_set_new(e.document, "rules", policy_form_rules(lines));
		json_decref(lines);
		rc = policy_edit_go(c, &e, STEP_RULES);
		if (rc == 0 && line >= 0)
			rc = to_line(c, &e, line);
		else if (rc == 0 && strncmp(go, "stay:", 5) == 0)
			rc = to_line(c, &e, atoi(go + 5));
		else if (rc == 0 && strncmp(go, "add", 3) == 0)
			call_redirect(c, strchr(go, ':') ? "/policies/drafts/%s/rules/add?in=%d" : "/policies/drafts/%s/rules/add", e.id_text,
				strchr(go, ':') ? atoi(strchr(go, ':') + 1) : 0);
		policy_edit_release(&e);
	}
	json_decref(none);
	return rc;
}

/* The choice of a rule type */

/* What else a rule type is looked for by: in the page's language and in English. */
static char *words_for(const struct call *c, const struct rule_type *t)
{
	return mem_printf("%s %s %s", t->name, t->search, call_translate(c, t->search));
}

/* Every word that is looked for is somewhere in what is said of the type. */
static int fits(const struct call *c, const struct rule_type *t, const char *search)
{
	char *words = words_for(c, t), *rest = mem_strdup(search), *at = rest, *word;
	char *all = mem_printf("%s %s %s %s", call_translate(c, t->label), call_translate(c, t->help), call_translate(c, t->group), words);
	int fit = 1;

	while (fit && (word = strsep(&at, " ")) != NULL)
		fit = strcasestr(all, word) != NULL;
	free(all);
	free(rest);
	free(words);
	return fit;
}

static json_t *type_member(const struct call *c, const struct rule_type *t)
{
	char *words = words_for(c, t);
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", t->name, "label", call_translate(c, t->label), "help", call_translate(c, t->help), "source",
		call_translate(c, fact_source_label(t->source)), "words", words);

	free(words);
	return out;
}

/* The group of that name, made when it is not there yet. */
static json_t *group_of(json_t *groups, const char *name)
{
	json_t *group;
	size_t i;

	json_array_foreach(groups, i, group)
		if (strcmp(doc_text(group, "name"), name) == 0)
			return json_object_get(group, "types");
	group = json_pack("{s:s, s:[]}", "name", name, "types");
	json_array_append_new(groups, group);
	return json_object_get(group, "types");
}

int policy_types_page(struct call *c)
{
	struct policy_edit e;
	json_t *groups = json_array();
	const struct rule_type *types;
	size_t count;
	int rc = policy_edit_load(c, &e);

	if (rc < 0) {
		json_decref(groups);
		return rc;
	}
	types = rule_types(&count);
	for (size_t i = 0; i < count; i++)
		if (!(types[i].flags & RULE_TYPE_RESERVED) && fits(c, &types[i], call_text(c, "search")))
			json_array_append_new(group_of(groups, call_translate(c, types[i].group)), type_member(c, &types[i]));
	call_set(c, "url", json_sprintf("/policies/drafts/%s/rules", e.id_text));
	call_set(c, "search", json_string(call_text(c, "search")));
	call_set(c, "in", call_has(c, "in") ? json_sprintf("%lld", (long long)call_int(c, "in", 0)) : json_null());
	call_set(c, "has_groups", json_boolean(json_array_size(groups)));
	call_set(c, "groups", groups);
	policy_edit_release(&e);
	return 0;
}

int policy_types_run(struct call *c)
{
	const struct rule_type *type = rule_type_find(call_text(c, "type"));
	struct policy_edit e;
	json_t *lines;
	int rc = policy_edit_begin(c, &e), line;

	if (rc <= 0)
		return rc;
	if (type == NULL || type->flags & RULE_TYPE_RESERVED) {
		rc = call_field_error(c, "type", "There is no such rule type.");
	} else {
		lines = policy_form_lines(json_object_get(e.document, "rules"));
		line = policy_form_add(lines, (int)call_int(c, "in", -1), type->name);
		json_object_set_new(e.document, "rules", policy_form_rules(lines));
		json_decref(lines);
		rc = policy_draft_save(c->db, &e.id, e.document, NULL);
		if (rc == 0)
			rc = to_line(c, &e, line);
	}
	policy_edit_release(&e);
	return rc;
}

/* As JSON */

int policy_json_page(struct call *c)
{
	struct policy_edit e;
	char *text;
	int rc = policy_edit_load(c, &e);

	if (rc < 0)
		return rc;
	rc = policy_edit_frame(c, &e, STEP_RULES);
	text = json_dumps(e.document, JSON_INDENT(2));
	call_form(c, "json", json_string(text));
	call_set(c, "faults", policy_faults_said(c, e.faults));
	call_set(c, "has_faults", json_boolean(json_array_size(e.faults)));
	free(text);
	policy_edit_release(&e);
	return rc;
}

int policy_json_run(struct call *c)
{
	struct policy_edit e;
	const json_t *typed = call_json(c, "json");
	int rc = policy_edit_begin(c, &e);

	if (rc <= 0)
		return rc;
	if (!json_is_object(typed)) {
		rc = call_field_error(c, "json", "A policy is an object: { ... }");
	} else if (json_object_get(typed, "images") || json_object_get(typed, "devices")) {
		rc = call_field_error(c, "json", "Images and devices are chosen on their own pages; leave them out here.");
	} else {
		json_object_set_new(e.draft, "document", json_deep_copy(typed));
		e.document = json_object_get(e.draft, "document");
		e.as_json = 1;
		rc = policy_edit_go(c, &e, STEP_RULES);
		if (rc == 0 && strcmp(call_text(c, "go"), "check") == 0)
			call_redirect(c, "/policies/drafts/%s/json?check=1", e.id_text);
	}
	policy_edit_release(&e);
	return rc;
}
