/* claims.h - what a sealed key says of itself, read before it is opened.
 *
 * The session proves that the server sent it and the one-time key that it is for this request alone; what remains is to
 * hold the claims against what this guest knows, and to learn what it does not know yet: the server's ids of a new
 * device. */
#ifndef AGENT_GUEST_CLAIMS_H
#define AGENT_GUEST_CLAIMS_H

#include "agent/guest/sealed.h"

/* Fills device and request of *OUT from the protected header; tenant, agent and version are the caller's. ERR_INVALID. */
int claims_read(const char *jwe, struct sealed_expected *out);

#endif
