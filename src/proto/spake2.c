/* spake2.c - SPAKE2 (RFC 9382) on OpenSSL's points. OpenSSL has no SPAKE2, but its point multiplication is constant
 * time. */
#include "proto/spake2.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <string.h>

#include "base/err.h"
#include "proto/group.h"

/* RFC 9382, section 6: M and N for P-256, whose discrete logarithms nobody knows. */
static const uint8_t point_m[33] = {
	0x02, 0x88, 0x6e, 0x2f, 0x97, 0xac, 0xe4, 0x6e, 0x55, 0xba, 0x9d, 0xd7, 0x24, 0x25, 0x79, 0xf2, 0x99,
	0x3b, 0x64, 0xe1, 0x6e, 0xf3, 0xdc, 0xab, 0x95, 0xaf, 0xd4, 0x97, 0x33, 0x3d, 0x8f, 0xa1, 0x2f,
};
static const uint8_t point_n[33] = {
	0x03, 0xd8, 0xbb, 0xd6, 0xc6, 0x39, 0xc6, 0x29, 0x37, 0xb0, 0x4d, 0x99, 0x7f, 0x38, 0xc3, 0x77, 0x07,
	0x19, 0xc6, 0x29, 0xd7, 0x01, 0x4d, 0x49, 0xa2, 0x4b, 0x4f, 0x98, 0xba, 0xa1, 0x29, 0x2b, 0x49,
};

/* What a computation needs from OpenSSL, made and released together. */
struct work {
	BN_CTX *ctx;
	const EC_GROUP *group;
	EC_POINT *blind, *peer, *sum;
	BIGNUM *w, *secret;
};

static void work_end(struct work *k)
{
	BN_clear_free(k->secret);
	BN_clear_free(k->w);
	EC_POINT_clear_free(k->sum);
	EC_POINT_clear_free(k->peer);
	EC_POINT_clear_free(k->blind);
	BN_CTX_free(k->ctx);
}

/* blind = w * the constant of ROLE. */
static int work_begin(struct work *k, const struct proto_spake2 *s, enum proto_spake2_role role)
{
	const uint8_t *constant = role == PROTO_SPAKE2_A ? point_m : point_n;

	*k = (struct work){ .ctx = BN_CTX_secure_new(), .group = proto_group() };
	if (!k->ctx)
		return 0;
	k->blind = EC_POINT_new(k->group);
	k->peer = EC_POINT_new(k->group);
	k->sum = EC_POINT_new(k->group);
	k->w = BN_secure_new();
	k->secret = BN_secure_new();
	return k->blind && k->peer && k->sum && k->w && k->secret && BN_bin2bn(s->w, PROTO_SCALAR_SIZE, k->w)
		&& BN_bin2bn(s->secret, PROTO_SCALAR_SIZE, k->secret)
		&& EC_POINT_oct2point(k->group, k->peer, constant, sizeof point_m, k->ctx) == 1
		&& EC_POINT_mul(k->group, k->blind, NULL, k->peer, k->w, k->ctx) == 1;
}

static int work_point(struct work *k, const EC_POINT *p, uint8_t out[static PROTO_POINT_SIZE])
{
	return EC_POINT_point2oct(k->group, p, POINT_CONVERSION_UNCOMPRESSED, out, PROTO_POINT_SIZE, k->ctx)
		== PROTO_POINT_SIZE;
}

int proto_spake2_reduce(const uint8_t *hash, size_t len, uint8_t w[static PROTO_SCALAR_SIZE])
{
	BN_CTX *ctx = BN_CTX_secure_new();
	BIGNUM *n = BN_secure_new();
	int ok = ctx && n && BN_bin2bn(hash, (int)len, n) && BN_nnmod(n, n, EC_GROUP_get0_order(proto_group()), ctx)
		&& BN_bn2binpad(n, w, PROTO_SCALAR_SIZE) == PROTO_SCALAR_SIZE;

	BN_clear_free(n);
	BN_CTX_free(ctx);
	return ok ? 0 : err_set(ERR_CRYPTO, "cannot reduce a password hash");
}

int proto_spake2_share(const struct proto_spake2 *s, uint8_t share[static PROTO_POINT_SIZE])
{
	struct work k;
	int ok = work_begin(&k, s, s->role) && EC_POINT_mul(k.group, k.sum, k.secret, NULL, NULL, k.ctx) == 1
		&& EC_POINT_add(k.group, k.sum, k.sum, k.blind, k.ctx) == 1 && work_point(&k, k.sum, share);

	work_end(&k);
	return ok ? 0 : err_set(ERR_CRYPTO, "SPAKE2 share failed");
}

/* K = secret * (the peer's share less the peer's blinding). */
static int shared_point(const struct proto_spake2 *s, const uint8_t *peer, uint8_t out[static PROTO_POINT_SIZE])
{
	struct work k;
	int ok = work_begin(&k, s, s->role == PROTO_SPAKE2_A ? PROTO_SPAKE2_B : PROTO_SPAKE2_A)
		&& EC_POINT_oct2point(k.group, k.peer, peer, PROTO_POINT_SIZE, k.ctx) == 1
		&& EC_POINT_invert(k.group, k.blind, k.ctx) == 1
		&& EC_POINT_add(k.group, k.sum, k.peer, k.blind, k.ctx) == 1
		&& !EC_POINT_is_at_infinity(k.group, k.sum)
		&& EC_POINT_mul(k.group, k.sum, NULL, k.sum, k.secret, k.ctx) == 1 && work_point(&k, k.sum, out);

	work_end(&k);
	return ok ? 0 : err_set(ERR_INVALID, "peer's SPAKE2 share is not usable");
}

/* Length as 8 bytes, little-endian, then the bytes: the RFC's own order, unlike everything else here. */
static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
	for (int i = 0; i < 8; i++)
		*at++ = (uint8_t)((uint64_t)len >> (8 * i));
	memcpy(at, data, len);
	return at + len;
}

static struct secret *transcript(
	const struct proto_spake2 *s, const uint8_t *share_a, const uint8_t *share_b, const uint8_t *k)
{
	size_t a = strlen(s->id_a), b = strlen(s->id_b);
	struct secret *tt = secret_new(6 * 8 + a + b + 3 * PROTO_POINT_SIZE + PROTO_SCALAR_SIZE);
	uint8_t *at = put(tt->data, s->id_a, a);

	at = put(at, s->id_b, b);
	at = put(at, share_a, PROTO_POINT_SIZE);
	at = put(at, share_b, PROTO_POINT_SIZE);
	at = put(at, k, PROTO_POINT_SIZE);
	put(at, s->w, PROTO_SCALAR_SIZE);
	return tt;
}

int proto_spake2_finish(const struct proto_spake2 *s, const uint8_t share_a[static PROTO_POINT_SIZE],
	const uint8_t share_b[static PROTO_POINT_SIZE], struct proto_spake2_keys *out)
{
	const uint8_t *peer = s->role == PROTO_SPAKE2_A ? share_b : share_a;
	uint8_t k[PROTO_POINT_SIZE], hash[PROTO_DIGEST_SIZE], confirm[32];
	struct proto_spake2_keys keys;
	struct secret *tt = NULL;
	int rc = proto_point_check(peer);

	if (rc == 0)
		rc = shared_point(s, peer, k);
	if (rc == 0) {
		tt = transcript(s, share_a, share_b, k);
		rc = proto_sha256(tt->data, tt->len, hash);      /* Ke, then Ka */
	}
	if (rc == 0) {
		uint8_t prk[32];

		rc = proto_hkdf_extract(NULL, 0, hash + 16, 16, prk);
		if (rc == 0)
			rc = proto_hkdf_expand(
				prk, sizeof prk, "ConfirmationKeys", s->aad, s->aad_len, confirm, sizeof confirm);
		secret_wipe(prk, sizeof prk);
	}
	if (rc == 0)
		rc = proto_hmac(confirm, 16, tt->data, tt->len, keys.confirm_a);
	if (rc == 0)
		rc = proto_hmac(confirm + 16, 16, tt->data, tt->len, keys.confirm_b);
	if (rc == 0) {
		memcpy(keys.ke, hash, 16);
		*out = keys;
	}
	secret_free(tt);
	secret_wipe(&keys, sizeof keys);
	secret_wipe(confirm, sizeof confirm);
	secret_wipe(hash, sizeof hash);
	secret_wipe(k, sizeof k);
	return rc;
}
