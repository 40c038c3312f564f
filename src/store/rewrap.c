/* rewrap.c - rotations, and the blobs that they wrap again. */
#include "store/rewrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/deep_security.h"
#include "store/directory.h"
#include "store/factor.h"
#include "store/job.h"
#include "store/key_server.h"
#include "store/log_forward.h"
#include "store/mail.h"
#include "store/saml.h"
#include "store/setting.h"
#include "store/signing.h"
#include "store/webhook.h"

#define KEY_AT 1                         /* of a blob: the id of the key that it is under */
#define BLOB_LEAST 45

/* The installation's: a setting, base64url; or, without one, the key of its key server's settings. */
static const struct {
	const char *setting, *purpose;
} system_secrets[] = {
	{ MAIL_PASSWORD_SETTING, MAIL_PASSWORD_PURPOSE },
	{ SIGNING_LICENCE, SIGNING_LICENCE },
	{ SIGNING_CERTIFICATE, SIGNING_CERTIFICATE },
	{ DIRECTORY_PASSWORD_SETTING, DIRECTORY_SYSTEM_PURPOSE },
	{ SAML_KEY_SETTING, SAML_KEY_PURPOSE },
	{ SAML_SECOND_KEY_SETTING, SAML_KEY_PURPOSE },
	{ LOG_FORWARD_KEY_SETTING, LOG_FORWARD_PURPOSE },
	{ NULL, KEY_SERVER_SYSTEM_PURPOSE },
};

/* What is under a tenant's key. Both statements see the tenant alone. $1, $2: after; $3: the former key; $4: how many. */
static const struct {
	const char *purpose, *next, *left, *update;
} blobs[] = {
#define ONE_OF_TENANT(purpose, table, column) { purpose, \
	"select tenant, 0, " column " from " table " where $1 is not null and $2 = 0 and blob_key(" column ") = $3 and tenant > $1 limit $4", \
	"select count(*) from " table " where blob_key(" column ") = $1", \
	"update " table " t set " column " = decode(u.a, 'hex') from json_to_recordset($1) as u(o uuid, b text, a text)" \
	" where t.tenant = u.o and t." column " = decode(u.b, 'hex')" }
	{ "key/device",
		"select device, version, wrapped from device_key where (device, version) > ($1, $2) and blob_key(wrapped) = $3"
		" order by device, version limit $4",
		"select count(*) from device_key where blob_key(wrapped) = $1",
		"update device_key t set wrapped = decode(u.a, 'hex') from json_to_recordset($1) as u(o uuid, v int, b text, a text)"
		" where t.device = u.o and t.version = u.v and t.wrapped = decode(u.b, 'hex')" },
	{ "data/credentials",
		"select image, 0, secret from image_credential where image > $1 and $2 = 0 and blob_key(secret) = $3 order by image limit $4",
		"select count(*) from image_credential where blob_key(secret) = $1",
		"update image_credential t set secret = decode(u.a, 'hex') from json_to_recordset($1) as u(o uuid, b text, a text)"
		" where t.image = u.o and t.secret = decode(u.b, 'hex')" },
	{ "data/" FACTOR_PURPOSE,
		"select user_id, 0, secret from second_factor where user_id > $1 and $2 = 0 and blob_key(secret) = $3 order by user_id limit $4",
		"select count(*) from second_factor where blob_key(secret) = $1",
		"update second_factor t set secret = decode(u.a, 'hex') from json_to_recordset($1) as u(o uuid, b text, a text)"
		" where t.user_id = u.o and t.secret = decode(u.b, 'hex')" },
	{ "data/" WEBHOOK_PURPOSE,
		"select id, 0, secret from webhook where id > $1 and $2 = 0 and blob_key(secret) = $3 order by id limit $4",
		"select count(*) from webhook where blob_key(secret) = $1",
		"update webhook t set secret = decode(u.a, 'hex') from json_to_recordset($1) as u(o uuid, b text, a text)"
		" where t.id = u.o and t.secret = decode(u.b, 'hex')" },
	ONE_OF_TENANT("data/provisioning-passphrase", "provisioning", "passphrase"),
	ONE_OF_TENANT("data/spake2-verifier", "provisioning", "verifier"),
	ONE_OF_TENANT("data/" DEEP_SECURITY_PURPOSE, "deep_security", "api_key"),
	ONE_OF_TENANT("data/" DIRECTORY_PURPOSE, "directory", "password"),
	ONE_OF_TENANT("data/" SAML_KEY_PURPOSE, "saml", "key"),
	ONE_OF_TENANT("data/" SAML_KEY_PURPOSE, "saml", "second_key"),
	ONE_OF_TENANT("data/" LOG_FORWARD_PURPOSE, "log_forward", "client_key"),
	ONE_OF_TENANT(KEY_SERVER_PURPOSE, "key_server", "wrapped"),
	{ "key/device",
		"select device, version, wrapped from key_server_gone where (device, version) > ($1, $2) and blob_key(wrapped) = $3"
		" order by device, version limit $4",
		"select count(*) from key_server_gone where blob_key(wrapped) = $1",
		"update key_server_gone t set wrapped = decode(u.a, 'hex') from json_to_recordset($1) as u(o uuid, v int, b text, a text)"
		" where t.device = u.o and t.version = u.v and t.wrapped = decode(u.b, 'hex')" },
};

static void replace(struct buf *b, struct wire_view v)
{
	buf_reset(b);
	buf_add(b, v.data, v.len);
}

static int get_number(struct db *db, const char *sql, struct db_arg *args, size_t count, int64_t *out, int64_t *second)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	*out = db_int(r, 0, 0);
	if (second)
		*second = db_int(r, 0, 1);
	db_result_free(r);
	return 0;
}

/* The root key */

int root_max_days(struct db *db, int64_t *days)
{
	json_t *value = NULL;
	int rc = setting_get(db, ROOT_MAX_DAYS, &value);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	*days = rc == 0 ? json_integer_value(value) : 0;
	json_decref(value);
	return 0;
}

int root_since(struct db *db, const struct uuid *root, clock_us *since)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select coalesce((select min(started) from root_rotation where root = $1), (select min(a.month)::timestamp at time"
		" zone 'UTC' from audit_archive a where a.tenant = n.nil), (select e.at from audit_entry e where e.tenant = n.nil order by e.at limit 1)) from (select"
		" '00000000-0000-0000-0000-000000000000'::uuid as nil) n", DB_ARGS(db_uuid_arg(root)));

	if (rc < 0)
		return rc;
	*since = db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}

int tenant_rotations_running(struct db *db, int most, json_t **out)
{
	return db_get_rows(db, out, "select tenant, name, state, done, total, error, started, finished from tenant_rotations_running($1::int)",
		DB_ARGS(db_int_arg(most)));
}

int root_rotation_last(struct db *db, json_t **out)
{
	int rc = db_get_row(db, out, "select id, root, provider, state, total, done, error, started, started_by, finished from root_rotation"
		" order by started desc limit 1", DB_NONE);

	if (rc != ERR_NOT_FOUND)
		return rc;
	*out = json_null();
	return 0;
}

static int queue_root(struct db *db, const struct uuid *id)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	return job_add(db, ROTATION_ROOT_JOB, json_pack("{s:s}", "rotation", text), 0, text);
}

/* 1: it goes on; 0: there is none under way. One for another root key can never end: the key service wraps under ROOT. */
static int go_on(struct db *db, const struct uuid *root)
{
	struct uuid id, present;
	json_t *row = NULL;
	int rc = root_rotation_last(db, &row), running = 0;

	if (rc == 0 && !json_is_null(row))
		running = strcmp(json_string_value(json_object_get(row, "state")), "running") == 0;
	if (running && (json_get_uuid(row, "id", &id) < 0 || json_get_uuid(row, "root", &present) < 0))
		rc = ERR_DB;
	else if (running && uuid_equal(&present, root))
		rc = queue_root(db, &id);
	else if (running)
		rc = db_run(db, "update root_rotation set state = 'done', finished = now(), error = 'another root key came meanwhile' where id = $1",
			DB_ARGS(db_uuid_arg(&id)));
	json_decref(row);
	return rc < 0 ? rc : running && uuid_equal(&present, root);
}

int root_rotation_start(struct db *db, const struct uuid *root, const char *provider)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id = uuid_new();
	int64_t left, all;
	int rc = go_on(db, root);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	uuid_text(root, text);
	rc = root_rotation_left(db, root, &left, &all);
	if (rc == 0)
		rc = db_run_one(db, "insert into root_rotation (id, root, provider, total, started_by) values ($1, $2, $3, $4, $5)",
			DB_ARGS(db_uuid_arg(&id), db_uuid_arg(root), db_text_arg(provider), db_int_arg(left), db_text_arg(db_actor(db)->name)));
	if (rc == 0)
		rc = queue_root(db, &id);
	return rc < 0 ? rc : audit_log(db, AUDIT_ROOT_ROTATE, &(struct audit_object){ "root-key", root, provider },
		json_pack("{s:I}", "secrets", (json_int_t)left));
}

int root_rotation_next(struct db *db, const struct uuid *root, const struct uuid *after, int most, json_t **out)
{
	return db_get_rows(db, out, "select id from root_rotation_left($1, $2, $3::int)", DB_ARGS(db_uuid_arg(root), db_uuid_arg(after),
		db_int_arg(most)));
}

static int key_of(const struct buf *blob, struct uuid *out)
{
	if (blob->len < BLOB_LEAST)
		return 0;
	memcpy(out->bytes, blob->data + KEY_AT, sizeof out->bytes);
	return 1;
}

/* Of the installation's secrets: *UNDER are under ROOT, of *ALL. */
static int count_system(struct db *db, const struct uuid *root, int64_t *under, int64_t *all)
{
	char purpose[SYSTEM_PURPOSE_SIZE];
	struct buf blob = BUF_INIT;
	struct uuid key;
	int rc = 0;

	*under = *all = 0;
	for (size_t i = 0; rc == 0; i++) {
		rc = system_secret_get(db, i, purpose, &blob);
		if (rc == 0 && key_of(&blob, &key)) {
			++*all;
			*under += uuid_equal(&key, root);
		}
	}
	buf_free(&blob);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int root_rotation_left(struct db *db, const struct uuid *root, int64_t *left, int64_t *all)
{
	int64_t under, of;
	int rc = get_number(db, "select left_over, everything from root_rotation_count($1)", DB_ARGS(db_uuid_arg(root)), left, all);

	if (rc == 0)
		rc = count_system(db, root, &under, &of);
	if (rc < 0)
		return rc;
	*left += of - under;
	*all += of;
	return 0;
}

int root_rotation_under(struct db *db, const struct uuid *root, int64_t *count)
{
	int64_t under, of;
	int rc = get_number(db, "select root_rotation_under($1)", DB_ARGS(db_uuid_arg(root)), count, NULL);

	if (rc == 0)
		rc = count_system(db, root, &under, &of);
	if (rc == 0)
		*count += under;
	return rc;
}

int root_rotation_note(struct db *db, const struct uuid *id, int64_t done, int64_t total, const char *error)
{
	return db_queue(db, "update root_rotation set done = $2, total = $3, error = $4 where id = $1 and state = 'running'",
		DB_ARGS(db_uuid_arg(id), db_int_arg(done), db_int_arg(total), db_text_arg(error)));
}

int root_rotation_done(struct db *db, const struct uuid *id, const struct uuid *root)
{
	int rc = db_run(db, "update root_rotation set state = 'done', done = total, error = null, finished = now() where id = $1 and"
		" state = 'running'", DB_ARGS(db_uuid_arg(id)));

	return rc <= 0 ? rc : audit_log(db, AUDIT_ROOT_ROTATED, &(struct audit_object){ "root-key", root, NULL }, NULL);
}

int root_rotation_retired(struct db *db, const struct uuid *root, int destroyed)
{
	return audit_log(db, AUDIT_ROOT_RETIRED, &(struct audit_object){ "root-key", root, NULL }, json_pack("{s:b}", "destroyed", destroyed));
}

static int get_key_server(struct db *db, struct buf *out)
{
	struct key_server s = { 0 };
	int rc = key_server_get(db, KEY_SERVER_INSTALLATION, &s);

	if (rc == 0)
		buf_add(out, s.key.data, s.key.len);
	key_server_free(&s);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The link in the I-th mail that waits. */
static int link_get(struct db *db, int64_t i, char purpose[static SYSTEM_PURPOSE_SIZE], struct buf *out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select waiting_link($1)", DB_ARGS(db_int_arg(i)));

	if (rc < 0)
		return rc;
	snprintf(purpose, SYSTEM_PURPOSE_SIZE, MAIL_LINK_PURPOSE);
	rc = db_is_null(r, 0, 0) ? ERR_NOT_FOUND : decode_base64url(db_text(r, 0, 0), out);
	db_result_free(r);
	return rc;
}

/* Second factors, then webhooks, in the order of their ids. */
static int operator_secret_get(struct db *db, int64_t i, char purpose[static SYSTEM_PURPOSE_SIZE], struct buf *out)
{
	struct db_result *r;
	struct uuid of;
	int rc = db_query_row(db, &r, "select id, secret, hook from (select user_id as id, secret, false as hook from operator_factor union all"
		" select id, secret, true from webhook where tenant = '00000000-0000-0000-0000-000000000000') s order by hook, id offset $1 limit 1", DB_ARGS(
		db_int_arg(i)));

	if (rc < 0)
		return rc;
	of = db_uuid(r, 0, 0);
	if (db_bool(r, 0, 2))
		webhook_system_purpose(&of, purpose);
	else
		factor_system_purpose(&of, purpose);
	replace(out, db_bytes(r, 0, 1));
	db_result_free(r);
	return 0;
}

int system_secret_get(struct db *db, size_t i, char purpose[static SYSTEM_PURPOSE_SIZE], struct buf *out)
{
	int64_t beyond = (int64_t)i - (int64_t)ARRAY_LEN(system_secrets), operators;
	int rc = beyond < 0 ? 0 : get_number(db, "select (select count(*) from operator_factor) + (select count(*) from webhook where"
		" tenant = '00000000-0000-0000-0000-000000000000')", DB_NONE, &operators, NULL);

	buf_reset(out);
	if (rc < 0)
		return rc;
	if (beyond >= 0)
		return beyond < operators ? operator_secret_get(db, beyond, purpose, out) : link_get(db, beyond - operators, purpose, out);
	snprintf(purpose, SYSTEM_PURPOSE_SIZE, "%s", system_secrets[i].purpose);
	return system_secrets[i].setting ? setting_get_blob(db, system_secrets[i].setting, out) : get_key_server(db, out);
}

int system_secret_rewrapped(struct db *db, size_t i, const struct buf *before, const struct buf *after)
{
	struct db_arg bytes[] = { db_bytes_arg(before->data, before->len), db_bytes_arg(after->data, after->len) };
	char *old, *new;
	int rc;

	if (i < ARRAY_LEN(system_secrets) && system_secrets[i].setting == NULL)
		return db_queue(db, "update installation_key_server set wrapped = $2 where wrapped = $1", bytes, 2);
	old = encode_base64url(before->data, before->len);
	new = encode_base64url(after->data, after->len);
	if (i < ARRAY_LEN(system_secrets)) {
		rc = db_queue(db, "select setting_rewrapped($1, to_json($2::text), to_json($3::text))", DB_ARGS(db_text_arg(system_secrets[i].setting),
			db_text_arg(old), db_text_arg(new)));
	} else {
		/* Whichever of the three it is. */
		rc = db_queue(db, "update operator_factor set secret = $2 where secret = $1", bytes, 2);
		if (rc == 0)
			rc = db_queue(db, "update webhook set secret = $2 where secret = $1 and tenant = '00000000-0000-0000-0000-000000000000'", bytes, 2);
		if (rc == 0)
			rc = db_queue(db, "select waiting_link_rewrapped($1, $2)", DB_ARGS(db_text_arg(old), db_text_arg(new)));
	}
	free(old);
	free(new);
	return rc < 0 ? rc : 0;
}

/* A tenant's key */

int tenant_rotation_last(struct db *db, json_t **out)
{
	int rc = db_get_row(db, out, "select id, state, total, done, error, started, started_by, finished from tenant_rotation"
		" where tenant = current_tenant() order by started desc limit 1", DB_NONE);

	if (rc != ERR_NOT_FOUND)
		return rc;
	*out = json_null();
	return 0;
}

int tenant_rotation_start(struct db *db)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id = uuid_new();
	int rc = db_run(db, "insert into tenant_rotation (tenant, id, started_by) select t.id, $1, $2 from tenant t where t.id = current_tenant()"
		" and t.wrapped_key is not null and not exists (select 1 from tenant_rotation r where r.tenant = t.id and r.state = 'running')",
		DB_ARGS(db_uuid_arg(&id), db_text_arg(db_actor(db)->name)));

	if (rc == 0)
		return err_set(ERR_CONFLICT, "the account's key is being replaced already, or there is none");
	if (rc < 0)
		return rc;
	uuid_text(&id, text);
	rc = job_add(db, ROTATION_TENANT_JOB, json_pack("{s:s}", "rotation", text), 0, text);
	return rc < 0 ? rc : audit_log(db, AUDIT_TENANT_KEY_ROTATE, NULL, NULL);
}

int tenant_keys_age(struct db *db, json_t **out)
{
	return db_get_row(db, out, "select key_changed as since from tenant where id = current_tenant()", DB_NONE);
}

int tenant_rotation_start_due(struct db *db)
{
	int64_t due;
	int rc = get_number(db, "select count(*) from tenant t join rotation_age a on a.tenant = t.id where t.id = current_tenant() and t.wrapped_key"
		" is not null and t.key_changed < now() - a.days * interval '1 day' and not exists (select 1 from tenant_rotation r where r.tenant = t.id"
		" and r.state = 'running')", DB_NONE, &due, NULL);

	if (rc == 0 && due)
		rc = tenant_rotation_start(db);
	return rc < 0 ? rc : (int)due;
}

int tenant_keys_lock(struct db *db, struct buf *wrapped, struct uuid *key, struct uuid *former)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select wrapped_key, key_id, former_key_id from tenant where id = current_tenant() and wrapped_key is not null"
		" for update", DB_NONE);

	if (rc < 0)
		return rc;
	replace(wrapped, db_bytes(r, 0, 0));
	*key = db_uuid(r, 0, 1);
	*former = db_uuid(r, 0, 2);
	db_result_free(r);
	return 0;
}

int tenant_keys_get(struct db *db, struct buf *wrapped, struct uuid *former)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select wrapped_key, former_key_id from tenant where id = current_tenant() and wrapped_key is not null",
		DB_NONE);

	if (rc < 0)
		return rc;
	replace(wrapped, db_bytes(r, 0, 0));
	*former = db_uuid(r, 0, 1);
	db_result_free(r);
	return 0;
}

int tenant_keys_set(struct db *db, const struct buf *wrapped, const struct uuid *key, const struct uuid *former)
{
	return db_run_one(db, "update tenant set wrapped_key = $1, key_id = $2, former_key_id = $3, key_changed = case when $3 is null then"
		" key_changed else now() end where id = current_tenant()", DB_ARGS(db_bytes_arg(wrapped->data, wrapped->len), db_uuid_arg(key),
		db_uuid_arg(former)));
}

int tenant_key_rewrapped(struct db *db, const struct buf *before, const struct buf *after)
{
	return db_run(db, "update tenant set wrapped_key = $2 where id = current_tenant() and wrapped_key = $1",
		DB_ARGS(db_bytes_arg(before->data, before->len), db_bytes_arg(after->data, after->len)));
}

const char *tenant_blob_purpose(size_t i)
{
	return i < ARRAY_LEN(blobs) ? blobs[i].purpose : NULL;
}

int tenant_blob_next(struct db *db, size_t i, const struct uuid *former, const struct uuid *after, int64_t version, int most,
	struct db_result **out)
{
	return db_query(db, out, blobs[i].next, DB_ARGS(db_uuid_arg(after), db_int_arg(version), db_uuid_arg(former), db_int_arg(most)));
}

int tenant_blob_rewrapped(struct db *db, size_t i, json_t *items)
{
	return db_run(db, blobs[i].update, DB_ARGS(db_json_arg(items)));
}

int tenant_blob_left(struct db *db, const struct uuid *former, int64_t *left)
{
	int64_t one;
	int rc = 0;

	*left = 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(blobs); i++) {
		rc = get_number(db, blobs[i].left, DB_ARGS(db_uuid_arg(former)), &one, NULL);
		if (rc == 0)
			*left += one;
	}
	return rc;
}

int tenant_rotation_note(struct db *db, const struct uuid *id, int64_t more, int64_t total, const char *error)
{
	return db_queue(db, "update tenant_rotation set done = done + $2, total = case when $3 < 0 then total else $3 end, error = $4 where id = $1"
		" and state = 'running'", DB_ARGS(db_uuid_arg(id), db_int_arg(more), db_int_arg(total), db_text_arg(error)));
}

int tenant_rotation_done(struct db *db, const struct uuid *id)
{
	int rc = db_run(db, "update tenant_rotation set state = 'done', error = null, total = greatest(total, done), done = greatest(total, done),"
		" finished = now() where id = $1 and state = 'running'", DB_ARGS(db_uuid_arg(id)));

	return rc <= 0 ? rc : audit_log(db, AUDIT_TENANT_KEY_ROTATED, NULL, NULL);
}
