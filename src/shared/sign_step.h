/* sign_step.h - from a first proof of who somebody is to a whole sign-in, and the proof that it is still the same person (IDN-1, IDN-5). */
#ifndef SHARED_SIGN_STEP_H
#define SHARED_SIGN_STEP_H

#include "identity/token.h"
#include "store/user.h"
#include "web/call.h"

struct saml_name;                /* store/saml.h */

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

/* What everybody is told whose name or password is wrong, or who may not be known to be right. */
#define SIGN_REFUSAL "These do not fit together. After several wrong passwords in a row an address stays closed for a while."
/* Until a refusal may be answered, however soon it was known. */
void sign_wait(const struct call *c);

/* Sets members of a page that asks for the present password: `confirm_code`, whether it must ask for a code too; `confirm_outside` (proven, until, url), where
 * an identity provider vouches in the password's place. In a transaction. */
int sign_confirm_ask(struct call *c);
/* One more parameter of a route whose handler calls sign_confirm. */
#define SIGN_CODE_FIELD { "code", "Code of the second factor", PARAM_TEXT, 0, 0, 40, NULL }
/* Whether it is still the same person: the user's own password stands in the field `current` (PARAM_PASSWORD) and, where there is a second factor, its code in the field
 * `code` (SIGN_CODE_FIELD); who has no password has proven it anew at the identity provider (saml_again). Before an act that a stolen session must not do. Failures count as at sign-in, so the route is ROUTE_SIGN_IN, and
 * ROUTE_NO_TRANSACTION: 0; ERR_INVALID with the field's error noted; ERR_BUSY. */
int sign_confirm(struct call *c);

#endif
