/* order.c - what agents are to do. */
#include "store/order.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/rotation.h"

/* How people call the machine of a row's agent. */
#define MACHINE "(select coalesce(nullif(i.host_name, ''), i.provider_instance) from agent a join instance i on i.tenant = a.tenant and i.id = a.instance" \
	" where a.tenant = agent_order.tenant and a.id = agent_order.agent)"

static int log_order(struct db *db, enum audit_event event, const struct uuid *agent, const char *machine, const char *kind, const char *argument,
	const char *detail)
{
	return audit_log(db, event, &(struct audit_object) { "agent", agent, machine },
		json_pack("{s:s,s:s*,s:s*}", "order", kind, "argument", argument && *argument ? argument : NULL, "detail", detail));
}

int order_nudge(struct db *db, const struct uuid *agent)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(agent, id);
	return db_at_commit(db, "select pg_notify('" ORDER_CHANNEL "', $1)", DB_ARGS(db_text_arg(id)));
}

/* What an agent was given it may have done before there was what it is to be done for: it is told again. Not of these, which end in the
 * state that is asked for. */
#define HOLDS "('check', 'revoke', 'lock', 'kill', 'rotate', 'reencrypt')"

/* The one that is there already is locked, so that it is not given to the agent before what it is for is written. DUE: 0 for at once. */
static int add(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *argument, clock_us due)
{
	struct uuid id = uuid_new();
	struct db_result *r;
	int rc = db_query(db, &r, "with same as (select 1 from agent_order where agent = $2 and kind = $3 and device is not distinct from $4"
		" and argument = $5 and finished is null and (taken is null or kind in " HOLDS ") for share)"
		" insert into agent_order (tenant, id, agent, kind, device, argument, created_by, due)"
		" select current_tenant(), $1, $2, $3, $4, $5, $6, $7 where not exists (select 1 from same) returning " MACHINE,
		DB_ARGS(db_uuid_arg(&id), db_uuid_arg(agent), db_text_arg(kind), db_uuid_arg(device), db_text_arg(argument),
		db_text_arg(db_actor(db)->name), db_time_arg(due)));

	if (rc < 0)
		return rc;
	if (db_rows(r) && due == 0)
		rc = order_nudge(db, agent);
	if (db_rows(r) && rc == 0)
		rc = log_order(db, AUDIT_AGENT_ORDERED, agent, db_text(r, 0, 0), kind, argument, NULL);
	db_result_free(r);
	return rc;
}

int order_add(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *argument)
{
	return add(db, agent, kind, device, argument, 0);
}

int order_add_for_instance(struct db *db, const struct uuid *instance, const char *kind, const struct uuid *device,
	const char *argument)
{
	struct db_result *r;
	struct uuid agent;
	int rc = db_query(db, &r, "select id from agent where instance = $1 and state = 'active'", DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 1) {
		agent = db_uuid(r, 0, 0);
		rc = order_add(db, &agent, kind, device, argument);
	}
	db_result_free(r);
	return rc;
}

/* Of one setting the last value is the one that stays: another that was ordered before does not come after it. */
int order_configure(struct db *db, const struct uuid *agent, const char *name, int64_t value)
{
	char argument[64];
	int rc;

	snprintf(argument, sizeof argument, "%s=%lld", name, (long long)value);
	rc = db_queue(db, "update agent_order set finished = now(), done = false, detail = 'another value was ordered' where agent = $1"
		" and kind = 'configure' and split_part(argument, '=', 1) = $2 and argument <> $3 and finished is null", DB_ARGS(
		db_uuid_arg(agent), db_text_arg(name), db_text_arg(argument)));
	return rc < 0 ? rc : add(db, agent, "configure", NULL, argument, 0);
}

/* What takes a key away is carried out by whoever has it, also in the session of one that was removed or replaced since; such a one gets nothing else. */
#define TAKES_AWAY "('revoke', 'lock', 'kill')"

int order_take(struct db *db, const struct uuid *agent, int limit, json_t **out)
{
	return db_get_rows(db, out, "with due as (select o.tenant, o.id, o.kind, o.device, o.argument, o.created from agent_order o"
		" join agent a on a.tenant = o.tenant and a.id = o.agent where o.agent = $1 and o.finished is null and coalesce(o.due, o.created) <= now()"
		" and (a.state = 'active' or o.kind in " TAKES_AWAY ") order by o.created, o.id limit $2 for update of o), taken as (update agent_order o"
		" set taken = coalesce(o.taken, now()) from due where o.tenant = due.tenant and o.id = due.id and o.taken is null)"
		" select due.id, due.kind, coalesce(d.provider_device, '') as device, due.argument from due left join device d"
		" on d.tenant = due.tenant and d.id = due.device order by due.created, due.id",
		DB_ARGS(db_uuid_arg(agent), db_int_arg(limit)));
}

int order_forget(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *why)
{
	return db_queue(db, "update agent_order set finished = now(), done = false, detail = $4 where agent = $1 and kind = $2"
		" and device = $3 and finished is null", DB_ARGS(db_uuid_arg(agent), db_text_arg(kind), db_uuid_arg(device),
		db_text_arg(why)));
}

int order_forget_early(struct db *db, const char *kind, const struct uuid *device, const struct uuid *request, const char *why)
{
	return db_queue(db, "update agent_order set finished = now(), done = false, detail = $4 where kind = $1 and device = $2"
		" and finished is null and taken < (select q.opened from key_request q where q.id = $3)", DB_ARGS(db_text_arg(kind),
		db_uuid_arg(device), db_uuid_arg(request), db_text_arg(why)));
}

int order_finish(struct db *db, const struct uuid *agent, const struct uuid *order, int done, const char *detail)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "update agent_order set finished = now(), done = $3, detail = $4 where id = $1 and agent = $2"
		" and finished is null returning kind, device, " MACHINE, DB_ARGS(db_uuid_arg(order), db_uuid_arg(agent), db_bool_arg(done),
		db_text_arg(detail)));

	if (rc < 0)
		return rc;
	rc = log_order(db, done ? AUDIT_AGENT_ORDER_DONE : AUDIT_AGENT_ORDER_FAILED, agent, db_text(r, 0, 2), db_text(r, 0, 0), NULL, detail);
	if (rc == 0 && !done && (strcmp(db_text(r, 0, 0), ROTATION_ORDER) == 0 || strcmp(db_text(r, 0, 0), ROTATION_REENCRYPT_ORDER) == 0)) {
		struct uuid device = db_uuid(r, 0, 1);

		rc = rotation_failed(db, &device, detail);
	}
	db_result_free(r);
	return rc;
}

int order_agent_of(struct db *db, const struct uuid *instance, json_t **out)
{
	return db_get_row(db, out, "select a.id as agent, coalesce(nullif(a.log_level, ''), 'info') as log_level, o.due as log_level_until,"
		" o.argument as log_level_then from agent a left join lateral (select due, argument from agent_order where tenant = a.tenant"
		" and agent = a.id and kind = 'log-level' and finished is null and due is not null order by due limit 1) o on true"
		" where a.instance = $1 and a.state = 'active'", DB_ARGS(db_uuid_arg(instance)));
}

/* What the agent goes back to is what it came from, however often the level is changed meanwhile. */
static const char *former_level(const json_t *agent)
{
	const char *then = json_string_value(json_object_get(agent, "log_level_then"));

	return then ? then : json_string_value(json_object_get(agent, "log_level"));
}

int order_log_level(struct db *db, const struct uuid *instance, const char *level, clock_us for_us)
{
	json_t *row = NULL;
	struct uuid agent;
	int rc = order_agent_of(db, instance, &row);

	if (rc == 0)
		rc = json_get_uuid(row, "agent", &agent);
	if (rc == 0)
		rc = db_queue(db, "update agent_order set finished = now(), done = false, detail = 'another level was ordered' where agent = $1"
			" and kind = 'log-level' and finished is null", DB_ARGS(db_uuid_arg(&agent)));
	if (rc == 0)
		rc = add(db, &agent, "log-level", NULL, level, 0);
	if (rc == 0 && for_us && strcmp(former_level(row), level) != 0)
		rc = add(db, &agent, "log-level", NULL, former_level(row), clock_now() + for_us);
	json_decref(row);
	return rc;
}

/* An order that nobody had been given when it ended did not fail. */
#define STATE "case when o.finished is not null then case when o.done then 'done' when o.taken is null then 'withdrawn' else 'failed' end" \
	" when a.state <> 'active' then 'void' when o.due > now() then 'later' when o.taken is not null then 'given' else 'waiting' end"

static const struct list_column sorts[] = {
	{ "created", "o.created", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "o.kind", "o.argument", "coalesce(o.created_by, '')", "coalesce(o.detail, '')", NULL };
static const struct list_filter filters[] = {
	{ "instance", "a.instance = $::uuid" },
	{ "show", "o.finished is null and $ <> ''", "open" },
	{ "show", "o.done = ($ = 'done')" },
	{ NULL },
};
static const struct list_spec spec = {
	.columns = "o.id, o.kind, o.device, coalesce(nullif(d.name, ''), d.provider_device) as device_name, o.argument, " STATE " as state,"
		" o.created, o.created_by, o.due, o.taken, o.finished, o.detail",
	.from = "agent_order o join agent a on a.tenant = o.tenant and a.id = o.agent left join device d on d.tenant = o.tenant"
		" and d.id = o.device",
	.id = "o.id", .sorts = sorts, .searches = searches, .filters = filters,
};

int order_list(struct db *db, const struct list_query *query, json_t **page)
{
	return list_page(db, &spec, query, page);
}

int order_clean(struct db *db, clock_us before)
{
	int rc = db_run(db, "delete from agent_order where (tenant, id) in (select tenant, id from agent_order where finished < $1"
		" order by finished limit 10000)", DB_ARGS(db_time_arg(before)));

	return rc < 0 ? rc : 0;
}
