/* overview.c - what an operator sees first: what can be left on a wall: tenants, whether all is well, key requests and licences in numbers. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "central/pages.h"
#include "health/judge.h"
#include "health/look.h"
#include "shared/invite.h"
#include "shared/steps.h"
#include "store/health.h"
#include "store/licence.h"
#include "store/tenant.h"
#include "web/diagram.h"
#include "web/doc.h"

#define NEWEST 5
#define DAYS 30
#define LIVE_S 15                /* seconds between two looks */
#define LICENCES_SHOWN 8
#define ACCOUNT_URL (sizeof "/tenants/" + UUID_TEXT_SIZE)

/* From a server that runs to a customer who can sign in; for as long as there is none. */
static const struct step steps[] = {
	{ "Set the mail server", "Then invitations, warnings and reports reach people by mail.", "/mail", "Mail", PERMISSION_SYSTEM_EDIT, "mail" },
	{ "Have a backup made", "Without one a lost disk loses the keys of every customer. The command is keyward backup, once a day; this page says when it has worked.",
		"/keys", "Keys and Backups", PERMISSION_SYSTEM_VIEW, "backup" },
	{ "Create the first tenant", "A customer with a console, users and keys of its own; its administrator is invited with it.", "/tenants/new", "New tenant",
		PERMISSION_TENANTS_EDIT, NULL },
};

/* On-premise the one account is made with the first operator: what is left is its first administrator. 1: somebody has joined. */
static int own_account(struct call *c, struct step *last, char url[static ACCOUNT_URL])
{
	struct list_query q = { .limit = 1, .sort = "created" };
	json_t *page = NULL;
	const json_t *row;
	struct uuid id;
	int rc = tenant_list(c->db, &q, &page);

	row = json_array_get(json_object_get(page, "rows"), 0);
	if (rc == 0 && json_get_uuid(row, "id", &id) == 0) {
		snprintf(url, ACCOUNT_URL, "/tenants/%s", doc_text(row, "id"));
		*last = (struct step){ "Invite the account's first administrator", "That person invites the others, sets the provisioning passphrase and connects machines.", url,
			"Account", PERMISSION_TENANTS_EDIT, NULL };
		rc = strcmp(doc_text(row, "state"), "active") == 0 ? tenant_joined(c->db, &id) : 1;
	}
	json_decref(page);
	return rc;
}

static int set_steps(struct call *c, const json_t *rows)
{
	enum { LAST = ARRAY_LEN(steps) - 1 };
	const json_t *totals = json_object_get(c->doc, "totals"), *count;
	struct step shown[ARRAY_LEN(steps)];
	char url[ACCOUNT_URL];
	int done[ARRAY_LEN(steps)], rc = 0;
	const char *name;

	memcpy(shown, steps, sizeof steps);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		done[i] = steps[i].area && health_worst(rows, steps[i].area) == HEALTH_GOOD;
	json_object_foreach((json_t *)(uintptr_t)totals, name, count)
		done[LAST] |= json_integer_value(count) > 0;
	if (done[LAST] && strcmp(conf_get(c->conf, CONF_MODE), "on-premise") == 0)
		rc = done[LAST] = own_account(c, &shown[LAST], url);
	call_set(c, "steps", done[LAST] ? json_null() : steps_shown(c, shown, ARRAY_LEN(steps), done));
	return rc < 0 ? rc : 0;
}

/* What a step asks for that is not done yet is said there. */
static void leave_to_steps(json_t *troubles)
{
	json_t *row;
	size_t i;

	json_array_foreach(troubles, i, row)
		for (size_t k = 0; k < ARRAY_LEN(steps); k++)
			if (steps[k].area && strcmp(doc_text(row, "area_name"), steps[k].area) == 0)
				json_object_set_new(row, "in_steps", json_true());
}

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
	rc = set_steps(c, rows);
	json_decref(rows);
	json_decref(facts);
	return rc;
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
	static const struct diagram_part parts[] = { { "by_policy", "Approved by policy", 2 }, { "by_person", "Approved by a person", 1 }, { "denied", "Denied", 3 },
		{ "pending", "Pending", 4 }, { NULL, NULL, 0 } };
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

int overview_numbers(struct call *c, const char *url)
{
	json_t *totals = NULL;
	int rc = tenant_totals(c->db, &totals);

	if (rc < 0)
		return rc;
	set_states(c, totals);
	call_set(c, "totals", totals);
	call_set(c, "live", json_pack("{s:s, s:i}", "url", url, "seconds", LIVE_S));
	rc = set_health(c);
	return rc < 0 ? rc : set_requests(c);
}

int overview_page(struct call *c)
{
	int rc = overview_numbers(c, "/");

	/* A display has no steps. */
	if (rc == 0 && !json_is_null(json_object_get(c->doc, "steps")))
		leave_to_steps(json_object_get(c->doc, "troubles"));
	call_set(c, "can", json_pack("{s:b, s:b}", "create_tenant", call_may(c, PERMISSION_TENANTS_EDIT), "health",
		call_may(c, PERMISSION_SYSTEM_VIEW)));
	if (rc == 0)
		rc = set_licences(c);
	return rc < 0 ? rc : set_newest(c);
}

int operator_invitation(struct call *c)
{
	return invite_accept(c, NULL);
}
