/* answer_rotate.c - wrapping again: under another root key, under another key of the tenant. */
#include "keys/act.h"

#include <stdlib.h>

#include "base/err.h"

#define REWRAP_MOST 256                  /* blobs in one message */

static void put_root(struct buf *out, const struct provider *p, struct provider_root *root, int active)
{
	struct uuid id = { { 0 } };

	p->describe(root, &id);
	wire_put_uuid(out, &id);
	wire_put_string(out, p->name);
	wire_put_u8(out, (uint8_t)active);
	wire_put_u8(out, (uint8_t)(p->is_sealed && p->is_sealed(root)));
}

int answer_roots(struct act *a)
{
	const struct service *s = a->service;
	const struct hierarchy *h = &s->keys;
	struct uuid identity = { { 0 } };
	int rc = wire_end(&a->in);

	if (rc < 0)
		return rc;
	wire_put_u8(a->out, (uint8_t)(h->older_count + (h->root != NULL)));
	for (size_t i = 0; i < h->older_count; i++)
		put_root(a->out, h->older[i].provider, h->older[i].root, 0);
	if (h->root)
		put_root(a->out, h->provider, h->root, 1);
	if (s->identity)
		identity = hierarchy_key_of((struct wire_view){ s->identity->data, s->identity->len });
	wire_put_uuid(a->out, &identity);
	return 0;
}

int answer_roots_reload(struct act *a)
{
	struct wire_view given = wire_get_bytes(&a->in, PROVIDER_PASSPHRASE_MAX);
	struct secret *passphrase;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = act_need_root(a);
	if (rc == 0 && a->service->reload == NULL)
		rc = err_set(ERR_UNSUPPORTED, "this key service has nobody to open root keys");
	if (rc < 0)
		return rc;
	passphrase = act_lend(given);
	rc = a->service->reload(&a->service->keys, passphrase);
	secret_free(passphrase);
	if (rc == 0)
		rc = service_move_identity(a->service);
	return rc;
}

int answer_tenant_rewrap(struct act *a)
{
	struct hierarchy_tenant tenant = act_tenant(a);
	struct buf wrapped = BUF_INIT;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = hierarchy_rewrap_tenant(&a->service->keys, &tenant, &wrapped);
	if (rc == 0)
		act_put(a, &wrapped);
	buf_free(&wrapped);
	return rc;
}

int answer_system_rewrap(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct blob_label label = { .purpose = purpose };
	struct wire_view blob;
	struct buf wrapped = BUF_INIT;
	int rc;

	act_purpose(a, "system", purpose);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	rc = wire_end(&a->in);
	if (rc == 0)
		rc = hierarchy_root_rewrap(&a->service->keys, &label, blob, &wrapped);
	if (rc == 0)
		act_put(a, &wrapped);
	buf_free(&wrapped);
	return rc;
}

int answer_tenant_rotate(struct act *a)
{
	struct hierarchy_tenant tenant = act_tenant(a);
	struct uuid key, former;
	struct buf wrapped = BUF_INIT;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = hierarchy_rotate_tenant(&a->service->keys, &tenant, &key, &former, &wrapped);
	if (rc == 0) {
		wire_put_uuid(a->out, &key);
		wire_put_uuid(a->out, &former);
		act_put(a, &wrapped);
	}
	buf_free(&wrapped);
	return rc;
}

int answer_tenant_trim(struct act *a)
{
	struct hierarchy_tenant tenant = act_tenant(a);
	struct uuid key;
	struct buf wrapped = BUF_INIT;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = hierarchy_trim_tenant(&a->service->keys, &tenant, &key, &wrapped);
	if (rc == 0) {
		wire_put_uuid(a->out, &key);
		act_put(a, &wrapped);
	}
	buf_free(&wrapped);
	return rc;
}

static int rewrap_one(struct act *a, const struct hierarchy_tenant *tenant, const char *purpose)
{
	struct blob_label label = { .purpose = purpose };
	struct wire_view blob;
	struct buf wrapped = BUF_INIT;
	int rc;

	label.object = wire_get_uuid(&a->in);
	label.version = wire_get_u32(&a->in);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	rc = a->in.error ? err_set(ERR_TRUNCATED, "a blob is missing") : hierarchy_rewrap(&a->service->keys, tenant, &label, blob, &wrapped);
	if (rc < 0) {
		char id[UUID_TEXT_SIZE];

		uuid_text(&label.object, id);
		rc = err_wrap(rc, "%s", id);
	}
	if (rc == 0)
		act_put(a, &wrapped);
	buf_free(&wrapped);
	return rc;
}

int answer_rewrap(struct act *a)
{
	struct hierarchy_tenant tenant = act_tenant(a);
	char *purpose = wire_get_string(&a->in, ACT_PURPOSE_SIZE);
	uint16_t count = wire_get_u16(&a->in);
	int rc = purpose == NULL || a->in.error ? err_set(ERR_INVALID, "no purpose") : 0;

	if (rc == 0 && count > REWRAP_MOST)
		rc = err_set(ERR_TOO_LARGE, "%u blobs at once, at most %d", count, REWRAP_MOST);
	wire_put_u16(a->out, count);
	for (uint16_t i = 0; rc == 0 && i < count; i++)
		rc = rewrap_one(a, &tenant, purpose);
	if (rc == 0)
		rc = wire_end(&a->in);
	free(purpose);
	return rc;
}
