/* pem.c - writing and reading the signing key, through memory that OpenSSL wipes. */
#include "agent/common/pem.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "agent/common/private.h"
#include "base/err.h"
#include "base/file.h"

#define PEM_MAX 4096
#define GROUP_NAME "prime256v1"

static EVP_PKEY *key_from(const struct secret *key)
{
	uint8_t point[PROTO_POINT_SIZE];
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	BIGNUM *d = BN_secure_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *out = NULL;

	if (bld && ctx && d && key->len == PROTO_SCALAR_SIZE && proto_key_public(key->data, point) == 0
		&& BN_bin2bn(key->data, (int)key->len, d)
		&& OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, GROUP_NAME, 0)
		&& OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point)
		&& OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) && (params = OSSL_PARAM_BLD_to_param(bld))
		&& EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &out, EVP_PKEY_KEYPAIR, params);
	OSSL_PARAM_free(params);
	BN_clear_free(d);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(bld);
	return out;
}

int pem_write(const char *path, const struct secret *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	EVP_PKEY *pair = key_from(key);
	char *text = NULL;
	long len = 0;
	int rc;

	if (bio && pair && PEM_write_bio_PrivateKey(bio, pair, NULL, NULL, 0, NULL, NULL) == 1)
		len = BIO_get_mem_data(bio, &text);
	rc = len > 0 ? file_write(path, text, (size_t)len, 0600)
		: err_set(ERR_CRYPTO, "cannot write the signing key as PEM");
	EVP_PKEY_free(pair);
	BIO_free(bio);
	return rc;
}

static int scalar_of(EVP_PKEY *pair, struct secret **key, uint8_t public_key[static PROTO_POINT_SIZE])
{
	struct secret *s = secret_new(PROTO_SCALAR_SIZE);
	char group[32] = "";
	BIGNUM *d = NULL;
	int ok = EVP_PKEY_get_utf8_string_param(pair, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) == 1
		&& strcmp(group, GROUP_NAME) == 0 && EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1
		&& BN_bn2binpad(d, s->data, PROTO_SCALAR_SIZE) == PROTO_SCALAR_SIZE
		&& proto_key_public(s->data, public_key) == 0;

	BN_clear_free(d);
	if (!ok) {
		secret_free(s);
		return ERR_INVALID;
	}
	*key = s;
	return 0;
}

int pem_read(const char *path, struct secret **key, uint8_t public_key[static PROTO_POINT_SIZE])
{
	struct secret *text = NULL;
	int rc = private_read(path, PEM_MAX, &text);

	if (rc == 0) {
		BIO *bio = BIO_new_mem_buf(text->data, (int)text->len - 1);
		EVP_PKEY *pair = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;

		rc = pair ? scalar_of(pair, key, public_key) : ERR_INVALID;
		if (rc < 0)
			err_set(rc, "%s: not a private key for P-256 in PEM", path);
		EVP_PKEY_free(pair);
		BIO_free(bio);
	}
	secret_free(text);
	return rc;
}
