/* provider.h - where the root key lives. A backend is one struct in one file; only keyd links them.
 *
 * A provider wraps and unwraps tenant keys and the installation's own secrets; it gives the root key to nobody. */
#ifndef KEYS_PROVIDER_H
#define KEYS_PROVIDER_H

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "keys/blob.h"

struct provider_options {
	const char *location;        /* the provider's own words for where: a path, a URI */
	int may_create;              /* 1 at an installation's first start: nothing was ever wrapped */
};

struct provider_root;                /* an opened root key; what is inside is the provider's */

struct provider {
	const char *name;
	/* ERR_SEALED: the root key is not at hand now, keyd may start without it. Any other error: it must not start. */
	int (*open)(const struct provider_options *options, struct provider_root **out);
	/* blob.h's form, with the root key's id. ERR_CRYPTO, ERR_UNAVAILABLE, ERR_TIMEOUT. OUT's content is replaced. */
	int (*wrap)(struct provider_root *root, const struct blob_label *label, const struct secret *plain, struct buf *out);
	/* As wrap, and ERR_TAMPERED. *PLAIN is the caller's. */
	int (*unwrap)(struct provider_root *root, const struct blob_label *label, struct wire_view blob, struct secret **plain);
	/* The root key's id, which never changes and tells nothing about the key. */
	void (*describe)(const struct provider_root *root, struct uuid *id);
	void (*close)(struct provider_root *root);   /* wipes; NULL is fine */
};

extern const struct provider provider_file;

#endif
