/* deep_security.c - the connection to the tenant's Deep Security Manager (ADM-4). The console never speaks to it: jobd does. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "outside/https.h"
#include "store/deep_security.h"
#include "web/doc.h"
#include "web/vault.h"

#define MINUTE_S 60
#define TEST_PATIENCE (2 * CLOCK_MINUTE)         /* a test without an outcome by then: jobd does not run */

const struct route_param deep_security_fields[] = {
	{ "enabled", "Enable connection", PARAM_BOOL, 0, 0, 0, NULL },
	{ "url", "Address", PARAM_TEXT, 0, 0, 1000, NULL },
	{ "api_key", "API key", PARAM_PASSWORD, 0, 0, 1000, NULL },
	{ "ca", "Certificate", PARAM_CERTIFICATES, 0, 0, 65536, NULL },
	{ "keep_minutes", "Keep answers", PARAM_INT, PARAM_REQUIRED, 1, 1440, NULL },
	PARAM_END
};

static clock_us time_of(const json_t *row, const char *name)
{
	clock_us at = 0;

	return clock_parse(doc_text(row, name), &at) == 0 ? at : 0;
}

/* How the last test, or the last question about a machine, went. */
static json_t *state_member(struct call *c, const json_t *row, int *testing)
{
	clock_us asked = time_of(row, "test_asked"), tested = time_of(row, "tested");
	const char *error = doc_text(row, "test_error");
	int waiting = asked > tested;

	*testing = waiting && c->now - asked < TEST_PATIENCE;
	if (!json_is_true(json_object_get(row, "enabled")))
		return json_pack("{s:o, s:s, s:n}", "badge", doc_badge(c, "Off", "gray"), "text",
			call_translate(c, "Rules about Deep Security are skipped and shown as not evaluated."), "at");
	if (*testing)
		return json_pack("{s:o, s:s, s:n}", "badge", doc_badge(c, "Testing", "blue"), "text",
			call_translate(c, "The connection is being tested."), "at");
	if (waiting)
		return json_pack("{s:o, s:s, s:n}", "badge", doc_badge(c, "Not tested", "orange"), "text",
			call_translate(c, "The server has not carried out the test. Try again, or ask the operator whether its job service runs."), "at");
	if (tested == 0)
		return json_pack("{s:o, s:s, s:n}", "badge", doc_badge(c, "Not tested", "yellow"), "text",
			call_translate(c, "Test the connection before policies rely on it."), "at");
	return json_pack("{s:o, s:s, s:o}", "badge", doc_badge(c, *error ? "Failed" : "Works", *error ? "red" : "green"), "text",
		*error ? error : call_translate(c, "The manager answered."), "at", call_when(c, tested));
}

static void set_form(struct call *c, const json_t *row)
{
	call_form(c, "enabled", json_incref(json_object_get(row, "enabled")));
	call_form(c, "url", json_incref(json_object_get(row, "url")));
	doc_form_pem(c, "ca", doc_text(row, "ca"));
	call_form(c, "api_key", json_string(""));
	call_form(c, "keep_minutes", json_integer((json_integer_value(json_object_get(row, "keep_s")) + MINUTE_S - 1) / MINUTE_S));
}

int deep_security_page(struct call *c)
{
	json_t *row = NULL;
	int testing = 0, edit = call_may(c, PERMISSION_ACCOUNT_EDIT), rc = deep_security_get(c->db, &row);

	if (rc < 0)
		return rc;
	call_set(c, "state", state_member(c, row, &testing));
	call_set(c, "connection", json_pack("{s:s, s:b, s:b, s:I}", "url", doc_text(row, "url"), "has_key",
		json_is_true(json_object_get(row, "has_key")), "own_certificate", *doc_text(row, "ca") != '\0', "keep_minutes",
		json_integer_value(json_object_get(row, "keep_s")) / MINUTE_S));
	call_set(c, "live", testing ? json_pack("{s:s, s:i}", "url", "/deep-security?fragment=1", "seconds", 2) : json_null());
	call_set(c, "can", json_pack("{s:b, s:b}", "edit", edit, "test", edit && json_is_true(json_object_get(row, "enabled")) && !testing));
	set_form(c, row);
	json_decref(row);
	return 0;
}

static int check(struct call *c)
{
	const char *url = call_text(c, "url");
	int rc = 0;

	if (call_bool(c, "enabled") && *url == '\0')
		rc = call_field_error(c, "url", "Without an address there is nothing to connect to.");
	else if (*url && https_check_url(url) < 0)
		rc = call_field_error(c, "url", "An address like https://dsm.example.com:4119, without user name, ? or #.");
	return rc;
}

static int save(struct call *c, const struct buf *api_key)
{
	int rc = deep_security_set(c->db, &(struct deep_security_change){ .enabled = call_bool(c, "enabled"), .url = call_text(c, "url"),
		.ca = call_text(c, "ca"), .keep_s = call_int(c, "keep_minutes", 5) * MINUTE_S, .api_key = api_key });

	if (rc == ERR_INVALID)
		return call_field_error(c, "api_key", "Type the API key of the manager at this address: it is made there under Administration, API Keys.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The connection is saved.");
	call_redirect(c, "/deep-security");
	return 0;
}

int deep_security_save(struct call *c)
{
	struct buf blob = BUF_INIT;
	int rc = check(c);

	if (rc == 0 && call_has(c, "api_key")) {
		struct secret *key = vault_typed(c, "api_key");

		rc = vault_protect(c, DEEP_SECURITY_PURPOSE, key, &blob);
		secret_free(key);
	}
	if (rc == 0)
		rc = save(c, blob.len ? &blob : NULL);
	buf_free(&blob);
	return rc;
}

int deep_security_test_run(struct call *c)
{
	int rc = deep_security_ask_test(c->db);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Enable and save the connection first.");
	if (rc < 0)
		return rc;
	call_redirect(c, "/deep-security");
	return 0;
}
