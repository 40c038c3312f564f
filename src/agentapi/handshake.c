/* handshake.c - opening a session (docs/protocol.md, section 5): the server proves itself through keyd, the agent by the key that
 * it enrolled with. */
#include <string.h>

#include "agentapi/service.h"
#include "base/err.h"
#include "base/secret.h"
#include "store/agent.h"

#define SESSION_LIFETIME_S (6 * 3600)

static int sign(void *ctx, const uint8_t digest[PROTO_DIGEST_SIZE], uint8_t signature[PROTO_SIGNATURE_SIZE])
{
	struct frame_call *c = ctx;

	return keys_identity_sign(c->keys, &c->request->id, digest, signature);
}

int frame_identity(struct frame_call *c, struct proto_identity *out)
{
	out->signer = (struct proto_signer){ .sign = sign, .ctx = c };
	return keys_identity_public(c->keys, out->public_key);
}

int frame_hello(struct frame_call *c, struct buf *answer)
{
	struct proto_server_session s;
	struct proto_identity identity;
	int rc = frame_identity(c, &identity);

	if (rc == 0)
		rc = proto_hello_accept(&s, c->data, c->len, &identity, c->now, answer);
	if (rc == 0)
		sessions_put(c->sessions, &s, c->now);
	secret_wipe(&s, sizeof s);
	return rc;
}

static int lookup(void *ctx, const struct uuid *account, const struct uuid *agent, uint8_t public_key[PROTO_POINT_SIZE])
{
	struct frame_call *c = ctx;
	struct agent found;
	int rc = frame_begin(c, account, agent);

	if (rc == 0)
		rc = agent_find(c->db, agent, &found);
	db_rollback(c->db);
	if (rc == 0 && strcmp(found.state, "active") != 0)
		rc = err_set(ERR_NOT_FOUND, "agent is %s", found.state);
	if (rc == 0)
		memcpy(public_key, found.public_key, PROTO_POINT_SIZE);
	return rc;
}

int frame_finish(struct frame_call *c, struct buf *answer)
{
	struct proto_server_session s;
	struct proto_frame frame;
	int rc = proto_frame_peek(c->data, c->len, &frame);

	/* Taken out while it is proven, so that a second FINISH at the same moment finds nothing. */
	if (rc == 0)
		rc = sessions_take_half_open(c->sessions, &frame.id, &s);
	if (rc < 0)
		return rc;
	rc = proto_finish_accept(&s, c->data, c->len, lookup, c, SESSION_LIFETIME_S, c->now, answer);
	if (rc == 0)
		sessions_put(c->sessions, &s, c->now);
	secret_wipe(&s, sizeof s);
	return rc;
}
