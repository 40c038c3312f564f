/* service.c - the table of messages; their handlers are in answer_*.c. */
#include "keys/service.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/act.h"
#include "keys/client.h"
#include "keys/export.h"
#include "keys/jwe.h"
#include "proto/evidence.h"

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

/* Also what fails is done once: reasons are put together then. */
static int rehearse_proof(const uint8_t *point)
{
	const struct ticket_claims claims = { .kind = TICKET_DEVICE, .recipient = point };
	const struct proto_recipient recipient = { .device = "", .key = point };
	uint8_t key[TICKET_KEY_SIZE] = { 0 }, ticket[TICKET_SIZE], signature[SIGNER_SIGNATURE_SIZE] = { 0 };
	struct ticket t;
	int rc = ticket_make(key, 1, &claims, clock_now() + TICKET_LIFE_S * CLOCK_SECOND, point, ticket);

	if (rc == 0)
		rc = ticket_read((struct wire_view){ ticket, sizeof ticket }, &t);
	if (rc == 0)
		rc = ticket_check(&t, key, &claims, clock_now());
	if (rc == 0 && proto_recipient_verify(&recipient, point, signature) != ERR_TAMPERED)
		rc = err_set(ERR_CRYPTO, "a signature of zeros was taken");
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
		rc = rehearse_proof(point);
	if (rc == 0)
		rc = jwe_seal(&claims, point, plain, &out);
	if (rc == 0)
		rc = export_seal(&(struct exported_label){ .version = 1 }, plain->data, (struct wire_view){ point, sizeof point }, plain, &out);
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
