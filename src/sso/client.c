/* client.c - builds questions for ssod, and reads its answers as bytes from outside. */
#include "sso/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"

#define REASON_MAX 2048
#define HEAD_SIZE (2 + 16 + 16)
#define SLACK_MS 2000

static const struct {
	enum sso_type type;
	int ms;
} limits[] = {
#define X(name, type, ms) { SSO_##name, ms },
	SSO_MESSAGES(X)
#undef X
};

void sso_begin(struct buf *out, enum sso_type type, const struct uuid *request, const struct uuid *tenant)
{
	static const struct uuid none;

	sso_wipe(out);
	buf_extend(out, SSO_MESSAGE_MAX);
	buf_reset(out);
	wire_put_u8(out, SSO_VERSION);
	wire_put_u8(out, (uint8_t)type);
	wire_put_uuid(out, request);
	wire_put_uuid(out, tenant ? tenant : &none);
}

void sso_wipe(struct buf *b)
{
	if (b->data)
		secret_wipe(b->data, b->len);
	buf_free(b);
}

int sso_patience(const struct buf *question)
{
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		if (question->len > 1 && (unsigned char)question->data[1] == limits[i].type)
			return SSO_WAIT_MS + limits[i].ms + SLACK_MS;
	return SLACK_MS;
}

static int refusal(struct wire_reader *r, int code)
{
	char *reason = wire_get_string(r, REASON_MAX);

	if (wire_end(r) < 0 || strcmp(err_name(code), "unknown") == 0)
		code = err_set(ERR_INTERNAL, "the sign-on service's answer makes no sense");
	else
		err_set(code, "%s", reason);
	free(reason);
	return code;
}

int sso_results(const struct buf *question, const struct buf *answer, struct wire_reader *r)
{
	uint8_t version, status;
	struct uuid answered;

	*r = wire_read(answer->data, answer->len);
	version = wire_get_u8(r);
	status = wire_get_u8(r);
	answered = wire_get_uuid(r);
	if (r->error || version != SSO_VERSION)
		return err_set(ERR_INTERNAL, "the sign-on service speaks another version");
	if (question->len < HEAD_SIZE || memcmp(answered.bytes, question->data + 2, sizeof answered.bytes) != 0)
		return err_set(ERR_INTERNAL, "the sign-on service answered another question");
	return status ? refusal(r, -(int)status) : 0;
}

int sso_result_json(const struct buf *question, const struct buf *answer, json_t **out)
{
	struct wire_reader r;
	struct wire_view v;
	int rc = sso_results(question, answer, &r);

	if (rc < 0)
		return rc;
	v = wire_get_bytes(&r, SSO_MESSAGE_MAX);
	if (wire_end(&r) < 0 || json_parse_object((const char *)v.data, v.len, SSO_MESSAGE_MAX, out) < 0)
		return err_set(ERR_INTERNAL, "the sign-on service's answer makes no sense");
	return 0;
}

static int read_status(struct wire_reader *r, struct sso_status *out)
{
	struct sso_status s = { .running = wire_get_u32(r) };
	struct wire_view version;

	s.waiting = wire_get_u32(r);
	s.done = wire_get_u64(r);
	s.failed = wire_get_u64(r);
	s.late = wire_get_u64(r);
	s.refused = wire_get_u64(r);
	s.started = (clock_us)wire_get_u64(r);
	s.pid = (int)wire_get_u32(r);
	version = wire_get_bytes(r, sizeof s.version - 1);
	if (wire_end(r) < 0)
		return err_set(ERR_INTERNAL, "the sign-on service's answer makes no sense");
	memcpy(s.version, version.data, version.len);
	*out = s;
	return 0;
}

int sso_status(const char *socket, int timeout_ms, struct sso_status *out)
{
	struct buf question = BUF_INIT, answer = BUF_INIT;
	struct uuid request = uuid_new();
	struct wire_reader r;
	struct ipc_client c;
	int rc;

	ipc_client_init(&c, socket, timeout_ms);
	c.most = SSO_MESSAGE_MAX;
	sso_begin(&question, SSO_status, &request, NULL);
	rc = ipc_call(&c, &question, &answer);
	if (rc == 0)
		rc = sso_results(&question, &answer, &r);
	if (rc == 0)
		rc = read_status(&r, out);
	ipc_client_close(&c);
	buf_free(&question);
	buf_free(&answer);
	return rc;
}
