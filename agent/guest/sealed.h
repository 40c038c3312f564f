/* sealed.h - receiving a device key: a one-time P-256 key pair, and opening what the key service sealed to it.
 *
 *     make, put the point into the signed key request, open the answer, free. */
#ifndef AGENT_GUEST_SEALED_H
#define AGENT_GUEST_SEALED_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/uuid.h"

#define SEALED_POINT_SIZE 65         /* uncompressed: 04, x, y (SEC 1, 2.3.3) */
#define SEALED_JWE_MAX 4096
#define SEALED_KEY_MAX 64

struct sealed;

/* What was asked for; an answer to anything else is refused. */
struct sealed_expected {
	struct uuid tenant, device, request, agent;
	uint32_t version;
	size_t most;                 /* bytes that may be sealed; 0: SEALED_KEY_MAX */
};

/* ERR_CRYPTO. *OUT is the caller's. */
int sealed_new(struct sealed **out);
void sealed_public(const struct sealed *s, uint8_t point[static SEALED_POINT_SIZE]);
/* Opens a flattened JWE (RFC 7516, 7.2.2; ECDH-ES and A256GCM, nothing else). ERR_TOO_LARGE over SEALED_JWE_MAX bytes,
 * ERR_INVALID when it is not in this form, ERR_TAMPERED when it answers something else or does not open. *KEY is the
 * caller's. May be called for several devices of one request. */
int sealed_open(const struct sealed *s, const char *jwe, size_t len, const struct sealed_expected *expected,
	struct secret **key);
/* Wipes the private key. NULL is fine. */
void sealed_free(struct sealed *s);

#endif
