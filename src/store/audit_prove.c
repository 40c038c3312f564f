/* audit_prove.c - the proof of a chain, and the chain with its proofs as lines for elsewhere. */
#include "audit/export.h"
#include "base/err.h"
#include "store/audit.h"
#include "store/audit_keep.h"
#include "store/signing.h"

#define LINES_AT_ONCE (256 * 1024)       /* bytes */

static int prove_entry(void *ctx, const struct audit_entry *e)
{
	return audit_proof_entry(ctx, e);
}

int audit_prove(struct db *db, const uint8_t *key, struct audit_proof *p)
{
	uint8_t hash[AUDIT_HASH_SIZE];
	int64_t seq = 0;
	int rc;

	*p = (struct audit_proof){ .key = key };
	rc = audit_load(db, 1, p);
	/* After them: nothing that was signed may be beyond the head that is looked at, though more is written meanwhile. */
	if (rc == 0)
		rc = audit_head(db, &seq, hash);
	if (rc == 0)
		rc = audit_proof_begin(p);
	if (rc == 0 && seq > 0)
		rc = audit_each(db, 0, seq, prove_entry, p);
	return rc < 0 ? rc : audit_proof_end(p, seq, hash);
}

int audit_check(struct db *db, int64_t *count)
{
	uint8_t key[SIGNING_PUBLIC_SIZE];
	struct audit_proof p;
	int known = signing_public(db, SIGNING_LOG, key), rc = known == ERR_NOT_FOUND ? 0 : known;

	if (rc < 0)
		return rc;
	rc = audit_prove(db, known == 0 ? key : NULL, &p);
	*count = p.entries;
	audit_proof_release(&p);
	return rc;
}

struct export {
	int (*put)(void *ctx, const struct buf *lines);
	void *ctx;
	struct buf lines;
};

static int put_line(struct export *x, const struct audit_line *line)
{
	int rc = 0;

	audit_line_put(line, &x->lines);
	if (x->lines.len >= LINES_AT_ONCE) {
		rc = x->put(x->ctx, &x->lines);
		buf_reset(&x->lines);
	}
	return rc;
}

static int put_entry(void *ctx, const struct audit_entry *e)
{
	return put_line(ctx, &(struct audit_line){ .kind = AUDIT_LINE_ENTRY, .entry = *e });
}

static int put_proofs(struct export *x, const struct audit_proof *p)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->archive_count; i++)
		rc = put_line(x, &(struct audit_line){ .kind = AUDIT_LINE_ARCHIVE, .archive = p->archives[i] });
	for (size_t i = 0; rc == 0 && i < p->point_count; i++)
		rc = put_line(x, &(struct audit_line){ .kind = AUDIT_LINE_CHECKPOINT, .checkpoint = p->points[i] });
	return rc;
}

int audit_export(struct db *db, int (*put)(void *ctx, const struct buf *lines), void *ctx)
{
	struct export x = { put, ctx, BUF_INIT };
	struct audit_line head = { .kind = AUDIT_LINE_HEAD };
	struct audit_proof p = { .key = NULL };
	int rc = audit_load(db, 0, &p);

	head.head.scope = p.scope;
	if (rc == 0)
		rc = audit_head(db, &head.head.seq, head.head.hash);
	if (rc == 0)
		rc = put_line(&x, &head);
	if (rc == 0)
		rc = put_proofs(&x, &p);
	if (rc == 0 && head.head.seq > 0)
		rc = audit_each(db, 0, head.head.seq, put_entry, &x);
	if (rc == 0 && x.lines.len)
		rc = put(ctx, &x.lines);
	buf_free(&x.lines);
	audit_proof_release(&p);
	return rc;
}
