/* buf.c - a growing run of bytes. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void *buf_extend(struct buf *b, size_t len)
{
	size_t need = b->len + len + 1;
	char *at;

	if (need < len)
		fatal("out of memory");
	if (need > b->cap) {
		b->cap = need > 2 * b->cap ? (need < 64 ? 64 : need) : 2 * b->cap;
		b->data = mem_grow(b->data, b->cap, 1);
	}
	at = b->data + b->len;
	b->len += len;
	b->data[b->len] = '\0';
	return at;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	void *at = buf_extend(b, len);

	if (len)
		memcpy(at, data, len);
}

void buf_puts(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		fatal("bad format: %s", fmt);
	va_start(ap, fmt);
	vsnprintf(buf_extend(b, (size_t)n), (size_t)n + 1, fmt, ap);
	va_end(ap);
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *s = b->data ? b->data : mem_strdup("");

	*b = (struct buf)BUF_INIT;
	return s;
}

void buf_drop(struct buf *b, size_t len)
{
	if (len >= b->len) {
		buf_reset(b);
		return;
	}
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}
