/* schedule.c - when a tenant's integrity checks run (INT-1). Which moment that is, the database computes (integrity_next). */
#include "store/check.h"

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/language.h"
#include "store/request.h"

/* So many agents are asked at once, the others one every so many seconds, but none later than: */
#define AT_ONCE "50"
#define EACH_S "0.05"
#define SPREAD_MOST_S "300"

#define RUN_COUNT(condition) "(select count(*) from integrity_check c where c.run = s.last_run and " condition ")"

int schedule_get(struct db *db, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select s.kind, s.weekday, to_char(s.at, 'HH24:MI') as at, s.regrant_s, s.due, s.last_run, t.time_zone,"
		" coalesce(t.settings ->> '" DATE_FORMAT_SETTING "', '') as date_format,"
		" to_char(s.due at time zone t.time_zone, 'YYYY-MM-DD HH24:MI') || ' (' || t.time_zone || ')' as due_local,"
		" s.changed, s.changed_by, " RUN_COUNT("true") " as instances, " RUN_COUNT("c.result = 'good'") " as good, "
		RUN_COUNT("c.result = 'failed'") " as failed, " RUN_COUNT("c.result = 'not-checked'") " as not_checked, "
		RUN_COUNT("c.result is null") " as open, (select count(*) from policy p where p.check_scheduled) as policies,"
		" (select count(*) from policy p where p.on_failure <> 'notify') as revoking"
		" from integrity_schedule s join tenant t on t.id = s.tenant", DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_row_json(r, 0);
	db_result_free(r);
	return 0;
}

int schedule_zones(struct db *db, json_t **out)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select name from pg_timezone_names where name = 'UTC' or (name ~ '^(Africa|America|Antarctica|Arctic|Asia"
		"|Atlantic|Australia|Europe|Indian|Pacific)/') order by name <> 'UTC', name", DB_NONE);

	if (rc < 0)
		return rc;
	*out = json_array();
	for (size_t i = 0; i < db_rows(r); i++)
		json_array_append_new(*out, json_string(db_text(r, i, 0)));
	db_result_free(r);
	return 0;
}

int schedule_renew(struct db *db)
{
	return db_run_one(db, "update integrity_schedule s set due = (select integrity_next(s.kind, s.weekday, s.at, t.time_zone, now())"
		" from tenant t where t.id = s.tenant)", DB_NONE);
}

int schedule_set(struct db *db, const struct schedule *s)
{
	json_t *before = NULL, *after = NULL, *changes;
	int rc = schedule_get(db, &before);

	if (rc == 0)
		rc = db_run_one(db, "update integrity_schedule set kind = $1, weekday = $2, at = $3::text::time, regrant_s = $4, changed = now(),"
			" changed_by = $5", DB_ARGS(db_text_arg(s->kind), db_int_arg(s->weekday), db_text_arg(s->at), db_int_arg(s->regrant_s),
			db_text_arg(db_actor(db)->name)));
	if (rc == 0)
		rc = schedule_renew(db);
	after = json_pack("{s:s,s:I,s:s,s:I}", "kind", s->kind, "weekday", (json_int_t)s->weekday, "at", s->at, "regrant_s",
		(json_int_t)s->regrant_s);
	changes = rc == 0 ? audit_changes(before, after) : NULL;
	if (changes)
		rc = audit_log(db, AUDIT_INTEGRITY_SCHEDULE, NULL, changes);
	json_decref(before);
	json_decref(after);
	return rc;
}

/* What has a key of a policy with scheduled checks. */
#define SCHEDULED(which) "exists (select 1 from key_request r join device d on d.tenant = r.tenant and d.id = r.device" \
	" join policy p on p.tenant = d.tenant and p.id = d.policy where r.tenant = i.tenant and r.instance = i.id" \
	" and p.check_scheduled and " which ")"

static int ask_all(struct db *db, clock_us now)
{
	struct db_result *r;
	int64_t count;
	int rc = db_query_row(db, &r, "with i as (select i.id from instance i where i.state = 'running' and "
		SCHEDULED("r.closed is null and r.status in ('delivered', 'revoking', 'revoked')") "), asked as (insert into integrity_check"
		" (tenant, id, instance, reason, run, due) select current_tenant(), gen_random_uuid(), i.id, 'schedule', $1, $1 + random()"
		" * least(" SPREAD_MOST_S ", greatest(0, (select count(*) from i) - " AT_ONCE ") * " EACH_S ") * interval '1 second' from i"
		" returning 1) select count(*) from asked", DB_ARGS(db_time_arg(now)));

	if (rc < 0)
		return rc;
	count = db_int(r, 0, 0);
	db_result_free(r);
	/* Nobody is there to be asked: shown as what it is. */
	rc = db_queue(db, "insert into integrity_check (tenant, id, instance, reason, run, due, result, summary) select current_tenant(),"
		" gen_random_uuid(), i.id, 'schedule', $1, $1, 'not-checked', 'the instance is missing' from instance i"
		" where i.state = 'missing' and " SCHEDULED("r.closed_reason = '" REQUEST_MISSING "'"), DB_ARGS(db_time_arg(now)));
	return rc < 0 ? rc : audit_log(db, AUDIT_INTEGRITY_RUN, NULL, json_pack("{s:I}", "instances", (json_int_t)count));
}

int schedule_run(struct db *db, clock_us now)
{
	struct db_result *r;
	int run, rc = db_query(db, &r, "select 1 from integrity_schedule s join tenant t on t.id = s.tenant where s.due <= $1"
		" and t.state = 'active' for update of s skip locked", DB_ARGS(db_time_arg(now)));

	if (rc < 0)
		return rc;
	run = db_rows(r) == 1;
	db_result_free(r);
	if (!run)
		return 0;
	rc = ask_all(db, now);
	return rc < 0 ? rc : db_run(db, "update integrity_schedule s set last_run = $1, due = (select integrity_next(s.kind, s.weekday,"
		" s.at, t.time_zone, greatest($1, s.due)) from tenant t where t.id = s.tenant)", DB_ARGS(db_time_arg(now)));
}
