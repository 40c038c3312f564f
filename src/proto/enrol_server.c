/* enrol_server.c - the server's side of an enrolment. */
#include <string.h>

#include <openssl/crypto.h>

#include "base/err.h"
#include "base/json.h"
#include "base/wire.h"
#include "proto/internal.h"

#define POSSESSION_SIZE (PROTO_POINT_SIZE + PROTO_SIGNATURE_SIZE)        /* before the description */

int proto_enrol_accept_with(struct proto_server_enrolment *e, const void *data, size_t len, const uint8_t *verifier,
	clock_us now, const struct proto_ephemeral *ephemeral, struct buf *answer)
{
	struct proto_enrol_secrets secrets;
	uint8_t decoy[PROTO_SCALAR_SIZE];
	struct proto_frame f;
	int rc = proto_frame_expect(data, len, PROTO_ENROL_START, &f);

	/* Always drawn: a share is uniform whatever w is, and the time shall not tell either. */
	if (rc == 0)
		rc = proto_random(decoy, sizeof decoy);
	if (rc == 0)
		rc = proto_spake2_reduce(decoy, sizeof decoy, decoy);
	if (rc == 0)
		rc = proto_enrol_start(
			PROTO_SPAKE2_B, &f.id, &ephemeral->id, verifier ? verifier : decoy, ephemeral, answer);
	if (rc == 0)
		rc = proto_enrol_secrets(PROTO_SPAKE2_B, &f.id, verifier ? verifier : decoy, ephemeral->scalar, data,
			(const uint8_t *)answer->data, &secrets);
	if (rc == 0) {
		*e = (struct proto_server_enrolment){ .state = PROTO_STATE_STARTED, .id = ephemeral->id, .account = f.id,
			.expires = now + PROTO_HANDSHAKE_TIME };
		memcpy(e->transcript, secrets.transcript, sizeof e->transcript);
		memcpy(e->confirm_agent, secrets.spake2.confirm_a, sizeof e->confirm_agent);
		memcpy(e->confirm_server, secrets.spake2.confirm_b, sizeof e->confirm_server);
		memcpy(e->key_agent, secrets.key_agent, sizeof e->key_agent);
		memcpy(e->key_server, secrets.key_server, sizeof e->key_server);
	}
	secret_wipe(&secrets, sizeof secrets);
	secret_wipe(decoy, sizeof decoy);
	return rc;
}

int proto_enrol_accept(struct proto_server_enrolment *e, const void *data, size_t len, const uint8_t *verifier,
	clock_us now, struct buf *answer)
{
	struct proto_ephemeral ephemeral;
	int rc = proto_ephemeral_new(&ephemeral);

	if (rc == 0)
		rc = proto_enrol_accept_with(e, data, len, verifier, now, &ephemeral, answer);
	proto_ephemeral_wipe(&ephemeral);
	return rc;
}

static int check_state(const struct proto_server_enrolment *e, const struct proto_frame *f, clock_us now)
{
	if (e->state == PROTO_STATE_NONE || !uuid_equal(&e->id, &f->id))
		return err_set(ERR_NOT_FOUND, "no such enrolment");
	if (e->state != PROTO_STATE_STARTED)
		return err_set(ERR_REPLAYED, "this enrolment was tried already");
	return now < e->expires ? 0 : err_set(ERR_EXPIRED, "enrolment took too long");
}

static int read_description(const void *text, size_t len, struct proto_description *out)
{
	json_t *o;
	int rc = json_parse_object(text, len, PROTO_HANDSHAKE_MAX, &o);

	if (rc < 0)
		return rc;
	rc = proto_fields_decode(&proto_description_fields, o, out);
	json_decref(o);
	return rc;
}

/* Key, signature, description: all behind the agent's confirmation. */
static int read_request(
	const struct proto_server_enrolment *e, const struct buf *plain, struct proto_enrol_request *out)
{
	const uint8_t *at = (const uint8_t *)plain->data;
	uint8_t digest[PROTO_DIGEST_SIZE];
	struct proto_enrol_request request = { .account = e->account };
	int rc;

	if (plain->len < POSSESSION_SIZE)
		return err_set(ERR_TRUNCATED, "enrolment without a key");
	rc = proto_enrol_possession(e->transcript, at, at + POSSESSION_SIZE, plain->len - POSSESSION_SIZE, digest);
	if (rc == 0)
		rc = proto_verify(at, digest, at + PROTO_POINT_SIZE);
	if (rc == 0)
		rc = read_description(at + POSSESSION_SIZE, plain->len - POSSESSION_SIZE, &request.description);
	if (rc < 0)
		return rc;
	memcpy(request.public_key, at, PROTO_POINT_SIZE);
	*out = request;
	return 0;
}

static int open_finish(
	const struct proto_server_enrolment *e, const uint8_t *frame, size_t len, struct proto_enrol_request *out)
{
	struct buf plain = BUF_INIT;
	size_t sealed = len - PROTO_ENROL_CLEAR_SIZE;
	int rc;

	if (CRYPTO_memcmp(frame + PROTO_HEAD_SIZE + PROTO_ID_SIZE, e->confirm_agent, sizeof e->confirm_agent) != 0)
		return err_set(ERR_UNAUTHENTICATED, "wrong passphrase or account");
	rc = proto_aead_open(e->key_agent, PROTO_AGENT_TO_SERVER, 0, frame, PROTO_ENROL_CLEAR_SIZE,
		frame + PROTO_ENROL_CLEAR_SIZE, sealed, buf_extend(&plain, sealed - PROTO_TAG_SIZE));
	if (rc == 0)
		rc = read_request(e, &plain, out);
	buf_free(&plain);
	return rc;
}

int proto_enrol_open(struct proto_server_enrolment *e, const void *data, size_t len, clock_us now,
	struct proto_enrol_request *out)
{
	struct proto_frame f;
	int rc = proto_frame_expect(data, len, PROTO_ENROL_FINISH, &f);

	if (rc == 0)
		rc = check_state(e, &f, now);
	if (rc < 0)
		return rc;
	rc = open_finish(e, data, len, out);
	if (rc < 0)
		proto_enrol_wipe(e);     /* one guess per attempt */
	else
		e->state = PROTO_STATE_OPEN;
	return rc;
}

/* The last frame: the server's confirmation in the clear, RESULT sealed. */
static int end(struct proto_server_enrolment *e, const struct buf *result, struct buf *answer)
{
	int rc;

	if (e->state != PROTO_STATE_OPEN)
		return err_set(ERR_CONFLICT, "enrolment is not open");
	proto_frame_begin(answer, PROTO_ENROL_FINISH_ANSWER);
	wire_put_uuid(answer, &e->id);
	wire_put_raw(answer, e->confirm_server, sizeof e->confirm_server);
	buf_extend(answer, result->len + PROTO_TAG_SIZE);
	rc = proto_aead_seal(e->key_server, PROTO_SERVER_TO_AGENT, 0, answer->data, PROTO_ENROL_CLEAR_SIZE,
		result->data, result->len, (uint8_t *)answer->data + PROTO_ENROL_CLEAR_SIZE);
	proto_enrol_wipe(e);
	return rc;
}

int proto_enrol_grant(struct proto_server_enrolment *e, const struct uuid *agent,
	const uint8_t server_key[static PROTO_POINT_SIZE], clock_us now, struct buf *answer)
{
	struct buf result = BUF_INIT;
	int rc;

	wire_put_u8(&result, 0);
	wire_put_u64(&result, (uint64_t)now);
	wire_put_uuid(&result, agent);
	wire_put_raw(&result, server_key, PROTO_POINT_SIZE);
	rc = end(e, &result, answer);
	buf_free(&result);
	return rc;
}

int proto_enrol_refuse(struct proto_server_enrolment *e, int code, const char *text, clock_us now, struct buf *answer)
{
	struct buf result = BUF_INIT;
	int rc;

	wire_put_u8(&result, (uint8_t)-code);
	wire_put_u64(&result, (uint64_t)now);
	wire_put_bytes(&result, text, strnlen(text, PROTO_TEXT_MAX));
	rc = end(e, &result, answer);
	buf_free(&result);
	return rc;
}

void proto_enrol_wipe(struct proto_server_enrolment *e)
{
	struct uuid id = e->id;

	secret_wipe(e, sizeof *e);
	/* The id stays, so that a second try is told apart from an unknown one. */
	e->id = id;
	e->state = PROTO_STATE_DEAD;
}
