/* report_storage.c - reports are refused where there is no room, never deleted for others. */
#include "store/report_storage.h"

#include "base/err.h"
#include "store/audit.h"

int report_storage(struct db *db, struct report_storage *out)
{
	struct db_result *r;
	int rc;

	*out = (struct report_storage){ 0, 0 };
	if (db_tenant(db) == NULL)
		return 0;
	rc = db_query_row(db, &r, "select (select coalesce(sum(r.bytes), 0)::bigint from report r), coalesce(t.quota_reports, 0) * 1048576::bigint from tenant t"
		" where t.id = current_tenant()", DB_NONE);
	if (rc < 0)
		return rc;
	*out = (struct report_storage){ db_int(r, 0, 0), db_int(r, 0, 1) };
	db_result_free(r);
	return 0;
}

int report_storage_percent(const struct report_storage *s)
{
	return s->most ? (int)(100 * s->used / s->most) : 0;
}

/* With BYTES more, the started MiB counted. */
static int full(const struct report_storage *s, int64_t bytes)
{
	return err_set(ERR_INVALID, "The account's reports would take %lld of the %lld MiB that they may: delete some, have them kept for fewer days, or ask the"
		" provider for more.", (long long)((s->used + bytes - 1) >> 20) + 1, (long long)(s->most >> 20));
}

int report_storage_check(struct db *db)
{
	struct report_storage s;
	int rc = report_storage(db, &s);

	return rc < 0 ? rc : s.most && s.used >= s.most ? full(&s, 1) : 0;
}

int report_storage_take(struct db *db, int64_t bytes)
{
	struct report_storage s;
	int rc = db_queue(db, "select pg_advisory_xact_lock(hashtextextended('reports ' || current_tenant(), 0))", DB_NONE), before;

	if (rc == 0)
		rc = report_storage(db, &s);
	if (rc < 0 || s.most == 0)
		return rc;
	before = report_storage_percent(&s);
	if (s.used + bytes > s.most)
		return full(&s, bytes);
	s.used += bytes;
	if (before >= REPORT_STORAGE_WARN || report_storage_percent(&s) < REPORT_STORAGE_WARN)
		return 0;
	return audit_log(db, AUDIT_REPORT_STORAGE, NULL, json_pack("{s:I, s:I}", "used_mib", (json_int_t)(s.used >> 20), "most_mib", (json_int_t)(s.most >> 20)));
}
