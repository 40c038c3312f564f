/* list_rows.c - a list of rows that are all at hand: searched, sorted and turned page by page as the store does it with its own. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "web/list.h"

/* What a cell is in one word: itself, or what stands for an object of a row (a time, a badge, a link). */
static const json_t *inner(const json_t *cell)
{
	static const char *const names[] = { "iso", "name", "text" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (json_is_string(json_object_get(cell, names[i])))
			return json_object_get(cell, names[i]);
	return cell;
}

static int is_found(const json_t *row, const char *search)
{
	const char *name;
	json_t *cell;

	json_object_foreach((json_t *)(uintptr_t)row, name, cell) {
		const char *text = json_string_value(inner(cell));

		if (text && strcasestr(text, search))
			return 1;
	}
	return 0;
}

static int compare_cells(const json_t *a, const json_t *b)
{
	json_int_t x = json_integer_value(a), y = json_integer_value(b);
	const char *s = json_string_value(a), *t = json_string_value(b);

	return s || t ? strcasecmp(s ? s : "", t ? t : "") : x < y ? -1 : x > y;
}

struct order {
	const char *member;
	int descending;
};

/* Rows that are alike stay as they came: each has its place in PLACE. */
struct placed {
	json_t *row;
	size_t place;
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct placed *x = a, *y = b;
	const struct order *o = arg;
	int by = compare_cells(inner(json_object_get(x->row, o->member)), inner(json_object_get(y->row, o->member)));

	if (by == 0)
		by = x->place < y->place ? -1 : 1;
	return o->descending ? -by : by;
}

static int sort_of(const struct list_view *view, const struct list_query *q, struct order *out)
{
	*out = (struct order){ view->sorts[0], q->order < 0 };
	if (q->sort == NULL)
		return 0;
	for (size_t i = 0; view->sorts[i]; i++)
		if (strcmp(view->sorts[i], q->sort) == 0) {
			out->member = view->sorts[i];
			return 0;
		}
	return err_set(ERR_INVALID, "there is no sort \"%s\"", q->sort);
}

/* A cursor is the place where its page begins. */
static int start_of(const char *cursor, size_t *out)
{
	char *end = NULL;
	unsigned long at = cursor ? strtoul(cursor, &end, 10) : 0;

	if (cursor && (*cursor < '0' || *cursor > '9' || *end || at > LIST_ROWS_MAX))
		return err_set(ERR_INVALID, "this cursor is not of this list");
	*out = at;
	return 0;
}

static json_t *cursor_to(int there, size_t at)
{
	return there ? json_sprintf("%zu", at) : json_null();
}

static json_t *page_of(const struct placed *rows, size_t count, size_t start, size_t limit, const struct order *o)
{
	json_t *shown = json_array();

	for (size_t i = start; i < count && i < start + limit; i++)
		json_array_append(shown, rows[i].row);
	return json_pack("{s:o, s:s, s:b, s:o, s:o}", "rows", shown, "sort", o->member, "descending", o->descending, "previous",
		cursor_to(start > 0, start > limit ? start - limit : 0), "next", cursor_to(start + limit < count, start + limit));
}

int list_rows(const struct list_view *view, const json_t *all, const struct list_query *q, json_t **page)
{
	struct placed *rows = mem_array(json_array_size(all) + 1, sizeof *rows);
	size_t count = 0, start = 0, i;
	struct order o;
	json_t *row;
	int rc = sort_of(view, q, &o);

	if (rc == 0)
		rc = start_of(q->cursor, &start);
	json_array_foreach(all, i, row)
		if (q->search == NULL || *q->search == '\0' || is_found(row, q->search)) {
			rows[count] = (struct placed){ row, count };
			count++;
		}
	if (rc == 0) {
		qsort_r(rows, count, sizeof *rows, compare, &o);
		*page = page_of(rows, count, start, (size_t)(q->limit ? q->limit : LIST_LIMIT_DEFAULT), &o);
	}
	free(rows);
	return rc;
}
