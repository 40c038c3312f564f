/* arg.c - arguments of statements: values in the form that PostgreSQL's protocol wants, each with its type. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
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

struct db_arg db_untyped_arg(const char *v)
{
	struct db_arg a = db_text_arg(v);

	a.type = 0;
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

/* The types of arrays of those that there are arguments for. */
static unsigned array_of(unsigned type)
{
	static const unsigned types[][2] = {
		{ TYPE_BOOL, 1000 }, { TYPE_INT8, 1016 }, { TYPE_TEXT, 1009 }, { TYPE_JSON, 199 }, { TYPE_UUID, 2951 },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i][0] == type)
			return types[i][1];
	fatal("db: no arrays of type %u", type);
}

/* In the form that packed.c reads. Text and JSON are the same in both of the protocol's formats. */
struct db_arg db_array_arg(struct db_arg *elements, size_t count)
{
	struct db_arg a = { .type = array_of(elements[0].type), .format = 1 };
	struct buf b = BUF_INIT;

	wire_put_u32(&b, 1);
	wire_put_u32(&b, 1);             /* there may be nulls */
	wire_put_u32(&b, elements[0].type);
	wire_put_u32(&b, (uint32_t)count);
	wire_put_u32(&b, 1);             /* the first index */
	for (size_t i = 0; i < count; i++) {
		const struct db_arg *e = &elements[i];
		const void *data = e->is_fixed ? e->fixed : e->data;

		wire_put_u32(&b, data ? (uint32_t)e->len : UINT32_MAX);
		if (data)
			wire_put_raw(&b, data, e->len);
		free(e->owned);
	}
	a.len = b.len;
	a.data = a.owned = mem_dup(b.data, b.len);
	buf_free(&b);
	return a;
}
