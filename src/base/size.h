/* size.h - a number of bytes as people read it. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdint.h>

#define SIZE_TEXT_MAX 32

/* "512 bytes", "256 MiB", "1.5 TiB": in the largest unit that leaves at least 1; a whole number has no decimal. */
void size_text(int64_t bytes, char out[static SIZE_TEXT_MAX]);

#endif
