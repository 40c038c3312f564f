/* sign_step.c - from a first proof of who somebody is to a whole sign-in (IDN-5, IDN-6): the second factor's code, a factor that has to be set
 * up, the browser that is known from then on. Also the proof that it is still the same person, before acts that ask for it.
 *
 * Between two steps there is a session of ten minutes that opens the next step and nothing else; each step makes a new one. */
#include <stdlib.h>
#include <string.h>

#include "shared/sign_step.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "identity/totp.h"
#include "shared/directory.h"
#include "shared/factor.h"
#include "shared/letter.h"
#include "shared/saml.h"
#include "shared/sign_pages.h"
#include "shared/user_agent.h"
#include "store/audit.h"
#include "store/browser.h"
#include "store/factor.h"
#include "store/saml.h"
#include "store/session.h"
#include "store/sign_rules.h"
#include "store/tenant.h"
#include "store/user_outside.h"
#include "web/form.h"
#include "web/guard.h"
#include "web/sign.h"

#define BROWSER_COOKIE "browser"
#define WRONG_CODE "This code is not right, was used already, or is too old. After several wrong ones you have to wait a while."

const struct route_param sign_code_query[] = {
	{ "return", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param sign_code_fields[] = {
	{ "code", "Code", PARAM_TEXT, PARAM_REQUIRED, 1, 40, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

/* The browser's own token */

int sign_browser(struct call *c, uint8_t hash[static TOKEN_HASH_SIZE])
{
	const char *token = call_cookie(c, BROWSER_COOKIE);

	if (token == NULL || !guard_is_token(token, strlen(token)))
		return 0;
	token_hash(token, hash);
	return 1;
}

/* One token per browser, whoever signs in with it: 1 when U has not done so before, 0, or an error. */
static int note_browser(struct call *c, const struct user *u)
{
	const char *present = call_cookie(c, BROWSER_COOKIE);
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];

	if (present && guard_is_token(present, strlen(present)))
		memcpy(token, present, sizeof token);
	else
		token_new(token);
	token_hash(token, hash);
	call_set_cookie(c, BROWSER_COOKIE, token, BROWSER_KEPT / CLOCK_SECOND, "Lax");
	secret_wipe(token, sizeof token);
	return browser_used(c->db, sign_side(c), &u->id, hash);
}

/* Steps */

/* From here on the caller is somebody: the log entries name them. */
static void take_user(struct call *c, const struct uuid *tenant, const struct user *u)
{
	c->tenant = *tenant;
	c->user = u->id;
	c->user_name = call_keep(c, u->name);
	c->user_email = call_keep(c, u->email);
}

static int end_former(struct call *c, const struct uuid *former)
{
	int rc = uuid_is_nil(former) ? 0 : session_end(c->db, sign_side(c), former);

	return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int tell_new_place(struct call *c, const struct user *u)
{
	json_t *tenant = NULL;
	int rc = sign_side(c) == STORE_TENANT ? tenant_self(c->db, &tenant) : 0;

	if (rc == 0)
		rc = audit_log(c->db, AUDIT_USER_NEW_PLACE, &(struct audit_object) { "user", &u->id, u->email }, json_pack("{s:s, s:s}", "browser",
			user_agent_browser(c->request->user_agent), "system", user_agent_system(c->request->user_agent)));
	if (rc == 0)
		rc = letter_send(c, LETTER_NEW_PLACE, u, json_string_value(json_object_get(tenant, "name")), NULL);
	json_decref(tenant);
	return rc < 0 ? rc : 0;
}

/* The whole sign-in, in the open transaction. */
static int complete(struct call *c, const struct user *u, const char *how)
{
	int rc = user_signed_in(c->db, sign_side(c), u, how), is_new;

	if (rc < 0)
		return rc;
	rc = sign_start(c, &c->tenant, &u->id);
	is_new = rc < 0 ? rc : note_browser(c, u);
	/* Who signs in for the first time at all knows. */
	return is_new > 0 && u->last_sign_in ? tell_new_place(c, u) : is_new < 0 ? is_new : 0;
}

/* What U's sign-in still needs: a step's name, or "". */
static int next_step(struct call *c, const struct user *u, const char **step)
{
	struct sign_rules rules;
	int has = factor_has(c->db, sign_side(c), &u->id), rc;

	*step = SESSION_CODE;
	if (has != 0)
		return has < 0 ? has : 0;
	rc = sign_rules_get(c->db, sign_side(c), &rules);
	if (rc < 0)
		return rc;
	*step = sign_rules_factor(&rules, u->role) ? SESSION_ENROL : "";
	sign_rules_release(&rules);
	return **step ? factor_prepare(c, &u->id) : 0;
}

/* Hashing, a directory or an identity provider took their time: what they have proven may be over by now. */
static int hold(struct call *c, const struct user *u)
{
	int rc = user_hold(c->db, sign_side(c), u);

	if (rc != ERR_NOT_FOUND)
		return rc;
	call_refuse(c, ERR_INVALID, SIGN_REFUSAL);
	return err_set(c->api ? ERR_UNAUTHENTICATED : ERR_INVALID, "the user was changed while signing in");
}

/* FORMER: a session that this browser had at this account. THERE: as sign_accept has it. */
static int accept(struct call *c, const struct uuid *former, const struct user *u, const char *how, const struct saml_name *there, const char **step)
{
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = hold(c, u);
	if (rc == 0)
		rc = end_former(c, former);
	if (rc == 0)
		rc = next_step(c, u, step);
	if (rc == 0)
		rc = **step ? sign_start_step(c, &c->tenant, &u->id, *step) : complete(c, u, how);
	if (rc == 0 && there)
		rc = saml_session_add(c->db, sign_side(c), &c->session, there);
	return call_end(c, rc);
}

int sign_accept(struct call *c, const struct uuid *tenant, const struct user *u, const char *how, const char *back, const struct saml_name *there)
{
	static const struct uuid none;
	struct uuid former = uuid_equal(&c->tenant, tenant) ? c->session : none;
	struct buf query = BUF_INIT;
	const char *step = "";
	int rc;

	take_user(c, tenant, u);
	rc = accept(c, &former, u, how, there, &step);
	if (rc < 0)
		return rc;
	form_append(&query, "return", guard_return(back));
	if (strcmp(step, SESSION_CODE) == 0)
		call_redirect(c, "/sign-in/code?%s", buf_str(&query));
	else if (*step)
		call_redirect(c, "/factor/new");
	else
		call_redirect(c, "%s", guard_return(back));
	if (c->api)
		call_set(c, "step", *step ? json_string(step) : json_null());
	buf_free(&query);
	return 0;
}

int sign_complete(struct call *c, const struct user *u, const char *how)
{
	struct uuid former = c->session;
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = complete(c, u, how);
	/* An identity provider that knows the step's session ends the whole one by the same name. */
	if (rc == 0)
		rc = saml_session_carry(c->db, sign_side(c), &former, &c->session);
	if (rc == 0)
		rc = session_end(c->db, sign_side(c), &former);
	/* Somebody, or the identity provider, was faster: what has ended is not gone on from. */
	if (rc == ERR_NOT_FOUND)
		rc = err_set(ERR_UNAUTHENTICATED, "the session has ended");
	return call_end(c, rc);
}

/* Codes */

static int is_right(struct call *c, const struct user *u, const struct factor *f, const char *code, const char **how)
{
	uint8_t hash[TOTP_CODE_HASH];
	struct secret *secret = NULL;
	int64_t step = 0;
	int rc;

	if (f->confirmed && totp_recovery_hash(code, hash)) {
		*how = "recovery-code";
		return factor_code_use(c->db, sign_side(c), &u->id, hash);
	}
	*how = "totp";
	rc = factor_open(c, &u->id, &f->secret, &secret);
	if (rc < 0)
		return rc;
	rc = totp_check(secret, code, c->now, f->last_step, &step);
	secret_free(secret);
	if (rc > 0)
		rc = factor_used(c->db, sign_side(c), u, f, step);
	else
		return 0;
	return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

/* 1, 0 or an error; committed when it was right. */
static int try_code(struct call *c, const struct user *u, const char *code, const char **how)
{
	struct factor f = { .last_step = 0 };
	int rc = sign_begin(c, &c->tenant), right = 0;

	if (rc == 0)
		rc = factor_get(c->db, sign_side(c), &u->id, &f);
	if (rc == 0)
		rc = right = is_right(c, u, &f, code, how);
	if (rc > 0)
		rc = db_commit(c->db);
	db_rollback(c->db);
	factor_release(&f);
	return rc < 0 ? rc : right;
}

/* Of U, who has a session or half a one: a failure that counts as one to sign in. */
static int count_failure(struct call *c, const struct user *u, const uint8_t *browser, int of_code)
{
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = user_sign_in_failed(c->db, sign_side(c), u, u->email, browser, NULL);
	if (rc == 0 && of_code)
		rc = audit_log(c->db, AUDIT_FACTOR_FAILED, &(struct audit_object) { "user", &u->id, u->email }, NULL);
	return call_end(c, rc);
}

struct self {
	struct user user;
	uint8_t hash[TOKEN_HASH_SIZE];
	const uint8_t *browser;          /* HASH, where it is known for the user; else NULL */
	int closed;                      /* after too many failures, to this browser */
};

/* The caller's own user, and whether it may try at all. */
static int read_self(struct call *c, struct self *s)
{
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = user_by_id(c->db, sign_side(c), &c->user, &s->user);
	if (rc == 0 && sign_browser(c, s->hash)) {
		rc = browser_known(c->db, sign_side(c), &c->user, s->hash);
		s->browser = rc > 0 ? s->hash : NULL;
	}
	db_rollback(c->db);
	s->closed = s->user.locked_until > c->now && s->browser == NULL;
	return rc < 0 ? rc : 0;
}

static int code_of_self(struct call *c, struct self *s, const char *code, const char **how)
{
	int right = s->closed ? 0 : try_code(c, &s->user, code, how), rc = 0;

	if (right == 0)
		rc = count_failure(c, &s->user, s->browser, 1);
	return rc < 0 ? rc : right;
}

int sign_code_check(struct call *c, const char *code, const char **how)
{
	struct self s = { .closed = 0 };
	int rc = read_self(c, &s);

	if (rc == 0)
		rc = code_of_self(c, &s, code, how);
	user_release(&s.user);
	return rc;
}

/* The step itself */

int sign_code_page(struct call *c)
{
	const char *back = call_has(c, "return") ? call_text(c, "return") : call_text(c, "return_to");

	if (strcmp(sign_awaits(c), SESSION_CODE) != 0)
		call_redirect(c, "%s", guard_return(back));
	call_set(c, "return_to", json_string(*back ? guard_return(back) : ""));
	call_set(c, "email", json_string(c->user_email));
	call_form(c, "code", json_string(""));
	return 0;
}

int sign_code(struct call *c)
{
	struct self s = { .closed = 0 };
	const char *how = "", *back = guard_return(call_text(c, "return_to"));
	int rc = strcmp(sign_awaits(c), SESSION_CODE) == 0 ? read_self(c, &s) : 0;

	if (rc == 0 && s.user.email) {
		rc = code_of_self(c, &s, call_text(c, "code"), &how);
		if (rc == 0)
			rc = call_field_error(c, "code", WRONG_CODE);
		if (rc > 0)
			rc = sign_complete(c, &s.user, how);
		if (rc == 0) {
			sign_forgive(c);
			if (strcmp(how, "recovery-code") == 0)
				call_notice(c, "warning", "A recovery code is used up. Make new ones before the last is gone.");
		}
	}
	user_release(&s.user);
	if (rc < 0)
		return rc;
	call_redirect(c, "%s", back);
	return 0;
}

/* It is still the same person */

/* Where the page leads who has no password here, and comes back to. */
static json_t *way_outside(const struct call *c)
{
	struct buf url = BUF_INIT;
	char *here = mem_printf("%s%s%s", c->request->path, c->request->query && *c->request->query ? "?" : "", c->request->query ? c->request->query : "");
	json_t *out;

	form_append(&url, "return_to", here);
	out = json_sprintf("/saml/again?%s", buf_str(&url));
	buf_free(&url);
	free(here);
	return out;
}

/* 1, and until when: an identity provider has just vouched for who has this session; 0: it has not, or not lately; ERR_NOT_FOUND: it never does. */
static int is_vouched(struct call *c, clock_us *until)
{
	clock_us at = 0;
	int rc = saml_session_proven(c->db, sign_side(c), &c->session, &at);

	*until = at + SAML_PROOF_LIFE;
	return rc < 0 ? rc : at && c->now < *until;
}

static int show_outside(struct call *c)
{
	clock_us until;
	int rc = is_vouched(c, &until);

	call_set(c, "confirm_outside", rc < 0 ? json_null() : json_pack("{s:b, s:o, s:o}", "proven", rc, "until", rc ? call_when(c, until) : json_null(), "url",
		way_outside(c)));
	return rc == ERR_NOT_FOUND || rc > 0 ? 0 : rc;
}

int sign_confirm_ask(struct call *c)
{
	int has = factor_has(c->db, sign_side(c), &c->user);

	if (has < 0)
		return has;
	call_set(c, "confirm_code", json_boolean(has));
	return show_outside(c);
}

/* 1: the identity provider has just vouched for who has this session; there is no password to ask for. */
static int confirm_outside(struct call *c)
{
	clock_us until;
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = is_vouched(c, &until);
	db_rollback(c->db);
	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	return rc > 0 ? 1 : call_field_error(c, "current", "You have no password here: prove who you are at your organisation's "
		"identity provider, by the button of this page, and do this within five minutes.");
}

static int needs_code(struct call *c)
{
	int rc = sign_begin(c, &c->tenant);

	if (rc == 0)
		rc = factor_has(c->db, sign_side(c), &c->user);
	db_rollback(c->db);
	return rc;
}

static int confirm_code(struct call *c, struct self *s)
{
	const char *how = "", *code = call_text(c, "code");
	int rc = needs_code(c);

	if (rc <= 0)
		return rc;
	if (*code == '\0')
		return call_field_error(c, "code", "The code of your second factor is needed too.");
	rc = code_of_self(c, s, code, &how);
	return rc < 0 ? rc : rc == 0 ? call_field_error(c, "code", WRONG_CODE) : 0;
}

/* A stolen session must not allow guessing: failures count as at sign-in. */
int sign_confirm(struct call *c)
{
	struct self s = { .closed = 0 };
	int rc = read_self(c, &s), right = 0;

	if (rc == 0 && strcmp(s.user.source, USER_OF_SAML) == 0)
		rc = right = confirm_outside(c);
	else if (rc == 0 && *call_text(c, "current") == '\0')
		rc = call_field_error(c, "current", "Your present password is needed.");
	else if (rc == 0 && strcmp(s.user.source, USER_OF_DIRECTORY) == 0 && !s.closed)
		rc = right = directory_confirm(c, &s.user, call_text(c, "current"));
	else if (rc == 0)
		rc = right = sign_verify(s.closed ? NULL : s.user.password, call_text(c, "current"));
	if (rc == 0 && right == 0) {
		rc = count_failure(c, &s.user, s.browser, 0);
		if (rc == 0)
			rc = call_field_error(c, "current", "This is not your present password.");
	}
	if (rc > 0)
		rc = confirm_code(c, &s);
	user_release(&s.user);
	if (rc < 0)
		return rc;
	sign_forgive(c);
	return 0;
}
