/* vault.c - asking keyd for a tenant of a console. */
#include "web/vault.h"

#include <string.h>

#include "store/tenant.h"

static struct keys_object object_of(const struct call *c, const struct buf *wrapped, const char *purpose)
{
	/* Before sign-in the transaction alone knows the tenant. */
	const struct uuid tenant = db_tenant(c->db) ? *db_tenant(c->db) : c->tenant;

	return (struct keys_object){ .tenant = tenant, .wrapped_tenant = { (const uint8_t *)wrapped->data, wrapped->len },
		.purpose = purpose, .object = tenant };
}

int vault_protect(struct call *c, const char *purpose, const struct secret *plain, struct buf *blob)
{
	struct buf wrapped = BUF_INIT;
	int rc = tenant_key(c->db, &wrapped);

	if (rc == 0) {
		struct keys_object object = object_of(c, &wrapped, purpose);

		rc = keys_protect(c->keys, &c->id, &object, plain, blob);
	}
	buf_free(&wrapped);
	return rc;
}

int vault_reveal(struct call *c, const char *purpose, const struct buf *blob, struct secret **plain)
{
	struct buf wrapped = BUF_INIT;
	int rc = tenant_key(c->db, &wrapped);

	if (rc == 0) {
		struct keys_object object = object_of(c, &wrapped, purpose);

		rc = keys_reveal(c->keys, &c->id, &object, (struct wire_view){ (const uint8_t *)blob->data, blob->len }, plain);
	}
	buf_free(&wrapped);
	return rc;
}

struct secret *vault_typed(const struct call *c, const char *name)
{
	const char *typed = call_text(c, name);
	struct secret *s = secret_new(strlen(typed));

	memcpy(s->data, typed, s->len);
	return s;
}
