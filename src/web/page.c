/* page.c - from a handler's document to a page: the members that every page has, then the template. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "render/template.h"
#include "store/audit.h"
#include "store/key_server.h"
#include "web/bell.h"
#include "web/brand.h"
#include "web/doc.h"
#include "web/health.h"
#include "web/licence_bar.h"
#include "web/state.h"

/* The first two letters of the first two words, or of the address. */
static char *initials(const char *name)
{
	struct buf out = BUF_INIT;
	int start = 1, letters = 0;

	for (const char *s = name; *s && letters < 2; s++) {
		if (start && *s != ' ') {
			/* One whole character, however many bytes. */
			do
				buf_putc(&out, *s);
			while (((unsigned char)s[1] & 0xc0) == 0x80 && *++s);
			letters++;
		}
		start = *s == ' ' || *s == '-';
	}
	return buf_take(&out);
}

static json_t *user_member(const struct call *c)
{
	char *short_name;
	json_t *user;

	if (uuid_is_nil(&c->user))
		return json_null();
	short_name = initials(*c->user_name ? c->user_name : c->user_email);
	user = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", c->user_name, "email", c->user_email, "role",
		call_translate(c, role_label(c->role)), "role_name", role_name(c->role), "initials", short_name ? short_name : "");
	json_set_uuid(user, "id", &c->user);
	free(short_name);
	return user;
}

static json_t *tenant_member(const struct call *c)
{
	json_t *tenant;

	if (uuid_is_nil(&c->tenant) || c->tenant_name == NULL)
		return json_null();
	tenant = json_pack("{s:s, s:s?, s:s?}", "name", c->tenant_name, "slug", c->tenant_slug, "state", c->tenant_state);
	json_set_uuid(tenant, "id", &c->tenant);
	return tenant;
}

static enum permission permission_of(const struct call *c, const char *path)
{
	struct route_match match;

	route_match(route_table(c->site), WEB_GET, path, &match);
	return match.row ? match.row->permission : PERMISSION_COUNT;
}

/* How much of the address belongs to the entry: the longest one is where the user is. */
static size_t nearness(const struct call *c, const struct route_menu *item)
{
	const char *path = c->request->path;
	size_t len = strlen(item->path);

	if (strcmp(item->path, "/") == 0)
		return strcmp(path, "/") == 0;
	return strncmp(path, item->path, len) == 0 && (path[len] == '/' || path[len] == '\0') ? len : 0;
}

static json_t *menu_item(struct call *c, const struct route_menu *item, int active)
{
	int64_t count = item->count && db_is_open(c->db) ? item->count(c) : 0;
	json_t *entry = json_pack("{s:s, s:s, s:s, s:b, s:b}", "url", item->path, "title", call_translate(c, item->label), "icon",
		item->icon, "active", active, "counted", item->count != NULL);

	doc_count(entry, "count", count > 0 ? count : 0);
	return entry;
}

static json_t *menu_group(struct call *c, json_t *menu, const char *heading)
{
	json_t *last = json_array_get(menu, json_array_size(menu) - 1), *group;
	const char *title = heading ? call_translate(c, heading) : NULL;
	const char *present = json_string_value(json_object_get(last, "heading"));

	if (last && (title ? present && strcmp(present, title) == 0 : present == NULL))
		return json_object_get(last, "items");
	group = json_pack("{s:s?, s:i, s:[]}", "heading", title, "id", (int)json_array_size(menu) + 1, "items");
	json_array_append_new(menu, group);
	return json_object_get(group, "items");
}

static json_t *menu_member(struct call *c)
{
	const struct route_menu *here = NULL, *table = route_menu(c->site);
	json_t *menu = json_array();

	for (const struct route_menu *item = table; item->label; item++)
		if (nearness(c, item) > (here ? nearness(c, here) : 0))
			here = item;
	for (const struct route_menu *item = table; item->label; item++) {
		enum permission p = permission_of(c, item->path);

		if (p != PERMISSION_COUNT && role_may(c->role, p))
			json_array_append_new(menu_group(c, menu, item->group), menu_item(c, item, item == here));
	}
	return menu;
}

/* Everybody should know why keys are not given. */
static void add_key_server(struct call *c)
{
	const char *text = NULL;

	if (!uuid_is_nil(&c->user) && db_is_open(c->db) && key_server_trouble(c->db, c->site == WEB_CENTRAL, &text) == 0 && text)
		call_notice(c, "danger", text);
}

static json_t *notices_member(struct call *c)
{
	static const struct {
		const char *kind, *colour, *icon;
	} kinds[] = {
		{ "info", "blue", "info-circle" },
		{ "success", "green", "circle-check" },
		{ "warning", "orange", "alert-triangle" },
		{ "danger", "red", "alert-circle" },
	};
	const char *trouble = uuid_is_nil(&c->user) ? NULL : health_keys_trouble(c->state->thread);
	json_t *out = json_array(), *notice;
	size_t i;

	if (trouble)
		call_notice(c, "danger", trouble);
	if (trouble && c->site == WEB_CENTRAL && health_keys_advice(c->state->thread))
		call_notice(c, "danger", health_keys_advice(c->state->thread));
	if (trouble == NULL)
		add_key_server(c);

	json_array_foreach(c->state->notices, i, notice) {
		const char *kind = json_string_value(json_object_get(notice, "kind"));
		size_t k = ARRAY_LEN(kinds) - 1;

		while (k > 0 && strcmp(kinds[k].kind, kind) != 0)
			k--;
		json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:n, s:n, s:n}", "colour", kinds[k].colour, "icon", kinds[k].icon,
			"title", call_translate(c, json_string_value(json_object_get(notice, "text"))), "text", "url", "url_text"));
	}
	licence_bar(c, out);
	return out;
}

static const char *or_null(const char *text)
{
	return *text ? text : NULL;
}

static json_t *brand_member(const struct call *c)
{
	struct brand_look look;

	brand_look(&look);
	return json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:s?}", "name", look.is.name, "line", c->site == WEB_CENTRAL ? call_translate(c, "Central Management") : NULL,
		"logo", or_null(look.logo), "css", or_null(look.css), "support", or_null(look.is.support), "package",
		or_null(look.is.package));
}

static void set(json_t *doc, const char *name, json_t *value)
{
	/* A handler's member of that name would break the frame of the page. */
	if (json_object_get(doc, name))
		log_error("a document's member belongs to the frame", "member", name, NULL);
	json_object_set_new(doc, name, value);
}

json_t *page_document(struct call *c)
{
	json_t *doc = json_copy(c->doc);
	char id[UUID_TEXT_SIZE];

	uuid_text(&c->id, id);
	set(doc, "lang", json_string(c->state->language));
	set(doc, "assets", json_incref(assets_addresses(c->state->web->assets)));
	set(doc, "brand", brand_member(c));
	set(doc, "tenant", tenant_member(c));
	set(doc, "user", user_member(c));
	set(doc, "menu", menu_member(c));
	set(doc, "notices", notices_member(c));
	set(doc, "bell", bell_member(c));
	set(doc, "ask", whom_member(c));
	set(doc, "csrf", json_string(c->state->csrf ? c->state->csrf : ""));
	set(doc, "site", json_string(c->site == WEB_CENTRAL ? "central" : "console"));
	set(doc, "path", json_string(c->request->path));
	set(doc, "request_id", json_string(id));
	set(doc, "now", call_when(c, c->now));
	set(doc, "theme", json_null());
	/* A template that finds no member here would look for one further out. */
	if (json_object_get(c->state->form, "error") == NULL)
		json_object_set_new(c->state->form, "error", json_null());
	set(doc, "form", json_incref(c->state->form));
	return doc;
}

int page_render(struct call *c, const json_t *doc, const char *template, int status)
{
	struct web_response *r = c->state->response;
	int rc = template_render(c->state->templates, template, doc, &r->body);

	if (rc < 0)
		return rc;
	r->status = status;
	web_response_header(r, "content-type", "text/html; charset=utf-8");
	web_response_header(r, "content-language", c->state->language);
	web_response_header(r, "vary", "accept-language, cookie");
	/* Shown now, so not again. */
	if (c->state->notices_sent)
		call_set_cookie(c, "notice", "", -1, "Strict");
	return 0;
}

/* Names what a part looks like, for the next time it is asked for: a hash of it, and when it was so. */
struct look {
	unsigned long long hash;
	long long seq, bell, at;         /* of the pulse; seconds */
};

static char *look_text(const struct look *l)
{
	return mem_printf("\"%016llx-%llx-%llx-%llx\"", l->hash, (unsigned long long)l->seq, (unsigned long long)l->bell, (unsigned long long)l->at);
}

/* 0 for a look that we have given; what anybody else made up only misleads himself. */
static int look_parse(const char *text, struct look *out)
{
	unsigned long long seq, bell, at;

	if (text == NULL || sscanf(text, "\"%16llx-%15llx-%15llx-%15llx\"", &out->hash, &seq, &bell, &at) != 4)
		return -1;
	out->seq = (long long)seq;
	out->bell = (long long)bell;
	out->at = (long long)at;
	return 0;
}

/* FNV-1a: two looks that are mixed up cost a page that is old by one look. How long ago something was does not count: the browser goes on counting
 * that by itself. */
static unsigned long long hash_of(struct buf *body)
{
	static const char relative[] = " data-relative>";
	unsigned long long h = 0xcbf29ce484222325u;
	int skipped = 0;

	for (const char *s = buf_str(body); *s; s++) {
		skipped = skipped ? *s != '<' : *s == relative[0] && strncmp(s, relative, sizeof relative - 1) == 0;
		if (!skipped)
			h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	}
	return h;
}

int page_unchanged(struct call *c)
{
	uint8_t hash[32];
	json_t *bell = bell_member(c);
	struct look had;

	c->state->pulse.bell = json_integer_value(json_object_get(bell, "count"));
	json_decref(bell);
	/* Not known: then it is not unchanged. */
	if (audit_head(c->db, &c->state->pulse.seq, hash) < 0 || look_parse(c->request->if_none_match, &had) < 0)
		return 0;
	c->state->unchanged = had.seq == c->state->pulse.seq && had.bell == c->state->pulse.bell && had.at <= c->now / CLOCK_SECOND &&
		c->now / CLOCK_SECOND - had.at < PAGE_OLD_S;
	return c->state->unchanged;
}

void page_same(struct call *c)
{
	c->state->response->status = 304;
	web_response_header(c->state->response, "etag", c->request->if_none_match);
}

int page_part(struct call *c, const json_t *doc, const char *template)
{
	struct web_response *r = c->state->response;
	struct look had, now = { 0, c->state->pulse.seq, c->state->pulse.bell, c->now / CLOCK_SECOND };
	int rc = page_render(c, doc, template, 200);
	char *text;

	if (rc == 0 && strcmp(template, PAGE_FRAME) != 0)
		rc = template_render(c->state->templates, PAGE_FRAME, doc, &r->body);
	if (rc < 0)
		return rc;
	now.hash = hash_of(&r->body);
	text = look_text(&now);
	web_response_header(r, "etag", text);
	free(text);
	if (look_parse(c->request->if_none_match, &had) == 0 && had.hash == now.hash) {
		r->status = 304;
		buf_reset(&r->body);
	}
	return 0;
}
