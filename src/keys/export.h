/* export.h - encrypts a device key under an export key; see base/exported.h. keyd. */
#ifndef KEYS_EXPORT_H
#define KEYS_EXPORT_H

#include "base/exported.h"
#include "base/wire.h"

/* EXPORT_KEY: EXPORTED_KEY_SIZE bytes. FIELDS as exported_put_fields writes them. OUT is replaced. */
int export_seal(const struct exported_label *label, const uint8_t *export_key, struct wire_view fields, const struct secret *plain,
	struct buf *out);

#endif
