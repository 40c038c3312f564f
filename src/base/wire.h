/* wire.h - binary messages: big-endian integers and length-prefixed bytes, written to a buf, read from untrusted bytes.
 *
 * A reader remembers its first failure: read all fields, then ask wire_end once. After a failure every get returns zero
 * or nothing and never reads outside its bytes. Views point into the reader's bytes and live as long as those. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/uuid.h"

struct wire_view {
	const uint8_t *data;
	size_t len;
};

struct wire_reader {
	const uint8_t *at;
	size_t left;
	int error;           /* 0, or the first ERR_ */
};

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_raw(struct buf *b, const void *data, size_t len);      /* no length: fixed by the format */
void wire_put_bytes(struct buf *b, const void *data, size_t len);    /* u32 length, then the bytes */
void wire_put_string(struct buf *b, const char *s);                  /* as bytes, without its zero */
void wire_put_uuid(struct buf *b, const struct uuid *id);            /* 16 bytes */

struct wire_view wire_view_of(const struct buf *b);                  /* lends its bytes */
struct wire_reader wire_read(const void *data, size_t len);
uint8_t wire_get_u8(struct wire_reader *r);
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
struct wire_view wire_get_raw(struct wire_reader *r, size_t len);
struct wire_view wire_get_bytes(struct wire_reader *r, size_t max);  /* longer than MAX: ERR_TOO_LARGE */
char *wire_get_string(struct wire_reader *r, size_t max);            /* the caller frees; NULL on failure or a zero byte inside */
struct uuid wire_get_uuid(struct wire_reader *r);
/* 0 when everything was read well and nothing is left over; ERR_TRUNCATED, ERR_TOO_LARGE or ERR_INVALID otherwise. */
int wire_end(struct wire_reader *r);

#endif
