/* overview.c - what an operator sees first: how many tenants, and whether all is well. */
#include "base/err.h"
#include "base/json.h"
#include "central/pages.h"
#include "health/judge.h"
#include "health/look.h"
#include "store/tenant.h"
#include "web/doc.h"
#include "web/invite.h"

#define NEWEST 5

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

int overview_page(struct call *c)
{
	json_t *totals = NULL;
	int rc = tenant_totals(c->db, &totals);

	if (rc < 0)
		return rc;
	call_set(c, "totals", totals);
	call_set(c, "can", json_pack("{s:b, s:b}", "create_tenant", call_may(c, PERMISSION_TENANTS_EDIT), "health",
		call_may(c, PERMISSION_SYSTEM_VIEW)));
	rc = set_health(c);
	return rc < 0 ? rc : set_newest(c);
}

int operator_invitation(struct call *c)
{
	return invite_accept(c, NULL);
}
