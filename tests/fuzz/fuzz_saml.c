/* fuzz_saml.c - what an identity provider, or somebody else, sends: the first byte chooses the reader, the rest is its input as it is after
 * base64. Nothing that is not signed by a key that nobody has may ever be accepted. */
#include <stdlib.h>
#include <string.h>

#include "identity/own_key.h"
#include "saml/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct secret *key, *thrown_away;
static char *certificate, *trusted;

static void set_up(void)
{
	secret_init();
	saml_init();
	if (own_key_make("sp", 1795000000 * CLOCK_SECOND, &key, &certificate) < 0
		|| own_key_make("idp", 1795000000 * CLOCK_SECOND, &thrown_away, &trusted) < 0)
		abort();
	secret_free(thrown_away);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int once;
	struct saml_sp sp = { "https://sp.example/metadata", "https://sp.example/acs", "https://sp.example/slo", NULL, NULL, NULL, NULL };
	struct saml_idp idp = { .entity = NULL }, got = { .entity = NULL };
	struct saml_expected e = { "_r", 1795000000 * CLOCK_SECOND, 60 };
	struct saml_logout l = { .id = NULL };
	struct saml_verdict v = { SAML_NONE, "" };
	struct buf field = BUF_INIT;
	char names[2][32] = { "https://idp.example", "https://idp.example/sso" };
	json_t *out = NULL;
	char *query;

	if (!once++)
		set_up();
	if (size == 0)
		return 0;
	sp.certificate = certificate;
	sp.key = key;
	idp = (struct saml_idp){ .entity = names[0], .sso_url = names[1], .certificates = { trusted }, .certificate_count = 1 };
	base64_write(data + 1, size - 1, &field);
	switch (data[0] % 4) {
	case 0:
		if (saml_response_judge(&sp, &idp, &e, field.data, field.len, &out, &v) == 0)
			abort();
		break;
	case 1:
		if (saml_logout_post(&sp, &idp, field.data, field.len, e.now, 60, &l, &v) == 0)
			abort();
		break;
	case 2:
		if (saml_metadata_read((const char *)data + 1, size - 1, e.now, &got, &v) == 0) {
			out = saml_idp_json(&got);
			saml_idp_release(&got);
			if (saml_idp_read(out, &got) < 0)
				abort();
			saml_idp_release(&got);
			json_decref(out);
		}
		break;
	default:
		query = calloc(1, size);
		memcpy(query, data + 1, size - 1);
		if (saml_logout_query(&sp, &idp, query, e.now, 60, &l, &v) == 0)
			abort();
		free(query);
	}
	buf_free(&field);
	return 0;
}
