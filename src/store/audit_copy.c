/* audit_copy.c - copies entries to the log database. There the next entry alone is taken, and only one that follows the last one's hash: so a copy that was
 * committed there and not noted here is not made twice, and none is left out. */
#include "store/audit_copy.h"

#include <string.h>

#include "audit/chain.h"
#include "base/err.h"
#include "store/audit.h"
#include "store/audit_part.h"

#define CHAIN "coalesce(current_tenant(), '00000000-0000-0000-0000-000000000000')"

static const struct db_actor actor = { .kind = DB_ACTOR_SYSTEM, .name = "jobd" };

int audit_copy_tenants(struct db *db, json_t **out)
{
	if (db_has_log(db))
		return db_get_rows(db, out, "select id from audit_behind() where id <> '00000000-0000-0000-0000-000000000000'", DB_NONE);
	*out = json_array();
	return 0;
}

struct copying {
	struct db *log;
	int64_t last;
	uint8_t hash[AUDIT_HASH_SIZE];
	int count;
};

static int take(void *ctx, const struct audit_entry *e)
{
	struct copying *x = ctx;

	x->last = e->seq;
	memcpy(x->hash, e->hash, sizeof x->hash);
	x->count++;
	return db_queue(x->log, "select audit_take($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::json, $12, $13, $14, $15, $16)",
		DB_ARGS(db_int_arg(e->seq), db_time_arg(e->at), db_text_arg(e->category), db_text_arg(e->event), db_text_arg(e->actor_kind),
			db_uuid_arg(e->has_actor_id ? &e->actor_id : NULL), db_text_arg(e->actor_name), db_text_arg(e->object_kind),
			db_uuid_arg(e->has_object_id ? &e->object_id : NULL), db_text_arg(e->object_name), db_text_arg(e->detail), db_text_arg(e->address),
			db_text_arg(e->request), db_text_arg(e->written_by), db_bytes_arg(e->previous, sizeof e->previous), db_bytes_arg(e->hash, sizeof e->hash)));
}

/* Number and hash of the last entry that is there. */
static int last_there(struct copying *x)
{
	struct db_result *r;
	int rc = db_query(x->log, &r, "select seq, hash from audit_head where tenant = " CHAIN, DB_NONE);

	if (rc < 0)
		return rc;
	if (db_rows(r) > 0) {
		x->last = db_int(r, 0, 0);
		memcpy(x->hash, db_bytes(r, 0, 1).data, sizeof x->hash);
	}
	db_result_free(r);
	return 0;
}

/* Only when it is committed there: whoever reads looks for it there from now on. */
static int note(struct db *db, const struct copying *x)
{
	int rc = db_run(db, "insert into audit_copied (tenant, seq) select " CHAIN ", $1 where exists (select 1 from audit_entry e where e.tenant = " CHAIN
		" and e.seq = $1 and e.hash = $2) or exists (select 1 from audit_head h where h.tenant = " CHAIN " and h.seq = $1 and h.hash = $2) on conflict (tenant) do update set seq = excluded.seq, at = now()", DB_ARGS(db_int_arg(x->last), db_bytes_arg(x->hash, sizeof x->hash)));

	return rc != 0 || x->last == 0 ? (rc < 0 ? rc : 0) : err_set(ERR_TAMPERED, "the log database has an entry %lld that this installation has not: was one of the two"
		" restored alone?", (long long)x->last);
}

static int is_mine(struct db *db)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select pg_try_advisory_xact_lock(7311003, hashtext(" CHAIN "::text))", DB_NONE);

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0);
	db_result_free(r);
	return rc;
}

int audit_copy(struct db *db)
{
	struct copying x = { .last = 0 };
	int mine = db_has_log(db) ? is_mine(db) : 0, rc;

	if (mine <= 0)
		return mine;
	rc = db_log(db, &x.log);
	if (rc == 0)
		rc = last_there(&x);
	if (rc == 0)
		rc = audit_each_in(db, x.last, x.last + AUDIT_COPY_STEP, take, &x);
	if (rc == 0)
		rc = db_commit(x.log);
	if (rc == 0)
		rc = note(db, &x);
	return rc < 0 ? rc : x.count;
}

int audit_copy_all(struct db *db, const struct uuid *tenant)
{
	int rc = db_has_log(db) ? 1 : 0;

	while (rc > 0) {
		rc = db_begin(db, tenant, &actor);
		rc = db_end(db, rc < 0 ? rc : audit_copy(db));
	}
	return rc;
}

int audit_copy_forget(struct db *db)
{
	struct db *log;
	int rc = db_has_log(db) ? db_log(db, &log) : 1;

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = db_queue(log, "select audit_forget()", DB_NONE);
	return rc < 0 ? rc : db_commit(log);
}

int audit_copy_state(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select waiting, since, copied from audit_way()", DB_NONE);
}
