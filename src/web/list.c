/* list.c - lists: parameters to a query, pages to a document, and the whole as CSV. */
#include "web/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "web/form.h"
#include "web/doc.h"
#include "web/state.h"

/* Nothing where the request has no such parameter: the answer to a POST shows its page's list as it comes. */
static const char *given_text(const struct call *c, const char *name)
{
	const struct param_value *v = params_find(&c->state->params, name);

	return v && v->given && v->text ? v->text : "";
}

static int given_limit(const struct call *c)
{
	const struct param_value *v = params_find(&c->state->params, "limit");

	return v && v->given ? (int)v->number : 0;
}

void list_only(struct list_query *q, const char *name, const char *value)
{
	for (size_t i = 0; i < LIST_FILTERS_MAX; i++)
		if (q->filters[i].name == NULL) {
			q->filters[i].name = name;
			q->filters[i].value = value;
			return;
		}
}

/* Of a filter that may have several values at once. */
static size_t values_of(const struct call *c, const char *name, char *const **texts)
{
	const struct param_value *v = params_find(&c->state->params, name);

	*texts = v ? v->texts : NULL;
	return v && v->given && v->texts ? v->count : 0;
}

void list_read(const struct call *c, const struct list_view *view, struct list_query *q)
{
	const char *sort = given_text(c, "sort"), *page = given_text(c, "page");

	*q = (struct list_query){ .search = given_text(c, "search"), .limit = given_limit(c) };
	if (*sort) {
		q->order = *sort == '-' ? -1 : 1;
		q->sort = sort + (*sort == '-');
	}
	if (*page)
		q->cursor = page;
	for (size_t i = 0; view->filters && view->filters[i] && i < LIST_FILTERS_MAX; i++) {
		q->filters[i].name = view->filters[i];
		q->filters[i].value = given_text(c, view->filters[i]);
	}
	if (view->of)
		list_only(q, view->of, given_text(c, "id"));
}

static void add_field(json_t *list, const char *name, const char *value)
{
	if (*value)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "value", value));
}

json_t *list_fields(const struct call *c, const struct list_view *view)
{
	json_t *out = json_array();

	add_field(out, "search", given_text(c, "search"));
	for (size_t i = 0; view->filters && view->filters[i]; i++)
		add_field(out, view->filters[i], given_text(c, view->filters[i]));
	return out;
}

const char *const list_scopes[] = { "selected", "all", NULL };

/* How many "all" are, after list_show of a page that was counted; null otherwise. */
static json_t *say_found(struct call *c)
{
	const json_t *list = json_object_get(c->doc, "list"), *found = json_object_get(list, "found");
	json_int_t n = json_integer_value(found);

	if (found == NULL)
		return json_null();
	return json_is_true(json_object_get(list, "found_more")) ? call_counted(c, n, "More than %{n} at present", "More than %{n} at present") :
		call_counted(c, n, "%{n} at present", "%{n} at present");
}

void list_offer_scope(struct call *c, const char *all)
{
	json_t *found = say_found(c);

	call_form_option(c, "scope", "selected", call_translate(c, "The ones that are ticked"),
		call_translate(c, "On this page of the list: another page, or a search, begins anew."), 1);
	call_form_option(c, "scope", "all", call_translate(c, all), json_string_value(found), 0);
	json_decref(found);
}

int list_is_all(const struct call *c)
{
	return call_has(c, "scope") && strcmp(call_text(c, "scope"), "all") == 0;
}

json_t *list_ticked(const struct call *c, const char *name)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < call_count(c, name); i++) {
		struct uuid id = call_uuid_at(c, name, i);
		char text[UUID_TEXT_SIZE];

		uuid_text(&id, text);
		json_array_append_new(ids, json_string(text));
	}
	return ids;
}

/* What a link of the list keeps of the present one, and what it changes. */
struct link {
	const char *sort, *search, *page, *as;
	const char *chip;                /* value of the chips' filter */
};

static const char *url_of(const struct call *c, const struct list_view *view)
{
	return view->url ? view->url : c->request->path + (c->api ? strlen(ROUTE_API) : 0);
}

static json_t *link_to(const struct call *c, const struct list_view *view, const char *url, const struct link *to)
{
	struct buf out = BUF_INIT;
	json_t *text;

	buf_printf(&out, "%s?", url);
	if (to->search && *to->search)
		form_append(&out, "search", to->search);
	for (size_t i = 0; view->filters && view->filters[i]; i++) {
		int is_chip = view->chip && strcmp(view->chip, view->filters[i]) == 0;
		const char *value = is_chip ? to->chip : given_text(c, view->filters[i]);
		char *const *texts;
		size_t count = values_of(c, view->filters[i], &texts);

		if (value && *value)
			form_append(&out, view->filters[i], value);
		for (size_t n = 0; n < count; n++)
			form_append(&out, view->filters[i], texts[n]);
	}
	if (to->sort && *to->sort)
		form_append(&out, "sort", to->sort);
	if (given_limit(c)) {
		char limit[16];

		snprintf(limit, sizeof limit, "%d", given_limit(c));
		form_append(&out, "limit", limit);
	}
	if (to->page)
		form_append(&out, "page", to->page);
	if (to->as)
		form_append(&out, "as", to->as);
	if (out.data[out.len - 1] == '?')
		out.data[--out.len] = '\0';
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

static struct link here(const struct call *c, const struct list_view *view)
{
	return (struct link){ .sort = given_text(c, "sort"), .search = given_text(c, "search"),
		.chip = view->chip ? given_text(c, view->chip) : "" };
}

static json_t *chip_member(const struct call *c, const struct list_view *view, const char *value, const char *title)
{
	struct link to = here(c, view);
	int active = strcmp(to.chip, value) == 0;

	to.chip = value;
	return json_pack("{s:s, s:s, s:o, s:b, s:b}", "title", call_translate(c, title), "value", value, "url",
		link_to(c, view, url_of(c, view), &to), "active", active, "shows_count", 0);
}

static json_t *chips_member(const struct call *c, const struct list_view *view)
{
	json_t *out = json_array();

	if (view->chip == NULL)
		return out;
	json_array_append_new(out, chip_member(c, view, "", "All"));
	for (const struct list_chip *chip = view->chips; chip && chip->value; chip++)
		json_array_append_new(out, chip_member(c, view, chip->value, chip->title));
	return out;
}

/* A click sorts by the column; a second one the other way round. */
static json_t *sorts_member(const struct call *c, const struct list_view *view, const json_t *page)
{
	const char *sorted = json_string_value(json_object_get(page, "sort"));
	int descending = json_is_true(json_object_get(page, "descending"));
	json_t *out = json_object();

	for (size_t i = 0; view->sorts && view->sorts[i]; i++) {
		int active = sorted && strcmp(sorted, view->sorts[i]) == 0;
		struct link to = here(c, view);
		char name[80];

		snprintf(name, sizeof name, "%s%s", active && !descending ? "-" : "", view->sorts[i]);
		to.sort = name;
		json_object_set_new(out, view->sorts[i], json_pack("{s:o, s:s?}", "url", link_to(c, view, url_of(c, view), &to), "direction",
			!active ? NULL : descending ? "descending" : "ascending"));
	}
	return out;
}

/* What the search form sends along. */
static json_t *keep_member(const struct call *c, const struct list_view *view)
{
	json_t *out = json_array();

	for (size_t i = 0; view->filters && view->filters[i]; i++)
		add_field(out, view->filters[i], given_text(c, view->filters[i]));
	add_field(out, "sort", given_text(c, "sort"));
	return out;
}

static int is_narrowed(const struct call *c, const struct list_view *view)
{
	int narrowed = *given_text(c, "search") != '\0' || *given_text(c, "page") != '\0';

	for (size_t i = 0; view->filters && view->filters[i]; i++) {
		char *const *texts;

		narrowed |= *given_text(c, view->filters[i]) != '\0' || values_of(c, view->filters[i], &texts) > 0;
	}
	return narrowed;
}

static json_t *rows_member(struct call *c, const json_t *page, list_row *row)
{
	json_t *rows = json_object_get(page, "rows"), *entry, *out = json_array();
	size_t i;

	json_array_foreach(rows, i, entry)
		json_array_append_new(out, row ? row(c, entry) : json_incref(entry));
	return out;
}

static json_t *page_link(const struct call *c, const struct list_view *view, const json_t *page, const char *which)
{
	const char *cursor = json_string_value(json_object_get(page, which));
	struct link to = here(c, view);

	to.page = cursor;
	return cursor ? link_to(c, view, url_of(c, view), &to) : json_null();
}

const char *const list_forms[] = { "csv", NULL };

static json_t *export_link(const struct call *c, const struct list_view *view)
{
	struct link all = here(c, view);

	if (view->export == NULL && view->columns == NULL)
		return json_null();
	all.as = view->export ? NULL : list_forms[0];
	return link_to(c, view, view->export ? view->export : url_of(c, view), &all);
}

int list_show(struct call *c, const struct list_view *view, json_t *page, list_row *row)
{
	json_t *list = json_object(), *rows = rows_member(c, page, row);
	size_t count = json_array_size(rows);
	char shown[40];

	snprintf(shown, sizeof shown, "%zu %s", count, call_translate(c, "shown"));
	json_set_string(list, "url", url_of(c, view));
	json_set_string(list, "search", given_text(c, "search"));
	json_object_set_new(list, "keep", keep_member(c, view));
	json_object_set_new(list, "filters", chips_member(c, view));
	json_object_set_new(list, "sort", sorts_member(c, view, page));
	json_object_set_new(list, "rows", rows);
	json_set_bool(list, "has_rows", count > 0);
	json_set_bool(list, "empty", count == 0 && !is_narrowed(c, view));
	json_set_bool(list, "no_match", count == 0 && is_narrowed(c, view));
	json_set_string(list, "shown", shown);
	json_object_set_new(list, "previous", page_link(c, view, page, "previous"));
	json_object_set_new(list, "next", page_link(c, view, page, "next"));
	json_object_set_new(list, "export", export_link(c, view));
	json_object_set(list, "found", json_object_get(page, "found"));
	json_object_set(list, "found_more", json_object_get(page, "found_more"));
	call_set(c, "list", list);
	json_decref(page);
	return 0;
}

void list_counts(struct call *c, const struct list_view *view, const json_t *counts)
{
	json_t *chips = json_object_get(json_object_get(c->doc, "list"), "filters"), *chip;
	size_t i;

	json_array_foreach(chips, i, chip) {
		json_t *count = json_object_get(counts, json_string_value(json_object_get(chip, "value")));

		json_object_set_new(chip, "shows_count", json_boolean(count != NULL));
		if (count)
			doc_count(chip, "count", json_integer_value(count));
	}
}

/* CSV */

static void csv_value(struct buf *out, const json_t *value)
{
	static const char *const inner[] = { "iso", "name", "text" };

	for (size_t i = 0; json_is_object(value) && i < ARRAY_LEN(inner); i++)
		if (json_is_string(json_object_get(value, inner[i])))
			value = json_object_get(value, inner[i]);
	if (json_is_string(value))
		csv_cell(out, json_string_value(value));
	else if (json_is_integer(value))
		buf_printf(out, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		buf_puts(out, json_is_true(value) ? "true" : "false");
}

static void csv_rows(struct call *c, struct buf *out, const json_t *page, list_row *row, const struct list_csv *columns)
{
	json_t *rows = rows_member(c, page, row), *entry;
	size_t i;

	json_array_foreach(rows, i, entry) {
		for (const struct list_csv *column = columns; column->title; column++) {
			if (column != columns)
				buf_putc(out, ',');
			csv_value(out, json_object_get(entry, column->member));
		}
		buf_puts(out, "\r\n");
	}
	json_decref(rows);
}

static void csv_head(struct buf *out, const struct call *c, const struct list_csv *columns)
{
	for (const struct list_csv *column = columns; column->title; column++) {
		if (column != columns)
			buf_putc(out, ',');
		csv_cell(out, call_translate(c, column->title));
	}
	buf_puts(out, "\r\n");
}

/* Pages into OUT until it is a part; *NEXT: the cursor of the page after it, the caller's, or NULL. */
static int csv_part(struct call *c, struct list_query *q, list_fetch *fetch, list_row *row, const struct list_csv *columns, struct buf *out, char **next)
{
	json_t *page = NULL, *former = NULL;
	int rc;

	do {
		rc = fetch(c, q, &page);
		/* The cursor lives in its page. */
		json_decref(former);
		former = rc < 0 ? NULL : page;
		if (rc < 0)
			break;
		csv_rows(c, out, page, row, columns);
		q->cursor = json_string_value(json_object_get(page, "next"));
	} while (q->cursor && out->len < LIST_PART);
	*next = rc == 0 && q->cursor ? mem_strdup(q->cursor) : NULL;
	json_decref(former);
	return rc;
}

int list_export(struct call *c, const struct list_view *view, list_fetch *fetch, list_row *row,
	const struct list_csv *columns, const char *filename)
{
	struct list_query q;
	struct buf out = BUF_INIT;
	char *next = NULL;
	int rc;

	list_read(c, view, &q);
	q.limit = LIST_LIMIT_MAX;
	if (c->request->resume)
		q.cursor = c->request->resume;
	else
		csv_head(&out, c, columns);
	rc = csv_part(c, &q, fetch, row, columns, &out, &next);
	if (rc == 0)
		call_download_part(c, "text/csv; charset=utf-8", filename, &out, next);
	free(next);
	buf_free(&out);
	return rc;
}

int list_answer(struct call *c, const struct list_view *view, list_fetch *fetch, list_row *row)
{
	struct list_query q;
	json_t *page;
	int rc;

	if (view->columns && *given_text(c, "as"))
		return list_export(c, view, fetch, row, view->columns, view->file);
	list_read(c, view, &q);
	rc = fetch(c, &q, &page);
	return rc < 0 ? rc : list_show(c, view, page, row);
}
