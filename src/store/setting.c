/* setting.c - settings of the installation, and the set-up code. */
#include "store/setting.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"

static int get(struct db *db, const char *sql, const char *name, json_t **out)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, DB_ARGS(db_text_arg(name)));

	if (rc < 0)
		return rc;
	if (db_is_null(r, 0, 0))
		rc = err_set(ERR_NOT_FOUND, "no such setting");
	else
		*out = db_json(r, 0, 0);
	db_result_free(r);
	return rc;
}

int setting_get(struct db *db, const char *name, json_t **out)
{
	return get(db, "select value from setting where name = $1", name, out);
}

int setting_get_public(struct db *db, const char *name, json_t **out)
{
	return get(db, "select public_setting($1)", name, out);
}

static json_t *change_detail(json_t *before, const json_t *after, int secret)
{
	if (secret)
		return json_pack("{s:b}", "secret", 1);
	return json_pack("{s:{s:{s:O?,s:O?}}}", "changes", "value", "old", before, "new", after);
}

int setting_put(struct db *db, const char *name, const json_t *value)
{
	if (value == NULL)
		return db_run_one(db, "delete from setting where name = $1", DB_ARGS(db_text_arg(name)));
	return db_queue(db, "insert into setting (name, value, changed_by) values ($1, $2, $3) on conflict (name) do update"
		" set value = excluded.value, changed = now(), changed_by = excluded.changed_by",
		DB_ARGS(db_text_arg(name), db_json_arg(value), db_text_arg(db_actor(db)->name)));
}

int setting_set(struct db *db, const char *name, const json_t *value, int secret)
{
	json_t *before = NULL;
	int rc = setting_get(db, name, &before);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	if ((before == NULL && value == NULL) || (before && value && json_equal(before, value))) {
		json_decref(before);
		return 0;
	}
	rc = setting_put(db, name, value);
	if (rc == 0)
		rc = audit_log(db, AUDIT_SETTING_CHANGED, &(struct audit_object) { "setting", NULL, name },
			change_detail(before, value, secret));
	json_decref(before);
	/* Somebody else has removed it at the same moment. */
	return rc == ERR_NOT_FOUND && value == NULL ? 0 : rc;
}

int setting_get_blob(struct db *db, const char *name, struct buf *out)
{
	json_t *value = NULL;
	int rc = setting_get(db, name, &value);

	buf_reset(out);
	if (rc == ERR_NOT_FOUND)
		return 0;
	if (rc == 0 && json_is_string(value))
		rc = decode_base64url(json_string_value(value), out);
	json_decref(value);
	return rc;
}

int setting_set_blob(struct db *db, const char *name, const struct buf *blob)
{
	char *text = blob->len ? encode_base64url(blob->data, blob->len) : NULL;
	json_t *value = text ? json_string(text) : NULL;
	int rc = setting_set(db, name, value, 1);

	json_decref(value);
	free(text);
	return rc;
}

int setup_needed(struct db *db)
{
	int rc = db_has(db, "select 1 from operator_user where state <> 'invited' limit 1", DB_NONE);

	return rc < 0 ? rc : !rc;
}

int setup_code_set(struct db *db, const uint8_t hash[static 32], clock_us expires)
{
	int rc = setup_needed(db);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(ERR_CONFLICT, "the installation is set up already");
	rc = db_queue(db, "delete from setup_code", DB_NONE);
	return rc < 0 ? rc : db_queue(db, "insert into setup_code (hash, expires) values ($1, $2)",
		DB_ARGS(db_bytes_arg(hash, 32), db_time_arg(expires)));
}

int setup_code_use(struct db *db, const uint8_t hash[static 32])
{
	int rc = setup_needed(db);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(ERR_CONFLICT, "the installation is set up already");
	/* The row lock lets just one of several at the same time through. */
	rc = db_has(db, "update setup_code set used = now() where hash = $1 and used is null and expires > now() returning 1",
		DB_ARGS(db_bytes_arg(hash, 32)));
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(ERR_FORBIDDEN, "the code is wrong, used, or expired");
	return audit_log(db, AUDIT_SETUP_DONE, NULL, NULL);
}
