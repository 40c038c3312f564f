/* redraw.c - a form drawn again: where its page is, what the page gets of what was sent, and what was typed and is wrong in the page's document. */
#include <string.h>

#include "base/json.h"
#include "web/state.h"

/* PATH with the braces replaced by what the address has there. */
char *call_form_path(const struct call *c)
{
	const char *path = c->route->form ? c->route->form : c->route->path;
	struct buf out = BUF_INIT;

	while (*path) {
		size_t len = strcspn(path, "}");

		for (size_t i = 0; *path == '{' && i < c->state->match.count; i++)
			if (c->state->match.segments[i].name_len == len - 1 &&
				strncmp(c->state->match.segments[i].name, path + 1, len - 1) == 0)
				buf_add(&out, c->state->match.segments[i].value, c->state->match.segments[i].value_len);
		if (*path == '{')
			path += len + 1;
		else
			buf_putc(&out, *path++);
	}
	return buf_take(&out);
}

static json_t *member_of(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	if (!json_is_object(member)) {
		member = json_object();
		json_object_set_new(object, name, member);
	}
	return member;
}

static int was_chosen(const struct param_value *v, const char *value)
{
	char id[UUID_TEXT_SIZE];

	for (size_t i = 0; i < v->count; i++) {
		if (v->ids)
			uuid_text(&v->ids[i], id);
		if (strcmp(v->ids ? id : v->texts[i], value) == 0)
			return 1;
	}
	return v->count == 0 && v->text && strcmp(v->text, value) == 0;
}

/* What was typed in place of what is stored; never a password. */
static void put_typed(json_t *form, const struct param_value *v)
{
	json_t *field = member_of(form, v->row.name), *option;
	size_t i;

	if (v->row.type == PARAM_PASSWORD || v->row.type == PARAM_SECRET)
		return;
	if (v->row.type == PARAM_BOOL)
		json_set_bool(field, "checked", v->number != 0);
	else if (v->text)
		json_set_string(field, "value", v->text);
	json_array_foreach(json_object_get(field, "options"), i, option)
		json_set_bool(option, "selected", was_chosen(v, json_string_value(json_object_get(option, "value"))));
}

static void put_errors(const struct call *c, json_t *doc, json_t *form)
{
	const char *above = c->state->refusal ? call_translate(c, c->state->refusal) : NULL;
	json_t *error, *typed = json_object_get(json_object_get(doc, "confirm"), "typed");
	size_t i;

	json_array_foreach(c->state->errors, i, error) {
		const char *name = json_string_value(json_object_get(error, "name")), *text = json_string_value(json_object_get(error, "text"));

		if (name == NULL)
			above = text;
		else
			json_set_string(member_of(form, name), "error", text);
		if (name && strcmp(name, "typed") == 0 && typed)
			json_set_string(typed, "error", text);
	}
	/* All together, for pages that list them. */
	json_set_bool(form, "has_errors", json_array_size(c->state->errors) > 0);
	json_object_set(form, "errors", c->state->errors);
	if (above)
		json_set_string(form, "error", above);
}

static int is_in_path(const char *path, const char *name)
{
	size_t len = strlen(name);

	while ((path = strchr(path, '{')) != NULL) {
		path++;
		if (strncmp(path, name, len) == 0 && path[len] == '}')
			return 1;
	}
	return 0;
}

static int pass_value(const char *name, const char *value, struct form *fields)
{
	struct buf encoded = BUF_INIT;
	int rc;

	form_encode(&encoded, value);
	rc = form_add(fields, name, strlen(name), buf_str(&encoded), encoded.len, FORM_QUERY);
	buf_free(&encoded);
	return rc;
}

static int pass_list(const struct param_value *v, struct form *fields)
{
	char id[UUID_TEXT_SIZE];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < v->count; i++) {
		if (v->ids)
			uuid_text(&v->ids[i], id);
		rc = pass_value(v->row.name, v->ids ? id : v->texts[i], fields);
	}
	return rc;
}

int redraw_pass(const struct call *c, const struct route *page, struct form *fields)
{
	int rc = 0;

	for (const struct route_param *p = page->params; rc == 0 && p && p->name; p++) {
		const struct param_value *v = params_find(&c->state->params, p->name);

		if (v == NULL || v->error || !v->given || v->row.type != p->type || p->type == PARAM_PASSWORD ||
			p->type == PARAM_SECRET || is_in_path(page->path, p->name))
			continue;
		rc = v->count ? pass_list(v, fields) : v->text ? pass_value(p->name, v->text, fields) : 0;
	}
	return rc;
}

void redraw_put(const struct call *c, json_t *doc)
{
	json_t *form = member_of(doc, "form");

	for (size_t i = 0; i < c->state->params.count; i++)
		put_typed(form, &c->state->params.values[i]);
	put_errors(c, doc, form);
	json_set_bool(form, "given_back", c->state->given_back);
}
