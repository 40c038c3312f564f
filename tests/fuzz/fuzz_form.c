/* fuzz_form.c - everything of a web request that is read before anybody is asked who they are: path, query, form, JSON body,
 * cookies, headers. The first byte chooses how the rest is cut. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "render/languages.h"
#include "web/form.h"
#include "web/guard.h"
#include "web/param.h"
#include "web/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int nothing(struct call *c)
{
	return 0;
}

static const char *const choices[] = { "a", "b", NULL };
static const struct route_param fields[] = {
	{ "a", NULL, PARAM_TEXT, PARAM_REQUIRED, 1, 20, NULL },
	{ "b", NULL, PARAM_LINES, 0, 0, 0, NULL },
	{ "c", NULL, PARAM_EMAIL, 0, 0, 0, NULL },
	{ "d", NULL, PARAM_PASSWORD, 0, 0, 0, NULL },
	{ "e", NULL, PARAM_UUID, 0, 0, 0, NULL },
	{ "f", NULL, PARAM_INT, 0, -9, 9, NULL },
	{ "g", NULL, PARAM_BOOL, 0, 0, 0, NULL },
	{ "h", NULL, PARAM_TIME, 0, 0, 0, NULL },
	{ "i", NULL, PARAM_ENUM, 0, 0, 0, choices },
	{ "j", NULL, PARAM_UUIDS, 0, 1, 3, NULL },
	{ "k", NULL, PARAM_JSON, 0, 0, 0, NULL },
	{ "l", NULL, PARAM_TEXTS, 0, 1, 3, NULL },
	{ "r", NULL, PARAM_FIELDS, 0, 0, 20, NULL },
	PARAM_END
};

const struct route central_routes[] = {
	{ WEB_GET, "/x/{a}/{id}", PERMISSION_PUBLIC, "x", nothing, fields },
	{ WEB_GET, "/x/y/{id}", PERMISSION_PUBLIC, "x", nothing, NULL },
	{ WEB_POST, "/x", PERMISSION_PUBLIC, NULL, nothing, fields },
	ROUTE_END
};
const struct route console_routes[] = { ROUTE_END };
const struct route_menu central_menu[] = { ROUTE_MENU_END }, console_menu[] = { ROUTE_MENU_END };

/* What is given and not wrong must hold what its row promises: handlers rely on it. */
static void hold_to_promise(const struct params *p)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct param_value *v = &p->values[i];
		size_t n;

		if (v->error || !v->given)
			continue;
		if (v->text && !form_utf8(v->text, strlen(v->text), &n))
			abort();
		if (v->row.type == PARAM_INT && (v->number < v->row.least || v->number > v->row.most))
			abort();
		if (v->row.type == PARAM_TEXT && (strpbrk(v->text, "\r\n") || (int64_t)n > v->row.most))
			abort();
		if (v->row.type == PARAM_JSON && v->json == NULL)
			abort();
		if ((int64_t)v->count > v->row.most)
			abort();
	}
}

static void read_request(enum web_method method, const char *path, const char *rest, size_t len, enum form_source source)
{
	struct form f = { NULL, 0 };
	struct params p = { NULL, 0, 0 };
	struct route_match m;
	int rc;

	route_match(central_routes, method, path, &m);
	rc = source == FORM_JSON ? form_parse_json(&f, rest, len) : form_parse(&f, rest, len, source);
	if (rc == 0 && m.row && params_read(&p, m.row, &m, &f, source == FORM_JSON) == 0)
		hold_to_promise(&p);
	params_free(&p);
	form_free(&f);
}

/* Whatever a browser asks for, one that there is. */
static void accept_language(const char *text)
{
	static const struct languages all = { .all = { { "en", NULL }, { "de", NULL }, { "pt-BR", NULL } }, .count = 3 };
	const struct language *l = languages_accept(&all, text);

	if (l < all.all || l >= all.all + all.count || languages_find(&all, text) == NULL)
		abort();
}

static void read_headers(const char *text)
{
	struct guard_cookie cookie;
	struct buf out = BUF_INIT;
	char again[GUARD_COOKIE_SIZE];
	const char *path = guard_return(text);

	for (int site = 0; site < WEB_SITES; site++)
		if (guard_cookie_read((enum web_site)site, text, &cookie) == 0)
			guard_cookie_text(&cookie, again);
	if (path[0] != '/' || path[1] == '/' || path[1] == '\\' || strpbrk(path, "\r\n"))
		abort();
	guard_origin("https://a.example", text, NULL);
	guard_csrf("token", text);
	guard_filename(text, &out);
	accept_language(text);
	form_encode(&out, text);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *rest;

	if (size < 2)
		return 0;
	text = mem_dup(data + 1, size - 1);
	rest = strchr(text, '\n');
	switch (data[0] % 5) {
	case 0:
		read_request(WEB_POST, "/x", text, size - 1, FORM_BODY);
		break;
	case 1:
		read_request(WEB_POST, "/x", text, size - 1, FORM_JSON);
		break;
	case 2:
		read_headers(text);
		break;
	case 3:
		/* A path, and behind a line's end its query. */
		if (rest)
			*rest++ = '\0';
		read_request(WEB_GET, text, rest ? rest : "", rest ? strlen(rest) : 0, FORM_QUERY);
		break;
	default:
		read_request(WEB_POST, "/api/v1/x", text, size - 1, FORM_JSON);
	}
	free(text);
	return 0;
}
