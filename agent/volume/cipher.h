/* cipher.h - the sector ciphers of the data segment as dm-crypt defines them: aes-xts-plain64 and aes-cbc-essiv:sha256. */
#ifndef AGENT_VOLUME_CIPHER_H
#define AGENT_VOLUME_CIPHER_H

#include <stddef.h>
#include <stdint.h>

#include "agent/volume/volume.h"

struct cipher_spec {
	enum volume_cipher mode;
	size_t key_len;           /* bytes of the volume key */
	uint32_t sector_size;     /* bytes enciphered as one unit */
	uint64_t iv_offset;       /* added to the sector number, in 512-byte units */
};

struct cipher;

/* From libcryptsetup's names ("aes", "xts-plain64"). ERR_UNSUPPORTED for any other. */
int cipher_spec_parse(const char *name, const char *mode, size_t key_len, uint32_t sector_size, uint64_t iv_offset,
	struct cipher_spec *out);
/* A context for one thread; cipher_free wipes its key schedule. */
int cipher_new(const struct cipher_spec *spec, const struct secret *key, struct cipher **out);
void cipher_free(struct cipher *c);
/* LEN is a multiple of the sector size; SECTOR counts 512-byte units from the segment's start, also for larger sectors
 * (dm-crypt without iv_large_sectors, which is how cryptsetup activates LUKS2). IN and OUT may be the same. */
int cipher_encrypt(struct cipher *c, uint64_t sector, const unsigned char *in, unsigned char *out, size_t len);
int cipher_decrypt(struct cipher *c, uint64_t sector, const unsigned char *in, unsigned char *out, size_t len);

#endif
