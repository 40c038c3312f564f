/* word.h - words of text: those of a closed list (states, actions, levels) by number, and what stands around them. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stddef.h>

/* The place of NAME among COUNT words; ERR_INVALID "no such WHAT: NAME" when it is none. */
int word_find(const char *const *words, size_t count, const char *name, const char *what);

/* S without white space at its ends: the end is cut off in place, the result points into S. */
char *word_trim(char *s);

#endif
