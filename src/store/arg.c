/* arg.c - arguments of statements: values in the form that PostgreSQL's protocol wants, each with its type. */
#include <endian.h>
#include <string.h>

#include "base/err.h"
#include "store/db.h"

enum { TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_TEXT = 25, TYPE_JSON = 114, TYPE_TIMESTAMPTZ = 1184, TYPE_UUID = 2950 };

/* PostgreSQL counts from 2000-01-01T00:00:00Z. */
#define EPOCH_2000 (INT64_C(946684800) * CLOCK_SECOND)

struct db_arg db_uuid_arg(const struct uuid *v)
{
	return (struct db_arg) { .type = TYPE_UUID, .format = 1, .data = v ? v->bytes : NULL, .len = sizeof v->bytes };
}

struct db_arg db_text_arg(const char *v)
{
	return (struct db_arg) { .type = TYPE_TEXT, .data = v, .len = v ? strlen(v) : 0 };
}

static struct db_arg fixed(unsigned type, int64_t v)
{
	struct db_arg a = { .type = type, .format = 1, .len = 8, .is_fixed = 1 };
	uint64_t wire = htobe64((uint64_t)v);

	memcpy(a.fixed, &wire, sizeof wire);
	return a;
}

struct db_arg db_int_arg(int64_t v)
{
	return fixed(TYPE_INT8, v);
}

struct db_arg db_bool_arg(int v)
{
	return (struct db_arg) { .type = TYPE_BOOL, .format = 1, .len = 1, .is_fixed = 1, .fixed = { v != 0 } };
}

struct db_arg db_time_arg(clock_us v)
{
	if (v == 0)
		return (struct db_arg) { .type = TYPE_TIMESTAMPTZ, .format = 1 };
	return fixed(TYPE_TIMESTAMPTZ, v - EPOCH_2000);
}

struct db_arg db_bytes_arg(const void *data, size_t len)
{
	return (struct db_arg) { .type = TYPE_BYTEA, .format = 1, .data = data, .len = len };
}

struct db_arg db_json_arg(const json_t *v)
{
	struct db_arg a = { .type = TYPE_JSON };

	if (v == NULL)
		return a;
	a.owned = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (a.owned == NULL)
		fatal("cannot print JSON");
	a.data = a.owned;
	a.len = strlen(a.owned);
	return a;
}

struct db_arg db_null_int_arg(void)
{
	return (struct db_arg) { .type = TYPE_INT8, .format = 1 };
}

struct db_arg db_null_bool_arg(void)
{
	return (struct db_arg) { .type = TYPE_BOOL, .format = 1 };
}
