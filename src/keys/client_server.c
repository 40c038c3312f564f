/* client_server.c - calls about key servers. */
#include "keys/client_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "keys/client_part.h"

#define KEY_OVERHEAD 45          /* of a blob, blob.h */

int keys_is_elsewhere(struct wire_view wrapped_device)
{
	return wrapped_device.len > KEYS_DEVICE_KEY_MAX + KEY_OVERHEAD;
}

const char *keys_server_reason(void)
{
	static const char prefix[] = "key service: ";
	const char *text = err_text();

	return strncmp(text, prefix, sizeof prefix - 1) == 0 ? text + sizeof prefix - 1 : text;
}

struct keys_server keys_server_of(const struct conf *conf, const struct uuid *tenant, const struct buf *wrapped_tenant, const struct buf *key,
	const struct buf *settings)
{
	struct keys_server s = { .key = wire_view_of(key), .settings = wire_view_of(settings), .local = 1 };

	if (tenant) {
		s.owner = *tenant;
		s.wrapped_tenant = wire_view_of(wrapped_tenant);
		s.local = strcmp(conf_get(conf, CONF_OUTSIDE_LOCAL), "yes") == 0;
	}
	return s;
}

static void put_server(struct buf *b, const struct keys_server *s)
{
	wire_put_uuid(b, &s->owner);
	wire_put_bytes(b, s->wrapped_tenant.data, s->wrapped_tenant.len);
	wire_put_bytes(b, s->key.data, s->key.len);
	wire_put_bytes(b, s->settings.data, s->settings.len);
	wire_put_u8(b, (uint8_t)s->local);
}

static struct buf *begin(struct keys_client *c, enum message_type type, const struct uuid *request, const struct keys_server *s)
{
	struct buf *b = client_begin(c, type, request);

	put_server(b, s);
	return b;
}

int keys_server_protect(struct keys_client *c, const struct uuid *request, const struct uuid *owner, struct wire_view wrapped_tenant,
	const struct keys_server_settings *s, struct buf *wrapped, struct buf *settings)
{
	struct wire_reader r;
	struct wire_view key, body;
	struct buf *b;
	int rc;

	if (strlen(s->ca) > KEYS_SERVER_PEM_MAX || strlen(s->certificate) > KEYS_SERVER_PEM_MAX || (s->key && s->key->len > KEYS_SERVER_KEY_MAX))
		return err_set(ERR_TOO_LARGE, "certificates are at most %d bytes, the key %d", KEYS_SERVER_PEM_MAX, KEYS_SERVER_KEY_MAX);
	b = client_begin(c, MESSAGE_keyserver_protect, request);
	wire_put_uuid(b, owner);
	wire_put_bytes(b, wrapped_tenant.data, wrapped_tenant.len);
	wire_put_string(b, s->host);
	wire_put_u32(b, s->port);
	wire_put_string(b, s->ca);
	wire_put_string(b, s->certificate);
	wire_put_bytes(b, s->key ? s->key->data : NULL, s->key ? s->key->len : 0);
	wire_put_bytes(b, s->key ? NULL : s->former_key.data, s->key ? 0 : s->former_key.len);
	wire_put_bytes(b, s->key ? NULL : s->former.data, s->key ? 0 : s->former.len);
	rc = client_call(c, &r);
	if (rc == 0) {
		key = wire_get_bytes(&r, KEYS_BLOB_MAX);
		body = wire_get_bytes(&r, KEYS_SERVER_SETTINGS_MAX);
		rc = client_end(&r);
	}
	if (rc == 0) {
		buf_reset(wrapped);
		buf_add(wrapped, key.data, key.len);
		buf_reset(settings);
		buf_add(settings, body.data, body.len);
	}
	return client_finish(c, rc);
}

int keys_server_tell(struct keys_client *c, const struct uuid *request, const struct keys_server *server)
{
	begin(c, MESSAGE_keyserver_tell, request, server);
	return client_call_for_nothing(c);
}

int keys_server_test(struct keys_client *c, const struct uuid *request, const struct keys_server *server, struct buf *says)
{
	struct wire_reader r;
	char *vendor = NULL;
	uint32_t major = 0, minor = 0;
	int rc;

	begin(c, MESSAGE_keyserver_test, request, server);
	rc = client_call(c, &r);
	if (rc == 0) {
		vendor = wire_get_string(&r, KEYS_SERVER_VENDOR_MAX);
		major = wire_get_u32(&r);
		minor = wire_get_u32(&r);
		rc = client_end(&r);
	}
	if (rc == 0) {
		buf_reset(says);
		buf_printf(says, "%s%sKMIP %u.%u", vendor, *vendor ? ", " : "", major, minor);
	}
	free(vendor);
	return client_finish(c, rc);
}

int keys_server_create(struct keys_client *c, const struct uuid *request, const struct keys_server *server, const struct keys_device *device,
	struct buf *wrapped, char id[static KEYS_SERVER_ID_MAX + 1])
{
	struct buf *b = begin(c, MESSAGE_keyserver_create, request, server);
	struct wire_reader r;
	struct wire_view v;
	char *got = NULL;
	int rc;

	client_put_device(b, device);
	rc = client_call(c, &r);
	if (rc == 0) {
		v = wire_get_bytes(&r, KEYS_BLOB_MAX);
		got = wire_get_string(&r, KEYS_SERVER_ID_MAX);
		rc = client_end(&r);
	}
	if (rc == 0) {
		buf_reset(wrapped);
		buf_add(wrapped, v.data, v.len);
		snprintf(id, KEYS_SERVER_ID_MAX + 1, "%s", got);
	}
	free(got);
	return client_finish(c, rc);
}

int keys_server_destroy(struct keys_client *c, const struct uuid *request, const struct keys_server *server, const struct keys_device *device,
	struct wire_view wrapped)
{
	struct buf *b = begin(c, MESSAGE_keyserver_destroy, request, server);

	client_put_device(b, device);
	wire_put_bytes(b, wrapped.data, wrapped.len);
	return client_call_for_nothing(c);
}
