/* curve.c - P-256 for the agent protocol: keys, ECDSA with fixed-size signatures (FIPS 186-5), ECDH (SP 800-56A). */
#include "proto/crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "proto/group.h"

#define GROUP_NAME "prime256v1"
#define DER_SIGNATURE_MAX 80

static EC_GROUP *group;
static EVP_PKEY *curve;           /* parameters without a key: whose group is set up once */
static pthread_once_t group_once = PTHREAD_ONCE_INIT;

static void make_group(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	if (group == NULL || ctx == NULL || EVP_PKEY_paramgen_init(ctx) != 1 || EVP_PKEY_CTX_set_group_name(ctx, GROUP_NAME) != 1
		|| EVP_PKEY_paramgen(ctx, &curve) != 1)
		fatal("OpenSSL has no P-256");
	EVP_PKEY_CTX_free(ctx);
}

const EC_GROUP *proto_group(void)
{
	pthread_once(&group_once, make_group);
	return group;
}

EVP_PKEY *proto_curve(void)
{
	pthread_once(&group_once, make_group);
	return curve;
}

/* Uncompressed, on the curve, and not the point at infinity (whose encoding is shorter). The group has no other subgroup, so
 * that is all there is to check (SP 800-56A, 5.6.2.3.4). */
EVP_PKEY *proto_public_key(const uint8_t point[static PROTO_POINT_SIZE])
{
	EVP_PKEY *key = EVP_PKEY_new();

	if (key && point[0] == POINT_CONVERSION_UNCOMPRESSED && EVP_PKEY_copy_parameters(key, proto_curve()) == 1
		&& EVP_PKEY_set1_encoded_public_key(key, point, PROTO_POINT_SIZE) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* A key from its parts. NULL when they do not fit the curve. */
static EVP_PKEY *key_of(const uint8_t *scalar, const uint8_t public_key[static PROTO_POINT_SIZE])
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	BIGNUM *d = BN_secure_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	int ok = bld && ctx && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, GROUP_NAME, 0)
		&& OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, public_key, PROTO_POINT_SIZE)
		&& d && BN_bin2bn(scalar, PROTO_SCALAR_SIZE, d) && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d);

	if (ok && (params = OSSL_PARAM_BLD_to_param(bld)) && EVP_PKEY_fromdata_init(ctx) == 1)
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params);
	OSSL_PARAM_free(params);
	BN_clear_free(d);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

int proto_key_public(const uint8_t scalar[static PROTO_SCALAR_SIZE], uint8_t public_key[static PROTO_POINT_SIZE])
{
	EC_POINT *point = EC_POINT_new(proto_group());
	BIGNUM *d = BN_secure_new();
	int ok = point && d && BN_bin2bn(scalar, PROTO_SCALAR_SIZE, d) && !BN_is_zero(d)
		&& BN_cmp(d, EC_GROUP_get0_order(group)) < 0 && EC_POINT_mul(group, point, d, NULL, NULL, NULL) == 1
		&& EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, public_key, PROTO_POINT_SIZE, NULL)
			== PROTO_POINT_SIZE;

	BN_clear_free(d);
	EC_POINT_free(point);
	return ok ? 0 : err_set(ERR_CRYPTO, "not a P-256 private key");
}

struct secret *proto_key_new(uint8_t public_key[static PROTO_POINT_SIZE])
{
	EVP_PKEY *key = EVP_EC_gen(GROUP_NAME);
	struct secret *s = secret_new(PROTO_SCALAR_SIZE);
	BIGNUM *d = NULL;
	int ok = key && EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1
		&& BN_bn2binpad(d, s->data, PROTO_SCALAR_SIZE) == PROTO_SCALAR_SIZE
		&& proto_key_public(s->data, public_key) == 0;

	BN_clear_free(d);
	EVP_PKEY_free(key);
	if (ok)
		return s;
	secret_free(s);
	err_set(ERR_CRYPTO, "no new P-256 key");
	return NULL;
}

void proto_key_id(const uint8_t public_key[static PROTO_POINT_SIZE], uint8_t id[static PROTO_KEY_ID_SIZE])
{
	uint8_t digest[PROTO_DIGEST_SIZE];

	if (proto_sha256(public_key, PROTO_POINT_SIZE, digest) < 0)
		fatal("SHA-256 is missing");
	memcpy(id, digest, PROTO_KEY_ID_SIZE);
}

int proto_point_check(const uint8_t point[static PROTO_POINT_SIZE])
{
	EC_POINT *p = EC_POINT_new(proto_group());
	/* The leading byte is asked for because OpenSSL also takes hybrid forms (06, 07), which would be a second
	 * encoding. */
	int ok = p && point[0] == POINT_CONVERSION_UNCOMPRESSED
		&& EC_POINT_oct2point(group, p, point, PROTO_POINT_SIZE, NULL) == 1;

	EC_POINT_free(p);
	return ok ? 0 : err_set(ERR_INVALID, "not a point of P-256");
}

/* DER (RFC 3279, section 2.2.3) to r then s. */
static int signature_from_der(const uint8_t *der, size_t len, uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32) == 32
		&& BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32) == 32;

	ECDSA_SIG_free(sig);
	return ok;
}

/* The length of the DER form, which OpenSSL allocates; negative on failure. */
static int signature_to_der(const uint8_t signature[static PROTO_SIGNATURE_SIZE], uint8_t **der)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
	int len = -1;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1)
		len = i2d_ECDSA_SIG(sig, der);
	else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return len;
}

int proto_sign(const struct secret *key, const uint8_t digest[static PROTO_DIGEST_SIZE],
	uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	uint8_t public_key[PROTO_POINT_SIZE], der[DER_SIGNATURE_MAX];
	size_t len = sizeof der;
	EVP_PKEY *pkey = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	int ok;

	if (key->len != PROTO_SCALAR_SIZE || proto_key_public(key->data, public_key) < 0)
		return err_set(ERR_CRYPTO, "not a P-256 private key");
	ok = (pkey = key_of(key->data, public_key)) && (ctx = EVP_PKEY_CTX_new(pkey, NULL))
		&& EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, &len, digest, PROTO_DIGEST_SIZE) == 1
		&& signature_from_der(der, len, signature);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok ? 0 : err_set(ERR_CRYPTO, "ECDSA signing failed");
}

static int sign_with_secret(void *ctx, const uint8_t digest[PROTO_DIGEST_SIZE], uint8_t signature[PROTO_SIGNATURE_SIZE])
{
	return proto_sign(ctx, digest, signature);
}

struct proto_signer proto_signer_of(const struct secret *key)
{
	union {
		const struct secret *in;
		void *out;
	} view = { .in = key };  /* the callback takes any context, and this one only reads it */

	return (struct proto_signer){ .sign = sign_with_secret, .ctx = view.out };
}

int proto_verify(const uint8_t public_key[static PROTO_POINT_SIZE], const uint8_t digest[static PROTO_DIGEST_SIZE],
	const uint8_t signature[static PROTO_SIGNATURE_SIZE])
{
	EVP_PKEY *pkey = proto_public_key(public_key);
	EVP_PKEY_CTX *ctx = pkey ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
	uint8_t *der = NULL;
	int len = signature_to_der(signature, &der);
	int ok = ctx && len > 0 && EVP_PKEY_verify_init(ctx) == 1
		&& EVP_PKEY_verify(ctx, der, (size_t)len, digest, PROTO_DIGEST_SIZE) == 1;

	OPENSSL_free(der);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok ? 0 : err_set(ERR_TAMPERED, "signature does not verify");
}

int proto_ecdh(const uint8_t scalar[static PROTO_SCALAR_SIZE], const uint8_t peer[static PROTO_POINT_SIZE],
	uint8_t shared[static 32])
{
	uint8_t public_key[PROTO_POINT_SIZE];
	EVP_PKEY *own = NULL, *other = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	size_t len = 32;
	int ok;

	if ((other = proto_public_key(peer)) == NULL)
		return err_set(ERR_INVALID, "not a point of P-256");
	ok = proto_key_public(scalar, public_key) == 0 && (own = key_of(scalar, public_key)) && (ctx = EVP_PKEY_CTX_new(own, NULL)) && EVP_PKEY_derive_init(ctx) == 1
		&& EVP_PKEY_derive_set_peer_ex(ctx, other, 0) == 1 && EVP_PKEY_derive(ctx, shared, &len) == 1 && len == 32;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(other);
	EVP_PKEY_free(own);
	return ok ? 0 : err_set(ERR_CRYPTO, "ECDH failed");
}
