/* dashboard.c - what a tenant's user sees first (WEB-2): what waits, key requests over time, integrity, licence, agents by version. */
#include "base/err.h"
#include "base/mem.h"
#include "console/pages.h"
#include "shared/steps.h"
#include "store/device.h"
#include "store/glance.h"
#include "store/licence.h"
#include "store/policy.h"
#include "store/request.h"
#include "web/diagram.h"
#include "web/doc.h"

#define DAYS 30
#define RECENT 8
#define WAITING 6
#define LIVE_S 10                /* seconds between two looks */

/* In the colours of the tags that lists have for the same. */
static const struct diagram_part parts[] = {
	{ "by_policy", "Approved by policy", 2 }, { "by_person", "Approved by a person", 1 }, { "denied", "Denied", 3 },
	{ "pending", "Pending", 4 }, { NULL, NULL, 0 },
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

/* Requests as MEMBER: of STATUS, or all. */
static int set_requests(struct call *c, const char *member, const char *status, int limit)
{
	struct list_query q = { .limit = limit, .filters = { { "status", status } } };
	json_t *page = NULL, *requests = json_array(), *row;
	int rc = request_list(c->db, &q, &page);
	size_t i;

	if (rc == 0)
		json_array_foreach(json_object_get(page, "rows"), i, row)
			json_array_append_new(requests, request_row(c, row));
	json_decref(page);
	call_set(c, member, requests);
	return rc;
}

static int set_recent(struct call *c)
{
	int rc = set_requests(c, "waiting", "pending", WAITING);

	if (rc == 0)
		rc = set_requests(c, "requests", "", RECENT);
	call_set(c, "has_waiting", json_boolean(json_array_size(json_object_get(c->doc, "waiting"))));
	call_set(c, "has_requests", json_boolean(json_array_size(json_object_get(c->doc, "requests"))));
	return rc;
}

/* Agents by version: each as a share of the largest number. */
static json_t *versions_of(const json_t *list)
{
	json_t *out = json_array(), *row, *entry;
	json_int_t most = 1;
	size_t i;

	json_array_foreach(list, i, row)
		if (json_integer_value(json_object_get(row, "agents")) > most)
			most = json_integer_value(json_object_get(row, "agents"));
	json_array_foreach(list, i, row) {
		json_int_t n = json_integer_value(json_object_get(row, "agents"));

		entry = json_pack("{s:s, s:I}", "name", doc_text(row, "name"), "share", n * 100 / most);
		doc_count(entry, "agents", n);
		json_array_append_new(out, entry);
	}
	return out;
}

static int set_fleet(struct call *c)
{
	static const struct diagram_part kinds[] = { { "good", "Good", 2 }, { "unknown", "Unknown", 5 }, { "bad", "Bad", 3 }, { "failed", "Failed", 4 },
		{ NULL, NULL, 0 } };
	json_t *fleet = NULL, *versions;
	int rc = glance_fleet(c->db, &fleet);

	if (rc == 0) {
		versions = versions_of(json_object_get(fleet, "versions"));
		call_set(c, "integrity", diagram_shares(c, "Open keys by integrity", json_object_get(fleet, "integrity"), kinds));
		call_set(c, "has_versions", json_boolean(json_array_size(versions)));
		call_set(c, "versions", versions);
	}
	json_decref(fleet);
	return rc;
}

/* Use against grant; for who may see the account. */
static int set_licence(struct call *c)
{
	struct licence_state s;
	int64_t share;
	int rc = call_may(c, PERMISSION_ACCOUNT_VIEW) ? licence_get(c->db, &s) : 0;

	if (rc < 0 || !call_may(c, PERMISSION_ACCOUNT_VIEW) || !s.has) {
		call_set(c, "licence", json_null());
		return rc;
	}
	share = s.keys > 0 ? s.used * 100 / s.keys : 100;
	call_set(c, "licence", json_pack("{s:I, s:I, s:I, s:s, s:o}", "used", (json_int_t)s.used, "keys", (json_int_t)s.keys, "share",
		(json_int_t)(share > 100 ? 100 : share), "colour", share >= 95 ? "red" : share >= 80 ? "yellow" : "green", "until", call_when(c, s.until)));
	return 0;
}

/* From nothing to a key that is given without anybody: what is done of it, and where the next step is taken. */
static const struct step steps[] = {
	{ "Install the agent on a machine", "It registers the machine and tells which devices it has.", "/account", "Account and commands",
		PERMISSION_ACCOUNT_VIEW, NULL },
	{ "Encrypt a device", "Configure one of the machine's data devices, then choose Encrypt: its agent does it.", "/devices", "Devices",
		PERMISSION_DEVICES_EDIT, NULL },
	{ "Approve its key", "The agent asks for the key, and you see in what state the machine is.", "/instances?status=pending", "Key requests",
		PERMISSION_REQUESTS_DECIDE, NULL },
	{ "Let a policy decide", "Rules about machines and what to do when they match: the next boot needs nobody.", "/policies", "Policies",
		PERMISSION_POLICIES_EDIT, NULL },
};

/* For as long as no key was asked for; with the first one they are over. */
static int set_steps(struct call *c)
{
	const json_t *totals = json_object_get(c->doc, "totals");
	int over = json_is_true(json_object_get(c->doc, "has_requests")) || json_integer_value(json_object_get(totals, "approved")) > 0;
	int encrypted = json_integer_value(json_object_get(totals, "encrypted")) > 0, rc = 0;
	int done[ARRAY_LEN(steps)] = { encrypted || json_integer_value(json_object_get(totals, "instances")) > 0, encrypted };

	if (!over)
		rc = policy_any_rules(c->db, &done[ARRAY_LEN(steps) - 1]);
	call_set(c, "steps", over ? json_null() : steps_shown(c, steps, ARRAY_LEN(steps), done));
	return rc < 0 ? rc : account_commands(c, !over && !done[0]);
}

/* Everybody lands here, but not every role sees instances (ROL-3). */
int dashboard_page(struct call *c)
{
	int view = call_may(c, PERMISSION_INSTANCES_VIEW), rc;

	call_set(c, "can", json_pack("{s:b, s:b, s:b, s:b}", "view", view, "account", call_may(c, PERMISSION_ACCOUNT_VIEW), "decide",
		call_may(c, PERMISSION_REQUESTS_DECIDE), "log", call_may(c, PERMISSION_LOGS_VIEW)));
	call_set(c, "live", view ? json_pack("{s:s, s:i}", "url", "/", "seconds", LIVE_S) : json_null());
	if (!view)
		return 0;
	rc = set_totals(c);
	if (rc == 0)
		rc = set_chart(c);
	if (rc == 0)
		rc = set_recent(c);
	if (rc == 0)
		rc = set_fleet(c);
	if (rc == 0)
		rc = set_licence(c);
	if (rc == 0)
		rc = set_steps(c);
	return rc;
}
