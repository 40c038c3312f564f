/* log_keep.c - checkpoints and the archive of the log. What belongs together is one transaction, so whatever kills jobd leaves a month either whole
 * in the archive with its signed record, or not there at all. */
#include "jobs/log_keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "audit/chain.h"
#include "audit/digest.h"
#include "base/csv.h"
#include "base/encode.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/table.h"
#include "store/audit.h"
#include "store/audit_copy.h"
#include "store/signing.h"

#define GZIP 16                  /* added to the window's bits: gzip's frame */
#define LEASE_ROWS 3000          /* entries that are archived in a second at the least */

static struct audit_rules rules;

int log_keep_start(const struct conf *conf)
{
	long online = 0, archive = 0, minutes = 0, main = 0;
	int rc = conf_int(conf, CONF_LOG_ONLINE, 1, 120, &online);

	if (rc == 0)
		rc = conf_int(conf, CONF_LOG_ARCHIVE, 1, 240, &archive);
	if (rc == 0)
		rc = conf_int(conf, CONF_LOG_CHECKPOINT, 1, 10080, &minutes);
	if (rc == 0)
		rc = conf_int(conf, CONF_LOG_MAIN, 1, 120, &main);
	rules = (struct audit_rules){ online, archive, main < online ? main : online, minutes };
	return rc;
}

int log_keep_tenants(struct db *db, json_t **out)
{
	return audit_keep_tenants(db, &rules, out);
}

int log_keep_queue(struct db *db, clock_us now)
{
	int rc = db_tenant(db) ? 1 : audit_keep_due(db, &rules);

	return rc <= 0 ? rc : job_add(db, AUDIT_KEEP_JOB, NULL, 0, AUDIT_KEEP_JOB);
}

int log_keep_copy_tenants(struct db *db, json_t **out)
{
	return audit_copy_tenants(db, out);
}

int log_keep_copy(struct db *db, clock_us now)
{
	int rc = audit_copy(db);

	return rc == AUDIT_COPY_STEP ? TASK_CHUNK : rc < 0 ? rc : 0;
}

int log_keep_make(struct db *db, clock_us now)
{
	return audit_months_make(db);
}

int log_keep_drop(struct db *db, clock_us now)
{
	int rc = audit_months_drop(db, &rules);

	return rc < 0 ? rc : 0;
}

/* Signing */

static int sign(struct work *w, const struct buf *text, uint8_t signature[static SIGNING_SIZE])
{
	struct keys_signer signer = { w->keys, w->job->id };
	const struct signing_by by = { &signer, keys_signer_make, keys_signer_sign };

	return signing_sign(w->db, &by, SIGNING_LOG, text, signature);
}

/* The key is the installation's: its making is no entry of a tenant's log. */
static int make_key(struct work *w)
{
	static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };
	uint8_t public_key[SIGNING_PUBLIC_SIZE], signature[SIGNING_SIZE];
	struct buf nothing = BUF_INIT;
	int rc = db_begin(w->db, NULL, &actor);

	if (rc == 0)
		rc = signing_public(w->db, SIGNING_LOG, public_key);
	if (rc == ERR_NOT_FOUND)
		rc = sign(w, &nothing, signature);
	return db_end(w->db, rc);
}

static int checkpoint(struct work *w)
{
	struct audit_checkpoint c = { .seq = 0 };
	char account[UUID_TEXT_SIZE], *hash, number[24];
	struct buf text = BUF_INIT;
	struct audit_scope scope;
	int rc = work_begin(w), due = 0;

	if (rc == 0)
		rc = due = audit_checkpoint_due(w->db, &rules, &c);
	if (rc > 0)
		rc = audit_scope(w->db, &scope);
	if (rc == 0 && due)
		audit_checkpoint_text(&scope, &c, &text);
	if (rc == 0 && due)
		rc = sign(w, &text, c.signature);
	if (rc == 0 && due)
		rc = audit_checkpoint_add(w->db, &c);
	rc = db_end(w->db, rc);
	buf_free(&text);
	if (rc < 0 || !due)
		return rc;
	/* The system's journal is out of the database's reach. */
	uuid_text(&scope.account, account);
	hash = encode_hex(c.hash, sizeof c.hash);
	snprintf(number, sizeof number, "%lld", (long long)c.seq);
	log_info("log signed", "account", account, "entry", number, "hash", hash, NULL);
	free(hash);
	return 0;
}

/* Archive */

struct archiving {
	struct work *w;
	struct uuid id;
	struct audit_archive record;
	struct audit_verify chain;
	struct audit_digest *digest;
	z_stream z;
	uint8_t *piece;
	int64_t pieces;
	struct buf row;
};

static const char *const columns = "Number,Time (UTC),Type,Event,Actor kind,Actor ID,Actor,Object kind,Object ID,Object,Detail,Address,Request,"
	"Written by,Previous hash,Hash\r\n";

static int put_piece(struct archiving *a)
{
	size_t len = AUDIT_PIECE - a->z.avail_out;
	int rc = 0;

	if (len) {
		audit_digest_add(a->digest, a->piece, len);
		a->record.bytes += (int64_t)len;
		rc = audit_archive_add_piece(a->w->db, &a->id, a->pieces++, a->piece, len);
	}
	a->z.next_out = a->piece;
	a->z.avail_out = AUDIT_PIECE;
	return rc;
}

static int compress_row(struct archiving *a, int flush)
{
	int rc = 0, done = 0;

	a->z.next_in = (Bytef *)a->row.data;
	a->z.avail_in = (uInt)a->row.len;
	while (rc == 0 && !done) {
		int state = deflate(&a->z, flush);

		if (state == Z_STREAM_ERROR)
			return err_set(ERR_INTERNAL, "deflate");
		done = flush == Z_FINISH ? state == Z_STREAM_END : a->z.avail_in == 0;
		if (a->z.avail_out == 0 || state == Z_STREAM_END)
			rc = put_piece(a);
	}
	buf_reset(&a->row);
	return rc;
}

/* Null is nothing at all, an empty text is two quotes. A text that begins with an apostrophe gets another one, so that the one which csv_cell puts
 * before formulas can be taken away again. */
static void put_text(struct buf *row, const char *text)
{
	char *more = text && *text == '\'' ? mem_printf("'%s", text) : NULL;

	buf_putc(row, ',');
	if (text)
		csv_cell(row, more ? more : text);
	free(more);
}

static void put_id(struct buf *row, int has, const struct uuid *id)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	put_text(row, has ? text : NULL);
}

static void put_hash(struct buf *row, const uint8_t *hash)
{
	char *text = encode_hex(hash, AUDIT_HASH_SIZE);

	put_text(row, text);
	free(text);
}

static int put_entry(void *ctx, const struct audit_entry *e)
{
	struct archiving *a = ctx;
	struct buf *row = &a->row;
	char at[CLOCK_TEXT_SIZE];
	int rc = audit_verify_step(&a->chain, e);

	if (rc < 0)
		return rc;
	clock_text(e->at, at);
	buf_printf(row, "%lld", (long long)e->seq);
	put_text(row, at);
	put_text(row, e->category);
	put_text(row, e->event);
	put_text(row, e->actor_kind);
	put_id(row, e->has_actor_id, &e->actor_id);
	put_text(row, e->actor_name);
	put_text(row, e->object_kind);
	put_id(row, e->has_object_id, &e->object_id);
	put_text(row, e->object_name);
	put_text(row, e->detail);
	put_text(row, e->address);
	put_text(row, e->request);
	put_text(row, e->written_by);
	put_hash(row, e->previous);
	put_hash(row, e->hash);
	buf_puts(row, "\r\n");
	return compress_row(a, Z_NO_FLUSH);
}

/* What was altered is not archived: the month stays where it is, and the job says so. */
static int write_file(struct archiving *a)
{
	int rc;

	if (deflateInit2(&a->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(ERR_INTERNAL, "deflate cannot start");
	a->z.next_out = a->piece;
	a->z.avail_out = AUDIT_PIECE;
	a->chain.seq = a->record.first - 1;
	memcpy(a->chain.hash, a->record.before, AUDIT_HASH_SIZE);
	buf_puts(&a->row, columns);
	rc = audit_each(a->w->db, a->record.first - 1, a->record.last, put_entry, a);
	if (rc == 0 && a->chain.seq != a->record.last)
		rc = err_set(ERR_TRUNCATED, "entry %lld is missing", (long long)a->chain.seq + 1);
	if (rc == 0)
		rc = compress_row(a, Z_FINISH);
	deflateEnd(&a->z);
	memcpy(a->record.after, a->chain.hash, AUDIT_HASH_SIZE);
	return rc;
}

static int sign_record(struct archiving *a)
{
	struct buf text = BUF_INIT;
	struct audit_scope scope;
	int rc = audit_scope(a->w->db, &scope);

	a->record.made = clock_now();
	if (rc == 0) {
		audit_archive_text(&scope, &a->record, &text);
		rc = sign(a->w, &text, a->record.signature);
	}
	buf_free(&text);
	return rc;
}

static int archive_month(struct work *w, const struct audit_archive *month)
{
	struct archiving a = { .w = w, .id = uuid_new(), .record = *month, .digest = audit_digest_new(), .piece = mem_alloc(AUDIT_PIECE), .row = BUF_INIT };
	int rc = work_begin(w);

	audit_verify_begin(&a.chain, w->job->has_tenant ? &w->job->tenant : &(struct uuid){ { 0 } });
	if (rc == 0)
		rc = write_file(&a);
	audit_digest_end(a.digest, a.record.digest);
	if (rc == 0)
		rc = sign_record(&a);
	if (rc == 0)
		rc = audit_archive_add(w->db, &rules, &a.id, &a.record);
	rc = db_end(w->db, rc);
	free(a.piece);
	buf_free(&a.row);
	return rc;
}

/* 1: a month was archived. */
static int archive(struct work *w)
{
	struct audit_archive month = { .first = 0 };
	int rc = work_begin(w), found = 0;

	if (rc == 0)
		rc = found = audit_archive_next(w->db, &rules, &month);
	if (rc > 0)
		rc = job_keep(w->db, &w->job->id, CLOCK_MINUTE + (month.last - month.first) / LEASE_ROWS * CLOCK_SECOND);
	rc = db_end(w->db, rc);
	if (rc == 0 && found)
		rc = archive_month(w, &month);
	/* Another jobd was quicker. */
	return rc == ERR_CONFLICT ? 0 : rc < 0 ? rc : found;
}

static int expire(struct work *w)
{
	int rc = work_begin(w);

	if (rc == 0)
		rc = audit_archive_expire(w->db);
	return db_end(w->db, rc < 0 ? rc : 0);
}

/* The operator and the account are told once: the job is the same until somebody has seen to it. */
static int note_altered(struct work *w, const char *why)
{
	int rc = work_begin(w);

	if (rc == 0)
		rc = audit_altered_note(w->db, w->job, why);
	return db_end(w->db, rc);
}

static int archive_all(struct work *w)
{
	char why[256];
	int rc = 1;

	while (rc > 0)
		rc = archive(w);
	if (rc != ERR_TAMPERED && rc != ERR_TRUNCATED && rc != ERR_REORDERED)
		return rc;
	snprintf(why, sizeof why, "%s", err_text());
	if (note_altered(w, why) < 0)
		log_warning("that entries of the log were altered could not be logged", "why", err_text(), NULL);
	return err_set(rc, "%s", why);
}

/* What cannot be archived keeps nothing else waiting. */
int log_keep_job(struct work *w)
{
	char why[256] = "";
	int rc = make_key(w), archived, rest;

	if (rc == 0)
		rc = checkpoint(w);
	if (rc < 0)
		return rc;
	archived = archive_all(w);
	snprintf(why, sizeof why, "%s", archived < 0 ? err_text() : "");
	rest = expire(w);
	return archived < 0 ? err_set(archived, "%s", why) : rest;
}
