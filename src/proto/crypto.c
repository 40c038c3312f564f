/* crypto.c - OpenSSL behind fixed sizes: hashes, key derivation, AES-256-GCM. P-256 itself is in curve.c. */
#include "proto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/err.h"

#define NONCE_SIZE 12

int proto_random(void *out, size_t len)
{
	return RAND_priv_bytes(out, (int)len) == 1 ? 0 : err_set(ERR_CRYPTO, "random generator failed");
}

int proto_sha256(const void *data, size_t len, uint8_t digest[static PROTO_DIGEST_SIZE])
{
	int ok = EVP_Q_digest(NULL, "SHA256", NULL, data, len, digest, NULL) == 1;

	return ok ? 0 : err_set(ERR_CRYPTO, "SHA-256 failed");
}

int proto_hmac(const void *key, size_t key_len, const void *data, size_t len, uint8_t mac[static PROTO_DIGEST_SIZE])
{
	size_t got;

	return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_len, data, len, mac, PROTO_DIGEST_SIZE, &got)
		? 0 : err_set(ERR_CRYPTO, "HMAC failed");
}

static int derive(const char *kdf_name, const OSSL_PARAM *params, void *out, size_t out_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	int ok = ctx && EVP_KDF_derive(ctx, out, out_len, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? 0 : err_set(ERR_CRYPTO, "%s failed", kdf_name);
}

/* OSSL_PARAM has no const, but OpenSSL only reads these. */
static OSSL_PARAM octets(const char *name, const void *data, size_t len)
{
	union {
		const void *in;
		void *out;
	} view = { .in = len ? data : "" };

	return OSSL_PARAM_construct_octet_string(name, view.out, len);
}

static char sha256_name[] = "SHA256";

int proto_hkdf_extract(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len, uint8_t prk[static 32])
{
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256_name, 0),
		octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
		octets(OSSL_KDF_PARAM_KEY, ikm, ikm_len),
		OSSL_PARAM_construct_end(),
	};

	return derive("HKDF", params, prk, 32);
}

int proto_hkdf_expand(const void *prk, size_t prk_len, const char *label, const void *context, size_t context_len,
	void *out, size_t out_len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	/* OpenSSL joins several info parameters in their order. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256_name, 0),
		octets(OSSL_KDF_PARAM_KEY, prk, prk_len),
		octets(OSSL_KDF_PARAM_INFO, label, strlen(label)),
		context_len ? octets(OSSL_KDF_PARAM_INFO, context, context_len) : OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};

	return derive("HKDF", params, out, out_len);
}

int proto_pbkdf2(const void *password, size_t password_len, const void *salt, size_t salt_len, unsigned rounds,
	void *out, size_t out_len)
{
	OSSL_PARAM params[] = {
		octets(OSSL_KDF_PARAM_PASSWORD, password, password_len),
		octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
		OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &rounds),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, sha256_name, 0),
		OSSL_PARAM_construct_end(),
	};

	return derive("PBKDF2", params, out, out_len);
}

static void make_nonce(const char direction[static 4], uint64_t counter, uint8_t nonce[static NONCE_SIZE])
{
	memcpy(nonce, direction, 4);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (56 - 8 * i));
}

int proto_aead_seal(const uint8_t key[static PROTO_KEY_SIZE], const char direction[static 4], uint64_t counter,
	const void *aad, size_t aad_len, const void *plain, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t nonce[NONCE_SIZE];
	int n, ok;

	make_nonce(direction, counter, nonce);
	ok = ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) == 1
		&& EVP_EncryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1
		&& (len == 0 || EVP_EncryptUpdate(ctx, out, &n, plain, (int)len) == 1)
		&& EVP_EncryptFinal_ex(ctx, out + len, &n) == 1
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, PROTO_TAG_SIZE, out + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : err_set(ERR_CRYPTO, "AES-256-GCM failed");
}

int proto_aead_open(const uint8_t key[static PROTO_KEY_SIZE], const char direction[static 4], uint64_t counter,
	const void *aad, size_t aad_len, const void *sealed, size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	const uint8_t *in = sealed;
	uint8_t nonce[NONCE_SIZE], tag[PROTO_TAG_SIZE], rest[16];
	size_t body;
	int n, ok;

	if (len < PROTO_TAG_SIZE)
		return err_set(ERR_TRUNCATED, "sealed data is shorter than its tag");
	body = len - PROTO_TAG_SIZE;
	memcpy(tag, in + body, sizeof tag);
	make_nonce(direction, counter, nonce);
	ctx = EVP_CIPHER_CTX_new();
	ok = ctx && EVP_DecryptInit_ex2(ctx, EVP_aes_256_gcm(), key, nonce, NULL) == 1
		&& EVP_DecryptUpdate(ctx, NULL, &n, aad, (int)aad_len) == 1
		&& (body == 0 || EVP_DecryptUpdate(ctx, out, &n, in, (int)body) == 1)
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, PROTO_TAG_SIZE, tag) == 1
		&& EVP_DecryptFinal_ex(ctx, rest, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	if (!ok && body)
		OPENSSL_cleanse(out, body);
	return ok ? 0 : err_set(ERR_TAMPERED, "sealed data was altered, or is under another key");
}
