/* word.c - looking a word up; what text may hold. */
#include "base/word.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"

int word_find(const char *const *words, size_t count, const char *name, const char *what)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], name) == 0)
			return (int)i;
	return err_set(ERR_INVALID, "no such %s: %s", what, name);
}

size_t word_character(const char *text, size_t left)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	unsigned c;

	if (len <= 1)
		return len;
	if (len > left)
		return 0;
	c = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : len;
}

static unsigned number_of(const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;
	unsigned c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3f);
	return c;
}

/* Unicode's classes Cc, Cf, Zl, Zp and Zs but U+0020, and letters of no width (fillers). */
static int is_unseen(unsigned c)
{
	static const struct { unsigned from, to; } ranges[] = {
		{ 0, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad }, { 0x34f, 0x34f }, { 0x600, 0x605 }, { 0x61c, 0x61c }, { 0x6dd, 0x6dd }, { 0x70f, 0x70f },
		{ 0x890, 0x891 }, { 0x8e2, 0x8e2 }, { 0x115f, 0x1160 }, { 0x1680, 0x1680 }, { 0x180b, 0x180f }, { 0x2000, 0x200f }, { 0x2028, 0x202f },
		{ 0x205f, 0x206f }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
		{ 0xfff9, 0xfffb }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return 1;
	return 0;
}

const char *word_unseen(const char *s, size_t *len)
{
	for (; *s; s += *len) {
		*len = word_character(s, strlen(s));
		if (*len == 0)
			*len = 1;
		else if (is_unseen(number_of(s, *len)))
			return s;
	}
	return NULL;
}

size_t word_first(const char *s, size_t count)
{
	size_t len = 0;

	while (s[len] && (((unsigned char)s[len] & 0xc0) == 0x80 || count-- > 0))
		len++;
	return len;
}

/* Also those above 127, which a terminal takes for the beginning of a command. */
static int is_control(const char *s, size_t len)
{
	return len == 1 ? iscntrl((unsigned char)*s) && *s != '\n' && *s != '\t' : len == 2 && s[0] == '\xc2' && (unsigned char)s[1] < 0xa0;
}

void word_readable(char *s)
{
	size_t left = strlen(s), step;

	for (; left > 0; s += step, left -= step) {
		step = word_character(s, left);
		if (step == 0 || is_control(s, step)) {
			*s = '?';
			step = 1;
		}
	}
}

char *word_trim(char *s)
{
	char *end = s + strlen(s);

	while (isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}
