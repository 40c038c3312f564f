/* service.c - the table of messages and a handler for each. */
#include "keys/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/client.h"
#include "keys/jwe.h"
#include "keys/message.h"

/* One message while it is handled. */
struct act {
	struct service *service;
	const struct service_peer *peer;
	struct wire_reader in;
	struct buf *out;
	struct uuid request;
	struct uuid tenant, object, clone;     /* for the log; nil where there is none */
};

static int add_bytes(struct act *a, const struct buf *b)
{
	wire_put_bytes(a->out, b->data, b->len);
	return 0;
}

static struct secret *lend(struct wire_view v)
{
	struct secret *s = secret_new(v.len);

	if (v.len)
		memcpy(s->data, v.data, v.len);
	return s;
}

static struct hierarchy_tenant get_tenant(struct act *a)
{
	struct hierarchy_tenant t;

	t.id = a->tenant = wire_get_uuid(&a->in);
	t.wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	return t;
}

/* PREFIX keeps what callers name apart from keyd's own purposes. A bad name is the reader's error. */
static void get_purpose(struct act *a, const char *prefix, char out[static KEYS_PURPOSE_MAX + 16])
{
	char *name = wire_get_string(&a->in, KEYS_PURPOSE_MAX);

	if (name && (*name == '\0' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")]))
		a->in.error = ERR_INVALID;
	snprintf(out, KEYS_PURPOSE_MAX + 16, "%s/%s", prefix, name ? name : "");
	free(name);
}

static int answer_status(struct act *a)
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
	return 0;
}

static int answer_tenant_create(struct act *a)
{
	struct buf wrapped = BUF_INIT;
	int rc;

	a->tenant = wire_get_uuid(&a->in);
	rc = wire_end(&a->in);
	if (rc == 0)
		rc = hierarchy_create_tenant(&a->service->keys, &a->tenant, &wrapped);
	if (rc == 0)
		rc = add_bytes(a, &wrapped);
	buf_free(&wrapped);
	return rc;
}

static struct blob_label get_device(struct act *a, struct hierarchy_tenant *tenant)
{
	struct blob_label label = { .purpose = HIERARCHY_DEVICE_KEY };

	*tenant = get_tenant(a);
	label.object = a->object = wire_get_uuid(&a->in);
	label.version = wire_get_u32(&a->in);
	return label;
}

static int answer_device_create(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = get_device(a, &tenant);
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
		rc = add_bytes(a, &wrapped);
	secret_free(key);
	buf_free(&wrapped);
	return rc;
}

static int answer_device_seal(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = get_device(a, &tenant);
	struct wire_view wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	struct jwe_claims claims = { .agent = wire_get_uuid(&a->in), .request = a->request };
	struct wire_view recipient = wire_get_raw(&a->in, JWE_POINT_SIZE);
	struct secret *key = NULL;
	struct buf jwe = BUF_INIT;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, wrapped, &key);
	if (rc == 0) {
		claims.tenant = tenant.id;
		claims.device = label.object;
		claims.version = label.version;
		rc = jwe_seal(&claims, recipient.data, key, &jwe);
	}
	if (rc == 0)
		rc = add_bytes(a, &jwe);
	a->service->seals += rc == 0;
	secret_free(key);
	buf_free(&jwe);
	return rc;
}

/* The same key as another device's of the same tenant: it is never sealed for the clone under the label of the first. */
static int answer_device_rewrap(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = get_device(a, &tenant), clone = { .purpose = HIERARCHY_DEVICE_KEY };
	struct wire_view wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	struct secret *key = NULL;
	struct buf again = BUF_INIT;
	int rc;

	clone.object = a->clone = wire_get_uuid(&a->in);
	clone.version = wire_get_u32(&a->in);
	rc = wire_end(&a->in);
	if (rc == 0 && (uuid_is_nil(&clone.object) || uuid_equal(&clone.object, &label.object) || clone.version == 0))
		rc = err_set(ERR_INVALID, "not a clone, version %u", clone.version);
	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, wrapped, &key);
	if (rc == 0)
		rc = hierarchy_wrap(&a->service->keys, &tenant, &clone, key, &again);
	if (rc == 0)
		rc = add_bytes(a, &again);
	secret_free(key);
	buf_free(&again);
	return rc;
}

static void get_object(struct act *a, struct hierarchy_tenant *tenant, struct blob_label *label,
	char purpose[static KEYS_PURPOSE_MAX + 16])
{
	*tenant = get_tenant(a);
	get_purpose(a, "data", purpose);
	*label = (struct blob_label){ .purpose = purpose };
	label->object = a->object = wire_get_uuid(&a->in);
}

static int answer_protect(struct act *a)
{
	char purpose[KEYS_PURPOSE_MAX + 16];
	struct hierarchy_tenant tenant;
	struct blob_label label;
	struct wire_view given;
	struct buf blob = BUF_INIT;
	struct secret *plain;
	int rc;

	get_object(a, &tenant, &label, purpose);
	given = wire_get_bytes(&a->in, KEYS_PLAIN_MAX);
	rc = wire_end(&a->in);
	if (rc < 0)
		return rc;
	plain = lend(given);
	rc = hierarchy_wrap(&a->service->keys, &tenant, &label, plain, &blob);
	if (rc == 0)
		rc = add_bytes(a, &blob);
	secret_free(plain);
	buf_free(&blob);
	return rc;
}

/* The web's processes can have them wrapped, and sealed to an agent; never opened. */
static int is_for_agents(const char *purpose)
{
	return strcmp(purpose, "data/" KEYS_PURPOSE_CREDENTIALS) == 0;
}

static int answer_credentials_seal(struct act *a)
{
	char purpose[KEYS_PURPOSE_MAX + 16];
	struct jwe_claims claims = { .request = a->request };
	struct hierarchy_tenant tenant;
	struct blob_label label;
	struct wire_view blob, recipient;
	struct secret *plain = NULL;
	struct buf jwe = BUF_INIT;
	int rc;

	get_object(a, &tenant, &label, purpose);
	claims.version = wire_get_u32(&a->in);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	claims.agent = wire_get_uuid(&a->in);
	recipient = wire_get_raw(&a->in, JWE_POINT_SIZE);
	rc = wire_end(&a->in);
	if (rc == 0 && !is_for_agents(purpose))
		rc = err_set(ERR_FORBIDDEN, "secrets of this purpose are not sealed to agents");
	if (rc == 0)
		rc = hierarchy_unwrap(&a->service->keys, &tenant, &label, blob, &plain);
	if (rc == 0) {
		claims.tenant = tenant.id;
		claims.device = label.object;
		rc = jwe_seal(&claims, recipient.data, plain, &jwe);
	}
	if (rc == 0)
		rc = add_bytes(a, &jwe);
	a->service->seals += rc == 0;
	secret_free(plain);
	buf_free(&jwe);
	return rc;
}

static int answer_reveal(struct act *a)
{
	char purpose[KEYS_PURPOSE_MAX + 16];
	struct hierarchy_tenant tenant;
	struct blob_label label;
	struct wire_view blob;
	struct secret *plain = NULL;
	int rc;

	get_object(a, &tenant, &label, purpose);
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

static int answer_system_protect(struct act *a)
{
	char purpose[KEYS_PURPOSE_MAX + 16];
	struct blob_label label = { .purpose = purpose };
	struct wire_view given;
	struct buf blob = BUF_INIT;
	struct secret *plain;
	int rc;

	get_purpose(a, "system", purpose);
	given = wire_get_bytes(&a->in, KEYS_PLAIN_MAX);
	rc = wire_end(&a->in);
	if (rc < 0)
		return rc;
	plain = lend(given);
	rc = hierarchy_root_wrap(&a->service->keys, &label, plain, &blob);
	if (rc == 0)
		rc = add_bytes(a, &blob);
	secret_free(plain);
	buf_free(&blob);
	return rc;
}

static int answer_system_reveal(struct act *a)
{
	char purpose[KEYS_PURPOSE_MAX + 16];
	struct blob_label label = { .purpose = purpose };
	struct wire_view blob;
	struct secret *plain = NULL;
	int rc;

	get_purpose(a, "system", purpose);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	rc = wire_end(&a->in);
	if (rc == 0)
		rc = hierarchy_root_unwrap(&a->service->keys, &label, blob, &plain);
	if (rc == 0)
		wire_put_bytes(a->out, plain->data, plain->len);
	secret_free(plain);
	return rc;
}

static int need_signer(const struct act *a)
{
	return a->service->signer ? 0 : err_set(ERR_SEALED, "no root key");
}

static int answer_identity_public(struct act *a)
{
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = need_signer(a);
	if (rc == 0)
		signer_public(a->service->signer, buf_extend(a->out, SIGNER_POINT_SIZE));
	return rc;
}

static int answer_identity_sign(struct act *a)
{
	struct wire_view digest = wire_get_raw(&a->in, SIGNER_DIGEST_SIZE);
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = need_signer(a);
	if (rc == 0)
		rc = signer_sign(a->service->signer, digest.data, buf_extend(a->out, SIGNER_SIGNATURE_SIZE));
	a->service->signatures += rc == 0;
	return rc;
}

int service_open(struct service *s)
{
	struct signer *signer = NULL;
	int rc = signer_open(&s->keys, s->identity, &signer);

	if (rc < 0)
		return rc;
	signer_close(s->signer);
	s->signer = signer;
	return 0;
}

void service_heal(struct service *s)
{
	if (s->signer || s->identity == NULL || hierarchy_is_sealed(&s->keys))
		return;
	if (service_open(s) < 0)
		log_error("the identity key cannot be opened", "reason", err_text(), NULL);
	else
		log_info("unsealed", NULL);
}

/* Whoever may ask for keys may not therefore decide that keys can be asked for. */
static int need_root_user(const struct act *a)
{
	return a->peer->uid == 0 ? 0 : err_set(ERR_FORBIDDEN, "only root may do this");
}

static int unseal(struct service *s, const struct secret *passphrase)
{
	const struct provider *p = s->keys.provider;
	int rc;

	if (s->keys.root == NULL || p->unseal == NULL)
		return err_set(ERR_UNSUPPORTED, "the root key of provider %s is not unsealed by a passphrase", p->name);
	rc = p->unseal(s->keys.root, passphrase);
	if (rc == 0)
		rc = service_open(s);
	if (rc < 0 && s->signer == NULL)
		p->seal(s->keys.root);
	return rc;
}

static int answer_unseal(struct act *a)
{
	struct wire_view given = wire_get_bytes(&a->in, PROVIDER_PASSPHRASE_MAX);
	struct secret *passphrase;
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = need_root_user(a);
	if (rc < 0)
		return rc;
	passphrase = lend(given);
	rc = unseal(a->service, passphrase);
	secret_free(passphrase);
	return rc;
}

static int answer_seal(struct act *a)
{
	int rc = wire_end(&a->in);

	if (rc == 0)
		rc = need_root_user(a);
	if (rc == 0)
		rc = hierarchy_seal(&a->service->keys);
	if (rc < 0)
		return rc;
	signer_close(a->service->signer);
	a->service->signer = NULL;
	return 0;
}

static const struct message {
	enum message_type type;
	const char *name;
	int (*answer)(struct act *a);
} messages[] = {
#define X(name, type) { (type), #name, answer_##name },
	MESSAGES(X)
#undef X
};

static const struct message *find_message(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (messages[i].type == type)
			return &messages[i];
	return NULL;
}

static void begin_answer(struct buf *out, int code, const struct uuid *request)
{
	message_wipe(out);
	message_begin(out);
	wire_put_u8(out, MESSAGE_VERSION);
	wire_put_u8(out, (uint8_t)-code);
	wire_put_uuid(out, request);
	if (code < 0)
		wire_put_string(out, err_text());
}

static const char *text_or_null(const struct uuid *id, char text[static UUID_TEXT_SIZE])
{
	if (uuid_is_nil(id))
		return NULL;
	uuid_text(id, text);
	return text;
}

/* One line for each message: who asked for what, and what came of it. Looking at the status is no event. */
static void note(const struct act *a, const struct message *m, const struct service_peer *peer, int rc)
{
	char request[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE], object[UUID_TEXT_SIZE], clone[UUID_TEXT_SIZE] = "", uid[16], pid[16];
	const char *more = rc < 0 ? "reason" : uuid_is_nil(&a->clone) ? NULL : "clone";

	uuid_text(&a->clone, clone);
	if (rc == 0 && (m->type == MESSAGE_status || m->type == MESSAGE_identity_public))
		return;
	uuid_text(&a->request, request);
	snprintf(uid, sizeof uid, "%u", (unsigned)peer->uid);
	snprintf(pid, sizeof pid, "%d", (int)peer->pid);
	(rc == 0 ? log_info : log_warning)(m ? m->name : "unknown message", "request", request,
		"tenant", text_or_null(&a->tenant, tenant), "object", text_or_null(&a->object, object), "uid", uid, "pid", pid,
		"outcome", rc == 0 ? "done" : err_name(rc), more, rc < 0 ? err_text() : clone, NULL);
}

void service_answer(struct service *s, const struct service_peer *peer, const struct buf *in, struct buf *out)
{
	struct act a = { .service = s, .peer = peer, .in = wire_read(in->data, in->len), .out = out };
	uint8_t version = wire_get_u8(&a.in), type = wire_get_u8(&a.in);
	const struct message *m = find_message(type);
	int rc;

	a.request = wire_get_uuid(&a.in);
	begin_answer(out, 0, &a.request);
	if (a.in.error)
		rc = err_set(ERR_TRUNCATED, "message of %zu bytes", in->len);
	else if (version != MESSAGE_VERSION)
		rc = err_set(ERR_VERSION, "message version %u", version);
	else
		rc = m ? m->answer(&a) : err_set(ERR_UNSUPPORTED, "message type %u", type);
	s->failures += rc < 0;
	note(&a, m, peer, rc);
	if (rc < 0)
		begin_answer(out, rc, &a.request);
}

void service_refuse(struct service *s, const struct service_peer *peer, int code, struct buf *out)
{
	struct act nothing = { .service = s, .peer = peer };

	s->failures++;
	note(&nothing, NULL, peer, code);
	begin_answer(out, code, &nothing.request);
}

/* Under a key for nobody: also while the root key is not at hand, everything that it will take has been loaded. */
static int rehearse_wrapping(const struct secret *plain, struct buf *out)
{
	struct blob_label label = { .purpose = "rehearsal" };
	struct secret *key = secret_random(BLOB_KEY_SIZE), *again = NULL;
	struct uuid id = uuid_new();
	int rc = blob_wrap(&id, key->data, &label, plain, out);

	if (rc == 0)
		rc = blob_unwrap(&id, key->data, &label, (struct wire_view){ (uint8_t *)out->data, out->len }, &again);
	if (rc == 0 && !secret_equal(plain, again))
		rc = err_set(ERR_CRYPTO, "unwrapping does not give what was wrapped");
	secret_free(again);
	secret_free(key);
	return rc;
}

static int rehearse_root(const struct service *s, const struct secret *plain, struct buf *out)
{
	struct blob_label label = { .purpose = "rehearsal" };
	struct secret *again = NULL;
	int rc = s->keys.provider->wrap(s->keys.root, &label, plain, out);

	if (rc == 0)
		rc = s->keys.provider->unwrap(s->keys.root, &label, (struct wire_view){ (uint8_t *)out->data, out->len }, &again);
	if (rc == 0 && !secret_equal(plain, again))
		rc = err_set(ERR_CRYPTO, "unwrapping does not give what was wrapped");
	secret_free(again);
	return rc;
}

int service_rehearse(struct service *s)
{
	struct jwe_claims claims = { .version = 1 };
	struct secret *plain = secret_random(KEYS_DEVICE_KEY_SIZE);
	uint8_t point[SIGNER_POINT_SIZE];
	struct buf out = BUF_INIT;
	int rc = rehearse_wrapping(plain, &out);

	if (rc == 0)
		rc = signer_rehearse(point);
	if (rc == 0)
		rc = jwe_seal(&claims, point, plain, &out);
	if (rc == 0 && !hierarchy_is_sealed(&s->keys))
		rc = rehearse_root(s, plain, &out);
	secret_free(plain);
	buf_free(&out);
	return rc;
}

void service_close(struct service *s)
{
	signer_close(s->signer);
	s->signer = NULL;
	secret_free(s->identity);
	s->identity = NULL;
	hierarchy_close(&s->keys);
}
