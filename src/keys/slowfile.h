/* slowfile.h - a key file read by a process of its own: where its file system hangs (its server is away, its disk is dying), a reader waits in the
 * kernel, and no signal ends that. So whoever wants the file waits for a limited time, and goes on without it. */
#ifndef KEYS_SLOWFILE_H
#define KEYS_SLOWFILE_H

#include "base/secret.h"

/* As keyfile_read, of at most MAX bytes; and ERR_TIMEOUT, when it is not read within two seconds. While the reader of a former call for PATH hangs still,
 * that is said at once. */
int slowfile_read(const char *path, size_t max, struct secret **out);

#endif
