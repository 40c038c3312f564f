/* language.c - in which language people are spoken to. */
#include "store/language.h"

#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "store/audit.h"
#include "store/setting.h"
#include "store/tenant.h"

#define OF_ACCOUNT "(select settings ->> 'language' from tenant where id = current_tenant())"

static int take(struct db *db, const char *sql, struct db_arg *args, size_t count, char *out, size_t size)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, sql, args, count);

	if (rc < 0)
		return rc;
	snprintf(out, size, "%s", db_text(r, 0, 0));
	db_result_free(r);
	return 0;
}

int language_of(struct db *db, enum store_side side, const struct uuid *user, char out[static LANGUAGE_MAX])
{
	static const char *const sql[] = {
		"select coalesce(language, " OF_ACCOUNT ", '') from app_user where id = $1",
		"select coalesce(language, " LANGUAGE_OF_INSTALLATION ", '') from operator_user where id = $1",
	};

	return take(db, sql[side], DB_ARGS(db_uuid_arg(user)), out, LANGUAGE_MAX);
}

int language_own(struct db *db, enum store_side side, const struct uuid *user, char out[static LANGUAGE_MAX])
{
	static const char *const sql[] = {
		"select coalesce(language, '') from app_user where id = $1", "select coalesce(language, '') from operator_user where id = $1",
	};

	return take(db, sql[side], DB_ARGS(db_uuid_arg(user)), out, LANGUAGE_MAX);
}

int language_of_everybody(struct db *db, enum store_side side, char out[static LANGUAGE_MAX])
{
	static const char *const sql[] = { "select coalesce(" OF_ACCOUNT ", '')", "select coalesce(" LANGUAGE_OF_INSTALLATION ", '')" };

	return take(db, sql[side], DB_NONE, out, LANGUAGE_MAX);
}

int language_choose(struct db *db, enum store_side side, const struct uuid *user, const char *language)
{
	static const char *const sql[] = {
		"update app_user u set language = nullif($2, '') from app_user b where b.tenant = u.tenant and b.id = u.id and u.id = $1"
		" and coalesce(u.language, '') <> $2 returning u.email, coalesce(b.language, '')",
		"update operator_user u set language = nullif($2, '') from operator_user b where b.id = u.id and u.id = $1"
		" and coalesce(u.language, '') <> $2 returning u.email, coalesce(b.language, '')",
	};
	struct db_result *r;
	int rc = db_query(db, &r, sql[side], DB_ARGS(db_uuid_arg(user), db_text_arg(language)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 1)
		rc = audit_log(db, AUDIT_USER_CHANGED, &(struct audit_object){ "user", user, db_text(r, 0, 0) },
			json_pack("{s:{s:{s:s, s:s}}}", "changes", "language", "old", db_text(r, 0, 1), "new", language));
	db_result_free(r);
	return rc;
}

static int choose_for_account(struct db *db, const json_t *language)
{
	json_t *patch = json_pack("{s:O}", "language", language);
	int rc = tenant_change_settings(db, NULL, patch);

	json_decref(patch);
	return rc;
}

int language_choose_for_everybody(struct db *db, enum store_side side, const char *language)
{
	json_t *value = *language ? json_string(language) : json_null();
	int rc = side == STORE_TENANT ? choose_for_account(db, value) : setting_set(db, LANGUAGE_SETTING, *language ? value : NULL, 0);

	json_decref(value);
	return rc;
}

int date_format_of_installation(struct db *db, char out[static DATE_FORMAT_MAX])
{
	return take(db, "select coalesce(" DATE_FORMAT_OF_INSTALLATION ", '')", DB_NONE, out, DATE_FORMAT_MAX);
}

int date_format_choose_for_installation(struct db *db, const char *name)
{
	json_t *value = *name ? json_string(name) : NULL;
	int rc = setting_set(db, DATE_FORMAT_SETTING, value, 0);

	json_decref(value);
	return rc;
}
