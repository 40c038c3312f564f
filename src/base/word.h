/* word.h - the words of a closed list (states, actions, levels), by number: the way back from a name to its enum. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stddef.h>

/* The place of NAME among COUNT words; ERR_INVALID "no such WHAT: NAME" when it is none. */
int word_find(const char *const *words, size_t count, const char *name, const char *what);

#endif
