/* err.c - error codes, their names, and the text of a thread's last failure. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/say.h"
#include "base/word.h"

#define VALUES_MAX 4
#define VALUE_SIZE 200

static _Thread_local char last_text[512];
/* What it was made of, where it is a text for people: the format, and each value as text. */
static _Thread_local struct {
	const char *format;              /* NULL: not kept */
	size_t count;
	char values[VALUES_MAX][VALUE_SIZE];
} made_of;

/* The conversion that begins at AT, "%.*s" say; its length. */
static size_t conversion(const char *at)
{
	size_t n = 1 + strspn(at + 1, "-+ #0123456789.*");

	n += strspn(at + n, "hlzj");
	return at[n] ? n + 1 : n;
}

/* The value of the conversion SPEC; 0: of a kind that no text for people has. */
static int take_value(const char *spec, size_t len, va_list *ap, char *out)
{
	char last = spec[len - 1], size = spec[len - 2], copy[16] = "";

	if (len >= sizeof copy)
		return 0;
	memcpy(copy, spec, len);
	if (strcmp(copy, "%.*s") == 0) {
		int most = va_arg(*ap, int);

		snprintf(out, VALUE_SIZE, "%.*s", most, va_arg(*ap, const char *));
	} else if (strcmp(copy, "%s") == 0) {
		snprintf(out, VALUE_SIZE, "%s", va_arg(*ap, const char *));
	} else if ((last == 'd' || last == 'u') && size == 'z') {
		snprintf(out, VALUE_SIZE, "%zu", va_arg(*ap, size_t));
	} else if ((last == 'd' || last == 'u') && size == 'l') {
		snprintf(out, VALUE_SIZE, "%lld", spec[len - 3] == 'l' ? va_arg(*ap, long long) : (long long)va_arg(*ap, long));
	} else if (strcmp(copy, "%d") == 0 || strcmp(copy, "%u") == 0) {
		snprintf(out, VALUE_SIZE, "%d", va_arg(*ap, int));
	} else {
		return 0;
	}
	return 1;
}

static void keep_parts(const char *fmt, va_list *ap)
{
	made_of.format = NULL;
	made_of.count = 0;
	/* Texts for logs begin with a small letter, and nobody translates them. */
	if (*fmt < 'A' || *fmt > 'Z')
		return;
	for (const char *at = fmt; (at = strchr(at, '%')); at += conversion(at)) {
		if (at[1] == '%')
			continue;
		if (made_of.count == VALUES_MAX || !take_value(at, conversion(at), ap, made_of.values[made_of.count]))
			return;
		made_of.count++;
	}
	made_of.format = fmt;
}

int err_set(int code, const char *fmt, ...)
{
	va_list ap, again;

	va_start(ap, fmt);
	va_copy(again, ap);
	keep_parts(fmt, &again);
	va_end(again);
	vsnprintf(last_text, sizeof last_text, fmt, ap);
	va_end(ap);
	word_readable(last_text);
	return code;
}

void err_say(err_translate_fn *translate, const void *ctx, struct buf *out)
{
	const char *text = translate(ctx, made_of.format ? made_of.format : last_text), *hole;
	size_t n = 0;

	while (made_of.format && (hole = strchr(text, '%'))) {
		buf_add(out, text, (size_t)(hole - text));
		buf_puts(out, hole[1] == '%' ? "%" : n < made_of.count ? made_of.values[n++] : "");
		text = hole + conversion(hole);
	}
	buf_puts(out, text);
}

int err_wrap(int code, const char *fmt, ...)
{
	char inner[sizeof last_text];
	va_list ap;
	size_t n;

	memcpy(inner, last_text, sizeof inner);
	va_start(ap, fmt);
	vsnprintf(last_text, sizeof last_text, fmt, ap);
	va_end(ap);
	made_of.format = NULL;
	n = strlen(last_text);
	snprintf(last_text + n, sizeof last_text - n, ": %s", inner);
	word_readable(last_text);
	return code;
}

const char *err_text(void)
{
	return last_text;
}

const char *err_name(int code)
{
	switch (code) {
#define X(name, value, text) case value: return text;
	ERR_CODES(X)
#undef X
	}
	return "unknown";
}

int err_code(const char *name)
{
#define X(name_, value, text) if (strcmp(name, text) == 0) return value;
	ERR_CODES(X)
#undef X
	return 0;
}

void fatal(const char *fmt, ...)
{
	va_list ap;

	fputs("fatal: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}
