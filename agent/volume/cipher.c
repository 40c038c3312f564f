/* cipher.c - see cipher.h. XTS is IEEE 1619 with the sector number, little-endian, as tweak; ESSIV enciphers that number
 * under SHA-256 of the volume key to get the CBC vector. */
#include "agent/volume/cipher.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define BLOCK 16
#define BATCH 256                 /* vectors made at once */

struct cipher {
	struct cipher_spec spec;
	EVP_CIPHER_CTX *encrypt, *decrypt, *essiv;    /* ESSIV's is NULL for XTS */
};

int cipher_spec_parse(const char *name, const char *mode, size_t key_len, uint32_t sector_size, uint64_t iv_offset,
	struct cipher_spec *out)
{
	struct cipher_spec spec = { .key_len = key_len, .sector_size = sector_size, .iv_offset = iv_offset };
	int aes = name && strcmp(name, "aes") == 0;

	if (aes && mode && strcmp(mode, "xts-plain64") == 0 && (key_len == 32 || key_len == 64))
		spec.mode = VOLUME_XTS;
	else if (aes && mode && strcmp(mode, "cbc-essiv:sha256") == 0 && (key_len == 16 || key_len == 24 || key_len == 32))
		spec.mode = VOLUME_CBC_ESSIV;
	else
		return err_set(ERR_UNSUPPORTED, "cipher %s-%s with %zu-byte key", name ? name : "?", mode ? mode : "?", key_len);
	if (sector_size < 512 || sector_size > 4096 || (sector_size & (sector_size - 1)))
		return err_set(ERR_UNSUPPORTED, "sectors of %u bytes", sector_size);
	*out = spec;
	return 0;
}

static const char *cipher_name(const struct cipher_spec *spec)
{
	if (spec->mode == VOLUME_XTS)
		return spec->key_len == 32 ? "AES-128-XTS" : "AES-256-XTS";
	return spec->key_len == 16 ? "AES-128-CBC" : spec->key_len == 24 ? "AES-192-CBC" : "AES-256-CBC";
}

static EVP_CIPHER_CTX *make_context(const char *name, const unsigned char *key, int encrypt)
{
	EVP_CIPHER *type = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (type == NULL || ctx == NULL || EVP_CipherInit_ex2(ctx, type, key, NULL, encrypt, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	} else {
		EVP_CIPHER_CTX_set_padding(ctx, 0);
	}
	EVP_CIPHER_free(type);
	return ctx;
}

static EVP_CIPHER_CTX *make_essiv(const struct secret *key)
{
	struct secret *hashed = secret_new(32);
	EVP_CIPHER_CTX *ctx = NULL;

	if (EVP_Digest(key->data, key->len, hashed->data, NULL, EVP_sha256(), NULL) == 1)
		ctx = make_context("AES-256-ECB", hashed->data, 1);
	secret_free(hashed);
	return ctx;
}

int cipher_new(const struct cipher_spec *spec, const struct secret *key, struct cipher **out)
{
	struct cipher *c;

	if (key->len != spec->key_len)
		return err_set(ERR_INVALID, "volume key of %zu bytes, not %zu", key->len, spec->key_len);
	c = mem_alloc(sizeof *c);
	c->spec = *spec;
	c->encrypt = make_context(cipher_name(spec), key->data, 1);
	c->decrypt = make_context(cipher_name(spec), key->data, 0);
	if (spec->mode == VOLUME_CBC_ESSIV)
		c->essiv = make_essiv(key);
	if (c->encrypt == NULL || c->decrypt == NULL || (spec->mode == VOLUME_CBC_ESSIV && c->essiv == NULL)) {
		cipher_free(c);
		return err_set(ERR_CRYPTO, "%s cannot be set up", cipher_name(spec));
	}
	*out = c;
	return 0;
}

void cipher_free(struct cipher *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->encrypt);
	EVP_CIPHER_CTX_free(c->decrypt);
	EVP_CIPHER_CTX_free(c->essiv);
	free(c);
}

/* The vectors of COUNT sectors, from the 512-byte sector number FIRST on. */
static int make_vectors(struct cipher *c, uint64_t first, size_t count, uint64_t (*iv)[2])
{
	int n;

	for (size_t i = 0; i < count; i++) {
		iv[i][0] = htole64(first + i * (c->spec.sector_size >> 9));
		iv[i][1] = 0;
	}
	if (c->essiv == NULL)
		return 0;
	if (EVP_CipherUpdate(c->essiv, (unsigned char *)iv, &n, (unsigned char *)iv, (int)(count * BLOCK)) != 1)
		return err_set(ERR_CRYPTO, "ESSIV");
	return 0;
}

static int run(struct cipher *c, EVP_CIPHER_CTX *ctx, uint64_t sector, const unsigned char *in, unsigned char *out, size_t len)
{
	uint64_t iv[BATCH][2];
	size_t size = c->spec.sector_size, left = len / size;
	int n;

	if (len % size)
		return err_set(ERR_INVALID, "%zu bytes are not whole sectors", len);
	for (size_t batch; left > 0; left -= batch) {
		batch = left < BATCH ? left : BATCH;
		if (make_vectors(c, c->spec.iv_offset + sector, batch, iv) < 0)
			return ERR_CRYPTO;
		for (size_t i = 0; i < batch; i++, in += size, out += size)
			if (EVP_CipherInit_ex2(ctx, NULL, NULL, (unsigned char *)iv[i], -1, NULL) != 1
			    || EVP_CipherUpdate(ctx, out, &n, in, (int)size) != 1)
				return err_set(ERR_CRYPTO, "sector cipher");
		sector += batch * (size >> 9);
	}
	return 0;
}

int cipher_encrypt(struct cipher *c, uint64_t sector, const unsigned char *in, unsigned char *out, size_t len)
{
	return run(c, c->encrypt, sector, in, out, len);
}

int cipher_decrypt(struct cipher *c, uint64_t sector, const unsigned char *in, unsigned char *out, size_t len)
{
	return run(c, c->decrypt, sector, in, out, len);
}
