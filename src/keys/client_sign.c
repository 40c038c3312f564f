/* client_sign.c - what the installation signs: activation codes, certificates of destruction. */
#include <string.h>

#include "base/err.h"
#include "keys/client_part.h"

int keys_signing_create(struct keys_client *c, const struct uuid *request, const char *purpose, struct buf *blob,
	uint8_t public_key[static KEYS_SIGNING_PUBLIC_SIZE])
{
	struct buf *b = client_begin(c, MESSAGE_signing_create, request);
	struct wire_view v, key;
	struct wire_reader r;
	int rc;

	wire_put_string(b, purpose);
	rc = client_call(c, &r);
	if (rc < 0)
		return client_finish(c, rc);
	v = wire_get_bytes(&r, KEYS_BLOB_MAX);
	key = wire_get_raw(&r, KEYS_SIGNING_PUBLIC_SIZE);
	rc = client_end(&r);
	if (rc < 0)
		return client_finish(c, rc);
	buf_reset(blob);
	buf_add(blob, v.data, v.len);
	memcpy(public_key, key.data, KEYS_SIGNING_PUBLIC_SIZE);
	return client_finish(c, 0);
}

int keys_sign(struct keys_client *c, const struct uuid *request, const char *purpose, struct wire_view blob, struct wire_view text,
	uint8_t signature[static KEYS_SIGNATURE_SIZE])
{
	struct buf *b;
	int rc = client_check_size(text.len, KEYS_SIGNED_MAX, "text to sign");

	if (rc == 0)
		rc = client_check_size(blob.len, KEYS_BLOB_MAX, "blob");
	if (rc < 0)
		return rc;
	b = client_begin(c, MESSAGE_signing_sign, request);
	wire_put_string(b, purpose);
	wire_put_bytes(b, blob.data, blob.len);
	wire_put_bytes(b, text.data, text.len);
	return client_call_for_raw(c, signature, KEYS_SIGNATURE_SIZE);
}

int keys_signer_make(void *ctx, const char *purpose, struct buf *blob, uint8_t public_key[static KEYS_SIGNING_PUBLIC_SIZE])
{
	const struct keys_signer *s = ctx;

	return keys_signing_create(s->keys, &s->request, purpose, blob, public_key);
}

int keys_signer_sign(void *ctx, const char *purpose, const struct buf *blob, const struct buf *text,
	uint8_t signature[static KEYS_SIGNATURE_SIZE])
{
	const struct keys_signer *s = ctx;

	return keys_sign(s->keys, &s->request, purpose, wire_view_of(blob), wire_view_of(text), signature);
}
