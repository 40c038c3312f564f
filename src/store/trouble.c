/* trouble.c - parts of the server in trouble. */
#include "store/trouble.h"

#include "base/err.h"
#include "store/audit.h"

static int log_part(struct db *db, enum audit_event event, const char *part, const char *label, const char *reason)
{
	return audit_log(db, event, &(struct audit_object){ part, NULL, label }, json_pack("{s:s*}", "reason", reason));
}

/* Rows of SQL tell of a change. */
static int on_change(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int changed, rc = db_query(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	changed = db_rows(r) > 0 && db_bool(r, 0, 0);
	db_result_free(r);
	return changed;
}

int trouble_note(struct db *db, const char *part, const char *label, const char *reason)
{
	int rc;

	if (reason == NULL) {
		rc = on_change(db, "delete from trouble where part = $1 returning told", DB_ARGS(db_text_arg(part)));
		return rc > 0 ? log_part(db, AUDIT_HEALTH_BACK, part, label, NULL) : rc;
	}
	rc = db_queue(db, "insert into trouble (part, reason) values ($1, $2) on conflict (part) do update set reason = excluded.reason",
		DB_ARGS(db_text_arg(part), db_text_arg(reason)));
	if (rc == 0)
		rc = on_change(db, "update trouble set told = true where part = $1 and not told and since <= now() - $2 * interval '1 second' returning true",
			DB_ARGS(db_text_arg(part), db_int_arg(TROUBLE_LASTS_S)));
	return rc > 0 ? log_part(db, AUDIT_HEALTH_LOST, part, label, reason) : rc;
}
