/* session_server.c - the server's side of a session handshake. */
#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "proto/internal.h"

#define NONCE_AT (PROTO_HEAD_SIZE + PROTO_ID_SIZE)
#define POINT_AT (NONCE_AT + PROTO_NONCE_SIZE)

int proto_hello_accept_with(struct proto_server_session *s, const void *data, size_t len,
	const struct proto_identity *server, clock_us now, const struct proto_ephemeral *e, struct buf *answer)
{
	const uint8_t *hello = data;
	struct proto_server_session fresh = { .state = PROTO_STATE_STARTED, .expires = now + PROTO_HANDSHAKE_TIME };
	struct proto_party party;
	struct proto_frame f;
	int rc = proto_frame_expect(data, len, PROTO_HELLO, &f);

	if (rc < 0)
		return rc;
	fresh.id = e->id;
	fresh.account = f.id;
	proto_party_server(&party, server->public_key);
	proto_frame_begin(answer, PROTO_HELLO_ANSWER);
	wire_put_uuid(answer, &e->id);
	wire_put_raw(answer, e->nonce, sizeof e->nonce);
	wire_put_raw(answer, e->point, sizeof e->point);
	rc = proto_master(hello + NONCE_AT, e->nonce, e->scalar, hello + POINT_AT, fresh.master);
	if (rc == 0)
		rc = proto_chain(NULL, hello, PROTO_HELLO_SIZE, answer->data, answer->len, fresh.transcript);
	if (rc == 0)
		rc = proto_auth_seal(
			&proto_side_server, fresh.master, fresh.transcript, &party, &server->signer, answer);
	if (rc == 0)
		rc = proto_chain(fresh.transcript, answer->data + PROTO_HELLO_SIZE, PROTO_AUTH_SEALED_SIZE, NULL, 0,
			fresh.transcript);
	if (rc == 0)
		*s = fresh;
	secret_wipe(&fresh, sizeof fresh);
	return rc;
}

int proto_hello_accept(struct proto_server_session *s, const void *data, size_t len,
	const struct proto_identity *server, clock_us now, struct buf *answer)
{
	struct proto_ephemeral e;
	int rc = proto_ephemeral_new(&e);

	if (rc == 0)
		rc = proto_hello_accept_with(s, data, len, server, now, &e, answer);
	proto_ephemeral_wipe(&e);
	return rc;
}

static int check_state(const struct proto_server_session *s, const struct proto_frame *f, clock_us now)
{
	if (s->state == PROTO_STATE_NONE || !uuid_equal(&s->id, &f->id))
		return err_set(ERR_NOT_FOUND, "no such session");
	if (s->state != PROTO_STATE_STARTED)
		return err_set(ERR_REPLAYED, "this handshake was finished already");
	return now < s->expires ? 0 : err_set(ERR_EXPIRED, "handshake took too long");
}

/* Whose frame it is, proven by key, signature and MAC. */
static int prove_agent(const struct proto_server_session *s, const uint8_t *frame, proto_agent_key *lookup, void *ctx,
	struct uuid *agent)
{
	uint8_t auth[PROTO_AUTH_SIZE], public_key[PROTO_POINT_SIZE];
	struct proto_party party;
	struct uuid claimed;
	int rc = proto_auth_open(&proto_side_agent, s->master, s->transcript, frame, PROTO_FINISH_CLEAR_SIZE, auth);

	if (rc < 0)
		return rc;
	memcpy(claimed.bytes, auth, sizeof claimed.bytes);
	rc = lookup(ctx, &s->account, &claimed, public_key);
	if (rc == ERR_UNAVAILABLE)
		return rc;
	if (rc < 0)
		return err_set(ERR_UNAUTHENTICATED, "no such agent");
	proto_party_agent(&party, &s->account, &claimed, public_key);
	rc = proto_auth_check(&proto_side_agent, s->master, s->transcript, &party, auth);
	if (rc == 0)
		*agent = claimed;
	return rc;
}

/* Lifetime and time for the agent, under a key that both have only if all three frames arrived as sent. */
static int write_answer(const struct proto_server_session *s, uint32_t lifetime, clock_us now, struct buf *answer)
{
	struct buf plain = BUF_INIT;
	uint8_t key[PROTO_KEY_SIZE];
	int rc = proto_finish_key(s->master, s->transcript, key);

	wire_put_u32(&plain, lifetime);
	wire_put_u64(&plain, (uint64_t)now);
	proto_frame_begin(answer, PROTO_FINISH_ANSWER);
	wire_put_uuid(answer, &s->id);
	buf_extend(answer, plain.len + PROTO_TAG_SIZE);
	if (rc == 0)
		rc = proto_aead_seal(key, PROTO_SERVER_TO_AGENT, 0, answer->data, PROTO_FINISH_CLEAR_SIZE, plain.data,
			plain.len, (uint8_t *)answer->data + PROTO_FINISH_CLEAR_SIZE);
	secret_wipe(key, sizeof key);
	buf_free(&plain);
	return rc;
}

static int finish(struct proto_server_session *s, const uint8_t *frame, size_t len, proto_agent_key *lookup, void *ctx,
	uint32_t lifetime, clock_us now, struct buf *answer)
{
	int rc = prove_agent(s, frame, lookup, ctx, &s->agent);

	if (rc == 0)
		rc = proto_chain(s->transcript, frame, len, NULL, 0, s->transcript);
	if (rc == 0)
		rc = proto_record_keys_from(s->master, s->transcript, &s->keys);
	if (rc == 0)
		rc = write_answer(s, lifetime, now, answer);
	if (rc < 0)
		return rc;
	secret_wipe(s->master, sizeof s->master);
	s->expires = now + lifetime * CLOCK_SECOND;
	s->state = PROTO_STATE_OPEN;
	return 0;
}

int proto_finish_accept(struct proto_server_session *s, const void *data, size_t len, proto_agent_key *lookup,
	void *ctx, uint32_t lifetime, clock_us now, struct buf *answer)
{
	const uint32_t most = PROTO_SESSION_TIME_MAX / CLOCK_SECOND;
	struct proto_frame f;
	int rc = proto_frame_expect(data, len, PROTO_FINISH, &f);

	if (rc == 0)
		rc = check_state(s, &f, now);
	if (rc < 0)
		return rc;
	rc = finish(s, data, len, lookup, ctx, lifetime < most ? lifetime : most, now, answer);
	if (rc < 0)
		proto_session_wipe(s);
	return rc;
}

void proto_session_wipe(struct proto_server_session *s)
{
	struct uuid id = s->id;

	secret_wipe(s, sizeof *s);
	/* The id stays, so that a repeated frame is told apart from an unknown one. */
	s->id = id;
	s->state = PROTO_STATE_DEAD;
}
