/* service.c - the table of messages; their handlers are in answer_*.c. */
#include "sso/service.h"

#include <netdb.h>
#include <string.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "base/secret.h"
#include "outside/https.h"
#include "sso/answer.h"
#include "sso/message.h"

struct sso_options sso_options;

int service_ms(int ms)
{
	return sso_options.most_ms && sso_options.most_ms < ms ? sso_options.most_ms : ms;
}

int service_seconds(int seconds)
{
	int most = sso_options.most_ms / 1000 - 1;

	return sso_options.most_ms == 0 || seconds <= most ? seconds : most > 1 ? most : 1;
}

#define answer_status NULL

static const struct sso_kind kinds[] = {
#define X(name, type, ms) { (type), #name, (ms), answer_##name },
	SSO_MESSAGES(X)
#undef X
};

void service_room(struct buf *b)
{
	service_wipe(b);
	if (b->cap <= SSO_MESSAGE_MAX)
		buf_extend(b, SSO_MESSAGE_MAX);
	buf_reset(b);
}

void service_wipe(struct buf *b)
{
	if (b->data)
		secret_wipe(b->data, b->len);
	buf_reset(b);
}

void service_begin(struct buf *out, int code, const struct uuid *request)
{
	service_room(out);
	wire_put_u8(out, SSO_VERSION);
	wire_put_u8(out, (uint8_t)-code);
	wire_put_uuid(out, request);
	if (code < 0)
		wire_put_string(out, err_text());
}

static const struct sso_kind *find(uint8_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

static int head(struct wire_reader *r, const struct sso_kind **kind, struct uuid *request, struct uuid *tenant)
{
	uint8_t version = wire_get_u8(r), type = wire_get_u8(r);

	*request = wire_get_uuid(r);
	*tenant = wire_get_uuid(r);
	if (r->error)
		return err_set(ERR_TRUNCATED, "a message without its head");
	if (version != SSO_VERSION)
		return err_set(ERR_VERSION, "message version %u", version);
	*kind = find(type);
	return *kind ? 0 : err_set(ERR_UNSUPPORTED, "message type %u", type);
}

int service_head(const struct buf *in, const struct sso_kind **kind, struct uuid *request, struct uuid *tenant)
{
	struct wire_reader r = wire_read(in->data, in->len);

	return head(&r, kind, request, tenant);
}

int service_answer(const struct buf *in, struct buf *out)
{
	struct sso_act a = { .in = wire_read(in->data, in->len), .out = out };
	const struct sso_kind *kind = NULL;
	int rc = head(&a.in, &kind, &a.request, &a.tenant);

	service_begin(out, 0, &a.request);
	if (rc == 0)
		rc = kind->answer(&a);
	if (rc < 0)
		service_begin(out, rc, &a.request);
	return rc;
}

int service_rehearse(void)
{
	struct addrinfo *found = NULL;

	/* The C library's modules for names. */
	if (getaddrinfo("localhost", "389", NULL, &found) == 0)
		freeaddrinfo(found);
	return rehearse_saml() < 0 || https_rehearse() < 0 ? ERR_INTERNAL : rehearse_directory();
}
