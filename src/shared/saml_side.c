/* saml_side.c - what all directions of single sign-on need: settings, addresses, questions with our private keys, and refusals. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "identity/arrival.h"
#include "identity/token.h"
#include "shared/saml.h"
#include "sso/client.h"
#include "web/sign.h"
#include "web/vault.h"
#include "web/web.h"

#define REFUSAL "You could not be signed in. Your administrator finds the reason in the log. To try again, begin at the sign-in page: an " \
	"answer of the identity provider is good once, and for a few minutes."
#define REFUSAL_OUT "This message of the identity provider does not sign anybody out: it is good once, for a few minutes, and as it was signed. Your " \
	"administrator finds the reason in the log."

int saml_side_load(struct call *c, const struct uuid *tenant, struct saml_side *out)
{
	struct saml_side s = { .side = sign_side(c) };
	char id[UUID_TEXT_SIZE], *base;
	int rc = saml_get(c->db, s.side, &s.row);

	if (rc < 0)
		return rc;
	if (s.side == STORE_TENANT) {
		s.tenant = *tenant;
		uuid_text(tenant, id);
		base = mem_printf("%s/saml/%s", call_web(c)->origin[c->site], id);
	} else {
		base = mem_printf("%s/saml", call_web(c)->origin[c->site]);
	}
	s.entity = mem_printf("%s/metadata", base);
	s.acs_url = mem_printf("%s/acs", base);
	s.slo_url = mem_printf("%s/slo", base);
	free(base);
	*out = s;
	return 0;
}

void saml_side_release(struct saml_side *s)
{
	json_decref(s->row);
	free(s->entity);
	free(s->acs_url);
	free(s->slo_url);
	memset(s, 0, sizeof *s);
}

int saml_side_begin(struct call *c, const struct uuid *tenant, struct saml_side *s)
{
	int rc = sign_begin(c, tenant);

	return rc == 0 ? saml_side_load(c, tenant, s) : rc;
}

int saml_side_by_path(struct call *c, struct saml_side *s)
{
	struct uuid tenant = { { 0 } };
	int rc;

	if (c->site == WEB_CONSOLE)
		tenant = call_uuid(c, "id");
	rc = saml_side_begin(c, &tenant, s);
	return rc == 0 && !json_is_string(json_object_get(s->row, "certificate")) ? ERR_NOT_FOUND : rc;
}

int saml_side_is(const struct saml_side *s, const char *mode)
{
	const char *is = json_string_value(json_object_get(s->row, "mode"));

	return is && strcmp(is, mode) == 0;
}

int saml_side_has(const struct saml_side *s, const char *second)
{
	const char *is = json_string_value(json_object_get(s->row, "second_is"));

	return is && (second == NULL || strcmp(is, second) == 0);
}

int saml_side_ready(const struct saml_side *s)
{
	return json_is_object(json_object_get(s->row, "idp")) && json_is_string(json_object_get(s->row, "certificate"));
}

static int reveal(struct call *c, const struct saml_side *s, int second, struct secret **key)
{
	struct buf blob = BUF_INIT;
	int rc = saml_key(c->db, s->side, second, &blob);

	if (rc == 0 && s->side == STORE_TENANT)
		rc = vault_reveal(c, SAML_KEY_PURPOSE, &blob, key);
	else if (rc == 0)
		rc = keys_system_reveal(c->keys, &c->id, SAML_KEY_PURPOSE, wire_view_of(&blob), key);
	buf_free(&blob);
	return rc;
}

/* A former key is not shown any more: what is still encrypted for it is only read. */
static json_t *our_side(const struct saml_side *s)
{
	const char *second = saml_side_has(s, "next") ? json_string_value(json_object_get(s->row, "second_certificate")) : NULL;

	return json_pack("{s:s, s:s, s:s, s:O, s:s?}", "entity", s->entity, "acs_url", s->acs_url, "slo_url", s->slo_url, "certificate",
		json_object_get(s->row, "certificate"), "second_certificate", second);
}

/* The key in use, then the one beside it. What anybody may read, our metadata, makes nobody open one. */
static int reveal_both(struct call *c, const struct saml_side *s, int type, struct secret **key, struct secret **second)
{
	int rc = 0;

	if (type != SSO_saml_describe)
		rc = reveal(c, s, 0, key);
	if (rc == 0 && type != SSO_saml_describe && saml_side_has(s, NULL))
		rc = reveal(c, s, 1, second);
	/* Removed in this moment. */
	return rc == ERR_NOT_FOUND && *key ? 0 : rc;
}

static void put_secret(struct buf *question, const struct secret *s)
{
	if (s)
		wire_put_bytes(question, s->data, s->len);
	else
		wire_put_string(question, "");
}

int saml_ask(struct call *c, const struct saml_side *s, int type, json_t *ask, struct buf *question)
{
	struct secret *key = NULL, *second = NULL;
	json_t *settings = json_pack("{s:o, s:O, s:o}", "sp", our_side(s), "idp", json_object_get(s->row, "idp"), "ask", ask);
	char *text = json_text(settings);
	int rc = reveal_both(c, s, type, &key, &second);

	if (rc == 0) {
		sso_begin(question, (enum sso_type)type, &c->id, s->side == STORE_TENANT ? &s->tenant : NULL);
		wire_put_string(question, text);
		put_secret(question, key);
		put_secret(question, second);
	}
	secret_free(key);
	secret_free(second);
	free(text);
	json_decref(settings);
	return rc;
}

int saml_refuse_log(struct call *c, const char *act, const char *reason, const char *text)
{
	char *why = mem_strdup(text);
	/* An answer to a request of ours is counted as a try to sign in before it is read. What anybody may send, only where it was nothing: or a stranger
	 * could fill the account's log. */
	int sign_out = strcmp(act, "sign-out") == 0, rc = sign_out ? sign_count(c) : 0;

	if (rc == 0)
		rc = saml_log_refused(c->db, act, reason, why);
	if (rc == 0)
		rc = db_commit(c->db);
	if (rc == 0) {
		call_refuse(c, ERR_FORBIDDEN, sign_out ? REFUSAL_OUT : REFUSAL);
		rc = err_set(ERR_FORBIDDEN, "%s refused: %s: %s", act, reason, why);
	}
	free(why);
	return rc;
}

json_int_t saml_skew(const struct saml_side *s)
{
	const json_t *skew = json_object_get(json_object_get(s->row, "settings"), "skew");

	return json_is_integer(skew) ? json_integer_value(skew) : ARRIVAL_SKEW;
}

char *saml_new_id(void)
{
	char token[TOKEN_TEXT_SIZE];

	token_new(token);
	return mem_printf("_%s", token);
}
