/* kmip_message.c - KMIP messages. Where 1.x and 2.x differ (attributes), the difference is in put_attributes and its callees. */
#include "keys/kmip_message.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "keys/message.h"
#include "keys/ttlv.h"

/* Tags, KMIP 1.4, 9.1.3.1 and 2.0, 11.57. */
enum {
	ATTRIBUTE = 0x420008, ATTRIBUTE_NAME = 0x42000a, ATTRIBUTE_VALUE = 0x42000b, BATCH_COUNT = 0x42000d, BATCH_ITEM = 0x42000f,
	BLOCK_CIPHER_MODE = 0x420011, CRYPTOGRAPHIC_ALGORITHM = 0x420028, CRYPTOGRAPHIC_LENGTH = 0x42002a,
	CRYPTOGRAPHIC_PARAMETERS = 0x42002b, CRYPTOGRAPHIC_USAGE_MASK = 0x42002c, IV_COUNTER_NONCE = 0x42003d, KEY_BLOCK = 0x420040,
	KEY_FORMAT_TYPE = 0x420042, KEY_MATERIAL = 0x420043, KEY_VALUE = 0x420045, KEY_WRAPPING_DATA = 0x420046, MAXIMUM_ITEMS = 0x42004f,
	MAXIMUM_RESPONSE_SIZE = 0x420050, NAME = 0x420053, NAME_TYPE = 0x420054, NAME_VALUE = 0x420055, OBJECT_TYPE = 0x420057,
	OPERATION = 0x42005c, PROTOCOL_VERSION = 0x420069, PROTOCOL_VERSION_MAJOR = 0x42006a, PROTOCOL_VERSION_MINOR = 0x42006b,
	QUERY_FUNCTION = 0x420074, REQUEST_HEADER = 0x420077, REQUEST_MESSAGE = 0x420078, REQUEST_PAYLOAD = 0x420079,
	RESPONSE_MESSAGE = 0x42007b, RESPONSE_PAYLOAD = 0x42007c, RESULT_MESSAGE = 0x42007d, RESULT_REASON = 0x42007e,
	RESULT_STATUS = 0x42007f, REVOCATION_REASON = 0x420081, REVOCATION_REASON_CODE = 0x420082, SYMMETRIC_KEY = 0x42008f,
	TEMPLATE_ATTRIBUTE = 0x420091, UNIQUE_IDENTIFIER = 0x420094, VENDOR_IDENTIFICATION = 0x42009d, DATA = 0x4200c2, TAG_LENGTH = 0x4200ce,
	ASSOCIATED_DATA = 0x4200fe, ENCRYPTION_TAG = 0x4200ff, ATTRIBUTES = 0x420125,
};

enum {
	ALGORITHM_AES = 3, FORMAT_RAW = 1, MODE_GCM = 9, NAME_IS_TEXT = 1, OBJECT_SYMMETRIC_KEY = 2, QUERY_OPERATIONS = 1, QUERY_SERVER = 3,
	GCM_TAG_SIZE = 16, KEY_BITS = 256,
};

static const struct kmip_version known[] = { { 2, 1 }, { 2, 0 }, { 1, 4 }, { 1, 3 }, { 1, 2 } };

int kmip_compare(struct kmip_version a, struct kmip_version b)
{
	return a.major != b.major ? (a.major > b.major) - (a.major < b.major) : (a.minor > b.minor) - (a.minor < b.minor);
}

/* Requests */

/* The structures around a payload, open. */
struct request {
	struct buf *out;
	struct kmip_version version;
	size_t message, item, payload;
};

static void put_version(struct buf *b, struct kmip_version v)
{
	size_t at = ttlv_open(b, PROTOCOL_VERSION);

	ttlv_put_integer(b, PROTOCOL_VERSION_MAJOR, (int32_t)v.major);
	ttlv_put_integer(b, PROTOCOL_VERSION_MINOR, (int32_t)v.minor);
	ttlv_close(b, at);
}

static struct request begin(struct buf *out, struct kmip_version v, enum kmip_operation op)
{
	struct request r = { .out = out, .version = v };
	size_t header;

	message_begin(out);
	r.message = ttlv_open(out, REQUEST_MESSAGE);
	header = ttlv_open(out, REQUEST_HEADER);
	put_version(out, v);
	ttlv_put_integer(out, MAXIMUM_RESPONSE_SIZE, KMIP_MESSAGE_MAX);
	ttlv_put_integer(out, BATCH_COUNT, 1);
	ttlv_close(out, header);
	r.item = ttlv_open(out, BATCH_ITEM);
	ttlv_put_enumeration(out, OPERATION, op);
	r.payload = ttlv_open(out, REQUEST_PAYLOAD);
	return r;
}

static void end(struct request *r)
{
	ttlv_close(r->out, r->payload);
	ttlv_close(r->out, r->item);
	ttlv_close(r->out, r->message);
}

void kmip_put_discover(struct buf *out, struct kmip_version v)
{
	struct request r = begin(out, v, KMIP_DISCOVER);

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		put_version(out, known[i]);
	end(&r);
}

void kmip_put_query(struct buf *out, struct kmip_version v)
{
	struct request r = begin(out, v, KMIP_QUERY);

	ttlv_put_enumeration(out, QUERY_FUNCTION, QUERY_OPERATIONS);
	ttlv_put_enumeration(out, QUERY_FUNCTION, QUERY_SERVER);
	end(&r);
}

static void put_name(struct buf *b, uint32_t tag, const char *name)
{
	size_t at = ttlv_open(b, tag);

	ttlv_put_text(b, NAME_VALUE, name);
	ttlv_put_enumeration(b, NAME_TYPE, NAME_IS_TEXT);
	ttlv_close(b, at);
}

/* 1.x: a structure with the attribute's name in words, and its value; 2.x: the value under a tag of its own. */
static size_t open_attribute(const struct request *r, const char *words)
{
	size_t at;

	if (r->version.major > 1)
		return 0;
	at = ttlv_open(r->out, ATTRIBUTE);
	ttlv_put_text(r->out, ATTRIBUTE_NAME, words);
	return at;
}

static void close_attribute(const struct request *r, size_t at)
{
	if (at)
		ttlv_close(r->out, at);
}

static uint32_t tag_of(const struct request *r, uint32_t tag)
{
	return r->version.major > 1 ? tag : ATTRIBUTE_VALUE;
}

static void put_attribute(const struct request *r, const char *words, uint32_t tag, enum ttlv_type type, uint32_t v)
{
	size_t at = open_attribute(r, words);

	if (type == TTLV_ENUMERATION)
		ttlv_put_enumeration(r->out, tag_of(r, tag), v);
	else
		ttlv_put_integer(r->out, tag_of(r, tag), (int32_t)v);
	close_attribute(r, at);
}

static void put_name_attribute(const struct request *r, const char *name)
{
	size_t at = open_attribute(r, "Name");

	put_name(r->out, tag_of(r, NAME), name);
	close_attribute(r, at);
}

static void put_key_attributes(const struct request *r, const char *name, unsigned use)
{
	size_t at = ttlv_open(r->out, r->version.major > 1 ? ATTRIBUTES : TEMPLATE_ATTRIBUTE);

	put_attribute(r, "Cryptographic Algorithm", CRYPTOGRAPHIC_ALGORITHM, TTLV_ENUMERATION, ALGORITHM_AES);
	put_attribute(r, "Cryptographic Length", CRYPTOGRAPHIC_LENGTH, TTLV_INTEGER, KEY_BITS);
	put_attribute(r, "Cryptographic Usage Mask", CRYPTOGRAPHIC_USAGE_MASK, TTLV_INTEGER, use);
	put_name_attribute(r, name);
	ttlv_close(r->out, at);
}

void kmip_put_create(struct buf *out, struct kmip_version v, const char *name, unsigned use)
{
	struct request r = begin(out, v, KMIP_CREATE);

	ttlv_put_enumeration(out, OBJECT_TYPE, OBJECT_SYMMETRIC_KEY);
	put_key_attributes(&r, name, use);
	end(&r);
}

void kmip_put_locate(struct buf *out, struct kmip_version v, const char *name)
{
	struct request r = begin(out, v, KMIP_LOCATE);
	size_t at = 0;

	ttlv_put_integer(out, MAXIMUM_ITEMS, KMIP_IDS_MAX);
	if (v.major > 1)
		at = ttlv_open(out, ATTRIBUTES);
	put_attribute(&r, "Object Type", OBJECT_TYPE, TTLV_ENUMERATION, OBJECT_SYMMETRIC_KEY);
	put_name_attribute(&r, name);
	close_attribute(&r, at);
	end(&r);
}

void kmip_put_plain(struct buf *out, struct kmip_version v, enum kmip_operation op, const char *id)
{
	struct request r = begin(out, v, op);

	ttlv_put_text(out, UNIQUE_IDENTIFIER, id);
	end(&r);
}

void kmip_put_revoke(struct buf *out, struct kmip_version v, const char *id, enum kmip_reason reason)
{
	struct request r = begin(out, v, KMIP_REVOKE);
	size_t at;

	ttlv_put_text(out, UNIQUE_IDENTIFIER, id);
	at = ttlv_open(out, REVOCATION_REASON);
	ttlv_put_enumeration(out, REVOCATION_REASON_CODE, reason);
	ttlv_close(out, at);
	end(&r);
}

void kmip_put_gcm(struct buf *out, struct kmip_version v, enum kmip_operation op, const struct kmip_gcm *gcm)
{
	struct request r = begin(out, v, op);
	size_t at;

	ttlv_put_text(out, UNIQUE_IDENTIFIER, gcm->id);
	at = ttlv_open(out, CRYPTOGRAPHIC_PARAMETERS);
	ttlv_put_enumeration(out, BLOCK_CIPHER_MODE, MODE_GCM);
	ttlv_put_enumeration(out, CRYPTOGRAPHIC_ALGORITHM, ALGORITHM_AES);
	ttlv_put_integer(out, TAG_LENGTH, GCM_TAG_SIZE);
	ttlv_close(out, at);
	ttlv_put_bytes(out, DATA, gcm->data.data, gcm->data.len);
	ttlv_put_bytes(out, IV_COUNTER_NONCE, gcm->nonce.data, gcm->nonce.len);
	ttlv_put_bytes(out, ASSOCIATED_DATA, gcm->associated.data, gcm->associated.len);
	if (op == KMIP_DECRYPT)
		ttlv_put_bytes(out, ENCRYPTION_TAG, gcm->tag.data, gcm->tag.len);
	end(&r);
}

/* Answers */

static const struct {
	uint32_t reason;
	int code;
	const char *text;
} reasons[] = {
	{ 0x01, ERR_NOT_FOUND, "it has no such object" },
	{ 0x02, ERR_TOO_LARGE, "its answer would be too large" },
	{ 0x03, ERR_FORBIDDEN, "it does not accept the client's certificate" },
	{ 0x04, ERR_VERSION, "it does not understand the message" },
	{ 0x05, ERR_UNSUPPORTED, "it does not support the operation" },
	{ 0x06, ERR_INVALID, "it misses data" },
	{ 0x07, ERR_UNSUPPORTED, "it does not accept a field" },
	{ 0x08, ERR_UNSUPPORTED, "it does not support the feature" },
	{ 0x0a, ERR_CRYPTO, "its cryptography failed" },
	{ 0x0b, ERR_CONFLICT, "it does not allow the operation now" },
	{ 0x0c, ERR_FORBIDDEN, "it denies permission" },
	{ 0x0d, ERR_CONFLICT, "the object is in its archive" },
	{ 0x10, ERR_UNSUPPORTED, "it does not give keys in this format" },
	{ 0x16, ERR_FORBIDDEN, "the key is sensitive: it does not hand it out" },
	{ 0x17, ERR_FORBIDDEN, "the key is not extractable" },
	{ 0x18, ERR_CONFLICT, "there is such an object already" },
	{ 0x24, ERR_UNSUPPORTED, "it does not accept the cryptographic parameters" },
	{ 0x100, ERR_UNAVAILABLE, "it says no more than that it failed" },
};

/* What servers say may go to logs and pages: printable, and not long. */
static void printable(char *out, size_t size, struct wire_view v)
{
	size_t len = v.len < size - 1 ? v.len : size - 1;

	for (size_t i = 0; i < len; i++)
		out[i] = v.data[i] < ' ' || v.data[i] > '~' ? '?' : (char)v.data[i];
	out[len] = '\0';
}

static int refused(struct wire_view item)
{
	uint32_t reason = 0x100;
	struct ttlv message;
	char words[160] = "";

	ttlv_number(item, RESULT_REASON, TTLV_ENUMERATION, &reason);
	if (ttlv_find(item, RESULT_MESSAGE, TTLV_TEXT, &message) == 0)
		printable(words, sizeof words, message.value);
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].reason == reason)
			return err_set(reasons[i].code, "the key server refuses: %s%s%s", reasons[i].text, *words ? ": " : "", words);
	return err_set(ERR_UNAVAILABLE, "the key server refuses with reason 0x%x%s%s", reason, *words ? ": " : "", words);
}

static int not_kmip(void)
{
	char why[160];

	snprintf(why, sizeof why, "%s", err_text());
	return err_set(ERR_INVALID, "what the key server answers is not KMIP: %s", why);
}

int kmip_answer(const struct buf *in, enum kmip_operation op, struct wire_view *payload)
{
	const uint8_t *data = (const uint8_t *)in->data;
	struct wire_view all = { data, in->len };
	struct ttlv message, item, inside;
	uint32_t status = 0, which = op;

	if (ttlv_check(data, in->len) < 0 || ttlv_find(all, RESPONSE_MESSAGE, TTLV_STRUCTURE, &message) < 0
		|| ttlv_find(message.value, BATCH_ITEM, TTLV_STRUCTURE, &item) < 0
		|| ttlv_number(item.value, RESULT_STATUS, TTLV_ENUMERATION, &status) < 0)
		return not_kmip();
	if (status != 0)
		return refused(item.value);
	/* With one operation to a message the server may leave out which it is. */
	ttlv_number(item.value, OPERATION, TTLV_ENUMERATION, &which);
	if (which != op)
		return err_set(ERR_INVALID, "the key server answers something else than it was asked");
	*payload = (struct wire_view){ NULL, 0 };
	if (ttlv_find(item.value, RESPONSE_PAYLOAD, TTLV_STRUCTURE, &inside) == 0)
		*payload = inside.value;
	return 0;
}

static int copy_id(struct wire_view v, char id[static KMIP_ID_MAX + 1])
{
	if (v.len == 0 || v.len > KMIP_ID_MAX)
		return err_set(ERR_INVALID, "the key server names an object with %zu bytes", v.len);
	memcpy(id, v.data, v.len);
	id[v.len] = '\0';
	for (const char *at = id; *at; at++)
		if (*at < ' ' || *at > '~')
			return err_set(ERR_INVALID, "the key server names an object with what is not printable");
	return 0;
}

int kmip_get_id(struct wire_view payload, char id[static KMIP_ID_MAX + 1])
{
	struct ttlv item;

	return ttlv_find(payload, UNIQUE_IDENTIFIER, TTLV_TEXT, &item) < 0 ? not_kmip() : copy_id(item.value, id);
}

int kmip_get_ids(struct wire_view payload, char ids[static KMIP_IDS_MAX][KMIP_ID_MAX + 1], size_t *count)
{
	struct ttlv item;
	size_t n = 0;
	int rc = 0;

	while (rc == 0 && n < KMIP_IDS_MAX && ttlv_next(&payload, &item))
		if (item.tag == UNIQUE_IDENTIFIER && item.type == TTLV_TEXT)
			rc = copy_id(item.value, ids[n++]);
	if (rc == 0)
		*count = n;
	return rc;
}

static int is_known(struct kmip_version v)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (kmip_compare(known[i], v) == 0)
			return 1;
	return 0;
}

int kmip_get_version(struct wire_view payload, struct kmip_version *out)
{
	struct kmip_version best = { 0, 0 }, v;
	struct ttlv item;

	while (ttlv_next(&payload, &item)) {
		if (item.tag != PROTOCOL_VERSION || item.type != TTLV_STRUCTURE)
			continue;
		if (ttlv_number(item.value, PROTOCOL_VERSION_MAJOR, TTLV_INTEGER, &v.major) == 0
			&& ttlv_number(item.value, PROTOCOL_VERSION_MINOR, TTLV_INTEGER, &v.minor) == 0 && is_known(v) && kmip_compare(v, best) > 0)
			best = v;
	}
	if (best.major == 0)
		return err_set(ERR_VERSION, "the key server speaks no KMIP version from 1.2 to 2.1");
	*out = best;
	return 0;
}

int kmip_get_query(struct wire_view payload, char vendor[static KMIP_VENDOR_MAX + 1], int *can_encrypt)
{
	int encrypt = 0, decrypt = 0;
	struct ttlv item;

	vendor[0] = '\0';
	if (ttlv_find(payload, VENDOR_IDENTIFICATION, TTLV_TEXT, &item) == 0)
		printable(vendor, KMIP_VENDOR_MAX + 1, item.value);
	while (ttlv_next(&payload, &item)) {
		uint32_t op = 0;

		if (item.tag != OPERATION || item.type != TTLV_ENUMERATION)
			continue;
		for (size_t i = 0; i < item.value.len; i++)
			op = op << 8 | item.value.data[i];
		encrypt |= op == KMIP_ENCRYPT;
		decrypt |= op == KMIP_DECRYPT;
	}
	*can_encrypt = encrypt && decrypt;
	return 0;
}

int kmip_get_key(struct wire_view payload, struct secret **out)
{
	struct ttlv object, block, value, material, wrapping;
	uint32_t format = 0;

	if (ttlv_find(payload, SYMMETRIC_KEY, TTLV_STRUCTURE, &object) < 0 || ttlv_find(object.value, KEY_BLOCK, TTLV_STRUCTURE, &block) < 0
		|| ttlv_number(block.value, KEY_FORMAT_TYPE, TTLV_ENUMERATION, &format) < 0
		|| ttlv_find(block.value, KEY_VALUE, TTLV_STRUCTURE, &value) < 0
		|| ttlv_find(value.value, KEY_MATERIAL, TTLV_BYTES, &material) < 0)
		return err_set(ERR_INVALID, "the key server's object is not a symmetric key as bytes");
	if (format != FORMAT_RAW || ttlv_find(block.value, KEY_WRAPPING_DATA, TTLV_STRUCTURE, &wrapping) == 0)
		return err_set(ERR_UNSUPPORTED, "the key server gives its key in a form that is not asked for");
	*out = secret_new(material.value.len);
	if (material.value.len)
		memcpy((*out)->data, material.value.data, material.value.len);
	return 0;
}

static int get_bytes(struct wire_view payload, uint32_t tag, struct wire_view *out)
{
	struct ttlv item;

	if (ttlv_find(payload, tag, TTLV_BYTES, &item) < 0)
		return not_kmip();
	*out = item.value;
	return 0;
}

int kmip_get_data(struct wire_view payload, struct wire_view *data)
{
	return get_bytes(payload, DATA, data);
}

int kmip_get_tag(struct wire_view payload, struct wire_view *tag)
{
	struct wire_view got = { NULL, 0 };
	int rc = get_bytes(payload, ENCRYPTION_TAG, &got);

	if (rc == 0 && got.len != GCM_TAG_SIZE)
		rc = err_set(ERR_INVALID, "the key server's tag has %zu bytes", got.len);
	if (rc == 0)
		*tag = got;
	return rc;
}
