/* vault.c - asking keyd for a tenant of a console. */
#include "web/vault.h"

#include <string.h>

#include "store/tenant.h"

/* Before sign-in the transaction alone knows the tenant. */
static struct uuid tenant_of(const struct call *c)
{
	return db_tenant(c->db) ? *db_tenant(c->db) : c->tenant;
}

static struct keys_object object_of(const struct call *c, const struct buf *wrapped, const char *purpose, const struct uuid *object)
{
	return (struct keys_object){ .tenant = tenant_of(c), .wrapped_tenant = wire_view_of(wrapped),
		.purpose = purpose, .object = *object };
}

/* What belongs to one user is needed to sign in, which the users of a suspended account can. */
static int key_for(struct call *c, const struct uuid *of, struct buf *wrapped)
{
	struct uuid tenant = tenant_of(c);

	return uuid_equal(of, &tenant) ? tenant_key(c->db, wrapped) : tenant_key_to_sign_in(c->db, wrapped);
}

int vault_protect(struct call *c, const char *purpose, const struct secret *plain, struct buf *blob)
{
	struct uuid tenant = tenant_of(c);

	return vault_protect_of(c, purpose, &tenant, plain, blob);
}

int vault_reveal(struct call *c, const char *purpose, const struct buf *blob, struct secret **plain)
{
	struct uuid tenant = tenant_of(c);

	return vault_reveal_of(c, purpose, &tenant, blob, plain);
}

int vault_protect_of(struct call *c, const char *purpose, const struct uuid *of, const struct secret *plain, struct buf *blob)
{
	struct buf wrapped = BUF_INIT;
	int rc = key_for(c, of, &wrapped);

	if (rc == 0) {
		struct keys_object object = object_of(c, &wrapped, purpose, of);

		rc = keys_protect(c->keys, &c->id, &object, plain, blob);
	}
	buf_free(&wrapped);
	return rc;
}

int vault_reveal_of(struct call *c, const char *purpose, const struct uuid *of, const struct buf *blob, struct secret **plain)
{
	struct buf wrapped = BUF_INIT;
	int rc = key_for(c, of, &wrapped);

	if (rc == 0) {
		struct keys_object object = object_of(c, &wrapped, purpose, of);

		rc = keys_reveal(c->keys, &c->id, &object, wire_view_of(blob), plain);
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
