/* proof.c - the log's proof: signatures, then numbers and hashes in the order of the chain. */
#include "audit/proof.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/mem.h"

static const uint8_t zero[AUDIT_HASH_SIZE];

static void put_scope(const struct audit_scope *s, const char *what, struct buf *out)
{
	char installation[UUID_TEXT_SIZE], account[UUID_TEXT_SIZE];

	uuid_text(&s->installation, installation);
	uuid_text(&s->account, account);
	buf_printf(out, "keyward log %s 1\ninstallation %s\naccount %s\n", what, installation, account);
}

static void put_hash(const char *name, const uint8_t hash[static AUDIT_HASH_SIZE], struct buf *out)
{
	char *text = encode_hex(hash, AUDIT_HASH_SIZE);

	buf_printf(out, "%s %s\n", name, text);
	free(text);
}

static void put_time(const char *name, clock_us at, struct buf *out)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(at, text);
	buf_printf(out, "%s %s\n", name, text);
}

void audit_checkpoint_text(const struct audit_scope *s, const struct audit_checkpoint *c, struct buf *out)
{
	put_scope(s, "checkpoint", out);
	buf_printf(out, "entry %lld\n", (long long)c->seq);
	put_hash("hash", c->hash, out);
	put_time("time", c->at, out);
}

void audit_archive_text(const struct audit_scope *s, const struct audit_archive *a, struct buf *out)
{
	put_scope(s, "archive", out);
	buf_printf(out, "month %s\nfirst %lld\nlast %lld\n", a->month, (long long)a->first, (long long)a->last);
	put_hash("before", a->before, out);
	put_hash("after", a->after, out);
	buf_printf(out, "bytes %lld\n", (long long)a->bytes);
	put_hash("sha256", a->digest, out);
	put_time("time", a->made, out);
}

int audit_is_signed(const struct buf *text, const uint8_t signature[static AUDIT_SIGNATURE_SIZE], const uint8_t key[static AUDIT_KEY_SIZE])
{
	return crypto_sign_verify_detached(signature, (const uint8_t *)text->data, text->len, key) == 0;
}

void audit_proof_add_checkpoint(struct audit_proof *p, const struct audit_checkpoint *c)
{
	p->points = mem_grow(p->points, p->point_count + 1, sizeof *p->points);
	p->points[p->point_count++] = *c;
}

void audit_proof_add_archive(struct audit_proof *p, const struct audit_archive *a)
{
	p->archives = mem_grow(p->archives, p->archive_count + 1, sizeof *p->archives);
	p->archives[p->archive_count++] = *a;
	p->removed += a->removed != 0;
}

void audit_proof_release(struct audit_proof *p)
{
	free(p->points);
	free(p->archives);
	p->points = NULL;
	p->archives = NULL;
	p->point_count = p->archive_count = 0;
}

static int fail(struct audit_proof *p, int rc)
{
	p->chain.error = rc;
	return rc;
}

static int check_point(struct audit_proof *p, size_t i)
{
	const struct audit_checkpoint *c = &p->points[i];
	struct buf text = BUF_INIT;
	int good;

	audit_checkpoint_text(&p->scope, c, &text);
	good = p->key && audit_is_signed(&text, c->signature, p->key);
	buf_free(&text);
	if (!good)
		return err_set(ERR_TAMPERED, "the checkpoint of entry %lld is not signed by this installation", (long long)c->seq);
	if (i && p->points[i - 1].seq >= c->seq)
		return err_set(ERR_REORDERED, "the checkpoint of entry %lld is not in its place", (long long)c->seq);
	return 0;
}

/* Records follow on each other as entries do. */
static int check_archive(struct audit_proof *p, size_t i)
{
	const struct audit_archive *a = &p->archives[i], *former = i ? a - 1 : NULL;
	const uint8_t *before = former ? former->after : zero;
	int64_t first = former ? former->last + 1 : 1;
	struct buf text = BUF_INIT;
	int good;

	audit_archive_text(&p->scope, a, &text);
	good = p->key && audit_is_signed(&text, a->signature, p->key);
	buf_free(&text);
	if (!good)
		return err_set(ERR_TAMPERED, "the record of the archived month %s is not signed by this installation", a->month);
	if (a->first > first)
		return err_set(ERR_TRUNCATED, "entries %lld to %lld are missing: no record of an archived month has them", (long long)first, (long long)a->first - 1);
	if (a->first < first || a->last < a->first || memcmp(a->before, before, AUDIT_HASH_SIZE) != 0)
		return err_set(ERR_TAMPERED, "the record of the archived month %s does not follow on the one before it", a->month);
	return 0;
}

int audit_proof_begin(struct audit_proof *p)
{
	int rc = 0;

	audit_verify_begin(&p->chain, &p->scope.account);
	for (size_t i = 0; rc == 0 && i < p->archive_count; i++)
		rc = check_archive(p, i);
	for (size_t i = 0; rc == 0 && i < p->point_count; i++)
		rc = check_point(p, i);
	return fail(p, rc);
}

/* What was signed must be what is at hand. */
static int pass(struct audit_proof *p)
{
	while (p->point < p->point_count && p->points[p->point].seq <= p->chain.seq) {
		const struct audit_checkpoint *c = &p->points[p->point++];

		if (c->seq == p->chain.seq && memcmp(c->hash, p->chain.hash, AUDIT_HASH_SIZE) != 0)
			return err_set(ERR_TAMPERED, "entry %lld is not the one that its checkpoint was signed for", (long long)c->seq);
	}
	while (p->archive < p->archive_count && p->archives[p->archive].last <= p->chain.seq) {
		const struct audit_archive *a = &p->archives[p->archive++];

		if (a->last == p->chain.seq && memcmp(a->after, p->chain.hash, AUDIT_HASH_SIZE) != 0)
			return err_set(ERR_TAMPERED, "entry %lld is not the one that was archived with %s", (long long)a->last, a->month);
	}
	return 0;
}

/* From the first entry, or behind what the archive took. */
static int begin_at(struct audit_proof *p, int64_t seq)
{
	p->begun = 1;
	for (size_t i = 0; i < p->archive_count && seq > 1; i++) {
		const struct audit_archive *a = &p->archives[i];

		if (a->last == seq - 1) {
			p->chain.seq = a->last;
			memcpy(p->chain.hash, a->after, AUDIT_HASH_SIZE);
			return pass(p);
		}
	}
	return 0;
}

int audit_proof_entry(struct audit_proof *p, const struct audit_entry *e)
{
	int rc = p->chain.error;

	if (rc == 0 && !p->begun)
		rc = begin_at(p, e->seq);
	if (rc == 0)
		rc = audit_verify_step(&p->chain, e);
	if (rc == 0)
		rc = pass(p);
	p->entries += rc == 0;
	return fail(p, rc);
}

int audit_proof_end(struct audit_proof *p, int64_t seq, const uint8_t hash[static AUDIT_HASH_SIZE])
{
	const struct audit_checkpoint *last = p->point_count ? &p->points[p->point_count - 1] : NULL;
	const struct audit_archive *archived = p->archive_count ? &p->archives[p->archive_count - 1] : NULL;
	char at[CLOCK_TEXT_SIZE];

	if (p->chain.error)
		return p->chain.error;
	if (!p->begun && archived && begin_at(p, archived->last + 1) < 0)
		return fail(p, ERR_TAMPERED);
	if (last && last->seq > p->chain.seq) {
		clock_text(last->at, at);
		return fail(p, err_set(ERR_TRUNCATED, "the checkpoint of entry %lld, signed %s, is not reached: the log ends with entry %lld",
			(long long)last->seq, at, (long long)p->chain.seq));
	}
	if (archived && archived->last > p->chain.seq)
		return fail(p, err_set(ERR_TRUNCATED, "the last entry of the archived month %s, %lld, is not reached", archived->month, (long long)archived->last));
	return fail(p, audit_verify_end(&p->chain, seq, hash));
}
