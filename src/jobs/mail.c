/* mail.c - one mail to one recipient, by the mail server that the operator has set; its password is revealed by keyd for the moment. */
#include "jobs/mail.h"

#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"
#include "notice/message.h"
#include "notify/smtp.h"
#include "store/brand.h"

#define HANDED "handed"          /* member of the job: the last of the mail was being handed over */

/* The installation's settings, whosever the mail is. */
static int begin(struct work *w)
{
	return db_begin(w->db, NULL, &(struct db_actor){ .kind = DB_ACTOR_SYSTEM, .name = "jobd" });
}

static int load(struct work *w, struct mail_server *server, struct secret **password, struct brand *brand)
{
	struct buf blob = BUF_INIT;
	int rc = begin(w);

	if (rc == 0)
		rc = mail_server_get(w->db, server, &blob);
	if (rc == 0)
		rc = brand_get(w->db, brand);
	db_rollback(w->db);
	if (rc == 0 && blob.len)
		rc = keys_system_reveal(w->keys, &w->job->id, MAIL_PASSWORD_PURPOSE, wire_view_of(&blob), password);
	buf_free(&blob);
	return rc;
}

/* *LINK stays NULL where the mail has none. */
static int open_link(struct work *w, struct secret **link)
{
	const char *encoded = json_string_value(json_object_get(w->job->payload, "link"));
	struct buf blob = BUF_INIT;
	int rc = encoded ? decode_base64url(encoded, &blob) : 0;

	if (rc == 0 && encoded)
		rc = keys_system_reveal(w->keys, &w->job->id, MAIL_LINK_PURPOSE, wire_view_of(&blob), link);
	buf_free(&blob);
	return rc;
}

/* TEXT with the link where its mark is; the caller wipes. */
static void put_link(const char *text, const struct secret *link, struct buf *out)
{
	const char *mark;

	/* At once, so that growing leaves no copy of it behind. */
	buf_extend(out, strlen(text) + (link ? 8 * link->len : 0));
	buf_reset(out);
	while (link && (mark = strstr(text, MAIL_LINK_MARK)) != NULL) {
		buf_add(out, text, (size_t)(mark - text));
		buf_add(out, link->data, link->len);
		text = mark + strlen(MAIL_LINK_MARK);
	}
	buf_puts(out, text);
}

/* The mail as HTML; at once, likewise. The caller wipes. */
static void put_html(const struct brand *brand, const char *text, struct buf *out)
{
	buf_extend(out, 16 * strlen(text) + 16384);
	buf_reset(out);
	message_html(&(struct message_head){ brand->name, brand->colour }, text, out);
}

/* From here on the server may have it, whatever becomes of us. */
static int note_ending(void *ctx)
{
	struct work *w = ctx;
	json_t *more = json_pack("{s:b}", HANDED, 1);
	int rc = begin(w);

	if (rc == 0)
		rc = job_note(w->db, &w->job->id, more);
	json_decref(more);
	return db_end(w->db, rc);
}

/* We are still there to hear how it went: if not well, it is tried again. */
static int note_refused(struct work *w)
{
	json_t *more = json_pack("{s:b}", HANDED, 0);
	int rc = begin(w);

	if (rc == 0)
		rc = job_note(w->db, &w->job->id, more);
	json_decref(more);
	return db_end(w->db, rc);
}

static int send_mail(struct work *w)
{
	struct smtp_mail mail = { .id = w->job->id, .ending = note_ending, .ctx = w };
	struct mail_server server = { .port = 0 };
	struct brand brand;
	struct secret *password = NULL, *link = NULL;
	struct buf text = BUF_INIT, html = BUF_INIT;
	int rc = json_get_string(w->job->payload, "to", MESSAGE_MAX, &mail.to);

	if (rc == 0)
		rc = json_get_string(w->job->payload, "subject", MESSAGE_MAX, &mail.subject);
	if (rc == 0)
		rc = json_get_string(w->job->payload, "text", MESSAGE_MAX, &mail.text);
	if (rc == 0)
		rc = load(w, &server, &password, &brand);
	if (rc == 0)
		rc = open_link(w, &link);
	if (rc == 0) {
		put_link(mail.text, link, &text);
		mail.text = buf_str(&text);
		put_html(&brand, mail.text, &html);
		mail.html = buf_str(&html);
		mail.from = brand.name;
		rc = smtp_send(&server, password, &mail);
	}
	secret_free(link);
	secret_wipe(text.data, text.len);
	buf_free(&text);
	secret_wipe(html.data, html.len);
	buf_free(&html);
	secret_free(password);
	mail_server_release(&server);
	return rc;
}

int mail_job(struct work *w)
{
	char why[256];
	int rc;

	/* A second one would be noticed by somebody; that it may be lost is shown to the operator. */
	if (json_is_true(json_object_get(w->job->payload, HANDED)))
		return err_set(ERR_INVALID, "the server ended while the mail was being handed over: the mail server may have it or not, and it is not sent twice");
	rc = send_mail(w);
	if (rc < 0) {
		snprintf(why, sizeof why, "%s", err_text());
		note_refused(w);
		err_set(rc, "%s", why);
	}
	/* What the server refuses for good, it would refuse again. */
	return rc == ERR_FORBIDDEN ? ERR_INVALID : rc;
}

/* Tried once; its result is shown. */
int mail_job_test(struct work *w)
{
	struct uuid test;
	int sent = send_mail(w), rc = begin(w);

	if (rc == 0)
		rc = json_get_uuid(w->job->payload, "test", &test);
	if (rc == 0)
		rc = mail_test_done(w->db, &test, sent < 0 ? err_text() : NULL);
	return db_end(w->db, rc);
}
