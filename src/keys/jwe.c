/* jwe.c - seals a device key: ECDH-ES and A256GCM as RFC 7516 and RFC 7518 have them, out of OpenSSL's EVP alone. */
#include "keys/jwe.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "proto/group.h"

#define COORDINATE_SIZE 32
#define KEY_SIZE 32
#define NONCE_SIZE 12
#define TAG_SIZE 16
#define ENC "A256GCM"

/* Looked up once: fetching by name costs more than most of what they then do. keyd has one thread. */
static struct {
	EVP_KDF *kdf;
	EVP_CIPHER *cipher;
} with;

static void set_up(void)
{
	if (with.kdf)
		return;
	with.kdf = EVP_KDF_fetch(NULL, "SSKDF", NULL);
	with.cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (with.kdf == NULL || with.cipher == NULL)
		fatal("OpenSSL lacks an algorithm that keys are sealed with");
}

static int new_pair(EVP_PKEY **out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, proto_curve(), NULL);
	int ok = ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_keygen(ctx, out) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : err_set(ERR_CRYPTO, "cannot make an ephemeral key");
}

static int agree(EVP_PKEY *own, EVP_PKEY *peer, uint8_t shared[static COORDINATE_SIZE])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	size_t len = COORDINATE_SIZE;
	/* The peer was checked when its point was taken. */
	int ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
		EVP_PKEY_derive(ctx, shared, &len) == 1 && len == COORDINATE_SIZE;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : err_set(ERR_CRYPTO, "no agreement with the recipient");
}

static void add_counted(struct buf *b, const void *data, size_t len)
{
	uint32_t count = htonl((uint32_t)len);

	buf_add(b, &count, sizeof count);
	buf_add(b, data, len);
}

/* RFC 7518, 4.6.2: the Concat KDF of SP 800-56A is OpenSSL's single-step KDF with a plain hash. */
static int derive(const uint8_t shared[static COORDINATE_SIZE], const struct jwe_claims *c, uint8_t key[static KEY_SIZE])
{
	uint32_t bits = htonl(KEY_SIZE * 8);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(with.kdf);
	struct buf info = BUF_INIT;
	OSSL_PARAM params[4];
	int ok;

	add_counted(&info, ENC, strlen(ENC));
	add_counted(&info, c->request.bytes, sizeof c->request.bytes);
	add_counted(&info, c->agent.bytes, sizeof c->agent.bytes);
	buf_add(&info, &bits, sizeof bits);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)shared, COORDINATE_SIZE);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data, info.len);
	params[3] = OSSL_PARAM_construct_end();
	ok = ctx && EVP_KDF_derive(ctx, key, KEY_SIZE, params) == 1;
	EVP_KDF_CTX_free(ctx);
	buf_free(&info);
	return ok ? 0 : err_set(ERR_CRYPTO, "no key from the agreement");
}

/* The parts of the JWE as they travel: base64url. */
struct parts {
	char *header, *x, *y, *nonce, *sealed, *tag;
};

static int encrypt(const uint8_t key[static KEY_SIZE], const struct secret *plain, struct parts *p)
{
	uint8_t nonce[NONCE_SIZE], tag[TAG_SIZE], *sealed = mem_alloc(plain->len + 1);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0;
	int ok = ctx && RAND_bytes(nonce, sizeof nonce) == 1 && EVP_EncryptInit_ex2(ctx, with.cipher, key, nonce, NULL) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)p->header, (int)strlen(p->header)) == 1 &&
		EVP_EncryptUpdate(ctx, sealed, &n, plain->data, (int)plain->len) == 1 &&
		EVP_EncryptFinal_ex(ctx, sealed + n, &rest) == 1 && (size_t)(n + rest) == plain->len &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) == 1;

	EVP_CIPHER_CTX_free(ctx);
	if (ok) {
		p->nonce = encode_base64url(nonce, sizeof nonce);
		p->sealed = encode_base64url(sealed, plain->len);
		p->tag = encode_base64url(tag, sizeof tag);
	}
	free(sealed);
	return ok ? 0 : err_set(ERR_CRYPTO, "cannot seal");
}

static char *encode_header(const struct jwe_claims *c)
{
	char tenant[UUID_TEXT_SIZE], device[UUID_TEXT_SIZE], request[UUID_TEXT_SIZE], agent[UUID_TEXT_SIZE];
	char *apu = encode_base64url(c->request.bytes, sizeof c->request.bytes);
	char *apv = encode_base64url(c->agent.bytes, sizeof c->agent.bytes);
	struct buf text = BUF_INIT;
	char *encoded;

	uuid_text(&c->tenant, tenant);
	uuid_text(&c->device, device);
	uuid_text(&c->request, request);
	uuid_text(&c->agent, agent);
	buf_printf(&text, "{\"alg\":\"ECDH-ES\",\"enc\":\"" ENC "\",\"apu\":\"%s\",\"apv\":\"%s\",\"tenant\":\"%s\",\"device\":\"%s\","
		"\"version\":%u,\"request\":\"%s\",\"agent\":\"%s\"}", apu, apv, tenant, device, (unsigned)c->version, request, agent);
	encoded = encode_base64url(text.data, text.len);
	buf_free(&text);
	free(apu);
	free(apv);
	return encoded;
}

static int encode_ephemeral(EVP_PKEY *pair, struct parts *p)
{
	uint8_t point[JWE_POINT_SIZE];
	size_t len = 0;

	if (EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &len) != 1 || len != sizeof point ||
		point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return err_set(ERR_CRYPTO, "the ephemeral key has no point");
	p->x = encode_base64url(point + 1, COORDINATE_SIZE);
	p->y = encode_base64url(point + 1 + COORDINATE_SIZE, COORDINATE_SIZE);
	return 0;
}

static int seal(EVP_PKEY *recipient, const struct jwe_claims *c, const struct secret *plain, struct parts *p)
{
	uint8_t shared[COORDINATE_SIZE], key[KEY_SIZE];
	EVP_PKEY *pair = NULL;
	int rc = new_pair(&pair);

	if (rc == 0)
		rc = encode_ephemeral(pair, p);
	if (rc == 0)
		rc = agree(pair, recipient, shared);
	if (rc == 0)
		rc = derive(shared, c, key);
	if (rc == 0)
		rc = encrypt(key, plain, p);
	secret_wipe(shared, sizeof shared);
	secret_wipe(key, sizeof key);
	EVP_PKEY_free(pair);
	return rc;
}

static void free_parts(struct parts *p)
{
	free(p->header);
	free(p->x);
	free(p->y);
	free(p->nonce);
	free(p->sealed);
	free(p->tag);
}

int jwe_seal(const struct jwe_claims *claims, const uint8_t recipient[static JWE_POINT_SIZE], const struct secret *key,
	struct buf *out)
{
	struct parts p = { .header = encode_header(claims) };
	EVP_PKEY *peer = proto_public_key(recipient);
	int rc = peer ? 0 : err_set(ERR_INVALID, "recipient is not a P-256 point");

	set_up();
	if (rc == 0)
		rc = seal(peer, claims, key, &p);
	if (rc == 0) {
		buf_reset(out);
		buf_printf(out, "{\"protected\":\"%s\",\"header\":{\"epk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}},"
			"\"iv\":\"%s\",\"ciphertext\":\"%s\",\"tag\":\"%s\"}", p.header, p.x, p.y, p.nonce, p.sealed, p.tag);
	}
	EVP_PKEY_free(peer);
	free_parts(&p);
	return rc;
}
