/* licence.c - Product License (LIC-2): what the account may use and uses, which codes there were, and entering one. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/licence.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const sorts[] = { "entered", "serial", "kind", "keys", "until", NULL };
static const struct list_csv columns[] = { { "Number", "serial" }, { "State", "state" }, { "Kind", "kind" }, { "Keys", "keys" }, { "Until", "until" }, { "Entered", "entered" },
	{ "By", "by" }, { NULL, NULL } };
static const struct list_view view = { .url = "/licence", .sorts = sorts, .columns = columns, .file = "licence.csv" };

const struct route_param licence_query[] = { LIST_PARAMS_CSV, PARAM_END };
const struct route_param licence_fields[] = {
	{ "code", "Activation code", PARAM_LINES, PARAM_REQUIRED, 0, LICENCE_TEXT_MAX, NULL },
	PARAM_END
};

int licence_room(struct call *c, const struct uuid *device)
{
	int rc = licence_check(c->db, device, 0);
	char *why = rc == ERR_FORBIDDEN ? mem_strdup(err_text()) : NULL;

	if (why)
		rc = call_field_error(c, NULL, why);
	free(why);
	return rc;
}

static void show_present(struct call *c, const struct licence_state *s)
{
	enum licence_warning w = licence_warn(s);
	int64_t share = s->keys > 0 ? s->used * 100 / s->keys : 100, left = s->keys - s->used;
	json_t *o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:s}", "has", s->has, "keys", (json_int_t)s->keys, "used",
		(json_int_t)s->used, "pending", (json_int_t)s->pending, "left", (json_int_t)(left > 0 ? left : 0), "share",
		(json_int_t)(share > 100 ? 100 : share), "serial", (json_int_t)s->serial, "warning", w == LICENCE_WARNING_NONE ? NULL :
		call_translate(c, licence_warning_text(w)), "warning_name", licence_warning_name(w));

	json_object_set_new(o, "kind", s->has ? doc_licence_kind(c, licence_kind_name(s->kind)) : json_null());
	json_object_set_new(o, "until", call_when(c, s->until));
	json_object_set_new(o, "begun", json_boolean(s->has && s->serial == 0));
	json_set_bool(o, "ended", s->has && c->now >= s->until);
	call_set(c, "licence", o);
}

static json_t *history_row(struct call *c, json_t *row)
{
	int replaced = !json_is_null(json_object_get(row, "replaced")), ended = json_is_true(json_object_get(row, "ended"));
	json_t *out = json_pack("{s:O, s:O, s:o, s:o, s:s, s:o, s:o}", "serial", json_object_get(row, "serial"), "keys",
		json_object_get(row, "keys"), "kind", doc_licence_kind(c, doc_text(row, "kind")), "until", doc_when(c, row, "until"), "by",
		doc_text(row, "entered_by"), "entered", doc_when(c, row, "entered"), "state", replaced ? doc_badge(c, "Replaced", "gray") :
		ended ? doc_badge(c, "Ended", "red") : doc_badge(c, "In force", "green"));

	json_set_bool(out, "begun", json_integer_value(json_object_get(row, "serial")) == 0);
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return licence_history(c->db, q, page);
}

int licence_page(struct call *c)
{
	struct licence_state s;
	int rc = licence_get(c->db, &s);

	if (rc == 0)
		rc = list_answer(c, &view, fetch, history_row);
	if (rc < 0)
		return rc;
	show_present(c, &s);
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_ACCOUNT_EDIT)));
	call_form(c, "code", json_string(""));
	return 0;
}

/* What is wrong with the code that was typed; where nothing is, it is in *L. */
static int judge(struct call *c, struct licence *l, enum licence_fault *fault)
{
	uint8_t signature[LICENCE_SIGNATURE_SIZE], public_key[SIGNING_PUBLIC_SIZE];
	struct licence_state present;
	struct uuid installation;
	int rc = licence_read(call_text(c, "code"), l, signature), had = 0, known;

	*fault = rc == ERR_VERSION ? LICENCE_FAULT_LATER : LICENCE_FAULT_NO_CODE;
	if (rc < 0)
		return 0;
	rc = installation_id(c->db, &installation);
	known = signing_public(c->db, SIGNING_LICENCE, public_key);
	if (rc == 0 && known < 0 && known != ERR_NOT_FOUND)
		rc = known;
	if (rc == 0)
		rc = licence_get(c->db, &present);
	if (rc == 0)
		rc = licence_had(c->db, l->serial, &had);
	if (rc == 0)
		*fault = licence_judge(l, known == 0 && licence_is_signed(l, signature, public_key), &installation, &c->tenant,
			(uint32_t)present.serial, had, c->now);
	return rc;
}

int licence_enter_run(struct call *c)
{
	enum licence_fault fault;
	struct licence l;
	int rc = judge(c, &l, &fault);

	if (rc == 0 && fault != LICENCE_FAULT_NONE)
		return call_field_error(c, "code", licence_fault_text(fault));
	if (rc == 0)
		rc = licence_enter(c->db, &l, call_text(c, "code"));
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "Another code has just been entered, which is a later one.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The activation code is in force.");
	call_redirect(c, "/licence");
	return 0;
}
