/* buf.h - a growing run of bytes, always followed by a zero byte that does not count. Not for secrets: see secret.h. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>

struct buf {
	char *data;   /* NULL while empty and never filled; use buf_str for a string */
	size_t len;
	size_t cap;
};

#define BUF_INIT { NULL, 0, 0 }

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Room for LEN more bytes, counted as used; the caller fills them. */
void *buf_extend(struct buf *b, size_t len);
const char *buf_str(const struct buf *b);        /* "" when empty; valid until the next change */
char *buf_take(struct buf *b);                   /* the string, now the caller's; the buffer is empty again */
void buf_drop(struct buf *b, size_t len);        /* the first LEN bytes go; at most all */
void buf_reset(struct buf *b);                   /* length 0, memory kept */
void buf_free(struct buf *b);

#endif
