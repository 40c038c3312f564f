/* style.c - one of each component, with made-up contents; the template lays them out. Empty in a release. */
#include "console/style.h"

#ifdef KEYWARD_DEVELOPMENT
#include "base/mem.h"
#include "web/diagram.h"
#include "web/doc.h"
#include "web/list.h"

const struct route_param style_query[] = { LIST_PARAMS, PARAM_END };

static const char *const colours[] = { "gray", "green", "blue", "yellow", "orange", "red", "purple" };

static void set_badges(struct call *c)
{
	json_t *badges = json_array();

	for (size_t i = 0; i < ARRAY_LEN(colours); i++)
		json_array_append_new(badges, doc_badge(c, colours[i], colours[i]));
	call_set(c, "badges", badges);
	call_set(c, "badge", doc_badge(c, "Encrypting", "blue"));
}

static void set_form(struct call *c)
{
	call_form(c, "plain", json_string("orders-db-1"));
	call_form(c, "wrong", json_string("orders db 1"));
	call_form_error(c, "wrong", "A host name has no spaces.");
	call_form(c, "long", json_string("Several lines\nof text."));
	doc_form_pem(c, "pem", "");
	call_form(c, "tick", json_true());
	for (int i = 0; i < 3; i++) {
		static const char *const texts[] = { "First", "Second", "Third" };

		call_form_option(c, "select", texts[i], texts[i], NULL, i == 1);
		call_form_option(c, "choice", texts[i], texts[i], "What it is good for.", i == 0);
		call_form_option(c, "ticks", texts[i], texts[i], NULL, i != 1);
		call_form_option(c, "pick", texts[i], texts[i], "vol-0123456789", i == 2);
	}
}

static void set_charts(struct call *c)
{
	static const struct diagram_part parts[] = { { "a", "Approved by policy", 2 }, { "b", "Approved by a person", 1 }, { "c", "Denied", 3 },
		{ "d", "Pending", 4 }, { NULL, NULL, 0 } };
	json_t *days = json_array(), *row = json_pack("{s:i, s:i, s:i, s:i}", "a", 24, "b", 6, "c", 3, "d", 1);

	for (int i = 1; i <= 30; i++)
		json_array_append_new(days, json_pack("{s:o, s:i, s:i, s:i, s:i}", "day", json_sprintf("2026-11-%02d", i), "a", 10 + i * 7 % 13, "b", i % 4, "c",
			i % 5 == 0, "d", i == 30));
	call_set(c, "chart", diagram_days(c, "Key requests per day", days, parts));
	call_set(c, "shares", diagram_shares(c, "Shares", row, parts));
	json_decref(days);
	json_decref(row);
}

static void set_rest(struct call *c)
{
	call_set(c, "steps", json_pack("[{s:i, s:s, s:b, s:b}, {s:i, s:s, s:b, s:b}, {s:i, s:s, s:b, s:b}]", "number", 1, "title", "Name", "active", 0, "done", 1,
		"number", 2, "title", "Images", "active", 1, "done", 0, "number", 3, "title", "Rules", "active", 0, "done", 0));
	call_set(c, "tabs", json_pack("[{s:s, s:s, s:b}, {s:s, s:s, s:b}]", "title", "Overview", "url", "#tabs", "active", 1, "title", "Facts", "url", "#tabs",
		"active", 0));
	call_set(c, "changes", json_pack("[{s:s, s:s, s:s}, {s:s, s:n, s:s}]", "label", "Name", "old", "Databases", "new", "Databases in Europe", "label",
		"Region", "old", "new", "eu-central-1"));
	call_set(c, "history", json_pack("[{s:s, s:s, s:s, s:o, s:s, s:n, s:n}]", "title", "Approved", "colour", "green", "by", "Kim Novak", "at", call_when(c, c->now),
		"comment", "Known machine.", "detail", "url"));
	call_set(c, "pick", json_pack("{s:s, s:b, s:b, s:i, s:b}", "search", "", "many", 1, "more", 1, "offered", 3, "none", 0));
}

static int set_list(struct call *c)
{
	static const char *const sorts[] = { "name", NULL };
	static const struct list_view view = { .url = "/style", .sorts = sorts };
	json_t *rows = json_array();

	for (int i = 1; i <= 3; i++)
		json_array_append_new(rows, json_pack("{s:o, s:o, s:i}", "name", json_sprintf("orders-db-%d data", i), "status", doc_badge(c, "Encrypted", "green"),
			"number", i * 50));
	return list_show(c, &view, json_pack("{s:o, s:s, s:b, s:n, s:s}", "rows", rows, "sort", "name", "descending", 0, "previous", "next", "2"), NULL);
}

int style_page(struct call *c)
{
	set_badges(c);
	set_form(c);
	set_charts(c);
	set_rest(c);
	return set_list(c);
}
#endif
