/* service.c - the table of messages; their handlers are in answer_*.c. */
#include "keys/service.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/act.h"
#include "keys/client.h"
#include "keys/export.h"
#include "keys/jwe.h"
#include "proto/evidence.h"

#define LOOK_FOR_ACTIVE CLOCK_SECOND
#define LOOK_FOR_OLDER (5 * CLOCK_SECOND)

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

/* The old file or the new one: both open, as long as the older root key is there. */
int service_move_identity(struct service *s)
{
	struct secret *moved = NULL;
	int rc;

	if (s->identity == NULL || s->keep_identity == NULL || s->keys.older_count == 0 || hierarchy_is_sealed(&s->keys)
		|| !signer_is_elsewhere(&s->keys, s->identity))
		return 0;
	rc = signer_move(&s->keys, s->identity, &moved);
	if (rc == 0)
		rc = s->keep_identity(moved->data, moved->len);
	if (rc == 0) {
		secret_free(s->identity);
		s->identity = moved;
	} else {
		secret_free(moved);
	}
	return rc < 0 ? err_wrap(rc, "identity key") : 0;
}

/* Files may have been mounted, or brought back. While the one in use is missing nothing can be done, so it is looked for often. */
static void look_for_roots(struct service *s)
{
	struct hierarchy *h = &s->keys;
	char before[PROVIDER_WHY_SIZE];
	int rc;

	if (s->reload == NULL || h->missing == 0 || clock_ticks() < s->look_at)
		return;
	memcpy(before, h->why, sizeof before);
	rc = s->reload(h, NULL);
	s->look_at = clock_ticks() + (h->root ? LOOK_FOR_OLDER : LOOK_FOR_ACTIVE);
	if (rc == 0 && h->missing == 0)
		log_info("the root key that was missing is there", NULL);
	if (rc == 0 || h->root)
		return;
	hierarchy_lacks_root(h, rc);
	if (strcmp(before, h->why) != 0)
		log_warning("sealed", "reason", h->why, NULL);
}

void service_heal(struct service *s)
{
	look_for_roots(s);
	if (s->signer || s->identity == NULL || hierarchy_is_sealed(&s->keys))
		return;
	if (service_open(s) < 0) {
		if (!s->identity_said++)
			log_error("the identity key cannot be opened", "reason", err_text(), NULL);
		return;
	}
	s->identity_said = 0;
	log_info("unsealed", NULL);
	if (service_move_identity(s) < 0)
		log_warning("the identity key stays where it is", "reason", err_text(), NULL);
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

_Static_assert(ARRAY_LEN(messages) <= LIMIT_KINDS, "each kind has its limit and its count");

/* How often one user may ask for one kind. A storm of 2,000 releases a second passes, with a reserve; what people cause by hand is rare. */
static const struct {
	enum message_type type;
	struct limit_rate rate;
} rates[] = {
	{ MESSAGE_device_seal, { 5000, 20000 } },
	{ MESSAGE_recipient_check, { 5000, 20000 } },
	{ MESSAGE_credentials_seal, { 2000, 5000 } },
	{ MESSAGE_identity_sign, { 5000, 20000 } },          /* sessions of agents */
	{ MESSAGE_reveal, { 1000, 5000 } },                  /* enrolments; settings of tenants */
	{ MESSAGE_system_reveal, { 100, 500 } },
	{ MESSAGE_protect, { 500, 2000 } },
	{ MESSAGE_system_protect, { 50, 200 } },
	{ MESSAGE_signing_create, { 5, 20 } },
	{ MESSAGE_signing_sign, { 50, 200 } },               /* activation codes, by hand or by an outside system */
	{ MESSAGE_tenant_create, { 20, 200 } },
	{ MESSAGE_device_create, { 500, 2000 } },
	{ MESSAGE_device_rewrap, { 50, 500 } },
	{ MESSAGE_device_export, { 100, 2000 } },            /* one for each device of a list */
	{ MESSAGE_keyserver_protect, { 20, 100 } },
	{ MESSAGE_keyserver_tell, { 5000, 20000 } },         /* before each seal of a key that is on one */
	{ MESSAGE_keyserver_test, { 50, 500 } },
	{ MESSAGE_keyserver_create, { 100, 1000 } },
	{ MESSAGE_keyserver_destroy, { 100, 1000 } },
};
/* Whatever is new has one too, far above what one process can ask. */
static const struct limit_rate other_rate = { 20000, 40000 };

static const struct limit_rate *rate_of(enum message_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(rates); i++)
		if (rates[i].type == type)
			return &rates[i].rate;
	return &other_rate;
}

const char *service_kind(int place)
{
	return (size_t)place < ARRAY_LEN(messages) ? messages[place].name : NULL;
}

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

/* One line for each message: who asked for what, and what came of it. Looking how things are is no event. */
static void note(const struct act *a, const struct message *m, const struct service_peer *peer, int rc)
{
	char request[UUID_TEXT_SIZE], tenant[UUID_TEXT_SIZE], object[UUID_TEXT_SIZE], clone[UUID_TEXT_SIZE] = "", by[UUID_TEXT_SIZE], uid[16], pid[16];
	const char *more = rc < 0 ? "reason" : uuid_is_nil(&a->clone) ? NULL : "clone";

	uuid_text(&a->clone, clone);
	if (rc == 0 && (m->type == MESSAGE_status || m->type == MESSAGE_identity_public || m->type == MESSAGE_keyserver_tell
			|| m->type == MESSAGE_keyserver_test))
		return;
	uuid_text(&a->request, request);
	snprintf(uid, sizeof uid, "%u", (unsigned)peer->uid);
	snprintf(pid, sizeof pid, "%d", (int)peer->pid);
	(rc == 0 ? log_info : log_warning)(m ? m->name : "unknown message", "request", request,
		"tenant", text_or_null(&a->tenant, tenant), "object", text_or_null(&a->object, object), "uid", uid, "pid", pid,
		"user", text_or_null(&a->by, by), "outcome", rc == 0 ? "done" : err_name(rc), more, rc < 0 ? err_text() : clone, NULL);
}

/* What is over the limit is told once a second, not each time: the log is nobody's to fill. */
static int admit(struct service *s, const struct service_peer *peer, const struct message *m, int *quiet)
{
	char text[24];
	uint64_t tell;
	int rc = limit_take(&s->limits, peer->uid, (int)(m - messages), rate_of(m->type), clock_ticks(), &tell);

	*quiet = rc < 0;
	if (tell) {
		snprintf(text, sizeof text, "%llu", (unsigned long long)tell);
		log_warning("too many", "message", m->name, "refused", text, "reason", err_text(), NULL);
	}
	return rc;
}

static void count(struct service *s, const struct message *m, int rc, int limited)
{
	struct service_count *c = &s->counts[m - messages];

	*(limited ? &c->limited : rc < 0 ? &c->failed : &c->done) += 1;
}

static int dispatch(struct service *s, struct act *a, const struct message *m, int *quiet)
{
	/* One that waited for a key server was admitted before, and is counted when it is over. */
	int rc = a->reply ? 0 : admit(s, a->peer, m, quiet);

	if (rc == 0)
		rc = m->answer(a);
	if (!a->parked)
		count(s, m, rc, *quiet);
	return rc;
}

static void handle(struct service *s, const struct service_peer *peer, const struct buf *in, const struct keyserver_reply *reply,
	struct buf *out)
{
	struct act a = { .service = s, .peer = peer, .in = wire_read(in->data, in->len), .out = out, .reply = reply };
	uint8_t version = wire_get_u8(&a.in), type = wire_get_u8(&a.in);
	const struct message *m = find_message(type);
	int rc, quiet = 0;

	a.request = wire_get_uuid(&a.in);
	begin_answer(out, 0, &a.request);
	if (a.in.error)
		rc = err_set(ERR_TRUNCATED, "message of %zu bytes", in->len);
	else if (version != MESSAGE_VERSION)
		rc = err_set(ERR_VERSION, "message version %u", version);
	else
		rc = m ? dispatch(s, &a, m, &quiet) : err_set(ERR_UNSUPPORTED, "message type %u", type);
	s->parked.number = a.parked;
	s->parked.owner = a.parked_for;
	if (a.parked) {
		message_wipe(out);
		return;
	}
	s->failures += rc < 0;
	if (!quiet)
		note(&a, m, peer, rc);
	if (rc < 0)
		begin_answer(out, rc, &a.request);
}

void service_answer(struct service *s, const struct service_peer *peer, const struct buf *in, struct buf *out)
{
	handle(s, peer, in, NULL, out);
}

void service_resume(struct service *s, const struct service_peer *peer, const struct buf *in, const struct keyserver_reply *reply,
	struct buf *out)
{
	handle(s, peer, in, reply, out);
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

	s->started = clock_now();
	s->pid = getpid();
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
	keyserver_close(&s->servers);
	hierarchy_close(&s->keys);
}
