/* roots.h - which root keys there are, while there can be more than one: a small file beside the identity file, root's alone, written whole.
 * Where it is missing, keyd's command line says where the only one is.
 *
 *     keyward roots 1
 *     UUID PROVIDER LOCATION           one line each, the oldest first; the last one wraps, the others unwrap only */
#ifndef KEYS_ROOTS_H
#define KEYS_ROOTS_H

#include <stddef.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "keys/hierarchy.h"

#define ROOTS_MAX (HIERARCHY_OLDER_MAX + 1)
#define ROOTS_LOCATION_MAX 1024
#define ROOTS_FILE_MAX 16384

struct roots_row {
	struct uuid id;
	char *provider, *location;
};

struct roots {
	struct roots_row rows[ROOTS_MAX];
	size_t count;
};

/* The file's bytes; PATH is for the error's words. ERR_TAMPERED for what is not such a file. */
int roots_parse(const uint8_t *data, size_t len, const char *path, struct roots *out);
/* Appends them. */
void roots_print(const struct roots *r, struct buf *out);
/* ERR_NOT_FOUND; ERR_TAMPERED for what is not such a file; what keyfile_read says. */
int roots_read(const char *path, struct roots *out);
/* The same, or, while there is no such file, the one root key at LOCATION, whose id is not known (nil). */
int roots_find(const char *path, const char *provider, const char *location, struct roots *out);
int roots_write(const char *path, const struct roots *r);
/* Copies PROVIDER and LOCATION. ERR_CONFLICT: that id is there; ERR_BUSY: there are ROOTS_MAX. */
int roots_add(struct roots *r, const struct uuid *id, const char *provider, const char *location);
/* ERR_NOT_FOUND; ERR_CONFLICT: it is the last one. */
int roots_remove(struct roots *r, const struct uuid *id);
void roots_free(struct roots *r);

#endif
