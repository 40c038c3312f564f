/* instance.c - running machines. */
#include "store/instance.h"

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/request.h"

#define COLUMNS "i.id, i.host_name, i.provider, provider_label(i.provider) as provider_name, i.provider_instance, i.os, i.distribution, i.os_version, i.kernel, i.arch, i.region," \
	" i.zone, i.state, i.first_seen, i.last_seen, i.image, coalesce(nullif(m.name, ''), m.provider_image) as image_name"
#define FROM "instance i left join image m on m.tenant = i.tenant and m.id = i.image"

#define UTC(column) "to_char(" column " at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

int instance_get(struct db *db, const struct uuid *id, json_t **out)
{
	struct list_query query = { .limit = 50 };
	char text[UUID_TEXT_SIZE];
	struct db_result *r;
	json_t *row, *page;
	int rc = db_query_row(db, &r, "select " COLUMNS ", i.facts, i.facts_at, (select json_build_object('id', a.id, 'version',"
		" a.version, 'state', a.state, 'insecure_tls', a.insecure_tls, 'last_heartbeat', " UTC("a.last_heartbeat") ", 'address',"
		" a.address, 'log_level', a.log_level, 'created', " UTC("a.created") ") from agent a where a.tenant = i.tenant"
		" and a.instance = i.id order by a.state = 'active' desc, a.created desc limit 1) as agent,"
		" (select coalesce(json_agg(json_build_object('id', d.id, 'name', coalesce(nullif(d.name, ''), d.provider_device), 'status',"
		" d.status, 'mount_point', d.mount_point, 'size_bytes', d.size_bytes, 'policy', p.id, 'policy_name', p.name,"
		" 'said', coalesce(said.detail, '')) order by d.name collate \"und-x-icu\", d.id), '[]') from device d"
		" join policy p on p.tenant = d.tenant and p.id = d.policy left join lateral " DEVICE_SAID " said on true where d.tenant = i.tenant and d.instance = i.id) as devices from " FROM " where i.id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	row = db_row_json(r, 0);
	db_result_free(r);
	uuid_text(id, text);
	query.filters[0].name = "instance";
	query.filters[0].value = text;
	rc = request_history(db, &query, &page);
	if (rc < 0) {
		json_decref(row);
		return rc;
	}
	json_object_set(row, "requests", json_object_get(page, "rows"));
	json_decref(page);
	*out = row;
	return 0;
}

int instance_name(struct db *db, const struct uuid *id, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(nullif(host_name, ''), provider_instance) from instance where id = $1",
		DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*out = json_string(db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

/* What its agent held is gone as far as anybody can tell: the requests end, the devices are no longer In-use. But a key that it was
 * ordered to give back counts as given back only when it says so. */
static int close_requests(struct db *db, const struct uuid *instance)
{
	struct db_result *r;
	int rc = db_query(db, &r, "select id from key_request where instance = $1 and closed is null and revoke_ordered is null"
		" order by id",
		DB_ARGS(db_uuid_arg(instance)));

	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		rc = request_close(db, &id, REQUEST_MISSING);
	}
	if (rc >= 0)
		db_result_free(r);
	return rc;
}

/* EACH instance that SQL changed gets a log entry. */
static int change_all(struct db *db, const char *sql, clock_us before, int limit, enum audit_event event, int close)
{
	struct db_result *r;
	int rc = db_query(db, &r, sql, DB_ARGS(db_time_arg(before), db_int_arg(limit)));

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < db_rows(r); i++) {
		struct uuid id = db_uuid(r, i, 0);

		if (close)
			rc = close_requests(db, &id);
		if (rc == 0)
			rc = audit_log(db, event, &(struct audit_object) { "instance", &id, db_text(r, i, 1) }, NULL);
	}
	rc = rc < 0 ? rc : (int)db_rows(r);
	db_result_free(r);
	return rc;
}

/* What is chosen is locked: one that is heard meanwhile is left. */
#define SOME(where) " where id in (select id from instance where " where " order by last_seen limit $2 for no key update skip locked)"

int instance_find_missing(struct db *db, clock_us before, int limit)
{
	return change_all(db, "update instance set state = 'missing'" SOME("state = 'running' and last_seen < $1") " returning id, host_name",
		before, limit, AUDIT_INSTANCE_MISSING, 1);
}

int instance_missing_tenants(struct db *db, clock_us before, json_t **out)
{
	return db_get_rows(db, out, "select id from instance_missing_tenants($1)", DB_ARGS(db_time_arg(before)));
}

int instance_expire(struct db *db, clock_us before, int limit)
{
	return change_all(db, "delete from instance" SOME("state <> 'running' and last_seen < $1") " returning id, host_name", before, limit,
		AUDIT_INSTANCE_DELETED, 0);
}
