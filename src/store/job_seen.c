/* job_seen.c - the operator's view of the queue. */
#include "store/job_seen.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/audit.h"

static const struct {
	const char *name, *label;
	int drop;
} kinds[] = {
#define X(name, label, drop) { name, label, drop },
	JOB_KINDS(X)
#undef X
};

const char *job_kind_label(const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, kind) == 0)
			return kinds[i].label;
	return kind;
}

int job_may_drop(const char *kind, const char *state)
{
	if (strcmp(state, "failed") == 0)
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, kind) == 0)
			return kinds[i].drop && strcmp(state, "running") != 0;
	return 0;
}

int job_may_retry(const char *state)
{
	return strcmp(state, "failed") == 0 || strcmp(state, "later") == 0 || strcmp(state, "again") == 0;
}

#define COLUMNS "j.id, j.account, j.account_name, j.kind, j.state, j.attempts, j.created, j.run_at, j.last_error"

static const struct list_column sorts[] = {
	{ "created", "j.created", "timestamptz", 1 },
	{ "run_at", "j.run_at", "timestamptz", 0 },
	{ "attempts", "j.attempts", "bigint", 1 },
	{ "kind", "j.kind", "text", 0 },
	{ "account", LIST_NAME("j.account_name"), "text", 0 },
	{ NULL },
};
static const char *const searches[] = { "j.kind", "j.account_name", "j.last_error", NULL };
static const struct list_filter filters[] = { { "state", "j.state = $" }, { "kind", "j.kind = $" }, { NULL } };
static const struct list_spec spec = {
	.columns = COLUMNS, .from = "job_seen j", .id = "j.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int job_seen_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int job_seen_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select " COLUMNS " from job_seen j where j.id = $1", DB_ARGS(db_uuid_arg(id)));
}

int job_seen_kinds(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select kind, count(*) filter (where state in ('waiting', 'later', 'again')) as waiting, count(*) filter (where state = 'running')"
		" as running, count(*) filter (where state = 'failed') as failed from job_seen group by kind order by count(*) desc, kind", DB_NONE);
}

static int act(struct db *db, const struct uuid *id, const char *sql, enum audit_event event)
{
	struct db_result *r;
	int rc = db_query(db, &r, sql, DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc == ERR_CONFLICT ? err_set(rc, "the same work waits already") : rc;
	if (db_rows(r) != 1) {
		rc = err_set(ERR_CONFLICT, "the job is not in that state any more");
	} else if (db_is_null(r, 0, 1)) {
		rc = audit_log(db, event, &(struct audit_object){ "job", id, db_text(r, 0, 0) }, NULL);
	} else {
		struct uuid account = db_uuid(r, 0, 1);

		rc = audit_log_both(db, event, &(struct audit_object){ "tenant", &account, db_text(r, 0, 2) }, json_pack("{s:s}", "kind", db_text(r, 0, 0)));
	}
	db_result_free(r);
	return rc;
}

int job_seen_retry(struct db *db, const struct uuid *id)
{
	return act(db, id, "select kind, account, account_name from job_retry($1)", AUDIT_JOB_RETRIED);
}

int job_seen_drop(struct db *db, const struct uuid *id)
{
	return act(db, id, "select kind, account, account_name from job_drop($1)", AUDIT_JOB_DROPPED);
}
