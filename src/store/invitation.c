/* invitation.c - single-use links. */
#include "store/invitation.h"

#include <string.h>

#include "base/err.h"
#include "store/audit.h"

static const char *const delete_unused[] = {
	"delete from invitation where user_id = $1 and used is null",
	"delete from operator_invitation where user_id = $1 and used is null",
};

int invitation_create(struct db *db, enum store_side side, const struct uuid *user, const uint8_t token[static USER_TOKEN_HASH],
	clock_us expires)
{
	static const char *const sql[] = {
		"insert into invitation (tenant, token, kind, user_id, expires) values (current_tenant(), $1, $2, $3, $4)",
		"insert into operator_invitation (token, kind, user_id, expires) values ($1, $2, $3, $4)",
	};
	struct user u = { 0 };
	int rc = user_by_id(db, side, user, &u), invited = rc == 0 && strcmp(u.state, "invited") == 0;

	if (rc == 0 && strcmp(u.state, "disabled") == 0)
		rc = err_set(ERR_FORBIDDEN, "the user is disabled");
	if (rc == 0)
		rc = db_queue(db, delete_unused[side], DB_ARGS(db_uuid_arg(user)));
	if (rc == 0)
		rc = db_queue(db, sql[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH), db_text_arg(invited ? "invite" : "reset"),
			db_uuid_arg(user), db_time_arg(expires)));
	if (rc == 0)
		rc = audit_log(db, invited ? AUDIT_USER_INVITED : AUDIT_PASSWORD_RESET_SENT,
			&(struct audit_object) { "user", user, u.email }, NULL);
	user_release(&u);
	return rc;
}

int invitation_ask(struct db *db, enum store_side side, const struct user *u, const uint8_t token[static USER_TOKEN_HASH], clock_us expires)
{
	static const char *const sql[] = {
		"insert into invitation (tenant, token, kind, user_id, expires) select current_tenant(), $1, $2, $3, $4 where (select count(*) from"
		" invitation i where i.user_id = $3 and i.used is null and i.created > now() - $5 * interval '1 microsecond') < $6",
		"insert into operator_invitation (token, kind, user_id, expires) select $1, $2, $3, $4 where (select count(*) from"
		" operator_invitation i where i.user_id = $3 and i.used is null and i.created > now() - $5 * interval '1 microsecond') < $6",
	};
	int invited = strcmp(u->state, "invited") == 0;

	if (strcmp(u->state, "disabled") == 0 || (!invited && u->password == NULL))
		return 0;
	return db_run(db, sql[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH), db_text_arg(invited ? "invite" : "reset"),
		db_uuid_arg(&u->id), db_time_arg(expires), db_int_arg(INVITATION_ASKED_IN), db_int_arg(INVITATION_ASKED)));
}

#define VALID " where i.token = $1 and i.used is null and i.expires > now() and u.state <> 'disabled'"

int invitation_find(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], json_t **out)
{
	static const char *const sql[] = {
		"select i.kind, u.id as user, u.email, u.name from invitation i join app_user u on u.tenant = i.tenant and u.id = i.user_id"
		VALID,
		"select i.kind, u.id as user, u.email, u.name from operator_invitation i join operator_user u on u.id = i.user_id" VALID,
	};

	return db_get_row(db, out, sql[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH)));
}

/* The update of `used` lets just one of several uses at the same time through. */
static int use_up(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], struct uuid *user, int *invited)
{
	static const char *const sql[] = {
		"update invitation i set used = now() from app_user u" VALID " and u.tenant = i.tenant and u.id = i.user_id"
		" returning i.user_id, u.state = 'invited'",
		"update operator_invitation i set used = now() from operator_user u" VALID " and u.id = i.user_id"
		" returning i.user_id, u.state = 'invited'",
	};
	struct db_result *r;
	int rc = db_query_row(db, &r, sql[side], DB_ARGS(db_bytes_arg(token, USER_TOKEN_HASH)));

	if (rc < 0)
		return rc;
	*user = db_uuid(r, 0, 0);
	*invited = db_bool(r, 0, 1);
	db_result_free(r);
	return 0;
}

int invitation_use(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], const char *password,
	const uint8_t *browser, struct uuid *user)
{
	static const char *const activate[] = {
		"update app_user set state = 'active', password = $2 where id = $1 and state = 'invited' returning email",
		"update operator_user set state = 'active', password = $2 where id = $1 and state = 'invited' returning email",
	};
	struct db_result *r;
	struct uuid id;
	int invited, rc = use_up(db, side, token, &id, &invited);

	if (rc == 0)
		rc = db_queue(db, delete_unused[side], DB_ARGS(db_uuid_arg(&id)));
	if (rc == 0 && invited) {
		rc = db_query_row(db, &r, activate[side], DB_ARGS(db_uuid_arg(&id), db_text_arg(password)));
		if (rc == 0) {
			rc = audit_log(db, AUDIT_USER_ACCEPTED, &(struct audit_object) { "user", &id, db_text(r, 0, 0) }, NULL);
			db_result_free(r);
		}
	} else if (rc == 0) {
		rc = user_set_password(db, side, &id, password, NULL, browser);
	}
	if (rc == 0 && user)
		*user = id;
	return rc;
}
