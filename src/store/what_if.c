/* what_if.c - runs and what they found. */
#include "store/what_if.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/job.h"

#define RUNNING "state in ('waiting', 'running')"
/* Requests that a policy has judged. */
#define JUDGED "r.verdict is not null and r.verdict ? 'action'"
#define OF_RUN "(w.policy is null or r.policy = w.policy) and (w.devices is null or r.device = any(w.devices)) and r.requested >= w.since and r.requested < w.created and " JUDGED

/* Of a new policy alone: one that there is has requests of its own. */
#define CHOSEN "case when $2::uuid is null then (select array_agg(m.member) from policy_draft_member m where m.draft = $8 and m.kind = 'device' and m.chosen) end"

static int count_running(struct db *db)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select count(*) from what_if where " RUNNING, DB_NONE), many;

	if (rc < 0)
		return rc;
	many = db_int(r, 0, 0) >= WHAT_IF_RUNNING_MAX;
	db_result_free(r);
	return many ? err_set(ERR_TOO_MANY, "%d what-if runs are under way already", WHAT_IF_RUNNING_MAX) : 0;
}

int what_if_start(struct db *db, const struct uuid *policy, const struct uuid *draft, const json_t *document, int64_t days, struct uuid *id)
{
	const struct db_actor *a = db_actor(db);
	const char *name = json_string_value(json_object_get(document, "name"));
	char text[UUID_TEXT_SIZE];
	int rc = count_running(db);

	if (rc < 0)
		return rc;
	*id = uuid_new();
	uuid_text(id, text);
	rc = db_run(db, "insert into what_if (tenant, id, policy, name, document, days, since, created_by, created_by_name, draft, devices)"
		" values (current_tenant(), $1, $2, $3, $4, $5, now() - $5 * interval '1 day', $6, $7, $8, " CHOSEN ")", DB_ARGS(db_uuid_arg(id),
		db_uuid_arg(policy), db_text_arg(name ? name : ""), db_json_arg(document), db_int_arg(days),
		db_uuid_arg(uuid_is_nil(&a->id) ? NULL : &a->id), db_text_arg(a->name), db_uuid_arg(draft)));
	if (rc >= 0)
		rc = job_add(db, WHAT_IF_JOB, json_pack("{s:s}", "run", text), 0, NULL);
	return rc < 0 ? rc : audit_log(db, AUDIT_POLICY_WHAT_IF, &(struct audit_object){ "policy", policy, name },
		json_pack("{s:I}", "days", (json_int_t)days));
}

int what_if_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select id, policy, draft, document, name, days, since, state, error, total, done, unknown, verdicts, rules, created,"
		" coalesce(cardinality(devices), 0) as devices, created_by_name, finished from what_if where id = $1", DB_ARGS(db_uuid_arg(id)));
}

int what_if_stop(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int stopped, rc = db_query_row(db, &r, "with u as (update what_if set state = 'stopped', finished = now() where id = $1 and " RUNNING
		" returning 1) select exists (select 1 from u) from what_if where id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	stopped = db_bool(r, 0, 0);
	db_result_free(r);
	return stopped ? 0 : err_set(ERR_CONFLICT, "the run has ended");
}

static const struct list_column sorts[] = {
	{ "requested", "c.requested", "timestamptz", 1 },
	{ "device", "coalesce(nullif(d.name, ''), d.provider_device)", "text", 0 },
	{ NULL },
};
static const char *const searches[] = { "d.name", "d.provider_device", "i.host_name", "i.provider_instance", NULL };
static const struct list_filter filters[] = {
	{ "run", "c.run = $::uuid" },
	{ "show", "$ in (c.was || '>' || c.would, c.would, case when c.was <> c.would then 'changed' end)" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = "c.request as id, c.requested, c.was, c.would, c.reason, r.status, r.device, coalesce(nullif(d.name, ''),"
		" d.provider_device) as device_name, r.instance, coalesce(nullif(i.host_name, ''), i.provider_instance) as instance_name,"
		" r.decided_by_name",
	.from = "what_if_verdict c join key_request r on r.tenant = c.tenant and r.id = c.request join device d on d.tenant = r.tenant"
		" and d.id = r.device join instance i on i.tenant = r.tenant and i.id = r.instance",
	.id = "c.request", .sorts = sorts, .searches = searches, .filters = filters,
};

int what_if_verdicts(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

static int begin(struct db *db, const struct uuid *id)
{
	return db_queue(db, "update what_if w set state = 'running', total = (select count(*) from key_request r where " OF_RUN ")"
		" where w.id = $1 and w.state = 'waiting'", DB_ARGS(db_uuid_arg(id)));
}

int what_if_take(struct db *db, const struct uuid *id, json_t **out)
{
	json_t *run = NULL;
	int rc = begin(db, id);

	if (rc == 0)
		rc = db_get_row(db, &run, "select id, policy, document, since, created, state, at_time, at_request from what_if where id = $1"
			" for update", DB_ARGS(db_uuid_arg(id)));
	if (rc < 0)
		return rc;
	if (strcmp(json_string_value(json_object_get(run, "state")), "running") != 0) {
		json_decref(run);
		return err_set(ERR_CONFLICT, "the run has ended");
	}
	*out = run;
	return 0;
}

int what_if_next(struct db *db, const json_t *run, int limit, json_t **out)
{
	struct uuid id;
	int rc = json_get_uuid(run, "id", &id);

	return rc < 0 ? rc : db_get_rows(db, out, "select r.id, r.requested, r.verdict->>'action' as was, r.facts from what_if w"
		" join key_request r on " OF_RUN " where w.id = $1 and (w.at_time is null or (r.requested, r.id) > (w.at_time, w.at_request))"
		" order by r.requested, r.id limit $2", DB_ARGS(db_uuid_arg(&id), db_int_arg(limit)));
}

static int keep_rows(struct db *db, const struct uuid *id, const json_t *rows)
{
	return db_queue(db, "insert into what_if_verdict (tenant, run, request, requested, was, would, reason) select current_tenant(), $1,"
		" request, requested, was, would, reason from json_to_recordset($2) as x (request uuid, requested timestamptz, was text, would"
		" text, reason jsonb) on conflict do nothing", DB_ARGS(db_uuid_arg(id), db_json_arg(rows)));
}

/* Two objects of counts, added up. */
#define SUM(column, arg) "(select coalesce(jsonb_object_agg(k, n), '{}') from (select k, sum(v::bigint) as n from (select * from jsonb_each_text(" column \
	") a (k, v) union all select * from json_each_text(" arg ") b (k, v)) u group by k) s)"

int what_if_note(struct db *db, const struct uuid *id, const struct what_if_found *found, const json_t *last)
{
	int rc = keep_rows(db, id, found->rows);

	if (rc == 0 && last == NULL)
		return db_queue(db, "update what_if set state = 'done', finished = clock_timestamp() where id = $1", DB_ARGS(db_uuid_arg(id)));
	return rc < 0 ? rc : db_queue(db, "update what_if w set done = w.done + $2, unknown = w.unknown + $3, at_time = r.requested,"
		" at_request = r.id, verdicts = " SUM("w.verdicts", "$4") ", rules = " SUM("w.rules", "$5")
		" from key_request r where w.id = $1 and r.id = $6::uuid", DB_ARGS(db_uuid_arg(id), db_int_arg(found->done), db_int_arg(found->unknown),
		db_json_arg(found->verdicts), db_json_arg(found->rules), db_text_arg(json_string_value(json_object_get(last, "id")))));
}

int what_if_failed(struct db *db, const struct uuid *id, const char *error)
{
	int rc = db_run(db, "update what_if set state = 'failed', error = $2, finished = clock_timestamp() where id = $1 and " RUNNING,
		DB_ARGS(db_uuid_arg(id), db_text_arg(error)));

	return rc < 0 ? rc : 0;
}

int what_if_clean(struct db *db, clock_us before)
{
	int rc = db_run(db, "delete from what_if where created < $1", DB_ARGS(db_time_arg(before)));

	return rc < 0 ? rc : 0;
}
