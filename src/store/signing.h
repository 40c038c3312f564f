/* signing.h - the keys that this installation signs documents with (keys/client.h, KEYS_SIGNING_...), as rows of the settings: the blob for
 * keyd, the public half for everybody; and the installation's own id. PURPOSE: "signing-licence", ... */
#ifndef STORE_SIGNING_H
#define STORE_SIGNING_H

#include "base/buf.h"
#include "store/db.h"

#define SIGNING_PUBLIC_SIZE 32
#define SIGNING_SIZE 64
#define SIGNING_LICENCE "signing-licence"
#define SIGNING_CERTIFICATE "signing-certificate"
#define SIGNING_LOG "signing-log"

/* Any role. ERR_NOT_FOUND: none was made yet. */
int signing_public(struct db *db, const char *purpose, uint8_t public_key[static SIGNING_PUBLIC_SIZE]);
/* The public half in PEM form, for openssl; and read again: ERR_INVALID. */
void signing_pem(const uint8_t public_key[static SIGNING_PUBLIC_SIZE], struct buf *out);
int signing_pem_read(const char *pem, uint8_t public_key[static SIGNING_PUBLIC_SIZE]);
/* Who makes and uses the keys: the key service, as its client has it (keys/client.h, struct keys_signer). */
struct signing_by {
	void *ctx;
	int (*make)(void *ctx, const char *purpose, struct buf *blob, uint8_t public_key[static SIGNING_PUBLIC_SIZE]);
	int (*sign)(void *ctx, const char *purpose, const struct buf *blob, const struct buf *text, uint8_t signature[static SIGNING_SIZE]);
};
/* Central and jobs. Signs TEXT; the first time it has the key made, which is kept in the same transaction. */
int signing_sign(struct db *db, const struct signing_by *by, const char *purpose, const struct buf *text,
	uint8_t signature[static SIGNING_SIZE]);
/* Any role. */
int installation_id(struct db *db, struct uuid *out);

#endif
