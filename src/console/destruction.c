/* destruction.c - keys that are to be destroyed for good (KEY-7): asked for on a device's page, confirmed by somebody else, cancelled, listed. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "console/pages.h"
#include "store/destruction.h"
#include "store/device.h"
#include "web/doc.h"
#include "web/list.h"

#define NOT_NOW "Keys can be destroyed of a device that is Encrypted, In-use or Undetected and has a key, once at a time; members of a RAID with " \
	"their RAID."
#define OVER "It is over, or was confirmed already: look at the list."

static const char *const states[] = { "waiting", "done", "cancelled", NULL };
static const char *const filters[] = { "state", NULL }, *const sorts[] = { "device", "asked", "due", NULL };
static const struct list_chip chips[] = { { "waiting", "Waiting" }, { "done", "Destroyed" }, { "cancelled", "Cancelled" }, { NULL, NULL } };
static const struct list_view view = { .url = "/destructions", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts,
	.export = "/destructions.csv" };
static const char *const peoples[] = { "1", "2", NULL };

const struct route_param destructions_query[] = {
	LIST_PARAMS,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};
const struct route_param destruction_ask_fields[] = {
	{ "typed", "Device name", PARAM_TEXT, 0, 0, 255, NULL },
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};
const struct route_param destruction_confirm_fields[] = {
	{ "typed", "Device name", PARAM_TEXT, 0, 0, 255, NULL },
	PARAM_END
};
const struct route_param destruction_cancel_fields[] = {
	{ "comment", "Comment", PARAM_LINES, 0, 0, 1000, NULL },
	PARAM_END
};
const struct route_param destruction_rule_fields[] = {
	{ "days", "Waiting period in days", PARAM_INT, PARAM_REQUIRED, 1, DESTRUCTION_DAYS_MOST, NULL },
	{ "people", "How many people it takes", PARAM_ENUM, PARAM_REQUIRED, 0, 0, peoples },
	PARAM_END
};

/* What is shown of one */

static json_t *badge(const struct call *c, const char *state)
{
	return strcmp(state, "waiting") == 0 ? doc_badge(c, "Waiting", "yellow") : strcmp(state, "done") == 0 ? doc_badge(c, "Destroyed", "red") :
		doc_badge(c, "Cancelled", "gray");
}

static int is_own(const struct call *c, const json_t *row)
{
	struct uuid asked_by;

	return json_get_uuid(row, "asked_by", &asked_by) == 0 && uuid_equal(&asked_by, &c->user);
}

static json_t *show(struct call *c, const json_t *row)
{
	const char *state = doc_text(row, "state");
	int waiting = strcmp(state, "waiting") == 0, may = waiting && call_may(c, PERMISSION_KEYS_DESTRUCTION);
	int unconfirmed = waiting && json_integer_value(json_object_get(row, "people")) > 1 && *doc_text(row, "confirmed") == '\0';
	json_t *out = json_pack("{s:s, s:o, s:o, s:s, s:o, s:b, s:b, s:o, s:s, s:s?, s:o, s:o}", "id", doc_text(row, "id"), "url",
		json_sprintf("/destructions/%s", doc_text(row, "id")), "device", doc_link("/devices", doc_text(row, "device"), doc_text(row,
		"device_name")), "state", state, "status", badge(c, state), "waiting", waiting, "unconfirmed", unconfirmed, "asked", doc_when(c, row,
		"asked"), "asked_by", doc_text(row, "asked_by_name"), "comment", doc_optional(row, "comment"), "due", doc_when(c, row, "due"), "finished",
		doc_when(c, row, "finished"));

	json_set_string(out, "finished_by", doc_optional(row, "finished_by_name"));
	json_set_string(out, "confirmed_by", doc_optional(row, "confirmed_by_name"));
	json_object_set(out, "keys", json_object_get(row, "keys"));
	json_set_bool(out, "may_confirm", may && unconfirmed && !is_own(c, row) && json_is_true(json_object_get(row, "stands")));
	json_set_bool(out, "may_cancel", may);
	return out;
}

int destruction_member(struct call *c, const struct uuid *device, const json_t *row, enum device_state state)
{
	json_t *waiting = NULL;
	int rc = destruction_of(c->db, device, &waiting), legal;

	if (rc < 0)
		return rc;
	legal = device_can(state, DEVICE_EVENT_DESTROY) && json_is_true(json_object_get(row, "has_key")) && *doc_text(row, "raid") == '\0' &&
		*doc_text(row, "release") == '\0';
	json_set_bool(json_object_get(c->doc, "can"), "destroy", legal && json_is_null(waiting) && call_may(c, PERMISSION_KEYS_MANAGE));
	call_set(c, "destruction", json_is_null(waiting) ? json_null() : show(c, waiting));
	json_decref(waiting);
	return 0;
}

/* The list, and the account's rule */

static json_t *show_row(struct call *c, json_t *row)
{
	return show(c, row);
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return destruction_list(c->db, q, page);
}

int destructions_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "ID", "id" }, { "Device", "device" }, { "Status", "state" }, { "Asked for", "asked" },
		{ "By", "asked_by" }, { "Comment", "comment" }, { "Due", "due" }, { "Confirmed by", "confirmed_by" }, { "Finished", "finished" },
		{ "Finished by", "finished_by" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "destructions.csv");
}

static int set_rule(struct call *c)
{
	struct destruction_rule rule;
	int rc = destruction_rule_get(c->db, &rule);

	if (rc < 0)
		return rc;
	call_form(c, "days", json_integer(rule.days));
	call_form_option(c, "people", "1", call_translate(c, "One"), call_translate(c, "Who asks for it alone."), rule.people == 1);
	call_form_option(c, "people", "2", call_translate(c, "Two"), call_translate(c, "A second person has to confirm it."), rule.people == 2);
	call_set(c, "rule", json_pack("{s:I, s:I}", "days", (json_int_t)rule.days, "people", (json_int_t)rule.people));
	call_set(c, "can", json_pack("{s:b}", "edit", call_may(c, PERMISSION_ACCOUNT_EDIT)));
	return 0;
}

int destructions_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = destruction_list(c->db, &q, &page);
	if (rc == 0)
		rc = list_show(c, &view, page, show_row);
	return rc < 0 ? rc : set_rule(c);
}

int destruction_rule_save(struct call *c)
{
	struct destruction_rule rule = { call_int(c, "days", 0), strcmp(call_text(c, "people"), "1") == 0 ? 1 : 2 };
	int rc = destruction_rule_set(c->db, &rule);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The rule is saved.");
	call_redirect(c, "/destructions");
	return 0;
}

/* Asking */

static json_t *points(struct call *c, const json_t *row, int64_t exports)
{
	json_t *out = json_array(), *other;
	size_t i;

	json_array_append_new(out, json_string(call_translate(c, "The data on it, on copies of the disk and in its backups can never be read again.")));
	if (strcmp(doc_text(row, "status"), "in-use") == 0)
		json_array_append_new(out, json_string(call_translate(c, "Its volume is open now. It stays so until the keys are destroyed; then its agent"
			" closes it.")));
	json_array_foreach(json_object_get(row, "shared"), i, other)
		json_array_append_new(out, json_sprintf("%s %s", call_translate(c, "A copy of the key stays at another device:"), doc_text(other, "name")));
	if (exports)
		json_array_append_new(out, json_string(call_translate(c, "Its key was exported: whoever has such a file and its passphrase opens the volume"
			" still.")));
	return out;
}

int destruction_ask_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct destruction_rule rule = { 0 };
	enum device_state state;
	json_t *row = NULL, *text, *when;
	int64_t exports = 0;
	int rc = device_get(c->db, &id, &row);

	if (rc == 0 && (device_state_parse(doc_text(row, "status"), &state) < 0 || !device_can(state, DEVICE_EVENT_DESTROY) ||
		*doc_text(row, "raid")))
		rc = call_refuse(c, ERR_CONFLICT, NOT_NOW);
	if (rc == 0)
		rc = destruction_rule_get(c->db, &rule);
	if (rc == 0)
		rc = destruction_exports(c->db, &id, &exports);
	if (rc == 0) {
		when = call_counted(c, rule.days, "They are destroyed in %{n} day.", "They are destroyed in %{n} days.");
		text = json_sprintf("%s %s", json_string_value(when), rule.people > 1 ? call_translate(c,
			"A second person has to confirm it. Until then it can be cancelled.") : call_translate(c, "Until then it can be cancelled."));
		json_decref(when);
		doc_confirm(c, &(struct doc_confirm){ .folder = "/devices", .id = doc_text(row, "id"), .act = "destroy", .title = "Destroy the keys of",
			.name = doc_text(row, "name"), .typed = doc_text(row, "name"), .icon = "trash", .colour = "red", .danger = 1, .comment = 1,
			.button = "Ask for the destruction", .text = json_string_value(text), .points = points(c, row, exports) });
		json_decref(text);
	}
	json_decref(row);
	return rc;
}

int destruction_ask_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct device d = { .name = NULL };
	int rc = device_load(c->db, &id, &d);

	if (rc == 0 && device_can(d.status, DEVICE_EVENT_DESTROY) && strcmp(d.name, call_text(c, "typed")) != 0)
		rc = call_field_error(c, "typed", "This is not the device's name.");
	if (rc == 0)
		rc = destruction_ask(c->db, &id, call_text(c, "comment"));
	device_release(&d);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, NOT_NOW);
	return rc < 0 ? rc : doc_done(c, "/devices", &id, "The destruction of its keys is asked for. The administrators are told.");
}

/* Confirming and cancelling */

/* What the one who confirms has to know as well as the one who asked: it may have changed since. */
static int add_points(struct call *c, const json_t *row, struct doc_confirm *ask)
{
	struct uuid device;
	json_t *of = NULL;
	int64_t exports = 0;
	int rc = json_get_uuid(row, "device", &device);

	if (rc == 0)
		rc = device_get(c->db, &device, &of);
	if (rc == 0)
		rc = destruction_exports(c->db, &device, &exports);
	if (rc == 0)
		ask->points = points(c, of, exports);
	json_decref(of);
	return rc;
}

/* TYPED: it is lost by that, so the name is to be typed. */
static int ask_about(struct call *c, struct doc_confirm *ask, int typed)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *text;
	int rc = destruction_get(c->db, &id, &row);

	if (rc == 0 && strcmp(doc_text(row, "state"), "waiting") != 0)
		rc = call_refuse(c, ERR_CONFLICT, OVER);
	if (rc == 0 && typed)
		rc = add_points(c, row, ask);
	if (rc == 0) {
		text = json_sprintf("%s %s%s%s", call_translate(c, "Asked for by"), doc_text(row, "asked_by_name"), *doc_text(row, "comment") ? ": " : "",
			doc_text(row, "comment"));
		ask->folder = "/destructions";
		ask->id = doc_text(row, "id");
		ask->name = doc_text(row, "device_name");
		ask->typed = typed ? ask->name : NULL;
		ask->text = json_string_value(text);
		doc_confirm(c, ask);
		/* There is no page of one. */
		json_set_string(json_object_get(c->doc, "confirm"), "cancel", "/destructions");
		json_decref(text);
	}
	json_decref(row);
	return rc;
}

int destruction_confirm_page(struct call *c)
{
	struct doc_confirm ask = { .act = "confirm", .title = "Confirm the destruction of the keys of", .icon = "trash", .colour = "red", .danger = 1,
		.button = "Confirm", .warning = "The data on the device can never be read again. This cannot be undone." };

	return ask_about(c, &ask, 1);
}

int destruction_cancel_page(struct call *c)
{
	struct doc_confirm ask = { .act = "cancel", .title = "Do not destroy the keys of", .icon = "x", .colour = "blue", .comment = 1,
		.button = "Do not destroy" };

	return ask_about(c, &ask, 0);
}

static int done(struct call *c, int rc, const char *notice)
{
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, OVER);
	if (rc == ERR_FORBIDDEN)
		return call_refuse(c, rc, "Nobody confirms what he has asked for.");
	if (rc == ERR_EXPIRED)
		return call_refuse(c, ERR_CONFLICT, "Who asked for it was removed since, or has another role: cancel it, and have it asked for anew.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", notice);
	call_redirect(c, "/destructions");
	return 0;
}

int destruction_confirm_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = destruction_get(c->db, &id, &row);

	if (rc == 0 && strcmp(doc_text(row, "state"), "waiting") == 0 && strcmp(doc_text(row, "device_name"), call_text(c, "typed")) != 0)
		rc = call_field_error(c, "typed", "This is not the device's name.");
	json_decref(row);
	return done(c, rc < 0 ? rc : destruction_confirm(c->db, &id), "It is confirmed.");
}

int destruction_cancel_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");

	return done(c, destruction_cancel(c->db, &id, call_text(c, "comment")), "The keys are not destroyed.");
}
