/* ttlv.c - writes and reads KMIP's items. */
#include "keys/ttlv.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define TEXT_MAX 65536

static size_t padding(size_t len)
{
	return (8 - len % 8) % 8;
}

static void put_head(struct buf *b, uint32_t tag, enum ttlv_type type, size_t len)
{
	wire_put_u8(b, (uint8_t)(tag >> 16));
	wire_put_u16(b, (uint16_t)tag);
	wire_put_u8(b, (uint8_t)type);
	wire_put_u32(b, (uint32_t)len);
}

static void put_padded(struct buf *b, uint32_t tag, enum ttlv_type type, const void *data, size_t len)
{
	put_head(b, tag, type, len);
	buf_add(b, data, len);
	memset(buf_extend(b, padding(len)), 0, padding(len));
}

size_t ttlv_open(struct buf *b, uint32_t tag)
{
	put_head(b, tag, TTLV_STRUCTURE, 0);
	return b->len;
}

void ttlv_close(struct buf *b, size_t place)
{
	size_t len = b->len - place;

	for (size_t i = 0; i < 4; i++)
		b->data[place - 4 + i] = (char)(len >> (8 * (3 - i)));
}

static void put_number(struct buf *b, uint32_t tag, enum ttlv_type type, uint32_t v)
{
	put_head(b, tag, type, 4);
	wire_put_u32(b, v);
	wire_put_u32(b, 0);
}

void ttlv_put_integer(struct buf *b, uint32_t tag, int32_t v)
{
	put_number(b, tag, TTLV_INTEGER, (uint32_t)v);
}

void ttlv_put_enumeration(struct buf *b, uint32_t tag, uint32_t v)
{
	put_number(b, tag, TTLV_ENUMERATION, v);
}

void ttlv_put_text(struct buf *b, uint32_t tag, const char *text)
{
	put_padded(b, tag, TTLV_TEXT, text, strlen(text));
}

void ttlv_put_bytes(struct buf *b, uint32_t tag, const void *data, size_t len)
{
	put_padded(b, tag, TTLV_BYTES, data, len);
}

/* A number's length is its type's own; 0 where any will do. */
static const struct {
	size_t exact, multiple;
} lengths[] = {
	[TTLV_STRUCTURE] = { 0, 8 }, [TTLV_INTEGER] = { 4, 1 }, [TTLV_LONG] = { 8, 1 }, [TTLV_BIG] = { 0, 8 }, [TTLV_ENUMERATION] = { 4, 1 },
	[TTLV_BOOLEAN] = { 8, 1 }, [TTLV_TEXT] = { 0, 1 }, [TTLV_BYTES] = { 0, 1 }, [TTLV_TIME] = { 8, 1 }, [TTLV_INTERVAL] = { 4, 1 },
	[TTLV_TIME_FINE] = { 8, 1 },
};

/* One item off R's front. */
static int take(struct wire_reader *r, struct ttlv *out)
{
	uint32_t high = wire_get_u8(r), type;
	size_t len;

	out->tag = high << 16 | wire_get_u16(r);
	type = wire_get_u8(r);
	len = wire_get_u32(r);
	if (r->error)
		return err_set(ERR_TRUNCATED, "an item ends in its head");
	if (type < TTLV_STRUCTURE || type >= ARRAY_LEN(lengths))
		return err_set(ERR_INVALID, "an item of type %u", type);
	if ((lengths[type].exact && len != lengths[type].exact) || len % lengths[type].multiple)
		return err_set(ERR_INVALID, "an item of type %u with %zu bytes", type, len);
	out->type = (enum ttlv_type)type;
	out->value = wire_get_raw(r, len);
	wire_get_raw(r, padding(len));
	return r->error ? err_set(ERR_TRUNCATED, "an item ends before its value does") : 0;
}

/* A text is taken for a string later: no zero may hide its end. */
static int check_text(const struct ttlv *item)
{
	if (item->value.len > TEXT_MAX)
		return err_set(ERR_TOO_LARGE, "a text of %zu bytes", item->value.len);
	return memchr(item->value.data, 0, item->value.len) ? err_set(ERR_INVALID, "a zero in a text") : 0;
}

static int check_items(struct wire_view inside, int depth, int *count)
{
	struct wire_reader r = wire_read(inside.data, inside.len);
	struct ttlv item;
	int rc = 0;

	if (depth > TTLV_DEPTH_MAX)
		return err_set(ERR_TOO_LARGE, "structures in more than %d structures", TTLV_DEPTH_MAX);
	while (rc == 0 && r.left) {
		rc = ++*count > TTLV_ITEMS_MAX ? err_set(ERR_TOO_LARGE, "more than %d items", TTLV_ITEMS_MAX) : take(&r, &item);
		if (rc == 0 && item.type == TTLV_TEXT && item.value.len)
			rc = check_text(&item);
		if (rc == 0 && item.type == TTLV_STRUCTURE)
			rc = check_items(item.value, depth + 1, count);
	}
	return rc;
}

int ttlv_check(const uint8_t *data, size_t len)
{
	struct wire_reader r = wire_read(data, len);
	struct ttlv item;
	int count = 0, rc = take(&r, &item);

	if (rc == 0 && r.left)
		rc = err_set(ERR_INVALID, "%zu bytes after the end", r.left);
	return rc == 0 ? check_items((struct wire_view){ data, len }, 0, &count) : rc;
}

int ttlv_next(struct wire_view *inside, struct ttlv *out)
{
	struct wire_reader r = wire_read(inside->data, inside->len);

	if (inside->len == 0 || take(&r, out) < 0)
		return 0;
	*inside = (struct wire_view){ r.at, r.left };
	return 1;
}

int ttlv_find(struct wire_view inside, uint32_t tag, enum ttlv_type type, struct ttlv *out)
{
	struct ttlv item;

	while (ttlv_next(&inside, &item)) {
		if (item.tag == tag && item.type == type) {
			*out = item;
			return 0;
		}
	}
	return err_set(ERR_NOT_FOUND, "item %06x is missing", tag);
}

int ttlv_number(struct wire_view inside, uint32_t tag, enum ttlv_type type, uint32_t *out)
{
	struct ttlv item;
	int rc = ttlv_find(inside, tag, type, &item);

	if (rc == 0) {
		struct wire_reader r = wire_read(item.value.data, item.value.len);

		*out = wire_get_u32(&r);
	}
	return rc;
}
