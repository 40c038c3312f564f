/* digest.h - SHA-256 of what comes in pieces. */
#ifndef AUDIT_DIGEST_H
#define AUDIT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "audit/chain.h"

struct audit_digest;

struct audit_digest *audit_digest_new(void);
void audit_digest_add(struct audit_digest *d, const void *data, size_t len);
/* Frees D. */
void audit_digest_end(struct audit_digest *d, uint8_t out[static AUDIT_HASH_SIZE]);

#endif
