/* trouble.c - what is bad with the installation, and since when. */
#include "store/trouble.h"

#include "base/err.h"
#include "store/audit.h"

static int log_part(struct db *db, enum audit_event event, const char *area, const char *name, const char *reason)
{
	return audit_log(db, event, &(struct audit_object){ area, NULL, name }, json_pack("{s:s*}", "reason", reason));
}

/* MARK marks the row of AREA ($1) and NAME ($2) as told where it is to be, by SECONDS ($3), and returns it then: that is logged. */
static int tell(struct db *db, const char *mark, int64_t seconds, enum audit_event event, const char *area, const char *name, const char *reason)
{
	struct db_result *r;
	int news, rc = db_query(db, &r, mark, DB_ARGS(db_text_arg(area), db_text_arg(name), db_int_arg(seconds)));

	if (rc < 0)
		return rc;
	news = db_rows(r) > 0;
	db_result_free(r);
	return news ? log_part(db, event, area, name, reason) : 0;
}

int trouble_note(struct db *db, const char *area, const char *name, const char *reason)
{
	int rc = db_queue(db, "insert into trouble (area, name, reason) values ($1, $2, $3) on conflict (area, name) do update set reason = excluded.reason",
		DB_ARGS(db_text_arg(area), db_text_arg(name), db_text_arg(reason)));

	return rc < 0 ? rc : tell(db, "update trouble set told = true where area = $1 and name = $2 and not told and since <= now() - $3 * interval '1 second'"
		" returning 1", TROUBLE_LASTS_S, AUDIT_HEALTH_LOST, area, name, reason);
}

int trouble_given_up(struct db *db, const char *area, const char *name, int64_t count, const char *reason)
{
	int rc = db_queue(db, "insert into given_up as g (area, name, count) values ($1, $2, $3) on conflict (area, name) do update set"
		" count = excluded.count, told = least(g.told, excluded.count)", DB_ARGS(db_text_arg(area), db_text_arg(name), db_int_arg(count)));

	return rc < 0 ? rc : tell(db, "update given_up set told = count, told_at = now() where area = $1 and name = $2 and count > told and (told_at is null or"
		" told_at < now() - $3 * interval '1 second') returning 1", GIVEN_UP_AGAIN_S, AUDIT_GIVEN_UP, area, name, reason);
}

int trouble_over(struct db *db, const json_t *bad)
{
	struct db_result *r;
	int rc = db_query(db, &r, "delete from trouble t where not exists (select 1 from json_to_recordset($1) as b (area text, name text) where b.area = t.area"
		" and b.name = t.name) returning t.area, t.name, t.told", DB_ARGS(db_json_arg(bad)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++)
		if (db_bool(r, i, 2))
			rc = log_part(db, AUDIT_HEALTH_BACK, db_text(r, i, 0), db_text(r, i, 1), NULL);
	db_result_free(r);
	return rc;
}
