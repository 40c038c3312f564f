/* signing.c - signing keys among the settings. */
#include "store/signing.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/setting.h"

/* The setting's bytes; the caller frees OUT. */
static int get(struct db *db, int is_public, const char *purpose, struct buf *out)
{
	char *name = mem_printf("%s%s", is_public ? "public." : "", purpose);
	json_t *value = NULL;
	int rc = is_public ? setting_get_public(db, name, &value) : setting_get(db, name, &value);

	if (rc == 0 && !json_is_string(value))
		rc = err_set(ERR_DB, "setting %s is damaged", name);
	if (rc == 0)
		rc = decode_base64url(json_string_value(value), out);
	json_decref(value);
	free(name);
	return rc;
}

int signing_public(struct db *db, const char *purpose, uint8_t public_key[static SIGNING_PUBLIC_SIZE])
{
	struct buf b = BUF_INIT;
	int rc = get(db, 1, purpose, &b);

	if (rc == 0 && b.len != SIGNING_PUBLIC_SIZE)
		rc = err_set(ERR_DB, "the public key %s is damaged", purpose);
	if (rc == 0)
		memcpy(public_key, b.data, SIGNING_PUBLIC_SIZE);
	buf_free(&b);
	return rc;
}

void signing_pem(const uint8_t public_key[static SIGNING_PUBLIC_SIZE], struct buf *out)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, SIGNING_PUBLIC_SIZE);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (key == NULL || bio == NULL || PEM_write_bio_PUBKEY(bio, key) != 1)
		fatal("a public key cannot be written");
	len = BIO_get_mem_data(bio, &text);
	buf_add(out, text, (size_t)len);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

int signing_pem_read(const char *pem, uint8_t public_key[static SIGNING_PUBLIC_SIZE])
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	size_t len = SIGNING_PUBLIC_SIZE;
	int good = key && EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, public_key, &len) == 1 && len == SIGNING_PUBLIC_SIZE;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return good ? 0 : err_set(ERR_INVALID, "not a public key of the kind that logs are signed with (Ed25519, PEM)");
}

static int keep(struct db *db, const char *purpose, const struct buf *blob, const uint8_t public_key[static SIGNING_PUBLIC_SIZE])
{
	char *texts[2] = { encode_base64url(blob->data, blob->len), encode_base64url(public_key, SIGNING_PUBLIC_SIZE) };
	int rc = db_run(db, "select signing_keep($1, $2, $3)", DB_ARGS(db_text_arg(purpose), db_text_arg(texts[0]), db_text_arg(texts[1])));

	free(texts[0]);
	free(texts[1]);
	return rc < 0 ? rc : audit_log(db, AUDIT_SIGNING_KEY, &(struct audit_object){ "signing-key", NULL, purpose }, NULL);
}

/* Of two at once the first one's stays, and both use it. */
static int make(struct db *db, const struct signing_by *by, const char *purpose, struct buf *blob)
{
	uint8_t public_key[SIGNING_PUBLIC_SIZE];
	int rc = by->make(by->ctx, purpose, blob, public_key);

	if (rc == 0)
		rc = keep(db, purpose, blob, public_key);
	buf_reset(blob);
	return rc < 0 ? rc : get(db, 0, purpose, blob);
}

int signing_sign(struct db *db, const struct signing_by *by, const char *purpose, const struct buf *text,
	uint8_t signature[static SIGNING_SIZE])
{
	struct buf blob = BUF_INIT;
	int rc = get(db, 0, purpose, &blob);

	if (rc == ERR_NOT_FOUND)
		rc = make(db, by, purpose, &blob);
	if (rc == 0)
		rc = by->sign(by->ctx, purpose, &blob, text, signature);
	buf_free(&blob);
	return rc;
}

int installation_id(struct db *db, struct uuid *out)
{
	json_t *value = NULL;
	int rc = setting_get_public(db, "public.installation", &value);

	if (rc == 0 && (!json_is_string(value) || uuid_parse(json_string_value(value), out) < 0))
		rc = err_set(ERR_DB, "the installation has no id");
	json_decref(value);
	return rc;
}
