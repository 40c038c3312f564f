/* saml_logout.c - single logout: signing out here ends the session at the identity provider too, and the other way round (IDN-3, SEC-3). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/arrival.h"
#include "shared/saml.h"
#include "sso/client.h"
#include "web/ask.h"
#include "web/doc.h"
#include "web/sign.h"

/* By redirect the raw query counts, because it is what is signed. */
const struct route_param saml_slo_query[] = {
	{ "SAMLRequest", NULL, PARAM_LINES, 0, 0, SAML_FIELD_MAX, NULL },
	{ "SAMLResponse", NULL, PARAM_LINES, 0, 0, SAML_FIELD_MAX, NULL },
	{ "RelayState", NULL, PARAM_TEXT, 0, 0, 200, NULL },
	PARAM_END
};

/* Signing out here: there too */

static int ask_logout(struct call *c, const struct saml_side *s, const json_t *known)
{
	struct buf question = BUF_INIT;
	char *id = saml_new_id();
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
		call_allow_form(c, doc_text(way, "url"));
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
	char *id = saml_new_id();
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
		return saml_refuse_log(c, "sign-out", "replay", err_text());
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
		rc = saml_refuse_log(c, "sign-out", doc_text(answer, "refused"), doc_text(answer, "text"));
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
	int rc = saml_side_by_path(c, &s);

	if (rc == 0 && !saml_side_ready(&s))
		rc = ERR_NOT_FOUND;
	if (rc == 0)
		rc = call_has_answer(c) ? told(c, &s) : ask_told(c, &s);
	db_rollback(c->db);
	saml_side_release(&s);
	return rc;
}
