/* list.c - builds a list's SQL, runs it, and wraps the page up with its cursors. */
#include "store/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define CURSOR_MAX 2048
#define LIST_ARGS_MAX 16
#define WAYS_MAX 8
#define FOUND_MAX 1000           /* of more it is cheaper to read rows in the order of the page until it is full */
#define INDEXED_MIN 3            /* characters: the index is of threes */

/* A list in the making. */
struct listing {
	const struct list_spec *spec;
	const struct list_query *query;
	const struct list_column *sort;
	int descending;              /* as the user sees it */
	int backwards;               /* the cursor asks for what comes before */
	int limit;
	int want;                    /* rows of the present place */
	const struct list_place *place;
	json_t *cursor;              /* NULL: from the start */
	struct buf sql;
	struct db_arg args[LIST_ARGS_MAX];
	size_t arg_count;
	char *pattern, *found;       /* found: an array of ids, as text */
};

static int add_arg(struct listing *l, struct db_arg a)
{
	if (l->arg_count == LIST_ARGS_MAX)
		fatal("list: too many arguments");
	l->args[l->arg_count++] = a;
	return (int)l->arg_count;
}

static int read_cursor(struct listing *l)
{
	struct buf text = BUF_INIT;
	const char *sort, *value, *id;
	int rc, descending;

	if (l->query->cursor == NULL || *l->query->cursor == '\0')
		return 0;
	if (strlen(l->query->cursor) > CURSOR_MAX || decode_base64url(l->query->cursor, &text) < 0
		|| json_parse_object(buf_str(&text), text.len, CURSOR_MAX, &l->cursor) < 0)
		rc = err_set(ERR_INVALID, "page: not a page of this list");
	else if ((rc = json_get_string(l->cursor, "s", 100, &sort)) == 0 && (rc = json_get_bool(l->cursor, "d", &descending)) == 0
		&& (rc = json_get_bool(l->cursor, "b", &l->backwards)) == 0
		&& (rc = json_get_string(l->cursor, "v", CURSOR_MAX, &value)) == 0
		&& (rc = json_get_string(l->cursor, "i", 100, &id)) == 0
		&& (strcmp(sort, l->sort->name) != 0 || descending != l->descending))
		rc = err_set(ERR_INVALID, "page: the list is sorted differently now");
	buf_free(&text);
	return rc;
}

static int choose_sort(struct listing *l)
{
	const struct list_column *c = l->spec->sorts;

	if (l->query->sort && *l->query->sort)
		while (c->name && strcmp(c->name, l->query->sort) != 0)
			c++;
	if (c->name == NULL)
		return err_set(ERR_INVALID, "sort: no such column");
	l->sort = c;
	l->descending = l->query->order == 0 ? c->descending : l->query->order < 0;
	l->limit = l->query->limit > 0 ? l->query->limit : LIST_LIMIT_DEFAULT;
	if (l->limit > LIST_LIMIT_MAX)
		l->limit = LIST_LIMIT_MAX;
	return 0;
}

char *list_pattern(const char *text)
{
	struct buf b = BUF_INIT;

	buf_putc(&b, '%');
	for (; *text; text++) {
		if (strchr("%_\\", *text))
			buf_putc(&b, '\\');
		buf_putc(&b, *text);
	}
	buf_putc(&b, '%');
	return buf_take(&b);
}

static const char *id_type(const struct listing *l)
{
	return l->spec->id_type ? l->spec->id_type : "uuid";
}

/* Text with $ for argument N. */
static void put_text(struct buf *sql, const char *text, int n)
{
	for (; *text; text++) {
		if (*text == '$')
			buf_printf(sql, "$%d", n);
		else
			buf_putc(sql, *text);
	}
}

/* COLUMN of the rows, an array as text; of rows of KIND alone where that is given. The caller frees. */
static char *take_ids(const struct db_result *r, int column, const char *kind)
{
	struct buf b = BUF_INIT;

	buf_putc(&b, '{');
	for (size_t i = 0; i < db_rows(r); i++)
		if (kind == NULL || strcmp(db_text(r, i, 0), kind) == 0)
			buf_printf(&b, "%s%s", b.len > 1 ? "," : "", db_text(r, i, column));
	buf_putc(&b, '}');
	return buf_take(&b);
}

/* The names like the pattern; more than FOUND_MAX means that there are too many. */
static int find_names(struct listing *l, struct db *db, struct db_result **out)
{
	struct buf kinds = BUF_INIT;
	int rc;

	for (const struct list_way *w = l->spec->ways; w->kind; w++)
		buf_printf(&kinds, "%c%s", kinds.len ? ',' : '{', w->kind);
	buf_putc(&kinds, '}');
	rc = db_query(db, out, "select kind, id::text from search_found($1, $2::text[], $3::int)",
		DB_ARGS(db_text_arg(l->pattern), db_text_arg(buf_str(&kinds)), db_int_arg(FOUND_MAX + 1)));
	buf_free(&kinds);
	return rc;
}

/* The list's rows with those names, all ways in one statement, whose text is the same for every search. */
static int find_rows(struct listing *l, struct db *db, const struct db_result *names, struct db_result **out)
{
	struct buf sql = BUF_INIT;
	struct db_arg args[WAYS_MAX];
	char *ids[WAYS_MAX];
	size_t count = 0;
	int rc;

	buf_puts(&sql, "select id::text from (");
	for (const struct list_way *w = l->spec->ways; w->kind && count < WAYS_MAX; w++) {
		buf_puts(&sql, count ? " union all (" : "(");
		ids[count] = take_ids(names, 1, w->kind);
		args[count] = db_untyped_arg(ids[count]);
		put_text(&sql, w->ids, (int)++count);
		buf_printf(&sql, " limit %d)", FOUND_MAX + 1);
	}
	buf_printf(&sql, ") as found limit %d", FOUND_MAX + 1);
	rc = db_query(db, out, buf_str(&sql), args, count);
	while (count > 0)
		free(ids[--count]);
	buf_free(&sql);
	return rc;
}

static const char *of_cursor(const struct listing *l, const char *name)
{
	return l->cursor ? json_string_value(json_object_get(l->cursor, name)) : NULL;
}

/* The order in which rows are asked for: of a page before another one, from its end. */
static int is_descending(const struct listing *l)
{
	return l->descending != l->backwards;
}

static int wish(struct listing *l, struct db *db)
{
	return l->spec->find(db, &(struct list_wish){ l->query, l->place, l->sort, is_descending(l), l->want, of_cursor(l, "v"), of_cursor(l, "i") }, &l->found);
}

static size_t characters(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xC0) != 0x80;
	return count;
}

/* Sets found, unless too much was found for that, or the text is too short for the index. */
static int look_up(struct listing *l, struct db *db)
{
	struct db_result *names = NULL, *rows = NULL;
	int rc = 0;

	if (characters(l->query->search) < INDEXED_MIN)
		return 0;
	if (l->spec->find && l->place)
		return wish(l, db);
	if (l->spec->ways == NULL)
		return 0;
	rc = find_names(l, db, &names);
	if (rc == 0 && db_rows(names) <= FOUND_MAX)
		rc = find_rows(l, db, names, &rows);
	if (rc == 0 && rows && db_rows(rows) <= FOUND_MAX)
		l->found = take_ids(rows, 0, NULL);
	db_result_free(names);
	db_result_free(rows);
	return rc;
}

static int add_search(struct listing *l, struct db *db)
{
	int n, rc;

	if (l->query->search == NULL || *l->query->search == '\0' || l->spec->searches == NULL)
		return 0;
	if (strlen(l->query->search) > LIST_SEARCH_MAX)
		return err_set(ERR_INVALID, "search: at most %d bytes", LIST_SEARCH_MAX);
	l->pattern = list_pattern(l->query->search);
	rc = look_up(l, db);
	if (rc < 0)
		return rc;
	if (l->found)
		buf_printf(&l->sql, " and %s = any ($%d::%s[])", l->spec->id, add_arg(l, db_untyped_arg(l->found)), id_type(l));
	n = add_arg(l, db_text_arg(l->pattern));
	for (size_t i = 0; l->spec->searches[i]; i++)
		buf_printf(&l->sql, "%s%s ilike $%d", i ? " or " : " and (", l->spec->searches[i], n);
	buf_puts(&l->sql, ")");
	return 0;
}

static void add_condition(struct listing *l, const char *condition, const char *value)
{
	int n = add_arg(l, db_text_arg(value));

	buf_puts(&l->sql, " and (");
	put_text(&l->sql, condition, n);
	buf_puts(&l->sql, ")");
}

static int add_filters(struct listing *l)
{
	for (size_t i = 0; i < LIST_FILTERS_MAX; i++) {
		const char *name = l->query->filters[i].name, *value = l->query->filters[i].value;
		const struct list_filter *f = l->spec->filters;

		if (name == NULL || value == NULL || *value == '\0')
			continue;
		while (f && f->name && (strcmp(f->name, name) != 0 || (f->value && strcmp(f->value, value) != 0)))
			f++;
		if (f == NULL || f->name == NULL)
			return err_set(ERR_INVALID, "%s: no such filter", name);
		add_condition(l, f->condition, value);
	}
	return 0;
}

static void add_cursor(struct listing *l)
{
	int value, id;

	if (l->cursor == NULL)
		return;
	value = add_arg(l, db_text_arg(of_cursor(l, "v")));
	id = add_arg(l, db_text_arg(of_cursor(l, "i")));
	buf_printf(&l->sql, " and (%s, %s) %s ($%d::%s, $%d::%s)", l->sort->expression, l->spec->id,
		is_descending(l) ? "<" : ">", value, l->sort->type, id, id_type(l));
}

static int build(struct listing *l, struct db *db)
{
	const char *order = NULL;
	int rc;

	buf_printf(&l->sql, "select %s, (%s)::text as _value, (%s)::text as _id from %s where %s", l->spec->columns,
		l->sort->expression, l->spec->id, l->spec->from, l->spec->where ? l->spec->where : "true");
	if (l->place->only)
		add_condition(l, l->place->only, l->place->value);
	rc = add_filters(l);
	if (rc == 0)
		rc = add_search(l, db);
	if (rc < 0)
		return rc;
	add_cursor(l);
	order = is_descending(l) ? "desc" : "asc";
	buf_printf(&l->sql, " order by %s %s, %s %s limit $%d", l->sort->expression, order, l->spec->id, order,
		add_arg(l, db_int_arg(l->want)));
	return 0;
}

/* The rows of all places, in the order in which they were asked. */
struct found {
	struct db_result *r[LIST_PLACES_MAX];
	size_t places, rows;
};

/* The result that has row *AT of all; *AT becomes its row there. */
static struct db_result *result_of(const struct found *f, size_t *at)
{
	size_t place = 0;

	while (*at >= db_rows(f->r[place]))
		*at -= db_rows(f->r[place++]);
	return f->r[place];
}

static json_t *make_cursor(const struct listing *l, const struct found *f, size_t row, int backwards)
{
	json_t *c = json_object(), *text;
	char *inner, *outer;
	const struct db_result *r = result_of(f, &row);
	int fields = db_columns(r);

	json_set_string(c, "s", l->sort->name);
	json_set_bool(c, "d", l->descending);
	json_set_bool(c, "b", backwards);
	json_set_string(c, "v", db_text(r, row, fields - 2));
	json_set_string(c, "i", db_text(r, row, fields - 1));
	inner = json_text(c);
	outer = encode_base64url(inner, strlen(inner));
	text = json_string(outer);
	free(inner);
	free(outer);
	json_decref(c);
	return text;
}

static json_t *row_json(const struct found *f, size_t row)
{
	struct db_result *r = result_of(f, &row);

	return db_row_json(r, row);
}

static json_t *wrap_up(const struct listing *l, const struct found *f)
{
	json_t *page = json_object(), *rows = json_array();
	size_t found = f->rows, count = found > (size_t)l->limit ? (size_t)l->limit : found;
	int more = found > count;
	size_t first = l->backwards ? count - 1 : 0, last = l->backwards ? 0 : count - 1;

	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, row_json(f, l->backwards ? count - 1 - i : i));
	json_object_set_new(page, "rows", rows);
	json_object_set_new(page, "next", count && (l->backwards || more) ? make_cursor(l, f, last, 0) : json_null());
	json_object_set_new(page, "previous",
		count && (l->backwards ? more : l->cursor != NULL) ? make_cursor(l, f, first, 1) : json_null());
	json_set_string(page, "sort", l->sort->name);
	json_set_bool(page, "descending", l->descending);
	json_set_string(page, "search", l->query->search ? l->query->search : "");
	return page;
}

/* One more row than the page has: whether there is a next one. */
static int ask(struct listing *l, const struct list_place *place, struct found *f)
{
	struct db_result *r = NULL;
	int rc;

	l->place = place;
	l->want = l->limit + 1 - (int)f->rows;
	buf_reset(&l->sql);
	l->arg_count = 0;
	rc = build(l, place->db);
	if (rc == 0)
		rc = db_query(place->db, &r, buf_str(&l->sql), l->args, l->arg_count);
	free(l->pattern);
	free(l->found);
	l->pattern = l->found = NULL;
	if (rc < 0)
		return rc;
	f->r[f->places++] = r;
	f->rows += db_rows(r);
	return 0;
}

int list_page_in(const struct list_place *places, size_t count, const struct list_spec *spec, const struct list_query *query, json_t **page)
{
	struct listing l = { .spec = spec, .query = query, .sql = BUF_INIT };
	struct found f = { .rows = 0 };
	int rc = choose_sort(&l);

	if (rc == 0)
		rc = read_cursor(&l);
	for (size_t i = 0; rc == 0 && i < count && (f.places == 0 || f.rows <= (size_t)l.limit); i++)
		rc = ask(&l, &places[is_descending(&l) ? i : count - 1 - i], &f);
	if (rc == 0)
		*page = wrap_up(&l, &f);
	while (f.places > 0)
		db_result_free(f.r[--f.places]);
	json_decref(l.cursor);
	buf_free(&l.sql);
	return rc;
}

/* How many rows search and filters leave on all pages, of MOST at most, into PAGE: "found", and whether there are more. */
static int count_found(struct db *db, const struct list_spec *spec, const struct list_query *query, json_t *page)
{
	struct listing l = { .spec = spec, .query = query, .sql = BUF_INIT };
	struct db_result *r = NULL;
	int rc;

	buf_printf(&l.sql, "select count(*) from (select from %s where %s", spec->from, spec->where ? spec->where : "true");
	rc = add_filters(&l);
	if (rc == 0)
		rc = add_search(&l, db);
	buf_printf(&l.sql, " limit $%d) x", add_arg(&l, db_int_arg(query->count + 1)));
	if (rc == 0)
		rc = db_query_row(db, &r, buf_str(&l.sql), l.args, l.arg_count);
	if (rc == 0) {
		json_set_int(page, "found", db_int(r, 0, 0) > query->count ? query->count : db_int(r, 0, 0));
		json_set_bool(page, "found_more", db_int(r, 0, 0) > query->count);
		db_result_free(r);
	}
	buf_free(&l.sql);
	free(l.pattern);
	free(l.found);
	return rc;
}

int list_page(struct db *db, const struct list_spec *spec, const struct list_query *query, json_t **page)
{
	int rc = list_page_in(&(struct list_place){ .db = db }, 1, spec, query, page);

	if (rc < 0 || query->count == 0)
		return rc;
	rc = count_found(db, spec, query, *page);
	if (rc < 0)
		json_decref(*page);
	return rc;
}

int list_run(struct db *db, const struct list_spec *spec, const struct list_query *query, const char *before, const char *columns,
	const char *after, const struct db_arg *args, size_t count)
{
	struct listing l = { .spec = spec, .query = query, .sql = BUF_INIT };
	int rc;

	for (size_t i = 0; i < count; i++)
		add_arg(&l, args[i]);
	buf_printf(&l.sql, "%sselect %s from %s where %s", before, columns, spec->from, spec->where ? spec->where : "true");
	rc = add_filters(&l);
	if (rc == 0)
		rc = add_search(&l, db);
	buf_puts(&l.sql, after);
	if (rc == 0)
		rc = db_run(db, buf_str(&l.sql), l.args, l.arg_count);
	buf_free(&l.sql);
	free(l.pattern);
	free(l.found);
	return rc;
}
