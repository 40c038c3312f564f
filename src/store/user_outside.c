/* user_outside.c - users of a directory or an identity provider: joining, keeping in step, refusing. */
#include "store/user_outside.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/audit.h"

#define TWO(before, after) { before "app_user" after, before "operator_user" after }

static int log_user(struct db *db, enum audit_event event, const struct uuid *id, const char *email, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object){ "user", id, email }, detail);
}

int user_by_external(struct db *db, enum store_side side, const char *source, const char *external_id, struct user *out)
{
	static const char *const sql[] = TWO("select id from ", " where source = $1 and external_id = $2");
	struct db_result *r;
	struct uuid id;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_text_arg(source), db_text_arg(external_id)));

	if (rc < 0)
		return rc;
	id = db_uuid(r, 0, 0);
	db_result_free(r);
	return user_by_id(db, side, &id, out);
}

int user_join(struct db *db, enum store_side side, const struct uuid *id, const struct user_outside *o)
{
	static const char *const sql[] = {
		"insert into app_user (tenant, id, email, name, role, state, source, external_id, role_fixed)"
		" values (current_tenant(), $1, $2, $3, $4, 'active', $5, $6, $7)",
		"insert into operator_user (id, email, name, role, state, source, external_id, role_fixed) values ($1, $2, $3, $4, 'active', $5, $6, $7)",
	};
	int rc = db_run(db, sql[side], DB_ARGS(db_uuid_arg(id), db_text_arg(o->email), db_text_arg(o->name), db_text_arg(o->role),
		db_text_arg(o->source), db_text_arg(o->external_id), db_bool_arg(o->role_fixed)));

	if (rc == ERR_CONFLICT)
		return err_set(rc, "there is a user with this address, or for this person, already");
	return rc < 0 ? rc : log_user(db, AUDIT_USER_CREATED, id, o->email, json_pack("{s:s,s:s,s:s,s:s}", "name", o->name, "role", o->role, "source",
		o->source, "external_id", o->external_id));
}

/* 1: somebody else has it. */
static int is_taken(struct db *db, enum store_side side, const struct uuid *id, const char *email)
{
	static const char *const sql[] = TWO("select 1 from ", " where lower(email) = lower($1) and id <> $2");

	return db_has(db, sql[side], DB_ARGS(db_text_arg(email), db_uuid_arg(id)));
}

static int read_again(struct db *db, enum store_side side, struct user *u)
{
	struct uuid id = u->id;

	user_release(u);
	return user_by_id(db, side, &id, u);
}

int user_refresh(struct db *db, enum store_side side, struct user *u, const struct user_outside *o)
{
	static const char *const sql[] = TWO("update ", " set email = $2, name = $3, role = $4 where id = $1");
	int taken = is_taken(db, side, &u->id, o->email), rc;
	const char *role = u->role_fixed ? u->role : o->role, *email = taken ? u->email : o->email;
	json_t *before, *after, *detail;

	if (taken < 0)
		return taken;
	before = json_pack("{s:s,s:s,s:s}", "email", u->email, "name", u->name, "role", u->role);
	after = json_pack("{s:s,s:s,s:s}", "email", email, "name", o->name, "role", role);
	detail = audit_changes(before, after);
	json_decref(before);
	json_decref(after);
	if (detail == NULL)
		return 0;
	rc = db_queue(db, sql[side], DB_ARGS(db_uuid_arg(&u->id), db_text_arg(email), db_text_arg(o->name), db_text_arg(role)));
	if (rc == 0 && strcmp(role, u->role) != 0)
		rc = user_sign_out(db, side, &u->id);
	if (rc < 0) {
		json_decref(detail);
		return rc;
	}
	rc = log_user(db, AUDIT_USER_CHANGED, &u->id, email, detail);
	return rc < 0 ? rc : read_again(db, side, u);
}

int user_fix_role(struct db *db, enum store_side side, const struct uuid *id, const char *role)
{
	static const char *const sql[] = TWO("update ", " set role_fixed = $2 where id = $1 and source <> 'local' and role_fixed <> $2");
	int rc = role ? user_change(db, side, id, NULL, role, NULL) : 0;

	if (rc == 0)
		rc = db_run(db, sql[side], DB_ARGS(db_uuid_arg(id), db_bool_arg(role != NULL)));
	if (rc == 1)
		rc = log_user(db, AUDIT_USER_CHANGED, id, NULL, json_pack("{s:{s:{s:b,s:b}}}", "changes", "role_fixed", "old", role == NULL, "new",
			role != NULL));
	return rc < 0 ? rc : 0;
}

#define FALL_BACK(table) "update " table " u set source = 'local', external_id = null, role_fixed = true, state = case o.state when 'active' then 'invited'" \
	" else o.state end from (select id, state from " table " where source = 'saml' for update) o where u.id = o.id returning u.id, u.email, o.state, u.state"

static int fell_back(struct db *db, enum store_side side, const struct db_result *r, size_t i)
{
	struct uuid id = db_uuid(r, i, 0);
	json_t *before = json_pack("{s:s,s:s}", "source", USER_OF_SAML, "state", db_text(r, i, 2));
	json_t *after = json_pack("{s:s,s:s}", "source", USER_LOCAL, "state", db_text(r, i, 3));
	int rc = user_sign_out(db, side, &id);

	if (rc == 0)
		rc = log_user(db, AUDIT_USER_CHANGED, &id, db_text(r, i, 1), audit_changes(before, after));
	json_decref(before);
	json_decref(after);
	return rc;
}

int user_fall_back(struct db *db, enum store_side side, int64_t *count)
{
	static const char *const sql[] = { FALL_BACK("app_user"), FALL_BACK("operator_user") }, *const marks[] = TWO("update ", " set link = false where link");
	struct db_result *r;
	int rc = db_query(db, &r, sql[side], DB_NONE);

	if (rc < 0)
		return rc;
	*count = (int64_t)db_rows(r);
	for (size_t i = 0; i < db_rows(r) && rc == 0; i++)
		rc = fell_back(db, side, r, i);
	db_result_free(r);
	return rc == 0 ? db_queue(db, marks[side], DB_NONE) : rc;
}

int user_refused(struct db *db, enum store_side side, const struct user *u, const struct user_refusal *r)
{
	clock_us until = 0;
	int rc = u && r->count ? user_count_failure(db, side, u, r->browser, &until) : 0;

	if (rc == 0 && u && r->end)
		rc = user_sign_out(db, side, &u->id);
	if (rc == 0)
		rc = log_user(db, AUDIT_USER_SIGN_IN_FAILED, u ? &u->id : NULL, r->typed, json_pack("{s:s,s:s}", "source", r->source, "reason", r->why));
	if (rc == 0 && until > 0)
		rc = log_user(db, AUDIT_USER_LOCKED, &u->id, r->typed, NULL);
	return rc;
}
