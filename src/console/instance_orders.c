/* instance_orders.c - what the agent of one instance is ordered to do: its log level (AGT-8), settings and inventory, and all orders with
 * what became of them. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "console/pages.h"
#include "store/instance.h"
#include "store/order.h"
#include "web/doc.h"
#include "web/list.h"

#define HOUR_S 3600
/* Two missed heartbeats must not make an instance missing. */
#define HEARTBEAT_MOST_S 50

static const char *const filters[] = { "show", NULL }, *const shows[] = { "open", "done", "failed", NULL };
static const struct list_chip chips[] = { { "open", "Open" }, { "done", "Done" }, { "failed", "Not done" }, { NULL, NULL } };
static const struct list_csv columns[] = { { "Order", "name" }, { "Argument", "argument" }, { "Device", "device" }, { "State", "state" }, { "Detail", "detail" },
	{ "Ordered", "ordered" }, { "By", "by" }, { "Answered", "finished" }, { NULL, NULL } };
static const struct list_view view = { .of = "instance", .filters = filters, .chip = "show", .chips = chips, .columns = columns, .file = "orders.csv" };
static const char *const levels[] = { "debug", "info", "warning", "error", NULL };
static const char *const lengths[] = { "1", "4", "24", "168", "0", NULL };

const struct route_param instance_orders_query[] = {
	LIST_PARAMS_CSV,
	{ "show", "Result", PARAM_ENUM, 0, 0, 0, shows },
	PARAM_END
};
const struct route_param instance_log_level_fields[] = {
	{ "level", "Log level", PARAM_ENUM, PARAM_REQUIRED, 0, 0, levels },
	{ "hours", "For", PARAM_ENUM, PARAM_REQUIRED, 0, 0, lengths },
	PARAM_END
};
const struct route_param instance_settings_fields[] = {
	{ "heartbeat", "Heartbeat", PARAM_INT, 0, 0, HEARTBEAT_MOST_S, NULL },
	{ "script_seconds", "Time for scripts", PARAM_INT, 0, 1, HOUR_S, NULL },
	{ "stop_seconds", "Wait at a stop", PARAM_INT, 0, 0, HOUR_S, NULL },
	PARAM_END
};

/* What an order is, in words; kinds are those of the agent protocol. */
static const struct {
	const char *kind, *label;
} labels[] = {
	{ "check", "Check integrity" }, { "revoke", "Close the volume, wipe the key" }, { "lock", "Lock" }, { "unlock", "Unlock" },
	{ "kill", "Close at once" }, { "request-key", "Ask for the key again" }, { "provision", "Look for devices to encrypt" },
	{ "inventory", "Publish the inventory" }, { "configure", "Change a setting" }, { "log-level", "Log level" },
	{ "credentials", "Fetch the provider's credentials" }, { "rotate", "Rotate the key" },
};

static const char *order_label(const struct call *c, const char *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (strcmp(labels[i].kind, kind) == 0)
			return call_translate(c, labels[i].label);
	return kind;
}

static json_t *state_badge(const struct call *c, const char *state)
{
#define X(name, label, colour) \
	if (strcmp(state, name) == 0) \
		return doc_badge(c, label, colour);
	ORDER_STATES(X)
#undef X
	return doc_badge(c, state, "gray");
}

/* Not a person: a schedule, or what follows from a decision. */
static const char *by_whom(const struct call *c, const json_t *row)
{
	const char *by = doc_optional(row, "created_by");

	return by ? doc_actor(c, "system", by) : NULL;
}

static json_t *order_row(struct call *c, json_t *row)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?}", "id", doc_text(row, "id"), "kind", doc_text(row, "kind"), "name",
		order_label(c, doc_text(row, "kind")), "result", doc_text(row, "state"), "argument", doc_optional(row, "argument"), "by",
		by_whom(c, row), "detail", doc_optional(row, "detail"));

	json_object_set_new(out, "device", doc_link("/devices", doc_text(row, "device"), doc_text(row, "device_name")));
	json_object_set_new(out, "state", state_badge(c, doc_text(row, "state")));
	json_object_set_new(out, "ordered", doc_when(c, row, "created"));
	json_object_set_new(out, "due", doc_when(c, row, "due"));
	json_object_set_new(out, "taken", doc_when(c, row, "taken"));
	json_object_set_new(out, "finished", doc_when(c, row, "finished"));
	return out;
}

/* The forms */

static const char *const level_texts[] = { "Debug", "Info", "Warnings and errors", "Errors alone" };

static const char *level_said(const struct call *c, const char *level)
{
	for (size_t i = 0; level && i < ARRAY_LEN(level_texts); i++)
		if (strcmp(levels[i], level) == 0)
			return call_translate(c, level_texts[i]);
	return level;
}

static void offer_levels(struct call *c, const char *present)
{
	/* Who opens this form wants another one. */
	const char *wished = strcmp(present, "debug") == 0 ? "info" : "debug";

	call_form(c, "level", json_string(wished));
	for (size_t i = 0; i < ARRAY_LEN(level_texts); i++)
		call_form_option(c, "level", levels[i], call_translate(c, level_texts[i]), NULL, strcmp(levels[i], wished) == 0);
}

static void offer_lengths(struct call *c)
{
	static const char *const texts[] = { N_("1 hour"), N_("4 hours"), N_("1 day"), N_("7 days"), "Until its next start" };

	call_form(c, "hours", json_string(lengths[0]));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		call_form_option(c, "hours", lengths[i], call_translate(c, texts[i]), NULL, i == 0);
}

static void offer_settings(struct call *c)
{
	for (const struct route_param *p = instance_settings_fields; p->name; p++)
		call_form(c, p->name, json_string(""));
}

static int show_agent(struct call *c, const struct uuid *id)
{
	json_t *row = NULL;
	int rc = order_agent_of(c->db, id, &row), there = rc == 0;

	if (rc < 0 && rc != ERR_NOT_FOUND)
		return rc;
	call_set(c, "agent", !there ? json_null() : json_pack("{s:s, s:o, s:s?, s:s, s:s?}", "log_level", doc_text(row, "log_level"), "until",
		doc_when(c, row, "log_level_until"), "then", doc_optional(row, "log_level_then"), "level_said", level_said(c, doc_text(row, "log_level")),
		"then_said", level_said(c, doc_optional(row, "log_level_then"))));
	call_set(c, "can", json_pack("{s:b, s:b}", "order", there && call_may(c, PERMISSION_INSTANCES_ORDER), "check",
		there && call_may(c, PERMISSION_REQUESTS_DECIDE)));
	offer_levels(c, doc_text(row, "log_level"));
	offer_lengths(c);
	offer_settings(c);
	json_decref(row);
	return 0;
}

static int fetch_orders(struct call *c, const struct list_query *q, json_t **page)
{
	return instance_fetch(c, q, "orders", order_list, page);
}

int instance_orders_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = list_answer(c, &view, fetch_orders, order_row);

	return rc < 0 ? rc : show_agent(c, &id);
}

/* The orders */

static int done(struct call *c, const struct uuid *id, const char *notice)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	call_notice(c, "success", notice);
	call_redirect(c, "/instances/%s/orders", text);
	return 0;
}

/* The agent of the instance that the path names; ERR_CONFLICT, said, where there is an instance without one. */
static int find_agent(struct call *c, const struct uuid *id, struct uuid *agent)
{
	json_t *name = NULL, *row = NULL;
	int rc = instance_name(c->db, id, &name);

	json_decref(name);
	if (rc < 0)
		return rc;
	rc = order_agent_of(c->db, id, &row);
	if (rc == 0)
		rc = json_get_uuid(row, "agent", agent);
	json_decref(row);
	return rc == ERR_NOT_FOUND ? call_refuse(c, ERR_CONFLICT, "No agent answers for this instance.") : rc;
}

int instance_inventory(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), agent;
	int rc = find_agent(c, &id, &agent);

	if (rc == 0)
		rc = order_add(c->db, &agent, "inventory", NULL, "");
	return rc < 0 ? rc : done(c, &id, "The agent is asked to publish its devices again.");
}

int instance_log_level(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), agent;
	int hours = 0, rc = find_agent(c, &id, &agent);

	if (rc == 0)
		rc = sscanf(call_text(c, "hours"), "%d", &hours) == 1 ? 0 : ERR_INTERNAL;
	if (rc == 0)
		rc = order_log_level(c->db, &id, call_text(c, "level"), hours * CLOCK_HOUR);
	return rc < 0 ? rc : done(c, &id, "The agent is told its log level.");
}

int instance_settings(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), agent;
	int count = 0, rc = find_agent(c, &id, &agent);

	for (const struct route_param *p = instance_settings_fields; rc == 0 && p->name; p++)
		if (call_has(c, p->name)) {
			rc = order_configure(c->db, &agent, p->name, call_int(c, p->name, 0));
			count++;
		}
	if (rc == 0 && count == 0)
		rc = call_field_error(c, instance_settings_fields[0].name, "Give a number for at least one of them.");
	return rc < 0 ? rc : done(c, &id, "The agent is told its settings.");
}
