/* integrity.c - when this account's machines are checked, and for how long a revoked key may be asked for again (INT-1, INT-4). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/check.h"
#include "web/doc.h"

#define HOURS_MOST 8760

static const char *const kind_values[] = { "off", "daily", "weekly", NULL };

const struct route_param integrity_fields[] = {
	{ "kind", "Scheduled checks", PARAM_ENUM, PARAM_REQUIRED, 0, 0, kind_values },
	{ "weekday", "Day", PARAM_ENUM, PARAM_REQUIRED, 0, 0, schedule_weekdays },
	{ "at", "Time", PARAM_TEXT, PARAM_REQUIRED, 4, 5, NULL },
	{ "regrant_hours", "Give back within", PARAM_INT, PARAM_REQUIRED, 0, HOURS_MOST, NULL },
	PARAM_END
};

static void offer_kinds(struct call *c, const char *chosen)
{
	static const struct { const char *value, *text, *hint; } kinds[] = {
		{ "off", "Off", "Nothing is checked automatically, whatever the policies say. “Check now” still works." },
		{ "daily", "Daily", "Every day at the time below." },
		{ "weekly", "Weekly", "On the day and at the time below." },
	};

	call_form(c, "kind", json_string(chosen));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		call_form_option(c, "kind", kinds[i].value, call_translate(c, kinds[i].text), call_translate(c, kinds[i].hint),
			strcmp(kinds[i].value, chosen) == 0);
}

static void show_run(struct call *c, const json_t *row)
{
	static const char *const counts[] = { "instances", "good", "failed", "not_checked", "open", "policies", "revoking" };
	json_t *out = json_pack("{s:o, s:o, s:o, s:s}", "next", doc_when(c, row, "due"), "local", doc_local(c, row, "due_local"), "last",
		doc_when(c, row, "last_run"), "zone", c->time_zone);

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		json_object_set(out, counts[i], json_object_get(row, counts[i]));
	call_set(c, "run", out);
}

int integrity_page(struct call *c)
{
	json_t *row = NULL;
	int rc = schedule_get(c->db, &row);

	if (rc < 0)
		return rc;
	offer_kinds(c, doc_text(row, "kind"));
	schedule_offer_weekdays(c, "weekday", json_integer_value(json_object_get(row, "weekday")));
	call_form(c, "at", json_string(doc_text(row, "at")));
	call_form(c, "regrant_hours", json_integer(json_integer_value(json_object_get(row, "regrant_s")) / 3600));
	show_run(c, row);
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_ACCOUNT_EDIT)));
	json_decref(row);
	return 0;
}

int integrity_save(struct call *c)
{
	const struct schedule s = { .kind = call_text(c, "kind"), .weekday = call_text(c, "weekday")[0] - '0', .at = call_text(c, "at"),
		.regrant_s = call_int(c, "regrant_hours", 0) * 3600 };
	int rc;

	if (!clock_is_time_of_day(s.at))
		return call_field_error(c, "at", "Hours and minutes, such as 02:00 or 23:45.");
	rc = schedule_set(c->db, &s);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The schedule of integrity checks is saved.");
	call_redirect(c, "/account/integrity");
	return 0;
}
