/* crypto.h - the few algorithms of the agent protocol, on OpenSSL 3: P-256 keys, ECDSA and ECDH on them, SHA-256,
 * HMAC-SHA256, HKDF-SHA256, PBKDF2-HMAC-SHA256, AES-256-GCM. Sizes are fixed, so callers need no allocation.
 *
 * Points travel uncompressed (SEC 1, section 2.3.3): 0x04, x, y. Signatures travel as r then s, 32 bytes each.
 * All functions return 0 or a negative ERR_ code; outputs are written only on success. */
#ifndef PROTO_CRYPTO_H
#define PROTO_CRYPTO_H

#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"

#define PROTO_POINT_SIZE 65
#define PROTO_SCALAR_SIZE 32
#define PROTO_SIGNATURE_SIZE 64
#define PROTO_DIGEST_SIZE 32
#define PROTO_KEY_SIZE 32
#define PROTO_TAG_SIZE 16
#define PROTO_KEY_ID_SIZE 16

/* Whoever holds a signing key: a process, a TPM, or the bytes themselves (proto_signer_of). */
struct proto_signer {
	int (*sign)(void *ctx, const uint8_t digest[PROTO_DIGEST_SIZE], uint8_t signature[PROTO_SIGNATURE_SIZE]);
	void *ctx;
};

/* A new P-256 private key (a 32-byte scalar, the caller's) and its public point; NULL when the generator fails. */
struct secret *proto_key_new(uint8_t public_key[static PROTO_POINT_SIZE]);
/* The public point of a 32-byte scalar. ERR_CRYPTO when the scalar is out of range. */
int proto_key_public(const uint8_t scalar[static PROTO_SCALAR_SIZE], uint8_t public_key[static PROTO_POINT_SIZE]);
/* First 16 bytes of SHA-256 of the point: how a key is named on the wire. */
void proto_key_id(const uint8_t public_key[static PROTO_POINT_SIZE], uint8_t id[static PROTO_KEY_ID_SIZE]);
/* 0 when the bytes are a point of the curve, ERR_INVALID otherwise. The point at infinity has no such form. */
int proto_point_check(const uint8_t point[static PROTO_POINT_SIZE]);

/* A signer that uses KEY, which is lent and must outlive it. */
struct proto_signer proto_signer_of(const struct secret *key);
int proto_sign(const struct secret *key, const uint8_t digest[static PROTO_DIGEST_SIZE],
	uint8_t signature[static PROTO_SIGNATURE_SIZE]);
/* 0, or ERR_TAMPERED when the signature is not this key's over this digest. */
int proto_verify(const uint8_t public_key[static PROTO_POINT_SIZE], const uint8_t digest[static PROTO_DIGEST_SIZE],
	const uint8_t signature[static PROTO_SIGNATURE_SIZE]);
/* x coordinate of scalar * PEER (SP 800-56A, section 5.7.1.2). ERR_INVALID for a point off the curve. */
int proto_ecdh(const uint8_t scalar[static PROTO_SCALAR_SIZE], const uint8_t peer[static PROTO_POINT_SIZE],
	uint8_t shared[static 32]);

int proto_random(void *out, size_t len);
int proto_sha256(const void *data, size_t len, uint8_t digest[static PROTO_DIGEST_SIZE]);
int proto_hmac(const void *key, size_t key_len, const void *data, size_t len, uint8_t mac[static PROTO_DIGEST_SIZE]);
/* RFC 5869: extract and expand apart. LABEL is text, followed in the info by CONTEXT (may be empty). */
int proto_hkdf_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, uint8_t prk[static 32]);
int proto_hkdf_expand(const void *prk, size_t prk_len, const char *label, const void *context, size_t context_len,
	void *out, size_t out_len);
int proto_pbkdf2(const void *password, size_t password_len, const void *salt, size_t salt_len, unsigned rounds,
	void *out, size_t out_len);

/* AES-256-GCM with the 12-byte nonce DIRECTION (4 bytes) then COUNTER (8 bytes, big-endian). OUT gets LEN bytes and a
 * 16-byte tag; opening writes LEN - 16 bytes, or returns ERR_TAMPERED and leaves OUT wiped. */
int proto_aead_seal(const uint8_t key[static PROTO_KEY_SIZE], const char direction[static 4], uint64_t counter,
	const void *aad, size_t aad_len, const void *plain, size_t len, uint8_t *out);
int proto_aead_open(const uint8_t key[static PROTO_KEY_SIZE], const char direction[static 4], uint64_t counter,
	const void *aad, size_t aad_len, const void *sealed, size_t len, uint8_t *out);

#endif
