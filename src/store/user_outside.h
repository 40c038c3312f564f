/* user_outside.h - users who prove elsewhere who they are: in a directory or at an identity provider. They have no password here, and are
 * known by an id that stays when names and addresses change; who is local is never turned into one of them. */
#ifndef STORE_USER_OUTSIDE_H
#define STORE_USER_OUTSIDE_H

#include "store/user.h"

#define USER_LOCAL "local"
#define USER_OF_DIRECTORY "directory"
#define USER_OF_SAML "saml"

/* What the other side says of a person now. */
struct user_outside {
	const char *source, *external_id;
	const char *email, *name;
	const char *role;            /* by groups or attributes; of a user whose role is fixed here it is not looked at */
	int role_fixed;              /* for a new one */
};

/* ERR_NOT_FOUND. */
int user_by_external(struct db *db, enum store_side side, const char *source, const char *external_id, struct user *out);
/* Makes an active user; logged with where from. ERR_CONFLICT: the address, or the person, has a user already. */
int user_join(struct db *db, enum store_side side, const struct uuid *id, const struct user_outside *o);
/* Name, address and, unless it is fixed, role as they are now, in the row and in *U; logged where that changes anything. A new role ends the
 * user's sessions. An address that another user has is left as it was. */
int user_refresh(struct db *db, enum store_side side, struct user *u, const struct user_outside *o);
/* ROLE NULL: as the groups say at each sign-in; else that from now on. */
int user_fix_role(struct db *db, enum store_side side, const struct uuid *id, const char *role);
/* All whom an identity provider has vouched for are local users from now on, who have no password and are invited (or disabled, as they were); their sessions
 * are over, each change is logged. Nobody may be linked to one any more. *COUNT of them. */
int user_fall_back(struct db *db, enum store_side side, int64_t *count);
struct user_refusal {
	const char *typed, *source;
	const char *why;             /* for the log, not for the page */
	int count;                   /* as a wrong password; of BROWSER where it is known for the user (user_count_failure) */
	const uint8_t *browser;
	int end;                     /* the user's sessions are over too */
};
/* U NULL: there is none yet. */
int user_refused(struct db *db, enum store_side side, const struct user *u, const struct user_refusal *r);

#endif
