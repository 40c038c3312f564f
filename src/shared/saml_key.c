/* saml_key.c - our own keys of single sign-on (IDN-3): made, renewed, removed; and single sign-on removed as a whole.
 *
 * A key is renewed without anybody being shut out: the next one stands in the metadata beside the one in use until it takes over, by a button or when its time
 * has come (jobs/saml_key.c). The former one still reads what was encrypted for it, and can be taken back, until it goes in the same way. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/certificate.h"
#include "identity/own_key.h"
#include "shared/saml.h"
#include "web/doc.h"
#include "web/sign.h"
#include "web/vault.h"

#define PAGE "/single-sign-on"
#define DAYS 14
#define FINGERPRINT (sizeof ((struct certificate *)0)->fingerprint - 1)

const struct route_param saml_key_fields[] = {
	{ "days", "Days beside each other", PARAM_INT, PARAM_REQUIRED, 1, SAML_SECOND_DAYS_MOST, NULL },
	PARAM_END
};

const struct route_param saml_key_chosen[] = {
	{ "key", NULL, PARAM_TEXT, PARAM_REQUIRED, FINGERPRINT, FINGERPRINT, NULL },
	PARAM_END
};

/* The certificate in the column NAME; ERR_NOT_FOUND: none. */
static int read_own(const json_t *row, const char *name, const char **pem, struct certificate *out)
{
	*pem = doc_optional(row, name);
	return *pem ? certificate_read(*pem, strlen(*pem), out) : err_set(ERR_NOT_FOUND, "there is no such key");
}

/* Page */

static json_t *show_certificate(const struct call *c, const struct certificate *x)
{
	return json_pack("{s:s, s:o, s:b, s:b}", "sha256", x->fingerprint, "until", call_when(c, x->not_after), "expired", x->not_after < c->now, "soon",
		x->not_after >= c->now && x->not_after - c->now < SAML_ENDS_SOON);
}

int saml_key_show(struct call *c, const struct saml_side *s)
{
	struct certificate x;
	const char *pem;
	json_t *own = json_null(), *second = json_null();
	int rc = read_own(s->row, "certificate", &pem, &x);

	if (rc == 0)
		own = show_certificate(c, &x);
	if (rc == 0)
		rc = read_own(s->row, "second_certificate", &pem, &x);
	if (rc == 0) {
		second = show_certificate(c, &x);
		json_object_set_new(second, "next", json_boolean(saml_side_has(s, "next")));
		json_object_set_new(second, "turns", doc_when(c, s->row, "second_until"));
	}
	call_set(c, "own", own);
	call_set(c, "second", second);
	call_form(c, "days", json_integer(DAYS));
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Making */

static int protect(struct call *c, const struct secret *key, struct buf *blob)
{
	return c->site == WEB_CENTRAL ? keys_system_protect(c->keys, &c->id, SAML_KEY_PURPOSE, key, blob) : vault_protect(c, SAML_KEY_PURPOSE, key, blob);
}

static int keep_first(struct call *c, const char *certificate, const struct buf *blob)
{
	return saml_set_key(c->db, sign_side(c), certificate, blob);
}

static int keep_next(struct call *c, const char *certificate, const struct buf *blob)
{
	struct certificate x;
	int rc = certificate_read(certificate, strlen(certificate), &x);

	return rc == 0 ? saml_second_add(c->db, sign_side(c), certificate, blob, x.fingerprint, (int)call_int(c, "days", DAYS)) : rc;
}

/* Making takes up to a second: in no transaction. */
static int make(struct call *c, int (*keep)(struct call *c, const char *certificate, const struct buf *blob))
{
	struct secret *key = NULL;
	struct buf blob = BUF_INIT;
	char *certificate = NULL;
	int rc = own_key_make("Keyward single sign-on", c->now, &key, &certificate);

	if (rc == 0)
		rc = sign_begin(c, &c->tenant);
	if (rc == 0)
		rc = protect(c, key, &blob);
	if (rc == 0)
		rc = keep(c, certificate, &blob);
	rc = call_end(c, rc);
	buf_free(&blob);
	secret_free(key);
	free(certificate);
	return rc;
}

int saml_begin(struct call *c)
{
	int rc = make(c, keep_first);

	if (rc < 0)
		return rc;
	call_redirect(c, PAGE);
	return 0;
}

int saml_key_new(struct call *c)
{
	int rc = make(c, keep_next);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "There is a second key already, or none to put one beside.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The new key stands in the metadata beside the one in use. Give them to the identity provider, then try a sign-in with it.");
	call_redirect(c, PAGE);
	return 0;
}

/* Turning */

/* KEY says which one is meant to be in use, so that sending it twice does not turn back. */
int saml_key_use(struct call *c)
{
	const char *wanted = call_text(c, "key"), *pem;
	struct certificate in_use, second;
	json_t *row = NULL;
	int rc = saml_get(c->db, sign_side(c), &row), done;

	if (rc == 0)
		rc = read_own(row, "certificate", &pem, &in_use);
	done = rc == 0 && strcmp(in_use.fingerprint, wanted) == 0;
	if (rc == 0 && !done)
		rc = read_own(row, "second_certificate", &pem, &second);
	if (rc == 0 && !done)
		rc = strcmp(second.fingerprint, wanted) == 0 ? saml_second_use(c->db, sign_side(c), pem, second.fingerprint) : ERR_NOT_FOUND;
	json_decref(row);
	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "The keys have changed meanwhile. Look at them again.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Requests are signed with this key from now on. The other one still reads what is encrypted for it.");
	call_redirect(c, PAGE);
	return 0;
}

int saml_key_remove_ask(struct call *c)
{
	struct certificate x;
	json_t *row = NULL;
	const char *pem;
	int next, rc = saml_get(c->db, sign_side(c), &row);

	if (rc == 0)
		rc = read_own(row, "second_certificate", &pem, &x);
	if (rc == 0) {
		next = strcmp(doc_text(row, "second_is"), "next") == 0;
		doc_ask_remove(c, PAGE "/key", next ? "Remove the new key %{name}?" : "Remove the former key %{name}?", x.fingerprint, next ?
			"It was never in use. An identity provider that was given it has to forget it too." :
			"What an identity provider encrypts for it cannot be read any more, and it cannot be taken back.", NULL, "Remove");
		json_object_set_new(json_object_get(c->doc, "confirm"), "cancel", json_string(PAGE));
	}
	json_decref(row);
	return rc;
}

int saml_key_remove_run(struct call *c)
{
	struct certificate x;
	json_t *row = NULL;
	const char *pem;
	int rc = saml_get(c->db, sign_side(c), &row);

	if (rc == 0)
		rc = read_own(row, "second_certificate", &pem, &x);
	if (rc == 0)
		rc = saml_second_drop(c->db, sign_side(c), pem, x.fingerprint);
	json_decref(row);
	/* It is gone: the same button twice, or two people. */
	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	call_redirect(c, PAGE);
	return 0;
}

/* The end of it */

static json_t *what_is_lost(struct call *c, const struct saml_side *s, int64_t people, int is_one)
{
	json_t *out = json_array();

	json_array_append_new(out, json_string(call_translate(c, "Our key, the identity provider's metadata and the rules about people are forgotten")));
	if (people)
		json_array_append_new(out, call_counted(c, people, "%{n} user signs in by it and has no password: that user is signed out, and cannot sign in before being "
			"invited on the user's page or asking for a link as for a forgotten password", "%{n} users sign in by it and have no password: they are signed out, and "
			"cannot sign in before being invited on their pages or asking for a link as for a forgotten password"));
	else
		json_array_append_new(out, json_string(call_translate(c, "Nobody signs in by it")));
	if (is_one)
		json_array_append_new(out, json_string(call_translate(c, "You are one of them: you are signed out")));
	if (saml_side_is(s, "required"))
		json_array_append_new(out, json_string(call_translate(c, "Passwords of this console count again for all who have one")));
	return out;
}

int saml_remove_ask(struct call *c)
{
	struct saml_side s = { .row = NULL };
	int64_t people = 0;
	int is_one = 0, rc = saml_side_load(c, &c->tenant, &s);
	const char *provider;

	if (rc < 0)
		return rc;
	if (doc_optional(s.row, "certificate") == NULL)
		rc = err_set(ERR_NOT_FOUND, "there is no single sign-on");
	if (rc == 0)
		rc = saml_people(c->db, s.side, &c->user, &people, &is_one);
	provider = doc_optional(json_object_get(s.row, "idp"), "entity");
	if (rc == 0)
		doc_ask_remove(c, PAGE, provider ? "Remove single sign-on with %{name}?" : "Remove single sign-on?", provider ? provider : "",
			"It can be set up again, with a new key that the identity provider has to be given. Its people become local users: the same names, roles and log.",
			what_is_lost(c, &s, people, is_one), "Remove single sign-on");
	saml_side_release(&s);
	return rc;
}

int saml_remove_run(struct call *c)
{
	int rc = saml_remove(c->db, sign_side(c));

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == 0)
		call_notice(c, "success", "Single sign-on is removed.");
	call_redirect(c, PAGE);
	return 0;
}
