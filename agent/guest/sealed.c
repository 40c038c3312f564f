/* sealed.c - the guest's end of key delivery. What the JWE claims is checked before it is decrypted. */
#include "agent/guest/sealed.h"

#include <jose/b64.h>
#include <jose/jwe.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"

#define SCALAR_SIZE 32
#define STACK_USED 32768             /* more than libjose and OpenSSL reach down to; they leave pieces of keys there */
#define HEADER_MEMBERS 9             /* alg enc apu apv tenant device version request agent */

struct sealed {
	struct secret *scalar;
	uint8_t point[SEALED_POINT_SIZE];
};

int sealed_new(struct sealed **out)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	struct secret *scalar = secret_new(SCALAR_SIZE);
	uint8_t point[SEALED_POINT_SIZE];
	BIGNUM *d = NULL;
	size_t len = 0;
	int ok = pair && EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_PRIV_KEY, &d) == 1
		&& BN_bn2binpad(d, scalar->data, SCALAR_SIZE) == SCALAR_SIZE
		&& EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof point, &len) == 1
		&& len == sizeof point;

	BN_clear_free(d);
	EVP_PKEY_free(pair);
	if (!ok) {
		secret_free(scalar);
		return err_set(ERR_CRYPTO, "cannot make a one-time key");
	}
	*out = mem_alloc(sizeof **out);
	(*out)->scalar = scalar;
	memcpy((*out)->point, point, sizeof point);
	return 0;
}

void sealed_public(const struct sealed *s, uint8_t point[static SEALED_POINT_SIZE])
{
	memcpy(point, s->point, SEALED_POINT_SIZE);
}

void sealed_free(struct sealed *s)
{
	if (s)
		secret_free(s->scalar);
	free(s);
}

static int check_text(const json_t *o, const char *name, const char *want)
{
	const char *text;
	int rc = json_get_string(o, name, 64, &text);

	if (rc < 0)
		return rc;
	return strcmp(text, want) == 0 ? 0 : err_set(ERR_INVALID, "sealed key: %s is %s, not %s", name, text, want);
}

static int check_id(const json_t *header, const char *name, const struct uuid *want)
{
	struct uuid id;
	int rc = json_get_uuid(header, name, &id);

	if (rc < 0)
		return rc;
	return uuid_equal(&id, want) ? 0 : err_set(ERR_TAMPERED, "sealed key is for another %s", name);
}

static int check_version(const json_t *header, uint32_t want)
{
	int64_t version = 0;
	int rc = json_get_int(header, "version", 1, UINT32_MAX, &version);

	if (rc < 0)
		return rc;
	return version == want ? 0 : err_set(ERR_TAMPERED, "sealed key is of another version");
}

static int check_party(const json_t *header, const char *name, const struct uuid *want)
{
	char *text = encode_base64url(want->bytes, sizeof want->bytes);
	int rc = check_text(header, name, text);

	free(text);
	return rc;
}

static int check_header(const json_t *header, const struct sealed_expected *e)
{
	int rc = json_object_size(header) == HEADER_MEMBERS ? 0 : err_set(ERR_INVALID, "sealed key: unknown header members");

	if (rc == 0)
		rc = check_text(header, "alg", "ECDH-ES");
	if (rc == 0)
		rc = check_text(header, "enc", "A256GCM");
	if (rc == 0)
		rc = check_id(header, "tenant", &e->tenant);
	if (rc == 0)
		rc = check_id(header, "device", &e->device);
	if (rc == 0)
		rc = check_version(header, e->version);
	if (rc == 0)
		rc = check_id(header, "request", &e->request);
	if (rc == 0)
		rc = check_id(header, "agent", &e->agent);
	if (rc == 0)
		rc = check_party(header, "apu", &e->request);
	if (rc == 0)
		rc = check_party(header, "apv", &e->agent);
	return rc;
}

/* Members that nobody authenticates may carry the ephemeral key and nothing else: no algorithm can come in that way. */
static int check_outside(const json_t *jwe)
{
	static const char *const members[] = { "protected", "header", "iv", "ciphertext", "tag" };
	json_t *header = NULL, *epk = NULL;
	int rc = json_object_size(jwe) == ARRAY_LEN(members) ? 0 : err_set(ERR_INVALID, "sealed key: unknown members");

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(members); i++)
		if (json_object_get(jwe, members[i]) == NULL)
			rc = err_set(ERR_INVALID, "sealed key: no %s", members[i]);
	if (rc == 0)
		rc = json_get_object(jwe, "header", &header);
	if (rc == 0)
		rc = json_get_object(header, "epk", &epk);
	if (rc == 0 && json_object_size(header) != 1)
		rc = err_set(ERR_INVALID, "sealed key: unprotected header members");
	return rc;
}

static int check_protected(const json_t *jwe, const struct sealed_expected *e)
{
	struct buf text = BUF_INIT;
	json_t *header = NULL;
	const char *encoded;
	int rc = json_get_string(jwe, "protected", SEALED_JWE_MAX, &encoded);

	if (rc == 0)
		rc = decode_base64url(encoded, &text);
	if (rc == 0)
		rc = json_parse_object(buf_str(&text), text.len, SEALED_JWE_MAX, &header);
	if (rc == 0)
		rc = check_header(header, e);
	json_decref(header);
	buf_free(&text);
	return rc;
}

/* libjose wants the private key as JSON: it lives there only while a JWE is opened. What encode_base64url gives is wiped. */
static json_t *private_jwk(const struct sealed *s)
{
	json_t *jwk = json_object();
	char *x = encode_base64url(s->point + 1, SCALAR_SIZE), *y = encode_base64url(s->point + 1 + SCALAR_SIZE, SCALAR_SIZE);
	char *d = encode_base64url(s->scalar->data, SCALAR_SIZE);

	json_set_string(jwk, "kty", "EC");
	json_set_string(jwk, "crv", "P-256");
	json_set_string(jwk, "x", x);
	json_set_string(jwk, "y", y);
	json_set_string(jwk, "d", d);
	secret_wipe(d, strlen(d));
	free(d);
	free(y);
	free(x);
	return jwk;
}

static void free_private_jwk(json_t *jwk)
{
	json_t *d = json_object_get(jwk, "d");
	union { const char *held; char *wiped; } text = { .held = json_string_value(d) };

	secret_wipe(text.wiped, json_string_length(d));
	json_decref(jwk);
}

/* jose_jwe_dec would gather the key in a heap buffer that moves as it grows: it goes straight into the secret instead.
 * 1 when all of it was authentic. */
static int decrypt_into(const json_t *jwe, const json_t *jwk, const char *ciphertext, struct secret *key)
{
	size_t room = key->len;
	jose_io_t *sink = jose_io_buffer(NULL, key->data, &room);
	jose_io_t *aes = sink ? jose_jwe_dec_io(NULL, jwe, NULL, jwk, sink) : NULL;
	jose_io_t *base64 = aes ? jose_b64_dec_io(aes) : NULL;
	int ok = base64 && base64->feed(base64, ciphertext, strlen(ciphertext)) && base64->done(base64) && room == key->len;

	jose_io_decref(base64);
	jose_io_decref(aes);
	jose_io_decref(sink);
	return ok;
}

static int decrypt(const struct sealed *s, const json_t *jwe, size_t most, struct secret **key)
{
	struct secret *found;
	const char *text;
	json_t *jwk;
	size_t len;
	int rc = json_get_string(jwe, "ciphertext", SEALED_JWE_MAX, &text);

	if (rc < 0)
		return rc;
	len = strlen(text) * 3 / 4;          /* base64url without padding */
	if (len == 0 || len > most)
		return err_set(ERR_INVALID, "sealed key of %zu bytes", len);
	found = secret_new(len);
	jwk = private_jwk(s);
	if (decrypt_into(jwe, jwk, text, found)) {
		*key = found;
	} else {
		secret_free(found);
		rc = err_set(ERR_TAMPERED, "sealed key does not open");
	}
	free_private_jwk(jwk);
	sodium_stackzero(STACK_USED);
	return rc;
}

int sealed_open(const struct sealed *s, const char *jwe, size_t len, const struct sealed_expected *expected,
	struct secret **key)
{
	json_t *o = NULL;
	int rc = json_parse_object(jwe, len, SEALED_JWE_MAX, &o);

	if (rc == 0)
		rc = check_outside(o);
	if (rc == 0)
		rc = check_protected(o, expected);
	if (rc == 0)
		rc = decrypt(s, o, expected->most ? expected->most : SEALED_KEY_MAX, key);
	json_decref(o);
	return rc;
}
