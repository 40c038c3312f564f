/* saml.c - signing in and out through an identity provider (IDN-3, SEC-3).
 *
 * Each of these requests asks ssod once and is then run again (web/ask.h). What is refused is written to the log with its reason; the page
 * says the same for all. */
#include "web/saml.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/arrival.h"
#include "sso/client.h"
#include "store/session.h"
#include "store/user_outside.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/sign.h"
#include "web/state.h"

#define RESPONSE_MAX 100000      /* characters of base64; ssod measures the XML inside */
#define REFUSAL "You could not be signed in. Your administrator finds the reason in the log. To try again, begin at the sign-in page: an " \
	"answer of the identity provider is good once, and for a few minutes."
#define REFUSAL_OUT "This message of the identity provider does not sign anybody out: it is good once, for a few minutes, and as it was signed. Your " \
	"administrator finds the reason in the log."
#define NOT_SET "Single sign-on is not set up for this account."

const struct route_param saml_start_query[] = {
	{ "account", "Account name", PARAM_TEXT, 0, 0, 63, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param saml_acs_fields[] = {
	{ "SAMLResponse", NULL, PARAM_LINES, PARAM_REQUIRED, 1, RESPONSE_MAX, NULL },
	{ "RelayState", NULL, PARAM_TEXT, 0, 0, 200, NULL },
	PARAM_END
};

/* By redirect the raw query counts, because it is what is signed. */
const struct route_param saml_slo_query[] = {
	{ "SAMLRequest", NULL, PARAM_LINES, 0, 0, RESPONSE_MAX, NULL },
	{ "SAMLResponse", NULL, PARAM_LINES, 0, 0, RESPONSE_MAX, NULL },
	{ "RelayState", NULL, PARAM_TEXT, 0, 0, 200, NULL },
	PARAM_END
};

/* Opens a transaction of the side. */
static int begin_side(struct call *c, const struct uuid *tenant, struct saml_side *s)
{
	int rc = sign_begin(c, tenant);

	return rc == 0 ? saml_side_load(c, tenant, s) : rc;
}

static int begin_by_path(struct call *c, struct saml_side *s)
{
	struct uuid tenant = { { 0 } };
	int rc;

	if (c->site == WEB_CONSOLE)
		tenant = call_uuid(c, "id");
	rc = begin_side(c, &tenant, s);
	return rc == 0 && !json_is_string(json_object_get(s->row, "certificate")) ? ERR_NOT_FOUND : rc;
}

/* Our metadata */

int saml_metadata(struct call *c)
{
	struct saml_side s = { .row = NULL };
	struct buf question = BUF_INIT, body = BUF_INIT;
	json_t *answer = NULL;
	int rc;

	if (call_has_answer(c)) {
		rc = call_answer(c, &answer);
		if (rc == 0) {
			buf_puts(&body, doc_text(answer, "xml"));
			call_download(c, "application/samlmetadata+xml", "metadata.xml", &body);
		}
		json_decref(answer);
		return rc;
	}
	rc = begin_by_path(c, &s);
	if (rc == 0)
		rc = saml_ask(c, &s, SSO_saml_describe, json_object(), &question);
	db_rollback(c->db);
	if (rc == 0)
		rc = call_ask(c, &question);
	saml_side_release(&s);
	return rc;
}

/* To the identity provider */

/* The browser's token: the one that it has, so that two pages that sign in at the same time do not take it from each other. */
static void browser_token(struct call *c, char token[static TOKEN_TEXT_SIZE], uint8_t hash[static TOKEN_HASH_SIZE])
{
	const char *sent = call_cookie(c, SAML_COOKIE);

	if (sent && strlen(sent) == TOKEN_TEXT_SIZE - 1)
		snprintf(token, TOKEN_TEXT_SIZE, "%s", sent);
	else
		token_new(token);
	token_hash(token, hash);
}

static int remember(struct call *c, const struct saml_side *s, const char *id, const char *purpose, const char *return_to)
{
	char token[TOKEN_TEXT_SIZE];
	uint8_t hash[TOKEN_HASH_SIZE];
	int rc;

	browser_token(c, token, hash);
	rc = saml_request_add(c->db, s->side, id, hash, purpose, uuid_is_nil(&c->user) ? NULL : &c->user, return_to, c->now + SAML_REQUEST_LIFE);
	if (rc == 0)
		call_set_cookie(c, SAML_COOKIE, token, SAML_REQUEST_LIFE / CLOCK_SECOND, "None");
	return rc;
}

/* An id that nobody can guess, and that XML takes for one. */
static char *new_id(void)
{
	char token[TOKEN_TEXT_SIZE];

	token_new(token);
	return mem_printf("_%s", token);
}

static int ask_way(struct call *c, const struct saml_side *s, int again)
{
	const json_t *settings = json_object_get(s->row, "settings");
	struct buf question = BUF_INIT;
	char *id = new_id();
	int rc = saml_ask(c, s, SSO_saml_start, json_pack("{s:s, s:s, s:s, s:b}", "id", id, "relay", id, "format", doc_text(settings, "format"),
		"again", again), &question);

	free(id);
	return rc == 0 ? call_ask(c, &question) : rc;
}

static int go(struct call *c, const struct saml_side *s, const char *purpose, const char *return_to)
{
	json_t *answer = NULL;
	int rc = call_answer(c, &answer);

	if (rc == 0)
		rc = remember(c, s, doc_text(answer, "id"), purpose, return_to);
	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0) {
		call_set(c, "go", json_string(doc_text(answer, "url")));
		call_set(c, "provider", json_string(doc_text(json_object_get(s->row, "idp"), "entity")));
		call_set(c, "field", json_null());
	}
	json_decref(answer);
	return rc;
}

static int leave(struct call *c, const struct uuid *tenant, const char *purpose, const char *return_to)
{
	struct saml_side s = { .row = NULL };
	int rc = begin_side(c, tenant, &s), trial = strcmp(purpose, "test") == 0;

	if (rc == 0 && (!saml_side_ready(&s) || (saml_side_is(&s, "off") && !trial)))
		rc = call_refuse(c, ERR_NOT_FOUND, NOT_SET);
	if (rc == 0)
		rc = call_has_answer(c) ? go(c, &s, purpose, return_to) : ask_way(c, &s, trial);
	db_rollback(c->db);
	saml_side_release(&s);
	return rc;
}

int saml_start(struct call *c)
{
	struct uuid tenant;
	int rc = sign_account(c, &tenant, NULL);

	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, rc, NOT_SET);
	return rc == 0 ? leave(c, &tenant, "sign-in", guard_return(call_text(c, "return_to"))) : rc;
}

int saml_try(struct call *c)
{
	return leave(c, &c->tenant, "test", "/single-sign-on");
}

/* The answer */

/* In the open transaction, which it ends: what was done of it stays done, the request used up. */
static int refuse(struct call *c, const struct saml_side *s, const char *act, const char *reason, const char *text)
{
	char *why = mem_strdup(text);
	int rc = saml_log_refused(c->db, act, reason, why);

	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0) {
		call_refuse(c, ERR_FORBIDDEN, strcmp(act, "sign-out") == 0 ? REFUSAL_OUT : REFUSAL);
		rc = err_set(ERR_FORBIDDEN, "%s refused: %s: %s", act, reason, why);
	}
	free(why);
	return rc;
}

static int find_request(struct call *c, const struct saml_side *s, struct saml_request *out)
{
	const char *relay = call_text(c, "RelayState"), *cookie = call_cookie(c, SAML_COOKIE);
	uint8_t hash[TOKEN_HASH_SIZE];
	int rc;

	if (*relay == '\0')
		return refuse(c, s, "sign-in", "unsolicited", "nobody asked for this answer: it has no RelayState");
	if (cookie == NULL)
		return refuse(c, s, "sign-in", "replay", "the browser that brings the answer has asked nothing");
	token_hash(cookie, hash);
	rc = saml_request_find(c->db, s->side, relay, hash, call_has_answer(c), out);
	return rc == ERR_NOT_FOUND ? refuse(c, s, "sign-in", "replay", "no request of this browser waits for it: answered already, too old, or "
		"another browser's") : rc;
}

static int ask_judge(struct call *c, const struct saml_side *s, const struct saml_request *r)
{
	const json_t *skew = json_object_get(json_object_get(s->row, "settings"), "skew");
	struct buf question = BUF_INIT;
	int rc = saml_ask(c, s, SSO_saml_judge, json_pack("{s:s, s:I}", "request", r->id, "skew",
		json_is_integer(skew) ? json_integer_value(skew) : (json_int_t)ARRIVAL_SKEW), &question);

	if (rc == 0)
		wire_put_string(&question, call_text(c, "SAMLResponse"));
	return rc == 0 ? call_ask(c, &question) : rc;
}

/* The user that the person is, made or linked where that is allowed; as the identity provider describes it now. */
static int find_user(struct call *c, const struct saml_side *s, const struct user_outside *o, struct user *out, const char **refused)
{
	struct user same = { .email = NULL };
	struct uuid id = uuid_new();
	int rc = user_by_external(c->db, s->side, USER_OF_SAML, o->external_id, out);

	if (rc == ERR_NOT_FOUND)
		rc = identity_link(c->db, s->side, o->external_id, o->email, out);
	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = user_by_email(c->db, s->side, o->email, &same);
	user_release(&same);
	if (rc == 0) {
		*refused = "address-taken";
		return err_set(ERR_FORBIDDEN, "there is another user with the address %s: an administrator can allow the link on the user's page",
			o->email);
	}
	if (rc != ERR_NOT_FOUND)
		return rc;
	if (!json_is_true(json_object_get(json_object_get(s->row, "settings"), "create"))) {
		*refused = "unknown-person";
		return err_set(ERR_FORBIDDEN, "there is no user for %s, and none is made at the first sign-in", o->external_id);
	}
	rc = user_join(c->db, s->side, &id, o);
	return rc == 0 ? user_by_id(c->db, s->side, &id, out) : rc;
}

static int update_user(struct call *c, const struct saml_side *s, const struct user_outside *o, const struct user *u, const char **refused)
{
	if (strcmp(u->state, "active") == 0)
		return user_refresh(c->db, s->side, u, o);
	*refused = "disabled";
	return err_set(ERR_FORBIDDEN, "the user %s is disabled here", u->email);
}

static int accept(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said, const struct user *u)
{
	int rc = sign_accept(c, &s->tenant, u, "saml", r->return_to);

	/* The session is known there from now on. */
	if (rc == 0)
		rc = sign_begin(c, &s->tenant);
	if (rc == 0)
		rc = saml_session_add(c->db, s->side, &c->session, doc_text(said, "issuer"), doc_text(said, "name_id"), doc_text(said, "format"),
			doc_optional(said, "session"));
	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0) {
		rate_give(c->state->web->sign_ins, c->address, clock_ticks());
		call_set_cookie(c, SAML_COOKIE, "", -1, "None");
	}
	return rc;
}

static int arrive(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said)
{
	struct arrival a;
	struct user u = { .email = NULL };
	const char *refused = "person";
	char *external = NULL;
	int rc = arrival_decide(json_object_get(s->row, "settings"), said, s->side == STORE_OPERATOR, &a);

	if (rc == 0 && (external = identity_external(doc_text(said, "issuer"), a.subject)) == NULL)
		rc = err_set(ERR_FORBIDDEN, "the identifier is too long");
	if (rc == 0) {
		struct user_outside o = { .source = USER_OF_SAML, .external_id = external, .email = a.mail, .name = a.name, .role = role_name(a.role) };

		rc = find_user(c, s, &o, &u, &refused);
		if (rc == 0)
			rc = update_user(c, s, &o, &u, &refused);
	}
	if (rc == ERR_FORBIDDEN)
		rc = refuse(c, s, "sign-in", refused, err_text());
	else if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0)
		rc = accept(c, s, r, said, &u);
	user_release(&u);
	free(external);
	return rc;
}

/* What a trial brought, for the administrator's eyes alone. */
static json_t *trial_of(struct call *c, const struct saml_side *s, const json_t *said)
{
	struct arrival a;
	struct user u = { .email = NULL };
	int rc = arrival_decide(json_object_get(s->row, "settings"), said, s->side == STORE_OPERATOR, &a);
	json_t *o = json_pack("{s:O, s:s?, s:s, s:s, s:s, s:s, s:s?}", "said", said, "problem", rc < 0 ? err_text() : NULL, "subject", a.subject,
		"name", a.name, "mail", a.mail, "role", a.role == ROLE_NONE ? "" : role_name(a.role), "value", a.value);

	char *external = identity_external(doc_text(said, "issuer"), a.subject);

	if (rc == 0 && external && user_by_external(c->db, s->side, USER_OF_SAML, external, &u) == 0)
		json_set_string(o, "user", u.email);
	user_release(&u);
	free(external);
	return o;
}

static int end_trial(struct call *c, const struct saml_side *s, json_t *result)
{
	int rc = saml_set_test(c->db, s->side, result);

	json_decref(result);
	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0)
		call_redirect(c, "/single-sign-on");
	return rc;
}

static int judged(struct call *c, const struct saml_side *s, const struct saml_request *r)
{
	json_t *answer = NULL;
	const char *reason;
	int trial = strcmp(r->purpose, "test") == 0, rc = call_answer(c, &answer);

	if (rc < 0)
		return rc;
	reason = doc_optional(answer, "refused");
	if (trial)
		rc = end_trial(c, s, reason ? json_incref(answer) : trial_of(c, s, json_object_get(answer, "said")));
	else if (reason)
		rc = refuse(c, s, "sign-in", reason, doc_text(answer, "text"));
	else
		rc = arrive(c, s, r, json_object_get(answer, "said"));
	json_decref(answer);
	return rc;
}

int saml_acs(struct call *c)
{
	struct saml_side s = { .row = NULL };
	struct saml_request r = { .id = NULL };
	int rc = begin_by_path(c, &s);

	if (rc == 0 && !saml_side_ready(&s))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = find_request(c, &s, &r);
	if (rc == 0 && strcmp(r.purpose, "sign-in") == 0 && saml_side_is(&s, "off"))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = call_has_answer(c) ? judged(c, &s, &r) : ask_judge(c, &s, &r);
	db_rollback(c->db);
	saml_request_release(&r);
	saml_side_release(&s);
	return rc;
}

/* Signing out here: there too */

static int ask_logout(struct call *c, const struct saml_side *s, const json_t *known)
{
	struct buf question = BUF_INIT;
	char *id = new_id();
	int rc = saml_ask(c, s, SSO_saml_logout, json_pack("{s:s, s:s, s:s, s:s, s:s?}", "id", id, "relay", id, "name_id", doc_text(known, "name_id"),
		"format", doc_text(known, "format"), "session", doc_optional(known, "index")), &question);

	free(id);
	return rc == 0 ? call_ask(c, &question) : rc;
}

/* The way to the identity provider, by an address or, where it wants that, by a form. */
static void show_way(struct call *c, const struct saml_side *s, const json_t *way, const char *field, const char *relay)
{
	const char *value = doc_text(way, "field");

	if (*value)
		web_allow_form(c->state->response, doc_text(way, "url"));
	call_set(c, "provider", json_string(doc_text(json_object_get(s->row, "idp"), "entity")));
	call_set(c, "go", *value ? json_null() : json_string(doc_text(way, "url")));
	call_set(c, "field", *value ? json_pack("{s:s, s:s, s:s, s:s}", "to", doc_text(way, "url"), "name", field, "value", value, "relay",
		relay) : json_null());
}

int saml_sign_out(struct call *c, int *rc)
{
	struct saml_side s = { .row = NULL };
	json_t *known = NULL, *answer = NULL;
	int mine = 0;

	if (c->api || saml_session_get(c->db, sign_side(c), &c->session, &known) < 0)
		return 0;
	*rc = saml_side_load(c, &c->tenant, &s);
	if (*rc == 0 && saml_side_ready(&s) && json_is_string(json_object_get(json_object_get(s.row, "idp"), "slo_url"))
		&& strcmp(doc_text(known, "issuer"), doc_text(json_object_get(s.row, "idp"), "entity")) == 0) {
		if (!call_has_answer(c)) {
			*rc = ask_logout(c, &s, known);
			mine = *rc == ERR_BUSY;
		} else if (call_answer(c, &answer) == 0 && json_is_object(json_object_get(answer, "logout"))) {
			show_way(c, &s, json_object_get(answer, "logout"), "SAMLRequest", "");
			*rc = 0;
			mine = 1;
		}
	}
	json_decref(answer);
	json_decref(known);
	saml_side_release(&s);
	return mine;
}

/* What the identity provider says of signing out: a request of its own, or the answer to ours. */

static int ask_told(struct call *c, const struct saml_side *s)
{
	const char *posted = call_has(c, "SAMLRequest") ? call_text(c, "SAMLRequest") : call_text(c, "SAMLResponse");
	int by_post = c->request->method == WEB_POST;
	struct buf question = BUF_INIT;
	char *id = new_id();
	int rc = saml_ask(c, s, SSO_saml_told, json_pack("{s:s, s:s, s:i}", "id", id, "relay", call_text(c, "RelayState"), "skew", ARRIVAL_SKEW),
		&question);

	if (rc == 0) {
		wire_put_u8(&question, (uint8_t)by_post);
		wire_put_string(&question, by_post ? posted : c->request->query ? c->request->query : "");
	}
	free(id);
	return rc == 0 ? call_ask(c, &question) : rc;
}

static int end_sessions(struct call *c, const struct saml_side *s, const json_t *answer)
{
	const json_t *logout = json_object_get(answer, "logout");
	const char *issuer = doc_text(json_object_get(s->row, "idp"), "entity");
	int count = 0, rc = saml_told_once(c->db, s->side, issuer, doc_text(logout, "id"));

	if (rc == ERR_CONFLICT)
		return refuse(c, s, "sign-out", "replay", err_text());
	if (rc == 0)
		rc = saml_session_end(c->db, s->side, issuer, doc_text(logout, "name_id"), json_object_get(logout, "sessions"), &count);
	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0 && json_is_object(json_object_get(answer, "yes")))
		show_way(c, s, json_object_get(answer, "yes"), "SAMLResponse", call_text(c, "RelayState"));
	else if (rc == 0)
		call_redirect(c, "/sign-in");
	return rc;
}

static int told(struct call *c, const struct saml_side *s)
{
	json_t *answer = NULL;
	const json_t *logout;
	int rc = call_answer(c, &answer);

	if (rc == 0 && doc_optional(answer, "refused"))
		rc = refuse(c, s, "sign-out", doc_text(answer, "refused"), doc_text(answer, "text"));
	if (rc == 0) {
		logout = json_object_get(answer, "logout");
		if (doc_optional(logout, "answers") == NULL) {
			rc = end_sessions(c, s, answer);
		} else {
			/* Our session ended before we asked: what the answer says changes nothing but the words. */
			call_notice(c, json_is_true(json_object_get(logout, "success")) ? "success" : "warning", json_is_true(json_object_get(logout,
				"success")) ? "You are signed out here and at the identity provider." :
				"You are signed out here. The identity provider could not end all sessions.");
			call_redirect(c, "/sign-in");
		}
	}
	json_decref(answer);
	return rc;
}

int saml_slo(struct call *c)
{
	struct saml_side s = { .row = NULL };
	int rc = begin_by_path(c, &s);

	if (rc == 0 && !saml_side_ready(&s))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = call_has_answer(c) ? told(c, &s) : ask_told(c, &s);
	db_rollback(c->db);
	saml_side_release(&s);
	return rc;
}
