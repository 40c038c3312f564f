/* notice.c - notices for the next page: in a short cookie that only this server can have written, so that a redirect needs no
 * state. The cookie's code is keyed by the session's token where there is one, so any server of the installation can read it. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "web/state.h"

#define COOKIE "notice"
#define COOKIE_MAX 2000
#define SECONDS 120
#define KEPT_MAX 3

/* HMAC-SHA-256, half of it, as hexadecimal. */
static void code_of(const struct call *c, const char *text, size_t len, char out[static 33])
{
	unsigned char key[crypto_auth_hmacsha256_KEYBYTES], mac[crypto_auth_hmacsha256_BYTES];

	memcpy(key, c->state->web->notice_key, sizeof key);
	if (c->state->csrf)
		token_hash(c->state->csrf, key);
	crypto_auth_hmacsha256(mac, (const unsigned char *)text, len, key);
	sodium_bin2hex(out, 33, mac, 16);
	sodium_memzero(key, sizeof key);
}

static int is_notice(const json_t *entry)
{
	const char *text;

	return json_get_string(entry, "kind", 20, &text) == 0 && json_get_string(entry, "text", 1000, &text) == 0;
}

static void accept(struct call *c, const char *payload)
{
	struct buf text = BUF_INIT;
	json_t *list = NULL, *entry;
	size_t i;

	if (decode_base64url(payload, &text) == 0)
		list = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	json_array_foreach(list, i, entry)
		if (is_notice(entry))
			json_array_append(c->state->notices, entry);
	json_decref(list);
	buf_free(&text);
}

void notice_read(struct call *c)
{
	const char *value = call_cookie(c, COOKIE), *dot = value ? strchr(value, '.') : NULL;
	char code[33], *payload;

	if (value == NULL)
		return;
	c->state->notices_sent = 1;
	if (dot == NULL || strlen(value) > COOKIE_MAX)
		return;
	payload = mem_dup(value, (size_t)(dot - value));
	code_of(c, payload, strlen(payload), code);
	if (strlen(dot + 1) == 32 && sodium_memcmp(dot + 1, code, 32) == 0)
		accept(c, payload);
	free(payload);
}

/* What was not looked at gives way: of what says the same one stays, and of all the last few. */
static void thin_out(json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		for (size_t n = json_array_size(list); --n > i;)
			if (json_equal(json_array_get(list, i), json_array_get(list, n)))
				json_array_remove(list, n);
	while (json_array_size(list) > KEPT_MAX)
		json_array_remove(list, 0);
}

void notice_leave(struct call *c)
{
	char *text, *payload, *value, code[33];

	if (json_array_size(c->state->notices) == 0)
		return;
	thin_out(c->state->notices);
	text = json_dumps(c->state->notices, JSON_COMPACT);
	payload = encode_base64url(text, strlen(text));
	code_of(c, payload, strlen(payload), code);
	value = mem_printf("%s.%s", payload, code);
	if (strlen(value) <= COOKIE_MAX)
		call_set_cookie(c, COOKIE, value, SECONDS, "Strict");
	free(text);
	free(payload);
	free(value);
}
