/* check.c - integrity checks: asking agents, answers, and those that never came. */
#include "store/check.h"

#include "base/err.h"
#include "base/json.h"
#include "base/say.h"
#include "store/audit.h"
#include "store/order.h"
#include "store/timer.h"

static const char *const reasons[] = {
#define X(id, name, label) name,
	CHECK_REASONS(X)
#undef X
};

int check_order(struct db *db, const struct uuid *instance, enum check_reason reason)
{
	struct uuid id = uuid_new();
	int rc = db_run(db, "insert into integrity_check (tenant, id, instance, reason, ordered, ordered_by) select current_tenant(), $1, $2,"
		" $3, now(), $4 where not exists (select 1 from integrity_check where instance = $2 and result is null and ordered is not null)",
		DB_ARGS(db_uuid_arg(&id), db_uuid_arg(instance), db_text_arg(reasons[reason]), db_text_arg(db_actor(db)->name)));

	/* An order that waits already is not given twice. */
	return rc < 0 ? rc : order_add_for_instance(db, instance, "check", NULL, "");
}

#define NO_ANSWER N_("the agent did not answer")

/* In a sentence; translated where it is shown. */
static const char *summary_of(int requests, int judged, int failed)
{
	if (requests == 0)
		return N_("no key of this instance is in use");
	if (judged == 0)
		return N_("the policies of its devices have no rules");
	return failed ? N_("rules do not match") : N_("all rules match");
}

int check_answer(struct db *db, const struct uuid *instance, enum check_reason reason, int requests, int judged, int failed)
{
	const char *result = judged == 0 ? "not-checked" : failed ? "failed" : "good", *summary = summary_of(requests, judged, failed);
	struct uuid id = uuid_new();
	int rc = db_run(db, "update integrity_check set answered = now(), result = $2, summary = $3, requests = $4, failed = $5"
		" where instance = $1 and result is null and ordered is not null", DB_ARGS(db_uuid_arg(instance), db_text_arg(result),
		db_text_arg(summary), db_int_arg(judged), db_int_arg(failed)));

	/* Nobody has asked, or the answer comes late; then it is one of its own. */
	if (rc == 0 && judged > 0)
		rc = db_queue(db, "insert into integrity_check (tenant, id, instance, reason, answered, result, summary, requests, failed)"
			" values (current_tenant(), $1, $2, $3, now(), $4, $5, $6, $7)", DB_ARGS(db_uuid_arg(&id), db_uuid_arg(instance),
			db_text_arg(reasons[reason]), db_text_arg(result), db_text_arg(summary), db_int_arg(judged), db_int_arg(failed)));
	return rc < 0 ? rc : 0;
}

static const struct list_column sorts[] = {
	{ "due", "c.due", "timestamptz", 1 },
	{ "result", "coalesce(c.result, '')", "text", 0 },
	{ "reason", "c.reason", "text", 0 },
	{ "answered", "coalesce(c.answered, 'epoch')", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "c.summary", "coalesce(c.ordered_by, '')", NULL };
static const struct list_filter filters[] = {
	{ "instance", "c.instance = $::uuid" },
	{ "result", "c.result = $" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = "c.id, c.instance, c.reason, c.due, c.ordered, c.ordered_by, c.answered, c.result, c.summary, c.requests, c.failed",
	.from = "integrity_check c", .id = "c.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int check_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int check_send_due(struct db *db, clock_us now, int limit, const json_t *except, struct uuid *at)
{
	struct db_result *r;
	int rc = db_query(db, &r, "with due as (select id from integrity_check where result is null and ordered is null and due <= $1"
		" and " TIMER_EXCEPT("instance", "$3") " order by due limit $2 for update skip locked) update integrity_check c set ordered = now()"
		" from due where c.id = due.id returning c.instance", DB_ARGS(db_time_arg(now), db_int_arg(limit), db_json_arg(except)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		*at = db_uuid(r, i, 0);
		rc = order_add_for_instance(db, at, "check", NULL, "");
	}
	rc = rc < 0 ? rc : (int)db_rows(r);
	db_result_free(r);
	return rc;
}

/* Those that nobody answered since the last that was; checks during a revocation follow each other too quickly to count. */
#define MISSED "(select count(*) from integrity_check m where m.instance = i.id and m.result = 'not-checked' and m.answered is null" \
	" and m.reason <> 'again' and m.due > coalesce((select max(a.due) from integrity_check a where a.instance = i.id" \
	" and a.answered is not null), '-infinity'))"

static int log_missed(struct db *db, const struct uuid *instance)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select host_name, " MISSED " from instance i where i.id = $1", DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	if (db_int(r, 0, 1) == CHECK_MISSED_MOST)
		rc = audit_log(db, AUDIT_INSTANCE_NOT_CHECKED, &(struct audit_object) { "instance", instance, db_text(r, 0, 0) },
			json_pack("{s:i}", "checks", CHECK_MISSED_MOST));
	db_result_free(r);
	return rc;
}

int check_expire(struct db *db, clock_us now)
{
	struct db_result *r;
	int rc = db_query(db, &r, "with late as (select c.id from integrity_check c join instance i on i.tenant = c.tenant"
		" and i.id = c.instance where c.result is null and c.ordered is not null and (c.ordered < $1 or i.state <> 'running')"
		" order by c.id limit 500 for update of c skip locked) update integrity_check c set result = 'not-checked',"
		" summary = $2 from late where c.id = late.id returning c.instance, c.reason", DB_ARGS(db_time_arg(now - CHECK_ANSWER_WITHIN),
		db_text_arg(NO_ANSWER)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid instance = db_uuid(r, i, 0);

		if (db_text(r, i, 1)[0] != 'a')
			rc = log_missed(db, &instance);
	}
	db_result_free(r);
	return rc < 0 ? rc : 0;
}

int check_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from check_tenants()", DB_NONE);
}

int check_clean(struct db *db, clock_us before)
{
	int rc = db_run(db, "delete from integrity_check where due < $1", DB_ARGS(db_time_arg(before)));

	return rc < 0 ? rc : 0;
}
