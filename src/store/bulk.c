/* bulk.c - many key requests decided at once. */
#include "store/bulk.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/job.h"
#include "store/request.h"

static int log_bulk(struct db *db, enum audit_event event, const struct uuid *id, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "bulk", id, NULL }, detail);
}

int bulk_prepare(struct db *db, const struct uuid *id, int approve, const struct list_query *query, const json_t *ids, const json_t *roles,
	const char *origin, int *count)
{
	int chosen, rc = db_queue(db, "insert into bulk_decision (tenant, id, decision, made_by, made_by_name, roles, origin) values"
		" (current_tenant(), $1, $2, $3, $4, array(select json_array_elements_text($5)), $6)", DB_ARGS(db_uuid_arg(id),
		db_text_arg(approve ? "approve" : "deny"), db_uuid_arg(db_user(db)), db_text_arg(db_actor(db)->name), db_json_arg(roles),
		db_text_arg(origin)));

	if (rc < 0)
		return rc;
	chosen = request_choose(db, id, query, ids);
	if (chosen >= 0)
		*count = chosen;
	return chosen < 0 ? chosen : 0;
}

int bulk_get(struct db *db, const struct uuid *id, json_t **out)
{
	return db_get_row(db, out, "select b.id, b.decision, b.state, b.with_doubtful, b.comment, b.made_by, b.made_by_name, b.origin, b.created,"
		" b.started, b.finished, x.* from bulk_decision b, lateral (select count(*) as total, count(*) filter (where r.doubtful)"
		" as doubtful, count(*) filter (where r.outcome is null) as open, count(*) filter (where r.outcome = 'decided') as decided,"
		" count(*) filter (where r.outcome = 'voted') as voted, count(*) filter (where r.outcome = 'changed') as changed,"
		" count(*) filter (where r.outcome = 'refused') as refused, count(*) filter (where r.outcome = 'left') as left"
		" from bulk_request r where r.tenant = b.tenant and r.bulk = b.id) x where b.id = $1", DB_ARGS(db_uuid_arg(id)));
}

static const struct list_column sorts[] = {
	{ "device", LIST_NAME("coalesce(nullif(d.name, ''), d.provider_device)"), "text", 0 },
	{ NULL },
};
static const char *const searches[] = { "d.name", "d.provider_device", "i.host_name", "i.provider_instance", NULL };
static const struct list_filter filters[] = {
	{ "bulk", "b.bulk = $::uuid" },
	{ "doubtful", "b.doubtful = $::boolean" },
	{ "outcome", "coalesce(b.outcome, 'open') = $" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = "b.request, coalesce(nullif(d.name, ''), d.provider_device) as device_name,"
		" coalesce(nullif(i.host_name, ''), i.provider_instance) as instance_name, r.policy_name, r.integrity, r.requested, b.doubtful,"
		" coalesce((r.verdict ->> 'failed')::int, 0) as failed, b.outcome, b.reason",
	.from = "bulk_request b join key_request r on r.tenant = b.tenant and r.id = b.request join device d on d.tenant = r.tenant"
		" and d.id = r.device join instance i on i.tenant = r.tenant and i.id = r.instance",
	.id = "b.request", .sorts = sorts, .searches = searches, .filters = filters,
};

int bulk_rows(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

static int begin(struct db *db, const struct uuid *id, int with_doubtful, const char *comment)
{
	char text[UUID_TEXT_SIZE];
	int rc = db_queue(db, "update bulk_decision set state = 'running', started = now(), with_doubtful = $2, comment = $3 where id = $1",
		DB_ARGS(db_uuid_arg(id), db_bool_arg(with_doubtful), db_text_arg(comment)));

	uuid_text(id, text);
	if (rc == 0 && !with_doubtful)
		rc = db_queue(db, "update bulk_request set outcome = 'left' where bulk = $1 and doubtful", DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = job_add(db, BULK_JOB, json_pack("{s:s}", "bulk", text), 0, text);
	return rc < 0 ? rc : log_bulk(db, AUDIT_KEY_BULK, id, json_pack("{s:b, s:s*}", "with_doubtful", with_doubtful, "comment", comment));
}

int bulk_start(struct db *db, const struct uuid *id, int with_doubtful, const char *comment)
{
	struct db_result *r;
	int prepared, mine, rc = db_query_row(db, &r, "select state = 'prepared', made_by is not distinct from $2 from bulk_decision"
		" where id = $1 for update", DB_ARGS(db_uuid_arg(id), db_uuid_arg(db_user(db))));

	if (rc < 0)
		return rc;
	prepared = db_bool(r, 0, 0);
	mine = db_bool(r, 0, 1);
	db_result_free(r);
	if (!mine)
		return err_set(ERR_FORBIDDEN, "somebody else has made this list");
	return prepared ? begin(db, id, with_doubtful, comment) : 0;
}

/* jobd */

int bulk_actor(struct db *db, const struct uuid *id, char **name)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select 'jobd for ' || made_by_name from bulk_decision where id = $1 and state = 'running'",
		DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*name = mem_strdup(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

struct bulk {
	enum request_event event;
	json_t *roles, *row;
	struct uuid by;
	int may;                     /* the person may still decide */
};

static int load(struct db *db, const struct uuid *id, struct bulk *b)
{
	int rc = db_get_row(db, &b->row, "select b.decision, b.comment, b.made_by, b.made_by_name, to_json(b.roles) as roles, exists (select 1 from app_user u"
		" where u.tenant = b.tenant and u.id = b.made_by and u.state = 'active' and u.role = any (b.roles)) as may from bulk_decision b"
		" where b.id = $1 and b.state = 'running'", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	b->roles = json_object_get(b->row, "roles");
	b->may = json_is_true(json_object_get(b->row, "may"));
	b->event = strcmp(json_string_value(json_object_get(b->row, "decision")), "approve") == 0 ? REQUEST_EVENT_APPROVE : REQUEST_EVENT_DENY;
	return json_get_uuid(b->row, "made_by", &b->by);
}

static int keep(struct db *db, const struct uuid *id, const struct uuid *request, const char *outcome, const char *reason)
{
	return db_queue(db, "update bulk_request set outcome = $3, reason = $4 where bulk = $1 and request = $2", DB_ARGS(db_uuid_arg(id),
		db_uuid_arg(request), db_text_arg(outcome), db_text_arg(reason)));
}

/* A refusal is this one's outcome; a failure of the database is everybody's. STALE: what was listed is what another policy, or a former
 * version of this one, has said. */
static int decide(struct db *db, const struct uuid *id, const struct bulk *b, const struct uuid *request, const char *seen, int stale)
{
	struct request_decision d = { b->event, json_string_value(json_object_get(b->row, "comment")), b->roles, seen, &b->by,
		json_string_value(json_object_get(b->row, "made_by_name")) };
	struct request_outcome out = { 0, 0, 0 };
	int rc;

	if (stale && b->event == REQUEST_EVENT_APPROVE)
		return keep(db, id, request, "changed", "the policy has changed since the request was evaluated");
	rc = b->may ? request_decide(db, request, &d, &out) : err_set(ERR_FORBIDDEN, "the person may no longer decide");

	if (rc == 0)
		return keep(db, id, request, out.decided ? "decided" : "voted", NULL);
	if (rc == ERR_CONFLICT || rc == ERR_FORBIDDEN || rc == ERR_NOT_FOUND)
		return keep(db, id, request, rc == ERR_CONFLICT ? "changed" : "refused", err_text());
	return rc;
}

/* Whoever takes the last one ends it; another jobd may still be at others, then it will. */
static int end_if_done(struct db *db, const struct uuid *id)
{
	int rc = db_run(db, "update bulk_decision set state = 'done', finished = now() where id = $1 and state = 'running' and not exists"
		" (select 1 from bulk_request where bulk = $1 and outcome is null)", DB_ARGS(db_uuid_arg(id)));

	return rc < 0 ? rc : 0;
}

int bulk_step(struct db *db, const struct uuid *id, int limit)
{
	struct bulk b = { .may = 0 };
	struct db_result *r = NULL;
	int rc = load(db, id, &b), taken = 0;

	if (rc == 0)
		rc = db_query(db, &r, "select b.request, b.gist, r.verdict is not null and (r.policy is distinct from p.id or r.policy_version"
			" <> p.version) from bulk_request b join key_request r on r.tenant = b.tenant and r.id = b.request join device d"
			" on d.tenant = r.tenant and d.id = r.device join policy p on p.tenant = d.tenant and p.id = d.policy where b.bulk = $1"
			" and b.outcome is null order by b.request limit $2 for update of b skip locked", DB_ARGS(db_uuid_arg(id), db_int_arg(limit)));
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++, taken++) {
		struct uuid request = db_uuid(r, i, 0);

		rc = decide(db, id, &b, &request, db_text(r, i, 1), db_bool(r, i, 2));
	}
	if (rc == 0)
		rc = end_if_done(db, id);
	db_result_free(r);
	json_decref(b.row);
	return rc < 0 ? rc : taken;
}

int bulk_skip(struct db *db, const struct uuid *id, const char *why)
{
	return db_run(db, "update bulk_request set outcome = 'refused', reason = $2 where bulk = $1 and request = (select request from"
		" bulk_request where bulk = $1 and outcome is null order by request limit 1)", DB_ARGS(db_uuid_arg(id), db_text_arg(why)));
}

int bulk_clean(struct db *db, clock_us before)
{
	return db_queue(db, "delete from bulk_decision where created < $1", DB_ARGS(db_time_arg(before)));
}
