/* provider_file.c - the root key in a file, made at first start; its bytes are
 *
 *     8 bytes "KWROOT1\n", 16 bytes id, 32 bytes key, 32 bytes SHA-256 of these (against damage, not against people) */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/keyfile.h"
#include "base/mem.h"
#include "keys/provider.h"

#define MAGIC "KWROOT1\n"
#define ID_AT 8
#define KEY_AT (ID_AT + 16)
#define SUM_AT (KEY_AT + BLOB_KEY_SIZE)
#define FILE_SIZE (SUM_AT + 32)

struct provider_root {
	struct uuid id;
	struct secret *file;         /* the key is inside */
};

static int sum(const struct secret *file, uint8_t out[32])
{
	if (EVP_Digest(file->data, SUM_AT, out, NULL, EVP_sha256(), NULL) != 1)
		return err_set(ERR_CRYPTO, "SHA-256 failed");
	return 0;
}

static int create(const char *path)
{
	struct secret *file = secret_random(FILE_SIZE);
	struct uuid id = uuid_new();
	int rc;

	memcpy(file->data, MAGIC, ID_AT);
	memcpy(file->data + ID_AT, id.bytes, sizeof id.bytes);
	rc = sum(file, file->data + SUM_AT);
	if (rc == 0)
		rc = keyfile_create(path, file->data, file->len);
	secret_free(file);
	/* Another process was first: its key counts. */
	return rc == ERR_CONFLICT ? 0 : rc;
}

static int check(const struct secret *file, const char *path)
{
	uint8_t want[32];
	int rc;

	if (file->len != FILE_SIZE || memcmp(file->data, MAGIC, ID_AT) != 0)
		return err_set(ERR_TAMPERED, "%s is not a root key file", path);
	rc = sum(file, want);
	if (rc == 0 && memcmp(want, file->data + SUM_AT, sizeof want) != 0)
		rc = err_set(ERR_TAMPERED, "%s is damaged", path);
	return rc;
}

static int file_open(const struct provider_options *options, struct provider_root **out)
{
	const char *path = options->location;
	struct secret *file = NULL;
	struct uuid id;
	int rc = keyfile_get(options->file, path, FILE_SIZE, &file);

	if (rc == ERR_NOT_FOUND && !options->may_create)
		return err_set(ERR_SEALED, "root key file %s is missing, and a new one would not open what exists", path);
	if (rc == ERR_NOT_FOUND) {
		rc = create(path);
		if (rc == 0)
			rc = keyfile_read(path, FILE_SIZE, &file);
	}
	if (rc == 0)
		rc = check(file, path);
	if (rc == 0) {
		memcpy(id.bytes, file->data + ID_AT, sizeof id.bytes);
		rc = provider_check(&options->wanted, &id);
	}
	if (rc < 0) {
		secret_free(file);
		return rc;
	}
	*out = mem_alloc(sizeof **out);
	(*out)->file = file;
	(*out)->id = id;
	return 0;
}

static int file_wrap(struct provider_root *root, const struct blob_label *label, const struct secret *plain, struct buf *out)
{
	return blob_wrap(&root->id, root->file->data + KEY_AT, label, plain, out);
}

static int file_unwrap(struct provider_root *root, const struct blob_label *label, struct wire_view blob,
	struct secret **plain)
{
	return blob_unwrap(&root->id, root->file->data + KEY_AT, label, blob, plain);
}

static void file_describe(const struct provider_root *root, struct uuid *id)
{
	*id = root->id;
}

static void file_close(struct provider_root *root)
{
	if (root)
		secret_free(root->file);
	free(root);
}

const struct provider provider_file = {
	.name = "file",
	.open = file_open,
	.wrap = file_wrap,
	.unwrap = file_unwrap,
	.describe = file_describe,
	.close = file_close,
};
