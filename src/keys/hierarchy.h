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
#define HIERARCHY_OLDER_MAX 7
#define HIERARCHY_RING_MAX 2     /* keys that one tenant has at a time: two while it is rotated */

/* A root key that is only unwrapped with: what was wrapped under it has not all been wrapped again yet. */
struct hierarchy_older {
	const struct provider *provider;
	struct provider_root *root;
};

struct hierarchy {
	const struct provider *provider;     /* of the active root key, which wraps */
	struct provider_root *root;          /* NULL: not at hand */
	struct hierarchy_older older[HIERARCHY_OLDER_MAX];
	size_t older_count;
	size_t missing;                      /* roots that there are, and that are not at hand */
	struct uuid wanted;                  /* the root in use, where no list of roots says which it is; nil: not known either */
	enum keys_cause cause;               /* why ROOT is NULL, and in words */
	char why[PROVIDER_WHY_SIZE];
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
/* The tenant's key under the active root key instead of the one that it is under; OUT is proven to give the same. */
int hierarchy_rewrap_tenant(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct buf *out);
/* The same of something directly under the root key. */
int hierarchy_root_rewrap(struct hierarchy *h, const struct blob_label *label, struct wire_view blob, struct buf *out);
/* A new key for the tenant, which wraps from now on; the present one is kept in OUT beside it and unwraps. ERR_CONFLICT: it has two already. */
int hierarchy_rotate_tenant(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct uuid *key, struct uuid *former, struct buf *out);
/* The end of that: OUT has the newer key alone, whose id is *KEY. What is still under the other is lost: the caller has made sure. */
int hierarchy_trim_tenant(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct uuid *key, struct buf *out);
/* What is under any of the tenant's keys, under its newest; OUT is proven to give the same. */
int hierarchy_rewrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label, struct wire_view blob,
	struct buf *out);
/* The id of the key that a blob is under; nil for what is no blob. */
struct uuid hierarchy_key_of(struct wire_view blob);
/* 1 while the root key is not at hand: all of the above fails with ERR_SEALED. */
int hierarchy_is_sealed(const struct hierarchy *h);
/* Of a sealed one: what keeps it so, in words and for programs. */
const char *hierarchy_why(const struct hierarchy *h);
enum keys_cause hierarchy_cause(const struct hierarchy *h);
/* There is no root key: CODE, with the thread's error text, is why. */
void hierarchy_lacks_root(struct hierarchy *h, int code);
/* Tells PASSPHRASE to the active root key, or, once that is unsealed or where no passphrase opens it, to the first older one that waits for one. As provider.unseal;
 * ERR_UNSUPPORTED where none takes one. */
int hierarchy_unseal(struct hierarchy *h, const struct secret *passphrase);
/* 1 when a root key will never come back to this process. */
int hierarchy_is_gone(const struct hierarchy *h);
/* Forgets and wipes all keys; those of a provider that can be unsealed come back with that. ERR_UNSUPPORTED elsewhere. */
int hierarchy_seal(struct hierarchy *h);
/* Forgets and wipes all keys, for good. */
void hierarchy_close(struct hierarchy *h);

#endif
