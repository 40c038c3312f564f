/* saml.h - single sign-on by SAML, the same for both consoles (IDN-3): there and back in saml.c, who has come in saml_person.c, signing out in
 * saml_logout.c; settings in saml_settings.c, our own keys and the end of it in saml_key.c.
 *
 * The identity provider's answer comes as a POST from its own page, without the session's cookie (SameSite=Lax). What binds it to the
 * browser that asked is a cookie of its own, SameSite=None, for ten minutes: its SHA-256 is in the row of the request that the answer
 * names, and that row can be used once. */
#ifndef SHARED_SAML_H
#define SHARED_SAML_H

#include "store/saml.h"
#include "web/call.h"

/* A proof given there again counts for so long. */
#define SAML_PROOF_LIFE (5 * CLOCK_MINUTE)

#define SAML_COOKIE "keyward-saml"
#define SAML_FIELD_MAX 100000    /* characters of base64; ssod measures the XML inside */

/* SITE: "central" or "console"; BASE: "/saml" or "/saml/{id}". */
#define SHARED_SAML_ROWS(site, base, view, edit) \
	{ WEB_GET, "/saml/start", PERMISSION_PUBLIC, "console/saml_go", saml_start, saml_start_query, \
		ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY | ROUTE_COSTLY }, \
	{ WEB_GET, "/saml/again", PERMISSION_SIGNED_IN, "console/saml_go", saml_again, saml_again_query, ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY }, \
	{ WEB_GET, base "/metadata", PERMISSION_PUBLIC, NULL, saml_metadata, NULL, ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY | ROUTE_COSTLY }, \
	{ WEB_POST, base "/acs", PERMISSION_PUBLIC, NULL, saml_acs, saml_acs_fields, \
		ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY | ROUTE_SIGN_IN | ROUTE_FROM_OUTSIDE }, \
	{ WEB_GET, base "/slo", PERMISSION_PUBLIC, "console/saml_go", saml_slo, saml_slo_query, \
		ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY | ROUTE_COSTLY }, \
	{ WEB_POST, base "/slo", PERMISSION_PUBLIC, "console/saml_go", saml_slo, saml_slo_query, \
		ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY | ROUTE_FROM_OUTSIDE | ROUTE_COSTLY }, \
	{ WEB_GET, "/single-sign-on", view, "console/saml", saml_page, .change = edit }, \
	{ WEB_POST, "/single-sign-on", edit, NULL, saml_save, saml_fields }, \
	{ WEB_POST, "/single-sign-on/begin", edit, NULL, saml_begin, NULL, ROUTE_NO_TRANSACTION, .form = "/single-sign-on" }, \
	{ WEB_POST, "/single-sign-on/metadata", edit, NULL, saml_import, saml_import_fields, .form = "/single-sign-on" }, \
	{ WEB_POST, "/single-sign-on/fetch", edit, NULL, saml_fetch, saml_fetch_fields, .form = "/single-sign-on" }, \
	{ WEB_POST, "/single-sign-on/confirm", edit, NULL, saml_accept, saml_accept_fields, .form = "/single-sign-on" }, \
	{ WEB_POST, "/single-sign-on/discard", edit, NULL, saml_discard, NULL, .form = "/single-sign-on" }, \
	{ WEB_GET, "/single-sign-on/test", edit, "console/saml_go", saml_try, saml_try_query, ROUTE_NO_TRANSACTION | ROUTE_PAGE_ONLY }, \
	{ WEB_POST, "/single-sign-on/key/new", edit, NULL, saml_key_new, saml_key_fields, ROUTE_NO_TRANSACTION, .form = "/single-sign-on" }, \
	{ WEB_POST, "/single-sign-on/key/use", edit, NULL, saml_key_use, saml_key_chosen, .form = "/single-sign-on" }, \
	{ WEB_GET, "/single-sign-on/key/remove", edit, site "/confirm", saml_key_remove_ask }, \
	{ WEB_POST, "/single-sign-on/key/remove", edit, NULL, saml_key_remove_run, NULL, ROUTE_DESTROYS, .form = "/single-sign-on" }, \
	{ WEB_GET, "/single-sign-on/remove", edit, site "/confirm", saml_remove_ask }, \
	{ WEB_POST, "/single-sign-on/remove", edit, NULL, saml_remove_run, NULL, ROUTE_DESTROYS, .form = "/single-sign-on" }

int saml_start(struct call *c), saml_metadata(struct call *c), saml_acs(struct call *c), saml_slo(struct call *c), saml_page(struct call *c);
int saml_save(struct call *c), saml_begin(struct call *c), saml_import(struct call *c), saml_accept(struct call *c), saml_discard(struct call *c);
int saml_again(struct call *c), saml_try(struct call *c), saml_fetch(struct call *c);
int saml_key_new(struct call *c), saml_key_use(struct call *c), saml_key_remove_ask(struct call *c), saml_key_remove_run(struct call *c);
int saml_remove_ask(struct call *c), saml_remove_run(struct call *c);
extern const struct route_param saml_try_query[], saml_key_fields[], saml_key_chosen[];
extern const struct route_param saml_start_query[], saml_again_query[], saml_acs_fields[], saml_slo_query[], saml_fields[], saml_import_fields[], saml_accept_fields[],
	saml_fetch_fields[];

/* One side's settings and addresses, while a request is answered. */
struct saml_side {
	enum store_side side;
	struct uuid tenant;              /* nil: the operator's */
	json_t *row;                     /* store/saml.h saml_get */
	char *entity, *acs_url, *slo_url;
};
/* Opens a transaction of the side. */
int saml_side_begin(struct call *c, const struct uuid *tenant, struct saml_side *out);
/* The same for the account that the path names. ERR_NOT_FOUND: nothing was begun there. */
int saml_side_by_path(struct call *c, struct saml_side *out);
/* In the open transaction, bound to TENANT. */
int saml_side_load(struct call *c, const struct uuid *tenant, struct saml_side *out);
void saml_side_release(struct saml_side *s);
int saml_side_is(const struct saml_side *s, const char *mode);
int saml_side_ready(const struct saml_side *s);      /* there are a key and an identity provider */
int saml_side_has(const struct saml_side *s, const char *second);    /* a second key, "next" or "former"; NULL: any */
/* The question TYPE (sso/message.h) with ASK, taken over, and our private keys; in the open transaction. The caller adds what else belongs to it. */
int saml_ask(struct call *c, const struct saml_side *s, int type, json_t *ask, struct buf *question);
/* Seconds that the two clocks may differ. */
json_int_t saml_skew(const struct saml_side *s);
/* An id that nobody can guess, and that XML takes for one; the caller frees. */
char *saml_new_id(void);
/* Ends the open transaction: what was done of it stays done, the request used up. Logs REASON and TEXT; ACT: "sign-in" or "sign-out". Never 0. */
int saml_refuse_log(struct call *c, const char *act, const char *reason, const char *text);

/* What becomes of an answer that was judged, in the open transaction: SAID of the person. */
int saml_arrive(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said);
int saml_prove(struct call *c, const struct saml_side *s, const struct saml_request *r, const json_t *said);
int saml_trial(struct call *c, const struct saml_side *s, json_t *answer);   /* ANSWER: what was said, or why it was refused */

/* The page's part about our own keys, and what is left of single sign-on when it is removed (saml_key.c). */
int saml_key_show(struct call *c, const struct saml_side *s);

/* sign_in.c's sign_out: when the session came from the identity provider, which can end its own too: puts the question, or, when it was
 * answered, shows the way there. 1: the page is made or the question put, *RC is what to return. 0: only this session ends. */
int saml_sign_out(struct call *c, int *rc);

#endif
