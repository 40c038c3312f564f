/* answer_export.c - a device key, encrypted under a person's passphrase (KEY-5; base/exported.h). The passphrase was made into the export
 * key by who asked, so nothing here takes long and releases do not wait for it. */
#include "keys/act.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/err.h"
#include "base/exported.h"
#include "keys/export.h"

static int derive(const uint8_t *export_key, const uint8_t *salt, const struct buf *info, uint8_t *out)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)export_key, EXPORTED_KEY_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, EXPORTED_FILE_SALT_SIZE),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info->data, info->len),
		OSSL_PARAM_construct_end()
	};
	int ok = ctx && EVP_KDF_derive(ctx, out, EXPORTED_KEY_SIZE, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

static int encrypt(const uint8_t *key, const uint8_t *nonce, const struct buf *info, struct wire_view fields, const struct secret *plain,
	uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n, ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1
		&& EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)info->data, (int)info->len) == 1
		&& EVP_EncryptUpdate(ctx, NULL, &n, fields.data, (int)fields.len) == 1
		&& EVP_EncryptUpdate(ctx, out, &n, plain->data, (int)plain->len) == 1
		&& EVP_EncryptFinal_ex(ctx, out + n, &n) == 1
		&& EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, EXPORTED_TAG_SIZE, out + plain->len) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

int export_seal(const struct exported_label *label, const uint8_t *export_key, struct wire_view fields, const struct secret *plain,
	struct buf *out)
{
	struct secret *file_key = secret_new(EXPORTED_KEY_SIZE);
	struct buf info = BUF_INIT, sealed = BUF_INIT;
	uint8_t *salt = buf_extend(&sealed, EXPORTED_OVERHEAD + plain->len), *nonce = salt + EXPORTED_FILE_SALT_SIZE;
	int ok;

	exported_info(label, &info);
	ok = RAND_bytes(salt, EXPORTED_FILE_SALT_SIZE + EXPORTED_NONCE_SIZE) == 1 && derive(export_key, salt, &info, file_key->data)
		&& encrypt(file_key->data, nonce, &info, fields, plain, nonce + EXPORTED_NONCE_SIZE);
	if (ok) {
		buf_free(out);
		*out = sealed;
	} else {
		buf_free(&sealed);
	}
	secret_free(file_key);
	buf_free(&info);
	return ok ? 0 : err_set(ERR_CRYPTO, "the key cannot be encrypted");
}

int answer_device_export(struct act *a)
{
	struct hierarchy_tenant tenant;
	struct blob_label label = act_device(a, &tenant);
	struct wire_view wrapped = wire_get_bytes(&a->in, KEYS_BLOB_MAX), export_key = wire_get_raw(&a->in, EXPORTED_KEY_SIZE);
	struct wire_view fields = wire_get_bytes(&a->in, EXPORTED_FIELDS_MAX);
	const struct act_asked asked = act_asked(a);
	uint8_t bound_to[TICKET_POINT_SIZE];
	struct ticket_claims what = { .kind = TICKET_EXPORT, .tenant = tenant.id, .object = label.object, .version = label.version,
		.request = a->request, .recipient = bound_to };
	struct exported_label bound = { .device = label.object, .version = label.version };
	struct secret *key = NULL;
	struct buf sealed = BUF_INIT;
	int rc = wire_end(&a->in);

	bound.tenant = tenant.id;
	if (rc == 0)
		ticket_export(export_key.data, bound_to);
	rc = act_prove_asked(a, rc, &asked, &what);
	if (rc == 0)
		rc = act_device_key(a, &tenant, &label, wrapped, &key);
	if (rc == 0)
		rc = export_seal(&bound, export_key.data, fields, key, &sealed);
	if (rc == 0)
		rc = act_put(a, &sealed);
	secret_free(key);
	buf_free(&sealed);
	return rc;
}
