/* answer_sign.c - keys that the installation signs documents with: activation codes, certificates of destruction. Ed25519 (RFC 8032), one key
 * for each purpose, kept outside as a blob like other secrets of the installation, but opened for nobody. */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "keys/act.h"
#include "keys/client.h"

int act_is_signing(const char *purpose)
{
	return strncmp(purpose, "system/" KEYS_SIGNING, strlen("system/" KEYS_SIGNING)) == 0;
}

static void get_purpose(struct act *a, char purpose[static ACT_PURPOSE_SIZE])
{
	act_purpose(a, "system", purpose);
	if (!act_is_signing(purpose) && a->in.error == 0)
		a->in.error = ERR_INVALID;
}

int answer_signing_create(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct blob_label label = { .purpose = purpose };
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
	struct secret *seed, *pair;
	struct buf blob = BUF_INIT;
	int rc;

	get_purpose(a, purpose);
	rc = wire_end(&a->in);
	if (rc < 0)
		return rc;
	seed = secret_random(crypto_sign_SEEDBYTES);
	pair = secret_new(crypto_sign_SECRETKEYBYTES);
	crypto_sign_seed_keypair(public_key, pair->data, seed->data);
	rc = hierarchy_root_wrap(&a->service->keys, &label, seed, &blob);
	if (rc == 0)
		rc = act_put(a, &blob);
	if (rc == 0)
		wire_put_raw(a->out, public_key, sizeof public_key);
	secret_free(seed);
	secret_free(pair);
	buf_free(&blob);
	return rc;
}

int answer_signing_sign(struct act *a)
{
	char purpose[ACT_PURPOSE_SIZE];
	struct blob_label label = { .purpose = purpose };
	uint8_t public_key[crypto_sign_PUBLICKEYBYTES], signature[crypto_sign_BYTES];
	struct secret *seed = NULL, *pair;
	struct wire_view blob, text;
	int rc;

	get_purpose(a, purpose);
	blob = wire_get_bytes(&a->in, KEYS_BLOB_MAX);
	text = wire_get_bytes(&a->in, KEYS_SIGNED_MAX);
	rc = wire_end(&a->in);
	if (rc == 0)
		rc = hierarchy_root_unwrap(&a->service->keys, &label, blob, &seed);
	if (rc == 0 && seed->len != crypto_sign_SEEDBYTES)
		rc = err_set(ERR_TAMPERED, "not a signing key");
	if (rc == 0) {
		pair = secret_new(crypto_sign_SECRETKEYBYTES);
		crypto_sign_seed_keypair(public_key, pair->data, seed->data);
		crypto_sign_detached(signature, NULL, text.data, text.len, pair->data);
		wire_put_raw(a->out, signature, sizeof signature);
		secret_free(pair);
	}
	secret_free(seed);
	return rc;
}
