/* keyfile.c - see keyfile.h. libxml2 and libzip read; nothing is fetched, no document type is accepted, no size of a header is believed. */
#include "agent/keytool/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/wire.h"
#include "proto/crypto.h"

#define ZIP_MAX ((size_t)EXPORTED_FILES_MAX * EXPORTED_FILE_MAX)
#define SEALED_MAX 4096
#define NUMBER_MAX 0x7fffffff

static void silent(void *ctx, const char *fmt, ...)
{
}

static void free_one(struct keyfile *f)
{
	for (int i = 0; i < EXPORTED_FIELD_COUNT; i++)
		free(f->fields[i]);
	buf_free(&f->sealed);
}

void keyfiles_free(struct keyfiles *k)
{
	for (size_t i = 0; i < k->count; i++)
		free_one(&k->list[i]);
	free(k->list);
	*k = (struct keyfiles){ NULL, 0 };
}

/* One XML file */

static int refuse(const char *element, const char *attribute)
{
	return err_set(ERR_INVALID, "this is no exported key: %s of <%s> is missing or makes no sense", attribute, element);
}

static xmlNode *child(xmlNode *root, const char *name)
{
	xmlNode *n = root->children;

	while (n && !(n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0))
		n = n->next;
	return n;
}

static int take_field(xmlNode *root, int i, char **out)
{
	const struct exported_name *n = &exported_names[i];
	xmlNode *element = child(root, n->element);
	xmlChar *text = element ? xmlGetNoNsProp(element, (const xmlChar *)n->attribute) : NULL;
	int ok = text && strlen((const char *)text) <= n->most && exported_is_plain((const char *)text);

	if (ok)
		*out = mem_strdup((const char *)text);
	xmlFree(text);
	return ok ? 0 : refuse(n->element, n->attribute);
}

static int take_sealed(xmlNode *root, struct buf *out)
{
	xmlNode *element = child(root, "sealed");
	xmlChar *text = element ? xmlNodeGetContent(element) : NULL;
	int rc = text && strlen((const char *)text) <= SEALED_MAX ? decode_base64url((const char *)text, out) : ERR_INVALID;

	xmlFree(text);
	return rc == 0 && out->len > EXPORTED_OVERHEAD ? 0 : refuse("sealed", "text");
}

static int take_number(const struct keyfile *f, int i, int optional, uint32_t *out)
{
	const char *text = f->fields[i];
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (optional && *text == '\0')
		return 0;
	/* What begins with a sign or a blank would be read too. */
	if (*text < '0' || *text > '9' || *end || n > NUMBER_MAX)
		return refuse(exported_names[i].element, exported_names[i].attribute);
	*out = (uint32_t)n;
	return 0;
}

static int take_uuid(const struct keyfile *f, int i, int optional, struct uuid *out)
{
	if (optional && f->fields[i][0] == '\0')
		return 0;
	return uuid_parse(f->fields[i], out) == 0 ? 0 : refuse(exported_names[i].element, exported_names[i].attribute);
}

static int take_salt(struct keyfile *f)
{
	struct buf salt = BUF_INIT;
	int ok = decode_hex(f->fields[EXPORTED_SALT], &salt) == 0 && salt.len == sizeof f->cost.salt;

	if (ok)
		memcpy(f->cost.salt, salt.data, salt.len);
	buf_free(&salt);
	return ok ? 0 : refuse("derivation", "salt");
}

static int understand(struct keyfile *f)
{
	uint32_t index = 0, members = 0;
	int rc = take_uuid(f, EXPORTED_ACCOUNT, 0, &f->label.tenant);

	if (rc == 0)
		rc = take_uuid(f, EXPORTED_DEVICE, 0, &f->label.device);
	if (rc == 0)
		rc = take_uuid(f, EXPORTED_MADE_FOR, 1, &f->made_for);
	if (rc == 0)
		rc = take_number(f, EXPORTED_VERSION, 0, &f->label.version);
	if (rc == 0)
		rc = take_number(f, EXPORTED_RAID_INDEX, 1, &index);
	if (rc == 0)
		rc = take_number(f, EXPORTED_RAID_MEMBERS, 1, &members);
	if (rc == 0)
		rc = take_number(f, EXPORTED_PASSES, 0, &f->cost.passes);
	if (rc == 0)
		rc = take_number(f, EXPORTED_MEMORY, 0, &f->cost.memory_kib);
	if (rc == 0)
		rc = take_salt(f);
	if (rc == 0 && strcmp(f->fields[EXPORTED_FUNCTION], EXPORTED_ARGON2ID) != 0)
		rc = err_set(ERR_VERSION, "its passphrase goes through %s, which this version does not know", f->fields[EXPORTED_FUNCTION]);
	f->raid_index = (int)index;
	f->raid_members = (int)members;
	return rc;
}

static int check_root(xmlNode *root)
{
	xmlChar *format = xmlGetNoNsProp(root, (const xmlChar *)"format");
	int ours = strcmp((const char *)root->name, EXPORTED_ROOT) == 0 && format, known = ours && strcmp((const char *)format, EXPORTED_FORMAT) == 0;

	xmlFree(format);
	return known ? 0 : ours ? err_set(ERR_VERSION, "it is of a later format: a later keyward-keytool is needed")
		: err_set(ERR_INVALID, "this is no exported key");
}

static int take_document(xmlDoc *doc, struct keyfile *f)
{
	xmlNode *root = xmlDocGetRootElement(doc);
	int rc = root && xmlGetIntSubset(doc) == NULL ? check_root(root) : err_set(ERR_INVALID, "this is no exported key");

	for (int i = 0; rc == 0 && i < EXPORTED_FIELD_COUNT; i++)
		rc = take_field(root, i, &f->fields[i]);
	if (rc == 0)
		rc = take_sealed(root, &f->sealed);
	return rc < 0 ? rc : understand(f);
}

static int is_there(const struct keyfiles *k, const struct uuid *device)
{
	for (size_t i = 0; i < k->count; i++)
		if (uuid_equal(&k->list[i].label.device, device))
			return 1;
	return 0;
}

/* K's list has room. */
static int add_xml(struct keyfiles *k, const char *text, size_t len)
{
	struct keyfile f = { .raid_index = 0 };
	xmlDoc *doc;
	int rc;

	if (len > EXPORTED_FILE_MAX)
		return err_set(ERR_TOO_LARGE, "more than %d bytes for one key", EXPORTED_FILE_MAX);
	xmlSetGenericErrorFunc(NULL, silent);
	doc = xmlReadMemory(text, (int)len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	rc = doc ? take_document(doc, &f) : err_set(ERR_INVALID, "this is no exported key, or not all of it");
	if (doc)
		xmlFreeDoc(doc);
	if (rc == 0 && is_there(k, &f.label.device))
		rc = err_set(ERR_INVALID, "two files of one device, %s", f.fields[EXPORTED_DEVICE]);
	if (rc == 0)
		k->list[k->count++] = f;
	else
		free_one(&f);
	return rc;
}

/* A zip of them */

static int add_entry(struct keyfiles *k, zip_t *zip, zip_uint64_t i)
{
	zip_file_t *file = zip_fopen_index(zip, i, 0);
	char *text = mem_alloc(EXPORTED_FILE_MAX + 1);
	/* Whatever its header claims: one byte more than allowed is enough to know. */
	zip_int64_t n = file ? zip_fread(file, text, EXPORTED_FILE_MAX + 1) : -1;
	int rc;

	if (file && zip_fclose(file) != 0)
		n = -1;
	rc = n < 0 ? err_set(ERR_INVALID, "the zip is damaged, or not all of it is there") : add_xml(k, text, (size_t)n);
	free(text);
	return rc;
}

static int add_zip(struct keyfiles *k, const char *data, size_t len)
{
	zip_error_t error;
	zip_source_t *source;
	zip_t *zip;
	zip_int64_t count;
	int rc = 0;

	zip_error_init(&error);
	source = zip_source_buffer_create(data, len, 0, &error);
	zip = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error) : NULL;
	zip_error_fini(&error);
	if (zip == NULL) {
		zip_source_free(source);
		return err_set(ERR_INVALID, "the zip is damaged, or not all of it is there");
	}
	count = zip_get_num_entries(zip, 0);
	if (count < 1 || count > EXPORTED_FILES_MAX)
		rc = err_set(ERR_TOO_LARGE, "%lld files in the zip, 1 to %d can be", (long long)count, EXPORTED_FILES_MAX);
	else
		k->list = mem_array((size_t)count, sizeof *k->list);
	for (zip_int64_t i = 0; rc == 0 && i < count; i++)
		rc = add_entry(k, zip, (zip_uint64_t)i);
	zip_discard(zip);
	return rc;
}

int keyfiles_parse(const char *data, size_t len, struct keyfiles *out)
{
	struct keyfiles k = { NULL, 0 };
	int rc;

	if (len > ZIP_MAX)
		return err_set(ERR_TOO_LARGE, "more than %zu bytes", ZIP_MAX);
	if (len >= 2 && memcmp(data, "PK", 2) == 0) {
		rc = add_zip(&k, data, len);
	} else {
		k.list = mem_array(1, sizeof *k.list);
		rc = add_xml(&k, data, len);
	}
	if (rc == 0)
		*out = k;
	else
		keyfiles_free(&k);
	return rc;
}

int keyfiles_read(const char *path, struct keyfiles *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf data = BUF_INIT;
	ssize_t n = fd < 0 ? -1 : 1;
	int rc;

	while (n > 0 && data.len <= ZIP_MAX) {
		size_t at = data.len;

		n = read(fd, (char *)buf_extend(&data, 65536), 65536);
		data.len = at + (n > 0 ? (size_t)n : 0);
	}
	rc = n < 0 ? err_set(fd < 0 && errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path, strerror(errno)) : 0;
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		rc = keyfiles_parse(buf_str(&data), data.len, out);
	buf_free(&data);
	return rc;
}

/* Its key */

static int is_derived(const struct keyfile_opener *o, const struct exported_cost *c)
{
	return o->key && memcmp(o->cost.salt, c->salt, sizeof c->salt) == 0 && o->cost.passes == c->passes && o->cost.memory_kib == c->memory_kib;
}

static int derive(struct keyfile_opener *o, const struct exported_cost *cost)
{
	struct secret *key = NULL;
	int rc;

	if (is_derived(o, cost))
		return 0;
	rc = exported_derive(o->passphrase, cost, &key);
	if (rc == 0) {
		secret_free(o->key);
		o->key = key;
		o->cost = *cost;
	}
	return rc;
}

/* Of a nonce as proto_aead_open takes it apart. */
static uint64_t counter_of(const uint8_t nonce[static EXPORTED_NONCE_SIZE])
{
	struct wire_reader r = wire_read(nonce + 4, EXPORTED_NONCE_SIZE - 4);

	return wire_get_u64(&r);
}

int keyfile_open(const struct keyfile *f, struct keyfile_opener *o, struct secret **out)
{
	struct secret *file_key = secret_new(EXPORTED_KEY_SIZE), *prk = secret_new(PROTO_KEY_SIZE);
	struct secret *key = secret_new(f->sealed.len - EXPORTED_OVERHEAD);
	struct buf info = BUF_INIT, bound = BUF_INIT;
	const uint8_t *salt = (const uint8_t *)f->sealed.data, *nonce = salt + EXPORTED_FILE_SALT_SIZE, *text = nonce + EXPORTED_NONCE_SIZE;
	const char *fields[EXPORTED_FIELD_COUNT];
	int rc = derive(o, &f->cost);

	exported_info(&f->label, &info);
	memcpy(fields, f->fields, sizeof fields);
	buf_add(&bound, info.data, info.len);
	exported_put_fields(fields, &bound);
	if (rc == 0)
		rc = proto_hkdf_extract(salt, EXPORTED_FILE_SALT_SIZE, o->key->data, o->key->len, prk->data);
	if (rc == 0)
		rc = proto_hkdf_expand(prk->data, prk->len, EXPORTED_DOMAIN, info.data + strlen(EXPORTED_DOMAIN),
			info.len - strlen(EXPORTED_DOMAIN), file_key->data, file_key->len);
	if (rc == 0)
		rc = proto_aead_open(file_key->data, (const char *)nonce, counter_of(nonce), bound.data, bound.len, text, key->len + EXPORTED_TAG_SIZE, key->data);
	if (rc == ERR_TAMPERED)
		rc = err_set(ERR_FORBIDDEN, "the passphrase is wrong, or the file was altered");
	if (rc == 0)
		*out = key;
	else
		secret_free(key);
	secret_free(file_key);
	secret_free(prk);
	buf_free(&info);
	buf_free(&bound);
	return rc;
}

void keyfile_opener_end(struct keyfile_opener *o)
{
	secret_free(o->key);
	o->key = NULL;
}
