/* notification.c - groups of recipients (NTF-1) of an account or of the operator: who is told by mail of which events, with which words, how often;
 * and the table of events itself. */
#include <stdlib.h>
#include <string.h>

#include "shared/notification.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "notice/event.h"
#include "notice/message.h"
#include "render/template.h"
#include "shared/letter.h"
#include "shared/recipients.h"
#include "store/audit.h"
#include "store/mail.h"
#include "store/notice_group.h"
#include "web/doc.h"
#include "web/list.h"
#include "web/param.h"

#define EVENTS_MOST 100
#define FOLDER "/notifications"

static const struct {
	const char *value, *text, *hint;
} frequencies[] = {
	{ "at-once", "At once", "Within seconds. What happens in the same moment comes in one mail." },
	{ "hourly", "Every hour", "One mail with all that happened, on the hour; none when nothing did." },
	{ "daily", "Every day", "One mail with all that happened since the day before, at the time below." },
};
static const char *const frequency_values[] = { "at-once", "hourly", "daily", NULL };
static const char *const states[] = { "on", "off", NULL };

const struct route_param notification_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "description", "Description", PARAM_TEXT, 0, 0, 500, NULL },
	{ "enabled", "Enabled", PARAM_BOOL, 0, 0, 0, NULL },
	{ "recipients", "Recipients", PARAM_LINES, PARAM_REQUIRED, 1, MESSAGE_TEXT_MAX, NULL },
	{ "events", "Events", PARAM_TEXTS, 0, 0, EVENTS_MOST, NULL },
	{ "frequency", "How often", PARAM_ENUM, PARAM_REQUIRED, 0, 0, frequency_values },
	{ "at", "Time", PARAM_TEXT, 0, 5, 5, NULL },
	{ "subject", "Subject", PARAM_TEXT, PARAM_REQUIRED, 1, 200, NULL },
	{ "header", "Header", PARAM_LINES, 0, 0, MESSAGE_TEXT_MAX, NULL },
	{ "content", "Content", PARAM_LINES, PARAM_REQUIRED, 1, MESSAGE_TEXT_MAX, NULL },
	{ "footer", "Footer", PARAM_LINES, 0, 0, MESSAGE_TEXT_MAX, NULL },
	PARAM_END
};
static const char *const filters[] = { "state", NULL }, *const sorts[] = { "name", "sent", "changed", NULL };
static const struct list_chip chips[] = { { "on", "On" }, { "off", "Off" }, { NULL, NULL } };
static const struct list_view view = { .url = FOLDER, .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .export =
	FOLDER ".csv" };
const struct route_param notifications_query[] = {
	LIST_PARAMS,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};

static int is_seen(const struct call *c, const struct notice_event *e)
{
	return e && notice_event_of_operator(e) == (c->site == WEB_CENTRAL) && call_may(c, e->sees);
}

void notification_tabs(struct call *c, const char *here)
{
	static const struct { const char *title, *url; } pages[] = { { "Groups", FOLDER }, { "Webhooks", "/webhooks" }, { "Events", FOLDER "/events" } };
	json_t *tabs = json_array();

	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		json_array_append_new(tabs, json_pack("{s:s, s:s, s:b}", "title", call_translate(c, pages[i].title), "url", pages[i].url, "active",
			strcmp(pages[i].url, here) == 0));
	call_set(c, "tabs", tabs);
}

/* List */

static const char *frequency_text(const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(frequencies); i++)
		if (strcmp(frequencies[i].value, value) == 0)
			return frequencies[i].text;
	return value;
}

static json_t *joined(const json_t *list)
{
	char *text = recipients_text(list);
	json_t *out = json_string(text);

	free(text);
	return out;
}

static json_t *show_row(struct call *c, json_t *row)
{
	const json_t *recipients = json_object_get(row, "recipients"), *events = json_object_get(row, "events");
	int enabled = json_is_true(json_object_get(row, "enabled"));
	const struct notice_event *first = notice_event_find(json_string_value(json_array_get(events, 0)), c->site == WEB_CENTRAL);
	json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:b, s:I, s:s, s:I, s:s, s:o, s:o, s:o, s:s}", "id", doc_text(row, "id"), "name", doc_text(row, "name"),
		"description", doc_text(row, "description"), "status", doc_badge(c, enabled ? "On" : "Off", enabled ? "green" : "gray"), "enabled", enabled,
		"events", (json_int_t)json_array_size(events), "event", first ? call_translate(c, first->label) : "", "recipients",
		(json_int_t)json_array_size(recipients), "recipient", json_string_value(json_array_get(recipients, 0)), "addresses", joined(recipients),
		"sent", doc_when(c, row, "sent"), "due", doc_when(c, row, "due"), "frequency", call_translate(c, frequency_text(doc_text(row, "frequency"))));

	doc_count(out, "more_events", (int64_t)json_array_size(events) - 1);
	doc_count(out, "undelivered", json_integer_value(json_object_get(row, "undelivered")));
	doc_count(out, "more_recipients", (int64_t)json_array_size(recipients) - 1);
	json_object_set_new(out, "at", strcmp(doc_text(row, "frequency"), "daily") == 0 ? json_string(doc_text(row, "at")) : json_null());
	json_object_set_new(out, "url", json_sprintf(FOLDER "/%s", doc_text(row, "id")));
	return out;
}

/* What decides whether anybody gets anything at all. */
static int show_can(struct call *c)
{
	int rc = letter_say(c);

	if (rc == 0)
		call_set(c, "can", json_pack("{s:b, s:b}", "edit", call_may(c, c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT), "mail",
			json_is_true(json_object_get(c->doc, "mail_set"))));
	return rc;
}

/* How many of a group's recipients have not got its last mail: of each group on the page, so that nobody has to open them all to find the one. */
static int mark_undelivered(struct call *c, json_t *groups)
{
	json_t *all = json_array(), *missed = NULL, *group, *one, *recipient;
	size_t i, k, r;
	int rc;

	json_array_foreach(groups, i, group)
		json_array_extend(all, json_object_get(group, "recipients"));
	rc = mail_undelivered(c->db, all, &missed);
	json_array_foreach(groups, i, group) {
		json_int_t count = 0;

		json_array_foreach(json_object_get(group, "recipients"), r, recipient)
			json_array_foreach(missed, k, one)
				count += json_equal(recipient, json_object_get(one, "recipient"));
		json_object_set_new(group, "undelivered", json_integer(count));
	}
	json_decref(missed);
	json_decref(all);
	return rc;
}

int notifications_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc = show_can(c);

	if (rc < 0)
		return rc;
	list_read(c, &view, &q);
	rc = notice_group_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	rc = mark_undelivered(c, json_object_get(page, "rows"));
	if (rc < 0) {
		json_decref(page);
		return rc;
	}
	notification_tabs(c, FOLDER);
	return list_show(c, &view, page, show_row);
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return notice_group_list(c->db, q, page);
}

int notifications_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Name", "name" }, { "Description", "description" }, { "Status", "status" }, { "Recipients", "addresses" },
		{ "Events", "events" }, { "How often", "frequency" }, { "Last mail (UTC)", "sent" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "notification-groups.csv");
}

/* The table of events */

static const char *who_by_default(const struct notice_event *e)
{
	static const struct { const char *roles, *text; } known[] = {
		{ NOTICE_SECURITY, "Account and Security Administrators" }, { NOTICE_ADMINISTRATORS, "Account Administrators" },
		{ NOTICE_APPROVERS, "Account Administrators and Key Approvers" }, { NOTICE_OPERATORS, "MSP Administrators and System Operators" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].roles, e->roles) == 0)
			return known[i].text;
	return NULL;
}

int notification_events_page(struct call *c)
{
	const char *heading = "";
	json_t *groups = json_array(), *rows = NULL;

	for (const struct notice_event *e = notice_events; e->name; e++) {
		if (!is_seen(c, e))
			continue;
		if (strcmp(heading, e->heading) != 0) {
			rows = json_array();
			json_array_append_new(groups, json_pack("{s:s, s:o}", "heading", call_translate(c, e->heading), "rows", rows));
			heading = e->heading;
		}
		json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:o, s:s?}", "name", e->name, "label", call_translate(c, e->label), "help",
			call_translate(c, e->help), "severity", doc_badge(c, notice_severity_label(e->severity), notice_severity_colour(e->severity)), "who",
			who_by_default(e) ? call_translate(c, who_by_default(e)) : NULL));
	}
	call_set(c, "groups", groups);
	notification_tabs(c, FOLDER "/events");
	return 0;
}

/* Form */

void notification_offer_events(struct call *c, const json_t *chosen)
{
	const char *heading = "";

	call_form(c, "events", json_null());
	for (const struct notice_event *e = notice_events; e->name; e++) {
		json_t *options;

		if (!is_seen(c, e))
			continue;
		call_form_option(c, "events", e->name, call_translate(c, e->label), call_translate(c, e->help), json_has_string(chosen, e->name));
		options = json_object_get(call_form_field(c, "events"), "options");
		if (strcmp(heading, e->heading) != 0)
			json_set_string(json_array_get(options, json_array_size(options) - 1), "group", call_translate(c, e->heading));
		heading = e->heading;
	}
}

json_t *notification_events(struct call *c)
{
	json_t *out = json_array();

	for (size_t i = 0; i < call_count(c, "events"); i++) {
		const struct notice_event *e = notice_event_find(call_text_at(c, "events", i), c->site == WEB_CENTRAL);

		if (!is_seen(c, e)) {
			json_decref(out);
			call_field_error(c, "events", "One of them is not there to choose.");
			return NULL;
		}
		if (!json_has_string(out, e->name))
			json_array_append_new(out, json_string(e->name));
	}
	if (json_array_size(out) > 0)
		return out;
	json_decref(out);
	call_field_error(c, "events", "Choose at least one.");
	return NULL;
}

static json_t *variables(struct call *c)
{
	json_t *out = json_array();

	for (const struct message_variable *v = message_variables; v->name; v++)
		json_array_append_new(out, json_pack("{s:o, s:s, s:s}", "text", json_sprintf("{{%s}}", v->name), "label", call_translate(c, v->label), "sample",
			v->sample));
	return out;
}

static void show_form(struct call *c, const json_t *row)
{
	static const char *const texts[] = { "name", "description", "subject", "header", "content", "footer", "at" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		call_form(c, texts[i], json_string(doc_text(row, texts[i])));
	call_form(c, "enabled", json_boolean(json_is_true(json_object_get(row, "enabled"))));
	call_form(c, "recipients", joined(json_object_get(row, "recipients")));
	notification_offer_events(c, json_object_get(row, "events"));
	call_form(c, "frequency", json_null());
	for (size_t i = 0; i < ARRAY_LEN(frequencies); i++)
		call_form_option(c, "frequency", frequencies[i].value, call_translate(c, frequencies[i].text), call_translate(c, frequencies[i].hint),
			strcmp(doc_text(row, "frequency"), frequencies[i].value) == 0);
	call_set(c, "variables", variables(c));
	call_set(c, "zone", json_string(c->time_zone));
}

int notification_new_page(struct call *c)
{
	static const char *const chosen[2][3] = { { "key-pending", "integrity-failed", "key-exported" },
		{ "installation-key-server-away", "server-trouble", "server-well" } };
	const char *const *first = chosen[c->site == WEB_CENTRAL];
	const struct message_texts *texts = c->site == WEB_CENTRAL ? &message_standard_operators : &message_standard;
	json_t *row = json_pack("{s:s, s:b, s:[s], s:[sss], s:s, s:s, s:s, s:s, s:s, s:s}", "name", "", "enabled", 1, "recipients",
		c->user_email ? c->user_email : "", "events", first[0], first[1], first[2], "frequency", "at-once", "at", "08:00", "subject",
		texts->subject, "header", call_translate(c, texts->header), "content", call_translate(c, texts->content), "footer",
		call_translate(c, message_standard.footer));

	show_form(c, row);
	json_decref(row);
	call_set(c, "group", json_pack("{s:s, s:s, s:n, s:n}", "url", FOLDER "/new", "title", call_translate(c, "New notification group"), "id", "status"));
	return show_can(c);
}

/* An address that was mistyped is known to the mail server alone. */
static int show_undelivered(struct call *c, const json_t *group)
{
	static const struct { const char *state, *text; } known[] = {
		{ "waiting", N_("not delivered yet; it is tried again") }, { "refused", N_("refused by its mail server: is the address right?") },
		{ "failed", N_("could not be delivered") },
	};
	json_t *rows = NULL, *row, *out = json_array();
	size_t i;
	int rc = mail_undelivered(c->db, json_object_get(group, "recipients"), &rows);

	json_array_foreach(rows, i, row)
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			if (strcmp(known[k].state, doc_text(row, "state")) == 0)
				json_array_append_new(out, json_pack("{s:s, s:o, s:s}", "recipient", doc_text(row, "recipient"), "at", doc_when(c, row, "at"), "text",
					call_translate(c, known[k].text)));
	json_decref(rows);
	call_set(c, "undelivered", out);
	return rc;
}

/* "3 events wait for the next mail:", which has a time of its own. */
static json_t *gathered_text(const struct call *c, const json_t *row, int64_t count)
{
	return count == 0 || json_is_null(json_object_get(row, "due")) ? json_null() : call_counted(c, count, "%{n} event waits for the next mail:",
		"%{n} events wait for the next mail:");
}

int notification_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int64_t gathered = 0;
	int rc = notice_group_get(c->db, &id, &row);

	if (rc == 0)
		rc = show_undelivered(c, row);
	if (rc == 0)
		rc = notice_group_gathered(c->db, &id, &gathered);
	if (rc < 0) {
		json_decref(row);
		return rc;
	}
	show_form(c, row);
	call_set(c, "group", show_row(c, row));
	json_set_string(json_object_get(c->doc, "group"), "title", doc_text(row, "name"));
	json_object_set_new(json_object_get(c->doc, "group"), "gathered", gathered_text(c, row, gathered));
	json_object_set_new(json_object_get(c->doc, "group"), "changed", doc_when(c, row, "changed"));
	json_set_string(json_object_get(c->doc, "group"), "changed_by", doc_optional(row, "changed_by"));
	json_decref(row);
	return show_can(c);
}

/* What was typed */

static json_t *read_recipients(struct call *c)
{
	json_t *out = recipients_read(c);

	if (out == NULL || json_array_size(out) > 0)
		return out;
	json_decref(out);
	call_field_error(c, "recipients", "To whom? Give at least one address.");
	return NULL;
}

static int check_texts(struct call *c)
{
	static const char *const names[] = { "subject", "header", "content", "footer" };
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (message_check(call_text(c, names[i])) < 0) {
			char *text = mem_printf("%s. %s", err_text(), call_translate(c, "The variables are listed beside the texts."));

			rc = call_field_error(c, names[i], text);
			free(text);
		}
	}
	return rc;
}

int notification_read(struct call *c, struct notice_group *g)
{
	int texts = check_texts(c), at;

	*g = (struct notice_group){ .name = call_text(c, "name"), .description = call_text(c, "description"), .enabled = call_bool(c, "enabled"),
		.recipients = read_recipients(c), .events = notification_events(c), .subject = call_text(c, "subject"), .header = call_text(c, "header"),
		.content = call_text(c, "content"), .footer = call_text(c, "footer"), .frequency = call_text(c, "frequency"), .at = call_has(c, "at") ?
		call_text(c, "at") : "08:00" };
	at = clock_is_time_of_day(g->at) ? 0 : call_field_error(c, "at", "Hours and minutes, such as 06:00 or 23:45.");
	return texts < 0 ? texts : at < 0 ? at : g->recipients && g->events ? 0 : ERR_INVALID;
}

void notification_release(struct notice_group *g)
{
	json_decref((json_t *)(uintptr_t)g->recipients);
	json_decref((json_t *)(uintptr_t)g->events);
}

static int save(struct call *c, const struct uuid *id)
{
	struct notice_group g;
	struct uuid saved;
	int rc = notification_read(c, &g);

	if (rc == 0)
		rc = notice_group_save(c->db, id, &g, &saved);
	notification_release(&g);
	if (rc == ERR_CONFLICT && strcmp(db_constraint(c->db), "notice_group_name") == 0)
		return call_field_error(c, "name", "There is a group of this name.");
	if (rc == ERR_TOO_MANY)
		return call_refuse(c, ERR_CONFLICT, "There are as many groups as there may be. Delete one that is not needed.");
	if (rc < 0)
		return rc;
	call_notice(c, "success", "The group is saved.");
	json_object_set_new(c->doc, "saved", json_object());
	json_set_uuid(json_object_get(c->doc, "saved"), "id", &saved);
	call_redirect(c, FOLDER);
	return 0;
}

int notification_new(struct call *c)
{
	return save(c, NULL);
}

int notification_save(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = notice_group_get(c->db, &id, &row);

	json_decref(row);
	return rc < 0 ? rc : save(c, &id);
}

/* Acts */

int notification_switch(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int on = call_bool(c, "enabled"), rc = notice_group_enable(c->db, &id, on);

	if (rc < 0)
		return rc;
	call_notice(c, "success", on ? "The group is on. It is told of what happens from now on." : "The group is off. Nothing is sent to it.");
	call_redirect(c, FOLDER);
	return 0;
}

const struct route_param notification_switch_fields[] = {
	{ "enabled", "Enabled", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};

int notification_delete_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = notice_group_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = FOLDER, .id = doc_text(row, "id"), .act = "delete", .title = "Delete", .name = doc_text(row, "name"),
		.icon = "trash", .colour = "red", .danger = 1, .button = "Delete group", .text = call_translate(c,
		"Its recipients get no more mails from it, not even what has been gathered for the next one. To pause it, switch it off instead.") });
	json_decref(row);
	return 0;
}

int notification_delete(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = notice_group_delete(c->db, &id);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The group is deleted.");
	call_redirect(c, FOLDER);
	return 0;
}
