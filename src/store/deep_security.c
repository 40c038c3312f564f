/* deep_security.c - connection, answers, and when an answer is too old. */
#include "store/deep_security.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/job.h"

int deep_security_get(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select coalesce(d.enabled, false) as enabled, coalesce(d.url, '') as url, coalesce(d.ca, '') as ca,"
		" d.api_key is not null as has_key, coalesce(d.keep_s, 300) as keep_s, d.changed, d.test_asked, d.tested, d.test_error"
		" from (select 1) one left join deep_security d on true", DB_NONE);
}

static json_t *visible(const json_t *row)
{
	json_t *o = json_object();
	static const char *const names[] = { "enabled", "url", "ca", "keep_s" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		json_object_set(o, names[i], json_object_get(row, names[i]));
	return o;
}

static int log_change(struct db *db, const json_t *before, const struct deep_security_change *c)
{
	json_t *old = visible(before), *now = json_pack("{s:b,s:s,s:s,s:I}", "enabled", c->enabled, "url", c->url, "ca", c->ca, "keep_s",
		(json_int_t)c->keep_s);
	json_t *detail = audit_changes(old, now);

	if (c->api_key && detail == NULL)
		detail = json_object();
	if (c->api_key)
		json_set_bool(detail, "secret_changed", 1);
	json_decref(old);
	json_decref(now);
	return detail ? audit_log(db, AUDIT_DEEP_SECURITY, NULL, detail) : 0;
}

/* A key must not go to another server than the one that it was typed for. */
static int keeps_key(const json_t *before, const struct deep_security_change *c)
{
	return json_is_true(json_object_get(before, "has_key")) && strcmp(json_string_value(json_object_get(before, "url")), c->url) == 0;
}

int deep_security_set(struct db *db, const struct deep_security_change *c)
{
	json_t *before = NULL;
	int rc = deep_security_get(db, &before);

	if (rc < 0)
		return rc;
	if (c->enabled && (*c->url == '\0' || (c->api_key == NULL && !keeps_key(before, c))))
		rc = err_set(ERR_INVALID, "a connection needs an address and an API key");
	if (rc == 0)
		rc = db_run(db, "insert into deep_security (tenant, enabled, url, ca, keep_s, api_key) values (current_tenant(), $1, $2, $3,"
			" $4, coalesce($5, (select api_key from deep_security where url = $2))) on conflict (tenant) do update set enabled = excluded.enabled, url = excluded.url, ca = excluded.ca,"
			" keep_s = excluded.keep_s, api_key = excluded.api_key, changed = now(), test_asked = null,"
			" tested = null, test_error = null", DB_ARGS(db_bool_arg(c->enabled), db_text_arg(c->url), db_text_arg(c->ca),
			db_int_arg(c->keep_s), db_bytes_arg(c->api_key ? c->api_key->data : NULL, c->api_key ? c->api_key->len : 0)));
	if (rc >= 0)
		rc = log_change(db, before, c);
	json_decref(before);
	return rc;
}

int deep_security_ask_test(struct db *db)
{
	int rc = db_run_one(db, "update deep_security set test_asked = now() where enabled", DB_NONE);

	if (rc == ERR_NOT_FOUND)
		return err_set(ERR_CONFLICT, "the connection is not enabled");
	return rc < 0 ? rc : job_add(db, DEEP_SECURITY_JOB_TEST, NULL, 0, "test");
}

static int ask(struct db *db, const struct uuid *instance)
{
	char id[UUID_TEXT_SIZE];

	uuid_text(instance, id);
	return job_add(db, DEEP_SECURITY_JOB_ASK, json_pack("{s:s}", "instance", id), 0, id);
}

int deep_security_facts(struct db *db, const struct uuid *instance, clock_us now, json_t **out)
{
	struct db_result *r;
	int fresh, rc = db_query(db, &r, "select coalesce(a.at > d.changed and a.at > $2::timestamptz - d.keep_s * interval '1 second', false),"
		" a.at, coalesce(a.facts, '{}'), a.error from deep_security d left join deep_security_answer a on a.instance = $1 where d.enabled",
		DB_ARGS(db_uuid_arg(instance), db_time_arg(now)));

	if (rc < 0)
		return rc;
	fresh = db_rows(r) && db_bool(r, 0, 0);
	if (db_rows(r) == 0) {
		*out = json_pack("{s:b}", "off", 1);
	} else if (fresh) {
		char at[CLOCK_TEXT_SIZE];

		clock_text(db_time(r, 0, 1), at);
		*out = json_pack("{s:s,s:o,s:s?}", "at", at, "values", db_json(r, 0, 2), "error", db_text(r, 0, 3));
	} else if ((rc = ask(db, instance)) == 0) {
		*out = json_pack("{s:b}", "waiting", 1);
	}
	db_result_free(r);
	return rc;
}

int deep_security_connection(struct db *db, json_t **out, struct buf *api_key)
{
	struct db_result *r;
	struct wire_view blob;
	int rc = db_query_row(db, &r, "select url, ca, api_key as _key, changed::text as since from deep_security where enabled", DB_NONE);

	if (rc < 0)
		return rc;
	*out = db_row_json(r, 0);
	blob = db_bytes(r, 0, 2);
	buf_reset(api_key);
	buf_add(api_key, blob.data, blob.len);
	db_result_free(r);
	return 0;
}

int deep_security_host(struct db *db, const struct uuid *instance, char **host_name)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select host_name from instance where id = $1", DB_ARGS(db_uuid_arg(instance)));

	if (rc < 0)
		return rc;
	*host_name = mem_strdup(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

int deep_security_keep(struct db *db, const struct uuid *instance, const char *since, const char *host_name, const json_t *facts,
	const char *error)
{
	int rc = db_run(db, "insert into deep_security_answer (tenant, instance, at, host_name, facts, error) select current_tenant(), $1,"
		" clock_timestamp(), $2, $3, $4 from deep_security d where d.enabled and d.changed::text = $5 on conflict (tenant, instance) do update set at = excluded.at, host_name = excluded.host_name,"
		" facts = excluded.facts, error = excluded.error", DB_ARGS(db_uuid_arg(instance), db_text_arg(host_name),
		db_json_arg(facts), db_text_arg(error), db_text_arg(since)));

	/* Of a former connection: good for nothing, and the new one has yet to be asked. */
	if (rc == 0)
		return err_set(ERR_CONFLICT, "the connection has changed meanwhile");
	return rc < 0 ? rc : deep_security_tested(db, since, error);
}

int deep_security_tested(struct db *db, const char *since, const char *error)
{
	int rc = db_run(db, "update deep_security set tested = clock_timestamp(), test_error = $1 where changed::text = $2", DB_ARGS(
		db_text_arg(error), db_text_arg(since)));

	return rc < 0 ? rc : 0;
}
