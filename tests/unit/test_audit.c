/* test_audit.c - the log's hash chain by itself: a known vector, and that nothing can be altered, removed or reordered. */
#include <sodium.h>

#include "audit/export.h"
#include "audit/proof.h"
#include "base/encode.h"
#include "base/err.h"
#include "check.h"

#define COUNT 5

static void make(struct audit_entry chain[COUNT])
{
	static const char *const names[COUNT] = { "a", NULL, "", "d", "e" };
	uint8_t previous[AUDIT_HASH_SIZE] = { 0 };

	memset(chain, 0, COUNT * sizeof *chain);
	for (int i = 0; i < COUNT; i++) {
		struct audit_entry *e = &chain[i];

		uuid_parse("0193f2d0-1111-7222-8333-444455556666", &e->tenant);
		e->seq = i + 1;
		e->at = 1700000000000000 + i;
		e->category = "user";
		e->event = "user.signed-in";
		e->actor_kind = "user";
		e->actor_name = names[i];
		e->has_object_id = i % 2;
		e->detail = i == 3 ? "{\"a\":1}" : NULL;
		e->written_by = "keyward_console";
		memcpy(e->previous, previous, sizeof previous);
		audit_hash(e, e->hash);
		memcpy(previous, e->hash, sizeof previous);
	}
}

static int verify(const struct audit_entry *chain, int from, int to, int64_t head, const uint8_t *hash)
{
	struct audit_verify v;

	audit_verify_begin(&v, &chain[0].tenant);
	for (int i = from; i < to; i++)
		audit_verify_step(&v, &chain[i]);
	return audit_verify_end(&v, head, hash);
}

TEST(whole_chain, "LOG-3")
{
	struct audit_entry c[COUNT];
	uint8_t zero[AUDIT_HASH_SIZE] = { 0 };

	make(c);
	CHECK_INT(verify(c, 0, COUNT, COUNT, c[COUNT - 1].hash), 0);
	CHECK_INT(verify(c, 0, 0, 0, zero), 0);
}

/* Written out by hand: whoever changes the encoding breaks every chain there is. */
TEST(encoding_is_fixed, "LOG-3")
{
	struct audit_entry c[COUNT];
	struct buf text = BUF_INIT;
	char *hex;

	make(c);
	audit_encode(&c[0], &text);
	hex = encode_hex(text.data, text.len);
	CHECK_STR(hex, "0000000f6b6579776172642d61756469742d31" "000000100193f2d0111172228333444455556666" "000000080000000000000001"
		"0000000800060a24181e4000" "0000000475736572" "0000000e757365722e7369676e65642d696e" "0000000475736572" "ffffffff"
		"0000000161" "ffffffff" "ffffffff" "ffffffff" "ffffffff" "ffffffff" "ffffffff"
		"0000000f6b6579776172645f636f6e736f6c65"
		"000000200000000000000000000000000000000000000000000000000000000000000000");
	free(hex);
	buf_free(&text);
}

TEST(alterations_are_found, "LOG-3")
{
	struct audit_entry c[COUNT];
	uint8_t head[AUDIT_HASH_SIZE];
	int found = 0;

	for (int field = 0; field < 18; field++) {
		struct audit_entry *e = &c[2];

		make(c);
		switch (field) {
		case 0: e->at++; break;
		case 1: e->category = "use"; break;
		case 2: e->event = "ruser.signed-in"; break;
		case 3: e->actor_kind = NULL; break;
		case 4: e->has_actor_id = 1; break;
		case 5: e->actor_name = NULL; break;     /* was empty */
		case 6: e->object_kind = ""; break;
		case 7: e->has_object_id = 1; break;
		case 8: e->object_name = "x"; break;
		case 9: e->detail = "{}"; break;
		case 10: e->address = "::1"; break;
		case 11: e->request = "r"; break;
		case 12: e->written_by = "postgres"; break;
		case 13: e->previous[0] ^= 1; break;
		case 14: e->hash[31] ^= 1; break;
		case 15: e->tenant.bytes[0] ^= 1; break;
		case 16: e->seq = 4; break;
		/* Where a text ends must not be a matter of taste. */
		case 17: e->category = "useruser"; e->event = ".signed-in"; break;
		}
		found += verify(c, 0, COUNT, COUNT, c[COUNT - 1].hash) < 0;
	}
	CHECK_INT(found, 18);
	/* Rewritten with fitting hashes from the middle on: the head, kept apart, does not fit. */
	make(c);
	memcpy(head, c[COUNT - 1].hash, sizeof head);
	c[2].actor_name = "somebody else";
	for (int i = 2; i < COUNT; i++) {
		memcpy(c[i].previous, c[i - 1].hash, AUDIT_HASH_SIZE);
		audit_hash(&c[i], c[i].hash);
	}
	CHECK_INT(verify(c, 0, COUNT, COUNT, c[COUNT - 1].hash), 0);
	CHECK_INT(verify(c, 0, COUNT, COUNT, head), ERR_TAMPERED);
}

TEST(removal_and_reordering_are_found, "LOG-3")
{
	struct audit_entry c[COUNT], swap;
	uint8_t head[AUDIT_HASH_SIZE];

	make(c);
	memcpy(head, c[COUNT - 1].hash, sizeof head);
	CHECK_INT(verify(c, 1, COUNT, COUNT, head), ERR_TRUNCATED);
	CHECK_INT(verify(c, 0, COUNT - 1, COUNT, head), ERR_TRUNCATED);
	CHECK_INT(verify(c, 0, 0, COUNT, head), ERR_TRUNCATED);
	CHECK_INT(verify(c, 0, COUNT, COUNT - 1, c[COUNT - 2].hash), ERR_TAMPERED);
	/* The head moved back with the cut is not found by the chain alone: that is what signed checkpoints are for. */
	CHECK_INT(verify(c, 0, COUNT - 1, COUNT - 1, c[COUNT - 2].hash), 0);
	swap = c[1];
	c[1] = c[2];
	c[2] = swap;
	CHECK_INT(verify(c, 0, COUNT, COUNT, head), ERR_TRUNCATED);
	c[1].seq = 2;
	c[2].seq = 3;
	CHECK_INT(verify(c, 0, COUNT, COUNT, head), ERR_TAMPERED);
	make(c);
	c[2] = c[1];
	CHECK_INT(verify(c, 0, COUNT, COUNT, head), ERR_REORDERED);
}

/* Checkpoints of entries 2 and 4, a record of an archived month with entries 1 to 3; signed. */
struct signed_chain {
	struct audit_entry c[COUNT];
	uint8_t key[AUDIT_KEY_SIZE], pair[crypto_sign_SECRETKEYBYTES];
	struct audit_scope scope;
	struct audit_checkpoint points[2];
	struct audit_archive archive;
};

static void sign(struct signed_chain *s, struct buf *text, uint8_t *signature)
{
	crypto_sign_detached(signature, NULL, (const uint8_t *)text->data, text->len, s->pair);
	buf_free(text);
}

static void sign_all(struct signed_chain *s)
{
	struct buf text = BUF_INIT;

	make(s->c);
	crypto_sign_keypair(s->key, s->pair);
	s->scope.account = s->c[0].tenant;
	for (int i = 0; i < 2; i++) {
		s->points[i] = (struct audit_checkpoint){ .seq = 2 + 2 * i, .at = 1700000000000000 };
		memcpy(s->points[i].hash, s->c[1 + 2 * i].hash, AUDIT_HASH_SIZE);
		audit_checkpoint_text(&s->scope, &s->points[i], &text);
		sign(s, &text, s->points[i].signature);
	}
	s->archive = (struct audit_archive){ .month = "2025-10", .first = 1, .last = 3 };
	memcpy(s->archive.after, s->c[2].hash, AUDIT_HASH_SIZE);
	audit_archive_text(&s->scope, &s->archive, &text);
	sign(s, &text, s->archive.signature);
}

/* Entries FROM up to TO, the head at TO; each part only when it is wanted. */
static int prove(const struct signed_chain *s, int archive, int points, int from, int to)
{
	struct audit_proof p = { .scope = s->scope, .key = s->key };
	int rc;

	if (archive)
		audit_proof_add_archive(&p, &s->archive);
	for (int i = 0; i < points; i++)
		audit_proof_add_checkpoint(&p, &s->points[i]);
	rc = audit_proof_begin(&p);
	for (int i = from; rc == 0 && i < to; i++)
		rc = audit_proof_entry(&p, &s->c[i]);
	if (rc == 0)
		rc = audit_proof_end(&p, to, s->c[to - 1].hash);
	audit_proof_release(&p);
	return rc;
}

TEST(signed_parts_hold_the_chain_together, "LOG-1,LOG-3")
{
	struct signed_chain s = { .archive = { .first = 0 } };

	sign_all(&s);
	CHECK_INT(prove(&s, 0, 0, 0, COUNT), 0);
	CHECK_INT(prove(&s, 1, 2, 0, COUNT), 0);
	/* What is gone went by retention; or it did not. */
	CHECK_INT(prove(&s, 1, 2, 3, COUNT), 0);
	CHECK_INT(prove(&s, 0, 2, 3, COUNT), ERR_TRUNCATED);
	CHECK_INT(prove(&s, 1, 2, 4, COUNT), ERR_TRUNCATED);
	CHECK_INT(prove(&s, 1, 1, 3, 3), 0);
	/* The end cut off, with the head moved back. */
	CHECK_INT(prove(&s, 0, 2, 0, 3), ERR_TRUNCATED);
	CHECK_INT(prove(&s, 0, 2, 0, 4), 0);
	CHECK_INT(prove(&s, 1, 0, 0, 2), ERR_TRUNCATED);
}

TEST(what_is_not_signed_by_this_key_for_this_chain_is_refused, "LOG-3")
{
	struct signed_chain s = { .archive = { .first = 0 } };

	for (int i = 0; i < 8; i++) {
		sign_all(&s);
		switch (i) {
		case 0: s.key[3] ^= 1; break;
		case 1: s.points[1].signature[5] ^= 1; break;
		case 2: s.points[1].at += CLOCK_SECOND; break;
		case 3: s.points[0].hash[0] ^= 1; break;
		case 4: s.archive.last = 4; break;
		case 5: s.archive.digest[1] ^= 1; break;
		case 6: s.archive.month[6] = '1'; break;
		case 7: s.scope.installation.bytes[0] ^= 1; break;
		}
		CHECK_INT(prove(&s, 1, 2, 0, COUNT), ERR_TAMPERED);
	}
	/* The same checkpoint, of another chain with the same account: its entry is not this one. */
	sign_all(&s);
	s.c[3].actor_name = "somebody else";
	for (int i = 3; i < COUNT; i++) {
		memcpy(s.c[i].previous, s.c[i - 1].hash, AUDIT_HASH_SIZE);
		audit_hash(&s.c[i], s.c[i].hash);
	}
	CHECK_INT(prove(&s, 0, 0, 0, COUNT), 0);
	CHECK_INT(prove(&s, 0, 2, 0, COUNT), ERR_TAMPERED);
}

TEST(lines_of_an_export_come_back, "LOG-3")
{
	struct audit_entry c[COUNT];
	struct audit_line line = { .kind = AUDIT_LINE_ENTRY }, back;
	struct buf text = BUF_INIT;

	make(c);
	for (int i = 0; i < COUNT; i++) {
		uint8_t hash[AUDIT_HASH_SIZE];

		line.entry = c[i];
		audit_line_put(&line, &text);
		CHECK_INT(audit_line_read(text.data, text.len, &back), 0);
		audit_hash(&back.entry, hash);
		CHECK(memcmp(hash, c[i].hash, sizeof hash) == 0);
		audit_line_release(&back);
		buf_reset(&text);
	}
	CHECK_INT(audit_line_read("{}", 2, &back), ERR_INVALID);
	CHECK_INT(audit_line_read("{\"entry\":{}}", 12, &back), ERR_INVALID);
	buf_free(&text);
}

TEST_MAIN
