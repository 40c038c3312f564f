/* private.h - secrets in files and on standard input, straight into memory of their own. */
#ifndef AGENT_PRIVATE_H
#define AGENT_PRIVATE_H

#include "base/secret.h"

/* A whole file of at most MAX bytes that nobody but its owner may use; no link. *OUT: its bytes, and a zero byte, which
 * counts. ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_IO (also when it is empty). */
int private_read(const char *path, size_t max, struct secret **out);
/* The first line of PATH, "-" for standard input, with a zero byte at its end, which counts. NAME says what it is.
 * ERR_INVALID. */
int private_line(const char *name, const char *path, struct secret **out);
/* A copy of TEXT, with its zero byte; TEXT is overwritten where it was. */
struct secret *private_take(char *text);

#define PRIVATE_LINE_MAX 1024

#endif
