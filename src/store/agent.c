/* agent.c - agents. */
#include "store/agent.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "store/audit.h"

static int log_agent(struct db *db, enum audit_event event, const struct uuid *id, const char *name, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "agent", id, name }, detail);
}

/* Who asks again with the same key has not heard the answer: it is registered. ERR_NOT_FOUND: it is not. */
static int find_again(struct db *db, const uint8_t *public_key, const struct uuid *instance, struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select id from agent where public_key = $1 and instance = $2 and state = 'active'",
		DB_ARGS(db_bytes_arg(public_key, AGENT_KEY_SIZE), db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*id = db_uuid(r, 0, 0);
	db_result_free(r);
	return 0;
}

int agent_register(struct db *db, struct uuid *id, const uint8_t public_key[static AGENT_KEY_SIZE],
	const struct inventory *description, const char *version, const char *address, struct uuid *instance)
{
	struct uuid where;
	int rc = inventory_instance(db, description, &where), found = rc;

	if (rc == 0)
		found = find_again(db, public_key, &where, id);
	if (rc == 0 && found != ERR_NOT_FOUND) {
		*instance = where;
		return found;
	}
	if (rc == 0)
		rc = db_queue(db, "update agent set state = 'replaced' where instance = $1 and state = 'active'",
			DB_ARGS(db_uuid_arg(&where)));
	if (rc == 0)
		rc = db_run_one(db, "insert into agent (tenant, id, instance, public_key, version, address) values (current_tenant(), $1,"
			" $2, $3, $4, $5)", DB_ARGS(db_uuid_arg(id), db_uuid_arg(&where), db_bytes_arg(public_key, AGENT_KEY_SIZE),
			db_text_arg(version), db_text_arg(address)));
	if (rc < 0)
		return rc;
	*instance = where;
	return log_agent(db, AUDIT_AGENT_REGISTERED, id, description->host_name, json_pack("{s:s,s:s,s:s}", "provider",
		description->provider, "instance", description->instance_id, "version", version));
}

int agent_find(struct db *db, const struct uuid *id, struct agent *out)
{
	struct db_result *r;
	struct wire_view key;
	int rc = db_query_row(db, &r, "select a.instance, a.public_key, a.state, t.state, coalesce(i.host_name, ''), i.image"
		" from agent a join tenant t on t.id = a.tenant left join instance i on i.tenant = a.tenant and i.id = a.instance"
		" where a.id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	key = db_bytes(r, 0, 1);
	if (key.len != AGENT_KEY_SIZE) {
		db_result_free(r);
		return err_set(ERR_DB, "an agent's key has %zu bytes", key.len);
	}
	*out = (struct agent) { .id = *id, .instance = db_uuid(r, 0, 0), .image = db_uuid(r, 0, 5) };
	memcpy(out->public_key, key.data, AGENT_KEY_SIZE);
	snprintf(out->state, sizeof out->state, "%s", db_text(r, 0, 2));
	snprintf(out->tenant_state, sizeof out->tenant_state, "%s", db_text(r, 0, 3));
	snprintf(out->host_name, sizeof out->host_name, "%s", db_text(r, 0, 4));
	db_result_free(r);
	return 0;
}

static int set_instance_state(struct db *db, const struct uuid *agent, const char *state)
{
	return db_run_one(db, "update instance i set state = $2, last_seen = now() from agent a where a.id = $1"
		" and i.tenant = a.tenant and i.id = a.instance", DB_ARGS(db_uuid_arg(agent), db_text_arg(state)));
}

int agent_booted(struct db *db, const struct uuid *id)
{
	int rc = db_run(db, "update instance i set state = 'running', last_seen = now() from agent a where a.id = $1 and i.tenant = a.tenant"
		" and i.id = a.instance and i.state <> 'running'", DB_ARGS(db_uuid_arg(id)));

	return rc <= 0 ? rc : log_agent(db, AUDIT_AGENT_BOOTED, id, db_actor(db)->name, NULL);
}

int agent_stopped(struct db *db, const struct uuid *id, const char *reason)
{
	int rc = set_instance_state(db, id, "stopped");

	return rc < 0 ? rc : log_agent(db, AUDIT_AGENT_SHUT_DOWN, id, db_actor(db)->name, json_pack("{s:s}", "reason", reason));
}

int agent_remove(struct db *db, const struct uuid *instance)
{
	struct db_result *r;
	struct uuid id;
	int rc = db_query_row(db, &r, "update agent a set state = 'removed' where a.instance = $1 and a.state = 'active' returning a.id, (select i.host_name"
		" from instance i where i.tenant = a.tenant and i.id = a.instance)", DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	id = db_uuid(r, 0, 0);
	rc = log_agent(db, AUDIT_AGENT_REMOVED, &id, db_text(r, 0, 1), NULL);
	db_result_free(r);
	return rc;
}

int agent_quota(struct db *db, int64_t *rate)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select quota_rate from tenant where id = current_tenant()", DB_NONE);

	if (rc < 0)
		return rc;
	*rate = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}
