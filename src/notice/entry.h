/* entry.h - what an entry of the log says, in words for people. Entries are kept in English and with the names that programs know; here is the table
 * of those names, and of the sentences that are kept as reasons. What is not in it is shown as it stands: names, and texts of people and of other programs. */
#ifndef NOTICE_ENTRY_H
#define NOTICE_ENTRY_H

#include <jansson.h>

struct words;

#define ENTRY_DEPTH_MAX 6        /* of values in values; deeper ones are shown as JSON */

/* Results are phrases (base/phrase.h), the caller's. */

/* What the member NAME of an entry's detail is called; NAME itself where it is not known. */
json_t *entry_name(const char *name);
/* Its value: words, amounts and times in the reader's language. */
json_t *entry_value(const char *name, const json_t *value);
/* "Reason: ..., Keys: 3" for all members but the changes; NULL: there are none. */
json_t *entry_detail(const json_t *detail);
/* Why something was done, or why it failed. */
json_t *entry_reason(const char *text);
/* It is a sentence of ours, which a page begins with a capital letter: it does not begin with a value. */
int entry_is_sentence(const char *text);
int entry_is_own(const char *kind);
/* The name, or description, of a policy: what the database gave one with its account is ours, others are people's. */
json_t *entry_policy(const char *kept);
int entry_is_born(const char *kept);
/* A notice's values (notice/message.h), kept in English and with ISO's days, in the language W (NULL: English) and with its days; "own": what it is about is a name of ours. Not a phrase; the caller's. */
json_t *entry_item(const struct words *w, const json_t *item);
/* The same where people write: nothing is taken for ours but what ours say there. */
json_t *entry_comment(const char *text);
/* The name of what an entry is about: that of a part of the server is ours, others are people's. */
json_t *entry_object(const char *kind, const char *name);

#endif
