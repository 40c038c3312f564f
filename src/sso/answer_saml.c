/* answer_saml.c - the handlers of SAML's messages (IDN-3): what they were asked with becomes typed, saml/ answers.
 *
 * SAML is {sp: {entity, acs_url, slo_url, certificate, second_certificate}, idp: what saml_idp_json gives, or null, ask: {...}}. In ask: id, relay,
 * format, again, second: signed with the second key (saml_start); request, skew (saml_judge); id, relay, name_id, format, session (saml_logout); id, skew (saml_told). */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "identity/own_key.h"
#include "outside/https.h"
#include "saml/saml.h"
#include "sso/answer.h"
#include "sso/message.h"

#define KEY_MAX 8192
#define CA_MAX 30000
#define FETCH_SECONDS 10

struct question {
	json_t *settings;
	const json_t *ask;
	struct secret *key, *second;
	struct saml_sp sp;
	struct saml_idp idp;
};

static void release(struct question *q)
{
	saml_idp_release(&q->idp);
	secret_free(q->key);
	secret_free(q->second);
	json_decref(q->settings);
}

/* A text of an object; NULL where there is none. */
static const char *text_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static int number_of(const json_t *o, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(o, name));

	return n < 0 || n > SAML_SKEW_MOST ? SAML_SKEW_MOST : (int)n;
}

/* NULL for none. */
static struct secret *take_key(struct wire_view v)
{
	struct secret *key = v.len ? secret_new(v.len) : NULL;

	if (key)
		memcpy(key->data, v.data, v.len);
	return key;
}

static int take(struct sso_act *a, struct question *q)
{
	struct wire_view settings = wire_get_bytes(&a->in, SSO_MESSAGE_MAX), key = wire_get_bytes(&a->in, KEY_MAX), second = wire_get_bytes(&a->in, KEY_MAX);
	const json_t *sp, *idp;

	memset(q, 0, sizeof *q);
	if (a->in.error || json_parse_object((const char *)settings.data, settings.len, SSO_MESSAGE_MAX, &q->settings) < 0)
		return err_set(ERR_INVALID, "settings that make no sense");
	q->key = take_key(key);
	q->second = take_key(second);
	q->ask = json_object_get(q->settings, "ask");
	sp = json_object_get(q->settings, "sp");
	idp = json_object_get(q->settings, "idp");
	q->sp = (struct saml_sp){ text_of(sp, "entity"), text_of(sp, "acs_url"), text_of(sp, "slo_url"), text_of(sp, "certificate"), q->key,
		text_of(sp, "second_certificate"), q->second };
	if (!q->sp.entity || !q->sp.acs_url || !q->sp.slo_url || !q->sp.certificate)
		return err_set(ERR_INVALID, "settings of this side are missing");
	return json_is_object(idp) ? saml_idp_read(idp, &q->idp) : 0;
}

/* What is to be asked needs the other side. */
static int take_both(struct sso_act *a, struct question *q)
{
	int rc = take(a, q);

	if (rc == 0 && (q->idp.entity == NULL || q->key == NULL))
		rc = err_set(ERR_INVALID, q->key ? "there is no identity provider" : "there is no key of ours");
	return rc;
}

/* Takes O over. */
static int put(struct sso_act *a, json_t *o)
{
	char *text = json_text(o);
	size_t len = strlen(text);
	int rc = len + 64 > SSO_MESSAGE_MAX ? err_set(ERR_TOO_LARGE, "more than fits into an answer") : 0;

	if (rc == 0)
		wire_put_bytes(a->out, text, len);
	free(text);
	json_decref(o);
	return rc;
}

/* A refusal is an answer, not a failure: the page logs its reason. */
static int put_refused(struct sso_act *a, const struct saml_verdict *v)
{
	return put(a, json_pack("{s:s, s:s}", "refused", saml_reason_name(v->reason), "text", v->text));
}

static int put_metadata(struct sso_act *a, const char *bytes, size_t len)
{
	struct saml_idp idp = { .entity = NULL };
	struct saml_verdict verdict = { SAML_NONE, "" };
	int rc = saml_metadata_read(bytes, len, clock_now(), &idp, &verdict);

	rc = rc == 0 ? put(a, json_pack("{s:o}", "idp", saml_idp_json(&idp))) : verdict.reason ? put_refused(a, &verdict) : rc;
	saml_idp_release(&idp);
	return rc;
}

int answer_saml_metadata(struct sso_act *a)
{
	struct wire_view v = wire_get_bytes(&a->in, SSO_MESSAGE_MAX);
	int rc = wire_end(&a->in);

	return rc == 0 ? put_metadata(a, (const char *)v.data, v.len) : rc;
}

int answer_saml_fetch(struct sso_act *a)
{
	char *url = wire_get_string(&a->in, SAML_URL_MAX), *ca = wire_get_string(&a->in, CA_MAX);
	struct https_server server = { .url = url, .ca_pem = ca, .local = sso_options.local, .distant = !sso_options.private };
	struct buf xml = BUF_INIT;
	int rc = wire_end(&a->in), got = 0;

	if (rc == 0)
		got = *ca ? https_check_ca(ca) : 0;
	if (rc == 0 && got == 0)
		got = https_get(&server, SAML_METADATA_MAX, service_seconds(FETCH_SECONDS), &xml);
	/* That it cannot be had is an answer: whoever typed the address reads why. */
	if (rc == 0)
		rc = got < 0 ? put(a, json_pack("{s:s, s:s}", "refused", err_name(got), "text", err_text())) : put_metadata(a, xml.data, xml.len);
	buf_free(&xml);
	free(url);
	free(ca);
	return rc;
}

int answer_saml_describe(struct sso_act *a)
{
	struct question q;
	struct buf xml = BUF_INIT;
	int rc = take(a, &q);

	if (rc == 0)
		rc = wire_end(&a->in);
	if (rc == 0) {
		saml_metadata_write(&q.sp, &xml);
		rc = put(a, json_pack("{s:s}", "xml", buf_str(&xml)));
	}
	buf_free(&xml);
	release(&q);
	return rc;
}

int answer_saml_start(struct sso_act *a)
{
	struct question q;
	struct buf url = BUF_INIT;
	int rc = take_both(a, &q);

	if (rc == 0)
		rc = wire_end(&a->in);
	if (rc == 0 && text_of(q.ask, "id") == NULL)
		rc = err_set(ERR_INVALID, "no id");
	if (rc == 0 && json_is_true(json_object_get(q.ask, "second")))
		rc = q.second ? 0 : err_set(ERR_INVALID, "there is no second key");
	if (rc == 0 && json_is_true(json_object_get(q.ask, "second")))
		q.sp.key = q.second;
	if (rc == 0)
		rc = saml_request_url(&q.sp, &q.idp, &(struct saml_ask){ .id = text_of(q.ask, "id"), .relay = text_of(q.ask, "relay"),
			.format = text_of(q.ask, "format"), .again = json_is_true(json_object_get(q.ask, "again")), .now = clock_now() }, &url);
	if (rc == 0)
		rc = put(a, json_pack("{s:s, s:s}", "url", buf_str(&url), "id", text_of(q.ask, "id")));
	buf_free(&url);
	release(&q);
	return rc;
}

int answer_saml_judge(struct sso_act *a)
{
	struct question q;
	struct saml_verdict verdict = { SAML_NONE, "" };
	struct wire_view response;
	json_t *said = NULL;
	int rc = take_both(a, &q);

	response = wire_get_bytes(&a->in, SSO_MESSAGE_MAX);
	if (rc == 0)
		rc = wire_end(&a->in);
	if (rc == 0 && text_of(q.ask, "request") == NULL)
		rc = err_set(ERR_INVALID, "no request");
	if (rc == 0) {
		struct saml_expected e = { text_of(q.ask, "request"), clock_now(), number_of(q.ask, "skew") };

		rc = saml_response_judge(&q.sp, &q.idp, &e, (const char *)response.data, response.len, &said, &verdict);
		rc = rc == 0 ? put(a, json_pack("{s:o}", "said", said)) : verdict.reason ? put_refused(a, &verdict) : rc;
	}
	release(&q);
	return rc;
}

/* {url, field}, or null where the other side has no single logout. */
static int make_logout(const struct question *q, const struct saml_logout_ask *ask, json_t **out)
{
	struct buf url = BUF_INIT, field = BUF_INIT;
	int rc = q->idp.slo_url ? saml_logout_url(&q->sp, &q->idp, ask, &url, &field) : 0;

	if (rc == 0)
		*out = q->idp.slo_url ? json_pack("{s:s, s:s}", "url", buf_str(&url), "field", buf_str(&field)) : json_null();
	buf_free(&url);
	buf_free(&field);
	return rc;
}

int answer_saml_logout(struct sso_act *a)
{
	struct question q;
	json_t *out = NULL;
	int rc = take_both(a, &q);

	if (rc == 0)
		rc = wire_end(&a->in);
	if (rc == 0 && (text_of(q.ask, "id") == NULL || text_of(q.ask, "name_id") == NULL))
		rc = err_set(ERR_INVALID, "nobody to sign out");
	if (rc == 0)
		rc = make_logout(&q, &(struct saml_logout_ask){ .id = text_of(q.ask, "id"), .relay = text_of(q.ask, "relay"),
			.name_id = text_of(q.ask, "name_id"), .format = text_of(q.ask, "format"), .session = text_of(q.ask, "session"),
			.now = clock_now() }, &out);
	if (rc == 0)
		rc = put(a, json_pack("{s:o}", "logout", out));
	release(&q);
	return rc;
}

/* Both answers to a request are made at once: which one is given is known when the sessions have ended. */
static int put_told(struct sso_act *a, const struct question *q, const struct saml_logout *l)
{
	json_t *yes = json_null(), *no = json_null();
	int rc = 0;

	if (l->request == NULL) {
		struct saml_logout_ask ask = { .id = text_of(q->ask, "id"), .relay = text_of(q->ask, "relay"), .request = l->id, .success = 1,
			.now = clock_now() };

		rc = make_logout(q, &ask, &yes);
		ask.success = 0;
		if (rc == 0)
			rc = make_logout(q, &ask, &no);
	}
	return rc < 0 ? rc : put(a, json_pack("{s:{s:s, s:s?, s:s?, s:O?, s:b}, s:o, s:o}", "logout", "id", l->id, "answers", l->request, "name_id",
		l->name_id, "sessions", l->sessions, "success", l->success, "yes", yes, "no", no));
}

int answer_saml_told(struct sso_act *a)
{
	struct question q;
	struct saml_verdict verdict = { SAML_NONE, "" };
	struct saml_logout l = { .id = NULL };
	int by_post, rc = take_both(a, &q);
	struct wire_view message;
	char *text = NULL;

	by_post = wire_get_u8(&a->in);
	message = wire_get_bytes(&a->in, SSO_MESSAGE_MAX);
	if (rc == 0)
		rc = wire_end(&a->in);
	if (rc == 0 && text_of(q.ask, "id") == NULL)
		rc = err_set(ERR_INVALID, "no id");
	if (rc == 0) {
		text = strndup((const char *)message.data, message.len);
		rc = by_post ? saml_logout_post(&q.sp, &q.idp, text, strlen(text), clock_now(), number_of(q.ask, "skew"), &l, &verdict)
			: saml_logout_query(&q.sp, &q.idp, text, clock_now(), number_of(q.ask, "skew"), &l, &verdict);
		rc = rc == 0 ? put_told(a, &q, &l) : verdict.reason ? put_refused(a, &verdict) : rc;
	}
	free(text);
	saml_logout_release(&l);
	release(&q);
	return rc;
}

/* Signs and reads once, so that libxml2, xmlsec and OpenSSL have everything. */
int rehearse_saml(void)
{
	struct secret *key = NULL;
	char *certificate = NULL;
	struct buf out = BUF_INIT, field = BUF_INIT;
	struct saml_verdict v;
	struct saml_logout l = { .id = NULL };
	int rc;

	saml_init();
	rc = own_key_make("rehearsal", clock_now(), &key, &certificate);
	if (rc == 0) {
		struct saml_sp sp = { "urn:rehearsal", "https://rehearsal.invalid/acs", "https://rehearsal.invalid/slo", certificate, key, NULL, NULL };
		struct saml_idp idp = { .entity = (char *)(uintptr_t)sp.entity, .sso_url = (char *)(uintptr_t)sp.acs_url,
			.slo_url = (char *)(uintptr_t)sp.slo_url, .slo_post = 1, .certificates = { certificate }, .certificate_count = 1 };
		struct saml_logout_ask ask = { .id = "_rehearsal", .name_id = "nobody", .now = clock_now() };

		rc = saml_logout_url(&sp, &idp, &ask, &out, &field);
		if (rc == 0)
			rc = saml_logout_post(&sp, &idp, field.data, field.len, clock_now(), 60, &l, &v);
		idp.slo_post = 0;
		if (rc == 0)
			rc = saml_logout_url(&sp, &idp, &ask, &out, &field);
	}
	saml_logout_release(&l);
	buf_free(&out);
	buf_free(&field);
	secret_free(key);
	free(certificate);
	return rc;
}
