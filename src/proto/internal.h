/* internal.h - the handshakes taken apart: what both ends compute alike, and the agent's steps one by one.
 *
 * For src/proto itself, its tests, and the generator of test vectors, which fixes what is random elsewhere. */
#ifndef PROTO_INTERNAL_H
#define PROTO_INTERNAL_H

#include "proto/client.h"
#include "proto/server.h"
#include "proto/spake2.h"

#define PROTO_ENROL_START_SIZE (PROTO_HEAD_SIZE + PROTO_ID_SIZE + PROTO_POINT_SIZE)
#define PROTO_ENROL_CLEAR_SIZE (PROTO_HEAD_SIZE + PROTO_ID_SIZE + 32)    /* of both last frames, before what is sealed */
#define PROTO_HELLO_SIZE (PROTO_HEAD_SIZE + PROTO_ID_SIZE + PROTO_NONCE_SIZE + PROTO_POINT_SIZE)
#define PROTO_AUTH_SIZE (16 + PROTO_SIGNATURE_SIZE + 32)                 /* who, signature, MAC */
#define PROTO_AUTH_SEALED_SIZE (PROTO_AUTH_SIZE + PROTO_TAG_SIZE)
#define PROTO_HELLO_ANSWER_SIZE (PROTO_HELLO_SIZE + PROTO_AUTH_SEALED_SIZE)
#define PROTO_FINISH_CLEAR_SIZE (PROTO_HEAD_SIZE + PROTO_ID_SIZE)
#define PROTO_FINISH_SIZE (PROTO_FINISH_CLEAR_SIZE + PROTO_AUTH_SEALED_SIZE)
#define PROTO_FINISH_ANSWER_SIZE (PROTO_FINISH_CLEAR_SIZE + 4 + 8 + PROTO_TAG_SIZE)
#define PROTO_PASSPHRASE_MAX 1024
#define PROTO_PBKDF2_ROUNDS 210000

/* What is random in one side of a handshake. */
struct proto_ephemeral {
	struct uuid id;                          /* servers: of the enrolment or session, 16 random bytes */
	uint8_t nonce[PROTO_NONCE_SIZE];
	uint8_t scalar[PROTO_SCALAR_SIZE];
	uint8_t point[PROTO_POINT_SIZE];         /* of the scalar */
};

int proto_ephemeral_new(struct proto_ephemeral *e);
void proto_ephemeral_wipe(struct proto_ephemeral *e);

void proto_frame_begin(struct buf *out, enum proto_kind kind);   /* empties OUT, writes the head */
/* proto_frame_peek, and ERR_INVALID unless it is of KIND; for ERROR frames their code. */
int proto_frame_expect(const void *data, size_t len, enum proto_kind kind, struct proto_frame *out);
/* SHA-256 of BEFORE (32 bytes or NULL), A, B. */
int proto_chain(const uint8_t *before, const void *a, size_t a_len, const void *b, size_t b_len,
	uint8_t out[static PROTO_DIGEST_SIZE]);

/* Enrolment, both ends (enrol.c) */

struct proto_enrol_secrets {
	uint8_t transcript[PROTO_DIGEST_SIZE];
	struct proto_spake2_keys spake2;
	uint8_t key_agent[PROTO_KEY_SIZE], key_server[PROTO_KEY_SIZE];
};

/* From both ENROL_START frames (each PROTO_ENROL_START_SIZE) and one side's w and scalar. */
int proto_enrol_secrets(enum proto_spake2_role role, const struct uuid *account, const uint8_t *w,
	const uint8_t *scalar, const uint8_t *start, const uint8_t *answer, struct proto_enrol_secrets *out);
int proto_enrol_start(enum proto_spake2_role role, const struct uuid *account, const struct uuid *id, const uint8_t *w,
	const struct proto_ephemeral *e, struct buf *out);
/* What the agent's key signs to show that the agent has it. */
int proto_enrol_possession(const uint8_t transcript[static PROTO_DIGEST_SIZE],
	const uint8_t public_key[static PROTO_POINT_SIZE], const void *description, size_t len,
	uint8_t digest[static PROTO_DIGEST_SIZE]);
int proto_enrol_accept_with(struct proto_server_enrolment *e, const void *data, size_t len, const uint8_t *verifier,
	clock_us now, const struct proto_ephemeral *ephemeral, struct buf *answer);

/* The agent's half, in steps; *A is wiped by proto_agent_enrolment_wipe. */
struct proto_agent_enrolment {
	struct uuid account, id;
	struct proto_ephemeral ephemeral;
	uint8_t w[PROTO_SCALAR_SIZE];
	struct proto_enrol_secrets secrets;
	struct buf start;
};

int proto_agent_enrol_start(struct proto_agent_enrolment *a, struct buf *out);   /* account, ephemeral and w are set */
int proto_agent_enrol_finish(struct proto_agent_enrolment *a, const struct buf *answer, const uint8_t *public_key,
	const struct proto_signer *signer, const struct proto_description *description, struct buf *out);
int proto_agent_enrol_end(const struct proto_agent_enrolment *a, const struct buf *answer, struct proto_enrolled *out);
void proto_agent_enrolment_wipe(struct proto_agent_enrolment *a);

/* Session, both ends (handshake.c) */

/* The labels of one side. */
struct proto_side {
	const char *key_label, *mac_label, *signature_label, *identity_label, *direction;
};

extern const struct proto_side proto_side_agent, proto_side_server;

/* What a side proves: 16 bytes that name it, its identity in full, and its key. */
struct proto_party {
	uint8_t who[16];
	uint8_t identity[16 + 16 + PROTO_POINT_SIZE];
	size_t identity_len;
	const uint8_t *public_key;
};

void proto_party_server(struct proto_party *p, const uint8_t public_key[static PROTO_POINT_SIZE]);
void proto_party_agent(struct proto_party *p, const struct uuid *account, const struct uuid *agent,
	const uint8_t public_key[static PROTO_POINT_SIZE]);

int proto_master(const uint8_t *nonce_agent, const uint8_t *nonce_server, const uint8_t *scalar, const uint8_t *peer,
	uint8_t master[static PROTO_KEY_SIZE]);
/* Appends to FRAME, whose bytes so far are the associated data. */
int proto_auth_seal(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const struct proto_party *p, const struct proto_signer *signer, struct buf *frame);
/* Opens the part of FRAME behind CLEAR bytes. */
int proto_auth_open(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const uint8_t *frame, size_t clear, uint8_t auth[static PROTO_AUTH_SIZE]);
/* ERR_UNAUTHENTICATED unless AUTH is P's. */
int proto_auth_check(const struct proto_side *side, const uint8_t *master, const uint8_t *transcript,
	const struct proto_party *p, const uint8_t auth[static PROTO_AUTH_SIZE]);
int proto_finish_key(const uint8_t *master, const uint8_t *transcript, uint8_t key[static PROTO_KEY_SIZE]);
int proto_record_keys_from(const uint8_t *master, const uint8_t *transcript, struct proto_record_keys *out);
int proto_hello_accept_with(struct proto_server_session *s, const void *data, size_t len,
	const struct proto_identity *server, clock_us now, const struct proto_ephemeral *ephemeral, struct buf *answer);

/* The agent's half, in steps; wiped by proto_agent_handshake_wipe. */
struct proto_agent_handshake {
	struct proto_ephemeral ephemeral;
	struct uuid session;
	uint8_t master[PROTO_KEY_SIZE], transcript[PROTO_DIGEST_SIZE];
	uint8_t hello[PROTO_HELLO_SIZE];
};

int proto_agent_hello(
	struct proto_agent_handshake *h, const struct uuid *account, struct buf *out); /* ephemeral is set */
int proto_agent_finish(
	struct proto_agent_handshake *h, const struct proto_client *c, const struct buf *answer, struct buf *out);
int proto_agent_end(struct proto_agent_handshake *h, const struct buf *answer, struct proto_record_keys *keys,
	uint32_t *lifetime_s, clock_us *server_time);
void proto_agent_handshake_wipe(struct proto_agent_handshake *h);

#endif
