/* answer_device.c - device keys: made, sealed to an agent, copied for a clone. */
#include "keys/act.h"

#include "base/err.h"
#include "keys/client.h"
#include "keys/jwe.h"

int answer_device_create(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = act_device(a, &tenant);
	size_t bytes = wire_get_u16(&a->in);
	struct buf wrapped = BUF_INIT;
	struct secret *key;
	int rc = wire_end(&a->in);

	if (rc < 0)
		return rc;
	if (bytes < KEYS_DEVICE_KEY_MIN || bytes > KEYS_DEVICE_KEY_MAX || label.version == 0)
		return err_set(ERR_INVALID, "device key of %zu bytes, version %u", bytes, label.version);
	key = secret_random(bytes);
	rc = hierarchy_wrap(&a->service->keys, &tenant, &label, key, &wrapped);
	if (rc == 0)
		rc = act_put(a, &wrapped);
	secret_free(key);
	buf_free(&wrapped);
	return rc;
}

int answer_device_seal(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = act_device(a, &tenant);
	struct wire_view wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	struct jwe_claims claims = { .agent = wire_get_uuid(&a->in), .request = a->request };
	struct wire_view recipient = wire_get_raw(&a->in, JWE_POINT_SIZE);
	struct act_proof proof = act_proof(a);
	const struct ticket_claims what = { .kind = TICKET_DEVICE, .tenant = tenant.id, .object = label.object, .version = label.version,
		.request = a->request, .agent = claims.agent, .recipient = recipient.data };
	struct secret *key = NULL;
	struct buf jwe = BUF_INIT;
	int rc = act_prove(a, wire_end(&a->in), &proof, &what);

	if (rc == 0)
		rc = act_device_key(a, &tenant, &label, wrapped, &key);
	if (rc == 0) {
		claims.tenant = tenant.id;
		claims.device = label.object;
		claims.version = label.version;
		rc = jwe_seal(&claims, recipient.data, key, &jwe);
	}
	if (rc == 0)
		rc = act_put(a, &jwe);
	a->service->seals += rc == 0;
	secret_free(key);
	buf_free(&jwe);
	return rc;
}

/* The same key (or the reference to it, where a key server has it) as another device's of the same tenant: it is never sealed for the clone under the label of the first. */
int answer_device_rewrap(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = act_device(a, &tenant), clone = { .purpose = HIERARCHY_DEVICE_KEY };
	struct wire_view wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	uint8_t bound_to[TICKET_POINT_SIZE];
	struct ticket_claims what = { .kind = TICKET_COPY, .tenant = tenant.id, .object = label.object, .version = label.version,
		.request = a->request, .recipient = bound_to };
	struct act_asked asked;
	struct secret *key = NULL;
	struct buf again = BUF_INIT;
	int rc;

	clone.object = a->clone = wire_get_uuid(&a->in);
	clone.version = wire_get_u32(&a->in);
	asked = act_asked(a);
	rc = wire_end(&a->in);
	if (rc == 0 && (uuid_is_nil(&clone.object) || uuid_equal(&clone.object, &label.object) || clone.version == 0))
		rc = err_set(ERR_INVALID, "not a clone, version %u", clone.version);
	ticket_copy(&clone.object, clone.version, bound_to);
	rc = act_prove_asked(a, rc, &asked, &what);
	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, wrapped, &key);
	if (rc == 0)
		rc = hierarchy_wrap(&a->service->keys, &tenant, &clone, key, &again);
	if (rc == 0)
		rc = act_put(a, &again);
	secret_free(key);
	buf_free(&again);
	return rc;
}
