/* dashboard.c - what a tenant's user sees first (WEB-2): totals, key requests over time, the newest requests. */
#include "base/err.h"
#include "base/mem.h"
#include "console/pages.h"
#include "store/device.h"
#include "store/policy.h"
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

/* From nothing to a key that is given without anybody: what is done of it, and where the next step is taken. NEEDS: who can take it. */
static const struct step {
	const char *title, *text, *url, *button;
	enum permission needs;
} steps[] = {
	{ "Install the agent on a machine", "It registers the machine and tells which devices it has.", "/account", "Account and commands",
		PERMISSION_ACCOUNT_VIEW },
	{ "Encrypt a device", "Configure one of the machine's data devices, then choose Encrypt: its agent does it.", "/devices", "Devices",
		PERMISSION_DEVICES_EDIT },
	{ "Approve its key", "The agent asks for the key, and you see in what state the machine is.", "/instances?status=pending", "Key requests",
		PERMISSION_REQUESTS_DECIDE },
	{ "Let a policy decide", "Rules about machines and what to do when they match: the next boot needs nobody.", "/policies", "Policies",
		PERMISSION_POLICIES_EDIT },
};

static void add_step(struct call *c, json_t *list, const struct step *s, int done, int next)
{
	int may = next && call_may(c, s->needs), here = s == steps && may;

	json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:b, s:b, s:b, s:s?, s:s}", "number", (int)(s - steps) + 1, "title",
		call_translate(c, s->title), "text", call_translate(c, s->text), "done", done, "next", next, "here", here, "url", may ? s->url : NULL, "button",
		call_translate(c, s->button)));
}

static json_t *list_steps(struct call *c, const int done[static ARRAY_LEN(steps)])
{
	json_t *list = json_array();
	int next = 1;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		add_step(c, list, &steps[i], done[i], next && !done[i]);
		next &= done[i];
	}
	return json_pack("{s:o}", "list", list);
}

/* For as long as no key was asked for; with the first one they are over. */
static int set_steps(struct call *c)
{
	const json_t *totals = json_object_get(c->doc, "totals");
	int over = json_is_true(json_object_get(c->doc, "has_requests")) || json_integer_value(json_object_get(totals, "approved")) > 0;
	int encrypted = json_integer_value(json_object_get(totals, "encrypted")) > 0, rc = 0;
	int done[ARRAY_LEN(steps)] = { encrypted || json_integer_value(json_object_get(totals, "instances")) > 0, encrypted };

	if (!over)
		rc = policy_any_rules(c->db, &done[ARRAY_LEN(steps) - 1]);
	call_set(c, "steps", over ? json_null() : list_steps(c, done));
	account_commands(c, !over && !done[0]);
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
	if (rc == 0)
		rc = set_steps(c);
	return rc;
}
