/* device.c - what several messages need: the device that an agent names, the proof of its one-time key, a key sealed to it. */
#include <stdio.h>
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "store/key.h"
#include "proto/evidence.h"

int agent_active(struct agent_call *c, struct agent *agent)
{
	int rc = agent_find(c->db, &c->agent, agent);

	if (rc == 0 && strcmp(agent->state, "active") != 0)
		rc = err_set(ERR_FORBIDDEN, "this agent was %s", agent->state);
	return rc;
}

static int unknown(const char *name)
{
	return err_set(ERR_NOT_FOUND, "no device %s is known on this instance; publish the inventory first", name);
}

int agent_and_any_device(struct agent_call *c, const char *name, struct agent *agent, struct device *device)
{
	int rc = agent_active(c, agent);

	memset(device, 0, sizeof *device);
	if (rc == 0)
		rc = device_by_provider_id(c->db, &agent->instance, name, device);
	return rc == ERR_NOT_FOUND ? unknown(name) : rc;
}

int agent_and_device(struct agent_call *c, const char *name, struct agent *agent, struct device *device)
{
	int rc = agent_and_any_device(c, name, agent, device);

	return rc < 0 ? rc : agent_has_device(agent, device);
}

int agent_has_device(const struct agent *agent, const struct device *device)
{
	return uuid_equal(&device->instance, &agent->instance) ? 0 : unknown(device->provider_device);
}

int agent_check_recipient(struct agent_call *c, const struct agent *agent, const char *device, const uint8_t *key,
	const uint8_t *signature)
{
	const struct keys_recipient asked = { c->account, c->agent, device, key, agent->public_key, signature };
	const struct proto_recipient recipient = { .account = c->account, .agent = c->agent, .device = device, .key = key };
	int rc = keys_recipient_check(c->frame->keys, &c->frame->request->id, &asked);

	/* The key service will want to know this when the key is released. While it is away requests are taken all the same. */
	if (rc == 0 || rc == ERR_TAMPERED || rc == ERR_INVALID)
		return rc;
	return proto_recipient_verify(&recipient, agent->public_key, signature);
}

int agent_seal(struct agent_call *c, const struct uuid *request, const struct uuid *device, int64_t version,
	const struct buf *wrapped_tenant, const struct buf *wrapped_key, const struct buf *ticket, const struct agent_recipient *recipient,
	char *sealed)
{
	struct keys_device which = { .tenant = c->account, .device = *device, .version = (uint32_t)version,
		.wrapped_tenant = { (uint8_t *)wrapped_tenant->data, wrapped_tenant->len } };
	const struct keys_proof proof = { { (uint8_t *)ticket->data, ticket->len }, recipient->device, recipient->signature };
	struct buf jwe = BUF_INIT;
	int rc = agent_prepare_key(c, device, version, wrapped_tenant, wrapped_key);

	if (rc == 0)
		rc = keys_device_seal(c->frame->keys, request, &which, (struct wire_view){ (uint8_t *)wrapped_key->data, wrapped_key->len },
			&c->agent, recipient->key, &proof, &jwe);
	if (rc == 0 && jwe.len > PROTO_SEALED_MAX)
		rc = err_set(ERR_INTERNAL, "sealed key of %zu bytes", jwe.len);
	if (rc == 0)
		memcpy(sealed, jwe.data, jwe.len + 1);
	buf_free(&jwe);
	return rc;
}

int agent_give(struct agent_call *c, const struct device *device, int64_t version, const struct buf *wrapped,
	const struct agent_recipient *recipient, char *sealed)
{
	const struct uuid *work = &c->frame->request->id;
	struct key_pair keys = { 0 };
	int rc = device_key_for_task(c->db, &device->id, version, work, recipient->key, &keys);

	if (rc == 0)
		rc = agent_seal(c, work, &device->id, version, &keys.tenant, wrapped, &keys.ticket, recipient, sealed);
	device_key_pair_free(&keys);
	return rc;
}

int agent_start_task(struct agent_call *c, const struct agent_recipient *recipient, agent_begin begin, struct proto_provision_start_answer *answer)
{
	struct device_key_new key = { .key_server = NULL };
	struct device device;
	struct agent agent;
	int rc = agent_and_device(c, recipient->device, &agent, &device);

	if (rc == 0)
		rc = agent_check_recipient(c, &agent, recipient->device, recipient->key, recipient->signature);
	if (rc == 0)
		rc = begin(c, &agent, &device, &key, &answer->key_version);
	if (rc == 0)
		rc = agent_give(c, &device, answer->key_version, &key.wrapped, recipient, answer->sealed);
	if (rc < 0)
		rc = agent_drop_key(c, rc, &device, answer->key_version, &key);
	buf_free(&key.wrapped);
	device_release(&device);
	return rc;
}
