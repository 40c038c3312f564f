/* say.h - marks texts that people see, for tools/texts. One that begins with a capital letter needs no mark, nor one that stands as an
 * argument where it is translated (call_translate); these are for the others, in tables. Translated is where it is shown. */
#ifndef BASE_SAY_H
#define BASE_SAY_H

#define N_(text) text
/* Of a number, the text for one and for many: "%{n} key", "%{n} keys". */
#define N2_(one, many) one, many

/* What stands in place of %{NAME} in a text. */
struct say_value {
	const char *name, *value;
};

/* Appends err_text() in another language: TRANSLATE is given the format that it was made of, where that is a text for people (it begins with a
 * capital letter and has at most a few plain conversions), else the text; values are put into what it returns. */
struct buf;
typedef const char *err_translate_fn(const void *ctx, const char *english);
void err_say(err_translate_fn *translate, const void *ctx, struct buf *out);

#endif
