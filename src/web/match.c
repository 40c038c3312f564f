/* match.c - from a path to a row of the route table, and what must hold of such a table. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "web/route.h"

#define SEGMENTS_MAX ARRAY_LEN(((struct route_match *)NULL)->segments)

static int is_end(char c)
{
	return c == '/' || c == '\0';
}

static size_t segment_len(const char *s)
{
	return strcspn(s, "/");
}

/* PATTERN and PATH both stand behind a slash. Fills the segments of OUT when they fit. */
static int fits(const char *pattern, const char *path, struct route_match *out)
{
	size_t count = 0;

	for (;;) {
		size_t plen = segment_len(pattern), len = segment_len(path);

		if (*pattern == '{' && len > 0) {
			out->segments[count].name = pattern + 1;
			out->segments[count].name_len = plen - 2;
			out->segments[count].value = path;
			out->segments[count++].value_len = len;
		} else if (plen != len || memcmp(pattern, path, len) != 0) {
			return 0;
		}
		pattern += plen;
		path += len;
		if (*pattern != *path)
			return 0;
		if (*pattern == '\0')
			break;
		pattern++;
		path++;
	}
	out->count = count;
	return 1;
}

static const char *without_api(const char *path, int *api)
{
	size_t len = strlen(ROUTE_API);

	*api = strncmp(path, ROUTE_API, len) == 0 && path[len] == '/';
	return *api ? path + len : path;
}

static unsigned methods_of(const struct route *row)
{
	return row->method == WEB_GET ? WEB_GET | WEB_HEAD : (unsigned)row->method;
}

void route_match(const struct route *table, enum web_method method, const char *path, struct route_match *out)
{
	struct route_match found = { .row = NULL };
	int exact = 0;

	path = without_api(path, &found.api);
	for (const struct route *row = table; *path == '/' && row && row->path; row++) {
		struct route_match here = found;
		int literal = strchr(row->path, '{') == NULL;

		if (row->flags & (found.api ? ROUTE_PAGE_ONLY : ROUTE_API_ONLY) || (exact && !literal) ||
			!fits(row->path + 1, path + 1, &here))
			continue;
		/* The first literal row hides what braces matched before it. */
		if (literal && !exact) {
			found.allowed = 0;
			found.row = NULL;
			exact = 1;
		}
		here.allowed = found.allowed |= methods_of(row);
		if (methods_of(row) & method && found.row == NULL) {
			here.row = row;
			found = here;
		}
	}
	*out = found;
}

static const char *check_path(const char *path)
{
	size_t braces = 0;

	if (*path != '/')
		return "a path begins with a slash";
	for (const char *s = path; *s; s++) {
		if (*s == '{' && (s[-1] != '/' || strcspn(s, "}/") == strlen(s) || s[strcspn(s, "}")] != '}' ||
			!is_end(s[strcspn(s, "}") + 1])))
			return "braces take a whole segment";
		braces += *s == '{';
		if (*s == '/' && (s[1] == '/' || (s[1] == '\0' && s != path)))
			return "an empty segment";
	}
	return braces > SEGMENTS_MAX ? "too many segments in braces" : "";
}

static const char *check_row(const struct route *row)
{
	size_t n = 0;

	if (row->method != WEB_GET && row->method != WEB_POST)
		return "only GET and POST have rows";
	if (row->method == WEB_GET && row->page == NULL && row->handler == NULL)
		return "neither a page nor a handler";
	if ((unsigned)row->permission >= PERMISSION_COUNT)
		return "no such permission";
	for (const struct route_param *p = row->params; p && p->name; p++) {
		if (p->type == PARAM_ENUM && p->choices == NULL)
			return "an enum without choices";
		if (p->most < p->least && p->most != 0)
			return "a parameter with most below least";
		for (const struct route_param *q = row->params; q < p; q++)
			if (strcmp(p->name, q->name) == 0)
				return "a parameter twice";
		if (++n > ROUTE_PARAMS_MAX)
			return "too many parameters";
	}
	return check_path(row->path);
}

static int asks_first(const struct route *table, const struct route *row)
{
	const struct route *ask = table;

	while (ask->path && (ask->method != WEB_GET || strcmp(ask->path, row->path) != 0))
		ask++;
	return row->method == WEB_POST && ask->path && ask->page && ask->permission == row->permission;
}

const char *route_check(const struct route *table)
{
	static char text[200];

	for (const struct route *row = table; row->path; row++) {
		const char *wrong = check_row(row);

		if (row->flags & ROUTE_DESTROYS && *wrong == '\0' && !asks_first(table, row))
			wrong = "destroys without asking";
		for (const struct route *other = table; other < row && *wrong == '\0'; other++)
			if (other->method == row->method && strcmp(other->path, row->path) == 0)
				wrong = "the same method and path twice";
		if (*wrong) {
			snprintf(text, sizeof text, "%s %s: %s", row->method == WEB_POST ? "POST" : "GET", row->path, wrong);
			return text;
		}
	}
	return "";
}

const struct route *route_table(enum web_site site)
{
	static const struct route none[] = { ROUTE_END };

	return site == WEB_CENTRAL ? central_routes : site == WEB_CONSOLE ? console_routes : none;
}

const struct route_menu *route_menu(enum web_site site)
{
	static const struct route_menu none[] = { ROUTE_MENU_END };

	return site == WEB_CENTRAL ? central_menu : site == WEB_CONSOLE ? console_menu : none;
}

void web_routes_each(enum web_site site, void (*each)(const struct route *row, void *ctx), void *ctx)
{
	for (const struct route *row = route_table(site); row->path; row++)
		each(row, ctx);
}
