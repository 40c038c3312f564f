/* overview.c - what an operator sees first: what can be left on a wall: tenants, whether all is well, key requests and licences in numbers. */
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "health/judge.h"
#include "health/look.h"
#include "store/health.h"
#include "store/licence.h"
#include "store/tenant.h"
#include "web/diagram.h"
#include "web/doc.h"
#include "web/invite.h"

#define NEWEST 5
#define DAYS 30
#define LICENCES_SHOWN 8

/* What is not well, the worst first; and whether all is. */
static int set_health(struct call *c)
{
	json_t *facts = NULL, *rows, *list = json_array(), *row;
	enum health_level worst;
	size_t i;
	int rc = health_look(c->db, &facts);

	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	rows = health_judge(facts);
	worst = health_worst(rows, NULL);
	for (enum health_level l = HEALTH_BAD; l > HEALTH_GOOD; l--)
		json_array_foreach(rows, i, row)
			if (health_level_of(row) == l)
				json_array_append_new(list, health_row_shown(c, row));
	call_set(c, "health", json_pack("{s:s, s:s}", "name", call_translate(c, worst == HEALTH_GOOD ? "All well" : "Needs attention"), "colour",
		health_level_colour(worst)));
	call_set(c, "has_troubles", json_boolean(json_array_size(list)));
	call_set(c, "troubles", list);
	call_set(c, "areas", health_areas_shown(c, rows));
	json_decref(rows);
	json_decref(facts);
	return 0;
}

static int set_newest(struct call *c)
{
	struct list_query q = { .limit = NEWEST, .sort = "created", .order = -1 };
	json_t *page, *row, *list = json_array();
	size_t i;
	int rc = tenant_list(c->db, &q, &page);

	if (rc < 0) {
		json_decref(list);
		return rc;
	}
	json_array_foreach(json_object_get(page, "rows"), i, row) {
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", doc_text(row, "id"), "name",
			doc_text(row, "name"), "url", json_sprintf("/tenants/%s", doc_text(row, "id")), "state",
			tenant_state_badge(c, doc_text(row, "state")), "created", doc_when(c, row, "created")));
	}
	json_decref(page);
	call_set(c, "has_tenants", json_boolean(json_array_size(list)));
	call_set(c, "tenants", list);
	return 0;
}

/* Of the whole installation: how many there were, of nobody in particular. */
static int set_requests(struct call *c)
{
	static const struct diagram_part parts[] = { { "by_policy", "Approved by policy", 2 }, { "by_person", "Approved by a person", 4 }, { "denied", "Denied", 3 },
		{ "pending", "Pending", 1 }, { NULL, NULL, 0 } };
	json_t *days = NULL;
	int rc = health_requests(c->db, DAYS, &days);

	if (rc == 0)
		call_set(c, "chart", diagram_days(c, "Key requests per day", days, parts));
	json_decref(days);
	return rc;
}

static int set_states(struct call *c, const json_t *totals)
{
	static const struct { const char *state, *label, *colour, *icon; } states[] = { { "active", "Active tenants", "green", "building" }, { "suspended", "Suspended", "yellow",
		"player-pause" }, { "closing", "Being closed", "orange", "hourglass" }, { "closed", "Closed", "gray", "circle-x" } };
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		json_array_append_new(list, json_pack("{s:s, s:O, s:s, s:s, s:o}", "name", call_translate(c, states[i].label), "count", json_object_get(totals, states[i].state), "colour",
			states[i].colour, "icon", states[i].icon, "url", json_sprintf("/tenants?state=%s", states[i].state)));
	call_set(c, "states", list);
	return 0;
}

/* Those that use most of what they have; only for who may see licences. */
static int set_licences(struct call *c)
{
	struct list_query q = { .limit = LICENCES_SHOWN, .sort = "share", .order = -1 };
	json_t *page = NULL, *row, *list = json_array();
	size_t i;
	int may = call_may(c, PERMISSION_LICENCES_VIEW), rc = may ? licence_list(c->db, &q, &page) : 0;

	json_array_foreach(json_object_get(page, "rows"), i, row) {
		json_int_t share = json_integer_value(json_object_get(row, "share"));

		if (!json_is_null(json_object_get(row, "keys")))
			json_array_append_new(list, json_pack("{s:s, s:o, s:O, s:O, s:I, s:s}", "name", doc_text(row, "name"), "url", json_sprintf("/tenants/%s/licences", doc_text(row, "id")),
				"used", json_object_get(row, "used"), "keys", json_object_get(row, "keys"), "share", share, "colour", share >= 95 ? "red" : share >= 80 ? "yellow" : "green"));
	}
	json_decref(page);
	call_set(c, "has_licences", json_boolean(json_array_size(list)));
	call_set(c, "licences", list);
	return rc;
}

int overview_page(struct call *c)
{
	json_t *totals = NULL;
	int rc = tenant_totals(c->db, &totals);

	if (rc < 0)
		return rc;
	set_states(c, totals);
	call_set(c, "totals", totals);
	call_set(c, "can", json_pack("{s:b, s:b}", "create_tenant", call_may(c, PERMISSION_TENANTS_EDIT), "health",
		call_may(c, PERMISSION_SYSTEM_VIEW)));
	rc = set_health(c);
	if (rc == 0)
		rc = set_requests(c);
	if (rc == 0)
		rc = set_licences(c);
	return rc < 0 ? rc : set_newest(c);
}

int operator_invitation(struct call *c)
{
	return invite_accept(c, NULL);
}
