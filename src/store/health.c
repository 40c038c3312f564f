/* health.c - processes, queue and database in numbers. */
#include "store/health.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

int health_seen(struct db *db, const struct health_process *p, clock_us clock)
{
	return db_queue(db, "select process_seen($1, $2, $3::int, coalesce($4, now()), $5, $6, $7::jsonb)", DB_ARGS(db_text_arg(p->kind), db_text_arg(p->host),
		db_int_arg(p->pid), db_time_arg(p->started), db_text_arg(p->version), db_time_arg(clock), db_json_arg(p->says)));
}

int health_away(struct db *db, const char *kind, const char *host, const char *why)
{
	return db_queue(db, "select process_away($1, $2, $3)", DB_ARGS(db_text_arg(kind), db_text_arg(host), db_text_arg(why)));
}

int health_gone(struct db *db, const char *kind, const char *host, int pid)
{
	return db_queue(db, "select process_gone($1, $2, $3::int)", DB_ARGS(db_text_arg(kind), db_text_arg(host), db_int_arg(pid)));
}

int health_database_folder(struct db *db, char *out, size_t size)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(database_folder(), '')", DB_NONE);

	if (rc < 0)
		return rc;
	snprintf(out, size, "%s", db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

/* A row that nobody renews is of a process that was killed; where another has taken its place it is soon of no interest. */
int health_sample(struct db *db, clock_us now)
{
	int rc = db_queue(db, "delete from process p where seen < now() - interval '1 day' or (seen < now() - interval '10 minutes' and exists (select 1"
		" from process q where q.kind = p.kind and q.host = p.host and q.started > p.seen))", DB_NONE);

	if (rc == 0)
		rc = db_queue(db, "delete from health_sample where at < $1", DB_ARGS(db_time_arg(now - HEALTH_SAMPLES_KEPT)));
	return rc < 0 ? rc : db_queue(db, "insert into health_sample (at, waiting, running, failed, behind) select date_trunc('minute', now()), waiting, running,"
		" failed, coalesce(extract(epoch from now() - oldest)::int, 0) from queue_state() on conflict do nothing", DB_NONE);
}

int health_processes(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select kind, host, pid, started, version, seen, greatest(0, extract(epoch from clock_timestamp() - seen))::bigint as age, skew,"
		" away, error, detail from process order by host, array_position(array['web', 'jobd', 'keyd', 'ssod'], kind), started, pid", DB_NONE);
}

int health_queue(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select waiting, later, running, failed, oldest, extract(epoch from now() - oldest)::bigint as behind from queue_state()", DB_NONE);
}

int health_altered_logs(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select name from audit_altered()", DB_NONE);
}

int health_database(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select split_part(current_setting('server_version'), ' ', 1) as version, pg_postmaster_start_time() as started, clock_timestamp() as now,"
		" pg_database_size(current_database()) as size, (select sum(numbackends) from pg_stat_database where datname is not null)::bigint as connections,"
		" current_setting('max_connections')::bigint as most, pg_is_in_recovery() as standby, s.ssl as tls, s.version as tls_version, s.cipher,"
		" host(inet_server_addr()) as address, schema_version() as schema,"
		" (select max(extract(epoch from longest))::bigint from database_sessions()) as uncommitted"
		" from (select 1) as one left join pg_stat_ssl s on s.pid = pg_backend_pid()", DB_NONE);
}

int health_history(struct db *db, int hours, json_t **out)
{
	return db_get_rows(db, out, "select h as hour, coalesce(max(s.waiting), 0) as waiting, coalesce(max(s.running), 0) as running,"
		" coalesce(max(s.failed), 0) as failed, coalesce(max(s.behind), 0)::bigint as behind from generate_series(date_trunc('hour', now())"
		" - ($1 - 1) * interval '1 hour', date_trunc('hour', now()), interval '1 hour') as h left join health_sample s on s.at >= h"
		" and s.at < h + interval '1 hour' group by h order by h", DB_ARGS(db_int_arg(hours)));
}

int health_sessions(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select role, sessions, active, tls, extract(epoch from longest)::bigint as longest from database_sessions()", DB_NONE);
}

int health_tables(struct db *db, int most, json_t **out)
{
	return db_get_rows(db, out, "select coalesce(p.relname, c.relname)::text as name, sum(pg_total_relation_size(c.oid))::bigint as bytes,"
		" sum(greatest(c.reltuples, 0))::bigint as rows from pg_class c left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent"
		" where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1 order by 2 desc, 1 limit $1", DB_ARGS(db_int_arg(most)));
}

int health_requests(struct db *db, int days, json_t **out)
{
	return db_get_rows(db, out, "select day, by_policy, by_person, denied, pending from installation_requests($1::int)", DB_ARGS(db_int_arg(days)));
}

/* Everything else, passwords above all, stays in the file. */
static int is_shown(const char *name)
{
	static const char *const shown[] = { "host", "hostaddr", "port", "dbname", "user", "sslmode", "sslrootcert", "sslcert", "channel_binding", "target_session_attrs", NULL };
	size_t i = 0;

	while (shown[i] && strcmp(shown[i], name) != 0)
		i++;
	return shown[i] != NULL;
}

json_t *health_conninfo(const char *conninfo)
{
	PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
	json_t *list = json_array();

	for (PQconninfoOption *o = all; o && o->keyword; o++)
		if (o->val && is_shown(o->keyword))
			json_array_append_new(list, json_pack("{s:s, s:s}", "name", o->keyword, "value", o->val));
	PQconninfoFree(all);
	return list;
}
