/* private.h - secrets in files and on standard input, straight into memory of their own. */
#ifndef AGENT_COMMON_PRIVATE_H
#define AGENT_COMMON_PRIVATE_H

#include "base/secret.h"

/* A whole file of at most MAX bytes that nobody but its owner may use; no link. *OUT: its bytes, and a zero byte, which
 * counts. ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_IO (also when it is empty). */
int private_read(const char *path, size_t max, struct secret **out);
/* The first line of PATH, "-" for standard input, with a zero byte at its end, which counts. NAME says what it is.
 * ERR_INVALID. */
int private_line(const char *name, const char *path, struct secret **out);
/* A copy of TEXT, with its zero byte; TEXT is overwritten where it was. */
struct secret *private_take(char *text);
/* A password: GIVEN (taken over), else the first line of FILE ("-": standard input), else from the environment, where it is
 * then removed. *OUT, with a zero byte at its end, stays as it is when none of them says anything. NAME says what it is. */
int private_secret(const char *name, struct secret *given, const char *file, const char *variable, struct secret **out);

#define PRIVATE_LINE_MAX 1024

#endif
