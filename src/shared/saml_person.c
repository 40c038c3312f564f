/* saml_person.c - whom the identity provider has vouched for, as a user of this side: signed in, proven once more, or only shown (IDN-3).
 *
 * What was said has been judged already (sso/answer_saml.c); here it is decided whose it is. What is refused is logged with its reason. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/arrival.h"
#include "shared/saml.h"
#include "shared/sign_step.h"
#include "store/user_outside.h"
#include "web/doc.h"
#include "web/guard.h"
#include "web/sign.h"

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

/* What comes after goes by the role that the person has now. */
static int update_user(struct call *c, const struct saml_side *s, const struct user_outside *o, struct user *u, const char **refused)
{
	if (strcmp(u->state, "active") == 0)
		return user_refresh(c->db, s->side, u, o);
	*refused = "disabled";
	return err_set(ERR_FORBIDDEN, "the user %s is disabled here", u->email);
}

static int accept(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said, const struct user *u)
{
	/* The session is known there from its first moment on: else nobody there could end it. */
	const struct saml_name name = { doc_text(said, "issuer"), doc_text(said, "name_id"), doc_text(said, "format"), doc_optional(said, "session") };
	int rc = sign_accept(c, &s->tenant, u, "saml", r->return_to, &name);

	if (rc == 0) {
		sign_forgive(c);
		call_set_cookie(c, SAML_COOKIE, "", -1, "None");
	}
	return rc;
}

/* EXTERNAL: by which store/user_outside.h knows the person; the caller's. */
static int who_arrives(const struct saml_side *s, const json_t *said, struct arrival *a, char **external)
{
	int rc = arrival_decide(json_object_get(s->row, "settings"), said, s->side == STORE_OPERATOR, a);

	if (rc == 0 && (*external = identity_external(doc_text(said, "issuer"), a->subject)) == NULL)
		rc = err_set(ERR_FORBIDDEN, "the identifier is too long");
	return rc;
}

int saml_arrive(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said)
{
	struct arrival a;
	struct user u = { .email = NULL };
	const char *refused = "person";
	char *external = NULL;
	int rc = who_arrives(s, said, &a, &external);

	if (rc == 0) {
		struct user_outside o = { .source = USER_OF_SAML, .external_id = external, .email = a.mail, .name = a.name, .role = role_name(a.role) };

		rc = find_user(c, s, &o, &u, &refused);
		if (rc == 0)
			rc = update_user(c, s, &o, &u, &refused);
	}
	if (rc == ERR_FORBIDDEN)
		rc = saml_refuse_log(c, "sign-in", refused, err_text());
	else if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0)
		rc = accept(c, s, r, said, &u);
	user_release(&u);
	free(external);
	return rc;
}

/* Whether the person was asked, and not only known from before: after our request left, as far as the two clocks agree. */
static int is_anew(const struct saml_side *s, const struct saml_request *r, const json_t *said)
{
	clock_us at = 0;

	return clock_parse(doc_text(said, "signed_in"), &at) == 0 && at >= r->expires - SAML_REQUEST_LIFE - saml_skew(s) * CLOCK_SECOND;
}

/* Signed in already: the session is proven anew, and nobody is signed in by it. */
int saml_prove(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said)
{
	struct arrival a;
	struct user u = { .email = NULL };
	const char *refused = "person";
	char *external = NULL;
	int rc = who_arrives(s, said, &a, &external);

	if (rc == 0)
		rc = user_by_external(c->db, s->side, USER_OF_SAML, external, &u);
	if (rc == ERR_NOT_FOUND || (rc == 0 && !uuid_equal(&u.id, &r->user))) {
		refused = "another-person";
		rc = err_set(ERR_FORBIDDEN, "%s was to prove who it is, and %s did", c->user_email ? c->user_email : "somebody else", external);
	} else if (rc == 0 && !is_anew(s, r, said)) {
		refused = "not-anew";
		rc = err_set(ERR_FORBIDDEN, "the identity provider has not asked again: signed in there at %s", doc_text(said, "signed_in"));
	}
	if (rc == 0)
		rc = saml_session_prove(c->db, s->side, &r->session, &r->user);
	if (rc == ERR_NOT_FOUND) {
		refused = "no-session";
		rc = err_set(ERR_FORBIDDEN, "the session for which it was asked has ended");
	}
	if (rc == ERR_FORBIDDEN)
		rc = saml_refuse_log(c, "sign-in", refused, err_text());
	else if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0)
		call_redirect(c, "%s", guard_return(r->return_to));
	user_release(&u);
	free(external);
	return rc;
}

/* Whom a sign-in would find, as find_user and update_user do, with nobody made or linked; *PROBLEM: what would stand in the way. */
static int foresee(struct call *c, const struct saml_side *s, const char *external, const char *mail, struct user *u, const char **problem)
{
	int rc = user_by_external(c->db, s->side, USER_OF_SAML, external, u);

	if (rc == 0 && strcmp(u->state, "active") != 0)
		*problem = "The user is disabled here.";
	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = user_by_email(c->db, s->side, mail, u);
	if (rc == 0) {
		rc = identity_may_link(c->db, s->side, mail);
		if (rc == 0)
			*problem = "There is another user with this address. An administrator can allow the link on the user's page.";
		return rc < 0 ? rc : 0;
	}
	if (rc == ERR_NOT_FOUND && !json_is_true(json_object_get(json_object_get(s->row, "settings"), "create")))
		*problem = "There is no user for this person, and none is made at the first sign-in.";
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* What a trial brought, for the administrator's eyes alone. */
static int trial_of(struct call *c, const struct saml_side *s, const json_t *said, json_t **out)
{
	struct arrival a;
	struct user u = { .email = NULL };
	char *external = NULL, *why = NULL;
	const char *problem = NULL;
	int rc = who_arrives(s, said, &a, &external);

	if (rc == ERR_FORBIDDEN) {
		problem = why = mem_strdup(err_text());
		rc = 0;
	} else if (rc == 0) {
		rc = foresee(c, s, external, a.mail, &u, &problem);
	}
	if (rc == 0)
		*out = json_pack("{s:O, s:s?, s:s, s:s, s:s, s:s, s:s?, s:s?}", "said", said, "problem", problem, "subject", a.subject, "name", a.name, "mail", a.mail,
			"role", a.role == ROLE_NONE ? "" : role_name(a.role), "value", a.value, "user", u.email);
	user_release(&u);
	free(external);
	free(why);
	return rc;
}

int saml_trial(struct call *c, const struct saml_side *s, json_t *answer)
{
	json_t *result = NULL;
	int rc = 0;

	if (doc_optional(answer, "refused"))
		result = json_incref(answer);
	else
		rc = trial_of(c, s, json_object_get(answer, "said"), &result);
	if (rc == 0)
		rc = saml_set_test(c->db, s->side, result);
	json_decref(result);
	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0)
		call_redirect(c, "/single-sign-on");
	return rc;
}
