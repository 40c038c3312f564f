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

static FriBidiChar *characters(const char *text, FriBidiStrIndex *len)
{
	FriBidiStrIndex bytes = (FriBidiStrIndex)strlen(text);
	FriBidiChar *out = mem_array((size_t)bytes + 1, sizeof *out);

	*len = fribidi_charset_to_unicode(FRIBIDI_CHAR_SET_UTF8, text, bytes, out);
	return out;
}

int line_from_right(const char *text)
{
	FriBidiStrIndex len;
	FriBidiCharType *types;
	FriBidiChar *logical;
	int out;

	if (!may_run_from_the_right(text))
		return 0;
	logical = characters(text, &len);
	types = mem_array((size_t)len + 1, sizeof *types);
	fribidi_get_bidi_types(logical, len, types);
	out = fribidi_get_par_direction(types, len) == FRIBIDI_PAR_RTL;
	free(types);
	free(logical);
	return out;
}

/* As fribidi_log2vis, but for marks: the fonts' marks of Arabic and Hebrew stand before their letter, over what is drawn next. Whether anything
 * runs from the right; CHARS then is in the order in which it is drawn. */
static int reorder(FriBidiChar *chars, FriBidiStrIndex len, FriBidiParType way)
{
	const FriBidiFlags flags = (FRIBIDI_FLAGS_DEFAULT & ~FRIBIDI_FLAG_REORDER_NSM) | FRIBIDI_FLAGS_ARABIC;
	size_t room = (size_t)len + 1;
	FriBidiCharType *types = mem_array(room, sizeof *types);
	FriBidiBracketType *brackets = mem_array(room, sizeof *brackets);
	FriBidiLevel *levels = mem_array(room, sizeof *levels);
	FriBidiArabicProp *joins = mem_array(room, sizeof *joins);
	int some;

	fribidi_get_bidi_types(chars, len, types);
	fribidi_get_bracket_types(chars, len, types, brackets);
	/* 1: nothing in it runs from the right. */
	some = fribidi_get_par_embedding_levels_ex(types, brackets, len, &way, levels) > 1;
	if (some) {
		fribidi_get_joining_types(chars, len, joins);
		fribidi_join_arabic(types, len, levels, joins);
		fribidi_shape(flags, levels, len, joins, chars);
		some = fribidi_reorder_line(flags, types, len, 0, way, levels, chars, NULL) > 0;
	}
	free(types);
	free(brackets);
	free(levels);
	free(joins);
	return some;
}

char *line_drawn(const char *line, int from_right)
{
	FriBidiStrIndex len;
	FriBidiChar *chars;
	char *out = NULL;

	if (!from_right && !may_run_from_the_right(line))
		return NULL;
	chars = characters(line, &len);
	if (reorder(chars, len, from_right ? FRIBIDI_PAR_RTL : FRIBIDI_PAR_LTR)) {
		/* What two letters that are drawn as one leave behind. */
		len = fribidi_remove_bidi_marks(chars, len, NULL, NULL, NULL);
		out = mem_alloc(4 * (size_t)len + 1);
		fribidi_unicode_to_charset(FRIBIDI_CHAR_SET_UTF8, chars, len, out);
	}
	free(chars);
	return out;
}
