/* call.c - what handlers ask of a call and say with it. */
#include "web/call.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "notice/entry.h"
#include "render/template.h"
#include "render/words.h"
#include "web/state.h"

/* A mistake in the table or the handler: said once in the log, and the request ends in an error page. */
static const struct param_value *value_of(const struct call *c, const char *name, unsigned types)
{
	static const struct param_value none = { .text = NULL };
	const struct param_value *v = params_find(&c->state->params, name);

	if (v && types & 1u << v->row.type)
		return v;
	log_error("parameter is not declared so", "path", c->route->path, "parameter", name, NULL);
	c->state->misuse = 1;
	return &none;
}

#define ANY (~0u)
#define TEXTUAL (1u << PARAM_TEXT | 1u << PARAM_LINES | 1u << PARAM_EMAIL | 1u << PARAM_PASSWORD | 1u << PARAM_SECRET | 1u << PARAM_CERTIFICATES | \
	1u << PARAM_ENUM)

int call_has(const struct call *c, const char *name)
{
	return value_of(c, name, ANY)->given;
}

const char *call_text(const struct call *c, const char *name)
{
	const char *text = value_of(c, name, TEXTUAL)->text;

	return text ? text : "";
}

int64_t call_int(const struct call *c, const char *name, int64_t otherwise)
{
	const struct param_value *v = value_of(c, name, 1u << PARAM_INT);

	return v->given ? v->number : otherwise;
}

int call_bool(const struct call *c, const char *name)
{
	return value_of(c, name, 1u << PARAM_BOOL)->number != 0;
}

clock_us call_time(const struct call *c, const char *name)
{
	return value_of(c, name, 1u << PARAM_TIME)->number;
}

struct uuid call_uuid(const struct call *c, const char *name)
{
	return value_of(c, name, 1u << PARAM_UUID)->id;
}

const json_t *call_json(const struct call *c, const char *name)
{
	return value_of(c, name, 1u << PARAM_JSON | 1u << PARAM_FIELDS)->json;
}

size_t call_count(const struct call *c, const char *name)
{
	return value_of(c, name, 1u << PARAM_UUIDS | 1u << PARAM_TEXTS)->count;
}

struct uuid call_uuid_at(const struct call *c, const char *name, size_t i)
{
	const struct param_value *v = value_of(c, name, 1u << PARAM_UUIDS);

	return i < v->count ? v->ids[i] : (struct uuid){ { 0 } };
}

const char *call_text_at(const struct call *c, const char *name, size_t i)
{
	const struct param_value *v = value_of(c, name, 1u << PARAM_TEXTS);

	return i < v->count ? v->texts[i] : "";
}

void call_set(struct call *c, const char *name, json_t *value)
{
	if (value == NULL || json_object_set_new(c->doc, name, value) < 0)
		fatal("cannot set member %s", name);
}

/* Member form.NAME, made when it is not there. */
static json_t *form_member(struct call *c, const char *name)
{
	json_t *member = json_object_get(c->state->form, name);

	if (member == NULL) {
		member = json_object();
		if (json_object_set_new(c->state->form, name, member) < 0)
			fatal("cannot set form member %s", name);
	}
	return member;
}

void call_form(struct call *c, const char *name, json_t *value)
{
	json_object_set_new(form_member(c, name), json_is_boolean(value) ? "checked" : "value", value);
}

json_t *call_form_field(struct call *c, const char *name)
{
	return form_member(c, name);
}

void call_form_error(struct call *c, const char *name, const char *text)
{
	json_object_set_new(form_member(c, name), "error", json_string(text));
}

void call_form_option(struct call *c, const char *name, const char *value, const char *text, const char *hint, int selected)
{
	json_t *member = form_member(c, name), *options = json_object_get(member, "options");

	if (options == NULL) {
		options = json_array();
		json_object_set_new(member, "options", options);
	}
	/* No group: a template that finds no member would look for one further out. */
	json_array_append_new(options, json_pack("{s:s, s:s, s:s?, s:b, s:n}", "value", value, "text", text, "hint", hint, "selected", selected, "group"));
}

static json_t *when(const struct call *c, clock_us at, int east_s)
{
	const struct words *w = template_words(c->state->templates);
	struct buf relative = BUF_INIT, text = BUF_INIT, hover = BUF_INIT;
	char iso[CLOCK_TEXT_SIZE];
	json_t *out;

	if (at == 0)
		return json_null();
	clock_text(at, iso);
	words_relative(w, at, c->now, &relative);
	words_date(w, at, east_s, 1, &text);
	buf_printf(&hover, "%s · ", buf_str(&text));
	words_date(w, at, 0, 1, &hover);
	out = json_pack("{s:s, s:s, s:s, s:s?}", "iso", iso, "text", buf_str(&text), "relative", buf_str(&relative), "hover",
		east_s ? buf_str(&hover) : NULL);
	buf_free(&relative);
	buf_free(&text);
	buf_free(&hover);
	return out;
}

json_t *call_when(const struct call *c, clock_us at)
{
	return when(c, at, c->api ? 0 : zone_east(c->zone, at));
}

json_t *call_when_utc(const struct call *c, clock_us at)
{
	return when(c, at, 0);
}

void call_redirect(struct call *c, const char *fmt, ...)
{
	char path[2048];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(path, sizeof path, fmt, args);
	va_end(args);
	free(c->state->location);
	/* Only within the site, whatever the parts were. */
	c->state->location = mem_strdup(n < 0 || (size_t)n >= sizeof path ? "/" : guard_return(path));
}

void call_notice(struct call *c, const char *kind, const char *text)
{
	json_array_append_new(c->state->notices, json_pack("{s:s, s:s}", "kind", kind, "text", text));
}

static const char *translate(const void *c, const char *english)
{
	return call_translate(c, english);
}

/* TEXT for the user, into OUT, which is empty. What err_set has put together is translated before its values come in; what other processes said by its whole. */
static void say(const struct call *c, const char *text, struct buf *out)
{
	char *english = mem_strdup(text);
	json_t *known;

	if (text == err_text())
		err_say(translate, c, out);
	else
		buf_puts(out, call_translate(c, text));
	if (strcmp(buf_str(out), english) == 0) {
		known = entry_reason(english);
		buf_reset(out);
		words_phrase(template_words(c->state->templates), known, out);
		if (!c->api && entry_is_sentence(english))
			out->data[0] = (char)toupper((unsigned char)out->data[0]);
		json_decref(known);
	}
	free(english);
}

int call_field_error(struct call *c, const char *name, const char *text)
{
	char *english = mem_strdup(text);        /* it may be err_set's own */
	struct buf said = BUF_INIT;
	json_t *error;

	say(c, text, &said);
	error = json_pack("{s:s?, s:s}", "name", name, "text", buf_str(&said));
	buf_free(&said);
	if (error == NULL || json_array_append_new(c->state->errors, error) < 0)
		fatal("cannot note an error");
	err_set(ERR_INVALID, "%s: %s", name ? name : "form", english);
	free(english);
	return ERR_INVALID;
}

int call_again(struct call *c)
{
	c->state->again = 1;
	return ERR_INVALID;
}

int call_refuse(struct call *c, int code, const char *text)
{
	struct buf said = BUF_INIT;

	say(c, text, &said);
	free(c->state->refusal);
	c->state->refusal = buf_take(&said);
	return code;
}

int call_large(struct call *c, size_t bytes)
{
	return large_take(&c->state->response->large, &c->tenant, bytes);
}

void call_download(struct call *c, const char *mime, const char *filename, struct buf *body)
{
	call_download_part(c, mime, filename, body, NULL);
}

void call_download_part(struct call *c, const char *mime, const char *filename, struct buf *body, const char *next)
{
	struct buf name = BUF_INIT;

	guard_filename(filename, &name);
	buf_free(&c->state->download.body);
	free(c->state->download.mime);
	free(c->state->download.filename);
	free(c->state->download.next);
	c->state->download.next = next ? mem_strdup(next) : NULL;
	c->state->download.mime = mem_strdup(mime);
	c->state->download.filename = mem_strdup(buf_str(&name));
	c->state->download.body = *body;
	c->state->download.set = 1;
	*body = (struct buf)BUF_INIT;
	buf_free(&name);
}

void call_set_cookie(struct call *c, const char *name, const char *value, long max_age, const char *same_site)
{
	struct buf line = BUF_INIT;

	buf_printf(&line, GUARD_COOKIE_PREFIX "%s=%s; Path=/; Secure; HttpOnly; SameSite=%s", name, max_age < 0 ? "" : value, same_site);
	if (max_age != 0)
		buf_printf(&line, "; Max-Age=%ld", max_age < 0 ? 0 : max_age);
	web_response_header(c->state->response, "set-cookie", buf_str(&line));
	secret_wipe(line.data, line.len);
	buf_free(&line);
}

const char *call_cookie(const struct call *c, const char *name)
{
	struct call_state *st = c->state;
	char *full = mem_printf(GUARD_COOKIE_PREFIX "%s", name);
	size_t len = 0;
	const char *value = form_cookie(c->request->cookie, full, &len);

	free(full);
	if (value == NULL || st->cookie_count == ARRAY_LEN(st->cookies))
		return NULL;
	return st->cookies[st->cookie_count++] = mem_dup(value, len);
}

char *call_address(const struct call *c, enum web_site site, const char *path)
{
	return mem_printf("%s%s", c->state->web->origin[site], path);
}

int call_may(const struct call *c, enum permission p)
{
	return c->scope == SCOPE_NONE ? role_may(c->role, p) : scope_may(c->scope, p);
}

int call_begin(struct call *c, const struct uuid *tenant)
{
	char id[UUID_TEXT_SIZE];
	struct db_actor actor = { .kind = DB_ACTOR_ANONYMOUS, .address = c->address, .request = NULL };

	uuid_text(&c->id, id);
	actor.request = call_keep(c, id);
	if (!uuid_is_nil(&c->user)) {
		actor.kind = c->site == WEB_CENTRAL ? DB_ACTOR_OPERATOR : DB_ACTOR_USER;
		actor.id = c->user;
		actor.name = c->user_email;
	}
	return db_begin(c->db, tenant, &actor);
}

int call_end(struct call *c, int rc)
{
	if (rc >= 0)
		return db_commit(c->db);
	db_rollback(c->db);
	return rc;
}

const char *call_translate(const struct call *c, const char *english)
{
	return template_text(c->state->templates, english);
}

json_t *call_say(const struct call *c, const char *english, const struct say_value *values, size_t count)
{
	struct buf out = BUF_INIT;
	json_t *text;

	words_fill(call_translate(c, english), values, count, &out);
	text = json_string(buf_str(&out));
	buf_free(&out);
	return text;
}

json_t *call_counted(const struct call *c, int64_t n, const char *one, const char *many)
{
	const struct words *w = template_words(c->state->templates);
	struct buf number = BUF_INIT, out = BUF_INIT;
	json_t *text;

	words_number(w, n, &number);
	words_fill(words_count(w, n, one, many), &(struct say_value){ "n", buf_str(&number) }, 1, &out);
	text = json_string(buf_str(&out));
	buf_free(&number);
	buf_free(&out);
	return text;
}

json_t *call_phrase(const struct call *c, const json_t *phrase)
{
	struct buf out = BUF_INIT;
	json_t *text;

	words_phrase(template_words(c->state->templates), phrase, &out);
	text = out.len ? json_string(buf_str(&out)) : json_null();
	buf_free(&out);
	return text;
}

const struct words *call_words(const struct call *c)
{
	return template_words(c->state->templates);
}

int call_text_of(const struct call *c, const char *name, const json_t *doc, struct buf *out)
{
	return template_render(c->state->templates, name, doc, out);
}

const char *call_language(const struct call *c)
{
	return c->state->language;
}

const struct web *call_web(const struct call *c)
{
	return c->state->web;
}

void call_allow_form(struct call *c, const char *url)
{
	web_allow_form(c->state->response, url);
}
