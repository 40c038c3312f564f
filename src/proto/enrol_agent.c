/* enrol_agent.c - the agent's side of an enrolment. */
#include "proto/client.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/wire.h"
#include "proto/internal.h"

int proto_agent_enrol_start(struct proto_agent_enrolment *a, struct buf *out)
{
	int rc = proto_enrol_start(PROTO_SPAKE2_A, &a->account, NULL, a->w, &a->ephemeral, out);

	if (rc < 0)
		return rc;
	buf_reset(&a->start);
	buf_add(&a->start, out->data, out->len);
	return 0;
}

/* Public key, signature over it and all before, description. */
static int possession(const struct proto_agent_enrolment *a, const uint8_t *public_key,
	const struct proto_signer *signer, const struct proto_description *description, struct buf *out)
{
	uint8_t digest[PROTO_DIGEST_SIZE], signature[PROTO_SIGNATURE_SIZE];
	json_t *o;
	char *text;
	int rc = proto_fields_encode(&proto_description_fields, description, &o);

	if (rc < 0)
		return rc;
	text = json_text(o);
	rc = proto_enrol_possession(a->secrets.transcript, public_key, text, strlen(text), digest);
	if (rc == 0)
		rc = signer->sign(signer->ctx, digest, signature);
	if (rc == 0) {
		wire_put_raw(out, public_key, PROTO_POINT_SIZE);
		wire_put_raw(out, signature, sizeof signature);
		wire_put_raw(out, text, strlen(text));
	}
	free(text);
	json_decref(o);
	return rc;
}

int proto_agent_enrol_finish(struct proto_agent_enrolment *a, const struct buf *answer, const uint8_t *public_key,
	const struct proto_signer *signer, const struct proto_description *description, struct buf *out)
{
	struct buf plain = BUF_INIT;
	struct proto_frame f;
	int rc = proto_frame_expect(answer->data, answer->len, PROTO_ENROL_START_ANSWER, &f);

	if (rc == 0)
		rc = proto_enrol_secrets(PROTO_SPAKE2_A, &a->account, a->w, a->ephemeral.scalar,
			(const uint8_t *)a->start.data, (const uint8_t *)answer->data, &a->secrets);
	if (rc == 0)
		rc = possession(a, public_key, signer, description, &plain);
	if (rc == 0 && plain.len > PROTO_HANDSHAKE_MAX - PROTO_ENROL_CLEAR_SIZE - PROTO_TAG_SIZE)
		rc = err_set(ERR_TOO_LARGE, "description of the agent is too long");
	if (rc == 0) {
		a->id = f.id;
		proto_frame_begin(out, PROTO_ENROL_FINISH);
		wire_put_uuid(out, &a->id);
		wire_put_raw(out, a->secrets.spake2.confirm_a, 32);
		buf_extend(out, plain.len + PROTO_TAG_SIZE);
		rc = proto_aead_seal(a->secrets.key_agent, PROTO_AGENT_TO_SERVER, 0, out->data, PROTO_ENROL_CLEAR_SIZE,
			plain.data, plain.len, (uint8_t *)out->data + PROTO_ENROL_CLEAR_SIZE);
	}
	buf_free(&plain);
	return rc;
}

static int read_refusal(int code, struct wire_reader *r)
{
	char *text = wire_get_string(r, PROTO_TEXT_MAX);
	int rc = wire_end(r);

	if (rc == 0)
		rc = err_set(
			strcmp(err_name(code), "unknown") == 0 ? ERR_FORBIDDEN : code, "the server refuses: %s", text);
	free(text);
	return rc;
}

static int read_result(const struct buf *plain, struct proto_enrolled *out)
{
	struct wire_reader r = wire_read(plain->data, plain->len);
	struct proto_enrolled e;
	int code = -wire_get_u8(&r), rc;
	struct wire_view key;

	e.server_time = (clock_us)wire_get_u64(&r);
	if (code)
		return read_refusal(code, &r);
	e.agent = wire_get_uuid(&r);
	key = wire_get_raw(&r, PROTO_POINT_SIZE);
	rc = wire_end(&r);
	if (rc == 0)
		rc = proto_point_check(key.data);
	if (rc < 0)
		return rc;
	memcpy(e.server_key, key.data, sizeof e.server_key);
	*out = e;
	return 0;
}

int proto_agent_enrol_end(const struct proto_agent_enrolment *a, const struct buf *answer, struct proto_enrolled *out)
{
	const uint8_t *frame = (const uint8_t *)answer->data;
	struct buf plain = BUF_INIT;
	struct proto_frame f;
	size_t sealed;
	int rc = proto_frame_expect(answer->data, answer->len, PROTO_ENROL_FINISH_ANSWER, &f);

	if (rc < 0)
		return rc;
	if (!uuid_equal(&f.id, &a->id))
		return err_set(ERR_TAMPERED, "answer to another enrolment");
	if (CRYPTO_memcmp(frame + PROTO_HEAD_SIZE + PROTO_ID_SIZE, a->secrets.spake2.confirm_b, 32) != 0)
		return err_set(ERR_UNAUTHENTICATED, "the server does not know the passphrase");
	sealed = answer->len - PROTO_ENROL_CLEAR_SIZE;
	rc = proto_aead_open(a->secrets.key_server, PROTO_SERVER_TO_AGENT, 0, frame, PROTO_ENROL_CLEAR_SIZE,
		frame + PROTO_ENROL_CLEAR_SIZE, sealed, buf_extend(&plain, sealed - PROTO_TAG_SIZE));
	if (rc == 0)
		rc = read_result(&plain, out);
	buf_free(&plain);
	return rc;
}

void proto_agent_enrolment_wipe(struct proto_agent_enrolment *a)
{
	buf_free(&a->start);
	secret_wipe(a, sizeof *a);
}

int proto_enrol(const struct proto_transport *transport, const struct uuid *account, const char *passphrase,
	const uint8_t public_key[static PROTO_POINT_SIZE], const struct proto_signer *signer,
	const struct proto_description *description, struct proto_enrolled *out)
{
	struct proto_agent_enrolment a = { .account = *account };
	struct buf request = BUF_INIT, answer = BUF_INIT;
	int rc = proto_enrol_verifier(account, passphrase, a.w);

	if (rc == 0)
		rc = proto_ephemeral_new(&a.ephemeral);
	if (rc == 0)
		rc = proto_agent_enrol_start(&a, &request);
	if (rc == 0)
		rc = transport->post(transport->ctx, &request, &answer);
	if (rc == 0)
		rc = proto_agent_enrol_finish(&a, &answer, public_key, signer, description, &request);
	if (rc == 0)
		rc = transport->post(transport->ctx, &request, &answer);
	if (rc == 0)
		rc = proto_agent_enrol_end(&a, &answer, out);
	proto_agent_enrolment_wipe(&a);
	buf_free(&answer);
	buf_free(&request);
	return rc;
}
