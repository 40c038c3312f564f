/* doc.h - small parts of documents that many pages share: members of the store's rows as pages show them. All references that are
 * given out are the caller's. */
#ifndef WEB_DOC_H
#define WEB_DOC_H

#include "web/call.h"

/* The text member NAME of ROW; "" for anything else. Borrowed. */
const char *doc_text(const json_t *row, const char *name);
/* The same; NULL for "". */
const char *doc_optional(const json_t *row, const char *name);
/* TEXT, which was kept in English (notice/entry.h), in the page's language; null for "" and NULL. The API says it as it is kept. */
json_t *doc_reason(const struct call *c, const char *text);
/* What a policy is called, or its description: the default one's, which is kept in English (notice/entry.h), in the page's language until somebody gives it
 * another. NULL stays NULL. */
const char *doc_policy(const struct call *c, const char *kept);
/* The text member NAME of ROW that begins with a day as ISO has it, with days as they are chosen; in the API, and null, as it is. */
json_t *doc_local(const struct call *c, const json_t *row, const char *name);
/* The time member NAME of ROW (RFC 3339) as call_when shows it; null where there is none. */
json_t *doc_when(const struct call *c, const json_t *row, const char *name);
/* The field NAME of the page's form: certificates in PEM, and in `about` whose the first is and until when; null where there is none (part/pem). */
void doc_form_pem(struct call *c, const char *name, const char *pem);
/* Sets the members NAME, a number of things as LIST_COUNT counts them, at most LIST_COUNT_MAX, and NAME_more: there are more. Templates show
 * both by part/count. */
void doc_count(json_t *out, const char *name, int64_t count);
/* A value that templates put out raw ({{{name}}}): HTML of our own making, never input. */
json_t *doc_markup(const char *html);
/* { name, colour }; LABEL is English. Colours: green, blue, yellow, orange, red, purple, gray. */
json_t *doc_badge(const struct call *c, const char *label, const char *colour);
/* The same of a licence's kind, by its name in the store; null for anything else. */
json_t *doc_licence_kind(const struct call *c, const char *name);
/* { name, url } of a page below FOLDER ("/devices"); both null without an id. */
json_t *doc_link(const char *folder, const char *id, const char *name);
/* "500 GiB"; binary units, at most one decimal, as the language writes it. */
json_t *doc_size(const struct call *c, int64_t bytes);
/* The member `confirm` of a page that asks before an act: POST FOLDER/ID/ACT does it, FOLDER/ID is the way back. Texts are English
 * but where said. */
struct doc_confirm {
	const char *folder, *id, *act;
	const char *title, *name;    /* "Delete", and what it is called: asked as Delete "data"? */
	const char *text;            /* shown as it is: translated by the caller */
	const char *icon, *colour, *button;
	const char *warning;         /* NULL: none */
	const char *typed;           /* what must be typed, in the parameter "typed"; NULL: nothing */
	int danger, comment;         /* a red button; a field for a comment, in the parameter "comment" */
	json_t *points;              /* array of texts, taken over; NULL: none */
};
/* Delete "data"? */
json_t *doc_question(const struct call *c, const char *act, const char *name);
void doc_confirm(struct call *c, const struct doc_confirm *ask);
/* The same where a setting at URL is to be forgotten: POST URL/remove does it. TITLE is the whole question, with %{name} for
 * NAME; POINTS, taken over, may be NULL. */
void doc_ask_remove(struct call *c, const char *url, const char *title, const char *name, const char *text, json_t *points, const char *button);
/* The public key of the signatures for PURPOSE (store/signing.h) as a download NAME, in PEM. ERR_NOT_FOUND: nothing was signed yet. */
int doc_signing_key(struct call *c, const char *purpose, const char *name);
/* After a change: NOTICE, and on to FOLDER/ID. Returns 0. */
int doc_done(struct call *c, const char *folder, const struct uuid *id, const char *notice);
/* The member `history`: the newest entries of the bound log about object ID, each { title, colour, by, at, long_ago, comment, detail }; `history_log` leads to
 * all that the log says of what is CALLED so, null for who may not read it. */
int doc_history(struct call *c, const char *id, const char *called);
/* Who did it, of an entry of the log: NAME, or words for a KIND that has none. */
const char *doc_actor(const struct call *c, const char *kind, const char *name);

/* The days of a week as choices, "1" for Monday to "7", for whatever runs by a schedule. */
extern const char *const schedule_weekdays[];
void schedule_offer_weekdays(struct call *c, const char *field, int64_t chosen);

#endif
