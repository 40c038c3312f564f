/* saml.c - there and back: our metadata, the way to an identity provider, and the answer that a browser brings (IDN-3, SEC-3).
 *
 * Each of these requests asks ssod once and is then run again (web/ask.h). What is refused is written to the log with its reason; the page
 * says the same for all. Who has come is saml_person.c's. */
#include "shared/saml.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/token.h"
#include "sso/client.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/guard.h"
#include "web/sign.h"

#define AGAIN "again"            /* the purpose of a request: who is signed in proves it once more */
#define NOT_SET "Single sign-on is not set up for this account."

const struct route_param saml_start_query[] = {
	{ "account", "Account name", PARAM_TEXT, 0, 0, 63, NULL },
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param saml_again_query[] = {
	{ "return_to", NULL, PARAM_TEXT, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param saml_try_query[] = {
	{ "second", NULL, PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

const struct route_param saml_acs_fields[] = {
	{ "SAMLResponse", NULL, PARAM_LINES, PARAM_REQUIRED, 1, SAML_FIELD_MAX, NULL },
	{ "RelayState", NULL, PARAM_TEXT, 0, 0, 200, NULL },
	PARAM_END
};

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
	rc = saml_side_by_path(c, &s);
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
	rc = saml_request_add(c->db, s->side, id, hash, purpose, uuid_is_nil(&c->user) ? NULL : &c->user,
		uuid_is_nil(&c->session) ? NULL : &c->session, return_to, c->now + SAML_REQUEST_LIFE);
	if (rc == 0)
		call_set_cookie(c, SAML_COOKIE, token, SAML_REQUEST_LIFE / CLOCK_SECOND, "None");
	return rc;
}

/* PURPOSE "test" may be signed with the key that is not in use: whether the identity provider knows the next one is seen before it is needed. */
static int ask_way(struct call *c, const struct saml_side *s, const char *purpose)
{
	const json_t *settings = json_object_get(s->row, "settings");
	int trial = strcmp(purpose, "test") == 0;
	struct buf question = BUF_INIT;
	char *id = saml_new_id();
	int rc = saml_ask(c, s, SSO_saml_start, json_pack("{s:s, s:s, s:s, s:b, s:b}", "id", id, "relay", id, "format", doc_text(settings, "format"),
		"again", trial || strcmp(purpose, AGAIN) == 0, "second", trial && call_bool(c, "second")), &question);

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
	int rc = saml_side_begin(c, tenant, &s), trial = strcmp(purpose, "test") == 0;

	if (rc == 0 && (!saml_side_ready(&s) || (saml_side_is(&s, "off") && !trial)))
		rc = call_refuse(c, ERR_NOT_FOUND, NOT_SET);
	if (rc == 0 && trial && call_bool(c, "second") && !saml_side_has(&s, NULL))
		rc = call_refuse(c, ERR_NOT_FOUND, "There is no second key.");
	if (rc == 0)
		rc = call_has_answer(c) ? go(c, &s, purpose, return_to) : ask_way(c, &s, purpose);
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

int saml_again(struct call *c)
{
	return leave(c, &c->tenant, AGAIN, guard_return(call_text(c, "return_to")));
}

/* The answer */

static int find_request(struct call *c, const struct saml_side *s, struct saml_request *out)
{
	const char *relay = call_text(c, "RelayState"), *cookie = call_cookie(c, SAML_COOKIE);
	uint8_t hash[TOKEN_HASH_SIZE];
	int rc;

	if (*relay == '\0')
		return saml_refuse_log(c, "sign-in", "unsolicited", "nobody asked for this answer: it has no RelayState");
	if (cookie == NULL)
		return saml_refuse_log(c, "sign-in", "replay", "the browser that brings the answer has asked nothing");
	token_hash(cookie, hash);
	rc = saml_request_find(c->db, s->side, relay, hash, call_has_answer(c), out);
	return rc == ERR_NOT_FOUND ? saml_refuse_log(c, "sign-in", "replay", "no request of this browser waits for it: answered already, too old, or "
		"another browser's") : rc;
}

static int ask_judge(struct call *c, const struct saml_side *s, const struct saml_request *r)
{
	struct buf question = BUF_INIT;
	int rc = saml_ask(c, s, SSO_saml_judge, json_pack("{s:s, s:I}", "request", r->id, "skew", saml_skew(s)), &question);

	if (rc == 0)
		wire_put_string(&question, call_text(c, "SAMLResponse"));
	return rc == 0 ? call_ask(c, &question) : rc;
}

static int judged(struct call *c, const struct saml_side *s, const struct saml_request *r)
{
	json_t *answer = NULL;
	const char *reason;
	int rc = call_answer(c, &answer);

	if (rc < 0)
		return rc;
	reason = doc_optional(answer, "refused");
	if (strcmp(r->purpose, "test") == 0) {
		rc = saml_trial(c, s, answer);
	} else if (reason) {
		rc = saml_refuse_log(c, "sign-in", reason, doc_text(answer, "text"));
	} else if (strcmp(r->purpose, AGAIN) == 0) {
		rc = saml_prove(c, s, r, json_object_get(answer, "said"));
	} else {
		rc = saml_arrive(c, s, r, json_object_get(answer, "said"));
	}
	json_decref(answer);
	return rc;
}

int saml_acs(struct call *c)
{
	struct saml_side s = { .row = NULL };
	struct saml_request r = { .id = NULL };
	int rc = saml_side_by_path(c, &s);

	if (rc == 0 && !saml_side_ready(&s))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = find_request(c, &s, &r);
	if (rc == 0 && strcmp(r.purpose, "test") != 0 && saml_side_is(&s, "off"))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = call_has_answer(c) ? judged(c, &s, &r) : ask_judge(c, &s, &r);
	db_rollback(c->db);
	saml_request_release(&r);
	saml_side_release(&s);
	return rc;
}
