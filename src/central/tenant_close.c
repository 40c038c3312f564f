/* tenant_close.c - closing a tenant (TEN-7): announced after two questions, cancelled as long as it waits, and its certificate of destruction. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "store/closing.h"
#include "store/signing.h"
#include "store/tenant.h"
#include "web/doc.h"

#define STANDARD_DAYS 30

const struct route_param tenant_close_fields[] = {
	{ "days", "Waiting period in days", PARAM_INT, PARAM_REQUIRED, 0, CLOSING_DAYS_MOST, NULL },
	{ "comment", "Reason", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};

const struct route_param tenant_close_typed[] = {
	{ "days", "Waiting period in days", PARAM_INT, PARAM_REQUIRED, 0, CLOSING_DAYS_MOST, NULL },
	{ "comment", "Reason", PARAM_LINES, 0, 0, 1000, NULL },
	{ "typed", "Account name", PARAM_TEXT, 0, 0, 200, NULL },
	PARAM_END
};

json_t *tenant_closing(struct call *c, const struct uuid *id)
{
	json_t *row = NULL, *out;

	if (closing_last(c->db, id, &row) < 0 || json_is_null(row) || !json_is_null(json_object_get(row, "cancelled"))) {
		json_decref(row);
		return json_null();
	}
	out = json_pack("{s:o, s:s, s:s?, s:o, s:o, s:b, s:b, s:O}", "requested", doc_when(c, row, "requested"), "by", doc_text(row, "requested_by"),
		"reason", doc_optional(row, "reason"), "at", doc_when(c, row, "close_at"), "finished", doc_when(c, row, "finished"), "waits",
		json_is_null(json_object_get(row, "begun")), "has_certificate", json_is_true(json_object_get(row, "has_certificate")), "removed",
		json_object_get(row, "removed"));
	json_object_set_new(out, "server_keys", json_is_null(json_object_get(row, "shredded")) ? json_incref(json_object_get(row, "server_keys"))
		: json_null());
	json_object_set_new(out, "shredded", doc_when(c, row, "shredded"));
	json_decref(row);
	return out;
}

/* The first question: what it means, and how long it waits. */
int tenant_close_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = tenant_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	call_set(c, "account", json_pack("{s:s, s:s, s:o}", "name", doc_text(row, "name"), "account", doc_text(row, "slug"), "url",
		json_sprintf("/tenants/%s", doc_text(row, "id"))));
	call_form(c, "days", json_integer(STANDARD_DAYS));
	call_form(c, "comment", json_string(""));
	json_decref(row);
	return 0;
}

static json_t *when_text(struct call *c, int64_t days)
{
	json_t *at = call_when(c, c->now + days * CLOCK_DAY), *text;

	text = days ? call_say(c, "On %{date} all its keys and all its data are destroyed. Nobody can bring them back.",
		CALL_VALUES({ "date", doc_text(at, "text") })) : json_string(call_translate(c, "At once all its keys and all its data are destroyed. Nobody can bring "
		"them back."));
	json_decref(at);
	return text;
}

static json_t *points_of(const struct call *c, int64_t days)
{
	if (days == 0)
		return json_pack("[s, s]", call_translate(c, "Its people are not told before, and can take nothing with them"),
			call_translate(c, "It cannot be cancelled"));
	return json_pack("[s, s, s]", call_translate(c, "Until then it works as ever, and its people are told on every page"),
		call_translate(c, "Its administrators can take its data with them: an export, with the log"),
		call_translate(c, "You can cancel it until the last moment"));
}

/* The second: the name, typed. */
int tenant_close_confirm(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *fields, *text;
	int64_t wait = call_int(c, "days", STANDARD_DAYS);
	char days[24];
	int rc = tenant_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	snprintf(days, sizeof days, "%lld", (long long)wait);
	text = when_text(c, wait);
	doc_confirm(c, &(struct doc_confirm){ .folder = "/tenants", .id = doc_text(row, "id"), .act = "close/confirm", .title = "Close", .name =
		doc_text(row, "name"), .text = json_string_value(text), .icon = "trash", .colour = "red", .danger = 1, .button = wait ? "Announce the end" :
		"Destroy at once", .typed = doc_text(row, "slug"), .warning = wait ? "Whatever is encrypted and was not moved by then is lost." :
		"Whatever is encrypted is lost.", .points = points_of(c, wait) });
	json_decref(text);
	fields = json_pack("[{s:s, s:s}, {s:s, s:s}]", "name", "days", "value", days, "name", "comment", "value", call_text(c, "comment"));
	json_object_set_new(json_object_get(c->doc, "confirm"), "fields", fields);
	json_decref(row);
	return 0;
}

static int check_typed(struct call *c, const struct uuid *id)
{
	json_t *row = NULL;
	int rc = tenant_get(c->db, id, &row);

	if (rc == 0 && strcmp(call_text(c, "typed"), doc_text(row, "slug")) != 0)
		rc = call_field_error(c, "typed", "This is not the account's name.");
	json_decref(row);
	return rc;
}

int tenant_close_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = check_typed(c, &id);

	if (rc == 0)
		rc = closing_announce(c->db, &id, c->now + call_int(c, "days", STANDARD_DAYS) * CLOCK_DAY, call_text(c, "comment"));
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The tenant is closed, or its end is announced already.");
	return rc < 0 ? rc : doc_done(c, "/tenants", &id, call_int(c, "days", STANDARD_DAYS) ? "The tenant's end is announced. It can be cancelled until then." :
		"The tenant's keys and data are being destroyed.");
}

int tenant_close_cancel(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = closing_cancel(c->db, &id, "");

	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Nothing is announced, or the destruction has begun: then it cannot be stopped.");
	return rc < 0 ? rc : doc_done(c, "/tenants", &id, "The tenant stays.");
}

/* Certificate */

static int download(struct call *c, int signature)
{
	struct uuid id = call_uuid(c, "id");
	struct buf pdf = BUF_INIT, sig = BUF_INIT;
	int rc = closing_certificate(c->db, &id, &pdf, &sig);

	if (rc == 0)
		call_download(c, signature ? "application/octet-stream" : "application/pdf", signature ? "certificate.sig" : "certificate.pdf",
			signature ? &sig : &pdf);
	buf_free(signature ? &pdf : &sig);
	if (rc < 0)
		buf_free(signature ? &sig : &pdf);
	return rc;
}

int tenant_certificate(struct call *c)
{
	return download(c, 0);
}

int tenant_certificate_signature(struct call *c)
{
	return download(c, 1);
}

int tenants_certificate_key(struct call *c)
{
	return doc_signing_key(c, SIGNING_CERTIFICATE, "certificate-key.pem");
}
