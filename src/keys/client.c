/* client.c - asks keyd: builds a request, checks that the answer belongs to it, and wipes both. */
#include "keys/client_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/exported.h"
#include "keys/client_part.h"

#define REASON_MAX 512

void keys_client_init(struct keys_client *c, const char *path, int timeout_ms)
{
	memset(c, 0, sizeof *c);
	ipc_client_init(&c->ipc, path, timeout_ms);
}

void keys_client_close(struct keys_client *c)
{
	ipc_client_close(&c->ipc);
	message_wipe(&c->request);
	message_wipe(&c->answer);
	buf_free(&c->request);
	buf_free(&c->answer);
}

struct buf *client_begin(struct keys_client *c, enum message_type type, const struct uuid *request)
{
	message_begin(&c->request);
	wire_put_u8(&c->request, MESSAGE_VERSION);
	wire_put_u8(&c->request, (uint8_t)type);
	wire_put_uuid(&c->request, request);
	return &c->request;
}

void client_put_device(struct buf *b, const struct keys_device *d)
{
	wire_put_uuid(b, &d->tenant);
	wire_put_bytes(b, d->wrapped_tenant.data, d->wrapped_tenant.len);
	wire_put_uuid(b, &d->device);
	wire_put_u32(b, d->version);
}

static void put_object(struct buf *b, const struct keys_object *o)
{
	wire_put_uuid(b, &o->tenant);
	wire_put_bytes(b, o->wrapped_tenant.data, o->wrapped_tenant.len);
	wire_put_string(b, o->purpose);
	wire_put_uuid(b, &o->object);
}

int client_nonsense(void)
{
	return err_set(ERR_INTERNAL, "the key service's answer makes no sense");
}

int client_end(struct wire_reader *r)
{
	return wire_end(r) < 0 ? client_nonsense() : 0;
}

/* The error that keyd answered, with its reason as this thread's error text. */
static int refusal(struct wire_reader *r, int code)
{
	char *reason = wire_get_string(r, REASON_MAX);
	int known = strcmp(err_name(code), "unknown") != 0;

	if (wire_end(r) < 0 || !known)
		code = client_nonsense();
	else
		err_set(code, "key service: %s", reason);
	free(reason);
	return code;
}

int client_call(struct keys_client *c, struct wire_reader *r)
{
	struct uuid asked, answered;
	uint8_t version, status;
	int rc;

	memcpy(asked.bytes, c->request.data + 2, sizeof asked.bytes);
	message_begin(&c->answer);
	rc = ipc_call(&c->ipc, &c->request, &c->answer);
	if (rc < 0)
		return rc;
	*r = wire_read(c->answer.data, c->answer.len);
	version = wire_get_u8(r);
	status = wire_get_u8(r);
	answered = wire_get_uuid(r);
	if (r->error || version != MESSAGE_VERSION)
		return err_set(ERR_VERSION, "the key service speaks another version");
	if (status != 0)
		return refusal(r, -(int)status);
	if (!uuid_equal(&asked, &answered))
		return err_set(ERR_INTERNAL, "the key service answered another request");
	return 0;
}

int client_finish(struct keys_client *c, int rc)
{
	message_wipe(&c->request);
	message_wipe(&c->answer);
	if (rc == ERR_INTERNAL || rc == ERR_VERSION)
		ipc_client_close(&c->ipc);
	return rc;
}

static int finish_view(struct wire_reader *r, struct wire_view *v, size_t max)
{
	*v = wire_get_bytes(r, max);
	return client_end(r);
}

int client_call_for_bytes(struct keys_client *c, size_t max, struct buf *out)
{
	struct wire_reader r;
	struct wire_view v;
	int rc = client_call(c, &r);

	if (rc == 0)
		rc = finish_view(&r, &v, max);
	if (rc == 0) {
		buf_reset(out);
		buf_add(out, v.data, v.len);
	}
	return client_finish(c, rc);
}

int client_call_for_nothing(struct keys_client *c)
{
	struct wire_reader r;
	int rc = client_call(c, &r);

	return client_finish(c, rc < 0 ? rc : client_end(&r));
}

static int call_for_secret(struct keys_client *c, struct secret **out)
{
	struct wire_reader r;
	struct wire_view v;
	int rc = client_call(c, &r);

	if (rc == 0)
		rc = finish_view(&r, &v, KEYS_PLAIN_MAX);
	if (rc == 0) {
		*out = secret_new(v.len);
		if (v.len)
			memcpy((*out)->data, v.data, v.len);
	}
	return client_finish(c, rc);
}

int client_call_for_raw(struct keys_client *c, uint8_t *out, size_t len)
{
	struct wire_reader r;
	struct wire_view v;
	int rc = client_call(c, &r);

	if (rc == 0) {
		v = wire_get_raw(&r, len);
		rc = client_end(&r);
	}
	if (rc == 0)
		memcpy(out, v.data, len);
	return client_finish(c, rc);
}

/* Limits that keyd would refuse anyhow, but that must not overflow a message before it is sent. */
int client_check_size(size_t len, size_t max, const char *what)
{
	return len > max ? err_set(ERR_TOO_LARGE, "%s of %zu bytes, at most %zu", what, len, max) : 0;
}

static void get_counts(struct wire_reader *r, struct keys_status *s)
{
	int n = wire_get_u8(r);

	if (n > KEYS_KINDS_MAX)
		r->error = ERR_INVALID;
	for (int i = 0; r->error == 0 && i < n; i++) {
		struct keys_count *k = &s->counts[s->kinds++];
		struct wire_view name = wire_get_bytes(r, sizeof k->name - 1);

		if (name.len)
			memcpy(k->name, name.data, name.len);
		k->done = wire_get_u64(r);
		k->failed = wire_get_u64(r);
		k->limited = wire_get_u64(r);
	}
}

int keys_status(struct keys_client *c, struct keys_status *out)
{
	struct uuid id = uuid_new();
	struct keys_status s = { 0 };
	struct wire_reader r;
	struct wire_view name, version, why;
	uint8_t cause;
	int rc;

	client_begin(c, MESSAGE_status, &id);
	rc = client_call(c, &r);
	if (rc < 0)
		return client_finish(c, rc);
	s.sealed = wire_get_u8(&r);
	name = wire_get_bytes(&r, sizeof s.provider - 1);
	s.root = wire_get_uuid(&r);
	s.wraps = wire_get_u64(&r);
	s.unwraps = wire_get_u64(&r);
	s.seals = wire_get_u64(&r);
	s.signatures = wire_get_u64(&r);
	s.failures = wire_get_u64(&r);
	s.tenant_hits = wire_get_u64(&r);
	s.tenants = wire_get_u32(&r);
	s.clients = wire_get_u32(&r);
	s.ticket_generation = wire_get_u32(&r);
	get_counts(&r, &s);
	s.started = (clock_us)wire_get_u64(&r);
	s.pid = (int)wire_get_u32(&r);
	version = wire_get_bytes(&r, sizeof s.version - 1);
	why = wire_get_bytes(&r, sizeof s.why - 1);
	cause = wire_get_u8(&r);
	rc = client_end(&r);
	if (rc < 0)
		return client_finish(c, rc);
	memcpy(s.provider, name.data, name.len);
	memcpy(s.version, version.data, version.len);
	memcpy(s.why, why.data, why.len);
	s.cause = cause < KEYS_CAUSE_COUNT ? (enum keys_cause)cause : KEYS_CAUSE_NONE;
	*out = s;
	return client_finish(c, 0);
}

int keys_tenant_create(struct keys_client *c, const struct uuid *request, const struct uuid *tenant, struct buf *wrapped)
{
	struct buf *b = client_begin(c, MESSAGE_tenant_create, request);

	wire_put_uuid(b, tenant);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, wrapped);
}

int keys_device_create(struct keys_client *c, const struct uuid *request, const struct keys_device *device, size_t bytes,
	struct buf *wrapped)
{
	struct buf *b;
	int rc = client_check_size(device->wrapped_tenant.len, KEYS_BLOB_MAX, "wrapped tenant key");

	if (rc == 0)
		rc = client_check_size(bytes, KEYS_DEVICE_KEY_MAX, "device key");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_device_create, request);
	client_put_device(b, device);
	wire_put_u16(b, (uint16_t)bytes);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, wrapped);
}

/* A message about a key that is there. */
static int begin_with_key(struct keys_client *c, enum message_type type, const struct uuid *request, const struct keys_device *device,
	struct wire_view wrapped_device, struct buf **out)
{
	int rc = client_check_size(device->wrapped_tenant.len, KEYS_BLOB_MAX, "wrapped tenant key");

	if (rc == 0)
		rc = client_check_size(wrapped_device.len, KEYS_BLOB_MAX, "wrapped device key");
	if (rc < 0)
		return rc;
	*out = client_begin(c, type, request);
	client_put_device(*out, device);
	wire_put_bytes(*out, wrapped_device.data, wrapped_device.len);
	return 0;
}

static int check_asked(const struct keys_asked *a)
{
	return client_check_size(a->ticket.len, KEYS_TICKET_MAX, "proof of approval");
}

static void put_asked(struct buf *b, const struct keys_asked *a)
{
	wire_put_uuid(b, &a->by);
	wire_put_bytes(b, a->ticket.data, a->ticket.len);
}

int keys_device_rewrap(struct keys_client *c, const struct uuid *request, const struct keys_device *device,
	struct wire_view wrapped_device, const struct uuid *clone, uint32_t version, const struct keys_asked *asked, struct buf *wrapped)
{
	struct buf *b;
	int rc = check_asked(asked);

	if (rc == 0)
		rc = begin_with_key(c, MESSAGE_device_rewrap, request, device, wrapped_device, &b);

	if (rc < 0)
		return rc;
	wire_put_uuid(b, clone);
	wire_put_u32(b, version);
	put_asked(b, asked);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, wrapped);
}

static int check_proof(const struct keys_proof *p)
{
	int rc = client_check_size(p->ticket.len, KEYS_TICKET_MAX, "proof of approval");

	return rc < 0 ? rc : client_check_size(strlen(p->device), KEYS_AGENT_DEVICE_MAX, "device's id");
}

static void put_proof(struct buf *b, const struct keys_proof *p)
{
	wire_put_bytes(b, p->ticket.data, p->ticket.len);
	wire_put_string(b, p->device);
	wire_put_raw(b, p->signature, KEYS_SIGNATURE_SIZE);
}

int keys_device_seal(struct keys_client *c, const struct uuid *request, const struct keys_device *device,
	struct wire_view wrapped_device, const struct uuid *agent, const uint8_t recipient[static KEYS_POINT_SIZE],
	const struct keys_proof *proof, struct buf *jwe)
{
	struct buf *b;
	int rc = check_proof(proof);

	if (rc == 0)
		rc = begin_with_key(c, MESSAGE_device_seal, request, device, wrapped_device, &b);
	if (rc < 0)
		return rc;
	wire_put_uuid(b, agent);
	wire_put_raw(b, recipient, KEYS_POINT_SIZE);
	put_proof(b, proof);
	return client_call_for_bytes(c, KEYS_JWE_MAX, jwe);
}

static int check_object(const struct keys_object *o)
{
	int rc = client_check_size(o->wrapped_tenant.len, KEYS_BLOB_MAX, "wrapped tenant key");

	return rc < 0 ? rc : client_check_size(strlen(o->purpose), KEYS_PURPOSE_MAX, "purpose");
}

int keys_protect(struct keys_client *c, const struct uuid *request, const struct keys_object *object,
	const struct secret *plain, struct buf *blob)
{
	struct buf *b;
	int rc = check_object(object);

	if (rc == 0)
		rc = client_check_size(plain->len, KEYS_PLAIN_MAX, "secret");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_protect, request);
	put_object(b, object);
	wire_put_bytes(b, plain->data, plain->len);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, blob);
}

int keys_reveal(struct keys_client *c, const struct uuid *request, const struct keys_object *object, struct wire_view blob,
	struct secret **plain)
{
	struct buf *b;
	int rc = check_object(object);

	if (rc == 0)
		rc = client_check_size(blob.len, KEYS_BLOB_MAX, "blob");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_reveal, request);
	put_object(b, object);
	wire_put_bytes(b, blob.data, blob.len);
	return call_for_secret(c, plain);
}

int keys_credentials_seal(struct keys_client *c, const struct uuid *request, const struct keys_object *object, uint32_t version,
	struct wire_view blob, const struct uuid *agent, const uint8_t recipient[static KEYS_POINT_SIZE], const struct keys_proof *proof,
	struct buf *jwe)
{
	struct buf *b;
	int rc = check_object(object);

	if (rc == 0)
		rc = check_proof(proof);
	if (rc == 0)
		rc = client_check_size(blob.len, KEYS_BLOB_MAX, "blob");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_credentials_seal, request);
	put_object(b, object);
	wire_put_u32(b, version);
	wire_put_bytes(b, blob.data, blob.len);
	wire_put_uuid(b, agent);
	wire_put_raw(b, recipient, KEYS_POINT_SIZE);
	put_proof(b, proof);
	return client_call_for_bytes(c, KEYS_JWE_MAX, jwe);
}

int keys_system_protect(struct keys_client *c, const struct uuid *request, const char *purpose, const struct secret *plain,
	struct buf *blob)
{
	struct buf *b;
	int rc = client_check_size(strlen(purpose), KEYS_PURPOSE_MAX, "purpose");

	if (rc == 0)
		rc = client_check_size(plain->len, KEYS_PLAIN_MAX, "secret");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_system_protect, request);
	wire_put_string(b, purpose);
	wire_put_bytes(b, plain->data, plain->len);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, blob);
}

int keys_system_reveal(struct keys_client *c, const struct uuid *request, const char *purpose, struct wire_view blob,
	struct secret **plain)
{
	struct buf *b;
	int rc = client_check_size(strlen(purpose), KEYS_PURPOSE_MAX, "purpose");

	if (rc == 0)
		rc = client_check_size(blob.len, KEYS_BLOB_MAX, "blob");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_system_reveal, request);
	wire_put_string(b, purpose);
	wire_put_bytes(b, blob.data, blob.len);
	return call_for_secret(c, plain);
}

int keys_identity_public(struct keys_client *c, uint8_t point[static KEYS_POINT_SIZE])
{
	struct uuid id = uuid_new();

	client_begin(c, MESSAGE_identity_public, &id);
	return client_call_for_raw(c, point, KEYS_POINT_SIZE);
}

int keys_identity_sign(struct keys_client *c, const struct uuid *request, const uint8_t digest[static KEYS_DIGEST_SIZE],
	uint8_t signature[static KEYS_SIGNATURE_SIZE])
{
	struct buf *b = client_begin(c, MESSAGE_identity_sign, request);

	wire_put_raw(b, digest, KEYS_DIGEST_SIZE);
	return client_call_for_raw(c, signature, KEYS_SIGNATURE_SIZE);
}

int keys_unseal(struct keys_client *c, const struct uuid *request, const struct secret *passphrase)
{
	struct buf *b = client_begin(c, MESSAGE_unseal, request);

	wire_put_bytes(b, passphrase->data, passphrase->len);
	return client_call_for_nothing(c);
}

int keys_seal(struct keys_client *c, const struct uuid *request)
{
	client_begin(c, MESSAGE_seal, request);
	return client_call_for_nothing(c);
}

int keys_device_export(struct keys_client *c, const struct uuid *request, const struct keys_device *device, struct wire_view wrapped_device,
	const struct secret *export_key, const struct buf *fields, const struct keys_asked *asked, struct buf *sealed)
{
	struct buf *b;
	int rc = client_check_size(fields->len, EXPORTED_FIELDS_MAX, "fields of an export");

	if (rc == 0)
		rc = check_asked(asked);
	if (rc == 0)
		rc = begin_with_key(c, MESSAGE_device_export, request, device, wrapped_device, &b);
	if (rc < 0)
		return rc;
	wire_put_raw(b, export_key->data, EXPORTED_KEY_SIZE);
	wire_put_bytes(b, fields->data, fields->len);
	put_asked(b, asked);
	return client_call_for_bytes(c, KEYS_BLOB_MAX, sealed);
}

int keys_ticket_key(struct keys_client *c, const struct uuid *request, uint32_t generation, int final,
	uint8_t key[static KEYS_TICKET_KEY_SIZE])
{
	struct buf *b = client_begin(c, MESSAGE_ticket_key, request);

	wire_put_u32(b, generation);
	wire_put_u8(b, (uint8_t)final);
	return client_call_for_raw(c, key, KEYS_TICKET_KEY_SIZE);
}

int keys_recipient_check(struct keys_client *c, const struct uuid *request, const struct keys_recipient *r)
{
	struct buf *b;
	int rc = client_check_size(strlen(r->device), KEYS_AGENT_DEVICE_MAX, "device's name");

	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_recipient_check, request);
	wire_put_uuid(b, &r->account);
	wire_put_uuid(b, &r->agent);
	wire_put_string(b, r->device);
	wire_put_raw(b, r->key, KEYS_POINT_SIZE);
	wire_put_raw(b, r->agent_key, KEYS_POINT_SIZE);
	wire_put_raw(b, r->signature, KEYS_SIGNATURE_SIZE);
	return client_call_for_nothing(c);
}
