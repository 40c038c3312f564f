/* record.h - what both ends of a session share about records: keys that move on, and the bytes of a sealed record.
 *
 * Servers use proto_record_open and proto_record_seal (server.h), agents proto_call (client.h). */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include <stdint.h>

#include "base/buf.h"
#include "base/uuid.h"
#include "proto/crypto.h"
#include "proto/frame.h"

#define PROTO_EPOCH_SHIFT 16                     /* the keys change every 65,536 counters */
#define PROTO_EPOCH_JUMP_MAX 4                   /* epochs that one record may skip */
#define PROTO_WINDOW 64                          /* counters below the highest that are told apart */
#define PROTO_RECORD_HEAD_SIZE (PROTO_HEAD_SIZE + PROTO_ID_SIZE + 8)
#define PROTO_RECORD_PLAIN_MAX (PROTO_FRAME_MAX - PROTO_RECORD_HEAD_SIZE - PROTO_TAG_SIZE)

#define PROTO_AGENT_TO_SERVER "AGNT"             /* first four bytes of a nonce */
#define PROTO_SERVER_TO_AGENT "SRVR"

struct proto_record_keys {
	uint64_t epoch;
	uint8_t key_agent[PROTO_KEY_SIZE];       /* agent to server */
	uint8_t key_server[PROTO_KEY_SIZE];      /* server to agent */
};

/* Moves both keys forward to the epoch of COUNTER; the old ones are gone. ERR_REPLAYED for an epoch that is over,
 * ERR_INVALID for a jump over more than PROTO_EPOCH_JUMP_MAX. */
int proto_keys_forward(struct proto_record_keys *k, uint64_t counter);

/* One frame of KIND, replacing what OUT holds. ERR_TOO_LARGE over PROTO_RECORD_PLAIN_MAX. */
int proto_record_write(enum proto_kind kind, const struct uuid *session, uint64_t counter,
	const uint8_t key[static PROTO_KEY_SIZE], const void *plain, size_t len, struct buf *out);
/* The plaintext of a frame that proto_frame_peek has accepted; OUT is replaced. */
int proto_record_read(const struct proto_frame *f, const void *data, size_t len,
	const uint8_t key[static PROTO_KEY_SIZE], struct buf *out);

#endif
