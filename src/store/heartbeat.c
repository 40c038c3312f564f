/* heartbeat.c - heartbeats. */
#include "store/heartbeat.h"

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/request.h"

static json_t *beats_json(const struct heartbeat *beats, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		char at[CLOCK_TEXT_SIZE];
		json_t *o = json_object();

		clock_text(beats[i].at, at);
		json_set_uuid(o, "agent", &beats[i].agent);
		json_set_string(o, "at", at);
		json_object_set_new(o, "volumes", beats[i].volumes ? json_incref((json_t *)(uintptr_t)beats[i].volumes) : json_array());
		json_set_string(o, "version", beats[i].version);
		json_set_string(o, "log_level", beats[i].log_level);
		json_set_string(o, "address", beats[i].address);
		json_set_bool(o, "insecure", beats[i].insecure_tls);
		json_array_append_new(list, o);
	}
	return list;
}

/* Rows are locked in order of their ids, so that two batches at the same time cannot wait for each other. */
#define GIVEN "with given as (select distinct on (agent) * from json_to_recordset($1) as g(agent uuid, at timestamptz, version text," \
	" log_level text, address text, insecure boolean) order by agent, at desc)"

static int log_insecure(struct db *db, const struct db_result *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = audit_log(db, db_bool(r, i, 2) ? AUDIT_AGENT_INSECURE_TLS : AUDIT_AGENT_SECURE_TLS,
			&(struct audit_object) { "agent", &id, db_text(r, i, 1) }, NULL);
	}
	return rc;
}

/* What most agents say always: no row is written for them. */
static int write_insecure(struct db *db, const json_t *given)
{
	struct db_result *r = NULL;
	int rc = db_query(db, &r, GIVEN ", changed as (update agent a set insecure_tls = g.insecure from given g where a.id = g.agent"
		" and a.insecure_tls <> g.insecure returning a.tenant, a.id, a.instance, a.insecure_tls) select c.id,"
		" coalesce(i.host_name, ''), c.insecure_tls from changed c left join instance i on i.tenant = c.tenant and i.id = c.instance",
		DB_ARGS(db_json_arg(given)));

	if (rc == 0)
		rc = log_insecure(db, r);
	db_result_free(r);
	return rc;
}

static int log_back(struct db *db, struct db_result *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = audit_log(db, AUDIT_INSTANCE_BACK, &(struct audit_object) { "instance", &id, db_text(r, i, 1) }, NULL);
		if (rc == 0)
			rc = request_back(db, &id);
	}
	return rc;
}

int heartbeat_write(struct db *db, const struct heartbeat *beats, size_t count)
{
	json_t *given = beats_json(beats, count);
	struct db_result *r = NULL;
	int rc = db_queue(db, "insert into heartbeat (tenant, agent, at, volumes) select current_tenant(), g.agent, g.at, g.volumes"
		" from json_to_recordset($1) as g(agent uuid, at timestamptz, volumes jsonb)", DB_ARGS(db_json_arg(given)));

	/* What was gathered before the agent said farewell does not make its machine run again. Instances before their agents, as who registers. */
	if (rc == 0)
		rc = db_query(db, &r, GIVEN ", held as (select i.tenant, i.id, i.state as former, g.at from given g join agent a"
			" on a.id = g.agent and a.state = 'active' join instance i on i.tenant = a.tenant and i.id = a.instance order by i.id"
			" for no key update of i), changed as (update instance i set last_seen = greatest(i.last_seen, h.at),"
			" state = case when i.state = 'stopped' and h.at < i.last_seen then i.state else 'running' end from held h where i.tenant = h.tenant and i.id = h.id returning i.id, i.host_name, h.former)"
			" select id, host_name from changed where former = 'missing'", DB_ARGS(db_json_arg(given)));
	if (rc == 0)
		rc = db_queue(db, GIVEN ", held as (select a.tenant, a.id from agent a join given g on g.agent = a.id order by a.id"
			" for no key update of a) update agent a set last_heartbeat = greatest(a.last_heartbeat, g.at),"
			" version = coalesce(g.version, a.version), log_level = coalesce(g.log_level, a.log_level),"
			" address = coalesce(g.address, a.address) from given g, held h where a.tenant = h.tenant and a.id = h.id"
			" and a.id = g.agent", DB_ARGS(db_json_arg(given)));
	if (rc == 0)
		rc = write_insecure(db, given);
	if (rc == 0)
		rc = log_back(db, r);
	db_result_free(r);
	json_decref(given);
	return rc;
}

int heartbeat_maintain(struct db *db, int keep_months)
{
	return db_run(db, "select heartbeat_partitions($1::int)", DB_ARGS(db_int_arg(keep_months))) < 0 ? ERR_DB : 0;
}
