/* jwe.h - a device key on its way to one agent: encrypted to the agent's one-time public key. */
#ifndef KEYS_JWE_H
#define KEYS_JWE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"

#define JWE_POINT_SIZE 65

/* What the protected header says, so that the agent can tell this answer from any other. */
struct jwe_claims {
	struct uuid tenant, device, request, agent;
	uint32_t version;
};

/* Replaces OUT by the JWE: flattened JSON serialization (RFC 7516, 7.2.2), "alg" ECDH-ES (RFC 7518, 4.6; "apu" the request,
 * "apv" the agent), "enc" A256GCM. ERR_INVALID when RECIPIENT is not a P-256 point; ERR_CRYPTO. */
int jwe_seal(const struct jwe_claims *claims, const uint8_t recipient[static JWE_POINT_SIZE], const struct secret *key,
	struct buf *out);

#endif
