/* provider_passphrase.c - the root key in a file under a key that is made from a passphrase; nobody but people knows the passphrase,
 * so keyd starts sealed. The file's bytes are
 *
 *     8 bytes "KWPASS1\n", 16 bytes id, 16 bytes salt, u32 passes, u32 memory in KiB, the root key as a blob (blob.h)
 *
 * The blob's wrapping key is argon2id (RFC 9106, version 1.3, one lane, 32 bytes) of the passphrase; its id is the root key's.
 * A new passphrase wraps the same root key again: nothing below it changes. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/keyfile.h"
#include "base/mem.h"
#include "keys/provider.h"

#define MAGIC "KWPASS1\n"
#define MAGIC_SIZE 8
#define SALT_SIZE 16
#define FILE_SIZE (MAGIC_SIZE + 16 + SALT_SIZE + 4 + 4 + BLOB_OVERHEAD + BLOB_KEY_SIZE)
#define PASSES 3
#define MEMORY_KIB (256u * 1024)
/* A file that asks for more would keep keyd busy for hours, or out of memory. */
#define PASSES_MAX 64
#define MEMORY_KIB_MAX (4u * 1024 * 1024)

struct provider_root {
	struct uuid id;
	uint8_t salt[SALT_SIZE];
	uint32_t passes, memory_kib;
	struct buf wrapped;
	struct secret *key;          /* NULL: sealed */
};

_Static_assert(SALT_SIZE == crypto_pwhash_argon2id_SALTBYTES, "libsodium's salt");

static const struct blob_label label = { .purpose = "key/root", .version = 1 };

static int derive(const struct provider_root *r, const struct secret *passphrase, struct secret **out)
{
	struct secret *key = secret_new(BLOB_KEY_SIZE);
	size_t memory = (size_t)r->memory_kib * 1024;

	if (crypto_pwhash_argon2id(key->data, key->len, (const char *)passphrase->data, passphrase->len, r->salt, r->passes, memory,
			crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
		secret_free(key);
		return err_set(ERR_CRYPTO, "not enough memory to try the passphrase: %zu MiB are needed", memory >> 20);
	}
	*out = key;
	return 0;
}

static int check_passphrase(const struct secret *passphrase)
{
	if (passphrase->len < PROVIDER_PASSPHRASE_MIN || passphrase->len > PROVIDER_PASSPHRASE_MAX)
		return err_set(ERR_INVALID, "a passphrase has %d to %d bytes", PROVIDER_PASSPHRASE_MIN, PROVIDER_PASSPHRASE_MAX);
	return 0;
}

/* Under a new salt. */
static int wrap_root(struct provider_root *r, const struct secret *passphrase)
{
	struct secret *key = NULL;
	int rc = check_passphrase(passphrase);

	if (rc < 0)
		return rc;
	randombytes_buf(r->salt, sizeof r->salt);
	r->passes = PASSES;
	r->memory_kib = MEMORY_KIB;
	rc = derive(r, passphrase, &key);
	if (rc == 0)
		rc = blob_wrap(&r->id, key->data, &label, r->key, &r->wrapped);
	secret_free(key);
	return rc;
}

static void put_file(const struct provider_root *r, struct buf *out)
{
	wire_put_raw(out, MAGIC, MAGIC_SIZE);
	wire_put_uuid(out, &r->id);
	wire_put_raw(out, r->salt, sizeof r->salt);
	wire_put_u32(out, r->passes);
	wire_put_u32(out, r->memory_kib);
	wire_put_raw(out, r->wrapped.data, r->wrapped.len);
}

static int take_file(const struct secret *file, const char *path, struct provider_root *r)
{
	struct wire_reader in = wire_read(file->data, file->len);
	struct wire_view magic = wire_get_raw(&in, MAGIC_SIZE), salt, blob;

	r->id = wire_get_uuid(&in);
	salt = wire_get_raw(&in, SALT_SIZE);
	r->passes = wire_get_u32(&in);
	r->memory_kib = wire_get_u32(&in);
	blob = wire_get_raw(&in, BLOB_OVERHEAD + BLOB_KEY_SIZE);
	if (wire_end(&in) < 0 || memcmp(magic.data, MAGIC, MAGIC_SIZE) != 0)
		return err_set(ERR_TAMPERED, "%s is not a root key file of provider passphrase", path);
	if (r->passes < crypto_pwhash_argon2id_OPSLIMIT_MIN || r->passes > PASSES_MAX || r->memory_kib < 8
		|| r->memory_kib > MEMORY_KIB_MAX)
		return err_set(ERR_TAMPERED, "%s is damaged: its costs cannot be meant", path);
	memcpy(r->salt, salt.data, SALT_SIZE);
	buf_add(&r->wrapped, blob.data, blob.len);
	return 0;
}

static void passphrase_close(struct provider_root *r)
{
	if (r) {
		secret_free(r->key);
		buf_free(&r->wrapped);
	}
	free(r);
}

static int create(const char *path, const struct secret *passphrase, struct provider_root *r)
{
	struct buf file = BUF_INIT;
	int rc;

	r->id = uuid_new();
	r->key = secret_random(BLOB_KEY_SIZE);
	rc = wrap_root(r, passphrase);
	put_file(r, &file);
	if (rc == 0)
		rc = keyfile_create(path, file.data, file.len);
	buf_free(&file);
	return rc;
}

static int passphrase_open(const struct provider_options *options, struct provider_root **out)
{
	struct provider_root *r = mem_alloc(sizeof *r);
	struct secret *file = NULL;
	int rc = keyfile_get(options->file, options->location, FILE_SIZE, &file);

	if (rc == 0)
		rc = take_file(file, options->location, r);
	else if (rc == ERR_NOT_FOUND && options->may_create && options->passphrase)
		rc = create(options->location, options->passphrase, r);
	else if (rc == ERR_NOT_FOUND && options->may_create)
		rc = err_set(ERR_NOT_FOUND, "there is no root key yet: make one with `keyward-keyd --create --provider passphrase`");
	else if (rc == ERR_NOT_FOUND)
		rc = err_set(ERR_SEALED, "root key file %s is missing, and a new one would not open what exists", options->location);
	secret_free(file);
	if (rc == 0)
		rc = provider_check(&options->wanted, &r->id);
	if (rc == 0)
		*out = r;
	else
		passphrase_close(r);
	return rc;
}

static int passphrase_is_sealed(struct provider_root *r)
{
	return r->key == NULL;
}

static enum keys_cause passphrase_cause(const struct provider_root *r)
{
	return r->key ? KEYS_CAUSE_NONE : KEYS_CAUSE_PASSPHRASE;
}

static int passphrase_unseal(struct provider_root *r, const struct secret *passphrase)
{
	struct wire_view blob = wire_view_of(&r->wrapped);
	struct secret *key = NULL, *root = NULL;
	int rc = derive(r, passphrase, &key);

	if (rc == 0)
		rc = blob_unwrap(&r->id, key->data, &label, blob, &root);
	if (rc == ERR_TAMPERED)
		rc = err_set(ERR_FORBIDDEN, "the passphrase is wrong, or the root key file is damaged");
	if (rc == 0 && root->len != BLOB_KEY_SIZE) {
		secret_free(root);
		rc = err_set(ERR_TAMPERED, "this is no root key");
	} else if (rc == 0) {
		secret_free(r->key);
		r->key = root;
	}
	secret_free(key);
	return rc;
}

static void passphrase_seal(struct provider_root *r)
{
	secret_free(r->key);
	r->key = NULL;
}

/* The old file or the new one, never half of each. */
static int passphrase_change(struct provider_root *r, const char *path, const struct secret *passphrase)
{
	struct buf file = BUF_INIT;
	int rc = wrap_root(r, passphrase);

	put_file(r, &file);
	if (rc == 0)
		rc = file_write(path, file.data, file.len, 0600);
	buf_free(&file);
	return rc;
}

static int need_key(const struct provider_root *r)
{
	return r->key ? 0 : err_set(ERR_SEALED, "nobody has told the passphrase yet (keyward unseal)");
}

static int passphrase_wrap(struct provider_root *r, const struct blob_label *what, const struct secret *plain, struct buf *out)
{
	int rc = need_key(r);

	return rc < 0 ? rc : blob_wrap(&r->id, r->key->data, what, plain, out);
}

static int passphrase_unwrap(struct provider_root *r, const struct blob_label *what, struct wire_view blob, struct secret **plain)
{
	int rc = need_key(r);

	return rc < 0 ? rc : blob_unwrap(&r->id, r->key->data, what, blob, plain);
}

static void passphrase_describe(const struct provider_root *r, struct uuid *id)
{
	*id = r->id;
}

const struct provider provider_passphrase = {
	.name = "passphrase",
	.open = passphrase_open,
	.is_sealed = passphrase_is_sealed,
	.cause = passphrase_cause,
	.unseal = passphrase_unseal,
	.seal = passphrase_seal,
	.change = passphrase_change,
	.wrap = passphrase_wrap,
	.unwrap = passphrase_unwrap,
	.describe = passphrase_describe,
	.close = passphrase_close,
};
