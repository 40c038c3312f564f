/* csv.c - a cell, quoted and made harmless. */
#include "base/csv.h"

#include <string.h>

void csv_cell(struct buf *out, const char *text)
{
	buf_putc(out, '"');
	if (*text && strchr("=+-@\t\r", *text))
		buf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '"')
			buf_putc(out, '"');
		buf_putc(out, *text);
	}
	buf_putc(out, '"');
}
