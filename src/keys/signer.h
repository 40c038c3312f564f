/* signer.h - the server's identity towards agents: one P-256 key pair, its private half never outside keyd. */
#ifndef KEYS_SIGNER_H
#define KEYS_SIGNER_H

#include <stdint.h>

#include "keys/hierarchy.h"

#define SIGNER_POINT_SIZE 65
#define SIGNER_DIGEST_SIZE 32
#define SIGNER_SIGNATURE_SIZE 64
#define SIGNER_TICKET_KEY_SIZE 32

struct signer;

/* 1 when the identity file is there. */
int signer_exists(const char *path);
/* Makes the key and its file PATH, a blob under the root key; one that is there already stays. ERR_SEALED, ERR_CRYPTO, ERR_IO. */
int signer_create(struct hierarchy *h, const char *path);
/* What is in the file; *OUT is the caller's. ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_TOO_LARGE, ERR_IO as keyfile_read. */
int signer_read(const char *path, struct secret **out);
/* Opens what was read. ERR_TAMPERED when it does not belong to this root key; ERR_SEALED, ERR_CRYPTO. */
int signer_open(struct hierarchy *h, const struct secret *file, struct signer **out);
/* 1 when the file is under another root key than the active one. */
int signer_is_elsewhere(const struct hierarchy *h, const struct secret *file);
/* The file's bytes under the active root key, proven to give the same; *OUT is the caller's. */
int signer_move(struct hierarchy *h, const struct secret *file, struct secret **out);
/* Makes, opens and uses a key for nobody, as a rehearsal; its public half goes to POINT. ERR_CRYPTO. */
int signer_rehearse(uint8_t point[static SIGNER_POINT_SIZE]);
void signer_public(const struct signer *s, uint8_t point[static SIGNER_POINT_SIZE]);
/* ECDSA (FIPS 186-5) of DIGEST; r, then s, 32 bytes each. */
int signer_sign(const struct signer *s, const uint8_t digest[static SIGNER_DIGEST_SIZE],
	uint8_t signature[static SIGNER_SIGNATURE_SIZE]);
/* The key of proofs of approval of GENERATION (ticket.h), derived from the identity key; *OUT is the signer's, until it is asked again. */
int signer_ticket_key(struct signer *s, uint32_t generation, const uint8_t **out);
void signer_close(struct signer *s);

#endif
