/* hierarchy.c - finds the right key for what is to be wrapped or unwrapped.
 *
 * A tenant key's plaintext is its own id (16 bytes) and the key (32 bytes): the id stays when the key is wrapped again under
 * another root key, so what lies below need not change. */
#include "keys/hierarchy.h"

#include <string.h>

#include "base/err.h"

#define TENANT_KEY "key/tenant"
#define TENANT_KEY_SIZE (16 + BLOB_KEY_SIZE)

int hierarchy_is_sealed(const struct hierarchy *h)
{
	return h->root == NULL || (h->provider->is_sealed && h->provider->is_sealed(h->root));
}

static int need_root(const struct hierarchy *h)
{
	if (!hierarchy_is_sealed(h))
		return 0;
	return err_set(ERR_SEALED, h->root ? "sealed: nobody has told the passphrase yet" : "sealed: no root key");
}

int hierarchy_root_wrap(struct hierarchy *h, const struct blob_label *label, const struct secret *plain, struct buf *out)
{
	int rc = need_root(h);

	if (rc == 0)
		rc = h->provider->wrap(h->root, label, plain, out);
	h->wraps += rc == 0;
	return rc;
}

int hierarchy_root_unwrap(struct hierarchy *h, const struct blob_label *label, struct wire_view blob, struct secret **plain)
{
	int rc = need_root(h);

	if (rc == 0)
		rc = h->provider->unwrap(h->root, label, blob, plain);
	h->unwraps += rc == 0;
	return rc;
}

static struct blob_label tenant_label(const struct uuid *tenant)
{
	return (struct blob_label){ .purpose = TENANT_KEY, .tenant = *tenant, .object = *tenant, .version = 1 };
}

int hierarchy_create_tenant(struct hierarchy *h, const struct uuid *tenant, struct buf *out)
{
	struct blob_label label = tenant_label(tenant);
	struct secret *key = secret_random(TENANT_KEY_SIZE);
	struct uuid id = uuid_new();
	int rc;

	memcpy(key->data, id.bytes, sizeof id.bytes);
	rc = hierarchy_root_wrap(h, &label, key, out);
	secret_free(key);
	return rc;
}

/* The tenant's key, borrowed from the cache until the next call. */
static int tenant_key(struct hierarchy *h, const struct hierarchy_tenant *tenant, const struct secret **out)
{
	struct blob_label label = tenant_label(&tenant->id);
	struct secret *key = NULL;
	int rc = need_root(h);

	if (rc < 0)
		return rc;
	*out = cache_find(&h->cache, &tenant->id, tenant->wrapped, clock_ticks());
	if (*out) {
		h->tenant_hits++;
		return 0;
	}
	rc = hierarchy_root_unwrap(h, &label, tenant->wrapped, &key);
	if (rc == 0 && key->len != TENANT_KEY_SIZE) {
		secret_free(key);
		rc = err_set(ERR_TAMPERED, "not a tenant key");
	}
	if (rc < 0)
		return rc;
	cache_add(&h->cache, &tenant->id, tenant->wrapped, key, clock_ticks());
	*out = key;
	return 0;
}

static struct uuid key_id(const struct secret *key)
{
	struct uuid id;

	memcpy(id.bytes, key->data, sizeof id.bytes);
	return id;
}

int hierarchy_wrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label,
	const struct secret *plain, struct buf *out)
{
	const struct secret *key = NULL;
	struct uuid id;
	int rc = tenant_key(h, tenant, &key);

	if (rc < 0)
		return rc;
	id = key_id(key);
	label->tenant = tenant->id;
	rc = blob_wrap(&id, key->data + sizeof id.bytes, label, plain, out);
	h->wraps += rc == 0;
	return rc;
}

int hierarchy_unwrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label,
	struct wire_view blob, struct secret **plain)
{
	const struct secret *key = NULL;
	struct uuid id;
	int rc = tenant_key(h, tenant, &key);

	if (rc < 0)
		return rc;
	id = key_id(key);
	label->tenant = tenant->id;
	rc = blob_unwrap(&id, key->data + sizeof id.bytes, label, blob, plain);
	h->unwraps += rc == 0;
	return rc;
}

int hierarchy_seal(struct hierarchy *h)
{
	if (h->root == NULL || h->provider->seal == NULL)
		return err_set(ERR_UNSUPPORTED, "the root key of provider %s cannot be sealed: stop the key service instead", h->provider->name);
	cache_clear(&h->cache);
	h->provider->seal(h->root);
	return 0;
}

void hierarchy_close(struct hierarchy *h)
{
	cache_clear(&h->cache);
	if (h->root)
		h->provider->close(h->root);
	h->root = NULL;
}
