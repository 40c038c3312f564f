/* session_agent.c - the agent's side of a session handshake, step by step. */
#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "proto/internal.h"

#define NONCE_AT (PROTO_HEAD_SIZE + PROTO_ID_SIZE)
#define POINT_AT (NONCE_AT + PROTO_NONCE_SIZE)

int proto_agent_hello(struct proto_agent_handshake *h, const struct uuid *account, struct buf *out)
{
	proto_frame_begin(out, PROTO_HELLO);
	wire_put_uuid(out, account);
	wire_put_raw(out, h->ephemeral.nonce, sizeof h->ephemeral.nonce);
	wire_put_raw(out, h->ephemeral.point, sizeof h->ephemeral.point);
	memcpy(h->hello, out->data, sizeof h->hello);
	return 0;
}

/* The server proves itself first: nothing of the agent's identity leaves before that. */
static int check_server(struct proto_agent_handshake *h, const uint8_t *frame, const uint8_t *server_key)
{
	uint8_t auth[PROTO_AUTH_SIZE];
	struct proto_party party;
	int rc = proto_master(h->ephemeral.nonce, frame + NONCE_AT, h->ephemeral.scalar, frame + POINT_AT, h->master);

	if (rc == 0)
		rc = proto_chain(NULL, h->hello, sizeof h->hello, frame, PROTO_HELLO_SIZE, h->transcript);
	if (rc == 0)
		rc = proto_auth_open(&proto_side_server, h->master, h->transcript, frame, PROTO_HELLO_SIZE, auth);
	if (rc < 0)
		return rc;
	proto_party_server(&party, server_key);
	rc = proto_auth_check(&proto_side_server, h->master, h->transcript, &party, auth);
	if (rc == 0)
		rc = proto_chain(
			h->transcript, frame + PROTO_HELLO_SIZE, PROTO_AUTH_SEALED_SIZE, NULL, 0, h->transcript);
	return rc;
}

int proto_agent_finish(
	struct proto_agent_handshake *h, const struct proto_client *c, const struct buf *answer, struct buf *out)
{
	struct proto_party party;
	struct proto_frame f;
	int rc = proto_frame_expect(answer->data, answer->len, PROTO_HELLO_ANSWER, &f);

	if (rc == 0)
		rc = check_server(h, (const uint8_t *)answer->data, c->server_key);
	if (rc < 0)
		return rc;
	h->session = f.id;
	proto_party_agent(&party, &c->account, &c->agent, c->public_key);
	proto_frame_begin(out, PROTO_FINISH);
	wire_put_uuid(out, &h->session);
	rc = proto_auth_seal(&proto_side_agent, h->master, h->transcript, &party, &c->signer, out);
	if (rc == 0)
		rc = proto_chain(h->transcript, out->data, out->len, NULL, 0, h->transcript);
	return rc;
}

int proto_agent_end(struct proto_agent_handshake *h, const struct buf *answer, struct proto_record_keys *keys,
	uint32_t *lifetime_s, clock_us *server_time)
{
	const uint8_t *frame = (const uint8_t *)answer->data;
	uint8_t key[PROTO_KEY_SIZE], plain[4 + 8] = { 0 };
	struct wire_reader r = wire_read(plain, sizeof plain);
	struct proto_frame f;
	int rc = proto_frame_expect(answer->data, answer->len, PROTO_FINISH_ANSWER, &f);

	if (rc == 0 && !uuid_equal(&f.id, &h->session))
		rc = err_set(ERR_TAMPERED, "answer for another session");
	if (rc == 0)
		rc = proto_finish_key(h->master, h->transcript, key);
	if (rc == 0)
		rc = proto_aead_open(key, PROTO_SERVER_TO_AGENT, 0, frame, PROTO_FINISH_CLEAR_SIZE,
			frame + PROTO_FINISH_CLEAR_SIZE, answer->len - PROTO_FINISH_CLEAR_SIZE, plain);
	if (rc == 0)
		rc = proto_record_keys_from(h->master, h->transcript, keys);
	if (rc == 0) {
		*lifetime_s = wire_get_u32(&r);
		*server_time = (clock_us)wire_get_u64(&r);
	}
	secret_wipe(key, sizeof key);
	return rc;
}

void proto_agent_handshake_wipe(struct proto_agent_handshake *h)
{
	secret_wipe(h, sizeof *h);
}
