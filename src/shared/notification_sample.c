/* notification_sample.c - a group's texts with sample values: as a preview beside the form, and as a test mail to its recipients. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "notice/event.h"
#include "notice/message.h"
#include "shared/notification.h"
#include "shared/recipients.h"
#include "store/audit.h"
#include "store/mail.h"
#include "web/brand.h"
#include "web/doc.h"

/* As far as the event has them: the preview shows which lines are left out of its mails. */
static void fit_sample(struct call *c, json_t *item, const struct notice_event *e)
{
	static const char *const of_machines[] = { "key.", "device.", "instance." }, *const others_lack[] = { "device", "instance", "policy", "about", "comment" };
	static const struct { const char *entry, *about; } samples[] = { { "report.", "Monthly report" }, { "health.", "Key service" },
		{ "key-server.", "kmip.example.net" } };

	for (size_t i = 0; i < ARRAY_LEN(of_machines); i++)
		if (strncmp(e->entry, of_machines[i], strlen(of_machines[i])) == 0)
			return;
	for (size_t i = 0; i < ARRAY_LEN(others_lack); i++)
		json_object_del(item, others_lack[i]);
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (strncmp(e->entry, samples[i].entry, strlen(samples[i].entry)) == 0)
			json_set_string(item, "about", call_translate(c, samples[i].about));
	if (strncmp(e->entry, "user.", 5) == 0)
		json_set_string(item, "about", c->user_email);
}

static void compose_sample(struct call *c, const struct notice_group *g, char **subject, struct buf *text)
{
	const struct message_texts texts = { g->subject, g->header, g->content, g->footer };
	const struct notice_event *e = notice_event_find(json_string_value(json_array_get(g->events, 0)), c->site == WEB_CENTRAL);
	json_t *items = message_sample_items(), *common = message_sample_common(), *item = json_array_get(items, 0);
	char *console = call_address(c, c->site, "");

	json_set_string(item, "event", call_translate(c, e->label));
	json_set_string(item, "severity", call_translate(c, notice_severity_label(e->severity)));
	json_object_set_new(item, "time", doc_local(c, item, "time"));
	json_set_string(item, "by", c->user_email);
	json_set_string(item, "comment", call_translate(c, json_string_value(json_object_get(item, "comment"))));
	json_object_set_new(item, "link", json_sprintf("%s/notices", console));
	fit_sample(c, item, e);
	json_set_string(common, "account", c->site == WEB_CENTRAL ? call_translate(c, "Central Management") : c->tenant_name);
	json_set_string(common, "console", console);
	message_compose(&texts, items, 1, common, call_words(c), subject, text);
	free(console);
	json_decref(items);
	json_decref(common);
}

int notification_preview(struct call *c)
{
	struct notice_group g;
	struct buf text = BUF_INIT, html = BUF_INIT;
	struct brand_look look;
	char *subject = NULL, *to;
	int rc = notification_read(c, &g);

	if (rc == 0) {
		compose_sample(c, &g, &subject, &text);
		brand_look(&look);
		message_html(&(struct message_head){ look.is.name, look.is.colour }, buf_str(&text), &html);
		to = recipients_text(g.recipients);
		call_set(c, "preview", json_pack("{s:s, s:s, s:o, s:s}", "subject", subject, "text", buf_str(&text), "html", doc_markup(buf_str(&html)), "to", to));
		free(to);
	}
	free(subject);
	buf_free(&text);
	buf_free(&html);
	notification_release(&g);
	return rc;
}

static int send_test(struct call *c, const struct uuid *id, const struct notice_group *g)
{
	struct buf text = BUF_INIT;
	char *subject, *whole, key[UUID_TEXT_SIZE];
	json_t *to;
	size_t i;
	int rc = 0;

	compose_sample(c, g, &subject, &text);
	whole = mem_printf("[%s] %s", call_translate(c, "Test"), subject);
	uuid_text(id, key);
	json_array_foreach(g->recipients, i, to) {
		/* Who presses the button again and again gets no more than one that waits. */
		char *unique = mem_printf("test:%s:%zu", key, i);

		if (rc == 0)
			rc = mail_add(c->db, json_string_value(to), whole, buf_str(&text), unique);
		free(unique);
	}
	free(whole);
	free(subject);
	buf_free(&text);
	return rc < 0 ? rc : audit_log(c->db, AUDIT_NOTICE_GROUP_TESTED, &(struct audit_object){ "notice-group", id, g->name }, json_pack("{s:O}",
		"recipients", g->recipients));
}

int notification_test(struct call *c)
{
	struct uuid id = call_uuid(c, "id");
	json_t *row = NULL;
	int rc = notice_group_get(c->db, &id, &row), can = rc < 0 ? rc : mail_is_set(c->db);

	if (can == 0)
		rc = call_refuse(c, ERR_CONFLICT, "The operator has not set a mail server, so nothing can be sent.");
	else if (can < 0)
		rc = can;
	if (rc == 0)
		rc = send_test(c, &id, &(struct notice_group){ .name = doc_text(row, "name"), .recipients = json_object_get(row, "recipients"), .events =
			json_object_get(row, "events"), .subject = doc_text(row, "subject"), .header = doc_text(row, "header"), .content =
			doc_text(row, "content"), .footer = doc_text(row, "footer") });
	json_decref(row);
	if (rc < 0)
		return rc;
	return doc_done(c, "/notifications", &id, "A test mail is on its way to the group's recipients.");
}
