/* word.h - words of text: those of a closed list (states, actions, levels) by number, and what stands around them. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stddef.h>

/* The place of NAME among COUNT words; ERR_INVALID "no such WHAT: NAME" when it is none. */
int word_find(const char *const *words, size_t count, const char *name, const char *what);

/* Bytes of the UTF-8 character that S begins with, LEFT (not 0) of them being there; 0 when it is none. */
size_t word_character(const char *s, size_t left);

/* Bytes of the first COUNT characters of S, UTF-8; of all where there are no more. */
size_t word_first(const char *s, size_t count);

/* Puts "?" for each byte that belongs to no character of UTF-8, and for control characters but tab and line end: for what comes from disks
 * and file names, or was cut off, before it is shown or sent. */
void word_readable(char *s);

/* The first character of S, UTF-8, that shows nothing: controls, spaces of all kinds but the plain one, what joins or turns round the text beside
 * it; *LEN gets its bytes. NULL: there is none. */
const char *word_unseen(const char *s, size_t *len);

/* S without white space at its ends: the end is cut off in place, the result points into S. */
char *word_trim(char *s);

#endif
