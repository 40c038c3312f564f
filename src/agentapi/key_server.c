/* key_server.c - devices' keys that are made and kept on a key server (KEY-3): which one that is, and what happens while it is away. */
#include "agentapi/service.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "store/tenant.h"
#include "web/key_server_keyd.h"

static struct keys_server server_of(const struct agent_call *c, const struct key_server *s, const struct buf *wrapped_tenant)
{
	return key_server_for_keyd(&c->frame->thread->web->conf, s, &c->account, wrapped_tenant);
}

int agent_prepare_key(struct agent_call *c, const struct uuid *device, int64_t version, const struct buf *wrapped_tenant,
	const struct buf *wrapped_key)
{
	struct key_server s = { 0 };
	struct keys_server server;
	int rc;

	if (!keys_is_elsewhere(wire_view_of(wrapped_key)))
		return 0;
	rc = key_server_of_key(c->db, device, version, &s);
	if (rc == 0)
		rc = key_server_check(&s);
	if (rc == 0) {
		server = server_of(c, &s, wrapped_tenant);
		rc = keys_server_tell(c->frame->keys, &c->frame->request->id, &server);
	}
	key_server_free(&s);
	return rc;
}

int agent_key_waits(struct agent_call *c, const struct device *device, const struct buf *wrapped)
{
	struct key_server s = { 0 };
	int rc = device->is_raid || keys_is_elsewhere(wire_view_of(wrapped)) ? key_server_away_for(c->db, &device->id, &s) : 0;

	/* The reason, for whoever looks at the agent. */
	if (rc > 0)
		key_server_check(&s);
	key_server_free(&s);
	return rc;
}

/* On the key server S. */
static int create_there(struct agent_call *c, const struct key_server *s, const struct keys_device *which, const struct buf *wrapped_tenant,
	struct device_key_new *out)
{
	struct keys_server server = server_of(c, s, wrapped_tenant);
	int rc = key_server_check(s);

	if (rc == 0)
		rc = keys_server_create(c->frame->keys, &c->frame->request->id, &server, which, &out->wrapped, out->server_key);
	if (rc == 0)
		out->key_server = key_server_owner_name(s->owner);
	return rc;
}

int agent_create_key(struct agent_call *c, const struct device *device, struct device_key_new *out)
{
	struct keys_device which = { .tenant = c->account, .device = device->id, .version = (uint32_t)device->key_version + 1 };
	struct buf wrapped_tenant = BUF_INIT;
	struct key_server s = { 0 };
	int rc = tenant_key(c->db, &wrapped_tenant);

	if (rc == 0) {
		which.wrapped_tenant = wire_view_of(&wrapped_tenant);
		rc = key_server_for_new(c->db, &s);
		if (rc == 0)
			rc = create_there(c, &s, &which, &wrapped_tenant, out);
		else if (rc == ERR_NOT_FOUND)
			rc = keys_device_create(c->frame->keys, &c->frame->request->id, &which, KEYS_DEVICE_KEY_SIZE, &out->wrapped);
	}
	key_server_free(&s);
	buf_free(&wrapped_tenant);
	return rc;
}

static int drop(struct agent_call *c, const struct keys_device *which, const struct device_key_new *key)
{
	struct keys_device full = *which;
	struct buf wrapped_tenant = BUF_INIT;
	struct key_server s = { 0 };
	struct keys_server server;
	int rc = tenant_key(c->db, &wrapped_tenant);

	if (rc == 0)
		rc = key_server_for_new(c->db, &s);
	if (rc == 0) {
		full.wrapped_tenant = wire_view_of(&wrapped_tenant);
		server = server_of(c, &s, &wrapped_tenant);
		rc = keys_server_destroy(c->frame->keys, &c->frame->request->id, &server, &full, wire_view_of(&key->wrapped));
	}
	key_server_free(&s);
	buf_free(&wrapped_tenant);
	return rc;
}

int agent_drop_key(struct agent_call *c, int rc, const struct device *device, int64_t version, const struct device_key_new *key)
{
	struct keys_device which = { .tenant = c->account, .device = device->id, .version = (uint32_t)version };
	char why[512];

	if (key->key_server == NULL)
		return rc;
	snprintf(why, sizeof why, "%s", err_text());
	db_rollback(c->db);
	if (frame_begin(c->frame, &c->account, &c->agent) < 0 || drop(c, &which, key) < 0)
		log_warning("a key that nobody uses is left on the key server", "id", key->server_key, "reason", err_text(), NULL);
	return err_set(rc, "%s", why);
}
