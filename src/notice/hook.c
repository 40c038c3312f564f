/* hook.c - bodies and signatures of webhooks. */
#include "notice/hook.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"
#include "notice/entry.h"
#include "notice/event.h"
#include "render/words.h"

#define PREFIX "kwhook_"
#define RANDOM_BYTES 30          /* 40 characters of base64url */

const char *const hook_format_names[] = {
#define X(id, name, label, hint) name,
	HOOK_FORMATS(X)
#undef X
	NULL
};
static const struct { const char *label, *hint; } formats[] = {
#define X(id, name, label, hint) { label, hint },
	HOOK_FORMATS(X)
#undef X
};

const char *hook_format_label(enum hook_format f)
{
	return formats[f].label;
}

const char *hook_format_hint(enum hook_format f)
{
	return formats[f].hint;
}

enum hook_format hook_format_of(const char *name)
{
	for (int i = 0; i < HOOK_FORMAT_COUNT; i++)
		if (strcmp(hook_format_names[i], name) == 0)
			return (enum hook_format)i;
	return HOOK_JSON;
}

struct secret *hook_secret_new(void)
{
	unsigned char random[RANDOM_BYTES];
	char text[HOOK_SECRET_SIZE] = PREFIX;
	struct secret *out;

	randombytes_buf(random, sizeof random);
	sodium_bin2base64(text + strlen(PREFIX), sizeof text - strlen(PREFIX), random, sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	out = secret_new(strlen(text));
	memcpy(out->data, text, strlen(text));
	sodium_memzero(random, sizeof random);
	sodium_memzero(text, sizeof text);
	return out;
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

/* "orders data on db-4" */
static char *place(const struct words *w, const char *about, const char *instance)
{
	json_t *both;
	char *out;

	if (*about == '\0' || *instance == '\0' || strcmp(about, instance) == 0)
		return mem_strdup(*about ? about : instance);
	both = phrase_say("%{about} on %{instance}", "about", json_string(about), "instance", json_string(instance), NULL);
	out = words_phrase_text(w, both);
	json_decref(both);
	return out;
}

/* "Key waits for approval: orders data on db-4" */
static char *sentence(const struct words *w, const json_t *item)
{
	const char *comment = text_of(item, "comment");
	char *where = place(w, text_of(item, "about"), text_of(item, "instance"));
	char *out = mem_printf("%s%s%s%s%s", text_of(item, "event"), *where ? ": " : "", where, *comment ? " - " : "", comment);

	free(where);
	return out;
}

/* What Slack and those that follow it read as markup; Google Chat and Mattermost show the entities as the characters. */
static char *slack_text(const char *text)
{
	struct buf out = BUF_INIT;

	for (; *text; text++) {
		if (*text == '&' || *text == '<' || *text == '>')
			buf_puts(&out, *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : "&gt;");
		else
			buf_putc(&out, *text);
	}
	return buf_take(&out);
}

static json_t *slack(const struct words *w, const char *severity, const json_t *item)
{
	char *words = sentence(w, item), *safe = slack_text(words);
	json_t *out = json_pack("{s:o}", "text", json_sprintf("[%s] %s\n%s", words_text(w, notice_severity_label(notice_severity_of(severity))), safe ? safe : "",
		text_of(item, "link")));

	free(safe);
	free(words);
	return out;
}

static json_t *fact(const char *title, const char *value)
{
	return json_pack("{s:s, s:s}", "title", title, "value", value);
}

static json_t *facts(const struct words *w, const json_t *item)
{
	static const struct { const char *name, *title; } shown[] = { { "device", "Device" }, { "instance", "Instance" }, { "policy", "Policy" },
		{ "by", "By" }, { "time", "When" }, { "comment", "Reason" } };
	json_t *out = json_array();

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (*text_of(item, shown[i].name))
			json_array_append_new(out, fact(words_text(w, shown[i].title), text_of(item, shown[i].name)));
	return out;
}

static json_t *teams(const struct words *w, const char *severity, const json_t *item)
{
	static const char *const colours[] = { [NOTICE_INFO] = "Accent", [NOTICE_WARNING] = "Warning", [NOTICE_CRITICAL] = "Attention" };
	json_t *body = json_pack("[{s:s, s:s, s:s, s:s, s:s, s:b}, {s:s, s:o}]", "type", "TextBlock", "text", text_of(item, "event"), "weight", "Bolder",
		"size", "Medium", "color", colours[notice_severity_of(severity)], "wrap", 1, "type", "FactSet", "facts", facts(w, item));
	json_t *card = json_pack("{s:s, s:s, s:s, s:o, s:[{s:s, s:s, s:s}]}", "$schema", "http://adaptivecards.io/schemas/adaptive-card.json", "type",
		"AdaptiveCard", "version", "1.4", "body", body, "actions", "type", "Action.OpenUrl", "title", words_text(w, "Open"), "url", text_of(item, "link"));

	return json_pack("{s:s, s:[{s:s, s:o}]}", "type", "message", "attachments", "contentType", "application/vnd.microsoft.card.adaptive", "content",
		card);
}

static json_t *plain(const char *delivery, const char *event, const char *severity, const char *at, const json_t *item)
{
	json_t *out = json_pack("{s:s, s:s, s:s, s:s}", "delivery", delivery, "event", event, "severity", severity, "at", at);
	json_t *data = json_copy((json_t *)(uintptr_t)item);

	json_object_del(data, "event");
	json_object_del(data, "severity");
	json_object_del(data, "time");
	json_object_del(data, "own");
	json_set_string(out, "title", text_of(item, "event"));
	json_object_set_new(out, "data", data);
	return out;
}

char *hook_body(enum hook_format f, const char *delivery, const char *event, const char *severity, const char *at, const json_t *item,
	const struct words *w)
{
	json_t *spoken = entry_item(w, item);
	json_t *body = f == HOOK_SLACK ? slack(w, severity, spoken) : f == HOOK_TEAMS ? teams(w, severity, spoken) : plain(delivery, event, severity, at, item);
	char *text = json_text(body);

	json_decref(spoken);
	json_decref(body);
	return text;
}

void hook_sign(const struct secret *key, int64_t seconds, const char *body, char out[static HOOK_SIGNATURE_SIZE])
{
	crypto_auth_hmacsha256_state state;
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	char hex[2 * sizeof mac + 1], head[32];

	snprintf(head, sizeof head, "%lld.", (long long)seconds);
	crypto_auth_hmacsha256_init(&state, key->data, key->len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)head, strlen(head));
	crypto_auth_hmacsha256_update(&state, (const unsigned char *)body, strlen(body));
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_bin2hex(hex, sizeof hex, mac, sizeof mac);
	snprintf(out, HOOK_SIGNATURE_SIZE, "t=%lld,v1=%s", (long long)seconds, hex);
	sodium_memzero(&state, sizeof state);
}
