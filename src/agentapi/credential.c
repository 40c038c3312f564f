/* credential.c - a provider's credentials (CFG-3): given by a guest that has checked them, wrapped by the key service, and sealed by it to
 * each agent of the image that asks. Whoever asks gets those of its own image and no other. */
#include <stdio.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/credential.h"
#include "store/tenant.h"

static struct keys_object object_of(const struct agent_call *c, const struct credential *k, const struct buf *tenant)
{
	return (struct keys_object){ .tenant = c->account, .wrapped_tenant = { (uint8_t *)tenant->data, tenant->len },
		.purpose = KEYS_PURPOSE_CREDENTIALS, .object = k->image };
}

static int seal(struct agent_call *c, const struct credential *k, const struct proto_credentials *m, struct proto_credentials_answer *answer)
{
	struct buf tenant = BUF_INIT, ticket = BUF_INIT, jwe = BUF_INIT;
	int rc = tenant_key(c->db, &tenant);

	if (rc == 0)
		rc = credential_ticket(c->db, k, &c->frame->request->id, m->recipient_key, &ticket);
	if (rc == 0) {
		struct keys_object o = object_of(c, k, &tenant);

		const struct keys_proof proof = { { (uint8_t *)ticket.data, ticket.len }, PROTO_NO_DEVICE, m->signature };

		rc = keys_credentials_seal(c->frame->keys, &c->frame->request->id, &o, (uint32_t)k->version,
			(struct wire_view){ (uint8_t *)k->secret.data, k->secret.len }, &c->agent, m->recipient_key, &proof, &jwe);
	}
	if (rc == 0 && jwe.len > PROTO_SEALED_MAX)
		rc = err_set(ERR_INTERNAL, "sealed credentials of %zu bytes", jwe.len);
	if (rc == 0)
		memcpy(answer->sealed, jwe.data, jwe.len + 1);
	buf_free(&tenant);
	buf_free(&ticket);
	buf_free(&jwe);
	return rc;
}

int message_credentials(struct agent_call *c)
{
	const struct proto_credentials *m = c->message;
	struct proto_credentials_answer *answer = c->answer;
	struct credential k = { .version = 0 };
	struct agent agent;
	int rc = agent_active(c, &agent);

	if (rc == 0)
		rc = agent_check_recipient(c, &agent, PROTO_NO_DEVICE, m->recipient_key, m->signature);
	if (rc == 0)
		rc = credential_find(c->db, &agent.instance, &k);
	if (rc < 0)
		return rc;
	answer->version = k.version;
	snprintf(answer->provider, sizeof answer->provider, "%s", k.provider);
	snprintf(answer->label, sizeof answer->label, "%s", k.label);
	if (k.secret.len > 0)
		rc = seal(c, &k, m, answer);
	credential_release(&k);
	return rc;
}

static int protect(struct agent_call *c, const struct proto_credentials_set *m, struct credential *k)
{
	struct secret *plain = secret_new(strlen(m->values));
	struct buf tenant = BUF_INIT;
	int rc = tenant_key(c->db, &tenant);

	memcpy(plain->data, m->values, plain->len);
	buf_reset(&k->secret);
	if (rc == 0) {
		struct keys_object o = object_of(c, k, &tenant);

		rc = keys_protect(c->frame->keys, &c->frame->request->id, &o, plain, &k->secret);
	}
	secret_free(plain);
	buf_free(&tenant);
	return rc;
}

/* The answer to it was lost, and it was sent again. */
static int is_repeated(const struct proto_credentials_set *m, const struct credential *k, const struct agent *agent)
{
	return k->version == m->replaces + 1 && uuid_equal(&k->instance, &agent->instance) && strcmp(k->label, m->label) == 0
		&& strcmp(k->provider, m->provider) == 0;
}

int message_credentials_set(struct agent_call *c)
{
	const struct proto_credentials_set *m = c->message;
	struct credential k = { .version = 0 };
	struct agent agent;
	int rc = agent_active(c, &agent);

	if (rc == 0)
		rc = credential_find(c->db, &agent.instance, &k);
	if (rc == 0 && is_repeated(m, &k, &agent)) {
		credential_release(&k);
		return 0;
	}
	if (rc == 0 && k.version != m->replaces)
		rc = err_set(ERR_CONFLICT, "the credentials of this image have been changed in the meantime");
	snprintf(k.provider, sizeof k.provider, "%s", m->provider);
	snprintf(k.label, sizeof k.label, "%s", m->label);
	if (rc == 0)
		rc = protect(c, m, &k);
	if (rc == 0)
		rc = credential_set(c->db, &k, &agent.instance, m->replaces);
	credential_release(&k);
	return rc;
}
