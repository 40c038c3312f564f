/* mem.h - allocation that does not fail: without memory there is nothing sensible left to do, so the process ends. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                    /* zeroed */
void *mem_array(size_t count, size_t size);      /* zeroed, overflow checked */
void *mem_grow(void *p, size_t count, size_t size);
char *mem_strdup(const char *s);                 /* NULL gives NULL */
void *mem_dup(const void *p, size_t len);        /* with one zero byte behind */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
