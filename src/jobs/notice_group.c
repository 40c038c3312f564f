/* notice_group.c - mails to groups of recipients. */
#include "jobs/notice_group.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "jobs/notice.h"
#include "jobs/table.h"
#include "notice/entry.h"
#include "notice/event.h"
#include "notice/message.h"
#include "render/words.h"
#include "store/mail.h"
#include "store/notice_group.h"

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static json_t *items_of(const json_t *group, const struct words *w)
{
	json_t *out = json_array(), *notice;
	size_t i;

	json_array_foreach(json_object_get(group, "notices"), i, notice)
		json_array_append_new(out, entry_item(w, json_object_get(notice, "item")));
	return out;
}

/* In the language of the account: nobody knows which one the recipients speak. */
static int mail_group(struct db *db, const json_t *group)
{
	const struct message_texts texts = { text_of(group, "subject"), text_of(group, "header"), text_of(group, "content"), text_of(group, "footer") };
	const struct words *w = notice_words(group);
	json_t *items = items_of(group, w), *common = json_pack("{s:s, s:s}", "account", db_tenant(db) ? text_of(group, "tenant") : words_text(w, "Central Management"), "console", notice_console(db)), *to;
	struct buf text = BUF_INIT;
	char *subject;
	size_t i;
	int rc = 0;

	message_compose(&texts, items, (size_t)json_integer_value(json_object_get(group, "count")), common, w, &subject, &text);
	json_array_foreach(json_object_get(group, "recipients"), i, to)
		if (rc == 0)
			rc = mail_add(db, json_string_value(to), subject, buf_str(&text), NULL);
	free(subject);
	buf_free(&text);
	json_decref(items);
	json_decref(common);
	return rc;
}

int notice_group_tell(struct db *db, clock_us now)
{
	int can = notice_can_mail(db), rc = 0, done = 0;

	(void)now;
	while (can >= 0 && rc == 0 && done < TASK_CHUNK) {
		json_t *group = NULL;

		rc = notice_group_take(db, MESSAGE_LISTED, can > 0, &group);
		if (rc == 0 && can > 0 && json_integer_value(json_object_get(group, "count")) > 0)
			rc = mail_group(db, group);
		done += rc == 0;
		json_decref(group);
	}
	return can < 0 ? can : rc < 0 && rc != ERR_NOT_FOUND ? rc : done;
}
