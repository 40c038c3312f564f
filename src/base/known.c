/* known.c - see known.h. */
#include "base/known.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/phrase.h"

#define DEPTH_MAX 4              /* sentences within each other */

static json_t *find(const struct known *known, const char *text, size_t len, int depth);

static int is_named(const char *name, size_t len, const char *wanted)
{
	return strlen(wanted) == len && memcmp(name, wanted, len) == 0;
}

static json_t *label_of(const char *text, size_t len)
{
	char *label = mem_dup(text, len);
	json_t *out = phrase(label);

	free(label);
	return out;
}

/* What stands in a hole. NULL: it cannot stand there. IS_FIRST: a sentence that begins with another has to know that one. */
static json_t *value_of(const struct known *known, const char *name, size_t name_len, const char *text, size_t len, int is_first, int depth)
{
	json_t *said = NULL;

	if (is_named(name, name_len, "n")) {
		if (len == 0 || len > 18 || strspn(text, "0123456789") < len)
			return NULL;
		return json_integer(strtoll(text, NULL, 10));
	}
	if (is_named(name, name_len, "label"))
		return label_of(text, len);
	if (depth < DEPTH_MAX && (is_named(name, name_len, "why") || is_named(name, name_len, "time")))
		said = find(known, text, len, depth + 1);
	return said ? said : is_first && is_named(name, name_len, "why") ? NULL : json_stringn(text, len);
}

/* TEXT against a known sentence, from left to right: a hole ends where the sentence goes on for the first time, the last one at the end. */
static json_t *match(const struct known *known, const char *pattern, const char *text, size_t len, int depth)
{
	const char *end = text + len, *begin = pattern;
	size_t lead = strcspn(pattern, "%");
	json_t *out, *value;

	/* Most are another sentence from their first word on. */
	if (len < lead || memcmp(text, pattern, lead) != 0)
		return NULL;
	out = phrase(pattern);
	while (*pattern) {
		const char *hole = strstr(pattern, "%{"), *close = hole ? strchr(hole, '}') : NULL, *next, *stop;
		size_t n = close ? (size_t)(hole - pattern) : strlen(pattern), follows;

		if ((size_t)(end - text) < n || memcmp(text, pattern, n) != 0)
			break;
		text += n;
		pattern += n;
		if (close == NULL)
			break;
		next = strstr(close, "%{");
		follows = next ? (size_t)(next - close) - 1 : strlen(close + 1);
		stop = follows == 0 ? end : next ? memmem(text, (size_t)(end - text), close + 1, follows)
			: (size_t)(end - text) >= follows && memcmp(end - follows, close + 1, follows) == 0 ? end - follows : NULL;
		value = stop ? value_of(known, hole + 2, (size_t)(close - hole) - 2, text, (size_t)(stop - text), hole == begin, depth) : NULL;
		if (value == NULL)
			break;
		json_object_setn_new(out, hole + 2, (size_t)(close - hole) - 2, value);
		text = stop;
		pattern = close + 1;
	}
	if (*pattern == '\0' && text == end)
		return out;
	json_decref(out);
	return NULL;
}

static json_t *find(const struct known *known, const char *text, size_t len, int depth)
{
	for (const struct known *k = known; k->text; k++) {
		json_t *out = match(known, k->text, text, len, depth);

		if (out == NULL && k->many)
			out = match(known, k->many, text, len, depth);
		if (out && k->many) {
			json_set_string(out, "say", k->text);
			json_set_string(out, "many", k->many);
		}
		if (out)
			return out;
	}
	return NULL;
}

json_t *known_phrase(const struct known *known, const char *text)
{
	return find(known, text, strlen(text), 0);
}
