/* value_text.c - texts: equal, contained, fitting a pattern; with or without regard to ASCII case. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/rule.h"
#include "policy/value.h"

static int same(char a, char b, int fold)
{
	if (a == b)
		return 1;
	if (!fold)
		return 0;
	a |= 0x20;
	b |= 0x20;
	return a == b && a >= 'a' && a <= 'z';
}

int text_starts(const char *in, const char *with, int fold)
{
	while (*with)
		if (*in == '\0' || !same(*in++, *with++, fold))
			return 0;
	return 1;
}

int text_equal(const char *a, const char *b, int fold)
{
	return fold ? strlen(a) == strlen(b) && text_starts(a, b, 1) : strcmp(a, b) == 0;
}

int text_contains(const char *in, const char *what, int fold)
{
	if (!fold)
		return strstr(in, what) != NULL;
	for (; ; in++) {
		if (text_starts(in, what, 1))
			return 1;
		if (*in == '\0')
			return 0;
	}
}

static const char *next_character(const char *s)
{
	for (s++; (*s & 0xc0) == 0x80; s++)
		;
	return s;
}

/* Behind the pattern's first element when it takes one character of TEXT, else NULL. *AFTER: behind that character. */
static const char *take_one(const char *text, const char *pattern, int fold, const char **after)
{
	if (*text == '\0' || *pattern == '\0')
		return NULL;
	if (*pattern == '?') {
		*after = next_character(text);
		return pattern + 1;
	}
	if (*pattern == '\\' && pattern[1])
		pattern++;
	*after = text + 1;
	return same(*text, *pattern, fold) ? pattern + 1 : NULL;
}

/* Only the last star is ever tried again: what stood before it has been taken as early as can be. */
int text_matches(const char *text, const char *pattern, int fold)
{
	const char *star = NULL, *again = NULL, *after, *rest;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if ((rest = take_one(text, pattern, fold, &after))) {
			pattern = rest;
			text = after;
		} else if (*text == '\0' && *pattern == '\0') {
			return 1;
		} else if (star && *again) {
			again = next_character(again);
			text = again;
			pattern = star;
		} else {
			return 0;
		}
	}
}

json_t *text_json(const char *text)
{
	json_t *whole = json_string(text);
	char *plain;

	if (whole)
		return whole;
	plain = mem_strdup(text);
	for (char *c = plain; *c; c++)
		if (*c & 0x80)
			*c = '?';
	whole = json_string(plain);
	free(plain);
	return whole;
}

int text_check(const char *text, size_t len, const char **why)
{
	*why = NULL;
	if (len > RULE_TEXT_MAX)
		*why = "too long: at most 1024 bytes";
	for (size_t i = 0; i < len && *why == NULL; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			*why = "no control characters, please";
	return *why == NULL;
}
