/* integrity.c - when this account's machines are checked, and for how long a revoked key may be asked for again (INT-1, INT-4). */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/check.h"
#include "store/language.h"
#include "store/tenant.h"
#include "web/doc.h"
#include "web/language.h"

#define HOURS_MOST 8760

static const char *const kind_values[] = { "off", "daily", "weekly", NULL };

const struct route_param integrity_fields[] = {
	{ "kind", "Scheduled checks", PARAM_ENUM, PARAM_REQUIRED, 0, 0, kind_values },
	{ "weekday", "Day", PARAM_ENUM, PARAM_REQUIRED, 0, 0, schedule_weekdays },
	{ "at", "Time", PARAM_TEXT, PARAM_REQUIRED, 4, 5, NULL },
	{ "time_zone", "Time zone", PARAM_TEXT, PARAM_REQUIRED, 1, 64, NULL },
	LANGUAGE_DATES_PARAM,
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

static int offer_zones(struct call *c, const char *chosen)
{
	json_t *zones = NULL;
	const json_t *zone;
	size_t i;
	int rc = schedule_zones(c->db, &zones);

	call_form(c, "time_zone", json_string(chosen));
	json_array_foreach(zones, i, zone)
		call_form_option(c, "time_zone", json_string_value(zone), json_string_value(zone), NULL,
			strcmp(json_string_value(zone), chosen) == 0);
	json_decref(zones);
	return rc;
}

static void show_run(struct call *c, const json_t *row)
{
	static const char *const counts[] = { "instances", "good", "failed", "not_checked", "open", "policies", "revoking" };
	json_t *out = json_pack("{s:o, s:o, s:o}", "next", doc_when(c, row, "due"), "local", doc_local(c, row, "due_local"), "last",
		doc_when(c, row, "last_run"));

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
	language_offer_dates(c, doc_text(row, "date_format"));
	rc = offer_zones(c, doc_text(row, "time_zone"));
	json_decref(row);
	return rc;
}

/* The account's, of which this schedule is but one use. */
static int save_clock(struct call *c, const char *zone, const char *dates)
{
	json_t *zones = NULL, *patch;
	const json_t *known;
	size_t i;
	int found = 0, rc = schedule_zones(c->db, &zones);

	json_array_foreach(zones, i, known)
		found |= strcmp(json_string_value(known), zone) == 0;
	json_decref(zones);
	if (rc == 0 && !found)
		return call_field_error(c, "time_zone", "There is no such time zone: choose one of the list.");
	if (rc < 0)
		return rc;
	patch = dates ? json_pack("{s:o}", DATE_FORMAT_SETTING, *dates ? json_string(dates) : json_null()) : NULL;
	rc = tenant_change_settings(c->db, zone, patch);
	json_decref(patch);
	return rc;
}

int integrity_save(struct call *c)
{
	const struct schedule s = { .kind = call_text(c, "kind"), .weekday = call_text(c, "weekday")[0] - '0', .at = call_text(c, "at"),
		.regrant_s = call_int(c, "regrant_hours", 0) * 3600 };
	int rc;

	if (!clock_is_time_of_day(s.at))
		return call_field_error(c, "at", "Hours and minutes, such as 02:00 or 23:45.");
	rc = save_clock(c, call_text(c, "time_zone"), language_dates(c));
	if (rc == 0)
		rc = schedule_set(c->db, &s);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The schedule of integrity checks is saved.");
	call_redirect(c, "/account/integrity");
	return 0;
}
