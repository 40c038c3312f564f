/* audit_keep.c - checkpoints and archived months of the log. */
#include "store/audit_keep.h"

#include <stdlib.h>
#include <string.h>

#include "audit/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/audit_archive.h"
#include "store/job.h"
#include "store/signing.h"
#include "store/tenant.h"

/* Nobody's head is the nil UUID's but the installation's. */
#define CHAIN "coalesce(current_tenant(), '00000000-0000-0000-0000-000000000000')"
/* Whole months by UTC that ended so many months ago. */
#define OLDER(months) "((date_trunc('month', now() at time zone 'UTC') - make_interval(months => " months "::int)) at time zone 'UTC')"

int audit_scope(struct db *db, struct audit_scope *out)
{
	out->account = db_tenant(db) ? *db_tenant(db) : (struct uuid) { { 0 } };
	return installation_id(db, &out->installation);
}

/* One value of JSON; null where there is no other log database. The caller's. */
static int ask_log(struct db *db, const char *sql, const struct audit_rules *rules, json_t **out)
{
	struct db_result *r;
	struct db *log;
	int rc;

	*out = json_null();
	if (!db_has_log(db))
		return 0;
	rc = db_log(db, &log);
	if (rc == 0)
		rc = db_query_row(log, &r, sql, DB_ARGS(db_int_arg(rules->online)));
	if (rc < 0)
		return rc;
	*out = db_json(r, 0, 0);
	db_result_free(r);
	return 0;
}

/* While the log database is away nothing of it is archived, but what is written is signed. */
static int old_elsewhere(struct db *db, const struct audit_rules *rules, json_t **out)
{
	int rc = ask_log(db, "select audit_old(" OLDER("$1") ")", rules, out);

	if (rc == ERR_UNAVAILABLE)
		*out = json_array();
	return rc == ERR_UNAVAILABLE ? 0 : rc;
}

static struct db_arg json_or_null(const json_t *v)
{
	return json_is_null(v) ? db_json_arg(NULL) : db_json_arg(v);
}

#define DUE "from audit_due(make_interval(mins => $1::int), " OLDER("$2") ", $3) d where d.id "

int audit_keep_tenants(struct db *db, const struct audit_rules *rules, json_t **out)
{
	json_t *old = NULL;
	int rc = old_elsewhere(db, rules, &old);

	if (rc == 0)
		rc = db_get_rows(db, out, "select d.id " DUE "<> '00000000-0000-0000-0000-000000000000'", DB_ARGS(db_int_arg(rules->minutes),
			db_int_arg(rules->online), json_or_null(old)));
	json_decref(old);
	return rc;
}

int audit_keep_due(struct db *db, const struct audit_rules *rules)
{
	json_t *old = NULL;
	int rc = old_elsewhere(db, rules, &old);

	if (rc == 0)
		rc = db_has(db, "select 1 " DUE "= '00000000-0000-0000-0000-000000000000'", DB_ARGS(db_int_arg(rules->minutes), db_int_arg(rules->online),
			json_or_null(old)));
	json_decref(old);
	return rc;
}

/* The operator, too, reads in its log whose it is. */
static int note_above(struct db *db, const char *why)
{
	json_t *label = NULL;
	int rc = tenant_label(db, &label);

	if (rc == 0)
		rc = audit_log_above(db, AUDIT_LOG_ALTERED, &(struct audit_object){ "tenant", db_tenant(db), json_string_value(json_object_get(label, "name")) },
			json_pack("{s:s}", "reason", why));
	json_decref(label);
	return rc;
}

static int note(struct db *db, const struct uuid *job, const char *name, const char *why)
{
	json_t *more = json_pack("{s:s}", name, why);
	int rc = job_note(db, job, more);

	json_decref(more);
	return rc;
}

int audit_altered_note(struct db *db, const struct job *job, const char *why)
{
	const char *before = json_string_value(json_object_get(job->payload, "doubted"));
	int rc;

	if (json_object_get(job->payload, "altered"))
		return 0;
	if (before == NULL || strcmp(before, why) != 0)
		return note(db, &job->id, "doubted", why);
	rc = note(db, &job->id, "altered", why);
	if (rc == 0 && db_tenant(db))
		rc = note_above(db, why);
	return rc < 0 ? rc : audit_log(db, AUDIT_LOG_ALTERED, NULL, json_pack("{s:s}", "reason", why));
}

static int make_months(struct db *db)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select audit_months()", DB_NONE);

	if (rc == 0)
		db_result_free(r);
	return rc;
}

int audit_months_make(struct db *db)
{
	struct db *log;
	int rc = make_months(db);

	if (rc < 0 || !db_has_log(db))
		return rc;
	rc = db_log(db, &log);
	if (rc == 0)
		rc = make_months(log);
	return rc < 0 ? rc : db_commit(log);
}

static int drop(struct db *db, int64_t months, const char *how, const json_t *given)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select audit_months_drop(" OLDER("$1") ", $2, $3)::bigint", DB_ARGS(db_int_arg(months), db_text_arg(how),
		db_json_arg(given)));

	if (rc < 0)
		return rc;
	rc = (int)db_int(r, 0, 0);
	db_result_free(r);
	return rc;
}

static int drop_in_log(struct db *db, const struct audit_rules *rules)
{
	struct db_result *r;
	json_t *archived;
	struct db *log;
	int rc = db_query_row(db, &r, "select audit_archived(" OLDER("$1") ")", DB_ARGS(db_int_arg(rules->online)));

	if (rc < 0)
		return rc;
	archived = db_json(r, 0, 0);
	db_result_free(r);
	rc = db_log(db, &log);
	if (rc == 0)
		rc = drop(log, rules->online, "listed", archived);
	json_decref(archived);
	return rc < 0 ? rc : db_commit(log);
}

int audit_months_drop(struct db *db, const struct audit_rules *rules)
{
	int rc;

	if (!db_has_log(db))
		return drop(db, rules->online, "archived", NULL);
	rc = drop(db, rules->main, "copied", NULL);
	return rc < 0 ? rc : drop_in_log(db, rules);
}

/* COLUMN must have LEN bytes. */
static int take(struct db_result *r, size_t row, int column, uint8_t *out, size_t len)
{
	struct wire_view v = db_bytes(r, row, column);

	if (v.len != len)
		return err_set(ERR_TAMPERED, "a hash or signature of %zu bytes", v.len);
	memcpy(out, v.data, len);
	return 0;
}

int audit_checkpoint_due(struct db *db, const struct audit_rules *rules, struct audit_checkpoint *out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select h.seq, h.hash, clock_timestamp() from audit_head h left join lateral (select c.seq, c.at from audit_checkpoint c where"
		" c.tenant = h.tenant order by c.seq desc limit 1) c on true where h.tenant = " CHAIN " and h.seq > coalesce(c.seq, 0) and"
		" coalesce(c.at <= now() - make_interval(mins => $1::int), true)", DB_ARGS(db_int_arg(rules->minutes)));

	if (rc < 0)
		return rc;
	if (db_rows(r) > 0) {
		out->seq = db_int(r, 0, 0);
		out->at = db_time(r, 0, 2);
		rc = take(r, 0, 1, out->hash, AUDIT_HASH_SIZE);
		rc = rc < 0 ? rc : 1;
	}
	db_result_free(r);
	return rc;
}

/* Of two at once the first one's stays. */
int audit_checkpoint_add(struct db *db, const struct audit_checkpoint *c)
{
	int rc = db_run(db, "insert into audit_checkpoint (tenant, seq, hash, at, signature) values (" CHAIN ", $1, $2, $3, $4) on conflict do nothing",
		DB_ARGS(db_int_arg(c->seq), db_bytes_arg(c->hash, AUDIT_HASH_SIZE), db_time_arg(c->at), db_bytes_arg(c->signature, AUDIT_SIGNATURE_SIZE)));

	return rc < 0 ? rc : 0;
}

/* Archive */

/* What the last record of the archive ends with; nothing: zero. */
static int last_archived(struct db *db, int64_t *last, uint8_t after[static AUDIT_HASH_SIZE])
{
	struct db_result *r;
	int rc = db_query(db, &r, "select a.last, a.after from audit_archive a where a.tenant = " CHAIN " order by a.last desc limit 1", DB_NONE);

	if (rc < 0)
		return rc;
	*last = 0;
	memset(after, 0, AUDIT_HASH_SIZE);
	if (db_rows(r) > 0) {
		*last = db_int(r, 0, 0);
		rc = take(r, 0, 1, after, AUDIT_HASH_SIZE);
	}
	db_result_free(r);
	return rc;
}

int audit_archive_next(struct db *db, const struct audit_rules *rules, struct audit_archive *out)
{
	uint8_t after[AUDIT_HASH_SIZE];
	struct db_result *r;
	struct db *log;
	int64_t last = 0;
	int rc = last_archived(db, &last, after);

	if (rc == 0)
		rc = db_log(db, &log);
	if (rc == 0)
		rc = db_query(log, &r, "select to_char(f.at at time zone 'UTC', 'YYYY-MM'), f.seq, (select max(l.seq) from audit_entry l where l.tenant = f.tenant"
			" and l.at >= f.at and l.at < (date_trunc('month', f.at at time zone 'UTC') + interval '1 month') at time zone 'UTC') from (select e.tenant,"
			" e.seq, e.at from audit_entry e where e.tenant = " CHAIN " and e.at < " OLDER("$1") " and e.seq > $2 order by e.seq limit 1) f",
			DB_ARGS(db_int_arg(rules->online), db_int_arg(last)));
	if (rc < 0)
		return rc;
	if (db_rows(r) > 0) {
		snprintf(out->month, sizeof out->month, "%s", db_text(r, 0, 0));
		out->first = db_int(r, 0, 1);
		out->last = db_int(r, 0, 2);
		memcpy(out->before, after, AUDIT_HASH_SIZE);
		rc = out->first == last + 1 ? 1 : err_set(ERR_TRUNCATED, "entry %lld is missing", (long long)out->first - 1);
	}
	db_result_free(r);
	return rc;
}

int audit_archive_add_piece(struct db *db, const struct uuid *id, int64_t n, const void *data, size_t len)
{
	return db_queue(db, "insert into audit_archive_piece (tenant, archive, n, bytes) values (" CHAIN ", $1, $2, $3)", DB_ARGS(db_uuid_arg(id),
		db_int_arg(n), db_bytes_arg(data, len)));
}

static int log_month(struct db *db, enum audit_event event, const struct uuid *id, const char *month, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "log-archive", id, month }, detail);
}

int audit_archive_add(struct db *db, const struct audit_rules *rules, const struct uuid *id, const struct audit_archive *a)
{
	char *day = mem_printf("%s-01", a->month);
	int rc = db_run_one(db, "insert into audit_archive (tenant, id, month, first, last, before, after, bytes, digest, made, signature, expires) values ("
		CHAIN ", $1, $2::date, $3, $4, $5, $6, $7, $8, $9, $10, ($2::date + make_interval(months => 1 + $11::int)) at time zone 'UTC')",
		DB_ARGS(db_uuid_arg(id), db_text_arg(day), db_int_arg(a->first), db_int_arg(a->last), db_bytes_arg(a->before, AUDIT_HASH_SIZE),
		db_bytes_arg(a->after, AUDIT_HASH_SIZE), db_int_arg(a->bytes), db_bytes_arg(a->digest, AUDIT_HASH_SIZE), db_time_arg(a->made),
		db_bytes_arg(a->signature, AUDIT_SIGNATURE_SIZE), db_int_arg(rules->online + rules->archive)));

	free(day);
	return rc < 0 ? rc : log_month(db, AUDIT_LOG_ARCHIVED, id, a->month, json_pack("{s:I, s:I, s:I}", "first", (json_int_t)a->first, "last",
		(json_int_t)a->last, "bytes", (json_int_t)a->bytes));
}

/* The pieces go; the record stays. BY NULL: its time is over. */
static int remove_file(struct db *db, const struct uuid *id, const char *by, enum audit_event event)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update audit_archive set removed = now(), removed_by = $2 where tenant = " CHAIN " and id = $1 and removed is null"
		" returning to_char(month, 'YYYY-MM')", DB_ARGS(db_uuid_arg(id), db_text_arg(by)));

	if (rc < 0)
		return rc;
	rc = db_rows(r) ? 0 : err_set(ERR_CONFLICT, "the file is gone already");
	if (rc == 0)
		rc = db_run(db, "delete from audit_archive_piece where tenant = " CHAIN " and archive = $1", DB_ARGS(db_uuid_arg(id)));
	if (rc >= 0)
		rc = log_month(db, event, id, db_text(r, 0, 0), NULL);
	db_result_free(r);
	return rc;
}

int audit_archive_expire(struct db *db)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from audit_archive where tenant = " CHAIN " and removed is null and expires <= now() order by month for update"
		" skip locked", DB_NONE), count = 0;

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++, count++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = remove_file(db, &id, NULL, AUDIT_LOG_ARCHIVE_EXPIRED);
	}
	db_result_free(r);
	return rc < 0 ? rc : count;
}

int audit_archive_delete(struct db *db, const struct uuid *id)
{
	int rc = db_has(db, "select 1 from audit_archive where tenant = " CHAIN " and id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc <= 0)
		return rc < 0 ? rc : err_set(ERR_NOT_FOUND, "no such archive");
	return remove_file(db, id, db_actor(db)->name, AUDIT_LOG_ARCHIVE_DELETED);
}

#define ARCHIVE_COLUMNS "to_char(a.month, 'YYYY-MM') as month, a.first, a.last, a.before as _before, a.after as _after, a.bytes, a.digest, a.made," \
	" a.signature as _signature, a.removed, a.id, a.last - a.first + 1 as entries, a.expires, a.removed_by"

static const struct list_column sorts[] = {
	{ "month", "a.month", "date", 1 },
	{ "entries", "(a.last - a.first + 1)", "bigint", 1 },
	{ "bytes", "a.bytes", "bigint", 1 },
	{ NULL },
};
static const char *const searches[] = { "to_char(a.month, 'YYYY-MM')", "encode(a.digest, 'hex')", "coalesce(a.removed_by, '')", NULL };
static const struct list_filter filters[] = {
	{ "state", "$ = 'kept' and a.removed is null", "kept" },
	{ "state", "$ = 'removed' and a.removed is not null", "removed" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = ARCHIVE_COLUMNS, .from = "audit_archive a", .id = "a.id", .where = "a.tenant = " CHAIN, .sorts = sorts,
	.searches = searches, .filters = filters,
};

int audit_archive_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

static int take_archive(struct db_result *r, size_t i, struct audit_archive *a)
{
	int rc = take(r, i, 3, a->before, AUDIT_HASH_SIZE);

	snprintf(a->month, sizeof a->month, "%s", db_text(r, i, 0));
	a->first = db_int(r, i, 1);
	a->last = db_int(r, i, 2);
	a->bytes = db_int(r, i, 5);
	a->made = db_time(r, i, 7);
	a->removed = !db_is_null(r, i, 9);
	if (rc == 0)
		rc = take(r, i, 4, a->after, AUDIT_HASH_SIZE);
	if (rc == 0)
		rc = take(r, i, 6, a->digest, AUDIT_HASH_SIZE);
	return rc < 0 ? rc : take(r, i, 8, a->signature, AUDIT_SIGNATURE_SIZE);
}

int audit_archive_get(struct db *db, const struct uuid *id, json_t **row)
{
	return db_get_row(db, row, "select " ARCHIVE_COLUMNS " from audit_archive a where a.tenant = " CHAIN " and a.id = $1", DB_ARGS(db_uuid_arg(id)));
}

static int get(struct db *db, const struct uuid *id, struct audit_archive *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select " ARCHIVE_COLUMNS " from audit_archive a where a.tenant = " CHAIN " and a.id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = take_archive(r, 0, out);
	db_result_free(r);
	return rc;
}

/* Piece after piece of the file to EACH. */
static int each_piece(struct db *db, const struct uuid *id, void (*each)(void *ctx, struct wire_view piece), void *ctx)
{
	struct db_result *r;
	size_t count = 1;
	int rc = 0;

	for (int64_t n = 0; rc == 0 && count; n++) {
		rc = db_query(db, &r, "select bytes from audit_archive_piece where tenant = " CHAIN " and archive = $1 and n = $2", DB_ARGS(db_uuid_arg(id),
			db_int_arg(n)));
		if (rc < 0)
			break;
		count = db_rows(r);
		if (count)
			each(ctx, db_bytes(r, 0, 0));
		db_result_free(r);
	}
	return rc;
}

struct reading {
	struct audit_digest *digest;
	struct buf *out;                 /* NULL: the digest alone is wanted */
	int64_t bytes;
};

static void read_piece(void *ctx, struct wire_view piece)
{
	struct reading *x = ctx;

	audit_digest_add(x->digest, piece.data, piece.len);
	x->bytes += (int64_t)piece.len;
	if (x->out)
		buf_add(x->out, piece.data, piece.len);
}

static int check_removed(struct db *db, const struct uuid *id)
{
	int rc = db_has(db, "select 1 from audit_archive where tenant = " CHAIN " and id = $1 and removed is not null", DB_ARGS(db_uuid_arg(id)));

	return rc <= 0 ? rc : err_set(ERR_NOT_FOUND, "the file is gone");
}

/* Whether the file of A is the one that its record was signed for. ERR_NOT_FOUND: somebody has removed it meanwhile, which is no harm. */
static int check_file(struct db *db, const struct uuid *id, const struct audit_archive *a, struct buf *out)
{
	struct reading x = { audit_digest_new(), out, 0 };
	uint8_t digest[AUDIT_HASH_SIZE];
	int rc = each_piece(db, id, read_piece, &x);

	audit_digest_end(x.digest, digest);
	if (rc < 0 || (x.bytes == a->bytes && memcmp(digest, a->digest, sizeof digest) == 0))
		return rc;
	rc = check_removed(db, id);
	return rc < 0 ? rc : err_set(ERR_TAMPERED, "the file of the archived month %s is not the one that was signed", a->month);
}

static int check_record(struct db *db, const struct audit_archive *a)
{
	uint8_t key[SIGNING_PUBLIC_SIZE];
	struct buf text = BUF_INIT;
	struct audit_scope scope;
	int rc = audit_scope(db, &scope);

	if (rc == 0)
		rc = signing_public(db, SIGNING_LOG, key);
	if (rc == 0) {
		audit_archive_text(&scope, a, &text);
		if (!audit_is_signed(&text, a->signature, key))
			rc = err_set(ERR_TAMPERED, "the record of the archived month %s is not signed by this installation", a->month);
	}
	buf_free(&text);
	return rc;
}

int audit_archive_read(struct db *db, const struct uuid *id, struct buf *out)
{
	struct audit_archive a;
	int rc = get(db, id, &a);

	if (rc == 0 && a.removed)
		rc = err_set(ERR_NOT_FOUND, "the file is gone");
	if (rc == 0)
		rc = check_record(db, &a);
	if (rc == 0)
		rc = check_file(db, id, &a, out);
	return rc < 0 ? rc : log_month(db, AUDIT_LOG_ARCHIVE_READ, id, a.month, NULL);
}

int audit_archive_record(struct db *db, const struct uuid *id, struct buf *text, struct buf *signature)
{
	struct audit_archive a;
	struct audit_scope scope;
	int rc = get(db, id, &a);

	if (rc == 0)
		rc = audit_scope(db, &scope);
	if (rc < 0)
		return rc;
	audit_archive_text(&scope, &a, text);
	buf_add(signature, a.signature, sizeof a.signature);
	return 0;
}

/* Proof */

static int add_archives(struct db *db, int files, struct audit_proof *p)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select " ARCHIVE_COLUMNS " from audit_archive a where a.tenant = " CHAIN " order by a.last", DB_NONE);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 10);
		struct audit_archive a;

		rc = take_archive(r, i, &a);
		if (rc == 0 && files && !a.removed)
			rc = check_file(db, &id, &a, NULL);
		if (rc == ERR_NOT_FOUND) {
			a.removed = 1;
			rc = 0;
		}
		if (rc == 0)
			audit_proof_add_archive(p, &a);
	}
	db_result_free(r);
	return rc;
}

static int add_checkpoints(struct db *db, struct audit_proof *p)
{
	struct audit_checkpoint c;
	struct db_result *r;
	int rc = db_query(db, &r, "select c.seq, c.hash, c.at, c.signature from audit_checkpoint c where c.tenant = " CHAIN " order by c.seq", DB_NONE);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		c = (struct audit_checkpoint){ .seq = db_int(r, i, 0), .at = db_time(r, i, 2) };
		rc = take(r, i, 1, c.hash, AUDIT_HASH_SIZE);
		if (rc == 0)
			rc = take(r, i, 3, c.signature, AUDIT_SIGNATURE_SIZE);
		if (rc == 0)
			audit_proof_add_checkpoint(p, &c);
	}
	db_result_free(r);
	return rc;
}

int audit_load(struct db *db, int files, struct audit_proof *p)
{
	int rc = audit_scope(db, &p->scope);

	if (rc == 0)
		rc = add_archives(db, files, p);
	return rc < 0 ? rc : add_checkpoints(db, p);
}
