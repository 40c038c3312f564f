/* answer_secret.c - other secrets, of a tenant and of the installation. */
#include "keys/act.h"

#include <string.h>

#include "base/err.h"
#include "keys/client.h"
#include "keys/client_server.h"
#include "keys/jwe.h"

int answer_protect(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct hierarchy_tenant tenant;
	struct blob_label label;
	struct wire_view given;
	struct buf blob = BUF_INIT;
	struct secret *plain;
	int rc;

	act_object(a, &tenant, &label, purpose);
	given = wire_get_bytes(&a->in, KEYS_PLAIN_MAX);
	rc = wire_end(&a->in);
	if (rc < 0)
		return rc;
	plain = act_lend(given);
	rc = hierarchy_wrap(&a->service->keys, &tenant, &label, plain, &blob);
	if (rc == 0)
		rc = act_put(a, &blob);
	secret_free(plain);
	buf_free(&blob);
	return rc;
}

/* The web's processes can have them wrapped, and sealed to an agent; never opened. */
static int is_for_agents(const char *purpose)
{
	return strcmp(purpose, "data/" KEYS_PURPOSE_CREDENTIALS) == 0;
}

int answer_credentials_seal(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct jwe_claims claims = { .request = a->request };
	struct hierarchy_tenant tenant;
	struct blob_label label;
	struct wire_view blob, recipient;
	struct act_proof proof;
	struct ticket_claims what = { .kind = TICKET_CREDENTIALS, .request = a->request };
	struct secret *plain = NULL;
	struct buf jwe = BUF_INIT;
	int rc;

	act_object(a, &tenant, &label, purpose);
	claims.version = wire_get_u32(&a->in);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	claims.agent = wire_get_uuid(&a->in);
	recipient = wire_get_raw(&a->in, JWE_POINT_SIZE);
	proof = act_proof(a);
	rc = wire_end(&a->in);
	if (rc == 0 && !is_for_agents(purpose))
		rc = err_set(ERR_FORBIDDEN, "secrets of this purpose are not sealed to agents");
	what.tenant = tenant.id;
	what.object = label.object;
	what.version = claims.version;
	what.agent = claims.agent;
	what.recipient = recipient.data;
	rc = act_prove(a, rc, &proof, &what);
	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, blob, &plain);
	if (rc == 0) {
		claims.tenant = tenant.id;
		claims.device = label.object;
		rc = jwe_seal(&claims, recipient.data, plain, &jwe);
	}
	if (rc == 0)
		rc = act_put(a, &jwe);
	a->service->seals += rc == 0;
	secret_free(plain);
	buf_free(&jwe);
	return rc;
}

int answer_reveal(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct hierarchy_tenant tenant;
	struct blob_label label;
	struct wire_view blob;
	struct secret *plain = NULL;
	int rc;

	act_object(a, &tenant, &label, purpose);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	rc = wire_end(&a->in);
	if (rc == 0 && is_for_agents(purpose))
		rc = err_set(ERR_FORBIDDEN, "secrets of this purpose are sealed to agents, not revealed");
	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, blob, &plain);
	if (rc == 0)
		wire_put_bytes(a->out, plain->data, plain->len);
	secret_free(plain);
	return rc;
}

/* Secrets of the installation that keyd alone uses: they are wrapped again like others, and neither made nor shown. */
static int check_system(const char *purpose)
{
	return strcmp(purpose, "system/" KEYS_SERVER_PURPOSE) == 0 ? err_set(ERR_FORBIDDEN, "secrets of this purpose are the key service's own") : 0;
}

int answer_system_protect(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct blob_label label = { .purpose = purpose };
	struct wire_view given;
	struct buf blob = BUF_INIT;
	struct secret *plain;
	int rc;

	act_purpose(a, "system", purpose);
	given = wire_get_bytes(&a->in, KEYS_PLAIN_MAX);
	rc = wire_end(&a->in);
	if (rc == 0 && act_is_signing(purpose))
		rc = err_set(ERR_FORBIDDEN, "signing keys are made by the key service itself");
	if (rc == 0)
		rc = check_system(purpose);
	if (rc < 0)
		return rc;
	plain = act_lend(given);
	rc = hierarchy_root_wrap(&a->service->keys, &label, plain, &blob);
	if (rc == 0)
		rc = act_put(a, &blob);
	secret_free(plain);
	buf_free(&blob);
	return rc;
}

int answer_system_reveal(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct blob_label label = { .purpose = purpose };
	struct wire_view blob;
	struct secret *plain = NULL;
	int rc;

	act_purpose(a, "system", purpose);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	rc = wire_end(&a->in);
	if (rc == 0 && act_is_signing(purpose))
		rc = err_set(ERR_FORBIDDEN, "signing keys are opened for nobody");
	if (rc == 0)
		rc = check_system(purpose);
	if (rc == 0)
		rc = hierarchy_root_unwrap(&a->service->keys, &label, blob, &plain);
	if (rc == 0)
		wire_put_bytes(a->out, plain->data, plain->len);
	secret_free(plain);
	return rc;
}
