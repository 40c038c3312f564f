/* answer_root.c - what is the root key's own: its state, tenant keys, the server's identity. */
#include "keys/act.h"

#include "base/err.h"
#include "base/log.h"

static void put_counts(struct act *a)
{
	int n = 0;

	while (service_kind(n))
		n++;
	wire_put_u8(a->out, (uint8_t)n);
	for (int i = 0; i < n; i++) {
		const struct service_count *c = &a->service->counts[i];

		wire_put_string(a->out, service_kind(i));
		wire_put_u64(a->out, c->done);
		wire_put_u64(a->out, c->failed);
		wire_put_u64(a->out, c->limited);
	}
}

int answer_status(struct act *a)
{
	struct service *s = a->service;
	struct uuid root = { { 0 } };
	int rc = wire_end(&a->in);

	if (rc < 0)
		return rc;
	if (s->keys.root)
		s->keys.provider->describe(s->keys.root, &root);
	wire_put_u8(a->out, (uint8_t)hierarchy_is_sealed(&s->keys));
	wire_put_string(a->out, s->keys.provider->name);
	wire_put_uuid(a->out, &root);
	wire_put_u64(a->out, s->keys.wraps);
	wire_put_u64(a->out, s->keys.unwraps);
	wire_put_u64(a->out, s->seals);
	wire_put_u64(a->out, s->signatures);
	wire_put_u64(a->out, s->failures);
	wire_put_u64(a->out, s->keys.tenant_hits);
	wire_put_u32(a->out, (uint32_t)cache_count(&s->keys.cache));
	wire_put_u32(a->out, s->clients);
	wire_put_u32(a->out, s->ticket_floor);
	put_counts(a);
	wire_put_u64(a->out, (uint64_t)s->started);
	wire_put_u32(a->out, (uint32_t)s->pid);
	wire_put_string(a->out, KEYWARD_VERSION);
	wire_put_string(a->out, hierarchy_is_sealed(&s->keys) ? hierarchy_why(&s->keys) : "");
	wire_put_u8(a->out, (uint8_t)(hierarchy_is_sealed(&s->keys) ? hierarchy_cause(&s->keys) : KEYS_CAUSE_NONE));
	return 0;
}

int answer_tenant_create(struct act *a)
{
	struct buf wrapped = BUF_INIT;
	int rc;

	a->tenant = wire_get_uuid(&a->in);
	rc = wire_end(&a->in);
	if (rc == 0)
		rc = hierarchy_create_tenant(&a->service->keys, &a->tenant, &wrapped);
	if (rc == 0)
		rc = act_put(a, &wrapped);
	buf_free(&wrapped);
	return rc;
}

static int unseal(struct service *s, const struct secret *passphrase)
{
	int rc = hierarchy_unseal(&s->keys, passphrase);

	/* Its older root key may wait for its own passphrase still, and the identity for that. */
	if (rc == 0 && s->signer == NULL && service_open(s) < 0) {
		if (s->keys.older_count == 0)
			rc = err_set(ERR_TAMPERED, "the identity key is not under this root key");
		else
			log_warning("the identity key does not open yet", "reason", err_text(), NULL);
	}
	/* One that takes no word stays as it is, and says why. */
	if (rc < 0 && s->signer == NULL && s->keys.provider->seal && !hierarchy_is_sealed(&s->keys))
		s->keys.provider->seal(s->keys.root);
	if (rc == 0 && s->signer && service_move_identity(s) < 0)
		log_warning("the identity key stays where it is", "reason", err_text(), NULL);
	return rc;
}

int answer_unseal(struct act *a)
{
	struct wire_view given = wire_get_bytes(&a->in, PROVIDER_PASSPHRASE_MAX);
	struct secret *passphrase;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = act_need_root(a);
	if (rc < 0)
		return rc;
	passphrase = act_lend(given);
	rc = unseal(a->service, passphrase);
	secret_free(passphrase);
	return rc;
}

int answer_seal(struct act *a)
{
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = act_need_root(a);
	if (rc == 0)
		rc = hierarchy_seal(&a->service->keys);
	if (rc < 0)
		return rc;
	signer_close(a->service->signer);
	a->service->signer = NULL;
	return 0;
}

int answer_identity_public(struct act *a)
{
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = act_need_signer(a);
	if (rc == 0)
		signer_public(a->service->signer, buf_extend(a->out, SIGNER_POINT_SIZE));
	return rc;
}

int answer_identity_sign(struct act *a)
{
	struct wire_view digest = wire_get_raw(&a->in, SIGNER_DIGEST_SIZE);
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = act_need_signer(a);
	if (rc == 0)
		rc = signer_sign(a->service->signer, digest.data, buf_extend(a->out, SIGNER_SIGNATURE_SIZE));
	a->service->signatures += rc == 0;
	return rc;
}
