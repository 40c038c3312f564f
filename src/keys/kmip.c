/* kmip.c - KMIP operations, each one message and its answer. */
#include "keys/kmip.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "keys/blob.h"
#include "keys/message.h"

struct kmip {
	struct kmip_link *link;
	struct kmip_version version;
	int limit_ms, broken;
	struct buf out, in;          /* wiped after each operation */
};

/* Sends what lies in k->out; the payload of the answer lends k->in until the next operation, or `done`. */
static int exchange(struct kmip *k, enum kmip_operation op, struct wire_view *payload)
{
	int rc = k->broken ? err_set(ERR_UNAVAILABLE, "the connection to the key server is gone")
		: kmip_link_call(k->link, &k->out, &k->in, k->limit_ms);

	k->broken |= rc < 0;
	message_wipe(&k->out);
	return rc == 0 ? kmip_answer(&k->in, op, payload) : rc;
}

static int done(struct kmip *k, int rc)
{
	message_wipe(&k->in);
	return rc;
}

/* Asked in the oldest version that has the question; who does not know it is asked no further. */
static int negotiate(struct kmip *k)
{
	struct wire_view payload;
	int rc;

	kmip_put_discover(&k->out, (struct kmip_version){ 1, 2 });
	rc = exchange(k, KMIP_DISCOVER, &payload);
	if (rc == 0)
		rc = kmip_get_version(payload, &k->version);
	return done(k, rc);
}

int kmip_open(const struct kmip_settings *settings, int limit_ms, struct kmip **out)
{
	struct kmip *k = mem_alloc(sizeof *k);
	int rc = kmip_link_open(settings, limit_ms, &k->link);

	k->limit_ms = limit_ms;
	if (rc == 0)
		rc = negotiate(k);
	if (rc == 0)
		*out = k;
	else
		kmip_close(k);
	return rc;
}

void kmip_close(struct kmip *k)
{
	if (k == NULL)
		return;
	kmip_link_close(k->link);
	message_wipe(&k->out);
	message_wipe(&k->in);
	buf_free(&k->out);
	buf_free(&k->in);
	free(k);
}

int kmip_is_broken(const struct kmip *k)
{
	return k->broken;
}

struct kmip_version kmip_version(const struct kmip *k)
{
	return k->version;
}

int kmip_describe(struct kmip *k, struct kmip_facts *out)
{
	struct kmip_facts facts = { .version = k->version };
	struct wire_view payload;
	int rc;

	kmip_put_query(&k->out, k->version);
	rc = exchange(k, KMIP_QUERY, &payload);
	if (rc == 0)
		rc = kmip_get_query(payload, facts.vendor, &facts.can_gcm);
	facts.can_gcm = facts.can_gcm && kmip_compare(k->version, (struct kmip_version){ 1, 4 }) >= 0;
	if (rc == 0)
		*out = facts;
	return done(k, rc);
}

static int exchange_for_id(struct kmip *k, enum kmip_operation op, char id[static KMIP_ID_MAX + 1])
{
	struct wire_view payload;
	int rc = exchange(k, op, &payload);

	if (rc == 0)
		rc = kmip_get_id(payload, id);
	return done(k, rc);
}

int kmip_create(struct kmip *k, const char *name, unsigned use, char id[static KMIP_ID_MAX + 1])
{
	kmip_put_create(&k->out, k->version, name, use);
	return exchange_for_id(k, KMIP_CREATE, id);
}

int kmip_locate(struct kmip *k, const char *name, char id[static KMIP_ID_MAX + 1])
{
	static const char what[] = "the key server has";
	char ids[KMIP_IDS_MAX][KMIP_ID_MAX + 1];
	struct wire_view payload;
	size_t count = 0;
	int rc;

	kmip_put_locate(&k->out, k->version, name);
	rc = exchange(k, KMIP_LOCATE, &payload);
	if (rc == 0)
		rc = kmip_get_ids(payload, ids, &count);
	if (rc == 0 && count != 1)
		rc = count ? err_set(ERR_CONFLICT, "%s more than one key of the name %s", what, name)
			: err_set(ERR_NOT_FOUND, "%s no key of the name %s", what, name);
	if (rc == 0)
		memcpy(id, ids[0], KMIP_ID_MAX + 1);
	return done(k, rc);
}

int kmip_get(struct kmip *k, const char *id, struct secret **key)
{
	struct wire_view payload;
	int rc;

	kmip_put_plain(&k->out, k->version, KMIP_GET, id);
	rc = exchange(k, KMIP_GET, &payload);
	if (rc == 0)
		rc = kmip_get_key(payload, key);
	return done(k, rc);
}

static int exchange_plain(struct kmip *k, enum kmip_operation op)
{
	struct wire_view payload;

	return done(k, exchange(k, op, &payload));
}

int kmip_activate(struct kmip *k, const char *id)
{
	kmip_put_plain(&k->out, k->version, KMIP_ACTIVATE, id);
	return exchange_plain(k, KMIP_ACTIVATE);
}

int kmip_revoke(struct kmip *k, const char *id)
{
	kmip_put_revoke(&k->out, k->version, id, KMIP_CESSATION);
	return exchange_plain(k, KMIP_REVOKE);
}

int kmip_destroy(struct kmip *k, const char *id)
{
	kmip_put_plain(&k->out, k->version, KMIP_DESTROY, id);
	return exchange_plain(k, KMIP_DESTROY);
}

int kmip_encrypt(struct kmip *k, const char *id, const uint8_t *nonce, struct wire_view associated, const struct secret *plain,
	struct buf *out)
{
	const struct kmip_gcm gcm = { .id = id, .nonce = { nonce, BLOB_NONCE_SIZE }, .data = { plain->data, plain->len },
		.associated = associated };
	struct wire_view payload, data, tag;
	int rc;

	kmip_put_gcm(&k->out, k->version, KMIP_ENCRYPT, &gcm);
	rc = exchange(k, KMIP_ENCRYPT, &payload);
	if (rc == 0)
		rc = kmip_get_data(payload, &data);
	if (rc == 0)
		rc = kmip_get_tag(payload, &tag);
	if (rc == 0 && data.len != plain->len)
		rc = err_set(ERR_INVALID, "the key server encrypts %zu bytes to %zu", plain->len, data.len);
	if (rc == 0) {
		buf_add(out, data.data, data.len);
		buf_add(out, tag.data, tag.len);
	}
	return done(k, rc);
}

int kmip_decrypt(struct kmip *k, const char *id, const uint8_t *nonce, struct wire_view associated, struct wire_view sealed,
	struct secret **plain)
{
	struct kmip_gcm gcm = { .id = id, .nonce = { nonce, BLOB_NONCE_SIZE }, .associated = associated };
	struct wire_view payload, data;
	int rc;

	if (sealed.len < BLOB_TAG_SIZE)
		return err_set(ERR_TAMPERED, "shorter than a tag");
	gcm.data = (struct wire_view){ sealed.data, sealed.len - BLOB_TAG_SIZE };
	gcm.tag = (struct wire_view){ sealed.data + gcm.data.len, BLOB_TAG_SIZE };
	kmip_put_gcm(&k->out, k->version, KMIP_DECRYPT, &gcm);
	rc = exchange(k, KMIP_DECRYPT, &payload);
	if (rc == 0)
		rc = kmip_get_data(payload, &data);
	if (rc == 0 && data.len != gcm.data.len)
		rc = err_set(ERR_INVALID, "the key server decrypts %zu bytes to %zu", gcm.data.len, data.len);
	if (rc == 0) {
		*plain = secret_new(data.len);
		if (data.len)
			memcpy((*plain)->data, data.data, data.len);
	}
	return done(k, rc);
}
