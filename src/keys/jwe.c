/* jwe.c - seals a device key with libjose. */
#include "keys/jwe.h"

#include <jose/jwe.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"

#define COORDINATE_SIZE 32

static void set_base64url(json_t *o, const char *name, const void *data, size_t len)
{
	char *text = encode_base64url(data, len);

	json_set_string(o, name, text);
	free(text);
}

/* Uncompressed, on the curve, and not the point at infinity (whose encoding is shorter). */
static int check_point(const uint8_t *point)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *p = group ? EC_POINT_new(group) : NULL;
	int ok = p && point[0] == POINT_CONVERSION_UNCOMPRESSED
		&& EC_POINT_oct2point(group, p, point, JWE_POINT_SIZE, NULL) == 1;

	EC_POINT_free(p);
	EC_GROUP_free(group);
	return ok ? 0 : err_set(ERR_INVALID, "recipient is not a P-256 point");
}

static json_t *public_jwk(const uint8_t *point)
{
	json_t *jwk = json_object();

	json_set_string(jwk, "kty", "EC");
	json_set_string(jwk, "crv", "P-256");
	set_base64url(jwk, "x", point + 1, COORDINATE_SIZE);
	set_base64url(jwk, "y", point + 1 + COORDINATE_SIZE, COORDINATE_SIZE);
	return jwk;
}

static json_t *unsealed(const struct jwe_claims *c)
{
	json_t *header = json_object(), *jwe = json_object();

	json_set_string(header, "alg", "ECDH-ES");
	json_set_string(header, "enc", "A256GCM");
	set_base64url(header, "apu", c->request.bytes, sizeof c->request.bytes);
	set_base64url(header, "apv", c->agent.bytes, sizeof c->agent.bytes);
	json_set_uuid(header, "tenant", &c->tenant);
	json_set_uuid(header, "device", &c->device);
	json_set_int(header, "version", c->version);
	json_set_uuid(header, "request", &c->request);
	json_set_uuid(header, "agent", &c->agent);
	if (json_object_set_new(jwe, "protected", header) < 0)
		fatal("cannot build a JWE");
	return jwe;
}

int jwe_seal(const struct jwe_claims *claims, const uint8_t recipient[static JWE_POINT_SIZE], const struct secret *key,
	struct buf *out)
{
	json_t *jwe, *jwk;
	char *text;
	int rc = check_point(recipient);

	if (rc < 0)
		return rc;
	jwe = unsealed(claims);
	jwk = public_jwk(recipient);
	if (jose_jwe_enc(NULL, jwe, NULL, jwk, key->data, key->len)) {
		text = json_text(jwe);
		buf_reset(out);
		buf_puts(out, text);
		free(text);
	} else {
		rc = err_set(ERR_CRYPTO, "cannot seal");
	}
	json_decref(jwk);
	json_decref(jwe);
	return rc;
}
