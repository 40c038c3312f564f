/* message.h - what a group of recipients is sent: texts with variables, put together for several events, and the HTML that goes beside any of
 * our mails. Pure. */
#ifndef NOTICE_MESSAGE_H
#define NOTICE_MESSAGE_H

#include <jansson.h>

#include "base/buf.h"

/* name as it stands in {{ }}, label, a sample value, whether it is of one event (else of the whole message) */
#define MESSAGE_VARIABLES(X) \
	X("event", "What happened", "Key waits for approval", 1) \
	X("severity", "Severity", "Warning", 1) \
	X("device", "Device", "orders data", 1) \
	X("instance", "Instance", "db-4", 1) \
	X("policy", "Policy", "Production", 1) \
	X("about", "What it is about", "orders data", 1) \
	X("by", "Who did it", "marta@northwind.example", 1) \
	X("time", "When", "2026-11-21 09:30:00 (Europe/Berlin)", 1) \
	X("comment", "Comment or reason", N_("the image is not in the policy of the device"), 1) \
	X("link", "Link to the page", "https://console.example.net/requests/0193d1c7", 1) \
	X("account", "Account", "Northwind Logistics", 0) \
	X("console", "Address of the console", "https://console.example.net", 0) \
	X("count", "Number of events", "1", 0)

struct words;

struct message_variable {
	const char *name, *label, *sample;
	int of_one;
};

extern const struct message_variable message_variables[];        /* ends with a NULL name */

#define MESSAGE_TEXT_MAX 4000            /* characters of each of its texts */
#define MESSAGE_LISTED 50                /* events in one message, when there is room for them; the others are counted */
#define MESSAGE_MAX 65536                /* bytes of a message, whatever its texts and values are: no longer mail is sent */

struct message_texts {
	const char *subject, *header, *content, *footer;
};
extern const struct message_texts message_standard, message_standard_operators;          /* what a new group begins with: an account's, and what is other in the operator's */

/* 0, or ERR_INVALID: {{ }} in TEXT holds something that is no variable, or does not end; err_text says which. */
int message_check(const char *text);
/* ITEMS: objects of values by variable, the first MESSAGE_LISTED of them are listed; COUNT: of how many. COMMON: values of the whole
 * message; W: in which language what is said between them is. A line whose variables are all empty is left out. SUBJECT is one line;
 * the caller frees. Appends to TEXT at most MESSAGE_MAX bytes: what is longer ends with an ellipsis, and of the items only those are listed that there is room for. */
void message_compose(const struct message_texts *t, const json_t *items, size_t count, const json_t *common, const struct words *w,
	char **subject, struct buf *text);
/* Sample values: one item, and the common ones; the caller's. */
json_t *message_sample_items(void);
json_t *message_sample_common(void);
/* What stands above an HTML mail: the name, in a colour ("#rrggbb"; "": Keyward's own). */
struct message_head {
	const char *name, *colour;
};
/* The body of an HTML mail that says what TEXT says: paragraphs, a table of "Name: value" lines, links, and small what follows "-- ". Without
 * style sheets, so that it looks the same in mail programs and below a strict policy. Appends. */
void message_html(const struct message_head *head, const char *text, struct buf *out);

#endif
