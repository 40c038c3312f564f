/* error.c - what goes wrong as an answer: a page, or a problem document (RFC 9457). Neither says anything of the inside; the
 * request's id leads to the log. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "render/template.h"
#include "store/session.h"
#include "web/kept.h"
#include "web/state.h"

static const struct problem {
	int code, status;
	const char *title, *text, *icon, *colour;
	int retry_s;             /* 0: no Retry-After */
} problems[] = {
	{ ERR_INVALID, 422, "This cannot be accepted", "Something in the address, or in what was sent, is missing or wrong. Go back and try again, or begin at the "
		"start page.", "alert-circle", "orange", 0 },
	{ ERR_NOT_FOUND, 404, "Not found", "There is nothing at this address, or nothing that you may see. It may have been removed meanwhile: look for it in its "
		"list.", "search", "gray", 0 },
	{ ERR_NOT_FOUND, 405, "This is no page", "This address only takes what a form sends and shows nothing by itself. Go back to the page that the form is on.",
		"search", "gray", 0 },
	{ ERR_FORBIDDEN, 403, "Not allowed", "This is not permitted to you. If you need it, ask an administrator.", "ban", "orange", 0 },
	{ ERR_UNAUTHENTICATED, 401, "Please sign in", "You are not signed in, or your session has ended.", "lock", "blue", 0 },
	{ ERR_CONFLICT, 409, "Something has changed", "What you wanted to change is no longer as you saw it. Go back, reload the page "
		"and look again.", "refresh", "orange", 0 },
	{ ERR_TOO_LARGE, 413, "Too large", "What was sent is larger than this page takes. Go back and send less: a shorter text, a smaller file, fewer entries at "
		"once.", "alert-circle", "orange", 0 },
	{ ERR_TOO_LARGE, 414, "The address is too long", "The address that was asked for is longer than any of this site. It may have been pasted together with "
		"something else: look for what you want from the start page.", "alert-circle", "orange", 0 },
	{ ERR_TOO_LARGE, 431, "Too many cookies", "Your browser sends more cookies to this site than can be read, so it is not known who you are. Most of them are "
		"of other programs: delete the cookies of this site in your browser's settings, then sign in again.", "alert-circle", "orange", 0 },
	{ ERR_UNSUPPORTED, 415, "This cannot be read", "What was sent is not in a form that this page reads. Go back, reload the page and try again.", "alert-circle",
		"orange", 0 },
	{ ERR_TOO_MANY, 429, "Too many in a short time", "Too many tries came from your network in a short time. Wait a minute, then try again.", "hourglass", "orange", 10 },
	{ ERR_SUSPENDED, 403, "This account is suspended", "Nothing can be done in it until your service provider resumes it: ask them why, and for how long. "
		"Agents get no keys meanwhile; open volumes stay open.", "player-pause", "orange", 0 },
	{ ERR_SEALED, 503, "The key service is sealed", "Its root key is locked or out of reach, so nothing that needs keys can be done; open volumes stay open. "
		"Whoever runs this server has to unseal it: tell them, then try again.", "lock", "red", 30 },
	{ ERR_UNAVAILABLE, 503, "Not available just now", "A part of the server does not answer. Try again in a minute; if it lasts, tell whoever runs this server, "
		"with the number below.", "plug", "red", 10 },
	{ ERR_TIMEOUT, 503, "This took too long", "A part of the server did not answer in time. Try again in a minute; if it lasts, tell whoever runs this server, "
		"with the number below.", "hourglass", "red", 10 },
	{ ERR_BUSY, 503, "Busy just now", "Somebody else is working on the same thing, or the server is very busy. Please try again.",
		"hourglass", "orange", 5 },
	{ ERR_INTERNAL, 500, "Something went wrong", "This is our mistake. Try again; if it happens again, tell whoever runs this server the number below: it leads to "
		"the entry in the server's log.", "alert-triangle", "red", 0 },
};

/* STATUS 0: the code's usual one, its first row. */
static const struct problem *problem_of(int code, int status)
{
	for (size_t i = 0; i < ARRAY_LEN(problems); i++)
		if (problems[i].code == code && (status == 0 || problems[i].status == status))
			return &problems[i];
	return &problems[ARRAY_LEN(problems) - 1];
}

int error_status(int code)
{
	return problem_of(code, 0)->status;
}

/* Of what the user did in a form, not of the server. */
static const char *text_of(const struct call *c, const struct problem *p)
{
	if (c->state->refusal)
		return call_translate(c, c->state->refusal);
	if (p->status == 404 && c->role == ROLE_NONE)
		return call_translate(c, "There is nothing at this address for somebody who is not signed in. Sign in, and look for it in its list.");
	return call_translate(c, p->text);
}

static void answer_problem(struct call *c, const struct problem *p)
{
	struct web_response *r = c->state->response;
	char id[UUID_TEXT_SIZE], *instance, *text;
	json_t *o;

	uuid_text(&c->id, id);
	instance = mem_printf("urn:uuid:%s", id);
	o = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s}", "type", "about:blank", "title", call_translate(c, p->title), "status", p->status,
		"detail", text_of(c, p), "instance", instance, "code", err_name(p->code));
	if (json_array_size(c->state->errors))
		json_object_set(o, "errors", c->state->errors);
	text = json_text(o);
	buf_reset(&r->body);
	buf_puts(&r->body, text);
	web_response_header(r, "content-type", "application/problem+json");
	free(text);
	free(instance);
	json_decref(o);
}

/* Without any template: also for when those are the trouble. */
static void answer_plainly(struct call *c, const struct problem *p)
{
	struct web_response *r = c->state->response;
	char id[UUID_TEXT_SIZE];

	uuid_text(&c->id, id);
	buf_reset(&r->body);
	buf_printf(&r->body, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s</title></head><body><h1>%s</h1>"
		"<p>%s</p><p>Request %s</p></body></html>\n", p->title, p->title, p->text, id);
	web_response_header(r, "content-type", "text/html; charset=utf-8");
}

/* Where the user was: what was asked for, or the page of the form that was sent. */
static void add_place(const struct call *c, struct buf *out)
{
	char *form = c->request->method == WEB_GET || c->route == NULL ? NULL : call_form_path(c);
	struct route_match match = { .row = NULL };

	if (form)
		route_match(route_table(c->site), WEB_GET, form, &match);
	if (c->request->method == WEB_GET)
		buf_puts(out, c->request->path);
	if (c->request->method == WEB_GET && c->request->query)
		buf_printf(out, "?%s", c->request->query);
	if (match.row && match.row->page)
		buf_puts(out, form);
	free(form);
}

/* The page at PATH asks before something is done. */
static int is_question(const struct call *c, const char *path)
{
	struct route_match match = { .row = NULL };
	const char *slash;

	route_match(route_table(c->site), WEB_GET, path, &match);
	slash = match.row && match.row->page ? strrchr(match.row->page, '/') : NULL;
	return slash && strcmp(slash, "/confirm") == 0;
}

static int is_page(const struct call *c, const char *path)
{
	struct route_match match = { .row = NULL };

	route_match(route_table(c->site), WEB_GET, path, &match);
	return match.row && match.row->page && !is_question(c, path);
}

/* PLACE becomes the page above it, of what it asks about; empty where there is none. */
static void go_above(const struct call *c, struct buf *place)
{
	do {
		while (place->len && place->data[--place->len] != '/')
			;
		place->data[place->len] = '\0';
	} while (place->len && !is_page(c, place->data));
}

/* Where to go from an error: to what was asked for, where asking again may help; to the page that something was sent from, or that a question stands on;
 * else to the start. */
static void add_way(struct call *c, const struct problem *p, json_t *error)
{
	struct buf place = BUF_INIT;
	int asked = c->request->method == WEB_GET, again = asked && (p->retry_s || p->code == ERR_INTERNAL || p->code == ERR_SUSPENDED);

	/* What is not there has no page either; what only takes forms has one above it. */
	if (p->code == ERR_NOT_FOUND && p->status != 405)
		;
	else if (!asked || again)
		add_place(c, &place);
	else if (p->status == 405 || is_question(c, c->request->path))
		buf_puts(&place, c->request->path);
	/* A button in a list sends to where there is no page. */
	if (!asked && place.len == 0 && p->code != ERR_NOT_FOUND)
		buf_puts(&place, c->request->path);
	if (place.len && !again && (p->status == 405 || !is_page(c, place.data)))
		go_above(c, &place);
	json_set_string(error, "back", place.len ? guard_return(place.data) : "/");
	json_set_string(error, "back_text", call_translate(c, !place.len ? c->role == ROLE_NONE ? "Sign in" : "To the start page" : again ? "Try again" :
		"Back to the page"));
	json_set_string(error, "back_icon", again ? "refresh" : "arrow-left");
	buf_free(&place);
}

/* What a later try can do for a form that was sent: the browser still has it. */
static json_t *sent_again(const struct call *c, const struct problem *p)
{
	if (c->request->method != WEB_POST || p->retry_s == 0)
		return json_null();
	return json_string(call_translate(c, "What you typed is not lost: reload this page to send it once more. Your browser asks whether it should."));
}

/* Who is signed in keeps the menu, with its counts if they can be had. */
static json_t *document_of(struct call *c)
{
	int framed = c->role != ROLE_NONE && call_begin(c, uuid_is_nil(&c->tenant) ? NULL : &c->tenant) == 0;
	json_t *doc = page_document(c);

	if (framed)
		db_rollback(c->db);
	return doc;
}

static void answer_page(struct call *c, const struct problem *p)
{
	char *template = mem_printf("%s/error%s", c->site == WEB_CENTRAL ? "central" : "console", c->role == ROLE_NONE ? "_bare" : "");
	int rc = ERR_NOT_FOUND;

	if (template_exists(c->state->templates, template)) {
		json_t *doc, *error = json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:b}", "status", p->status, "title", call_translate(c, p->title), "text",
			text_of(c, p), "icon", p->icon, "colour", p->colour, "again", sent_again(c, p), "sent", c->request->method == WEB_POST);

		json_object_clear(c->doc);
		json_object_clear(c->state->form);
		add_way(c, p, error);
		call_set(c, "error", error);
		/* Its number stands beside the error, so not at the foot as well. */
		call_set(c, "is_error", json_true());
		if (json_array_size(c->state->errors))
			call_set(c, "errors", json_incref(c->state->errors));
		doc = document_of(c);
		rc = page_render(c, doc, template, p->status);
		json_decref(doc);
	}
	if (rc < 0) {
		if (rc != ERR_NOT_FOUND)
			log_error("error page cannot be rendered", "error", err_text(), NULL);
		answer_plainly(c, p);
	}
	free(template);
}

/* Or to the step that a sign-in waits for. It comes back to where the user was, and what a POST carried waits there (kept.h). */
static void answer_sign_in(struct call *c)
{
	struct buf path = BUF_INIT, back = BUF_INIT;

	if (strcmp(c->state->step, SESSION_ENROL) == 0)
		buf_puts(&path, "/factor/new");
	else
		buf_puts(&path, strcmp(c->state->step, SESSION_CODE) == 0 ? "/sign-in/code" : "/sign-in");
	if (strcmp(c->state->step, SESSION_ENROL) != 0)
		add_place(c, &back);
	if (c->request->method == WEB_POST && back.len && is_page(c, buf_str(&back)))
		kept_leave(c, buf_str(&back));
	if (back.len && strcmp(buf_str(&back), "/") != 0) {
		buf_puts(&path, "?");
		form_append(&path, "return", guard_return(buf_str(&back)));
	}
	/* Who had a session is told what became of it. */
	if (*c->state->step == '\0' && call_cookie(c, GUARD_SESSION_COOKIE))
		call_notice(c, "info", "Your session has ended. Sign in again to go on where you were.");
	c->state->response->status = 303;
	web_response_header(c->state->response, "location", buf_str(&path));
	notice_leave(c);
	buf_free(&path);
	buf_free(&back);
}

void error_answer_as(struct call *c, int code, int status)
{
	const struct problem *p = problem_of(code, status);
	struct web_response *r = c->state->response;
	char seconds[16];

	if (code == ERR_UNAUTHENTICATED && !c->api) {
		/* A redirect would put the sign-in page into a part of the old one. */
		if (!call_is_part(c)) {
			answer_sign_in(c);
			return;
		}
	}
	/* A part that keeps itself up to date ends with the page being loaded again, which says why. */
	if (call_is_part(c) && (code == ERR_UNAUTHENTICATED || code == ERR_FORBIDDEN || code == ERR_SUSPENDED))
		web_response_header(r, "hx-refresh", "true");
	r->status = p->status;
	snprintf(seconds, sizeof seconds, "%d", p->retry_s);
	if (p->retry_s)
		web_response_header(r, "retry-after", seconds);
	if (c->api)
		answer_problem(c, p);
	else
		answer_page(c, p);
	r->status = p->status;
}

void error_answer(struct call *c, int code)
{
	error_answer_as(c, code, 0);
}
