/* ttlv.h - KMIP's encoding (KMIP 1.4, 9.1): items of tag, type, length and value, padded to 8 bytes. Pure.
 *
 * Written into a buf that the caller has begun as a message (message.h: it may hold secrets). Read only after ttlv_check has seen the
 * whole; views point into the bytes that were given. */
#ifndef KEYS_TTLV_H
#define KEYS_TTLV_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/wire.h"

#define TTLV_HEAD 8          /* bytes before a value: 3 tag, 1 type, 4 length */
#define TTLV_DEPTH_MAX 16
#define TTLV_ITEMS_MAX 4096

enum ttlv_type {
	TTLV_STRUCTURE = 1, TTLV_INTEGER, TTLV_LONG, TTLV_BIG, TTLV_ENUMERATION, TTLV_BOOLEAN, TTLV_TEXT, TTLV_BYTES, TTLV_TIME, TTLV_INTERVAL,
	TTLV_TIME_FINE       /* KMIP 2.0 */
};

struct ttlv {
	uint32_t tag;
	enum ttlv_type type;
	struct wire_view value;
};

/* The place of a structure, for ttlv_close. */
size_t ttlv_open(struct buf *b, uint32_t tag);
void ttlv_close(struct buf *b, size_t place);
void ttlv_put_integer(struct buf *b, uint32_t tag, int32_t v);
void ttlv_put_enumeration(struct buf *b, uint32_t tag, uint32_t v);
void ttlv_put_text(struct buf *b, uint32_t tag, const char *text);
void ttlv_put_bytes(struct buf *b, uint32_t tag, const void *data, size_t len);

/* 0: DATA is exactly one item, and all items in it keep the encoding and the limits above. ERR_TRUNCATED, ERR_INVALID, ERR_TOO_LARGE. */
int ttlv_check(const uint8_t *data, size_t len);
/* The items in INSIDE, one after the other: 1 with *OUT, or 0 after the last. Of what ttlv_check has passed. */
int ttlv_next(struct wire_view *inside, struct ttlv *out);
/* The first item of TAG and TYPE directly in INSIDE; 0 or ERR_NOT_FOUND. */
int ttlv_find(struct wire_view inside, uint32_t tag, enum ttlv_type type, struct ttlv *out);
/* The value of an integer or enumeration directly in INSIDE. 0 or ERR_NOT_FOUND. */
int ttlv_number(struct wire_view inside, uint32_t tag, enum ttlv_type type, uint32_t *out);

#endif
