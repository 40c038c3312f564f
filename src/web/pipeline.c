/* pipeline.c - one request, one straight line: match, session, origin and token, permission, parameters, transaction, handler,
 * commit, page or document. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "store/session.h"
#include "web/ask.h"
#include "web/brand.h"
#include "web/health.h"
#include "web/kept.h"
#include "web/metrics.h"
#include "web/sign.h"
#include "web/state.h"

const char *call_keep(struct call *c, const char *text)
{
	struct call_state *st = c->state;

	st->texts = mem_grow(st->texts, st->text_count + 1, sizeof *st->texts);
	return st->texts[st->text_count++] = mem_strdup(text);
}

/* Life of a call */

static void speak(struct call *c, const struct language *l)
{
	c->state->templates = language_set(l, c->state->dates);
	c->state->language = l->code;
}

void call_speak(struct call *c, const char *language)
{
	speak(c, languages_find(c->state->web->languages, language));
}

static void call_init(struct call *c, struct call_state *st, struct web_thread *t, const struct web_request *request,
	struct web_response *out)
{
	*st = (struct call_state){ .thread = t, .web = t->web, .response = out };
	st->form = json_object();
	st->errors = json_array();
	st->notices = json_array();
	*c = (struct call){ .request = request, .site = request->site, .conf = &t->web->conf, .now = request->received,
		.id = request->id, .address = request->address, .time_zone = "UTC", .date_format = date_format_names[0], .doc = json_object(), .state = st };
	c->db = web_thread_db(t, request->site);
	c->keys = web_thread_keys(t);
	speak(c, languages_accept(t->web->languages, request->accept_language));
}

static void call_done(struct call *c)
{
	struct call_state *st = c->state;

	db_rollback(c->db);
	form_free(&st->fields);
	params_free(&st->params);
	if (st->csrf)
		secret_wipe(st->csrf, strlen(st->csrf));
	free(st->csrf);
	for (size_t i = 0; i < st->text_count; i++)
		free(st->texts[i]);
	free(st->texts);
	for (size_t i = 0; i < st->cookie_count; i++)
		free(st->cookies[i]);
	json_decref(st->form);
	json_decref(st->errors);
	json_decref(st->notices);
	json_decref(c->doc);
	free(st->refusal);
	free(st->location);
	free(st->download.mime);
	free(st->download.filename);
	free(st->download.next);
	buf_free(&st->download.body);
	web_ask_free(st->ask);
}

/* Who asks, and whether they may */

static int check_session(struct call *c)
{
	int rc = token_sent(c) ? token_load(c) : sign_load(c);

	/* A token that is wrong is told, also where none is needed. */
	if (rc < 0 && token_sent(c))
		return rc;
	if (rc == ERR_UNAUTHENTICATED && c->route->permission == PERMISSION_PUBLIC)
		return 0;
	return rc;
}

static const char *sent_token(const struct call *c)
{
	if (c->request->csrf)
		return c->request->csrf;
	for (size_t i = 0; i < c->state->fields.count; i++)
		if (strcmp(c->state->fields.fields[i].name, "csrf") == 0 && c->state->fields.fields[i].source == FORM_BODY)
			return c->state->fields.fields[i].value;
	return NULL;
}

static int check_origin(struct call *c)
{
	const struct web_request *r = c->request;
	int rc;

	/* A browser never sends a token by itself. */
	if (r->method != WEB_POST || c->route->flags & ROUTE_FROM_OUTSIDE || c->scope != SCOPE_NONE)
		return 0;
	rc = guard_origin(c->state->web->origin[c->site], r->origin, r->fetch_site);
	/* What anyone may send (signing in, an invitation) can come from a page drawn before there was this session. */
	if (rc == 0 && c->state->csrf && c->route->permission != PERMISSION_PUBLIC)
		rc = guard_csrf(c->state->csrf, sent_token(c));
	if (rc == ERR_FORBIDDEN)
		call_refuse(c, rc, "This page was open for too long, or you have signed in anew since. Go back to it, reload it and send it again.");
	return rc;
}

/* Half a sign-in opens the step that it waits for, whoever it is, and what is open to all. */
static int is_next_step(const struct call *c, const struct route *row)
{
	const char *step = c->state->step;

	return (strcmp(step, SESSION_CODE) == 0 && row->flags & ROUTE_CODE) || (strcmp(step, SESSION_ENROL) == 0 && row->flags & ROUTE_ENROL)
		|| (strcmp(step, SESSION_WALL) == 0 && row->flags & ROUTE_WALL);
}

static int check_permission(struct call *c)
{
	if (c->scope != SCOPE_NONE && !scope_may(c->scope, c->route->permission))
		return err_set(ERR_FORBIDDEN, "a token of the scope %s may not %s", scope_name(c->scope), permission_name(c->route->permission));
	if (*c->state->step && c->route->permission != PERMISSION_PUBLIC)
		return is_next_step(c, c->route) ? 0 : err_set(ERR_UNAUTHENTICATED, "the sign-in is not complete");
	if (c->scope == SCOPE_NONE && !role_may(c->role, c->route->permission)) {
		err_set(ERR_FORBIDDEN, "%s may not %s", role_name(c->role), permission_name(c->route->permission));
		return call_refuse(c, ERR_FORBIDDEN, "Your role does not permit this. If you need it, ask an administrator.");
	}
	if (c->tenant_state && strcmp(c->tenant_state, "active") != 0 && !(c->route->flags & ROUTE_SUSPENDED_TOO) &&
		c->route->permission != PERMISSION_PUBLIC)
		return err_set(ERR_SUSPENDED, "the account is %s", c->tenant_state);
	return 0;
}

/* What was sent */

static int is_type(const char *content_type, const char *wanted)
{
	size_t len = strlen(wanted);

	return content_type && strncasecmp(content_type, wanted, len) == 0 && (content_type[len] == '\0' || content_type[len] == ';' ||
		content_type[len] == ' ');
}

static int read_fields(struct call *c)
{
	const struct web_request *r = c->request;
	struct form *f = &c->state->fields;
	int rc = 0;

	if (r->query)
		rc = form_parse(f, r->query, strlen(r->query), FORM_QUERY);
	if (rc < 0 || r->method != WEB_POST || r->body.len == 0)
		return rc;
	if (c->api)
		return is_type(r->content_type, "application/json") ? form_parse_json(f, r->body.data, r->body.len) :
			err_set(ERR_UNSUPPORTED, "the body must be application/json");
	return is_type(r->content_type, "application/x-www-form-urlencoded") ? form_parse(f, r->body.data, r->body.len, FORM_BODY) :
		err_set(ERR_UNSUPPORTED, "the body must be a form");
}

static int read_params(struct call *c)
{
	struct call_state *st = c->state;
	int rc = params_read(&st->params, c->route, &st->match, &st->fields, c->api);

	if (rc == ERR_INVALID)
		call_refuse(c, rc, err_text());
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < st->params.count; i++) {
		const struct param_value *v = &st->params.values[i];
		struct buf text = BUF_INIT;

		if (v->error == NULL)
			continue;
		param_error_text(v, call_translate(c, v->error), &text);
		rc = call_field_error(c, v->row.name, buf_str(&text));
		buf_free(&text);
	}
	return rc;
}

/* The handler in its transaction */

static int run_handler(struct call *c)
{
	int rc = c->route->handler ? c->route->handler(c) : 0;

	if (c->state->misuse)
		return err_set(ERR_INTERNAL, "%s uses parameters that it does not declare", c->route->path);
	/* A field error is one whatever the handler returned. */
	if (rc == 0 && json_array_size(c->state->errors))
		rc = ERR_INVALID;
	return rc;
}

/* A handler that has ended its transactions: one for the page around what it answers. */
static int draw_after(struct call *c, json_t **doc)
{
	int rc = uuid_is_nil(&c->tenant) ? 0 : call_begin(c, &c->tenant);

	if (rc == 0)
		*doc = page_document(c);
	db_rollback(c->db);
	return rc;
}

/* The page's document is made before the end, for the counts in the menu. Reading never commits, so a handler behind a GET
 * changes nothing even by mistake. */
static int run(struct call *c, json_t **doc)
{
	int own = c->route->flags & ROUTE_NO_TRANSACTION, keep = c->request->method == WEB_POST || c->route->flags & ROUTE_WRITES;
	int rc = own ? 0 : call_begin(c, uuid_is_nil(&c->tenant) ? NULL : &c->tenant);

	if (rc == 0 && c->route->flags & ROUTE_LOGGED && !c->api && call_is_part(c) && page_unchanged(c)) {
		db_rollback(c->db);
		return 0;
	}
	if (rc == 0)
		rc = run_handler(c);
	if (own && db_is_open(c->db)) {
		db_rollback(c->db);
		return rc < 0 ? rc : err_set(ERR_INTERNAL, "%s left a transaction open", c->route->path);
	}
	if (rc == 0 && c->route->page && !c->api && c->state->location == NULL && !c->state->download.set) {
		if (own)
			rc = draw_after(c, doc);
		else
			*doc = page_document(c);
	}
	if (own)
		return rc;
	if (rc == 0 && keep)
		return db_commit(c->db);
	db_rollback(c->db);
	return rc;
}

/* The answer */

static void answer_json(struct call *c)
{
	struct web_response *r = c->state->response;
	char *text;

	if (c->state->location)
		json_set_string(c->doc, "location", c->state->location);
	if (json_array_size(c->state->notices))
		json_object_set(c->doc, "notices", c->state->notices);
	if (json_object_size(c->state->form))
		json_object_set(c->doc, "form", c->state->form);
	text = json_text(c->doc);
	buf_puts(&r->body, text);
	free(text);
	r->status = 200;
	web_response_header(r, "content-type", "application/json");
}

static int answer_download(struct call *c)
{
	struct web_response *r = c->state->response;
	char *disposition;
	int first = c->state->download.next && c->request->resume == NULL;
	int rc = call_large(c, first ? LARGE_PARTS : c->state->download.body.len);

	if (rc < 0)
		return rc;
	disposition = mem_printf("attachment; filename=\"%s\"", c->state->download.filename);
	r->body = c->state->download.body;
	c->state->download.body = (struct buf)BUF_INIT;
	r->next = c->state->download.next;
	c->state->download.next = NULL;
	r->status = 200;
	web_response_header(r, "content-type", c->state->download.mime);
	web_response_header(r, "content-disposition", disposition);
	free(disposition);
	return 0;
}

static void answer_redirect(struct call *c)
{
	c->state->response->status = 303;
	web_response_header(c->state->response, "location", c->state->location);
	notice_leave(c);
}

int call_is_part(const struct call *c)
{
	const struct form *f = &c->state->fields;
	int asked = c->request->hx;

	for (size_t i = 0; i < f->count; i++)
		asked |= f->fields[i].source == FORM_QUERY && strcmp(f->fields[i].name, "fragment") == 0;
	return asked;
}

static int answer(struct call *c, const json_t *doc)
{
	const struct route *row = c->route;

	if (c->state->unchanged) {
		page_same(c);
	} else if (c->state->download.set) {
		return answer_download(c);
	} else if (c->api) {
		answer_json(c);
	} else if (c->state->location) {
		answer_redirect(c);
	} else if (doc) {
		if (row->fragment && call_is_part(c))
			return page_part(c, doc, row->fragment);
		return strcmp(row->page, PAGE_FRAME) == 0 ? page_part(c, doc, row->page) : page_render(c, doc, row->page, 200);
	} else {
		return err_set(ERR_INTERNAL, "%s has no page and went nowhere", row->path);
	}
	return 0;
}

/* A form drawn again */

/* The same person, with the same session, on another page. */
static void become(struct call *to, const struct call *from)
{
	to->tenant = from->tenant;
	to->tenant_slug = from->tenant_slug;
	to->tenant_name = from->tenant_name;
	to->tenant_state = from->tenant_state;
	to->time_zone = from->time_zone;
	to->zone = from->zone;
	to->date_format = from->date_format;
	to->user = from->user;
	to->user_name = from->user_name;
	to->user_email = from->user_email;
	to->role = from->role;
	to->session = from->session;
	to->state->csrf = mem_strdup(from->state->csrf);
	to->state->templates = from->state->templates;
	to->state->dates = from->state->dates;
	to->state->language = from->state->language;
	memcpy(to->state->step, from->state->step, sizeof to->state->step);
}

/* Draws the page that the form came from. ERR_NOT_FOUND when there is none: then it is an error page. */
static int draw_again(struct call *c, int status)
{
	struct web_request get = *c->request;
	struct call_state st;
	struct call again;
	json_t *doc = NULL;
	char *path = call_form_path(c);
	int rc = ERR_NOT_FOUND;

	get.method = WEB_GET;
	get.path = path;
	get.query = NULL;
	get.body = (struct buf)BUF_INIT;
	get.ask = NULL;
	call_init(&again, &st, c->state->thread, &get, c->state->response);
	st.redrawn = 1;
	route_match(route_table(c->site), WEB_GET, path, &st.match);
	again.route = st.match.row;
	if (again.route && again.route->page && (role_may(c->role, again.route->permission) || is_next_step(c, again.route))) {
		become(&again, c);
		rc = redraw_pass(c, again.route, &st.fields);
		if (rc == 0)
			rc = read_params(&again);
		if (rc == 0)
			rc = run(&again, &doc);
		if (rc == 0 && doc == NULL)
			rc = ERR_NOT_FOUND;
	}
	if (rc == 0) {
		redraw_put(c, doc);
		rc = page_render(&again, doc, again.route->page, status);
	}
	json_decref(doc);
	call_done(&again);
	free(path);
	return rc;
}

/* What POST of ROW's path would have carried: read as such, and shown in its form. Its handler never runs. */
static int draw_kept(struct call *c, const struct kept *kept)
{
	struct web_request post = *c->request;
	struct call_state st;
	struct call sent;
	int rc = ERR_NOT_FOUND;

	post.method = WEB_POST;
	post.path = kept->path;
	post.query = NULL;
	call_init(&sent, &st, c->state->thread, &post, c->state->response);
	route_match(route_table(c->site), WEB_POST, kept->path, &st.match);
	sent.route = st.match.row;
	if (sent.route && role_may(c->role, sent.route->permission)) {
		become(&sent, c);
		st.given_back = 1;
		rc = form_parse(&st.fields, kept->fields, strlen(kept->fields), FORM_BODY);
		if (rc == 0)
			rc = read_params(&sent);
		/* What is wrong, or missing because it is secret, is said when it is sent. */
		json_array_clear(st.errors);
		if (rc == 0 || rc == ERR_INVALID)
			rc = draw_again(&sent, 200);
	}
	call_done(&sent);
	if (rc < 0)
		web_response_free(c->state->response);
	return rc;
}

/* 1: the answer is the page asked for, with what was typed there when the session had ended. */
static int is_given_back(struct call *c)
{
	struct kept kept = { .path = NULL };
	int rc;

	if (!c->state->kept || c->request->method != WEB_GET || c->api || c->route->page == NULL || call_is_part(c))
		return 0;
	rc = kept_take(c, &kept);
	if (rc == 0)
		rc = draw_kept(c, &kept);
	kept_free(&kept);
	return rc == 0;
}

/* What the handler has said and set was true only if all of it had come to pass. */
static void take_back(struct call *c)
{
	db_rollback(c->db);
	web_response_free(c->state->response);
	json_array_clear(c->state->notices);
	c->state->notices_sent = 0;
	free(c->state->location);
	c->state->location = NULL;
}

static void answer_error(struct call *c, int code)
{
	char *why = mem_strdup(err_text());

	take_back(c);
	if ((code == ERR_INVALID || code == ERR_CONFLICT || (code == ERR_TOO_MANY && c->state->refusal)) && !c->api &&
		c->request->method == WEB_POST && draw_again(c, c->state->again ? 200 : error_status(code)) == 0) {
		free(why);
		return;
	}
	error_answer(c, code);
	err_set(code, "%s", why);
	free(why);
}

/* One line each */

#define LOGGED_PATH 2049         /* bytes: the beginning of a path that is refused for its length */

static void log_answer(const struct call *c, int code)
{
	static const char *const methods[] = { [WEB_GET] = "GET", [WEB_HEAD] = "HEAD", [WEB_POST] = "POST", [WEB_OTHER] = "other" };
	char id[UUID_TEXT_SIZE], status[16], ms[32], path[LOGGED_PATH];
	const char *method = methods[c->request->method];

	uuid_text(&c->id, id);
	snprintf(path, sizeof path, "%s", c->request->path);
	snprintf(status, sizeof status, "%d", c->state->response->status);
	snprintf(ms, sizeof ms, "%.1f", (double)(clock_now() - c->request->received) / 1000);
	if (code == 0)
		log_debug("request", "request", id, "method", method, "path", path, "status", status, "ms", ms, NULL);
	else if (c->state->response->status >= 500)
		log_warning("request failed", "request", id, "method", method, "path", path, "status", status, "ms", ms, "error",
			err_name(code), "why", err_text(), NULL);
	else
		log_info("request refused", "request", id, "method", method, "path", path, "status", status, "address", c->address,
			"error", err_name(code), "why", err_text(), NULL);
}

static int check_rate(struct call *c)
{
	int rc = c->state->rate > 0 && c->request->resume == NULL ? rate_account(c->state->web->people, &c->tenant, c->state->rate, clock_ticks()) : 0;

	if (rc < 0)
		return call_refuse(c, rc, "Too many requests of this account at once: its quota of requests a second is used up. Try again in a moment; "
			"the provider can raise the quota.");
	/* The second run of one try is no second try. */
	if (c->request->ask)
		return 0;
	if (c->route->flags & ROUTE_COSTLY && rate_ask(c->state->web->asked, c->address, clock_ticks()) < 0)
		return ERR_TOO_MANY;
	if (!(c->route->flags & ROUTE_SIGN_IN) || c->request->method != WEB_POST)
		return 0;
	return sign_count(c);
}

/* HTTP has codes of its own for two mistakes in asking. */
static int wrong_method(struct call *c)
{
	struct web_response *r = c->state->response;

	/* Who is signed in keeps the menu; nobody else need be. */
	if (!c->api)
		sign_load(c);
	error_answer_as(c, ERR_NOT_FOUND, c->state->match.allowed ? 405 : 404);
	if (c->state->match.allowed)
		web_response_header(r, "allow", c->state->match.allowed == WEB_POST ? "POST" :
			c->state->match.allowed & WEB_POST ? "GET, HEAD, POST" : "GET, HEAD");
	return err_set(ERR_NOT_FOUND, "no such route");
}

/* Nothing of it is read but, where that can be done, who is signed in. */
static int over_limit(struct call *c, int status)
{
	if (!c->api && status != 431)
		sign_load(c);
	error_answer_as(c, ERR_TOO_LARGE, status);
	return err_set(ERR_TOO_LARGE, "more than a request may have");
}

static int serve(struct call *c)
{
	json_t *doc = NULL;
	/* Who asks comes first: what a stranger sends to where a session is needed is not even read. */
	int rc = check_session(c);

	if (rc == 0)
		rc = read_fields(c);
	if (rc == 0)
		rc = check_origin(c);
	if (rc == 0)
		rc = check_permission(c);
	if (rc == 0)
		rc = check_rate(c);
	if (rc == 0 && is_given_back(c))
		return 0;
	if (rc == 0 && !c->api)
		notice_read(c);
	if (rc == 0)
		rc = read_params(c);
	if (rc == 0)
		rc = run(c, &doc);
	if (rc == 0)
		rc = answer(c, doc);
	json_decref(doc);
	if (rc < 0 && c->state->ask && !c->request->ask)
		return rc;
	if (rc < 0)
		answer_error(c, rc);
	return rc;
}

static void open_call(struct call *c, struct call_state *st, struct web_thread *t, const struct web_request *request,
	struct web_response *out)
{
	call_init(c, st, t, request, out);
	route_match(route_table(c->site), request->method, request->path, &st->match);
	c->route = st->match.row;
	c->api = st->match.api;
	/* Programs are told in English. */
	if (c->api)
		call_speak(c, NULL);
}

int web_is_try(const struct web_request *request)
{
	struct route_match m;

	if (request->method != WEB_POST)
		return 0;
	route_match(route_table(request->site), WEB_POST, request->path, &m);
	return m.row && m.row->flags & ROUTE_SIGN_IN;
}

void web_answer_busy(struct web_thread *t, const struct web_request *request, struct web_response *out)
{
	struct call_state st;
	struct call c;

	open_call(&c, &st, t, request, out);
	err_set(ERR_BUSY, "too many pages wait");
	error_answer(&c, ERR_BUSY);
	log_answer(&c, ERR_BUSY);
	call_done(&c);
	web_security_headers(out);
}

/* The answer's own run asks no more. */
static int has_asked(struct call *c, struct web_request *request)
{
	if (c->state->ask == NULL || request->ask)
		return 0;
	request->ask = c->state->ask;
	c->state->ask = NULL;
	web_response_free(c->state->response);
	return 1;
}

int web_answer(struct web_thread *t, struct web_request *request, struct web_response *out)
{
	struct call_state st;
	struct call c;
	int rc;

	if (health_answer(t, request, out) || metrics_answer(t, request, out) || brand_answer(t, request, out)) {
		web_security_headers(out);
		return 0;
	}
	open_call(&c, &st, t, request, out);
	brand_renew(&c);
	if (web_request_over(request))
		rc = over_limit(&c, web_request_over(request));
	else
		rc = c.route ? serve(&c) : wrong_method(&c);
	if (has_asked(&c, request)) {
		call_done(&c);
		return 1;
	}
	log_answer(&c, rc);
	call_done(&c);
	web_security_headers(out);
	return 0;
}
