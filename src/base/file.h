/* file.h - whole files: read with a limit, written so that a crash leaves the old or the new one, never half. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"

/* Appends the file's bytes to OUT. ERR_NOT_FOUND, ERR_TOO_LARGE over MAX bytes, ERR_IO. Not for secrets. */
int file_read(const char *path, size_t max, struct buf *out);
/* A number that changes whenever the file is replaced or written; 0 when it is not there. */
uint64_t file_stamp(const char *path);
/* Writes beside PATH, syncs, renames over it, syncs the folder. */
int file_write(const char *path, const void *data, size_t len, mode_t mode);

/* Whether what PATH holds can be acted on by root: it is of TYPE (S_IFREG, S_IFDIR), belongs to root or to who runs this, and nobody else may
 * write it. ERR_NOT_FOUND, ERR_FORBIDDEN with the reason. */
int file_trusted(const char *path, mode_t type);

#endif
