/* breaks.c - where a long path or address may go on in the next line: behind slashes and @, before dots. Left alone, a browser finds no such place and breaks it
 * within a word. */
#include "render/parts.h"

#include <string.h>

#include "render/template.h"

#define LONG 20                  /* bytes; what is shorter fits in any place */

static size_t word_length(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] != ' ' && text[n] != '\n' && text[n] != '\t')
		n++;
	return n;
}

/* Whether WORD may be broken in front of its byte I: not behind its first, nor before a full stop. */
static int is_seam(const char *word, size_t len, size_t i)
{
	if (i < 2)
		return 0;
	return word[i] == '.' ? i + 1 < len && word[i - 1] != '.' : (word[i - 1] == '/' && word[i] != '/') || word[i - 1] == '@';
}

static void put_word(const char *word, size_t len, struct buf *out)
{
	size_t from = 0;

	for (size_t i = 0; len >= LONG && i < len; i++) {
		if (!is_seam(word, len, i))
			continue;
		template_escape(word + from, i - from, out);
		buf_puts(out, "<wbr>");
		from = i;
	}
	template_escape(word + from, len - from, out);
}

void breaks_escape(const char *text, size_t len, struct buf *out)
{
	for (size_t at = 0, n; at < len; at += n) {
		n = word_length(text + at, len - at);
		put_word(text + at, n, out);
		if (at + n < len)
			buf_add(out, text + at + n++, 1);
	}
}
