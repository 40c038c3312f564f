/* policy_value.c - one condition between its JSON form and the fields of a form. */
#include "console/policy_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* The field's texts: none, one, or several. */
static json_t *texts(const json_t *fields, const char *at, const char *name)
{
	char *full = mem_printf("%s.%s", at, name);
	json_t *value = json_object_get(fields, full);

	free(full);
	return json_is_array(value) ? json_incref(value) : json_is_string(value) ? json_pack("[O]", value) : json_array();
}

static char *text(const json_t *fields, const char *at, const char *name)
{
	json_t *list = texts(fields, at, name);
	const char *s = json_string_value(json_array_get(list, 0));
	char *copy = mem_strdup(s ? s : "");

	json_decref(list);
	return copy;
}

/* A number where one is needed and one was typed. */
static json_t *scalar(const struct rule_type *type, const char *s)
{
	char *end;
	double number;

	if (type == NULL || type->data != DATA_NUMBER || *s == '\0' || isspace((unsigned char)*s))
		return json_string(s);
	number = strtod(s, &end);
	if (*end != '\0' || strspn(s, "0123456789.-+") != strlen(s))
		return json_string(s);
	return strchr(s, '.') ? json_real(number) : json_integer(strtoll(s, NULL, 10));
}

static void append(json_t *list, const struct rule_type *type, const struct buf *one)
{
	const char *s = buf_str(one);
	size_t len = one->len;
	char *copy;

	while (len && strchr(" \t", s[len - 1]))
		len--;
	copy = mem_dup(s, len);
	if (*copy)
		json_array_append_new(list, scalar(type, copy));
	free(copy);
}

/* Values on lines of their own or between commas; in double quotes what holds a comma ("" is a quote). */
static void read_list(json_t *list, const struct rule_type *type, const char *s)
{
	struct buf one = BUF_INIT;

	while (*s) {
		buf_reset(&one);
		s += strspn(s, " \t\r\n,");
		if (*s == '"') {
			for (s++; *s && (*s != '"' || s[1] == '"'); s++) {
				s += *s == '"';
				buf_putc(&one, *s);
			}
			s += *s == '"';
		} else {
			size_t len = strcspn(s, "\r\n,");

			buf_add(&one, s, len);
			s += len;
		}
		append(list, type, &one);
	}
	buf_free(&one);
}

static json_t *read_one(const json_t *fields, const char *at, const struct rule_type *type, const char *name)
{
	char *s = text(fields, at, name);
	json_t *value;

	/* What was a list before its operator was changed. */
	s[strcspn(s, "\n")] = '\0';
	value = scalar(type, s);
	free(s);
	return value;
}

static json_t *read_window(const json_t *fields, const char *at)
{
	char *from = text(fields, at, "from"), *until = text(fields, at, "until");
	json_t *window = json_pack("{s:o}", "weekdays", texts(fields, at, "day"));

	if (*from)
		json_set_string(window, "from", from);
	if (*until)
		json_set_string(window, "to", strcmp(until, "00:00") == 0 ? "24:00" : until);
	free(from);
	free(until);
	return window;
}

static json_t *read_duration(const json_t *fields, const char *at)
{
	char *number = text(fields, at, "value"), *unit = text(fields, at, "unit");
	size_t digits = strspn(number, "0123456789");
	json_t *value = json_sprintf("%s%s", number, number[digits] || digits == 0 ? "" : *unit ? unit : "d");

	free(number);
	free(unit);
	return value;
}

static json_t *read_value(const json_t *fields, const char *at, const struct rule_type *type, enum policy_operand operand)
{
	json_t *list;
	char *s;

	switch (operand) {
	case OPERAND_NONE:
		return NULL;
	case OPERAND_LIST:
		list = texts(fields, at, "pick");
		list = json_array_size(list) ? json_deep_copy(list) : json_array();
		s = text(fields, at, "value");
		read_list(list, type, s);
		free(s);
		return list;
	case OPERAND_PAIR:
		return json_pack("[o, o]", read_one(fields, at, type, "value"), read_one(fields, at, type, "to"));
	case OPERAND_WINDOW:
		return read_window(fields, at);
	case OPERAND_DURATION:
		return read_duration(fields, at);
	default:
		return read_one(fields, at, type, "value");
	}
}

json_t *policy_value_read(const json_t *fields, const char *at, const struct rule_type *type)
{
	char *name = text(fields, at, "operator"), *subject = text(fields, at, "subject");
	const struct operator_row *op = type ? rule_type_operator(type, name) : NULL;
	json_t *out = json_pack("{s:s}", "operator", name), *value = read_value(fields, at, type, op ? op->operand : OPERAND_ONE);

	if (type && type->subject)
		json_set_string(out, "subject", subject);
	if (value)
		json_object_set_new(out, "value", value);
	free(name);
	free(subject);
	return out;
}

/* The operator of the type's own example is the one that is used most. */
json_t *policy_value_first(const struct rule_type *type, const json_t *last)
{
	json_t *example = json_loads(type->example, 0, NULL), *out;
	const json_t *from = last ? last : example;
	const char *name = json_string_value(json_object_get(from, "operator")), *subject = json_string_value(json_object_get(last, "subject"));
	const struct operator_row *op = rule_type_operator(type, name ? name : "");

	out = json_pack("{s:s}", "operator", name ? name : "equals");
	if (type->subject)
		json_set_string(out, "subject", subject ? subject : "");
	if (op && op->operand == OPERAND_WINDOW)
		json_object_set_new(out, "value", json_pack("{s:[s, s, s, s, s], s:s, s:s}", "weekdays", "mon", "tue", "wed", "thu", "fri", "from",
			"08:00", "to", "18:00"));
	else if (op && op->operand == OPERAND_LIST)
		json_object_set_new(out, "value", json_array());
	else if (op && op->operand == OPERAND_PAIR)
		json_object_set_new(out, "value", json_pack("[s, s]", "", ""));
	else if (op && op->operand != OPERAND_NONE)
		json_set_string(out, "value", "");
	json_decref(example);
	return out;
}

/* A value as one types it. */
static char *typed(const json_t *value)
{
	char number[40];

	if (json_is_string(value))
		return mem_strdup(json_string_value(value));
	if (json_is_integer(value))
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(number, sizeof number, "%.10g", json_real_value(value));
	else
		*number = '\0';
	return mem_strdup(number);
}

static void add_line(struct buf *out, const char *s)
{
	if (out->len)
		buf_putc(out, '\n');
	if (strpbrk(s, ",\"\n") == NULL) {
		buf_puts(out, s);
		return;
	}
	buf_putc(out, '"');
	for (; *s; s++) {
		if (*s == '"')
			buf_putc(out, '"');
		buf_putc(out, *s);
	}
	buf_putc(out, '"');
}

static int is_choice(const struct rule_type *type, const char *s)
{
	for (const char *const *c = type->choices; c && *c; c++)
		if (strcmp(*c, s) == 0)
			return 1;
	return 0;
}

/* VALUE may be a list, or one value that was there before the operator was changed. */
static void show_list(const struct rule_type *type, const json_t *value, json_t *out)
{
	struct buf lines = BUF_INIT;
	json_t *picks = json_object_get(out, "picks");
	size_t n = json_is_array(value) ? json_array_size(value) : value ? 1 : 0;

	for (size_t i = 0; i < n; i++) {
		char *s = typed(json_is_array(value) ? json_array_get(value, i) : value);

		if (is_choice(type, s))
			json_array_append_new(picks, json_string(s));
		else if (*s)
			add_line(&lines, s);
		free(s);
	}
	json_set_string(out, "value", buf_str(&lines));
	buf_free(&lines);
}

static void show_window(const json_t *value, json_t *out)
{
	json_t *day, *days = json_object_get(out, "days");
	const char *from = json_string_value(json_object_get(value, "from")), *to = json_string_value(json_object_get(value, "to"));
	size_t i;

	json_array_foreach(json_object_get(value, "weekdays"), i, day)
		if (json_is_string(day))
			json_object_set_new(days, json_string_value(day), json_true());
	json_set_string(out, "from", from ? from : "");
	json_set_string(out, "until", to == NULL ? "" : strcmp(to, "24:00") == 0 ? "00:00" : to);
}

static void show_duration(const json_t *value, json_t *out)
{
	char *s = typed(value);
	size_t len = strspn(s, "0123456789");

	/* "7d"; anything else stays as it was typed. */
	if (len && s[len] && s[len + 1] == '\0' && strchr("wdhms", s[len])) {
		json_set_string(out, "unit", s + len);
		s[len] = '\0';
	}
	json_set_string(out, "value", s);
	free(s);
}

static void show_text(json_t *out, const char *name, const json_t *value)
{
	char *s = typed(value);

	json_set_string(out, name, s);
	free(s);
}

json_t *policy_value_show(const struct rule_type *type, const struct operator_row *op, const json_t *condition)
{
	const json_t *value = json_object_get(condition, "value");
	const json_t *first = json_is_array(value) ? json_array_get(value, 0) : value;
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{}, s:[]}", "value", "", "to", "", "unit", "d", "from", "", "until", "", "days",
		"picks");

	switch (op ? op->operand : OPERAND_ONE) {
	case OPERAND_LIST:
		show_list(type, value, out);
		break;
	case OPERAND_WINDOW:
		show_window(value, out);
		break;
	case OPERAND_DURATION:
		show_duration(first, out);
		break;
	default:
		show_text(out, "value", first);
		show_text(out, "to", json_array_get(value, 1));
	}
	return out;
}
