/* client.h - the agent's side: enrolment once, then a session that is made, remade and used by proto_call.
 *
 * A client is not thread-safe and has one request under way at a time. For a channel that waits at the server
 * (heartbeat with wait_s), use a second client. Session keys live in guarded memory and never on disk. */
#ifndef PROTO_CLIENT_H
#define PROTO_CLIENT_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "proto/crypto.h"
#include "proto/message.h"

/* Posts one frame to <Web Service URL> PROTO_PATH and replaces what ANSWER holds by the body of the answer, at most
 * PROTO_FRAME_MAX bytes. Any HTTP status will do as long as there is a body; ERR_UNAVAILABLE or ERR_TIMEOUT else. */
struct proto_transport {
	int (*post)(void *ctx, const struct buf *request, struct buf *answer);
	void *ctx;
};

/* What enrolment gives and the agent keeps (none of it is secret but its integrity matters). */
struct proto_enrolled {
	struct uuid agent;
	uint8_t server_key[PROTO_POINT_SIZE];    /* pinned: sessions are accepted from no other */
	clock_us server_time;
};

/* Proves the passphrase, registers the public part of SIGNER's key. Takes about a quarter of a second and two round
 * trips. ERR_UNAUTHENTICATED: the server does not know this passphrase for this account, or somebody poses as the
 * server; ERR_SUSPENDED, ERR_TOO_MANY, ... as the server says in private; ERR_UNAVAILABLE ... from the transport. */
int proto_enrol(const struct proto_transport *transport, const struct uuid *account, const char *passphrase,
	const uint8_t public_key[static PROTO_POINT_SIZE], const struct proto_signer *signer,
	const struct proto_description *description, struct proto_enrolled *out);

/* Fill the first part, zero the rest (or use proto_client_init). */
struct proto_client {
	struct proto_transport transport;
	struct uuid account, agent;
	uint8_t server_key[PROTO_POINT_SIZE];
	uint8_t public_key[PROTO_POINT_SIZE];    /* the agent's signing key */
	struct proto_signer signer;

	struct secret *keys;                     /* NULL without a session; see client.c */
	struct uuid session;
	uint64_t counter;                        /* of the last request sent */
	clock_us expires;                        /* by this machine's monotonic clock */
	clock_us server_ahead;                   /* server's wall clock less ours, at the handshake */
	/* Why the last proto_call was refused, in the server's words; retry_after_s also from ERROR frames, a hint. */
	struct proto_refusal refusal;
};

void proto_client_init(struct proto_client *c, const struct proto_transport *transport, const struct uuid *account,
	const struct proto_enrolled *enrolled, const uint8_t public_key[static PROTO_POINT_SIZE],
	const struct proto_signer *signer);
/* A new session, dropping an old one. ERR_UNAUTHENTICATED: the server is not the pinned one, or does not accept us. */
int proto_connect(struct proto_client *c);
/* One message and its answer, with a session made when there is none, or once again when the server no longer knows it
 * or it has run out; so a request can arrive twice and every message is made to bear that. REQUEST and ANSWER are the
 * structs of TYPE's row (message.h); ANSWER is filled only on success and then given back with proto_answer_free. A
 * refusal by the server comes back as its ERR_ code, with its words in c->refusal. */
int proto_call(struct proto_client *c, enum proto_message type, const void *request, void *answer);
/* Forgets the session and wipes its keys; the server's half runs out by itself. */
void proto_disconnect(struct proto_client *c);

#endif
