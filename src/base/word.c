/* word.c - looking a word up. */
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

char *word_trim(char *s)
{
	char *end = s + strlen(s);

	while (isspace((unsigned char)*s))
		s++;
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}
