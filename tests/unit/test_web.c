/* test_web.c - the pipeline's pure parts: routes, fields, typed parameters, cookies, origins, rates. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/secret.h"
#include "check.h"
#include "store/conninfo.h"
#include "web/form.h"
#include "web/gate.h"
#include "web/guard.h"
#include "web/large.h"
#include "web/param.h"
#include "web/rate.h"
#include "web/web.h"

static int nothing(struct call *c)
{
	return 0;
}

static const char *const colours[] = { "red", "green", NULL };
static const struct route_param all_types[] = {
	{ "text", "Text", PARAM_TEXT, PARAM_REQUIRED, 2, 10, NULL },
	{ "lines", NULL, PARAM_LINES, 0, 0, 0, NULL },
	{ "email", NULL, PARAM_EMAIL, 0, 0, 0, NULL },
	{ "password", NULL, PARAM_PASSWORD, 0, 0, 0, NULL },
	{ "uuid", NULL, PARAM_UUID, 0, 0, 0, NULL },
	{ "int", NULL, PARAM_INT, 0, -5, 100, NULL },
	{ "bool", NULL, PARAM_BOOL, 0, 0, 0, NULL },
	{ "time", NULL, PARAM_TIME, 0, 0, 0, NULL },
	{ "enum", NULL, PARAM_ENUM, 0, 0, 0, colours },
	{ "uuids", NULL, PARAM_UUIDS, 0, 1, 3, NULL },
	{ "json", NULL, PARAM_JSON, 0, 0, 0, NULL },
	{ "texts", NULL, PARAM_TEXTS, 0, 0, 3, NULL },
	{ "many", NULL, PARAM_FIELDS, 0, 0, 5, NULL },
	PARAM_END
};
static const struct route_param slug[] = { { "slug", NULL, PARAM_TEXT, PARAM_REQUIRED, 0, 0, NULL }, PARAM_END };

const struct route central_routes[] = {
	{ WEB_GET, "/", PERMISSION_SIGNED_IN, "x", nothing, NULL },
	{ WEB_GET, "/users/{id}", PERMISSION_SIGNED_IN, "x", nothing, NULL },
	{ WEB_GET, "/users/new", PERMISSION_SIGNED_IN, "x", nothing, NULL },
	{ WEB_POST, "/users/{id}", PERMISSION_SIGNED_IN, NULL, nothing, NULL },
	{ WEB_POST, "/users/{id}/disable", PERMISSION_SIGNED_IN, NULL, nothing, NULL },
	{ WEB_GET, "/api-only", PERMISSION_SIGNED_IN, NULL, nothing, NULL, ROUTE_API_ONLY },
	{ WEB_GET, "/page-only", PERMISSION_SIGNED_IN, "x", nothing, NULL, ROUTE_PAGE_ONLY },
	{ WEB_GET, "/a/{slug}/b/{id}", PERMISSION_SIGNED_IN, "x", nothing, slug },
	{ WEB_POST, "/all", PERMISSION_SIGNED_IN, NULL, nothing, all_types },
	ROUTE_END
};
const struct route console_routes[] = { ROUTE_END };
const struct route_menu central_menu[] = { ROUTE_MENU_END }, console_menu[] = { ROUTE_MENU_END };

static struct route_match match(enum web_method method, const char *path)
{
	struct route_match m;

	route_match(central_routes, method, path, &m);
	return m;
}

static const char *path_of(enum web_method method, const char *path)
{
	struct route_match m = match(method, path);

	return m.row ? m.row->path : "";
}

TEST(large_answers_have_so_much_room, "TEN-7,SEC-5")
{
	const struct uuid a = uuid_new(), b = uuid_new();
	struct large one = { .bytes = 0 }, two = { .bytes = 0 }, three = { .bytes = 0 };

	CHECK_INT(large_take(&one, &a, LARGE_LEAST - 1), 0);
	CHECK_INT(one.bytes, 0);
	/* The same answer asks twice: once is counted. */
	CHECK_INT(large_take(&one, &a, (size_t)500 << 20), 0);
	CHECK_INT(large_take(&one, &a, (size_t)500 << 20), 0);
	CHECK_INT(one.bytes, (size_t)500 << 20);
	CHECK_INT(large_take(&two, &a, (size_t)101 << 20), ERR_BUSY);
	CHECK_INT(two.bytes, 0);
	/* Another account's is another's, within the worker's. */
	CHECK_INT(large_take(&three, &b, (size_t)524 << 20), 0);
	CHECK_INT(large_take(&two, &a, LARGE_LEAST), ERR_BUSY);
	large_give(&one);
	large_give(&one);
	CHECK_INT(large_take(&two, &a, LARGE_EACH + 1), ERR_BUSY);
	CHECK_INT(large_take(&two, &a, (size_t)500 << 20), 0);
	large_give(&two);
	large_give(&three);
	for (int i = 0; i < 200; i++) {
		struct large l = { .bytes = 0 };
		const struct uuid other = uuid_new();

		CHECK_INT(large_take(&l, &other, LARGE_MOST / 2), 0);
		large_give(&l);
	}
}

static const char *in_jail(const void *jail, const char *path)
{
	size_t len = strlen(jail);

	return strncmp(path, jail, len) == 0 ? path + len : path;
}

TEST(paths_of_a_connection_string_move, "TEN-6,OPS-3")
{
	static const struct {
		const char *given, *seen;
	} rows[] = {
		{ "host=/jail/pg dbname=keyward user=k", "user='k' dbname='keyward' host='/pg'" },
		{ "user=k host=db1.example,/jail/pg port=5432,5433", "user='k' host='db1.example,/pg' port='5432,5433'" },
		{ "host=db sslrootcert=/jail/tls/ca.crt sslcert='/jail/it\\'s.crt' sslkey=/etc/k", NULL },
		{ "password='/jail/is no \\\\ path'", "password='/jail/is no \\\\ path'" },
		{ "postgresql://k@db.example/keyward?sslrootcert=/jail/ca", NULL },
		{ "no string", "no string" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *seen = conninfo_inside(rows[i].given, in_jail, "/jail");

		if (rows[i].seen)
			CHECK_STR(seen, rows[i].seen);
		else
			CHECK(strstr(seen, "/jail") == NULL && (strstr(seen, "sslrootcert='/tls/ca.crt'") || strstr(seen, "sslrootcert='/ca'")));
		CHECK(i != 2 || (strstr(seen, "sslcert='/it\\'s.crt'") && strstr(seen, "sslkey='/etc/k'")));
		free(seen);
	}
}

TEST(routes_match_exactly, "API-1,SEC-5")
{
	static const char *const none[] = { "", "users", "/users", "/users/", "/users//", "//", "/users/1/2", "/users/1/disable/", "/Users/new",
		"/users/1/DISABLE", "/api/v1", "/api/v1users/1", "/api/v2/users/1", "/.", "/%2fusers/1" };

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		CHECK_INT(match(WEB_GET, none[i]).allowed, 0);
	CHECK_STR(path_of(WEB_GET, "/"), "/");
	CHECK_STR(path_of(WEB_GET, "/users/7"), "/users/{id}");
	CHECK_STR(path_of(WEB_HEAD, "/users/7"), "/users/{id}");
	CHECK_STR(path_of(WEB_POST, "/users/7/disable"), "/users/{id}/disable");
	CHECK_STR(path_of(WEB_GET, "/users/.."), "/users/{id}");
}

TEST(a_literal_path_hides_braces, "API-1")
{
	CHECK_STR(path_of(WEB_GET, "/users/new"), "/users/new");
	/* Also for methods that only the braces have: "new" is no user. */
	CHECK(match(WEB_POST, "/users/new").row == NULL);
	CHECK_INT(match(WEB_POST, "/users/new").allowed, WEB_GET | WEB_HEAD);
}

TEST(wrong_method_knows_the_right_ones, "API-1")
{
	struct route_match m = match(WEB_OTHER, "/users/7");

	CHECK(m.row == NULL);
	CHECK_INT(m.allowed, WEB_GET | WEB_HEAD | WEB_POST);
	CHECK_INT(match(WEB_GET, "/users/7/disable").allowed, WEB_POST);
}

TEST(api_is_the_same_table, "API-1")
{
	struct route_match m = match(WEB_GET, "/api/v1/users/7");

	CHECK(m.api);
	CHECK_STR(m.row->path, "/users/{id}");
	CHECK_INT(m.count, 1);
	CHECK(m.segments[0].value_len == 1 && m.segments[0].value[0] == '7');
	CHECK_INT(match(WEB_GET, "/api/v1/page-only").allowed, 0);
	CHECK_INT(match(WEB_GET, "/api-only").allowed, 0);
	CHECK_STR(path_of(WEB_GET, "/api/v1/api-only"), "/api-only");
}

TEST(a_broken_table_is_found, "ROL-6")
{
	static const struct route_param twice[] = { slug[0], slug[0], PARAM_END }, no_choices[] = { { "e", NULL, PARAM_ENUM }, PARAM_END };
	const struct route bad[] = {
		{ WEB_GET, "users", PERMISSION_PUBLIC, "x", nothing, NULL },
		{ WEB_GET, "/users/", PERMISSION_PUBLIC, "x", nothing, NULL },
		{ WEB_GET, "/a{id}", PERMISSION_PUBLIC, "x", nothing, NULL },
		{ WEB_GET, "/{id}a", PERMISSION_PUBLIC, "x", nothing, NULL },
		{ WEB_GET, "/{id", PERMISSION_PUBLIC, "x", nothing, NULL },
		{ WEB_HEAD, "/a", PERMISSION_PUBLIC, "x", nothing, NULL },
		{ WEB_GET, "/a", PERMISSION_PUBLIC, NULL, NULL, NULL },
		{ WEB_GET, "/a", PERMISSION_COUNT, "x", nothing, NULL },
		{ WEB_GET, "/a", PERMISSION_PUBLIC, "x", nothing, twice },
		{ WEB_GET, "/a", PERMISSION_PUBLIC, "x", nothing, no_choices },
	};
	const struct route double_row[] = { central_routes[0], central_routes[0], ROUTE_END };

	CHECK_STR(route_check(central_routes), "");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct route table[] = { bad[i], ROUTE_END };

		if (*route_check(table) == '\0')
			printf("    row %zu passes\n", i);
		CHECK(*route_check(table) != '\0');
	}
	CHECK(*route_check(double_row) != '\0');
}

/* What destroys asks first: a page of the same path, for the same people. */
TEST(what_destroys_asks_first, "WEB-3")
{
	struct route ask = { WEB_GET, "/x/{id}/delete", PERMISSION_SIGNED_IN, "confirm", nothing, NULL, 0, NULL, NULL };
	struct route act = { WEB_POST, "/x/{id}/delete", PERMISSION_SIGNED_IN, NULL, nothing, NULL, ROUTE_DESTROYS, NULL, NULL };
	const struct route good[] = { ask, act, ROUTE_END }, alone[] = { act, ROUTE_END };

	CHECK_STR(route_check(good), "");
	CHECK(*route_check(alone) != '\0');
	ask.permission = PERMISSION_PUBLIC;
	CHECK(*route_check((const struct route[]){ ask, act, ROUTE_END }) != '\0');
	ask = (struct route){ WEB_GET, "/x/{id}/delete", PERMISSION_SIGNED_IN, NULL, nothing, NULL, ROUTE_DESTROYS, NULL, NULL };
	CHECK(*route_check((const struct route[]){ ask, ROUTE_END }) != '\0');
}

/* Fields */

static int parse(struct form *f, const char *text)
{
	return form_parse(f, text, strlen(text), FORM_BODY);
}

TEST(forms_are_decoded, "SEC-5")
{
	struct form f = { NULL, 0 };

	CHECK_INT(parse(&f, "a=1&b=x+y%20z&&c&d=&%61=%C3%A9&e=a%00b"), 0);
	CHECK_INT(f.count, 6);
	CHECK_STR(f.fields[1].value, "x y z");
	CHECK_STR(f.fields[2].name, "c");
	CHECK_STR(f.fields[2].value, "");
	CHECK_STR(f.fields[4].name, "a");
	CHECK_STR(f.fields[4].value, "\xc3\xa9");
	CHECK_INT(f.fields[5].len, 3);
	form_free(&f);
}

TEST(broken_forms_are_refused, "SEC-5")
{
	static const char *const broken[] = { "a=%", "a=%1", "a=%zz", "%=1", "=1", "a%00b=1",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg=1" };

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct form f = { NULL, 0 };

		CHECK_INT(parse(&f, broken[i]), ERR_INVALID);
		form_free(&f);
	}
}

TEST(too_many_fields_are_refused, "SEC-5")
{
	struct form f = { NULL, 0 };
	struct buf text = BUF_INIT;

	for (int i = 0; i < FORM_FIELDS_MAX; i++)
		buf_puts(&text, "a=1&");
	CHECK_INT(parse(&f, buf_str(&text)), 0);
	CHECK_INT(parse(&f, "a=1"), ERR_TOO_LARGE);
	buf_free(&text);
	form_free(&f);
}

TEST(json_bodies_are_objects, "API-1,SEC-5")
{
	static const char *const broken[] = { "", "[]", "1", "{\"a\":1,\"a\":2}", "{\"a\":}", "{\"\":1}", "{\"a\":1} x" };
	struct form f = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		CHECK_INT(form_parse_json(&f, broken[i], strlen(broken[i])), ERR_INVALID);
	form_free(&f);
	CHECK_INT(form_parse_json(&f, "{\"a\":1,\"b\":[\"x\"]}", 17), 0);
	CHECK_INT(f.count, 2);
	form_free(&f);
}

TEST(utf8_is_strict, "SEC-5")
{
	static const char *const bad[] = { "\x80", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\xff" };
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!form_utf8(bad[i], strlen(bad[i]), &n));
	CHECK(form_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91", 10, &n));
	CHECK_INT(n, 4);
}

TEST(urls_are_built_encoded, "SEC-5")
{
	struct buf out = BUF_INIT;

	buf_puts(&out, "/log?");
	form_append(&out, "search", "a&b=\xc3\xa9 /?");
	form_append(&out, "sort", "-at");
	CHECK_STR(buf_str(&out), "/log?search=a%26b%3D%C3%A9%20%2F%3F&sort=-at");
	buf_free(&out);
}

/* Parameters */

struct reading {
	struct form form;
	struct params params;
	int rc;
};

static struct reading read_as(const char *text, enum form_source source, int strict)
{
	struct reading r = { { NULL, 0 }, { NULL, 0, 0 }, 0 };
	struct route_match m = match(WEB_POST, "/all");

	r.rc = source == FORM_JSON ? form_parse_json(&r.form, text, strlen(text)) : form_parse(&r.form, text, strlen(text), source);
	if (r.rc == 0)
		r.rc = params_read(&r.params, m.row, &m, &r.form, strict);
	return r;
}

static void done(struct reading *r)
{
	params_free(&r->params);
	form_free(&r->form);
}

/* 1 when the one parameter NAME is wrong and nothing else is. */
static int is_wrong(const char *text, enum form_source source, const char *name)
{
	struct reading r = read_as(text, source, 0);
	const struct param_value *v = params_find(&r.params, name);
	int wrong = r.rc == 0 && r.params.errors == 1 && v && v->error;

	done(&r);
	return wrong;
}

TEST(parameters_get_their_types, "API-1,WEB-3")
{
	struct reading r = read_as("text=+ab+&lines=x%0D%0Ay&email=a@b.example&password=+p+&uuid=0193d1c7-7f2a-7b11-8c54-1f3d5e9a7b20&int=-5"
		"&bool=on&time=2026-11-21T09:30&enum=green&uuids=0193d1c7-7f2a-7b11-8c54-1f3d5e9a7b20&json=%5B1%5D&texts=&texts=b"
		"&many.0.a=x%0D%0Ay&many.b=1&many.b=2&many.b=3", FORM_BODY, 0);

	CHECK_INT(r.rc, 0);
	CHECK_INT(r.params.errors, 0);
	CHECK_STR(params_find(&r.params, "text")->text, "ab");
	CHECK_STR(params_find(&r.params, "lines")->text, "x\ny");
	CHECK_STR(params_find(&r.params, "password")->text, " p ");
	CHECK_INT(params_find(&r.params, "uuid")->id.bytes[0], 1);
	CHECK_INT(params_find(&r.params, "int")->number, -5);
	CHECK_INT(params_find(&r.params, "bool")->number, 1);
	CHECK_INT(params_find(&r.params, "time")->number, 1795253400 * CLOCK_SECOND);
	CHECK_INT(params_find(&r.params, "uuids")->count, 1);
	CHECK_INT(params_find(&r.params, "texts")->count, 2);
	CHECK_STR(json_string_value(json_object_get(params_find(&r.params, "many")->json, "0.a")), "x\ny");
	CHECK_INT(json_array_size(json_object_get(params_find(&r.params, "many")->json, "b")), 3);
	CHECK(json_is_array(params_find(&r.params, "json")->json));
	done(&r);
}

TEST(json_has_the_same_types, "API-1")
{
	struct reading r = read_as("{\"text\":\"ab\",\"int\":100,\"bool\":false,\"uuids\":[\"0193d1c7-7f2a-7b11-8c54-1f3d5e9a7b20\"],"
		"\"json\":{\"a\":1},\"many\":{\"a\":\"1\",\"b\":[\"2\",\"3\"]},\"texts\":[\"a\",\"\"],\"enum\":null}", FORM_JSON, 1);

	CHECK_INT(r.rc, 0);
	CHECK_INT(r.params.errors, 0);
	CHECK_INT(params_find(&r.params, "int")->number, 100);
	CHECK_INT(params_find(&r.params, "bool")->given, 1);
	CHECK_INT(params_find(&r.params, "texts")->count, 2);
	CHECK_INT(params_find(&r.params, "enum")->given, 0);
	done(&r);
	CHECK(is_wrong("{\"text\":\"ab\",\"int\":\"5\"}", FORM_JSON, "int"));
	CHECK(is_wrong("{\"text\":\"ab\",\"int\":5.5}", FORM_JSON, "int"));
	CHECK(is_wrong("{\"text\":7}", FORM_JSON, "text"));
	CHECK(is_wrong("{\"text\":\"ab\",\"uuids\":\"x\"}", FORM_JSON, "uuids"));
	CHECK(is_wrong("{\"text\":\"ab\",\"texts\":[1]}", FORM_JSON, "texts"));
	CHECK(is_wrong("{\"text\":\"ab\",\"many\":[1]}", FORM_JSON, "many"));
	CHECK(is_wrong("{\"text\":\"ab\",\"many\":{\"a\":[1]}}", FORM_JSON, "many"));
	r = read_as("{\"text\":\"a\\u0000b\"}", FORM_JSON, 1);
	CHECK_INT(r.rc, ERR_INVALID);
	done(&r);
}

TEST(wrong_values_are_errors_of_their_field, "WEB-3,SEC-5")
{
	static const struct {
		const char *text, *name;
	} wrong[] = {
		{ "int=5", "text" }, { "text=", "text" }, { "text=++", "text" }, { "text=a", "text" }, { "text=abcdefghijk", "text" },
		{ "text=ab&text=cd", "text" }, { "text=a%00b", "text" }, { "text=a%0Ab", "text" }, { "text=a%C2%85b", "text" },
		{ "text=a%FF", "text" }, { "text=ab&email=a", "email" }, { "text=ab&email=a@b@c", "email" }, { "text=ab&email=a@b%0d%0aBcc:c", "email" },
		{ "text=ab&email=%3Ca@b%3E", "email" }, { "text=ab&email=-oQ/tmp@b", "email" }, { "text=ab&email=a@-b", "email" },
		{ "text=ab&email=a%C2%A0b@c", "email" }, { "text=ab&email=a%E2%80%AEmoc@b", "email" }, { "text=ab&email=a@b%E2%80%8B.c", "email" },
		{ "text=ab&email=%22a%22@b", "email" }, { "text=ab&uuid=7", "uuid" }, { "text=ab&int=101", "int" }, { "text=ab&int=-6", "int" },
		{ "text=ab&int=1e3", "int" }, { "text=ab&int=0x10", "int" }, { "text=ab&int=99999999999999999999", "int" }, { "text=ab&int=-", "int" },
		{ "text=ab&bool=maybe", "bool" }, { "text=ab&time=yesterday", "time" }, { "text=ab&time=2026-13-01", "time" },
		{ "text=ab&enum=blue", "enum" }, { "text=ab&enum=RED", "enum" }, { "text=ab&uuids=x", "uuids" }, { "text=ab&json=%7B", "json" },
		{ "text=ab&texts=1&texts=2&texts=3&texts=4", "texts" },
		{ "text=ab&many.a=123456", "many" },
		{ "text=ab&many.a=%ff", "many" },
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (!is_wrong(wrong[i].text, FORM_BODY, wrong[i].name))
			printf("    %s\n", wrong[i].text);
		CHECK(is_wrong(wrong[i].text, FORM_BODY, wrong[i].name));
	}
}

TEST(unknown_fields_are_refused_for_programs, "API-1")
{
	struct reading r = read_as("text=ab&typo=1", FORM_BODY, 0);

	CHECK_INT(r.rc, 0);
	done(&r);
	r = read_as("{\"text\":\"ab\",\"typo\":1}", FORM_JSON, 1);
	CHECK_INT(r.rc, ERR_INVALID);
	CHECK(strstr(err_text(), "typo") != NULL);
	done(&r);
}

TEST(paths_give_ids, "TEN-4,SEC-5")
{
	struct route_match m = match(WEB_GET, "/a/x%20y/b/0193d1c7-7f2a-7b11-8c54-1f3d5e9a7b20");
	struct form f = { NULL, 0 };
	struct params p = { NULL, 0, 0 };

	CHECK_INT(params_read(&p, m.row, &m, &f, 1), 0);
	CHECK_STR(params_find(&p, "slug")->text, "x y");
	CHECK_INT(params_find(&p, "id")->id.bytes[1], 0x93);
	params_free(&p);
	form_free(&f);
	/* What is no id is no page, not a mistake in a form. */
	m = match(WEB_GET, "/users/7");
	CHECK_INT(params_read(&p, m.row, &m, &f, 1), ERR_NOT_FOUND);
	params_free(&p);
	form_free(&f);
	m = match(WEB_GET, "/users/%zz");
	CHECK_INT(params_read(&p, m.row, &m, &f, 1), ERR_NOT_FOUND);
	params_free(&p);
	form_free(&f);
}

TEST(a_path_cannot_be_overridden_by_a_field, "TEN-4")
{
	struct route_match m = match(WEB_GET, "/a/x/b/0193d1c7-7f2a-7b11-8c54-1f3d5e9a7b20");
	struct form f = { NULL, 0 };
	struct params p = { NULL, 0, 0 };

	CHECK_INT(form_parse(&f, "slug=y", 6, FORM_QUERY), 0);
	CHECK_INT(params_read(&p, m.row, &m, &f, 0), 0);
	CHECK_STR(params_find(&p, "slug")->text, "x");
	CHECK_INT(p.errors, 1);
	params_free(&p);
	form_free(&f);
}

/* Cookies, origins, tokens */

#define TOKEN43 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO_-"
#define TENANT "0193d1c7-7f2a-7b11-8c54-1f3d5e9a7b20"

TEST(session_cookies_are_read_strictly, "IDN-6,TEN-2")
{
	static const char *const bad[] = { "", "keyward=" TOKEN43, "__Host-keyward=", "__Host-keyward=short", "__Host-keyward=" TOKEN43 "x",
		"__Host-keyward=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO_!", "__Host-keyward=" TENANT "." TOKEN43,
		"__Host-keyward=" TOKEN43 "; __Host-keyward=" TOKEN43, "x__Host-keyward=" TOKEN43 };
	struct guard_cookie c;
	char text[GUARD_COOKIE_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(guard_cookie_read(WEB_CENTRAL, bad[i], &c), ERR_UNAUTHENTICATED);
	CHECK_INT(guard_cookie_read(WEB_CENTRAL, NULL, &c), ERR_UNAUTHENTICATED);
	CHECK_INT(guard_cookie_read(WEB_CENTRAL, "a=b; __Host-keyward=" TOKEN43 ";c=d", &c), 0);
	CHECK_STR(c.token, TOKEN43);
	CHECK(uuid_is_nil(&c.tenant));
	/* A tenant's cookie always says which tenant; the nil one is nobody's. */
	CHECK_INT(guard_cookie_read(WEB_CONSOLE, "__Host-keyward=" TOKEN43, &c), ERR_UNAUTHENTICATED);
	CHECK_INT(guard_cookie_read(WEB_CONSOLE, "__Host-keyward=00000000-0000-0000-0000-000000000000." TOKEN43, &c), ERR_UNAUTHENTICATED);
	CHECK_INT(guard_cookie_read(WEB_CONSOLE, "__Host-keyward=" TENANT "." TOKEN43, &c), 0);
	guard_cookie_text(&c, text);
	CHECK_STR(text, TENANT "." TOKEN43);
}

TEST(changes_come_from_our_own_pages, "IDN-6")
{
	const char *own = "https://console.example:8443";

	CHECK_INT(guard_origin(own, own, NULL), 0);
	CHECK_INT(guard_origin(own, own, "same-origin"), 0);
	CHECK_INT(guard_origin(own, NULL, "same-origin"), 0);
	CHECK_INT(guard_origin(own, NULL, NULL), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, "null", NULL), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, "https://console.example", NULL), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, "http://console.example:8443", NULL), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, "https://console.example:84433", NULL), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, own, "cross-site"), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, NULL, "same-site"), ERR_FORBIDDEN);
	CHECK_INT(guard_origin(own, NULL, "none"), ERR_FORBIDDEN);
}

TEST(form_tokens_must_be_the_sessions, "IDN-6")
{
	CHECK_INT(guard_csrf(TOKEN43, TOKEN43), 0);
	CHECK_INT(guard_csrf(TOKEN43, NULL), ERR_FORBIDDEN);
	CHECK_INT(guard_csrf(TOKEN43, ""), ERR_FORBIDDEN);
	CHECK_INT(guard_csrf(TOKEN43, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO__"), ERR_FORBIDDEN);
	CHECK_INT(guard_csrf("", ""), ERR_FORBIDDEN);
}

TEST(return_paths_stay_on_the_site, "IDN-6")
{
	static const char *const bad[] = { "", "users", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nx: y", "/a b",
		"/\t/evil.example", "/a\\b", "\\/evil.example", "/caf\xc3\xa9" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_STR(guard_return(bad[i]), "/");
	CHECK_STR(guard_return(NULL), "/");
	CHECK_STR(guard_return("/users?search=a%20b&sort=-name"), "/users?search=a%20b&sort=-name");
}

TEST(answers_cannot_be_split, "SEC-5")
{
	struct web_response r = { .body = BUF_INIT };
	struct buf name = BUF_INIT;

	web_response_header(&r, "location", "/a\r\nset-cookie: x=y");
	CHECK_INT(r.header_count, 0);
	guard_filename("a\"; filename=\"b\r\n\xc3\xa9.zip", &name);
	CHECK_STR(buf_str(&name), "a---filename--b----.zip");
	buf_free(&name);
	web_response_free(&r);
}

/* Rates */

TEST(an_address_has_so_many_tries, "IDN-1,SEC-5")
{
	struct rate *r;
	clock_us now = 1000 * CLOCK_SECOND;

	secret_init();
	r = rate_new();
	for (int i = 0; i < RATE_BURST; i++)
		CHECK_INT(rate_take(r, "192.0.2.1", now), 0);
	CHECK_INT(rate_take(r, "192.0.2.1", now), ERR_TOO_MANY);
	CHECK_INT(rate_take(r, "192.0.2.2", now), 0);
	CHECK_INT(rate_take(r, "192.0.2.1", now + RATE_REFILL), 0);
	CHECK_INT(rate_take(r, "192.0.2.1", now + RATE_REFILL), ERR_TOO_MANY);
	rate_give(r, "192.0.2.1", now + RATE_REFILL);
	CHECK_INT(rate_take(r, "192.0.2.1", now + RATE_REFILL), 0);
	rate_free(r);
}

TEST(addresses_of_one_network_count_together, "IDN-1")
{
	struct rate *r;
	char address[64];

	secret_init();
	r = rate_new();
	for (int i = 0; i < RATE_BURST; i++) {
		snprintf(address, sizeof address, "2001:db8:1:2::%x", i + 1);
		CHECK_INT(rate_take(r, address, CLOCK_DAY), 0);
	}
	CHECK_INT(rate_take(r, "2001:db8:1:2:ffff::1", CLOCK_DAY), ERR_TOO_MANY);
	CHECK_INT(rate_take(r, "2001:db8:1:3::1", CLOCK_DAY), 0);
	rate_free(r);
}

TEST(tries_are_counted_over_processes, "IDN-1")
{
	struct rate *r;
	int status;
	pid_t child;

	secret_init();
	r = rate_new();
	child = fork();
	if (child == 0) {
		for (int i = 0; i < RATE_BURST; i++)
			rate_take(r, "192.0.2.1", CLOCK_DAY);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(rate_take(r, "192.0.2.1", CLOCK_DAY), ERR_TOO_MANY);
	rate_free(r);
}

TEST(few_hash_at_once, "SEC-5")
{
	for (int i = 0; i < GATE_AT_ONCE; i++)
		CHECK_INT(gate_enter(), 0);
	CHECK_INT(gate_enter(), ERR_BUSY);
	gate_leave();
	CHECK_INT(gate_enter(), 0);
	for (int i = 0; i < GATE_AT_ONCE; i++)
		gate_leave();
}

TEST_MAIN
