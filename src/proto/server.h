/* server.h - the server's side: enrolment, session handshake, records.
 *
 * The state structs have a fixed size and no pointers, so they can live in a table in memory that worker processes
 * share. Nothing here locks: whoever calls holds the lock of that entry while a function changes it (each says so), and
 * wipes the entry with the matching _wipe when it is over. Every function takes the raw frame and checks it fully
 * itself; proto_frame_peek first tells which entry it is for.
 *
 * On failure the caller answers with proto_error_frame(rc, ...). */
#ifndef PROTO_SERVER_H
#define PROTO_SERVER_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/uuid.h"
#include "proto/crypto.h"
#include "proto/frame.h"
#include "proto/message.h"
#include "proto/record.h"

#define PROTO_HANDSHAKE_TIME (30 * CLOCK_SECOND)         /* a half-open enrolment or session lives this long */
#define PROTO_SESSION_TIME_MAX (12 * CLOCK_HOUR)
#define PROTO_VERIFIER_SIZE 32

enum proto_state {
	PROTO_STATE_NONE,        /* all zero: unused */
	PROTO_STATE_STARTED,     /* first answer given */
	PROTO_STATE_OPEN,        /* peer proven */
	PROTO_STATE_DEAD         /* failed, finished or expired: nothing more is accepted */
};

/* Enrolment (docs/protocol.md, section 4) */

struct proto_server_enrolment {
	enum proto_state state;
	struct uuid id;                          /* of this enrolment: the key of the table */
	struct uuid account;
	clock_us expires;
	uint8_t transcript[PROTO_DIGEST_SIZE];
	uint8_t confirm_agent[32];               /* what the agent must show */
	uint8_t confirm_server[32];
	uint8_t key_agent[PROTO_KEY_SIZE];       /* agent to server */
	uint8_t key_server[PROTO_KEY_SIZE];
};

/* What an agent that knows the passphrase says of itself. */
struct proto_enrol_request {
	struct uuid account;
	uint8_t public_key[PROTO_POINT_SIZE];    /* its signing key; it has proven possession */
	struct proto_description description;
};

/* The verifier that the server keeps per account instead of the passphrase: as good as the passphrase for enrolling,
 * and a start for guessing it, so keep it wrapped. Takes about a quarter of a second. ERR_INVALID for an empty or
 * overlong passphrase. */
int proto_enrol_verifier(
	const struct uuid *account, const char *passphrase, uint8_t verifier[static PROTO_VERIFIER_SIZE]);

/* ENROL_START. VERIFIER NULL: no such account; the answer then cannot be told from a real one and the next step fails
 * as a wrong passphrase does. Fills *E (no lock needed: it is not in the table yet). */
int proto_enrol_accept(struct proto_server_enrolment *e, const void *data, size_t len, const uint8_t *verifier,
	clock_us now, struct buf *answer);
/* ENROL_FINISH, under the entry's lock. One try only: afterwards the enrolment is OPEN or DEAD. ERR_UNAUTHENTICATED:
 * wrong passphrase or no such account (count it: each is one guess); ERR_TAMPERED, ERR_EXPIRED, ERR_REPLAYED,
 * ERR_INVALID. */
int proto_enrol_open(struct proto_server_enrolment *e, const void *data, size_t len, clock_us now,
	struct proto_enrol_request *out);
/* Ends an OPEN enrolment: the answer tells the agent its id and the server's identity. Under the lock, or on the only
 * copy: sealing twice from one state would use a nonce twice. */
int proto_enrol_grant(struct proto_server_enrolment *e, const struct uuid *agent,
	const uint8_t server_key[static PROTO_POINT_SIZE], clock_us now, struct buf *answer);
/* Ends an OPEN enrolment with a refusal that only this agent can read (ERR_SUSPENDED, ERR_TOO_MANY, ...). */
int proto_enrol_refuse(struct proto_server_enrolment *e, int code, const char *text, clock_us now, struct buf *answer);
void proto_enrol_wipe(struct proto_server_enrolment *e);

/* Session (section 5) */

/* The server's long-term identity; its private key is elsewhere, behind SIGNER. */
struct proto_identity {
	uint8_t public_key[PROTO_POINT_SIZE];
	struct proto_signer signer;
};

/* The public signing key of AGENT in ACCOUNT. Any failure but ERR_UNAVAILABLE counts as not authenticated. */
typedef int proto_agent_key(void *ctx, const struct uuid *account, const struct uuid *agent,
	uint8_t public_key[PROTO_POINT_SIZE]);

struct proto_server_session {
	enum proto_state state;
	struct uuid id;                          /* of this session: the key of the table */
	struct uuid account;
	struct uuid agent;                       /* nil until proven */
	clock_us expires;
	uint8_t transcript[PROTO_DIGEST_SIZE];
	uint8_t master[PROTO_KEY_SIZE];          /* until OPEN, then wiped */
	uint64_t highest;                        /* highest counter accepted; counters begin at 1 */
	uint64_t seen;                           /* bit i: highest - i was accepted */
	struct proto_record_keys keys;
};

/* HELLO. Says nothing of whether the account exists: that is looked at only in proto_finish_accept. Fills *S (not in
 * the table yet, so no lock). Calls the signer. */
int proto_hello_accept(struct proto_server_session *s, const void *data, size_t len,
	const struct proto_identity *server, clock_us now, struct buf *answer);
/* FINISH, under the entry's lock; or take the entry out (leave it DEAD), work on the only copy, and put that back, so
 * that a repeated FINISH finds nothing to seal with. One try only: afterwards the session is OPEN or DEAD. LIFETIME in
 * seconds, cut to PROTO_SESSION_TIME_MAX. ERR_UNAUTHENTICATED: unknown account or agent, or it is not its signature;
 * ERR_TAMPERED, ERR_EXPIRED, ERR_REPLAYED, ERR_UNAVAILABLE. */
int proto_finish_accept(struct proto_server_session *s, const void *data, size_t len, proto_agent_key *lookup,
	void *ctx, uint32_t lifetime, clock_us now, struct buf *answer);
void proto_session_wipe(struct proto_server_session *s);

/* Records (section 6) */

/* The right to answer one request once. It carries its own key, so sealing needs neither the session nor its lock. */
struct proto_reply {
	struct uuid session;
	uint64_t counter;                        /* 0: used up */
	uint8_t key[PROTO_KEY_SIZE];
};

/* RECORD, under the entry's lock: checks, decrypts, moves the counters on. PLAIN is replaced. ERR_REPLAYED,
 * ERR_REORDERED, ERR_TAMPERED, ERR_EXPIRED, ERR_TRUNCATED, ERR_NOT_FOUND (the session is not open). */
int proto_record_open(struct proto_server_session *s, const void *data, size_t len, clock_us now, struct buf *plain,
	struct proto_reply *reply);
/* Seals the one answer and wipes the reply; a second call gives ERR_CONFLICT. FRAME is replaced. */
int proto_record_seal(struct proto_reply *reply, const void *plain, size_t len, struct buf *frame);
void proto_reply_wipe(struct proto_reply *reply);

#endif
