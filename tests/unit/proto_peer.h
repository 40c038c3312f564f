/* proto_peer.h - for tests of the agent protocol: a server in the same process, made only of server.h, behind the
 * transport callback of an agent. A hook sees and may change every frame on its way. */
#ifndef TESTS_PROTO_PEER_H
#define TESTS_PROTO_PEER_H

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "proto/client.h"
#include "proto/evidence.h"
#include "proto/internal.h"
#include "proto/server.h"

#define PEER_SESSIONS 16

struct peer {
	struct uuid account, agent;
	struct secret *server_key, *agent_key;
	struct proto_identity identity;
	uint8_t agent_public[PROTO_POINT_SIZE];
	uint8_t verifier[PROTO_VERIFIER_SIZE];
	int known;                               /* the account exists */
	int enrol_code;                          /* refuse enrolment with this code */
	uint32_t lifetime;
	clock_us now;
	struct proto_server_enrolment enrolment;
	struct proto_enrol_request enrolled;
	struct proto_server_session sessions[PEER_SESSIONS];
	int sessions_count;
	int requests;                            /* messages that reached the application */
	char last[64];                           /* type of the last one */

	/* Called for each frame; DOWN is 1 for answers. May change the frame. A failure is the transport's. */
	int (*hook)(struct peer *p, int down, struct buf *frame);
	void *hook_data;
};

static inline int peer_lookup(
	void *ctx, const struct uuid *account, const struct uuid *agent, uint8_t key[PROTO_POINT_SIZE])
{
	struct peer *p = ctx;

	if (!uuid_equal(account, &p->account) || !uuid_equal(agent, &p->agent))
		return ERR_NOT_FOUND;
	memcpy(key, p->agent_public, PROTO_POINT_SIZE);
	return 0;
}

static inline struct proto_server_session *peer_session(struct peer *p, const struct uuid *id)
{
	for (int i = 0; i < p->sessions_count; i++)
		if (uuid_equal(&p->sessions[i].id, id))
			return &p->sessions[i];
	return NULL;
}

/* Answers heartbeats with an order, key polls with a refusal, the rest with an empty answer. */
static inline void peer_application(struct peer *p, const struct buf *plain, struct buf *answer)
{
	enum proto_message type;
	void *request, *out;
	int rc = proto_request_decode(plain->data, plain->len, &type, &request);

	if (rc < 0) {
		proto_refusal_encode(rc, err_text(), 0, answer);
		return;
	}
	p->requests++;
	snprintf(p->last, sizeof p->last, "%s", proto_messages[type].name);
	out = proto_answer_new(type);
	if (type == PROTO_HEARTBEAT) {
		struct proto_heartbeat_answer *a = out;

		a->next_s = 60;
		a->orders_count = 1;
		a->orders[0].id = uuid_new();
		a->orders[0].kind = PROTO_ORDER_REVOKE;
		strcpy(a->orders[0].device, "vol-1");
	}
	if (type == PROTO_KEY_POLL)
		proto_refusal_encode(ERR_SUSPENDED, "account is suspended", 300, answer);
	else if ((rc = proto_answer_encode(type, out, answer)) < 0)
		proto_refusal_encode(rc, err_text(), 0, answer);
	proto_answer_free(type, out);
	proto_request_free(type, request);
}

static inline int peer_record(struct peer *p, struct proto_server_session *s, const struct buf *in, struct buf *out)
{
	struct buf plain = BUF_INIT, answer = BUF_INIT;
	struct proto_reply reply;
	int rc = proto_record_open(s, in->data, in->len, p->now, &plain, &reply);

	if (rc == 0) {
		peer_application(p, &plain, &answer);
		rc = proto_record_seal(&reply, answer.data, answer.len, out);
	}
	buf_free(&answer);
	buf_free(&plain);
	return rc;
}

static inline int peer_enrol_finish(struct peer *p, const struct buf *in, struct buf *out)
{
	int rc = proto_enrol_open(&p->enrolment, in->data, in->len, p->now, &p->enrolled);

	if (rc < 0)
		return rc;
	if (p->enrol_code)
		return proto_enrol_refuse(&p->enrolment, p->enrol_code, "not now", p->now, out);
	memcpy(p->agent_public, p->enrolled.public_key, PROTO_POINT_SIZE);
	return proto_enrol_grant(&p->enrolment, &p->agent, p->identity.public_key, p->now, out);
}

/* One frame in, one frame out: what the agent service does. */
static inline int peer_dispatch(struct peer *p, const struct buf *in, struct buf *out)
{
	struct proto_server_session *s;
	struct proto_frame f;
	int rc = proto_frame_peek(in->data, in->len, &f);

	if (rc < 0)
		return rc;
	s = peer_session(p, &f.id);
	switch (f.kind) {
	case PROTO_ENROL_START:
		return proto_enrol_accept(&p->enrolment, in->data, in->len, p->known ? p->verifier : NULL, p->now, out);
	case PROTO_ENROL_FINISH:
		return peer_enrol_finish(p, in, out);
	case PROTO_HELLO:
		if (p->sessions_count == PEER_SESSIONS)
			return ERR_TOO_MANY;
		return proto_hello_accept(
			&p->sessions[p->sessions_count++], in->data, in->len, &p->identity, p->now, out);
	case PROTO_FINISH:
		return s ? proto_finish_accept(s, in->data, in->len, peer_lookup, p, p->lifetime, p->now, out)
			 : ERR_NOT_FOUND;
	case PROTO_RECORD:
		return s ? peer_record(p, s, in, out) : ERR_NOT_FOUND;
	default:
		return ERR_INVALID;
	}
}

static inline int peer_post(void *ctx, const struct buf *request, struct buf *answer)
{
	struct peer *p = ctx;
	struct buf in = BUF_INIT;
	int rc;

	/* Into memory of exactly this size, so that the sanitizer sees any step beyond it. */
	buf_add(&in, request->data, request->len);
	rc = p->hook ? p->hook(p, 0, &in) : 0;
	if (rc == 0) {
		rc = peer_dispatch(p, &in, answer);
		if (rc < 0)
			proto_error_frame(rc, 0, answer);
		rc = p->hook ? p->hook(p, 1, answer) : 0;
	}
	buf_free(&in);
	return rc;
}

#define PEER_PASSPHRASE "correct horse battery staple"

static inline void peer_begin(struct peer *p)
{
	secret_init();
	*p = (struct peer){
		.account = uuid_new(), .agent = uuid_new(), .known = 1, .lifetime = 3600, .now = clock_now()
	};
	p->server_key = proto_key_new(p->identity.public_key);
	p->identity.signer = proto_signer_of(p->server_key);
	p->agent_key = proto_key_new(p->agent_public);
}

static inline void peer_end(struct peer *p)
{
	secret_free(p->server_key);
	secret_free(p->agent_key);
}

/* A client of P's agent, as after enrolment. */
static inline void peer_client(struct peer *p, struct proto_client *c)
{
	struct proto_transport t = { .post = peer_post, .ctx = p };
	struct proto_enrolled e = { .agent = p->agent };
	struct proto_signer signer = proto_signer_of(p->agent_key);

	memcpy(e.server_key, p->identity.public_key, sizeof e.server_key);
	proto_client_init(c, &t, &p->account, &e, p->agent_public, &signer);
}

/* One heartbeat; its result. */
static inline int peer_beat(struct proto_client *c)
{
	struct proto_heartbeat *h = proto_request_new(PROTO_HEARTBEAT);
	struct proto_heartbeat_answer *a = proto_answer_new(PROTO_HEARTBEAT);
	int rc;

	h->uptime_s = 42;
	h->volumes_count = 1;
	strcpy(h->volumes[0].device, "vol-1");
	h->volumes[0].status = PROTO_VOLUME_OPEN;
	rc = proto_call(c, PROTO_HEARTBEAT, h, a);
	if (rc == 0 && (a->next_s != 60 || a->orders_count != 1 || a->orders[0].kind != PROTO_ORDER_REVOKE))
		rc = ERR_INTERNAL;
	proto_answer_free(PROTO_HEARTBEAT, a);
	proto_request_free(PROTO_HEARTBEAT, h);
	return rc;
}

#endif
