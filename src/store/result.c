/* result.c - rows that came back: typed getters by column, and rows as JSON. */
#include "store/result.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

/* PostgreSQL's numbers for its types (src/include/catalog/pg_type.dat); they never change. */
enum {
	TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_JSON = 114, TYPE_JSONB = 3802,
	TYPE_TIMESTAMPTZ = 1184
};

struct db_result *db_result_new(PGresult *pg)
{
	struct db_result *r = mem_alloc(sizeof *r);

	r->pg = pg;
	return r;
}

void db_result_free(struct db_result *r)
{
	if (r == NULL)
		return;
	PQclear(r->pg);
	for (size_t i = 0; i < r->owned_count; i++)
		PQfreemem(r->owned[i]);
	free(r->owned);
	free(r);
}

size_t db_rows(const struct db_result *r)
{
	return (size_t)PQntuples(r->pg);
}

int db_columns(const struct db_result *r)
{
	return PQnfields(r->pg);
}

int db_is_null(const struct db_result *r, size_t row, int column)
{
	return PQgetisnull(r->pg, (int)row, column);
}

const char *db_text(const struct db_result *r, size_t row, int column)
{
	return db_is_null(r, row, column) ? NULL : PQgetvalue(r->pg, (int)row, column);
}

struct uuid db_uuid(const struct db_result *r, size_t row, int column)
{
	struct uuid id = { { 0 } };

	if (!db_is_null(r, row, column))
		uuid_parse(db_text(r, row, column), &id);
	return id;
}

int64_t db_int(const struct db_result *r, size_t row, int column)
{
	const char *text = db_text(r, row, column);

	return text ? strtoll(text, NULL, 10) : 0;
}

int db_bool(const struct db_result *r, size_t row, int column)
{
	const char *text = db_text(r, row, column);

	return text != NULL && text[0] == 't';
}

clock_us db_time(const struct db_result *r, size_t row, int column)
{
	clock_us at = 0;

	if (!db_is_null(r, row, column))
		clock_parse(db_text(r, row, column), &at);
	return at;
}

struct wire_view db_bytes(struct db_result *r, size_t row, int column)
{
	const char *text = db_text(r, row, column);
	struct wire_view view = { NULL, 0 };
	unsigned char *bytes;

	if (text == NULL)
		return view;
	bytes = PQunescapeBytea((const unsigned char *)text, &view.len);
	if (bytes == NULL)
		fatal("out of memory");
	r->owned = mem_grow(r->owned, r->owned_count + 1, sizeof *r->owned);
	r->owned[r->owned_count++] = bytes;
	view.data = bytes;
	return view;
}

json_t *db_json(const struct db_result *r, size_t row, int column)
{
	const char *text = db_text(r, row, column);
	json_t *v = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

	return v ? v : json_null();
}

static json_t *bytes_json(struct db_result *r, size_t row, int column)
{
	struct wire_view view = db_bytes(r, row, column);
	char *hex = encode_hex(view.data, view.len);
	json_t *v = json_string(hex);

	free(hex);
	return v;
}

static json_t *cell_json(struct db_result *r, size_t row, int column)
{
	char text[CLOCK_TEXT_SIZE];

	if (db_is_null(r, row, column))
		return json_null();
	switch (PQftype(r->pg, column)) {
	case TYPE_BOOL:
		return json_boolean(db_bool(r, row, column));
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
		return json_integer(db_int(r, row, column));
	case TYPE_JSON:
	case TYPE_JSONB:
		return db_json(r, row, column);
	case TYPE_BYTEA:
		return bytes_json(r, row, column);
	case TYPE_TIMESTAMPTZ:
		clock_text(db_time(r, row, column), text);
		return json_string(text);
	}
	return json_string(db_text(r, row, column));
}

json_t *db_row_json(struct db_result *r, size_t row)
{
	json_t *o = json_object();

	for (int c = 0; c < PQnfields(r->pg); c++)
		if (PQfname(r->pg, c)[0] != '_' && json_object_set_new(o, PQfname(r->pg, c), cell_json(r, row, c)) < 0)
			fatal("cannot build JSON member %s", PQfname(r->pg, c));
	return o;
}

json_t *db_rows_json(struct db_result *r)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < db_rows(r); i++)
		json_array_append_new(rows, db_row_json(r, i));
	return rows;
}

int db_get_row(struct db *db, json_t **out, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	*out = db_row_json(r, 0);
	db_result_free(r);
	return 0;
}

int db_get_rows(struct db *db, json_t **out, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int rc = db_query(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	*out = db_rows_json(r);
	db_result_free(r);
	return 0;
}
