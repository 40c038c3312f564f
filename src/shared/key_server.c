/* key_server.c - the page "Key Server" of both consoles. Settings go to keyd, which has them looked at, before the database has them; the
 * client's private key is never shown again. */
#include "shared/key_server.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "store/tenant.h"
#include "web/doc.h"
#include "web/key_server_keyd.h"
#include "web/vault.h"

#define STANDARD_PORT 5696
#define REFRESH_S 3

const struct route_param key_server_fields[] = {
	{ "host", "Key server", PARAM_TEXT, PARAM_REQUIRED, 1, KEYS_SERVER_HOST_MAX, NULL },
	{ "port", "Port", PARAM_INT, PARAM_REQUIRED, 1, 65535, NULL },
	{ "ca", "Authority of the key server", PARAM_CERTIFICATES, PARAM_REQUIRED, 1, KEYS_SERVER_PEM_MAX, NULL },
	{ "certificate", "Client certificate", PARAM_CERTIFICATES, PARAM_REQUIRED, 1, KEYS_SERVER_PEM_MAX, NULL },
	{ "key", "Private key of the client certificate", PARAM_SECRET, 0, 0, KEYS_SERVER_KEY_MAX, NULL },
	{ "same", "It is the same key server, or a copy of it", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

/* The operator's page is of the installation's server. */
static enum key_server_owner owner_of(const struct call *c)
{
	return c->site == WEB_CENTRAL ? KEY_SERVER_INSTALLATION : KEY_SERVER_TENANT;
}

static const char *url_of(const struct call *c)
{
	return c->site == WEB_CENTRAL ? "/key-server" : "/account/key-server";
}

/* The tenant's key, where the server is a tenant's. */
static int owner_key(struct call *c, enum key_server_owner o, struct buf *wrapped)
{
	return o == KEY_SERVER_TENANT ? tenant_key(c->db, wrapped) : 0;
}

static int load(struct call *c, enum key_server_owner o, struct key_server *s, struct buf *wrapped)
{
	int rc = key_server_get(c->db, o, s);

	return rc < 0 ? rc : owner_key(c, o, wrapped);
}

static int tell(struct call *c, enum key_server_owner o)
{
	struct buf wrapped = BUF_INIT;
	struct key_server s = { 0 };
	int rc = load(c, o, &s, &wrapped);

	if (rc == 0) {
		struct keys_server server = key_server_for_keyd(c->conf, &s, &c->tenant, &wrapped);

		rc = keys_server_tell(c->keys, &c->id, &server);
	}
	key_server_free(&s);
	buf_free(&wrapped);
	return rc == ERR_NOT_FOUND ? 0 : rc;
}

int key_server_tell_keyd(struct call *c)
{
	int rc = tell(c, KEY_SERVER_TENANT);

	return rc < 0 ? rc : tell(c, KEY_SERVER_INSTALLATION);
}

/* Shown */

static json_t *state_member(struct call *c, const json_t *row)
{
	const char *error = doc_text(row, "error"), *says = doc_text(row, "says");
	int away = !json_is_null(json_object_get(row, "away_since")), seen = !json_is_null(json_object_get(row, "checked"));
	json_t *badge = away ? doc_badge(c, "Away", "red") : seen ? doc_badge(c, "Answers", "green") : doc_badge(c, "Not tested", "yellow");

	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:b}", "badge", badge, "text", away ? call_translate(c, "It is asked again every few seconds. Requests "
		"for keys that are on it wait, and go on automatically; no keys are made there meanwhile. Open volumes stay open.") :
		seen ? says : call_translate(c, "It is asked within seconds."), "error", away ? doc_reason(c, error) : json_null(), "since", doc_when(c, row, "away_since"),
		"checked", doc_when(c, row, "checked"), "away", away);
}

static json_t *server_member(struct call *c, const json_t *row)
{
	json_t *out = json_pack("{s:O, s:O, s:O, s:O, s:O, s:o}", "host", json_object_get(row, "host"), "port", json_object_get(row, "port"),
		"keys", json_object_get(row, "keys"), "gone", json_object_get(row, "gone"), "tenants", json_object_get(row, "tenants"), "changed",
		doc_when(c, row, "changed"));

	json_set_bool(out, "has_keys", json_integer_value(json_object_get(row, "keys")) > 0);
	json_set_bool(out, "for_new", json_is_true(json_object_get(row, "for_new")));
	return out;
}

static void set_form(struct call *c, const json_t *row)
{
	call_form(c, "host", json_string(row ? doc_text(row, "host") : ""));
	doc_form_pem(c, "ca", row ? doc_text(row, "ca") : "");
	doc_form_pem(c, "certificate", row ? doc_text(row, "certificate") : "");
	call_form(c, "port", row ? json_incref(json_object_get(row, "port")) : json_integer(STANDARD_PORT));
	call_form(c, "key", json_string(""));
	call_form(c, "same", json_false());
}

int key_server_show_page(struct call *c)
{
	const char *url = url_of(c);
	json_t *row = NULL;
	int rc = key_server_show(c->db, owner_of(c), &row);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	call_set(c, "server", row ? server_member(c, row) : json_null());
	call_set(c, "state", row ? state_member(c, row) : json_null());
	call_set(c, "url", json_string(url));
	call_set(c, "live", row ? json_pack("{s:o, s:i}", "url", json_sprintf("%s?fragment=1", url), "seconds", REFRESH_S) : json_null());
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT)));
	set_form(c, row);
	json_decref(row);
	return 0;
}

/* Saved */

/* A name or an address and nothing else. */
static int check_host(struct call *c, const char *host)
{
	return host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:")] == '\0' ? 0 :
		call_field_error(c, "host", "Only the key server's name or address, such as kmip.example.net.");
}

/* Keys would be looked for in vain on another one. */
static int check_same(struct call *c, const json_t *row)
{
	int moved = row && (strcmp(doc_text(row, "host"), call_text(c, "host")) != 0
		|| json_integer_value(json_object_get(row, "port")) != call_int(c, "port", 0));

	if (!moved || call_bool(c, "same") || json_integer_value(json_object_get(row, "keys")) + json_integer_value(json_object_get(row, "gone")) == 0)
		return 0;
	return call_field_error(c, "same", "Keys are kept on the former one. On another they are not found, and their volumes do not open.");
}

static int protect(struct call *c, enum key_server_owner o, const struct key_server *former, struct buf *key, struct buf *settings)
{
	static const struct uuid nobody;
	struct secret *typed = call_has(c, "key") ? vault_typed(c, "key") : NULL;
	struct keys_server_settings s = { .host = call_text(c, "host"), .port = (uint32_t)call_int(c, "port", 0), .ca = call_text(c, "ca"),
		.certificate = call_text(c, "certificate"), .key = typed, .former_key = wire_view_of(&former->key), .former = wire_view_of(&former->settings) };
	struct buf wrapped = BUF_INIT;
	char why[256];
	int rc = owner_key(c, o, &wrapped);

	if (rc == 0)
		rc = keys_server_protect(c->keys, &c->id, o == KEY_SERVER_TENANT ? &c->tenant : &nobody, wire_view_of(&wrapped), &s, key,
			settings);
	secret_free(typed);
	buf_free(&wrapped);
	if (rc != ERR_INVALID)
		return rc;
	snprintf(why, sizeof why, "%s", keys_server_reason());
	return call_field_error(c, NULL, why);
}

static int save(struct call *c, enum key_server_owner o, const struct key_server *former)
{
	struct buf key = BUF_INIT, settings = BUF_INIT;
	int rc = protect(c, o, former, &key, &settings);

	if (rc == 0)
		rc = key_server_set(c->db, o, &(struct key_server_change){ .host = call_text(c, "host"), .port = call_int(c, "port", 0),
			.ca = call_text(c, "ca"), .certificate = call_text(c, "certificate"), .key = &key, .settings = &settings });
	if (rc == 0)
		rc = key_server_look(c->db, o);
	buf_free(&key);
	buf_free(&settings);
	return rc;
}

int key_server_save(struct call *c)
{
	enum key_server_owner o = owner_of(c);
	struct key_server former = { 0 };
	json_t *row = NULL;
	int rc = key_server_show(c->db, o, &row);

	if (rc == 0)
		rc = key_server_get(c->db, o, &former);
	if (rc == ERR_NOT_FOUND)
		rc = call_has(c, "key") ? 0 : call_field_error(c, "key", "The private key of the client certificate is needed.");
	if (rc == 0)
		rc = check_host(c, call_text(c, "host"));
	if (rc == 0)
		rc = check_same(c, row);
	if (rc == 0)
		rc = save(c, o, &former);
	key_server_free(&former);
	json_decref(row);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The key server is saved. Whether it answers stands under State within seconds.");
	call_redirect(c, "%s", url_of(c));
	return 0;
}

/* Tested */

int key_server_test(struct call *c)
{
	enum key_server_owner o = owner_of(c);
	struct buf wrapped = BUF_INIT, says = BUF_INIT;
	struct key_server s = { 0 };
	struct keys_status status;
	int well = 0, rc = load(c, o, &s, &wrapped);

	if (rc == 0) {
		struct keys_server server = key_server_for_keyd(c->conf, &s, &c->tenant, &wrapped);

		well = keys_server_test(c->keys, &c->id, &server, &says) == 0;
		if (!well)
			buf_printf(&says, "%s", keys_server_reason());
		/* Where the key service itself is away, nothing is known of the server. */
		rc = well ? 0 : keys_status(c->keys, &status);
	}
	if (rc == 0)
		rc = key_server_note(c->db, o, well ? NULL : buf_str(&says), buf_str(&says));
	key_server_free(&s);
	buf_free(&wrapped);
	buf_free(&says);
	if (rc < 0)
		return rc == ERR_NOT_FOUND ? call_refuse(c, ERR_CONFLICT, "Save a key server first.") : rc;
	call_notice(c, well ? "success" : "danger", well ? "The key server answers." : "The key server does not answer as it should: see State.");
	call_redirect(c, "%s", url_of(c));
	return 0;
}

/* Removed */

int key_server_remove_ask(struct call *c)
{
	json_t *row = NULL;
	int rc = key_server_show(c->db, owner_of(c), &row);

	if (rc < 0)
		return rc;
	doc_ask_remove(c, url_of(c), "Remove the key server “%{name}”?", doc_text(row, "host"), "Its address, certificates and private key are forgotten. That is possible only while no key "
		"is kept there.", NULL, "Remove");
	json_decref(row);
	return 0;
}

int key_server_forget(struct call *c)
{
	enum key_server_owner o = owner_of(c);
	int rc = key_server_remove(c->db, o);

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, o == KEY_SERVER_TENANT ? "Not removed: keys are kept there, or keys of new devices are to be. Have them rotated first, "
			"after choosing another place for new keys." : "Not removed: tenants' keys are kept there.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The key server is removed.");
	call_redirect(c, "%s", url_of(c));
	return 0;
}
