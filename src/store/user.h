/* user.h - people who sign in: a tenant's users, and the operator's. The same functions serve both; SIDE says which, and the
 * role of the connection and its tenant decide what is there at all. Password hashes come from identity/password. */
#ifndef STORE_USER_H
#define STORE_USER_H

#include "store/db.h"
#include "store/list.h"

enum store_side { STORE_TENANT, STORE_OPERATOR };

#define USER_LOCK_AFTER 5                /* failed sign-ins in a row */
#define USER_LOCK_FIRST_S 30             /* then each further failure doubles the time */
#define USER_LOCK_MOST_S 900             /* so that nobody can lock somebody else out for long (IDN-1) */
#define USER_TOKEN_HASH 32               /* SHA-256 of a token: identity/token.h */

struct user {
	struct uuid id;
	char *email, *name, *role, *state;   /* state: "invited", "active", "disabled" */
	char *password;                      /* NULL until an invitation is accepted, and for who comes from outside */
	clock_us locked_until;               /* 0: not */
	clock_us last_sign_in;               /* 0: never */
	int64_t failures;
	char *source;                        /* user_outside.h: "local" where the password is here */
	char *external_id;                   /* by which the other side knows who it is; NULL for a local one */
	int role_fixed;                      /* 0: the role comes from elsewhere at each sign-in */
};

void user_release(struct user *u);                           /* frees what it points to; zeroed is fine */
/* ERR_NOT_FOUND; then still hash the password given, so that the time does not tell. */
int user_by_email(struct db *db, enum store_side side, const char *email, struct user *out);
int user_by_id(struct db *db, enum store_side side, const struct uuid *id, struct user *out);

/* Locks U's row until the transaction ends. ERR_NOT_FOUND: the user is not active any more, or has another password or role than U says. Before
 * a session is made of a proof that took a while: who changes a password ends sessions after it, this one too. */
int user_hold(struct db *db, enum store_side side, const struct user *u);

/* Makes a user who may sign in at once: the first operator. */
int user_create(struct db *db, enum store_side side, const struct uuid *id, const char *email, const char *name, const char *role,
	const char *password);
/* Makes an invited user and the link's hash. ERR_CONFLICT: the address is taken. */
int user_invite(struct db *db, enum store_side side, const struct uuid *id, const char *email, const char *name, const char *role,
	const uint8_t token[static USER_TOKEN_HASH], clock_us expires);
/* NULL leaves a thing as it is. Who is to be active again and never had a password here becomes "invited". A new role or state ends the user's sessions. ERR_CONFLICT: the last active administrator with a
 * password here would be gone (who others let in may be shut out by them), or an invited user be made active without a password. */
int user_change(struct db *db, enum store_side side, const struct uuid *id, const char *name, const char *role, const char *state);
/* Whether U may stop being an administrator with a password here: ERR_CONFLICT where nobody else is one, or U is who gets in when single sign-on
 * fails. Locks all who are, so that two who remove each other do not both succeed. */
int user_may_go(struct db *db, enum store_side side, const struct user *u);
/* Of a tenant's user: whether mails are wanted. */
int user_mail(struct db *db, const struct uuid *id, int *wanted);
int user_set_mail(struct db *db, const struct uuid *id, int wanted);
int user_delete(struct db *db, enum store_side side, const struct uuid *id);
/* Ends all sessions; not logged by itself. */
int user_sign_out(struct db *db, enum store_side side, const struct uuid *id);
/* Ends all sessions but KEEP (NULL: all), and forgets all known browsers but that with the token's hash BROWSER (NULL: all). */
int user_set_password(struct db *db, enum store_side side, const struct uuid *id, const char *password, const struct uuid *keep,
	const uint8_t *browser);

/* After the sign-in was complete. HOW: "password", "directory", "totp", ...: for the log. */
int user_signed_in(struct db *db, enum store_side side, const struct user *u, const char *how);
/* One more failed sign-in; *LOCKED_UNTIL: 0 or until when. BROWSER: the token's hash of one that is known for U, against which it counts instead of
 * against U; NULL: it is not. For who logs by itself. */
int user_count_failure(struct db *db, enum store_side side, const struct user *u, const uint8_t *browser, clock_us *locked_until);
/* After anything was wrong. U NULL: there is no such user; EMAIL is what was typed. *LOCKED_UNTIL (may be NULL): 0 or until when. BROWSER as
 * above. */
int user_sign_in_failed(struct db *db, enum store_side side, const struct user *u, const char *email, const uint8_t *browser,
	clock_us *locked_until);

/* Sorts: name, email, role, state, last_sign_in; filters: role, state. Rows: id, email, name, role, state, last_sign_in,
 * locked_until, created, source, role_fixed, link, factor (since when there is a second one), invited_until (until when the newest link of who
 * has not joined works). */
int user_list(struct db *db, enum store_side side, const struct list_query *query, json_t **page);
int user_get(struct db *db, enum store_side side, const struct uuid *id, json_t **out);
/* {role name: number of users that are not disabled} */
int user_counts(struct db *db, enum store_side side, json_t **out);
/* Ends every lock and failure count: the administrator's `keyward user reset`. */
int user_unlock(struct db *db, enum store_side side, const struct uuid *id);

#endif
