/* prompt.h - a secret as a line of standard input. */
#ifndef BASE_PROMPT_H
#define BASE_PROMPT_H

#include <stddef.h>

#include "base/secret.h"

/* On a terminal QUESTION is asked and nothing shown; else the line is just read. It ends at a newline or the end and may be empty. *OUT is
 * the caller's. ERR_TOO_LARGE over MAX bytes. */
int prompt_secret(const char *question, size_t max, struct secret **out);
/* 1 when standard input is a terminal: a person can be asked twice. */
int prompt_is_person(void);

#endif
