/* webhook.c - pages of both consoles: other systems that are told of events (NTF-3): address, format, events; the secret that signs, shown once; deliveries. */
#include <stdlib.h>
#include <string.h>

#include "shared/webhook.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "notice/event.h"
#include "notice/hook.h"
#include "notice/message.h"
#include "outside/https.h"
#include "render/template.h"
#include "shared/notification.h"
#include "store/webhook.h"
#include "web/doc.h"
#include "web/list.h"
#include "web/vault.h"

#define FOLDER "/webhooks"
#define LIVE_S 3

static const char *const states[] = { "on", "off", NULL }, *const delivery_states[] = { "waiting", "delivered", "failed", NULL };
const struct route_param webhook_fields[] = {
	{ "name", "Name", PARAM_TEXT, PARAM_REQUIRED, 1, 100, NULL },
	{ "url", "Address", PARAM_TEXT, PARAM_REQUIRED, 1, 2000, NULL },
	{ "format", "Format", PARAM_ENUM, PARAM_REQUIRED, 0, 0, hook_format_names },
	{ "events", "Events", PARAM_TEXTS, 0, 0, 100, NULL },
	{ "ca", "Certificate", PARAM_CERTIFICATES, 0, 0, 65536, NULL },
	{ "enabled", "Enabled", PARAM_BOOL, 0, 0, 0, NULL },
	PARAM_END
};
static const char *const filters[] = { "state", NULL }, *const sorts[] = { "name", "changed", NULL };
static const struct list_chip chips[] = { { "on", "On" }, { "off", "Off" }, { NULL, NULL } };
static const struct list_view view = { .url = FOLDER, .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .export = FOLDER ".csv" };
const struct route_param webhooks_query[] = {
	LIST_PARAMS,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, states },
	PARAM_END
};
static const struct list_chip delivery_chips[] = { { "delivered", "Delivered" }, { "waiting", "Under way" }, { "failed", "Failed" }, { NULL, NULL } };
static const char *const delivery_sorts[] = { "event", "created", "state", "took", NULL };
static const struct list_csv delivery_columns[] = { { "Event", "event" }, { "At (UTC)", "at" }, { "Outcome", "state" }, { "Attempts", "attempts" }, { "Status", "status" },
	{ "Milliseconds", "took" }, { "Error", "error" }, { "Answer", "answer" }, { NULL, NULL } };
static const struct list_view deliveries = { .of = "webhook", .filters = filters, .chip = "state", .chips = delivery_chips, .sorts = delivery_sorts, .columns = delivery_columns,
	.file = "deliveries.csv" };
const struct route_param webhook_query[] = {
	LIST_PARAMS_CSV,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, delivery_states },
	PARAM_END
};

static int may_edit(const struct call *c)
{
	return call_may(c, c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_EDIT : PERMISSION_ACCOUNT_EDIT);
}

/* List */

/* Path and query are a secret of many receivers: for whoever may change it. */
static char *shown_address(const struct call *c, const char *url)
{
	const char *host = strstr(url, "//");
	size_t len = host ? (size_t)(host - url) + 2 + strcspn(host + 2, "/?") : 0;

	return may_edit(c) || url[len] == '\0' ? mem_strdup(url) : mem_printf("%.*s/…", (int)len, url);
}

static json_t *state_badge(const struct call *c, const char *state)
{
	static const struct { const char *name, *label, *colour; } looks[] = {
		{ "waiting", "Under way", "blue" }, { "delivered", "Delivered", "green" }, { "failed", "Failed", "red" },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].name, state) == 0)
			return doc_badge(c, looks[i].label, looks[i].colour);
	return json_null();
}

static json_t *show_row(struct call *c, json_t *row)
{
	const json_t *last = json_object_get(row, "last");
	int enabled = json_is_true(json_object_get(row, "enabled"));
	const char *stopped = doc_optional(row, "stopped"), *host = strstr(doc_text(row, "url"), "//");
	json_t *out = json_pack("{s:s, s:s, s:b, s:o, s:s?, s:s, s:I, s:o, s:o}", "id", doc_text(row, "id"), "name", doc_text(row, "name"), "enabled", enabled,
		"status", doc_badge(c, enabled ? "On" : stopped ? "Stopped" : "Off", enabled ? "green" : stopped ? "red" : "gray"), "stopped", stopped, "format",
		call_translate(c, hook_format_label(hook_format_of(doc_text(row, "format")))), "events",
		(json_int_t)json_array_size(json_object_get(row, "events")), "last", state_badge(c, doc_text(last, "state")), "last_at", doc_when(c, last, "at"));

	json_object_set_new(out, "server", host ? json_pack("s%", host + 2, strcspn(host + 2, "/?")) : json_null());
	json_object_set_new(out, "url", json_sprintf(FOLDER "/%s", doc_text(row, "id")));
	return out;
}

int webhooks_page(struct call *c)
{
	struct list_query q;
	json_t *page;
	int rc;

	list_read(c, &view, &q);
	rc = webhook_list(c->db, &q, &page);
	if (rc < 0)
		return rc;
	call_set(c, "can", json_pack("{s:b}", "edit", may_edit(c)));
	notification_tabs(c, FOLDER);
	return list_show(c, &view, page, show_row);
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	return webhook_list(c->db, q, page);
}

int webhooks_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Name", "name" }, { "Server", "server" }, { "Format", "format" }, { "Status", "status" }, { "Events", "events" },
		{ "Last delivery", "last" }, { "At (UTC)", "last_at" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "webhooks.csv");
}

/* Form */

static void show_form(struct call *c, const json_t *row)
{
	char *url = shown_address(c, doc_text(row, "url"));

	call_form(c, "name", json_string(doc_text(row, "name")));
	call_form(c, "url", json_string(url));
	doc_form_pem(c, "ca", doc_text(row, "ca"));
	call_form(c, "enabled", json_boolean(json_is_true(json_object_get(row, "enabled"))));
	call_form(c, "format", json_null());
	for (int i = 0; i < HOOK_FORMAT_COUNT; i++)
		call_form_option(c, "format", hook_format_names[i], call_translate(c, hook_format_label(i)), call_translate(c, hook_format_hint(i)),
			strcmp(hook_format_names[i], doc_text(row, "format")) == 0);
	notification_offer_events(c, json_object_get(row, "events"));
	free(url);
}

int webhook_new_page(struct call *c)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:b, s:[]}", "name", "", "url", "", "ca", "", "format", "json", "enabled", 1, "events");

	show_form(c, row);
	json_decref(row);
	call_set(c, "hook", json_pack("{s:s, s:s, s:n, s:n}", "url", FOLDER "/new", "title", call_translate(c, "New webhook"), "id", "stopped"));
	call_set(c, "can", json_pack("{s:b}", "edit", 1));
	return 0;
}

int webhook_edit_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = webhook_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	show_form(c, row);
	call_set(c, "hook", json_pack("{s:o, s:s, s:s, s:s?}", "url", json_sprintf(FOLDER "/%s/edit", doc_text(row, "id")), "title", doc_text(row, "name"), "id",
		doc_text(row, "id"), "stopped", doc_optional(row, "stopped")));
	call_set(c, "can", json_pack("{s:b}", "edit", 1));
	json_decref(row);
	return 0;
}

/* W borrows from C; its events are the caller's to release, whatever is returned. */
static int read_form(struct call *c, struct webhook *w)
{
	int rc = 0;

	*w = (struct webhook){ .name = call_text(c, "name"), .url = call_text(c, "url"), .format = call_text(c, "format"), .ca = call_text(c, "ca"), .events =
		notification_events(c), .enabled = call_bool(c, "enabled") };
	if (https_check_hook(w->url) < 0)
		rc = call_field_error(c, "url", "An address like https://hooks.example.com/path, without user name and #.");
	return rc < 0 ? rc : w->events ? 0 : ERR_INVALID;
}

static int refuse(struct call *c, int rc)
{
	if (rc == ERR_CONFLICT && strcmp(db_constraint(c->db), "webhook_name") == 0)
		return call_field_error(c, "name", "There is a webhook of this name.");
	if (rc == ERR_TOO_MANY)
		return call_refuse(c, ERR_CONFLICT, "There are as many webhooks as there may be. Delete one that is not needed.");
	return rc;
}

/* Shown on the page that answers, and never again. */
static int make_secret(struct call *c, const struct uuid *id, const char *name, struct buf *blob)
{
	struct secret *secret = hook_secret_new();
	char purpose[WEBHOOK_SYSTEM_PURPOSE_SIZE];
	int rc;

	webhook_system_purpose(id, purpose);
	rc = c->site == WEB_CENTRAL ? keys_system_protect(c->keys, &c->id, purpose, secret, blob) : vault_protect_of(c, WEBHOOK_PURPOSE, id, secret, blob);
	if (rc == 0)
		call_set(c, "made", json_pack("{s:s, s:s%, s:o}", "name", name, "secret", (const char *)secret->data, secret->len, "url", json_null()));
	if (rc == 0) {
		char text[UUID_TEXT_SIZE];

		uuid_text(id, text);
		json_object_set_new(json_object_get(c->doc, "made"), "url", json_sprintf(FOLDER "/%s", text));
		json_set_string(json_object_get(c->doc, "made"), "id", text);
	}
	secret_free(secret);
	return rc;
}

int webhook_new(struct call *c)
{
	struct uuid id = uuid_new();
	struct buf blob = BUF_INIT;
	struct webhook w;
	int rc = read_form(c, &w);

	if (rc == 0)
		rc = make_secret(c, &id, w.name, &blob);
	if (rc == 0)
		rc = webhook_create(c->db, &id, &w, &blob);
	buf_free(&blob);
	json_decref((json_t *)(uintptr_t)w.events);
	return refuse(c, rc);
}

int webhook_edit(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct webhook w;
	json_t *row = NULL;
	int rc = webhook_get(c->db, &id, &row);

	json_decref(row);
	if (rc < 0)
		return rc;
	rc = read_form(c, &w);
	if (rc == 0)
		rc = webhook_save(c->db, &id, &w);
	json_decref((json_t *)(uintptr_t)w.events);
	return rc < 0 ? refuse(c, rc) : doc_done(c, FOLDER, &id, "The webhook is saved.");
}

/* One of them */

static json_t *show_delivery(struct call *c, json_t *row)
{
	const struct notice_event *e = notice_event_find(doc_text(row, "event"), c->site == WEB_CENTRAL);
	json_t *out = json_pack("{s:s, s:s, s:s, s:b, s:o, s:O, s:O, s:O, s:s?, s:o, s:s, s:o}", "id", doc_text(row, "id"), "event", doc_text(row, "event"), "title",
		e ? call_translate(c, e->label) : doc_text(row, "event"), "test", json_is_true(json_object_get(row, "is_test")), "state",
		state_badge(c, doc_text(row, "state")), "attempts", json_object_get(row, "attempts"), "status", json_object_get(row, "status"), "took",
		json_object_get(row, "took_ms"), "answer", doc_optional(row, "answer"), "error", doc_reason(c, doc_text(row, "error")), "body", doc_text(row, "body"), "at",
		doc_when(c, row, "created"));

	json_object_set_new(out, "tried", doc_when(c, row, "tried"));
	return out;
}

/* Only while something is under way: whoever reads what was sent is not disturbed. */
static void set_live(struct call *c, const json_t *page)
{
	struct uuid id = call_uuid(c, "id");
	char text[UUID_TEXT_SIZE];
	const json_t *row;
	int waits = 0;
	size_t i;

	uuid_text(&id, text);
	json_array_foreach(json_object_get(page, "rows"), i, row)
		waits |= strcmp(doc_text(row, "state"), "waiting") == 0;
	call_set(c, "live", waits ? json_pack("{s:o, s:i}", "url", json_sprintf(FOLDER "/%s?fragment=1", text), "seconds", LIVE_S) : json_null());
}

static int fetch_deliveries(struct call *c, const struct list_query *q, json_t **page)
{
	int rc = webhook_deliveries(c->db, q, page);

	if (rc == 0)
		set_live(c, *page);
	return rc;
}

/* The names of the events, as one reads them. */
static json_t *told_of(const struct call *c, const json_t *events)
{
	struct buf out = BUF_INIT;
	const json_t *name;
	json_t *text;
	size_t i;

	json_array_foreach(events, i, name) {
		const struct notice_event *e = notice_event_find(json_string_value(name), c->site == WEB_CENTRAL);

		buf_printf(&out, "%s%s", out.len ? ", " : "", e ? call_translate(c, e->label) : json_string_value(name));
	}
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

int webhook_page(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL, *hook;
	char *url;
	int rc = webhook_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	url = shown_address(c, doc_text(row, "url"));
	hook = show_row(c, row);
	json_set_string(hook, "address", url);
	json_object_set_new(hook, "told", told_of(c, json_object_get(row, "events")));
	json_object_set_new(hook, "changed", doc_when(c, row, "changed"));
	json_set_string(hook, "changed_by", doc_optional(row, "changed_by"));
	call_set(c, "hook", hook);
	call_set(c, "can", json_pack("{s:b}", "edit", may_edit(c)));
	free(url);
	json_decref(row);
	return list_answer(c, &deliveries, fetch_deliveries, show_delivery);
}

int webhook_switch(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int on = call_bool(c, "enabled"), rc = webhook_enable(c->db, &id, on);

	return rc < 0 ? rc : doc_done(c, FOLDER, &id, on ? "The webhook is on. It is told of what happens from now on." : "The webhook is off.");
}

int webhook_secret_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = webhook_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = FOLDER, .id = doc_text(row, "id"), .act = "secret", .title = "New secret for", .name = doc_text(row, "name"),
		.icon = "key", .colour = "orange", .danger = 0, .button = "Make a new secret", .text = call_translate(c, "From then on deliveries are signed with"
		" the new one, also those under way. Until the receiver knows it, it will refuse them.") });
	json_decref(row);
	return 0;
}

int webhook_secret_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	struct buf blob = BUF_INIT;
	json_t *row = NULL;
	int rc = webhook_get(c->db, &id, &row);

	if (rc == 0)
		rc = make_secret(c, &id, doc_text(row, "name"), &blob);
	if (rc == 0)
		rc = webhook_set_secret(c->db, &id, &blob);
	buf_free(&blob);
	json_decref(row);
	return rc;
}

int webhook_delete_ask(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = webhook_get(c->db, &id, &row);

	if (rc < 0)
		return rc;
	doc_confirm(c, &(struct doc_confirm){ .folder = FOLDER, .id = doc_text(row, "id"), .act = "delete", .title = "Delete", .name = doc_text(row, "name"),
		.icon = "trash", .colour = "red", .danger = 1, .button = "Delete webhook", .text = call_translate(c,
		"Its receiver is told of nothing more, not of what is under way either. The list of its deliveries goes with it.") });
	json_decref(row);
	return 0;
}

int webhook_delete_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	int rc = webhook_delete(c->db, &id);

	if (rc < 0)
		return rc;
	call_notice(c, "success", "The webhook is deleted.");
	call_redirect(c, FOLDER);
	return 0;
}

int webhook_test_run(struct call *c)
{
	struct uuid id = call_uuid(c, "id"), delivery = uuid_new();
	json_t *row = NULL, *items = message_sample_items(), *item = json_array_get(items, 0);
	char text[UUID_TEXT_SIZE], at[CLOCK_TEXT_SIZE], *link = call_address(c, c->site, "/notices"), *body;
	int rc = webhook_get(c->db, &id, &row);

	if (rc == 0) {
		uuid_text(&delivery, text);
		clock_text(c->now, at);
		json_set_string(item, "event", call_translate(c, "Test"));
		json_set_string(item, "comment", call_translate(c, "This is a test: nothing has happened."));
		json_set_string(item, "account", c->site == WEB_CENTRAL ? call_translate(c, "Central Management") : c->tenant_name);
		json_set_string(item, "link", link);
		body = hook_body(hook_format_of(doc_text(row, "format")), text, "test", "info", at, item,
			call_words(c));
		rc = webhook_test(c->db, &id, &delivery, "test", body);
		free(body);
	}
	free(link);
	json_decref(items);
	json_decref(row);
	if (rc == ERR_CONFLICT)
		return call_refuse(c, rc, "A test is under way. Its outcome is shown below in a moment.");
	return rc < 0 ? rc : doc_done(c, FOLDER, &id, "A test is on its way. Its outcome is shown below in a moment.");
}
