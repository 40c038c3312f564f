/* csv.c - a cell, quoted and made harmless. */
#include "base/csv.h"

#include <string.h>

/* What programs for tables calculate: they take a full-width sign for the plain one, too. */
static int is_formula(const char *text)
{
	static const char *const wide[] = { "\uff1d", "\uff0b", "\uff0d", "\uff20" };

	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		if (strncmp(text, wide[i], strlen(wide[i])) == 0)
			return 1;
	return *text && strchr("=+-@\t\r\n", *text) != NULL;
}

void csv_cell(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	if (is_formula(text))
		buf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '"')
			buf_putc(out, '"');
		buf_putc(out, *text);
	}
	buf_putc(out, '"');
}
