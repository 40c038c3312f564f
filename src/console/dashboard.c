/* dashboard.c - what a tenant's user sees first (WEB-2): totals, key requests over time, the newest requests. */
#include "base/err.h"
#include "console/pages.h"
#include "store/device.h"
#include "store/request.h"
#include "web/diagram.h"
#include "web/doc.h"

#define DAYS 30
#define RECENT 8

static const struct diagram_part parts[] = {
	{ "by_policy", "Approved by policy", 2 }, { "by_person", "Approved by a person", 4 }, { "denied", "Denied", 3 },
	{ "pending", "Pending", 1 }, { NULL, NULL, 0 },
};

static int set_totals(struct call *c)
{
	json_t *totals = NULL, *devices = NULL, *shown;
	int rc = request_totals(c->db, &totals);

	if (rc == 0)
		rc = device_totals(c->db, &devices);
	if (rc == 0) {
		shown = request_counts(totals);
		doc_count(shown, "encrypted", json_integer_value(json_object_get(devices, "encrypted")));
		doc_count(shown, "devices", json_integer_value(json_object_get(devices, "devices")));
		call_set(c, "totals", shown);
	}
	json_decref(totals);
	json_decref(devices);
	return rc;
}

static int set_chart(struct call *c)
{
	json_t *days = NULL;
	int rc = request_per_day(c->db, c->time_zone, DAYS, &days);

	if (rc == 0)
		call_set(c, "chart", diagram_days(c, "Key requests per day", days, parts));
	json_decref(days);
	return rc;
}

static int set_recent(struct call *c)
{
	struct list_query q = { .limit = RECENT };
	json_t *page = NULL, *requests = json_array(), *row;
	int rc = request_list(c->db, &q, &page);
	size_t i;

	if (rc == 0)
		json_array_foreach(json_object_get(page, "rows"), i, row)
			json_array_append_new(requests, request_row(c, row));
	json_decref(page);
	call_set(c, "has_requests", json_boolean(json_array_size(requests)));
	call_set(c, "requests", requests);
	return rc;
}

/* Everybody lands here, but not every role sees instances (ROL-3). */
int dashboard_page(struct call *c)
{
	int view = call_may(c, PERMISSION_INSTANCES_VIEW), rc;

	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b}", "view", view, "account", call_may(c, PERMISSION_ACCOUNT_VIEW), "decide",
		call_may(c, PERMISSION_REQUESTS_DECIDE), "log", call_may(c, PERMISSION_LOGS_VIEW)));
	if (!view)
		return 0;
	rc = set_totals(c);
	if (rc == 0)
		rc = set_chart(c);
	if (rc == 0)
		rc = set_recent(c);
	return rc;
}
