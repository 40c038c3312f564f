/* certificates.c - the page Certificates (ADM-2): all that the installation uses, the soonest to end first, and how each is renewed. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/say.h"
#include "central/pages.h"
#include "health/certificates.h"
#include "web/diagram.h"
#include "web/doc.h"
#include "web/list.h"

#define DAYS_SHOWN 400           /* longer bars tell nothing more */

static const struct diagram_part parts[] = { { "good", "More than 30 days", 2 }, { "soon", N_("30 days or less"), 4 }, { "late", N_("7 days or less"), 3 }, { NULL, NULL, 0 } };

static const char *const sorts[] = { "days", "subject", "what", NULL };
static const struct list_csv columns[] = { { "Certificate", "subject" }, { "Names", "names" }, { "Issued by", "issuer" }, { "Used for", "what" }, { "Where", "where" },
	{ "State", "state" }, { "Ends", "ends" }, { "Days left", "days" }, { "SHA-256", "fingerprint" }, { NULL, NULL } };
static const struct list_view view = { .url = "/certificates", .sorts = sorts, .columns = columns, .file = "certificates.csv" };
const struct route_param certificates_query[] = { LIST_PARAMS_CSV, PARAM_END };

static const char *part_of(json_int_t days)
{
	return days <= CERTIFICATE_LATE ? "late" : days <= CERTIFICATE_SOON ? "soon" : "good";
}

static json_t *state_of(const struct call *c, const json_t *one, json_int_t days)
{
	if (!json_is_null(json_object_get(one, "error")))
		return doc_badge(c, "Not readable", "red");
	if (days < 0)
		return doc_badge(c, "Ended", "red");
	return doc_badge(c, days <= CERTIFICATE_SOON ? "Ends soon" : "Good", days <= CERTIFICATE_LATE ? "red" : days <= CERTIFICATE_SOON ? "yellow" : "green");
}

static json_t *shown(const struct call *c, const json_t *one)
{
	json_int_t days = json_integer_value(json_object_get(one, "days"));

	return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:b, s:o, s:o, s:b}", "what", call_translate(c, doc_text(one, "what")), "where", doc_reason(c, doc_text(one, "where")),
		"subject", doc_text(one, "subject"), "issuer", doc_text(one, "issuer"), "names", doc_text(one, "names"), "fingerprint", doc_text(one, "fingerprint"), "renew",
		call_translate(c, doc_text(one, "renew")), "begins", doc_when(c, one, "not_before"), "ends", doc_when(c, one, "not_after"), "days", days, "self_signed",
		json_is_true(json_object_get(one, "self_signed")), "state", state_of(c, one, days), "error", doc_reason(c, doc_text(one, "error")), "warn", days <= CERTIFICATE_SOON);
}

static json_t *bar_of(const struct call *c, const json_t *one)
{
	json_int_t days = json_integer_value(json_object_get(one, "days"));
	json_t *bar = json_pack("{s:i, s:i, s:i}", "good", 0, "soon", 0, "late", 0);
	const char *where = doc_text(one, "where");

	json_object_set_new(bar, "name", doc_reason(c, *where ? where : doc_text(one, "what")));
	json_object_set_new(bar, part_of(days), json_integer(days < 0 ? 0 : days < DAYS_SHOWN ? days : DAYS_SHOWN));
	return bar;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	json_t *all = NULL, *one, *rows = json_array();
	int rc = health_certificates(c->db, c->now, &all);
	size_t i;

	json_array_foreach(all, i, one)
		json_array_append_new(rows, shown(c, one));
	if (rc == 0)
		rc = list_rows(&view, rows, q, page);
	json_decref(rows);
	json_decref(all);
	return rc;
}

int certificates_page(struct call *c)
{
	json_t *all = NULL, *one, *bars = json_array();
	int soon = 0, rc = health_certificates(c->db, c->now, &all);
	size_t i;

	json_array_foreach(all, i, one) {
		json_array_append_new(bars, bar_of(c, one));
		soon += json_integer_value(json_object_get(one, "days")) <= CERTIFICATE_SOON;
	}
	call_set(c, "chart", json_array_size(bars) ? diagram_rows(c, "Days left, at most 400 shown", bars, parts) : json_null());
	call_set(c, "any_soon", json_boolean(soon));
	json_decref(bars);
	json_decref(all);
	return rc < 0 ? rc : list_answer(c, &view, fetch, NULL);
}
