/* order.c - what agents are to do. */
#include "store/order.h"

#include <string.h>

#include "base/err.h"
#include "store/audit.h"
#include "store/rotation.h"

static int log_order(struct db *db, enum audit_event event, const struct uuid *agent, const char *kind, const char *detail)
{
	return audit_log(db, event, &(struct audit_object) { "agent", agent, NULL },
		json_pack("{s:s,s:s*}", "order", kind, "detail", detail));
}

int order_nudge(struct db *db, const struct uuid *agent)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(agent, id);
	return db_at_commit(db, "select pg_notify('" ORDER_CHANNEL "', $1)", DB_ARGS(db_text_arg(id)));
}

int order_add(struct db *db, const struct uuid *agent, const char *kind, const struct uuid *device, const char *argument)
{
	struct uuid id = uuid_new();
	int rc = db_run(db, "insert into agent_order (tenant, id, agent, kind, device, argument, created_by) select current_tenant(), $1,"
		" $2, $3, $4, $5, $6 where not exists (select 1 from agent_order where agent = $2 and kind = $3"
		" and device is not distinct from $4 and argument = $5 and finished is null)", DB_ARGS(db_uuid_arg(&id),
		db_uuid_arg(agent), db_text_arg(kind), db_uuid_arg(device), db_text_arg(argument), db_text_arg(db_actor(db)->name)));

	if (rc <= 0)
		return rc;
	rc = order_nudge(db, agent);
	return rc < 0 ? rc : log_order(db, AUDIT_AGENT_ORDERED, agent, kind, NULL);
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

int order_take(struct db *db, const struct uuid *agent, int limit, json_t **out)
{
	return db_get_rows(db, out, "with due as (select o.tenant, o.id, o.kind, o.device, o.argument, o.created from agent_order o"
		" where o.agent = $1 and o.finished is null order by o.created, o.id limit $2 for update), taken as (update agent_order o"
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

int order_finish(struct db *db, const struct uuid *agent, const struct uuid *order, int done, const char *detail)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "update agent_order set finished = now(), done = $3, detail = $4 where id = $1 and agent = $2"
		" and finished is null returning kind, device", DB_ARGS(db_uuid_arg(order), db_uuid_arg(agent), db_bool_arg(done),
		db_text_arg(detail)));

	if (rc < 0)
		return rc;
	rc = log_order(db, done ? AUDIT_AGENT_ORDER_DONE : AUDIT_AGENT_ORDER_FAILED, agent, db_text(r, 0, 0), detail);
	if (rc == 0 && !done && strcmp(db_text(r, 0, 0), ROTATION_ORDER) == 0) {
		struct uuid device = db_uuid(r, 0, 1);

		rc = rotation_failed(db, &device, detail);
	}
	db_result_free(r);
	return rc;
}
