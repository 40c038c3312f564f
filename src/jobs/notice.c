/* notice.c - keeps what the logs have gained as notices, and tells by mail who hears of it by default. */
#include "jobs/notice.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "notice/entry.h"
#include "notice/event.h"
#include "render/languages.h"
#include "render/words.h"
#include "store/brand.h"
#include "store/mail.h"
#include "store/notice.h"
#include "store/report.h"

#define LISTED 25                /* in one mail; the others are counted */

static struct languages languages;
static char *console, *central;  /* "https://console.example.net" */
static char *entries_of[2];      /* what the tenants' rows of the table, and the operator's, look for in a log: arrays of SQL */

static char *address_of(const struct conf *conf, enum conf_setting domain)
{
	const char *port = conf_get(conf, CONF_PORT);
	int usual = strcmp(port, "443") == 0;

	return mem_printf("https://%s%s%s", conf_get(conf, domain), usual ? "" : ":", usual ? "" : port);
}

int notice_start(const struct conf *conf)
{
	entries_of[0] = notice_event_entries(0);
	entries_of[1] = notice_event_entries(1);
	console = address_of(conf, CONF_DOMAIN_CONSOLE);
	central = address_of(conf, CONF_DOMAIN_CENTRAL);
	return languages_load(conf_get(conf, CONF_WEB_TEMPLATES), &languages);
}

void notice_stop(void)
{
	languages_free(&languages);
	free(console);
	free(central);
	free(entries_of[0]);
	free(entries_of[1]);
}

static const char *text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text ? text : "";
}

static int is_operators(struct db *db)
{
	return db_tenant(db) == NULL;
}

const char *notice_console(struct db *db)
{
	return is_operators(db) ? central : console;
}

/* Where the object of an entry has a page; entries of some kinds name none. */
static char *path_of(const json_t *entry, int operator_side)
{
	const char *kind = text_of(entry, "object_kind"), *event = text_of(entry, "event");

	if (strncmp(event, "key-server.", 11) == 0)
		kind = operator_side ? "installation-key-server" : "key-server";
	else if (operator_side && strcmp(kind, "user") == 0)
		kind = "operator";
	else if (strcmp(event, "health.given-up") == 0 && strcmp(kind, "webhooks") != 0)
		kind = "failed-jobs";
	return notice_path(kind, text_of(entry, "object"));
}

static const char *reason_of(const json_t *entry)
{
	static const char *const names[] = { "comment", "reason", "error" };
	const json_t *detail = json_object_get(entry, "detail");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (*text_of(detail, names[i]))
			return text_of(detail, names[i]);
	return "";
}

static void set_unless_empty(json_t *o, const char *name, const char *value)
{
	json_set_string(o, name, *value ? value : NULL);
}

/* Where no one person is spoken to: groups, webhooks, what the bell keeps and translates when it shows it. */
static const struct template_set *english(void)
{
	return language_set(languages_find(&languages, NULL), DATES_USUAL);
}

static const struct template_set *set_of(const json_t *person)
{
	return language_set(languages_find(&languages, text_of(person, "language")), date_format_of(text_of(person, "date_format")));
}

const struct words *notice_words(const json_t *row)
{
	return template_words(set_of(row));
}

const struct words *notice_words_usual(const json_t *row)
{
	return template_words(language_set(languages_find(&languages, text_of(row, "language")), DATES_USUAL));
}

/* ENTRY's time NAME, which is as ISO has it and in the account's time zone. */
static void set_time(json_t *o, const char *name, const struct template_set *templates, const json_t *entry, const char *of)
{
	char *local = words_local(template_words(templates), text_of(entry, of));

	json_set_string(o, name, *local ? local : NULL);
	free(local);
}

/* Takes PHRASE over. */
static char *said(const struct template_set *templates, json_t *phrase)
{
	char *text = words_phrase_text(template_words(templates), phrase);

	json_decref(phrase);
	return text;
}

/* What is said of an entry, in mails and by variable (notice/message.h). */
static json_t *item_of(const struct template_set *templates, const json_t *entry, const struct notice_event *e)
{
	const char *request = text_of(entry, "policy"), *name = text_of(entry, "name");
	const char *kind = text_of(entry, "object_kind"), *instance = text_of(entry, "instance");
	int of_device = strcmp(kind, "device") == 0, operators = notice_event_of_operator(e), of_machine = strcmp(kind, "instance") == 0;
	char *path = path_of(entry, operators), *called = said(templates, entry_object(kind, name)), *comment = said(templates, entry_reason(reason_of(entry))),
		*policy = said(templates, entry_policy(request));
	json_t *out = json_object();

	set_unless_empty(out, "device", *request || of_device ? name : "");
	set_unless_empty(out, "instance", instance);
	/* Whom the log names, but ourselves. */
	set_unless_empty(out, "by", *request || strcmp(text_of(entry, "by"), "jobd") == 0 ? "" : text_of(entry, "by"));
	set_unless_empty(out, "policy", policy);
	set_unless_empty(out, "about", *name ? called : of_machine ? instance : "");
	/* For the mails' own templates: what is neither a device nor a machine. */
	set_unless_empty(out, "what", *request || of_device || of_machine ? "" : called);
	set_time(out, "at", templates, entry, "at");
	set_time(out, "time", templates, entry, "at");
	set_time(out, "revoke_at", templates, entry, "revoke_at");
	set_unless_empty(out, "comment", comment);
	json_set_string(out, "event", template_text(templates, e->label));
	json_set_string(out, "severity", template_text(templates, notice_severity_label(e->severity)));
	json_set_string(out, "path", path);
	json_object_set_new(out, "url", json_sprintf("%s%s", operators ? central : console, path));
	json_object_set(out, "link", json_object_get(out, "url"));
	if (entry_is_own(kind))
		json_set_bool(out, "own", 1);
	free(called);
	free(comment);
	free(policy);
	free(path);
	return out;
}

/* The entries that raise E; NULL when there is none. */
static json_t *document_of(const struct template_set *templates, const struct notice_event *e, const json_t *entries, const char *brand)
{
	json_t *items = json_array(), *entry, *out;
	size_t i, count = 0;

	json_array_foreach(entries, i, entry) {
		if (!notice_event_fits(e, entry))
			continue;
		if (count++ < LISTED)
			json_array_append_new(items, item_of(templates, entry, e));
	}
	if (count == 0) {
		json_decref(items);
		return NULL;
	}
	out = json_pack("{s:s, s:o, s:I, s:I, s:s, s:s, s:s, s:s}", "brand", brand, "items", items, "count", (json_int_t)count, "more",
		(json_int_t)(count > LISTED ? count - LISTED : 0), "console", notice_event_of_operator(e) ? central : console, "tenant",
		text_of(json_array_get(entries, 0), "tenant"), "title", template_text(templates, e->label), "help", template_text(templates, e->help));
	return out;
}

/* "Key revoked: data on db-4", or of how many. */
static char *subject_of(const struct template_set *templates, const struct notice_event *e, const json_t *doc)
{
	const json_t *first = json_array_get(json_object_get(doc, "items"), 0);
	const char *what = template_text(templates, e->label), *about = text_of(first, "device"), *instance = text_of(first, "instance");
	long long count = json_integer_value(json_object_get(doc, "count"));

	if (count > 1)
		return mem_printf("%s (%lld)", what, count);
	about = *about ? about : text_of(first, "what");
	return mem_printf("%s%s%s%s%s", what, *about || *instance ? ": " : "", about, *about && *instance ? ", " : "", instance);
}

static int write_to(struct db *db, const char *brand, const json_t *person, const struct notice_event *e, const json_t *entries)
{
	const struct template_set *templates = set_of(person);
	json_t *doc = document_of(templates, e, entries, brand);
	struct buf text = BUF_INIT;
	char *subject;
	int rc;

	if (doc == NULL)
		return 0;
	subject = subject_of(templates, e, doc);
	rc = template_render(templates, e->template ? e->template : notice_event_of_operator(e) ? "mail/event_operator" : "mail/event", doc, &text);
	if (rc == 0)
		rc = mail_add(db, text_of(person, "email"), subject, buf_str(&text), NULL);
	buf_free(&text);
	free(subject);
	json_decref(doc);
	return rc;
}

static int is_raised(const struct notice_event *e, const json_t *entries)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
		if (notice_event_fits(e, entry))
			return 1;
	return 0;
}

/* By default, to whom the table names, each in the own language. */
static int tell(struct db *db, const struct notice_event *e, const json_t *entries)
{
	json_t *people = NULL;
	const json_t *person;
	struct brand brand;
	size_t i;
	int rc;

	if (strcmp(e->roles, NOTICE_NOBODY) == 0 || !is_raised(e, entries))
		return 0;
	rc = brand_get(db, &brand);
	if (rc == 0)
		rc = notice_recipients(db, e->roles, e->name, &people);
	json_array_foreach(people, i, person)
		if (rc == 0)
			rc = write_to(db, brand.name, person, e, entries);
	json_decref(people);
	return rc;
}

/* For the bell, groups and webhooks. */
static int keep(struct db *db, const json_t *entry)
{
	json_t *names = notice_event_names(entry, is_operators(db)), *item;
	const struct notice_event *e = notice_event_find(json_string_value(json_array_get(names, 0)) ? json_string_value(json_array_get(names, 0)) : "",
		is_operators(db));
	int rc = 0;

	if (e) {
		item = item_of(english(), entry, e);
		set_unless_empty(item, "comment", reason_of(entry));
		rc = notice_add(db, entry, names, notice_severity_name(e->severity), item);
		json_decref(item);
	}
	json_decref(names);
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

int notice_mail(struct db *db, const json_t *people, const json_t *subject, const char *template, const json_t *doc)
{
	struct buf text = BUF_INIT;
	const json_t *person;
	size_t i;
	int rc = 0;

	json_array_foreach(people, i, person) {
		char *said = words_phrase_text(template_words(set_of(person)), subject);

		buf_reset(&text);
		if (rc == 0)
			rc = template_render(set_of(person), template, doc, &text);
		if (rc == 0)
			rc = mail_add(db, text_of(person, "email"), said, buf_str(&text), NULL);
		free(said);
	}
	buf_free(&text);
	return rc;
}

int notice_tell(struct db *db, clock_us now)
{
	json_t *entries = NULL, *entry;
	size_t i;
	int rc = notice_take(db, entries_of[is_operators(db)], &entries), can = 0;

	(void)now;
	json_array_foreach(entries, i, entry)
		if (rc == 0)
			rc = keep(db, entry);
	/* Without a mail server nobody is mailed, nor later of what is long past. */
	if (rc == 0 && json_array_size(entries) > 0)
		rc = can = notice_can_mail(db);
	for (const struct notice_event *e = notice_events; can > 0 && rc >= 0 && e->name; e++)
		if (notice_event_of_operator(e) == is_operators(db))
			rc = tell(db, e, entries);
	json_decref(entries);
	return rc < 0 ? rc : 0;
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

static int say_brand(struct db *db, json_t *doc)
{
	struct brand brand;
	int rc = brand_get(db, &brand);

	if (rc == 0)
		json_set_string(doc, "brand", brand.name);
	return rc;
}

int notice_report(struct db *db, const json_t *report, const char *period)
{
	const char *site = notice_console(db);
	json_t *doc = json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", text_of(report, "name"), "period", period, "tenant", is_operators(db) ? "" : text_of(report, "tenant_name"),
		"console", site, "url", json_sprintf("%s/reports/%s", site, text_of(report, "id")));
	const struct template_set *templates = set_of(report);
	char *subject = mem_printf("%s: %s", template_text(templates, "Report ready"), text_of(report, "name"));
	struct buf text = BUF_INIT;
	int can = notice_can_mail(db), rc = can > 0 ? say_brand(db, doc) : can;

	if (rc == 0 && can > 0)
		rc = template_render(templates, "mail/report_ready", doc, &text);
	if (rc == 0 && can > 0)
		rc = mail_each(db, text_of(report, "recipients"), subject, buf_str(&text));
	buf_free(&text);
	free(subject);
	json_decref(doc);
	return rc;
}
