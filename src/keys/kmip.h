/* kmip.h - a client of KMIP servers (OASIS KMIP 1.2 to 2.1, by negotiation): what Keyward needs of symmetric keys. Blocks, with limits.
 *
 * Errors: what kmip_link.h and kmip_answer say. After any but an answer of the server (kmip_is_broken) the client is of no use. */
#ifndef KEYS_KMIP_H
#define KEYS_KMIP_H

#include "keys/kmip_link.h"
#include "keys/kmip_message.h"

struct kmip;

struct kmip_facts {
	struct kmip_version version;             /* that is spoken */
	char vendor[KMIP_VENDOR_MAX + 1];
	int can_gcm;                             /* it says that it encrypts, and the version knows associated data */
};

/* Connects and agrees on a version. LIMIT_MS holds for this and for each call. */
int kmip_open(const struct kmip_settings *settings, int limit_ms, struct kmip **out);
void kmip_close(struct kmip *k);             /* NULL is fine */
int kmip_is_broken(const struct kmip *k);
struct kmip_version kmip_version(const struct kmip *k);
int kmip_describe(struct kmip *k, struct kmip_facts *out);

/* A new AES-256 key on the server, Pre-Active. */
int kmip_create(struct kmip *k, const char *name, unsigned use, char id[static KMIP_ID_MAX + 1]);
/* The one symmetric key of that name. ERR_NOT_FOUND, ERR_CONFLICT: several. */
int kmip_locate(struct kmip *k, const char *name, char id[static KMIP_ID_MAX + 1]);
int kmip_get(struct kmip *k, const char *id, struct secret **key);
int kmip_activate(struct kmip *k, const char *id);
/* Ends the key's use: it can still be had. */
int kmip_revoke(struct kmip *k, const char *id);
/* Active keys have to be revoked before. */
int kmip_destroy(struct kmip *k, const char *id);
/* AES-256-GCM there. OUT: appended ciphertext and tag, as blob.h has them. NONCE is BLOB_NONCE_SIZE bytes. */
int kmip_encrypt(struct kmip *k, const char *id, const uint8_t *nonce, struct wire_view associated, const struct secret *plain,
	struct buf *out);
/* SEALED: ciphertext and tag. ERR_CRYPTO: it does not open, or the server's cryptography has failed otherwise. */
int kmip_decrypt(struct kmip *k, const char *id, const uint8_t *nonce, struct wire_view associated, struct wire_view sealed,
	struct secret **plain);

#endif
