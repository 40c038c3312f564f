/* digest.c - SHA-256 by libsodium. */
#include "audit/digest.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/mem.h"

struct audit_digest {
	crypto_hash_sha256_state state;
};

struct audit_digest *audit_digest_new(void)
{
	struct audit_digest *d = mem_alloc(sizeof *d);

	crypto_hash_sha256_init(&d->state);
	return d;
}

void audit_digest_add(struct audit_digest *d, const void *data, size_t len)
{
	crypto_hash_sha256_update(&d->state, data, len);
}

void audit_digest_end(struct audit_digest *d, uint8_t out[static AUDIT_HASH_SIZE])
{
	crypto_hash_sha256_final(&d->state, out);
	free(d);
}
