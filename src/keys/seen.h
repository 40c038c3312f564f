/* seen.h - signatures that keyd has verified itself, so that it does so once for each and not again when the key is released. It is the
 * result alone that is kept, under a hash of all that was signed, the key and the signature: whoever has another of any of these is not
 * in here. What was pushed out, or came before keyd's last start, is verified again. */
#ifndef KEYS_SEEN_H
#define KEYS_SEEN_H

#include <stdint.h>

#include "base/uuid.h"
#include "proto/evidence.h"

/* 32 bytes each; a power of two. Several times as many as wait at once where 10,000 machines start: of so many, one in fourteen is pushed out. */
#define SEEN_MAX 65536

struct seen {
	uint8_t digests[SEEN_MAX][PROTO_DIGEST_SIZE];
};

/* 0 when AGENT_KEY has signed R, whether it is verified now or was before; else as proto_recipient_verify. */
int seen_recipient(struct seen *s, const struct proto_recipient *r, const uint8_t agent_key[static PROTO_POINT_SIZE],
	const uint8_t signature[static PROTO_SIGNATURE_SIZE]);

#endif
