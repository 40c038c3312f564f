/* recipients.c - addresses that are typed into one field, between semicolons, commas or line ends. */
#include "shared/recipients.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/say.h"
#include "base/word.h"
#include "web/param.h"

#define BETWEEN ";,\n\r"
#define SHOWN_MAX 200

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* What cannot be seen is shown as a mark, for it may turn round what stands beside it. */
static char *shown(const char *address)
{
	struct buf out = BUF_INIT;
	const char *bad;
	size_t len;

	for (; (bad = word_unseen(address, &len)) != NULL; address = bad + len)
		buf_printf(&out, "%.*s\u2423", (int)(bad - address), address);
	buf_puts(&out, address);
	return buf_take(&out);
}

static int refuse(struct call *c, const char *address, const char *fault)
{
	const char *why = fault == param_no_email ? call_translate(c, "this is no e-mail address. Separate addresses with semicolons.") : call_translate(c, fault);
	char *known = shown(address), *text = mem_printf("%s: %s", strlen(known) < SHOWN_MAX ? known : "\u2026", why);
	int rc = call_field_error(c, "recipients", text);

	free(known);
	free(text);
	return rc;
}

static int read_one(struct call *c, char *typed, json_t *out)
{
	char *one = word_trim(typed);
	const char *fault = *one ? param_email_fault(one) : NULL;

	lower(one);
	if (fault)
		return refuse(c, one, fault);
	if (*one && !json_has_string(out, one))
		json_array_append_new(out, json_string(one));
	return 0;
}

json_t *recipients_read(struct call *c)
{
	char *list = mem_strdup(call_text(c, "recipients")), *rest = NULL;
	json_t *out = json_array();
	int rc = 0;

	for (char *one = strtok_r(list, BETWEEN, &rest); one && rc == 0; one = strtok_r(NULL, BETWEEN, &rest))
		rc = read_one(c, one, out);
	free(list);
	if (rc == 0 && json_array_size(out) > RECIPIENTS_MOST)
		rc = call_field_error(c, "recipients", "At most 50 addresses.");
	if (rc == 0)
		return out;
	json_decref(out);
	return NULL;
}

char *recipients_text(const json_t *list)
{
	struct buf out = BUF_INIT;
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		buf_printf(&out, "%s%s", i ? "; " : "", json_string_value(one));
	return buf_take(&out);
}
