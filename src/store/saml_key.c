/* saml_key.c - our own keys of single sign-on: made, renewed beside the one in use, removed; and the end of single sign-on (IDN-3). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/saml.h"
#include "store/setting.h"
#include "store/user_outside.h"

static const char *const settings[] = { SAML_KEY_SETTING, SAML_SECOND_KEY_SETTING };

static int operator_key(struct db *db, int second, struct buf *blob)
{
	int rc = setting_get_blob(db, settings[second], blob);

	return rc == 0 && blob->len == 0 ? err_set(ERR_NOT_FOUND, "no key for single sign-on") : rc;
}

int saml_key(struct db *db, enum store_side side, int second, struct buf *blob)
{
	static const char *const sql[] = { "select key from saml where key is not null", "select second_key from saml where second_key is not null" };
	struct db_result *r;
	struct wire_view v;
	int rc;

	if (side == STORE_OPERATOR)
		return operator_key(db, second, blob);
	rc = db_query_row(db, &r, sql[second], DB_NONE);
	if (rc < 0)
		return rc;
	v = db_bytes(r, 0, 0);
	buf_reset(blob);
	buf_add(blob, v.data, v.len);
	db_result_free(r);
	return 0;
}

/* RC: of a statement that has written one row of the operator's; its key goes to the settings. */
static int keep_operator_key(struct db *db, int rc, int second, const struct buf *blob)
{
	if (rc > 0)
		rc = setting_set_blob(db, settings[second], blob);
	else if (rc == 0)
		return 0;
	return rc < 0 ? rc : 1;
}

static int keep_first(struct db *db, enum store_side side, const char *certificate, const struct buf *blob)
{
	if (side == STORE_TENANT)
		return db_run(db, "insert into saml (tenant, certificate, key) values (current_tenant(), $1, $2) on conflict (tenant) do update"
			" set certificate = excluded.certificate, key = excluded.key where saml.key is null",
			DB_ARGS(db_text_arg(certificate), db_bytes_arg(blob->data, blob->len)));
	return keep_operator_key(db, db_run(db, "insert into operator_saml (certificate) values ($1) on conflict (one) do update"
		" set certificate = excluded.certificate where operator_saml.certificate is null", DB_ARGS(db_text_arg(certificate))), 0, blob);
}

int saml_set_key(struct db *db, enum store_side side, const char *certificate, const struct buf *blob)
{
	int rc = keep_first(db, side, certificate, blob);

	return rc <= 0 ? rc : audit_log(db, AUDIT_SSO_KEY, NULL, NULL);
}

/* The second one */

static int keep_second(struct db *db, enum store_side side, const char *certificate, const struct buf *blob, int days)
{
	if (side == STORE_TENANT)
		return db_run(db, "update saml set second_certificate = $1, second_key = $2, second_is = 'next', second_days = $3::int, second_until = now() +"
			" make_interval(days => $3::int) where key is not null and second_key is null",
			DB_ARGS(db_text_arg(certificate), db_bytes_arg(blob->data, blob->len), db_int_arg(days)));
	return keep_operator_key(db, db_run(db, "update operator_saml set second_certificate = $1, second_is = 'next', second_days = $2::int,"
		" second_until = now() + make_interval(days => $2::int) where certificate is not null and second_certificate is null",
		DB_ARGS(db_text_arg(certificate), db_int_arg(days))), 1, blob);
}

int saml_second_add(struct db *db, enum store_side side, const char *certificate, const struct buf *blob, const char *sha256, int days)
{
	int rc = keep_second(db, side, certificate, blob, days);

	if (rc == 0)
		return err_set(ERR_CONFLICT, "there is a second key already, or no first one");
	return rc < 0 ? rc : audit_log(db, AUDIT_SSO_KEY_NEXT, NULL, json_pack("{s:s, s:i}", "sha256", sha256, "days", days));
}

/* SQL[side], about the second key with CERTIFICATE: 0, or ERR_NOT_FOUND where that is not the second one any more. */
static int about_second(struct db *db, enum store_side side, const char *const sql[2], const char *certificate)
{
	int rc = side == STORE_TENANT ? db_run(db, sql[side], DB_ARGS(db_text_arg(certificate))) : db_has(db, sql[side], DB_ARGS(db_text_arg(certificate)));

	return rc == 0 ? err_set(ERR_NOT_FOUND, "this is not the second key") : rc < 0 ? rc : 0;
}

int saml_second_use(struct db *db, enum store_side side, const char *certificate, const char *sha256)
{
	static const char *const sql[] = { "update saml set certificate = second_certificate, key = second_key, second_certificate = certificate, second_key = key,"
		" second_is = case second_is when 'next' then 'former' else 'next' end, second_until = now() + make_interval(days => second_days)"
		" where second_certificate = $1", "select 1 where operator_saml_turn($1)" };
	int rc = about_second(db, side, sql, certificate);

	return rc < 0 ? rc : audit_log(db, AUDIT_SSO_KEY_USED, NULL, json_pack("{s:s}", "sha256", sha256));
}

int saml_second_drop(struct db *db, enum store_side side, const char *certificate, const char *sha256)
{
	static const char *const sql[] = { "update saml set second_certificate = null, second_key = null, second_is = null, second_days = null, second_until = null"
		" where second_certificate = $1", "select 1 where operator_saml_drop($1)" };
	int rc = about_second(db, side, sql, certificate);

	return rc < 0 ? rc : audit_log(db, AUDIT_SSO_KEY_REMOVED, NULL, json_pack("{s:s}", "sha256", sha256));
}

int saml_second_tenants(struct db *db, json_t **out)
{
	return db_get_rows(db, out, "select id from saml_second_due()", DB_NONE);
}

int saml_second_due(struct db *db, enum store_side side, char **certificate, int *next)
{
	static const char *const sql[] = { "select second_certificate, second_is = 'next' from saml where second_until <= now()",
		"select second_certificate, second_is = 'next' from operator_saml where second_until <= now()" };
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_NONE);

	if (rc < 0)
		return rc;
	*certificate = mem_strdup(db_text(r, 0, 0));
	*next = db_bool(r, 0, 1);
	db_result_free(r);
	return 0;
}

/* The end of it */

#define OF_SAML(table) "select count(*), count(*) filter (where id = $1) from " table " where source = 'saml'"

int saml_people(struct db *db, enum store_side side, const struct uuid *who, int64_t *count, int *is_one)
{
	static const char *const sql[] = { OF_SAML("app_user"), OF_SAML("operator_user") };
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(who)));

	if (rc < 0)
		return rc;
	*count = db_int(r, 0, 0);
	*is_one = db_int(r, 0, 1) > 0;
	db_result_free(r);
	return 0;
}

static int remove_row(struct db *db, enum store_side side)
{
	static const struct buf none = BUF_INIT;
	int rc;

	if (side == STORE_TENANT)
		return db_run_one(db, "delete from saml where tenant = current_tenant()", DB_NONE);
	/* Of two who remove it at once, one does. */
	rc = db_run_one(db, "delete from operator_saml", DB_NONE);
	if (rc == 0)
		rc = setting_set_blob(db, SAML_KEY_SETTING, &none);
	return rc == 0 ? setting_set_blob(db, SAML_SECOND_KEY_SETTING, &none) : rc;
}

int saml_remove(struct db *db, enum store_side side)
{
	/* Before the users: an answer that is being read has used its request up, and is waited for, with the user whom it makes. */
	static const char *const requests[] = { "delete from saml_request", "delete from operator_saml_request" };
	json_t *before = NULL;
	int64_t people = 0;
	int rc = saml_get(db, side, &before);

	if (rc == 0)
		rc = remove_row(db, side);
	if (rc == 0)
		rc = db_queue(db, requests[side], DB_NONE);
	if (rc == 0)
		rc = user_fall_back(db, side, &people);
	if (rc == 0)
		rc = audit_log(db, AUDIT_SSO_REMOVED, NULL, json_pack("{s:s?, s:s?, s:I}", "provider", json_string_value(json_object_get(json_object_get(before, "idp"),
			"entity")), "mode", json_string_value(json_object_get(before, "mode")), "users", (json_int_t)people));
	json_decref(before);
	return rc;
}
