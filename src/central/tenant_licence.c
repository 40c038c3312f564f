/* tenant_licence.c - a tenant's licence as the operator sees it: use against grant, the codes that were issued, and issuing one, which
 * renews, extends or replaces what is in force (LIC-2). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "store/licence.h"
#include "store/tenant.h"
#include "web/doc.h"
#include "web/list.h"

#define STANDARD_YEAR (365 * CLOCK_DAY)
#define DATE_LENGTH 10           /* of "2026-11-21T..." */

static const char *const states[] = { "issued", "in-force", "replaced", "expired", NULL }, *const filters[] = { "state", NULL };
static const char *const sorts[] = { "serial", "state", "kind", "keys", "until", "issued", NULL };
static const struct list_chip chips[] = { { "issued", "Issued, not entered" }, { "in-force", "In force" }, { "replaced", "Replaced" },
	{ "expired", "Expired" }, { NULL, NULL } };
static const struct list_csv columns[] = { { "Number", "serial" }, { "State", "state" }, { "Kind", "kind" }, { "Keys", "keys" }, { "Until", "until" }, { "Issued", "issued" },
	{ "By", "by" }, { "Note", "note" }, { "Activation code", "code" }, { NULL, NULL } };
static const struct list_view view = { .of = "account", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .columns = columns, .file = "licences.csv" };

const struct route_param tenant_licences_query[] = {
	LIST_PARAMS_CSV,
	{ "state", "State", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};
const struct route_param tenant_licence_fields[] = {
	{ "kind", "Kind", PARAM_ENUM, PARAM_REQUIRED, 0, 0, licence_kinds },
	{ "keys", "Keys", PARAM_INT, PARAM_REQUIRED, 1, LICENCE_KEYS_MAX, NULL },
	{ "until", "Until", PARAM_TIME, PARAM_REQUIRED, 0, 0, NULL },
	{ "note", "Note", PARAM_TEXT, 0, 0, 200, NULL },
	{ "assign", "Put into force at once", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

static json_t *state_badge(const struct call *c, const char *state)
{
	static const struct {
		const char *name, *label, *colour;
	} looks[] = {
		{ "issued", "Issued, not entered", "yellow" }, { "in-force", "In force", "green" }, { "replaced", "Replaced", "gray" },
		{ "expired", "Expired", "red" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].name, state) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return json_null();
}

static json_t *code_row(struct call *c, json_t *row)
{
	return json_pack("{s:s, s:O, s:O, s:o, s:o, s:s, s:s?, s:s, s:o, s:o}", "id", doc_text(row, "id"), "serial", json_object_get(row, "serial"),
		"keys", json_object_get(row, "keys"), "until", doc_when(c, row, "until"), "issued", doc_when(c, row, "issued"), "by",
		doc_text(row, "issued_by"), "note", doc_optional(row, "note"), "code", doc_text(row, "code"), "state",
		state_badge(c, doc_text(row, "state")), "kind", doc_licence_kind(c, doc_text(row, "kind")));
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return licence_issued(c->db, q, page);
}

/* As the one in force, and a year longer. */
static void show_form(struct call *c, const json_t *row)
{
	char date[CLOCK_TEXT_SIZE];

	clock_text(c->now + STANDARD_YEAR, date);
	date[DATE_LENGTH] = '\0';
	call_form(c, "kind", json_string("full"));
	call_form_option(c, "kind", "full", call_translate(c, "Full"), NULL, 1);
	call_form_option(c, "kind", "trial", call_translate(c, "Trial"), NULL, 0);
	call_form(c, "keys", json_is_integer(json_object_get(row, "keys")) ? json_incref(json_object_get(row, "keys")) : json_integer(100));
	call_form(c, "until", json_string(date));
	call_form(c, "note", json_string(""));
	call_form(c, "assign", json_null());
}

static int show(struct call *c, const struct uuid *id)
{
	json_t *row = NULL;
	int rc = licence_of(c->db, id, &row);

	if (rc == 0)
		rc = list_answer(c, &view, fetch, code_row);
	if (rc == 0) {
		show_form(c, row);
		call_set(c, "account", licence_row(c, row));
		call_set(c, "tenant_url", json_sprintf("/tenants/%s", doc_text(row, "id")));
		call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_LICENCES_EDIT) && strncmp(doc_text(row, "state"), "clos", 4)));
		if (json_object_get(c->doc, "made") == NULL)
			call_set(c, "made", json_null());
	}
	json_decref(row);
	return rc;
}

int tenant_licences_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return show(c, &id);
}

int tenant_licence_issue(struct call *c)
{
	struct keys_signer signer = { c->keys, c->id };
	const struct signing_by by = { &signer, keys_signer_make, keys_signer_sign };
	struct licence l = { .account = call_uuid(c, "id"), .keys = (uint32_t)call_int(c, "keys", 0), .until = call_time(c, "until") };
	char *code = NULL;
	int rc = licence_kind_parse(call_text(c, "kind"), &l.kind), assign = call_bool(c, "assign");

	if (rc == 0 && l.until <= c->now)
		return call_field_error(c, "until", "This has passed already.");
	if (rc == 0)
		rc = licence_issue(c->db, &by, &l, call_text(c, "note"), assign, &code);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "The tenant is closed or being closed: it gets no licence any more.");
	if (rc < 0)
		return rc;
	call_set(c, "made", json_pack("{s:s, s:I, s:b}", "code", code, "serial", (json_int_t)l.serial, "assigned", assign));
	free(code);
	call_notice(c, "success", assign ? "The activation code is issued and in force." :
		"The activation code is issued. The tenant enters it under Product License.");
	return show(c, &l.account);
}
