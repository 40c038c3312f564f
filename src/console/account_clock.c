/* account_clock.c - the account's time zone and how its days are written (ADM-1), a part of the page Account. Schedules, time windows of rules, charts and
 * all times on pages and in mails go by them. */
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "shared/language.h"
#include "store/check.h"
#include "store/language.h"
#include "store/tenant.h"

const struct route_param account_clock_fields[] = {
	{ "time_zone", "Time zone", PARAM_TEXT, PARAM_REQUIRED, 1, 64, NULL },
	LANGUAGE_DATES_PARAM,
	PARAM_END
};

int account_clock_offer(struct call *c)
{
	json_t *zones = NULL;
	const json_t *zone;
	size_t i;
	int rc = schedule_zones(c->db, &zones);

	call_form(c, "time_zone", json_string(c->time_zone));
	json_array_foreach(zones, i, zone)
		call_form_option(c, "time_zone", json_string_value(zone), json_string_value(zone), NULL,
			strcmp(json_string_value(zone), c->time_zone) == 0);
	json_decref(zones);
	language_offer_dates(c, c->date_format);
	return rc;
}

/* *KNOWN: there is such a time zone. */
static int look_up(struct call *c, const char *name, int *known)
{
	json_t *zones = NULL;
	int rc = schedule_zones(c->db, &zones);

	*known = json_has_string(zones, name);
	json_decref(zones);
	return rc;
}

int account_clock(struct call *c)
{
	const char *zone = call_text(c, "time_zone"), *dates = language_dates(c);
	json_t *patch;
	int known, rc = look_up(c, zone, &known);

	if (rc < 0)
		return rc;
	if (!known)
		return call_field_error(c, "time_zone", "There is no such time zone: choose one of the list.");
	patch = dates ? json_pack("{s:o}", DATE_FORMAT_SETTING, *dates ? json_string(dates) : json_null()) : NULL;
	rc = tenant_change_settings(c->db, zone, patch);
	json_decref(patch);
	if (rc == 0)
		rc = schedule_renew(c->db);
	if (rc < 0)
		return rc;
	call_notice(c, "success", "Time zone and date format are saved.");
	call_redirect(c, "/account");
	return 0;
}
