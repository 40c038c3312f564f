/* directory.c - settings of directories: a row of the tenant's, or two settings of the installation. */
#include "store/directory.h"

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"
#include "store/setting.h"

static int load_tenant(struct db *db, json_t **settings, struct buf *password)
{
	struct db_result *r;
	struct wire_view v;
	int rc = db_query_row(db, &r, "select settings, password from directory where tenant = current_tenant()", DB_NONE);

	if (rc < 0)
		return rc;
	*settings = db_json(r, 0, 0);
	v = db_bytes(r, 0, 1);
	if (password) {
		buf_reset(password);
		buf_add(password, v.data, v.len);
	}
	db_result_free(r);
	return 0;
}

int directory_load(struct db *db, enum store_side side, json_t **settings, struct buf *password)
{
	json_t *found = NULL;
	int rc;

	if (side == STORE_TENANT)
		return load_tenant(db, settings, password);
	rc = setting_get(db, DIRECTORY_SETTING, &found);
	if (rc == 0 && password)
		rc = setting_get_blob(db, DIRECTORY_PASSWORD_SETTING, password);
	if (rc == 0)
		*settings = found;
	else
		json_decref(found);
	return rc;
}

/* What was there and is not any more: each member is null. */
static json_t *gone(const json_t *before)
{
	json_t *out = json_object(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)before, name, value)
		json_object_set_new(out, name, json_null());
	return out;
}

static int log_change(struct db *db, const json_t *before, const json_t *after, int secret)
{
	json_t *nothing = json_object(), *detail = audit_changes(before ? before : nothing, after ? after : nothing);

	json_decref(nothing);
	if (detail == NULL && secret)
		detail = json_object();
	if (secret)
		json_set_bool(detail, "secret_changed", 1);
	return detail ? audit_log(db, AUDIT_DIRECTORY, NULL, detail) : 0;
}

static int save_tenant(struct db *db, const json_t *settings, const struct buf *password)
{
	json_t *before = NULL;
	int rc = load_tenant(db, &before, NULL);

	if (rc == ERR_NOT_FOUND)
		rc = 0;
	if (rc == 0)
		rc = db_run(db, "insert into directory (tenant, settings, password) values (current_tenant(), $1, $2) on conflict (tenant) do update set"
			" settings = excluded.settings, password = case when $3 then excluded.password else directory.password end, changed = now()",
			DB_ARGS(db_json_arg(settings), db_bytes_arg(password && password->len ? password->data : NULL, password ? password->len : 0),
			db_bool_arg(password != NULL)));
	if (rc >= 0)
		rc = log_change(db, before, settings, password && password->len);
	json_decref(before);
	return rc;
}

static int save_operator(struct db *db, const json_t *settings, const struct buf *password)
{
	int rc = setting_set(db, DIRECTORY_SETTING, settings, 0);

	return rc < 0 || password == NULL ? rc : setting_set_blob(db, DIRECTORY_PASSWORD_SETTING, password);
}

int directory_save(struct db *db, enum store_side side, const json_t *settings, const struct buf *password)
{
	return side == STORE_TENANT ? save_tenant(db, settings, password) : save_operator(db, settings, password);
}

int directory_remove(struct db *db, enum store_side side)
{
	static const struct buf none = BUF_INIT;
	json_t *before = NULL, *after;
	int rc;

	if (side == STORE_OPERATOR)
		return save_operator(db, NULL, &none);
	rc = load_tenant(db, &before, NULL);
	/* Of two who remove it at once, one does. */
	if (rc == 0)
		rc = db_run_one(db, "delete from directory where tenant = current_tenant()", DB_NONE);
	if (rc == 0) {
		after = gone(before);
		rc = log_change(db, before, after, 0);
		json_decref(after);
	}
	json_decref(before);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}
