/* notices.c - the page of notices. */
#include "shared/notices.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "notice/entry.h"
#include "notice/event.h"
#include "render/words.h"
#include "store/notice.h"
#include "web/bell.h"
#include "web/doc.h"
#include "web/list.h"

static const char *const states[] = { "unread", NULL };
static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const filters[] = { "state", "severity", NULL }, *const sorts[] = { "seq", NULL };
static const struct list_chip chips[] = { { "unread", "Unread" }, { NULL, NULL } };
static const struct list_view view = { .url = "/notices", .filters = filters, .chip = "state", .chips = chips, .sorts = sorts, .export =
	"/notices.csv" };

const struct route_param notices_query[] = {
	LIST_PARAMS,
	{ "state", "Status", PARAM_ENUM, 0, 0, 0, states },
	{ "severity", "Severity", PARAM_ENUM, 0, 0, 0, severities },
	PARAM_END
};
const struct route_param notice_path_params[] = {
	{ "seq", "Number", PARAM_INT, PARAM_REQUIRED, 1, INT64_MAX / 2, NULL },
	PARAM_END
};

/* Rows */

static json_t *show_row(struct call *c, json_t *row)
{
	const char *name = json_string_value(json_array_get(json_object_get(row, "events"), 0));
	const struct notice_event *e = notice_event_find(name ? name : "", c->site == WEB_CENTRAL);
	enum notice_severity severity = notice_severity_of(doc_text(row, "severity"));
	const json_t *kept = json_object_get(row, "item");
	json_t *item = c->api ? json_copy((json_t *)(uintptr_t)kept) : entry_item(call_words(c), kept);
	json_t *out = json_pack("{s:I, s:o, s:s, s:s?, s:o, s:s?, s:s?, s:s?, s:s?, s:b}", "seq", json_integer_value(json_object_get(row, "seq")), "at",
		doc_when(c, row, "at"), "title", e ? call_translate(c, e->label) : doc_text(item, "event"), "event", name, "severity", doc_badge(c,
		notice_severity_label(severity), notice_severity_colour(severity)), "about", doc_optional(item, "about"), "instance",
		strcmp(doc_text(item, "instance"), doc_text(item, "about")) ? doc_optional(item, "instance") : NULL, "by", strcmp(doc_text(item, "by"), doc_text(item, "about")) ? doc_optional(item, "by") : NULL, "comment",
		doc_optional(item, "comment"), "unread", json_is_true(json_object_get(row, "unread")));

	json_object_set_new(out, "url", json_sprintf("/notices/%lld", (long long)json_integer_value(json_object_get(row, "seq"))));
	json_decref(item);
	return out;
}

static int fetch(struct call *c, const struct list_query *q, json_t **page)
{
	struct list_query mine = *q;
	char *visible = notice_event_visible(c->role);
	int i = 0, rc = notice_bind(c->db, &c->user);

	while (mine.filters[i].name)
		i++;
	mine.filters[i].name = "visible";
	mine.filters[i].value = visible;
	if (rc == 0)
		rc = notice_list(c->db, &mine, page);
	free(visible);
	return rc;
}

int notices_page(struct call *c)
{
	struct list_query q;
	json_t *page = NULL;
	int rc;

	list_read(c, &view, &q);
	rc = fetch(c, &q, &page);
	return rc < 0 ? rc : list_show(c, &view, page, show_row);
}

int notices_csv(struct call *c)
{
	static const struct list_csv columns[] = { { "Time (UTC)", "at" }, { "Severity", "severity" }, { "Event", "title" }, { "Name", "event" },
		{ "About", "about" }, { "Instance", "instance" }, { "By", "by" }, { "Reason", "comment" }, { "Unread", "unread" }, { NULL, NULL } };

	return list_export(c, &view, fetch, show_row, columns, "notices.csv");
}

/* The page is the bell alone; every page has it. The API is told the number. */
int notices_bell(struct call *c)
{
	if (c->api)
		call_set(c, "bell", bell_member(c));
	return 0;
}

/* Read */

int notices_read_all(struct call *c)
{
	int rc = notice_bind(c->db, &c->user);

	if (rc == 0)
		rc = notice_mark_all(c->db);
	if (rc < 0)
		return rc;
	call_redirect(c, "/notices");
	return 0;
}

static int mark(struct call *c, json_t **row)
{
	int64_t seq = call_int(c, "seq", 0);
	char *visible = notice_event_visible(c->role);
	int rc = notice_bind(c->db, &c->user);

	if (rc == 0)
		rc = notice_get(c->db, visible, seq, row);
	if (rc == 0)
		rc = notice_mark(c->db, visible, seq);
	free(visible);
	return rc;
}

int notice_mark_run(struct call *c)
{
	json_t *row = NULL;
	int rc = mark(c, &row);

	json_decref(row);
	if (rc < 0)
		return rc;
	call_redirect(c, "/notices");
	return 0;
}

/* To what it is about. The path is the server's own (notice_path). */
int notice_open(struct call *c)
{
	json_t *row = NULL;
	int rc = mark(c, &row);
	const char *path = rc < 0 ? "" : doc_text(json_object_get(row, "item"), "path");

	if (rc == 0)
		call_redirect(c, "%s", *path ? path : "/notices");
	json_decref(row);
	return rc;
}
