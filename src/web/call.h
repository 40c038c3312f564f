/* call.h - one request as a handler sees it: who asks, with which typed parameters, inside which transaction; and the answer.
 *
 *     int user_disable(struct call *c)
 *     {
 *         struct uuid id = call_uuid(c, "id");
 *         int rc = user_set_state(c->db, &id, "disabled");
 *
 *         if (rc == ERR_CONFLICT)
 *             return call_refuse(c, rc, "This is the last administrator.");
 *         if (rc < 0)
 *             return rc;
 *         call_notice(c, "success", "The user was disabled.");
 *         call_redirect(c, "/users");
 *         return 0;
 *     }
 *
 * Before a handler runs: the route matched, session and CSRF token were checked, the role holds the row's permission, every
 * parameter is well-formed, and the transaction is open (read-only for GET), bound to the tenant and the user. A handler fills
 * c->doc with what is shown; the same document is the page's and the API's. It returns 0, and the pipeline commits before
 * anything is sent; or an ERR_ code, and everything is rolled back:
 *
 *     INVALID 422  NOT_FOUND 404 (also for "not yours")  FORBIDDEN 403  UNAUTHENTICATED sign-in or 401  CONFLICT 409
 *     TOO_LARGE 413  TOO_MANY 429  SUSPENDED its own page  UNAVAILABLE, SEALED, TIMEOUT, BUSY 503  anything else 500
 *
 * After an INVALID or CONFLICT of a POST, the GET handler of the row's `form` path draws its page again: with the texts of
 * call_field_error at the fields, that of call_refuse above the form, and what was typed in place of what is stored. */
#ifndef WEB_CALL_H
#define WEB_CALL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/say.h"
#include "base/uuid.h"
#include "identity/permission.h"
#include "keys/client.h"
#include "store/db.h"
#include "web/request.h"
#include "web/route.h"

struct call_state;
struct web;
struct words;
struct zone;

/* Strings and pointers live until the answer is made. */
struct call {
	const struct web_request *request;
	enum web_site site;              /* WEB_CENTRAL or WEB_CONSOLE */
	const struct route *route;
	int api;                         /* 1: the answer is JSON */
	struct uuid tenant;              /* nil in the Central Management Console and before sign-in */
	const char *tenant_slug, *tenant_name, *tenant_state;   /* NULL likewise */
	const char *time_zone;           /* of the tenant, "UTC" where there is none */
	const struct zone *zone;         /* the same, to compute with; NULL: UTC */
	const char *date_format;         /* of the tenant, an operator's of the installation: a name of date_format_names (render/words.h) */
	struct uuid user;                /* nil before sign-in */
	const char *user_name, *user_email;
	enum role role;                  /* ROLE_NONE before sign-in */
	enum scope scope;                /* of a token of the operator's API, which has no role; SCOPE_NONE: none was sent */
	struct uuid session;             /* id of the session's row */
	struct db *db;                   /* role keyward_central or keyward_console */
	struct keys_client *keys;
	const struct conf *conf;
	clock_us now;                    /* of the whole request */
	struct uuid id;                  /* of the request; keys/client.h wants it */
	const char *address;             /* of the peer */
	json_t *doc;                     /* the answer: an object, empty at first */
	struct call_state *state;        /* the pipeline's */
};

/* Parameters, by the names of the row. Asking for a name or type that the row does not declare ends in an error page and a log
 * line, never in a value. */
int call_has(const struct call *c, const char *name);
const char *call_text(const struct call *c, const char *name);       /* TEXT, LINES, EMAIL, ENUM, PASSWORD; "" when not given */
int64_t call_int(const struct call *c, const char *name, int64_t otherwise);
int call_bool(const struct call *c, const char *name);               /* 0 when not given: an unticked box sends nothing */
clock_us call_time(const struct call *c, const char *name);          /* 0 when not given */
struct uuid call_uuid(const struct call *c, const char *name);       /* nil when not given */
const json_t *call_json(const struct call *c, const char *name);     /* JSON, FIELDS; NULL when not given */
size_t call_count(const struct call *c, const char *name);           /* values of a list parameter */
struct uuid call_uuid_at(const struct call *c, const char *name, size_t i);
const char *call_text_at(const struct call *c, const char *name, size_t i);

/* The answer. */
void call_set(struct call *c, const char *name, json_t *value);              /* into c->doc; takes the reference */
/* What the field NAME of the page's form holds: document member form.NAME with value, or checked for a boolean. Where the user
 * is corrected, what was typed takes its place. Takes the reference. */
void call_form(struct call *c, const char *name, json_t *value);
/* The member form.NAME itself, for a part of the page that shows it elsewhere; borrowed. */
json_t *call_form_field(struct call *c, const char *name);
/* What is wrong with the field NAME of a page that shows it by itself, not after a refused form; shown as it is. */
void call_form_error(struct call *c, const char *name, const char *text);
/* One more choice of a select or of radio buttons: form.NAME.options. TEXT and HINT (NULL: none) are shown as they are. */
void call_form_option(struct call *c, const char *name, const char *value, const char *text, const char *hint, int selected);
/* A time as pages show it: { iso, text, relative, hover }, text in the tenant's time zone, hover with UTC beside it (null where they are
 * the same); all of it in UTC in the API. null for 0. The caller's reference. */
json_t *call_when(const struct call *c, clock_us at);
json_t *call_when_utc(const struct call *c, clock_us at);     /* for what is in UTC wherever it is read: the log */
/* Instead of a page: 303 to a path of this site. The API answers 200 with the document and "location". */
void call_redirect(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Shown once, on the next page drawn for this browser. KIND is success, info, warning or danger; TEXT English, translated when
 * shown, or what call_say has made of a value that tells which one was meant. */
void call_notice(struct call *c, const char *kind, const char *text);
/* TEXT at field NAME (NULL: above the form); returns ERR_INVALID. May be called for several fields. */
int call_field_error(struct call *c, const char *name, const char *text);
/* For a button that changes the form alone (a search in a list of choices): its page is drawn again with what was typed, no error
 * said, and nothing kept. Returns the code to return. */
int call_again(struct call *c);
/* What the user is told of a failure, in place of the standard text for CODE; returns CODE. */
int call_refuse(struct call *c, int code, const char *text);
/* Before a large answer is read into memory: room for BYTES of it (large.h), given back when the client has it. ERR_BUSY. */
int call_large(struct call *c, size_t bytes);
/* Instead of a page: BODY (taken over) as a file. */
void call_download(struct call *c, const char *mime, const char *filename, struct buf *body);
/* The same in parts, for what may be of any size: BODY is one of them, NEXT says where the one after it begins (NULL: it was the last). When
 * the client has it, the request is run again from its beginning, in any thread, with NEXT in c->request->resume: between two parts
 * no thread, no transaction and no memory wait for a slow client. A part that fails ends the connection, so that what came is not taken for all of
 * it. */
void call_download_part(struct call *c, const char *mime, const char *filename, struct buf *body, const char *next);
/* Host-bound ("__Host-" is put before NAME), Secure, HttpOnly, Path=/. MAX_AGE in seconds; 0: until the browser closes; negative:
 * deletes it. */
void call_set_cookie(struct call *c, const char *name, const char *value, long max_age, const char *same_site);
/* The cookie's value as the browser sent it, untrusted; NULL when there is none. Valid as long as the call. */
const char *call_cookie(const struct call *c, const char *name);
/* Address of a page on this site or another, for mails: "https://host[:port]/path". The caller frees. */
char *call_address(const struct call *c, enum web_site site, const char *path);

/* A copy of TEXT that lives as long as the call. */
const char *call_keep(struct call *c, const char *text);
int call_may(const struct call *c, enum permission p);       /* for what a page offers; enforcing is the row's */
/* ROUTE_NO_TRANSACTION: begins one bound to TENANT (NULL: none) in the caller's name; then db_commit or db_rollback. */
int call_begin(struct call *c, const struct uuid *tenant);
/* Ends it: commits unless RC is an error, else rolls back; the outcome, 0 or the error. */
int call_end(struct call *c, int rc);
/* Text in the user's language; English when there is none. */
const char *call_translate(const struct call *c, const char *english);
/* The same with values in place of its %{name}: CALL_VALUES({ "name", value }, ...). Never put a sentence together of translated
 * parts: other languages have another order. The caller's reference. */
json_t *call_say(const struct call *c, const char *english, const struct say_value *values, size_t count);
#define CALL_VALUES(...) (const struct say_value[]){ __VA_ARGS__ }, sizeof (const struct say_value[]){ __VA_ARGS__ } / sizeof (struct say_value)
/* "1 device", "12,000 devices": ONE and MANY hold %{n}. The caller's reference. */
json_t *call_counted(const struct call *c, int64_t n, const char *one, const char *many);
/* For what takes a language's words itself (render/words.h). */
const struct words *call_words(const struct call *c);
/* The template NAME with DOC as a text of its own: a mail. In the user's language. */
int call_text_of(const struct call *c, const char *name, const json_t *doc, struct buf *out);
/* The code of the language in which the user is spoken to, and another from now on (render/languages.h; NULL or unknown: English). */
const char *call_language(const struct call *c);
void call_speak(struct call *c, const char *language);
/* What was loaded once, for all. */
const struct web *call_web(const struct call *c);
/* A page of this answer has a form that leads to URL, on another site. */
void call_allow_form(struct call *c, const char *url);
/* A phrase (base/phrase.h) as a text; null for NULL, null and what says nothing. The caller's reference. */
json_t *call_phrase(const struct call *c, const json_t *phrase);

#endif
