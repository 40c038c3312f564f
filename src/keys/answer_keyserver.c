/* answer_keyserver.c - key servers that keep device keys (KEY-3): their settings as blobs, keys created, fetched and destroyed there.
 *
 * What the database keeps of such a key is a reference, wrapped as a device key is (docs/keys.md): longer than any key, so that neither is
 * ever taken for the other. */
#include "keys/act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "keys/client.h"
#include "keys/client_server.h"
#include "keys/kmip.h"

#define REFERENCE_MAGIC "KWREF1\0"       /* 8 bytes with the final zero */
#define REFERENCE_LEAST (KEYS_DEVICE_KEY_MAX + 1)
#define SETTINGS_PURPOSE "key/server"

enum reference_owner { OWNER_INSTALLATION = 1, OWNER_TENANT };

/* Settings: a key of their own wraps them, and is wrapped itself as what is small (tokens take no long messages), so that it alone is
 * wrapped anew when another root or tenant key comes. */

/* How that key is wrapped: under the root key with a name that is none of the callers' own (act_purpose), but that system_rewrap takes. */
static struct blob_label label_of(const struct hierarchy_tenant *owner)
{
	return (struct blob_label){ .purpose = uuid_is_nil(&owner->id) ? "system/" KEYS_SERVER_PURPOSE : KEYS_SERVER_TENANT_PURPOSE,
		.tenant = owner->id, .object = owner->id };
}

static int put_small(struct act *a, const struct hierarchy_tenant *owner, const struct secret *small, struct buf *out)
{
	struct blob_label label = label_of(owner);

	return uuid_is_nil(&owner->id) ? hierarchy_root_wrap(&a->service->keys, &label, small, out)
		: hierarchy_wrap(&a->service->keys, owner, &label, small, out);
}

static int get_small(struct act *a, const struct hierarchy_tenant *owner, struct wire_view blob, struct secret **small)
{
	struct blob_label label = label_of(owner);
	int rc = uuid_is_nil(&owner->id) ? hierarchy_root_unwrap(&a->service->keys, &label, blob, small)
		: hierarchy_unwrap(&a->service->keys, owner, &label, blob, small);

	if (rc == 0 && (*small)->len != 16 + BLOB_KEY_SIZE) {
		secret_free(*small);
		*small = NULL;
		rc = err_set(ERR_TAMPERED, "not the key of a key server's settings");
	}
	return rc;
}

static int wrap_settings(struct act *a, const struct hierarchy_tenant *owner, const struct secret *settings, struct buf *wrapped,
	struct buf *body)
{
	struct blob_label label = { .purpose = SETTINGS_PURPOSE, .tenant = owner->id };
	struct secret *small = secret_random(16 + BLOB_KEY_SIZE);
	struct uuid id = uuid_new();
	int rc;

	memcpy(small->data, id.bytes, sizeof id.bytes);
	rc = put_small(a, owner, small, wrapped);
	if (rc == 0)
		rc = blob_wrap(&id, small->data + 16, &label, settings, body);
	secret_free(small);
	return rc;
}

/* As callers give them. */
struct settings_view {
	struct wire_view key, body;
};

static struct settings_view get_settings(struct act *a)
{
	struct settings_view v;

	v.key = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	v.body = wire_get_bytes(&a->in, KEYS_SERVER_SETTINGS_MAX);
	return v;
}

static int unwrap_settings(struct act *a, const struct hierarchy_tenant *owner, const struct settings_view *given, struct secret **out)
{
	struct blob_label label = { .purpose = SETTINGS_PURPOSE, .tenant = owner->id };
	struct secret *small = NULL;
	struct uuid id;
	int rc = get_small(a, owner, given->key, &small);

	if (rc < 0)
		return rc;
	memcpy(id.bytes, small->data, sizeof id.bytes);
	rc = blob_unwrap(&id, small->data + 16, &label, given->body, out);
	secret_free(small);
	return rc;
}

/* SERVER: tells what is known of servers about this one. */
static int take_server(struct act *a, struct hierarchy_tenant *owner)
{
	struct secret *settings = NULL;
	struct settings_view given;
	int local, rc;

	*owner = act_tenant(a);
	given = get_settings(a);
	local = wire_get_u8(&a->in);
	if (a->in.error)
		return wire_end(&a->in);
	rc = unwrap_settings(a, owner, &given, &settings);
	if (rc == 0)
		keyserver_tell(&a->service->servers, &owner->id, settings, local);
	return rc;
}

/* Asks, the first time that a message is handled, and lets it wait; the second time the reply is there. */
static int ask(struct act *a, const struct uuid *owner, enum keyserver_op op, const char *argument, struct wire_view *result)
{
	const struct keyserver_reply *reply = a->reply;
	int rc;

	if (reply == NULL) {
		rc = keyserver_ask(&a->service->servers, owner, op, argument, clock_ticks(), &a->parked);
		a->parked_for = *owner;
		return rc < 0 ? rc : err_set(ERR_BUSY, "waits for the key server");
	}
	/* To whoever needs a key it is all the same whether the server hangs or does not know us: it may work later. */
	if (op != KEYSERVER_TEST && (reply->status == ERR_FORBIDDEN || reply->status == ERR_CRYPTO))
		return err_set(ERR_UNAVAILABLE, "%s", reply->reason);
	if (reply->status < 0)
		return err_set(reply->status, "%s", reply->reason);
	*result = reply->result;
	return 0;
}

/* References */

static struct secret *make_reference(enum reference_owner owner, const char *id)
{
	size_t len = 8 + 1 + 4 + strlen(id);
	struct secret *s = secret_new(len < REFERENCE_LEAST ? REFERENCE_LEAST : len);
	struct buf b = BUF_INIT;

	wire_put_raw(&b, REFERENCE_MAGIC, 8);
	wire_put_u8(&b, (uint8_t)owner);
	wire_put_string(&b, id);
	memcpy(s->data, b.data, b.len);
	buf_free(&b);
	return s;
}

/* *ID is the caller's. */
static int read_reference(const struct secret *s, const struct uuid *tenant, struct uuid *owner, char **id)
{
	struct wire_reader r = wire_read(s->data, s->len);
	struct wire_view magic = wire_get_raw(&r, 8);
	uint8_t whose = wire_get_u8(&r);
	char *text = wire_get_string(&r, KMIP_ID_MAX);

	if (r.error || memcmp(magic.data, REFERENCE_MAGIC, 8) != 0 || (whose != OWNER_INSTALLATION && whose != OWNER_TENANT)) {
		free(text);
		return err_set(ERR_TAMPERED, "neither a device key nor a reference to one");
	}
	*owner = whose == OWNER_TENANT ? *tenant : (struct uuid){ { 0 } };
	*id = text;
	return 0;
}

static int fetch(struct act *a, const struct uuid *tenant, const struct secret *reference, struct secret **out)
{
	struct wire_view got;
	struct uuid owner;
	char *id = NULL;
	int rc = read_reference(reference, tenant, &owner, &id);

	if (rc == 0)
		rc = ask(a, &owner, KEYSERVER_FETCH, id, &got);
	/* Not that what the caller asked for is not there. */
	if (rc == ERR_NOT_FOUND)
		rc = err_set(ERR_CONFLICT, "the key is not to be had: %s", err_text());
	if (rc == 0 && got.len != KEYS_DEVICE_KEY_SIZE)
		rc = err_set(ERR_INVALID, "the key server's key has %zu bytes", got.len);
	if (rc == 0)
		*out = act_lend(got);
	free(id);
	return rc;
}

int act_device_key(struct act *a, const struct hierarchy_tenant *tenant, struct blob_label *label, struct wire_view wrapped,
	struct secret **out)
{
	struct secret *key = NULL;
	int rc = hierarchy_unwrap(&a->service->keys, tenant, label, wrapped, &key);

	if (rc == 0 && key->len >= REFERENCE_LEAST) {
		struct secret *reference = key;

		key = NULL;
		rc = fetch(a, &tenant->id, reference, &key);
		secret_free(reference);
	}
	if (rc == 0)
		*out = key;
	return rc;
}

/* Messages */

/* By the child, as ask has it. */
static int check_settings(struct act *a, const struct secret *settings)
{
	if (a->reply)
		return a->reply->status < 0 ? err_set(a->reply->status, "%s", a->reply->reason) : 0;
	/* It says nothing about any server. */
	a->parked_for = uuid_new();
	return keyserver_check(&a->service->servers, settings, &a->parked) < 0 ? ERR_UNAVAILABLE : err_set(ERR_BUSY, "waits for the check");
}

/* Who changes the rest and leaves the key as it is sends the former settings instead. */
static int former_key(struct act *a, const struct hierarchy_tenant *tenant, const struct settings_view *given, struct secret **out)
{
	struct kmip_settings former = { NULL };
	struct secret *settings = NULL;
	int rc = unwrap_settings(a, tenant, given, &settings);

	if (rc == 0)
		rc = kmip_settings_get((struct wire_view){ settings->data, settings->len }, &former);
	if (rc == 0) {
		*out = former.key;
		former.key = NULL;
	}
	kmip_settings_free(&former);
	secret_free(settings);
	return rc;
}

int answer_keyserver_protect(struct act *a)
{
	struct hierarchy_tenant tenant = act_tenant(a);
	struct kmip_settings s = { NULL };
	struct settings_view former;
	struct wire_view key;
	struct secret *settings = NULL;
	struct buf wrapped = BUF_INIT, body = BUF_INIT;
	int rc;

	s.host = wire_get_string(&a->in, KMIP_HOST_MAX);
	s.port = wire_get_u32(&a->in);
	s.ca = wire_get_string(&a->in, KMIP_PEM_MAX);
	s.certificate = wire_get_string(&a->in, KMIP_PEM_MAX);
	key = wire_get_bytes(&a->in, KMIP_KEY_MAX);
	former = get_settings(a);
	rc = wire_end(&a->in);
	if (rc == 0 && key.len)
		s.key = act_lend(key);
	else if (rc == 0)
		rc = former.body.len ? former_key(a, &tenant, &former, &s.key) : err_set(ERR_INVALID, "the client's private key is missing");
	if (rc == 0) {
		settings = kmip_settings_put(&s);
		rc = check_settings(a, settings);
	}
	if (rc == 0)
		rc = wrap_settings(a, &tenant, settings, &wrapped, &body);
	if (rc == 0) {
		act_put(a, &wrapped);
		act_put(a, &body);
	}
	secret_free(settings);
	kmip_settings_free(&s);
	buf_free(&wrapped);
	buf_free(&body);
	return rc;
}

int answer_keyserver_tell(struct act *a)
{
	struct hierarchy_tenant owner;
	int rc = take_server(a, &owner);

	return rc < 0 ? rc : wire_end(&a->in);
}

int answer_keyserver_test(struct act *a)
{
	struct hierarchy_tenant owner;
	struct wire_view got;
	int rc = take_server(a, &owner);

	if (rc == 0)
		rc = wire_end(&a->in);
	if (rc == 0)
		rc = ask(a, &owner.id, KEYSERVER_TEST, "", &got);
	if (rc == 0)
		wire_put_raw(a->out, got.data, got.len);
	return rc;
}

/* Says whose key it is to whoever looks at the server; what counts is the id that the server gives. */
static void name_key(const struct uuid *device, uint32_t version, char *out, size_t size)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(device, id);
	snprintf(out, size, "keyward/%s/%u/%llx", id, version, (unsigned long long)clock_now());
}

static int put_reference(struct act *a, const struct hierarchy_tenant *tenant, struct blob_label *label, int own, struct wire_view got)
{
	struct wire_reader r = wire_read(got.data, got.len);
	char *id = wire_get_string(&r, KMIP_ID_MAX);
	struct secret *reference = NULL;
	struct buf wrapped = BUF_INIT;
	int rc = wire_end(&r);

	if (rc == 0) {
		reference = make_reference(own ? OWNER_TENANT : OWNER_INSTALLATION, id);
		rc = hierarchy_wrap(&a->service->keys, tenant, label, reference, &wrapped);
	}
	if (rc == 0) {
		act_put(a, &wrapped);
		wire_put_string(a->out, id);
	}
	secret_free(reference);
	buf_free(&wrapped);
	free(id);
	return rc;
}

int answer_keyserver_create(struct act *a)
{
	struct hierarchy_tenant owner, tenant;
	struct blob_label label;
	struct wire_view got;
	char name[KMIP_NAME_MAX + 1];
	int own, rc = take_server(a, &owner);

	if (rc < 0)
		return rc;
	label = act_device(a, &tenant);
	own = uuid_equal(&owner.id, &tenant.id);
	rc = wire_end(&a->in);
	if (rc == 0 && !own && !uuid_is_nil(&owner.id))
		rc = err_set(ERR_FORBIDDEN, "the key server is another tenant's");
	if (rc == 0 && label.version == 0)
		rc = err_set(ERR_INVALID, "version 0");
	name_key(&label.object, label.version, name, sizeof name);
	if (rc == 0)
		rc = ask(a, &owner.id, KEYSERVER_CREATE, name, &got);
	return rc < 0 ? rc : put_reference(a, &tenant, &label, own, got);
}

int answer_keyserver_destroy(struct act *a)
{
	struct hierarchy_tenant owner, tenant;
	struct blob_label label;
	struct wire_view wrapped, got;
	struct secret *reference = NULL;
	struct uuid whose;
	char *id = NULL;
	int rc = take_server(a, &owner);

	if (rc < 0)
		return rc;
	label = act_device(a, &tenant);
	wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	rc = wire_end(&a->in);
	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, wrapped, &reference);
	if (rc == 0)
		rc = read_reference(reference, &tenant.id, &whose, &id);
	if (rc == 0 && !uuid_equal(&whose, &owner.id))
		rc = err_set(ERR_INVALID, "the key is on another key server");
	if (rc == 0)
		rc = ask(a, &whose, KEYSERVER_DESTROY, id, &got);
	secret_free(reference);
	free(id);
	return rc;
}
