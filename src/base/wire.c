/* wire.c - writing and reading binary messages. */
#include "base/wire.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static void put_number(struct buf *b, uint64_t v, int bytes)
{
	uint8_t *at = buf_extend(b, (size_t)bytes);

	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	put_number(b, v, 1);
}

void wire_put_u16(struct buf *b, uint16_t v)
{
	put_number(b, v, 2);
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	put_number(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	put_number(b, v, 8);
}

void wire_put_raw(struct buf *b, const void *data, size_t len)
{
	buf_add(b, data, len);
}

void wire_put_bytes(struct buf *b, const void *data, size_t len)
{
	if (len > UINT32_MAX)
		fatal("message field too long");
	wire_put_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

void wire_put_string(struct buf *b, const char *s)
{
	wire_put_bytes(b, s, strlen(s));
}

void wire_put_uuid(struct buf *b, const struct uuid *id)
{
	buf_add(b, id->bytes, sizeof id->bytes);
}

struct wire_view wire_view_of(const struct buf *b)
{
	return (struct wire_view){ (const uint8_t *)b->data, b->len };
}

struct wire_reader wire_read(const void *data, size_t len)
{
	return (struct wire_reader){ .at = data, .left = len };
}

/* The next LEN bytes, or NULL after a failure. */
static const uint8_t *take(struct wire_reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->error)
		return NULL;
	if (len > r->left) {
		r->error = ERR_TRUNCATED;
		return NULL;
	}
	r->at += len;
	r->left -= len;
	return at;
}

static uint64_t get_number(struct wire_reader *r, size_t bytes)
{
	const uint8_t *at = take(r, bytes);
	uint64_t v = 0;

	for (size_t i = 0; at && i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t wire_get_u8(struct wire_reader *r)
{
	return (uint8_t)get_number(r, 1);
}

uint16_t wire_get_u16(struct wire_reader *r)
{
	return (uint16_t)get_number(r, 2);
}

uint32_t wire_get_u32(struct wire_reader *r)
{
	return (uint32_t)get_number(r, 4);
}

uint64_t wire_get_u64(struct wire_reader *r)
{
	return get_number(r, 8);
}

struct wire_view wire_get_raw(struct wire_reader *r, size_t len)
{
	const uint8_t *at = take(r, len);

	return (struct wire_view){ at, at ? len : 0 };
}

struct wire_view wire_get_bytes(struct wire_reader *r, size_t max)
{
	size_t len = wire_get_u32(r);

	if (!r->error && len > max)
		r->error = ERR_TOO_LARGE;
	return wire_get_raw(r, len);
}

char *wire_get_string(struct wire_reader *r, size_t max)
{
	struct wire_view v = wire_get_bytes(r, max);

	if (!r->error && v.len && memchr(v.data, 0, v.len))
		r->error = ERR_INVALID;
	return r->error ? NULL : mem_dup(v.data, v.len);
}

struct uuid wire_get_uuid(struct wire_reader *r)
{
	const uint8_t *at = take(r, sizeof((struct uuid *)0)->bytes);
	struct uuid id = { { 0 } };

	if (at)
		memcpy(id.bytes, at, sizeof id.bytes);
	return id;
}

int wire_end(struct wire_reader *r)
{
	if (!r->error && r->left)
		r->error = ERR_INVALID;
	return r->error ? err_set(r->error, "message is %s", err_name(r->error)) : 0;
}
