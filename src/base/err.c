/* err.c - error codes, their names, and the text of a thread's last failure. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char last_text[512];

int err_set(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_text, sizeof last_text, fmt, ap);
	va_end(ap);
	return code;
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
	n = strlen(last_text);
	snprintf(last_text + n, sizeof last_text - n, ": %s", inner);
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
