/* keyfile.h - small files that hold keys: whole or not there, and nobody else's. */
#ifndef BASE_KEYFILE_H
#define BASE_KEYFILE_H

#include <stddef.h>

#include "base/secret.h"

/* The file's bytes; *OUT is the caller's. ERR_NOT_FOUND; ERR_FORBIDDEN unless it is a regular file with one name, owned by
 * the effective user, with no permission for anybody else; ERR_TOO_LARGE over MAX bytes; ERR_IO. */
int keyfile_read(const char *path, size_t max, struct secret **out);
/* A copy of GIVEN, or, where that is NULL, as keyfile_read. */
int keyfile_get(const struct secret *given, const char *path, size_t max, struct secret **out);
/* Makes the file with mode 0600, durable and never half; of two processes that try at once one wins.
 * ERR_CONFLICT when it is there already. */
int keyfile_create(const char *path, const void *data, size_t len);

#endif
