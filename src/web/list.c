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

static const char *filter_value(const struct call *c, const char *name)
{
	const struct param_value *v = params_find(&c->state->params, name);

	return v && v->given && v->text ? v->text : "";
}

void list_read(const struct call *c, const struct list_view *view, struct list_query *q)
{
	const char *sort = call_text(c, "sort");

	*q = (struct list_query){ .search = call_text(c, "search"), .limit = (int)call_int(c, "limit", 0) };
	if (*sort) {
		q->order = *sort == '-' ? -1 : 1;
		q->sort = sort + (*sort == '-');
	}
	if (call_has(c, "page"))
		q->cursor = call_text(c, "page");
	for (size_t i = 0; view->filters && view->filters[i] && i < LIST_FILTERS_MAX; i++) {
		q->filters[i].name = view->filters[i];
		q->filters[i].value = filter_value(c, view->filters[i]);
	}
}

static void add_field(json_t *list, const char *name, const char *value)
{
	if (*value)
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "value", value));
}

json_t *list_fields(const struct call *c, const struct list_view *view)
{
	json_t *out = json_array();

	add_field(out, "search", call_text(c, "search"));
	for (size_t i = 0; view->filters && view->filters[i]; i++)
		add_field(out, view->filters[i], filter_value(c, view->filters[i]));
	return out;
}

const char *const list_scopes[] = { "selected", "all", NULL };

void list_offer_scope(struct call *c, const char *all)
{
	call_form_option(c, "scope", "selected", call_translate(c, "The ones that are ticked"), NULL, 1);
	call_form_option(c, "scope", "all", call_translate(c, all), NULL, 0);
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
	const char *sort, *search, *page;
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
		const char *value = is_chip ? to->chip : filter_value(c, view->filters[i]);

		if (value && *value)
			form_append(&out, view->filters[i], value);
	}
	if (to->sort && *to->sort)
		form_append(&out, "sort", to->sort);
	if (call_has(c, "limit")) {
		char limit[16];

		snprintf(limit, sizeof limit, "%d", (int)call_int(c, "limit", 0));
		form_append(&out, "limit", limit);
	}
	if (to->page)
		form_append(&out, "page", to->page);
	if (out.data[out.len - 1] == '?')
		out.data[--out.len] = '\0';
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

static struct link here(const struct call *c, const struct list_view *view)
{
	return (struct link){ .sort = call_text(c, "sort"), .search = call_text(c, "search"),
		.chip = view->chip ? filter_value(c, view->chip) : "" };
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

	for (size_t i = 0; view->filters && view->filters[i]; i++) {
		const char *value = filter_value(c, view->filters[i]);

		if (*value)
			json_array_append_new(out, json_pack("{s:s, s:s}", "name", view->filters[i], "value", value));
	}
	if (*call_text(c, "sort"))
		json_array_append_new(out, json_pack("{s:s, s:s}", "name", "sort", "value", call_text(c, "sort")));
	return out;
}

static int is_narrowed(const struct call *c, const struct list_view *view)
{
	int narrowed = *call_text(c, "search") != '\0' || call_has(c, "page");

	for (size_t i = 0; view->filters && view->filters[i]; i++)
		narrowed |= *filter_value(c, view->filters[i]) != '\0';
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

int list_show(struct call *c, const struct list_view *view, json_t *page, list_row *row)
{
	json_t *list = json_object(), *rows = rows_member(c, page, row);
	size_t count = json_array_size(rows);
	struct link all = here(c, view);
	char shown[40];

	snprintf(shown, sizeof shown, "%zu %s", count, call_translate(c, "shown"));
	json_set_string(list, "url", url_of(c, view));
	json_set_string(list, "search", call_text(c, "search"));
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
	json_object_set_new(list, "export", view->export ? link_to(c, view, view->export, &all) : json_null());
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

int list_export(struct call *c, const struct list_view *view, list_fetch *fetch, list_row *row,
	const struct list_csv *columns, const char *filename)
{
	struct list_query q;
	struct buf out = BUF_INIT;
	json_t *page = NULL;
	size_t count = 0;
	int rc;

	list_read(c, view, &q);
	q.limit = LIST_LIMIT_MAX;
	csv_head(&out, c, columns);
	do {
		json_t *next;

		rc = fetch(c, &q, &next);
		json_decref(page);
		page = rc < 0 ? NULL : next;
		if (rc < 0)
			break;
		csv_rows(c, &out, page, row, columns);
		count += json_array_size(json_object_get(page, "rows"));
		/* The cursor lives in the page. */
		q.cursor = json_string_value(json_object_get(page, "next"));
	} while (q.cursor && count < LIST_EXPORT_MAX);
	json_decref(page);
	if (rc == 0)
		call_download(c, "text/csv; charset=utf-8", filename, &out);
	buf_free(&out);
	return rc;
}
