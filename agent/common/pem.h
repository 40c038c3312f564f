/* pem.h - the agent's signing key as a file: P-256, PKCS#8 in PEM (RFC 5958, RFC 7468), mode 0600. */
#ifndef AGENT_COMMON_PEM_H
#define AGENT_COMMON_PEM_H

#include <stdint.h>

#include "base/secret.h"
#include "proto/crypto.h"

/* KEY is a 32-byte scalar. ERR_CRYPTO, ERR_IO. */
int pem_write(const char *path, const struct secret *key);
/* *KEY is the caller's. ERR_NOT_FOUND, ERR_FORBIDDEN (others may read it), ERR_INVALID (no P-256 key), ERR_IO. */
int pem_read(const char *path, struct secret **key, uint8_t public_key[static PROTO_POINT_SIZE]);

#endif
