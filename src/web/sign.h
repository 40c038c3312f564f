/* sign.h - signing in and out, one's own sessions and password: the same for both consoles (IDN-1, IDN-6). */
#ifndef WEB_SIGN_H
#define WEB_SIGN_H

#include "web/call.h"

#include "identity/password.h"
#include "identity/token.h"
#include "store/user.h"

struct saml_name;                /* store/saml.h */

/* Rows that both sites have, for their tables: WEB_SIGN_ROWS("console", fields of the sign-in form, of that for a forgotten password). */
#define WEB_SIGN_ROWS(site, fields, forgotten_fields) \
	{ WEB_GET, "/sign-in", PERMISSION_PUBLIC, site "/sign_in", sign_in_page, sign_in_query, ROUTE_NO_TRANSACTION }, \
	{ WEB_POST, "/sign-in", PERMISSION_PUBLIC, NULL, sign_in, fields, ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN }, \
	{ WEB_GET, "/sign-in/code", PERMISSION_SIGNED_IN, "console/sign_in_code", sign_code_page, sign_code_query, \
		ROUTE_CODE | ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/sign-in/code", PERMISSION_SIGNED_IN, NULL, sign_code, sign_code_fields, \
		ROUTE_CODE | ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/forgotten", PERMISSION_PUBLIC, "console/forgotten", forgotten_page, forgotten_query, ROUTE_NO_TRANSACTION }, \
	{ WEB_POST, "/forgotten", PERMISSION_PUBLIC, "console/forgotten_sent", forgotten_send, forgotten_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN }, \
	{ WEB_POST, "/sign-out", PERMISSION_SIGNED_IN, "console/saml_go", sign_out, NULL, ROUTE_SUSPENDED_TOO | ROUTE_CODE | ROUTE_ENROL }, \
	{ WEB_GET, "/session", PERMISSION_SIGNED_IN, NULL, sign_session, NULL, ROUTE_API_ONLY | ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/routes", PERMISSION_SIGNED_IN, NULL, sign_routes, NULL, ROUTE_API_ONLY }, \
	{ WEB_GET, "/sessions", PERMISSION_SIGNED_IN, site "/sessions", sign_sessions, sign_sessions_query, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/sessions/others/revoke", PERMISSION_SIGNED_IN, NULL, sign_revoke_others, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/sessions/{id}/revoke", PERMISSION_SIGNED_IN, NULL, sign_revoke, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/password", PERMISSION_SIGNED_IN, site "/password_change", sign_password_page, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/password", PERMISSION_SIGNED_IN, NULL, sign_password, sign_password_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/factor", PERMISSION_SIGNED_IN, site "/factor", factor_page, NULL, ROUTE_SUSPENDED_TOO }, \
	{ WEB_GET, "/factor/new", PERMISSION_SIGNED_IN, "console/factor_new", factor_new_page, NULL, ROUTE_ENROL | ROUTE_SUSPENDED_TOO }, \
	{ WEB_POST, "/factor/new", PERMISSION_SIGNED_IN, NULL, factor_new, factor_both_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor" }, \
	{ WEB_POST, "/factor/confirm", PERMISSION_SIGNED_IN, "console/factor_codes", factor_confirm, factor_code_fields, \
		ROUTE_ENROL | ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor/new" }, \
	{ WEB_POST, "/factor/codes", PERMISSION_SIGNED_IN, "console/factor_codes", factor_codes, factor_both_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor" }, \
	{ WEB_POST, "/factor/remove", PERMISSION_SIGNED_IN, NULL, factor_drop, factor_both_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_SIGN_IN | ROUTE_SUSPENDED_TOO, .form = "/factor" }

int sign_in_page(struct call *c), sign_in(struct call *c), sign_out(struct call *c), sign_session(struct call *c);
int sign_code_page(struct call *c), sign_code(struct call *c);
int sign_routes(struct call *c), sign_sessions(struct call *c), sign_revoke(struct call *c), sign_revoke_others(struct call *c);
int sign_password_page(struct call *c), sign_password(struct call *c);
extern const struct route_param sign_sessions_query[], sign_in_query[], sign_in_operator_fields[], sign_in_tenant_fields[], sign_password_fields[];
extern const struct route_param sign_code_query[], sign_code_fields[];

/* forgotten.c */
int forgotten_page(struct call *c), forgotten_send(struct call *c);
extern const struct route_param forgotten_query[], forgotten_operator_fields[], forgotten_tenant_fields[];

/* factor.c */
int factor_page(struct call *c), factor_new_page(struct call *c), factor_new(struct call *c), factor_confirm(struct call *c);
int factor_codes(struct call *c), factor_drop(struct call *c);
extern const struct route_param factor_code_fields[], factor_both_fields[];

/* The side of the caller's site. */
enum store_side sign_side(const struct call *c);
/* Begins a transaction of it: of TENANT's on the console, of no tenant's on the other. */
int sign_begin(struct call *c, const struct uuid *tenant);
/* The account that the field `account` names, and what it is called (NAME, which the caller frees; NULL: not asked), in a transaction of its own:
 * 0, or ERR_NOT_FOUND. On the operator's side there is none to find: nil, and 0. */
int sign_account(struct call *c, struct uuid *tenant, char **name);
/* After the first proof of who somebody is (a password, a directory, an identity provider), in no transaction: U of TENANT (nil: an operator)
 * is signed in, and led to BACK; or, with a second factor, or one that the role must have, to the step that is left. A session that this
 * browser had is over. HOW: "password", "directory", ...: for the log. THERE: as what an identity
 * provider knows the session, which is kept with it, or neither is; else NULL. */
int sign_accept(struct call *c, const struct uuid *tenant, const struct user *u, const char *how, const char *back, const struct saml_name *there);
/* The last step of it, of the caller, in no transaction: the same without asking for more. */
int sign_complete(struct call *c, const struct user *u, const char *how);
/* The hash of this browser's token (store/browser.h): 1; 0 when it has none. */
int sign_browser(struct call *c, uint8_t hash[static TOKEN_HASH_SIZE]);
/* A code of the caller's second factor, in no transaction: 1 when it was right, and is used up; 0 when not, which counts as a wrong password; or an
 * error. Recovery codes too, unless the factor is new. *HOW: "totp" or "recovery-code". */
int sign_code_check(struct call *c, const char *code, const char **how);
/* Sets members of a page that asks for the present password: `confirm_code`, whether it must ask for a code too; `confirm_outside` (proven, until, url), where
 * an identity provider vouches in the password's place. In a transaction. */
int sign_confirm_ask(struct call *c);
/* One more parameter of a route whose handler calls sign_confirm. */
#define SIGN_CODE_FIELD { "code", "Code of the second factor", PARAM_TEXT, 0, 0, 40, NULL }

/* What everybody is told whose name or password is wrong, or who may not be known to be right. */
#define SIGN_REFUSAL "These do not fit together. After several wrong passwords in a row an address stays closed for a while."
/* Until a refusal may be answered, however soon it was known. */
void sign_wait(const struct call *c);
/* For pages that end with somebody signed in (set-up, an accepted invitation): makes a session for USER of TENANT (nil: an
 * operator) in the open transaction, with a token of its own, and sets the cookie; the present one, if any, is over. */
int sign_start(struct call *c, const struct uuid *tenant, const struct uuid *user);
#define SIGN_WALL_LIFE (90 * CLOCK_DAY)      /* of an operator's display */
/* A session in the open transaction, as sign_start; STEP as in store/session.h. */
int sign_start_step(struct call *c, const struct uuid *tenant, const struct uuid *user, const char *step);
/* Deletes the cookie. */
void sign_forget(struct call *c);
/* Hashes the new password, of who has NAME and EMAIL, that was typed twice, in the fields `password` and `repeat` (both PARAM_PASSWORD): 0, ERR_INVALID with
 * the field's error noted, ERR_BUSY when too many are at it. Takes about 0.1 s: outside a transaction. */
int sign_new_password(struct call *c, const char *name, const char *email, char hash[static PASSWORD_HASH_SIZE]);
/* 1 when it matches, 0 when not, ERR_BUSY. HASH as password_verify takes it. */
int sign_verify(const char *hash, const char *password);
/* Whether it is still the same person: the user's own password stands in the field `current` (PARAM_PASSWORD) and, where there is a second factor, its code in the field
 * `code` (SIGN_CODE_FIELD); who has no password has proven it anew at the identity provider (saml_again). Before an act that a stolen session must not do. Failures count as at sign-in, so the route is ROUTE_SIGN_IN, and
 * ROUTE_NO_TRANSACTION: 0; ERR_INVALID with the field's error noted; ERR_BUSY. */
int sign_confirm(struct call *c);

#endif
