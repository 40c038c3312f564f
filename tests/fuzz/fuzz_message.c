/* fuzz_message.c - words of a notification and what is filled in, parted by a zero byte: a text that is accepted leaves no variable behind when
 * values have none, the subject is one line, and the HTML holds no tag but ours. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "notice/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_html(const char *html)
{
	static const char *const ours[] = { "<table", "</table", "<tr", "</tr", "<td", "</td", "<p", "</p", "<font", "</font", "<a href=\"https://", "</a",
		"<b>", "</b>", "<br", "<hr" };

	while ((html = strchr(html, '<')) != NULL) {
		int known = 0;

		for (size_t i = 0; i < ARRAY_LEN(ours); i++)
			known |= strncmp(html, ours[i], strlen(ours[i])) == 0;
		if (!known)
			abort();
		html++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_dup(data, size), *value = text + strlen(text);
	struct message_texts words = { text, text, text, text };
	json_t *items, *common = json_object();
	struct buf out = BUF_INIT, html = BUF_INIT;
	char *subject;

	value = value < text + size ? value + 1 : value;
	items = json_pack("[{s:s*}]", "device", value);
	if (message_check(text) == 0) {
		message_compose(&words, items, 1, common, NULL, &subject, &out);
		if (strchr(subject, '\n') || strchr(subject, '\r') || (!strchr(value, '{') && strstr(subject, "{{")))
			abort();
		free(subject);
	} else {
		buf_puts(&out, text);
	}
	message_html(&(struct message_head){ value, value }, buf_str(&out), &html);
	check_html(buf_str(&html));
	json_decref(items);
	json_decref(common);
	buf_free(&out);
	buf_free(&html);
	free(text);
	return 0;
}
