/* notice.c - tells people by mail what happens to their keys. */
#include "jobs/notice.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "render/template.h"
#include "store/mail.h"
#include "store/notice.h"
#include "store/report.h"

#define LISTED 25                /* in one mail; the others are counted */

#define SECURITY "{account-administrator,security-administrator}"
#define ADMINISTRATORS "{account-administrator}"
#define APPROVERS "{account-administrator,key-approver}"

/* One row per kind of mail. ONLY: a member of the entry's detail and what it must be; NULL: any entry. */
static const struct kind {
	const char *event, *only, *is;
	const char *template, *subject, *roles;
} kinds[] = {
	{ "key.integrity", "integrity", "failed", "mail/integrity_failed", "Integrity check failed", SECURITY },
	{ "key.revoke-announced", NULL, NULL, "mail/revocation_announced", "Key is going to be revoked", SECURITY },
	{ "key.restored", NULL, NULL, "mail/revocation_cancelled", "Key revocation cancelled", SECURITY },
	{ "key.revoke", NULL, NULL, "mail/revocation_ordered", "Key is being revoked", SECURITY },
	{ "key.revoke-unanswered", NULL, NULL, "mail/revocation_unanswered", "Agent does not answer to a revocation", SECURITY },
	{ "key.revoked", NULL, NULL, "mail/key_revoked", "Key revoked", SECURITY },
	{ "key.granted-again", NULL, NULL, "mail/key_granted_again", "Revoked key may be given back", SECURITY },
	{ "key.destroy", NULL, NULL, "mail/destroy_asked", "Destruction of keys asked for", SECURITY },
	{ "key.destroy-confirmed", NULL, NULL, "mail/destroy_confirmed", "Destruction of keys confirmed", SECURITY },
	{ "key.destroy-cancelled", NULL, NULL, "mail/destroy_cancelled", "Destruction of keys cancelled", SECURITY },
	{ "key.destroyed", NULL, NULL, "mail/key_destroyed", "Keys destroyed", SECURITY },
	{ "key.exported", NULL, NULL, "mail/key_exported", "Key exported", SECURITY },
	{ "instance.not-checked", NULL, NULL, "mail/not_checked", "Machine was not checked", SECURITY },
	{ "licence.warning", NULL, NULL, "mail/licence", "Licence", ADMINISTRATORS },
	{ "key.pending", NULL, NULL, "mail/key_pending", "Key waits for approval", APPROVERS },
	{ "key.approved-automatically", NULL, NULL, "mail/key_approved", "Key approved automatically", APPROVERS },
	{ "key.denied-automatically", NULL, NULL, "mail/key_denied", "Key denied automatically", APPROVERS },
};

static struct template_set *templates;
static char *console;            /* "https://console.example.net" */
static char *events;             /* all of the table, as an array of SQL */

int notice_start(const struct conf *conf)
{
	const char *port = conf_get(conf, CONF_PORT);
	struct buf list = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		buf_printf(&list, "%s%s", i ? "," : "{", kinds[i].event);
	events = mem_printf("%s}", buf_str(&list));
	buf_free(&list);
	console = mem_printf("https://%s%s%s", conf_get(conf, CONF_DOMAIN_CONSOLE), strcmp(port, "443") == 0 ? "" : ":",
		strcmp(port, "443") == 0 ? "" : port);
	return template_set_load(conf_get(conf, CONF_WEB_TEMPLATES), NULL, &templates);
}

void notice_stop(void)
{
	template_set_free(templates);
	free(console);
	free(events);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static int is_kind(const struct kind *k, const json_t *entry)
{
	return strcmp(text_of(entry, "event"), k->event) == 0 &&
		(k->only == NULL || strcmp(text_of(json_object_get(entry, "detail"), k->only), k->is) == 0);
}

static json_t *item_of(const json_t *entry)
{
	const char *request = text_of(entry, "policy"), *comment = text_of(json_object_get(entry, "detail"), "comment");
	const char *kind = text_of(entry, "object_kind"), *instance = text_of(entry, "instance");
	int of_device = strcmp(kind, "device") == 0;
	json_t *out = json_object();

	json_set_string(out, "device", *request || of_device ? text_of(entry, "name") : NULL);
	json_set_string(out, "instance", *instance ? instance : NULL);
	json_set_string(out, "by", of_device ? text_of(entry, "by") : NULL);
	json_set_string(out, "policy", *request ? request : NULL);
	json_set_string(out, "at", text_of(entry, "at"));
	json_object_set(out, "revoke_at", json_object_get(entry, "revoke_at"));
	json_set_string(out, "comment", *comment ? comment : NULL);
	if (strcmp(kind, "licence") == 0)
		json_object_set_new(out, "url", json_sprintf("%s/licence", console));
	else
		json_object_set_new(out, "url", json_sprintf("%s/%s/%s", console, of_device ? "devices" : *request ? "requests" : "instances",
			text_of(entry, "object")));
	return out;
}

/* The entries of kind K; NULL when there is none. */
static json_t *document_of(const struct kind *k, const json_t *entries)
{
	json_t *items = json_array(), *entry, *out;
	size_t i, count = 0;

	json_array_foreach(entries, i, entry) {
		if (!is_kind(k, entry))
			continue;
		if (count++ < LISTED)
			json_array_append_new(items, item_of(entry));
	}
	if (count == 0) {
		json_decref(items);
		return NULL;
	}
	out = json_pack("{s:o, s:I, s:I, s:s, s:s}", "items", items, "count", (json_int_t)count, "more",
		(json_int_t)(count > LISTED ? count - LISTED : 0), "console", console, "tenant",
		text_of(json_array_get(entries, 0), "tenant"));
	return out;
}

/* "Key revoked: data on db-4", or of how many. */
static char *subject_of(const struct kind *k, const json_t *doc)
{
	const json_t *first = json_array_get(json_object_get(doc, "items"), 0);
	const char *what = template_text(templates, k->subject), *device = text_of(first, "device");
	const char *instance = text_of(first, "instance");
	long long count = json_integer_value(json_object_get(doc, "count"));

	if (count > 1)
		return mem_printf("%s (%lld)", what, count);
	return mem_printf("%s: %s%s%s", what, device, *device && *instance ? ", " : "", instance);
}

static int tell_all(struct db *db, const struct kind *k, const char *subject, const char *text)
{
	json_t *people = NULL;
	const json_t *person;
	size_t i;
	int rc = notice_recipients(db, k->roles, &people);

	json_array_foreach(people, i, person)
		if (rc == 0)
			rc = mail_add(db, text_of(person, "email"), subject, text, NULL);
	json_decref(people);
	return rc;
}

static int tell_kind(struct db *db, const struct kind *k, const json_t *entries)
{
	json_t *doc = document_of(k, entries);
	struct buf text = BUF_INIT;
	char *subject;
	int rc;

	if (doc == NULL)
		return 0;
	subject = subject_of(k, doc);
	rc = template_render(templates, k->template, doc, &text);
	if (rc == 0)
		rc = tell_all(db, k, subject, buf_str(&text));
	buf_free(&text);
	free(subject);
	json_decref(doc);
	return rc;
}

int notice_can_mail(struct db *db)
{
	struct mail_server server = { .port = 0 };
	struct buf password = BUF_INIT;
	int rc = mail_server_get(db, &server, &password);

	if (rc == 0)
		mail_server_release(&server);
	buf_free(&password);
	return rc == ERR_NOT_FOUND ? 0 : rc < 0 ? rc : 1;
}

int notice_render(const char *template, const json_t *doc, struct buf *out)
{
	return template_render(templates, template, doc, out);
}

const char *notice_text(const char *english)
{
	return template_text(templates, english);
}

int notice_tell(struct db *db, clock_us now)
{
	json_t *entries = NULL;
	int rc = notice_take(db, events, &entries), can;

	(void)now;
	if (rc == 0 && json_array_size(entries) > 0) {
		/* Without a mail server nobody is told, nor later of what is long past. */
		can = notice_can_mail(db);
		rc = can < 0 ? can : 0;
		for (size_t i = 0; can > 0 && rc == 0 && i < ARRAY_LEN(kinds); i++)
			rc = tell_kind(db, &kinds[i], entries);
	}
	json_decref(entries);
	return rc;
}

static int mail_each(struct db *db, const char *recipients, const char *subject, const char *text)
{
	char *list = mem_strdup(recipients), *rest = NULL;
	int rc = 0;

	for (char *one = strtok_r(list, REPORT_BETWEEN, &rest); rc == 0 && one; one = strtok_r(NULL, REPORT_BETWEEN, &rest))
		rc = mail_add(db, one, subject, text, NULL);
	free(list);
	return rc;
}

int notice_report(struct db *db, const json_t *report, const char *period)
{
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", text_of(report, "name"), "period", period, "tenant", text_of(report, "tenant_name"),
		"console", console, "url", json_sprintf("%s/reports/%s", console, text_of(report, "id")));
	char *subject = mem_printf("%s: %s", template_text(templates, "Report ready"), text_of(report, "name"));
	struct buf text = BUF_INIT;
	int can = notice_can_mail(db), rc = can > 0 ? template_render(templates, "mail/report_ready", doc, &text) : can;

	if (rc == 0 && can > 0)
		rc = mail_each(db, text_of(report, "recipients"), subject, buf_str(&text));
	buf_free(&text);
	free(subject);
	json_decref(doc);
	return rc;
}
