/* evidence.h - the agent's signature over the one-time key that a device key shall be sealed to.
 *
 * It can be kept beside the log and checked later by anyone who has the agent's public key: this agent asked for this
 * device's key to be sealed to this recipient. Inside a session it binds the recipient to the request end to end, up to
 * the key service, past every process in between. */
#ifndef PROTO_EVIDENCE_H
#define PROTO_EVIDENCE_H

#include "base/uuid.h"
#include "proto/crypto.h"

struct proto_recipient {
	struct uuid account, agent;
	const char *device;                              /* the device's id as in the message */
	const uint8_t *key;                              /* PROTO_POINT_SIZE bytes */
};

int proto_recipient_sign(const struct proto_recipient *r, const struct proto_signer *signer,
	uint8_t signature[static PROTO_SIGNATURE_SIZE]);
/* 0; ERR_INVALID when the recipient key is no point; ERR_TAMPERED when SIGNATURE is not AGENT_KEY's over all of it. */
int proto_recipient_verify(const struct proto_recipient *r, const uint8_t agent_key[static PROTO_POINT_SIZE],
	const uint8_t signature[static PROTO_SIGNATURE_SIZE]);

#endif
