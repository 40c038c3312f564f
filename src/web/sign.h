/* sign.h - whose session a request comes with, sessions begun, renewed and ended, and passwords hashed: what signing in on both sites stands on
 * (IDN-1, IDN-6). */
#ifndef WEB_SIGN_H
#define WEB_SIGN_H

#include "identity/password.h"
#include "store/user.h"
#include "web/call.h"

/* The side of the caller's site. */
enum store_side sign_side(const struct call *c);
/* Begins a transaction of it: of TENANT's on the console, of no tenant's on the other. */
int sign_begin(struct call *c, const struct uuid *tenant);
/* The account that the field `account` names, and what it is called (NAME, which the caller frees; NULL: not asked), in a transaction of its own:
 * 0, or ERR_NOT_FOUND. On the operator's side there is none to find: nil, and 0. */
int sign_account(struct call *c, struct uuid *tenant, char **name);

/* For pages that end with somebody signed in (set-up, an accepted invitation): makes a session for USER of TENANT (nil: an
 * operator) in the open transaction, with a token of its own, and sets the cookie; the present one, if any, is over. */
int sign_start(struct call *c, const struct uuid *tenant, const struct uuid *user);
#define SIGN_WALL_LIFE (90 * CLOCK_DAY)      /* of an operator's display */
/* A session in the open transaction, as sign_start; STEP as in store/session.h. */
int sign_start_step(struct call *c, const struct uuid *tenant, const struct uuid *user, const char *step);
/* Ends the open transaction, which has come to RC, and in it gives the caller's session another token: who had the old one is out. The outcome. */
int sign_renew(struct call *c, int rc);
/* Deletes the cookie. */
void sign_forget(struct call *c);
/* What half a sign-in waits for (store/session.h); "" where it is whole. */
const char *sign_awaits(const struct call *c);
/* The token that forms of the session bear; "" without one. */
const char *sign_csrf(const struct call *c);

/* One more try to sign in from the caller's address: 0, ERR_TOO_MANY. The pipeline counts those of ROUTE_SIGN_IN. */
int sign_count(struct call *c);
/* It was a good one, and does not count. */
void sign_forgive(struct call *c);

/* Hashes the new password, of who has NAME and EMAIL, that was typed twice, in the fields `password` and `repeat` (both PARAM_PASSWORD): 0, ERR_INVALID with
 * the field's error noted, ERR_BUSY when too many are at it. Takes about 0.1 s: outside a transaction. */
int sign_new_password(struct call *c, const char *name, const char *email, char hash[static PASSWORD_HASH_SIZE]);
/* 1 when it matches, 0 when not, ERR_BUSY. HASH as password_verify takes it. */
int sign_verify(const char *hash, const char *password);

#endif
