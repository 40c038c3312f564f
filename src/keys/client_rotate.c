/* client_rotate.c - keys wrapped again: under another root key, under another key of their tenant. */
#include <string.h>

#include "base/err.h"
#include "keys/client_part.h"

static void get_root(struct wire_reader *r, struct keys_root *out)
{
	struct wire_view name;

	out->id = wire_get_uuid(r);
	name = wire_get_bytes(r, sizeof out->provider - 1);
	if (!r->error)
		memcpy(out->provider, name.data, name.len);
	out->active = wire_get_u8(r);
	out->sealed = wire_get_u8(r);
}

int keys_roots(struct keys_client *c, struct keys_roots *out)
{
	struct keys_roots got = { .count = 0 };
	struct uuid id = uuid_new();
	struct wire_reader r;
	int rc;

	client_begin(c, MESSAGE_roots, &id);
	rc = client_call(c, &r);
	if (rc < 0)
		return client_finish(c, rc);
	got.count = wire_get_u8(&r);
	for (size_t i = 0; i < got.count && i < KEYS_ROOTS_MAX; i++)
		get_root(&r, &got.roots[i]);
	got.identity = wire_get_uuid(&r);
	rc = client_end(&r);
	if (rc < 0)
		return client_finish(c, rc);
	*out = got;
	return client_finish(c, 0);
}

int keys_roots_reload(struct keys_client *c, const struct uuid *request, const struct secret *passphrase)
{
	struct buf *b = client_begin(c, MESSAGE_roots_reload, request);

	wire_put_bytes(b, passphrase ? passphrase->data : NULL, passphrase ? passphrase->len : 0);
	return client_call_for_nothing(c);
}

static int begin_tenant(struct keys_client *c, enum message_type type, const struct uuid *request, const struct uuid *tenant,
	struct wire_view wrapped, struct buf **out)
{
	int rc = client_check_size(wrapped.len, KEYS_BLOB_MAX, "wrapped tenant key");

	if (rc < 0)
		return rc;
	*out = client_begin(c, type, request);
	wire_put_uuid(*out, tenant);
	wire_put_bytes(*out, wrapped.data, wrapped.len);
	return 0;
}

int keys_tenant_rewrap(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped,
	struct buf *out)
{
	struct buf *b;
	int rc = begin_tenant(c, MESSAGE_tenant_rewrap, request, tenant, wrapped, &b);

	return rc < 0 ? rc : client_call_for_bytes(c, KEYS_BLOB_MAX, out);
}

int keys_system_rewrap(struct keys_client *c, const struct uuid *request, const char *purpose, struct wire_view blob, struct buf *out)
{
	struct buf *b;
	int rc = client_check_size(blob.len, KEYS_BLOB_MAX, "blob");

	if (rc == 0)
		rc = client_check_size(strlen(purpose), KEYS_PURPOSE_MAX, "purpose");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_system_rewrap, request);
	wire_put_string(b, purpose);
	wire_put_bytes(b, blob.data, blob.len);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, out);
}

/* KEY and, where there is one, FORMER come before the bytes. */
static int call_for_ring(struct keys_client *c, struct uuid *key, struct uuid *former, struct buf *out)
{
	struct uuid ids[2] = { { { 0 } } };
	struct wire_reader r;
	struct wire_view v;
	int rc = client_call(c, &r);

	if (rc < 0)
		return client_finish(c, rc);
	ids[0] = wire_get_uuid(&r);
	if (former)
		ids[1] = wire_get_uuid(&r);
	v = wire_get_bytes(&r, KEYS_BLOB_MAX);
	rc = client_end(&r);
	if (rc < 0)
		return client_finish(c, rc);
	*key = ids[0];
	if (former)
		*former = ids[1];
	buf_reset(out);
	buf_add(out, v.data, v.len);
	return client_finish(c, 0);
}

int keys_tenant_rotate(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped,
	struct uuid *key, struct uuid *former, struct buf *out)
{
	struct buf *b;
	int rc = begin_tenant(c, MESSAGE_tenant_rotate, request, tenant, wrapped, &b);

	return rc < 0 ? rc : call_for_ring(c, key, former, out);
}

int keys_tenant_trim(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped,
	struct uuid *key, struct buf *out)
{
	struct buf *b;
	int rc = begin_tenant(c, MESSAGE_tenant_trim, request, tenant, wrapped, &b);

	return rc < 0 ? rc : call_for_ring(c, key, NULL, out);
}

static int take_rewrapped(struct wire_reader *r, struct keys_rewrap *items, size_t count)
{
	if (wire_get_u16(r) != count)
		return client_nonsense();
	for (size_t i = 0; i < count; i++) {
		struct wire_view v = wire_get_bytes(r, KEYS_BLOB_MAX);

		buf_reset(&items[i].out);
		buf_add(&items[i].out, v.data, v.len);
	}
	return client_end(r);
}

int keys_rewrap(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct wire_view wrapped_tenant,
	const char *purpose, struct keys_rewrap *items, size_t count)
{
	struct wire_reader r;
	struct buf *b;
	int rc = count > KEYS_REWRAP_MOST ? err_set(ERR_TOO_LARGE, "%zu blobs at once", count)
		: begin_tenant(c, MESSAGE_rewrap, request, tenant, wrapped_tenant, &b);

	if (rc < 0)
		return rc;
	wire_put_string(b, purpose);
	wire_put_u16(b, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		wire_put_uuid(b, &items[i].object);
		wire_put_u32(b, items[i].version);
		wire_put_bytes(b, items[i].blob.data, items[i].blob.len);
	}
	rc = client_call(c, &r);
	return client_finish(c, rc < 0 ? rc : take_rewrapped(&r, items, count));
}
