/* closing.c - accounts announced to end, destroyed, exported. */
#include "store/closing.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/job.h"

/* The operator */

static int queue(struct db *db, const struct uuid *closure, clock_us at)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(closure, text);
	return job_add(db, CLOSING_JOB, json_pack("{s:s}", "closure", text), at, text);
}

static int log_closing(struct db *db, enum audit_event event, const struct uuid *account, const char *name, clock_us at, const char *reason)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(at, text);
	return audit_log_both(db, event, &(struct audit_object){ "tenant", account, name }, json_pack("{s:s, s:s?}", "at", text, "comment",
		*reason ? reason : NULL));
}

int closing_announce(struct db *db, const struct uuid *account, clock_us at, const char *reason)
{
	struct uuid id = uuid_new();
	struct db_result *r;
	int rc = db_query_row(db, &r, "select name, state, close_at is not null from tenant where id = $1 for no key update",
		DB_ARGS(db_uuid_arg(account)));

	if (rc < 0)
		return rc;
	if (strncmp(db_text(r, 0, 1), "clos", 4) == 0 || db_bool(r, 0, 2))
		rc = err_set(ERR_CONFLICT, "the account is closed, or its end is announced already");
	if (rc == 0)
		rc = db_run(db, "insert into tenant_closure (id, account, name, requested_by, reason, close_at) values ($1, $2, $3, $4, $5, $6)",
			DB_ARGS(db_uuid_arg(&id), db_uuid_arg(account), db_text_arg(db_text(r, 0, 0)), db_text_arg(db_actor(db)->name),
			db_text_arg(reason), db_time_arg(at)));
	if (rc >= 0)
		rc = db_run_one(db, "update tenant set close_at = $2 where id = $1", DB_ARGS(db_uuid_arg(account), db_time_arg(at)));
	if (rc == 0)
		rc = queue(db, &id, at);
	if (rc == 0)
		rc = log_closing(db, AUDIT_TENANT_CLOSING, account, db_text(r, 0, 0), at, reason);
	db_result_free(r);
	return rc;
}

int closing_cancel(struct db *db, const struct uuid *account, const char *reason)
{
	struct db_result *r;
	/* The row first, as tenant_shred does: whoever has it decides. */
	int rc = db_query(db, &r, "update tenant_closure c set cancelled = now(), cancelled_by = $2 where c.account = $1 and c.cancelled is null and"
		" c.begun is null returning c.name, c.close_at", DB_ARGS(db_uuid_arg(account), db_text_arg(db_actor(db)->name)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 0)
		rc = err_set(ERR_CONFLICT, "nothing is announced, or it has begun");
	if (rc == 0)
		rc = db_run_one(db, "update tenant set close_at = null where id = $1", DB_ARGS(db_uuid_arg(account)));
	if (rc == 0)
		rc = log_closing(db, AUDIT_TENANT_KEPT, account, db_text(r, 0, 0), db_time(r, 0, 1), reason);
	db_result_free(r);
	return rc;
}

int closing_last(struct db *db, const struct uuid *account, json_t **out)
{
	int rc = db_get_row(db, out, "select id, requested, requested_by, reason, close_at, cancelled, begun, server_keys, shredded, facts, removed, finished,"
		" certificate is not null as has_certificate from tenant_closure where account = $1 order by requested desc limit 1",
		DB_ARGS(db_uuid_arg(account)));

	if (rc != ERR_NOT_FOUND)
		return rc;
	*out = json_null();
	return 0;
}

static void take(struct buf *to, struct wire_view v)
{
	buf_reset(to);
	buf_add(to, v.data, v.len);
}

int closing_certificate(struct db *db, const struct uuid *account, struct buf *pdf, struct buf *signature)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select certificate, signature from tenant_closure where account = $1 and certificate is not null",
		DB_ARGS(db_uuid_arg(account)));

	if (rc < 0)
		return rc;
	take(pdf, db_bytes(r, 0, 0));
	take(signature, db_bytes(r, 0, 1));
	db_result_free(r);
	return 0;
}

/* jobd */

int closing_begin(struct db *db, const struct uuid *closure, int most)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce(tenant_close_begin($1, $2::int), 0)", DB_ARGS(db_uuid_arg(closure), db_int_arg(most)));

	if (rc < 0)
		return rc;
	rc = (int)db_int(r, 0, 0);
	db_result_free(r);
	return rc;
}

int closing_shred(struct db *db, const struct uuid *closure)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select tenant_shred($1, interval '" CLOSING_PATIENCE "')", DB_ARGS(db_uuid_arg(closure)));

	if (rc < 0)
		return rc;
	rc = db_is_null(r, 0, 0) ? err_set(ERR_UNAVAILABLE, "key servers have not destroyed the account's keys yet") : db_bool(r, 0, 0);
	db_result_free(r);
	return rc;
}

int closing_remove(struct db *db, const struct uuid *closure, int most, int64_t *gone)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select tenant_shred_rows($1, $2::int)", DB_ARGS(db_uuid_arg(closure), db_int_arg(most)));

	if (rc < 0)
		return rc;
	*gone = db_int(r, 0, 0);
	db_result_free(r);
	return 0;
}

int closing_facts(struct db *db, const struct uuid *closure, json_t **out)
{
	return db_get_row(db, out, "select account, slug, name, created, requested, requested_by, reason, close_at, shredded, facts, removed"
		" from tenant_closure_facts($1)", DB_ARGS(db_uuid_arg(closure)));
}

int closing_done(struct db *db, const struct uuid *closure, const struct uuid *account, const char *name, const struct buf *pdf,
	const uint8_t signature[static 64])
{
	int rc = db_run(db, "select tenant_closed($1, $2, $3)", DB_ARGS(db_uuid_arg(closure), db_bytes_arg(pdf->data, pdf->len),
		db_bytes_arg(signature, 64)));

	/* In the installation's log alone: the account's own is destroyed with the rest. */
	return rc < 0 ? rc : audit_log(db, AUDIT_TENANT_CLOSED, &(struct audit_object){ "tenant", account, name }, NULL);
}

/* The account's people */

int closing_when(struct db *db, clock_us *at)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select close_at from tenant where id = current_tenant()", DB_NONE);

	if (rc < 0)
		return rc;
	*at = db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}

int closing_export_ask(struct db *db)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id = uuid_new();
	int rc = db_run(db, "insert into tenant_export (tenant, id, requested_by) values (current_tenant(), $1, $2)", DB_ARGS(db_uuid_arg(&id),
		db_text_arg(db_actor(db)->name)));

	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	rc = job_add(db, CLOSING_EXPORT_JOB, json_pack("{s:s}", "export", text), 0, text);
	return rc < 0 ? rc : audit_log(db, AUDIT_DATA_EXPORT, &(struct audit_object){ "export", &id, NULL }, NULL);
}

int closing_export_all(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id, requested, requested_by, state, error, bytes, rows, finished from tenant_export where tenant ="
		" current_tenant() order by requested desc limit 20", DB_NONE);
}

static int check_done(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select state = 'done' from tenant_export where tenant = current_tenant() and id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	rc = db_bool(r, 0, 0) ? 0 : err_set(ERR_CONFLICT, "the export is not there yet");
	db_result_free(r);
	return rc;
}

int closing_export_part(struct db *db, const struct uuid *id, int64_t part, struct buf *out)
{
	struct db_result *r;
	int rc = check_done(db, id), more;

	if (rc == 0)
		rc = db_query_row(db, &r, "select p.data, exists (select 1 from tenant_export_part n where n.tenant = p.tenant and n.export = p.export and n.part = $2 + 1)"
			" from tenant_export_part p where p.tenant = current_tenant() and p.export = $1 and p.part = $2", DB_ARGS(db_uuid_arg(id), db_int_arg(part)));
	if (rc < 0)
		return rc;
	take(out, db_bytes(r, 0, 0));
	more = db_bool(r, 0, 1);
	db_result_free(r);
	rc = part ? 0 : audit_log(db, AUDIT_DATA_EXPORTED, &(struct audit_object){ "export", id, NULL }, NULL);
	return rc < 0 ? rc : more;
}

/* jobd: what goes into an export. Rows by a key that orders them; no column that holds or opens anything secret. $1: after, $2: how many. */
static const struct {
	const char *name, *sql;
} files[] = {
#define BY_ID(table, columns) "select id::text as key, row_to_json(x)::text as row from (select " columns " from " table " where tenant = current_tenant()" \
	" and ($1::text is null or id > $1::uuid) order by id limit $2) x"
	{ "users", BY_ID("app_user", "id, email, name, role, state, created, last_sign_in") },
	{ "policies", BY_ID("policy", "id, name, description, version, is_default") },
	{ "policy_versions", "select (policy || '/' || lpad(version::text, 10, '0')) as key, row_to_json(x)::text as row from (select policy, version,"
		" document, why, at from policy_version where tenant = current_tenant() and ($1::text is null or (policy, version) >"
		" (split_part($1, '/', 1)::uuid, split_part($1, '/', 2)::int)) order by policy, version limit $2) x" },
	{ "images", BY_ID("image", "id, provider, provider_image, name, description, created") },
	{ "instances", BY_ID("instance", "id, image, provider, provider_instance, host_name, os, distribution, os_version, kernel, arch, region, zone, state,"
		" facts, facts_at, first_seen, last_seen") },
	{ "devices", BY_ID("device", "id, provider, provider_device, name, description, kind, size_bytes, instance, image, policy, status, os, filesystem,"
		" mount_point, access, cipher, mode, key_bits, hash, key_version, key_created, key_rotated, luks_uuid, raid, created, last_detected") },
	{ "key_requests", BY_ID("key_request", "id, device, instance, agent, image, policy, policy_name, policy_version, status, integrity, access,"
		" mount_point, reason, facts, address, verdict, requested, decided, decided_by, decided_by_name, comment, delivered, key_version, opened,"
		" revoke_ordered, revoked, closed, closed_reason") },
	{ "licences", BY_ID("licence", "id, serial, kind, keys, until, issued, entered, entered_by, replaced") },
};

const char *closing_export_file(size_t i)
{
	return i < ARRAY_LEN(files) ? files[i].name : NULL;
}

int closing_export_rows(struct db *db, size_t i, const char *after, int most, struct db_result **out)
{
	return db_query(db, out, files[i].sql, DB_ARGS(db_text_arg(after), db_int_arg(most)));
}

int closing_export_running(struct db *db, const struct uuid *id)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select 1 from tenant_export where tenant = current_tenant() and id = $1 and state = 'running'",
		DB_ARGS(db_uuid_arg(id)));

	if (rc == 0)
		db_result_free(r);
	return rc;
}

int closing_export_keep_part(struct db *db, const struct uuid *id, int part, const void *data, size_t len)
{
	int rc = part ? 0 : db_run(db, "delete from tenant_export_part where tenant = current_tenant() and export = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc >= 0)
		rc = db_run(db, "insert into tenant_export_part (tenant, export, part, data) values (current_tenant(), $1, $2, $3)",
			DB_ARGS(db_uuid_arg(id), db_int_arg(part), db_bytes_arg(data, len)));
	return rc < 0 ? rc : 0;
}

int closing_export_done(struct db *db, const struct uuid *id, int64_t bytes, int64_t rows)
{
	int rc = db_run_one(db, "update tenant_export set state = 'done', finished = now(), bytes = $2, rows = $3 where tenant = current_tenant() and id ="
		" $1", DB_ARGS(db_uuid_arg(id), db_int_arg(bytes), db_int_arg(rows)));

	/* One after the other would fill the database that all accounts are in. */
	if (rc == 0)
		rc = db_run(db, "delete from tenant_export where tenant = current_tenant() and state <> 'running' and id not in (select e.id from tenant_export e"
			" where e.tenant = current_tenant() and e.state = 'done' order by e.requested desc limit $1)", DB_ARGS(db_int_arg(CLOSING_EXPORTS)));
	return rc < 0 ? rc : 0;
}

int closing_export_failed(struct db *db, const struct uuid *id, const char *error)
{
	int rc = db_run_one(db, "update tenant_export set state = 'failed', finished = now(), error = $2 where tenant = current_tenant() and id = $1 and"
		" state = 'running'", DB_ARGS(db_uuid_arg(id), db_text_arg(error)));

	if (rc == 0)
		rc = db_run(db, "delete from tenant_export_part where tenant = current_tenant() and export = $1", DB_ARGS(db_uuid_arg(id)));
	return rc < 0 ? rc : 0;
}

int closing_export_clean(struct db *db, clock_us before)
{
	return db_run(db, "delete from tenant_export where tenant = current_tenant() and requested < $1", DB_ARGS(db_time_arg(before)));
}
