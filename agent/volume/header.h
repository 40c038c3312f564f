/* header.h - the LUKS2 header of a volume: reading, writing and unlocking it, and our token in it (libcryptsetup). */
#ifndef AGENT_VOLUME_HEADER_H
#define AGENT_VOLUME_HEADER_H

#include <libcryptsetup.h>

#include "agent/volume/limits.h"
#include "agent/volume/plain.h"
#include "agent/volume/volume.h"

/* *OUT is the caller's (crypt_free). ERR_NOT_FOUND when there is no LUKS2 header. A header of which one copy is damaged is
 * mended by libcryptsetup in passing. */
int header_load(const char *path, struct crypt_device **out);

/* *ID is the token's number. ERR_NOT_FOUND without a token of ours; ERR_INVALID for a broken one. */
int header_token_get(struct crypt_device *cd, struct volume_token *out, int *id);
/* ID may be CRYPT_ANY_TOKEN for a new one. */
int header_token_set(struct crypt_device *cd, int id, const struct volume_token *token);

/* Writes a complete header with token and key slot to FD, a device or file of SIZE bytes that is open for writing, in an
 * order that never leaves a recognisable volume without our token. */
int header_write(int fd, uint64_t size, const struct volume_params *params, const struct volume_token *token,
	const struct secret *device_key);

/* Which slot SECRET opens: the token's is tried first, others only within the limits of KIND. ERR_FORBIDDEN when none, ERR_UNSUPPORTED where
 * the header is not to be trusted with it. */
int header_find_slot(struct crypt_device *cd, const struct secret *secret, enum limits_secret kind);
/* The slot that SECRET opens (SLOT: this one; CRYPT_ANY_SLOT), by a header read anew from the disk. ERR_FORBIDDEN. */
int header_prove(const char *path, const struct secret *secret, enum limits_secret kind, int slot);
/* Of the cipher: half of the volume key for XTS. 0 where libcryptsetup cannot tell, in the middle of a re-encryption. */
unsigned header_key_bits(struct crypt_device *cd);
/* ERR_UNSUPPORTED where the header names another encryption than EXPECTED. */
int header_expect(struct crypt_device *cd, const struct volume_encryption *expected);
/* Whether libcryptsetup may be left to try a key on all slots. ERR_UNSUPPORTED. */
int header_may_try_all(struct crypt_device *cd);
/* A slot for NEW, by OLD that opens one; its number. What it is stretched with is set before (header_set_pbkdf). ERR_FORBIDDEN. */
int header_add_slot(struct crypt_device *cd, const struct secret *old, enum limits_secret kind, const struct secret *new);
/* The data segment within a backing of SIZE bytes, and the volume key (the caller's). ERR_FORBIDDEN, ERR_UNSUPPORTED. */
int header_unlock(struct crypt_device *cd, uint64_t size, const struct secret *key, struct plain_segment *segment,
	struct secret **volume_key);
/* Takes away the mark that a header made here bears beside the token. */
int header_disown(struct crypt_device *cd);
/* Whether it is one plain data segment within a backing of SIZE bytes: no half-done re-encryption, no integrity tags. SEGMENT (may be
 * NULL) is filled in where the cipher is one that the user-space engine knows. ERR_UNSUPPORTED, ERR_TRUNCATED. */
int header_check(struct crypt_device *cd, uint64_t size, struct plain_segment *segment);
/* Sets what new key slots are made with. HASH NULL: sha256. */
int header_set_pbkdf(struct crypt_device *cd, const char *hash);

#endif
