/* client.c - the agent's session: made when needed, used for one message at a time, made anew when it is lost. */
#include "proto/client.h"

#include <string.h>

#include "base/err.h"
#include "proto/internal.h"

static struct proto_record_keys *keys_of(const struct proto_client *c)
{
	return (struct proto_record_keys *)(void *)c->keys->data;
}

void proto_client_init(struct proto_client *c, const struct proto_transport *transport, const struct uuid *account,
	const struct proto_enrolled *enrolled, const uint8_t public_key[static PROTO_POINT_SIZE],
	const struct proto_signer *signer)
{
	*c = (struct proto_client){
		.transport = *transport, .account = *account, .agent = enrolled->agent, .signer = *signer
	};
	memcpy(c->server_key, enrolled->server_key, sizeof c->server_key);
	memcpy(c->public_key, public_key, sizeof c->public_key);
}

void proto_disconnect(struct proto_client *c)
{
	secret_free(c->keys);
	c->keys = NULL;
	c->counter = 0;
}

static int post(struct proto_client *c, const struct buf *request, struct buf *answer)
{
	uint32_t retry = 0;      /* stays so unless it is an ERROR frame: only a hint, but one that spares the server */
	int rc;

	buf_reset(answer);
	rc = c->transport.post(c->transport.ctx, request, answer);
	if (rc == 0)
		proto_error_read(answer->data, answer->len, &retry);
	c->refusal.retry_after_s = retry;
	return rc;
}

/* Three computations, two round trips. */
static int shake_hands(struct proto_client *c, struct proto_agent_handshake *h, struct proto_record_keys *keys)
{
	struct buf request = BUF_INIT, answer = BUF_INIT;
	clock_us asked = 0, server_time;
	uint32_t lifetime;
	int rc = proto_ephemeral_new(&h->ephemeral);

	if (rc == 0)
		rc = proto_agent_hello(h, &c->account, &request);
	if (rc == 0)
		rc = post(c, &request, &answer);
	if (rc == 0)
		rc = proto_agent_finish(h, c, &answer, &request);
	if (rc == 0) {
		asked = clock_ticks();
		rc = post(c, &request, &answer);
	}
	if (rc == 0)
		rc = proto_agent_end(h, &answer, keys, &lifetime, &server_time);
	if (rc == 0) {
		/* From before the server began to count, so ours ends first. */
		c->expires = asked + (clock_us)lifetime * CLOCK_SECOND;
		c->server_ahead = server_time - clock_now();
		c->session = h->session;
	}
	buf_free(&answer);
	buf_free(&request);
	return rc;
}

int proto_connect(struct proto_client *c)
{
	struct proto_agent_handshake h = { 0 };
	struct secret *keys = secret_new(sizeof(struct proto_record_keys));
	int rc;

	proto_disconnect(c);
	rc = shake_hands(c, &h, (struct proto_record_keys *)(void *)keys->data);
	proto_agent_handshake_wipe(&h);
	if (rc < 0)
		secret_free(keys);
	else
		c->keys = keys;
	return rc;
}

/* Reads what came for the request with the present counter. */
static int open_answer(struct proto_client *c, const struct buf *answer, struct buf *plain)
{
	struct proto_frame f;
	int rc = proto_frame_expect(answer->data, answer->len, PROTO_RECORD_ANSWER, &f);

	if (rc < 0)
		return rc;
	if (!uuid_equal(&f.id, &c->session) || f.counter != c->counter)
		return err_set(ERR_TAMPERED, "answer to another request");
	return proto_record_read(&f, answer->data, answer->len, keys_of(c)->key_server, plain);
}

/* One request in the session as it is. *LOST when a new session may help. */
static int exchange(struct proto_client *c, const struct buf *message, struct buf *plain, int *lost)
{
	struct buf request = BUF_INIT, answer = BUF_INIT;
	int rc;

	c->counter++;
	*lost = 0;
	rc = proto_keys_forward(keys_of(c), c->counter);
	if (rc == 0)
		rc = proto_record_write(PROTO_RECORD, &c->session, c->counter, keys_of(c)->key_agent, message->data,
			message->len, &request);
	if (rc == 0)
		rc = post(c, &request, &answer);
	if (rc == 0) {
		rc = open_answer(c, &answer, plain);
		*lost = rc == ERR_NOT_FOUND || rc == ERR_EXPIRED || rc == ERR_REPLAYED || rc == ERR_REORDERED
			|| rc == ERR_TAMPERED || rc == ERR_INVALID || rc == ERR_TRUNCATED;
	}
	buf_free(&answer);
	buf_free(&request);
	return rc;
}

/* A session, and the request in it; once more in a new one when the old one was lost. */
static int deliver(struct proto_client *c, const struct buf *message, struct buf *plain)
{
	int lost = 1, rc = 0;

	if (c->keys && clock_ticks() < c->expires) {
		rc = exchange(c, message, plain, &lost);
		if (!lost)
			return rc;
	}
	rc = proto_connect(c);
	return rc < 0 ? rc : exchange(c, message, plain, &lost);
}

int proto_call(struct proto_client *c, enum proto_message type, const void *request, void *answer)
{
	struct buf message = BUF_INIT, plain = BUF_INIT;
	int rc = proto_request_encode(type, request, &message);

	memset(&c->refusal, 0, sizeof c->refusal);
	if (rc == 0)
		rc = deliver(c, &message, &plain);
	if (rc == 0)
		rc = proto_answer_decode(type, plain.data, plain.len, answer, &c->refusal);
	buf_free(&plain);
	buf_free(&message);
	return rc;
}
