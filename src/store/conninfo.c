/* conninfo.c - the paths in a connection string, moved. */
#include "store/conninfo.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

/* "host" is a socket's folder where it begins with a slash, and can be a list. */
static const char *const paths[] = { "host", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile" };

static int is_path(const char *keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (strcmp(paths[i], keyword) == 0)
			return 1;
	return 0;
}

static void add_quoted(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
}

static void add_moved(struct buf *out, char *list, const char *(*inside)(const void *ctx, const char *path), const void *ctx)
{
	const char *separator = "", *one;

	while ((one = strsep(&list, ",")) != NULL) {
		add_quoted(out, separator);
		add_quoted(out, *one == '/' ? inside(ctx, one) : one);
		separator = ",";
	}
}

char *conninfo_inside(const char *given, const char *(*inside)(const void *ctx, const char *path), const void *ctx)
{
	PQconninfoOption *options = PQconninfoParse(given, NULL);
	struct buf out = BUF_INIT;

	if (options == NULL)
		return mem_strdup(given);
	for (PQconninfoOption *o = options; o->keyword; o++) {
		if (o->val == NULL)
			continue;
		buf_printf(&out, "%s%s='", out.len ? " " : "", o->keyword);
		if (is_path(o->keyword))
			add_moved(&out, o->val, inside, ctx);
		else
			add_quoted(&out, o->val);
		buf_putc(&out, '\'');
	}
	PQconninfoFree(options);
	return buf_take(&out);
}
