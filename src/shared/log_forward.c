/* log_forward.c - the page "Log Forwarding" of both consoles. It only keeps settings: jobd speaks to the receiver. */
#include "shared/log_forward.h"

#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "store/log_forward.h"
#include "tls/link.h"
#include "web/doc.h"
#include "web/vault.h"

#define STANDARD_PORT 6514       /* RFC 5425, 4.1 */
#define KEY_MAX KEYS_PLAIN_MAX
#define REFRESH_S 3

static const char *const formats[] = { "syslog", "cef", "json", NULL };
static const char *const format_texts[] = { "Fields of syslog (RFC 5424)", "CEF", "JSON" };

const struct route_param log_forward_fields[] = {
	{ "host", "Receiver", PARAM_TEXT, PARAM_REQUIRED, 1, TLS_HOST_MAX, NULL },
	{ "port", "Port", PARAM_INT, PARAM_REQUIRED, 1, 65535, NULL },
	{ "ca", "Authority of the receiver", PARAM_CERTIFICATES, 0, 0, TLS_PEM_MAX, NULL },
	{ "certificate", "Client certificate", PARAM_CERTIFICATES, 0, 0, TLS_PEM_MAX, NULL },
	{ "key", "Private key of the client certificate", PARAM_SECRET, 0, 0, KEY_MAX, NULL },
	{ "format", "Form of the messages", PARAM_ENUM, PARAM_REQUIRED, 0, 0, formats },
	{ "from_first", "Send the entries that are there already, too", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

static const char *url_of(const struct call *c)
{
	return c->site == WEB_CENTRAL ? "/log-forwarding" : "/account/log-forwarding";
}

/* Shown */

/* What is less with a receiver that has never said goodbye. */
static json_t *note_member(struct call *c, const json_t *row)
{
	int silent = !json_is_null(json_object_get(row, "sent")) && !json_is_true(json_object_get(row, "goodbye"));

	return silent ? json_string(call_translate(c, "This receiver ends connections without TLS's close_notify, as rsyslog's driver gtls does. It is believed, as there "
		"is nothing better: if it breaks down or somebody on the way interferes, entries may be missing there. With rsyslog's driver ossl they are sent again.")) : json_null();
}

static json_t *state_member(struct call *c, const json_t *row)
{
	const char *error = doc_text(row, "error");
	int away = !json_is_null(json_object_get(row, "away_since")), seen = !json_is_null(json_object_get(row, "sent"));
	json_t *badge = away ? doc_badge(c, "Away", "red") : seen ? doc_badge(c, "Works", "green") : doc_badge(c, "Not tested", "yellow");

	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:O}", "badge", badge, "note", note_member(c, row), "text", away ?
		call_translate(c, "It is tried again every minute at the latest. Nothing is lost: entries wait, in order.") : seen ?
		call_translate(c, "The receiver takes what is sent.") : call_translate(c, "A test message is on its way."), "error", away ? doc_reason(c, error) : json_null(),
		"since", doc_when(c, row, "away_since"), "sent", doc_when(c, row, "sent"), "waiting", json_object_get(row, "waiting"));
}

static void set_form(struct call *c, const json_t *row)
{
	const char *format = row ? doc_text(row, "format") : formats[0];

	call_form(c, "host", json_string(row ? doc_text(row, "host") : ""));
	call_form(c, "port", row ? json_incref(json_object_get(row, "port")) : json_integer(STANDARD_PORT));
	doc_form_pem(c, "ca", row ? doc_text(row, "ca") : "");
	doc_form_pem(c, "certificate", row ? doc_text(row, "certificate") : "");
	call_form(c, "key", json_string(""));
	call_form(c, "format", json_string(format));
	for (size_t i = 0; formats[i]; i++)
		call_form_option(c, "format", formats[i], call_translate(c, format_texts[i]), NULL, strcmp(format, formats[i]) == 0);
	call_form(c, "from_first", json_false());
}

int log_forward_page(struct call *c)
{
	const char *url = url_of(c);
	json_t *row = NULL;
	int rc = log_forward_show(c->db, &row);

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	call_set(c, "state", row ? state_member(c, row) : json_null());
	call_set(c, "url", json_string(url));
	call_set(c, "live", row ? json_pack("{s:o, s:i}", "url", json_sprintf("%s?fragment=1", url), "seconds", REFRESH_S) : json_null());
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT)));
	set_form(c, row);
	json_decref(row);
	return 0;
}

/* Changed */

/* The key of a certificate that is kept already may be left out. */
static int check_client(struct call *c)
{
	const char *certificate = call_text(c, "certificate");
	struct tls_peer p = { .what = "the receiver", .host = call_text(c, "host"), .port = (uint32_t)call_int(c, "port", STANDARD_PORT), .certificate = certificate };
	struct secret *key = NULL;
	json_t *row = NULL;
	int rc, kept;

	if (*certificate == '\0')
		return call_has(c, "key") ? call_field_error(c, "certificate", "The certificate is missing that this private key is for.") : 0;
	if (!call_has(c, "key")) {
		kept = log_forward_show(c->db, &row) == 0 && strcmp(doc_text(row, "certificate"), certificate) == 0;
		json_decref(row);
		return kept ? 0 : call_field_error(c, "key", "The private key of the client certificate is needed.");
	}
	p.key = key = vault_typed(c, "key");
	rc = tls_peer_check(&p);
	secret_free(key);
	return rc == ERR_INVALID || rc == ERR_CRYPTO ? call_field_error(c, "key", "This is not the private key of the certificate, in PEM without a passphrase.") : rc;
}

/* Empty where none was typed. */
static int protect(struct call *c, struct buf *blob)
{
	struct secret *key;
	int rc;

	if (!call_has(c, "key"))
		return 0;
	key = vault_typed(c, "key");
	rc = c->site == WEB_CENTRAL ? keys_system_protect(c->keys, &c->id, LOG_FORWARD_PURPOSE, key, blob) : vault_protect(c, LOG_FORWARD_PURPOSE, key, blob);
	secret_free(key);
	return rc;
}

int log_forward_save(struct call *c)
{
	const char *host = call_text(c, "host"), *ca = call_text(c, "ca");
	struct buf key = BUF_INIT;
	struct log_forward_change change = { .host = host, .port = call_int(c, "port", STANDARD_PORT), .ca = ca, .format = call_text(c, "format"),
		.certificate = call_text(c, "certificate"), .from_first = call_bool(c, "from_first") };
	int rc;

	if (host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:")] != '\0')
		return call_field_error(c, "host", "Only the receiver's name or address, such as logs.example.net.");
	rc = check_client(c);
	if (rc == 0)
		rc = protect(c, &key);
	change.key = key.len ? &key : NULL;
	if (rc == 0)
		rc = log_forward_set(c->db, &change);
	buf_free(&key);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Saved. Whether the receiver takes it stands under State within seconds.");
	call_redirect(c, "%s", url_of(c));
	return 0;
}

int log_forward_test(struct call *c)
{
	int rc = log_forward_try(c->db);

	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "Save a receiver first.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "It is being tried now: see State.");
	call_redirect(c, "%s", url_of(c));
	return 0;
}

int log_forward_remove_ask(struct call *c)
{
	json_t *row = NULL;
	int rc = log_forward_show(c->db, &row);

	if (rc < 0)
		return rc;
	doc_ask_remove(c, url_of(c), "End the forwarding of the log to “%{name}”?", doc_text(row, "host"), "Entries that the receiver does not have yet are not sent. The log itself stays as it "
		"is.", NULL, "End it");
	json_decref(row);
	return 0;
}

int log_forward_forget(struct call *c)
{
	int rc = log_forward_remove(c->db);

	if (rc == ERR_NOT_FOUND)
		return call_refuse(c, ERR_CONFLICT, "The log is not forwarded.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The log is not forwarded any more.");
	call_redirect(c, "%s", url_of(c));
	return 0;
}
