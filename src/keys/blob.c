/* blob.c - wraps and unwraps with AES-256-GCM. */
#include "keys/blob.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/err.h"

static const char domain[12] = "keyward blob";

void blob_associated(const struct blob_label *label, const struct uuid *key_id, struct buf *out)
{
	wire_put_raw(out, domain, sizeof domain);
	wire_put_u8(out, BLOB_VERSION);
	wire_put_uuid(out, key_id);
	wire_put_string(out, label->purpose);
	wire_put_uuid(out, &label->tenant);
	wire_put_uuid(out, &label->object);
	wire_put_u32(out, label->version);
}

static int encrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce, const struct buf *associated,
	const struct secret *plain, uint8_t *out)
{
	int n;

	return EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1
		&& EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)associated->data, (int)associated->len) == 1
		&& EVP_EncryptUpdate(ctx, out, &n, plain->data, (int)plain->len) == 1
		&& EVP_EncryptFinal_ex(ctx, out + n, &n) == 1
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, BLOB_TAG_SIZE, out + plain->len) == 1;
}

int blob_wrap(const struct uuid *key_id, const uint8_t *key, const struct blob_label *label, const struct secret *plain,
	struct buf *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	struct buf associated = BUF_INIT, blob = BUF_INIT;
	uint8_t nonce[BLOB_NONCE_SIZE];
	int rc = 0;

	blob_associated(label, key_id, &associated);
	if (ctx == NULL || plain->len > INT_MAX || RAND_bytes(nonce, sizeof nonce) != 1) {
		rc = err_set(ERR_CRYPTO, "cannot start wrapping");
	} else {
		wire_put_u8(&blob, BLOB_VERSION);
		wire_put_uuid(&blob, key_id);
		wire_put_raw(&blob, nonce, sizeof nonce);
		if (!encrypt(ctx, key, nonce, &associated, plain, buf_extend(&blob, plain->len + BLOB_TAG_SIZE)))
			rc = err_set(ERR_CRYPTO, "cannot wrap");
	}
	if (rc == 0) {
		buf_free(out);
		*out = blob;
	} else {
		buf_free(&blob);
	}
	buf_free(&associated);
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}

static int decrypt(EVP_CIPHER_CTX *ctx, const uint8_t *key, const struct buf *associated, struct wire_view blob,
	struct secret *plain)
{
	uint8_t tag[BLOB_TAG_SIZE];
	int n;

	memcpy(tag, blob.data + blob.len - sizeof tag, sizeof tag);
	return EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, blob.data + 1 + 16) == 1
		&& EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)associated->data, (int)associated->len) == 1
		&& EVP_DecryptUpdate(ctx, plain->data, &n, blob.data + BLOB_HEAD_SIZE, (int)plain->len) == 1
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1
		&& EVP_DecryptFinal_ex(ctx, plain->data + n, &n) == 1;
}

static int check_head(const struct uuid *key_id, struct wire_view blob)
{
	if (blob.len < BLOB_OVERHEAD || blob.len > INT_MAX)
		return err_set(ERR_TAMPERED, "wrapped data of %zu bytes", blob.len);
	if (blob.data[0] != BLOB_VERSION)
		return err_set(ERR_TAMPERED, "wrapped data of unknown version %u", blob.data[0]);
	if (memcmp(blob.data + 1, key_id->bytes, sizeof key_id->bytes) != 0)
		return err_set(ERR_TAMPERED, "wrapped under another key");
	return 0;
}

int blob_unwrap(const struct uuid *key_id, const uint8_t *key, const struct blob_label *label, struct wire_view blob,
	struct secret **plain)
{
	struct buf associated = BUF_INIT;
	struct secret *found = NULL;
	EVP_CIPHER_CTX *ctx;
	int rc = check_head(key_id, blob);

	if (rc < 0)
		return rc;
	ctx = EVP_CIPHER_CTX_new();
	found = secret_new(blob.len - BLOB_OVERHEAD);
	blob_associated(label, key_id, &associated);
	if (ctx == NULL)
		rc = err_set(ERR_CRYPTO, "cannot start unwrapping");
	else if (!decrypt(ctx, key, &associated, blob, found))
		rc = err_set(ERR_TAMPERED, "wrapped data does not belong here (%s)", label->purpose);
	if (rc == 0)
		*plain = found;
	else
		secret_free(found);
	buf_free(&associated);
	EVP_CIPHER_CTX_free(ctx);
	return rc;
}
