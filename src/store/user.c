/* user.c - people who sign in: finding, inviting, changing, counting failed sign-ins. */
#include "store/user.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/browser.h"

/* The same statement for a tenant's users and for the operator's. */
#define TWO(before, after) { before "app_user" after, before "operator_user" after }

static const char *const administrators[] = { "account-administrator", "msp-administrator" };
static const char *const session_tables[] = { "user_session", "operator_session" };

void user_release(struct user *u)
{
	free(u->email);
	free(u->name);
	free(u->role);
	free(u->state);
	free(u->password);
	free(u->source);
	free(u->external_id);
	memset(u, 0, sizeof *u);
}

#define USER_COLUMNS "id, email, name, role, state, password, locked_until, failures, source, role_fixed, external_id, last_sign_in"

static void take(struct db_result *r, struct user *out)
{
	*out = (struct user) {
		.id = db_uuid(r, 0, 0), .email = mem_strdup(db_text(r, 0, 1)), .name = mem_strdup(db_text(r, 0, 2)),
		.role = mem_strdup(db_text(r, 0, 3)), .state = mem_strdup(db_text(r, 0, 4)),
		.password = mem_strdup(db_text(r, 0, 5)), .locked_until = db_time(r, 0, 6), .failures = db_int(r, 0, 7),
		.source = mem_strdup(db_text(r, 0, 8)), .role_fixed = db_bool(r, 0, 9), .external_id = mem_strdup(db_text(r, 0, 10)),
		.last_sign_in = db_time(r, 0, 11),
	};
}

int user_by_email(struct db *db, enum store_side side, const char *email, struct user *out)
{
	static const char *const sql[] = TWO("select " USER_COLUMNS " from ", " where lower(email) = lower($1)");
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_text_arg(email)));

	if (rc < 0)
		return rc;
	take(r, out);
	db_result_free(r);
	return 0;
}

int user_by_id(struct db *db, enum store_side side, const struct uuid *id, struct user *out)
{
	static const char *const sql[] = TWO("select " USER_COLUMNS " from ", " where id = $1");
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	take(r, out);
	db_result_free(r);
	return 0;
}

int user_hold(struct db *db, enum store_side side, const struct user *u)
{
	static const char *const sql[] = TWO("select 1 from ", " where id = $1 and state = 'active' and role = $2 and password is not distinct from $3"
		" for no key update");
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(&u->id), db_text_arg(u->role), db_text_arg(u->password)));

	if (rc < 0)
		return rc;
	db_result_free(r);
	return 0;
}

static int log_user(struct db *db, enum audit_event event, const struct uuid *id, const char *email, json_t *detail)
{
	return audit_log(db, event, &(struct audit_object) { "user", id, email }, detail);
}

static int insert(struct db *db, enum store_side side, const struct uuid *id, const char *email, const char *name,
	const char *role, const char *password)
{
	static const char *const sql[] = {
		"insert into app_user (tenant, id, email, name, role, password, state) values (current_tenant(), $1, $2, $3, $4, $5,"
		" case when $5::text is null then 'invited' else 'active' end)",
		"insert into operator_user (id, email, name, role, password, state) values ($1, $2, $3, $4, $5,"
		" case when $5::text is null then 'invited' else 'active' end)",
	};
	int rc = db_run(db, sql[side], DB_ARGS(db_uuid_arg(id), db_text_arg(email), db_text_arg(name), db_text_arg(role),
		db_text_arg(password)));

	if (rc == ERR_CONFLICT)
		return err_set(rc, "there is a user with this address already");
	return rc < 0 ? rc : 0;
}

int user_create(struct db *db, enum store_side side, const struct uuid *id, const char *email, const char *name, const char *role,
	const char *password)
{
	int rc = insert(db, side, id, email, name, role, password);

	return rc < 0 ? rc : log_user(db, AUDIT_USER_CREATED, id, email, json_pack("{s:s,s:s}", "name", name, "role", role));
}

int user_invite(struct db *db, enum store_side side, const struct uuid *id, const char *email, const char *name, const char *role,
	const uint8_t token[static USER_TOKEN_HASH], clock_us expires)
{
	static const char *const sql[] = {
		"insert into invitation (tenant, token, kind, user_id, expires) values (current_tenant(), $1, 'invite', $2, $3)",
		"insert into operator_invitation (token, kind, user_id, expires) values ($1, 'invite', $2, $3)",
	};
	int rc = insert(db, side, id, email, name, role, NULL);

	if (rc == 0)
		rc = db_queue(db, sql[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH), db_uuid_arg(id), db_time_arg(expires)));
	return rc < 0 ? rc : log_user(db, AUDIT_USER_INVITED, id, email, json_pack("{s:s,s:s}", "name", name, "role", role));
}

/* A directory or an identity provider can be away: who may always come in is a local one. All are locked first, so that two who disable each other at the same time do not both succeed. */
static int keeps_administrator(struct db *db, enum store_side side, const struct uuid *id)
{
	static const char *const sql[] = TWO("select id from ", " where role = $1 and state = 'active' and source = 'local' order by id for update");
	struct db_result *r;
	int others = 0, rc = db_query(db, &r, sql[side], DB_ARGS(db_text_arg(administrators[side])));

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < db_rows(r); i++) {
		struct uuid other = db_uuid(r, i, 0);

		others += !uuid_equal(&other, id);
	}
	db_result_free(r);
	return others ? 0 : err_set(ERR_CONFLICT, "at least one active administrator must stay");
}

static int is_administrator(enum store_side side, const char *role, const char *state)
{
	return strcmp(role, administrators[side]) == 0 && strcmp(state, "active") == 0;
}

static int end_sessions(struct db *db, enum store_side side, const struct uuid *id, const struct uuid *keep)
{
	char sql[128];

	snprintf(sql, sizeof sql, "delete from %s where user_id = $1 and id is distinct from $2", session_tables[side]);
	return db_queue(db, sql, DB_ARGS(db_uuid_arg(id), db_uuid_arg(keep)));
}

int user_sign_out(struct db *db, enum store_side side, const struct uuid *id)
{
	return end_sessions(db, side, id, NULL);
}

static int is_local(const struct user *u)
{
	return strcmp(u->source, "local") == 0;
}

/* Where the identity provider takes the place of passwords, somebody must get in when it fails. */
static int keeps_break_glass(struct db *db, enum store_side side, const struct uuid *id)
{
	static const char *const sql[] = { "select 1 from saml where break_glass = $1 and mode = 'required'",
		"select 1 from operator_saml where break_glass = $1 and mode = 'required'" };
	int rc = db_has(db, sql[side], DB_ARGS(db_uuid_arg(id)));

	return rc > 0 ? err_set(ERR_CONFLICT, "this is the local administrator who gets in when single sign-on fails") : rc;
}

int user_may_go(struct db *db, enum store_side side, const struct user *u)
{
	int rc = 0;

	if (is_local(u) && is_administrator(side, u->role, u->state))
		rc = keeps_administrator(db, side, &u->id);
	return rc < 0 ? rc : keeps_break_glass(db, side, &u->id);
}

/* What may not be: no administrator left, active without a password. */
static int may_change(struct db *db, enum store_side side, const struct user *u, const char *role, const char *state)
{
	if (is_local(u) && u->password == NULL && strcmp(state, "active") == 0)
		return err_set(ERR_CONFLICT, "the user has not accepted the invitation yet");
	if (is_local(u) && u->password == NULL && strcmp(state, "disabled") == 0)
		return err_set(ERR_CONFLICT, "an invitation is withdrawn by deleting it");
	return is_administrator(side, u->role, u->state) && !is_administrator(side, role, state) ? user_may_go(db, side, u) : 0;
}

static int apply_change(struct db *db, enum store_side side, const struct user *u, const char *name, const char *role,
	const char *state)
{
	static const char *const sql[] = TWO("update ", " set name = $2, role = $3, state = $4 where id = $1");
	json_t *before = json_pack("{s:s,s:s,s:s}", "name", u->name, "role", u->role, "state", u->state);
	json_t *after = json_pack("{s:s,s:s,s:s}", "name", name, "role", role, "state", state);
	json_t *detail = audit_changes(before, after);
	int rc = 0;

	json_decref(before);
	json_decref(after);
	if (detail == NULL)
		return 0;
	rc = db_queue(db, sql[side], DB_ARGS(db_uuid_arg(&u->id), db_text_arg(name), db_text_arg(role), db_text_arg(state)));
	if (rc == 0 && (strcmp(role, u->role) != 0 || strcmp(state, u->state) != 0))
		rc = end_sessions(db, side, &u->id, NULL);
	if (rc == 0)
		return log_user(db, AUDIT_USER_CHANGED, &u->id, u->email, detail);
	json_decref(detail);
	return rc;
}

int user_mail(struct db *db, const struct uuid *id, int *wanted)
{
	struct db_result *r;
	int rc = db_query_row(db, &r, "select mail from app_user where id = $1", DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	*wanted = db_bool(r, 0, 0);
	db_result_free(r);
	return 0;
}

int user_set_mail(struct db *db, const struct uuid *id, int wanted)
{
	struct db_result *r;
	int rc = db_query(db, &r, "update app_user set mail = $2 where id = $1 and mail <> $2 returning email", DB_ARGS(db_uuid_arg(id),
		db_bool_arg(wanted)));

	if (rc < 0)
		return rc;
	if (db_rows(r) == 1)
		rc = log_user(db, AUDIT_USER_CHANGED, id, db_text(r, 0, 0), json_pack("{s:{s:{s:b,s:b}}}", "changes", "mail", "old", !wanted,
			"new", wanted));
	db_result_free(r);
	return rc;
}

int user_change(struct db *db, enum store_side side, const struct uuid *id, const char *name, const char *role, const char *state)
{
	static const char *const lock[] = TWO("select 1 from ", " where id = $1 for no key update");
	struct user u = { 0 };
	struct db_result *r;
	int rc = db_query_row(db, &r, lock[side], DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	db_result_free(r);
	rc = user_by_id(db, side, id, &u);
	if (rc == 0) {
		name = name ? name : u.name;
		role = role ? role : u.role;
		state = state ? state : u.state;
		/* Who has had a password nowhere else but at an identity provider, and none here, can be invited. */
		if (is_local(&u) && u.password == NULL && strcmp(u.state, "disabled") == 0 && strcmp(state, "active") == 0)
			state = "invited";
		rc = may_change(db, side, &u, role, state);
	}
	if (rc == 0)
		rc = apply_change(db, side, &u, name, role, state);
	user_release(&u);
	return rc;
}

int user_delete(struct db *db, enum store_side side, const struct uuid *id)
{
	static const char *const sql[] = TWO("delete from ", " where id = $1");
	struct user u = { 0 };
	int rc = user_by_id(db, side, id, &u);

	if (rc == 0)
		rc = user_may_go(db, side, &u);
	if (rc == 0)
		rc = db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(id)));
	if (rc == 0)
		rc = log_user(db, AUDIT_USER_DELETED, id, u.email, json_pack("{s:s,s:s}", "name", u.name, "role", u.role));
	user_release(&u);
	return rc;
}

int user_set_password(struct db *db, enum store_side side, const struct uuid *id, const char *password, const struct uuid *keep,
	const uint8_t *browser)
{
	static const char *const sql[] = TWO("update ", " set password = $2, failures = 0, locked_until = null where id = $1"
		" and state <> 'invited' and source = 'local' returning email");
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(id), db_text_arg(password)));

	if (rc < 0)
		return rc;
	rc = end_sessions(db, side, id, keep);
	if (rc == 0)
		rc = browser_forget(db, side, id, browser);
	if (rc == 0)
		rc = log_user(db, AUDIT_PASSWORD_CHANGED, id, db_text(r, 0, 0), NULL);
	db_result_free(r);
	return rc;
}

int user_signed_in(struct db *db, enum store_side side, const struct user *u, const char *how)
{
	static const char *const sql[] = TWO("update ", " set failures = 0, locked_until = null, last_sign_in = now()"
		" where id = $1");
	int rc = db_queue(db, sql[side], DB_ARGS(db_uuid_arg(&u->id)));

	return rc < 0 ? rc : log_user(db, AUDIT_USER_SIGNED_IN, &u->id, u->email, json_pack("{s:s}", "how", how));
}

/* The row is counted up where it stands, so that tries at the same time all count. */
int user_count_failure(struct db *db, enum store_side side, const struct user *u, const uint8_t *browser, clock_us *locked_until)
{
	static const char *const sql[] = TWO("update ", " set failures = failures + 1, locked_until = case when failures + 1 >= $2"
		" then now() + make_interval(secs => least($4, $3 * power(2, least(failures + 1 - $2, 30))))"
		" else locked_until end where id = $1 returning locked_until");
	struct db_result *r;
	int rc;

	*locked_until = 0;
	if (browser)
		return browser_failed(db, side, &u->id, browser);
	rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(&u->id), db_int_arg(USER_LOCK_AFTER), db_int_arg(USER_LOCK_FIRST_S),
		db_int_arg(USER_LOCK_MOST_S)));
	if (rc < 0)
		return rc;
	*locked_until = db_time(r, 0, 0);
	db_result_free(r);
	return 0;
}

int user_sign_in_failed(struct db *db, enum store_side side, const struct user *u, const char *email, const uint8_t *browser,
	clock_us *locked_until)
{
	clock_us until = 0;
	int rc = u ? user_count_failure(db, side, u, browser, &until) : 0;

	if (rc == 0)
		rc = log_user(db, AUDIT_USER_SIGN_IN_FAILED, u ? &u->id : NULL, email, NULL);
	if (rc == 0 && until > 0)
		rc = log_user(db, AUDIT_USER_LOCKED, &u->id, email, NULL);
	if (rc == 0 && locked_until)
		*locked_until = until;
	return rc;
}

int user_unlock(struct db *db, enum store_side side, const struct uuid *id)
{
	static const char *const sql[] = TWO("update ", " set failures = 0, locked_until = null where id = $1");

	return db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(id)));
}

/* Lists */

/* FACTORS and LINKS: tables, with what ties them to u. */
#define ROW_COLUMNS(factors, links) "u.id, u.email, u.name, u.role, u.state, u.last_sign_in, u.locked_until, u.created, u.source, u.role_fixed, u.link," \
	" (select f.confirmed from " factors " and f.user_id = u.id) as factor, case when u.state = 'invited' then (select max(i.expires) from " \
	links " and i.user_id = u.id and i.used is null) end as invited_until"
#define TENANT_COLUMNS ROW_COLUMNS("second_factor f where f.tenant = u.tenant", "invitation i where i.tenant = u.tenant")
#define OPERATOR_COLUMNS ROW_COLUMNS("operator_factor f where true", "operator_invitation i where true")

static const struct list_column sorts[] = {
	{ "name", LIST_NAME("u.name"), "text", 0 },
	{ "email", LIST_NAME("u.email"), "text", 0 },
	{ "role", "u.role", "text", 0 },
	{ "state", "u.state", "text", 0 },
	{ "last_sign_in", "coalesce(u.last_sign_in, '-infinity')", "timestamptz", 1 },
	{ NULL },
};
static const char *const searches[] = { "u.name", "u.email", NULL };
static const struct list_filter filters[] = { { "role", "u.role = $" }, { "state", "u.state = $" }, { NULL } };
static const struct list_spec specs[] = {
	{ TENANT_COLUMNS, "app_user u", NULL, "u.id", NULL, sorts, searches, filters },
	{ OPERATOR_COLUMNS, "operator_user u", NULL, "u.id", NULL, sorts, searches, filters },
};

int user_list(struct db *db, enum store_side side, const struct list_query *query, json_t **page)
{
	return list_page(db, &specs[side], query, page);
}

int user_get(struct db *db, enum store_side side, const struct uuid *id, json_t **out)
{
	static const char *const sql[] = { "select " TENANT_COLUMNS " from app_user u where u.id = $1",
		"select " OPERATOR_COLUMNS " from operator_user u where u.id = $1" };

	return db_get_row(db, out, sql[side], DB_ARGS(db_uuid_arg(id)));
}

int user_counts(struct db *db, enum store_side side, json_t **out)
{
	static const char *const sql[] = TWO("select role, count(*) from ", " where state <> 'disabled' group by role");
	struct db_result *r;
	json_t *counts = json_object();
	int rc = db_query(db, &r, sql[side], DB_NONE);

	if (rc < 0) {
		json_decref(counts);
		return rc;
	}
	for (size_t i = 0; i < db_rows(r); i++)
		json_set_int(counts, db_text(r, i, 0), db_int(r, i, 1));
	db_result_free(r);
	*out = counts;
	return 0;
}
