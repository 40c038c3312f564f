/* session.c - sessions of signed-in users. */
#include "store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/audit.h"
#include "store/browser.h"

/* The same statement for a tenant's sessions and for the operator's. */
#define TWO(before, after) { before "user_session" after, before "operator_session" after }

void session_release(struct session *s)
{
	free(s->user_name);
	free(s->user_email);
	free(s->role);
	memset(s, 0, sizeof *s);
}

#define CARRIED(table) ", (select kept from " table " where token = $9 and user_id = $3), (select kept_at from " table " where token = $9 and user_id = $3)"

int session_create(struct db *db, enum store_side side, const struct session_start *start)
{
	static const char *const sql[] = {
		"insert into user_session (tenant, token, id, user_id, csrf, expires, address, user_agent, step, kept, kept_at)"
		" values (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8" CARRIED("user_session") ")",
		"insert into operator_session (token, id, user_id, csrf, expires, address, user_agent, step, kept, kept_at)"
		" values ($1, $2, $3, $4, $5, $6, $7, $8" CARRIED("operator_session") ")",
	};

	if (strlen(start->csrf) >= SESSION_CSRF_SIZE)
		return err_set(ERR_INVALID, "form secret: at most %d bytes", SESSION_CSRF_SIZE - 1);
	return db_queue(db, sql[side], DB_ARGS(db_bytes_arg(start->token, USER_TOKEN_HASH), db_uuid_arg(start->id), db_uuid_arg(start->user),
		db_text_arg(start->csrf), db_time_arg(start->expires), db_text_arg(start->address), db_text_arg(start->agent),
		db_text_arg(start->step), db_bytes_arg(start->former, USER_TOKEN_HASH)));
}

static void take(struct db_result *r, struct session *out)
{
	*out = (struct session) {
		.id = db_uuid(r, 0, 0), .user = db_uuid(r, 0, 1), .user_name = mem_strdup(db_text(r, 0, 3)),
		.user_email = mem_strdup(db_text(r, 0, 4)), .role = mem_strdup(db_text(r, 0, 5)), .created = db_time(r, 0, 6),
		.last_seen = db_time(r, 0, 7), .expires = db_time(r, 0, 8), .rotated = db_time(r, 0, 9),
	};
	snprintf(out->csrf, sizeof out->csrf, "%s", db_text(r, 0, 2));
	snprintf(out->step, sizeof out->step, "%s", db_text(r, 0, 11));
	snprintf(out->language, sizeof out->language, "%s", db_text(r, 0, 12));
	out->kept = db_bool(r, 0, 13);
	snprintf(out->dates, sizeof out->dates, "%s", db_text(r, 0, 14));
}

/* What is older was given up. */
#define KEPT "interval '30 minutes'"

/* LANGUAGE: of who has chosen none; DATES: how everybody has days written. */
#define COLUMNS(language, dates) "select s.id, s.user_id, s.csrf, u.name, u.email, u.role, s.created, s.last_seen, s.expires, s.rotated," \
	" s.last_seen < now() - interval '1 minute', s.step, coalesce(u.language, " language ", ''), coalesce(s.kept is not null and s.kept_at > now() - " KEPT ", false)," \
	" coalesce(" dates ", '')"
/* IDLE: minutes that the rules ask for; null: none. */
#define ALIVE(idle) " where s.token = $1 and u.state = 'active' and s.expires > now()" \
	" and (s.step = '" SESSION_WALL "' or s.last_seen > now() - least($2 * interval '1 microsecond', " idle " * interval '1 minute'))"

int session_find(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], clock_us idle,
	struct session *out)
{
	static const char *const find[] = {
		COLUMNS("null", "t.settings ->> 'date_format'") " from user_session s join app_user u on u.tenant = s.tenant and u.id = s.user_id join tenant t"
		" on t.id = s.tenant" ALIVE("(t.settings -> 'sign_in' ->> 'idle_minutes')::int"),
		COLUMNS(LANGUAGE_OF_INSTALLATION, DATE_FORMAT_OF_INSTALLATION) " from operator_session s join operator_user u on u.id = s.user_id"
		ALIVE("(select (value ->> 'idle_minutes')::int from setting where name = 'sign-in')"),
	};
	static const char *const touch[] = TWO("update ", " set last_seen = now() where token = $1");
	struct db_result *r;
	int rc = db_query_row(db, &r, find[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH), db_int_arg(idle)));

	if (rc < 0)
		return rc;
	if (db_bool(r, 0, 10))
		rc = db_queue(db, touch[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH)));
	if (rc == 0)
		take(r, out);
	db_result_free(r);
	return rc;
}

int session_keep(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], const json_t *kept)
{
	static const char *const sql[] = TWO("update ", " set kept = $2, kept_at = now() where token = $1 and step = ''");

	return db_run_one(db, sql[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH), db_json_arg(kept)));
}

#define TAKE(table) "update " table " s set kept = null from (select id, kept from " table " where id = $1 for update) k" \
	" where s.id = k.id and k.kept ->> 'page' = $2 and s.kept_at > now() - " KEPT \
	" returning k.kept ->> 'path' as path, k.kept ->> 'fields' as fields"

int session_kept(struct db *db, enum store_side side, const struct uuid *id, const char *page, json_t **out)
{
	static const char *const sql[] = { TAKE("user_session"), TAKE("operator_session") };

	return db_get_row(db, out, sql[side], DB_ARGS(db_uuid_arg(id), db_text_arg(page)));
}

int session_rotate(struct db *db, enum store_side side, const struct uuid *id, const uint8_t token[static USER_TOKEN_HASH],
	const char *csrf)
{
	static const char *const sql[] = TWO("update ", " set token = $2, csrf = $3, rotated = now(), last_seen = now()"
		" where id = $1");

	return db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(id), db_bytes_arg(token, USER_TOKEN_HASH), db_text_arg(csrf)));
}

int session_end(struct db *db, enum store_side side, const struct uuid *id)
{
	static const char *const sql[] = TWO("delete from ", " where id = $1 returning user_id, step");
	struct db_result *r;
	struct uuid user;
	int complete;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_uuid_arg(id)));

	if (rc < 0)
		return rc;
	user = db_uuid(r, 0, 0);
	complete = *db_text(r, 0, 1) == '\0' || strcmp(db_text(r, 0, 1), SESSION_WALL) == 0;
	db_result_free(r);
	return !complete ? 0 : audit_log(db, AUDIT_USER_SIGNED_OUT, &(struct audit_object) { "user", &user, db_actor(db)->name }, NULL);
}

static int log_revoked(struct db *db, const struct uuid *user, int count)
{
	return audit_log(db, AUDIT_SESSION_REVOKED, &(struct audit_object) { "user", user, db_actor(db)->name },
		json_pack("{s:i}", "sessions", count));
}

int session_revoke(struct db *db, enum store_side side, const struct uuid *user, const struct uuid *id)
{
	static const char *const sql[] = TWO("delete from ", " where user_id = $1 and id = $2");
	int rc = db_run_one(db, sql[side], DB_ARGS(db_uuid_arg(user), db_uuid_arg(id)));

	return rc < 0 ? rc : log_revoked(db, user, 1);
}

int session_revoke_others(struct db *db, enum store_side side, const struct uuid *user, const struct uuid *keep)
{
	static const char *const sql[] = TWO("delete from ", " where user_id = $1 and id is distinct from $2");
	int rc = db_run(db, sql[side], DB_ARGS(db_uuid_arg(user), db_uuid_arg(keep)));

	return rc <= 0 ? rc : log_revoked(db, user, rc);
}

int session_list(struct db *db, enum store_side side, const struct uuid *user, json_t **out)
{
	static const char *const sql[] = TWO("select id, created, last_seen, expires, address, user_agent, step = '" SESSION_WALL "' as wall from ",
		" where user_id = $1 and step in ('', '" SESSION_WALL "') and expires > now() order by last_seen desc, id");

	return db_get_rows(db, out, sql[side], DB_ARGS(db_uuid_arg(user)));
}

int session_clean(struct db *db, clock_us now)
{
	int rc = db_run(db, "delete from user_session where expires < $1", DB_ARGS(db_time_arg(now)));

	if (rc >= 0)
		rc = db_run(db, "delete from invitation where expires < $1", DB_ARGS(db_time_arg(now)));
	if (rc >= 0)
		rc = db_run(db, "delete from known_browser where last_used < $1", DB_ARGS(db_time_arg(now - BROWSER_KEPT)));
	return rc < 0 ? rc : 0;
}
