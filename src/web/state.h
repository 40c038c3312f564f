/* state.h - what the pipeline keeps of one call, and its parts. For files of this folder only. */
#ifndef WEB_STATE_H
#define WEB_STATE_H

#include "render/languages.h"
#include "store/zone.h"
#include "web/call.h"
#include "web/form.h"
#include "web/guard.h"
#include "web/param.h"
#include "web/web.h"

struct call_state {
	struct web_thread *thread;
	const struct web *web;
	const struct template_set *templates;    /* in the user's language */
	const char *language;                    /* its code */
	enum date_format dates;                  /* how days are written in them */
	struct web_response *response;
	struct route_match match;
	struct form fields;
	struct params params;
	char *csrf;                              /* token of the session; NULL without one */
	char step[8];                            /* what the sign-in waits for (store/session.h); then the caller has no role yet */
	char **texts;                            /* what pointers in struct call point to */
	size_t text_count;
	json_t *form;                            /* what the page's form holds, by field */
	json_t *errors;                          /* array of { name, text } */
	json_t *notices;                         /* array of { kind, text } */
	int notices_sent;                        /* the browser has a cookie of notices, which is used up now */
	char *refusal;                           /* what the user is told of the failure */
	int again;                               /* no failure: the form's page is just drawn again */
	char *location;                          /* redirect */
	struct { char *mime, *filename, *next; struct buf body; int set; } download;
	char *cookies[8];                        /* values that call_cookie gave out */
	size_t cookie_count;
	int redrawn;                             /* the page of a form that was refused */
	int kept;                                /* the session has a form that was sent when the one before it had ended (kept.h) */
	int given_back;                          /* this is that form */
	struct web_ask *ask;                     /* what the handler asks, until the pipeline hands it on (ask.h) */
	int64_t rate;                            /* requests a second that the account may have; 0: any number */
	struct { int64_t seq, bell; } pulse;     /* of a ROUTE_LOGGED row: the log's newest entry and the bell's count, before the handler looked */
	int unchanged;                           /* nothing has happened since the browser asked last (page_unchanged) */
	int misuse;                              /* a handler asked for what its row does not declare */
};

/* pipeline.c */
/* A part of a page is asked for: by htmx in a header, by lists that refresh themselves in their address. */
int call_is_part(const struct call *c);

/* redraw.c */
/* The path of the page that the row's form is on, with the ids of this request; the caller frees. */
char *call_form_path(const struct call *c);
/* What the page itself takes as a parameter, it gets from the form: into FIELDS. */
int redraw_pass(const struct call *c, const struct route *page, struct form *fields);
/* What was typed in C's form, and what is wrong with it, into the document of its page. */
void redraw_put(const struct call *c, json_t *doc);

/* sign.c */
/* Looks up the session of the cookie, in a transaction of its own, and fills user, role, tenant. ERR_UNAUTHENTICATED when there
 * is none that is valid. */
int sign_load(struct call *c);

/* token_sign.c */
/* The token that was sent with a request to the operator's API; NULL: none. */
const char *token_sent(const struct call *c);
/* Fills user and scope. ERR_UNAUTHENTICATED. */
int token_load(struct call *c);

/* zone.c */
/* *OUT lives as long as the process; NULL for UTC. In a transaction of DB, the first time. */
int zone_find(struct db *db, const char *name, clock_us now, const struct zone **out);

/* notice.c */
void notice_read(struct call *c);                /* those that an earlier answer left in a cookie */
void notice_leave(struct call *c);               /* for the next page */

/* page.c */
/* The document with the members that every page has; the caller's reference. */
json_t *page_document(struct call *c);
/* The member `ask` of every page (whom.c): null where one may what the page is for. */
json_t *whom_member(struct call *c);
int page_render(struct call *c, const json_t *doc, const char *template, int status);
/* A part of a page that asks for itself again and again, and after it what changes of the frame (PAGE_FRAME); 304 when it looks as it did when the
 * browser asked last. */
#define PAGE_FRAME "part/frame"
int page_part(struct call *c, const json_t *doc, const char *template);
/* Whether the log and the bell say that nothing has happened since the browser was given the part last, less than PAGE_OLD_S ago: then the part is
 * not made at all, and page_same answers. In the open transaction. */
#define PAGE_OLD_S 120
int page_unchanged(struct call *c);
void page_same(struct call *c);

/* error.c */
/* Makes the answer for CODE: page, problem document, or redirect to sign-in. */
void error_answer(struct call *c, int code);
int error_status(int code);
/* As error_answer, for what HTTP has a status of its own for beside the code's usual one: 405, 414, 431. */
void error_answer_as(struct call *c, int code, int status);

#endif
