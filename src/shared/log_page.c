/* log_page.c - query and export of the log. */
#include "shared/log_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "notice/entry.h"
#include "store/audit.h"
#include "web/doc.h"
#include "web/list.h"

#define REFRESH_S 5

/* Periods that are asked for often: months by UTC, as all times here. */
static const struct { const char *name, *title; } periods[] = { { "all", "All times" }, { "week", "Last 7 days" }, { "month", "This month" },
	{ "last-month", "Last month" } };
static const char *const period_names[] = { "all", "week", "month", "last-month", NULL };
const struct route_param log_query[] = {
	LIST_PARAMS,
	{ "from", "From", PARAM_TIME, 0, 0, 0, NULL },
	{ "to", "Until", PARAM_TIME, 0, 0, 0, NULL },
	{ "text", "Text", PARAM_TEXT, 0, 0, LIST_SEARCH_MAX, NULL },
	{ "type", "Type", PARAM_TEXTS, 0, 0, AUDIT_CATEGORY_COUNT, NULL },
	{ "period", "Period, in place of from and until", PARAM_ENUM, 0, 0, 0, period_names },
	PARAM_END
};

/* For the store the fields have other names: read without filters, shown with them, so that links keep them. */
static const char *const fields[] = { "from", "to", "text", "type", "period", NULL };
static const struct list_view view = { .url = "/log" };
static const struct list_view shown_view = { .url = "/log", .filters = fields, .export = "/log.csv" };
static const char *const colours[AUDIT_CATEGORY_COUNT] = { [AUDIT_CATEGORY_AGENT] = "blue", [AUDIT_CATEGORY_KEY] = "green",
	[AUDIT_CATEGORY_POLICY] = "purple", [AUDIT_CATEGORY_USER] = "yellow", [AUDIT_CATEGORY_DEVICE] = "orange",
	[AUDIT_CATEGORY_REPORT] = "blue", [AUDIT_CATEGORY_SYSTEM] = "gray" };

static const char *text(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s ? s : "";
}

static json_t *type_badge(const struct call *c, const char *category)
{
	for (int i = 0; i < AUDIT_CATEGORY_COUNT; i++)
		if (strcmp(audit_category_name(i), category) == 0)
			return json_pack("{s:s, s:s}", "name", call_translate(c, audit_category_label(i)), "colour", colours[i]);
	return json_pack("{s:s, s:s}", "name", category, "colour", "gray");
}

/* In the API the names and values that programs know. A value of a detail as text there: objects and lists as JSON, so that nothing is hidden. */
static json_t *printed(const json_t *value)
{
	char *dump;
	json_t *out;

	if (value == NULL || json_is_null(value) || json_is_string(value))
		return json_incref((json_t *)(uintptr_t)(value ? value : json_null()));
	dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
	out = json_string(dump ? dump : "");
	free(dump);
	return out;
}

/* Takes PHRASE over. */
static json_t *said(const struct call *c, json_t *phrase)
{
	json_t *out = call_phrase(c, phrase);

	json_decref(phrase);
	return out;
}

static json_t *value_shown(const struct call *c, const char *field, const json_t *value)
{
	return c->api ? printed(value) : said(c, entry_value(field, value));
}

static json_t *changes_of(const struct call *c, json_t *detail)
{
	json_t *out = json_array(), *change;
	const char *field;

	json_object_foreach(json_object_get(detail, "changes"), field, change)
		json_array_append_new(out, json_pack("{s:o, s:o, s:o}", "field", c->api ? json_string(field) : said(c, entry_name(field)), "old",
			value_shown(c, field, json_object_get(change, "old")), "new", value_shown(c, field, json_object_get(change, "new"))));
	return out;
}

/* "reason: not paid, comment: ..." for all but the changes. */
static json_t *rest_printed(json_t *detail)
{
	struct buf out = BUF_INIT;
	const char *name;
	json_t *value, *result;

	json_object_foreach(detail, name, value) {
		json_t *shown;

		if (strcmp(name, "changes") == 0 || json_is_null(value))
			continue;
		shown = printed(value);
		buf_printf(&out, "%s%s: %s", out.len ? ", " : "", name, json_string_value(shown));
		json_decref(shown);
	}
	result = out.len ? json_string(buf_str(&out)) : json_null();
	buf_free(&out);
	return result;
}

static json_t *rest_of(const struct call *c, json_t *detail)
{
	return c->api ? rest_printed(detail) : said(c, entry_detail(detail));
}

/* Where the object has a page of its own. */
static json_t *object_url(const struct call *c, const json_t *row)
{
	static const struct { const char *kind, *path; enum web_site site; } pages[] = {
		{ "tenant", "/tenants", WEB_CENTRAL }, { "device", "/devices", WEB_CONSOLE }, { "image", "/images", WEB_CONSOLE },
		{ "instance", "/instances", WEB_CONSOLE }, { "request", "/requests", WEB_CONSOLE }, { "policy", "/policies", WEB_CONSOLE },
		{ "user", "/users", WEB_CONSOLE },
	};
	const char *id = json_string_value(json_object_get(row, "object_id"));

	for (size_t i = 0; id && i < sizeof pages / sizeof pages[0]; i++)
		if (pages[i].site == c->site && strcmp(pages[i].kind, text(row, "object_kind")) == 0)
			return json_sprintf("%s/%s", pages[i].path, id);
	return json_null();
}

static json_t *show_row(struct call *c, json_t *row)
{
	json_t *detail = json_object_get(row, "detail"), *changes = changes_of(c, detail), *rest = rest_of(c, detail);
	json_t *out = json_object();
	clock_us at = 0;

	clock_parse(text(row, "at"), &at);
	json_object_set(out, "id", json_object_get(row, "seq"));
	json_object_set_new(out, "at", call_when_utc(c, at));
	json_object_set_new(out, "type", type_badge(c, text(row, "category")));
	json_set_string(out, "event", call_translate(c, text(row, "label")));
	json_set_string(out, "name", text(row, "event"));
	json_object_set_new(out, "actor", json_string(doc_actor(c, text(row, "actor_kind"), text(row, "actor_name"))));
	json_object_set(out, "address", json_object_get(row, "address"));
	/* An entry may name its object by the id alone. */
	json_object_set_new(out, "object", *text(row, "object_name") ? said(c, entry_object(text(row, "object_kind"), text(row, "object_name"))) :
		json_incref(json_object_get(row, "object_id")));
	json_object_set_new(out, "object_url", object_url(c, row));
	json_set_bool(out, "has_changes", json_array_size(changes) > 0);
	json_set_bool(out, "has_detail", json_array_size(changes) > 0 || !json_is_null(rest));
	json_object_set_new(out, "changes", changes);
	json_object_set_new(out, "detail", rest);
	return out;
}

/* From when until when; empty: open. */
struct span {
	char from[CLOCK_TEXT_SIZE], to[CLOCK_TEXT_SIZE];
};

static void first_of_month(clock_us now, int months_ago, char out[static CLOCK_TEXT_SIZE])
{
	time_t at = (time_t)(now / CLOCK_SECOND);
	struct tm tm;

	gmtime_r(&at, &tm);
	tm.tm_mday = 1;
	tm.tm_mon -= months_ago;
	timegm(&tm);
	strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT00:00:00Z", &tm);
}

static struct span span_of(const struct call *c, const char *period)
{
	struct span s = { "", "" };

	if (strcmp(period, "week") == 0) {
		clock_text(c->now - 7 * 24 * 3600 * (clock_us)CLOCK_SECOND, s.from);
		strcpy(s.from + strlen("2026-11-27"), "T00:00:00Z");
	} else if (strstr(period, "month")) {
		int last = strcmp(period, "last-month") == 0;

		first_of_month(c->now, last, s.from);
		if (last)
			first_of_month(c->now, 0, s.to);
	}
	return s;
}

static struct span span_asked(const struct call *c)
{
	struct span s = { "", "" };

	if (call_has(c, "period"))
		return span_of(c, call_text(c, "period"));
	if (call_has(c, "from"))
		clock_text(call_time(c, "from"), s.from);
	if (call_has(c, "to"))
		clock_text(call_time(c, "to"), s.to);
	return s;
}

/* What the store wants, from the form's fields. The buffers must live as long as *Q. */
struct query_texts {
	struct span span;
	char types[256];
};

static void add_filter(struct list_query *q, const char *name, const char *value)
{
	for (int i = 0; i < LIST_FILTERS_MAX; i++) {
		if (q->filters[i].name == NULL) {
			q->filters[i].name = name;
			q->filters[i].value = value;
			return;
		}
	}
}

static void read_query(const struct call *c, struct list_query *q, struct query_texts *t)
{
	list_read(c, &view, q);
	if (call_has(c, "text"))
		q->search = call_text(c, "text");
	*t = (struct query_texts){ .span = span_asked(c) };
	for (size_t i = 0; i < call_count(c, "type"); i++)
		snprintf(t->types + strlen(t->types), sizeof t->types - strlen(t->types), "%s%s", i ? "," : "", call_text_at(c, "type", i));
	add_filter(q, "from", t->span.from);
	add_filter(q, "to", t->span.to);
	/* One alone is found in its index in the order of the page. */
	add_filter(q, call_count(c, "type") == 1 ? "type" : "category", t->types);
}

/* What the form holds: as the browser's date fields write it. */
static void set_time_field(struct call *c, const char *name, const char *time)
{
	call_form(c, name, json_pack("s%", time, strnlen(time, strlen("2026-11-27T12:00"))));
}

static int is_selected(const struct call *c, const char *type)
{
	for (size_t i = 0; i < call_count(c, "type"); i++)
		if (strcmp(call_text_at(c, "type", i), type) == 0)
			return 1;
	return 0;
}

/* New entries come on the first page alone, and not behind the end of a period. */
static void set_live(struct call *c, const struct span *s)
{
	const char *query = c->request->query;

	call_set(c, "live", call_has(c, "page") || *s->to ? json_null() : json_pack("{s:o, s:i}", "url", query && *query ?
		json_sprintf("/log?%s", query) : json_string("/log"), "seconds", REFRESH_S));
}

/* Buttons of the query's form: what is typed there goes with them. */
static void set_periods(struct call *c, const struct span *asked)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(periods); i++) {
		struct span s = span_of(c, periods[i].name);
		int active = strncmp(s.from, asked->from, strlen("2026-11-27")) == 0 && strncmp(s.to, asked->to, strlen("2026-11-27")) == 0;

		json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "name", periods[i].name, "title", call_translate(c, periods[i].title), "active", active));
	}
	call_set(c, "periods", list);
}

/* What no index finds, such as a text of two characters, is looked for by reading: of very many entries, until the database's patience is over. */
static int ask(struct call *c, const struct list_query *q, json_t **page)
{
	int rc = audit_list(c->db, q, page);

	return rc != ERR_TIMEOUT ? rc : call_refuse(c, rc, "To look through so many entries takes too long. Choose a shorter period or a type; texts of three characters and"
		" more are found quickest.");
}

/* What can be there; what a link asks for is shown in any case. */
static void offer_types(struct call *c)
{
	for (int i = 0; i < AUDIT_CATEGORY_COUNT; i++) {
		int selected = is_selected(c, audit_category_name(i));

		if (selected || c->site == WEB_CONSOLE || audit_category_of_installation(i))
			call_form_option(c, "types", audit_category_name(i), call_translate(c, audit_category_label(i)), NULL, selected);
	}
}

int log_page(struct call *c)
{
	struct query_texts t;
	struct list_query q;
	json_t *page;
	int rc;

	read_query(c, &q, &t);
	rc = ask(c, &q, &page);
	if (rc < 0)
		return rc;
	call_set(c, "partial", json_boolean(json_is_true(json_object_get(page, "partial"))));
	set_time_field(c, "from", t.span.from);
	set_time_field(c, "to", t.span.to);
	if (*t.span.from && *t.span.to && strcmp(t.span.to, t.span.from) <= 0)
		call_form_error(c, "to", call_translate(c, "It does not lie after the beginning."));
	call_form(c, "text", json_string(call_text(c, "text")));
	log_tabs(c, 0);
	set_periods(c, &t.span);
	set_live(c, &t.span);
	offer_types(c);
	return list_show(c, &shown_view, page, show_row);
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	struct query_texts t;
	struct list_query mine;
	int rc;

	read_query(c, &mine, &t);
	mine.limit = q->limit;
	mine.cursor = q->cursor;
	rc = ask(c, &mine, page);
	/* Nobody sees in a file that something is missing. */
	if (rc == 0 && json_is_true(json_object_get(*page, "partial"))) {
		json_decref(*page);
		rc = err_set(ERR_UNAVAILABLE, "the log database is away");
	}
	return rc;
}

int log_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Number", "id" }, { "Time (UTC)", "at" }, { "Type", "type" }, { "Event", "event" },
		{ "Name", "name" }, { "Actor", "actor" }, { "Address", "address" }, { "Object", "object" }, { "Detail", "detail" },
		{ NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "log.csv");
}
