/* sign_in.c - the sign-in form of both consoles.
 *
 * No account, no user, a wrong password, a locked, invited or disabled user: the same words, the same work, and not before the
 * same moment, so that nobody learns which accounts and users there are. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "shared/directory.h"
#include "shared/saml.h"
#include "shared/sign_pages.h"
#include "shared/sign_step.h"
#include "shared/signup.h"
#include "store/browser.h"
#include "store/saml.h"
#include "store/session.h"
#include "store/setting.h"
#include "store/user_outside.h"
#include "web/guard.h"
#include "web/sign.h"

#define FAILURE_TIME (400 * CLOCK_SECOND / 1000)  /* a refusal is answered no sooner after the request came */

const struct route_param sign_in_query[] = {
	{ "return", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	{ "account", NULL, PARAM_TEXT, 0, 0, 63, NULL },
	PARAM_END
};

const struct route_param sign_in_operator_fields[] = {
	{ "email", "E-mail address or user name", PARAM_TEXT, PARAM_REQUIRED, 1, 254, NULL },
	{ "password", "Password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param sign_in_tenant_fields[] = {
	{ "account", "Account name", PARAM_TEXT, PARAM_REQUIRED, 1, 63, NULL },
	{ "email", "E-mail address or user name", PARAM_TEXT, PARAM_REQUIRED, 1, 254, NULL },
	{ "password", "Password", PARAM_PASSWORD, PARAM_REQUIRED, 0, 0, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

/* What the operator's page offers besides passwords: the identity provider, and the set-up while there is nobody who could sign in. Which tenant's page
 * it is, is not known before its name is typed. */
static void set_offers(struct call *c)
{
	json_t *row = NULL;
	int sso = 0, setup = 0;

	if (c->site == WEB_CENTRAL && call_begin(c, NULL) == 0) {
		sso = saml_get(c->db, STORE_OPERATOR, &row) == 0 && strcmp(json_string_value(json_object_get(row, "mode")), "off") != 0;
		setup = setup_needed(c->db) > 0;
		db_rollback(c->db);
	}
	json_decref(row);
	call_set(c, "sso", json_boolean(sso));
	call_set(c, "setup", json_boolean(setup));
}

int sign_in_page(struct call *c)
{
	const char *back = call_has(c, "return") ? call_text(c, "return") : call_text(c, "return_to");

	if (c->role != ROLE_NONE) {
		call_redirect(c, "%s", guard_return(back));
		return 0;
	}
	call_set(c, "return_to", json_string(*back ? guard_return(back) : ""));
	call_form(c, "account", json_string(call_text(c, "account")));
	set_offers(c);
	call_set(c, "may_register", json_boolean(c->site == WEB_CONSOLE && signup_is_open(c)));
	return 0;
}

struct attempt {
	enum store_side side;
	struct uuid tenant;              /* nil: the operator's side */
	int account_known;               /* on the operator's side, always */
	int known;                       /* USER is filled */
	int allowed;                     /* to sign in with a password */
	struct user user;
	uint8_t browser[TOKEN_HASH_SIZE];
	int browser_known;               /* the user has signed in with it before */
};

static int find_account(struct call *c, struct attempt *a)
{
	int rc = sign_account(c, &a->tenant, NULL);

	a->account_known = rc == 0;
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* The transaction ends before the slow hash: no connection waits in one meanwhile. */
static int find_user(struct call *c, struct attempt *a)
{
	int rc = sign_begin(c, &a->tenant);

	if (rc == 0)
		rc = user_by_email(c->db, a->side, call_text(c, "email"), &a->user);
	a->known = rc == 0;
	/* Where the identity provider alone signs people in, a password is as wrong as any other. */
	if (rc == 0)
		rc = a->allowed = saml_password_allowed(c->db, a->side, &a->user.id);
	if (rc >= 0 && a->known && sign_browser(c, a->browser)) {
		rc = browser_known(c->db, a->side, &a->user.id, a->browser);
		a->browser_known = rc > 0;
	}
	db_rollback(c->db);
	return rc == ERR_NOT_FOUND || rc > 0 ? 0 : rc;
}

/* While others' wrong passwords keep the door closed it is open to browsers that the user has come with before. */
static int may_sign_in(const struct call *c, const struct attempt *a)
{
	return a->known && a->allowed && a->user.password && strcmp(a->user.state, "active") == 0 &&
		(a->user.locked_until <= c->now || a->browser_known);
}

void sign_wait(const struct call *c)
{
	clock_us left = c->request->received + FAILURE_TIME - clock_now();
	struct timespec t = { left / CLOCK_SECOND, left % CLOCK_SECOND * 1000 };

	if (left > 0 && left <= FAILURE_TIME)
		nanosleep(&t, NULL);
}

static int refuse(struct call *c, const struct attempt *a)
{
	int rc = 0;

	/* The log of an account that does not exist cannot be written. */
	if (a->account_known) {
		rc = sign_begin(c, &a->tenant);
		if (rc == 0)
			rc = user_sign_in_failed(c->db, a->side, a->known ? &a->user : NULL, call_text(c, "email"),
				a->browser_known ? a->browser : NULL, NULL);
		rc = call_end(c, rc);
	}
	sign_wait(c);
	if (rc < 0)
		return rc;
	call_refuse(c, ERR_INVALID, SIGN_REFUSAL);
	return err_set(c->api ? ERR_UNAUTHENTICATED : ERR_INVALID, "sign-in refused");
}

static int verified(struct call *c, struct attempt *a)
{
	int rc = find_account(c, a), matches;

	if (rc == 0 && a->account_known)
		rc = find_user(c, a);
	if (rc < 0)
		return rc;
	if (a->account_known) {
		const struct user *known = a->known ? &a->user : NULL;

		/* Who is local never depends on another server, nor is looked for on one. */
		rc = known && strcmp(known->source, USER_LOCAL) == 0 ? 1 : directory_sign_in(c, &a->tenant, known,
			a->browser_known ? a->browser : NULL);
		if (rc <= 0)
			return rc;
	}
	matches = sign_verify(may_sign_in(c, a) ? a->user.password : NULL, call_text(c, "password"));
	if (matches <= 0)
		return matches < 0 ? matches : refuse(c, a);
	return sign_accept(c, &a->tenant, &a->user, "password", call_text(c, "return_to"), NULL);
}

int sign_in(struct call *c)
{
	struct attempt a = { .side = sign_side(c) };
	int rc = verified(c, &a);

	user_release(&a.user);
	if (rc < 0)
		return rc;
	sign_forgive(c);
	return 0;
}

int sign_out(struct call *c)
{
	int rc = 0, away = saml_sign_out(c, &rc);

	if (away && rc < 0)
		return rc;
	rc = session_end(c->db, sign_side(c), &c->session);
	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	sign_forget(c);
	if (away)
		return 0;
	call_notice(c, "success", "You are signed out.");
	call_redirect(c, "/sign-in");
	return 0;
}
