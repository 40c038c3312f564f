/* hierarchy.h - root key, tenant keys under it, device keys and tenants' secrets under those. No I/O but the provider's. */
#ifndef KEYS_HIERARCHY_H
#define KEYS_HIERARCHY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"
#include "keys/cache.h"
#include "keys/provider.h"

#define HIERARCHY_DEVICE_KEY "key/device"    /* purpose of a device key's label: object is the device */
#define HIERARCHY_IDENTITY_KEY "key/identity"

struct hierarchy {
	const struct provider *provider;
	struct provider_root *root;          /* NULL: not at hand */
	struct cache cache;
	uint64_t wraps, unwraps, tenant_hits;
};

/* A tenant as a caller names it: the id and its wrapped key. */
struct hierarchy_tenant {
	struct uuid id;
	struct wire_view wrapped;
};

/* All: ERR_SEALED without a root key; ERR_TAMPERED, ERR_CRYPTO and what the provider says. Results replace OUT's content,
 * or are the caller's to free. */
int hierarchy_create_tenant(struct hierarchy *h, const struct uuid *tenant, struct buf *out);
/* Under the tenant's key. LABEL's tenant must be the tenant's id: it is set here. */
int hierarchy_wrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label,
	const struct secret *plain, struct buf *out);
int hierarchy_unwrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label,
	struct wire_view blob, struct secret **plain);
/* Directly under the root key: the installation's own. */
int hierarchy_root_wrap(struct hierarchy *h, const struct blob_label *label, const struct secret *plain, struct buf *out);
int hierarchy_root_unwrap(struct hierarchy *h, const struct blob_label *label, struct wire_view blob, struct secret **plain);
/* 1 while the root key is not at hand: all of the above fails with ERR_SEALED. */
int hierarchy_is_sealed(const struct hierarchy *h);
/* Forgets and wipes all keys; those of a provider that can be unsealed come back with that. ERR_UNSUPPORTED elsewhere. */
int hierarchy_seal(struct hierarchy *h);
/* Forgets and wipes all keys, for good. */
void hierarchy_close(struct hierarchy *h);

#endif
