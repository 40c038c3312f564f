/* saml_side.c - what both directions of single sign-on need: settings, addresses, and questions with our private key. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "sso/client.h"
#include "web/saml.h"
#include "web/sign.h"
#include "web/state.h"
#include "web/vault.h"

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
		base = mem_printf("%s/saml/%s", c->state->web->origin[c->site], id);
	} else {
		base = mem_printf("%s/saml", c->state->web->origin[c->site]);
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

int saml_side_is(const struct saml_side *s, const char *mode)
{
	const char *is = json_string_value(json_object_get(s->row, "mode"));

	return is && strcmp(is, mode) == 0;
}

int saml_side_ready(const struct saml_side *s)
{
	return json_is_object(json_object_get(s->row, "idp")) && json_is_string(json_object_get(s->row, "certificate"));
}

static int reveal(struct call *c, const struct saml_side *s, struct secret **key)
{
	struct buf blob = BUF_INIT;
	int rc = saml_key(c->db, s->side, &blob);

	if (rc == 0 && s->side == STORE_TENANT)
		rc = vault_reveal(c, SAML_KEY_PURPOSE, &blob, key);
	else if (rc == 0)
		rc = keys_system_reveal(c->keys, &c->id, SAML_KEY_PURPOSE, wire_view_of(&blob), key);
	buf_free(&blob);
	return rc;
}

int saml_ask(struct call *c, const struct saml_side *s, int type, json_t *ask, struct buf *question)
{
	struct secret *key = NULL;
	json_t *settings = json_pack("{s:{s:s, s:s, s:s, s:O}, s:O, s:o}", "sp", "entity", s->entity, "acs_url", s->acs_url, "slo_url", s->slo_url,
		"certificate", json_object_get(s->row, "certificate"), "idp", json_object_get(s->row, "idp"), "ask", ask);
	char *text = json_text(settings);
	int rc = reveal(c, s, &key);

	if (rc == 0) {
		sso_begin(question, (enum sso_type)type, &c->id, s->side == STORE_TENANT ? &s->tenant : NULL);
		wire_put_string(question, text);
		wire_put_bytes(question, key->data, key->len);
	}
	secret_free(key);
	free(text);
	json_decref(settings);
	return rc;
}
