/* job.c - the queue. */
#include "store/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void job_release(struct job *j)
{
	free(j->kind);
	json_decref(j->payload);
	memset(j, 0, sizeof *j);
}

static int add(struct db *db, const char *kind, json_t *payload, clock_us run_at, const char *unique, int away)
{
	struct uuid id = uuid_new();
	json_t *given = payload ? payload : json_object();
	/* Where one waits already it is to find what is written here, too. */
	int rc = unique ? db_queue(db, "select job_hold($1, $2, $3)", DB_ARGS(db_text_arg(kind), db_text_arg(unique), db_bool_arg(away))) : 0;

	if (rc == 0)
		rc = db_queue(db, "insert into job (id, tenant, kind, payload, run_at, unique_key, away) values ($1, current_tenant(), $2, $3,"
			" coalesce($4, now()), $5, $6) on conflict do nothing", DB_ARGS(db_uuid_arg(&id), db_text_arg(kind), db_json_arg(given),
			db_time_arg(run_at), db_text_arg(unique), db_bool_arg(away)));
	json_decref(given);
	return rc;
}

int job_add(struct db *db, const char *kind, json_t *payload, clock_us run_at, const char *unique)
{
	return add(db, kind, payload, run_at, unique, 0);
}

int job_add_outside(struct db *db, const char *kind, json_t *payload, const char *unique, int away)
{
	return add(db, kind, payload, 0, unique, away);
}

int job_take(struct db *db, clock_us lease, const struct job_choice *choice, struct job *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select id, tenant, kind, payload, attempts from job_take($1 * interval '1 microsecond',"
		" $2::text[], $3)", DB_ARGS(db_int_arg(lease), db_text_arg(choice->leave), db_bool_arg(choice->with_away)));

	if (rc < 0)
		return rc;
	*out = (struct job) {
		.id = db_uuid(r, 0, 0), .has_tenant = !db_is_null(r, 0, 1), .tenant = db_uuid(r, 0, 1),
		.kind = mem_strdup(db_text(r, 0, 2)), .payload = db_json(r, 0, 3), .attempts = db_int(r, 0, 4),
	};
	db_result_free(r);
	return 0;
}

/* The function tells whether the job was there. */
static int call(struct db *db, const char *sql, struct db_arg *args, size_t count)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0) ? 0 : err_set(ERR_NOT_FOUND, "no such job");
	db_result_free(r);
	return rc;
}

int job_finish(struct db *db, const struct uuid *id)
{
	return call(db, "select job_finish($1)", DB_ARGS(db_uuid_arg(id)));
}

int job_note(struct db *db, const struct uuid *id, const json_t *more)
{
	return call(db, "select job_note($1, $2::jsonb)", DB_ARGS(db_uuid_arg(id), db_json_arg(more)));
}

int job_keep(struct db *db, const struct uuid *id, clock_us lease)
{
	return db_queue(db, "select job_keep($1, $2 * interval '1 microsecond')", DB_ARGS(db_uuid_arg(id), db_int_arg(lease)));
}

int job_fail(struct db *db, const struct uuid *id, const char *error, clock_us retry)
{
	return call(db, "select job_fail($1, $2, $3)", DB_ARGS(db_uuid_arg(id), db_text_arg(error), db_time_arg(retry)));
}

int job_next_each(struct db *db, const struct job_choice *choices, size_t count, int64_t most, int64_t *ms)
{
	struct db_arg *leave = mem_array(count, sizeof *leave), *away = mem_array(count, sizeof *away);
	struct db_result *r;
	int rc;

	for (size_t i = 0; i < count; i++) {
		leave[i] = db_text_arg(choices[i].leave);
		away[i] = db_bool_arg(choices[i].with_away);
	}
	rc = db_query(db, &r, "select least($3, coalesce(ceil(extract(epoch from job_next(coalesce(c.leave::text[], '{}'), c.away) - clock_timestamp()) * 1000), $3))::bigint"
		" from unnest($1, $2) with ordinality as c(leave, away, n) order by c.n",
		DB_ARGS(db_array_arg(leave, count), db_array_arg(away, count), db_int_arg(most)));
	free(leave);
	free(away);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++)
		ms[i] = db_int(r, i, 0);
	db_result_free(r);
	return 0;
}
