/* session.h - sessions of signed-in users (IDN-6). The cookie's token is known here only as its SHA-256. */
#ifndef STORE_SESSION_H
#define STORE_SESSION_H

#include "store/language.h"
#include "store/user.h"

#define SESSION_CSRF_SIZE 64
#define SESSION_STEP_SIZE 8
#define SESSION_CODE "code"          /* for a code of the second factor */
#define SESSION_ENROL "enrol"        /* for one to be set up, which the role must have */
#define SESSION_WALL "wall"          /* for nothing: an operator's display, which is never idle and shows one page (central/wall.c) */

struct session {
	struct uuid id, user;
	char csrf[SESSION_CSRF_SIZE];
	char *user_name, *user_email, *role;
	char language[LANGUAGE_MAX];         /* that the user chose, for an operator else the installation; "": none */
	char dates[DATE_FORMAT_MAX];         /* how the account, or the installation, has days written; "": as usual */
	char step[SESSION_STEP_SIZE];        /* what the sign-in waits for: one of the above; "": nothing, it is complete */
	int kept;                            /* a form waits (session_keep) */
	clock_us created, last_seen, expires, rotated;
};

void session_release(struct session *s);                     /* frees what it points to; zeroed is fine */
struct session_start {
	const uint8_t *token;                /* USER_TOKEN_HASH bytes */
	const struct uuid *id, *user;
	const char *csrf, *step;             /* STEP: "" or one of the above */
	clock_us expires;                    /* the absolute end */
	const char *address, *agent;         /* may be NULL */
	const uint8_t *former;               /* the token that the browser has had, alive or not: what waits there for the same user goes over; NULL: none */
};
int session_create(struct db *db, enum store_side side, const struct session_start *start);
/* A session that is not over, of a user who is active; notes that it was seen (once a minute). IDLE in microseconds, at the most: the rules of
 * signing in (sign_rules.h) can ask for less. ERR_NOT_FOUND: none, ended, or too long idle: the caller need not tell which. */
int session_find(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], clock_us idle,
	struct session *out);
/* KEPT { page, path, fields } waits with the session, over or not, for whoever follows it (web/kept.h). ERR_NOT_FOUND: there is no such session any more. */
int session_keep(struct db *db, enum store_side side, const uint8_t token[static USER_TOKEN_HASH], const json_t *kept);
/* What waits for PAGE with session ID, and not for long; it waits no more. ERR_NOT_FOUND. */
int session_kept(struct db *db, enum store_side side, const struct uuid *id, const char *page, json_t **out);
/* A new token and form secret for the same session. */
int session_rotate(struct db *db, enum store_side side, const struct uuid *id, const uint8_t token[static USER_TOKEN_HASH],
	const char *csrf);
/* Signing out; one that is not complete leaves no entry. */
int session_end(struct db *db, enum store_side side, const struct uuid *id);
/* A user's own: ID of the list, or all but KEEP. ERR_NOT_FOUND when it is not USER's. */
int session_revoke(struct db *db, enum store_side side, const struct uuid *user, const struct uuid *id);
int session_revoke_others(struct db *db, enum store_side side, const struct uuid *user, const struct uuid *keep);
/* Array of {id, created, last_seen, expires, address, user_agent, wall}, newest first. */
int session_list(struct db *db, enum store_side side, const struct uuid *user, json_t **out);

/* jobd: removes the tenant's sessions and links that are over. */
int session_clean(struct db *db, clock_us now);

#endif
