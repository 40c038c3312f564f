/* line.c - by FriBidi: libharu draws characters as they come, one beside the other. */
#include "report/line.h"

#include <fribidi.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define FIRST_RTL 0xd6                   /* bytes below begin no character that runs from the right: Hebrew is the first such script */

static int may_run_from_the_right(const char *line)
{
	while (*line && (unsigned char)*line < FIRST_RTL)
		line++;
	return *line != '\0';
}

char *line_drawn(const char *line)
{
	FriBidiStrIndex bytes = (FriBidiStrIndex)strlen(line), len;
	FriBidiParType way = FRIBIDI_PAR_ON;
	FriBidiChar *logical, *drawn;
	char *out = NULL;

	if (!may_run_from_the_right(line))
		return NULL;
	logical = mem_array((size_t)bytes + 1, sizeof *logical);
	drawn = mem_array((size_t)bytes + 1, sizeof *drawn);
	len = fribidi_charset_to_unicode(FRIBIDI_CHAR_SET_UTF8, line, bytes, logical);
	/* 1: nothing in it runs from the right. */
	if (fribidi_log2vis(logical, len, &way, drawn, NULL, NULL, NULL) > 1) {
		/* What two letters that are drawn as one leave behind. */
		len = fribidi_remove_bidi_marks(drawn, len, NULL, NULL, NULL);
		out = mem_alloc(4 * (size_t)len + 1);
		fribidi_unicode_to_charset(FRIBIDI_CHAR_SET_UTF8, drawn, len, out);
	}
	free(logical);
	free(drawn);
	return out;
}
