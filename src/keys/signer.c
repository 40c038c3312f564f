/* signer.c - makes, keeps and uses the server's identity key. Wrapped are its scalar (32 bytes) and its point (65 bytes). The keys of
 * proofs of approval are derived from the scalar: all key services of an installation have the same, and no file more. */
#include "keys/signer.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/keyfile.h"
#include "base/mem.h"
#include "proto/crypto.h"

#define SCALAR_SIZE 32
#define PLAIN_SIZE (SCALAR_SIZE + SIGNER_POINT_SIZE)

#define TICKET_SALT "keyward ticket keys"
#define TICKET_LABEL "keyward ticket key"

struct signer {
	EVP_PKEY *pair;
	uint8_t point[SIGNER_POINT_SIZE];
	struct secret *tickets;      /* what the keys of all generations are made from */
	struct secret *ticket_key;   /* of the generation asked for last; NULL: none yet */
	uint32_t generation;
};

static const struct blob_label label = { .purpose = HIERARCHY_IDENTITY_KEY, .version = 1 };

int signer_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int generate(struct secret *plain)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	BIGNUM *scalar = NULL;
	size_t len = 0;
	int ok = pair && EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1
		&& BN_bn2binpad(scalar, plain->data, SCALAR_SIZE) == SCALAR_SIZE
		&& EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, plain->data + SCALAR_SIZE,
			SIGNER_POINT_SIZE, &len) == 1
		&& len == SIGNER_POINT_SIZE;

	BN_clear_free(scalar);
	EVP_PKEY_free(pair);
	return ok ? 0 : err_set(ERR_CRYPTO, "cannot make the identity key");
}

int signer_create(struct hierarchy *h, const char *path)
{
	struct secret *plain = secret_new(PLAIN_SIZE);
	struct buf blob = BUF_INIT;
	int rc = generate(plain);

	if (rc == 0)
		rc = hierarchy_root_wrap(h, &label, plain, &blob);
	if (rc == 0)
		rc = keyfile_create(path, blob.data, blob.len);
	secret_free(plain);
	buf_free(&blob);
	return rc == ERR_CONFLICT ? 0 : rc;
}

static OSSL_PARAM *pair_params(const struct secret *plain, BIGNUM *scalar)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;

	if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1
		&& OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) == 1
		&& OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, plain->data + SCALAR_SIZE,
			SIGNER_POINT_SIZE) == 1)
		params = OSSL_PARAM_BLD_to_param(build);
	OSSL_PARAM_BLD_free(build);
	return params;
}

/* The pair, once it is sure that its halves belong together. */
static EVP_PKEY *load_pair(const struct secret *plain)
{
	BIGNUM *scalar = BN_secure_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL), *check = NULL;
	EVP_PKEY *pair = NULL;

	if (scalar && BN_bin2bn(plain->data, SCALAR_SIZE, scalar))
		params = pair_params(plain, scalar);
	if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 && EVP_PKEY_fromdata(ctx, &pair, EVP_PKEY_KEYPAIR, params) == 1)
		check = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
	if (check == NULL || EVP_PKEY_check(check) != 1) {
		EVP_PKEY_free(pair);
		pair = NULL;
	}
	EVP_PKEY_CTX_free(check);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	BN_clear_free(scalar);
	return pair;
}

int signer_read(const char *path, struct secret **out)
{
	return keyfile_read(path, PLAIN_SIZE + BLOB_OVERHEAD, out);
}

int signer_is_elsewhere(const struct hierarchy *h, const struct secret *file)
{
	struct uuid has = hierarchy_key_of((struct wire_view){ file->data, file->len }), active;

	h->provider->describe(h->root, &active);
	return !uuid_equal(&has, &active);
}

int signer_move(struct hierarchy *h, const struct secret *file, struct secret **out)
{
	struct buf wrapped = BUF_INIT;
	int rc = hierarchy_root_rewrap(h, &label, (struct wire_view){ file->data, file->len }, &wrapped);

	if (rc == 0)
		*out = secret_take(wrapped.data, wrapped.len);
	buf_free(&wrapped);
	return rc;
}

static int open_plain(const struct secret *plain, struct signer **out)
{
	EVP_PKEY *pair = plain->len == PLAIN_SIZE ? load_pair(plain) : NULL;
	struct signer *s;
	int rc;

	if (pair == NULL)
		return err_set(ERR_TAMPERED, "not an identity key");
	s = mem_alloc(sizeof *s);
	s->pair = pair;
	memcpy(s->point, plain->data + SCALAR_SIZE, SIGNER_POINT_SIZE);
	s->tickets = secret_new(SIGNER_TICKET_KEY_SIZE);
	rc = proto_hkdf_extract(TICKET_SALT, sizeof TICKET_SALT - 1, plain->data, SCALAR_SIZE, s->tickets->data);
	if (rc == 0)
		*out = s;
	else
		signer_close(s);
	return rc;
}

int signer_open(struct hierarchy *h, const struct secret *file, struct signer **out)
{
	struct secret *plain = NULL;
	int rc = hierarchy_root_unwrap(h, &label, (struct wire_view){ file->data, file->len }, &plain);

	if (rc == 0)
		rc = open_plain(plain, out);
	secret_free(plain);
	return rc < 0 ? err_wrap(rc, "identity key") : 0;
}

int signer_rehearse(uint8_t point[static SIGNER_POINT_SIZE])
{
	uint8_t digest[SIGNER_DIGEST_SIZE] = { 0 }, signature[SIGNER_SIGNATURE_SIZE];
	struct secret *plain = secret_new(PLAIN_SIZE);
	struct signer *s = NULL;
	const uint8_t *ticket_key;
	int rc = generate(plain);

	if (rc == 0)
		rc = open_plain(plain, &s);
	if (rc == 0)
		rc = signer_ticket_key(s, 1, &ticket_key);
	if (rc == 0)
		rc = signer_sign(s, digest, signature);
	if (rc == 0)
		signer_public(s, point);
	signer_close(s);
	secret_free(plain);
	return rc;
}

void signer_public(const struct signer *s, uint8_t point[static SIGNER_POINT_SIZE])
{
	memcpy(point, s->point, SIGNER_POINT_SIZE);
}

/* DER to fixed size. */
static int flatten(const uint8_t *der, size_t len, uint8_t *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SCALAR_SIZE) == SCALAR_SIZE
		&& BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SCALAR_SIZE, SCALAR_SIZE) == SCALAR_SIZE;

	ECDSA_SIG_free(sig);
	return ok;
}

int signer_sign(const struct signer *s, const uint8_t digest[static SIGNER_DIGEST_SIZE],
	uint8_t signature[static SIGNER_SIGNATURE_SIZE])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->pair, NULL);
	uint8_t der[80];
	size_t len = sizeof der;
	int ok = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1
		&& EVP_PKEY_sign(ctx, der, &len, digest, SIGNER_DIGEST_SIZE) == 1 && flatten(der, len, signature);

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : err_set(ERR_CRYPTO, "cannot sign");
}

int signer_ticket_key(struct signer *s, uint32_t generation, const uint8_t **out)
{
	const uint8_t context[4] = { (uint8_t)(generation >> 24), (uint8_t)(generation >> 16), (uint8_t)(generation >> 8), (uint8_t)generation };
	struct secret *key;
	int rc = 0;

	if (s->ticket_key == NULL || s->generation != generation) {
		key = secret_new(SIGNER_TICKET_KEY_SIZE);
		rc = proto_hkdf_expand(s->tickets->data, s->tickets->len, TICKET_LABEL, context, sizeof context, key->data, key->len);
		secret_free(rc == 0 ? s->ticket_key : key);
		if (rc == 0) {
			s->ticket_key = key;
			s->generation = generation;
		}
	}
	if (rc == 0)
		*out = s->ticket_key->data;
	return rc;
}

void signer_close(struct signer *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->pair);
	secret_free(s->tickets);
	secret_free(s->ticket_key);
	free(s);
}
