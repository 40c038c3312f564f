/* hierarchy.c - finds the right key for what is to be wrapped or unwrapped.
 *
 * A tenant key's plaintext is its own id (16 bytes) and the key (32 bytes): the id stays when the key is wrapped again under
 * another root key, so what lies below need not change. While a tenant's key is rotated there are two of these, the newer first: it
 * wraps, both unwrap, and callers pass one blob as ever. */
#include "keys/hierarchy.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

#define TENANT_KEY "key/tenant"
#define TENANT_KEY_SIZE (16 + BLOB_KEY_SIZE)

struct uuid hierarchy_key_of(struct wire_view blob)
{
	struct uuid id = { { 0 } };

	if (blob.len >= BLOB_OVERHEAD)
		memcpy(id.bytes, blob.data + 1, sizeof id.bytes);
	return id;
}

int hierarchy_is_sealed(const struct hierarchy *h)
{
	return h->root == NULL || (h->provider->is_sealed && h->provider->is_sealed(h->root));
}

const char *hierarchy_why(const struct hierarchy *h)
{
	const char *why = h->root && h->provider->why ? h->provider->why(h->root) : "";

	if (h->root == NULL)
		return *h->why ? h->why : "it has no root key";
	return *why ? why : "nobody has told the passphrase yet";
}

enum keys_cause hierarchy_cause(const struct hierarchy *h)
{
	if (h->root == NULL)
		return h->cause;
	return h->provider->cause ? h->provider->cause(h->root) : KEYS_CAUSE_NONE;
}

void hierarchy_lacks_root(struct hierarchy *h, int code)
{
	h->cause = code == ERR_CONFLICT ? KEYS_CAUSE_OTHER_KEY : KEYS_CAUSE_FILE;
	snprintf(h->why, sizeof h->why, "%s", err_text());
}

static int need_root(const struct hierarchy *h)
{
	if (!hierarchy_is_sealed(h))
		return 0;
	return err_set(ERR_SEALED, "sealed: %s", hierarchy_why(h));
}

/* The root key that a blob says it is under; the active one for a stranger, which then refuses it. */
static struct hierarchy_older root_of(const struct hierarchy *h, struct wire_view blob)
{
	struct uuid wanted = hierarchy_key_of(blob), id;

	for (size_t i = 0; i < h->older_count; i++) {
		h->older[i].provider->describe(h->older[i].root, &id);
		if (uuid_equal(&id, &wanted) && !uuid_is_nil(&id))
			return h->older[i];
	}
	return (struct hierarchy_older){ h->provider, h->root };
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

	if (rc == 0) {
		struct hierarchy_older by = root_of(h, blob);

		rc = by.provider->unwrap(by.root, label, blob, plain);
	}
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
	if (rc == 0 && (key->len == 0 || key->len % TENANT_KEY_SIZE || key->len > HIERARCHY_RING_MAX * TENANT_KEY_SIZE)) {
		secret_free(key);
		rc = err_set(ERR_TAMPERED, "not a tenant key");
	}
	if (rc < 0)
		return rc;
	cache_add(&h->cache, &tenant->id, tenant->wrapped, key, clock_ticks());
	*out = key;
	return 0;
}

/* Of the tenant's keys, newest first. */
static struct uuid key_id(const struct secret *key, size_t n)
{
	struct uuid id;

	memcpy(id.bytes, key->data + n * TENANT_KEY_SIZE, sizeof id.bytes);
	return id;
}

/* Which of them the blob is under; the newest for a stranger, which then refuses it. */
static size_t key_of(const struct secret *key, struct wire_view blob)
{
	struct uuid wanted = hierarchy_key_of(blob);

	for (size_t n = 1; n < key->len / TENANT_KEY_SIZE; n++) {
		struct uuid id = key_id(key, n);

		if (uuid_equal(&id, &wanted))
			return n;
	}
	return 0;
}

int hierarchy_wrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label,
	const struct secret *plain, struct buf *out)
{
	const struct secret *key = NULL;
	struct uuid id;
	int rc = tenant_key(h, tenant, &key);

	if (rc < 0)
		return rc;
	id = key_id(key, 0);
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
	size_t n;
	int rc = tenant_key(h, tenant, &key);

	if (rc < 0)
		return rc;
	n = key_of(key, blob);
	id = key_id(key, n);
	label->tenant = tenant->id;
	rc = blob_unwrap(&id, key->data + n * TENANT_KEY_SIZE + sizeof id.bytes, label, blob, plain);
	h->unwraps += rc == 0;
	return rc;
}

/* Whatever has been wrapped again gives the same, before anybody drops what it was. */
static int prove(const struct secret *plain, struct secret *again, int rc)
{
	if (rc == 0 && !secret_equal(plain, again))
		rc = err_set(ERR_CRYPTO, "what was wrapped again does not give the same");
	secret_free(again);
	return rc;
}

/* WRAPPED becomes the caller's on success alone. */
static int give(struct buf *wrapped, int rc, struct buf *out)
{
	struct buf *old = rc == 0 ? out : wrapped;

	buf_free(old);
	if (rc == 0)
		*out = *wrapped;
	return rc;
}

int hierarchy_root_rewrap(struct hierarchy *h, const struct blob_label *label, struct wire_view blob, struct buf *out)
{
	struct secret *plain = NULL, *again = NULL;
	struct buf wrapped = BUF_INIT;
	int rc = hierarchy_root_unwrap(h, label, blob, &plain);

	if (rc == 0)
		rc = hierarchy_root_wrap(h, label, plain, &wrapped);
	if (rc == 0) {
		rc = hierarchy_root_unwrap(h, label, wire_view_of(&wrapped), &again);
		rc = prove(plain, again, rc);
	}
	secret_free(plain);
	return give(&wrapped, rc, out);
}

int hierarchy_rewrap_tenant(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct buf *out)
{
	struct blob_label label = tenant_label(&tenant->id);

	return hierarchy_root_rewrap(h, &label, tenant->wrapped, out);
}

int hierarchy_rewrap(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct blob_label *label, struct wire_view blob,
	struct buf *out)
{
	struct secret *plain = NULL, *again = NULL;
	struct buf wrapped = BUF_INIT;
	int rc = hierarchy_unwrap(h, tenant, label, blob, &plain);

	if (rc == 0)
		rc = hierarchy_wrap(h, tenant, label, plain, &wrapped);
	if (rc == 0) {
		rc = hierarchy_unwrap(h, tenant, label, wire_view_of(&wrapped), &again);
		rc = prove(plain, again, rc);
	}
	secret_free(plain);
	return give(&wrapped, rc, out);
}

/* Wraps RING, which becomes nobody's, as the tenant's keys. */
static int wrap_ring(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct secret *ring, struct buf *out)
{
	struct blob_label label = tenant_label(&tenant->id);
	struct secret *again = NULL;
	struct buf wrapped = BUF_INIT;
	int rc = hierarchy_root_wrap(h, &label, ring, &wrapped);

	if (rc == 0) {
		rc = hierarchy_root_unwrap(h, &label, wire_view_of(&wrapped), &again);
		rc = prove(ring, again, rc);
	}
	secret_free(ring);
	return give(&wrapped, rc, out);
}

int hierarchy_rotate_tenant(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct uuid *key, struct uuid *former,
	struct buf *out)
{
	const struct secret *present = NULL;
	struct secret *ring;
	int rc = tenant_key(h, tenant, &present);

	if (rc == 0 && present->len != TENANT_KEY_SIZE)
		rc = err_set(ERR_CONFLICT, "the tenant's key is being rotated already");
	if (rc < 0)
		return rc;
	ring = secret_random(2 * TENANT_KEY_SIZE);
	*key = uuid_new();
	*former = key_id(present, 0);
	memcpy(ring->data, key->bytes, sizeof key->bytes);
	memcpy(ring->data + TENANT_KEY_SIZE, present->data, TENANT_KEY_SIZE);
	return wrap_ring(h, tenant, ring, out);
}

int hierarchy_trim_tenant(struct hierarchy *h, const struct hierarchy_tenant *tenant, struct uuid *key, struct buf *out)
{
	const struct secret *present = NULL;
	struct secret *ring;
	int rc = tenant_key(h, tenant, &present);

	if (rc < 0)
		return rc;
	ring = secret_new(TENANT_KEY_SIZE);
	*key = key_id(present, 0);
	memcpy(ring->data, present->data, TENANT_KEY_SIZE);
	return wrap_ring(h, tenant, ring, out);
}

static int is_sealed(const struct provider *p, struct provider_root *root)
{
	return p->is_sealed && p->is_sealed(root);
}

/* One that is sealed, and that people can open. */
static int waits_for_word(const struct hierarchy_older *r)
{
	return r->provider->unseal && is_sealed(r->provider, r->root);
}

int hierarchy_unseal(struct hierarchy *h, const struct secret *passphrase)
{
	const struct hierarchy_older active = { h->provider, h->root };
	struct hierarchy_older to = active;

	for (size_t i = 0; h->root && i < h->older_count && !waits_for_word(&to); i++)
		to = h->older[i];
	if (!waits_for_word(&to))
		to = active;
	if (to.root == NULL)
		return need_root(h);
	if (to.provider->unseal == NULL)
		return err_set(ERR_UNSUPPORTED, "the root key of provider %s is not unsealed by a passphrase", to.provider->name);
	return to.provider->unseal(to.root, passphrase);
}

int hierarchy_is_gone(const struct hierarchy *h)
{
	int gone = h->root && h->provider->is_gone && h->provider->is_gone(h->root);

	for (size_t i = 0; i < h->older_count; i++)
		gone |= h->older[i].provider->is_gone && h->older[i].provider->is_gone(h->older[i].root);
	return gone;
}

int hierarchy_seal(struct hierarchy *h)
{
	if (h->root == NULL || h->provider->seal == NULL)
		return err_set(ERR_UNSUPPORTED, "the root key of provider %s cannot be sealed: stop the key service instead", h->provider->name);
	cache_clear(&h->cache);
	h->provider->seal(h->root);
	for (size_t i = 0; i < h->older_count; i++)
		if (h->older[i].provider->seal)
			h->older[i].provider->seal(h->older[i].root);
	return 0;
}

void hierarchy_close(struct hierarchy *h)
{
	cache_clear(&h->cache);
	if (h->root)
		h->provider->close(h->root);
	h->root = NULL;
	while (h->older_count) {
		h->older_count--;
		h->older[h->older_count].provider->close(h->older[h->older_count].root);
	}
}
