/* chain.c - the hash chain of the log. */
#include "audit/chain.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/err.h"
#include "base/wire.h"

#define LABEL "keyward-audit-1"
#define NULL_LENGTH 0xffffffffu

static void put_text(struct buf *b, const char *s)
{
	if (s == NULL)
		wire_put_u32(b, NULL_LENGTH);
	else
		wire_put_string(b, s);
}

static void put_uuid(struct buf *b, int has, const struct uuid *id)
{
	if (has)
		wire_put_bytes(b, id->bytes, sizeof id->bytes);
	else
		wire_put_u32(b, NULL_LENGTH);
}

static void put_int(struct buf *b, int64_t v)
{
	wire_put_u32(b, sizeof v);
	wire_put_u64(b, (uint64_t)v);
}

void audit_encode(const struct audit_entry *e, struct buf *out)
{
	put_text(out, LABEL);
	put_uuid(out, 1, &e->tenant);
	put_int(out, e->seq);
	put_int(out, e->at);
	put_text(out, e->category);
	put_text(out, e->event);
	put_text(out, e->actor_kind);
	put_uuid(out, e->has_actor_id, &e->actor_id);
	put_text(out, e->actor_name);
	put_text(out, e->object_kind);
	put_uuid(out, e->has_object_id, &e->object_id);
	put_text(out, e->object_name);
	put_text(out, e->detail);
	put_text(out, e->address);
	put_text(out, e->request);
	put_text(out, e->written_by);
	wire_put_bytes(out, e->previous, sizeof e->previous);
}

void audit_hash(const struct audit_entry *e, uint8_t out[static AUDIT_HASH_SIZE])
{
	struct buf text = BUF_INIT;

	audit_encode(e, &text);
	if (EVP_Digest(text.data, text.len, out, NULL, EVP_sha256(), NULL) != 1)
		fatal("SHA-256 is not available");
	buf_free(&text);
}

void audit_verify_begin(struct audit_verify *v, const struct uuid *tenant)
{
	memset(v, 0, sizeof *v);
	v->tenant = *tenant;
}

static int check(const struct audit_verify *v, const struct audit_entry *e)
{
	uint8_t hash[AUDIT_HASH_SIZE];
	long long seq = e->seq, want = v->seq + 1;

	if (!uuid_equal(&v->tenant, &e->tenant))
		return err_set(ERR_TAMPERED, "entry %lld belongs to another chain", seq);
	if (seq > want)
		return err_set(ERR_TRUNCATED, "entry %lld is missing", want);
	if (seq < want)
		return err_set(ERR_REORDERED, "entry %lld where %lld should be", seq, want);
	audit_hash(e, hash);
	if (memcmp(hash, e->hash, sizeof hash) != 0)
		return err_set(ERR_TAMPERED, "entry %lld was altered", seq);
	if (memcmp(v->hash, e->previous, sizeof v->hash) != 0)
		return err_set(ERR_TAMPERED, "entry %lld does not follow on the one before it", seq);
	return 0;
}

int audit_verify_step(struct audit_verify *v, const struct audit_entry *e)
{
	if (v->error == 0)
		v->error = check(v, e);
	if (v->error)
		return v->error;
	v->seq = e->seq;
	memcpy(v->hash, e->hash, sizeof v->hash);
	return 0;
}

int audit_verify_end(const struct audit_verify *v, int64_t seq, const uint8_t hash[static AUDIT_HASH_SIZE])
{
	if (v->error)
		return v->error;
	if (v->seq < seq)
		return err_set(ERR_TRUNCATED, "entry %lld is missing at the end", (long long)v->seq + 1);
	if (v->seq > seq)
		return err_set(ERR_TAMPERED, "entry %lld is beyond the head", (long long)seq + 1);
	if (memcmp(v->hash, hash, sizeof v->hash) != 0)
		return err_set(ERR_TAMPERED, "the head does not fit entry %lld", (long long)seq);
	return 0;
}
