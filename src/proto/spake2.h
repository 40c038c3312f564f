/* spake2.h - SPAKE2 of RFC 9382 with P-256, SHA-256, HKDF-SHA256 and HMAC-SHA256: two who share a password make a
 * strong key, and somebody in the middle gets one guess per attempt and nothing to guess with afterwards. */
#ifndef PROTO_SPAKE2_H
#define PROTO_SPAKE2_H

#include <stddef.h>
#include <stdint.h>

#include "proto/crypto.h"

enum proto_spake2_role { PROTO_SPAKE2_A, PROTO_SPAKE2_B };

/* One side's view of a run. Everything is lent for the call. */
struct proto_spake2 {
	enum proto_spake2_role role;
	const char *id_a, *id_b;                 /* identities, text */
	const uint8_t *w;                        /* 32 bytes below the group's order: from the password */
	const uint8_t *secret;                   /* own random scalar, 32 bytes */
	const uint8_t *aad;                      /* bound into the confirmations (section 4); may be NULL */
	size_t aad_len;
};

struct proto_spake2_keys {
	uint8_t ke[16];                          /* the shared key */
	uint8_t confirm_a[32], confirm_b[32];    /* what A and what B sends to confirm */
};

/* 40 or more bytes from a password hash to w, reduced modulo the group's order (section 3.2). */
int proto_spake2_reduce(const uint8_t *hash, size_t len, uint8_t w[static PROTO_SCALAR_SIZE]);
/* pA = x*P + w*M, or pB = y*P + w*N (section 3.3). */
int proto_spake2_share(const struct proto_spake2 *s, uint8_t share[static PROTO_POINT_SIZE]);
/* Keys and confirmations (section 4). ERR_INVALID when the peer's share is no point, or gives the point at infinity. */
int proto_spake2_finish(const struct proto_spake2 *s, const uint8_t share_a[static PROTO_POINT_SIZE],
	const uint8_t share_b[static PROTO_POINT_SIZE], struct proto_spake2_keys *out);

#endif
