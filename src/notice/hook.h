/* hook.h - what a webhook sends: the body in each format, and its signature (docs/notifications.md). Pure. */
#ifndef NOTICE_HOOK_H
#define NOTICE_HOOK_H

#include <jansson.h>
#include <stdint.h>

#include "base/secret.h"

struct words;

/* name in the database, what pages call it, what they say of it */
#define HOOK_FORMATS(X) \
	X(JSON, "json", "JSON, signed", "For programs: every value in a member of its own.") \
	X(SLACK, "slack", "Chat: Slack, Mattermost, Rocket.Chat, Google Chat", "A line of text with a link, as incoming webhooks of these take it.") \
	X(TEAMS, "teams", "Chat: Microsoft Teams", "A card, as the Workflows app of Teams takes it.")

enum hook_format {
#define X(id, name, label, hint) HOOK_##id,
	HOOK_FORMATS(X)
#undef X
	HOOK_FORMAT_COUNT
};

extern const char *const hook_format_names[];            /* ends with NULL */
const char *hook_format_label(enum hook_format f);
const char *hook_format_hint(enum hook_format f);
enum hook_format hook_format_of(const char *name);

#define HOOK_SECRET_SIZE 49              /* with its end: "kwhook_" and 32 random bytes, base64url, fit */
#define HOOK_SIGNATURE_SIZE 100

/* A new secret, as it is shown; its text is the key. The caller frees. */
struct secret *hook_secret_new(void);
/* ITEM: values by variable of message.h; EVENT its name in the table; W: what chats are spoken to in. The body's text, the caller's. */
char *hook_body(enum hook_format f, const char *delivery, const char *event, const char *severity, const char *at, const json_t *item,
	const struct words *w);
/* "t=1763717400,v1=<64 hex digits>": HMAC-SHA-256 over the seconds, a dot and the body. */
void hook_sign(const struct secret *key, int64_t seconds, const char *body, char out[static HOOK_SIGNATURE_SIZE]);

#endif
