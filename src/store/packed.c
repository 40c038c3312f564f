/* packed.c - reads PostgreSQL's binary form of an array (src/backend/utils/adt/arrayfuncs.c: array_send): number of dimensions, whether there
 * are nulls, type of the members, length and first index of the dimension, 4 bytes each; then the members, 4 bytes of length before each. */
#include "store/packed.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define HEAD 20
#define NULL_LENGTH UINT32_MAX
#define EPOCH (946684800 * CLOCK_SECOND)     /* 2000-01-01: PostgreSQL counts microseconds from there */

struct wire_reader packed_open(struct wire_view bytes)
{
	struct wire_reader r = wire_read(bytes.data, bytes.len);

	if (bytes.data)
		wire_get_raw(&r, HEAD);
	return r;
}

struct wire_view packed_bytes(struct wire_reader *r)
{
	uint32_t len = r->at ? wire_get_u32(r) : NULL_LENGTH;

	return len == NULL_LENGTH || r->error ? (struct wire_view){ NULL, 0 } : wire_get_raw(r, len);
}

char *packed_text(struct wire_reader *r)
{
	struct wire_view v = packed_bytes(r);

	return mem_dup(v.data ? v.data : (const uint8_t *)"", v.len);
}

/* A column of LEN bytes, or null. */
static struct wire_view fixed(struct wire_reader *r, size_t len)
{
	struct wire_view v = packed_bytes(r);

	if (v.data && v.len != len) {
		r->error = ERR_INVALID;
		v.data = NULL;
	}
	return v;
}

struct uuid packed_uuid(struct wire_reader *r)
{
	struct uuid id = { { 0 } };
	struct wire_view v = fixed(r, sizeof id.bytes);

	if (v.data)
		memcpy(id.bytes, v.data, sizeof id.bytes);
	return id;
}

int64_t packed_int(struct wire_reader *r)
{
	struct wire_view v = packed_bytes(r);
	struct wire_reader number = wire_read(v.data, v.len);

	if (v.data && v.len != 4 && v.len != 8)
		r->error = ERR_INVALID;
	if (v.data == NULL || r->error)
		return 0;
	return v.len == 4 ? (int32_t)wire_get_u32(&number) : (int64_t)wire_get_u64(&number);
}

int packed_bool(struct wire_reader *r)
{
	struct wire_view v = fixed(r, 1);

	return v.data && v.data[0];
}

clock_us packed_time(struct wire_reader *r)
{
	struct wire_view v = fixed(r, 8);
	struct wire_reader number = wire_read(v.data, v.len);

	return v.data ? (clock_us)wire_get_u64(&number) + EPOCH : 0;
}

int packed_end(struct wire_reader *r)
{
	return wire_end(r) < 0 ? err_set(ERR_DB, "a packed row has other columns than were asked for") : 0;
}
