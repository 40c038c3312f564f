/* blob.h - the one form of everything wrapped: AES-256-GCM (NIST SP 800-38D) bound to what it is for.
 *
 *     u8 BLOB_VERSION, 16 bytes id of the wrapping key, 12 bytes random nonce, ciphertext, 16 bytes tag
 *     associated data: "keyward blob", u8 BLOB_VERSION, id of the wrapping key,
 *                      u32 length and purpose, 16 bytes tenant, 16 bytes object, u32 version
 *
 * Random nonces: one key may wrap at most 2^32 blobs (SP 800-38D, 8.3). Providers whose key never leaves a device build the
 * same form with blob_associated. */
#ifndef KEYS_BLOB_H
#define KEYS_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/uuid.h"
#include "base/wire.h"

#define BLOB_VERSION 1
#define BLOB_KEY_SIZE 32
#define BLOB_NONCE_SIZE 12
#define BLOB_TAG_SIZE 16
#define BLOB_HEAD_SIZE (1 + 16 + BLOB_NONCE_SIZE)
#define BLOB_OVERHEAD (BLOB_HEAD_SIZE + BLOB_TAG_SIZE)

struct blob_label {
	const char *purpose;
	struct uuid tenant, object;  /* nil where there is none */
	uint32_t version;
};

/* Appends the associated data for LABEL under the wrapping key KEY_ID. */
void blob_associated(const struct blob_label *label, const struct uuid *key_id, struct buf *out);
/* Replaces OUT by the blob. KEY is BLOB_KEY_SIZE bytes. ERR_CRYPTO. */
int blob_wrap(const struct uuid *key_id, const uint8_t *key, const struct blob_label *label, const struct secret *plain,
	struct buf *out);
/* *PLAIN is the caller's. ERR_TAMPERED for whatever was not wrapped by this key under this label. */
int blob_unwrap(const struct uuid *key_id, const uint8_t *key, const struct blob_label *label, struct wire_view blob,
	struct secret **plain);

#endif
