/* doc.c - small parts of documents that many pages share. */
#include "web/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/licence.h"
#include "base/mem.h"
#include "identity/certificate.h"
#include "notice/entry.h"
#include "store/list.h"
#include "store/audit.h"
#include "store/signing.h"
#include "render/template.h"
#include "render/words.h"
#include "web/form.h"
#include "web/state.h"

#define HISTORY_MAX 30
#define LONG_AGO (7 * CLOCK_DAY)         /* then one wants to know the day */

const char *doc_text(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s ? s : "";
}

const char *doc_optional(const json_t *row, const char *name)
{
	const char *s = doc_text(row, name);

	return *s ? s : NULL;
}

json_t *doc_when(const struct call *c, const json_t *row, const char *name)
{
	clock_us at = 0;

	return clock_parse(doc_text(row, name), &at) < 0 ? json_null() : call_when(c, at);
}

json_t *doc_local(const struct call *c, const json_t *row, const char *name)
{
	const char *kept = json_string_value(json_object_get(row, name));
	char *text = kept ? words_local(template_words(c->state->templates), kept) : NULL;
	json_t *out = text ? json_string(text) : json_null();

	free(text);
	return out;
}

void doc_form_pem(struct call *c, const char *name, const char *pem)
{
	struct certificate x;
	json_t *when, *about;

	call_form(c, name, json_string(pem));
	if (*pem == '\0' || certificate_read(pem, strlen(pem), &x) < 0) {
		json_object_set_new(call_form_field(c, name), "about", json_null());
		return;
	}
	when = call_when(c, x.not_after);
	about = call_say(c, "%{name}, until %{when}", CALL_VALUES({ "name", x.subject }, { "when", doc_text(when, "text") }));
	json_object_set_new(call_form_field(c, name), "about", about);
	json_decref(when);
}

void doc_count(json_t *out, const char *name, int64_t count)
{
	char more[64];

	snprintf(more, sizeof more, "%s_more", name);
	json_object_set_new(out, name, json_integer(count < LIST_COUNT_MAX ? count : LIST_COUNT_MAX));
	json_object_set_new(out, more, json_boolean(count > LIST_COUNT_MAX));
}

json_t *doc_reason(const struct call *c, const char *text)
{
	json_t *phrase = text && *text && !c->api ? entry_reason(text) : NULL, *out;

	if (phrase == NULL)
		return text && *text ? json_string(text) : json_null();
	out = call_phrase(c, phrase);
	json_decref(phrase);
	return out;
}

json_t *doc_markup(const char *html)
{
	return template_safe(html);
}

json_t *doc_badge(const struct call *c, const char *label, const char *colour)
{
	return json_pack("{s:s, s:s}", "name", call_translate(c, label), "colour", colour);
}

json_t *doc_licence_kind(const struct call *c, const char *name)
{
	enum licence_kind kind;

	return licence_kind_parse(name, &kind) < 0 ? json_null() : doc_badge(c, licence_kind_label(kind), kind == LICENCE_FULL ? "green" : "blue");
}

json_t *doc_link(const char *folder, const char *id, const char *name)
{
	if (id == NULL || *id == '\0')
		return json_pack("{s:n, s:n}", "name", "url");
	return json_pack("{s:s, s:o}", "name", name, "url", json_sprintf("%s/%s", folder, id));
}

json_t *doc_size(const struct call *c, int64_t bytes)
{
	struct buf out = BUF_INIT;
	json_t *text;

	words_size(template_words(c->state->templates), bytes, &out);
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

/* { expected, value, error }: what was typed wrongly is not shown again. */
static json_t *typed_member(const struct call *c, const char *expected)
{
	const json_t *field = json_object_get(c->state->form, "typed");

	return expected ? json_pack("{s:s, s:s, s:O?}", "expected", expected, "value", "", "error", json_object_get(field, "error")) :
		json_null();
}

json_t *doc_question(const struct call *c, const char *act, const char *name)
{
	return call_say(c, N_("%{act} “%{name}”?"), CALL_VALUES({ "act", call_translate(c, act) }, { "name", name }));
}

void doc_confirm(struct call *c, const struct doc_confirm *ask)
{
	json_t *confirm = json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s?, s:o}", "text", ask->text, "icon", ask->icon, "colour", ask->colour,
		"button", call_translate(c, ask->button), "danger", ask->danger, "comment", ask->comment, "warning",
		ask->warning ? call_translate(c, ask->warning) : NULL, "typed", typed_member(c, ask->typed));

	json_object_set_new(confirm, "title", doc_question(c, ask->title, ask->name));
	json_object_set_new(confirm, "action", json_sprintf("%s/%s/%s", ask->folder, ask->id, ask->act));
	json_object_set_new(confirm, "cancel", json_sprintf("%s/%s", ask->folder, ask->id));
	json_object_set_new(confirm, "points", ask->points ? json_pack("{s:o}", "items", ask->points) : json_null());
	call_set(c, "confirm", confirm);
	if (ask->comment)
		call_form(c, "comment", json_string(""));
}

void doc_ask_remove(struct call *c, const char *url, const char *title, const char *name, const char *text, json_t *points, const char *button)
{
	json_t *items = points ? json_pack("{s:o}", "items", points) : json_null();

	call_set(c, "confirm", json_pack("{s:o, s:s, s:s, s:s, s:b, s:o, s:n, s:b, s:n, s:n, s:n, s:s, s:o, s:s}", "title",
		call_say(c, title, CALL_VALUES({ "name", name })), "text", call_translate(c, text), "icon", "trash", "colour", "red", "danger", 1, "points", items, "warning", "comment", 0, "choice", "typed",
		"fields", "button", call_translate(c, button), "action", json_sprintf("%s/remove", url), "cancel", url));
}

int doc_signing_key(struct call *c, const char *purpose, const char *name)
{
	uint8_t key[SIGNING_PUBLIC_SIZE];
	struct buf pem = BUF_INIT;
	int rc = signing_public(c->db, purpose, key);

	if (rc < 0)
		return rc;
	signing_pem(key, &pem);
	call_download(c, "application/x-pem-file", name, &pem);
	return 0;
}

int doc_done(struct call *c, const char *folder, const struct uuid *id, const char *notice)
{
	char text[UUID_TEXT_SIZE];

	uuid_text(id, text);
	call_notice(c, "success", notice);
	call_redirect(c, "%s/%s", folder, text);
	return 0;
}

static const char *colour_of(const char *event)
{
	static const struct { const char *part, *colour; } colours[] = {
		{ "failed", "red" }, { "denied", "red" }, { "refused", "red" }, { "revok", "orange" }, { "suspended", "yellow" },
		{ "pending", "yellow" }, { "approved", "green" }, { "delivered", "green" }, { "resumed", "green" }, { "encrypted", "green" },
		{ "opened", "green" }, { "closed", "gray" }, { "lost", "gray" },
	};

	for (size_t i = 0; i < sizeof colours / sizeof colours[0]; i++)
		if (strstr(event, colours[i].part))
			return colours[i].colour;
	return "blue";
}

const char *doc_policy(const struct call *c, const char *kept)
{
	return kept && entry_is_born(kept) ? call_translate(c, kept) : kept;
}

/* What people wrote with the act, or why it was done. */
static json_t *comment_of(const struct call *c, const json_t *detail)
{
	const char *comment = json_string_value(json_object_get(detail, "comment"));

	return doc_reason(c, comment ? comment : json_string_value(json_object_get(detail, "reason")));
}

/* The server's own processes are "System" to people: what they do is done automatically. */
const char *doc_actor(const struct call *c, const char *kind, const char *name)
{
	static const char *const processes[] = { "agent service", "jobd" };
	static const struct { const char *kind, *name; } nameless[] = { { "agent", "Agent" }, { "anonymous", "Nobody signed in" }, { "system", "System" } };

	for (size_t i = 0; i < ARRAY_LEN(processes); i++)
		if (strcmp(kind, "system") == 0 && strcmp(name, processes[i]) == 0)
			name = "";
	for (size_t i = 0; *name == '\0' && i < ARRAY_LEN(nameless); i++)
		if (strcmp(kind, nameless[i].kind) == 0)
			name = call_translate(c, nameless[i].name);
	return *name ? name : call_translate(c, kind);
}

static json_t *history_row(const struct call *c, const json_t *entry)
{
	const char *by = doc_actor(c, doc_text(entry, "actor_kind"), doc_text(entry, "actor_name"));
	clock_us at = c->now;

	clock_parse(doc_text(entry, "at"), &at);
	return json_pack("{s:s, s:s, s:s, s:o, s:b, s:o, s:n}", "title", call_translate(c, doc_text(entry, "label")), "colour",
		colour_of(doc_text(entry, "event")), "by", by, "at", doc_when(c, entry, "at"), "long_ago", c->now - at > LONG_AGO, "comment",
		comment_of(c, json_object_get(entry, "detail")), "detail");
}

static void set_history_log(struct call *c, const char *called)
{
	struct buf url = BUF_INIT;

	call_set(c, "history_log", json_null());
	if (!call_may(c, c->site == WEB_CENTRAL ? PERMISSION_SYSTEM_LOG_VIEW : PERMISSION_LOGS_VIEW) || *called == '\0')
		return;
	form_append(&url, "text", called);
	call_set(c, "history_log", json_sprintf("/log?%s", buf_str(&url)));
	buf_free(&url);
}

int doc_history(struct call *c, const char *id, const char *called)
{
	struct list_query q = { .limit = HISTORY_MAX, .sort = "number", .filters = { { "object", id } } };
	json_t *page, *entry, *out;
	size_t i;
	int rc = audit_list(c->db, &q, &page);

	if (rc < 0)
		return rc;
	out = json_array();
	json_array_foreach(json_object_get(page, "rows"), i, entry)
		json_array_append_new(out, history_row(c, entry));
	json_decref(page);
	call_set(c, "history", out);
	set_history_log(c, called);
	return 0;
}

const char *const schedule_weekdays[] = { "1", "2", "3", "4", "5", "6", "7", NULL };

void schedule_offer_weekdays(struct call *c, const char *field, int64_t chosen)
{
	static const char *const names[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday" };

	call_form(c, field, json_sprintf("%d", (int)chosen));
	for (int i = 0; i < 7; i++)
		call_form_option(c, field, schedule_weekdays[i], call_translate(c, names[i]), NULL, i + 1 == chosen);
}
