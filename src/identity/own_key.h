/* own_key.h - a key pair of our own with a certificate that it signs itself: for protocols where the other side is given the certificate. */
#ifndef IDENTITY_OWN_KEY_H
#define IDENTITY_OWN_KEY_H

#include "base/clock.h"
#include "base/secret.h"

/* A new RSA key of 3072 bits (PEM) and its certificate (PEM) under NAME, for ten years from NOW. Both the caller's to free. Takes up to a second:
 * outside of a transaction. ERR_CRYPTO. */
int own_key_make(const char *name, clock_us now, struct secret **key, char **certificate);

#endif
